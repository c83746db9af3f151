/* pool_bench: what the pool costs, beside what others cost on the same machine at the same time.
 *
 *     pool_bench [--quick] [--rounds N] [--only PREFIX]... [--trim]
 *     pool_bench soak [ITEMS]
 *
 * Prints one figure a line, "name value", with the unit in the name, and remarks after a '#'. Exits
 * 0, or 1 if something failed (standard error says what), or 2 for bad arguments. No figure is
 * judged, except that a soak fails if memory grows.
 *
 * What is measured
 *   Every task is a no-op: it returns its argument, an integer of 8 bytes. Every pool has as many
 *   workers as this process may use CPUs. With BACKEND one of process, thread and serial:
 *
 *   BACKEND.chunk1.tasks_per_s            pool_map() with chunksize 1
 *   BACKEND.default.tasks_per_s           pool_map() with the default chunksize
 *   BACKEND.imap_unordered.tasks_per_s    pool_imap_unordered() with default options
 *   BACKEND.submit.tasks_per_s            pool_submit() of each, then the results of all
 *   BACKEND.apply_us                      pool_apply(): one round trip
 *   BACKEND.create_map_free_ms            a pool's life: create, map of 2 to 10 items, free
 *   socketpair.rtt_us                     a bare round trip to another process (bench_echo.c says
 *                                         why that alone is not a firm yardstick)
 *   socketpair.{one_cpu,two_cpus}.rtt_us  the same with both bound to one CPU, and each to its own
 *   python_pool.*, python_executor.*      the same with Python's pools (python_peers.py)
 *   gthreadpool.*, libuv.*                the same with these libraries' thread pools, one push a
 *                                         task, if they were installed when this was built
 *   ratio.A_to_B                          A / B of the above, in A's and B's unit: of rates, more
 *                                         is better, of times, less
 *
 * How
 *   A rate counts whole batches (of 200000 tasks with the default chunksize, else of 10000), from
 *   the first submit until all results have been read and added up, and their memory is freed;
 *   the items were made before. Times are medians of many. Each figure is sampled once a round,
 *   next to its peers, and rounds are repeated: so a change in the machine's load meets both
 *   sides. A figure is the median of its samples, a ratio the median of the rounds' ratios. One
 *   round more comes first and is not counted: it opens the pools and warms them and the peers
 *   up.
 *
 * What to know when reading them
 *   Rates include one future a task, from malloc(). With its usual settings malloc() may give a
 *   batch's memory back to the system at the end and fault it in again for the next, which can
 *   double the time of a no-op; whether it does depends on what happens to lie at the heap's end,
 *   so figures would differ from run to run. Here it keeps the memory, as in a host that has been
 *   running for a while; --trim leaves it its usual settings (for all but a soak, which has them
 *   always).
 *   libuv's requests and GThreadPool's data are one array each, made before and reused, as these
 *   libraries want it.
 *   Threads that hand each other tasks cost more on two CPUs than on one, where they cannot get
 *   into each other's way: whatever else runs meanwhile changes the figures. */
#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS_DEFAULT 7
#define ROUNDS_QUICK   1
#define ROUNDS_MAX     1000
#define ONLY_MAX       16

#define HEAP_KEPT_BYTES (1024 * 1024 * 1024) /* more than any batch needs */

/* Half a minute in all on two CPUs, and some 2 s. */
static const struct bench_counts counts_full = {
    .rate_s = 0.15, .items = 10000, .chunked_items = 200000, .round_trips = 1000, .opens = 9};
static const struct bench_counts counts_quick = {
    .rate_s = 0.01, .items = 1000, .chunked_items = 10000, .round_trips = 50, .opens = 2};

struct figure {
    const char *name;
    int (*measure)(struct bench *bench, int which, double *ret_value);
    int which;
};

#define PROCESS POOL_BACKEND_PROCESS
#define THREAD  POOL_BACKEND_THREAD
#define SERIAL  POOL_BACKEND_SERIAL

