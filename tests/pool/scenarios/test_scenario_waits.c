/* Scenarios 5 and 6: waiting where one must not, in tasks and in callbacks. */
#include "scenario_support.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* ---- 5: waits nested deeper than the pool -------------------------------------------------- */

/* Only threads can wait for their own pool from within a task: in a worker process there is no
 * handle of it. What a process pool has instead are callbacks; they come further down. */

static struct pool_future *submit_order(struct pool *pool, const char *task,
                                        const struct order *order)
{
    const struct pool_bytes field = {order, sizeof(*order)};
    const struct pool_item item = {.fields = &field, .field_count = 1};
    struct pool_future *future = NULL;
    return pool_submit(pool, task, &item, NULL, &future) == 0 ? future : NULL;
}

/* The result is a * levels below: itself and whatever it waited for. b: how to wait. */
enum way { BY_RESULT, BY_APPLY, BY_WAIT, BY_COMPLETED, BY_MAP, BY_IMAP, WAYS };

static int wait_by_result(struct pool *pool, const struct order *below,
                          struct pool_bytes *ret_value, struct pool_future **ret_future)
{
    struct pool_future *future = submit_order(pool, "nest", below);
    struct pool_completed *completed = NULL;
    struct pool_future *same = NULL;
    if (!future)
        return -ENOMEM;
    *ret_future = future;
    if (below->b == BY_WAIT && pool_wait(&future, 1, POOL_ALL_COMPLETED, -1) != 1)
        return -EDEADLK;
    if (below->b == BY_COMPLETED) {
        int r = pool_as_completed(&future, 1, -1, &completed);
        if (r == 0 && pool_completed_next(completed, &same) == 1 && same != future)
            r = -EFAULT;
        pool_completed_free(completed);
        if (r < 0)
            return r;
    }
    return pool_future_result(future, -1, ret_value);
}

static int wait_by_map(struct pool *pool, const struct order *below, struct pool_bytes *ret_value,
                       struct pool_future **ret_future)
{
    struct pool_bytes fields[2] = {{below, sizeof(*below)}, {below, sizeof(*below)}};
    const struct order leaf = {.pointer = pool};
    struct pool_item items[2] = {{.fields = &fields[0], .field_count = 1},
                                 {.fields = &fields[1], .field_count = 1}};
    struct pool_results *results;
    fields[1] = (struct pool_bytes){&leaf, sizeof(leaf)}; /* else it would double at each level */
    int r = pool_map(pool, "nest", items, 2, NULL, &results);
    if (r < 0)
        return r;
    *ret_future = pool_future_ref(pool_results_at(results, 0));
    r = pool_future_result(*ret_future, 0, ret_value);
    pool_results_free(results);
    return r;
}

struct one_item {
    struct pool_bytes field;
    bool given;
};

static int give_one(void *data, struct pool_item *ret_item)
{
    struct one_item *one = data;
    if (one->given)
        return 0;
    one->given = true;
    ret_item->fields = &one->field;
    ret_item->field_count = 1;
    return 1;
}

static int wait_by_imap(struct pool *pool, const struct order *below, struct pool_bytes *ret_value,
                        struct pool_future **ret_future)
{
    struct one_item one = {.field = {below, sizeof(*below)}};
    struct pool_iter *iter;
    int r = pool_imap(pool, "nest", give_one, &one, NULL, &iter);
    if (r < 0)
        return r;
    r = pool_iter_next(iter, -1, ret_future);
    pool_iter_free(iter);
    return r == 1 ? pool_future_result(*ret_future, 0, ret_value) : r < 0 ? r : -ENODATA;
}

static int task_nest(struct pool_call *call)
{
    const struct order order = order_of(call);
    struct order below = order;
    struct pool_future *future = NULL;
    struct pool_bytes value = {0};
    int64_t levels = 0;
    int r = 0;
    below.a--;
    if (order.a > 0) {
        if (order.b == BY_MAP)
            r = wait_by_map(order.pointer, &below, &value, &future);
        else if (order.b == BY_IMAP)
            r = wait_by_imap(order.pointer, &below, &value, &future);
        else if (order.b == BY_APPLY) {
            const struct pool_bytes field = {&below, sizeof(below)};
            const struct pool_item item = {.fields = &field, .field_count = 1};
            r = pool_apply(order.pointer, "nest", &item, NULL, &future);
            r = r < 0 ? r : pool_future_result(future, 0, &value);
        } else {
            r = wait_by_result(order.pointer, &below, &value, &future);
        }
        if (r == 0 && value.size_bytes == sizeof(levels))
            memcpy(&levels, value.data, sizeof(levels));
        pool_future_free(future);
    }
    levels++;
    return r < 0 ? pool_call_fail(call, r, "at level %d", (int)order.a)
                 : pool_call_write(call, &levels, sizeof(levels));
}

