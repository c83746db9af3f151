/* The memory of worker processes: the limit while a task runs, and the peak afterwards. Limits are
 * set on top of what a worker has anyway, because that differs much with sanitizers. */
#include "isolate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <pool/supervisor_priv.h>

#include "pool_tasks.h"

/* What a task may have on top of an idle worker, what is far above it, and far below. */
#define ALLOWED_BYTES ((int64_t)48 << 20)
#define LARGE_BYTES   ((int64_t)96 << 20)
#define SMALL_BYTES   ((int64_t)8 << 20)

#define FOR_EVER (-1)

/* ---- Pools and tasks ----------------------------------------------------------------------- */

struct log {
    pthread_mutex_t lock;
    int counts[POOL_LOG_BROKEN + 1];
    struct pool_log_event large; /* the last one's values */
    char task[POOL_TASK_NAME_MAX + 1], message[128];
};

static void keep_log(const struct pool_log_event *event, void *data)
{
    struct log *log = data;
    pthread_mutex_lock(&log->lock);
    log->counts[event->kind]++;
    if (event->kind == POOL_LOG_TASK_TOO_LARGE) {
        log->large = *event;
        snprintf(log->task, sizeof(log->task), "%s", event->task ? event->task : "");
        snprintf(log->message, sizeof(log->message), "%s", event->message);
    }
    pthread_mutex_unlock(&log->lock);
}

static int64_t idle_worker_bytes(void)
{
    struct pool *pool = pool_of(POOL_BACKEND_PROCESS, 1);
    take_int(submit_int(pool, "square", 1));
    const int64_t resident_bytes = take_int(submit_int(pool, "resident", 0));
    pool_free(pool);
    return resident_bytes;
}

/* A pool whose tasks may have ALLOWED_BYTES.  log: or NULL. */
static struct pool *limited_pool(unsigned workers, struct log *log)
{
    const struct pool_options options = {
        .backend = POOL_BACKEND_PROCESS,
        .workers = workers,
        .rss_limit_bytes = (size_t)(idle_worker_bytes() + ALLOWED_BYTES),
        .log = log ? keep_log : NULL,
        .log_data = log,
    };
    return pool_with(&options);
}

/* The fields of a "swell". */
struct swell {
    int64_t size_bytes, for_ms;
    struct pool_bytes fields[2];
};

static struct pool_item swell_item(struct swell *swell, int64_t size_bytes, int64_t for_ms)
{
    swell->size_bytes = size_bytes;
    swell->for_ms = for_ms;
    swell->fields[0] = (struct pool_bytes){&swell->size_bytes, sizeof(swell->size_bytes)};
    swell->fields[1] = (struct pool_bytes){&swell->for_ms, sizeof(swell->for_ms)};
    return (struct pool_item){.fields = swell->fields, .field_count = 2};
}

static struct pool_future *submit_swell(struct pool *pool, int64_t size_bytes, int64_t for_ms,
                                        const struct pool_submit_options *options)
{
    struct swell swell;
    struct pool_future *future = NULL;
    const struct pool_item item = swell_item(&swell, size_bytes, for_ms);
    assert_int_equal(pool_submit(pool, "swell", &item, options, &future), 0);
    return future;
}

static struct pool_error error_of(struct pool_future *future)
{
    struct pool_error error;
    pool_future_result(future, -1, NULL);
    assert_int_equal(pool_future_error(future, &error), 0);
    return error;
}

static void assert_too_large(struct pool_future *future)
{
    const struct pool_error error = error_of(future);
    assert_int_equal(error.code, -ENOMEM);
    assert_true(error.over_memory);
    assert_non_null(strstr(error.message, "MB of memory, more than its limit of "));
}

static struct pool_stats stats_of(struct pool *pool)
{
    struct pool_stats stats;
    assert_int_equal(pool_stats(pool, &stats), 0);
    return stats;
}

/* ---- The limit ----------------------------------------------------------------------------- */

