/* Scenarios 11, 12 and 13: closing, cancelling and giving up, each at the very moment when it may
 * matter. */
#include "scenario_support.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- 11: submit from many threads while another closes ------------------------------------- */

enum { SUBMITTERS = 4, ROOM = 3000, END_CLOSE = 4, END_TERMINATE, ENDS };

struct submitter {
    struct pool *pool;
    struct ledger ledger;
    bool nonblocking;
    int64_t first_index;
    int64_t unrecorded; /* accepted, when the ledger was full */
    int code;           /* that made it end */
    pthread_barrier_t *start;
    pthread_t thread;
};

static void *submit_until_refused(void *data)
{
    struct submitter *self = data;
    const struct pool_submit_options options = {.nonblocking = self->nonblocking};
    pthread_barrier_wait(self->start);
    for (int r = 0; r >= 0 || r == -EAGAIN;) {
        const struct order order = {.index = self->first_index + (int64_t)self->ledger.count,
                                    .a = 3};
        if (self->ledger.count < self->ledger.room) {
            r = ledger_submit(&self->ledger, self->pool, "square", &order, NULL, &options);
        } else {
            r = pool_submit(self->pool, "pid", NULL, &options, NULL);
            self->unrecorded += r == 0;
        }
        self->code = r;
    }
    return NULL;
}

static void end_the_pool(struct pool *pool, int how)
{
    if (how == END_CLOSE)
        pool_close(pool);
    else if (how == END_TERMINATE)
        pool_terminate(pool);
    else
        assert_int_equal(pool_shutdown(pool, (unsigned)how), 0);
}

static void check_submitters(struct submitter *submitters, const struct stage *stage,
                             struct pool *pool, int how)
{
    const bool cancels =
        how == END_TERMINATE || (how != END_CLOSE && (how & POOL_SHUTDOWN_CANCEL) != 0);
    struct pool_stats stats;
    uint64_t accepted = 0;
    for (int i = 0; i < SUBMITTERS; i++) {
        struct submitter *self = &submitters[i];
        assert_int_equal(self->code, -ESHUTDOWN);
        ledger_settle(&self->ledger);
        accepted += (uint64_t)self->unrecorded + self->ledger.count;
        for (size_t k = 0; k < self->ledger.count; k++) {
            const struct ledger_entry *entry = &self->ledger.entries[k];
            const int runs = atomic_load(&stage->runs[entry->index]);
            assert_true(entry->code == 0 || (cancels && entry->code == -ECANCELED));
            assert_in_range(runs, entry->code == 0 ? 1 : 0,
                            how == END_TERMINATE ? 1 : !entry->code);
        }
    }
    assert_int_equal(pool_join(pool, -1), 0);
    assert_int_equal(pool_stats(pool, &stats), 0);
    assert_int_equal(stats.submitted, accepted);
    assert_int_equal(stats.done + stats.cancelled, accepted);
    assert_int_equal(stats.failed, 0);
    printf("%d accepted, %d cancelled\n", (int)accepted, (int)stats.cancelled);
}

static void scenario_11_threads_submit_while_another_ends_the_pool(enum pool_backend backend)
{
    struct stage *stage = stage_open();
    unsigned seed = scenario_seed();
    for (int how = 0; how < scenario_size(ENDS, ENDS); how++) {
        struct pool_options options = {.backend = backend, .workers = 2, .queue_max = 32};
        struct submitter submitters[SUBMITTERS];
        pthread_barrier_t start;
        struct pool *pool = scenario_pool(&options);
        pthread_barrier_init(&start, NULL, SUBMITTERS + 1);
        for (int i = 0; i < SUBMITTERS; i++) {
            submitters[i] = (struct submitter){.pool = pool, .start = &start};
            submitters[i].nonblocking = i == 0;
            submitters[i].first_index = i * ROOM;
            ledger_init(&submitters[i].ledger, ROOM);
            assert_int_equal(
                pthread_create(&submitters[i].thread, NULL, submit_until_refused, &submitters[i]),
                0);
        }
        for (int i = 0; i < SUBMITTERS * ROOM; i++)
            atomic_store(&stage->runs[i], 0);
        pthread_barrier_wait(&start);
        scenario_sleep_us(scenario_random(&seed, 8000));
        end_the_pool(pool, how % ENDS);
        for (int i = 0; i < SUBMITTERS; i++)
            assert_int_equal(pthread_join(submitters[i].thread, NULL), 0);
        check_submitters(submitters, stage, pool, how % ENDS);
        assert_null(pool_free(pool));
        for (int i = 0; i < SUBMITTERS; i++)
            ledger_done(&submitters[i].ledger);
        pthread_barrier_destroy(&start);
    }
}
ON_BOTH_BACKENDS(scenario_11_threads_submit_while_another_ends_the_pool)

