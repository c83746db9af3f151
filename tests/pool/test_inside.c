/* Calling a pool from inside itself (tasks and callbacks), from a forked child, and at the
 * program's end. Tasks of a thread pool may know their pool: they get a pointer to what they need.
 */
#include "isolate.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool_tasks.h"

struct shared {
    struct pool *pool;
    struct pool_future *futures[2];
    pthread_barrier_t barrier;
    pthread_mutex_t lock;
    int64_t depth;
    atomic_int codes[2];
};

static struct shared *shared_of(struct pool_call *call, int64_t *ret_number)
{
    struct shared *shared;
    memcpy(&shared, pool_call_field(call, 0).data, sizeof(shared));
    memcpy(ret_number, pool_call_field(call, 1).data, sizeof(*ret_number));
    return shared;
}

static struct pool_future *submit_shared(struct shared *shared, const char *task, int64_t number)
{
    const struct pool_bytes fields[] = {{&shared, sizeof(shared)}, {&number, sizeof(number)}};
    const struct pool_item item = {.fields = fields, .field_count = 2};
    struct pool_future *future = NULL;
    if (pool_submit(shared->pool, task, &item, NULL, &future) < 0)
        return NULL;
    return future;
}

/* nest: n tasks deep, each waits for the next; returns the depth. */
static int task_nest(struct pool_call *call)
{
    int64_t number, deeper = 0;
    struct shared *shared = shared_of(call, &number);
    if (number > 0) {
        struct pool_bytes value;
        struct pool_future *future = submit_shared(shared, "nest", number - 1);
        if (!future)
            return -ENOMEM;
        int r = pool_future_result(future, -1, &value);
        if (r == 0)
            memcpy(&deeper, value.data, sizeof(deeper));
        pool_future_free(future);
        if (r < 0)
            return r;
    }
    deeper++;
    return pool_call_write(call, &deeper, sizeof(deeper));
}

/* locked: waits for a nested task while it holds a lock; takes: takes that lock. */
static int task_locked(struct pool_call *call)
{
    int64_t number;
    struct shared *shared = shared_of(call, &number);
    pthread_mutex_lock(&shared->lock);
    struct pool_future *stranger = submit_shared(shared, "takes", 0);
    struct pool_future *own = submit_shared(shared, "nest", 0);
    int r = own ? pool_future_result(own, -1, NULL) : -ENOMEM;
    pthread_mutex_unlock(&shared->lock);
    pool_future_free(own);
    pool_future_free(stranger);
    return r;
}

static int task_takes(struct pool_call *call)
{
    int64_t number;
    struct shared *shared = shared_of(call, &number);
    pthread_mutex_lock(&shared->lock);
    pthread_mutex_unlock(&shared->lock);
    return 0;
}

/* each_other: number 0 waits for number 1, and that for number 0. */
static int task_each_other(struct pool_call *call)
{
    int64_t number;
    struct shared *shared = shared_of(call, &number);
    pthread_barrier_wait(&shared->barrier);
    const int r = pool_future_result(shared->futures[1 - number], -1, NULL);
    atomic_store(&shared->codes[number], r);
    return 0;
}

/* itself: waits for its own future, and joins its own pool. */
static int task_itself(struct pool_call *call)
{
    int64_t number;
    struct shared *shared = shared_of(call, &number);
    pthread_barrier_wait(&shared->barrier);
    atomic_store(&shared->codes[0], pool_future_result(shared->futures[0], -1, NULL));
    pool_close(shared->pool);
    atomic_store(&shared->codes[1], pool_join(shared->pool, -1));
    return 0;
}

/* map: maps over its own pool. */
static int task_map(struct pool_call *call)
{
    int64_t number;
    struct shared *shared = shared_of(call, &number);
    struct pool_item items[50] = {{0}};
    struct pool_results *results;
    int r = pool_map(shared->pool, "nothing", items, 50, NULL, &results);
    if (r == 0 && pool_results_successful(results) != 1)
        r = -EIO;
    if (r == 0)
        pool_results_free(results);
    return r;
}

/* full: submits more than the queue takes. */
static int task_full(struct pool_call *call)
{
    int64_t number;
    struct shared *shared = shared_of(call, &number);
    int r = 0;
    for (int i = 0; i < 1000 && r == 0; i++)
        r = pool_submit(shared->pool, "nothing", NULL, NULL, NULL);
    atomic_store(&shared->codes[number], r);
    return 0;
}

