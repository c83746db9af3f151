/* test_faults.c: the built program when something fails or ends under it: workers, signals,
 * readers, disks, descriptors. */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "album.h"
#include "app/clock_priv.h"
#include "files.h"
#include "isolate.h"
#include "pictures.h"
#include "program.h"

static const struct program_setup ordinary;

/* ---- Workers that die or hang -------------------------------------------------------------- */

static void a_killed_worker_costs_nothing(void **state)
{
    (void)state;
    static const char *const args[] = {"in", "--json", "-j1", NULL};
    make_folder(scratch("in"));
    make_slow_jpeg(scratch("in/0-slow.jpg"), 5000, 5000, 1);
    for (unsigned i = 0; i < 10; i++)
        make_jpeg(scratch("in/p%u.jpg", i), 300, 200, i);
    const uint64_t before = tree_hash(scratch("in"), "thumbs");
    struct program program = program_start(&ordinary, args);
    const pid_t worker = program_busy_worker(program.pid, 0);
    assert_true(worker > 0);
    assert_int_equal(kill(worker, SIGKILL), 0);
    struct program_result result = program_wait(&program);
    expect_exit(&result, 0);
    assert_true(json_get(program_file(&result, "0-slow.jpg"), "pid")->number != worker);
    assert_true(summary_of(&result, "made") == 11);
    assert_int_equal(check_outputs(scratch("in/thumbs")), 11);
    assert_int_equal(tree_hash(scratch("in"), "thumbs"), before);
}

static void a_file_that_takes_too_long_fails(void **state)
{
    (void)state;
    static const char *const backends[] = {"serial", "thread", "process"};
    make_folder(scratch("in"));
    make_slow_jpeg(scratch("in/0-slow.jpg"), 5000, 5000, 1);
    make_jpeg(scratch("in/quick.jpg"), 300, 200, 2);
    for (size_t b = 0; b < 3; b++) {
        struct program_result result =
            program_run("in", "--json", "--timeout", "0.1", "--overwrite=always", "--backend",
                        backends[b], NULL);
        expect_exit(&result, 1);
        assert_string_equal(error_of(&result, "0-slow.jpg"), "timeout");
        assert_string_equal(string_of(program_file(&result, "quick.jpg"), "status"), "made");
        assert_true(result.took_ms < scaled(1500));
    }
}

/* ---- Ends ---------------------------------------------------------------------------------- */

static void a_signal_ends_the_run_within_a_second(void **state)
{
    (void)state;
    static const struct {
        const char *backend;
        int signal;
    } rows[] = {
        {"process", SIGINT}, {"process", SIGTERM}, {"thread", SIGINT},
        {"serial", SIGINT},  {"serial", SIGHUP},
    };
    make_many_slow(200);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *const args[] = {"in", "--json", "--backend", rows[i].backend, NULL};
        struct program program = program_start(&ordinary, args);
        wait_for_thumbs(3); /* with the ledger that threads need while they work */
        const int64_t sent_ms = clock_ms();
        assert_int_equal(kill(program.pid, rows[i].signal), 0);
        struct program_result result = program_wait(&program);
        expect_exit(&result, 128 + rows[i].signal);
        assert_true(clock_ms() - sent_ms < scaled(1000));
        const int made = check_outputs(scratch("in/thumbs"));
        assert_true(made >= 2 && made < 200);
        assert_true(summary_of(&result, "made") == made);
        assert_true(summary_of(&result, "failed") == 0);
        assert_true(summary_of(&result, "signal") == rows[i].signal);
        for (int n = 0; n < 200; n++)
            unlink(scratch("in/thumbs/%03d.jpg", n));
    }
}

static void a_signal_ends_a_long_task_too(void **state)
{
    (void)state;
    static const char *const args[] = {"in",        "--json", "--overwrite=always",
                                       "--backend", "serial", NULL};
    make_folder(scratch("in"));
    make_slow_jpeg(scratch("in/slow.jpg"), 6000, 6000, 1);
    struct program program = program_start(&ordinary, args);
    struct program_result result = program_wait(&program);
    expect_exit(&result, 0);
    const int64_t whole_ms = result.took_ms;
    program = program_start(&ordinary, args);
    poll(NULL, 0, (int)(whole_ms / 4));
    assert_int_equal(kill(program.pid, SIGINT), 0);
    result = program_wait(&program);
    expect_exit(&result, 130);
    assert_true(result.took_ms < whole_ms * 3 / 4);
    assert_true(summary_of(&result, "unfinished") == 1);
}

