/* Scenarios 7, 16, 18 and 20: ends of pools, and of many pools, nested pools and large ones. */
#include "scenario_support.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- 7: one task per worker with a backlog, racing the end --------------------------------- */

/* How to end a pool: 0..3 are the flags of pool_shutdown(). */
enum { END_CLOSE = 4, END_TERMINATE, ENDS };

struct ender {
    struct pool *pool;
    int how;
    int64_t after_us;
    int code;
    pthread_t thread;
};

static void *end_it(void *data)
{
    struct ender *ender = data;
    scenario_sleep_us(ender->after_us);
    if (ender->how == END_CLOSE)
        pool_close(ender->pool);
    else if (ender->how == END_TERMINATE)
        pool_terminate(ender->pool);
    else
        ender->code = pool_shutdown(ender->pool, (unsigned)ender->how);
    return NULL;
}

static void check_end(const struct ledger *ledger, const struct stage *stage, int how)
{
    const bool cancels =
        how == END_TERMINATE || (how != END_CLOSE && (how & POOL_SHUTDOWN_CANCEL) != 0);
    for (size_t i = 0; i < ledger->count; i++) {
        const int code = ledger->entries[i].code, runs = atomic_load(&stage->runs[i]);
        assert_true(code == 0 || (cancels && code == -ECANCELED));
        if (how != END_TERMINATE) /* what was cancelled had not been started */
            assert_int_equal(runs, code == 0);
        else
            assert_in_range(runs, code == 0 ? 1 : 0, 1);
    }
}

static void
scenario_07_recycling_after_each_task_with_a_backlog_races_the_end(enum pool_backend backend)
{
    struct stage *stage = stage_open();
    unsigned seed = scenario_seed();
    const int rounds = scenario_size(2 * ENDS, ENDS);
    for (int i = 0; i < rounds; i++) {
        struct pool_options options = {.backend = backend, .workers = 2, .max_tasks = 1};
        struct ender ender = {.how = i % ENDS};
        struct ledger ledger;
        struct pool_stats stats;
        int r = 0;
        for (int k = 0; k < 25; k++)
            atomic_store(&stage->runs[k], 0);
        ender.pool = scenario_pool(&options);
        ender.after_us = scenario_random(&seed, backend == POOL_BACKEND_PROCESS ? 20000 : 1500);
        printf("end %d after %d us\n", ender.how, (int)ender.after_us);
        ledger_init(&ledger, 25);
        assert_int_equal(pthread_create(&ender.thread, NULL, end_it, &ender), 0);
        for (int k = 0; k < 25 && r == 0; k++) {
            const struct order order = {.index = k, .a = 50};
            r = ledger_submit(&ledger, ender.pool, "work", &order, NULL, NULL);
        }
        assert_true(r == 0 || r == -ESHUTDOWN);
        ledger_settle(&ledger);
        assert_int_equal(pthread_join(ender.thread, NULL), 0);
        assert_int_equal(ender.code, 0);
        check_end(&ledger, stage, ender.how);
        assert_int_equal(pool_join(ender.pool, -1), 0);
        assert_int_equal(pool_stats(ender.pool, &stats), 0);
        assert_int_equal(stats.workers, 0);
        assert_true(stats.started >= stats.done); /* no worker ran two */
        ledger_finish(&ledger, ender.pool);
    }
}
ON_BOTH_BACKENDS(scenario_07_recycling_after_each_task_with_a_backlog_races_the_end)

static void scenario_07_a_recycled_worker_runs_one_task_only(enum pool_backend backend)
{
    struct pool_options options = {.backend = backend, .workers = 3, .max_tasks = 1};
    struct pool *pool = scenario_pool(&options);
    struct pool_stats stats;
    struct ledger ledger;
    const int count = scenario_size(60, 20);
    ledger_init(&ledger, (size_t)count);
    for (int i = 0; i < count; i++)
        ledger_add(&ledger, pool, "square", i, 0);
    ledger_settle(&ledger);
    assert_int_equal(ledger_count(&ledger, 0), count);
    pool_close(pool);
    assert_int_equal(pool_join(pool, -1), 0);
    assert_int_equal(pool_stats(pool, &stats), 0);
    assert_true(stats.started >= (uint64_t)count);
    assert_true(stats.recycled >= (uint64_t)count - 3); /* the last ones just end */
    assert_int_equal(stats.died, 0);
    ledger_finish(&ledger, pool);
}
ON_BOTH_BACKENDS(scenario_07_a_recycled_worker_runs_one_task_only)

/* ---- 16: a hundred opens and closes -------------------------------------------------------- */

struct footprint {
    int descriptors, shared, processes, threads;
    int64_t rss_bytes;
};

static struct footprint take_footprint(void)
{
    return (struct footprint){
        .descriptors = scenario_entries("/proc/self/fd"),
        .shared = scenario_entries("/dev/shm"),
        .processes = scenario_processes(),
        .threads = scenario_entries("/proc/self/task"),
        .rss_bytes = scenario_rss_bytes(),
    };
}

