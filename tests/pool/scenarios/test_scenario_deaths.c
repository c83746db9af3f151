/* Scenarios 1, 2, 4 and 15: workers, zygotes and hosts that die. Processes only, but for the
 * initializers of scenario 4: a thread cannot die alone. */
#include "scenario_support.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- 1: SIGKILL at every step -------------------------------------------------------------- */

/* What one death may cost: the task that its worker ran, which never runs again by itself; and a
 * task that has a result has run exactly once. */
static void check_costs(const struct ledger *ledger, struct pool *pool, const struct stage *stage)
{
    struct pool_stats stats;
    assert_int_equal(pool_stats(pool, &stats), 0);
    const size_t lost = ledger_count(ledger, -EOWNERDEAD);
    assert_int_equal(lost + ledger_count(ledger, 0), ledger->count);
    assert_true(lost <= stats.died);
    for (size_t i = 0; i < ledger->count; i++) {
        const int runs = atomic_load(&stage->runs[i]);
        assert_in_range(runs, ledger->entries[i].code == 0 ? 1 : 0, 1);
    }
}

static void check_value(const struct ledger_entry *entry, size_t size_bytes)
{
    struct pool_bytes value;
    if (entry->code == 0) {
        assert_int_equal(pool_future_result(entry->future, 0, &value), 0);
        assert_true(scenario_is_pattern(entry->index, value, size_bytes));
    }
}

static void settle_and_check_costs(struct ledger *ledger, struct pool *pool,
                                   const struct stage *stage)
{
    ledger_settle(ledger);
    pool_close(pool);
    assert_int_equal(pool_join(pool, -1), 0);
    check_costs(ledger, pool, stage);
    ledger_finish(ledger, pool);
}

static void scenario_01_a_worker_killed_at_any_step_costs_at_most_the_task_it_ran(void **state)
{
    (void)state;
    struct stage *stage = stage_open();
    struct pool *pool = scenario_pool_of(POOL_BACKEND_PROCESS, 3);
    struct ledger ledger;
    unsigned seed = scenario_seed();
    const int kills = scenario_size(40, 10);
    ledger_init(&ledger, (size_t)kills * 12);
    for (int i = 0; i < kills; i++) {
        for (int k = 0; k < 12; k++)
            ledger_add(&ledger, pool, "work", k % 4 * 100, 0);
        pid_t worker = scenario_any_worker(pool, &seed);
        scenario_sleep_us(scenario_random(&seed, 1500));
        if (worker > 0)
            kill(worker, SIGKILL);
    }
    settle_and_check_costs(&ledger, pool, stage);
}

/* The fuse is lit by the task itself, so it burns down while the task starts, makes its result,
 * sends it in pieces, has sent it, or while a later task is at the same points. */
static void
scenario_01_a_worker_that_dies_in_the_middle_of_its_result_loses_nothing_else(void **state)
{
    (void)state;
    struct stage *stage = stage_open();
    struct pool *pool = scenario_pool_of(POOL_BACKEND_PROCESS, 2);
    struct ledger ledger;
    unsigned seed = scenario_seed();
    static const int64_t sizes[] = {0, 100, 60000, 70000, 1000000};
    const int rounds = scenario_size(50, 10);
    ledger_init(&ledger, (size_t)rounds * 5);
    for (int i = 0; i < rounds; i++) {
        const int64_t size = sizes[scenario_random(&seed, 5)];
        ledger_add(&ledger, pool, "fuse", scenario_random(&seed, 1500), size);
        for (int k = 0; k < 4; k++)
            ledger_add(&ledger, pool, "blow_up", 0, 1000);
    }
    ledger_settle(&ledger);
    for (size_t i = 0; i < ledger.count; i++)
        if (strcmp(pool_future_task(ledger.entries[i].future), "blow_up") == 0)
            check_value(&ledger.entries[i], 1000);
    settle_and_check_costs(&ledger, pool, stage);
}

