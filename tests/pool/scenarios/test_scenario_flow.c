/* Scenarios 3, 8 and 14: much data, in many pieces or in large ones, and readers that stall. */
#include "scenario_support.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- 3: lazy items, a slow reader, an iterator dropped half-way ---------------------------- */

enum { PAYLOAD = 1024 }; /* as large that a leak of one an item shows */

struct source {
    struct order order;
    struct pool_bytes fields[2];
    uint8_t payload[PAYLOAD];
    int64_t pulled, taken, end;
    int64_t most_ahead;
};

static int pull(void *data, struct pool_item *ret_item)
{
    struct source *source = data;
    if (source->pulled == source->end)
        return 0;
    source->order = (struct order){.index = source->pulled};
    for (size_t i = 0; i < PAYLOAD; i++)
        source->payload[i] = scenario_pattern(source->pulled, i);
    source->pulled++;
    if (source->pulled - source->taken > source->most_ahead)
        source->most_ahead = source->pulled - source->taken;
    source->fields[0] = (struct pool_bytes){&source->order, sizeof(source->order)};
    source->fields[1] = (struct pool_bytes){source->payload, PAYLOAD};
    ret_item->fields = source->fields;
    ret_item->field_count = 2;
    ret_item->user = (void *)(intptr_t)source->order.index;
    return 1;
}

/* Take so many results; false at the end. */
static bool take_results(struct pool_iter *iter, struct source *source, bool ordered, int64_t count)
{
    while (count-- > 0) {
        struct pool_future *future;
        struct pool_bytes value;
        int r = pool_iter_next(iter, -1, &future);
        if (r == 0)
            return false;
        assert_int_equal(r, 1);
        const int64_t index = (int64_t)(intptr_t)pool_future_user(future);
        if (ordered)
            assert_int_equal(index, source->taken);
        assert_int_equal(pool_future_result(future, 0, &value), 0);
        assert_true(scenario_is_pattern(index, value, PAYLOAD));
        source->taken++;
        pool_future_free(future);
    }
    return true;
}

/* The reader sleeps until all that may be done without it is done. */
static void stall(struct pool *pool)
{
    struct pool_stats stats;
    do {
        scenario_sleep_us(200);
        assert_int_equal(pool_stats(pool, &stats), 0);
    } while (stats.queued + stats.running > 0);
}

static int64_t workers_rss_bytes(struct pool *pool)
{
    struct pool_worker_stats workers[8];
    int count = pool_worker_stats(pool, workers, 8);
    int64_t sum = 0;
    for (int i = 0; i < count; i++)
        sum += workers[i].rss_bytes > 0 ? workers[i].rss_bytes : 0;
    return sum;
}

static void check_flat(const char *what, int64_t before, int64_t after)
{
    printf("%s: %lld kB, then %lld kB\n", what, (long long)before / 1024, (long long)after / 1024);
    if (!scenario_sanitized()) /* sanitizers keep freed memory back */
        assert_true(after - before < 2 << 20);
}

static void iterate_slowly(enum pool_backend backend, bool ordered)
{
    enum { WINDOW = 48, STALLS = 10 };
    struct pool *pool = scenario_pool_of(backend, 2);
    struct pool_imap_options options = POOL_IMAP_INIT;
    struct source *source = calloc(1, sizeof(*source));
    struct pool_iter *iter = NULL;
    int64_t host_rss = 0, worker_rss = 0;
    assert_non_null(source);
    source->end = scenario_size(10000, 1500);
    options.window = WINDOW;
    assert_int_equal(
        (ordered ? pool_imap : pool_imap_unordered)(pool, "echo", pull, source, &options, &iter),
        0);
    assert_int_equal(source->pulled, 0);
    for (int i = 0; take_results(iter, source, ordered, source->end / STALLS); i++) {
        stall(pool);
        assert_in_range(source->pulled - source->taken, 0, WINDOW);
        if (i == 1) {
            host_rss = scenario_rss_bytes();
            worker_rss = workers_rss_bytes(pool);
        }
    }
    assert_int_equal(source->taken, source->end);
    assert_in_range(source->most_ahead, 1, WINDOW);
    check_flat("host", host_rss, scenario_rss_bytes());
    check_flat("workers", worker_rss, workers_rss_bytes(pool));
    pool_iter_free(iter);
    pool_free(pool);
    free(source);
}

static void scenario_03_lazy_items_with_a_slow_reader_need_no_more_memory_than_the_window(
    enum pool_backend backend)
{
    iterate_slowly(backend, true);
    iterate_slowly(backend, false);
}
ON_BOTH_BACKENDS(scenario_03_lazy_items_with_a_slow_reader_need_no_more_memory_than_the_window)

