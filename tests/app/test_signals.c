/* test_signals.c: the built program, and its watch for signals, when it is asked to end or to stop
 * while it waits for something that does not come. */
#include "app/signals_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "album.h"
#include "app/clock_priv.h"
#include "files.h"
#include "isolate.h"
#include "pictures.h"
#include "program.h"

/* ---- The watch by itself ------------------------------------------------------------------- */

static void say_nothing(void *data)
{
    (void)data;
}

static void count_stop(void *data, int64_t stopped_us)
{
    (void)stopped_us;
    (*(int *)data)++;
}

static void write_number(void *data, int number)
{
    const char byte = (char)number;
    if (write(*(int *)data, &byte, 1) != 1)
        _exit(99);
}

static struct signals_listener listener_of(void *data)
{
    return (struct signals_listener){.before_stop = say_nothing,
                                     .after_stop = count_stop,
                                     .last_words = write_number,
                                     .data = data,
                                     .exit_base = 128};
}

/* The signal comes, and is noted, before the call that blocks: nothing else would end it. */
static void a_signal_before_a_call_that_blocks_is_not_lost(void **state)
{
    (void)state;
    int ends[2], stops = 0;
    char byte;
    const struct signals_listener listener = listener_of(&stops);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(signals_install(), 0);
    signals_watch_begin(&listener);
    assert_int_equal(kill(getpid(), SIGINT), 0);
    while (signals_caught() == 0)
        poll(NULL, 0, 1);
    assert_int_equal(read(ends[0], &byte, 1), -1);
    assert_int_equal(errno, EINTR);
    assert_int_equal(signals_caught(), SIGINT);
    assert_int_equal(kill(getpid(), SIGTERM), 0); /* the first one counts */
    assert_int_equal(read(ends[0], &byte, 1), -1);
    assert_int_equal(signals_caught(), SIGINT);
    signals_watch_end();
    close(ends[0]);
    close(ends[1]);
}

static void a_run_that_never_ends_is_ended(void **state)
{
    (void)state;
    int ends[2], status;
    char byte = 0;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fflush(NULL);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const struct signals_listener listener = listener_of(&ends[1]);
        if (signals_install() < 0)
            _exit(98);
        signals_watch_begin(&listener);
        kill(getpid(), SIGHUP);
        for (;;)
            pause(); /* whatever breaks it off */
    }
    close(ends[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 128 + SIGHUP);
    assert_int_equal(read(ends[0], &byte, 1), 1); /* its last words */
    assert_int_equal(byte, SIGHUP);
    close(ends[0]);
}

static void what_was_ignored_from_the_beginning_stays_ignored(void **state)
{
    (void)state;
    int stops = 0;
    const struct signals_listener listener = listener_of(&stops);
    struct sigaction now;
    signal(SIGHUP, SIG_IGN); /* as nohup does */
    assert_int_equal(signals_install(), 0);
    signals_watch_begin(&listener);
    assert_int_equal(kill(getpid(), SIGHUP), 0);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    while (signals_caught() == 0)
        poll(NULL, 0, 1);
    assert_int_equal(signals_caught(), SIGTERM);
    signals_watch_end();
    assert_int_equal(sigaction(SIGHUP, NULL, &now), 0);
    assert_true(now.sa_handler == SIG_IGN);
}

static void a_watch_leaves_the_signal_mask_as_it_was(void **state)
{
    (void)state;
    int stops = 0;
    const struct signals_listener listener = listener_of(&stops);
    assert_int_equal(signals_install(), 0);
    for (int i = 0; i < 2; i++) {
        sigset_t before, during, after;
        pthread_sigmask(SIG_SETMASK, NULL, &before);
        signals_watch_begin(&listener);
        pthread_sigmask(SIG_SETMASK, NULL, &during);
        signals_watch_end();
        pthread_sigmask(SIG_SETMASK, NULL, &after);
        assert_true(sigismember(&during, SIGINT) && sigismember(&during, SIGTSTP));
        assert_false(sigismember(&during, SIGURG));
        for (int number = 1; number < 32; number++)
            assert_int_equal(sigismember(&before, number), sigismember(&after, number));
    }
    signals_watch_end(); /* none: nothing happens */
}

/* ---- The program --------------------------------------------------------------------------- */

static const struct program_setup ordinary;

/* The kernel gives the same signal only once while it is pending, so they may be one. */
static void more_signals_change_nothing(void **state)
{
    (void)state;
    static const int numbers[] = {SIGINT, SIGINT, SIGTERM, SIGHUP, SIGINT};
    static const char *const args[] = {"in", "--json", NULL};
    make_many_slow(200);
    for (int round = 0; round < 5; round++) {
        struct program program = program_start(&ordinary, args);
        wait_for_thumbs(3);
        assert_int_equal(kill(program.pid, SIGINT), 0);
        for (int i = 0; i < round; i++) {
            poll(NULL, 0, 5);
            kill(program.pid, numbers[i]);
        }
        struct program_result result = program_wait(&program);
        program_left_no_process();
        expect_exit(&result, 128 + SIGINT);
        assert_true(summary_of(&result, "signal") == SIGINT);
        assert_true(summary_of(&result, "failed") == 0);
        assert_true(summary_of(&result, "made") == check_outputs(scratch("in/thumbs")));
        for (int n = 0; n < 200; n++)
            unlink(scratch("in/thumbs/%03d.jpg", n));
    }
}

