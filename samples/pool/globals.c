/* globals: document 004 warns against global variables in a pool's tasks. This shows why:
 *
 *     counter = 0
 *     def count(): global counter; counter += 1; return counter
 *     pool.apply_async(count)     # ten times
 *     print(counter)              # still 0: each process has a counter of its own
 *
 * The caller sets its counter to 100 after the start; then ten tasks count. It prints
 *
 *     processes: the caller's counter is 100
 *     processes: process 4711 has counted to 6
 *     processes: process 4712 has counted to 4
 *     threads: the caller's counter is 110
 *
 * A worker process runs the program anew: it sees nothing that the caller changed, before the start
 * or after it, and the caller sees nothing of what it changes. Threads share the variable, which
 * therefore has to be atomic or locked. What every task needs goes in as a field, or is made once
 * in each worker (options.initializer, pool_call_set_local()). */
#include <stdatomic.h>
#include <unistd.h>

#include "sample.h"

enum { COUNT = 10 };

static atomic_int counter;

struct count {
    pid_t pid;
    int counter;
};

static int count(struct pool_call *call)
{
    const struct count mine = {getpid(), atomic_fetch_add(&counter, 1) + 1};
    sleep_ms(SECOND_MS / 10); /* so that one worker does not do it all */
    return pool_call_write(call, &mine, sizeof(mine));
}

static const struct pool_task list[] = {{"count", count}};
static const struct pool_tasks tasks = {list, 1};

static void count_to_ten(struct pool *pool, struct count *counts)
{
    struct pool_future *futures[COUNT];
    for (int i = 0; i < COUNT; i++)
        must(pool_submit(pool, "count", NULL, NULL, &futures[i]), "submit");
    for (int i = 0; i < COUNT; i++) {
        struct pool_bytes value;
        must(pool_future_result(futures[i], -1, &value), "result");
        memcpy(&counts[i], value.data, sizeof(counts[i]));
        pool_future_free(futures[i]);
    }
}

/* The highest number that each process has returned. */
static void print_processes(const struct count *counts)
{
    for (int i = 0; i < COUNT; i++) {
        int highest = 0;
        for (int k = 0; k < COUNT; k++)
            if (counts[k].pid == counts[i].pid && counts[k].counter > highest)
                highest = counts[k].counter;
        if (counts[i].counter == highest)
            printf("processes: process %d has counted to %d\n", (int)counts[i].pid, highest);
    }
}

static void try_backend(enum pool_backend backend, const char *name)
{
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool;
    struct count counts[COUNT];
    options.backend = backend;
    options.workers = 2;
    must(pool_create(&options, &pool), "pool");
    atomic_store(&counter, 100);
    count_to_ten(pool, counts);
    printf("%s: the caller's counter is %d\n", name, atomic_load(&counter));
    if (backend == POOL_BACKEND_PROCESS)
        print_processes(counts);
    pool_free(pool);
}

int main(int argc, char **argv)
{
    must(pool_main(argc, argv, &tasks), "pool_main");
    try_backend(POOL_BACKEND_PROCESS, "processes");
    try_backend(POOL_BACKEND_THREAD, "threads");
    return 0;
}
