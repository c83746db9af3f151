/* pool_imap_unordered: lazy, bounded, one future an item. */
#include "isolate.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "pool_tasks.h"

/* Counts from 0; every item is its number. */
struct counter {
    int64_t next, end;
    int64_t number;
    int fail_at_end; /* 0, or what the source returns instead of its end */
    bool with_fd;    /* each item brings a descriptor */
    int fd;
    struct pool_bytes field;
    int64_t taken; /* results read so far, for the window's test */
    int64_t most_ahead;
};

static int count_up(void *data, struct pool_item *ret_item)
{
    struct counter *counter = data;
    if (counter->next == counter->end)
        return counter->fail_at_end;
    counter->number = counter->next++;
    if (counter->next - counter->taken > counter->most_ahead)
        counter->most_ahead = counter->next - counter->taken;
    counter->field = (struct pool_bytes){&counter->number, sizeof(counter->number)};
    ret_item->fields = &counter->field;
    ret_item->field_count = 1;
    ret_item->user = (void *)(intptr_t)counter->number;
    if (counter->with_fd) {
        counter->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        ret_item->fds = &counter->fd;
        ret_item->fd_count = 1;
    }
    return 1;
}

static void every_item_comes_back_exactly_once(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    for (size_t b = 0; b < 3; b++) {
        static char seen[COUNT];
        struct counter counter = {.end = COUNT};
        struct pool *pool = pool_of(all_backends[b], 3);
        struct pool_iter *iter;
        struct pool_future *future;
        int r;
        memset(seen, 0, sizeof(seen));
        assert_int_equal(pool_imap_unordered(pool, "square", count_up, &counter, NULL, &iter), 0);
        while ((r = pool_iter_next(iter, -1, &future)) == 1) {
            int64_t number = (int64_t)(intptr_t)pool_future_user(future);
            assert_int_equal(int_of(future), number * number);
            assert_int_equal(seen[number]++, 0);
            pool_future_free(future);
        }
        assert_int_equal(r, 0);
        assert_int_equal(pool_iter_next(iter, -1, &future), 0); /* and stays at its end */
        for (int i = 0; i < COUNT; i++)
            assert_int_equal(seen[i], 1);
        pool_iter_free(iter);
        pool_free(pool);
    }
}

static void the_source_is_pulled_no_further_than_the_window(void **state)
{
    (void)state;
    for (size_t b = 0; b < 3; b++) {
        struct counter counter = {.end = 500};
        struct pool_imap_options options = POOL_IMAP_INIT;
        struct pool *pool = pool_of(all_backends[b], 2);
        struct pool_iter *iter;
        struct pool_future *future;
        options.window = 5;
        assert_int_equal(pool_imap_unordered(pool, "square", count_up, &counter, &options, &iter),
                         0);
        assert_int_equal(counter.next, 0); /* nothing before the first next() */
        while (pool_iter_next(iter, -1, &future) == 1) {
            counter.taken++;
            pool_future_free(future);
        }
        assert_int_equal(counter.taken, 500);
        assert_in_range(counter.most_ahead, 1, 5);
        pool_iter_free(iter);
        pool_free(pool);
    }
}

static void a_window_larger_than_the_queue_works(void **state)
{
    (void)state;
    for (size_t b = 0; b < 3; b++) {
        struct counter counter = {.end = 1000};
        struct pool_imap_options options = POOL_IMAP_INIT;
        struct pool_options pool_options = POOL_OPTIONS_INIT;
        struct pool *pool;
        struct pool_iter *iter;
        struct pool_future *future;
        int64_t taken = 0;
        options.window = 300;
        pool_options.backend = all_backends[b];
        pool_options.workers = 2;
        pool_options.queue_max = 1;
        assert_int_equal(pool_create(&pool_options, &pool), 0);
        assert_int_equal(pool_imap_unordered(pool, "square", count_up, &counter, &options, &iter),
                         0);
        for (; pool_iter_next(iter, -1, &future) == 1; taken++)
            pool_future_free(future);
        assert_int_equal(taken, 1000);
        pool_iter_free(iter);
        pool_free(pool);
    }
}

