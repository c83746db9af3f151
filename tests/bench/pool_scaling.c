/* pool_scaling.c: how far the pool scales: what a task costs whom, by its length and by the number
 * of workers; a model of that; and what the model says of a machine with 64 cores.
 *
 * What is measured
 *   A grid of cells: a backend, a kind of task, a way of handing tasks over, a number of workers
 *   and a task's length. For each cell: the time of a batch, from the first submit until all
 *   results have been read, and the processor time of the submitting thread, of the supervisor's
 *   thread and of all workers, each by its own clock, all divided by the number of tasks.
 *
 *   Two kinds of task. One computes, by its thread's own clock, so that its work is the same
 *   however many workers share a core: it tells what this machine gives. The other only waits:
 *   with it 256 workers behave as if they had a core each, as far as handing tasks over is
 *   concerned, and drive that to its limit on a machine with few. Only, a wait costs processor time
 *   too (a timer, two changes of process), and here all of it comes out of the same few cores. So
 *   who was busy is told for each cell, and the costs are kept apart.
 *
 *   Cells are measured in rounds, each once a round, and a cell's figures are the medians of its
 *   rounds: a slow minute of the machine meets all. The first batch of each pool is not counted.
 *
 * What is made of it: see scaling_model.c. That model's costs are processor times, so that only two
 * of its numbers are fitted to the times that it explains. It is judged by cells that it was not
 * fitted to: by those of more than 16 workers when it was fitted to the others, by every second
 * number of workers when it was fitted to those between, and by two pools when fitted to one.
 *
 * What to know when reading the figures
 *   A core that is shared is a core with cold caches: costs at 64 and 256 workers on two cores are
 *   dearer than they would be with a core each. What is not seen here is what only many cores have:
 *   waking a worker on a core that sleeps deeply or on another socket, and cache lines of one lock
 *   that travel between 64 cores (the thread backend's). malloc() keeps its memory, as in a program
 *   that has been running for a while. */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"
#include "scaling.h"
#include "scaling_report.h"

#define CELLS_MAX 512

#define HEAP_KEPT_BYTES (1024 * 1024 * 1024) /* more than any batch needs */

/* Descriptors of the host for each worker process, those of an imap's window among them, and some
 * for all else. */
#define FDS_A_WORKER 20
#define FDS_MORE     512

static const unsigned lengths_us[] = {0, 10, 100, 1000, 10000};
#define LENGTHS (sizeof(lengths_us) / sizeof(lengths_us[0]))
static const unsigned all_workers[] = {1, 2, 4, 8, 16, 32, 64, 128, 256};
#define WORKERS (sizeof(all_workers) / sizeof(all_workers[0]))

/* What to measure of each backend: one line for each kind of task, length and way. */
static const struct {
    enum scaling_kind kind;
    enum scaling_mode mode;
    unsigned length_us;
    bool quick, twice; /* also with --quick; also with two pools */
} wanted[] = {
    {SCALING_WAIT, SCALING_ONE, 0, true, true},
    {SCALING_WAIT, SCALING_ONE, 100, true, true},
    {SCALING_WAIT, SCALING_ONE, 1000, false, true},
    {SCALING_WAIT, SCALING_ONE, 10000, false, false},
    {SCALING_WAIT, SCALING_CHUNK, 0, false, false},
    {SCALING_WAIT, SCALING_CHUNK, 100, false, false},
    {SCALING_WAIT, SCALING_CHUNK, 1000, false, false},
    {SCALING_WAIT, SCALING_DEFAULT, 0, false, false},
    {SCALING_WAIT, SCALING_DEFAULT, 100, false, false},
    {SCALING_WAIT, SCALING_DEFAULT, 1000, false, false},
    {SCALING_WAIT, SCALING_PICTURE, 0, true, true},
    {SCALING_WAIT, SCALING_PICTURE, 100, true, true},
    {SCALING_WAIT, SCALING_PICTURE, 1000, false, true},
    {SCALING_WAIT, SCALING_PICTURE, 10000, false, false},
    {SCALING_SPIN, SCALING_ONE, 10, false, false},
    {SCALING_SPIN, SCALING_ONE, 100, true, false},
    {SCALING_SPIN, SCALING_ONE, 1000, false, false},
    {SCALING_SPIN, SCALING_ONE, 10000, false, false},
    {SCALING_SPIN, SCALING_CHUNK, 100, false, false},
    {SCALING_SPIN, SCALING_CHUNK, 1000, false, false},
    {SCALING_SPIN, SCALING_DEFAULT, 100, false, false},
    {SCALING_SPIN, SCALING_DEFAULT, 1000, false, false},
    {SCALING_SPIN, SCALING_PICTURE, 100, true, false},
    {SCALING_SPIN, SCALING_PICTURE, 1000, false, false},
};
#define WANTED (sizeof(wanted) / sizeof(wanted[0]))

