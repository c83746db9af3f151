/* Processes and the program that started them: how its end, its zygote's end and the end of an
 * object concern them. */
#include "process_tasks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- The program's end --------------------------------------------------------------------- */

/* In a program of its own: start a daemon and a process, wait until both run, and end. */
static void host_program(struct shared *shared, bool stubborn, void (*end)(void))
{
    become_program(shared->marks.write_fd);
    close_end(&shared->gate.write_fd);
    static struct pool_process *processes[2]; /* not lost, for leak checkers */
    processes[0] = start_daemon(stubborn ? "stubborn" : "polite", 0,
                                (int[]){shared->daemon.write_fd, shared->gate.read_fd}, 2);
    close_end(&shared->daemon.write_fd);
    processes[1] =
        start("mark_twice", 'o', (int[]){shared->gate.read_fd, shared->marks.write_fd}, 2);
    for (int i = 0; stubborn && i < 2; i++) /* with or without the objects: that is the same */
        pool_process_free(processes[i]);
    if (read_byte(shared->daemon.read_fd) < 0 || write(shared->marks.write_fd, "h", 1) != 1)
        _exit(98);
    close_end(&shared->gate.read_fd);
    end();
}

static void end_by_exit(void)
{
    exit(0);
}

static void end_by_kill(void)
{
    raise(SIGKILL);
}

static void end_at_once(void)
{
    _exit(0);
}

static pid_t start_host(struct shared *shared, bool stubborn, void (*end)(void))
{
    pid_t host = fork();
    assert_true(host >= 0);
    if (host == 0)
        host_program(shared, stubborn, end);
    shared_leave_to_program(shared);
    const int first = read_byte(shared->marks.read_fd), second = read_byte(shared->marks.read_fd);
    assert_int_equal(first + second, 'o' + 'h'); /* the process runs, and the daemon */
    return host;
}

static void exit_stops_daemons_and_then_waits_for_the_others(void **state)
{
    (void)state;
    for (int stubborn = 0; stubborn < 2; stubborn++) { /* a stubborn daemon needs a SIGKILL */
        struct shared shared = shared_open();
        struct pollfd after = {.fd = shared.marks.read_fd, .events = POLLIN};
        int status;
        const pid_t host = start_host(&shared, stubborn, end_by_exit);
        if (!stubborn)
            assert_int_equal(read_byte(shared.daemon.read_fd), 't'); /* it was terminated */
        assert_int_equal(read_byte(shared.daemon.read_fd), -1);      /* it has ended */
        assert_int_equal(poll(&after, 1, 50), 0);                    /* exit() has not gone on */
        close_end(&shared.gate.write_fd);
        assert_int_equal(read_byte(shared.marks.read_fd), 'o');
        assert_int_equal(read_byte(shared.marks.read_fd), 'e');
        assert_int_equal(read_byte(shared.marks.read_fd), -1);
        assert_int_equal(waitpid(host, &status, 0), host);
        assert_int_equal(status, 0);
        shared_close(&shared);
    }
}

static void a_program_that_is_killed_takes_its_daemons_along_and_nobody_else(void **state)
{
    (void)state;
    void (*const ends[])(void) = {end_by_kill, end_at_once};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct shared shared = shared_open();
        const pid_t host = start_host(&shared, true, ends[i]);
        assert_int_equal(waitpid(host, NULL, 0), host);
        assert_int_equal(read_byte(shared.daemon.read_fd), -1);
        close_end(&shared.gate.write_fd);
        assert_int_equal(read_byte(shared.marks.read_fd), 'o'); /* it has gone on until now */
        assert_int_equal(read_byte(shared.marks.read_fd), -1);
        shared_close(&shared);
        reap_orphans(); /* this test is their reaper */
    }
}

/* A child that the host had forked has copies of its descriptors, and lives on. */
static void daemons_end_with_their_program_even_if_it_has_forked(void **state)
{
    (void)state;
    struct shared shared = shared_open();
    struct channel child = channel_open();
    const pid_t host = fork();
    if (host == 0) {
        become_program(-1);
        start_daemon("stubborn", 0, (int[]){shared.daemon.write_fd, shared.gate.read_fd}, 2);
        if (fork() == 0) {
            close(shared.daemon.write_fd);
            close(child.write_fd);
            read_byte(child.read_fd);
            _exit(0);
        }
        read_byte(shared.daemon.read_fd);
        raise(SIGKILL);
    }
    close_end(&shared.daemon.write_fd);
    assert_int_equal(waitpid(host, NULL, 0), host);
    assert_int_equal(read_byte(shared.daemon.read_fd), -1);
    channel_close(&child);
    shared_close(&shared);
    reap_orphans();
}

