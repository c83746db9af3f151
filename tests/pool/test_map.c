/* Maps: chunks, sequences in step, without waiting, stopping at an error; ordered imap; split. */
#include "isolate.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pool_tasks.h"

static void any_chunksize_gives_the_same_results_in_order(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    static const size_t chunksizes[] = {0, 1, 7, 64, 100, COUNT, COUNT * 2};
    static int64_t values[COUNT];
    const struct pool_sequence sequence = {values, sizeof(values[0]), COUNT};
    for (int i = 0; i < COUNT; i++)
        values[i] = i;
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 3);
        for (size_t k = 0; k < sizeof(chunksizes) / sizeof(chunksizes[0]); k++) {
            struct pool_map_options options = POOL_MAP_INIT;
            struct pool_results *results;
            options.chunksize = chunksizes[k];
            assert_int_equal(pool_map_sequences(pool, "square", &sequence, 1, &options, &results),
                             0);
            assert_int_equal(pool_results_wait(results, -1), 0);
            assert_int_equal(pool_results_count(results), COUNT);
            assert_int_equal(pool_results_successful(results), 1);
            for (int i = 0; i < COUNT; i++)
                assert_int_equal(int_of(pool_results_at(results, (size_t)i)), i * i);
            pool_results_free(results);
        }
        pool_free(pool);
    }
}

static void sequences_go_in_step_until_the_shortest_ends(void **state)
{
    (void)state;
    static const char letters[] = "abcdef";
    static const int16_t numbers[] = {1, 2, 3, 4};
    const struct pool_sequence sequences[] = {{letters, 1, 6}, {numbers, sizeof(int16_t), 4}};
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 2);
        struct pool_results *results;
        struct pool_bytes value;
        assert_int_equal(pool_map_sequences(pool, "echo", sequences, 2, NULL, &results), 0);
        assert_int_equal(pool_results_wait(results, -1), 0);
        assert_int_equal(pool_results_count(results), 4);
        for (size_t i = 0; i < 4; i++) {
            char expected[3] = {letters[i]};
            memcpy(expected + 1, &numbers[i], 2);
            assert_int_equal(pool_future_result(pool_results_at(results, i), 0, &value), 0);
            assert_int_equal(value.size_bytes, 3);
            assert_memory_equal(value.data, expected, 3);
        }
        pool_results_free(results);
        assert_int_equal(pool_map_sequences(pool, "echo", NULL, 0, NULL, &results), -EINVAL);
        pool_free(pool);
    }
}

static void a_starmap_gives_the_task_its_fields_one_by_one(void **state)
{
    (void)state;
    const struct pool_bytes two[] = {{"ab", 2}, {"cd", 2}},
                            three[] = {{"x", 1}, {NULL, 0}, {"z", 1}};
    const struct pool_item items[] = {{.fields = two, .field_count = 2},
                                      {.fields = three, .field_count = 3}};
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 2);
        struct pool_results *results[2];
        assert_int_equal(pool_starmap(pool, "count", items, 2, NULL, &results[0]), 0);
        assert_int_equal(pool_starmap_async(pool, "count", items, 2, NULL, &results[1]), 0);
        assert_int_equal(pool_results_wait(results[1], -1), 0);
        for (size_t i = 0; i < 4; i++) {
            struct pool_bytes value;
            uint64_t counts[2];
            struct pool_future *future = pool_results_at(results[i / 2], i % 2);
            assert_int_equal(pool_future_result(future, 0, &value), 0);
            assert_int_equal(value.size_bytes, sizeof(counts));
            memcpy(counts, value.data, sizeof(counts));
            assert_int_equal(counts[0], 2 + i % 2);
        }
        pool_results_free(results[0]);
        pool_results_free(results[1]);
        pool_free(pool);
    }
}