static void a_task_above_the_limit_ends_with_an_error_of_its_own(void **state)
{
    (void)state;
    struct pool *pool = limited_pool(1, NULL);
    take_int(submit_int(pool, "square", 2)); /* the worker is ready and the pool at rest */
    struct pool_future *large = submit_swell(pool, LARGE_BYTES, FOR_EVER, NULL);
    assert_too_large(large);
    const struct pool_error error = error_of(large);
    assert_int_equal(error.signal, SIGKILL);
    assert_int_equal(error.exit_status, -1);
    assert_int_equal(error.task_code, 0);
    assert_int_equal(error.deaths, 0);
    assert_false(error.quarantined);
    assert_true(error.worker_pid > 0);
    assert_int_equal(take_int(submit_int(pool, "square", 3)), 9); /* in a new worker */
    assert_int_equal(stats_of(pool).failed, 1);
    assert_int_equal(stats_of(pool).died, 0);
    pool_future_free(large);
    pool_free(pool);
}

static void a_task_above_the_limit_is_told_to_the_log(void **state)
{
    (void)state;
    struct log log = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct pool *pool = limited_pool(1, &log);
    struct pool_future *large = submit_swell(pool, LARGE_BYTES, FOR_EVER, NULL);
    assert_too_large(large);
    const pid_t pid = error_of(large).worker_pid;
    pool_future_free(large);
    pool_free(pool);
    assert_int_equal(log.counts[POOL_LOG_TASK_TOO_LARGE], 1);
    assert_string_equal(log.task, "swell");
    assert_non_null(strstr(log.message, "task swell used "));
    assert_int_equal(log.large.code, -ENOMEM);
    assert_int_equal(log.large.worker_pid, pid);
    assert_int_equal(log.counts[POOL_LOG_WORKER_ENDED], 1); /* as with a deadline */
    assert_int_equal(log.counts[POOL_LOG_WORKER_DIED], 0);
}

static void a_task_above_the_limit_is_not_tried_again(void **state)
{
    (void)state;
    struct log log = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct pool *pool = limited_pool(1, &log);
    const struct pool_submit_options options = {.retries = 3};
    struct pool_future *large = submit_swell(pool, LARGE_BYTES, FOR_EVER, &options);
    assert_too_large(large);
    assert_false(error_of(large).quarantined);
    assert_int_equal(stats_of(pool).retried, 0);
    pool_future_free(large);
    pool_free(pool);
    assert_int_equal(log.counts[POOL_LOG_TASK_TOO_LARGE], 1);
    assert_int_equal(log.counts[POOL_LOG_TASK_RETRIED], 0);
}

static void a_task_below_the_limit_is_left_alone(void **state)
{
    (void)state;
    struct pool *pool = limited_pool(1, NULL);
    struct pool_future *small = submit_swell(pool, ALLOWED_BYTES - SMALL_BYTES, 100, NULL);
    const struct pool_error error = error_of(small);
    assert_int_equal(error.code, 0);
    assert_false(error.over_memory);
    assert_int_equal(stats_of(pool).started, 1);
    assert_int_equal(stats_of(pool).recycled, 0);
    pool_future_free(small);
    pool_free(pool);
}

static void without_a_limit_a_task_may_have_what_it_likes(void **state)
{
    (void)state;
    struct pool *pool = pool_of(POOL_BACKEND_PROCESS, 1);
    struct pool_future *large = submit_swell(pool, LARGE_BYTES, 50, NULL);
    assert_int_equal(take_code(large), 0);
    pool_free(pool);
}

