/* executor_errors: document 000, section 3.3. An error that a task raises in its process reaches
 * the caller when the result is asked for.
 *
 *     future = executor.submit(divide, 10, 0)
 *     try:
 *         result = future.result()
 *     except ZeroDivisionError:
 *         print("Divide by zero")
 *
 * and the same for each result of a map. It prints
 *
 *     submit: Divide by zero
 *     submit: task divide failed with EDOM: 10 / 0, at executor_errors.c:32, in another process
 *     map: 10 / 5 = 2
 *     map: task divide failed with EDOM: 20 / 0, at executor_errors.c:32, in another process
 *     map: 30 / 3 = 10
 *     map: task divide failed with ERANGE: INT_MIN / -1, at executor_errors.c:34, in another
 * process map: 50 / 2 = 25
 *
 * Each item has an outcome of its own; Python's map ends at the first that failed. */
#include <limits.h>
#include <unistd.h>

#include "sample.h"

enum { COUNT = 5 };

static int divide(struct pool_call *call)
{
    const int a = int_of(pool_call_field(call, 0)), b = int_of(pool_call_field(call, 1));
    if (b == 0)
        return pool_call_fail(call, -EDOM, "%d / 0", a);
    if (a == INT_MIN && b == -1)
        return pool_call_fail(call, -ERANGE, "INT_MIN / -1");
    const int quotient = a / b;
    return pool_call_write(call, &quotient, sizeof(quotient));
}

static const struct pool_task list[] = {{"divide", divide}};
static const struct pool_tasks tasks = {list, 1};

/* What a traceback's last lines would say. */
static void print_error(const char *call, struct pool_future *future)
{
    struct pool_error error;
    must(pool_future_error(future, &error), "error");
    const char *file = strrchr(error.where, '/');
    printf("%s: task %s failed with %s: %s, at %s, in %s process\n", call, error.task,
           error.task_code == -EDOM ? "EDOM" : "ERANGE", error.message,
           file ? file + 1 : error.where, error.worker_pid == getpid() ? "this" : "another");
}

static void submit(struct pool *executor)
{
    const int a = 10, b = 0;
    const struct pool_bytes fields[] = {bytes_of(&a), bytes_of(&b)};
    const struct pool_item item = {.fields = fields, .field_count = 2};
    struct pool_future *future;
    struct pool_error error;
    must(pool_submit(executor, "divide", &item, NULL, &future), "submit");
    if (pool_future_result(future, -1, NULL) == -EREMOTEIO) { /* the task failed */
        must(pool_future_error(future, &error), "error");
        if (error.task_code == -EDOM) /* except ZeroDivisionError: */
            printf("submit: Divide by zero\n");
        print_error("submit", future);
    }
    pool_future_free(future);
}

static void map(struct pool *executor)
{
    const int a[COUNT] = {10, 20, 30, INT_MIN, 50}, b[COUNT] = {5, 0, 3, -1, 2};
    const struct pool_sequence both[] = {{a, sizeof(a[0]), COUNT}, {b, sizeof(b[0]), COUNT}};
    struct pool_results *results;
    must(pool_map_sequences(executor, "divide", both, 2, NULL, &results), "map");
    for (size_t i = 0; i < COUNT; i++) {
        struct pool_future *future = pool_results_at(results, i);
        struct pool_bytes value;
        if (pool_future_result(future, -1, &value) == 0)
            printf("map: %d / %d = %d\n", a[i], b[i], int_of(value));
        else
            print_error("map", future);
    }
    pool_results_free(results);
}

int main(int argc, char **argv)
{
    must(pool_main(argc, argv, &tasks), "pool_main");

    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *executor;
    must(pool_create(&options, &executor), "pool");
    submit(executor);
    map(executor);
    pool_free(executor);
    return 0;
}
