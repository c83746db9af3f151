/* log_callback: document 000, section 6, advises to log, and to have processes that crash
 * restarted. The pool restarts them by itself, and tells what happens through a callback:
 *
 *     multiprocessing.log_to_stderr(logging.INFO)
 *     with ProcessPoolExecutor(1) as executor:     # BrokenProcessPool from the third task on
 *         futures = [executor.submit(square, n) for n in range(1, 6)]
 *
 * The third of five tasks is killed, as the kernel does when memory runs out. It prints
 *
 *     log event=started pid=4711
 *     log event=died pid=4711 signal=9
 *     log event=started pid=4712
 *     log event=ended pid=4712
 *     1: 1
 *     2: 4
 *     3: failed, its worker died: pid 4711, signal 9 (Killed)
 *     4: 16
 *     5: 25
 */
#include <signal.h>

#include "sample.h"

enum { COUNT = 5, DEADLY = 3 };

static int square(struct pool_call *call)
{
    int n = int_of(pool_call_field(call, 0));
    if (n == DEADLY)
        raise(SIGKILL);
    n *= n;
    return pool_call_write(call, &n, sizeof(n));
}

static const struct pool_task list[] = {{"square", square}};
static const struct pool_tasks tasks = {list, 1};

/* Called from a thread of the pool's, one event after the other; data is options.log_data. What is
 * told comes in fields; a line for people, event->message, is there as well. */
static void log_event(const struct pool_log_event *event, void *data)
{
    static const char *const names[] = {
        [POOL_LOG_WORKER_STARTED] = "started", [POOL_LOG_WORKER_ENDED] = "ended",
        [POOL_LOG_WORKER_DIED] = "died",       [POOL_LOG_WORKER_FAILED] = "failed",
        [POOL_LOG_TASK_LATE] = "late",         [POOL_LOG_TASK_TOO_LARGE] = "too large",
        [POOL_LOG_TASK_RETRIED] = "retried",   [POOL_LOG_TASK_QUARANTINED] = "killers",
        [POOL_LOG_BROKEN] = "broken",
    };
    const char *prefix = data;
    if (event->kind == POOL_LOG_WORKER_DIED)
        say("%s event=died pid=%d signal=%d", prefix, (int)event->worker_pid, event->signal);
    else
        say("%s event=%s pid=%d", prefix, names[event->kind], (int)event->worker_pid);
}

static void print_outcome(int number, struct pool_future *future)
{
    struct pool_error error;
    must(pool_future_error(future, &error), "error");
    if (error.code == -EOWNERDEAD)
        printf("%d: failed, its worker died: pid %d, signal %d (%s)\n", number,
               (int)error.worker_pid, error.signal, strsignal(error.signal));
    else
        printf("%d: %d\n", number, int_result(future));
}

int main(int argc, char **argv)
{
    must(pool_main(argc, argv, &tasks), "pool_main");

    static char prefix[] = "log";
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool;
    struct pool_future *futures[COUNT];
    options.workers = 1;
    options.log = log_event;
    options.log_data = prefix;
    must(pool_create(&options, &pool), "pool");
    for (int i = 0; i < COUNT; i++)
        futures[i] = submit_int(pool, "square", i + 1);
    pool_free(pool); /* waits for all; futures live longer than their pool */
    for (int i = 0; i < COUNT; i++) {
        print_outcome(i + 1, futures[i]);
        pool_future_free(futures[i]);
    }
    return 0;
}