static void
scenario_03_an_iterator_dropped_half_way_lets_go_of_everything(enum pool_backend backend)
{
    struct pool *pool = scenario_pool_of(backend, 2);
    struct source *source = calloc(1, sizeof(*source));
    struct pool_stats stats;
    int64_t rss = 0;
    uint64_t pulled = 0;
    const int rounds = scenario_size(40, 12);
    assert_non_null(source);
    for (int i = 0; i < rounds; i++) {
        struct pool_iter *iter = NULL;
        *source = (struct source){.end = 1000000};
        assert_int_equal(
            (i % 2 ? pool_imap : pool_imap_unordered)(pool, "echo", pull, source, NULL, &iter), 0);
        assert_true(take_results(iter, source, i % 2, i * 7 % 150));
        pool_iter_free(iter);
        const int64_t pulled_then = source->pulled;
        scenario_check_alive(pool);
        assert_int_equal(source->pulled, pulled_then);       /* it is called no more */
        assert_in_range(pulled_then - source->taken, 0, 32); /* 16 a worker */
        pulled += (uint64_t)pulled_then + 1;
        if (i == 5)
            rss = scenario_rss_bytes();
    }
    check_flat("host", rss, scenario_rss_bytes());
    pool_close(pool);
    assert_int_equal(pool_join(pool, -1), 0);
    assert_int_equal(pool_stats(pool, &stats), 0);
    assert_int_equal(stats.submitted, pulled);
    assert_int_equal(stats.done, pulled); /* what was in flight ran to its end */
    pool_free(pool);
    free(source);
}
ON_BOTH_BACKENDS(scenario_03_an_iterator_dropped_half_way_lets_go_of_everything)

/* ---- 8: both directions full --------------------------------------------------------------- */

/* Bytes to send, all of one pattern. */
struct load {
    uint8_t *bytes;
    struct pool_bytes field;
};

static struct load load_of(int64_t index, size_t size_bytes)
{
    struct load load = {.bytes = malloc(size_bytes)};
    assert_non_null(load.bytes);
    for (size_t i = 0; i < size_bytes; i++)
        load.bytes[i] = scenario_pattern(index, i);
    load.field = (struct pool_bytes){load.bytes, size_bytes};
    return load;
}

static void send_echo(struct ledger *ledger, struct pool *pool, const struct load *load)
{
    const struct order order = {.index = (int64_t)ledger->count};
    assert_int_equal(ledger_submit(ledger, pool, "echo", &order, &load->field, NULL), 0);
}

static void check_echoes(const struct ledger *ledger, const struct load *load)
{
    for (size_t i = 0; i < ledger->count; i++) {
        struct pool_bytes value;
        if (strcmp(pool_future_task(ledger->entries[i].future), "echo") != 0)
            continue;
        assert_int_equal(pool_future_result(ledger->entries[i].future, -1, &value), 0);
        assert_int_equal(value.size_bytes, load->field.size_bytes);
        assert_memory_equal(value.data, load->field.data, value.size_bytes);
    }
}

static void scenario_08_huge_tasks_and_huge_results_pass_each_other(enum pool_backend backend)
{
    stage_open();
    static const struct {
        size_t size_bytes;
        int count;
    } rows[] = {{60000, 100}, {65000, 100}, {66000, 100}, {1000000, 20}, {8000000, 4}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pool *pool = scenario_pool_of(backend, 2);
        struct load load = load_of(3, rows[i].size_bytes);
        struct ledger ledger;
        const int count = scenario_size(rows[i].count, 4);
        printf("%d of %zu bytes\n", count, rows[i].size_bytes);
        ledger_init(&ledger, (size_t)count);
        for (int k = 0; k < count; k++)
            send_echo(&ledger, pool, &load);
        check_echoes(&ledger, &load);
        ledger_finish(&ledger, pool);
        free(load.bytes);
    }
}
ON_BOTH_BACKENDS(scenario_08_huge_tasks_and_huge_results_pass_each_other)

static void wait_for_gate(struct pool_future *future, void *data)
{
    (void)future;
    stage_wait(data, 1);
}

/* The thread that reads results is kept in a callback; the workers fill what there is to fill. */
static void
scenario_08_a_host_that_stalls_in_a_callback_reads_on_afterwards(enum pool_backend backend)
{
    struct stage *stage = stage_open();
    static const size_t sizes[] = {60000, 300000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct pool *pool = scenario_pool_of(backend, 3);
        struct load load = load_of(5, sizes[i]);
        struct ledger ledger;
        sem_t gate;
        sem_init(&gate, 0, 0);
        ledger_init(&ledger, 121);
        ledger_add(&ledger, pool, "hold", 0, 0); /* or the callback might be called here */
        stage_wait(&stage->started, 1);
        assert_int_equal(
            pool_future_add_done_callback(ledger.entries[0].future, wait_for_gate, &gate), 0);
        stage_post(&stage->go, 1);
        for (int k = 0; k < 120; k++) /* fewer than the queue takes, so this does not wait */
            send_echo(&ledger, pool, &load);
        scenario_sleep_us(15000); /* so that something can pile up: nothing depends on it */
        sem_post(&gate);
        check_echoes(&ledger, &load);
        ledger_finish(&ledger, pool);
        free(load.bytes);
    }
}
ON_BOTH_BACKENDS(scenario_08_a_host_that_stalls_in_a_callback_reads_on_afterwards)