static int64_t levels_of(struct pool_future *future)
{
    struct pool_bytes value;
    struct pool_error error;
    int64_t levels = 0;
    int r = pool_future_result(future, -1, &value);
    if (r < 0 && pool_future_error(future, &error) == 0)
        fail_msg("%d (%d): %s", r, error.task_code, error.message);
    memcpy(&levels, value.data, sizeof(levels));
    pool_future_free(future);
    return levels;
}

static void scenario_05_waits_may_nest_deeper_than_the_pool_has_workers(void **state)
{
    (void)state;
    enum { DEPTH = 20, ROOTS = 6 };
    for (unsigned workers = 1; workers <= 4; workers++) {
        for (int way = BY_RESULT; way < WAYS; way++) {
            struct pool *pool = scenario_pool_of(POOL_BACKEND_THREAD, workers);
            const struct order order = {.a = DEPTH, .b = way, .pointer = pool};
            struct pool_future *roots[ROOTS];
            printf("%u workers, way %d\n", workers, way);
            for (int i = 0; i < ROOTS; i++) {
                roots[i] = submit_order(pool, "nest", &order);
                assert_non_null(roots[i]);
            }
            for (int i = 0; i < ROOTS; i++)
                assert_int_equal(levels_of(roots[i]), DEPTH + 1);
            pool_free(pool);
        }
    }
}

/* A task that waits while it holds a mutex, and another, first in the queue, that wants it. */
struct locked {
    struct pool *pool;
    pthread_mutex_t mutex;
    sem_t held, go;
    struct pool_future *awaited;
    int code, taken;
};

static int task_holder(struct pool_call *call)
{
    struct locked *locked = order_of(call).pointer;
    const struct order order = {.a = 3};
    pthread_mutex_lock(&locked->mutex);
    sem_post(&locked->held);
    stage_wait(&locked->go, 1);
    locked->awaited = submit_order(locked->pool, "square", &order);
    locked->code = pool_future_result(locked->awaited, -1, NULL);
    pthread_mutex_unlock(&locked->mutex);
    return 0;
}

static int task_wants_mutex(struct pool_call *call)
{
    struct locked *locked = order_of(call).pointer;
    int r = -pthread_mutex_lock(&locked->mutex); /* errorcheck: -EDEADLK if this thread has it */
    if (r < 0)
        return r;
    locked->taken++;
    pthread_mutex_unlock(&locked->mutex);
    return 0;
}

static void scenario_05_a_waiting_task_that_holds_a_mutex_runs_no_unrelated_task(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 3; workers++) {
        struct locked locked = {.pool = scenario_pool_of(POOL_BACKEND_THREAD, workers)};
        const struct order order = {.pointer = &locked};
        struct pool_future *unrelated[6];
        pthread_mutexattr_t attr;
        pthread_mutexattr_init(&attr);
        pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
        pthread_mutex_init(&locked.mutex, &attr);
        sem_init(&locked.held, 0, 0);
        sem_init(&locked.go, 0, 0);
        struct pool_future *holder = submit_order(locked.pool, "holder", &order);
        stage_wait(&locked.held, 1);
        for (int i = 0; i < 6; i++)
            unrelated[i] = submit_order(locked.pool, "wants_mutex", &order);
        sem_post(&locked.go);
        /* With several workers the others may all sit on the mutex: then too nobody but the
         * holder can run what it waits for. */
        assert_int_equal(scenario_take(holder), 0);
        assert_int_equal(locked.code, 0);
        for (int i = 0; i < 6; i++)
            assert_int_equal(scenario_take(unrelated[i]), 0);
        assert_int_equal(locked.taken, 6);
        pool_future_free(locked.awaited);
        pool_free(locked.pool);
        pthread_mutex_destroy(&locked.mutex);
        pthread_mutexattr_destroy(&attr);
    }
}

/* Tasks that wait for each other in a ring: number i for number i + 1. */
struct ring {
    sem_t ready; /* all futures are known */
    int timeout_ms;
    bool by_wait;
    struct pool_future *futures[4];
    int codes[4];
};

