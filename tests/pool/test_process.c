/* What only worker processes can do: die, be killed, be replaced. */
#include "isolate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pool_tasks.h"

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct pool *process_pool(unsigned workers)
{
    return pool_of(POOL_BACKEND_PROCESS, workers);
}

static pid_t pid_of_a_worker(struct pool *pool)
{
    struct pool_bytes value;
    pid_t pid;
    struct pool_future *future = submit_int(pool, "pid", 0);
    assert_int_equal(pool_future_result(future, -1, &value), 0);
    assert_int_equal(value.size_bytes, sizeof(pid));
    memcpy(&pid, value.data, sizeof(pid));
    pool_future_free(future);
    return pid;
}

/* The parent of a process, or 0. */
static pid_t parent_of(pid_t pid)
{
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    size_t got = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[got] = '\0';
    char *end = strrchr(text, ')');
    int parent = 0;
    if (!end || sscanf(end + 1, " %*c %d", &parent) != 1)
        return 0;
    return parent;
}

static void a_task_runs_in_another_process_than_its_caller(void **state)
{
    (void)state;
    struct pool *pool = process_pool(1);
    pid_t worker = pid_of_a_worker(pool);
    assert_int_not_equal(worker, getpid());
    assert_int_equal(parent_of(parent_of(worker)), getpid()); /* the zygote is between them */
    assert_int_equal(pid_of_a_worker(pool), worker);          /* reused */
    pool_free(pool);
}