static void next_gives_up_after_its_timeout_and_can_be_asked_again(void **state)
{
    (void)state;
    for (size_t b = 1; b < 3; b++) {
        struct counter counter = {.next = 80, .end = 82};
        struct pool *pool = pool_of(all_backends[b], 1);
        struct pool_iter *iter;
        struct pool_future *future = NULL;
        int timeouts = 0, r;
        assert_int_equal(pool_imap_unordered(pool, "write_late", count_up, &counter, NULL, &iter),
                         0);
        assert_int_equal(pool_iter_next(iter, 0, &future), -ETIMEDOUT);
        assert_null(future);
        while ((r = pool_iter_next(iter, 10, &future)) == -ETIMEDOUT)
            timeouts++;
        assert_int_equal(r, 1);
        assert_true(timeouts > 0);
        assert_int_equal(int_of(future), 80);
        pool_future_free(future);
        assert_int_equal(pool_iter_next(iter, -1, &future), 1);
        pool_future_free(future);
        assert_int_equal(pool_iter_next(iter, -1, &future), 0);
        pool_iter_free(iter);
        pool_free(pool);
    }
}

static void an_error_of_the_source_comes_as_a_failed_future_after_which_it_ends(void **state)
{
    (void)state;
    for (size_t b = 0; b < 3; b++) {
        struct counter counter = {.end = 7, .fail_at_end = -EIO};
        struct pool *pool = pool_of(all_backends[b], 2);
        struct pool_iter *iter;
        struct pool_future *future;
        int good = 0, bad = 0;
        assert_int_equal(pool_imap_unordered(pool, "square", count_up, &counter, NULL, &iter), 0);
        while (pool_iter_next(iter, -1, &future) == 1) {
            struct pool_error error;
            assert_int_equal(pool_future_error(future, &error), 0);
            if (error.code == 0) {
                good++;
            } else {
                bad++;
                assert_int_equal(error.code, -EREMOTEIO);
                assert_int_equal(error.task_code, -EIO);
            }
            pool_future_free(future);
        }
        assert_int_equal(good, 7);
        assert_int_equal(bad, 1);
        pool_iter_free(iter);
        pool_free(pool);
    }
}

static void a_dropped_iterator_leaves_its_tasks_to_end_and_closes_descriptors(void **state)
{
    (void)state;
    for (size_t b = 0; b < 3; b++) {
        struct counter counter = {.end = 100000, .with_fd = true};
        struct pool *pool = pool_of(all_backends[b], 2);
        struct pool_iter *iter;
        struct pool_future *future;
        assert_int_equal(pool_imap_unordered(pool, "square", count_up, &counter, NULL, &iter), 0);
        for (int i = 0; i < 50; i++) {
            assert_int_equal(pool_iter_next(iter, -1, &future), 1);
            pool_future_free(future);
        }
        pool_iter_free(iter);
        assert_in_range(counter.next, 50, 100);
        pool_free(pool); /* the runner counts descriptors */
    }
}

static void items_of_a_terminated_pool_are_refused_one_by_one(void **state)
{
    (void)state;
    for (size_t b = 0; b < 3; b++) {
        struct counter counter = {.end = 10, .with_fd = true};
        struct pool *pool = pool_of(all_backends[b], 2);
        struct pool_iter *iter;
        struct pool_future *future;
        int count = 0;
        pool_terminate(pool);
        assert_int_equal(pool_imap_unordered(pool, "square", count_up, &counter, NULL, &iter), 0);
        for (; pool_iter_next(iter, -1, &future) == 1; count++) {
            assert_int_equal(pool_future_result(future, 0, NULL), -ESHUTDOWN);
            pool_future_free(future);
        }
        assert_int_equal(count, 10);
        pool_iter_free(iter);
        pool_free(pool);
    }
}

static void terminate_while_iterating_yields_what_was_in_flight_as_cancelled(void **state)
{
    (void)state;
    for (size_t b = 1; b < 3; b++) {
        struct counter counter = {.end = 6};
        struct pool *pool = pool_of(all_backends[b], 2);
        struct pool_iter *iter;
        struct pool_future *future;
        int count = 0;
        assert_int_equal(pool_imap_unordered(pool, "obedient", count_up, &counter, NULL, &iter), 0);
        assert_int_equal(pool_iter_next(iter, 20, &future), -ETIMEDOUT);
        pool_terminate(pool);
        for (; pool_iter_next(iter, -1, &future) == 1; count++) {
            assert_int_equal(pool_future_result(future, 0, NULL), -ECANCELED);
            pool_future_free(future);
        }
        assert_int_equal(count, 6);
        pool_iter_free(iter);
        pool_free(pool);
    }
}

