/* The smallest program on a process pool, built outside of the tree. Prints 0 1 4 9 16. */
#include <stdio.h>
#include <string.h>

#include <pool/pool.h>

static int square(struct pool_call *call)
{
    int x;
    memcpy(&x, pool_call_field(call, 0).data, sizeof(x));
    x *= x;
    return pool_call_write(call, &x, sizeof(x));
}

int main(int argc, char **argv)
{
    static const struct pool_task list[] = {{"square", square}};
    static const struct pool_tasks tasks = {list, 1};
    const struct pool_options options = POOL_OPTIONS_INIT;
    const struct pool_sequence numbers = {(int[]){0, 1, 2, 3, 4}, sizeof(int), 5};
    struct pool *pool;
    struct pool_results *results;
    if (pool_main(argc, argv, &tasks) < 0 || pool_create(&options, &pool) < 0 ||
        pool_map_sequences(pool, "square", &numbers, 1, NULL, &results) < 0)
        return 1;
    for (size_t i = 0; i < pool_results_count(results); i++) {
        struct pool_bytes value;
        if (pool_future_result(pool_results_at(results, i), -1, &value) == 0)
            printf("%d%c", *(const int *)value.data, i < 4 ? ' ' : '\n');
    }
    pool_results_free(results);
    pool_free(pool);
    return 0;
}
