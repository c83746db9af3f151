/* What every backend owes: each test below runs on the serial, the thread and the process backend,
 * as far as it makes sense there. */
#include "isolate.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pool_tasks.h"

static void a_submitted_task_returns_its_result(void **state)
{
    (void)state;
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 2);
        assert_int_equal(take_int(submit_int(pool, "square", 12)), 144);
        pool_free(pool);
    }
}

static void an_unknown_task_is_refused(void **state)
{
    (void)state;
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 1);
        const struct pool_item item = {0};
        struct pool_future *future = (void *)&item;
        assert_int_equal(pool_submit(pool, "no such task", &item, NULL, &future), -ENOENT);
        assert_ptr_equal(future, &item); /* untouched */
        pool_free(pool);
    }
}

static void bad_options_are_refused(void **state)
{
    (void)state;
    static const struct pool_task twice[] = {{"a", (pool_task_fn)abort},
                                             {"a", (pool_task_fn)abort}};
    static const struct pool_tasks bad_table = {twice, 2};
    static const struct pool_tasks empty_table = {twice, 0};
    static const struct {
        const char *label;
        struct pool_options options;
    } rows[] = {
        {"no such backend", {.backend = (enum pool_backend)7}},
        {"too many workers", {.backend = POOL_BACKEND_THREAD, .workers = POOL_WORKERS_MAX + 1}},
        {"a task twice", {.backend = POOL_BACKEND_THREAD, .tasks = &bad_table}},
        {"no tasks", {.backend = POOL_BACKEND_SERIAL, .tasks = &empty_table}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pool *pool = (void *)&rows;
        printf("%s\n", rows[i].label);
        assert_int_equal(pool_create(&rows[i].options, &pool), -EINVAL);
        assert_ptr_equal(pool, &rows);
    }
}

static void fields_arrive_one_by_one_whatever_their_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 15, 16, 17, 1000, 65536, 70001, 300000};
    enum { COUNT = sizeof(sizes) / sizeof(sizes[0]) };
    struct pool_bytes fields[COUNT];
    size_t total = 0;
    for (size_t i = 0; i < COUNT; i++) {
        uint8_t *bytes = malloc(sizes[i] + 1);
        for (size_t k = 0; k < sizes[i]; k++)
            bytes[k] = pattern_at(total + k);
        fields[i] = (struct pool_bytes){bytes, sizes[i]};
        total += sizes[i];
    }
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 2);
        for (size_t count = 0; count <= COUNT; count++) {
            const struct pool_item item = {.fields = fields, .field_count = count};
            struct pool_future *future;
            struct pool_bytes value;
            size_t expected = 0;
            for (size_t i = 0; i < count; i++)
                expected += sizes[i];
            assert_int_equal(pool_submit(pool, "echo", &item, NULL, &future), 0);
            assert_int_equal(pool_future_result(future, -1, &value), 0);
            assert_int_equal(value.size_bytes, expected);
            for (size_t i = 0; i < expected; i++)
                assert_int_equal(((const uint8_t *)value.data)[i], pattern_at(i));
            pool_future_free(future);
        }
        pool_free(pool);
    }
    for (size_t i = 0; i < COUNT; i++)
        free((void *)fields[i].data);
}

static void a_result_may_be_of_any_size(void **state)
{
    (void)state;
    static const int64_t sizes[] = {0, 1, 65535, 65536, 65537, 1 << 20, 5000001};
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 2);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            struct pool_future *future = submit_int(pool, "blow_up", sizes[i]);
            struct pool_bytes value;
            assert_int_equal(pool_future_result(future, -1, &value), 0);
            assert_int_equal(value.size_bytes, sizes[i]);
            for (size_t k = 0; k < value.size_bytes; k++)
                if (((const uint8_t *)value.data)[k] != pattern_at(k))
                    fail_msg("byte %zu of %zu differs", k, value.size_bytes);
            pool_future_free(future);
        }
        pool_free(pool);
    }
}

