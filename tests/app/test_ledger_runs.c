/* The ledger when runs die, and when they meet. */
#include "app/ledger_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/failures_priv.h"
#include "files.h"
#include "isolate.h"
#include "ledgers.h"

#define HEADER "thumbpool-failed 1\n"

static pid_t start(void (*run)(int dir_fd, int pipe_fd), int dir_fd, int *ret_pipe_fd)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        run(dir_fd, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    *ret_pipe_fd = ends[0];
    return pid;
}

/* Kill a process that was started, or wait for its end if it has killed itself. */
static void expect_killed(pid_t pid, int pipe_fd)
{
    int status;
    close(pipe_fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void die(void)
{
    kill(getpid(), SIGKILL);
}

/* ---- Runs that die ------------------------------------------------------------------------- */

static void fail_and_die(int dir_fd, int pipe_fd)
{
    struct ledger *ledger;
    (void)pipe_fd;
    if (ledger_open(dir_fd, &ledger) == 0 && fail_it(ledger, dir_fd, "/a", "worker-died", 1) == 0)
        die();
}

static void what_failed_before_a_kill_is_not_lost(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    for (unsigned run = 1; run <= 3; run++) {
        int pipe_fd;
        const pid_t pid = start(fail_and_die, dir_fd, &pipe_fd);
        expect_killed(pid, pipe_fd);
        struct ledger *ledger = open_ledger(dir_fd);
        assert_true(knows(ledger, "/a", "worker-died", run));
        ledger_free(ledger);
    }
    close(dir_fd);
}

static void begin_and_die(int dir_fd, int pipe_fd)
{
    const struct ledger_source poison = source_of("/poison"), good = source_of("/good");
    struct ledger *ledger;
    (void)pipe_fd;
    if (ledger_open(dir_fd, &ledger) == 0 && ledger_begin(ledger, dir_fd, &good) == 0 &&
        ledger_settle(ledger, dir_fd, &good) == 0 && ledger_begin(ledger, dir_fd, &poison) == 0)
        die();
}

static void a_source_that_kills_the_program_is_known_after_it(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    for (unsigned run = 1; run <= POISON_DEATHS; run++) {
        int pipe_fd;
        const pid_t pid = start(begin_and_die, dir_fd, &pipe_fd);
        expect_killed(pid, pipe_fd);
        /* However often it is read before something is written. */
        for (int i = 0; i < 2; i++) {
            struct ledger *ledger = open_ledger(dir_fd);
            assert_true(knows(ledger, "/poison", LEDGER_SLUG_PROGRAM_DIED, run));
            assert_true(knows(ledger, "/good", NULL, 0));
            ledger_free(ledger);
        }
    }
    struct ledger *ledger = open_ledger(dir_fd);
    end_ledger(ledger, dir_fd, false);
    ledger = open_ledger(dir_fd);
    assert_true(knows(ledger, "/poison", LEDGER_SLUG_PROGRAM_DIED, POISON_DEATHS));
    const struct ledger_source poison = source_of("/poison");
    assert_int_equal(ledger_settle(ledger, dir_fd, &poison), 0);
    end_ledger(ledger, dir_fd, false);
    assert_int_equal(count_entries(scratch("out")), 0);
    close(dir_fd);
}

static void what_is_begun_when_a_run_ends_in_order_is_no_death(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    const struct ledger_source a = source_of("/a"), b = source_of("/b");
    struct ledger *ledger = open_ledger(dir_fd);
    assert_int_equal(ledger_begin(ledger, dir_fd, &a), 0);
    assert_true(knows(ledger, "/a", NULL, 0)); /* it has not failed */
    assert_false(ledger_knows_any(ledger));
    end_ledger(ledger, dir_fd, true);
    assert_int_equal(count_entries(scratch("out")), 0);

    ledger = open_ledger(dir_fd);
    assert_int_equal(fail_it(ledger, dir_fd, "/b", "timeout", 1), 0);
    assert_int_equal(ledger_begin(ledger, dir_fd, &b), 0);
    assert_true(knows(ledger, "/b", "timeout", 1)); /* as before */
    assert_int_equal(ledger_begin(ledger, dir_fd, &a), 0);
    assert_int_equal(fail_it(ledger, dir_fd, "/a", "damaged", 0), 0); /* an end */
    end_ledger(ledger, dir_fd, false);
    ledger = open_ledger(dir_fd);
    assert_true(knows(ledger, "/b", "timeout", 1));
    assert_true(knows(ledger, "/a", "damaged", 0));

    const struct ledger_source c = source_of("/c");
    assert_int_equal(ledger_begin(ledger, dir_fd, &c), 0);
    end_ledger(ledger, dir_fd, false);
    assert_int_equal(ledger_lines(), 3); /* nothing is left of it */
    close(dir_fd);
}

static void what_has_an_end_when_the_program_dies_is_no_death(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    const struct ledger_source a = source_of("/a"), b = source_of("/b");
    struct ledger *ledger = open_ledger(dir_fd);
    assert_int_equal(ledger_begin(ledger, dir_fd, &a), 0);
    assert_int_equal(ledger_begin(ledger, dir_fd, &b), 0);
    assert_int_equal(fail_it(ledger, dir_fd, "/a", "damaged", 0), 0);
    assert_int_equal(ledger_settle(ledger, dir_fd, &b), 0);
    ledger_free(ledger);
    ledger = open_ledger(dir_fd);
    assert_true(knows(ledger, "/a", "damaged", 0));
    assert_true(knows(ledger, "/b", NULL, 0));
    ledger_free(ledger);
    close(dir_fd);
}

static void what_a_living_run_works_on_is_no_death(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    const struct ledger_source a = source_of("/a");
    struct ledger *working = open_ledger(dir_fd);
    assert_int_equal(ledger_begin(working, dir_fd, &a), 0);

    struct ledger *other = open_ledger(dir_fd);
    assert_true(knows(other, "/a", NULL, 0));
    assert_int_equal(fail_it(other, dir_fd, "/b", "damaged", 0), 0);
    end_ledger(other, dir_fd, true); /* keeps in mind that it is worked on */

    other = open_ledger(dir_fd);
    assert_true(knows(other, "/a", NULL, 0));
    assert_true(knows(other, "/b", "damaged", 0));
    ledger_free(other);

    ledger_free(working); /* dies */
    other = open_ledger(dir_fd);
    assert_true(knows(other, "/a", LEDGER_SLUG_PROGRAM_DIED, 1));
    ledger_free(other);
    close(dir_fd);
}

static void wait_for_end_of_pipe(int dir_fd, int pipe_fd)
{
    char byte;
    (void)dir_fd;
    while (read(pipe_fd, &byte, 1) > 0)
        continue;
}

static void a_child_that_was_forked_meanwhile_holds_nothing(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    const struct ledger_source a = source_of("/a");
    struct ledger *ledger = open_ledger(dir_fd);
    assert_int_equal(ledger_begin(ledger, dir_fd, &a), 0);
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[1]);
        wait_for_end_of_pipe(dir_fd, ends[0]);
        _exit(0);
    }
    ledger_free(ledger);
    ledger = open_ledger(dir_fd);
    assert_true(knows(ledger, "/a", LEDGER_SLUG_PROGRAM_DIED, 1));
    assert_int_equal(fail_it(ledger, dir_fd, "/a", "damaged", 0), 0);
    end_ledger(ledger, dir_fd, false);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(dir_fd);
}

