/* ipc_bench: what messages between processes cost, beside Python's on the same machine at the same
 * time.
 *
 *     ipc_bench [--quick] [--rounds N] [--only PREFIX]...
 *
 * Prints one figure a line, "name value", with the unit in the name, and remarks after a '#'. Exits
 * 0, or 1 if something failed (standard error says what), or 2 for bad arguments. No figure is
 * judged.
 *
 * What is measured, with SIZE one of 16B, 1KiB and 64KiB
 *
 *   queue.SIZE.1to1.per_s          messages through a pool_queue, from one process to another
 *   queue.SIZE.4to4.per_s          from four to four others
 *   pipe.SIZE.per_s                messages through a pool_pipe, one way
 *   pipe.SIZE.trips_per_s          there and back
 *   lock.alone.per_s               pool_lock_acquire() and _release() by one process
 *   lock.two.per_s                 the same by two processes at once, together
 *   python_queue.*, python_simple_queue.*, python_pipe.*, python_lock.*
 *                                  the same with Python's multiprocessing: Queue, SimpleQueue, Pipe
 *                                  (send_bytes, recv_bytes) and Lock
 *   ....mb_per_s                   of 1KiB and 64KiB: the same in 10^6 bytes
 *   ratio.A_to_B                   A / B of the above: more is better
 *
 * How
 *   A sample is a number of messages, from the moment at which all processes are let go until the
 *   last message was received; it is larger for ours than for Python's, so that both take some
 *   tenths of a second. Each figure is sampled once a round, next to its peers, and rounds are
 *   repeated: so a change in the machine's load meets both sides. A figure is the median of its
 *   samples, a ratio the median of the rounds' ratios. One round more comes first and is not
 *   counted.
 *
 * Queues have their usual 1 MiB of memory. Python's have a thread that feeds a pipe, and no limit.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "ipc_bench.h"

#define ROUNDS_DEFAULT 5
#define ROUNDS_MAX     1000
#define ONLY_MAX       16
#define QUICK_DIVISOR  100

struct figure {
    const char *name;
    int (*measure)(const struct ipc_job *job, double *ret_per_s);
    struct ipc_job job;
    const char *yardstick; /* the figure that it is compared with, or NULL */
};

#define QUEUES(size_name, size, pair, putters, getters, count, python_count)                       \
    {"queue." size_name "." pair, ipc_bench_queue, {putters, getters, size, count}, NULL},         \
        {"python_queue." size_name "." pair,                                                       \
         ipc_bench_python_queue,                                                                   \
         {putters, getters, size, python_count},                                                   \
         "queue." size_name "." pair},                                                             \
    {                                                                                              \
        "python_simple_queue." size_name "." pair, ipc_bench_python_simple_queue,                  \
            {putters, getters, size, python_count}, "queue." size_name "." pair                    \
    }
#define PIPES(size_name, size, count, python_count)                                                \
    {"pipe." size_name, ipc_bench_pipe, {1, 1, size, count}, NULL},                                \
        {"python_pipe." size_name,                                                                 \
         ipc_bench_python_pipe,                                                                    \
         {1, 1, size, python_count},                                                               \
         "pipe." size_name},                                                                       \
        {"pipe." size_name ".trips", ipc_bench_trip, {1, 1, size, count / 5}, NULL},               \
    {                                                                                              \
        "python_pipe." size_name ".trips", ipc_bench_python_trip, {1, 1, size, python_count / 2},  \
            "pipe." size_name ".trips"                                                             \
    }

/* In the order of measuring: what is compared stands together. */
static const struct figure figures[] = {
    QUEUES("16B", 16, "1to1", 1, 1, 1000000, 20000),
    QUEUES("16B", 16, "4to4", 4, 4, 400000, 20000),
    QUEUES("1KiB", 1024, "1to1", 1, 1, 600000, 20000),
    QUEUES("1KiB", 1024, "4to4", 4, 4, 300000, 20000),
    QUEUES("64KiB", 65536, "1to1", 1, 1, 30000, 3000),
    QUEUES("64KiB", 65536, "4to4", 4, 4, 20000, 3000),
    PIPES("16B", 16, 100000, 30000),
    PIPES("1KiB", 1024, 100000, 30000),
    PIPES("64KiB", 65536, 10000, 3000),
    {"lock.alone", ipc_bench_lock, {1, 0, 0, 5000000}, NULL},
    {"python_lock.alone", ipc_bench_python_lock, {1, 0, 0, 500000}, "lock.alone"},
    {"lock.two", ipc_bench_lock, {2, 0, 0, 1000000}, NULL},
    {"python_lock.two", ipc_bench_python_lock, {2, 0, 0, 100000}, "lock.two"},
};
#define FIGURE_COUNT (sizeof(figures) / sizeof(figures[0]))

struct arguments {
    bool quick, help;
    unsigned rounds; /* 0: not given */
    const char *only[ONLY_MAX];
    size_t only_count;
};

/* The samples of figure i begin at values[i * rounds]. One that was not asked for, has no peer to
 * measure or has failed is off. */
struct samples {
    unsigned rounds;
    double *values;
    bool off[FIGURE_COUNT];
};

/* ---- Measuring and reporting ---------------------------------------------------------------- */