/* The second worker holds a task all the while; in the first, all stand behind the large one. */
static void neighbours_of_a_task_above_the_limit_do_not_pay(void **state)
{
    (void)state;
    enum { COUNT = 8 };
    struct swell swells[COUNT];
    struct pool_item items[COUNT];
    struct pool *pool = limited_pool(2, NULL);
    struct gate gate = gate_open();
    struct pool_future *held = gate_submit(&gate, pool, NULL);
    const struct pool_map_options options = {.chunksize = COUNT};
    struct pool_results *results;
    wait_until_running(held);
    for (int i = 0; i < COUNT; i++)
        items[i] = swell_item(&swells[i], i == 0 ? LARGE_BYTES : 0, FOR_EVER);
    assert_int_equal(pool_map(pool, "swell", items, COUNT, &options, &results), 0);
    assert_too_large(pool_results_at(results, 0));
    for (size_t i = 1; i < COUNT; i++)
        assert_int_equal(error_of(pool_results_at(results, i)).code, 0);
    pool_results_free(results);
    assert_false(pool_future_done(held));
    gate_release(&gate);
    assert_int_equal(take_code(held), 0);
    assert_int_equal(stats_of(pool).died, 0);
    assert_int_equal(stats_of(pool).failed, 1);
    assert_int_equal(stats_of(pool).requeued, 0); /* they were taken back before the kill */
    pool_free(pool);
}

/* Tasks that end just as they are found to be too large: whether they are caught is chance, but
 * those that come after them in the same worker end well. */
static void who_comes_after_a_short_large_task_does_not_pay(void **state)
{
    (void)state;
    enum { COUNT = 120 };
    struct swell swells[COUNT];
    struct pool_item items[COUNT];
    struct pool *pool = limited_pool(2, NULL);
    const struct pool_map_options options = {.chunksize = 6};
    struct pool_results *results;
    for (int i = 0; i < COUNT; i++)
        items[i] = swell_item(&swells[i], i % 3 == 0 ? LARGE_BYTES : SMALL_BYTES, i % 5);
    assert_int_equal(pool_map(pool, "swell", items, COUNT, &options, &results), 0);
    for (size_t i = 0; i < COUNT; i++) {
        struct pool_future *future = pool_results_at(results, i);
        if (i % 3 == 0 && error_of(future).code != 0)
            assert_too_large(future);
        else
            assert_int_equal(error_of(future).code, 0);
    }
    assert_int_equal(stats_of(pool).died, 0);
    pool_results_free(results);
    pool_free(pool);
}

static void a_task_that_hides_is_caught_all_the_same(void **state)
{
    (void)state;
    struct pool *pool = limited_pool(1, NULL);
    struct pool_future *hidden = submit_int(pool, "hide", LARGE_BYTES);
    struct pool_future *behind = submit_int(pool, "square", 5);
    assert_too_large(hidden);
    pool_future_result(behind, -1, NULL);
    assert_int_equal(take_int(submit_int(pool, "square", 6)), 36);
    pool_future_free(behind); /* its slot was scribbled over: what it ends with is luck */
    pool_future_free(hidden);
    pool_free(pool);
}

/* ---- Caught too late ----------------------------------------------------------------------- */

/* The tests below hold the supervisor up at the last moment: it has seen that a task is too large,
 * and is about to take back what stands behind it. Then that task is let go, and the next starts.
 */
static atomic_int gate_to_close = -1;

void __real_pool_dispatch_recall_but(struct supervisor *supervisor, struct remote *remote,
                                     uint32_t number);
void __wrap_pool_dispatch_recall_but(struct supervisor *supervisor, struct remote *remote,
                                     uint32_t number);
void __wrap_pool_dispatch_recall_but(struct supervisor *supervisor, struct remote *remote,
                                     uint32_t number)
{
    const int fd = atomic_exchange(&gate_to_close, -1);
    if (fd >= 0) {
        const uint32_t next = (remote->oldest + 1) & NUMBER_MASK;
        close(fd);
        while (!pool_remote_runs(remote, next))
            poll(NULL, 0, 1);
    }
    __real_pool_dispatch_recall_but(supervisor, remote, number);
}

/* Submit a "swell_hold" with each of two sizes, the second behind the first in the only worker,
 * have the first caught too late, and wait until the second runs.
 * ret_gates: what each waits for; the first one is used up. */
