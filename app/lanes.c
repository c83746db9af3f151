/* lanes.c: see lanes_priv.h. */
#include "lanes_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "thumb_task_priv.h"
#include "thumb_worker_priv.h"

/* Files in flight for each worker: one that is worked on, and some to go on with. */
#define WINDOW_PER_WORKER 4

/* More make the turns longer, and the gaps between them rarer; each is an open descriptor. */
#define WAITING_MAX 64

/* Files of the lane that works that wait for each worker, and for all. A large one that is met last
 * is worked on beside those that wait: they should take as long as it does. */
#define AHEAD_PER_WORKER 64
#define AHEAD_MAX        256

/* A file is overtaken so often, at most: it is held open, and its owner waits for its outcome. */
#define OVERTAKEN_MAX 1024

/* Of files that are handed out, in all. A worker holds the file that it works on in memory as well,
 * so this is not much beside it. */
#define AHEAD_BYTES_PER_WORKER (UINT64_C(32) << 20)

/* The kernel reads no more than a device's largest request at one asking: often about this. */
#define AHEAD_PIECE_BYTES (UINT64_C(512) << 10)

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
    size_t waiting_max;       /* for the other lane's turn */
    size_t ahead_max;         /* for the lane that works, and for both together */
    uint64_t ahead_bytes_max; /* for both */
    uint64_t ahead_bytes;     /* that the kernel was asked for, of files that are handed out */
    uint64_t given;           /* how many jobs were given out */
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
    lanes->ahead_max = lanes->workers < AHEAD_MAX / AHEAD_PER_WORKER
                           ? lanes->workers * AHEAD_PER_WORKER
                           : AHEAD_MAX;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return;
    const size_t room = limit.rlim_cur > taken ? (size_t)limit.rlim_cur - taken : 0;
    const size_t half = room / 2 > 0 ? room / 2 : 1;
    if (lanes->window > half)
        lanes->window = half;
    if (lanes->waiting_max > half)
        lanes->waiting_max = half;
    if (lanes->ahead_max > half)
        lanes->ahead_max = half;
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
    lanes->ahead_bytes_max = lanes->workers * AHEAD_BYTES_PER_WORKER;
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

/* The two ends of a file tell, next to always, of all of it. A kernel or file system that cannot
 * say so without waiting says no. */
static bool is_in_memory(int fd, uint64_t size_bytes)
{
    char byte;
    const struct iovec vector = {&byte, sizeof(byte)};
    return size_bytes > 0 && preadv2(fd, &vector, 1, 0, RWF_NOWAIT) == 1 &&
           preadv2(fd, &vector, 1, (off_t)(size_bytes - 1), RWF_NOWAIT) == 1;
}

/* To be asked for what it has in memory costs the kernel a look at each page, ten times as much as
 * to say that it is there. That it cannot read is no matter: then the worker waits for the disk. */
void lanes_read_ahead(struct lanes *lanes, struct job *job)
{
    const uint64_t room = lanes->ahead_bytes_max - lanes->ahead_bytes;
    const uint64_t bytes = job->source_bytes < room ? job->source_bytes : room;
    if (lanes->options->backend == POOL_BACKEND_SERIAL)
        return; /* it is read at once */
    if (job->source_bytes > thumb_source_bytes_max(lanes->options->memory_bytes))
        return; /* it will be refused */
    if (is_in_memory(job->fd, job->source_bytes))
        return;
    for (uint64_t at = 0; at < bytes; at += AHEAD_PIECE_BYTES) {
        const uint64_t left = bytes - at;
        const uint64_t piece = left < AHEAD_PIECE_BYTES ? left : AHEAD_PIECE_BYTES;
        posix_fadvise(job->fd, (off_t)at, (off_t)piece, POSIX_FADV_WILLNEED);
    }
    job->ahead_bytes = bytes;
    lanes->ahead_bytes += bytes;
}

void lanes_has_read(struct lanes *lanes, struct job *job)
{
    lanes->ahead_bytes -= job->ahead_bytes;
    job->ahead_bytes = 0;
}

void lanes_wait(struct lanes *lanes, enum lane lane, struct job *job)
{
    struct queue *queue = &lanes->waiting[lane];
    job->due = lanes->given + OVERTAKEN_MAX;
    job->next_waiting = NULL;
    if (queue->last)
        queue->last->next_waiting = job;
    else
        queue->first = job;
    queue->last = job;
    queue->count++;
}

/* The job before the largest one; NULL if that is the first. */
static struct job *before_largest(const struct queue *queue)
{
    struct job *before = NULL;
    const struct job *largest = queue->first;
    for (struct job *job = queue->first; job->next_waiting; job = job->next_waiting)
        if (job->next_waiting->source_bytes > largest->source_bytes) {
            before = job;
            largest = job->next_waiting;
        }
    return before;
}

struct job *lanes_next(struct lanes *lanes, enum lane lane)
{
    struct queue *queue = &lanes->waiting[lane];
    struct job *before = NULL;
    if (!queue->first)
        return NULL;
    if (lanes->workers > 1 && queue->first->due > lanes->given)
        before = before_largest(queue);
    /* The later one's result would be held, and with it its memory, until the earlier is done. */
    if (before && jobs_has_rival(before->next_waiting))
        before = NULL;
    struct job *job = before ? before->next_waiting : queue->first;
    *(before ? &before->next_waiting : &queue->first) = job->next_waiting;
    if (queue->last == job)
        queue->last = before;
    queue->count--;
    lanes->given++;
    return job;
}

bool lanes_wants_more(const struct lanes *lanes, enum lane lane)
{
    const size_t all = lanes->waiting[LANE_NARROW].count + lanes->waiting[LANE_WIDE].count;
    return lanes->waiting[lane].count == 0 || all < lanes->ahead_max;
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