static void scenario_01_tasks_that_no_worker_had_started_never_fail(void **state)
{
    (void)state;
    struct stage *stage = stage_open();
    struct pool *pool = scenario_pool_of(POOL_BACKEND_PROCESS, 1);
    struct ledger ledger;
    const int rounds = scenario_size(25, 5);
    ledger_init(&ledger, (size_t)rounds * 9);
    for (int i = 0; i < rounds; i++) {
        const size_t first = ledger.count;
        pid_t worker;
        ledger_add(&ledger, pool, "hold", 0, 0);
        for (int k = 0; k < 8; k++)
            ledger_add(&ledger, pool, "square", k, 0);
        stage_wait(&stage->started, 1);
        scenario_know_workers(pool, &worker, 1);
        if (i % 3 == 1) /* it cannot even notice */
            kill(worker, SIGSTOP);
        kill(worker, SIGKILL);
        for (size_t k = first; k < ledger.count; k++)
            assert_int_equal(pool_future_result(ledger.entries[k].future, -1, NULL),
                             k == first ? -EOWNERDEAD : 0);
    }
    settle_and_check_costs(&ledger, pool, stage);
}

static void scenario_01_a_stopped_worker_that_is_then_killed_costs_one_task(void **state)
{
    (void)state;
    struct stage *stage = stage_open();
    struct pool *pool = scenario_pool_of(POOL_BACKEND_PROCESS, 2);
    struct ledger ledger;
    unsigned seed = scenario_seed();
    const int rounds = scenario_size(20, 5);
    ledger_init(&ledger, (size_t)rounds * 10);
    for (int i = 0; i < rounds; i++) {
        pid_t worker = scenario_any_worker(pool, &seed);
        if (worker > 0)
            kill(worker, SIGSTOP);
        for (int k = 0; k < 10; k++)
            ledger_add(&ledger, pool, "work", 50, 0);
        scenario_sleep_us(scenario_random(&seed, 1000));
        if (worker > 0)
            kill(worker, SIGKILL);
    }
    settle_and_check_costs(&ledger, pool, stage);
}

static void scenario_01_a_task_with_retries_survives_the_death_of_its_worker(void **state)
{
    (void)state;
    struct stage *stage = stage_open();
    struct pool *pool = scenario_pool_of(POOL_BACKEND_PROCESS, 2);
    struct pool_submit_options options = POOL_SUBMIT_INIT;
    struct ledger ledger;
    unsigned seed = scenario_seed();
    const int kills = scenario_size(20, 5);
    options.retries = 1000;
    ledger_init(&ledger, (size_t)kills * 6);
    for (int i = 0; i < kills; i++) {
        for (int k = 0; k < 6; k++) {
            const struct order order = {.index = (int64_t)ledger.count, .a = 200};
            assert_int_equal(ledger_submit(&ledger, pool, "work", &order, NULL, &options), 0);
        }
        pid_t worker = scenario_any_worker(pool, &seed);
        scenario_sleep_us(scenario_random(&seed, 1500));
        if (worker > 0)
            kill(worker, SIGKILL);
    }
    ledger_settle(&ledger);
    for (size_t i = 0; i < ledger.count; i++) {
        struct pool_error error;
        assert_int_equal(pool_future_error(ledger.entries[i].future, &error), 0);
        assert_int_equal(error.code, error.quarantined ? -EOWNERDEAD : 0);
        assert_true(atomic_load(&stage->runs[i]) >= 1);
    }
    ledger_finish(&ledger, pool);
}

static void scenario_01_chunks_lose_only_the_item_that_ran(void **state)
{
    (void)state;
    struct stage *stage = stage_open();
    struct pool *pool = scenario_pool_of(POOL_BACKEND_PROCESS, 2);
    struct pool_map_options options = POOL_MAP_INIT;
    enum { COUNT = 256 };
    static struct order orders[COUNT];
    static struct pool_bytes fields[COUNT];
    static struct pool_item items[COUNT];
    struct pool_results *results;
    struct pool_stats stats;
    unsigned seed = scenario_seed();
    size_t lost = 0;
    options.chunksize = 32;
    for (int i = 0; i < COUNT; i++) {
        orders[i] = (struct order){.index = i, .a = 100};
        fields[i] = (struct pool_bytes){&orders[i], sizeof(orders[i])};
        items[i] = (struct pool_item){.fields = &fields[i], .field_count = 1};
    }
    assert_int_equal(pool_map_async(pool, "work", items, COUNT, &options, &results), 0);
    for (int i = 0; i < 6; i++) {
        pid_t worker = scenario_any_worker(pool, &seed);
        scenario_sleep_us(scenario_random(&seed, 2500));
        if (worker > 0)
            kill(worker, SIGKILL);
    }
    assert_int_equal(pool_results_wait(results, -1), 0);
    for (size_t i = 0; i < COUNT; i++) {
        int r = pool_future_result(pool_results_at(results, i), 0, NULL);
        assert_true(r == 0 || r == -EOWNERDEAD);
        lost += r < 0;
        assert_in_range(atomic_load(&stage->runs[i]), r == 0 ? 1 : 0, 1);
    }
    assert_int_equal(pool_stats(pool, &stats), 0);
    printf("%zu lost, %d workers died\n", lost, (int)stats.died);
    assert_true(lost <= stats.died);
    pool_results_free(results);
    pool_free(pool);
}