static void next_does_not_wait_longer_than_asked_for_a_queue_full_of_others_work(void **state)
{
    (void)state;
    for (size_t b = 1; b < 3; b++) {
        struct counter counter = {.end = 3};
        struct pool_options options = POOL_OPTIONS_INIT;
        struct pool_submit_options nonblocking = {.nonblocking = true};
        struct pool *pool;
        struct pool_iter *iter;
        struct pool_future *future;
        const struct pool_item item = {0};
        int count = 0;
        options.backend = all_backends[b];
        options.workers = 1;
        options.queue_max = 1;
        assert_int_equal(pool_create(&options, &pool), 0);
        pool_future_free(submit_int(pool, "sleep", 1500 * test_time_scale()));
        poll(NULL, 0, 100);
        while (pool_submit(pool, "pid", &item, &nonblocking, NULL) == 0)
            continue;
        assert_int_equal(pool_imap_unordered(pool, "square", count_up, &counter, NULL, &iter), 0);
        assert_int_equal(pool_iter_next(iter, 0, &future), -ETIMEDOUT);
        assert_int_equal(pool_iter_next(iter, 50, &future), -ETIMEDOUT);
        for (; pool_iter_next(iter, -1, &future) == 1; count++)
            pool_future_free(future);
        assert_int_equal(count, 3);
        pool_iter_free(iter);
        pool_free(pool);
    }
}

static void a_dying_worker_costs_one_item(void **state)
{
    (void)state;
    struct counter counter = {.next = 0, .end = 40}; /* "die" with 9 is SIGKILL, and so on */
    struct pool *pool = pool_of(POOL_BACKEND_PROCESS, 3);
    struct pool_iter *iter;
    struct pool_future *future;
    struct pool_future *bad = submit_int(pool, "die", 9);
    int count = 0;
    assert_int_equal(pool_imap_unordered(pool, "square", count_up, &counter, NULL, &iter), 0);
    for (; pool_iter_next(iter, -1, &future) == 1; count++) {
        assert_int_equal(pool_future_result(future, 0, NULL), 0);
        pool_future_free(future);
        if (count % 8 == 0)
            pool_future_free(submit_int(pool, "die", 9));
    }
    assert_int_equal(count, 40);
    assert_int_equal(take_code(bad), -EOWNERDEAD);
    pool_iter_free(iter);
    pool_free(pool);
}

static long resident_kb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static void memory_does_not_grow_with_the_number_of_items(void **state)
{
    (void)state;
    struct counter counter = {.end = 300000 / test_time_scale()};
    struct pool *pool = pool_of(POOL_BACKEND_THREAD, 2);
    struct pool_iter *iter;
    struct pool_future *future;
    long after_some = 0;
    int64_t count = 0;
    assert_int_equal(pool_imap_unordered(pool, "square", count_up, &counter, NULL, &iter), 0);
    while (pool_iter_next(iter, -1, &future) == 1) {
        pool_future_free(future);
        if (++count == counter.end / 10)
            after_some = resident_kb();
    }
    assert_int_equal(count, counter.end);
    printf("%ld kB after a tenth, %ld kB at the end\n", after_some, resident_kb());
    if (test_time_scale() == 1) /* sanitizers keep freed memory back */
        assert_true(resident_kb() - after_some < 2000);
    pool_iter_free(iter);
    pool_free(pool);
}

static const struct test_case tests[] = {
    TEST(every_item_comes_back_exactly_once),
    TEST(the_source_is_pulled_no_further_than_the_window),
    TEST(a_window_larger_than_the_queue_works),
    TEST(next_gives_up_after_its_timeout_and_can_be_asked_again),
    TEST(an_error_of_the_source_comes_as_a_failed_future_after_which_it_ends),
    TEST(a_dropped_iterator_leaves_its_tasks_to_end_and_closes_descriptors),
    TEST(items_of_a_terminated_pool_are_refused_one_by_one),
    TEST(terminate_while_iterating_yields_what_was_in_flight_as_cancelled),
    TEST_LONG(next_does_not_wait_longer_than_asked_for_a_queue_full_of_others_work, 40000),
    TEST(a_dying_worker_costs_one_item),
    TEST_LONG(memory_does_not_grow_with_the_number_of_items, 60000),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &pool_test_tasks) < 0)
        return 2;
    return test_run("iter", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