static int task_ring(struct pool_call *call)
{
    const struct order order = order_of(call);
    struct ring *ring = order.pointer;
    struct pool_future *awaited;
    stage_wait(&ring->ready, 1);
    awaited = ring->futures[order.b];
    int r = ring->by_wait ? pool_wait(&awaited, 1, POOL_ALL_COMPLETED, ring->timeout_ms)
                          : pool_future_result(awaited, ring->timeout_ms, NULL);
    ring->codes[order.a] = r == 1 ? 0 : r;
    return 0;
}

static void run_ring(unsigned workers, int count, int timeout_ms, bool by_wait)
{
    struct pool *pool = scenario_pool_of(POOL_BACKEND_THREAD, workers);
    struct ring ring = {.timeout_ms = timeout_ms, .by_wait = by_wait};
    int dead = 0;
    sem_init(&ring.ready, 0, 0);
    for (int i = 0; i < count; i++) {
        const struct order order = {.a = i, .b = (i + 1) % count, .pointer = &ring};
        ring.codes[i] = 1;
        ring.futures[i] = submit_order(pool, "ring", &order);
        assert_non_null(ring.futures[i]);
    }
    stage_post(&ring.ready, count);
    for (int i = 0; i < count; i++)
        assert_int_equal(pool_future_result(ring.futures[i], -1, NULL), 0);
    for (int i = 0; i < count; i++) {
        printf("%u workers, ring of %d, timeout %d: %d\n", workers, count, timeout_ms,
               ring.codes[i]);
        assert_true(ring.codes[i] == 0 || ring.codes[i] == -EDEADLK ||
                    (timeout_ms >= 0 && ring.codes[i] == -ETIMEDOUT));
        dead += ring.codes[i] < 0;
    }
    assert_true(dead >= 1);
    scenario_check_alive(pool);
    for (int i = 0; i < count; i++)
        pool_future_free(ring.futures[i]);
    pool_free(pool);
}

static void scenario_05_tasks_that_wait_in_a_ring_get_edeadlk(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 4; workers++)
        for (int count = 1; count <= 4; count++)
            for (int by_wait = 0; by_wait < 2; by_wait++)
                run_ring(workers, count, -1, by_wait);
}

static void scenario_05_waits_with_a_timeout_in_a_ring_end(void **state)
{
    (void)state;
    run_ring(2, 2, 30, false);
    run_ring(1, 1, 30, false);
    run_ring(1, 2, 30, true);
    run_ring(2, 3, 0, false);
}

/* A task that fills the queue of its own pool: nobody but itself could make room. */
static int task_flood(struct pool_call *call)
{
    const struct order order = order_of(call);
    int64_t accepted = 0;
    for (int i = 0; i < 20; i++) {
        int r = pool_submit(order.pointer, "square", NULL, NULL, NULL);
        if (r < 0 && r != -EDEADLK)
            return r;
        accepted += r == 0;
    }
    return pool_call_write(call, &accepted, sizeof(accepted));
}

static void scenario_05_a_task_that_fills_its_own_pools_queue_does_not_hang(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 2; workers++) {
        struct pool_options options = {.backend = POOL_BACKEND_THREAD, .workers = workers};
        options.queue_max = 2;
        struct pool *pool = scenario_pool(&options);
        struct pool_stats stats;
        struct pool_future *floods[4];
        const struct order order = {.pointer = pool};
        int64_t accepted = 0;
        for (int i = 0; i < 4; i++) {
            floods[i] = submit_order(pool, "flood", &order);
            assert_non_null(floods[i]);
        }
        for (int i = 0; i < 4; i++)
            accepted += levels_of(floods[i]);
        pool_close(pool);
        assert_int_equal(pool_join(pool, -1), 0);
        assert_int_equal(pool_stats(pool, &stats), 0);
        assert_int_equal(stats.done, 4 + accepted);
        assert_true(accepted >= 2);
        pool_free(pool);
    }
}

/* ---- 6: callbacks -------------------------------------------------------------------------- */

/* What a callback does, and what came of it. Written before `called` is posted. */
struct probe {
    struct pool *pool;
    struct pool_future *other; /* queued behind the future whose callback it is */
    struct pool_future *submitted[16];
    int codes[16];
    int count;
    struct pool *freed;
    sem_t called;
};

typedef void (*check_fn)(struct probe *probe, struct ledger *ledger);