static void a_process_is_a_program_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) { /* it ends by a return, by exit(7), or is killed meanwhile */
        struct shared shared = shared_open();
        struct pool_error error;
        struct pool_process *process =
            start("host", i == 1 ? 7 : -1,
                  (int[]){shared.daemon.write_fd, shared.gate.read_fd, shared.marks.write_fd}, 3);
        shared_leave_to_program(&shared);
        assert_int_equal(read_byte(shared.daemon.read_fd), -1); /* its daemon has ended */
        assert_int_equal(pool_process_join(process, 50), -ETIMEDOUT);
        if (i == 2) {
            assert_int_equal(pool_process_kill(process), 0);
            assert_int_equal(pool_process_join(process, -1), 0);
            assert_int_equal(pool_process_error(process, &error), 0);
            assert_int_equal(error.code, -EOWNERDEAD); /* though its target had returned */
        }
        close_end(&shared.gate.write_fd);
        assert_int_equal(read_byte(shared.marks.read_fd), 'o');
        assert_int_equal(take_code(process), i == 0 ? 0 : i == 1 ? 7 : -SIGKILL);
        assert_int_equal(read_byte(shared.marks.read_fd), -1);
        shared_close(&shared);
        if (i == 2) /* its process and its zygote */
            reap_orphans();
    }
}

/* ---- Objects that go early ----------------------------------------------------------------- */

static void a_process_outlives_its_object(void **state)
{
    (void)state;
    struct shared shared = shared_open();
    struct pool_process *processes[5];
    for (int i = 0; i < 5; i++)
        processes[i] = start("mark", 'm', (int[]){shared.gate.read_fd, shared.marks.write_fd}, 2);
    shared_leave_to_program(&shared);
    int sentinel = fcntl(pool_process_sentinel(processes[0]), F_DUPFD_CLOEXEC, 0);
    for (int i = 0; i < 5; i++)
        pool_process_free(processes[i]);
    struct pollfd ended = {.fd = sentinel, .events = POLLIN};
    assert_int_equal(poll(&ended, 1, 0), 0);
    close_end(&shared.gate.write_fd);
    for (int i = 0; i < 5; i++)
        assert_int_equal(read_byte(shared.marks.read_fd), 'm');
    assert_int_equal(read_byte(shared.marks.read_fd), -1);
    /* Whoever comes next hears of their ends, and then nothing of them is left. */
    pool_process_join(processes[0] = start("give", 0, NULL, 0), -1);
    while (poll(&ended, 1, -1) < 1)
        continue;
    close(sentinel);
    pool_process_free(processes[0]);
    for (int i = 0; i < 1000 && waitpid(-1, NULL, WNOHANG) == 0;
         i++) { /* the zygote is there yet */
        pool_process_free(make("give", 0, NULL, 0));
        poll(NULL, 0, 1);
    }
    shared_close(&shared);
}

static void a_process_may_be_freed_without_a_join(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct pool_process *process = start("give", 0, NULL, 0);
        struct pollfd ended = {.fd = pool_process_sentinel(process), .events = POLLIN};
        assert_int_equal(poll(&ended, 1, -1), 1);
        pool_process_free(process); /* the last, so nothing is left then */
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    }
}

/* Nobody reads what the zygote says of them, but it must not be held up by that for ever. */
static void many_ends_may_go_unread(void **state)
{
    (void)state;
    enum { PROCESSES = 400 };
    static struct pool_process *processes[PROCESSES];
    static struct pollfd waits[PROCESSES];
    struct channel gate = channel_open();
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int i = 0; i < PROCESSES; i++)
        processes[i] = start("hold", 0, &gate.read_fd, 1);
    channel_close(&gate);
    for (int i = 0; i < PROCESSES; i++) {
        waits[i] = (struct pollfd){pool_process_sentinel(processes[i]), POLLIN, 0};
        assert_int_equal(poll(&waits[i], 1, -1), 1);
    }
    for (int i = PROCESSES - 1; i >= 0; i--)
        assert_int_equal(take_code(processes[i]), 0);
}

/* ---- The zygote's end ---------------------------------------------------------------------- */

