/* Scenario 9: the system has no more descriptors, memory, processes or threads. Each call in turn
 * fails, once or several times in a row: the pool backs off, or says what is missing, and every
 * task that it accepted ends. */
#include "scenario_support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fault.h"

/* ---- One run ------------------------------------------------------------------------------- */

enum { SMALL = 5, LARGE = 2, ITEMS = 4, LARGE_BYTES = 100000 };

static uint8_t large[LARGE_BYTES];

/* What happened; all of it is looked at when no more calls fail. */
struct run {
    int create, submit[SMALL + LARGE], map, imap;
    struct pool_future *futures[SMALL + LARGE];
    struct pool_results *results;
    int yielded;
    struct pool_future *items[ITEMS];
};

struct numbers {
    struct order order;
    struct pool_bytes field;
    int64_t next;
};

static int next_number(void *data, struct pool_item *ret_item)
{
    struct numbers *numbers = data;
    if (numbers->next == ITEMS)
        return 0;
    numbers->order = (struct order){.index = numbers->next, .a = numbers->next};
    numbers->next++;
    numbers->field = (struct pool_bytes){&numbers->order, sizeof(numbers->order)};
    ret_item->fields = &numbers->field;
    ret_item->field_count = 1;
    return 1;
}

static void run_submits(struct pool *pool, struct run *run)
{
    for (int i = 0; i < SMALL + LARGE; i++) {
        const struct order order = {.index = i, .a = i};
        const struct pool_bytes fields[2] = {{&order, sizeof(order)}, {large, sizeof(large)}};
        const struct pool_item item = {.fields = fields, .field_count = i < SMALL ? 1 : 2};
        run->submit[i] =
            pool_submit(pool, i < SMALL ? "square" : "echo", &item, NULL, &run->futures[i]);
    }
    for (int i = 0; i < SMALL + LARGE; i++)
        if (run->submit[i] == 0)
            pool_future_result(run->futures[i], -1, NULL);
}

static void run_map(struct pool *pool, struct run *run)
{
    static const struct order orders[ITEMS] = {{.a = 0}, {.a = 1}, {.a = 2}, {.a = 3}};
    const struct pool_sequence sequence = {orders, sizeof(orders[0]), ITEMS};
    run->map = pool_map_sequences(pool, "square", &sequence, 1, NULL, &run->results);
    if (run->map == 0)
        pool_results_wait(run->results, -1);
}

static void run_imap(struct pool *pool, struct run *run)
{
    struct numbers numbers = {0};
    struct pool_iter *iter;
    int r;
    run->imap = pool_imap(pool, "square", next_number, &numbers, NULL, &iter);
    if (run->imap < 0)
        return;
    for (int tries = 0; tries < 100 && run->yielded < ITEMS; tries++) {
        r = pool_iter_next(iter, -1, &run->items[run->yielded]);
        run->yielded += r == 1;
        if (r == 0)
            break;
    }
    pool_iter_free(iter);
}

/* ---- What is checked ----------------------------------------------------------------------- */

static int square_of(struct pool_future *future)
{
    struct pool_bytes value;
    int64_t square = -1;
    assert_int_equal(pool_future_result(future, 0, &value), 0);
    assert_int_equal(value.size_bytes, sizeof(square));
    memcpy(&square, value.data, sizeof(square));
    return (int)square;
}

/* Done, with the right result or with a reason. Returns whether it failed. */
static bool check_future(struct pool_future *future, int number)
{
    struct pool_error error;
    struct pool_bytes value;
    assert_true(pool_future_done(future));
    assert_int_equal(pool_future_error(future, &error), 0);
    assert_non_null(error.message);
    if (error.code != 0) {
        printf("  %s ended with %d (%d): %s\n", pool_future_task(future), error.code,
               error.task_code, error.message);
        assert_true(strlen(error.message) > 0);
        return true;
    }
    if (strcmp(pool_future_task(future), "square") == 0) {
        assert_int_equal(square_of(future), number * number);
    } else {
        assert_int_equal(pool_future_result(future, 0, &value), 0);
        assert_int_equal(value.size_bytes, sizeof(large));
    }
    return false;
}