static void open_and_close(enum pool_backend backend, int how)
{
    struct pool *pool = scenario_pool_of(backend, 2);
    struct pool_future *future = scenario_submit(pool, "blow_up", 0, 100000);
    if (how % 2)
        assert_int_equal(scenario_take(future), 0);
    for (int i = 0; i < how % 5; i++)
        pool_future_free(scenario_submit(pool, "work", 100, 0));
    if (how % 3 == 0)
        pool_terminate(pool);
    if (how % 7 == 0)
        assert_int_equal(pool_shutdown(pool, (unsigned)how % 4), 0);
    assert_null(pool_free(pool));
    if (how % 2 == 0) /* it outlives its pool */
        scenario_take(future);
}

static void scenario_16_a_hundred_opens_and_closes_leave_nothing_behind(enum pool_backend backend)
{
    const int count = scenario_size(100, 12);
    for (int i = 0; i < 10; i++) /* what the C library keeps for later is no leak */
        open_and_close(backend, i);
    const struct footprint before = take_footprint();
    for (int i = 0; i < count; i++)
        open_and_close(backend, i);
    struct footprint after = take_footprint();
    /* Threads that have been joined, and other programs' shared memory, may take a moment. */
    for (int i = 0; i < 200 && (after.threads > before.threads || after.shared > before.shared);
         i++) {
        scenario_sleep_us(5000);
        after = take_footprint();
    }
    printf("%lld kB more\n", (long long)(after.rss_bytes - before.rss_bytes) / 1024);
    assert_int_equal(after.descriptors, before.descriptors);
    assert_int_equal(after.processes, 0);
    assert_int_equal(after.threads, before.threads);
    assert_true(after.shared <= before.shared);
    if (!scenario_sanitized())
        assert_true(after.rss_bytes - before.rss_bytes < 1 << 20);
}
ON_BOTH_BACKENDS(scenario_16_a_hundred_opens_and_closes_leave_nothing_behind)

/* ---- 18: a fork bomb ----------------------------------------------------------------------- */

enum { PROCESSES, THREADS, ALTERNATING };

static struct pool_future *apply_bomb(struct pool *pool, const struct order *order)
{
    const struct pool_bytes field = {order, sizeof(*order)};
    const struct pool_item item = {.fields = &field, .field_count = 1};
    struct pool_future *future = NULL;
    return pool_submit(pool, "bomb", &item, NULL, &future) == 0 ? future : NULL;
}

/* Creates a pool that does as this one does, twice over. The result: how many levels of pools could
 * be created below. index: this level, from 0.  a: the backends.  b: 1: the deepest waits. */
static int task_bomb(struct pool_call *call)
{
    const struct order order = order_of(call);
    const struct order below = {.index = order.index + 1, .a = order.a, .b = order.b};
    struct pool_options options = {.workers = 2};
    struct pool_future *futures[2];
    struct pool *pool;
    int64_t deepest = 0;
    if (order.a == THREADS || (order.a == ALTERNATING && order.index % 2 == 0))
        options.backend = POOL_BACKEND_THREAD;
    int r = pool_create(&options, &pool);
    if (r == -ELOOP && order.b) {
        sem_post(&stage_get()->started);
        stage_wait(&stage_get()->go, 1);
    }
    if (r == -ELOOP)
        return pool_call_write(call, &deepest, sizeof(deepest));
    if (r < 0)
        return pool_call_fail(call, r, "no pool at level %d", (int)order.index);
    for (int i = 0; i < 2; i++)
        futures[i] = apply_bomb(pool, &below);
    for (int i = 0; i < 2; i++) {
        struct pool_bytes value = {0};
        int64_t levels = 0;
        int its = pool_future_result(futures[i], -1, &value);
        if (its < 0)
            r = its;
        else if (value.size_bytes == sizeof(levels))
            memcpy(&levels, value.data, sizeof(levels));
        if (levels + 1 > deepest)
            deepest = levels + 1;
        pool_future_free(futures[i]);
    }
    pool_free(pool);
    return r < 0 ? pool_call_fail(call, r, "at level %d", (int)order.index)
                 : pool_call_write(call, &deepest, sizeof(deepest));
}

static void explode(enum pool_backend backend, int backends)
{
    struct pool *pool = scenario_pool_of(backend, 1);
    const struct order order = {.a = backends};
    struct pool_future *future = apply_bomb(pool, &order);
    struct pool_error error;
    struct pool_bytes value = {0};
    int64_t deepest = -1;
    assert_non_null(future);
    int r = pool_future_result(future, -1, &value);
    assert_int_equal(pool_future_error(future, &error), 0);
    if (r < 0)
        fail_msg("%d (%d): %s", r, error.task_code, error.message);
    memcpy(&deepest, value.data, sizeof(deepest));
    assert_int_equal(deepest, POOL_NESTING_MAX);
    pool_future_free(future);
    pool_free(pool);
    assert_int_equal(scenario_processes(), 0);
}