struct arguments {
    bool quick, csv, help;
    const char *from, *svg; /* or NULL */
    unsigned rounds;        /* 0: not given */
    unsigned workers_max;
};

struct grid {
    struct scaling_cell cells[CELLS_MAX];
    size_t count;
    unsigned cores;
    double batch_s; /* what a batch takes, about */
    struct scaling_plain plain[LENGTHS * SCALING_KINDS];
};

/* ---- The grid ------------------------------------------------------------------------------- */

/* How many tasks make a batch of the wanted length; 0: even the fewest that say something take too
 * long. */
static size_t tasks_for(const struct grid *grid, const struct scaling_cell *cell)
{
    const double length_s = cell->length_us * 1e-6;
    const bool computes = cell->kind == SCALING_SPIN;
    const unsigned width = computes && grid->cores < cell->workers ? grid->cores : cell->workers;
    double rate = width / (length_s + 5e-6), rate_most = 100e3;
    if (cell->length_us == 0 && cell->mode != SCALING_PICTURE)
        rate_most = 500e3;
    rate = rate < rate_most ? rate : rate_most;
    double tasks = rate * grid->batch_s;
    const double fewest = computes                      ? cell->workers
                          : cell->mode == SCALING_CHUNK ? 2.0 * SCALING_CHUNKSIZE * cell->workers
                                                        : 4.0 * cell->workers;
    if (tasks < fewest)
        tasks = fewest;
    if (tasks / rate > 8 * grid->batch_s)
        return 0;
    /* The same number for each worker: what is left over would be done by some, while others wait.
     */
    const size_t together = cell->mode == SCALING_CHUNK ? SCALING_CHUNKSIZE : 4;
    const size_t each = cell->workers * (computes ? 1 : together);
    return ((size_t)tasks + each - 1) / each * each;
}

static void add_cells(struct grid *grid, enum pool_backend backend, unsigned workers,
                      unsigned pools, bool quick)
{
    for (size_t i = 0; i < WANTED && grid->count < CELLS_MAX; i++) {
        struct scaling_cell *cell = &grid->cells[grid->count];
        if ((quick && !wanted[i].quick) || (pools > 1 && !wanted[i].twice) ||
            (backend == POOL_BACKEND_SERIAL &&
             (wanted[i].kind != SCALING_SPIN || wanted[i].mode != SCALING_ONE)))
            continue;
        *cell = (struct scaling_cell){.backend = backend,
                                      .kind = wanted[i].kind,
                                      .mode = wanted[i].mode,
                                      .pools = pools,
                                      .workers = workers,
                                      .length_us = wanted[i].length_us};
        cell->tasks = tasks_for(grid, cell);
        grid->count += cell->tasks > 0;
    }
}

/* Cells of the same pools stand one after the other. */
static void fill_grid(struct grid *grid, const struct arguments *arguments)
{
    const bool quick = arguments->quick;
    add_cells(grid, POOL_BACKEND_SERIAL, 1, 1, quick);
    for (size_t i = 0; i < WORKERS && all_workers[i] <= arguments->workers_max; i++) {
        add_cells(grid, POOL_BACKEND_PROCESS, all_workers[i], 1, quick);
        if (quick ? all_workers[i] == 2 : i % 2 == 0 && i > 0)
            add_cells(grid, POOL_BACKEND_PROCESS, all_workers[i], 2, quick);
        add_cells(grid, POOL_BACKEND_THREAD, all_workers[i], 1, quick);
    }
}

/* ---- Measuring ------------------------------------------------------------------------------ */

static bool same_pools(const struct scaling_cell *a, const struct scaling_cell *b)
{
    return a->backend == b->backend && a->workers == b->workers && a->pools == b->pools;
}

/* What the machine does not give. */
static bool is_shortage(int r)
{
    return r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -EAGAIN || r == -ETIMEDOUT;
}

/* Cells that cannot be measured, now or ever again: they would say something else than they seem
 * to. */
static void leave_out(struct scaling_cell *cells, size_t count, const char *why)
{
    printf("# left out: %zu of the cells with %u %s (%s)\n", count, cells->workers,
           cells->backend == POOL_BACKEND_PROCESS ? "worker processes" : "threads", why);
    for (size_t i = 0; i < count; i++) {
        cells[i].tasks = 0;
        cells[i].rounds = 0;
    }
}

static int measure_cell(struct scaling_cell *cell, struct scaling_pools *pools)
{
    struct scaling_costs costs;
    if (cell->tasks == 0)
        return 0;
    int r = scaling_cell_run(cell, pools, &costs);
    if (r == 0)
        cell->rounds_costs[cell->rounds++] = costs;
    else if (is_shortage(r)) {
        leave_out(cell, 1, strerror(-r));
        r = 0;
    }
    return r;
}

