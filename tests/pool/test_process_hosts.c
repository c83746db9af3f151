/* Processes and programs of all kinds: signals, threads, forks, pools, nesting, and what is short.
 * fork() is wrapped (CMakeLists.txt) for the zygote, which is told by environment variables how
 * often it is to fail, and whether a process is to die at once. */
#include "process_tasks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAILING_FORKS "POOL_TEST_FAILING_FORKS"
#define DYING_FORKS   "POOL_TEST_DYING_FORKS"

/* The names are the linker's (--wrap=fork). NOLINTNEXTLINE(bugprone-reserved-identifier) */
pid_t __real_fork(void);
pid_t __wrap_fork(void);

pid_t __wrap_fork(void)
{
    static int times;
    const char *failing = getenv(FAILING_FORKS);
    if (failing && times++ < atoi(failing)) {
        errno = EAGAIN;
        return -1;
    }
    pid_t pid = __real_fork();
    if (pid == 0 && getenv(DYING_FORKS))
        _exit(9);
    return pid;
}

/* ---- Hosts of all kinds -------------------------------------------------------------------- */

static void a_host_may_ignore_its_childrens_ends(void **state)
{
    (void)state;
    signal(SIGCHLD, SIG_IGN);
    assert_int_equal(take_code(start("give", 3, NULL, 0)), 3);
    assert_int_equal(take_code(start("die", SIGKILL, NULL, 0)), -SIGKILL);
    signal(SIGCHLD, SIG_DFL);
}

static atomic_bool reaping;

static void *reap_everybody(void *data)
{
    while (atomic_load(&reaping))
        if (waitpid(-1, NULL, WNOHANG) <= 0)
            poll(NULL, 0, 1);
    return data;
}

static void a_host_may_reap_everybody(void **state)
{
    (void)state;
    pthread_t reaper;
    atomic_store(&reaping, true);
    assert_int_equal(pthread_create(&reaper, NULL, reap_everybody, NULL), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(take_code(start("give", i, NULL, 0)), i);
    atomic_store(&reaping, false);
    pthread_join(reaper, NULL);
}

/* A thread starts the first process, and the zygote, and ends: that is nobody's concern. */
static void *start_in_a_thread(void *gate)
{
    return start_daemon("hold", 0, &((struct channel *)gate)->read_fd, 1);
}

static void a_process_outlives_the_thread_that_started_it(void **state)
{
    (void)state;
    struct channel gate = channel_open();
    pthread_t thread;
    void *process;
    assert_int_equal(pthread_create(&thread, NULL, start_in_a_thread, &gate), 0);
    assert_int_equal(pthread_join(thread, &process), 0);
    assert_int_equal(pool_process_join(process, 50), -ETIMEDOUT);
    channel_close(&gate);
    assert_int_equal(take_code(process), 0);
}

static void *start_and_join(void *data)
{
    for (int i = 0; i < 10; i++) {
        struct pool_process *process;
        const struct pool_bytes field = {&i, sizeof(i)};
        const struct pool_item item = {.fields = &field, .field_count = 1};
        int code;
        if (pool_process_create("give", &item, NULL, &process) < 0 ||
            pool_process_start(process) < 0 || pool_process_join(process, -1) < 0 ||
            pool_process_exitcode(process, &code) < 0 || code != i)
            return NULL;
        pool_process_free(process);
    }
    return data;
}

static void any_number_of_threads_may_start_processes(void **state)
{
    (void)state;
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, start_and_join, threads), 0);
    for (int i = 0; i < 8; i++) {
        void *good;
        pthread_join(threads[i], &good);
        assert_ptr_equal(good, threads);
    }
}

static void signals_are_to_a_process_what_they_were_to_the_program(void **state)
{
    (void)state;
    static const int signals[3] = {SIGINT, SIGHUP, SIGPIPE};
    struct told told;
    for (int i = 0; i < 3; i++)
        signal(signals[i], SIG_DFL);
    ask_a_process(&told);
    for (int i = 0; i < 3; i++)
        assert_true(told.handles_default[i]);
    for (int i = 0; i < 3; i++)
        signal(signals[i], SIG_IGN);
    ask_a_process(&told);
    for (int i = 0; i < 3; i++)
        assert_false(told.handles_default[i]);
}

