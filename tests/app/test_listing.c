#include "app/listing_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/signals_priv.h"
#include "files.h"
#include "isolate.h"

static int open_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void names_are_sorted_bytewise_and_found(void **state)
{
    (void)state;
    static const char *const names[] = {"B", "a", "a-", "a.png", "a.png.jpg", "b", "\xff"};
    const size_t count = sizeof(names) / sizeof(names[0]);
    struct listing listing;
    make_folder(scratch("in"));
    for (size_t i = count; i-- > 0;)
        write_text(scratch("in/%s", names[i]), "");
    int fd = open_folder(scratch("in"));
    assert_int_equal(listing_read(fd, false, &listing), 0);
    assert_int_equal(listing.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(listing_name(&listing, i), names[i]);
        assert_int_equal(listing.entries[i].type, DT_REG);
        assert_ptr_equal(listing_find(&listing, names[i], strlen(names[i])), &listing.entries[i]);
    }
    assert_ptr_equal(listing_find(&listing, "a.png.jpg", 5), &listing.entries[3]);
    assert_null(listing_find(&listing, "a.pn", 4));
    assert_null(listing_find(&listing, "c", 1));
    assert_null(listing_find(&listing, "", 0));
    listing_done(&listing);
    close(fd);
}

static void links_have_the_type_of_their_target_when_followed(void **state)
{
    (void)state;
    struct listing listing;
    make_folder(scratch("in/folder"));
    assert_int_equal(symlink("folder", scratch("in/to-folder")), 0);
    assert_int_equal(symlink("nothing", scratch("in/to-nothing")), 0);
    assert_int_equal(mkfifo(scratch("in/fifo"), 0600), 0);
    int fd = open_folder(scratch("in"));
    for (int follow = 0; follow < 2; follow++) {
        assert_true(lseek(fd, 0, SEEK_SET) == 0);
        assert_int_equal(listing_read(fd, follow, &listing), 0);
        assert_int_equal(listing.count, 4);
        assert_int_equal(listing_find(&listing, "fifo", 4)->type, DT_FIFO);
        assert_int_equal(listing_find(&listing, "folder", 6)->type, DT_DIR);
        assert_int_equal(listing_find(&listing, "to-folder", 9)->type, follow ? DT_DIR : DT_LNK);
        assert_int_equal(listing_find(&listing, "to-nothing", 10)->type, DT_LNK);
        assert_int_equal(listing_find(&listing, "to-folder", 9)->link, follow);
        listing_done(&listing);
    }
    close(fd);
}

static void many_names_are_all_read(void **state)
{
    (void)state;
    struct listing listing;
    make_folder(scratch("in"));
    for (int i = 0; i < 3000; i++)
        write_text(scratch("in/a-rather-long-name-to-need-several-reads-%05d", i), "");
    int fd = open_folder(scratch("in"));
    assert_int_equal(listing_read(fd, false, &listing), 0);
    assert_int_equal(listing.count, 3000);
    assert_string_equal(listing_name(&listing, 2999),
                        "a-rather-long-name-to-need-several-reads-02999");
    listing_done(&listing);
    close(fd);
    fd = open(scratch("in/a-rather-long-name-to-need-several-reads-00000"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(listing_read(fd, false, &listing), -ENOTDIR);
    close(fd);
}

static void a_signal_ends_the_reading_of_a_folder(void **state)
{
    (void)state;
    struct listing listing;
    make_folder(scratch("in"));
    write_text(scratch("in/a"), "");
    assert_int_equal(signals_install(), 0);
    int fd = open_folder(scratch("in"));
    assert_int_equal(listing_read(fd, false, &listing), 0);
    listing_done(&listing);
    assert_int_equal(raise(SIGHUP), 0);
    assert_true(lseek(fd, 0, SEEK_SET) == 0);
    assert_int_equal(listing_read(fd, false, &listing), -EINTR);
    close(fd);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(names_are_sorted_bytewise_and_found),
        TEST(links_have_the_type_of_their_target_when_followed),
        TEST(many_names_are_all_read),
        TEST(a_signal_ends_the_reading_of_a_folder),
    };
    return test_run("app listing", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