/* round: < 0 is the warm-up.  Returns false if a figure failed. */
static bool measure_round(struct samples *samples, int round, bool quick)
{
    bool good = true;
    for (size_t i = 0; i < FIGURE_COUNT; i++) {
        struct ipc_job job = figures[i].job;
        double value = 0;
        if (samples->off[i])
            continue;
        if (quick)
            job.count /= QUICK_DIVISOR;
        int r = figures[i].measure(&job, &value);
        if (r < 0)
            samples->off[i] = true;
        else if (round >= 0)
            samples->values[i * samples->rounds + (size_t)round] = value;
        if (r < 0 && r != -ENOTSUP) {
            fprintf(stderr, "ipc_bench: %s: %s\n", figures[i].name, strerror(-r));
            good = false;
        }
    }
    return good;
}

static size_t figure_index(const char *name)
{
    size_t i = 0;
    while (strcmp(figures[i].name, name) != 0)
        i++;
    return i;
}

static void report_figure(const struct samples *samples, size_t i, double *scratch)
{
    const bool trips = strstr(figures[i].name, ".trips") != NULL;
    char name[128];
    memcpy(scratch, &samples->values[i * samples->rounds], samples->rounds * sizeof(*scratch));
    const double per_s = bench_median(scratch, samples->rounds);
    snprintf(name, sizeof(name), "%s%cper_s", figures[i].name, trips ? '_' : '.');
    bench_print(name, per_s);
    if (figures[i].job.size_bytes >= 1024 && !trips) {
        snprintf(name, sizeof(name), "%s.mb_per_s", figures[i].name);
        bench_print(name, per_s * (double)figures[i].job.size_bytes / 1e6);
    }
}

static void report_ratio(const struct samples *samples, size_t theirs, double *scratch)
{
    char name[128];
    if (!figures[theirs].yardstick)
        return;
    const size_t ours = figure_index(figures[theirs].yardstick);
    if (samples->off[ours])
        return;
    for (size_t i = 0; i < samples->rounds; i++)
        scratch[i] = samples->values[ours * samples->rounds + i] /
                     samples->values[theirs * samples->rounds + i];
    snprintf(name, sizeof(name), "ratio.%s_to_%.*s", figures[ours].name,
             (int)strcspn(figures[theirs].name, "."), figures[theirs].name);
    bench_print(name, bench_median(scratch, samples->rounds));
}

static int run(struct samples *samples, bool quick)
{
    double *scratch = calloc(samples->rounds, sizeof(*scratch));
    samples->values = calloc(FIGURE_COUNT * samples->rounds, sizeof(*samples->values));
    bool good = scratch && samples->values;
    if (!good)
        fprintf(stderr, "ipc_bench: %s\n", strerror(ENOMEM));
    for (int round = -1; scratch && samples->values && round < (int)samples->rounds; round++) {
        good = measure_round(samples, round, quick) && good;
        fflush(stdout);
    }
    for (size_t i = 0; good && i < FIGURE_COUNT; i++) {
        if (samples->off[i])
            continue;
        report_figure(samples, i, scratch);
        report_ratio(samples, i, scratch);
    }
    free(scratch);
    free(samples->values);
    return good ? 0 : 1;
}

static int bench_all(const struct arguments *arguments)
{
    struct samples samples = {.rounds = arguments->rounds};
    if (samples.rounds == 0)
        samples.rounds = arguments->quick ? 1 : ROUNDS_DEFAULT;
    for (size_t i = 0; i < FIGURE_COUNT; i++) {
        samples.off[i] = arguments->only_count > 0;
        for (size_t k = 0; k < arguments->only_count; k++)
            if (strncmp(figures[i].name, arguments->only[k], strlen(arguments->only[k])) == 0)
                samples.off[i] = false;
    }
    printf("# %u rounds\n", samples.rounds);
    fflush(stdout); /* before there are children that have a copy of it */
    int status = run(&samples, arguments->quick);
    ipc_bench_python_end();
    return status;
}

/* ---- Command line --------------------------------------------------------------------------- */

static const char usage[] =
    "usage: ipc_bench [--quick] [--rounds N] [--only PREFIX]...\n"
    "Measures what messages between processes cost, beside Python's multiprocessing.\n"
    "\n"
    "  --quick        some seconds in all: shows that all works, not how fast it is\n"
    "  --rounds N     samples of each figure, 1..1000 (5; with --quick 1)\n"
    "  --only PREFIX  only figures whose names begin so; may be given several times\n"
    "  --help         this text\n";

static int parse(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {{"quick", no_argument, NULL, 'q'},
                                            {"rounds", required_argument, NULL, 'r'},
                                            {"only", required_argument, NULL, 'o'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        char *end = NULL;
        switch (option) {
        case 'q':
            arguments->quick = true;
            break;
        case 'r':
            arguments->rounds = (unsigned)strtoul(optarg, &end, 10);
            if (*end != '\0' || arguments->rounds < 1 || arguments->rounds > ROUNDS_MAX)
                return -EINVAL;
            break;
        case 'o':
            if (arguments->only_count == ONLY_MAX)
                return -EINVAL;
            arguments->only[arguments->only_count++] = optarg;
            break;
        case 'h':
            arguments->help = true;
            break;
        default:
            return -EINVAL;
        }
    }
    return optind == argc ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    int status = 0;
    if (parse(argc, argv, &arguments) < 0) {
        fputs(usage, stderr);
        return 2;
    }
    if (arguments.help)
        fputs(usage, stdout);
    else
        status = bench_all(&arguments);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "ipc_bench: cannot write: %s\n", strerror(errno));
        status = 1;
    }
    return status;
}