static bool in_the_child(struct pool_process *running, struct pool_process *fresh)
{
    struct pool_error error;
    int code;
    return pool_process_start(fresh) == -ESTALE && pool_process_start(running) == -ESTALE &&
           pool_process_join(running, -1) == -ESTALE && !pool_process_is_alive(running) &&
           pool_process_terminate(running) == -ESTALE && pool_process_kill(running) == -ESTALE &&
           pool_process_exitcode(running, &code) == -ESTALE &&
           pool_process_error(running, &error) == -ESTALE && pool_process_pid(running) == 0 &&
           pool_process_sentinel(running) == -ESTALE;
}

static int count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static void a_forked_child_can_neither_use_nor_harm_its_parents_processes(void **state)
{
    (void)state;
    const int descriptors = count_descriptors();
    struct channel gate = channel_open();
    struct pool_process *running = start("hold", 0, &gate.read_fd, 1);
    struct pool_process *fresh = make("hold", 0, &gate.read_fd, 1);
    int status;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (!in_the_child(running, fresh))
            _exit(1);
        pool_process_free(running);
        pool_process_free(fresh);
        channel_close(&gate);
        if (count_descriptors() != descriptors)
            _exit(2);
        if (take_code(start("give", 6, NULL, 0)) != 6) /* it may have processes of its own */
            _exit(3);
        _exit(count_descriptors() == descriptors ? 0 : 4);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(pool_process_is_alive(running));
    assert_int_equal(pool_process_start(fresh), 0);
    channel_close(&gate);
    assert_int_equal(take_code(running), 0);
    assert_int_equal(take_code(fresh), 0);
}

/* ---- Nesting, and pools -------------------------------------------------------------------- */

static void processes_may_start_processes_and_pools(void **state)
{
    (void)state;
    struct pool_process *process = start("pool", 2, NULL, 0);
    assert_int_equal(take_code(process), 2 * 2 + 1 * 1);
}

static void processes_may_be_nested_but_not_for_ever(void **state)
{
    (void)state;
    assert_int_equal(take_code(start("nest", 0, NULL, 0)), POOL_NESTING_MAX);
}

/* What counts is who starts it, not who started the first. */
static void a_task_counts_as_a_level(void **state)
{
    (void)state;
    struct pool_options options = {.backend = POOL_BACKEND_THREAD, .workers = 1};
    struct pool_process *first = start("give", 0, NULL, 0);
    struct pool *pool;
    struct pool_future *future;
    struct pool_bytes value;
    int started = 0; /* one below the other */
    assert_int_equal(pool_create(&options, &pool), 0);
    assert_int_equal(pool_apply(pool, "nest", NULL, NULL, &future), 0);
    assert_int_equal(pool_future_result(future, 0, &value), 0);
    memcpy(&started, value.data, sizeof(started));
    assert_int_equal(started, POOL_NESTING_MAX);
    pool_future_free(future);
    pool_free(pool);
    assert_int_equal(take_code(first), 0);
}

static void processes_run_beside_pools(void **state)
{
    (void)state;
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pools[2];
    struct pool_process *processes[4];
    struct channel gate = channel_open();
    const int number = 12;
    const struct pool_bytes field = {&number, sizeof(number)};
    const struct pool_item item = {.fields = &field, .field_count = 1};
    options.workers = 2;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pool_create(&options, &pools[i]), 0);
    for (int i = 0; i < 4; i++)
        processes[i] = start("hold", 0, &gate.read_fd, 1);
    for (int i = 0; i < 2; i++) {
        struct pool_future *future;
        struct pool_bytes value;
        int square = 0;
        assert_int_equal(pool_apply(pools[i], "square", &item, NULL, &future), 0);
        assert_int_equal(pool_future_result(future, 0, &value), 0);
        memcpy(&square, value.data, sizeof(square));
        assert_int_equal(square, 144);
        pool_future_free(future);
        pool_free(pools[i]);
    }
    channel_close(&gate);
    for (int i = 0; i < 4; i++)
        assert_int_equal(take_code(processes[i]), 0);
}

/* ---- Shortage ------------------------------------------------------------------------------ */

/* However many descriptors are missing, and at whichever step: it is told, nothing has run, and it
 * can be tried again. */