/* All cells of one set of pools, once. */
static int measure_pools(struct scaling_cell *cells, size_t count, bool last)
{
    struct scaling_pools *pools;
    struct scaling_costs costs;
    unsigned workers;
    double start_s;
    size_t left = 0;
    for (size_t i = 0; i < count; i++)
        left += cells[i].tasks > 0;
    if (left == 0)
        return 0;
    int r = scaling_pools_open(cells[0].backend, cells[0].pools, cells[0].workers, &pools, &workers,
                               &start_s);
    if (is_shortage(r)) {
        leave_out(cells, count, strerror(-r));
        return 0;
    }
    if (r < 0)
        return r;
    if (workers < cells[0].workers) {
        leave_out(cells, count, "there were not so many");
    } else {
        if (last && cells[0].workers >= 64)
            printf("# %u %s, %u pool%s: all were ready after %.0f ms\n", workers,
                   cells[0].backend == POOL_BACKEND_PROCESS ? "worker processes" : "threads",
                   cells[0].pools, cells[0].pools > 1 ? "s" : "", start_s * 1e3);
        if (cells[0].tasks > 0)
            r = scaling_cell_run(&cells[0], pools, &costs); /* to warm up */
        for (size_t i = 0; r == 0 && i < count; i++)
            r = measure_cell(&cells[i], pools);
    }
    scaling_pools_close(pools);
    return r;
}

static int measure_round(struct grid *grid, bool last)
{
    int r = 0;
    for (size_t first = 0, end; r == 0 && first < grid->count; first = end) {
        for (end = first; end < grid->count && same_pools(&grid->cells[first], &grid->cells[end]);)
            end++;
        r = measure_pools(&grid->cells[first], end - first, last);
    }
    return r;
}

static double median_of(const struct scaling_cell *cell, size_t offset)
{
    double values[SCALING_ROUNDS_MAX];
    for (unsigned i = 0; i < cell->rounds; i++)
        memcpy(&values[i], (const char *)&cell->rounds_costs[i] + offset, sizeof(values[i]));
    return bench_median(values, cell->rounds);
}

static void take_medians(struct grid *grid)
{
    for (size_t i = 0; i < grid->count; i++) {
        struct scaling_cell *cell = &grid->cells[i];
        if (cell->rounds > 0)
            cell->costs = (struct scaling_costs){
                .wall = median_of(cell, offsetof(struct scaling_costs, wall)),
                .supervisor = median_of(cell, offsetof(struct scaling_costs, supervisor)),
                .submitter = median_of(cell, offsetof(struct scaling_costs, submitter)),
                .workers = median_of(cell, offsetof(struct scaling_costs, workers)),
            };
    }
}

static int measure(struct grid *grid, unsigned rounds)
{
    struct scaling_plain samples[SCALING_ROUNDS_MAX][LENGTHS * SCALING_KINDS];
    double wall[SCALING_ROUNDS_MAX], processor[SCALING_ROUNDS_MAX];
    int r = 0;
    for (unsigned round = 0; r == 0 && round < rounds; round++) {
        for (size_t i = 0; r == 0 && i < LENGTHS * SCALING_KINDS; i++)
            r = scaling_plain_run((enum scaling_kind)(i % SCALING_KINDS),
                                  lengths_us[i / SCALING_KINDS], grid->batch_s / 2,
                                  &samples[round][i]);
        if (r == 0)
            r = measure_round(grid, round + 1 == rounds);
        fflush(stdout);
    }
    for (size_t i = 0; r == 0 && i < LENGTHS * SCALING_KINDS; i++) {
        for (unsigned round = 0; round < rounds; round++) {
            wall[round] = samples[round][i].wall;
            processor[round] = samples[round][i].processor;
        }
        grid->plain[i] = (struct scaling_plain){.wall = bench_median(wall, rounds),
                                                .processor = bench_median(processor, rounds)};
    }
    take_medians(grid);
    return r;
}

/* As many descriptors as may be; the pool says so if they are too few. */
static void raise_fd_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
        limit.rlim_cur >= FDS_A_WORKER * all_workers[WORKERS - 1] + FDS_MORE)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        printf("# descriptors: %s\n", strerror(errno));
}

static int measure_all(struct grid *grid, const struct arguments *arguments)
{
    const unsigned rounds = arguments->rounds ? arguments->rounds : arguments->quick ? 1 : 5;
    mallopt(M_TRIM_THRESHOLD, HEAP_KEPT_BYTES);
    raise_fd_limit();
    grid->cores = pool_cpu_count();
    grid->batch_s = arguments->quick ? 0.005 : 0.05;
    fill_grid(grid, arguments);
    printf("# %u cores, %u rounds, %zu cells\n", grid->cores, rounds, grid->count);
    return measure(grid, rounds);
}