static void a_task_may_have_many_fields_and_descriptors(void **state)
{
    (void)state;
    struct pool_bytes fields[POOL_FIELDS_MAX + 1];
    int fds[POOL_FDS_MAX + 1];
    for (size_t i = 0; i <= POOL_FIELDS_MAX; i++)
        fields[i] = (struct pool_bytes){"x", 1};
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 1);
        struct pool_future *future;
        struct pool_bytes value;
        for (size_t i = 0; i < POOL_FDS_MAX; i++)
            fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        const struct pool_item most = {fields, POOL_FIELDS_MAX, fds, POOL_FDS_MAX, NULL};
        assert_int_equal(pool_submit(pool, "count", &most, NULL, &future), 0);
        assert_int_equal(pool_future_result(future, -1, &value), 0);
        uint64_t counts[2];
        memcpy(counts, value.data, sizeof(counts));
        assert_int_equal(counts[0], POOL_FIELDS_MAX);
        assert_int_equal(counts[1], POOL_FDS_MAX);
        pool_future_free(future);

        const struct pool_item many_fields = {fields, POOL_FIELDS_MAX + 1, NULL, 0, NULL};
        assert_int_equal(pool_submit(pool, "count", &many_fields, NULL, &future), -EINVAL);
        for (size_t i = 0; i <= POOL_FDS_MAX; i++)
            fds[i] = STDIN_FILENO;
        const struct pool_item many_fds = {NULL, 0, fds, POOL_FDS_MAX + 1, NULL};
        assert_int_equal(pool_submit(pool, "count", &many_fds, NULL, &future), -EINVAL);
        pool_free(pool);
    }
}

static void descriptors_are_handed_over_and_closed(void **state)
{
    (void)state;
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 1);
        int ends[2];
        struct pool_future *future;
        struct pool_bytes value;
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        assert_int_equal(write(ends[1], "hello", 5), 5);
        close(ends[1]);
        const struct pool_item item = {.fds = &ends[0], .fd_count = 1};
        assert_int_equal(pool_submit(pool, "read", &item, NULL, &future), 0);
        assert_int_equal(pool_future_result(future, -1, &value), 0);
        assert_int_equal(value.size_bytes, 5);
        assert_memory_equal(value.data, "hello", 5);
        pool_future_free(future);
        pool_free(pool); /* the runner counts descriptors */
    }
}

static void a_descriptor_that_is_not_open_is_refused_and_nothing_is_taken(void **state)
{
    (void)state;
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 1);
        int fds[2] = {open("/dev/null", O_RDONLY | O_CLOEXEC), 9999};
        const struct pool_item item = {.fds = fds, .fd_count = 2};
        assert_int_equal(pool_submit(pool, "read", &item, NULL, NULL), -EINVAL);
        assert_int_equal(close(fds[0]), 0);
        pool_free(pool);
    }
}

static void a_failing_task_reports_its_code_and_words(void **state)
{
    (void)state;
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 1);
        int64_t code = -EBADMSG;
        const struct pool_bytes fields[] = {{&code, sizeof(code)}, {"bad header", 10}};
        const struct pool_item item = {.fields = fields, .field_count = 2};
        struct pool_future *future;
        struct pool_error error;
        assert_int_equal(pool_submit(pool, "fail", &item, NULL, &future), 0);
        assert_int_equal(pool_future_result(future, -1, NULL), -EREMOTEIO);
        assert_int_equal(pool_future_error(future, &error), 0);
        assert_int_equal(error.code, -EREMOTEIO);
        assert_int_equal(error.task_code, -EBADMSG);
        assert_string_equal(error.message, "bad header");
        assert_string_equal(error.task, "fail");
        if (backend == POOL_BACKEND_PROCESS)
            assert_int_not_equal(error.worker_pid, getpid());
        else
            assert_int_equal(error.worker_pid, getpid());
        pool_future_free(future);
        pool_free(pool);
    }
}

static void a_task_that_fails_without_words_gets_the_systems(void **state)
{
    (void)state;
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 1);
        struct pool_future *future = submit_int(pool, "silent_fail", -ENOSPC);
        struct pool_error error;
        assert_int_equal(pool_future_result(future, -1, NULL), -EREMOTEIO);
        assert_int_equal(pool_future_error(future, &error), 0);
        assert_int_equal(error.task_code, -ENOSPC);
        assert_string_equal(error.message, strerror(ENOSPC));
        pool_future_free(future);
        /* The worker is none the worse for it. */
        assert_int_equal(take_int(submit_int(pool, "square", 3)), 9);
        pool_free(pool);
    }
}

static void a_tasks_own_timeout_code_is_not_the_pools(void **state)
{
    (void)state;
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 1);
        struct pool_error error;
        struct pool_future *future = submit_int(pool, "silent_fail", -ETIMEDOUT);
        assert_int_equal(pool_future_result(future, -1, NULL), -EREMOTEIO);
        pool_future_error(future, &error);
        assert_int_equal(error.task_code, -ETIMEDOUT);
        pool_future_free(future);
        pool_free(pool);
    }
}

/* A task that holds its worker until the test lets it go. */
struct hold {
    int release_fd;
    struct pool_future *future;
};

