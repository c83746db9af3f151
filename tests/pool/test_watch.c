/* Seeing inside: numbers, the log, and the descriptor for event loops. */
#include "isolate.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "pool_tasks.h"

static void the_numbers_add_up(void **state)
{
    (void)state;
    for (size_t b = 0; b < 3; b++) {
        struct pool *pool = pool_of(all_backends[b], 2);
        struct pool_stats stats;
        for (int i = 0; i < 10; i++)
            take_int(submit_int(pool, "square", i));
        for (int i = 0; i < 4; i++)
            take_code(submit_int(pool, "silent_fail", -EDOM));
        assert_int_equal(pool_stats(pool, &stats), 0);
        assert_int_equal(stats.submitted, 14);
        assert_int_equal(stats.done, 10);
        assert_int_equal(stats.failed, 4);
        assert_int_equal(stats.cancelled, 0);
        assert_int_equal(stats.queued + stats.running, 0);
        assert_int_equal(stats.workers_max, all_backends[b] == POOL_BACKEND_SERIAL ? 1 : 2);
        assert_in_range(stats.workers, 1, 2);
        assert_true(stats.tasks_per_s > 0);
        pool_free(pool);
    }
}

static void the_numbers_show_what_runs_and_what_waits(void **state)
{
    (void)state;
    for (size_t b = 1; b < 3; b++) {
        struct pool *pool = pool_of(all_backends[b], 2);
        struct gate gate = gate_open();
        struct pool_future *futures[7];
        struct pool_worker_stats workers[4];
        struct pool_stats stats;
        uint64_t tasks = 0;
        for (int i = 0; i < 7; i++)
            futures[i] = gate_submit(&gate, pool, NULL);
        do
            pool_stats(pool, &stats);
        while (stats.busy < 2);
        assert_int_equal(stats.running, 2);
        assert_int_equal(stats.queued, 5);
        poll(NULL, 0, 5);
        assert_int_equal(pool_worker_stats(pool, NULL, 0), 2);
        assert_int_equal(pool_worker_stats(pool, workers, 4), 2);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(workers[i].state, POOL_WORKER_BUSY);
            assert_string_equal(workers[i].task, "hold");
            assert_in_range(workers[i].task_age_ms, 4, 20000);
            assert_true(workers[i].pid > 0);
            assert_true(workers[i].cpu_ms >= 0);
            assert_true(all_backends[b] == POOL_BACKEND_THREAD || workers[i].rss_bytes > 4096);
            assert_int_equal(workers[i].tasks, 1);
        }
        assert_int_not_equal(workers[0].id, workers[1].id);
        gate_release(&gate);
        for (int i = 0; i < 7; i++)
            assert_int_equal(take_code(futures[i]), 0);
        assert_int_equal(pool_worker_stats(pool, workers, 4), 2);
        for (int i = 0; i < 2; i++)
            tasks += workers[i].tasks;
        assert_int_equal(tasks, 7);
        pool_free(pool);
    }
}

struct told {
    atomic_int times;
    atomic_ullong most_done;
};

static void tell_stats(const struct pool_stats *stats, void *data)
{
    struct told *told = data;
    atomic_store(&told->most_done, stats->done);
    atomic_fetch_add(&told->times, 1);
}

static void the_numbers_are_told_at_intervals(void **state)
{
    (void)state;
    for (size_t b = 0; b < 3; b++) {
        struct told told = {0};
        const struct pool_options options = {.backend = all_backends[b],
                                             .workers = 1,
                                             .on_stats = tell_stats,
                                             .on_stats_data = &told,
                                             .stats_interval_ms = 5};
        struct pool *pool = pool_with(&options);
        assert_int_equal(take_int(submit_int(pool, "square", 3)), 9);
        while (atomic_load(&told.times) < 3 || atomic_load(&told.most_done) < 1)
            poll(NULL, 0, 1);
        pool_free(pool);
        const int times = atomic_load(&told.times);
        poll(NULL, 0, 20);
        assert_int_equal(atomic_load(&told.times), times); /* not after the pool's end */
    }
}