static void a_death_fails_its_own_task_alone_and_says_how(void **state)
{
    (void)state;
    static const struct {
        int64_t how;
        int signal, exit_status;
        const char *words;
    } rows[] = {
        {SIGSEGV, SIGSEGV, -1, "killed by signal 11"},
        {SIGKILL, SIGKILL, -1, "killed by signal 9"},
        {SIGABRT, SIGABRT, -1, "killed by signal 6"},
        {0, 0, 0, "exited with status 0"},
        {-3, 0, 3, "exited with status 3"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pool *pool = process_pool(2);
        struct pool_future *good[20];
        struct pool_error error;
        printf("%s\n", rows[i].words);
        for (int k = 0; k < 10; k++)
            good[k] = submit_int(pool, "write_late", k);
        struct pool_future *bad = submit_int(pool, "die", rows[i].how);
        for (int k = 10; k < 20; k++)
            good[k] = submit_int(pool, "write_late", k);
        assert_int_equal(pool_future_result(bad, -1, NULL), -EOWNERDEAD);
        assert_int_equal(pool_future_error(bad, &error), 0);
        assert_int_equal(error.signal, rows[i].signal);
        assert_int_equal(error.exit_status, rows[i].exit_status);
        assert_true(error.worker_pid > 0);
        assert_non_null(strstr(error.message, rows[i].words));
        pool_future_free(bad);
        for (int k = 0; k < 20; k++)
            assert_int_equal(take_int(good[k]), k);
        pool_free(pool);
    }
}

static void a_stack_overflow_costs_one_task(void **state)
{
    (void)state;
    struct pool *pool = process_pool(1);
    struct pool_future *future = submit_int(pool, "overflow", 0);
    assert_int_equal(take_code(future), -EOWNERDEAD);
    assert_int_equal(take_int(submit_int(pool, "square", 2)), 4);
    pool_free(pool);
}

static void a_hundred_deaths_in_a_row_do_not_break_the_pool(void **state)
{
    (void)state;
    struct pool *pool = process_pool(2);
    for (int i = 0; i < 100; i++)
        assert_int_equal(take_code(submit_int(pool, "die", i % 2 ? SIGKILL : -1)), -EOWNERDEAD);
    assert_int_equal(take_int(submit_int(pool, "square", 6)), 36);
    pool_free(pool);
}

static void a_storm_of_kills_resolves_every_future_exactly_once(void **state)
{
    (void)state;
    enum { COUNT = 600 };
    static struct pool_future *futures[COUNT];
    struct pool *pool = process_pool(3);
    int done = 0, died = 0;
    unsigned seed = 1;
    for (int i = 0; i < COUNT; i++) {
        futures[i] = submit_int(pool, "write_late", i % 3);
        if (i % 4 == 0) {
            pid_t worker = pid_of_a_worker(pool);
            poll(NULL, 0, rand_r(&seed) % 3); /* at any step of another task */
            kill(worker, SIGKILL);
        }
    }
    for (int i = 0; i < COUNT; i++) {
        struct pool_bytes value;
        int r = pool_future_result(futures[i], -1, &value);
        assert_true(r == 0 || r == -EOWNERDEAD);
        if (r == 0) {
            int64_t number;
            memcpy(&number, value.data, sizeof(number));
            assert_int_equal(number, i % 3);
        }
        done += r == 0;
        died += r == -EOWNERDEAD;
        pool_future_free(futures[i]);
    }
    printf("%d done, %d died\n", done, died);
    assert_int_equal(done + died, COUNT);
    assert_true(done > COUNT / 2); /* only what had started may be lost */
    pool_free(pool);
}

static void what_waits_behind_a_dying_task_is_done_by_another_worker(void **state)
{
    (void)state;
    struct pool *pool = process_pool(1);
    for (int round = 0; round < 20; round++) {
        struct pool_future *futures[5];
        struct pool_future *bad = submit_int(pool, "die", SIGKILL);
        for (int i = 0; i < 5; i++)
            futures[i] = submit_int(pool, "square", i);
        assert_int_equal(take_code(bad), -EOWNERDEAD);
        for (int i = 0; i < 5; i++)
            assert_int_equal(take_int(futures[i]), i * i);
    }
    pool_free(pool);
}

static void an_idle_worker_takes_over_what_waits_behind_a_long_task(void **state)
{
    (void)state;
    struct pool *pool = process_pool(2);
    /* Both workers busy, one task ready behind each; then one long task ends and its worker must
     * come to help the other. */
    struct pool_future *longest = submit_int(pool, "sleep", 3000 * test_time_scale());
    struct pool_future *shorter = submit_int(pool, "sleep", 50);
    struct pool_future *behind[4];
    for (int i = 0; i < 4; i++)
        behind[i] = submit_int(pool, "square", i);
    assert_int_equal(take_code(shorter), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(take_int(behind[i]), i * i);
    assert_false(pool_future_done(longest));
    pool_terminate(pool);
    pool_future_free(longest);
    pool_free(pool);
}

static void a_worker_past_the_deadline_is_replaced_even_if_it_ignores_sigterm(void **state)
{
    (void)state;
    struct pool *pool = process_pool(1);
    pid_t before = pid_of_a_worker(pool);
    struct pool_error error;
    struct pool_future *future = submit_int_deadline(pool, "stubborn", 600000, 50);
    struct pool_future *behind = submit_int(pool, "square", 9);
    assert_int_equal(pool_future_result(future, -1, NULL), -ETIME);
    assert_int_equal(pool_future_error(future, &error), 0);
    assert_int_equal(error.signal, SIGKILL);
    assert_int_equal(error.worker_pid, before);
    assert_string_equal(error.message, "ran longer than 50 ms");
    pool_future_free(future);
    assert_int_equal(take_int(behind), 81);
    assert_int_not_equal(pid_of_a_worker(pool), before);
    pool_free(pool);
}

static void a_sleeping_worker_past_the_deadline_ends_by_sigterm(void **state)
{
    (void)state;
    struct pool *pool = process_pool(1);
    struct pool_error error;
    struct pool_future *future = submit_int_deadline(pool, "sleep", 600000, 50);
    assert_int_equal(pool_future_result(future, -1, NULL), -ETIME);
    pool_future_error(future, &error);
    assert_int_equal(error.signal, SIGTERM);
    pool_future_free(future);
    pool_free(pool);
}

static void what_waits_behind_a_late_task_does_not_die_with_it(void **state)
{
    (void)state;
    struct pool *pool = process_pool(1);
    /* It ignores SIGTERM and ends by itself within the grace: its worker could start the next. */
    struct pool_future *late = submit_int_deadline(pool, "stubborn", 300, 100);
    struct pool_future *behind = submit_int(pool, "write_late", 1000);
    int r = take_code(late);
    assert_true(r == 0 || r == -ETIME);
    assert_int_equal(take_int(behind), 1000);
    pool_free(pool);
}

static int64_t cpu_ms(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

/* The child holds a copy of every descriptor, so nothing is really closed while it lives. */
static void a_host_that_forks_does_not_make_the_supervisor_spin(void **state)
{
    (void)state;
    struct pool *pool = process_pool(2);
    pid_t worker = pid_of_a_worker(pool);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        for (;;)
            pause();
    kill(worker, SIGKILL);
    while (pid_of_a_worker(pool) == worker)
        continue;
    const int64_t before_ms = cpu_ms();
    poll(NULL, 0, 500);
    assert_true(cpu_ms() - before_ms < 250);
    pool_free(pool);
    assert_int_equal(kill(child, 0), 0); /* it is none of the pool's */
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void terminate_ends_workers_that_ignore_sigterm(void **state)
{
    (void)state;
    struct pool *pool = process_pool(2);
    struct pool_future *first = submit_int(pool, "stubborn", 600000);
    struct pool_future *second = submit_int(pool, "sleep", 600000);
    poll(NULL, 0, 50);
    const int64_t start_ms = now_ms();
    pool_terminate(pool);
    assert_int_equal(take_code(first), -ECANCELED);
    assert_int_equal(take_code(second), -ECANCELED);
    pool_free(pool);
    assert_true(now_ms() - start_ms < 5000 * test_time_scale());
}

static void a_grandchild_that_holds_the_socket_does_not_hide_the_death(void **state)
{
    (void)state;
    struct pool *pool = process_pool(1);
    assert_int_equal(take_code(submit_int(pool, "orphan", 300)), -EOWNERDEAD);
    assert_int_equal(take_int(submit_int(pool, "square", 3)), 9);
    pool_free(pool);
    while (waitpid(-1, NULL, 0) > 0) /* the orphan came to this test, which reaps for its own */
        continue;
}

static void a_worker_that_breaks_the_protocol_is_replaced(void **state)
{
    (void)state;
    struct pool *pool = process_pool(1);
    assert_int_equal(take_code(submit_int(pool, "liar", 0)), -EOWNERDEAD);
    assert_int_equal(take_int(submit_int(pool, "square", 3)), 9);
    assert_int_equal(take_code(submit_int(pool, "closer", 0)), -EOWNERDEAD);
    assert_int_equal(take_int(submit_int(pool, "square", 4)), 16);
    assert_int_equal(take_code(submit_int(pool, "again", 0)), -EOWNERDEAD);
    assert_int_equal(take_int(submit_int(pool, "square", 5)), 25);
    /* Not one of the descriptors may stay: the runner counts them. */
    for (int i = 0; i < 10; i++)
        assert_int_equal(take_code(submit_int(pool, "smuggler", 0)), -EOWNERDEAD);
    assert_int_equal(take_int(submit_int(pool, "square", 6)), 36);
    pool_free(pool);
}

static void a_killed_zygote_costs_running_tasks_only(void **state)
{
    (void)state;
    struct pool *pool = process_pool(2);
    pid_t zygote = parent_of(pid_of_a_worker(pool));
    struct pool_future *running[2], *queued[6];
    for (int i = 0; i < 2; i++)
        running[i] = submit_int(pool, "sleep", 600000);
    poll(NULL, 0, 100); /* long enough for both to start; nothing is asserted on it */
    for (int i = 0; i < 6; i++)
        queued[i] = submit_int(pool, "square", i);
    assert_int_equal(kill(zygote, SIGKILL), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(take_code(running[i]), -EOWNERDEAD);
    for (int i = 0; i < 6; i++)
        assert_int_equal(take_int(queued[i]), i * i);
    assert_int_not_equal(parent_of(pid_of_a_worker(pool)), zygote);
    pool_free(pool);
    while (waitpid(-1, NULL, 0) > 0) /* the zygote's workers became this test's orphans */
        continue;
}

/* Every process in the system whose environment or parentage does not matter, but whose name is a
 * worker's or zygote's and whose process group is ours. */
static int processes_of_group(pid_t group)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    int count = 0;
    while ((entry = readdir(dir))) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        char path[64], name[32] = "";
        if (pid <= 0 || getpgid(pid) != group)
            continue;
        snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
        FILE *file = fopen(path, "re");
        if (!file)
            continue;
        if (fgets(name, sizeof(name), file) && strncmp(name, "pool-", 5) == 0)
            count++;
        fclose(file);
    }
    closedir(dir);
    return count;
}

static void no_process_outlives_a_killed_host(void **state)
{
    (void)state;
    const pid_t group = getpgrp();
    pid_t host = fork();
    assert_true(host >= 0);
    if (host == 0) {
        struct pool *pool = process_pool(3);
        for (int i = 0; i < 3; i++)
            submit_int(pool, "stubborn", 600000);
        poll(NULL, 0, 200);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(host, NULL, 0), host);
    const int64_t until_ms = now_ms() + 2000 * test_time_scale();
    while (processes_of_group(group) > 0 && now_ms() < until_ms) {
        while (waitpid(-1, NULL, WNOHANG) > 0) /* the orphans come to us */
            continue;
        poll(NULL, 0, 10);
    }
    assert_int_equal(processes_of_group(group), 0);
    while (waitpid(-1, NULL, 0) > 0)
        continue;
}

static void workers_inherit_no_descriptor_but_the_standard_ones_and_their_own(void **state)
{
    (void)state;
    int leaky = open("/dev/null", O_RDONLY); /* not close-on-exec, on purpose */
    struct pool *pool = process_pool(3);
    for (int i = 0; i < 20; i++)
        pool_future_free(submit_int(pool, "sleep", 5));
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid_of_a_worker(pool));
    DIR *dir = opendir(path);
    assert_non_null(dir);
    int count = 0;
    struct dirent *entry;
    while ((entry = readdir(dir)))
        count += entry->d_name[0] != '.';
    closedir(dir);
    assert_int_equal(count, 4); /* 0, 1, 2 and the socket */
    close(leaky);
    pool_free(pool);
}

static void a_program_that_is_no_worker_is_refused(void **state)
{
    (void)state;
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool = NULL;
    options.worker_program = "/bin/true";
    assert_int_equal(pool_create(&options, &pool), -EPROTO);
    options.worker_program = "/no/such/program";
    assert_int_equal(pool_create(&options, &pool), -ENOENT);
    assert_null(pool);
}

static void a_worker_program_with_another_table_is_refused(void **state)
{
    (void)state;
    static const struct pool_task other[] = {{"square", (pool_task_fn)abort}};
    static const struct pool_tasks table = {other, 1};
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool = NULL;
    options.tasks = &table;
    assert_int_equal(pool_create(&options, &pool), -EPROTO);
    assert_null(pool);
}

static void a_host_may_reap_everybody(void **state)
{
    (void)state;
    signal(SIGCHLD, SIG_IGN);
    struct pool *pool = process_pool(2);
    assert_int_equal(take_int(submit_int(pool, "square", 7)), 49);
    assert_int_equal(take_code(submit_int(pool, "die", SIGKILL)), -EOWNERDEAD);
    pool_free(pool);
    signal(SIGCHLD, SIG_DFL);
}

/* Ctrl-Z reaches host and workers alike: the time that passes until they go on is nobody's fault.
 */
static void a_stop_of_everybody_does_not_use_up_deadlines(void **state)
{
    (void)state;
    int status;
    pid_t host = fork();
    assert_true(host >= 0);
    if (host == 0) {
        setpgid(0, 0);
        struct pool *pool = process_pool(1);
        int r = take_code(submit_int_deadline(pool, "write_late", 1000, 2000 * test_time_scale()));
        pool_free(pool);
        _exit(r == 0 ? 0 : 1);
    }
    setpgid(host, host);
    poll(NULL, 0, 400);
    assert_int_equal(kill(-host, SIGSTOP), 0);
    poll(NULL, 0, 3500 * test_time_scale());
    assert_int_equal(kill(-host, SIGCONT), 0);
    assert_int_equal(waitpid(host, &status, 0), host);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void more_workers_than_cpus_all_work(void **state)
{
    (void)state;
    enum { WORKERS = 64 };
    struct pool *pool = process_pool(WORKERS);
    struct pool_future *futures[WORKERS * 4];
    for (int i = 0; i < WORKERS * 4; i++)
        futures[i] = submit_int(pool, "write_late", 5);
    for (int i = 0; i < WORKERS * 4; i++)
        assert_int_equal(take_int(futures[i]), 5);
    pool_free(pool);
}

static void all_workers_may_send_large_results_at_once(void **state)
{
    (void)state;
    struct pool *pool = process_pool(4);
    struct pool_future *futures[40];
    for (int i = 0; i < 40; i++)
        futures[i] = submit_int(pool, "blow_up", 60000 + i * 20000);
    for (int i = 39; i >= 0; i--) {
        struct pool_bytes value;
        assert_int_equal(pool_future_result(futures[i], -1, &value), 0);
        assert_int_equal(value.size_bytes, 60000 + i * 20000);
        assert_int_equal(((const uint8_t *)value.data)[value.size_bytes - 1],
                         pattern_at(value.size_bytes - 1));
        pool_future_free(futures[i]);
    }
    pool_free(pool);
}

/* Has this process a pidfd of that one? A worker may work before the pool has got its pidfd;
 * without a descriptor to receive it with, such a one is given up. */
static bool is_watched(pid_t pid)
{
    bool found = false;
    DIR *dir = opendir("/proc/self/fdinfo");
    assert_non_null(dir);
    for (struct dirent *entry; !found && (entry = readdir(dir));) {
        char path[300], line[128];
        int named;
        snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", entry->d_name);
        FILE *file = fopen(path, "re");
        while (file && !found && fgets(line, sizeof(line), file))
            found = sscanf(line, "Pid: %d", &named) == 1 && named == pid;
        if (file)
            fclose(file);
    }
    closedir(dir);
    return found;
}

/* One worker runs, and is firmly in the pool's hands. */
static void settle_a_worker(struct pool *pool)
{
    const pid_t pid = pid_of_a_worker(pool);
    while (!is_watched(pid))
        poll(NULL, 0, 1);
}

/* This process can open nothing more. */
static void take_all_descriptors(struct rlimit *ret_before)
{
    struct rlimit low;
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC); /* the lowest number that is free */
    assert_true(next >= 0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, ret_before), 0);
    low = *ret_before;
    low.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
}

static void give_descriptors_back(const struct rlimit *before)
{
    assert_int_equal(setrlimit(RLIMIT_NOFILE, before), 0);
}

static void a_shortage_of_descriptors_delays_work_but_loses_none(void **state)
{
    (void)state;
    struct pool *pool = process_pool(4);
    struct rlimit before;
    struct pool_future *futures[12];
    settle_a_worker(pool);
    take_all_descriptors(&before);
    for (int i = 0; i < 12; i++)
        futures[i] = submit_int(pool, "write_late", 20);
    poll(NULL, 0, 60);
    give_descriptors_back(&before);
    for (int i = 0; i < 12; i++)
        assert_int_equal(take_int(futures[i]), 20);
    pool_free(pool);
}

static void a_shortage_that_does_not_end_is_an_error_and_no_hang(void **state)
{
    (void)state;
    struct pool *pool = process_pool(2);
    struct rlimit before;
    struct pool_future *futures[3];
    struct pool_error error;
    take_all_descriptors(&before);
    for (int i = 0; i < 3; i++)
        futures[i] = submit_int(pool, "square", i);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pool_future_result(futures[i], -1, NULL), -EMFILE);
        assert_int_equal(pool_future_error(futures[i], &error), 0);
        assert_string_equal(error.message, "cannot start a worker process: Too many open files");
        pool_future_free(futures[i]);
    }
    give_descriptors_back(&before);
    pool_free(pool);
}