/* Python loses the whole chunk. */
static void an_item_that_kills_its_worker_costs_its_chunk_nothing(void **state)
{
    (void)state;
    enum { COUNT = 40 };
    static int64_t numbers[COUNT];
    struct pool_bytes fields[COUNT];
    struct pool_item items[COUNT] = {{0}};
    struct pool_map_options options = POOL_MAP_INIT;
    struct pool_results *results;
    struct pool *pool = pool_of(POOL_BACKEND_PROCESS, 2);
    options.chunksize = 20;
    for (int i = 0; i < COUNT; i++) {
        numbers[i] = i % 10 == 5 ? SIGKILL : SIGCHLD; /* which is ignored */
        fields[i] = (struct pool_bytes){&numbers[i], sizeof(numbers[i])};
        items[i] = (struct pool_item){.fields = &fields[i], .field_count = 1};
    }
    assert_int_equal(pool_map(pool, "die", items, COUNT, &options, &results), 0);
    assert_int_equal(pool_results_successful(results), 0);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(pool_future_result(pool_results_at(results, (size_t)i), 0, NULL),
                         i % 10 == 5 ? -EOWNERDEAD : 0);
    pool_results_free(results);
    pool_free(pool);
}

static void map_async_returns_before_the_work_is_done(void **state)
{
    (void)state;
    for (size_t b = 1; b < 3; b++) {
        struct pool *pool = pool_of(all_backends[b], 1);
        struct gate gate = gate_open();
        struct pool_item items[300] = {{0}};
        struct pool_results *results;
        struct pool_future *first = gate_submit(&gate, pool, NULL);
        assert_int_equal(pool_map_async(pool, "square", items, 300, NULL, &results), 0);
        assert_false(pool_results_done(results));
        assert_int_equal(pool_results_successful(results), -EAGAIN);
        assert_int_equal(pool_results_wait(results, 0), -ETIMEDOUT);
        assert_int_equal(pool_results_wait(results, 20), -ETIMEDOUT);
        gate_release(&gate);
        assert_int_equal(pool_results_wait(results, -1), 0);
        assert_true(pool_results_done(results));
        pool_results_free(results);
        assert_int_equal(pool_map_async(pool, "square", items, 300, NULL, &results), 0);
        pool_results_free(results); /* nobody wants to know; it is done all the same */
        pool_future_free(first);
        pool_free(pool);
    }
}

static void a_map_may_stop_at_the_first_error(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    struct pool_item items[COUNT] = {{0}};
    static const int64_t code = -EDOM;
    const struct pool_bytes field = {&code, sizeof(code)};
    struct pool_map_options options = POOL_MAP_INIT;
    for (size_t i = 0; i < COUNT; i++)
        items[i] = (struct pool_item){.fields = &field, .field_count = 1};
    options.stop_at_error = true;
    options.chunksize = 1;
    for (size_t b = 1; b < 3; b++) {
        struct pool *pool = pool_of(all_backends[b], 2);
        struct pool_results *results;
        int failed = 0, cancelled = 0;
        assert_int_equal(pool_map(pool, "silent_fail", items, COUNT, &options, &results), 0);
        for (size_t i = 0; i < COUNT; i++) {
            const int r = pool_future_result(pool_results_at(results, i), 0, NULL);
            failed += r == -EREMOTEIO;
            cancelled += r == -ECANCELED;
        }
        assert_true(failed >= 1);
        assert_int_equal(failed + cancelled, COUNT);
        assert_true(cancelled >= 1);
        pool_results_free(results);
        pool_free(pool);
    }
}

static void an_item_that_cannot_be_submitted_stops_the_map_too(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static struct pool_item items[COUNT];
    struct pool_map_options options = POOL_MAP_INIT;
    options.stop_at_error = true;
    memset(items, 0, sizeof(items));
    items[0].field_count = POOL_FIELDS_MAX + 1;
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 2);
        struct pool_results *results;
        assert_int_equal(pool_map(pool, "square", items, COUNT, &options, &results), 0);
        assert_int_equal(pool_future_result(pool_results_at(results, 0), 0, NULL), -EINVAL);
        for (size_t i = 1; i < COUNT; i++)
            assert_int_equal(pool_future_result(pool_results_at(results, i), 0, NULL), -ECANCELED);
        pool_results_free(results);
        pool_free(pool);
    }
}

struct counter {
    int64_t next, end, value;
    struct pool_bytes field;
};

