/* executor_shutdown: document 002, sections 2 and 3. Ten tasks on four workers, with and without
 * waiting for them, in processes and in threads.
 *
 *     pool = ProcessPoolExecutor(4)     # or ThreadPoolExecutor(4): nothing else changes
 *     for i in range(1, 11):
 *         pool.submit(task, "child %s" % i)
 *     pool.shutdown()                   # or shutdown(wait=False)
 *     print("main")
 *
 * Usage: executor_shutdown [wait|nowait] [process|thread]. With wait and process it prints
 *
 *     name: child 1, pid: 17744, thread: 17744
 *     name: child 2, pid: 18208, thread: 18208
 *     ...
 *     name: child 10, pid: 12440, thread: 12440
 *     main
 *
 * Four processes do all ten: each takes the next task when it has finished one. Threads have one
 * pid, the program's, and four thread ids. With nowait "main" comes at once, and all ten run even
 * so: the end of the program waits for them. */
#include <stdbool.h>
#include <unistd.h>

#include "sample.h"

static int task(struct pool_call *call)
{
    const int i = int_of(pool_call_field(call, 0));
    say("name: child %d, pid: %d, thread: %d", i, (int)getpid(), (int)gettid());
    sleep_ms((1 + i % 3) * SECOND_MS); /* time.sleep(random.randint(1, 3)) */
    return 0;
}

static const struct pool_task list[] = {{"task", task}};
static const struct pool_tasks tasks = {list, 1};

struct choice {
    bool wait, thread;
};

static struct choice read_arguments(int argc, char **argv)
{
    struct choice choice = {.wait = true};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "wait") == 0 || strcmp(argv[i], "nowait") == 0) {
            choice.wait = argv[i][0] == 'w';
        } else if (strcmp(argv[i], "process") == 0 || strcmp(argv[i], "thread") == 0) {
            choice.thread = argv[i][0] == 't';
        } else {
            fprintf(stderr, "usage: executor_shutdown [wait|nowait] [process|thread]\n");
            exit(2);
        }
    }
    return choice;
}

int main(int argc, char **argv)
{
    must(pool_main(argc, argv, &tasks), "pool_main");

    const struct choice choice = read_arguments(argc, argv);
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool;
    options.backend = choice.thread ? POOL_BACKEND_THREAD : POOL_BACKEND_PROCESS;
    options.workers = 4;
    must(pool_create(&options, &pool), "pool");
    for (int i = 1; i <= 10; i++)
        pool_future_free(submit_int(pool, "task", i)); /* nobody asks for the results */
    must(pool_shutdown(pool, choice.wait ? POOL_SHUTDOWN_WAIT : 0), "shutdown");
    say("main");
    if (choice.wait)
        pool_free(pool);
    return 0; /* a pool that was shut down without waiting is freed behind this */
}