static void scenario_18_pools_that_open_pools_reach_an_end(enum pool_backend backend)
{
    explode(backend, backend == POOL_BACKEND_PROCESS ? PROCESSES : THREADS);
}
ON_BOTH_BACKENDS(scenario_18_pools_that_open_pools_reach_an_end)

static void scenario_18_the_nesting_is_counted_across_both_backends(void **state)
{
    (void)state;
    explode(POOL_BACKEND_PROCESS, ALTERNATING);
}

static void scenario_18_terminate_ends_nested_pools_too(void **state)
{
    (void)state;
    struct stage *stage = stage_open();
    struct pool *pool = scenario_pool_of(POOL_BACKEND_PROCESS, 1);
    const struct order order = {.a = PROCESSES, .b = 1};
    struct pool_future *future = apply_bomb(pool, &order);
    assert_non_null(future);
    stage_wait(&stage->started, 1 << POOL_NESTING_MAX);
    pool_terminate(pool);
    assert_int_equal(scenario_take(future), -ECANCELED);
    pool_free(pool);
    assert_int_equal(scenario_processes_after(2000), 0);
}

static void scenario_18_a_killed_worker_takes_its_nested_pools_along(void **state)
{
    (void)state;
    struct stage *stage = stage_open();
    struct pool *pool = scenario_pool_of(POOL_BACKEND_PROCESS, 1);
    const struct order order = {.a = PROCESSES, .b = 1};
    struct pool_future *future = apply_bomb(pool, &order);
    pid_t worker;
    assert_non_null(future);
    stage_wait(&stage->started, 1 << POOL_NESTING_MAX);
    scenario_know_workers(pool, &worker, 1);
    assert_int_equal(kill(worker, SIGKILL), 0);
    assert_int_equal(scenario_take(future), -EOWNERDEAD);
    scenario_check_alive(pool);
    pool_free(pool);
    assert_int_equal(scenario_processes_after(2000), 0);
}

/* ---- 20: 256 workers on two cores ---------------------------------------------------------- */

static void scenario_20_256_workers_work_together_and_are_terminated(enum pool_backend backend)
{
    struct stage *stage = stage_open();
    struct ledger ledger;
    struct pool_stats stats;
    const int workers = scenario_sanitized() ? 48 : 256;
    struct pool_options options = {.backend = backend, .workers = (unsigned)workers};
    options.queue_max = (size_t)workers * 5; /* all of it fits while the workers are held */
    struct pool *pool = scenario_pool(&options);
    ledger_init(&ledger, (size_t)workers * 5);
    for (int i = 0; i < workers; i++)
        ledger_add(&ledger, pool, "hold", 0, 0);
    stage_wait(&stage->started, workers); /* each of them has one */
    assert_int_equal(pool_stats(pool, &stats), 0);
    assert_int_equal(stats.workers, workers);
    for (int i = 0; i < 2 * workers; i++)
        ledger_add(&ledger, pool, "square", i, 0);
    stage_post(&stage->go, workers);
    ledger_settle(&ledger);
    for (int i = 0; i < 3 * workers; i++)
        if (ledger.entries[i].code != 0)
            fail_msg("task %d of %d ended with %d", i, 3 * workers, ledger.entries[i].code);
    for (int i = 0; i < 3 * workers; i++)
        assert_int_equal(atomic_load(&stage->runs[i]), 1);

    for (int i = 0; i < workers; i++)
        ledger_add(&ledger, pool, "obedient", 0, 0);
    stage_wait(&stage->started, workers);
    for (int i = 0; i < workers; i++) /* and a backlog */
        ledger_add(&ledger, pool, "square", i, 0);
    pool_terminate(pool);
    for (size_t i = (size_t)workers * 3; i < ledger.count; i++)
        assert_int_equal(pool_future_result(ledger.entries[i].future, 0, NULL), -ECANCELED);
    ledger_finish(&ledger, pool);
    assert_int_equal(scenario_processes(), 0);
}
ON_BOTH_BACKENDS(scenario_20_256_workers_work_together_and_are_terminated)

/* ---- The program --------------------------------------------------------------------------- */

static const struct pool_task list[] = {SCENARIO_TASKS, {"bomb", task_bomb}};
static const struct pool_tasks tasks = {list, sizeof(list) / sizeof(list[0])};

static const struct test_case tests[] = {
    TEST_ON_BOTH(scenario_07_recycling_after_each_task_with_a_backlog_races_the_end),
    TEST_ON_BOTH(scenario_07_a_recycled_worker_runs_one_task_only),
    TEST_ON_BOTH(scenario_16_a_hundred_opens_and_closes_leave_nothing_behind),
    TEST_ON_BOTH(scenario_18_pools_that_open_pools_reach_an_end),
    TEST(scenario_18_the_nesting_is_counted_across_both_backends),
    TEST(scenario_18_terminate_ends_nested_pools_too),
    TEST(scenario_18_a_killed_worker_takes_its_nested_pools_along),
    TEST_ON_BOTH_LONG(scenario_20_256_workers_work_together_and_are_terminated, 30000),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &tasks) < 0)
        return 2;
    return test_run("scenario_shutdown", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