/* One worker is held, the callback added, then the worker let go. */
static void run_callback(enum pool_backend backend, size_t queue_max, pool_done_fn callback,
                         check_fn check)
{
    struct stage *stage = stage_open();
    struct pool_options options = {.backend = backend, .workers = 1, .queue_max = queue_max};
    struct probe probe = {.pool = scenario_pool(&options)};
    struct ledger ledger;
    sem_init(&probe.called, 0, 0);
    ledger_init(&ledger, 18);
    ledger_add(&ledger, probe.pool, "hold", 0, 0);
    stage_wait(&stage->started, 1);
    ledger_add(&ledger, probe.pool, "square", 5, 0);
    probe.other = ledger.entries[1].future;
    assert_int_equal(pool_future_add_done_callback(ledger.entries[0].future, callback, &probe), 0);
    stage_post(&stage->go, 1);
    stage_wait(&probe.called, 1);
    ledger_settle(&ledger);
    check(&probe, &ledger);
    for (int i = 0; i < 16; i++)
        if (probe.submitted[i])
            assert_int_equal(ledger_enter(&ledger, probe.submitted[i], -1), 0);
    ledger_settle(&ledger);
    assert_null(pool_free(probe.pool));
    ledger_done(&ledger);
}

static void submit_many(struct pool_future *future, void *data)
{
    struct probe *probe = data;
    (void)future;
    for (int i = 0; i < 16; i++)
        probe->codes[i] = pool_submit(probe->pool, "pid", NULL, NULL, &probe->submitted[i]);
    sem_post(&probe->called);
}

static void check_submits(struct probe *probe, struct ledger *ledger)
{
    assert_int_equal(ledger_count(ledger, 0), 2);
    for (int i = 0; i < 16; i++) {
        assert_int_equal(probe->codes[i], 0);
        assert_int_equal(pool_future_result(probe->submitted[i], -1, NULL), 0);
    }
}

static void scenario_06_a_callback_may_submit(enum pool_backend backend)
{
    run_callback(backend, 0, submit_many, check_submits);
}
ON_BOTH_BACKENDS(scenario_06_a_callback_may_submit)

static void check_submits_or_deadlock(struct probe *probe, struct ledger *ledger)
{
    int accepted = 0;
    assert_int_equal(ledger_count(ledger, 0), 2);
    for (int i = 0; i < 16; i++) {
        assert_true(probe->codes[i] == 0 || probe->codes[i] == -EDEADLK);
        accepted += probe->codes[i] == 0;
        if (probe->codes[i] == 0)
            assert_int_equal(pool_future_result(probe->submitted[i], -1, NULL), 0);
    }
    assert_true(accepted > 0);
    printf("%d accepted\n", accepted);
}

static void
scenario_06_a_callback_that_submits_to_a_full_queue_does_not_hang(enum pool_backend backend)
{
    run_callback(backend, 2, submit_many, check_submits_or_deadlock);
}
ON_BOTH_BACKENDS(scenario_06_a_callback_that_submits_to_a_full_queue_does_not_hang)

static void cancel_other(struct pool_future *future, void *data)
{
    struct probe *probe = data;
    (void)future;
    probe->codes[0] = pool_future_cancel(probe->other, false);
    probe->codes[1] = pool_future_cancel(future, true); /* itself: it is done */
    sem_post(&probe->called);
}

static void check_cancel(struct probe *probe, struct ledger *ledger)
{
    const int r = probe->codes[0];
    assert_true(r == 0 || r == -EBUSY || r == -EALREADY);
    assert_int_equal(ledger->entries[1].code, r == 0 ? -ECANCELED : 0);
    assert_int_equal(probe->codes[1], -EALREADY);
    assert_int_equal(ledger->entries[0].code, 0);
}

static void scenario_06_a_callback_may_cancel(enum pool_backend backend)
{
    run_callback(backend, 0, cancel_other, check_cancel);
}
ON_BOTH_BACKENDS(scenario_06_a_callback_may_cancel)

static void wait_for_itself(struct pool_future *future, void *data)
{
    struct probe *probe = data;
    probe->codes[0] = pool_future_result(future, -1, NULL);
    probe->codes[1] = pool_wait(&future, 1, POOL_ALL_COMPLETED, -1);
    probe->codes[2] = pool_future_done(future);
    sem_post(&probe->called);
}