/* ---- 2: SIGKILL the parent, the zygote ----------------------------------------------------- */

/* A host in a process of its own, with busy workers; it never returns. */
static void run_host(bool stubborn)
{
    struct pool *pool = scenario_pool_of(POOL_BACKEND_PROCESS, 3);
    for (int i = 0; i < 3; i++)
        scenario_submit(pool, stubborn ? "stubborn" : "hold", 0, 0);
    for (int i = 0; i < 5; i++)
        scenario_submit(pool, "square", i, 0);
    for (;;)
        pause();
}

static pid_t fork_host(bool stubborn, struct stage *stage)
{
    pid_t host = fork();
    assert_true(host >= 0);
    if (host == 0)
        run_host(stubborn);
    stage_wait(&stage->started, 3);
    return host;
}

/* A process whose parent is `parent`, in this group. */
static pid_t child_of(pid_t parent)
{
    for (pid_t pid = parent + 1; pid < parent + 1000; pid++)
        if (scenario_parent_of(pid) == parent)
            return pid;
    return 0;
}

static void scenario_02_no_process_outlives_a_killed_host(void **state)
{
    (void)state;
    struct stage *stage = stage_open();
    for (int i = 0; i < 4; i++) {
        pid_t host = fork_host(i % 2, stage);
        assert_int_equal(kill(host, SIGKILL), 0);
        assert_int_equal(scenario_processes_after(2000), 0);
    }
}

static void scenario_02_no_process_outlives_a_killed_host_and_a_killed_zygote(void **state)
{
    (void)state;
    struct stage *stage = stage_open();
    for (int i = 0; i < 4; i++) {
        pid_t host = fork_host(true, stage);
        pid_t zygote = child_of(host);
        assert_true(zygote > 0);
        if (i == 3) /* a zygote that cannot do its duty */
            assert_int_equal(kill(zygote, SIGSTOP), 0);
        assert_int_equal(kill(i == 1 ? zygote : host, SIGKILL), 0);
        assert_int_equal(kill(i == 1 ? host : zygote, SIGKILL), 0);
        assert_int_equal(scenario_processes_after(2000), 0);
    }
}

static void scenario_02_no_process_outlives_a_host_killed_at_any_moment(void **state)
{
    (void)state;
    stage_open();
    unsigned seed = scenario_seed();
    const int rounds = scenario_size(12, 4);
    for (int i = 0; i < rounds; i++) {
        pid_t host = fork();
        assert_true(host >= 0);
        if (host == 0) {
            for (;;) { /* create, work and free, again and again */
                struct pool *pool = scenario_pool_of(POOL_BACKEND_PROCESS, 2);
                for (int k = 0; k < 6; k++)
                    pool_future_free(scenario_submit(pool, "work", 300, 0));
                pool_free(pool);
            }
        }
        scenario_sleep_us(scenario_random(&seed, 20000));
        assert_int_equal(kill(host, SIGKILL), 0);
        assert_int_equal(scenario_processes_after(2000), 0);
    }
}

static void reap_orphans(void)
{
    while (waitpid(-1, NULL, 0) > 0)
        continue;
}