/* ---- 12: cancel racing start --------------------------------------------------------------- */

enum { CANCELLERS = 2, BATCH = 12 };

/* Two threads cancel what the test submits, as soon as they see it. */
struct race {
    struct ledger *ledger;
    atomic_size_t visible; /* entries that may be cancelled */
    bool stop_running;
    size_t total;
    int *codes[CANCELLERS]; /* what each cancel returned */
};

struct canceller {
    struct race *race;
    int *codes;
    unsigned seed;
    pthread_t thread;
};

static void *cancel_all(void *data)
{
    struct canceller *self = data;
    for (size_t i = 0; i < self->race->total; i++) {
        while (atomic_load(&self->race->visible) <= i)
            scenario_sleep_us(20);
        if (scenario_random(&self->seed, 2))
            scenario_sleep_us(scenario_random(&self->seed, 120));
        self->codes[i] =
            pool_future_cancel(self->race->ledger->entries[i].future, self->race->stop_running);
    }
    return NULL;
}

static void check_cancels(const struct race *race, enum pool_backend backend,
                          const struct stage *stage)
{
    int cancelled = 0, busy = 0;
    for (size_t i = 0; i < race->total; i++) {
        const int code = race->ledger->entries[i].code, runs = atomic_load(&stage->runs[i]);
        bool success = false, told = false;
        for (int k = 0; k < CANCELLERS; k++) {
            const int r = race->codes[k][i];
            assert_true(
                r == 0 || r == -EALREADY || (r == -EBUSY && !race->stop_running) ||
                (r == -EINPROGRESS && race->stop_running && backend == POOL_BACKEND_THREAD));
            success = success || r == 0;
            told = told || r == -EINPROGRESS;
            busy += r == -EBUSY;
        }
        cancelled += success;
        /* A thread that was told just before it called the task need not call it. */
        const bool skipped = told && code == -ECANCELED && runs == 0;
        if (code != (success || skipped ? -ECANCELED : 0))
            fail_msg("future %zu ended with %d; the cancels returned %d and %d", i, code,
                     race->codes[0][i], race->codes[1][i]);
        assert_in_range(runs, code == 0 ? 1 : 0, code == 0 || race->stop_running ? 1 : 0);
    }
    printf("%d cancelled, %d busy\n", cancelled, busy);
}

static void race_cancels(enum pool_backend backend, bool stop_running, int batches)
{
    struct stage *stage = stage_open();
    struct pool *pool = scenario_pool_of(backend, 2);
    struct canceller cancellers[CANCELLERS];
    struct ledger ledger;
    struct race race = {.ledger = &ledger, .stop_running = stop_running};
    unsigned seed = scenario_seed();
    race.total = (size_t)batches * BATCH;
    ledger_init(&ledger, race.total);
    for (int i = 0; i < CANCELLERS; i++) {
        race.codes[i] = calloc(race.total, sizeof(int));
        cancellers[i] = (struct canceller){&race, race.codes[i], seed + (unsigned)i, 0};
        assert_int_equal(pthread_create(&cancellers[i].thread, NULL, cancel_all, &cancellers[i]),
                         0);
    }
    while (ledger.count < race.total) {
        ledger_add(&ledger, pool, "work", scenario_random(&seed, 100), 0);
        atomic_store(&race.visible, ledger.count);
        if (ledger.count % BATCH == 0)
            pool_future_result(ledger.entries[ledger.count - 1].future, -1, NULL);
    }
    for (int i = 0; i < CANCELLERS; i++)
        assert_int_equal(pthread_join(cancellers[i].thread, NULL), 0);
    ledger_settle(&ledger);
    check_cancels(&race, backend, stage);
    scenario_check_alive(pool);
    pool_free(pool);
    ledger_done(&ledger);
    for (int i = 0; i < CANCELLERS; i++)
        free(race.codes[i]);
}