static void check_wait_for_itself(struct probe *probe, struct ledger *ledger)
{
    assert_int_equal(probe->codes[0], 0);
    assert_int_equal(probe->codes[1], 1);
    assert_int_equal(probe->codes[2], 1);
    assert_int_equal(ledger_count(ledger, 0), 2);
}

static void
scenario_06_a_callback_that_waits_for_its_own_future_returns_at_once(enum pool_backend backend)
{
    run_callback(backend, 0, wait_for_itself, check_wait_for_itself);
}
ON_BOTH_BACKENDS(scenario_06_a_callback_that_waits_for_its_own_future_returns_at_once)

static void wait_for_another(struct pool_future *future, void *data)
{
    struct probe *probe = data;
    (void)future;
    int r = pool_wait(&probe->other, 1, POOL_ALL_COMPLETED, -1);
    probe->codes[0] = r == 1 ? 0 : r;
    probe->codes[1] = pool_future_result(probe->other, -1, NULL);
    probe->codes[2] = pool_apply(probe->pool, "pid", NULL, NULL, &probe->submitted[0]);
    if (probe->codes[2] == 0)
        probe->codes[2] = pool_future_result(probe->submitted[0], -1, NULL);
    struct pool_iter *iter;
    struct one_item one = {0};
    probe->codes[3] = pool_imap(probe->pool, "pid", give_one, &one, NULL, &iter);
    if (probe->codes[3] == 0) {
        r = pool_iter_next(iter, -1, &probe->submitted[1]);
        probe->codes[3] = r == 1 ? 0 : r;
        pool_iter_free(iter);
    }
    sem_post(&probe->called);
}

static void check_progress_or_deadlock(struct probe *probe, struct ledger *ledger)
{
    for (int i = 0; i < 4; i++) {
        printf("%d\n", probe->codes[i]);
        assert_true(probe->codes[i] == 0 || probe->codes[i] == -EDEADLK);
    }
    assert_int_equal(ledger_count(ledger, 0), 2);
}

/* Scenario 5 as well, for processes: the callback runs in the one thread on which all depends. */
static void
scenario_06_a_callback_that_waits_for_others_progresses_or_gets_edeadlk(enum pool_backend backend)
{
    run_callback(backend, 0, wait_for_another, check_progress_or_deadlock);
}
ON_BOTH_BACKENDS(scenario_06_a_callback_that_waits_for_others_progresses_or_gets_edeadlk)

static void scenario_05_waits_in_callbacks_of_a_process_pool_never_hang(void **state)
{
    (void)state;
    run_callback(POOL_BACKEND_PROCESS, 1, wait_for_another, check_progress_or_deadlock);
}

static void close_the_pool(struct pool_future *future, void *data)
{
    struct probe *probe = data;
    (void)future;
    pool_close(probe->pool);
    probe->codes[0] = pool_submit(probe->pool, "pid", NULL, NULL, NULL);
    probe->codes[1] = pool_join(probe->pool, -1);
    probe->codes[2] = pool_shutdown(probe->pool, POOL_SHUTDOWN_WAIT);
    probe->freed = pool_free(probe->pool);
    sem_post(&probe->called);
}

static void check_closed(struct probe *probe, struct ledger *ledger)
{
    assert_int_equal(probe->codes[0], -ESHUTDOWN);
    assert_int_equal(probe->codes[1], -EDEADLK);
    assert_int_equal(probe->codes[2], -EDEADLK);
    assert_ptr_equal(probe->freed, probe->pool);
    assert_int_equal(ledger_count(ledger, 0), 2);
}

static void
scenario_06_a_callback_may_close_the_pool_but_not_wait_for_its_end(enum pool_backend backend)
{
    run_callback(backend, 0, close_the_pool, check_closed);
}
ON_BOTH_BACKENDS(scenario_06_a_callback_may_close_the_pool_but_not_wait_for_its_end)

static void terminate_the_pool(struct pool_future *future, void *data)
{
    struct probe *probe = data;
    (void)future;
    pool_terminate(probe->pool);
    probe->codes[0] = pool_submit(probe->pool, "pid", NULL, NULL, NULL);
    probe->codes[1] = pool_future_done(probe->other);
    probe->codes[2] = pool_join(probe->pool, -1);
    sem_post(&probe->called);
}

static void check_terminated(struct probe *probe, struct ledger *ledger)
{
    const int code = ledger->entries[1].code;
    assert_int_equal(probe->codes[0], -ESHUTDOWN);
    assert_int_equal(probe->codes[1], 1);
    assert_int_equal(probe->codes[2], -EDEADLK);
    assert_int_equal(ledger->entries[0].code, 0);
    assert_true(code == 0 || code == -ECANCELED); /* it may have been faster */
}