static void catch_too_late(struct pool *pool, const int64_t sizes[2], struct gate ret_gates[2],
                           struct pool_results **ret_results)
{
    const struct pool_map_options options = {.chunksize = 2};
    struct pool_bytes fields[2];
    struct pool_item items[2];
    int fds[2];
    for (int i = 0; i < 2; i++) {
        ret_gates[i] = gate_open();
        fds[i] = fcntl(ret_gates[i].ends[0], F_DUPFD_CLOEXEC, 0);
        assert_true(fds[i] >= 0);
        fields[i] = (struct pool_bytes){&sizes[i], sizeof(sizes[i])};
        items[i] = (struct pool_item){
            .fields = &fields[i], .field_count = 1, .fds = &fds[i], .fd_count = 1};
    }
    atomic_store(&gate_to_close, ret_gates[0].ends[1]);
    assert_int_equal(pool_map_async(pool, "swell_hold", items, 2, &options, ret_results), 0);
    close(ret_gates[0].ends[0]);
    struct pool_future *second = pool_results_at(*ret_results, 1);
    while (!pool_future_running(second) && !pool_future_done(second))
        poll(NULL, 0, 1);
}

/* It even uses as much as the first did, and what that had left would be its fault on top of it. */
static void a_task_that_ended_as_it_was_caught_costs_its_successor_nothing(void **state)
{
    (void)state;
    const int64_t sizes[] = {LARGE_BYTES, LARGE_BYTES};
    struct pool *pool = limited_pool(1, NULL);
    struct gate gates[2];
    struct pool_results *results;
    catch_too_late(pool, sizes, gates, &results);
    poll(NULL, 0, 100); /* looked at again, several times */
    gate_release(&gates[1]);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(error_of(pool_results_at(results, i)).code, 0);
    assert_int_equal(take_int(submit_int(pool, "square", 8)), 64);
    assert_int_equal(stats_of(pool).recycled, 1); /* the worker is not given another */
    assert_int_equal(stats_of(pool).died, 0);
    pool_results_free(results);
    pool_free(pool);
}

static void its_successor_has_a_limit_too(void **state)
{
    (void)state;
    const int64_t sizes[] = {LARGE_BYTES,
                             idle_worker_bytes() + LARGE_BYTES + ALLOWED_BYTES + LARGE_BYTES};
    struct pool *pool = limited_pool(1, NULL);
    struct gate gates[2];
    struct pool_results *results;
    catch_too_late(pool, sizes, gates, &results);
    assert_int_equal(error_of(pool_results_at(results, 0)).code, 0);
    assert_too_large(pool_results_at(results, 1));
    gate_release(&gates[1]);
    pool_results_free(results);
    pool_free(pool);
}

/* ---- The limit and other reasons to stop --------------------------------------------------- */

static void the_limit_comes_before_a_deadline_that_is_far(void **state)
{
    (void)state;
    struct pool *pool = limited_pool(1, NULL);
    const struct pool_submit_options options = {.deadline_ms = 3600 * 1000};
    struct pool_future *large = submit_swell(pool, LARGE_BYTES, FOR_EVER, &options);
    assert_too_large(large);
    pool_future_free(large);
    pool_free(pool);
}

/* It grows in the grace between SIGTERM and SIGKILL. */
static void a_late_task_that_then_grows_is_late(void **state)
{
    (void)state;
    struct log log = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct pool *pool = limited_pool(1, &log);
    struct pool_future *late = submit_int_deadline(pool, "swell_late", LARGE_BYTES, 50);
    const struct pool_error error = error_of(late);
    assert_int_equal(error.code, -ETIME);
    assert_int_equal(error.signal, SIGKILL);
    assert_false(error.over_memory);
    assert_int_equal(take_int(submit_int(pool, "square", 4)), 16);
    pool_future_free(late);
    pool_free(pool);
    assert_int_equal(log.counts[POOL_LOG_TASK_LATE], 1);
    assert_int_equal(log.counts[POOL_LOG_TASK_TOO_LARGE], 0);
}

