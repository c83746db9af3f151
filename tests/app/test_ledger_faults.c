/* The ledger where the folder is not as it should be. */
#include "app/ledger_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "files.h"
#include "isolate.h"
#include "ledgers.h"

#define HEADER "thumbpool-failed 1\n"

static void expect_taken(int dir_fd, int problem)
{
    const struct ledger_source source = source_of("/a");
    const uint64_t before = tree_hash(scratch("out"), NULL);
    struct ledger *ledger = open_ledger(dir_fd);
    assert_int_equal(ledger_problem(ledger), problem);
    assert_false(ledger_knows_any(ledger));
    assert_int_equal(ledger_close(ledger, dir_fd, true), 0);
    assert_int_equal(ledger_begin(ledger, dir_fd, &source), problem);
    assert_int_equal(fail_it(ledger, dir_fd, "/a", "damaged", 0), problem);
    assert_int_equal(ledger_close(ledger, dir_fd, true), problem);
    assert_true(knows(ledger, "/a", "damaged", 0));
    ledger_free(ledger);
    assert_true(tree_hash(scratch("out"), NULL) == before);
}

static void only_a_file_of_that_name_is_read_or_written(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    const char *path = ledger_path();
    write_text(scratch("precious"), HEADER "1\t1\t1\tdamaged\t0\t/a\n");

    assert_int_equal(mkfifo(path, 0600), 0);
    expect_taken(dir_fd, -EEXIST);
    assert_int_equal(unlink(path), 0);

    assert_int_equal(symlink("../precious", path), 0);
    expect_taken(dir_fd, -EEXIST);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("../nowhere", path), 0);
    expect_taken(dir_fd, -EEXIST);
    assert_false(file_exists(scratch("nowhere")));
    assert_int_equal(unlink(path), 0);

    assert_int_equal(link(scratch("precious"), path), 0);
    expect_taken(dir_fd, -EEXIST);
    assert_int_equal(unlink(path), 0);

    make_folder(path);
    expect_taken(dir_fd, -EEXIST);
    assert_int_equal(rmdir(path), 0);

    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(chdir(scratch("out")), 0);
    memcpy(address.sun_path, LEDGER_NAME, sizeof(LEDGER_NAME));
    assert_int_equal(bind(socket_fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    expect_taken(dir_fd, -EEXIST);
    assert_int_equal(unlink(path), 0);
    close(socket_fd);

    if (mknod(path, S_IFCHR | 0600, makedev(1, 3)) == 0) { /* only root may */
        expect_taken(dir_fd, -EEXIST);
        assert_int_equal(unlink(path), 0);
    }
    assert_string_equal(read_file(scratch("precious"), NULL), HEADER "1\t1\t1\tdamaged\t0\t/a\n");
    close(dir_fd);
}

static void a_file_that_is_too_large_is_not_read(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    write_text(ledger_path(), HEADER "1\t1\t1\tdamaged\t0\t/a\n");
    assert_int_equal(truncate(ledger_path(), (off_t)LEDGER_BYTES_MAX + 1), 0);
    struct ledger *ledger = open_ledger(dir_fd);
    assert_int_equal(ledger_problem(ledger), -EFBIG);
    assert_false(ledger_knows_any(ledger));
    assert_int_equal(fail_it(ledger, dir_fd, "/a", "damaged", 0), -EFBIG);
    ledger_free(ledger);
    close(dir_fd);
}

static void without_a_folder_it_is_remembered_until_there_is_one(void **state)
{
    (void)state;
    const struct ledger_source b = source_of("/b"), c = source_of("/c");
    struct ledger *ledger = open_ledger(-1);
    assert_int_equal(fail_it(ledger, -1, "/a", "damaged", 0), -ENOENT);
    assert_int_equal(ledger_begin(ledger, -1, &b), -ENOENT);
    assert_int_equal(ledger_begin(ledger, -1, &c), -ENOENT);
    assert_int_equal(ledger_settle(ledger, -1, &b), 0); /* nobody else knows of it */
    assert_true(knows(ledger, "/a", "damaged", 0));
    assert_int_equal(ledger_close(ledger, -1, true), -ENOENT);
    const int dir_fd = open_root();
    assert_int_equal(fail_it(ledger, dir_fd, "/d", "damaged", 0), 0);
    assert_int_equal(ledger_close(ledger, -1, true), 0);
    end_ledger(ledger, dir_fd, false);
    ledger = open_ledger(dir_fd);
    assert_true(knows(ledger, "/a", "damaged", 0));
    assert_true(knows(ledger, "/d", "damaged", 0));
    assert_false(ledger_lists(ledger, "/c"));
    ledger_free(ledger);

    /* Or when the run ends. */
    assert_int_equal(unlink(ledger_path()), 0);
    ledger = open_ledger(-1);
    assert_int_equal(fail_it(ledger, -1, "/a", "damaged", 0), -ENOENT);
    end_ledger(ledger, dir_fd, false);
    ledger = open_ledger(dir_fd);
    assert_true(knows(ledger, "/a", "damaged", 0));
    ledger_free(ledger);
    close(dir_fd);
}

static void a_write_that_fails_leaves_the_file_as_it_was(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    struct rlimit limit = {.rlim_cur = 10, .rlim_max = RLIM_INFINITY};
    char *path = keep(calloc(1, 2001));
    memset(path, '/', 2000);
    signal(SIGXFSZ, SIG_IGN);
    /* Not even the header goes into it. */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    struct ledger *ledger = open_ledger(dir_fd);
    assert_int_equal(fail_it(ledger, dir_fd, "/a", "damaged", 0), -EFBIG);
    assert_int_equal(count_entries(scratch("out")), 0);
    /* A short line does, a long one does not, and the next takes it along if it can. */
    limit.rlim_cur = 1000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(fail_it(ledger, dir_fd, "/b", "damaged", 0), 0);
    const char *before = ledger_text();
    assert_int_equal(fail_it(ledger, dir_fd, path, "timeout", 1), -EFBIG);
    assert_int_equal(fail_it(ledger, dir_fd, path, "timeout", 1), -EFBIG);
    assert_string_equal(ledger_text(), before);
    assert_true(knows(ledger, path, "timeout", 2));
    assert_int_equal(ledger_close(ledger, dir_fd, false), -EFBIG);
    assert_string_equal(ledger_text(), before);
    assert_int_equal(count_entries(scratch("out")), 1);
    limit.rlim_cur = RLIM_INFINITY;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    end_ledger(ledger, dir_fd, false);
    ledger = open_ledger(dir_fd);
    assert_true(knows(ledger, "/a", "damaged", 0));
    assert_true(knows(ledger, "/b", "damaged", 0));
    assert_true(knows(ledger, path, "timeout", 2));
    ledger_free(ledger);
    assert_int_equal(count_entries(scratch("out")), 1);
    close(dir_fd);
}

static void a_file_that_cannot_be_written_anew_is_right_as_it_is(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    const struct rlimit limit = {.rlim_cur = 100, .rlim_max = RLIM_INFINITY};
    const struct ledger_source a = source_of("/a");
    struct ledger *ledger = open_ledger(dir_fd);
    for (int i = 0; i < 10; i++)
        assert_int_equal(fail_it(ledger, dir_fd, scratch("%d", i), "damaged", 0), 0);
    assert_int_equal(fail_it(ledger, dir_fd, "/a", "damaged", 0), 0);
    assert_int_equal(ledger_settle(ledger, dir_fd, &a), 0);
    const char *before = ledger_text();
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    end_ledger(ledger, dir_fd, false);
    assert_string_equal(ledger_text(), before);
    assert_int_equal(count_entries(scratch("out")), 1); /* no temporary file */
    close(dir_fd);
}

/* Another user, or this one where the tests are not root's. */
static void a_folder_without_permission_is_an_error_and_no_more(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    const struct ledger_source a = source_of("/a");
    struct ledger *ledger = open_ledger(dir_fd);
    assert_int_equal(fail_it(ledger, dir_fd, "/a", "damaged", 0), 0);
    ledger_free(ledger);
    const bool is_root = geteuid() == 0;
    assert_int_equal(chmod(scratch("out"), 0555), 0);
    assert_int_equal(chmod(ledger_path(), 0444), 0);
    if (is_root)
        assert_int_equal(seteuid(65534), 0);
    ledger = open_ledger(dir_fd);
    assert_int_equal(ledger_problem(ledger), 0); /* it can be read */
    assert_true(knows(ledger, "/a", "damaged", 0));
    assert_int_equal(ledger_close(ledger, dir_fd, false), 0);
    assert_int_equal(ledger_begin(ledger, dir_fd, &a), -EACCES);
    assert_int_equal(fail_it(ledger, dir_fd, "/b", "damaged", 0), -EACCES);
    assert_int_equal(ledger_settle(ledger, dir_fd, &a), -EACCES);
    assert_true(knows(ledger, "/a", NULL, 0));
    assert_true(knows(ledger, "/b", "damaged", 0));
    assert_int_equal(ledger_close(ledger, dir_fd, false), -EACCES);
    if (is_root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(ledger_path(), 0000), 0);
    if (is_root)
        assert_int_equal(seteuid(65534), 0);
    struct ledger *other = open_ledger(dir_fd);
    assert_int_equal(ledger_problem(other), -EACCES);
    assert_false(ledger_knows_any(other));
    ledger_free(other);
    if (is_root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(ledger_path(), 0600), 0);
    assert_int_equal(chmod(scratch("out"), 0755), 0);
    end_ledger(ledger, dir_fd, false); /* now all of it can be written */
    ledger = open_ledger(dir_fd);
    assert_true(knows(ledger, "/a", NULL, 0));
    assert_true(knows(ledger, "/b", "damaged", 0));
    ledger_free(ledger);
    close(dir_fd);
}

static void a_full_or_read_only_file_system_is_an_error_and_no_more(void **state)
{
    (void)state;
    make_folder(scratch("out"));
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", scratch("out"), "tmpfs", 0, "size=64k") < 0)
        skip(); /* not root */
    const int dir_fd = open_root();
    const struct ledger_source a = source_of("/a");
    char *path = keep(calloc(1, 3001));
    memset(path, '/', 3000);
    struct ledger *ledger = open_ledger(dir_fd);
    assert_int_equal(fail_it(ledger, dir_fd, "/a", "damaged", 0), 0);
    int r = 0;
    for (int i = 0; i < 100 && r == 0; i++) {
        path[10] = (char)('0' + i % 10), path[11] = (char)('0' + i / 10);
        r = fail_it(ledger, dir_fd, path, "damaged", 0);
    }
    assert_int_equal(r, -ENOSPC);
    assert_int_equal(ledger_settle(ledger, dir_fd, &a), -ENOSPC);
    assert_int_equal(ledger_close(ledger, dir_fd, false), -ENOSPC);
    assert_int_equal(count_entries(scratch("out")), 1);
    struct ledger *other = open_ledger(dir_fd);
    assert_true(knows(other, "/a", "damaged", 0)); /* what was written still holds */
    ledger_free(other);

    assert_int_equal(mount(NULL, scratch("out"), NULL, MS_REMOUNT, "size=10m"), 0);
    assert_int_equal(ledger_close(ledger, dir_fd, false), 0);
    ledger_free(ledger);
    ledger = open_ledger(dir_fd);
    assert_true(knows(ledger, "/a", NULL, 0));
    assert_true(knows(ledger, path, "damaged", 0));
    ledger_free(ledger);

    assert_int_equal(mount(NULL, scratch("out"), NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    ledger = open_ledger(dir_fd);
    assert_int_equal(ledger_problem(ledger), 0);
    assert_true(knows(ledger, path, "damaged", 0));
    assert_int_equal(fail_it(ledger, dir_fd, "/b", "damaged", 0), -EROFS);
    assert_int_equal(ledger_begin(ledger, dir_fd, &a), -EROFS);
    assert_int_equal(ledger_close(ledger, dir_fd, false), -EROFS);
    ledger_free(ledger);
    close(dir_fd);
    assert_int_equal(umount(scratch("out")), 0);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(only_a_file_of_that_name_is_read_or_written),
        TEST(a_file_that_is_too_large_is_not_read),
        TEST(without_a_folder_it_is_remembered_until_there_is_one),
        TEST(a_write_that_fails_leaves_the_file_as_it_was),
        TEST(a_file_that_cannot_be_written_anew_is_right_as_it_is),
        TEST(a_folder_without_permission_is_an_error_and_no_more),
        TEST(a_full_or_read_only_file_system_is_an_error_and_no_more),
    };
    return test_run("app ledger faults", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
