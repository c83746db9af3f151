/* limits: document 000, sections 4.1 and 4.2. A pool bounds what it takes of the machine: so many
 * tasks at once, and so much from each process before it is replaced by a fresh one, which gives
 * back all that it had allocated or lost.
 *
 *     with ProcessPoolExecutor(max_workers=4) as executor:
 *         results = list(executor.map(task, numbers))
 *     pool = multiprocessing.Pool(4, maxtasksperchild=5)
 *
 * Each task returns when it began, when it ended, and in which process. It prints
 *
 *     workers = 4: 12 tasks, at most 4 at once, in 4 processes
 *     max_tasks = 5: 40 tasks, at most 5 in a process, in 8 processes
 *
 * (more than eight if the work ends while some have not run five yet). max_rss_bytes and max_age_ms
 * bound a worker's memory and age in the same way. */
#include <unistd.h>

#include "sample.h"

enum { WORKERS = 4, TASKS_MAX = 40 };

struct report {
    double began_s, ended_s; /* one clock for all processes */
    pid_t pid;
};

static int work(struct pool_call *call)
{
    struct report report = {.began_s = now_s(), .pid = getpid()};
    sleep_ms(int_of(pool_call_field(call, 0)));
    report.ended_s = now_s();
    return pool_call_write(call, &report, sizeof(report));
}

static const struct pool_task list[] = {{"work", work}};
static const struct pool_tasks tasks = {list, 1};

/* with ProcessPoolExecutor(...) as executor: executor.map(...) */
static void run(const struct pool_options *options, int count, int ms, struct report *reports)
{
    int times[TASKS_MAX];
    const struct pool_sequence sequence = {times, sizeof(times[0]), (size_t)count};
    struct pool_map_options map = POOL_MAP_INIT;
    struct pool *pool;
    struct pool_results *results;
    map.chunksize = 1;
    for (int i = 0; i < count; i++)
        times[i] = ms;
    must(pool_create(options, &pool), "pool");
    must(pool_map_sequences(pool, "work", &sequence, 1, &map, &results), "map");
    for (int i = 0; i < count; i++) {
        struct pool_bytes value;
        must(pool_future_result(pool_results_at(results, (size_t)i), -1, &value), "result");
        memcpy(&reports[i], value.data, sizeof(reports[i]));
    }
    pool_results_free(results);
    pool_free(pool);
}

/* The most that ran at the moment at which one of them began. */
static int most_at_once(const struct report *reports, int count)
{
    int most = 0;
    for (int i = 0; i < count; i++) {
        int running = 0;
        for (int k = 0; k < count; k++)
            running +=
                reports[k].began_s <= reports[i].began_s && reports[i].began_s < reports[k].ended_s;
        most = running > most ? running : most;
    }
    return most;
}

/* How many processes there were, and the most tasks that one of them ran. */
static int count_processes(const struct report *reports, int count, int *ret_most)
{
    int processes = 0;
    *ret_most = 0;
    for (int i = 0; i < count; i++) {
        int before = 0, all = 0;
        for (int k = 0; k < count; k++) {
            all += reports[k].pid == reports[i].pid;
            before += k < i && reports[k].pid == reports[i].pid;
        }
        processes += before == 0;
        *ret_most = all > *ret_most ? all : *ret_most;
    }
    return processes;
}

int main(int argc, char **argv)
{
    must(pool_main(argc, argv, &tasks), "pool_main");

    struct pool_options options = POOL_OPTIONS_INIT;
    struct report reports[TASKS_MAX];
    int most;
    options.workers = WORKERS;
    run(&options, 12, SECOND_MS / 2, reports);
    int processes = count_processes(reports, 12, &most);
    printf("workers = %d: 12 tasks, at most %d at once, in %d processes\n", WORKERS,
           most_at_once(reports, 12), processes);

    options.max_tasks = 5;
    run(&options, TASKS_MAX, SECOND_MS / 20, reports);
    processes = count_processes(reports, TASKS_MAX, &most);
    printf("max_tasks = 5: %d tasks, at most %d in a process, in %d processes\n", TASKS_MAX, most,
           processes);
    return 0;
}
