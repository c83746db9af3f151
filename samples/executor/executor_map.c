/* executor_map: document 000, sections 3.1 and 3.2. An executor as a context, a map whose results
 * are looked at one by one, and a submit with its future.
 *
 *     with ProcessPoolExecutor() as executor:
 *         results = executor.map(square, range(10))
 *         for result in results:
 *             print(result)
 *         future = executor.submit(square, 5)
 *         print(future.result())
 *
 * It prints
 *
 *     list: [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]
 *     0
 *     1
 *     ...
 *     81
 *     submit: 25
 */
#include "sample.h"

static int square(struct pool_call *call)
{
    int x = int_of(pool_call_field(call, 0));
    x *= x;
    return pool_call_write(call, &x, sizeof(x));
}

static const struct pool_task list[] = {{"square", square}};
static const struct pool_tasks tasks = {list, 1};

/* Returns at once; the results come as they are asked for. */
static struct pool_results *map_squares(struct pool *executor)
{
    const int numbers[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    const struct pool_sequence range = {numbers, sizeof(numbers[0]), 10};
    struct pool_results *results;
    must(pool_map_sequences(executor, "square", &range, 1, NULL, &results), "map");
    return results;
}

int main(int argc, char **argv)
{
    must(pool_main(argc, argv, &tasks), "pool_main");

    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *executor;
    must(pool_create(&options, &executor), "pool"); /* with ProcessPoolExecutor() as executor: */

    struct pool_results *results = map_squares(executor);
    printf("list: ");
    print_ints(results);
    pool_results_free(results);

    results = map_squares(executor);
    for (size_t i = 0; i < pool_results_count(results); i++)
        printf("%d\n", int_result(pool_results_at(results, i))); /* in order; waits for this one */
    pool_results_free(results);

    struct pool_future *future = submit_int(executor, "square", 5);
    printf("submit: %d\n", int_result(future));
    pool_future_free(future);

    pool_free(executor); /* the end of the with block: waits for all that was submitted */
    return 0;
}