static void scenario_02_a_killed_zygote_costs_running_tasks_only_and_is_replaced(void **state)
{
    (void)state;
    struct stage *stage = stage_open();
    struct pool *pool = scenario_pool_of(POOL_BACKEND_PROCESS, 2);
    struct ledger ledger;
    const int rounds = scenario_size(6, 2);
    ledger_init(&ledger, (size_t)rounds * 10);
    for (int i = 0; i < rounds; i++) {
        const size_t first = ledger.count;
        pid_t worker;
        for (int k = 0; k < 2; k++)
            ledger_add(&ledger, pool, i % 2 ? "stubborn" : "hold", 0, 0);
        stage_wait(&stage->started, 2);
        for (int k = 0; k < 8; k++)
            ledger_add(&ledger, pool, "square", k, 0);
        scenario_know_workers(pool, &worker, 1);
        const pid_t zygote = scenario_parent_of(worker);
        assert_true(zygote > 0);
        if (i % 3 == 2)
            assert_int_equal(kill(zygote, SIGSTOP), 0);
        assert_int_equal(kill(zygote, SIGKILL), 0);
        for (size_t k = first; k < ledger.count; k++)
            assert_int_equal(pool_future_result(ledger.entries[k].future, -1, NULL),
                             k < first + 2 ? -EOWNERDEAD : 0);
    }
    scenario_check_alive(pool);
    ledger_settle(&ledger);
    assert_null(pool_free(pool));
    reap_orphans(); /* a zygote's workers become this test's when it dies */
    ledger_done(&ledger);
}

/* ---- 4: a poison task, an initializer that always fails ------------------------------------ */

struct log_counts {
    atomic_int started, failed, quarantined, retried, broken;
};

static void count_event(const struct pool_log_event *event, void *data)
{
    struct log_counts *counts = data;
    if (event->kind == POOL_LOG_WORKER_STARTED)
        atomic_fetch_add(&counts->started, 1);
    if (event->kind == POOL_LOG_WORKER_FAILED)
        atomic_fetch_add(&counts->failed, 1);
    if (event->kind == POOL_LOG_TASK_QUARANTINED)
        atomic_fetch_add(&counts->quarantined, 1);
    if (event->kind == POOL_LOG_TASK_RETRIED)
        atomic_fetch_add(&counts->retried, 1);
    if (event->kind == POOL_LOG_BROKEN)
        atomic_fetch_add(&counts->broken, 1);
}

static void scenario_04_a_poison_task_is_quarantined_and_the_others_finish(void **state)
{
    (void)state;
    struct stage *stage = stage_open();
    struct log_counts counts = {0};
    struct pool_options options = {.workers = 2, .log = count_event, .log_data = &counts};
    struct pool_submit_options retrying = {.retries = 10};
    struct pool *pool = scenario_pool(&options);
    struct ledger ledger;
    const size_t poison_at = 10;
    ledger_init(&ledger, 40);
    for (size_t i = 0; i < 40; i++) {
        const bool poison = i == poison_at;
        const struct order order = {.index = (int64_t)i, .a = poison ? SIGSEGV : 200};
        const char *task = poison ? "die" : "work";
        assert_int_equal(ledger_submit(&ledger, pool, task, &order, NULL, &retrying), 0);
    }
    ledger_settle(&ledger);
    for (size_t i = 0; i < 40; i++) {
        struct pool_error error;
        assert_int_equal(pool_future_error(ledger.entries[i].future, &error), 0);
        assert_int_equal(error.code, i == poison_at ? -EOWNERDEAD : 0);
        assert_int_equal(error.quarantined, i == poison_at);
        assert_int_equal(atomic_load(&stage->runs[i]),
                         i == poison_at ? POOL_QUARANTINE_DEFAULT : 1);
        if (i != poison_at)
            continue;
        assert_int_equal(error.deaths, POOL_QUARANTINE_DEFAULT);
        assert_int_equal(error.signal, SIGSEGV);
    }
    scenario_check_alive(pool);
    pool_close(pool);
    assert_int_equal(pool_join(pool, -1), 0);
    assert_int_equal(atomic_load(&counts.quarantined), 1);
    assert_int_equal(atomic_load(&counts.retried), POOL_QUARANTINE_DEFAULT - 1);
    assert_int_equal(atomic_load(&counts.broken), 0);
    pool_free(pool);
    ledger_done(&ledger);
}

