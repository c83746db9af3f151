/* The smallest program on a process pool, built outside of the tree. Prints 0 1 4 9 16. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <pool/pool.h>

static int square(struct pool_call *call)
{
    int x;
    struct pool_bytes field = pool_call_field(call, 0);
    if (field.size_bytes != sizeof(x))
        return pool_call_fail(call, -EINVAL, "one int expected");
    memcpy(&x, field.data, sizeof(x));
    x *= x;
    return pool_call_write(call, &x, sizeof(x));
}

static int print_squares(struct pool *pool)
{
    int numbers[] = {0, 1, 2, 3, 4};
    const size_t count = sizeof(numbers) / sizeof(numbers[0]);
    struct pool_bytes fields[sizeof(numbers) / sizeof(numbers[0])];
    struct pool_item items[sizeof(numbers) / sizeof(numbers[0])] = {0};
    struct pool_results *results;
    for (size_t i = 0; i < count; i++) {
        fields[i] = (struct pool_bytes){&numbers[i], sizeof(numbers[i])};
        items[i].fields = &fields[i];
        items[i].field_count = 1;
    }
    int r = pool_map(pool, "square", items, count, NULL, &results);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count && r == 0; i++) {
        struct pool_bytes value;
        int x;
        r = pool_future_result(pool_results_at(results, i), -1, &value);
        if (r == 0) {
            memcpy(&x, value.data, sizeof(x));
            printf("%d%c", x, i + 1 < count ? ' ' : '\n');
        }
    }
    pool_results_free(results);
    return r;
}

int main(int argc, char **argv)
{
    static const struct pool_task list[] = {{"square", square}};
    static const struct pool_tasks tasks = {list, 1};
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool;
    int r = pool_main(argc, argv, &tasks);
    if (r < 0)
        return 1;
    options.tasks = &tasks;
    r = pool_create(&options, &pool);
    if (r == 0) {
        r = print_squares(pool);
        pool_free(pool);
    }
    if (r < 0)
        fprintf(stderr, "squares: %s\n", strerror(-r));
    return r < 0;
}
