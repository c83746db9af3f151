/* scaling_cell.c: pools that stand ready, and one batch of tasks through them, with the processor
 * time of everybody concerned.
 *
 * Whose processor time. Every thread and process has a clock of its own, and Linux derives the
 * clock's number from the thread's or process's id, so it can be read from outside: exactly, to the
 * nanosecond, also while it runs. The supervisor's thread is known by its name; workers are known
 * to the pool. All clocks are read before a batch and after it, outside of the measured time.
 *
 * A task's result is the time that it took by its own reckoning; a result of less than it was told
 * means that the task did not do its work, and the batch fails. */
#include "scaling.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define POOLS_MAX       2
#define START_LIMIT_S   20.0
#define START_POLL_NS   500000
#define SUPERVISOR_NAME "pool-supervisor"

/* ---- The tasks ------------------------------------------------------------------------------ */

struct order {
    uint32_t length_ns;
    uint32_t reply_bytes; /* at least sizeof(uint64_t) */
};

static uint64_t now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now); /* cannot fail: the clock exists, the address is good */
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* Compute for so long, by this thread's own clock: the same work however many share its core. */
static uint64_t spin(uint32_t length_ns)
{
    uint64_t took_ns = 0;
    if (length_ns == 0)
        return 0;
    const uint64_t start_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
    while (took_ns < length_ns)
        took_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns;
    return took_ns;
}

static uint64_t wait_for(uint32_t length_ns)
{
    const struct timespec length = {.tv_sec = length_ns / 1000000000U,
                                    .tv_nsec = length_ns % 1000000000U};
    if (length_ns == 0)
        return 0;
    const uint64_t start_ns = now_ns(CLOCK_MONOTONIC);
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); /* else a wait is 50 us longer than it says */
    clock_nanosleep(CLOCK_MONOTONIC, 0, &length, NULL);
    return now_ns(CLOCK_MONOTONIC) - start_ns;
}

static int run_task(struct pool_call *call, uint64_t (*work)(uint32_t length_ns))
{
    struct order order;
    union {
        uint64_t took_ns;
        char bytes[SCALING_PICTURE_BYTES];
    } reply = {0};
    const struct pool_bytes field = pool_call_field(call, 0);
    if (field.size_bytes != sizeof(order))
        return pool_call_fail(call, -EINVAL, "an order expected");
    memcpy(&order, field.data, sizeof(order));
    if (order.reply_bytes < sizeof(reply.took_ns) || order.reply_bytes > sizeof(reply))
        return pool_call_fail(call, -EINVAL, "a reply of %u bytes", order.reply_bytes);
    reply.took_ns = work(order.length_ns);
    return pool_call_write(call, &reply, order.reply_bytes);
}

static int spin_task(struct pool_call *call)
{
    return run_task(call, spin);
}

static int wait_task(struct pool_call *call)
{
    return run_task(call, wait_for);
}

static const struct pool_task task_list[SCALING_KINDS] = {{"spin", spin_task}, {"wait", wait_task}};
const struct pool_tasks scaling_tasks = {task_list, SCALING_KINDS};

int scaling_plain_run(enum scaling_kind kind, unsigned length_us, double for_s,
                      struct scaling_plain *ret_plain)
{
    const uint32_t length_ns = length_us * 1000;
    uint64_t count = 0;
    const uint64_t processor_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
    const double start_s = bench_now_s();
    double passed_s;
    do {
        const uint64_t took_ns = (kind == SCALING_SPIN ? spin : wait_for)(length_ns);
        if (took_ns < length_ns)
            return -EINTR;
        count++;
        passed_s = bench_now_s() - start_s;
    } while (passed_s < for_s);
    ret_plain->wall = passed_s / (double)count;
    ret_plain->processor =
        (double)(now_ns(CLOCK_THREAD_CPUTIME_ID) - processor_ns) * 1e-9 / (double)count;
    return 0;
}

/* ---- Pools ---------------------------------------------------------------------------------- */

/* Numbers of clocks, as the kernel makes them (and the C library's pthread_getcpuclockid()). */
#define CLOCK_OF_THREAD(tid)  ((clockid_t)(~(unsigned)(tid) << 3 | 6))
#define CLOCK_OF_PROCESS(pid) ((clockid_t)(~(unsigned)(pid) << 3 | 2))

struct scaling_pools {
    unsigned count;
    struct pool *pools[POOLS_MAX];
    clockid_t supervisors[POOLS_MAX];
    unsigned supervisor_count;
    clockid_t *workers;
    unsigned worker_count;
};

/* Find the threads of that name. */
static int find_supervisors(struct scaling_pools *pools)
{
    char name[32];
    DIR *folder = opendir("/proc/self/task");
    const struct dirent *entry;
    if (!folder)
        return -errno;
    while ((entry = readdir(folder)) && pools->supervisor_count < POOLS_MAX) {
        char path[sizeof("/proc/self/task/") + sizeof(entry->d_name) + sizeof("/comm")];
        const pid_t tid = (pid_t)atoi(entry->d_name);
        snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
        int fd = tid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        if (fd < 0)
            continue;
        const ssize_t got = read(fd, name, sizeof(name));
        close(fd);
        if (got > 0 && (size_t)got >= strlen(SUPERVISOR_NAME) &&
            memcmp(name, SUPERVISOR_NAME, strlen(SUPERVISOR_NAME)) == 0)
            pools->supervisors[pools->supervisor_count++] = CLOCK_OF_THREAD(tid);
    }
    closedir(folder);
    return 0;
}