struct log {
    pthread_mutex_t lock;
    int counts[POOL_LOG_BROKEN + 1];
    int last_signal, last_code;
    char last_task[POOL_TASK_NAME_MAX + 1];
};

static void keep_log(const struct pool_log_event *event, void *data)
{
    struct log *log = data;
    pthread_mutex_lock(&log->lock);
    log->counts[event->kind]++;
    if (event->kind == POOL_LOG_WORKER_DIED)
        log->last_signal = event->signal;
    if (event->kind == POOL_LOG_WORKER_FAILED)
        log->last_code = event->code;
    if (event->task)
        strncpy(log->last_task, event->task, POOL_TASK_NAME_MAX);
    if (!event->message || event->message[0] == '\0')
        log->counts[event->kind] = -1000;
    pthread_mutex_unlock(&log->lock);
}

/* Counts what a log may never say: that nobody started, or that whoever was told to end was killed.
 */
static void keep_nonsense(const struct pool_log_event *event, void *data)
{
    atomic_int *nonsense = data;
    if (event->kind == POOL_LOG_WORKER_STARTED)
        atomic_fetch_add(nonsense, event->worker_pid <= 0);
    if (event->kind == POOL_LOG_WORKER_ENDED)
        atomic_fetch_add(nonsense, event->signal != 0 || event->exit_status != 0);
}

static void the_log_names_each_worker_and_calls_its_end_an_end(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        atomic_int nonsense = 0;
        const struct pool_options options = {
            .workers = 2, .log = keep_nonsense, .log_data = &nonsense};
        struct pool *pool = pool_with(&options);
        struct pool_future *future = submit_int(pool, "square", 3);
        assert_int_equal(take_int(submit_int(pool, "square", 4)), 16);
        assert_int_equal(take_int(future), 9);
        pool_free(pool);
        assert_int_equal(atomic_load(&nonsense), 0);
    }
}

static void the_log_tells_starts_ends_and_deaths(void **state)
{
    (void)state;
    struct log log = {.lock = PTHREAD_MUTEX_INITIALIZER};
    const struct pool_options options = {.workers = 1, .log = keep_log, .log_data = &log};
    struct pool_submit_options retried = POOL_SUBMIT_INIT;
    const int64_t how = SIGKILL;
    const struct pool_bytes field = {&how, sizeof(how)};
    const struct pool_item item = {.fields = &field, .field_count = 1};
    struct pool *pool = pool_with(&options);
    struct pool_future *future;
    assert_int_equal(take_int(submit_int(pool, "square", 3)), 9);
    assert_int_equal(take_code(submit_int(pool, "die", SIGKILL)), -EOWNERDEAD);
    assert_int_equal(take_code(submit_int_deadline(pool, "sleep", 60000, 20)), -ETIME);
    retried.retries = 9;
    assert_int_equal(pool_submit(pool, "die", &item, &retried, &future), 0);
    assert_int_equal(take_code(future), -EOWNERDEAD);
    assert_int_equal(take_int(submit_int(pool, "square", 3)), 9);
    pool_free(pool);
    assert_int_equal(log.counts[POOL_LOG_WORKER_STARTED], 6);
    assert_int_equal(log.counts[POOL_LOG_WORKER_DIED], 4);
    assert_int_equal(log.counts[POOL_LOG_WORKER_ENDED], 2);
    assert_int_equal(log.counts[POOL_LOG_TASK_LATE], 1);
    assert_int_equal(log.counts[POOL_LOG_TASK_RETRIED], 2);
    assert_int_equal(log.counts[POOL_LOG_TASK_QUARANTINED], 1);
    assert_int_equal(log.counts[POOL_LOG_BROKEN], 0);
    assert_int_equal(log.last_signal, SIGKILL);
    assert_string_equal(log.last_task, "die");
}