/* Returns how many tasks failed or were refused. */
static int check_run(struct run *run)
{
    int bad = (run->map < 0) + (run->imap < 0);
    for (int i = 0; i < SMALL + LARGE; i++) {
        assert_true(run->submit[i] <= 0);
        if (run->submit[i] < 0) {
            bad++;
            continue;
        }
        bad += check_future(run->futures[i], i);
        pool_future_free(run->futures[i]);
    }
    if (run->map == 0) {
        assert_true(pool_results_done(run->results));
        for (int i = 0; i < ITEMS; i++)
            bad += check_future(pool_results_at(run->results, (size_t)i), i);
        pool_results_free(run->results);
    }
    if (run->imap == 0)
        assert_int_equal(run->yielded, ITEMS);
    for (int i = 0; i < run->yielded; i++) {
        bad += check_future(run->items[i], i);
        pool_future_free(run->items[i]);
    }
    return bad;
}

static void end_pool(struct pool *pool)
{
    struct pool_stats stats;
    pool_close(pool);
    assert_int_equal(pool_join(pool, -1), 0);
    assert_int_equal(pool_stats(pool, &stats), 0);
    assert_int_equal(stats.done + stats.failed + stats.cancelled, stats.submitted);
    assert_int_equal(stats.queued + stats.running, 0);
    assert_null(pool_free(pool));
}

/* ---- In the host --------------------------------------------------------------------------- */

/* Returns whether the fault came to pass. */
static bool run_with(enum pool_backend backend, enum fault fault, int nth, int times)
{
    struct pool_options options = {.backend = backend, .workers = 2};
    struct pool *pool = NULL;
    struct run run = {0};
    fault_arm(fault, nth, times);
    run.create = pool_create(&options, &pool);
    if (run.create == 0) {
        run_submits(pool, &run);
        run_map(pool, &run);
        run_imap(pool, &run);
    }
    const bool fired = fault_disarm();
    if (run.create < 0) {
        printf("  create: %d\n", run.create);
        assert_true(fired);
        assert_null(pool);
        return fired;
    }
    const int bad = check_run(&run);
    assert_true(fired || bad == 0);
    scenario_check_alive(pool); /* a passing shortage breaks no pool */
    end_pool(pool);
    return fired;
}

static void fail_each_in_turn(enum pool_backend backend, const enum fault *list, size_t count)
{
    unsigned seed = scenario_seed();
    stage_open();
    for (size_t i = 0; i < count; i++) {
        bool fired = true;
        int nth = 0, rounds = 0;
        for (; fired && rounds < scenario_size(40, 6); rounds++) {
            const int times = rounds % 3 == 2 ? 2 : 1;
            printf("%s number %d, %d times\n", fault_name(list[i]), nth, times);
            fired = run_with(backend, list[i], nth, times);
            nth += scenario_sanitized() ? 1 + (int)scenario_random(&seed, 6) : 1;
        }
    }
}

#define FAIL_EACH(backend, ...)                                                                    \
    do {                                                                                           \
        static const enum fault list_[] = {__VA_ARGS__};                                           \
        fail_each_in_turn((backend), list_, sizeof(list_) / sizeof(list_[0]));                     \
    } while (0)

static void scenario_09_a_want_of_memory_loses_no_task(enum pool_backend backend)
{
    FAIL_EACH(backend, FAULT_MALLOC, FAULT_CALLOC, FAULT_REALLOC, FAULT_STRDUP);
}
ON_BOTH_BACKENDS(scenario_09_a_want_of_memory_loses_no_task)

static void scenario_09_a_want_of_mappings_loses_no_task(enum pool_backend backend)
{
    FAIL_EACH(backend, FAULT_MMAP, FAULT_MEMFD_CREATE, FAULT_FTRUNCATE);
}
ON_BOTH_BACKENDS(scenario_09_a_want_of_mappings_loses_no_task)