static int task_nothing(struct pool_call *call)
{
    (void)call;
    return 0;
}

static const struct pool_task list[] = {
    {"nest", task_nest},     {"locked", task_locked},   {"takes", task_takes},
    {"map", task_map},       {"full", task_full},       {"each_other", task_each_other},
    {"itself", task_itself}, {"nothing", task_nothing},
};
static const struct pool_tasks tasks = {list, sizeof(list) / sizeof(list[0])};

/* together: how many meet at the barrier */
static void open_shared(struct shared *shared, unsigned workers, unsigned together)
{
    memset(shared, 0, sizeof(*shared));
    pthread_mutex_init(&shared->lock, NULL);
    pthread_barrier_init(&shared->barrier, NULL, together);
    const struct pool_options options = {
        .backend = POOL_BACKEND_THREAD, .workers = workers, .tasks = &tasks};
    assert_int_equal(pool_create(&options, &shared->pool), 0);
}

static void close_shared(struct shared *shared)
{
    pool_free(shared->pool);
    pthread_barrier_destroy(&shared->barrier);
    pthread_mutex_destroy(&shared->lock);
}

static void waits_may_nest_deeper_than_the_pool(void **state)
{
    (void)state;
    struct shared shared;
    for (unsigned workers = 1; workers < 4; workers++) {
        open_shared(&shared, workers, 1);
        assert_int_equal(take_int(submit_shared(&shared, "nest", 50)), 51);
        close_shared(&shared);
    }
}

static void a_waiter_helps_with_nothing_but_what_it_waits_for(void **state)
{
    (void)state;
    struct shared shared;
    open_shared(&shared, 1, 1);
    for (int i = 0; i < 20; i++) /* a stranger's task would want the lock that the waiter holds */
        assert_int_equal(take_code(submit_shared(&shared, "locked", 0)), 0);
    close_shared(&shared);
}

static void tasks_that_wait_for_each_other_are_told_so(void **state)
{
    (void)state;
    struct shared shared;
    for (unsigned workers = 2; workers < 5; workers++) {
        open_shared(&shared, workers, 3);
        shared.futures[0] = submit_shared(&shared, "each_other", 0);
        shared.futures[1] = submit_shared(&shared, "each_other", 1);
        pthread_barrier_wait(&shared.barrier);
        assert_int_equal(pool_wait(shared.futures, 2, POOL_ALL_COMPLETED, -1), 2);
        const int codes[2] = {atomic_load(&shared.codes[0]), atomic_load(&shared.codes[1])};
        /* The second to wait is told; then the first gets what it waits for. */
        assert_true((codes[0] == -EDEADLK && codes[1] == 0) ||
                    (codes[1] == -EDEADLK && codes[0] == 0));
        pool_future_free(shared.futures[0]);
        pool_future_free(shared.futures[1]);
        close_shared(&shared);
    }
}

static void a_task_that_waits_for_itself_is_told_so(void **state)
{
    (void)state;
    struct shared shared;
    open_shared(&shared, 3, 2);
    shared.futures[0] = submit_shared(&shared, "itself", 0);
    pthread_barrier_wait(&shared.barrier);
    assert_int_equal(take_code(shared.futures[0]), 0);
    assert_int_equal(atomic_load(&shared.codes[0]), -EDEADLK);
    assert_int_equal(atomic_load(&shared.codes[1]), -EDEADLK);
    close_shared(&shared);
}

static void a_task_may_map_over_its_own_pool(void **state)
{
    (void)state;
    struct shared shared;
    for (unsigned workers = 1; workers < 4; workers++) {
        struct pool_future *futures[5];
        open_shared(&shared, workers, 1);
        for (int i = 0; i < 5; i++)
            futures[i] = submit_shared(&shared, "map", 0);
        for (int i = 0; i < 5; i++)
            assert_int_equal(take_code(futures[i]), 0);
        close_shared(&shared);
    }
}

static void a_task_that_fills_the_queue_of_its_only_worker_is_told_so(void **state)
{
    (void)state;
    struct shared shared;
    open_shared(&shared, 1, 1);
    assert_int_equal(take_code(submit_shared(&shared, "full", 0)), 0);
    assert_int_equal(atomic_load(&shared.codes[0]), -EDEADLK);
    close_shared(&shared);
}

static atomic_int callback_codes[4];

