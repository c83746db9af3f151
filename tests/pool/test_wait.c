/* Waiting for several futures. */
#include "isolate.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "pool_tasks.h"

static void wait_has_three_modes(void **state)
{
    (void)state;
    FOR_EACH_BACKEND_WITH_WORKERS(backend)
    {
        struct pool *pool = pool_of(backend, 3);
        struct gate gates[3];
        struct pool_future *futures[5] = {NULL};
        for (int i = 0; i < 3; i++) {
            gates[i] = gate_open();
            futures[i] = gate_submit(&gates[i], pool, NULL);
            wait_until_running(futures[i]);
        }
        for (int mode = POOL_FIRST_COMPLETED; mode <= POOL_ALL_COMPLETED; mode++)
            assert_int_equal(pool_wait(futures, 3, (enum pool_wait_mode)mode, 10), -ETIMEDOUT);
        gate_release(&gates[1]);
        assert_int_equal(pool_wait(futures, 4, POOL_FIRST_COMPLETED, -1), 1); /* one is NULL */
        assert_true(pool_future_done(futures[1]));
        assert_int_equal(pool_wait(futures, 4, POOL_FIRST_EXCEPTION, 10), -ETIMEDOUT);
        futures[4] = submit_int(pool, "silent_fail", -EDOM);
        assert_int_equal(pool_wait(futures, 5, POOL_FIRST_EXCEPTION, -1), 2);
        assert_int_equal(pool_wait(futures, 5, POOL_ALL_COMPLETED, 10), -ETIMEDOUT);
        gate_release(&gates[0]);
        gate_release(&gates[2]);
        assert_int_equal(pool_wait(futures, 5, POOL_ALL_COMPLETED, -1), 4);
        assert_int_equal(pool_wait(futures, 3, POOL_FIRST_EXCEPTION, -1), 3); /* none failed */
        assert_int_equal(pool_wait(NULL, 0, POOL_ALL_COMPLETED, -1), 0);
        for (int i = 0; i < 5; i++)
            pool_future_free(futures[i]);
        pool_free(pool);
    }
}

static void as_completed_gives_futures_in_the_order_of_their_ends(void **state)
{
    (void)state;
    static const int order[4] = {2, 0, 3, 1};
    FOR_EACH_BACKEND_WITH_WORKERS(backend)
    {
        struct pool *pool = pool_of(backend, 4);
        struct gate gates[4];
        struct pool_future *futures[4], *got;
        struct pool_completed *completed;
        for (int i = 0; i < 4; i++) {
            gates[i] = gate_open();
            futures[i] = gate_submit(&gates[i], pool, NULL);
            wait_until_running(futures[i]);
        }
        assert_int_equal(pool_as_completed(futures, 4, -1, &completed), 0);
        for (int i = 0; i < 4; i++) {
            gate_release(&gates[order[i]]);
            assert_int_equal(pool_completed_next(completed, &got), 1);
            assert_ptr_equal(got, futures[order[i]]);
        }
        assert_int_equal(pool_completed_next(completed, &got), 0);
        pool_completed_free(completed);
        for (int i = 0; i < 4; i++)
            pool_future_free(futures[i]);
        pool_free(pool);
    }
}

static void as_completed_counts_its_timeout_from_the_call(void **state)
{
    (void)state;
    struct pool *pool = pool_of(POOL_BACKEND_THREAD, 2);
    struct gate gate = gate_open();
    struct pool_future *futures[2] = {gate_submit(&gate, pool, NULL), NULL}, *got;
    struct pool_completed *completed;
    futures[1] = submit_int(pool, "square", 2);
    pool_future_result(futures[1], -1, NULL);
    assert_int_equal(pool_as_completed(futures, 2, 30, &completed), 0);
    assert_int_equal(pool_completed_next(completed, &got), 1);
    assert_ptr_equal(got, futures[1]);
    assert_int_equal(pool_completed_next(completed, &got), -ETIMEDOUT);
    assert_int_equal(pool_completed_next(completed, &got), -ETIMEDOUT);
    pool_completed_free(completed); /* one callback still hangs on the first future */
    gate_release(&gate);
    assert_int_equal(take_code(futures[0]), 0);
    pool_future_free(futures[1]);
    pool_free(pool);
}

static void futures_of_several_pools_may_be_waited_for_together(void **state)
{
    (void)state;
    struct pool *threads = pool_of(POOL_BACKEND_THREAD, 1);
    struct pool *processes = pool_of(POOL_BACKEND_PROCESS, 1);
    struct pool_future *futures[] = {submit_int(threads, "square", 2),
                                     submit_int(processes, "square", 3)};
    assert_int_equal(pool_wait(futures, 2, POOL_ALL_COMPLETED, -1), 2);
    assert_int_equal(take_int(futures[0]), 4);
    assert_int_equal(take_int(futures[1]), 9);
    pool_free(threads);
    pool_free(processes);
}

static void *wait_many_times(void *data)
{
    struct pool_future *const *futures = data;
    for (int i = 0; i < 200; i++)
        if (pool_wait(futures, 50, POOL_FIRST_COMPLETED, 0) > 0 && i > 100)
            return NULL;
    pool_wait(futures, 50, POOL_ALL_COMPLETED, -1);
    return NULL;
}

static void waits_that_give_up_race_with_ends_and_leave_nothing(void **state)
{
    (void)state;
    FOR_EACH_BACKEND_WITH_WORKERS(backend)
    {
        struct pool *pool = pool_of(backend, 2);
        for (int round = 0; round < 5; round++) {
            struct pool_future *futures[50];
            pthread_t threads[3];
            for (int i = 0; i < 50; i++)
                futures[i] = submit_int(pool, "square", i);
            for (int i = 0; i < 3; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, wait_many_times, futures), 0);
            for (int i = 0; i < 3; i++)
                pthread_join(threads[i], NULL);
            for (int i = 0; i < 50; i++)
                assert_int_equal(take_int(futures[i]), i * i);
        }
        pool_free(pool);
    }
}

static const struct test_case tests[] = {
    TEST(wait_has_three_modes),
    TEST(as_completed_gives_futures_in_the_order_of_their_ends),
    TEST(as_completed_counts_its_timeout_from_the_call),
    TEST(futures_of_several_pools_may_be_waited_for_together),
    TEST(waits_that_give_up_race_with_ends_and_leave_nothing),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &pool_test_tasks) < 0)
        return 2;
    return test_run("wait", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