static void a_start_without_descriptors_fails_and_can_be_tried_again(void **state)
{
    (void)state;
    static char large[200000];
    for (int with_zygote = 0; with_zygote < 2; with_zygote++) {
        struct shared shared = shared_open();
        struct pool_process *holder =
            with_zygote ? start("hold", 0, &shared.gate.read_fd, 1) : NULL;
        int number = 'm', fds[] = {fcntl(shared.gate.read_fd, F_DUPFD_CLOEXEC, 0),
                                   fcntl(shared.marks.write_fd, F_DUPFD_CLOEXEC, 0)};
        const struct pool_bytes fields[] = {{&number, sizeof(number)}, {large, sizeof(large)}};
        const struct pool_item item = {
            .fields = fields, .field_count = 2, .fds = fds, .fd_count = 2};
        struct pool_process *process;
        struct rlimit before, low;
        int r = -EMFILE, failures = 0;
        assert_int_equal(pool_process_create("mark_twice", &item, NULL, &process), 0);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        low = before;
        int next = open("/dev/null", O_RDONLY | O_CLOEXEC); /* the lowest number that is free */
        close(next);
        for (low.rlim_cur = (rlim_t)next; r == -EMFILE; low.rlim_cur++) {
            assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
            r = pool_process_start(process);
            failures += r == -EMFILE;
        }
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(r, 0);
        assert_true(failures >= 3);
        shared_leave_to_program(&shared);
        close_end(&shared.gate.write_fd);
        assert_int_equal(read_byte(shared.marks.read_fd), 'm');
        assert_int_equal(read_byte(shared.marks.read_fd), 'm');
        assert_int_equal(read_byte(shared.marks.read_fd), -1); /* it has run once */
        assert_int_equal(take_code(process), 0);
        if (holder)
            assert_int_equal(take_code(holder), 0);
        shared_close(&shared);
    }
}

static void a_fork_that_fails_is_told_and_can_be_tried_again(void **state)
{
    (void)state;
    struct pool_process *process = make("give", 8, NULL, 0);
    assert_int_equal(setenv(FAILING_FORKS, "2", 1), 0);
    assert_int_equal(pool_process_start(process), -EAGAIN);
    assert_int_equal(unsetenv(FAILING_FORKS), 0);
    assert_int_equal(pool_process_start(process), -EAGAIN);
    assert_int_equal(pool_process_pid(process), 0);
    assert_int_equal(pool_process_start(process), 0);
    assert_int_equal(take_code(process), 8);
}

/* Its end may be told together with its beginning, or come when it is told what to run. */
static void a_process_that_dies_before_it_begins_has_ended(void **state)
{
    (void)state;
    static char large[200000];
    assert_int_equal(setenv(DYING_FORKS, "1", 1), 0);
    struct pool_process *keeper = make("give", 0, NULL, 0);
    for (int i = 0; i < 100; i++) {
        const struct pool_bytes field = {large, i % 2 ? sizeof(large) : 0};
        const struct pool_item item = {.fields = &field, .field_count = 1};
        struct pool_process *process;
        struct pool_error error;
        assert_int_equal(pool_process_create("give", &item, NULL, &process), 0);
        assert_int_equal(pool_process_start(process), 0);
        assert_int_equal(pool_process_join(process, -1), 0);
        assert_int_equal(pool_process_error(process, &error), 0);
        assert_int_equal(error.code, -EOWNERDEAD);
        assert_int_equal(error.exit_status, 9);
        assert_int_equal(take_code(process), 9);
    }
    assert_int_equal(unsetenv(DYING_FORKS), 0);
    pool_process_free(keeper);
}

static const struct test_case tests[] = {
    TEST(a_host_may_ignore_its_childrens_ends),
    TEST_LONG(a_host_may_reap_everybody, 40000),
    TEST(a_process_outlives_the_thread_that_started_it),
    TEST_LONG(any_number_of_threads_may_start_processes, 60000),
    TEST(signals_are_to_a_process_what_they_were_to_the_program),
    TEST(a_forked_child_can_neither_use_nor_harm_its_parents_processes),
    TEST(processes_may_start_processes_and_pools),
    TEST(processes_may_be_nested_but_not_for_ever),
    TEST(a_task_counts_as_a_level),
    TEST(processes_run_beside_pools),
    TEST(a_start_without_descriptors_fails_and_can_be_tried_again),
    TEST(a_fork_that_fails_is_told_and_can_be_tried_again),
    TEST_LONG(a_process_that_dies_before_it_begins_has_ended, 60000),
};

int main(int argc, char **argv)
{
    return process_test_main("process_hosts", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