static struct hold hold_worker(struct pool *pool)
{
    int ends[2];
    struct hold hold;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const struct pool_item item = {.fds = &ends[0], .fd_count = 1};
    assert_int_equal(pool_submit(pool, "hold", &item, NULL, &hold.future), 0);
    hold.release_fd = ends[1];
    return hold;
}

static void let_go(struct hold *hold)
{
    close(hold->release_fd);
    assert_int_equal(take_code(hold->future), 0);
}

static void a_wait_that_times_out_leaves_the_task_running(void **state)
{
    (void)state;
    for (size_t i = 1; i < 3; i++) {
        struct pool *pool = pool_of(all_backends[i], 1);
        struct hold hold = hold_worker(pool);
        struct pool_error error;
        assert_int_equal(pool_future_result(hold.future, 0, NULL), -ETIMEDOUT);
        assert_int_equal(pool_future_result(hold.future, 20, NULL), -ETIMEDOUT);
        assert_false(pool_future_done(hold.future));
        assert_int_equal(pool_future_error(hold.future, &error), -EAGAIN);
        let_go(&hold);
        pool_free(pool);
    }
}

static void a_full_queue_refuses_a_nonblocking_submit(void **state)
{
    (void)state;
    for (size_t i = 1; i < 3; i++) {
        struct pool_options options = POOL_OPTIONS_INIT;
        struct pool_submit_options nonblocking = {.nonblocking = true};
        struct pool_future *queued[16];
        struct pool *pool;
        const struct pool_item item = {0};
        size_t count = 0;
        options.backend = all_backends[i];
        options.workers = 1;
        options.queue_max = 2;
        assert_int_equal(pool_create(&options, &pool), 0);
        struct hold hold = hold_worker(pool);
        int r = 0;
        /* A process worker holds one ready task besides; a queue of two fills all the same. */
        while (count < 16) {
            r = pool_submit(pool, "pid", &item, &nonblocking, &queued[count]);
            if (r < 0)
                break;
            count++;
        }
        assert_int_equal(r, -EAGAIN);
        assert_in_range(count, 1, 4);
        let_go(&hold);
        for (size_t k = 0; k < count; k++)
            assert_int_equal(take_code(queued[k]), 0);
        pool_free(pool);
    }
}

static void close_lets_queued_work_finish_and_refuses_more(void **state)
{
    (void)state;
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 2);
        struct pool_future *futures[6];
        const struct pool_item item = {0};
        for (int i = 0; i < 6; i++)
            futures[i] = submit_int(pool, "write_late", 10 + i);
        assert_int_equal(pool_join(pool, 0), -EINVAL); /* not closed yet */
        pool_close(pool);
        pool_close(pool);
        assert_int_equal(pool_submit(pool, "pid", &item, NULL, NULL), -ESHUTDOWN);
        assert_int_equal(pool_join(pool, -1), 0);
        for (int i = 0; i < 6; i++)
            assert_true(pool_future_done(futures[i]));
        for (int i = 0; i < 6; i++)
            assert_int_equal(take_int(futures[i]), 10 + i);
        pool_free(pool);
    }
}

static void join_gives_up_after_its_timeout(void **state)
{
    (void)state;
    for (size_t i = 1; i < 3; i++) {
        struct pool *pool = pool_of(all_backends[i], 1);
        struct hold hold = hold_worker(pool);
        pool_close(pool);
        assert_int_equal(pool_join(pool, 20), -ETIMEDOUT);
        let_go(&hold);
        assert_int_equal(pool_join(pool, -1), 0);
        pool_free(pool);
    }
}

static void terminate_resolves_every_future_at_once(void **state)
{
    (void)state;
    for (size_t i = 1; i < 3; i++) {
        struct pool *pool = pool_of(all_backends[i], 2);
        struct pool_future *futures[8];
        const struct pool_item item = {0};
        for (int k = 0; k < 8; k++)
            futures[k] = submit_int(pool, "obedient", 0);
        pool_terminate(pool);
        for (int k = 0; k < 8; k++)
            assert_int_equal(pool_future_result(futures[k], 0, NULL), -ECANCELED);
        assert_int_equal(pool_submit(pool, "pid", &item, NULL, NULL), -ESHUTDOWN);
        assert_int_equal(pool_join(pool, -1), 0);
        for (int k = 0; k < 8; k++)
            pool_future_free(futures[k]);
        pool_free(pool);
    }
}