/* how: as the stage's `fail`. */
static void check_failing_initializer(enum pool_backend backend, int how)
{
    struct stage *stage = stage_open();
    struct log_counts counts = {0};
    struct pool_options options = {.backend = backend, .workers = 2, .initializer = "init"};
    struct pool_error error;
    struct ledger ledger;
    struct pool *pool = NULL;
    options.log = count_event;
    options.log_data = &counts;
    options.start_failures_max = 3;
    atomic_store(&stage->fail, how);
    ledger_init(&ledger, 20);
    pool = scenario_pool(&options);
    const struct order order = {0};
    int r = 0;
    for (int i = 0; i < 20 && r == 0; i++) /* until it is broken they are accepted */
        r = ledger_submit(&ledger, pool, "square", &order, NULL, NULL);
    ledger_settle(&ledger);
    while (pool_broken(pool, &error) == 0)
        scenario_sleep_us(1000); /* if none was accepted */
    printf("broken: %d, \"%s\"; %d initializers\n", error.code, error.message,
           atomic_load(&stage->inits));
    assert_true(error.code < 0);
    assert_true(r == 0 || r == error.code);
    assert_string_equal(error.task, "init");
    assert_non_null(strstr(error.message, how == 1 ? "no such licence" : "signal 9"));
    assert_int_equal(ledger_count(&ledger, error.code), ledger.count);
    for (size_t i = 0; i < ledger.count; i++) {
        struct pool_error its;
        assert_int_equal(pool_future_error(ledger.entries[i].future, &its), 0);
        assert_string_equal(its.message, error.message);
    }
    assert_int_equal(pool_submit(pool, "square", NULL, NULL, NULL), error.code);
    pool_close(pool);
    assert_int_equal(pool_join(pool, -1), 0);
    /* Those which are starting when the last straw falls may fail as well, but no more come. */
    assert_in_range(atomic_load(&stage->inits), 3, 3 + 2);
    assert_in_range(atomic_load(&counts.failed), 3, 3 + 2);
    assert_int_equal(atomic_load(&counts.broken), 1);
    assert_int_equal(atomic_load(&counts.started), 0);
    assert_null(pool_free(pool));
    ledger_done(&ledger);
}

static void scenario_04_an_initializer_that_always_fails_breaks_the_pool_with_its_error(
    enum pool_backend backend)
{
    check_failing_initializer(backend, 1);
}
ON_BOTH_BACKENDS(scenario_04_an_initializer_that_always_fails_breaks_the_pool_with_its_error)

static void scenario_04_an_initializer_that_always_dies_breaks_the_pool(void **state)
{
    (void)state;
    check_failing_initializer(POOL_BACKEND_PROCESS, 2);
}

/* The initializer works for the first workers only: a death is then followed by failing starts. */
static void scenario_04_poison_and_a_failing_initializer_together_leave_no_future_open(void **state)
{
    (void)state;
    struct stage *stage = stage_open();
    struct pool_options options = {.workers = 2, .workers_min = 2, .initializer = "init"};
    struct pool *pool = scenario_pool(&options);
    struct pool_error error;
    struct ledger ledger;
    ledger_init(&ledger, 32);
    ledger_add(&ledger, pool, "hold", 0, 0);
    ledger_add(&ledger, pool, "hold", 0, 0);
    stage_wait(&stage->started, 2); /* two workers are ready */
    atomic_store(&stage->fail, 1);
    ledger_add(&ledger, pool, "die", SIGKILL, 0);
    for (int i = 0; i < 29; i++)
        ledger_add(&ledger, pool, "work", 100, 0);
    stage_post(&stage->go, 2);
    ledger_settle(&ledger);
    assert_int_equal(ledger.entries[2].code, -EOWNERDEAD);
    const int broken = pool_broken(pool, &error);
    for (size_t i = 0; i < ledger.count; i++) {
        const int code = ledger.entries[i].code;
        assert_true(i == 2 || code == 0 || (broken && code == error.code));
    }
    pool_close(pool);
    assert_int_equal(pool_join(pool, 10000 * test_time_scale()), 0);
    assert_in_range(atomic_load(&stage->inits), 2, 2 + POOL_START_FAILURES_DEFAULT + 2);
    ledger_finish(&ledger, pool);
}

/* ---- 15: ways to end inside a task --------------------------------------------------------- */

static __attribute__((noinline)) int eat_stack(volatile char *below, int depth)
{
    volatile char frame[4096];
    frame[0] = below ? below[0] : 1;
    return depth > 0 ? eat_stack(frame, depth - 1) + frame[0] : frame[0];
}

static int task_overflow(struct pool_call *call)
{
    (void)call;
    signal(SIGSEGV, SIG_DFL);
    return eat_stack(NULL, 1 << 20) > 0 ? -EINVAL : 0;
}

/* As the kernel ends a process that takes too much: it asks for memory until there is no more, and
 * then it is gone by SIGKILL. The limit is on the address space, which sanitizers cannot bear. */