static void scenario_09_a_want_of_threads_and_processes_loses_no_task(enum pool_backend backend)
{
    FAIL_EACH(backend, FAULT_PTHREAD_CREATE, FAULT_POSIX_SPAWN, FAULT_FORK);
}
ON_BOTH_BACKENDS(scenario_09_a_want_of_threads_and_processes_loses_no_task)

/* Processes only: threads need no such thing. */
static void scenario_09_a_want_of_descriptors_for_each_call_loses_no_task(void **state)
{
    (void)state;
    FAIL_EACH(POOL_BACKEND_PROCESS, FAULT_SOCKETPAIR, FAULT_EVENTFD, FAULT_EPOLL_CREATE,
              FAULT_EPOLL_CTL);
}

static void scenario_09_a_full_socket_table_loses_no_task(void **state)
{
    (void)state;
    FAIL_EACH(POOL_BACKEND_PROCESS, FAULT_SENDMSG);
}

/* ---- In the zygote and the workers --------------------------------------------------------- */

/* A fault that comes to every worker, at the same step, may be more than a pool can work with; it
 * must end all the same. */
static void run_with_remote(enum fault fault, int nth, int times)
{
    struct pool_options options = {.workers = 2};
    struct pool *pool = NULL;
    struct pool_error error;
    struct run run = {0};
    printf("%s number %d, %d times\n", fault_name(fault), nth, times);
    fault_remote_arm(fault, nth, times);
    run.create = pool_create(&options, &pool);
    fault_remote_disarm();
    if (run.create < 0) {
        printf("  create: %d\n", run.create);
        return;
    }
    run_submits(pool, &run);
    run_map(pool, &run);
    run_imap(pool, &run);
    const int bad = check_run(&run);
    if (pool_broken(pool, &error))
        printf("  broken: %s\n", error.message);
    else if (bad == 0)
        scenario_check_alive(pool);
    end_pool(pool);
}

static void scenario_09_faults_in_the_pools_own_processes_are_told(void **state)
{
    (void)state;
    static const enum fault list[] = {FAULT_FORK,   FAULT_MMAP,    FAULT_MEMFD_CREATE,
                                      FAULT_CALLOC, FAULT_MALLOC,  FAULT_REALLOC,
                                      FAULT_STRDUP, FAULT_SENDMSG, FAULT_FTRUNCATE};
    unsigned seed = scenario_seed();
    stage_open();
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
        for (int k = 0; k < scenario_size(2, 1); k++)
            run_with_remote(list[i], (int)scenario_random(&seed, 8),
                            1 + (int)scenario_random(&seed, 2));
}

static void scenario_09_forks_that_fail_for_a_while_delay_work_only(void **state)
{
    (void)state;
    struct pool_options options = {.workers = 2};
    struct pool *pool = NULL;
    struct ledger ledger;
    stage_open();
    for (int times = 1; times <= 3; times++) {
        ledger_init(&ledger, 20);
        fault_remote_arm(FAULT_FORK, 0, times);
        assert_int_equal(pool_create(&options, &pool), 0);
        fault_remote_disarm();
        for (int i = 0; i < 20; i++)
            ledger_add(&ledger, pool, "square", i, 0);
        ledger_settle(&ledger);
        assert_int_equal(ledger_count(&ledger, 0), 20);
        ledger_finish(&ledger, pool);
    }
}

/* ---- Descriptors, for real ----------------------------------------------------------------- */

/* This process can open so many more, and no others. */
static struct rlimit leave_descriptors(int count)
{
    struct rlimit before, low;
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC); /* the lowest number that is free */
    assert_true(next >= 0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = (rlim_t)(next + count);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    return before;
}

