/* Which workers there are, and for how long: initializers, recycling, resizing, idleness. */
#include "isolate.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "pool_tasks.h"

static struct pool_stats stats_of(struct pool *pool)
{
    struct pool_stats stats;
    assert_int_equal(pool_stats(pool, &stats), 0);
    return stats;
}

static void wait_for_workers(struct pool *pool, unsigned count)
{
    while (stats_of(pool).workers != count)
        poll(NULL, 0, 2);
}

static void the_initializer_runs_once_in_each_worker_before_its_tasks(void **state)
{
    (void)state;
    int64_t start = 1000;
    const struct pool_bytes field = {&start, sizeof(start)};
    const struct pool_item item = {.fields = &field, .field_count = 1};
    for (size_t b = 0; b < 3; b++) {
        const struct pool_options options = {.backend = all_backends[b],
                                             .workers = 2,
                                             .initializer = "prepare",
                                             .initializer_item = &item};
        struct pool *pool = pool_with(&options);
        int64_t sum = 0, count = 0;
        for (; count < 20; count++) {
            const int64_t value = take_int(submit_int(pool, "local", 0));
            assert_true(value > 1000 && value <= 1020);
            sum += value == 1001; /* the first in its worker */
        }
        assert_true(sum >= 1 && sum <= 2);
        pool_free(pool);
    }
}

static void an_initializer_that_always_fails_breaks_the_pool_with_its_error(void **state)
{
    (void)state;
    int64_t code = -EBADMSG;
    const struct pool_bytes field = {&code, sizeof(code)};
    const struct pool_item item = {.fields = &field, .field_count = 1};
    for (size_t b = 0; b < 3; b++) {
        const struct pool_options options = {.backend = all_backends[b],
                                             .workers = 2,
                                             .initializer = "prepare",
                                             .initializer_item = &item,
                                             .start_failures_max = 3};
        struct pool *pool = pool_with(&options);
        const struct pool_item nothing = {0};
        struct pool_future *future = NULL;
        struct pool_error error;
        int r = pool_submit(pool, "square", &nothing, NULL, &future);
        if (r == 0) { /* a thread pool may have broken before */
            assert_int_equal(pool_future_result(future, -1, NULL), -EREMOTEIO);
            assert_int_equal(pool_future_error(future, &error), 0);
            assert_int_equal(error.task_code, -EBADMSG);
            assert_non_null(strstr(error.message, "not prepared"));
            pool_future_free(future);
        }
        assert_int_equal(pool_submit(pool, "square", &nothing, NULL, NULL), -EREMOTEIO);
        assert_int_equal(pool_broken(pool, &error), 1);
        assert_int_equal(error.task_code, -EBADMSG);
        assert_string_equal(error.task, "prepare");
        assert_non_null(strstr(error.message, "not prepared"));
        pool_free(pool);
    }
}

static void an_unknown_initializer_is_refused(void **state)
{
    (void)state;
    const struct pool_options options = {.backend = POOL_BACKEND_THREAD, .initializer = "nobody"};
    struct pool *pool = NULL;
    assert_int_equal(pool_create(&options, &pool), -ENOENT);
    assert_null(pool);
}

static pid_t worker_of(struct pool *pool)
{
    struct pool_future *future = submit_int(pool, "pid", 0);
    struct pool_bytes value;
    pid_t pid;
    assert_int_equal(pool_future_result(future, -1, &value), 0);
    memcpy(&pid, value.data, sizeof(pid));
    pool_future_free(future);
    return pid;
}

static void a_worker_is_replaced_after_so_many_tasks(void **state)
{
    (void)state;
    struct pool_options options = {.backend = POOL_BACKEND_PROCESS, .workers = 1, .max_tasks = 3};
    struct pool *pool = pool_with(&options);
    pid_t pids[12];
    for (int i = 0; i < 12; i++)
        pids[i] = worker_of(pool);
    for (int i = 0; i < 12; i++)
        assert_int_equal(pids[i] == pids[i / 3 * 3], 1);
    for (int i = 3; i < 12; i += 3)
        assert_int_not_equal(pids[i], pids[i - 3]);
    pool_free(pool);

    options.backend = POOL_BACKEND_THREAD;
    pool = pool_with(&options);
    for (int i = 0; i < 12; i++) /* a new thread has no local pointer */
        assert_int_equal(take_int(submit_int(pool, "local", 0)), i % 3 + 1);
    pool_free(pool);
}

static void recycling_with_a_backlog_loses_nothing(void **state)
{
    (void)state;
    for (size_t b = 1; b < 3; b++) {
        const struct pool_options options = {
            .backend = all_backends[b], .workers = 2, .max_tasks = 1, .queue_max = 1000};
        struct pool *pool = pool_with(&options);
        struct pool_future *futures[100];
        for (int i = 0; i < 100; i++)
            futures[i] = submit_int(pool, "square", i);
        for (int i = 0; i < 100; i++)
            assert_int_equal(take_int(futures[i]), i * i);
        assert_true(stats_of(pool).recycled >= 90);
        pool_free(pool);
    }
}

static void an_old_worker_is_replaced(void **state)
{
    (void)state;
    const struct pool_options options = {
        .backend = POOL_BACKEND_PROCESS, .workers = 1, .max_age_ms = 50};
    struct pool *pool = pool_with(&options);
    const pid_t first = worker_of(pool);
    while (stats_of(pool).recycled == 0)
        poll(NULL, 0, 5);
    assert_int_not_equal(worker_of(pool), first);
    pool_free(pool);
}