/* How many of a pool's workers are ready; their clocks go into `clocks`. */
static unsigned look_at_workers(struct pool *pool, enum pool_backend backend,
                                struct pool_worker_stats *stats, unsigned room, clockid_t *clocks)
{
    unsigned ready = 0;
    int count = pool_worker_stats(pool, stats, room);
    for (int i = 0; i < count && (unsigned)i < room; i++) {
        if (stats[i].state == POOL_WORKER_STARTING || stats[i].pid <= 0)
            continue;
        clocks[ready++] = backend == POOL_BACKEND_THREAD ? CLOCK_OF_THREAD(stats[i].pid)
                                                         : CLOCK_OF_PROCESS(stats[i].pid);
    }
    return ready;
}

/* Wait until all are ready, or no more come. */
static int wait_until_ready(struct scaling_pools *pools, enum pool_backend backend,
                            unsigned workers)
{
    const struct timespec pause = {.tv_nsec = START_POLL_NS};
    const double start_s = bench_now_s();
    struct pool_worker_stats *stats = calloc(workers, sizeof(*stats));
    pools->workers = calloc(workers, sizeof(*pools->workers));
    int r = stats && pools->workers ? 0 : -ENOMEM;
    while (r == 0 && pools->worker_count < workers && bench_now_s() - start_s < START_LIMIT_S) {
        unsigned ready = 0;
        for (unsigned i = 0; i < pools->count; i++)
            ready += look_at_workers(pools->pools[i], backend, stats, workers - ready,
                                     pools->workers + ready);
        pools->worker_count = ready;
        if (ready < workers)
            nanosleep(&pause, NULL);
    }
    free(stats);
    return r == 0 && pools->worker_count == 0 ? -ETIMEDOUT : r;
}

struct scaling_pools *scaling_pools_close(struct scaling_pools *pools)
{
    if (!pools)
        return NULL;
    for (unsigned i = 0; i < pools->count; i++)
        pool_free(pools->pools[i]);
    free(pools->workers);
    free(pools);
    return NULL;
}

int scaling_pools_open(enum pool_backend backend, unsigned count, unsigned workers,
                       struct scaling_pools **ret_pools, unsigned *ret_workers, double *ret_start_s)
{
    struct pool_options options = POOL_OPTIONS_INIT;
    struct scaling_pools *pools = calloc(1, sizeof(*pools));
    const double start_s = bench_now_s();
    int r = pools ? 0 : -ENOMEM;
    options.backend = backend;
    options.tasks = &scaling_tasks;
    for (unsigned i = 0; r == 0 && i < count && i < POOLS_MAX; i++) {
        options.workers = (unsigned)pool_split(workers, count, i).count;
        options.workers_min = backend == POOL_BACKEND_SERIAL ? 0 : options.workers;
        r = pool_create(&options, &pools->pools[i]);
        pools->count += r == 0;
    }
    if (r == 0 && backend != POOL_BACKEND_SERIAL)
        r = wait_until_ready(pools, backend, workers);
    if (r == 0 && backend == POOL_BACKEND_PROCESS)
        r = find_supervisors(pools);
    if (r < 0) {
        scaling_pools_close(pools);
        return r;
    }
    *ret_start_s = bench_now_s() - start_s;
    *ret_workers = backend == POOL_BACKEND_SERIAL ? 1 : pools->worker_count;
    *ret_pools = pools;
    return 0;
}

/* ---- A batch -------------------------------------------------------------------------------- */

/* One pool's part of it. */
struct part {
    const struct scaling_cell *cell;
    struct pool *pool;
    size_t tasks;
    double start_s, end_s;
    double processor_s; /* of the thread that submits */
    int result;
    pthread_t thread;
    size_t next; /* of an imap's source */
    int fd;
    struct order order;
    struct pool_bytes field;
};

static int check_reply(const struct part *part, struct pool_future *future)
{
    struct pool_bytes value;
    uint64_t took_ns;
    struct pool_error error;
    int r = pool_future_result(future, -1, &value);
    if (r == -EREMOTEIO && pool_future_error(future, &error) == 0)
        return error.task_code; /* of the source too, if it had no descriptor left */
    if (r < 0)
        return r;
    if (value.size_bytes != part->order.reply_bytes)
        return -EBADMSG;
    memcpy(&took_ns, value.data, sizeof(took_ns));
    return took_ns < part->order.length_ns ? -EBADMSG : 0;
}

