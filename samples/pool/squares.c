/* squares: the first example of document 000 (section 2.1), and document 004's map. apply runs one
 * task and waits for it; map runs one for each item of a list and waits for all.
 *
 *     pool = multiprocessing.Pool(4)
 *     print(pool.apply(task, args=(5,)))
 *     print(pool.map(task, [1, 2, 3, 4, 5]))
 *     pool.close()
 *     pool.join()
 *
 * It prints
 *
 *     25
 *     [1, 4, 9, 16, 25]
 *
 * An item is what a task is called with: fields of bytes, here one that holds an int. */
#include "sample.h"

enum { COUNT = 5 };

/* def task(n): return n * n */
static int task(struct pool_call *call)
{
    int n = int_of(pool_call_field(call, 0));
    n *= n;
    return pool_call_write(call, &n, sizeof(n));
}

/* A worker process cannot be handed a function, so tasks have names. */
static const struct pool_task list[] = {{"task", task}};
static const struct pool_tasks tasks = {list, 1};

static void apply(struct pool *pool)
{
    const int five = 5;
    const struct pool_bytes field = {&five, sizeof(five)};
    const struct pool_item item = {.fields = &field, .field_count = 1};
    struct pool_future *future;
    must(pool_apply(pool, "task", &item, NULL, &future), "apply");
    printf("%d\n", int_result(future));
    pool_future_free(future);
}

static void map(struct pool *pool)
{
    const int numbers[COUNT] = {1, 2, 3, 4, 5};
    struct pool_bytes fields[COUNT];
    struct pool_item items[COUNT];
    struct pool_results *results;
    for (int i = 0; i < COUNT; i++) {
        fields[i] = bytes_of(&numbers[i]);
        items[i] = (struct pool_item){.fields = &fields[i], .field_count = 1};
    }
    must(pool_map(pool, "task", items, COUNT, NULL, &results), "map");
    print_ints(results);
    pool_results_free(results);
}

int main(int argc, char **argv)
{
    must(pool_main(argc, argv, &tasks), "pool_main"); /* if __name__ == '__main__': */

    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool;
    options.workers = 4;
    must(pool_create(&options, &pool), "pool");
    apply(pool);
    map(pool);
    pool_close(pool);
    must(pool_join(pool, -1), "join");
    pool_free(pool);
    return 0;
}
