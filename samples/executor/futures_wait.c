/* futures_wait: concurrent.futures' wait and as_completed, which document 000's executors (sections
 * 3.1 to 3.3) and document 002's bring with them.
 *
 *     done, not_done = wait(futures, return_when=FIRST_COMPLETED)
 *     done, not_done = wait(futures, return_when=FIRST_EXCEPTION)
 *     done, not_done = wait(futures, timeout=1)
 *     for future in as_completed(futures, timeout=1):
 *         print(future.result())
 *
 * It prints
 *
 *     as_completed: slept for 1
 *     as_completed: slept for 2
 *     as_completed: slept for 3
 *     FIRST_COMPLETED: quick is done, endless is not
 *     FIRST_EXCEPTION: quick is done, endless is not, failing is done
 *     ALL_COMPLETED: timed out after 1 second
 *     as_completed: quick
 *     as_completed: failing
 *     as_completed: timed out after 1 second
 *     ALL_COMPLETED: quick is done, endless is done, failing is done
 */
#include "sample.h"

/* Sleep n seconds; a negative n fails. */
static int nap(struct pool_call *call)
{
    const int n = int_of(pool_call_field(call, 0));
    if (n < 0)
        return pool_call_fail(call, -EDOM, "nobody can sleep for %d seconds", n);
    sleep_ms(n * SECOND_MS);
    return pool_call_write(call, &n, sizeof(n));
}

static const struct pool_task list[] = {{"nap", nap}};
static const struct pool_tasks tasks = {list, 1};

/* In the order in which they end, whatever the order in which they were submitted. */
static void go_through(struct pool *executor)
{
    struct pool_future *futures[3] = {submit_int(executor, "nap", 3),
                                      submit_int(executor, "nap", 1),
                                      submit_int(executor, "nap", 2)};
    struct pool_completed *completed;
    struct pool_future *future;
    must(pool_as_completed(futures, 3, -1, &completed), "as_completed");
    while (must(pool_completed_next(completed, &future), "next") > 0)
        printf("as_completed: slept for %d\n", int_result(future));
    pool_completed_free(completed);
    for (int i = 0; i < 3; i++)
        pool_future_free(futures[i]);
}

static const char *const names[] = {"quick", "endless", "failing"};

/* pool_wait() says how many are done; which they are, the futures know. */
static void print_wait(const char *label, struct pool_future **futures, size_t count)
{
    printf("%s:", label);
    for (size_t i = 0; i < count; i++)
        printf("%s %s is %s", i == 0 ? "" : ",", names[i],
               pool_future_done(futures[i]) ? "done" : "not");
    putchar('\n');
}

static void print_completed(struct pool_future **futures, size_t count, int timeout_ms)
{
    struct pool_completed *completed;
    struct pool_future *future;
    int r;
    must(pool_as_completed(futures, count, timeout_ms, &completed), "as_completed");
    while ((r = pool_completed_next(completed, &future)) > 0)
        for (size_t i = 0; i < count; i++)
            if (futures[i] == future)
                printf("as_completed: %s\n", names[i]);
    if (r == -ETIMEDOUT)
        printf("as_completed: timed out after 1 second\n");
    pool_completed_free(completed);
}

static void wait_for_some(struct pool *executor)
{
    struct pool_future *futures[3] = {submit_int(executor, "nap", 0),
                                      submit_int(executor, "nap", 3600)};
    must(pool_wait(futures, 2, POOL_FIRST_COMPLETED, -1), "wait");
    print_wait("FIRST_COMPLETED", futures, 2);

    futures[2] = submit_int(executor, "nap", -1);
    must(pool_wait(futures, 3, POOL_FIRST_EXCEPTION, -1), "wait");
    print_wait("FIRST_EXCEPTION", futures, 3);

    if (pool_wait(futures, 3, POOL_ALL_COMPLETED, SECOND_MS) == -ETIMEDOUT)
        printf("ALL_COMPLETED: timed out after 1 second\n");
    print_completed(futures, 3, SECOND_MS);

    must(pool_future_cancel(futures[1], true), "cancel"); /* it sleeps: its worker is stopped */
    must(pool_wait(futures, 3, POOL_ALL_COMPLETED, -1), "wait");
    print_wait("ALL_COMPLETED", futures, 3);
    for (int i = 0; i < 3; i++)
        pool_future_free(futures[i]);
}

int main(int argc, char **argv)
{
    must(pool_main(argc, argv, &tasks), "pool_main");

    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *executor;
    options.workers = 3;
    must(pool_create(&options, &executor), "pool");
    go_through(executor);
    wait_for_some(executor);
    pool_free(executor);
    return 0;
}