static void a_signal_to_the_whole_group_is_no_dead_worker(void **state)
{
    (void)state;
    static const char *const args[] = {"in", "--json", NULL};
    make_many_slow(200);
    for (int i = 0; i < 2; i++) {
        const int number = i == 0 ? SIGINT : SIGTERM;
        struct sigaction ignore = {.sa_handler = SIG_DFL};
        struct program program = program_start(&ordinary, args);
        wait_for_thumbs(2);
        sigset_t one;
        sigemptyset(&one);
        sigaddset(&one, number);
        assert_int_equal(sigprocmask(SIG_BLOCK, &one, NULL), 0);
        assert_int_equal(kill(0, number), 0); /* the test leads its own group */
        struct program_result result = program_wait(&program);
        ignore.sa_handler = SIG_IGN; /* discards what is pending for the test itself */
        assert_int_equal(sigaction(number, &ignore, NULL), 0);
        ignore.sa_handler = SIG_DFL;
        assert_int_equal(sigaction(number, &ignore, NULL), 0);
        assert_int_equal(sigprocmask(SIG_UNBLOCK, &one, NULL), 0);
        expect_exit(&result, 128 + number);
        assert_true(summary_of(&result, "failed") == 0);
        for (int n = 0; n < 200; n++)
            unlink(scratch("in/thumbs/%03d.jpg", n));
    }
}

static bool is_temporary(const char *name)
{
    return strncmp(name, ".thumbpool-", 11) == 0;
}

/* Kill it at many moments: a final name is absent or a whole picture. */
static void a_killed_run_leaves_nothing_half_done(void **state)
{
    (void)state;
    static const char *const args[] = {"in", "-j2", "--quiet", NULL};
    make_album();
    for (int i = 0; i < 30; i++) {
        struct program program = program_start(&ordinary, args);
        poll(NULL, 0, i * 3 / 2);
        kill(program.pid, SIGKILL);
        program_wait(&program);
        program_left_no_process();
        static const char *const folders[] = {"in/thumbs", "in/thumbs/2021",
                                              "in/thumbs/2020/summer"};
        for (size_t f = 0; f < 3; f++) {
            DIR *dir = opendir(scratch("%s", folders[f]));
            for (struct dirent *entry; dir && (entry = readdir(dir));)
                if (entry->d_type == DT_REG && !is_temporary(entry->d_name))
                    check_picture(scratch("%s/%s", folders[f], entry->d_name), NULL, NULL, NULL);
            if (dir)
                closedir(dir);
        }
    }
    pid_t dead = fork();
    if (dead == 0)
        _exit(0);
    assert_int_equal(waitpid(dead, NULL, 0), dead);
    make_folder(scratch("in/thumbs/2021"));
    write_text(scratch("in/thumbs/2021/.thumbpool-%d-5.tmp", (int)dead), "half");
    struct program_result result = program_run("in", NULL);
    expect_exit(&result, 0);
    assert_int_equal(check_outputs(scratch("in/thumbs")), 36);
}

static void a_reader_that_leaves_loses_nothing(void **state)
{
    (void)state;
    int ends[2];
    make_album();
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const struct program_setup setup = {.out_fd = ends[1]};
    static const char *const args[] = {"in", "--json", NULL};
    struct program program = program_start(&setup, args);
    close(ends[1]);
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    struct program_result result = program_wait(&program);
    expect_exit(&result, 128 + SIGPIPE);
    assert_string_equal(result.err, "");
    assert_int_equal(check_outputs(scratch("in/thumbs")), 36);
}

static void a_reader_that_sleeps_does_not_keep_it_from_ending(void **state)
{
    (void)state;
    int ends[2];
    make_folder(scratch("in"));
    for (int i = 0; i < 2000; i++)
        write_text(scratch("in/a-long-name-that-fills-the-pipe-%04d.txt", i), "");
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const struct program_setup setup = {.out_fd = ends[1]};
    static const char *const args[] = {"in", "--json", NULL};
    struct program program = program_start(&setup, args);
    struct pollfd room = {.fd = ends[1], .events = POLLOUT};
    const int64_t until_ms = clock_ms() + scaled(10000);
    while (poll(&room, 1, 0) == 1 && clock_ms() < until_ms)
        poll(NULL, 0, 5);
    assert_int_equal(poll(&room, 1, 0), 0); /* it is full */
    close(ends[1]);
    const int64_t sent_ms = clock_ms();
    assert_int_equal(kill(program.pid, SIGINT), 0);
    struct program_result result = program_wait(&program);
    expect_exit(&result, 130);
    assert_true(clock_ms() - sent_ms < scaled(1000));
    close(ends[0]);
}

static void closed_standard_descriptors_do_no_harm(void **state)
{
    (void)state;
    static const int closed[] = {-1, 1, 2};
    make_album();
    write_text(scratch("in/bad.jpg"), "bad");
    for (size_t i = 0; i < 3; i++) {
        const struct program_setup setup = {.close_fd = closed[i]};
        const char *out = scratch("out%zu", i);
        struct program_result result = program_run_with(&setup, "in", "-v", "-o", out, NULL);
        expect_exit(&result, 1);
        assert_int_equal(check_outputs(out), 36);
    }
}