static void a_task_past_its_deadline_ends_with_its_own_error(void **state)
{
    (void)state;
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 1);
        struct pool_error error;
        struct pool_future *future = submit_int_deadline(pool, "obedient", 0, 30);
        assert_int_equal(pool_future_result(future, -1, NULL), -ETIME);
        assert_int_equal(pool_future_error(future, &error), 0);
        assert_int_equal(error.code, -ETIME);
        pool_future_free(future);
        assert_int_equal(take_int(submit_int(pool, "square", 5)), 25);
        pool_free(pool);
    }
}

static void waiting_in_the_queue_does_not_count_against_the_deadline(void **state)
{
    (void)state;
    for (size_t i = 1; i < 3; i++) {
        struct pool *pool = pool_of(all_backends[i], 1);
        struct pool_future *first = submit_int(pool, "sleep", 150);
        struct pool_future *second = submit_int_deadline(pool, "square", 4, 100);
        struct pool_future *third = submit_int_deadline(pool, "square", 5, 100);
        assert_int_equal(take_code(first), 0);
        assert_int_equal(take_int(second), 16);
        assert_int_equal(take_int(third), 25);
        pool_free(pool);
    }
}

static void a_worker_keeps_its_local_pointer_between_tasks(void **state)
{
    (void)state;
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 1);
        for (int i = 1; i <= 5; i++)
            assert_int_equal(take_int(submit_int(pool, "local", 0)), i);
        pool_free(pool); /* a leak checker sees whether it was released */
    }
}

static void a_future_outlives_its_pool(void **state)
{
    (void)state;
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 1);
        struct pool_future *future = submit_int(pool, "square", 11);
        pool_free(pool);
        assert_int_equal(take_int(future), 121);
    }
}

static void an_unwanted_future_may_be_let_go_while_the_task_runs(void **state)
{
    (void)state;
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 2);
        const struct pool_item item = {0};
        pool_future_free(submit_int(pool, "sleep", 20));
        assert_int_equal(pool_submit(pool, "pid", &item, NULL, NULL), 0);
        pool_free(pool);
    }
    assert_null(pool_free(NULL));
    assert_null(pool_future_free(NULL));
    assert_null(pool_results_free(NULL));
    assert_null(pool_iter_free(NULL));
}

static void map_keeps_the_order_and_a_status_for_each_item(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    static int64_t numbers[COUNT];
    static struct pool_bytes fields[COUNT];
    static struct pool_item items[COUNT];
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 3);
        struct pool_results *results;
        for (int i = 0; i < COUNT; i++) {
            numbers[i] = i;
            fields[i] = (struct pool_bytes){&numbers[i], sizeof(numbers[i])};
            items[i] = (struct pool_item){.fields = &fields[i], .field_count = 1};
            items[i].user = &numbers[i];
        }
        items[77].field_count = POOL_FIELDS_MAX + 1; /* cannot be submitted */
        assert_int_equal(pool_map(pool, "square", items, COUNT, NULL, &results), 0);
        assert_int_equal(pool_results_count(results), COUNT);
        assert_null(pool_results_at(results, COUNT));
        for (size_t i = 0; i < COUNT; i++) {
            struct pool_future *future = pool_results_at(results, i);
            struct pool_bytes value;
            int64_t square;
            assert_ptr_equal(pool_future_user(future), &numbers[i]);
            if (i == 77) {
                assert_int_equal(pool_future_result(future, 0, NULL), -EINVAL);
                continue;
            }
            assert_int_equal(pool_future_result(future, 0, &value), 0);
            memcpy(&square, value.data, sizeof(square));
            assert_int_equal(square, numbers[i] * numbers[i]);
        }
        pool_results_free(results);
        pool_free(pool);
    }
}

static void map_of_nothing_is_nothing(void **state)
{
    (void)state;
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 1);
        struct pool_results *results;
        assert_int_equal(pool_map(pool, "square", NULL, 0, NULL, &results), 0);
        assert_int_equal(pool_results_count(results), 0);
        pool_results_free(results);
        assert_int_equal(pool_map(pool, "unknown", NULL, 0, NULL, &results), -ENOENT);
        pool_free(pool);
    }
}

static void map_on_a_closed_pool_fails_each_item_and_closes_its_descriptors(void **state)
{
    (void)state;
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 1);
        struct pool_results *results;
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        const struct pool_item item = {.fds = &fd, .fd_count = 1};
        pool_close(pool);
        assert_int_equal(pool_map(pool, "read", &item, 1, NULL, &results), 0);
        assert_int_equal(pool_future_result(pool_results_at(results, 0), 0, NULL), -ESHUTDOWN);
        pool_results_free(results);
        pool_free(pool);
    }
}

/* ---- Many threads -------------------------------------------------------------------------- */

struct submitter {
    struct pool *pool;
    pthread_t thread;
    int submitted, refused, wrong;
};

