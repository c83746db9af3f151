/* chunksize: document 000, section 2.3. As many workers as there are CPUs, and items handed out in
 * chunks, so that there is less to do for each:
 *
 *     pool = multiprocessing.Pool(multiprocessing.cpu_count())
 *     pool.map(task, range(20000), chunksize=1)
 *     pool.map(task, range(20000))
 *
 * Tasks that take next to no time show the cost of handing them out. It prints
 *
 *     2 CPUs, 2 workers, 20000 tasks
 *     chunksize 1: 719883 tasks/s
 *     chunksize by default, 2500: 1286768 tasks/s
 *
 * with the figures of the machine and of the moment. The default is ceil(items / (4 * workers)).
 * Large chunks are for many short tasks of one length: with long ones they let workers run idle
 * at the end, and save nothing. */
#include "sample.h"

enum { COUNT = 20000 };

static int task(struct pool_call *call)
{
    int n = int_of(pool_call_field(call, 0));
    n += 1;
    return pool_call_write(call, &n, sizeof(n));
}

static const struct pool_task list[] = {{"task", task}};
static const struct pool_tasks tasks = {list, 1};

/* Map over all numbers, and look at every result.  Returns tasks per second. */
static double measure(struct pool *pool, const int *numbers, size_t chunksize)
{
    const struct pool_sequence range = {numbers, sizeof(numbers[0]), COUNT};
    struct pool_map_options options = POOL_MAP_INIT;
    struct pool_results *results;
    options.chunksize = chunksize;
    const double start_s = now_s();
    must(pool_map_sequences(pool, "task", &range, 1, &options, &results), "map");
    must(pool_results_wait(results, -1), "wait");
    const double took_s = now_s() - start_s;
    for (int i = 0; i < COUNT; i++)
        if (int_result(pool_results_at(results, (size_t)i)) != i + 1)
            must(-EBADMSG, "a result");
    pool_results_free(results);
    return COUNT / took_s;
}

int main(int argc, char **argv)
{
    must(pool_main(argc, argv, &tasks), "pool_main");

    static int numbers[COUNT];
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool;
    for (int i = 0; i < COUNT; i++)
        numbers[i] = i;
    options.workers = pool_cpu_count(); /* as 0 would do */
    must(pool_create(&options, &pool), "pool");
    const unsigned workers = pool_workers(pool);
    const size_t chunk = (COUNT + 4 * workers - 1) / (4 * workers);
    printf("%u CPUs, %u workers, %d tasks\n", pool_cpu_count(), workers, COUNT);
    measure(pool, numbers, 0); /* the workers start here, and are not counted */
    printf("chunksize 1: %.0f tasks/s\n", measure(pool, numbers, 1));
    printf("chunksize by default, %zu: %.0f tasks/s\n", chunk, measure(pool, numbers, 0));
    pool_free(pool);
    return 0;
}