/* In the order of measuring: what is compared stands together. */
static const struct figure figures[] = {
    {"process.chunk1.tasks_per_s", bench_map_chunk1, PROCESS},
    {"python_pool.chunk1.tasks_per_s", bench_python, BENCH_PYTHON_CHUNK1},
    {"process.submit.tasks_per_s", bench_submit, PROCESS},
    {"python_executor.map.tasks_per_s", bench_python, BENCH_PYTHON_EXECUTOR},
    {"process.imap_unordered.tasks_per_s", bench_imap_unordered, PROCESS},
    {"process.default.tasks_per_s", bench_map_default, PROCESS},
    {"python_pool.default.tasks_per_s", bench_python, BENCH_PYTHON_DEFAULT},
    {"process.apply_us", bench_apply, PROCESS},
    {"socketpair.rtt_us", bench_echo_rtt, BENCH_ECHO_UNBOUND},
    {"socketpair.one_cpu.rtt_us", bench_echo_rtt, BENCH_ECHO_ONE_CPU},
    {"socketpair.two_cpus.rtt_us", bench_echo_rtt, BENCH_ECHO_TWO_CPUS},
    {"python_pool.apply_us", bench_python, BENCH_PYTHON_APPLY},
    {"process.create_map_free_ms", bench_create_map_free, PROCESS},
    {"python_pool.create_map_close_ms", bench_python, BENCH_PYTHON_OPEN},
    {"thread.chunk1.tasks_per_s", bench_map_chunk1, THREAD},
    {"gthreadpool.tasks_per_s", bench_glib, 0},
    {"thread.submit.tasks_per_s", bench_submit, THREAD},
    {"libuv.tasks_per_s", bench_libuv, 0},
    {"thread.imap_unordered.tasks_per_s", bench_imap_unordered, THREAD},
    {"thread.default.tasks_per_s", bench_map_default, THREAD},
    {"thread.apply_us", bench_apply, THREAD},
    {"thread.create_map_free_ms", bench_create_map_free, THREAD},
    {"serial.chunk1.tasks_per_s", bench_map_chunk1, SERIAL},
    {"serial.submit.tasks_per_s", bench_submit, SERIAL},
    {"serial.imap_unordered.tasks_per_s", bench_imap_unordered, SERIAL},
    {"serial.default.tasks_per_s", bench_map_default, SERIAL},
    {"serial.apply_us", bench_apply, SERIAL},
    {"serial.create_map_free_ms", bench_create_map_free, SERIAL},
};
#define FIGURE_COUNT (sizeof(figures) / sizeof(figures[0]))

static const struct {
    const char *name, *ours, *theirs;
} ratios[] = {
    {"ratio.process_chunk1_to_python", "process.chunk1.tasks_per_s",
     "python_pool.chunk1.tasks_per_s"},
    {"ratio.process_chunk1_to_executor", "process.chunk1.tasks_per_s",
     "python_executor.map.tasks_per_s"},
    {"ratio.process_submit_to_executor", "process.submit.tasks_per_s",
     "python_executor.map.tasks_per_s"},
    {"ratio.process_default_to_python", "process.default.tasks_per_s",
     "python_pool.default.tasks_per_s"},
    {"ratio.apply_to_rtt", "process.apply_us", "socketpair.rtt_us"},
    {"ratio.apply_to_rtt_two_cpus", "process.apply_us", "socketpair.two_cpus.rtt_us"},
    {"ratio.apply_to_python", "process.apply_us", "python_pool.apply_us"},
    {"ratio.create_to_python", "process.create_map_free_ms", "python_pool.create_map_close_ms"},
    {"ratio.thread_chunk1_to_gthreadpool", "thread.chunk1.tasks_per_s", "gthreadpool.tasks_per_s"},
    {"ratio.thread_chunk1_to_libuv", "thread.chunk1.tasks_per_s", "libuv.tasks_per_s"},
    {"ratio.thread_submit_to_gthreadpool", "thread.submit.tasks_per_s", "gthreadpool.tasks_per_s"},
    {"ratio.thread_submit_to_libuv", "thread.submit.tasks_per_s", "libuv.tasks_per_s"},
};