/* Processes only: a stopped worker neither reads nor writes. */
static void scenario_08_a_worker_that_is_stopped_for_a_while_keeps_nobody_else_waiting(void **state)
{
    (void)state;
    struct stage *stage = stage_open();
    struct pool *pool = scenario_pool_of(POOL_BACKEND_PROCESS, 2);
    struct load load = load_of(7, 60000);
    struct ledger ledger;
    pid_t workers[2];
    ledger_init(&ledger, 62);
    for (int i = 0; i < 2; i++)
        ledger_add(&ledger, pool, "hold", 0, 0);
    stage_wait(&stage->started, 2);
    scenario_know_workers(pool, workers, 2);
    for (int i = 0; i < 60; i++)
        send_echo(&ledger, pool, &load);
    kill(workers[0], SIGSTOP);
    stage_post(&stage->go, 2);
    /* It had started none of these, so the other does them all, also those that wait in its
     * socket. */
    check_echoes(&ledger, &load);
    kill(workers[0], SIGCONT);
    ledger_finish(&ledger, pool);
    free(load.bytes);
}

/* Both directions of one socket full at once: the host sends while the worker does. */
static void scenario_08_a_worker_stopped_at_random_moments_loses_nothing(void **state)
{
    (void)state;
    stage_open();
    struct pool *pool = scenario_pool_of(POOL_BACKEND_PROCESS, 2);
    struct load load = load_of(9, 62000);
    struct ledger ledger;
    unsigned seed = scenario_seed();
    const int rounds = scenario_size(10, 3);
    ledger_init(&ledger, (size_t)rounds * 12);
    for (int i = 0; i < rounds; i++) {
        for (int k = 0; k < 12; k++)
            send_echo(&ledger, pool, &load);
        pid_t worker = scenario_any_worker(pool, &seed);
        if (worker > 0)
            kill(worker, SIGSTOP);
        scenario_sleep_us(scenario_random(&seed, 3000));
        if (worker > 0)
            kill(worker, SIGCONT);
    }
    check_echoes(&ledger, &load);
    ledger_finish(&ledger, pool);
    free(load.bytes);
}

/* ---- 14: large results from all workers at once -------------------------------------------- */

/* Waits until all of its kind may go, then is blow_up. */
static int task_burst(struct pool_call *call)
{
    sem_post(&stage_get()->started);
    stage_wait(&stage_get()->go, 1);
    return scenario_blow_up(call);
}

static void scenario_14_all_workers_send_large_results_at_once(enum pool_backend backend)
{
    enum { WORKERS = 6 };
    struct stage *stage = stage_open();
    struct pool *pool = scenario_pool_of(backend, WORKERS);
    struct ledger ledger;
    const int rounds = scenario_size(8, 2);
    ledger_init(&ledger, (size_t)rounds * WORKERS * 3);
    for (int i = 0; i < rounds; i++) {
        const size_t first = ledger.count;
        for (int k = 0; k < WORKERS; k++) /* about the size of a socket's buffer, and beyond */
            ledger_add(&ledger, pool, "burst", 0, 50000 + (i * WORKERS + k) * 9000);
        stage_wait(&stage->started, WORKERS);
        for (int k = 0; k < 2 * WORKERS; k++)
            ledger_add(&ledger, pool, "blow_up", 0, k % 2 ? 65000 : 400000);
        stage_post(&stage->go, WORKERS);
        for (size_t k = first; k < ledger.count; k++) {
            struct pool_bytes value;
            const size_t n = k - first;
            const size_t size_bytes =
                n < WORKERS ? 50000 + k % (WORKERS * 3) * 9000 + (size_t)i * WORKERS * 9000
                            : ((n - WORKERS) % 2 ? 65000 : 400000);
            assert_int_equal(pool_future_result(ledger.entries[k].future, -1, &value), 0);
            assert_true(scenario_is_pattern((int64_t)k, value, size_bytes));
        }
    }
    ledger_finish(&ledger, pool);
}
ON_BOTH_BACKENDS(scenario_14_all_workers_send_large_results_at_once)

/* ---- The program --------------------------------------------------------------------------- */

static const struct pool_task list[] = {SCENARIO_TASKS, {"burst", task_burst}};
static const struct pool_tasks tasks = {list, sizeof(list) / sizeof(list[0])};

static const struct test_case tests[] = {
    TEST_ON_BOTH(scenario_03_lazy_items_with_a_slow_reader_need_no_more_memory_than_the_window),
    TEST_ON_BOTH(scenario_03_an_iterator_dropped_half_way_lets_go_of_everything),
    TEST_ON_BOTH(scenario_08_huge_tasks_and_huge_results_pass_each_other),
    TEST_ON_BOTH(scenario_08_a_host_that_stalls_in_a_callback_reads_on_afterwards),
    TEST(scenario_08_a_worker_that_is_stopped_for_a_while_keeps_nobody_else_waiting),
    TEST(scenario_08_a_worker_stopped_at_random_moments_loses_nothing),
    TEST_ON_BOTH(scenario_14_all_workers_send_large_results_at_once),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &tasks) < 0)
        return 2;
    return test_run("scenario_flow", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