static void scenario_12_a_cancelled_task_has_not_been_started(enum pool_backend backend)
{
    race_cancels(backend, false, scenario_size(50, 10));
}
ON_BOTH_BACKENDS(scenario_12_a_cancelled_task_has_not_been_started)

static void scenario_12_a_task_that_is_stopped_costs_no_other(enum pool_backend backend)
{
    race_cancels(backend, true, scenario_size(5, 2));
}
ON_BOTH_BACKENDS(scenario_12_a_task_that_is_stopped_costs_no_other)

/* ---- 13: timeout racing completion --------------------------------------------------------- */

static void scenario_13_a_wait_that_times_out_just_then_loses_nothing(enum pool_backend backend)
{
    struct stage *stage = stage_open();
    struct pool *pool = scenario_pool_of(backend, 2);
    struct ledger ledger;
    unsigned seed = scenario_seed();
    int timeouts = 0;
    const int count = scenario_size(60, 15);
    ledger_init(&ledger, (size_t)count);
    for (int i = 0; i < count; i++) {
        const int timeout_ms = (int)scenario_random(&seed, 3);
        struct pool_bytes value;
        int64_t index = -1;
        int r;
        ledger_add(&ledger, pool, "work",
                   timeout_ms * 1000 + (int)scenario_random(&seed, 400) - 200, 0);
        struct pool_future *future = ledger.entries[i].future;
        while ((r = i % 2 ? pool_future_result(future, timeout_ms, &value)
                          : pool_wait(&future, 1, POOL_ALL_COMPLETED, timeout_ms)) == -ETIMEDOUT) {
            timeouts++;
            scenario_sleep_us(timeout_ms == 0 ? 20 : 0);
        }
        assert_int_equal(r, i % 2 ? 0 : 1);
        assert_int_equal(pool_future_result(future, 0, &value), 0);
        memcpy(&index, value.data, sizeof(index));
        assert_int_equal(index, i);
        assert_int_equal(atomic_load(&stage->runs[i]), 1);
    }
    printf("%d timeouts\n", timeouts);
    ledger_finish(&ledger, pool);
}
ON_BOTH_BACKENDS(scenario_13_a_wait_that_times_out_just_then_loses_nothing)

/* work that gives up when told to */
static int task_polite(struct pool_call *call)
{
    const struct order order = order_of(call);
    order_note(&order);
    for (int64_t left_us = order.a; left_us > 0; left_us -= 100) {
        if (pool_call_cancelled(call))
            return -EINTR;
        scenario_sleep_us(left_us < 100 ? left_us : 100);
    }
    return pool_call_write(call, &order.index, sizeof(order.index));
}

static void scenario_13_a_deadline_that_passes_just_then_gives_one_answer(enum pool_backend backend)
{
    struct stage *stage = stage_open();
    struct pool *pool = scenario_pool_of(backend, 2);
    struct ledger ledger;
    unsigned seed = scenario_seed();
    const int rounds = scenario_size(25, 8);
    ledger_init(&ledger, (size_t)rounds * 4);
    for (int i = 0; i < rounds; i++) {
        struct pool_submit_options options = {.deadline_ms = 1 + (int)scenario_random(&seed, 3)};
        const int64_t us = options.deadline_ms * 1000 + (int)scenario_random(&seed, 1200) - 1100;
        const struct order order = {.index = i * 4, .a = us};
        /* One that does not look at the clock is stopped by signals: processes only. */
        const char *task = backend == POOL_BACKEND_PROCESS && i % 2 ? "work" : "polite";
        assert_int_equal(ledger_submit(&ledger, pool, task, &order, NULL, &options), 0);
        for (int k = 0; k < 3; k++)
            ledger_add(&ledger, pool, "work", 100, 0);
        if (i % 2)
            pool_future_result(ledger.entries[ledger.count - 4].future, -1, NULL);
    }
    ledger_settle(&ledger);
    for (size_t i = 0; i < ledger.count; i++) {
        const int code = ledger.entries[i].code, runs = atomic_load(&stage->runs[i]);
        struct pool_bytes value;
        int64_t index = -1;
        assert_true(code == 0 || (i % 4 == 0 && code == -ETIME));
        assert_in_range(runs, code == 0 ? 1 : 0, 1);
        if (code < 0)
            continue;
        assert_int_equal(pool_future_result(ledger.entries[i].future, 0, &value), 0);
        memcpy(&index, value.data, sizeof(index));
        assert_int_equal(index, i);
    }
    printf("%zu past their deadline\n", ledger_count(&ledger, -ETIME));
    ledger_finish(&ledger, pool);
}
ON_BOTH_BACKENDS(scenario_13_a_deadline_that_passes_just_then_gives_one_answer)