static void
scenario_09_a_pool_opened_with_few_descriptors_left_works_or_says_so(enum pool_backend backend)
{
    enum { OTHERS = 16 };
    const int step = scenario_sanitized() ? 3 : 1;
    int others[OTHERS];
    stage_open();
    for (int i = 0; i < OTHERS; i++) /* the zygote inherits the limit, but not these */
        others[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (int spare = 0; spare < 16; spare += step) {
        struct pool_options options = {.backend = backend, .workers = 2};
        struct pool *pool = NULL;
        struct ledger ledger;
        ledger_init(&ledger, 6);
        const struct rlimit before = leave_descriptors(spare);
        int r = pool_create(&options, &pool);
        for (int i = 0; i < 6 && r == 0; i++)
            ledger_add(&ledger, pool, "square", i, 0);
        scenario_sleep_us(3000); /* so that it meets the shortage: nothing depends on it */
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        printf("%d left: %d\n", spare, r);
        if (r == 0) {
            ledger_settle(&ledger);
            assert_int_equal(ledger_count(&ledger, 0), 6);
            ledger_finish(&ledger, pool);
        } else {
            assert_int_equal(r, -EMFILE);
            assert_int_equal(backend, POOL_BACKEND_PROCESS);
            ledger_done(&ledger);
        }
    }
    for (int i = 0; i < OTHERS; i++)
        close(others[i]);
}
ON_BOTH_BACKENDS(scenario_09_a_pool_opened_with_few_descriptors_left_works_or_says_so)

/* Large payloads travel in descriptors of their own: without one a task fails, with the reason, and
 * the small ones go on. */
static void
scenario_09_a_shortage_of_descriptors_in_mid_work_is_told_or_waited_out(enum pool_backend backend)
{
    const struct pool_bytes payload = {large, sizeof(large)};
    unsigned seed = scenario_seed();
    const int rounds = scenario_size(15, 5);
    stage_open();
    for (int round = 0; round < rounds; round++) {
        struct pool *pool = scenario_pool_of(backend, 3);
        struct ledger ledger;
        ledger_init(&ledger, 20);
        scenario_check_alive(pool);
        const struct rlimit before = leave_descriptors((int)scenario_random(&seed, 4));
        for (int i = 0; i < 20; i++) {
            const struct order order = {.index = i, .a = i};
            const bool is_large = i % 4 == 3;
            assert_int_equal(ledger_submit(&ledger, pool, is_large ? "echo" : "square", &order,
                                           is_large ? &payload : NULL, NULL),
                             0);
        }
        scenario_sleep_us(scenario_random(&seed, 4000));
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        ledger_settle(&ledger);
        for (int i = 0; i < 20; i++) {
            struct pool_error error;
            assert_int_equal(pool_future_error(ledger.entries[i].future, &error), 0);
            assert_true(error.code == 0 || (i % 4 == 3 && backend == POOL_BACKEND_PROCESS &&
                                            (error.code == -EMFILE || error.task_code == -EMFILE)));
        }
        scenario_check_alive(pool);
        pool_free(pool);
        ledger_done(&ledger);
    }
}
ON_BOTH_BACKENDS(scenario_09_a_shortage_of_descriptors_in_mid_work_is_told_or_waited_out)

/* ---- The program --------------------------------------------------------------------------- */

static const struct pool_task list[] = {SCENARIO_TASKS};
static const struct pool_tasks tasks = {list, sizeof(list) / sizeof(list[0])};

static const struct test_case tests[] = {
    TEST_ON_BOTH(scenario_09_a_want_of_memory_loses_no_task),
    TEST_ON_BOTH(scenario_09_a_want_of_mappings_loses_no_task),
    TEST_ON_BOTH(scenario_09_a_want_of_threads_and_processes_loses_no_task),
    TEST(scenario_09_a_want_of_descriptors_for_each_call_loses_no_task),
    TEST(scenario_09_a_full_socket_table_loses_no_task),
    TEST(scenario_09_faults_in_the_pools_own_processes_are_told),
    TEST(scenario_09_forks_that_fail_for_a_while_delay_work_only),
    TEST_ON_BOTH(scenario_09_a_pool_opened_with_few_descriptors_left_works_or_says_so),
    TEST_ON_BOTH(scenario_09_a_shortage_of_descriptors_in_mid_work_is_told_or_waited_out),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &tasks) < 0)
        return 2;
    fault_is_host();
    return test_run("scenario_faults", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