static int task_glutton(struct pool_call *call)
{
    struct rlimit limit;
    (void)call;
    if (!scenario_sanitized() && getrlimit(RLIMIT_AS, &limit) == 0) {
        limit.rlim_cur = 256 << 20;
        setrlimit(RLIMIT_AS, &limit);
        for (void *more = malloc(1 << 20); more; more = malloc(1 << 20))
            *(volatile char *)more = 1;
    }
    raise(SIGKILL);
    return 0;
}

static int task_abort(struct pool_call *call)
{
    (void)call;
    signal(SIGABRT, SIG_DFL);
    abort();
}

static int task_exit(struct pool_call *call)
{
    exit((int)order_of(call).a); /* with exit handlers, as a careless library does it */
}

static void scenario_15_a_task_that_ends_its_process_fails_alone_and_says_how(void **state)
{
    (void)state;
    static const struct {
        const char *task;
        int64_t a;
        int signal, exit_status;
    } rows[] = {
        {"exit", 0, 0, 0},
        {"exit", 7, 0, 7},
        {"die", 0, 0, 0}, /* _exit(0) */
        {"abort", 0, SIGABRT, -1},
        {"overflow", 0, SIGSEGV, -1},
        {"glutton", 0, SIGKILL, -1},
        {"die", SIGTERM, SIGTERM, -1},
    };
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    struct stage *stage = stage_open();
    struct pool *pool = scenario_pool_of(POOL_BACKEND_PROCESS, 2);
    struct ledger ledger;
    ledger_init(&ledger, ROWS * 6);
    for (size_t i = 0; i < ROWS; i++) {
        ledger_add(&ledger, pool, rows[i].task, rows[i].a, 0);
        for (int k = 0; k < 5; k++)
            ledger_add(&ledger, pool, "work", 100, 0);
    }
    ledger_settle(&ledger);
    for (size_t i = 0; i < ledger.count; i++) {
        struct pool_error error;
        assert_int_equal(pool_future_error(ledger.entries[i].future, &error), 0);
        if (i % 6 != 0) {
            assert_int_equal(error.code, 0);
            assert_int_equal(atomic_load(&stage->runs[i]), 1);
            continue;
        }
        printf("%s: %s\n", rows[i / 6].task, error.message);
        assert_int_equal(error.code, -EOWNERDEAD);
        assert_int_equal(error.signal, rows[i / 6].signal);
        assert_int_equal(error.exit_status, rows[i / 6].exit_status);
        assert_true(error.worker_pid > 0);
        assert_int_equal(error.deaths, 1);
        assert_false(error.quarantined);
    }
    ledger_finish(&ledger, pool);
}

/* ---- The program --------------------------------------------------------------------------- */

static const struct pool_task list[] = {
    SCENARIO_TASKS,        {"overflow", task_overflow}, {"glutton", task_glutton},
    {"abort", task_abort}, {"exit", task_exit},
};
static const struct pool_tasks tasks = {list, sizeof(list) / sizeof(list[0])};

static const struct test_case tests[] = {
    TEST(scenario_01_a_worker_killed_at_any_step_costs_at_most_the_task_it_ran),
    TEST(scenario_01_a_worker_that_dies_in_the_middle_of_its_result_loses_nothing_else),
    TEST(scenario_01_tasks_that_no_worker_had_started_never_fail),
    TEST(scenario_01_a_stopped_worker_that_is_then_killed_costs_one_task),
    TEST(scenario_01_a_task_with_retries_survives_the_death_of_its_worker),
    TEST(scenario_01_chunks_lose_only_the_item_that_ran),
    TEST(scenario_02_no_process_outlives_a_killed_host),
    TEST(scenario_02_no_process_outlives_a_killed_host_and_a_killed_zygote),
    TEST(scenario_02_no_process_outlives_a_host_killed_at_any_moment),
    TEST(scenario_02_a_killed_zygote_costs_running_tasks_only_and_is_replaced),
    TEST(scenario_04_a_poison_task_is_quarantined_and_the_others_finish),
    TEST_ON_BOTH(scenario_04_an_initializer_that_always_fails_breaks_the_pool_with_its_error),
    TEST(scenario_04_an_initializer_that_always_dies_breaks_the_pool),
    TEST(scenario_04_poison_and_a_failing_initializer_together_leave_no_future_open),
    TEST(scenario_15_a_task_that_ends_its_process_fails_alone_and_says_how),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &tasks) < 0)
        return 2;
    return test_run("scenario_deaths", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
