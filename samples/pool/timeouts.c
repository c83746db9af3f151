/* timeouts: document 004's examples of get(timeout) and of next(timeout).
 *
 *     print(pool.apply_async(f, args=(10,)).get(timeout=1))               # 100
 *     print(pool.apply_async(time.sleep, args=(10,)).get(timeout=1))      # TimeoutError
 *     print(pool.map(f, range(10)))
 *     it = pool.imap(f, range(10))
 *     print(next(it)); print(next(it)); print(it.next(timeout=1))         # 0, 1, 4
 *
 * A timeout ends the wait and not the task: one can ask again. What ends a task is a deadline
 * (Python has none), or the end of the pool. The sleeper sleeps for an hour here. It prints
 *
 *     get: 100
 *     get: timed out after 1 second
 *     map: [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]
 *     next: 0
 *     next: 1
 *     next: 4
 *     deadline: stopped, ran longer than 100 ms
 *     get again: timed out, it still sleeps
 *     terminate: cancelled
 */
#include "sample.h"

enum {
    HOUR = 3600,
    AMPLE_MS = 100 * SECOND_MS, /* for waits that are to succeed: the machine may be busy */
};

static int f(struct pool_call *call)
{
    int x = int_of(pool_call_field(call, 0));
    x *= x;
    return pool_call_write(call, &x, sizeof(x));
}

static int sleep_for(struct pool_call *call)
{
    sleep_ms(int_of(pool_call_field(call, 0)) * SECOND_MS);
    return 0;
}

static const struct pool_task list[] = {{"f", f}, {"sleep", sleep_for}};
static const struct pool_tasks tasks = {list, 2};

static const int numbers[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; /* range(10) */

static void get(struct pool *pool)
{
    struct pool_bytes value;
    struct pool_future *result = submit_int(pool, "f", 10);
    must(pool_future_result(result, AMPLE_MS, &value), "get");
    printf("get: %d\n", int_of(value));
    pool_future_free(result);
}

static void map(struct pool *pool)
{
    const struct pool_sequence range = {numbers, sizeof(numbers[0]), 10};
    struct pool_results *results;
    must(pool_map_sequences(pool, "f", &range, 1, NULL, &results), "map");
    printf("map: ");
    print_ints(results);
    pool_results_free(results);
}

/* The numbers, one at a time. */
struct source {
    int next;
    struct pool_bytes field;
};

static int next_number(void *data, struct pool_item *ret_item)
{
    struct source *source = data;
    if (source->next == 10)
        return 0;
    source->field = bytes_of(&numbers[source->next++]);
    *ret_item = (struct pool_item){.fields = &source->field, .field_count = 1};
    return 1;
}

static void imap(struct pool *pool)
{
    struct source source = {0};
    struct pool_iter *it;
    struct pool_future *result;
    must(pool_imap(pool, "f", next_number, &source, NULL, &it), "imap");
    for (int i = 0; i < 3; i++) {
        must(pool_iter_next(it, i < 2 ? -1 : AMPLE_MS, &result), "next");
        printf("next: %d\n", int_result(result));
        pool_future_free(result);
    }
    pool_iter_free(it); /* the other seven are not asked for */
}

static void deadline(struct pool *pool)
{
    const int hour = HOUR;
    const struct pool_bytes field = bytes_of(&hour);
    const struct pool_item item = {.fields = &field, .field_count = 1};
    struct pool_submit_options options = POOL_SUBMIT_INIT;
    struct pool_future *result;
    struct pool_error error;
    options.deadline_ms = SECOND_MS;
    must(pool_apply(pool, "sleep", &item, &options, &result), "apply");
    must(pool_future_error(result, &error), "error");
    if (error.code == -ETIME)
        printf("deadline: stopped, %s\n", error.message);
    pool_future_free(result);
}

int main(int argc, char **argv)
{
    must(pool_main(argc, argv, &tasks), "pool_main");

    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool;
    options.workers = 4;
    must(pool_create(&options, &pool), "pool"); /* with Pool(processes=4) as pool: */
    get(pool);
    struct pool_future *sleeper = submit_int(pool, "sleep", HOUR);
    if (pool_future_result(sleeper, SECOND_MS, NULL) == -ETIMEDOUT)
        printf("get: timed out after 1 second\n");
    map(pool);
    imap(pool);
    deadline(pool);
    if (pool_future_result(sleeper, 0, NULL) == -ETIMEDOUT)
        printf("get again: timed out, it still sleeps\n");
    pool_terminate(pool); /* what the end of the with block does */
    if (pool_future_result(sleeper, -1, NULL) == -ECANCELED)
        printf("terminate: cancelled\n");
    pool_future_free(sleeper);
    pool_free(pool);
    return 0;
}
