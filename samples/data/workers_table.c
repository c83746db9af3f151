/* workers_table: document 003, sections 1.3 and 2.3.2: CPU-bound work in several processes, and
 * what the number of processes does to it.
 *
 *     processes = []
 *     for _ in range(4):
 *         p = multiprocessing.Process(target=cpu_bound_task, args=(args,))
 *         processes.append(p)
 *         p.start()
 *     for p in processes:
 *         p.join()
 *
 * The document's table 2-1 says for four cores: 4 processes good, 2 middling, 1 poor, and beyond
 * the number of cores the efficiency may fall again. Here the table is measured: the same tasks in
 * the calling thread and in 1, 2, 4, ... workers, up to twice the CPUs; each several times, in
 * turn, so that a disturbance hits all of them alike; shown is the median. Speed-up is against the
 * calling thread, efficiency is speed-up for each worker.
 *
 *     $ workers_table
 *     2 CPUs; 24 CPU-bound tasks, median of 5 rounds
 *     workers     time  speed-up  efficiency
 *      serial  0.051 s      1.00       100 %
 *           1  0.053 s      0.96        96 %
 *           2  0.034 s      1.51        76 %
 *           4  0.034 s      1.52        38 %
 *     same result each time: yes
 *
 * More workers than CPUs win nothing here: they only take turns. */
#include "sample.h"

enum { TASKS = 24, STEPS = 2000000, ROUNDS = 5, ROWS_MAX = 16 };

struct row {
    unsigned workers; /* 0: serial */
    struct pool *pool;
    double times_s[ROUNDS];
};

/* The task: nothing but arithmetic. Its field is a number to begin with. */
static int cpu_bound_task(struct pool_call *call)
{
    uint64_t x = (uint64_t)int_of(pool_call_field(call, 0));
    for (int step = 0; step < STEPS; step++)
        x = x * 6364136223846793005 + 1442695040888963407;
    const int result = (int)(x >> 40);
    return pool_call_write(call, &result, sizeof(result));
}

static const struct pool_task list[] = {{"cpu_bound_task", cpu_bound_task}};
static const struct pool_tasks tasks = {list, 1};

/* Workers that wait for work cost nothing: all pools live all the time, so that no round pays for
 * a start. */
static struct pool *create(unsigned workers)
{
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool;
    if (workers == 0)
        options.backend = POOL_BACKEND_SERIAL;
    options.workers = options.workers_min = workers;
    options.tasks = &tasks;
    must(pool_create(&options, &pool), "pool");
    return pool;
}

/* Run all tasks.  Returns the sum of their results. */
static uint64_t run(struct pool *pool, double *ret_time_s)
{
    struct pool_map_options options = POOL_MAP_INIT;
    struct pool_results *results;
    int numbers[TASKS];
    uint64_t sum = 0;
    for (int i = 0; i < TASKS; i++)
        numbers[i] = i;
    const struct pool_sequence sequence = {numbers, sizeof(numbers[0]), TASKS};
    options.chunksize = 1;
    const double start = now_s();
    must(pool_map_sequences(pool, "cpu_bound_task", &sequence, 1, &options, &results), "map");
    must(pool_results_wait(results, -1), "wait");
    *ret_time_s = now_s() - start;
    for (size_t i = 0; i < TASKS; i++)
        sum += (uint64_t)int_result(pool_results_at(results, i));
    pool_results_free(results);
    return sum;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(struct row *row)
{
    qsort(row->times_s, ROUNDS, sizeof(row->times_s[0]), compare);
    return row->times_s[ROUNDS / 2];
}

int main(int argc, char **argv)
{
    must(pool_main(argc, argv, &tasks), "pool_main");
    const unsigned cpus = pool_cpu_count();
    struct row rows[ROWS_MAX] = {{.workers = 0}};
    size_t count = 1;
    for (unsigned n = 1; count < ROWS_MAX && (n <= 4 || n <= 2 * cpus); n *= 2)
        rows[count++].workers = n;
    for (size_t i = 0; i < count; i++)
        rows[i].pool = create(rows[i].workers);

    double warm_up_s;
    bool same = true;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum = run(rows[i].pool, &warm_up_s);
    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < count; i++)
            same = run(rows[i].pool, &rows[i].times_s[round]) == sum && same;

    printf("%u CPUs; %d CPU-bound tasks, median of %d rounds\n", cpus, TASKS, ROUNDS);
    printf("workers     time  speed-up  efficiency\n");
    const double serial_s = median(&rows[0]);
    for (size_t i = 0; i < count; i++) {
        const double time_s = median(&rows[i]), speed_up = serial_s / time_s;
        char name[16] = "serial";
        if (rows[i].workers > 0)
            snprintf(name, sizeof(name), "%u", rows[i].workers);
        printf("%7s %6.3f s %9.2f %9.0f %%\n", name, time_s, speed_up,
               100 * speed_up / (rows[i].workers > 0 ? rows[i].workers : 1));
        pool_free(rows[i].pool);
    }
    printf("same result each time: %s\n", same ? "yes" : "no");
    return same ? EXIT_SUCCESS : EXIT_FAILURE;
}
