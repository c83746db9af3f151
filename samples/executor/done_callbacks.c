/* done_callbacks: document 002, section 2. Functions that are called when a future is done.
 *
 *     future = executor.submit(task, 5)
 *     future.add_done_callback(first)
 *     future.add_done_callback(second)
 *     future.result()
 *     future.add_done_callback(late)     # is called at once
 *
 * It prints
 *
 *     first: the result is 25, in a thread of the pool's
 *     second: the result is 25, in a thread of the pool's
 *     third: the result is 25, in a thread of the pool's
 *     late: the result is 25, in the main thread
 *     error: division is not for this task, in a thread of the pool's
 *
 * Callbacks are called in the order in which they were added. One for results and for errors: it
 * asks the future which it is. */
#include <pthread.h>
#include <semaphore.h>

#include "sample.h"

static int task(struct pool_call *call)
{
    int n = int_of(pool_call_field(call, 0));
    sleep_ms(SECOND_MS);
    if (n == 0)
        return pool_call_fail(call, -EDOM, "division is not for this task");
    n *= n;
    return pool_call_write(call, &n, sizeof(n));
}

static const struct pool_task list[] = {{"task", task}};
static const struct pool_tasks tasks = {list, 1};

static pthread_t main_thread;

static void print(struct pool_future *future, void *data)
{
    const char *label = data;
    const char *thread =
        pthread_equal(pthread_self(), main_thread) ? "the main thread" : "a thread of the pool's";
    struct pool_error error;
    must(pool_future_error(future, &error), "error"); /* it is done, so this is known */
    if (error.code == 0)
        say("%s: the result is %d, in %s", label, int_result(future), thread);
    else
        say("%s: %s, in %s", label, error.message, thread);
}

static void post(struct pool_future *future, void *data)
{
    (void)future;
    sem_post(data);
}

static void add(struct pool_future *future, pool_done_fn function, void *data)
{
    must(pool_future_add_done_callback(future, function, data), "add_done_callback");
}

int main(int argc, char **argv)
{
    must(pool_main(argc, argv, &tasks), "pool_main");

    static char first[] = "first", second[] = "second", third[] = "third", late[] = "late",
                failing[] = "error";
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *executor;
    sem_t called;
    main_thread = pthread_self();
    must(sem_init(&called, 0, 0) < 0 ? -errno : 0, "semaphore");
    must(pool_create(&options, &executor), "pool");

    struct pool_future *future = submit_int(executor, "task", 5);
    add(future, print, first);
    add(future, print, second);
    add(future, print, third);
    add(future, post, &called);
    while (sem_wait(&called) < 0) /* result() may return before the callbacks were called */
        continue;
    add(future, print, late);
    pool_future_free(future);

    future = submit_int(executor, "task", 0);
    add(future, print, failing);
    pool_future_free(future); /* its callback is called nevertheless */

    pool_free(executor);
    sem_destroy(&called);
    return 0;
}