/* Says a byte for each source whose failure is noted; every third run of it is written anew. */
static void fail_many(int dir_fd, int pipe_fd)
{
    char path[32];
    for (int i = 0; i < 3000;) {
        struct ledger *ledger;
        if (ledger_open(dir_fd, &ledger) < 0)
            _exit(1);
        for (int j = 0; j < 3; j++, i++) {
            const struct ledger_source source = source_of("/again");
            snprintf(path, sizeof(path), "/%d", i);
            if (ledger_begin(ledger, dir_fd, &source) < 0 ||
                ledger_settle(ledger, dir_fd, &source) < 0 ||
                fail_it(ledger, dir_fd, path, "damaged", 0) < 0 || write(pipe_fd, "", 1) != 1)
                _exit(2);
        }
        if (ledger_close(ledger, dir_fd, false) < 0)
            _exit(3);
        ledger_free(ledger);
    }
}

static void killed_at_any_moment_it_holds_what_was_noted(void **state)
{
    (void)state;
    char path[32];
    for (int round = 0; round < 60; round++) {
        const int dir_fd = open_root();
        char byte;
        int pipe_fd, noted = 0, status;
        const pid_t pid = start(fail_many, dir_fd, &pipe_fd);
        while (noted <= round && read(pipe_fd, &byte, 1) == 1)
            noted++;
        for (volatile int wait = 0; wait < round * 997; wait++) /* not always at the same place */
            continue;
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        while (read(pipe_fd, &byte, 1) == 1)
            noted++;
        close(pipe_fd);
        assert_memory_equal(ledger_text(), HEADER, strlen(HEADER));
        struct ledger *ledger = open_ledger(dir_fd);
        for (int i = 0; i < noted; i++) {
            snprintf(path, sizeof(path), "/%d", i);
            assert_true(knows(ledger, path, "damaged", 0));
        }
        snprintf(path, sizeof(path), "/%d", noted + 1);
        assert_true(knows(ledger, path, NULL, 0));
        ledger_free(ledger);
        assert_int_equal(unlink(ledger_path()), 0);
        close(dir_fd);
    }
}