static void a_large_task_can_be_cancelled_and_terminated(void **state)
{
    (void)state;
    struct pool *pool = limited_pool(2, NULL);
    struct pool_future *first = submit_swell(pool, SMALL_BYTES, FOR_EVER, NULL);
    struct pool_future *second = submit_swell(pool, LARGE_BYTES, FOR_EVER, NULL);
    wait_until_running(first);
    assert_int_equal(pool_future_cancel(first, true), 0);
    pool_terminate(pool);
    const int code = take_code(second);
    assert_true(code == -ECANCELED || code == -ENOMEM); /* who was faster */
    assert_int_equal(take_code(first), -ECANCELED);
    pool_free(pool);
}

/* It passes the limit in a moment, mostly between two looks; then it is for the look after the task
 * to find it. */
static void a_worker_left_above_the_limit_is_replaced(void **state)
{
    (void)state;
    struct pool *pool = limited_pool(1, NULL);
    int code;
    do {
        assert_int_equal(take_code(submit_int(pool, "keep", ALLOWED_BYTES - SMALL_BYTES)), 0);
        poll(NULL, 0, 25); /* longer than from one look after a task to the next */
        code = take_code(submit_int(pool, "keep", 2 * SMALL_BYTES));
        assert_true(code == 0 || code == -ENOMEM);
    } while (code != 0);
    assert_int_equal(take_int(submit_int(pool, "square", 7)), 49); /* not its fault */
    assert_int_equal(stats_of(pool).recycled, 1);
    assert_int_equal(stats_of(pool).died, 0);
    pool_free(pool);
}

/* ---- At rest ------------------------------------------------------------------------------- */

/* How often the supervisor's thread has slept, by /proc; -1 if it is not found. */
static long times_slept(void)
{
    long times = -1;
    char path[300], line[256];
    DIR *folder = opendir("/proc/self/task");
    assert_non_null(folder);
    for (const struct dirent *entry; times < 0 && (entry = readdir(folder));) {
        bool ours = false;
        snprintf(path, sizeof(path), "/proc/self/task/%s/status", entry->d_name);
        FILE *file = fopen(path, "re");
        while (file && fgets(line, sizeof(line), file)) {
            ours = ours || strstr(line, "Name:\tpool-supervisor");
            if (ours)
                sscanf(line, "voluntary_ctxt_switches: %ld", &times);
        }
        if (file)
            fclose(file);
    }
    closedir(folder);
    return times;
}

static void a_pool_at_rest_does_not_wake_for_its_limit(void **state)
{
    (void)state;
    struct pool *pool = limited_pool(2, NULL);
    take_int(submit_int(pool, "square", 2));
    poll(NULL, 0, 100); /* the last look may be due still */
    const long before = times_slept();
    assert_true(before > 0);
    poll(NULL, 0, 300);
    assert_in_range(times_slept() - before, 0, 3); /* of fifteen times 20 ms */
    struct pool_future *large = submit_swell(pool, LARGE_BYTES, FOR_EVER, NULL);
    assert_too_large(large); /* it wakes again when there is something to watch */
    pool_future_free(large);
    pool_free(pool);
}

/* ---- The peak ------------------------------------------------------------------------------ */

static void the_peak_is_what_the_largest_worker_had(void **state)
{
    (void)state;
    struct pool *pool = pool_of(POOL_BACKEND_PROCESS, 2);
    assert_int_equal(stats_of(pool).rss_peak_bytes, -1);
    const int64_t idle_bytes = take_int(submit_int(pool, "resident", 0));
    assert_int_equal(take_code(submit_swell(pool, LARGE_BYTES, 0, NULL)), 0);
    assert_int_equal(take_code(submit_swell(pool, SMALL_BYTES, 0, NULL)), 0);
    assert_int_equal(stats_of(pool).rss_peak_bytes, -1); /* no worker has ended */
    pool_close(pool);
    assert_int_equal(pool_join(pool, -1), 0);
    const int64_t peak_bytes = stats_of(pool).rss_peak_bytes;
    assert_true(peak_bytes >= LARGE_BYTES);
    assert_true(peak_bytes <= 2 * idle_bytes + LARGE_BYTES + SMALL_BYTES + ALLOWED_BYTES);
    pool_free(pool);
}