/* A callback on the supervisor's thread: nothing would move while it waited. */
static void wait_in_callback(struct pool_future *future, void *data)
{
    struct pool *pool = data;
    struct pool_future *other = NULL;
    atomic_store(&callback_codes[0], pool_future_result(future, -1, NULL));
    if (pool_submit(pool, "write_late", NULL, NULL, &other) < 0)
        return;
    atomic_store(&callback_codes[1], pool_future_result(other, -1, NULL));
    atomic_store(&callback_codes[2], pool_join(pool, 0));
    atomic_store(&callback_codes[3], pool_free(pool) == pool);
    pool_future_free(other);
}

static void a_callback_may_do_anything_but_wait(void **state)
{
    (void)state;
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool = NULL;
    struct gate gate = gate_open();
    options.workers = 2;
    assert_int_equal(pool_create(&options, &pool), 0);
    struct pool_future *future = gate_submit(&gate, pool, NULL);
    pool_future_add_done_callback(future, wait_in_callback, pool);
    gate_release(&gate);
    assert_int_equal(take_code(future), 0);
    while (atomic_load(&callback_codes[3]) == 0) /* the result is there before the callback runs */
        poll(NULL, 0, 1);
    pool_free(pool);
    assert_int_equal(atomic_load(&callback_codes[0]), 0);
    assert_int_equal(atomic_load(&callback_codes[1]), -EDEADLK);
    assert_int_equal(atomic_load(&callback_codes[2]), -EDEADLK);
    assert_int_equal(atomic_load(&callback_codes[3]), 1);
}

static void join_in_callback(struct pool_future *future, void *data)
{
    struct pool *pool = data;
    struct pool_future *other = submit_int(pool, "square", 3);
    (void)future;
    atomic_store(&callback_codes[1], pool_future_result(other, -1, NULL));
    pool_future_free(other);
    pool_close(pool);
    atomic_store(&callback_codes[2], pool_join(pool, -1));
    atomic_store(&callback_codes[3], pool_free(pool) == pool);
}

/* It runs here, and the pool's end waits for it. */
static void a_callback_in_a_canceller_may_wait_for_futures_but_not_for_the_end(void **state)
{
    (void)state;
    for (int b = POOL_BACKEND_PROCESS; b <= POOL_BACKEND_THREAD; b++) {
        struct pool *pool = pool_of((enum pool_backend)b, 2);
        struct gate gate = gate_open();
        struct pool_future *running[2], *queued;
        for (int i = 0; i < 2; i++) {
            running[i] = gate_submit(&gate, pool, NULL);
            wait_until_running(running[i]);
        }
        queued = submit_int(pool, "square", 2);
        pool_future_add_done_callback(queued, join_in_callback, pool);
        gate_release(&gate); /* so that what the callback submits can run */
        const int r = pool_future_cancel(queued, false);
        assert_true(r == 0 || r == -EALREADY || r == -EBUSY);
        pool_future_result(queued, -1, NULL);
        while (atomic_load(&callback_codes[3]) == 0)
            poll(NULL, 0, 1);
        assert_true(atomic_load(&callback_codes[1]) == 0 ||
                    atomic_load(&callback_codes[1]) == -EDEADLK);
        assert_int_equal(atomic_load(&callback_codes[2]), -EDEADLK);
        assert_int_equal(atomic_load(&callback_codes[3]), 1);
        atomic_store(&callback_codes[3], 0);
        for (int i = 0; i < 2; i++)
            assert_int_equal(take_code(running[i]), 0);
        pool_future_free(queued);
        pool_free(pool);
    }
}

static void pools_may_be_nested_but_not_for_ever(void **state)
{
    (void)state;
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool = NULL;
    struct pool_future *future;
    options.workers = 1;
    assert_int_equal(pool_create(&options, &pool), 0);
    assert_int_equal(pool_apply(pool, "nest", NULL, NULL, &future), 0);
    assert_int_equal(take_int(future), POOL_NESTING_MAX);
    pool_free(pool);
}