static void *submit_until_closed(void *data)
{
    struct submitter *self = data;
    for (int64_t i = 0; i < 100000; i++) {
        const struct pool_bytes field = {&i, sizeof(i)};
        const struct pool_item item = {.fields = &field, .field_count = 1};
        struct pool_future *future;
        struct pool_bytes value;
        int64_t square = 0;
        int r = pool_submit(self->pool, "square", &item, NULL, &future);
        if (r == -ESHUTDOWN) {
            self->refused++;
            break;
        }
        if (r < 0 || pool_future_result(future, -1, &value) < 0 ||
            value.size_bytes != sizeof(square)) {
            self->wrong++;
        } else {
            memcpy(&square, value.data, sizeof(square));
            self->wrong += square != i * i;
        }
        if (r == 0)
            pool_future_free(future);
        self->submitted++;
    }
    return NULL;
}

static void many_threads_may_submit_while_another_closes(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    FOR_EACH_BACKEND(backend)
    {
        struct pool *pool = pool_of(backend, 2);
        struct submitter submitters[THREADS];
        for (int i = 0; i < THREADS; i++) {
            submitters[i] = (struct submitter){.pool = pool};
            pthread_create(&submitters[i].thread, NULL, submit_until_closed, &submitters[i]);
        }
        poll(NULL, 0, 50);
        pool_close(pool);
        for (int i = 0; i < THREADS; i++)
            pthread_join(submitters[i].thread, NULL);
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(submitters[i].refused, 1);
            assert_int_equal(submitters[i].wrong, 0);
        }
        pool_free(pool);
    }
}

static void a_hundred_pools_leave_nothing_behind(void **state)
{
    (void)state;
    FOR_EACH_BACKEND(backend)
    {
        for (int i = 0; i < 100; i++) {
            struct pool *pool = pool_of(backend, 2);
            struct pool_future *future = submit_int(pool, "square", i);
            if (i % 2)
                assert_int_equal(take_int(future), i * i);
            else
                pool_future_free(future);
            if (i % 3 == 0)
                pool_terminate(pool);
            pool_free(pool);
        }
    }
}

static void the_cpu_count_is_at_least_one_and_the_default(void **state)
{
    (void)state;
    assert_true(pool_cpu_count() >= 1);
    struct pool *pool = pool_of(POOL_BACKEND_THREAD, 0);
    assert_int_equal(pool_workers(pool), pool_cpu_count());
    pool_free(pool);
}

static void the_cpu_count_follows_the_affinity_mask(void **state)
{
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &before))
            CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    assert_int_equal(pool_cpu_count(), 1);
}

static const struct test_case tests[] = {
    TEST(a_submitted_task_returns_its_result),
    TEST(an_unknown_task_is_refused),
    TEST(bad_options_are_refused),
    TEST(fields_arrive_one_by_one_whatever_their_size),
    TEST(a_result_may_be_of_any_size),
    TEST(a_task_may_have_many_fields_and_descriptors),
    TEST(descriptors_are_handed_over_and_closed),
    TEST(a_descriptor_that_is_not_open_is_refused_and_nothing_is_taken),
    TEST(a_failing_task_reports_its_code_and_words),
    TEST(a_task_that_fails_without_words_gets_the_systems),
    TEST(a_tasks_own_timeout_code_is_not_the_pools),
    TEST(a_wait_that_times_out_leaves_the_task_running),
    TEST(a_full_queue_refuses_a_nonblocking_submit),
    TEST(close_lets_queued_work_finish_and_refuses_more),
    TEST(join_gives_up_after_its_timeout),
    TEST(terminate_resolves_every_future_at_once),
    TEST(a_task_past_its_deadline_ends_with_its_own_error),
    TEST(waiting_in_the_queue_does_not_count_against_the_deadline),
    TEST(a_worker_keeps_its_local_pointer_between_tasks),
    TEST(a_future_outlives_its_pool),
    TEST(an_unwanted_future_may_be_let_go_while_the_task_runs),
    TEST(map_keeps_the_order_and_a_status_for_each_item),
    TEST(map_of_nothing_is_nothing),
    TEST(map_on_a_closed_pool_fails_each_item_and_closes_its_descriptors),
    TEST(many_threads_may_submit_while_another_closes),
    TEST_LONG(a_hundred_pools_leave_nothing_behind, 60000),
    TEST(the_cpu_count_is_at_least_one_and_the_default),
    TEST(the_cpu_count_follows_the_affinity_mask),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &pool_test_tasks) < 0)
        return 2;
    return test_run("backends", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
