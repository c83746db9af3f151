/* Futures: their states, cancelling, callbacks, retries. */
#include "isolate.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pool_tasks.h"

static void a_future_passes_through_its_states(void **state)
{
    (void)state;
    FOR_EACH_BACKEND_WITH_WORKERS(backend)
    {
        struct pool *pool = pool_of(backend, 1);
        struct gate gate = gate_open();
        struct pool_error error;
        struct pool_future *first = gate_submit(&gate, pool, NULL);
        struct pool_future *second = submit_int(pool, "square", 3);
        wait_until_running(first);
        assert_false(pool_future_running(second));
        assert_false(pool_future_done(first));
        assert_false(pool_future_cancelled(first));
        assert_int_equal(pool_future_successful(first), -EAGAIN);
        assert_int_equal(pool_future_error(first, &error), -EAGAIN);
        assert_int_equal(pool_future_result(first, 0, NULL), -ETIMEDOUT);
        gate_release(&gate);
        assert_int_equal(take_int(second), 9);
        assert_true(pool_future_done(first));
        assert_false(pool_future_running(first));
        assert_int_equal(pool_future_successful(first), 1);
        assert_string_equal(pool_future_task(first), "hold");
        pool_future_free(first);
        struct pool_future *failed = submit_int(pool, "silent_fail", -EDOM);
        pool_future_result(failed, -1, NULL);
        assert_int_equal(pool_future_successful(failed), 0);
        assert_int_equal(pool_future_cancel(failed, true), -EALREADY);
        pool_future_free(failed);
        pool_free(pool);
    }
}

static void what_no_worker_has_started_is_cancelled_and_never_runs(void **state)
{
    (void)state;
    FOR_EACH_BACKEND_WITH_WORKERS(backend)
    {
        struct pool *pool = pool_of(backend, 1);
        struct gate gate = gate_open();
        struct pool_future *first = gate_submit(&gate, pool, NULL);
        struct pool_future *futures[20];
        struct pool_error error;
        wait_until_running(first);
        for (int i = 0; i < 20; i++) /* the first of them are in the worker's hands */
            futures[i] = submit_int(pool, "local", 0);
        for (int i = 0; i < 20; i += 2)
            assert_int_equal(pool_future_cancel(futures[i], false), 0);
        for (int i = 0; i < 20; i += 2) {
            assert_true(pool_future_cancelled(futures[i]));
            assert_int_equal(pool_future_error(futures[i], &error), 0);
            assert_int_equal(error.code, -ECANCELED);
            assert_true(error.message[0] != '\0');
            assert_int_equal(pool_future_cancel(futures[i], false), -EALREADY);
        }
        gate_release(&gate);
        for (int i = 1; i < 20; i += 2) /* had one of the others run, it would have counted */
            assert_int_equal(take_int(futures[i]), (i + 1) / 2);
        for (int i = 0; i < 20; i += 2)
            pool_future_free(futures[i]);
        assert_int_equal(take_code(first), 0);
        pool_free(pool);
    }
}

static void a_running_task_is_cancelled_only_if_asked(void **state)
{
    (void)state;
    struct pool *pool = pool_of(POOL_BACKEND_PROCESS, 1);
    struct pool_future *running = submit_int(pool, "stubborn", 600000);
    wait_until_running(running);
    struct pool_future *behind = submit_int(pool, "square", 4);
    assert_int_equal(pool_future_cancel(running, false), -EBUSY);
    assert_false(pool_future_done(running));
    assert_int_equal(pool_future_cancel(running, true), 0);
    assert_true(pool_future_cancelled(running)); /* at once, though its worker ignores SIGTERM */
    assert_int_equal(take_int(behind), 16);
    pool_future_free(running);
    pool_free(pool);

    pool = pool_of(POOL_BACKEND_THREAD, 1);
    running = submit_int(pool, "obedient", 0);
    wait_until_running(running);
    assert_int_equal(pool_future_cancel(running, false), -EBUSY);
    assert_int_equal(pool_future_cancel(running, true), -EINPROGRESS);
    assert_int_equal(take_code(running), -ECANCELED);
    pool_free(pool);
}

struct notes {
    atomic_int count;
    int order[64];
    struct pool *pool;
    struct pool_future *extra;
};

static struct notes notes;

static void note(struct pool_future *future, void *data)
{
    notes.order[atomic_fetch_add(&notes.count, 1)] = pool_future_done(future) ? *(int *)data : -1;
}

static void callbacks_run_in_order_once_and_after_the_result_is_there(void **state)
{
    (void)state;
    static int numbers[5] = {0, 1, 2, 3, 4};
    FOR_EACH_BACKEND_WITH_WORKERS(backend)
    {
        struct pool *pool = pool_of(backend, 1);
        struct gate gate = gate_open();
        memset(&notes, 0, sizeof(notes));
        struct pool_future *future = gate_submit(&gate, pool, NULL);
        for (int i = 0; i < 4; i++)
            assert_int_equal(pool_future_add_done_callback(future, note, &numbers[i]), 0);
        assert_int_equal(atomic_load(&notes.count), 0);
        gate_release(&gate);
        pool_close(pool);
        pool_join(pool, -1);
        assert_int_equal(atomic_load(&notes.count), 4);
        pool_future_add_done_callback(future, note, &numbers[4]);
        assert_int_equal(atomic_load(&notes.count), 5); /* at once, here */
        for (int i = 0; i < 5; i++)
            assert_int_equal(notes.order[i], i);
        pool_future_free(future);
        pool_free(pool);
    }
}