static int run_map(struct part *part)
{
    struct pool_map_options options = POOL_MAP_INIT;
    struct pool_results *results = NULL;
    struct pool_item *items = calloc(part->tasks, sizeof(*items));
    int r = items ? 0 : -ENOMEM;
    options.chunksize = part->cell->mode == SCALING_ONE     ? 1
                        : part->cell->mode == SCALING_CHUNK ? SCALING_CHUNKSIZE
                                                            : 0;
    for (size_t i = 0; r == 0 && i < part->tasks; i++)
        items[i] = (struct pool_item){.fields = &part->field, .field_count = 1};
    part->start_s = bench_now_s();
    const uint64_t before_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
    if (r == 0)
        r = pool_map(part->pool, task_list[part->cell->kind].name, items, part->tasks, &options,
                     &results);
    for (size_t i = 0; r == 0 && i < part->tasks; i++)
        r = check_reply(part, pool_results_at(results, i));
    pool_results_free(results);
    part->processor_s = (double)(now_ns(CLOCK_THREAD_CPUTIME_ID) - before_ns) * 1e-9;
    part->end_s = bench_now_s();
    free(items);
    return r;
}

/* What a folder's run does for a picture: it opens it. */
static int next_item(void *data, struct pool_item *ret_item)
{
    struct part *part = data;
    if (part->next == part->tasks)
        return 0;
    part->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (part->fd < 0)
        return -errno;
    part->next++;
    *ret_item = (struct pool_item){
        .fields = &part->field, .field_count = 1, .fds = &part->fd, .fd_count = 1};
    return 1;
}

static int run_imap(struct part *part)
{
    struct pool_iter *iter;
    struct pool_future *future;
    part->start_s = bench_now_s();
    const uint64_t before_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
    int r = pool_imap_unordered(part->pool, task_list[part->cell->kind].name, next_item, part, NULL,
                                &iter);
    if (r < 0)
        return r;
    while ((r = pool_iter_next(iter, -1, &future)) > 0) {
        r = check_reply(part, future);
        pool_future_free(future);
        if (r < 0)
            break;
    }
    pool_iter_free(iter);
    part->processor_s = (double)(now_ns(CLOCK_THREAD_CPUTIME_ID) - before_ns) * 1e-9;
    part->end_s = bench_now_s();
    return r;
}

static void *run_part(void *data)
{
    struct part *part = data;
    part->result = part->cell->mode == SCALING_PICTURE ? run_imap(part) : run_map(part);
    return NULL;
}

/* All parts at once: the first in this thread, the others each in its own. */
static int run_parts(struct part *parts, unsigned count)
{
    unsigned started = 1;
    int r = 0;
    while (r == 0 && started < count) {
        r = -pthread_create(&parts[started].thread, NULL, run_part, &parts[started]);
        started += r == 0;
    }
    if (r == 0)
        run_part(&parts[0]);
    for (unsigned i = 1; i < started; i++)
        pthread_join(parts[i].thread, NULL);
    for (unsigned i = 0; r == 0 && i < count; i++)
        r = parts[i].result;
    return r;
}

static double sum_s(const clockid_t *clocks, unsigned count)
{
    uint64_t sum_ns = 0;
    for (unsigned i = 0; i < count; i++) {
        struct timespec used = {0};
        clock_gettime(clocks[i], &used); /* a worker that is gone fails its task, too */
        sum_ns += (uint64_t)used.tv_sec * 1000000000U + (uint64_t)used.tv_nsec;
    }
    return (double)sum_ns * 1e-9;
}

int scaling_cell_run(const struct scaling_cell *cell, struct scaling_pools *pools,
                     struct scaling_costs *ret_costs)
{
    struct part parts[POOLS_MAX] = {0};
    const bool picture = cell->mode == SCALING_PICTURE;
    if (pools->count < 1 || pools->count > POOLS_MAX)
        return -EINVAL;
    for (unsigned i = 0; i < pools->count; i++) {
        parts[i] = (struct part){.cell = cell,
                                 .pool = pools->pools[i],
                                 .tasks = pool_split(cell->tasks, pools->count, i).count};
        parts[i].order = (struct order){cell->length_us * 1000,
                                        picture ? SCALING_PICTURE_BYTES : sizeof(uint64_t)};
        parts[i].field = (struct pool_bytes){&parts[i].order, sizeof(parts[i].order)};
    }
    const double supervisor_s = sum_s(pools->supervisors, pools->supervisor_count);
    const double workers_s = sum_s(pools->workers, pools->worker_count);
    int r = run_parts(parts, pools->count);
    if (r < 0)
        return r;
    const double tasks = (double)cell->tasks;
    double start_s = parts[0].start_s, end_s = parts[0].end_s, submitter_s = 0;
    for (unsigned i = 0; i < pools->count; i++) {
        start_s = parts[i].start_s < start_s ? parts[i].start_s : start_s;
        end_s = parts[i].end_s > end_s ? parts[i].end_s : end_s;
        submitter_s += parts[i].processor_s;
    }
    *ret_costs = (struct scaling_costs){
        .wall = (end_s - start_s) / tasks,
        .supervisor = (sum_s(pools->supervisors, pools->supervisor_count) - supervisor_s) / tasks,
        .submitter = submitter_s / tasks,
        .workers = (sum_s(pools->workers, pools->worker_count) - workers_s) / tasks,
    };
    return 0;
}