/* What the command line asks for. */
struct arguments {
    bool quick, trim, help;
    unsigned rounds; /* 0: not given */
    const char *only[ONLY_MAX];
    size_t only_count;
    size_t soak_items; /* 0: no soak */
};

/* The samples of all figures: those of figure i begin at values[i * rounds]. A figure that was not
 * asked for, has no peer to measure or has failed is off: it has no samples. */
struct samples {
    unsigned rounds;
    double *values;
    bool off[FIGURE_COUNT];
};

/* ---- Measuring and reporting ---------------------------------------------------------------- */

/* One round.  round: < 0 is the warm-up.  Returns false if a figure failed. */
static bool measure_round(struct bench *bench, struct samples *samples, int round)
{
    bool good = true;

    for (size_t i = 0; i < FIGURE_COUNT; i++) {
        double value;
        if (samples->off[i])
            continue;
        int r = figures[i].measure(bench, figures[i].which, &value);
        if (r < 0)
            samples->off[i] = true;
        else if (round >= 0)
            samples->values[i * samples->rounds + (size_t)round] = value;
        if (r < 0 && r != -ENOTSUP) {
            fprintf(stderr, "pool_bench: %s: %s\n", figures[i].name, strerror(-r));
            good = false;
        }
    }
    return good;
}

static size_t figure_index(const char *name)
{
    size_t i = 0;
    while (i < FIGURE_COUNT && strcmp(figures[i].name, name) != 0)
        i++;
    return i;
}

/* scratch: room for a double a round. */
static void report_ratio(const struct samples *samples, size_t ratio, double *scratch)
{
    const size_t ours = figure_index(ratios[ratio].ours);
    const size_t theirs = figure_index(ratios[ratio].theirs);

    if (ours == FIGURE_COUNT || theirs == FIGURE_COUNT || samples->off[ours] ||
        samples->off[theirs])
        return;
    for (size_t i = 0; i < samples->rounds; i++)
        scratch[i] = samples->values[ours * samples->rounds + i] /
                     samples->values[theirs * samples->rounds + i];
    bench_print(ratios[ratio].name, bench_median(scratch, samples->rounds));
}

static void report(const struct samples *samples, double *scratch)
{
    for (size_t i = 0; i < FIGURE_COUNT; i++) {
        if (samples->off[i])
            continue;
        memcpy(scratch, &samples->values[i * samples->rounds], samples->rounds * sizeof(*scratch));
        bench_print(figures[i].name, bench_median(scratch, samples->rounds));
    }
    for (size_t i = 0; i < sizeof(ratios) / sizeof(ratios[0]); i++)
        report_ratio(samples, i, scratch);
}

/* Returns the program's exit status. */
static int run(struct bench *bench, struct samples *samples)
{
    double *scratch = calloc(samples->rounds, sizeof(*scratch));
    samples->values = calloc(FIGURE_COUNT * samples->rounds, sizeof(*samples->values));
    if (!scratch || !samples->values) {
        fprintf(stderr, "pool_bench: %s\n", strerror(ENOMEM));
        free(scratch);
        free(samples->values);
        return 1;
    }

    printf("# %u workers, %u rounds\n", bench->workers, samples->rounds);
    bool good = true;
    for (int round = -1; round < (int)samples->rounds; round++) {
        good = measure_round(bench, samples, round) && good;
        fflush(stdout);
    }
    report(samples, scratch);
    free(scratch);
    free(samples->values);
    return good ? 0 : 1;
}

/* Have freed memory kept for the next batch (see above). Another malloc() than glibc's, such as a
 * sanitizer's, has no such setting. */
static void keep_heap(void)
{
#ifdef M_TRIM_THRESHOLD
    if (mallopt(M_TRIM_THRESHOLD, HEAP_KEPT_BYTES) == 1)
        return;
#endif
    puts("# malloc() has its usual settings");
}