static void scenario_06_a_callback_may_terminate_the_pool(enum pool_backend backend)
{
    run_callback(backend, 0, terminate_the_pool, check_terminated);
}
ON_BOTH_BACKENDS(scenario_06_a_callback_may_terminate_the_pool)

/* A callback adds another to the same future, which is called at once, and that one lets go of a
 * reference; then it submits its successor. */
struct chain {
    struct pool *pool;
    int left;
    atomic_int called, nested, refused;
    sem_t over;
};

static void chain_nested(struct pool_future *future, void *data)
{
    struct chain *chain = data;
    atomic_fetch_add(&chain->nested, 1);
    pool_future_free(future); /* the reference that pool_submit() gave */
}

static void chain_next(struct pool_future *future, void *data)
{
    struct chain *chain = data;
    struct pool_future *next;
    atomic_fetch_add(&chain->called, 1);
    if (pool_future_add_done_callback(future, chain_nested, chain) < 0)
        atomic_fetch_add(&chain->refused, 1);
    if (chain->left-- > 0 && pool_submit(chain->pool, "pid", NULL, NULL, &next) == 0 &&
        pool_future_add_done_callback(next, chain_next, chain) == 0)
        return;
    sem_post(&chain->over);
}

static void scenario_06_callbacks_may_go_on_submitting_from_one_another(enum pool_backend backend)
{
    stage_open();
    struct chain chain = {.pool = scenario_pool_of(backend, 2)};
    const int length = scenario_size(200, 40);
    struct pool_stats stats;
    chain.left = length - 1;
    sem_init(&chain.over, 0, 0);
    struct pool_future *first = scenario_submit(chain.pool, "square", 1, 0);
    assert_int_equal(pool_future_add_done_callback(first, chain_next, &chain), 0);
    stage_wait(&chain.over, 1);
    pool_close(chain.pool);
    assert_int_equal(pool_join(chain.pool, -1), 0);
    assert_int_equal(pool_stats(chain.pool, &stats), 0);
    assert_int_equal(stats.done, length);
    assert_null(pool_free(chain.pool));
    assert_int_equal(atomic_load(&chain.called), length);
    assert_int_equal(atomic_load(&chain.nested), length);
    assert_int_equal(atomic_load(&chain.refused), 0);
}
ON_BOTH_BACKENDS(scenario_06_callbacks_may_go_on_submitting_from_one_another)

/* ---- The program --------------------------------------------------------------------------- */

static const struct pool_task list[] = {
    SCENARIO_TASKS,          {"nest", task_nest},
    {"holder", task_holder}, {"wants_mutex", task_wants_mutex},
    {"ring", task_ring},     {"flood", task_flood},
};
static const struct pool_tasks tasks = {list, sizeof(list) / sizeof(list[0])};

static const struct test_case tests[] = {
    TEST(scenario_05_waits_may_nest_deeper_than_the_pool_has_workers),
    TEST(scenario_05_a_waiting_task_that_holds_a_mutex_runs_no_unrelated_task),
    TEST(scenario_05_tasks_that_wait_in_a_ring_get_edeadlk),
    TEST(scenario_05_waits_with_a_timeout_in_a_ring_end),
    TEST(scenario_05_a_task_that_fills_its_own_pools_queue_does_not_hang),
    TEST(scenario_05_waits_in_callbacks_of_a_process_pool_never_hang),
    TEST_ON_BOTH(scenario_06_a_callback_may_submit),
    TEST_ON_BOTH(scenario_06_a_callback_that_submits_to_a_full_queue_does_not_hang),
    TEST_ON_BOTH(scenario_06_a_callback_may_cancel),
    TEST_ON_BOTH(scenario_06_a_callback_that_waits_for_its_own_future_returns_at_once),
    TEST_ON_BOTH(scenario_06_a_callback_that_waits_for_others_progresses_or_gets_edeadlk),
    TEST_ON_BOTH(scenario_06_a_callback_may_close_the_pool_but_not_wait_for_its_end),
    TEST_ON_BOTH(scenario_06_a_callback_may_terminate_the_pool),
    TEST_ON_BOTH(scenario_06_callbacks_may_go_on_submitting_from_one_another),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &tasks) < 0)
        return 2;
    return test_run("scenario_waits", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
