#include "app/bench_folder_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "files.h"
#include "isolate.h"

static struct bench_folder made(void)
{
    struct bench_folder folder;
    assert_int_equal(bench_folder_make(test_scratch(), &folder), 0);
    return folder;
}

static void it_is_new_and_for_nobody_else(void **state)
{
    (void)state;
    struct stat st;
    struct bench_folder folder = made(), other = made();
    assert_string_not_equal(text_string(&folder.path), text_string(&other.path));
    assert_int_equal(stat(text_string(&folder.path), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(bench_folder_add(&folder, "made"), 0);
    assert_int_equal(bench_folder_add(&folder, "made"), -EEXIST);
    bench_folder_remove(&folder);
    bench_folder_remove(&other);
    bench_folder_remove(&other); /* there is none any more */
    assert_int_equal(count_entries(test_scratch()), 0);
}

static void a_removal_follows_no_link(void **state)
{
    (void)state;
    char path[4096];
    make_folder(scratch("photos"));
    write_text(scratch("photos/a.jpg"), "a photo");
    const uint64_t before = tree_hash(scratch("photos"), NULL);
    for (int whole = 0; whole < 2; whole++) {
        struct bench_folder folder = made();
        assert_int_equal(bench_folder_add(&folder, "made"), 0);
        snprintf(path, sizeof(path), "%s/made/deep/deeper", text_string(&folder.path));
        make_folder(path);
        snprintf(path, sizeof(path), "%s/made/deep/b.jpg", text_string(&folder.path));
        write_text(path, "b");
        snprintf(path, sizeof(path), "%s/made/to-folder", text_string(&folder.path));
        assert_int_equal(symlink(scratch("photos"), path), 0);
        snprintf(path, sizeof(path), "%s/made/deep/to-file", text_string(&folder.path));
        assert_int_equal(symlink(scratch("photos/a.jpg"), path), 0);
        assert_int_equal(bench_folder_count(&folder, "made"), 2);
        if (whole == 0)
            assert_int_equal(bench_folder_drop(&folder, "made"), 0);
        bench_folder_remove(&folder);
        assert_int_equal(tree_hash(scratch("photos"), NULL), before);
        assert_int_equal(count_entries(test_scratch()), 1);
    }
}

static void what_took_its_name_is_left_alone(void **state)
{
    (void)state;
    struct bench_folder folder = made();
    const char *path = keep(strdup(text_string(&folder.path)));
    assert_int_equal(rename(path, scratch("elsewhere")), 0);
    make_folder(path);
    write_text(keep(strdup(scratch("elsewhere/own"))), "ours");
    char inside[4096];
    snprintf(inside, sizeof(inside), "%s/photo.jpg", path);
    write_text(inside, "a photo");
    bench_folder_remove(&folder);
    assert_true(file_exists(inside));
    assert_int_equal(count_entries(scratch("elsewhere")), 0);
}

static void nothing_is_made_beside_it_once_it_was_moved(void **state)
{
    (void)state;
    struct bench_folder folder = made();
    const char *path = keep(strdup(text_string(&folder.path)));
    assert_int_equal(rename(path, scratch("elsewhere")), 0);
    assert_int_equal(bench_folder_add(&folder, "made"), -ESTALE);
    make_folder(path);
    assert_int_equal(bench_folder_add(&folder, "made"), -ESTALE);
    assert_int_equal(count_entries(scratch("elsewhere")), 0);
    bench_folder_remove(&folder);
}

/* Folders of pictures can be deeper than there are descriptors, and than a path is long. */
static void however_deep_it_is_all_of_it_goes(void **state)
{
    (void)state;
    const struct rlimit few = {.rlim_cur = 32, .rlim_max = 32};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (int whole = 0; whole < 2; whole++) {
        struct bench_folder folder = made();
        assert_int_equal(bench_folder_add(&folder, "made"), 0);
        int at = openat(folder.fd, "made", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        for (int depth = 0; depth < 2500; depth++) {
            assert_int_equal(mkdirat(at, "ab", 0700), 0);
            assert_int_equal(symlinkat("ab", at, "link"), 0);
            const int below = openat(at, "ab", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            assert_true(below >= 0);
            close(at);
            at = below;
        }
        close(at);
        if (whole == 0)
            assert_int_equal(bench_folder_drop(&folder, "made"), 0);
        assert_int_equal(bench_folder_count(&folder, "."), whole);
        bench_folder_remove(&folder);
        assert_int_equal(count_entries(test_scratch()), 0);
    }
}

static void a_place_that_is_none_is_refused(void **state)
{
    (void)state;
    struct bench_folder folder;
    write_text(scratch("file"), "");
    assert_int_equal(bench_folder_make(scratch("none"), &folder), -ENOENT);
    assert_int_equal(bench_folder_make(scratch("file"), &folder), -ENOTDIR);
}

static void a_file_is_whole_or_as_it_was(void **state)
{
    (void)state;
    struct text text = TEXT_INIT;
    text_puts(&text, "new");
    write_text(scratch("page.html"), "old");
    assert_int_equal(bench_file_write(scratch("page.html"), &text), 0);
    assert_string_equal(read_file(scratch("page.html"), NULL), "new");
    assert_int_equal(bench_file_write(scratch("none/page.html"), &text), -ENOENT);
    make_folder(scratch("folder"));
    assert_int_equal(bench_file_write(scratch("folder"), &text), -EISDIR);
    assert_int_equal(count_entries(test_scratch()), 2);
    text_done(&text);
}

static int check(const char *path)
{
    const struct options options = {.box_width_px = 1, .box_height_px = 1};
    struct text message = TEXT_INIT;
    struct inputs *inputs = NULL;
    assert_int_equal(inputs_create(&options, &inputs, &message), 0);
    const int r = bench_file_check(path, inputs, &message);
    assert_int_equal(message.length > 0, r < 0);
    inputs_free(inputs);
    text_done(&message);
    return r;
}

static void what_cannot_be_looked_at_is_not_replaced(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    write_text(scratch("page.html"), "old");
    assert_int_equal(check(scratch("page.html")), 0);
    assert_int_equal(check(scratch("new.html")), 0);
    if (geteuid() != 0) { /* who may read all that there is */
        assert_int_equal(chmod(scratch("page.html"), 0), 0);
        assert_int_equal(check(scratch("page.html")), -EEXIST);
    }
    assert_int_equal(chdir(test_scratch()), 0);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strcpy(address.sun_path, "socket");
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(check("socket"), -EEXIST);
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(check("pipe"), -EEXIST);
    close(fd);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(it_is_new_and_for_nobody_else),     TEST(a_removal_follows_no_link),
        TEST(what_took_its_name_is_left_alone),  TEST(a_place_that_is_none_is_refused),
        TEST(a_file_is_whole_or_as_it_was),      TEST(nothing_is_made_beside_it_once_it_was_moved),
        TEST(however_deep_it_is_all_of_it_goes), TEST(what_cannot_be_looked_at_is_not_replaced),
    };
    return test_run("app bench folder", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