struct numbers {
    struct order order;
    struct pool_bytes field;
    int64_t next, end;
};

static int next_number(void *data, struct pool_item *ret_item)
{
    struct numbers *numbers = data;
    if (numbers->next == numbers->end)
        return 0;
    numbers->order = (struct order){.index = numbers->next, .a = numbers->next % 5 * 300};
    numbers->next++;
    numbers->field = (struct pool_bytes){&numbers->order, sizeof(numbers->order)};
    ret_item->fields = &numbers->field;
    ret_item->field_count = 1;
    return 1;
}

static void
scenario_13_an_iteration_whose_next_times_out_yields_everything_once(enum pool_backend backend)
{
    struct stage *stage = stage_open();
    struct pool *pool = scenario_pool_of(backend, 2);
    for (int ordered = 0; ordered < 2; ordered++) {
        struct numbers numbers = {.end = 60};
        struct pool_future *future;
        struct pool_iter *iter = NULL;
        int seen[60] = {0}, timeouts = 0, count = 0, r;
        assert_int_equal((ordered ? pool_imap : pool_imap_unordered)(pool, "work", next_number,
                                                                     &numbers, NULL, &iter),
                         0);
        while ((r = pool_iter_next(iter, count % 3, &future)) != 0) {
            struct pool_bytes value;
            int64_t index = -1;
            if (r == -ETIMEDOUT) {
                timeouts++;
                continue;
            }
            assert_int_equal(r, 1);
            assert_int_equal(pool_future_result(future, 0, &value), 0);
            memcpy(&index, value.data, sizeof(index));
            assert_in_range(index, 0, 59);
            assert_int_equal(seen[index]++, 0);
            if (ordered)
                assert_int_equal(index, count);
            count++;
            pool_future_free(future);
        }
        printf("%d timeouts\n", timeouts);
        assert_int_equal(count, 60);
        pool_iter_free(iter);
    }
    for (int i = 0; i < 60; i++)
        assert_int_equal(atomic_load(&stage->runs[i]), 2);
    pool_free(pool);
}
ON_BOTH_BACKENDS(scenario_13_an_iteration_whose_next_times_out_yields_everything_once)

/* ---- The program --------------------------------------------------------------------------- */

static const struct pool_task list[] = {SCENARIO_TASKS, {"polite", task_polite}};
static const struct pool_tasks tasks = {list, sizeof(list) / sizeof(list[0])};

static const struct test_case tests[] = {
    TEST_ON_BOTH(scenario_11_threads_submit_while_another_ends_the_pool),
    TEST_ON_BOTH(scenario_12_a_cancelled_task_has_not_been_started),
    TEST_ON_BOTH(scenario_12_a_task_that_is_stopped_costs_no_other),
    TEST_ON_BOTH(scenario_13_a_wait_that_times_out_just_then_loses_nothing),
    TEST_ON_BOTH(scenario_13_a_deadline_that_passes_just_then_gives_one_answer),
    TEST_ON_BOTH(scenario_13_an_iteration_whose_next_times_out_yields_everything_once),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &tasks) < 0)
        return 2;
    return test_run("scenario_races", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