static int bench_all(const struct arguments *arguments, unsigned workers)
{
    struct bench bench = {.counts = arguments->quick ? counts_quick : counts_full,
                          .workers = workers};
    struct samples samples = {.rounds = arguments->rounds};

    if (samples.rounds == 0)
        samples.rounds = arguments->quick ? ROUNDS_QUICK : ROUNDS_DEFAULT;
    for (size_t i = 0; i < FIGURE_COUNT; i++) {
        samples.off[i] = arguments->only_count > 0;
        for (size_t k = 0; k < arguments->only_count; k++)
            if (strncmp(figures[i].name, arguments->only[k], strlen(arguments->only[k])) == 0)
                samples.off[i] = false;
    }

    if (!arguments->trim)
        keep_heap();
    int r = bench_echo_start(&bench);
    if (r == 0)
        r = bench_libuv_prepare(workers);
    if (r < 0)
        fprintf(stderr, "pool_bench: %s\n", strerror(-r));
    int status = r < 0 ? 1 : run(&bench, &samples);

    bench_backends_free(bench.backends);
    bench_glib_free(bench.glib);
    bench_libuv_free(bench.libuv);
    bench_python_free(bench.python);
    bench_echo_free(bench.echo);
    return status;
}

/* ---- Command line --------------------------------------------------------------------------- */

static const char usage[] =
    "usage: pool_bench [--quick] [--rounds N] [--only PREFIX]... [--trim]\n"
    "       pool_bench soak [ITEMS]\n"
    "Measures what the worker pool costs, beside Python's, GLib's and libuv's pools.\n"
    "\n"
    "  --quick        a few seconds in all: shows that all works, not how fast it is\n"
    "  --rounds N     samples of each figure, 1..1000 (7; with --quick 1)\n"
    "  --only PREFIX  only figures whose names begin so; may be given several times\n"
    "  --trim         let malloc() give memory back to the system between batches\n"
    "  --help         this text\n"
    "  soak [ITEMS]   so many items (10000000) to a slow reader: fails if memory grows\n";

/* Returns 0 for anything but a whole number from 1 to max. */
static size_t parse_count(const char *text, size_t max)
{
    char *end;

    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value > max)
        return 0;
    return value;
}

static int parse_soak(int count, char **words, struct arguments *arguments)
{
    if (count == 0)
        return 0;
    arguments->soak_items = count == 1 ? BENCH_SOAK_ITEMS : parse_count(words[1], SIZE_MAX);
    return strcmp(words[0], "soak") == 0 && count <= 2 && arguments->soak_items > 0 ? 0 : -EINVAL;
}

static int parse(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"quick", no_argument, NULL, 'q'},      {"rounds", required_argument, NULL, 'r'},
        {"only", required_argument, NULL, 'o'}, {"trim", no_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},       {0}};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'q':
            arguments->quick = true;
            break;
        case 'r':
            arguments->rounds = (unsigned)parse_count(optarg, ROUNDS_MAX);
            if (arguments->rounds == 0)
                return -EINVAL;
            break;
        case 'o':
            if (arguments->only_count == ONLY_MAX)
                return -EINVAL;
            arguments->only[arguments->only_count++] = optarg;
            break;
        case 't':
            arguments->trim = true;
            break;
        case 'h':
            arguments->help = true;
            break;
        default:
            return -EINVAL;
        }
    }
    return parse_soak(argc - optind, argv + optind, arguments);
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};

    int r = pool_main(argc, argv, &bench_tasks);
    if (r < 0) {
        fprintf(stderr, "pool_bench: %s\n", strerror(-r));
        return 1;
    }
    if (parse(argc, argv, &arguments) < 0) {
        fputs(usage, stderr);
        return 2;
    }

    int status = 0;
    if (arguments.help)
        fputs(usage, stdout);
    else if (arguments.soak_items > 0)
        status = bench_soak(pool_cpu_count(), arguments.soak_items) < 0 ? 1 : 0;
    else
        status = bench_all(&arguments, pool_cpu_count());
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "pool_bench: cannot write: %s\n", strerror(errno));
        status = 1;
    }
    return status;
}