/* ---- Runs that meet ------------------------------------------------------------------------ */

static void two_runs_lose_nothing_of_each_other(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    const struct ledger_source old = source_of("/old");
    struct ledger *one = open_ledger(dir_fd), *two = open_ledger(dir_fd);
    assert_int_equal(fail_it(one, dir_fd, "/one", "damaged", 0), 0);
    assert_int_equal(fail_it(two, dir_fd, "/two", "damaged", 0), 0);
    assert_int_equal(fail_it(one, dir_fd, "/both", "worker-died", 1), 0);
    assert_int_equal(fail_it(two, dir_fd, "/both", "worker-died", 1), 0);
    assert_int_equal(fail_it(one, dir_fd, "/old", "damaged", 0), 0);
    assert_int_equal(ledger_settle(one, dir_fd, &old), 0); /* to be written anew */
    end_ledger(one, dir_fd, false);
    assert_int_equal(fail_it(two, dir_fd, "/late", "damaged", 0), 0); /* not to the old file */
    end_ledger(two, dir_fd, false);

    one = open_ledger(dir_fd);
    assert_true(knows(one, "/one", "damaged", 0));
    assert_true(knows(one, "/two", "damaged", 0));
    assert_true(knows(one, "/both", "worker-died", 2)); /* the deaths of both */
    assert_true(knows(one, "/late", "damaged", 0));
    assert_true(knows(one, "/old", NULL, 0));
    ledger_free(one);
    close(dir_fd);
}

static void a_file_that_another_run_removes_is_made_again(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    const struct ledger_source a = source_of("/a");
    struct ledger *one = open_ledger(dir_fd), *two = open_ledger(dir_fd);
    assert_int_equal(fail_it(one, dir_fd, "/a", "damaged", 0), 0);
    assert_int_equal(fail_it(two, dir_fd, "/b", "damaged", 0), 0);
    assert_int_equal(unlink(ledger_path()), 0); /* a user forgives all of them */
    assert_int_equal(fail_it(two, dir_fd, "/c", "damaged", 0), 0);
    assert_int_equal(ledger_settle(one, dir_fd, &a), 0);
    end_ledger(one, dir_fd, false);
    end_ledger(two, dir_fd, false);
    one = open_ledger(dir_fd);
    assert_true(knows(one, "/a", NULL, 0));
    assert_true(knows(one, "/b", NULL, 0));
    assert_true(knows(one, "/c", "damaged", 0));
    ledger_free(one);

    /* Cut to nothing, or filled with something else. */
    one = open_ledger(dir_fd);
    write_text(ledger_path(), "");
    assert_int_equal(fail_it(one, dir_fd, "/d", "damaged", 0), 0);
    assert_true(knows(one, "/c", NULL, 0));
    write_text(ledger_path(), "x");
    assert_int_equal(fail_it(one, dir_fd, "/e", "damaged", 0), -ENOTSUP);
    assert_int_equal(ledger_close(one, dir_fd, false), -ENOTSUP);
    ledger_free(one);
    assert_string_equal(ledger_text(), "x");
    close(dir_fd);
}