/* No descriptors for more workers: those that run must not be slowed down by it. */
static void workers_that_run_are_not_kept_waiting_for_those_that_cannot_start(void **state)
{
    (void)state;
    struct pool *pool = process_pool(8);
    struct rlimit before;
    settle_a_worker(pool);
    take_all_descriptors(&before);
    for (int i = 0; i < 300; i++) { /* ten a second would break this test's time limit */
        struct pool_future *futures[4];
        for (int k = 0; k < 4; k++)
            futures[k] = submit_int(pool, "square", k);
        for (int k = 0; k < 4; k++)
            assert_int_equal(take_int(futures[k]), k * k);
    }
    give_descriptors_back(&before);
    pool_free(pool);
}

/* A large payload travels in a memfd of its own: without a descriptor for it, that task fails. */
static void a_task_that_cannot_be_sent_fails_and_the_others_go_on(void **state)
{
    (void)state;
    static char large[200000];
    const struct pool_bytes field = {large, sizeof(large)};
    const struct pool_item item = {.fields = &field, .field_count = 1};
    struct pool *pool = process_pool(1);
    struct pool_future *future;
    struct rlimit before;
    settle_a_worker(pool);
    take_all_descriptors(&before);
    assert_int_equal(pool_submit(pool, "echo", &item, NULL, &future), 0);
    assert_int_equal(take_code(future), -EMFILE);
    assert_int_equal(take_int(submit_int(pool, "square", 5)), 25);
    give_descriptors_back(&before);
    pool_free(pool);
}