static void a_full_disk_ends_the_run_with_one_cause(void **state)
{
    (void)state;
    make_album();
    make_folder(scratch("out"));
    const struct program_setup small_files = {.file_limit = 3000};
    /* Threads: the limit is below what a worker process shares with its host. */
    struct program_result result =
        program_run_with(&small_files, "in", "-o", "small", "--backend", "thread", NULL);
    expect_exit(&result, 3);
    assert_non_null(strstr(result.err, "cannot write the thumbnails: small/"));
    assert_non_null(strstr(result.err, "File too large\n"));
    check_outputs(scratch("small"));
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", scratch("out"), "tmpfs", 0, "size=40k") < 0)
        return; /* not root */
    result = program_run("in", "-o", "out", "--json", NULL);
    expect_exit(&result, 3);
    assert_non_null(strstr(result.err, "No space left on device"));
    const int made = check_outputs(scratch("out"));
    assert_true(made > 0 && made < 36);
    assert_true(summary_of(&result, "made") == made);
    assert_true(summary_of(&result, "failed") == 1);
    assert_true(summary_of(&result, "unfinished") + made + 1 <= 36);
    assert_int_equal(mount(NULL, scratch("out"), NULL, MS_REMOUNT, "size=10m"), 0);
    result = program_run("in", "-o", "out", NULL);
    expect_exit(&result, 0);
    assert_int_equal(check_outputs(scratch("out")), 36);
    assert_int_equal(mount(NULL, scratch("out"), NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    result = program_run("in", "-o", "out", NULL); /* there is nothing to write */
    expect_exit(&result, 0);
    result = program_run("in", "-o", "out", "--overwrite=always", NULL);
    expect_exit(&result, 3);
    assert_non_null(strstr(result.err, "Read-only file system"));
    assert_int_equal(umount(scratch("out")), 0);
}

static void few_descriptors_are_enough(void **state)
{
    (void)state;
    static const char *const backends[] = {"serial", "thread", "process"};
    make_album();
    for (int i = 0; i < 20; i++) {
        make_folder(scratch("in/f%02d/deep/deeper/deepest", i));
        make_jpeg(scratch("in/f%02d/deep/deeper/deepest/a.jpg", i), 30, 20, 1);
    }
    for (size_t b = 0; b < 3; b++) {
        const struct program_setup setup = {.open_limit = 32};
        struct program_result result = program_run_with(
            &setup, "in", "--json", "-j2", "--overwrite=always", "--backend", backends[b], NULL);
        expect_exit(&result, 0);
        assert_true(summary_of(&result, "made") == 56);
    }
    /* So few are left that sources and folders cannot be opened while others are in flight. */
    for (int left = 24; left > 1; left--) {
        const struct program_setup setup = {.open_limit = 100, .free_fds = left};
        struct program_result result = program_run_with(
            &setup, "in", "--json", "-j4", "--overwrite=always", "--backend", "thread", NULL);
        if (result.exit_code == 3) { /* not even one at a time */
            assert_non_null(strstr(result.err, "Too many open files"));
            assert_true(left < 9);
            continue;
        }
        expect_exit(&result, 0);
        assert_true(summary_of(&result, "made") == 56);
    }
}

static void files_that_come_and_go_are_told_apart(void **state)
{
    (void)state;
    static const char *const args[] = {"in", "--json", NULL};
    make_many_slow(60);
    struct program program = program_start(&ordinary, args);
    wait_for_thumbs(1);
    for (int i = 30; i < 60; i++)
        assert_int_equal(unlink(scratch("in/%03d.jpg", i)), 0);
    struct program_result result = program_wait(&program);
    assert_true(result.exit_code == 0 || result.exit_code == 1);
    assert_true(summary_of(&result, "made") + summary_of(&result, "failed") == 60);
    assert_true(summary_of(&result, "made") >= 30);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST_LONG(a_killed_worker_costs_nothing, 60000),
        TEST_LONG(a_file_that_takes_too_long_fails, 60000),
        TEST_LONG(a_signal_ends_the_run_within_a_second, 60000),
        TEST_LONG(a_signal_ends_a_long_task_too, 60000),
        TEST(a_signal_to_the_whole_group_is_no_dead_worker),
        TEST_LONG(a_killed_run_leaves_nothing_half_done, 60000),
        TEST(a_reader_that_leaves_loses_nothing),
        TEST(a_reader_that_sleeps_does_not_keep_it_from_ending),
        TEST(closed_standard_descriptors_do_no_harm),
        TEST(a_full_disk_ends_the_run_with_one_cause),
        TEST(few_descriptors_are_enough),
        TEST(files_that_come_and_go_are_told_apart),
    };
    return test_run("faults", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