/* Many short runs, each of which writes the file anew or removes it. */
static void note_many(int dir_fd, const char *name, int count)
{
    for (int i = 0; i < count; i++) {
        const struct ledger_source source = source_of("/shared"), own = source_of(name);
        struct ledger *ledger;
        char *path = NULL;
        if (asprintf(&path, "%s/%d", name, i) < 0 || ledger_open(dir_fd, &ledger) < 0)
            _exit(1);
        if (ledger_begin(ledger, dir_fd, &own) < 0 || ledger_settle(ledger, dir_fd, &own) < 0)
            _exit(2);
        if (fail_it(ledger, dir_fd, "/shared", "worker-died", 1) < 0)
            _exit(3);
        /* Most come to nothing, so that the file goes and comes. */
        if (i % 10 == 0 && fail_it(ledger, dir_fd, path, "damaged", 0) < 0)
            _exit(4);
        if (i < count / 2 && ledger_settle(ledger, dir_fd, &source) < 0)
            _exit(5);
        if (ledger_close(ledger, dir_fd, false) < 0)
            _exit(6);
        ledger_free(ledger);
        free(path);
    }
}

static void note_as_child(int dir_fd, int pipe_fd)
{
    (void)pipe_fd;
    note_many(dir_fd, "/child", 300);
}

static void runs_side_by_side_lose_nothing_while_files_are_replaced(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    char path[32];
    int pipe_fds[2], status;
    const pid_t first = start(note_as_child, dir_fd, &pipe_fds[0]);
    struct ledger *ledger = open_ledger(dir_fd);
    for (int i = 0; i < 300; i++) { /* one long run beside them */
        snprintf(path, sizeof(path), "/long/%d", i);
        assert_int_equal(fail_it(ledger, dir_fd, path, "damaged", 0), 0);
    }
    end_ledger(ledger, dir_fd, false);
    note_many(dir_fd, "/parent", 100);
    assert_int_equal(waitpid(first, &status, 0), first);
    close(pipe_fds[0]);
    assert_int_equal(status, 0);
    ledger = open_ledger(dir_fd);
    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof(path), "/long/%d", i);
        assert_true(knows(ledger, path, "damaged", 0));
        snprintf(path, sizeof(path), "/child/%d", i);
        assert_true(knows(ledger, path, i % 10 == 0 ? "damaged" : NULL, 0));
        snprintf(path, sizeof(path), "/parent/%d", i);
        assert_true(knows(ledger, path, i % 10 == 0 && i < 100 ? "damaged" : NULL, 0));
    }
    assert_true(knows(ledger, "/child", NULL, 0));
    assert_true(knows(ledger, "/parent", NULL, 0));
    ledger_free(ledger);
    assert_int_equal(count_entries(scratch("out")), 1);
    close(dir_fd);
}

static void count_to_300(int dir_fd, int pipe_fd)
{
    struct ledger *ledger;
    (void)pipe_fd;
    if (ledger_open(dir_fd, &ledger) < 0)
        _exit(1);
    for (int i = 0; i < 300; i++)
        if (fail_it(ledger, dir_fd, "/shared", "worker-died", 1) < 0)
            _exit(2);
    if (ledger_close(ledger, dir_fd, false) < 0)
        _exit(3);
    ledger_free(ledger);
}

