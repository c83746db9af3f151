/* granularity: document 003, sections 3.1 and 3.1.1: how large a task should be. The document names
 * what to weigh: coarse tasks may leave processes without work while others have too much, fine
 * ones cost more to hand out.
 *
 *     tasks = split_tasks(total_items, num_processes)    # one task for each process: coarse
 *     pool.map(do_part, tasks)
 *     pool.map(do_item, range(total_items), chunksize=1) # one for each item: fine
 *
 * Both sides are measured, each several times, in turn, so that a disturbance hits all alike; shown
 * is the best time. In the first table the items' costs differ, and the largest part says how well
 * the work can be spread. In the second the items cost nothing, so that only the handing out is
 * left; chunks make it cheaper and leave each item its own result.
 *
 *     $ granularity
 *     256 items, item i costs i + 1, 2 workers
 *     parts  largest part  busiest worker     time
 *         2        74.9 %          74.9 %  0.076 s
 *         8        23.4 %          56.2 %  0.057 s
 *       256         0.8 %          50.5 %  0.053 s
 *     same result each time: yes
 *     50000 items of no cost, 2 workers
 *     chunksize 1     0.040 s
 *     chunksize 64    0.034 s */
#include <unistd.h>

#include "sample.h"

enum {
    WORKERS = 2,
    PARTS = 4 * WORKERS,
    ITEMS = 256,
    ROUNDS = 3,
    LIGHT_ITEMS = 50000,
    STEPS_PER_COST = 3000
};

/* What a task gives back. */
struct piece {
    pid_t pid;
    uint64_t cost, sum;
};

/* The task: runs in a worker. Its field is a range of items, and each takes its time. */
static int do_part(struct pool_call *call)
{
    const struct pool_bytes field = pool_call_field(call, 0);
    struct pool_range part;
    struct piece piece = {.pid = getpid()};
    if (field.size_bytes != sizeof(part))
        return pool_call_fail(call, -EINVAL, "a range is expected");
    memcpy(&part, field.data, sizeof(part));
    for (size_t i = part.first; i < part.first + part.count; i++) {
        uint64_t x = i;
        for (size_t step = 0; step < (i + 1) * STEPS_PER_COST; step++)
            x = x * 6364136223846793005 + 1442695040888963407;
        piece.cost += i + 1;
        piece.sum += x >> 32;
    }
    return pool_call_write(call, &piece, sizeof(piece));
}

static int do_nothing(struct pool_call *call)
{
    (void)call;
    return 0;
}

static const struct pool_task list[] = {{"do_part", do_part}, {"do_nothing", do_nothing}};
static const struct pool_tasks tasks = {list, 2};

/* What came of one round: how much of the work the largest part and the busiest worker had. */
struct round {
    double time_s, largest, busiest;
    uint64_t sum;
};

static struct round summarize(struct pool_results *results)
{
    struct {
        pid_t pid;
        uint64_t cost;
    } workers[WORKERS] = {0};
    uint64_t all = 0, largest = 0, busiest = 0;
    struct round round = {0};
    for (size_t i = 0; i < pool_results_count(results); i++) {
        struct pool_bytes value;
        struct piece piece;
        must(pool_future_result(pool_results_at(results, i), -1, &value), "do_part");
        memcpy(&piece, value.data, sizeof(piece));
        const size_t w = workers[0].pid == 0 || workers[0].pid == piece.pid ? 0 : 1;
        workers[w].pid = piece.pid;
        workers[w].cost += piece.cost;
        all += piece.cost;
        largest = piece.cost > largest ? piece.cost : largest;
        busiest = workers[w].cost > busiest ? workers[w].cost : busiest;
        round.sum += piece.sum;
    }
    round.largest = 100.0 * (double)largest / (double)all;
    round.busiest = 100.0 * (double)busiest / (double)all;
    return round;
}

static struct round run_round(struct pool *pool, size_t part_count)
{
    struct pool_map_options options = POOL_MAP_INIT;
    struct pool_range parts[ITEMS];
    struct pool_results *results;
    for (size_t i = 0; i < part_count; i++)
        parts[i] = pool_split(ITEMS, part_count, i);
    const struct pool_sequence sequence = {parts, sizeof(parts[0]), part_count};
    options.chunksize = 1; /* the parts are the chunks here */
    const double start = now_s();
    must(pool_map_sequences(pool, "do_part", &sequence, 1, &options, &results), "map");
    must(pool_results_wait(results, -1), "wait");
    const double time_s = now_s() - start;
    struct round round = summarize(results);
    round.time_s = time_s;
    pool_results_free(results);
    return round;
}

static bool measure_parts(struct pool *pool)
{
    static const size_t counts[] = {WORKERS, PARTS, ITEMS};
    enum { COUNTS = sizeof(counts) / sizeof(counts[0]) };
    struct round best[COUNTS] = {0};
    bool same = true;
    for (int n = 0; n < ROUNDS; n++)
        for (size_t i = 0; i < COUNTS; i++) {
            const struct round round = run_round(pool, counts[i]);
            if (n == 0 || round.time_s < best[i].time_s)
                best[i] = round;
            same = same && round.sum == best[0].sum;
        }
    printf("%d items, item i costs i + 1, %d workers\n", ITEMS, WORKERS);
    printf("parts  largest part  busiest worker     time\n");
    for (size_t i = 0; i < COUNTS; i++)
        printf("%5zu %11.1f %% %13.1f %% %6.3f s\n", counts[i], best[i].largest, best[i].busiest,
               best[i].time_s);
    printf("same result each time: %s\n", same ? "yes" : "no");
    return same;
}

static void measure_chunks(struct pool *pool, size_t chunksize)
{
    struct pool_map_options options = POOL_MAP_INIT;
    struct pool_item *items = calloc(LIGHT_ITEMS, sizeof(*items));
    double best_s = 0;
    must(items ? 0 : -ENOMEM, "items");
    options.chunksize = chunksize;
    for (int n = 0; n < ROUNDS; n++) {
        struct pool_results *results;
        const double start = now_s();
        must(pool_map(pool, "do_nothing", items, LIGHT_ITEMS, &options, &results), "map");
        const double time_s = now_s() - start;
        best_s = n == 0 || time_s < best_s ? time_s : best_s;
        must(pool_results_successful(results) == 1 ? 0 : -EIO, "do_nothing");
        pool_results_free(results);
    }
    printf("chunksize %-3zu %7.3f s\n", chunksize, best_s);
    free(items);
}

int main(int argc, char **argv)
{
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool;
    must(pool_main(argc, argv, &tasks), "pool_main");
    options.workers = options.workers_min = WORKERS;
    options.tasks = &tasks;
    must(pool_create(&options, &pool), "pool");
    const bool same = measure_parts(pool);
    printf("%d items of no cost, %d workers\n", LIGHT_ITEMS, WORKERS);
    measure_chunks(pool, 1);
    measure_chunks(pool, 64);
    pool_free(pool);
    return same ? EXIT_SUCCESS : EXIT_FAILURE;
}