static const struct test_case tests[] = {
    TEST(a_task_runs_in_another_process_than_its_caller),
    TEST(a_death_fails_its_own_task_alone_and_says_how),
    TEST(a_stack_overflow_costs_one_task),
    TEST(a_hundred_deaths_in_a_row_do_not_break_the_pool),
    TEST_LONG(a_storm_of_kills_resolves_every_future_exactly_once, 60000),
    TEST(what_waits_behind_a_dying_task_is_done_by_another_worker),
    TEST(an_idle_worker_takes_over_what_waits_behind_a_long_task),
    TEST(a_worker_past_the_deadline_is_replaced_even_if_it_ignores_sigterm),
    TEST(a_sleeping_worker_past_the_deadline_ends_by_sigterm),
    TEST(what_waits_behind_a_late_task_does_not_die_with_it),
    TEST(a_host_that_forks_does_not_make_the_supervisor_spin),
    TEST(terminate_ends_workers_that_ignore_sigterm),
    TEST(a_grandchild_that_holds_the_socket_does_not_hide_the_death),
    TEST(a_worker_that_breaks_the_protocol_is_replaced),
    TEST(a_killed_zygote_costs_running_tasks_only),
    TEST(no_process_outlives_a_killed_host),
    TEST(workers_inherit_no_descriptor_but_the_standard_ones_and_their_own),
    TEST(a_program_that_is_no_worker_is_refused),
    TEST(a_worker_program_with_another_table_is_refused),
    TEST(a_host_may_reap_everybody),
    TEST_LONG(a_stop_of_everybody_does_not_use_up_deadlines, 30000),
    TEST(more_workers_than_cpus_all_work),
    TEST(all_workers_may_send_large_results_at_once),
    TEST(a_shortage_of_descriptors_delays_work_but_loses_none),
    TEST(workers_that_run_are_not_kept_waiting_for_those_that_cannot_start),
    TEST_LONG(a_shortage_that_does_not_end_is_an_error_and_no_hang, 30000),
    TEST_LONG(a_task_that_cannot_be_sent_fails_and_the_others_go_on, 30000),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &pool_test_tasks) < 0)
        return 2;
    return test_run("process", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
