/* lanes.c: see lanes_priv.h. */
#include "lanes_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "thumb_task_priv.h"
#include "thumb_worker_priv.h"

/* Files in flight for each worker: one that is worked on, and some that are read ahead. */
#define WINDOW_PER_WORKER 4

/* More make the turns longer, and the gaps between them rarer; each is an open descriptor. */
#define WAITING_MAX 64

/* Descriptors that the program needs beside those of the files in flight: standard streams, the
 * walk's and the commit's folders, a forecast, the ledger; and what a pool needs for each worker.
 */
#define DESCRIPTORS_OWN        44
#define DESCRIPTORS_PER_WORKER 4

/* Of an answer, around the thumbnail. */
#define FILE_SLACK_BYTES 65536

/* Processes with all their libraries: a smaller limit would retire them after each file. */
#define WORKER_BYTES ((size_t)96 << 20)

struct queue {
    struct job *first, *last;
    size_t count;
};

struct lanes {
    const struct options *options;
    unsigned workers;
    size_t window;
    size_t waiting_max;
    struct pool *pools[LANE_COUNT]; /* owned; NULL: not started */
    struct queue waiting[LANE_COUNT];
};

/* The limit of descriptors is shared: half for what waits, where it is tight. */
static void share_descriptors(struct lanes *lanes)
{
    struct rlimit limit;
    const bool serial = lanes->options->backend == POOL_BACKEND_SERIAL;
    const size_t taken = DESCRIPTORS_OWN + 2 * (size_t)lanes->workers * DESCRIPTORS_PER_WORKER;
    lanes->window = serial ? 1 : (size_t)lanes->workers * WINDOW_PER_WORKER;
    lanes->waiting_max = WAITING_MAX;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return;
    const size_t room = limit.rlim_cur > taken ? (size_t)limit.rlim_cur - taken : 0;
    const size_t half = room / 2 > 0 ? room / 2 : 1;
    if (lanes->window > half)
        lanes->window = half;
    if (lanes->waiting_max > half)
        lanes->waiting_max = half;
}

int lanes_create(const struct options *options, struct lanes **ret_lanes)
{
    struct lanes *lanes = calloc(1, sizeof(*lanes));
    if (!lanes)
        return -ENOMEM;
    lanes->options = options;
    lanes->workers = options->jobs > 0 ? options->jobs : pool_cpu_count();
    if (options->backend == POOL_BACKEND_SERIAL)
        lanes->workers = 1;
    share_descriptors(lanes);
    *ret_lanes = lanes;
    return 0;
}

struct lanes *lanes_free(struct lanes *lanes)
{
    if (!lanes)
        return NULL;
    for (enum lane lane = 0; lane < LANE_COUNT; lane++)
        pool_free(lanes->pools[lane]);
    free(lanes);
    return NULL;
}

unsigned lanes_workers(const struct lanes *lanes)
{
    return lanes->workers;
}

size_t lanes_window(const struct lanes *lanes)
{
    return lanes->window;
}

enum lane lanes_of(const struct lanes *lanes, enum img_format format)
{
    const bool two = lanes->options->backend == POOL_BACKEND_PROCESS;
    return two && thumb_format_is_wide(format) ? LANE_WIDE : LANE_NARROW;
}

static struct thumb_setup setup_of(const struct options *options, enum lane lane)
{
    struct thumb_setup setup;
    memset(&setup, 0, sizeof(setup)); /* it is sent as bytes: no padding of our stack's */
    setup.sandbox.kind = lane == LANE_WIDE ? SANDBOX_WIDE : SANDBOX_NARROW;
    setup.sandbox.memory_bytes = options->memory_bytes;
    setup.sandbox.file_bytes =
        thumb_image_bytes_max(options->box_width_px, options->box_height_px) + FILE_SLACK_BYTES;
    setup.sandbox.landlock_abi_max = SANDBOX_LANDLOCK_NEWEST;
    setup.may_be_unconfined = options->no_sandbox;
    return setup;
}

static int start(struct lanes *lanes, enum lane lane, unsigned workers_min)
{
    const struct options *options = lanes->options;
    const struct thumb_setup setup = setup_of(options, lane);
    const struct pool_bytes field = {&setup, sizeof(setup)};
    const struct pool_item item = {.fields = &field, .field_count = 1};
    struct pool_options pool_options = POOL_OPTIONS_INIT;
    pool_options.backend = options->backend;
    pool_options.workers = lanes->workers;
    if (options->backend == POOL_BACKEND_PROCESS) {
        pool_options.workers_min = workers_min;
        pool_options.initializer = THUMB_PREPARE;
        pool_options.initializer_item = &item;
        /* With sanitizers a worker is several times as large. What a picture leaves behind is
         * not to narrow the next one's room. */
        pool_options.rss_limit_bytes = SANDBOX_SANITIZED ? 0 : options->memory_bytes;
        pool_options.max_rss_bytes = pool_options.rss_limit_bytes / 2;
        if (pool_options.max_rss_bytes > 0 && pool_options.max_rss_bytes < WORKER_BYTES)
            pool_options.max_rss_bytes = WORKER_BYTES;
    }
    return pool_create(&pool_options, &lanes->pools[lane]);
}

int lanes_pool(struct lanes *lanes, enum lane lane, struct pool **ret_pool)
{
    int r = lanes->pools[lane] ? 0 : start(lanes, lane, 0);
    if (r == 0)
        *ret_pool = lanes->pools[lane];
    return r;
}

void lanes_expect(struct lanes *lanes, enum lane lane)
{
    if (!lanes->pools[lane])
        start(lanes, lane, 1);
}

void lanes_wait(struct lanes *lanes, enum lane lane, struct job *job)
{
    struct queue *queue = &lanes->waiting[lane];
    job->next_waiting = NULL;
    if (queue->last)
        queue->last->next_waiting = job;
    else
        queue->first = job;
    queue->last = job;
    queue->count++;
}

struct job *lanes_next(struct lanes *lanes, enum lane lane)
{
    struct queue *queue = &lanes->waiting[lane];
    struct job *job = queue->first;
    if (!job)
        return NULL;
    queue->first = job->next_waiting;
    if (!queue->first)
        queue->last = NULL;
    queue->count--;
    return job;
}

size_t lanes_waiting(const struct lanes *lanes, enum lane lane)
{
    return lanes->waiting[lane].count;
}

bool lanes_is_full(const struct lanes *lanes, enum lane lane)
{
    return lanes->waiting[lane].count >= lanes->waiting_max;
}

void lanes_terminate(struct lanes *lanes)
{
    for (enum lane lane = 0; lane < LANE_COUNT; lane++)
        if (lanes->pools[lane])
            pool_terminate(lanes->pools[lane]);
}

int64_t lanes_end(struct lanes *lanes)
{
    int64_t peak_bytes = -1;
    for (enum lane lane = 0; lane < LANE_COUNT; lane++) {
        struct pool *pool = lanes->pools[lane];
        struct pool_stats stats;
        if (!pool)
            continue;
        pool_close(pool);
        if (pool_join(pool, -1) == 0 && pool_stats(pool, &stats) == 0 &&
            stats.rss_peak_bytes > peak_bytes)
            peak_bytes = stats.rss_peak_bytes;
    }
    return peak_bytes;
}
