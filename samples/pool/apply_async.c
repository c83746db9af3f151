/* apply_async: document 000, section 2.2. Three more ways to hand a task to a pool: without waiting
 * for it, with the results as they end, and with tuples of arguments.
 *
 *     result = pool.apply_async(task, args=(2,))
 *     result.wait()
 *     print(result.get())
 *     for result in pool.imap_unordered(task, [3, 1, 4, 2, 5]):
 *         print(result)
 *     print(pool.starmap(task, [(1,), (2,), (3,), (4,), (5,)]))
 *
 * The task sleeps n seconds and returns n (a second lasts a tenth of one here), on four workers:
 *
 *     apply_async: not ready yet
 *     apply_async: 2
 *     imap_unordered: 1
 *     imap_unordered: 2
 *     imap_unordered: 3
 *     imap_unordered: 4
 *     imap_unordered: 5
 *     starmap: [1, 2, 3, 4, 5]
 *
 * The shortest comes first from imap_unordered, because it ends first; the others keep the order of
 * their items. 5 is last of all: it had to wait for a worker. */
#include "sample.h"

enum { COUNT = 5 };

/* def task(n): time.sleep(n); return n */
static int task(struct pool_call *call)
{
    const int n = int_of(pool_call_field(call, 0));
    sleep_ms(n * SECOND_MS);
    return pool_call_write(call, &n, sizeof(n));
}

static const struct pool_task list[] = {{"task", task}};
static const struct pool_tasks tasks = {list, 1};

static void apply_async(struct pool *pool)
{
    struct pool_future *result = submit_int(pool, "task", 2);
    printf("apply_async: %s\n", pool_future_done(result) ? "ready" : "not ready yet");
    must(pool_future_result(result, -1, NULL), "wait");
    printf("apply_async: %d\n", int_result(result));
    pool_future_free(result);
}

/* Where imap gets its items: whatever makes one at each call, here out of an array. */
struct source {
    const int *next, *end;
    struct pool_bytes field;
};

static int next_item(void *data, struct pool_item *ret_item)
{
    struct source *source = data;
    if (source->next == source->end)
        return 0;
    source->field = bytes_of(source->next++);
    *ret_item = (struct pool_item){.fields = &source->field, .field_count = 1};
    return 1;
}

static void imap_unordered(struct pool *pool)
{
    const int numbers[COUNT] = {3, 1, 4, 2, 5};
    struct source source = {.next = numbers, .end = numbers + COUNT};
    struct pool_iter *results;
    struct pool_future *result;
    must(pool_imap_unordered(pool, "task", next_item, &source, NULL, &results), "imap_unordered");
    while (must(pool_iter_next(results, -1, &result), "next") > 0) {
        printf("imap_unordered: %d\n", int_result(result));
        pool_future_free(result);
    }
    pool_iter_free(results);
}

static void starmap(struct pool *pool)
{
    const int numbers[COUNT] = {1, 2, 3, 4, 5};
    struct pool_bytes tuples[COUNT][1]; /* one argument each; as many as the task takes */
    struct pool_item items[COUNT];
    struct pool_results *results;
    for (int i = 0; i < COUNT; i++) {
        tuples[i][0] = bytes_of(&numbers[i]);
        items[i] = (struct pool_item){.fields = tuples[i], .field_count = 1};
    }
    must(pool_starmap(pool, "task", items, COUNT, NULL, &results), "starmap");
    printf("starmap: ");
    print_ints(results);
    pool_results_free(results);
}

int main(int argc, char **argv)
{
    must(pool_main(argc, argv, &tasks), "pool_main");

    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool;
    options.workers = 4;
    must(pool_create(&options, &pool), "pool");
    apply_async(pool);
    imap_unordered(pool);
    starmap(pool);
    pool_close(pool);
    must(pool_join(pool, -1), "join");
    pool_free(pool);
    return 0;
}