static void workers_in_a_long_task_end_too(void **state)
{
    (void)state;
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    static const char *const args[] = {"in", "--json", "--timeout=0", NULL};
    make_folder(scratch("in"));
    make_slow_jpeg(scratch("in/slow.jpg"), 5000, 5000, 1);
    assert_int_equal(link(scratch("in/slow.jpg"), scratch("in/slow2.jpg")), 0);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct program program = program_start(&ordinary, args);
        assert_true(program_busy_worker(program.pid, 0) > 0);
        assert_int_equal(kill(program.pid, numbers[i]), 0);
        struct program_result result = program_wait(&program);
        program_left_no_process();
        expect_exit(&result, 128 + numbers[i]);
        assert_true(summary_of(&result, "unfinished") == 2);
        assert_int_equal(count_entries(scratch("in/thumbs")), -1); /* it was not even made */
    }
}

/* One program for each: it waits for a call that a server will never answer. */
static void end_held(int call, const char *option)
{
    const struct program_setup setup = {.held_call = call};
    const char *const args[] = {"in", "--json", option, NULL};
    struct program program = program_start(&setup, args);
    program_wait_until_held(&program);
    assert_false(program_has_ended(&program));
    assert_int_equal(kill(program.pid, SIGINT), 0);
    struct program_result result = program_wait(&program);
    program_left_no_process();
    expect_exit(&result, 128 + SIGINT);
    assert_true(summary_of(&result, "signal") == SIGINT);
    assert_true(summary_of(&result, "made") == 0);
    assert_true(summary_of(&result, "failed") == 0);
}

static void a_folder_that_does_not_answer_does_not_keep_it(void **state)
{
    (void)state;
    if (!program_can_hold_calls()) {
        print_message("this kernel cannot hold a system call: Linux 5.19 is needed\n");
        skip();
    }
    make_album();
    end_held(SYS_getdents64, "--quiet");
}

static void an_output_that_does_not_answer_does_not_keep_it(void **state)
{
    (void)state;
    if (!program_can_hold_calls()) {
        print_message("this kernel cannot hold a system call: Linux 5.19 is needed\n");
        skip();
    }
    make_album();
    const uint64_t before = tree_hash(scratch("in"), "thumbs");
    end_held(SYS_fsync, "--sync");
    struct program_result result = program_run("in", "--json", NULL);
    expect_exit(&result, 0);
    assert_int_equal(check_outputs(scratch("in/thumbs")), 36); /* and nothing else */
    assert_int_equal(tree_hash(scratch("in"), "thumbs"), before);
}

/* ---- It is stopped ------------------------------------------------------------------------- */

/* As Ctrl-Z does with a shell's job: all of its processes, for longer than a file may take. */
static void time_that_it_was_stopped_counts_for_no_file(void **state)
{
    (void)state;
    static const struct program_setup job = {.own_group = true};
    char timeout[32];
    const char *const args[] = {"in", "--json", timeout, "-j1", NULL};
    snprintf(timeout, sizeof(timeout), "--timeout=%d", 6 * test_time_scale());
    make_folder(scratch("in"));
    make_slow_jpeg(scratch("in/slow.jpg"), 3000, 3000, 1);
    struct program program = program_start(&job, args);
    assert_true(program_busy_worker(program.pid, 0) > 0);
    assert_int_equal(kill(-program.pid, SIGSTOP), 0);
    poll(NULL, 0, (int)(7000 * test_time_scale()));
    assert_false(program_has_ended(&program));
    assert_int_equal(kill(-program.pid, SIGCONT), 0);
    struct program_result result = program_wait(&program);
    expect_exit(&result, 0);
    assert_true(summary_of(&result, "made") == 1);
}

static bool is_stopped(pid_t pid)
{
    siginfo_t info = {.si_pid = 0};
    return waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

/* The bar is away while it stands still, and a signal of that time is noticed afterwards. */
static void a_stop_takes_the_bar_away(void **state)
{
    (void)state;
    static const char *const env[] = {"TERM=xterm", NULL};
    static const struct program_setup job = {.own_group = true, .env = env};
    static const char *const args[] = {"in", "--progress=always", NULL};
    make_many_slow(200);
    struct program program = program_start(&job, args);
    wait_for_thumbs(3);
    assert_int_equal(kill(-program.pid, SIGTSTP), 0);
    const int64_t until_ms = clock_ms() + scaled(5000);
    while (!is_stopped(program.pid) && clock_ms() < until_ms)
        poll(NULL, 0, 5);
    assert_true(is_stopped(program.pid));
    size_t length;
    const char *err = read_file(program.err_path, &length);
    assert_non_null(strstr(err, " files/s"));
    const char *erased = "\r\x1b[?7h\x1b[J";
    assert_string_equal(err + length - strlen(erased), erased);
    assert_int_equal(kill(program.pid, SIGTERM), 0);
    assert_true(is_stopped(program.pid));
    assert_int_equal(kill(-program.pid, SIGCONT), 0);
    struct program_result result = program_wait(&program);
    program_left_no_process();
    expect_exit(&result, 128 + SIGTERM);
    assert_non_null(strstr(result.out, "ended by signal 15"));
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(a_signal_before_a_call_that_blocks_is_not_lost),
        TEST(a_run_that_never_ends_is_ended),
        TEST(what_was_ignored_from_the_beginning_stays_ignored),
        TEST(a_watch_leaves_the_signal_mask_as_it_was),
        TEST_LONG(more_signals_change_nothing, 40000),
        TEST_LONG(workers_in_a_long_task_end_too, 40000),
        TEST(a_folder_that_does_not_answer_does_not_keep_it),
        TEST(an_output_that_does_not_answer_does_not_keep_it),
        TEST_LONG(time_that_it_was_stopped_counts_for_no_file, 40000),
        TEST(a_stop_takes_the_bar_away),
    };
    return test_run("app signals", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