static int in_the_child(struct pool *pool, struct pool_future *pending, struct pool_future *done)
{
    struct pool_stats stats;
    struct pool_future *future;
    struct pool_results *results;
    struct pool_bytes value;
    const struct pool_item item = {0};
    return pool_submit(pool, "square", NULL, NULL, &future) == -ESTALE &&
           pool_apply(pool, "square", NULL, NULL, &future) == -ESTALE &&
           pool_map(pool, "square", &item, 1, NULL, &results) == -ESTALE &&
           pool_future_result(pending, -1, NULL) == -ESTALE &&
           pool_wait(&pending, 1, POOL_ALL_COMPLETED, -1) == -ESTALE &&
           pool_future_cancel(pending, true) == -ESTALE && !pool_future_running(pending) &&
           pool_future_result(done, -1, &value) == 0 && pool_stats(pool, &stats) == -ESTALE &&
           pool_worker_stats(pool, NULL, 0) == -ESTALE && pool_resize(pool, 1) == -ESTALE &&
           pool_completion_fd(pool) == -ESTALE && pool_join(pool, -1) == -ESTALE &&
           pool_shutdown(pool, POOL_SHUTDOWN_WAIT) == -ESTALE && !pool_free(pool);
}

static void a_forked_child_can_neither_use_nor_harm_its_parents_pool(void **state)
{
    (void)state;
    for (int b = POOL_BACKEND_PROCESS; b <= POOL_BACKEND_THREAD; b++) {
        struct pool_options options = {.backend = (enum pool_backend)b, .workers = 2};
        struct pool *pool = NULL;
        struct gate gate = gate_open();
        int status;
        assert_int_equal(pool_create(&options, &pool), 0);
        struct pool_future *pending = gate_submit(&gate, pool, NULL);
        struct pool_future *done = submit_int(pool, "square", 5);
        pool_future_result(done, -1, NULL);
        const pid_t child = fork();
        if (child == 0) {
            int good = in_the_child(pool, pending, done);
#ifndef __SANITIZE_THREAD__ /* it does not like threads that start after a fork */
            if (good) {     /* and it may have pools of its own */
                pool = pool_of((enum pool_backend)b, 1);
                good = pool_submit(pool, "square", NULL, NULL, NULL) == 0;
                pool_free(pool);
            }
#endif
            _exit(good ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_int_equal(take_int(submit_int(pool, "square", 6)), 36);
        gate_release(&gate);
        assert_int_equal(take_code(pending), 0);
        pool_future_free(done);
        pool_free(pool);
    }
}

/* A task that leaves a mark when it has run. */
static void run_and_leave(enum pool_backend backend, const char *path)
{
    char *argv[] = {(char *)"program", NULL};
    const struct pool_options options = {.backend = backend, .workers = 1};
    struct pool *pool = NULL;
    const int64_t ms = 100;
    const struct pool_bytes fields[] = {{&ms, sizeof(ms)}, {path, strlen(path)}};
    const struct pool_item item = {.fields = fields, .field_count = 2};
    if (pool_main(1, argv, &pool_test_tasks) < 0 || pool_create(&options, &pool) < 0 ||
        pool_submit(pool, "mark_late", &item, NULL, NULL) < 0 || pool_shutdown(pool, 0) < 0)
        _exit(3);
    exit(access(path, F_OK) == 0 ? 4 : 0);
}

/* pool_main()'s epilogue. */
static void the_end_of_the_program_waits_for_pools_that_were_shut_down(void **state)
{
    (void)state;
    for (int b = POOL_BACKEND_PROCESS; b <= POOL_BACKEND_THREAD; b++) {
        char path[256];
        int status;
        snprintf(path, sizeof(path), "%s/mark-%d", test_scratch(), b);
        const pid_t child = fork();
        if (child == 0)
            run_and_leave((enum pool_backend)b, path);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_int_equal(access(path, F_OK), 0);
    }
}

static const struct test_case tests[] = {
    TEST(waits_may_nest_deeper_than_the_pool),
    TEST(a_waiter_helps_with_nothing_but_what_it_waits_for),
    TEST(tasks_that_wait_for_each_other_are_told_so),
    TEST(a_task_that_waits_for_itself_is_told_so),
    TEST(a_task_may_map_over_its_own_pool),
    TEST(a_task_that_fills_the_queue_of_its_only_worker_is_told_so),
    TEST(a_callback_may_do_anything_but_wait),
    TEST(a_callback_in_a_canceller_may_wait_for_futures_but_not_for_the_end),
    TEST(pools_may_be_nested_but_not_for_ever),
    TEST(a_forked_child_can_neither_use_nor_harm_its_parents_pool),
    TEST(the_end_of_the_program_waits_for_pools_that_were_shut_down),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &pool_test_tasks) < 0)
        return 2;
    return test_run("inside", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