static int read_all(struct grid *grid, const char *path)
{
    FILE *in = fopen(path, "re");
    if (!in)
        return -errno;
    int r = scaling_csv_read(in, grid->cells, CELLS_MAX, &grid->cores, grid->plain, lengths_us,
                             LENGTHS);
    fclose(in);
    grid->count = r < 0 ? 0 : (size_t)r;
    return r < 0 ? r : grid->cores > 0 ? 0 : -EBADMSG;
}

static int write_chart(const struct scaling_report *report, const char *path)
{
    FILE *out = fopen(path, "we");
    if (!out)
        return -errno;
    scaling_report_chart(report, out);
    const bool failed = ferror(out) != 0;
    return fclose(out) != 0 || failed ? -EIO : 0;
}

/* How many there are; 0 if that is not known. */
static unsigned processors(void)
{
    const long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (unsigned)count : 0;
}

static int run(const struct arguments *arguments)
{
    struct grid *grid = calloc(1, sizeof(*grid));
    if (!grid)
        return -ENOMEM;
    int r = arguments->from ? read_all(grid, arguments->from) : measure_all(grid, arguments);
    const struct scaling_report report = {.cells = grid->cells,
                                          .count = grid->count,
                                          .cores = grid->cores,
                                          .processors = arguments->from ? 0 : processors(),
                                          .plain = grid->plain,
                                          .lengths_us = lengths_us,
                                          .length_count = LENGTHS,
                                          .workers = all_workers,
                                          .worker_count = WORKERS};
    if (r == 0 && arguments->csv)
        scaling_csv_write(stdout, grid->cells, grid->count, grid->cores, grid->plain, lengths_us,
                          LENGTHS);
    else if (r == 0)
        r = scaling_report_print(&report, stdout);
    if (r == 0 && arguments->svg)
        r = write_chart(&report, arguments->svg);
    free(grid);
    return r;
}

/* ---- Command line --------------------------------------------------------------------------- */

static const char usage[] =
    "usage: pool_scaling [--quick] [--rounds N] [--workers N] [--csv] [--svg FILE]\n"
    "       pool_scaling --from FILE [--svg FILE]\n"
    "Measures what tasks cost the pool, by their length and by the number of workers, fits a "
    "model\n"
    "and says what it means for 64 cores.\n"
    "\n"
    "  --quick      two seconds in all: shows that all works, not how fast it is\n"
    "  --rounds N   samples of each figure, 1..25 (5; with --quick 1)\n"
    "  --workers N  no more than so many workers (256; with --quick 4)\n"
    "  --csv        every figure, a line a cell, and no report\n"
    "  --svg FILE   a picture as well\n"
    "  --from FILE  measure nothing: the report on the figures that --csv wrote there\n"
    "  --help       this text\n";

/* Returns 0 for anything but a whole number from 1 to max. */
static unsigned parse_count(const char *text, unsigned max)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value > max)
        return 0;
    return (unsigned)value;
}

static int parse(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"quick", no_argument, NULL, 'q'},         {"rounds", required_argument, NULL, 'r'},
        {"workers", required_argument, NULL, 'w'}, {"csv", no_argument, NULL, 'c'},
        {"from", required_argument, NULL, 'f'},    {"svg", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},          {0}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'q')
            arguments->quick = true;
        else if (option == 'c')
            arguments->csv = true;
        else if (option == 'f')
            arguments->from = optarg;
        else if (option == 's')
            arguments->svg = optarg;
        else if (option == 'h')
            arguments->help = true;
        else if (option == 'r')
            arguments->rounds = parse_count(optarg, SCALING_ROUNDS_MAX);
        else if (option == 'w')
            arguments->workers_max = parse_count(optarg, all_workers[WORKERS - 1]);
        if (option == '?' || (option == 'r' && arguments->rounds == 0) ||
            (option == 'w' && arguments->workers_max == 0))
            return -EINVAL;
    }
    if (arguments->workers_max == 0)
        arguments->workers_max = arguments->quick ? 4 : all_workers[WORKERS - 1];
    return optind == argc ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    int r = pool_main(argc, argv, &scaling_tasks);
    if (r == 0 && parse(argc, argv, &arguments) < 0) {
        fputs(usage, stderr);
        return 2;
    }
    if (r == 0 && arguments.help)
        fputs(usage, stdout);
    else if (r == 0)
        r = run(&arguments);
    if (r == 0 && (fflush(stdout) != 0 || ferror(stdout)))
        r = errno ? -errno : -EIO;
    if (r < 0)
        fprintf(stderr, "pool_scaling: %s\n", strerror(-r));
    return r < 0 ? 1 : 0;
}