static void no_death_is_lost_between_two_runs(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    int pipe_fds[2], status;
    pid_t pids[2];
    for (int i = 0; i < 2; i++)
        pids[i] = start(count_to_300, dir_fd, &pipe_fds[i]);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
        close(pipe_fds[i]);
    }
    struct ledger *ledger = open_ledger(dir_fd);
    assert_true(knows(ledger, "/shared", "worker-died", 600));
    ledger_free(ledger);
    close(dir_fd);
}

static void a_long_run_does_not_make_a_long_file(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    struct ledger *one = open_ledger(dir_fd), *other = open_ledger(dir_fd);
    struct stat st;
    assert_int_equal(fail_it(one, dir_fd, "/kept", "damaged", 0), 0);
    assert_int_equal(fail_it(other, dir_fd, "/other", "damaged", 0), 0);
    const struct ledger_source begun = source_of("/begun");
    assert_int_equal(ledger_begin(one, dir_fd, &begun), 0);
    off_t largest = 0;
    for (int i = 0; i < 20000; i++) {
        char *path = NULL;
        assert_true(asprintf(&path, "/%080d/%d.jpg", 0, i) > 0);
        const struct ledger_source source = source_of(path);
        assert_int_equal(ledger_begin(one, dir_fd, &source), 0);
        assert_int_equal(ledger_settle(one, dir_fd, &source), 0);
        free(path);
        assert_int_equal(stat(ledger_path(), &st), 0);
        largest = st.st_size > largest ? st.st_size : largest;
    }
    assert_true(largest > 1000000 && largest < 1200000);
    assert_int_equal(count_entries(scratch("out")), 1);
    assert_int_equal(fail_it(other, dir_fd, "/late", "damaged", 0), 0);
    assert_true(knows(other, "/kept", "damaged", 0)); /* it has read the new file */
    ledger_free(one);                                 /* dies */
    ledger_free(other);
    other = open_ledger(dir_fd);
    assert_true(knows(other, "/kept", "damaged", 0));
    assert_true(knows(other, "/other", "damaged", 0));
    assert_true(knows(other, "/late", "damaged", 0));
    assert_true(knows(other, "/begun", LEDGER_SLUG_PROGRAM_DIED, 1));
    ledger_free(other);
    close(dir_fd);
}

static void nobody_is_waited_for_without_end(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    struct ledger *ledger = open_ledger(dir_fd);
    assert_int_equal(fail_it(ledger, dir_fd, "/a", "damaged", 0), 0);
    const int fd = open(ledger_path(), O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_SH), 0);
    struct ledger *other = open_ledger(dir_fd); /* reading takes no lock */
    assert_true(knows(other, "/a", "damaged", 0));
    ledger_free(other);
    /* One of them waits; were each to do so, the test would not end in time. */
    for (int i = 0; i < 100; i++)
        assert_int_equal(fail_it(ledger, dir_fd, "/b", "worker-died", 1), -EBUSY);
    assert_true(knows(ledger, "/b", "worker-died", 100));
    assert_int_equal(flock(fd, LOCK_UN), 0);
    close(fd);
    assert_int_equal(fail_it(ledger, dir_fd, "/c", "damaged", 0), 0); /* and what was left over */
    ledger_free(ledger);
    ledger = open_ledger(dir_fd);
    assert_true(knows(ledger, "/b", "worker-died", 100));
    assert_true(knows(ledger, "/c", "damaged", 0));
    ledger_free(ledger);
    close(dir_fd);
}

static bool is_below_ours(const char *path, void *data)
{
    ++*(int *)data;
    return strncmp(path, "/ours/", 6) == 0;
}