static void a_killed_zygote_costs_daemons_only(void **state)
{
    (void)state;
    struct shared shared = shared_open();
    const int fds[] = {shared.gate.read_fd, shared.marks.write_fd};
    struct pool_process *daemon = start_daemon("mark_twice", 'd', fds, 2);
    struct pool_process *other = start("mark_twice", 'o', fds, 2);
    struct pool_error error;
    read_byte(shared.marks.read_fd);
    read_byte(shared.marks.read_fd);
    const pid_t zygote = parent_of(pool_process_pid(other));
    assert_int_equal(kill(zygote, SIGKILL), 0);
    assert_int_equal(pool_process_join(daemon, -1), 0);
    assert_int_equal(pool_process_error(daemon, &error), 0);
    assert_int_equal(error.code, -EOWNERDEAD);
    assert_non_null(strstr(error.message, "nobody knows how"));
    assert_int_equal(take_code(daemon), 255);
    assert_true(pool_process_is_alive(other));

    struct pool_process *next = start("give", 4, NULL, 0); /* by another one */
    assert_int_equal(pool_process_join(next, -1), 0);
    assert_int_equal(take_code(next), 4);
    assert_int_equal(pool_process_terminate(other), 0);
    assert_int_equal(take_code(other), 255);
    shared_close(&shared);
    reap_orphans();
}

static void a_zygote_killed_between_two_starts_is_replaced(void **state)
{
    (void)state;
    struct channel gate = channel_open();
    struct pool_process *holders[10];
    for (int i = 0; i < 10; i++) {
        holders[i] = start("hold", 0, &gate.read_fd, 1);
        kill(parent_of(pool_process_pid(holders[i])), SIGKILL);
    }
    channel_close(&gate);
    for (int i = 0; i < 10; i++)
        assert_int_equal(take_code(holders[i]), 255);
    reap_orphans();
}

/* They were freed, then their zygote died, then they ended: the next one hears nothing of them. */
static void orphans_without_an_object_are_not_waited_for(void **state)
{
    (void)state;
    struct channel gate = channel_open();
    struct pollfd ended[5];
    for (int i = 0; i < 5; i++) {
        struct pool_process *process = start("hold", 0, &gate.read_fd, 1);
        ended[i].fd = fcntl(pool_process_sentinel(process), F_DUPFD_CLOEXEC, 0);
        ended[i].events = POLLIN;
        if (i == 4)
            kill(parent_of(pool_process_pid(process)), SIGKILL);
        pool_process_free(process);
    }
    assert_int_equal(take_code(start("give", 7, NULL, 0)), 7);
    channel_close(&gate);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(poll(&ended[i], 1, -1), 1);
        close(ended[i].fd);
    }
    assert_int_equal(take_code(start("give", 8, NULL, 0)), 8); /* it leaves nothing behind */
    reap_orphans();
}

static void a_stopped_zygote_makes_nobody_wait_for_ever(void **state)
{
    (void)state;
    struct pool_process *processes[3];
    struct channel gate = channel_open();
    int code;
    for (int i = 0; i < 3; i++)
        processes[i] = start("hold", 0, &gate.read_fd, 1);
    const pid_t zygote = parent_of(pool_process_pid(processes[0]));
    assert_int_equal(kill(zygote, SIGSTOP), 0);
    channel_close(&gate);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pool_process_join(processes[i], -1), 0);
        assert_int_equal(pool_process_exitcode(processes[i], &code), 0);
        assert_int_equal(code, 255);
    }
    for (int i = 1; i < 3; i++)
        pool_process_free(processes[i]);
    struct shared shared = shared_open();
    struct pool_process *next =
        make("mark_twice", 9, (int[]){shared.gate.read_fd, shared.marks.write_fd}, 2);
    assert_int_equal(pool_process_start(next), -EAGAIN);
    assert_int_equal(kill(zygote, SIGCONT), 0);
    assert_int_equal(pool_process_start(next), 0);
    assert_int_equal(parent_of(pool_process_pid(next)), zygote);
    shared_leave_to_program(&shared);
    close_end(&shared.gate.write_fd);
    assert_int_equal(take_code(next), 0);
    assert_int_equal(read_byte(shared.marks.read_fd), 9);
    assert_int_equal(read_byte(shared.marks.read_fd), 9);
    assert_int_equal(read_byte(shared.marks.read_fd), -1); /* it has run once */
    shared_close(&shared);
    pool_process_free(processes[0]);
}

static const struct test_case tests[] = {
    TEST(exit_stops_daemons_and_then_waits_for_the_others),
    TEST(a_program_that_is_killed_takes_its_daemons_along_and_nobody_else),
    TEST(daemons_end_with_their_program_even_if_it_has_forked),
    TEST(a_process_is_a_program_of_its_own),
    TEST(a_process_outlives_its_object),
    TEST(a_process_may_be_freed_without_a_join),
    TEST_LONG(many_ends_may_go_unread, 60000),
    TEST(a_killed_zygote_costs_daemons_only),
    TEST_LONG(a_zygote_killed_between_two_starts_is_replaced, 40000),
    TEST(orphans_without_an_object_are_not_waited_for),
    TEST_LONG(a_stopped_zygote_makes_nobody_wait_for_ever, 60000),
};

int main(int argc, char **argv)
{
    return process_test_main("process_family", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