static void the_peak_stays_when_smaller_workers_end(void **state)
{
    (void)state;
    const struct pool_options options = {
        .backend = POOL_BACKEND_PROCESS, .workers = 1, .max_tasks = 1};
    struct pool *pool = pool_with(&options);
    assert_int_equal(take_code(submit_swell(pool, LARGE_BYTES, 0, NULL)), 0);
    for (int i = 0; i < 3; i++)
        take_int(submit_int(pool, "square", i));
    pool_close(pool);
    assert_int_equal(pool_join(pool, -1), 0);
    assert_true(stats_of(pool).rss_peak_bytes >= LARGE_BYTES);
    pool_free(pool);
}

static void the_peak_counts_workers_that_were_killed(void **state)
{
    (void)state;
    struct pool *pool = limited_pool(1, NULL);
    struct pool_future *large = submit_swell(pool, LARGE_BYTES, FOR_EVER, NULL);
    assert_too_large(large);
    pool_future_free(large);
    pool_close(pool);
    assert_int_equal(pool_join(pool, -1), 0);
    assert_true(stats_of(pool).rss_peak_bytes > ALLOWED_BYTES);
    pool_free(pool);
}

static void after_the_join_every_backend_still_has_its_numbers(void **state)
{
    (void)state;
    FOR_EACH_BACKEND(backend)
    {
        const struct pool_options options = {
            .backend = backend, .workers = 2, .rss_limit_bytes = (size_t)1 << 40};
        struct pool *pool = pool_with(&options);
        for (int i = 0; i < 5; i++)
            take_int(submit_int(pool, "square", i));
        pool_close(pool);
        assert_int_equal(pool_join(pool, -1), 0);
        const struct pool_stats stats = stats_of(pool);
        assert_int_equal(stats.submitted, 5);
        assert_int_equal(stats.done, 5);
        assert_int_equal(stats.queued + stats.running, 0);
        assert_int_equal(stats.busy, 0);
        assert_int_equal(stats.rss_peak_bytes > 0, backend == POOL_BACKEND_PROCESS);
        assert_int_equal(stats.rss_peak_bytes == -1, backend != POOL_BACKEND_PROCESS);
        assert_true(pool_worker_stats(pool, NULL, 0) >= 0);
        pool_free(pool);
    }
}

static const struct test_case tests[] = {
    TEST(a_task_above_the_limit_ends_with_an_error_of_its_own),
    TEST(a_task_above_the_limit_is_told_to_the_log),
    TEST(a_task_above_the_limit_is_not_tried_again),
    TEST(a_task_below_the_limit_is_left_alone),
    TEST(without_a_limit_a_task_may_have_what_it_likes),
    TEST(neighbours_of_a_task_above_the_limit_do_not_pay),
    TEST(who_comes_after_a_short_large_task_does_not_pay),
    TEST(a_task_that_hides_is_caught_all_the_same),
    TEST(a_task_that_ended_as_it_was_caught_costs_its_successor_nothing),
    TEST(its_successor_has_a_limit_too),
    TEST(the_limit_comes_before_a_deadline_that_is_far),
    TEST(a_late_task_that_then_grows_is_late),
    TEST(a_large_task_can_be_cancelled_and_terminated),
    TEST(a_worker_left_above_the_limit_is_replaced),
    TEST(a_pool_at_rest_does_not_wake_for_its_limit),
    TEST(the_peak_is_what_the_largest_worker_had),
    TEST(the_peak_stays_when_smaller_workers_end),
    TEST(the_peak_counts_workers_that_were_killed),
    TEST(after_the_join_every_backend_still_has_its_numbers),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &pool_test_tasks) < 0)
        return 2;
    return test_run("memory", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
