/* map_async: document 004's map_async, with get right away and after close and join, and what is
 * left to ask for after terminate.
 *
 *     res = pool.map_async(task, [1, 2, 3, 4, 5])
 *     pool.close()
 *     pool.join()
 *     print(res.get())
 *     pool.terminate()     # stops at once, whether tasks have ended or not
 *
 * It prints
 *
 *     get: [1, 4, 9, 16, 25]
 *     get after close and join: [1, 4, 9, 16, 25]
 *     submit after close: refused with ESHUTDOWN
 *     submit after terminate: refused with ESHUTDOWN
 *     after terminate: 8 tasks, all done, 0 with a result, 8 cancelled
 *
 * In Python get() would wait for ever after the last: what terminate stopped is never ready. */
#include "sample.h"

static int task(struct pool_call *call)
{
    int num = int_of(pool_call_field(call, 0));
    num *= num;
    return pool_call_write(call, &num, sizeof(num));
}

static int sleep_for(struct pool_call *call)
{
    sleep_ms(int_of(pool_call_field(call, 0)) * SECOND_MS);
    return 0;
}

static const struct pool_task list[] = {{"task", task}, {"sleep", sleep_for}};
static const struct pool_tasks tasks = {list, 2};

static struct pool *make_pool(void)
{
    const struct pool_options options = POOL_OPTIONS_INIT; /* Pool(): as many workers as CPUs */
    struct pool *pool;
    must(pool_create(&options, &pool), "pool");
    return pool;
}

static struct pool_results *map_async(struct pool *pool)
{
    const int numbers[] = {1, 2, 3, 4, 5};
    const struct pool_sequence sequence = {numbers, sizeof(numbers[0]), 5};
    struct pool_results *res;
    must(pool_map_sequences(pool, "task", &sequence, 1, NULL, &res), "map_async");
    return res;
}

static void try_to_submit(struct pool *pool, const char *when)
{
    if (pool_submit(pool, "task", NULL, NULL, NULL) == -ESHUTDOWN)
        printf("submit after %s: refused with ESHUTDOWN\n", when);
}

static void get(void)
{
    struct pool *pool = make_pool();
    struct pool_results *res = map_async(pool);
    must(pool_results_wait(res, -1), "wait");
    printf("get: ");
    print_ints(res);
    pool_results_free(res);
    pool_free(pool);
}

static void close_and_join(void)
{
    struct pool *pool = make_pool();
    struct pool_results *res = map_async(pool);
    pool_close(pool);
    must(pool_join(pool, -1), "join");
    printf("get after close and join: ");
    print_ints(res);
    try_to_submit(pool, "close");
    pool_results_free(res);
    pool_free(pool);
}

static void terminate(void)
{
    const int hours[8] = {3600, 3600, 3600, 3600, 3600, 3600, 3600, 3600};
    const struct pool_sequence sequence = {hours, sizeof(hours[0]), 8};
    struct pool *pool = make_pool();
    struct pool_results *res;
    size_t good = 0, cancelled = 0;
    must(pool_map_sequences(pool, "sleep", &sequence, 1, NULL, &res), "map_async");
    pool_terminate(pool);
    try_to_submit(pool, "terminate");
    const char *done = pool_results_done(res) ? "all" : "not all";
    for (size_t i = 0; i < pool_results_count(res); i++) {
        good += pool_future_successful(pool_results_at(res, i)) == 1;
        cancelled += pool_future_cancelled(pool_results_at(res, i));
    }
    printf("after terminate: %zu tasks, %s done, %zu with a result, %zu cancelled\n",
           pool_results_count(res), done, good, cancelled);
    pool_results_free(res);
    pool_free(pool);
}

int main(int argc, char **argv)
{
    must(pool_main(argc, argv, &tasks), "pool_main");
    get();
    close_and_join();
    terminate();
    return 0;
}