static void higher_priority_runs_first_and_equal_ones_in_order(void **state)
{
    (void)state;
    static const int priorities[8] = {0, -5, 7, 0, 7, POOL_PRIORITY_MIN, POOL_PRIORITY_MAX, -5};
    static const int expected[8] = {6, 2, 4, 0, 3, 1, 7, 5};
    static int numbers[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    FOR_EACH_BACKEND_WITH_WORKERS(backend)
    {
        struct pool *pool = pool_of(backend, 1);
        struct gate gate = gate_open();
        memset(&notes, 0, sizeof(notes));
        struct pool_future *first = gate_submit(&gate, pool, NULL);
        wait_until_running(first);
        for (int i = 0; i < 8; i++) {
            struct pool_submit_options options = POOL_SUBMIT_INIT;
            struct pool_future *future;
            options.priority = priorities[i];
            assert_int_equal(pool_submit(pool, "square", NULL, &options, &future), 0);
            pool_future_add_done_callback(future, note, &numbers[i]);
            pool_future_free(future);
        }
        gate_release(&gate);
        pool_future_free(first);
        pool_close(pool);
        pool_join(pool, -1);
        assert_int_equal(atomic_load(&notes.count), 8);
        for (int i = 0; i < 8; i++)
            assert_int_equal(notes.order[i], expected[i]);
        pool_free(pool);
    }
}

static void a_task_with_retries_survives_the_death_of_its_worker(void **state)
{
    (void)state;
    char path[256];
    struct pool *pool = pool_of(POOL_BACKEND_PROCESS, 1);
    struct pool_submit_options options = POOL_SUBMIT_INIT;
    struct pool_future *future;
    struct pool_error error;
    options.retries = 1;
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/died-%d", test_scratch(), i);
        const struct pool_bytes field = {path, strlen(path)};
        const struct pool_item item = {.fields = &field, .field_count = 1};
        assert_int_equal(pool_submit(pool, "die_once", &item, i ? &options : NULL, &future), 0);
        assert_int_equal(pool_future_result(future, -1, NULL), i ? 0 : -EOWNERDEAD);
        pool_future_error(future, &error);
        assert_int_equal(error.deaths, 1);
        assert_false(error.quarantined);
        pool_future_free(future);
    }
    pool_free(pool);
}

static void a_task_that_kills_too_many_workers_is_quarantined(void **state)
{
    (void)state;
    const int64_t how = SIGKILL;
    const struct pool_bytes field = {&how, sizeof(how)};
    const struct pool_item item = {.fields = &field, .field_count = 1};
    struct pool_submit_options options = POOL_SUBMIT_INIT;
    struct pool *pool = pool_of(POOL_BACKEND_PROCESS, 2);
    struct pool_future *future;
    struct pool_error error;
    options.retries = 100;
    assert_int_equal(pool_submit(pool, "die", &item, &options, &future), 0);
    assert_int_equal(pool_future_result(future, -1, NULL), -EOWNERDEAD);
    pool_future_error(future, &error);
    assert_int_equal(error.deaths, POOL_QUARANTINE_DEFAULT);
    assert_true(error.quarantined);
    assert_non_null(strstr(error.message, "quarantined after 3 deaths"));
    pool_future_free(future);
    assert_int_equal(take_int(submit_int(pool, "square", 5)), 25);
    pool_free(pool);
}

static void an_error_says_where_it_was_raised(void **state)
{
    (void)state;
    FOR_EACH_BACKEND_WITH_WORKERS(backend)
    {
        struct pool *pool = pool_of(backend, 1);
        struct pool_future *future = submit_int(pool, "fail", -EDOM);
        struct pool_error error;
        assert_int_equal(pool_future_result(future, -1, NULL), -EREMOTEIO);
        assert_int_equal(pool_future_error(future, &error), 0);
        assert_non_null(strstr(error.where, "pool_tasks.c:"));
        assert_string_equal(error.task, "fail");
        assert_true(error.worker_pid > 0);
        pool_future_free(future);
        pool_free(pool);
    }
}

static void shutdown_with_cancel_ends_what_has_not_started(void **state)
{
    (void)state;
    FOR_EACH_BACKEND_WITH_WORKERS(backend)
    {
        struct pool *pool = pool_of(backend, 1);
        struct gate gate = gate_open();
        struct pool_future *first = gate_submit(&gate, pool, NULL);
        struct pool_future *futures[100];
        int cancelled = 0;
        wait_until_running(first);
        for (int i = 0; i < 100; i++)
            futures[i] = submit_int(pool, "square", i);
        assert_int_equal(pool_shutdown(pool, POOL_SHUTDOWN_CANCEL), 0);
        assert_int_equal(pool_submit(pool, "square", NULL, NULL, NULL), -ESHUTDOWN);
        for (int i = 0; i < 100; i++)
            cancelled += pool_future_cancelled(futures[i]);
        assert_int_equal(cancelled, 100);
        assert_false(pool_future_done(first));
        gate_release(&gate);
        assert_int_equal(pool_shutdown(pool, POOL_SHUTDOWN_WAIT), 0);
        assert_int_equal(take_code(first), 0);
        for (int i = 0; i < 100; i++)
            pool_future_free(futures[i]);
        pool_free(pool);
    }
}

static const struct test_case tests[] = {
    TEST(a_future_passes_through_its_states),
    TEST(what_no_worker_has_started_is_cancelled_and_never_runs),
    TEST(a_running_task_is_cancelled_only_if_asked),
    TEST(callbacks_run_in_order_once_and_after_the_result_is_there),
    TEST(higher_priority_runs_first_and_equal_ones_in_order),
    TEST(a_task_with_retries_survives_the_death_of_its_worker),
    TEST(a_task_that_kills_too_many_workers_is_quarantined),
    TEST(an_error_says_where_it_was_raised),
    TEST(shutdown_with_cancel_ends_what_has_not_started),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &pool_test_tasks) < 0)
        return 2;
    return test_run("future", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