/* A ledger may name any path: looking for one can wake an automounter. */
static void only_sources_of_the_run_are_looked_for(void **state)
{
    (void)state;
    const int dir_fd = open_root();
    struct ledger *ledger = open_ledger(dir_fd);
    int asked = 0;
    assert_int_equal(fail_it(ledger, dir_fd, "/ours/gone", "damaged", 0), 0);
    assert_int_equal(fail_it(ledger, dir_fd, "/theirs/gone", "damaged", 0), 0);
    end_ledger(ledger, dir_fd, false);
    ledger = open_ledger(dir_fd);
    ledger_limit(ledger, is_below_ours, &asked);
    end_ledger(ledger, dir_fd, true);
    assert_int_equal(asked, 2);
    ledger = open_ledger(dir_fd);
    assert_false(knows(ledger, "/ours/gone", "damaged", 0));
    assert_true(knows(ledger, "/theirs/gone", "damaged", 0));
    ledger_free(ledger);
    ledger = open_ledger(dir_fd); /* without a limit; and it has asked for none */
    end_ledger(ledger, dir_fd, true);
    assert_false(file_exists(ledger_path()));
    close(dir_fd);
}

/* What a serial run tells its ledger, up to where it dies. */
static void die_in_a_serial_run(const struct inputs *inputs, bool in_another)
{
    const struct options options = {.backend = POOL_BACKEND_SERIAL};
    struct inode_set read_folders = {0}, roots = {0};
    struct commit *commit;
    struct failures *failures;
    assert_int_equal(commit_create(inputs, &read_folders, &roots, false, false, &commit), 0);
    assert_int_equal(failures_create(&options, inputs, commit, NULL, &failures), 0);
    failures_begin(failures, 0, "/made", 1, 2);
    failures_settle(failures, 0, "/made", 1, 2);
    if (in_another) {
        failures_begin(failures, 0, "/fatal", 1, 2);
    } else {
        failures_settle(failures, 0, "/up-to-date", 1, 2);
        failures_settle(failures, 0, "/up-to-date-too", 1, 2);
    }
    failures_free(failures); /* no failures_close() */
    commit_free(commit);
    inode_set_done(&read_folders);
    inode_set_done(&roots);
}

static void a_death_is_not_laid_to_what_was_made_before(void **state)
{
    (void)state;
    static const char *paths[] = {"in"};
    const struct options options = {.output = "out", .paths = paths, .path_count = 1};
    struct text message = TEXT_INIT;
    struct inputs *inputs;
    make_folder(scratch("in"));
    make_folder(scratch("out"));
    assert_int_equal(chdir(test_scratch()), 0);
    assert_int_equal(inputs_create(&options, &inputs, &message), 0);
    for (int in_another = 0; in_another < 2; in_another++) {
        die_in_a_serial_run(inputs, in_another);
        const int dir_fd = open("out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct ledger *ledger = open_ledger(dir_fd);
        assert_false(ledger_lists(ledger, "/made"));
        assert_int_equal(ledger_lists(ledger, "/fatal"), in_another);
        ledger_free(ledger);
        close(dir_fd);
    }
    inputs_free(inputs);
    text_done(&message);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(what_failed_before_a_kill_is_not_lost),
        TEST(a_source_that_kills_the_program_is_known_after_it),
        TEST(what_is_begun_when_a_run_ends_in_order_is_no_death),
        TEST(what_has_an_end_when_the_program_dies_is_no_death),
        TEST(what_a_living_run_works_on_is_no_death),
        TEST(a_child_that_was_forked_meanwhile_holds_nothing),
        TEST_LONG(killed_at_any_moment_it_holds_what_was_noted, 60000),
        TEST(two_runs_lose_nothing_of_each_other),
        TEST(a_file_that_another_run_removes_is_made_again),
        TEST_LONG(runs_side_by_side_lose_nothing_while_files_are_replaced, 60000),
        TEST(no_death_is_lost_between_two_runs),
        TEST_LONG(a_long_run_does_not_make_a_long_file, 60000),
        TEST_LONG(nobody_is_waited_for_without_end, 60000),
        TEST(only_sources_of_the_run_are_looked_for),
        TEST(a_death_is_not_laid_to_what_was_made_before),
    };
    return test_run("app ledger runs", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
