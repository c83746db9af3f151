/* threads_in_workers: document 000, section 1.3, and document 003, section 2.1.2: processes or
 * threads? Both at once: each task runs in a worker process and starts threads of its own there,
 * which share the task's memory, and joins them before it returns.
 *
 *     def task(n):
 *         results = [0] * 3
 *         threads = [Thread(target=count, args=(n, i, results)) for i in range(3)]
 *         for t in threads: t.start()
 *         for t in threads: t.join()
 *         return os.getpid(), sum(results)
 *
 *     with Pool(2) as pool:
 *         for pid, total in pool.map(task, [100000, 200000, 300000, 400000]): ...
 *
 * In Python the threads of one process take turns (the GIL); here they run at the same time. A
 * thread that a task leaves behind would go on while the worker runs other tasks: join them.
 *
 *     $ threads_in_workers
 *     task 0: pid=4711 ran 3 threads (tid=4713 tid=4714 tid=4715): 9592 primes below 100000
 *     task 1: pid=4712 ran 3 threads (tid=4716 tid=4717 tid=4718): 17984 primes below 200000
 *     ...
 *     4 tasks, 12 threads, 2 processes */
#include <pthread.h>
#include <unistd.h>

#include "sample.h"

enum { TASKS = 4, THREADS = 3, WORKERS = 2 };

/* One thread's share, in memory that all threads of the task see. */
struct share {
    pthread_t thread;
    struct pool_range range; /* of odd numbers: 2 * i + 1 */
    int primes;
    pid_t tid;
};

/* What a task gives back. */
struct answer {
    pid_t pid, tids[THREADS];
    int limit, primes;
};

static bool is_prime(size_t n)
{
    for (size_t d = 3; d * d <= n; d += 2)
        if (n % d == 0)
            return false;
    return n > 2;
}

static void *count_primes(void *data)
{
    struct share *share = data;
    share->tid = gettid();
    for (size_t i = share->range.first; i < share->range.first + share->range.count; i++)
        share->primes += is_prime(2 * i + 1);
    return NULL;
}

/* The task: runs in a worker. Its field is the limit up to which primes are counted. */
static int count_in_threads(struct pool_call *call)
{
    struct answer answer = {.pid = getpid(), .limit = int_of(pool_call_field(call, 0))};
    struct share shares[THREADS] = {0};
    int started = 0, r = 0;
    if (answer.limit < 3)
        return pool_call_fail(call, -EDOM, "a limit of 3 or more is expected");
    for (; r == 0 && started < THREADS; started += r == 0) {
        shares[started].range = pool_split((size_t)answer.limit / 2, THREADS, (size_t)started);
        r = -pthread_create(&shares[started].thread, NULL, count_primes, &shares[started]);
    }
    answer.primes = 1; /* 2, the only even one */
    for (int i = 0; i < started; i++) {
        pthread_join(shares[i].thread, NULL);
        answer.primes += shares[i].primes;
        answer.tids[i] = shares[i].tid;
    }
    return r < 0 ? pool_call_fail(call, r, "a thread cannot be started: %s", strerror(-r))
                 : pool_call_write(call, &answer, sizeof(answer));
}

static const struct pool_task list[] = {{"count_in_threads", count_in_threads}};
static const struct pool_tasks tasks = {list, 1};

int main(int argc, char **argv)
{
    static const int limits[TASKS] = {100000, 200000, 300000, 400000};
    static const struct pool_sequence sequence = {limits, sizeof(limits[0]), TASKS};
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool;
    struct pool_results *results;
    pid_t pids[TASKS];
    int processes = 0;

    must(pool_main(argc, argv, &tasks), "pool_main");
    options.workers = options.workers_min = WORKERS;
    options.tasks = &tasks;
    must(pool_create(&options, &pool), "pool");
    must(pool_map_sequences(pool, "count_in_threads", &sequence, 1, NULL, &results), "map");
    for (int i = 0; i < TASKS; i++) {
        struct pool_bytes value;
        struct answer answer;
        must(pool_future_result(pool_results_at(results, (size_t)i), -1, &value), "task");
        memcpy(&answer, value.data, sizeof(answer));
        printf("task %d: pid=%d ran %d threads (", i, answer.pid, THREADS);
        for (int t = 0; t < THREADS; t++)
            printf("%stid=%d", t > 0 ? " " : "", answer.tids[t]);
        printf("): %d primes below %d\n", answer.primes, answer.limit);
        pids[i] = answer.pid;
        int first = 0;
        while (pids[first] != answer.pid)
            first++;
        processes += first == i;
    }
    printf("%d tasks, %d threads, %d processes\n", TASKS, TASKS * THREADS, processes);
    pool_results_free(results);
    pool_free(pool);
    return EXIT_SUCCESS;
}