static int count_down(void *data, struct pool_item *ret_item)
{
    struct counter *counter = data;
    if (counter->next == counter->end)
        return 0;
    /* The first take longest: done out of order. */
    counter->value = counter->next % 4 == 0 ? 4 : 0;
    counter->field = (struct pool_bytes){&counter->value, sizeof(counter->value)};
    *ret_item = (struct pool_item){
        .fields = &counter->field, .field_count = 1, .user = (void *)(intptr_t)counter->next++};
    return 1;
}

static void imap_yields_in_the_order_of_the_items(void **state)
{
    (void)state;
    static const size_t chunksizes[] = {0, 5};
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 3);
        for (size_t k = 0; k < 2; k++) {
            struct counter counter = {.end = 103};
            struct pool_imap_options options = POOL_IMAP_INIT;
            struct pool_iter *iter;
            struct pool_future *future;
            int r;
            options.chunksize = chunksizes[k];
            assert_int_equal(pool_imap(pool, "write_late", count_down, &counter, &options, &iter),
                             0);
            for (intptr_t i = 0; i < 103; i++) {
                assert_int_equal(pool_iter_next(iter, -1, &future), 1);
                assert_int_equal((intptr_t)pool_future_user(future), i);
                assert_int_equal(take_int(future), i % 4 == 0 ? 4 : 0);
            }
            r = pool_iter_next(iter, -1, &future);
            assert_int_equal(r, 0);
            pool_iter_free(iter);
        }
        pool_free(pool);
    }
}

static int one_then_fail(void *data, struct pool_item *ret_item)
{
    int *calls = data;
    *ret_item = (struct pool_item){0};
    return (*calls)++ == 0 ? 1 : -EPIPE;
}

static void an_error_of_the_source_comes_in_its_place(void **state)
{
    (void)state;
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 2);
        struct pool_iter *iter;
        struct pool_future *future;
        struct pool_error error;
        int calls = 0;
        assert_int_equal(pool_imap(pool, "square", one_then_fail, &calls, NULL, &iter), 0);
        assert_int_equal(pool_iter_next(iter, -1, &future), 1);
        assert_int_equal(take_code(future), 0);
        assert_int_equal(pool_iter_next(iter, -1, &future), 1);
        assert_int_equal(pool_future_error(future, &error), 0);
        assert_int_equal(error.code, -EREMOTEIO);
        assert_int_equal(error.task_code, -EPIPE);
        pool_future_free(future);
        assert_int_equal(pool_iter_next(iter, -1, &future), 0);
        assert_int_equal(calls, 2);
        pool_iter_free(iter);
        pool_free(pool);
    }
}

static void split_covers_everything_in_parts_that_differ_by_at_most_one(void **state)
{
    (void)state;
    static const size_t totals[] = {0, 1, 2, 9, 10, 11, 1000, 1023, SIZE_MAX / 3};
    for (size_t t = 0; t < sizeof(totals) / sizeof(totals[0]); t++)
        for (size_t parts = 1; parts < 40; parts++) {
            size_t next = 0, least = SIZE_MAX, most = 0;
            for (size_t i = 0; i < parts; i++) {
                const struct pool_range range = pool_split(totals[t], parts, i);
                assert_int_equal(range.first, next);
                next += range.count;
                least = range.count < least ? range.count : least;
                most = range.count > most ? range.count : most;
            }
            assert_int_equal(next, totals[t]);
            assert_true(most - least <= 1);
        }
    assert_int_equal(pool_split(10, 3, 3).count, 0);
    assert_int_equal(pool_split(10, 0, 0).count, 0);
}

static const struct test_case tests[] = {
    TEST(any_chunksize_gives_the_same_results_in_order),
    TEST(sequences_go_in_step_until_the_shortest_ends),
    TEST(a_starmap_gives_the_task_its_fields_one_by_one),
    TEST(an_item_that_kills_its_worker_costs_its_chunk_nothing),
    TEST(map_async_returns_before_the_work_is_done),
    TEST(a_map_may_stop_at_the_first_error),
    TEST(an_item_that_cannot_be_submitted_stops_the_map_too),
    TEST(imap_yields_in_the_order_of_the_items),
    TEST(an_error_of_the_source_comes_in_its_place),
    TEST(split_covers_everything_in_parts_that_differ_by_at_most_one),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &pool_test_tasks) < 0)
        return 2;
    return test_run("map", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