static void a_worker_that_grew_too_large_is_replaced(void **state)
{
    (void)state;
    const struct pool_options options = {
        .backend = POOL_BACKEND_PROCESS, .workers = 1, .max_rss_bytes = (size_t)200 << 20};
    struct pool *pool = pool_with(&options);
    const pid_t first = worker_of(pool);
    poll(NULL, 0, 40); /* memory is looked at every 20 ms */
    assert_int_equal(worker_of(pool), first);
    poll(NULL, 0, 40);
    assert_int_equal(take_code(submit_int(pool, "eat", (int64_t)300 << 20)), 0);
    assert_int_not_equal(worker_of(pool), first);
    assert_int_equal(stats_of(pool).recycled, 1);
    assert_int_equal(stats_of(pool).died, 0);
    pool_free(pool);
}

static void a_pool_grows_and_shrinks_while_it_works(void **state)
{
    (void)state;
    for (size_t b = 1; b < 3; b++) {
        const struct pool_options options = {.backend = all_backends[b], .workers = 1};
        struct pool *pool = pool_with(&options);
        struct gate gate = gate_open();
        struct pool_future *futures[6];
        for (int i = 0; i < 6; i++)
            futures[i] = gate_submit(&gate, pool, NULL);
        while (stats_of(pool).busy != 1)
            poll(NULL, 0, 1);
        assert_true(pool_future_running(futures[0]));
        assert_int_equal(pool_resize(pool, 4), 0);
        assert_int_equal(pool_workers(pool), 4);
        while (stats_of(pool).busy != 4)
            poll(NULL, 0, 1);
        assert_int_equal(pool_resize(pool, 2), 0);
        gate_release(&gate);
        for (int i = 0; i < 6; i++)
            assert_int_equal(take_code(futures[i]), 0);
        wait_for_workers(pool, 2);
        assert_int_equal(pool_resize(pool, 0), -EINVAL);
        assert_int_equal(take_int(submit_int(pool, "square", 7)), 49);
        pool_close(pool);
        assert_int_equal(pool_resize(pool, 3), -ESHUTDOWN);
        pool_free(pool);
    }
    struct pool *serial = pool_of(POOL_BACKEND_SERIAL, 1);
    assert_int_equal(pool_resize(serial, 2), -ENOTSUP);
    pool_free(serial);
}

/* The second task stands behind the first, in the only worker's hands, when the limit is raised. */
static void a_raised_limit_serves_what_was_handed_out_already(void **state)
{
    (void)state;
    const struct pool_options options = {.backend = POOL_BACKEND_PROCESS, .workers = 1};
    struct pool *pool = pool_with(&options);
    struct gate gate = gate_open();
    struct pool_future *held = gate_submit(&gate, pool, NULL);
    wait_until_running(held);
    struct pool_future *behind = submit_int(pool, "square", 3);
    assert_int_equal(pool_resize(pool, 2), 0);
    assert_int_equal(take_int(behind), 9); /* though the first has not ended */
    gate_release(&gate);
    assert_int_equal(take_code(held), 0);
    pool_free(pool);
}

/* The same for a worker that has ended, when its task was cancelled. */
static void a_stopped_worker_is_replaced_for_what_was_handed_to_another(void **state)
{
    (void)state;
    const struct pool_options options = {.backend = POOL_BACKEND_PROCESS, .workers = 2};
    struct pool *pool = pool_with(&options);
    struct gate gate = gate_open();
    struct pool_future *held = gate_submit(&gate, pool, NULL);
    struct pool_future *stopped = gate_submit(&gate, pool, NULL);
    wait_until_running(held);
    wait_until_running(stopped);
    assert_int_equal(pool_future_cancel(stopped, true), 0);
    assert_int_equal(take_int(submit_int(pool, "square", 4)), 16);
    gate_release(&gate);
    assert_int_equal(take_code(held), 0);
    pool_future_free(stopped);
    pool_free(pool);
}

static void idle_workers_leave_down_to_the_least(void **state)
{
    (void)state;
    for (size_t b = 1; b < 3; b++) {
        const struct pool_options options = {
            .backend = all_backends[b], .workers = 4, .workers_min = 2, .idle_ms = 30};
        struct pool *pool = pool_with(&options);
        struct gate gate = gate_open();
        struct pool_future *futures[4];
        wait_for_workers(pool, 2); /* before there is any work */
        for (int i = 0; i < 4; i++)
            futures[i] = gate_submit(&gate, pool, NULL);
        for (int i = 0; i < 4; i++)
            wait_until_running(futures[i]);
        gate_release(&gate);
        for (int i = 0; i < 4; i++)
            assert_int_equal(take_code(futures[i]), 0);
        wait_for_workers(pool, 2);
        poll(NULL, 0, 60);
        assert_int_equal(stats_of(pool).workers, 2);
        assert_int_equal(take_int(submit_int(pool, "square", 3)), 9);
        pool_free(pool);
    }
}

static const struct test_case tests[] = {
    TEST(the_initializer_runs_once_in_each_worker_before_its_tasks),
    TEST(an_initializer_that_always_fails_breaks_the_pool_with_its_error),
    TEST(an_unknown_initializer_is_refused),
    TEST(a_worker_is_replaced_after_so_many_tasks),
    TEST(recycling_with_a_backlog_loses_nothing),
    TEST(an_old_worker_is_replaced),
    TEST(a_worker_that_grew_too_large_is_replaced),
    TEST(a_pool_grows_and_shrinks_while_it_works),
    TEST(a_raised_limit_serves_what_was_handed_out_already),
    TEST(a_stopped_worker_is_replaced_for_what_was_handed_to_another),
    TEST(idle_workers_leave_down_to_the_least),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &pool_test_tasks) < 0)
        return 2;
    return test_run("staff", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
