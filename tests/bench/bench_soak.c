/* bench_soak.c: does memory stay flat however many items pass through?
 *
 * An unordered imap yields millions of results to a reader that sleeps a little after every few
 * dozen, so that most of the time the window is full of results that nobody has taken. Resident
 * memory, the host's and the workers' together, is looked at all along. What it has grown to after
 * the first hundredth of the items (heap arenas, buffers) is the start; from there on it must not
 * rise any more, whatever the number of items. Under a sanitizer, which keeps freed memory, it is
 * printed but not judged. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GROWTH_KIB_MAX      (8 * 1024)
#define SLEEP_EVERY         64
#define SLEEP_NS            (50 * 1000)
#define HOST_SAMPLE_EVERY   4096        /* results; one takes some microseconds */
#define WORKER_SAMPLE_EVERY (16 * 4096) /* a multiple of the above: one opens a file a worker */

struct memory {
    double start_kib; /* after the warm-up */
    double peak_kib;
};

struct soak {
    const char *name;
    struct pool *pool;
    size_t items, pulled, taken;
    uint64_t value;
    struct pool_bytes field;
    struct memory host, workers;
};

/* ---- Memory --------------------------------------------------------------------------------- */

static int host_kib(double *ret_kib)
{
    char text[128], *resident;

    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    int r = n < 0 ? -errno : 0;
    close(fd);
    if (r < 0)
        return r;
    text[n] = '\0';
    resident = strchr(text, ' '); /* the second number: resident pages */
    if (!resident)
        return -EBADMSG;
    *ret_kib = strtod(resident, NULL) * (double)sysconf(_SC_PAGESIZE) / 1024;
    return 0;
}

/* The resident memory of all worker processes (of the first 64, if there are more); 0 for threads,
 * which have none of their own. */
static int workers_kib(struct pool *pool, double *ret_kib)
{
    struct pool_worker_stats workers[64];
    const size_t room = sizeof(workers) / sizeof(workers[0]);
    double kib = 0;

    int count = pool_worker_stats(pool, workers, room);
    for (size_t i = 0; i < room && (int)i < count; i++)
        if (workers[i].rss_bytes > 0)
            kib += (double)workers[i].rss_bytes / 1024;
    *ret_kib = kib;
    return count < 0 ? count : 0;
}

static void memory_note(struct memory *memory, bool warming_up, double kib)
{
    if (warming_up)
        memory->start_kib = memory->peak_kib = kib;
    else if (kib > memory->peak_kib)
        memory->peak_kib = kib;
}

static int memory_sample(struct soak *soak)
{
    const size_t warm_up = soak->items / 100 + 1; /* never none */
    double kib = 0;
    int r = 0;

    /* The end of the warm-up and the last item are always looked at. */
    const bool must = soak->taken == warm_up || soak->taken == soak->items;
    if (must || soak->taken % HOST_SAMPLE_EVERY == 0) {
        r = host_kib(&kib);
        if (r == 0)
            memory_note(&soak->host, soak->taken <= warm_up, kib);
    }
    if (r == 0 && (must || soak->taken % WORKER_SAMPLE_EVERY == 0)) {
        r = workers_kib(soak->pool, &kib);
        if (r == 0)
            memory_note(&soak->workers, soak->taken <= warm_up, kib);
    }
    return r;
}

/* ---- One soak ------------------------------------------------------------------------------- */

static int next_item(void *data, struct pool_item *ret_item)
{
    struct soak *soak = data;
    if (soak->pulled == soak->items)
        return 0;
    soak->value = BENCH_VALUE_BASE + soak->pulled++;
    soak->field = (struct pool_bytes){&soak->value, sizeof(soak->value)};
    *ret_item = (struct pool_item){.fields = &soak->field, .field_count = 1};
    return 1;
}

/* Take all results.  Returns 0 if every item came back once, as far as their sum can tell. */
static int take_all(struct soak *soak, struct pool_iter *iter)
{
    const struct timespec nap = {.tv_nsec = SLEEP_NS};
    struct pool_future *future;
    uint64_t sum = 0;
    int r;

    while ((r = pool_iter_next(iter, -1, &future)) > 0) {
        uint64_t value = 0;
        r = bench_value(future, &value);
        pool_future_free(future);
        sum += value;
        soak->taken++;
        if (r == 0)
            r = memory_sample(soak);
        if (r < 0)
            break;
        if (soak->taken % SLEEP_EVERY == 0)
            nanosleep(&nap, NULL); /* cut short by a signal: just as good */
    }
    if (r == 0 && (soak->taken != soak->items || sum != bench_values_sum(soak->items)))
        r = -EBADMSG;
    return r;
}

static void print_soak_figure(const struct soak *soak, const char *figure, double value)
{
    char name[96];
    snprintf(name, sizeof(name), "soak.%s.%s", soak->name, figure);
    bench_print(name, value);
}

static int report(const struct soak *soak, double passed_s)
{
    double grown_kib = soak->host.peak_kib - soak->host.start_kib;

    print_soak_figure(soak, "items", (double)soak->taken);
    print_soak_figure(soak, "tasks_per_s", (double)soak->taken / passed_s);
    print_soak_figure(soak, "rss_start_kib", soak->host.start_kib);
    print_soak_figure(soak, "rss_peak_kib", soak->host.peak_kib);
    if (soak->workers.peak_kib > 0) {
        print_soak_figure(soak, "workers_rss_start_kib", soak->workers.start_kib);
        print_soak_figure(soak, "workers_rss_peak_kib", soak->workers.peak_kib);
        if (soak->workers.peak_kib - soak->workers.start_kib > grown_kib)
            grown_kib = soak->workers.peak_kib - soak->workers.start_kib;
    }
    fflush(stdout);
    if (BENCH_SANITIZED || grown_kib <= GROWTH_KIB_MAX)
        return 0;
    fprintf(stderr, "pool_bench: soak.%s: memory grew by %.0f KiB\n", soak->name, grown_kib);
    return -EOVERFLOW;
}

static int soak_backend(const char *name, enum pool_backend backend, unsigned workers, size_t items)
{
    struct soak soak = {.name = name, .items = items};
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool_iter *iter;

    options.backend = backend;
    options.workers = workers;
    options.tasks = &bench_tasks;
    int r = pool_create(&options, &soak.pool);
    if (r < 0)
        return r;
    double start_s = bench_now_s();
    r = pool_imap_unordered(soak.pool, BENCH_TASK, next_item, &soak, NULL, &iter);
    if (r == 0) {
        r = take_all(&soak, iter);
        pool_iter_free(iter);
    }
    double passed_s = bench_now_s() - start_s;
    pool_free(soak.pool);
    return r < 0 ? r : report(&soak, passed_s);
}

int bench_soak(unsigned workers, size_t items)
{
    static const struct {
        const char *name;
        enum pool_backend backend;
    } soaks[] = {{"process", POOL_BACKEND_PROCESS}, {"thread", POOL_BACKEND_THREAD}};
    int worst = 0;

    for (size_t i = 0; i < sizeof(soaks) / sizeof(soaks[0]); i++) {
        int r = soak_backend(soaks[i].name, soaks[i].backend, workers, items);
        if (r < 0 && r != -EOVERFLOW) /* which has been told */
            fprintf(stderr, "pool_bench: soak.%s: %s\n", soaks[i].name, strerror(-r));
        if (r < 0)
            worst = r;
    }
    return worst;
}