static void the_log_tells_why_a_pool_broke(void **state)
{
    (void)state;
    int64_t code = -EBADMSG;
    const struct pool_bytes field = {&code, sizeof(code)};
    const struct pool_item item = {.fields = &field, .field_count = 1};
    for (size_t b = 0; b < 3; b++) {
        struct log log = {.lock = PTHREAD_MUTEX_INITIALIZER};
        const struct pool_options options = {.backend = all_backends[b],
                                             .workers = 1,
                                             .initializer = "prepare",
                                             .initializer_item = &item,
                                             .start_failures_max = 2,
                                             .log = keep_log,
                                             .log_data = &log};
        struct pool *pool = pool_with(&options);
        struct pool_future *future;
        if (pool_submit(pool, "square", NULL, NULL, &future) == 0)
            assert_int_equal(take_code(future), -EREMOTEIO);
        pool_free(pool);
        assert_int_equal(log.counts[POOL_LOG_BROKEN], 1);
        assert_int_equal(log.counts[POOL_LOG_WORKER_FAILED], 2);
        assert_int_equal(log.last_code, -EREMOTEIO);
    }
}

static bool is_readable(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, 0) == 1;
}

static void the_descriptor_is_readable_while_completions_wait(void **state)
{
    (void)state;
    for (size_t b = 0; b < 3; b++) {
        struct pool *pool = pool_of(all_backends[b], 2);
        struct pool_submit_options options = POOL_SUBMIT_INIT;
        struct pool_future *got[8], *kept;
        const int fd = pool_completion_fd(pool);
        int count = 0;
        assert_true(fd >= 0);
        assert_int_equal(pool_completion_fd(pool), fd);
        take_int(submit_int(pool, "square", 1)); /* without notify */
        assert_false(is_readable(fd));
        options.notify = true;
        assert_int_equal(pool_submit(pool, "square", NULL, &options, &kept), 0);
        for (int i = 0; i < 4; i++)
            assert_int_equal(pool_submit(pool, "square", NULL, &options, NULL), 0);
        while (count < 5) {
            struct pollfd wait = {.fd = fd, .events = POLLIN};
            assert_int_equal(poll(&wait, 1, 10000), 1);
            const int more = pool_completions(pool, got, 2);
            assert_in_range(more, 1, 2);
            for (int i = 0; i < more; i++) {
                assert_true(pool_future_done(got[i]));
                pool_future_free(got[i]);
            }
            count += more;
        }
        assert_false(is_readable(fd));
        assert_int_equal(pool_completions(pool, got, 8), 0);
        pool_future_free(kept);
        assert_int_equal(pool_submit(pool, "square", NULL, &options, NULL), 0);
        pool_free(pool); /* one completion was never fetched */
    }
}

static void completions_that_nobody_fetches_are_bounded(void **state)
{
    (void)state;
    for (size_t b = 0; b < 3; b++) {
        const struct pool_options options = {
            .backend = all_backends[b], .workers = 1, .notify_max = 3};
        struct pool *pool = pool_with(&options);
        struct pool_submit_options submit = {.notify = true, .nonblocking = true};
        struct pool_future *got[3];
        for (int i = 0; i < 3; i++)
            assert_int_equal(pool_submit(pool, "square", NULL, &submit, NULL), 0);
        while (!is_readable(pool_completion_fd(pool)))
            poll(NULL, 0, 1);
        assert_int_equal(pool_submit(pool, "square", NULL, &submit, NULL), -EAGAIN);
        assert_int_equal(pool_completions(pool, got, 1), 1);
        pool_future_free(got[0]);
        assert_int_equal(pool_submit(pool, "square", NULL, &submit, NULL), 0);
        pool_free(pool);
    }
}

static const struct test_case tests[] = {
    TEST(the_numbers_add_up),
    TEST(the_numbers_show_what_runs_and_what_waits),
    TEST(the_numbers_are_told_at_intervals),
    TEST(the_log_tells_starts_ends_and_deaths),
    TEST(the_log_names_each_worker_and_calls_its_end_an_end),
    TEST(the_log_tells_why_a_pool_broke),
    TEST(the_descriptor_is_readable_while_completions_wait),
    TEST(completions_that_nobody_fetches_are_bounded),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &pool_test_tasks) < 0)
        return 2;
    return test_run("watch", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
