/* bench_backends.c: the pool's own figures, the same for each of its three backends.
 *
 * Every batch reads all its results and adds them up within the measured time: a result that nobody
 * has looked at is not yet a result. The arrays of items are made before, as the peers' are. */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKEND_COUNT  3
#define OPEN_ITEMS_MIN 2
#define OPEN_ITEMS_MAX 10

/* Each array has item_count members: item i is one field, which is values[i]. */
struct bench_backends {
    struct pool *pools[BACKEND_COUNT]; /* by enum pool_backend; NULL until first used */
    size_t item_count;
    uint64_t *values;
    struct pool_bytes *fields;
    struct pool_item *items;
    struct pool_future **futures; /* all NULL between two batches */
};

/* One batch: a pool and the items for it. */
struct batch {
    struct pool *pool;
    struct bench_backends *backends;
    size_t chunksize;
};

static int echo(struct pool_call *call)
{
    struct pool_bytes field = pool_call_field(call, 0);
    if (field.size_bytes != sizeof(uint64_t))
        return pool_call_fail(call, -EINVAL, "one 8-byte integer expected");
    return pool_call_write(call, field.data, field.size_bytes);
}

static const struct pool_task task_list[] = {{BENCH_TASK, echo}};
const struct pool_tasks bench_tasks = {task_list, 1};

int bench_value(struct pool_future *future, uint64_t *ret_value)
{
    struct pool_bytes value;
    struct pool_error error;

    int r = pool_future_result(future, -1, &value);
    if (r < 0) {
        if (pool_future_error(future, &error) == 0)
            fprintf(stderr, "pool_bench: task '%s': %s (%d, worker %d, signal %d)\n", error.task,
                    error.message, error.code, (int)error.worker_pid, error.signal);
        return r;
    }
    if (value.size_bytes != sizeof(*ret_value))
        return -EBADMSG;
    memcpy(ret_value, value.data, sizeof(*ret_value));
    return 0;
}

/* ---- Set up --------------------------------------------------------------------------------- */

struct bench_backends *bench_backends_free(struct bench_backends *backends)
{
    if (!backends)
        return NULL;
    for (size_t i = 0; i < BACKEND_COUNT; i++)
        pool_free(backends->pools[i]);
    free(backends->values);
    free(backends->fields);
    free(backends->items);
    free(backends->futures);
    free(backends);
    return NULL;
}

static int backends_create(size_t item_count, struct bench_backends **ret_backends)
{
    struct bench_backends *backends = calloc(1, sizeof(*backends));
    if (!backends)
        return -ENOMEM;

    backends->item_count = item_count;
    backends->values = calloc(item_count, sizeof(*backends->values));
    backends->fields = calloc(item_count, sizeof(*backends->fields));
    backends->items = calloc(item_count, sizeof(*backends->items));
    backends->futures = calloc(item_count, sizeof(struct pool_future *));
    if (!backends->values || !backends->fields || !backends->items || !backends->futures) {
        bench_backends_free(backends);
        return -ENOMEM;
    }
    for (size_t i = 0; i < item_count; i++) {
        backends->values[i] = BENCH_VALUE_BASE + i;
        backends->fields[i] = (struct pool_bytes){&backends->values[i], sizeof(uint64_t)};
        backends->items[i] = (struct pool_item){.fields = &backends->fields[i], .field_count = 1};
    }
    *ret_backends = backends;
    return 0;
}

static int open_pool(unsigned workers, int backend, struct pool **ret_pool)
{
    struct pool_options options = POOL_OPTIONS_INIT;
    options.backend = (enum pool_backend)backend;
    options.workers = workers;
    options.tasks = &bench_tasks;
    return pool_create(&options, ret_pool);
}

/* The backend's standing pool, and the items. */
static int batch_init(struct bench *bench, int backend, struct batch *ret_batch)
{
    if (!bench->backends) {
        size_t count = bench->counts.items > bench->counts.chunked_items
                           ? bench->counts.items
                           : bench->counts.chunked_items;
        int r = backends_create(count, &bench->backends);
        if (r < 0)
            return r;
    }
    if (!bench->backends->pools[backend]) {
        int r = open_pool(bench->workers, backend, &bench->backends->pools[backend]);
        if (r < 0)
            return r;
    }
    *ret_batch =
        (struct batch){.pool = bench->backends->pools[backend], .backends = bench->backends};
    return 0;
}

/* ---- Batches and round trips ------------------------------------------------------------------
 */

static int check_sum(size_t count, uint64_t sum)
{
    if (sum == bench_values_sum(count))
        return 0;
    fprintf(stderr, "pool_bench: the results of %zu tasks are not what was sent\n", count);
    return -EBADMSG;
}

static int map_batch(void *data, size_t count)
{
    const struct batch *batch = data;
    struct pool_map_options options = POOL_MAP_INIT;
    struct pool_results *results;
    uint64_t sum = 0;

    options.chunksize = batch->chunksize;
    int r = pool_map(batch->pool, BENCH_TASK, batch->backends->items, count, &options, &results);
    if (r < 0)
        return r;
    for (size_t i = 0; r == 0 && i < count; i++) {
        uint64_t value = 0;
        r = bench_value(pool_results_at(results, i), &value);
        sum += value;
    }
    pool_results_free(results);
    return r < 0 ? r : check_sum(count, sum);
}

/* A source of items that has none ready: each is made when it is pulled. */
struct counter {
    size_t next, count;
    uint64_t value;
    struct pool_bytes field;
};

static int next_item(void *data, struct pool_item *ret_item)
{
    struct counter *counter = data;
    if (counter->next == counter->count)
        return 0;
    counter->value = BENCH_VALUE_BASE + counter->next++;
    counter->field = (struct pool_bytes){&counter->value, sizeof(counter->value)};
    *ret_item = (struct pool_item){.fields = &counter->field, .field_count = 1};
    return 1;
}

static int imap_batch(void *data, size_t count)
{
    const struct batch *batch = data;
    struct counter counter = {.count = count};
    struct pool_iter *iter;
    struct pool_future *future;
    uint64_t sum = 0;

    int r = pool_imap_unordered(batch->pool, BENCH_TASK, next_item, &counter, NULL, &iter);
    if (r < 0)
        return r;
    while ((r = pool_iter_next(iter, -1, &future)) > 0) {
        uint64_t value = 0;
        r = bench_value(future, &value);
        pool_future_free(future);
        if (r < 0)
            break;
        sum += value;
    }
    pool_iter_free(iter);
    return r < 0 ? r : check_sum(count, sum);
}

static int submit_batch(void *data, size_t count)
{
    const struct batch *batch = data;
    struct bench_backends *backends = batch->backends;
    uint64_t sum = 0;
    int r = 0;

    for (size_t i = 0; r == 0 && i < count; i++)
        r = pool_submit(batch->pool, BENCH_TASK, &backends->items[i], NULL, &backends->futures[i]);
    for (size_t i = 0; r == 0 && i < count; i++) {
        uint64_t value = 0;
        r = bench_value(backends->futures[i], &value);
        sum += value;
    }
    for (size_t i = 0; i < count; i++)
        backends->futures[i] = pool_future_free(backends->futures[i]);
    return r < 0 ? r : check_sum(count, sum);
}

static int apply_trip(void *data)
{
    const struct batch *batch = data;
    struct pool_future *future;
    uint64_t value = 0;

    int r = pool_apply(batch->pool, BENCH_TASK, &batch->backends->items[0], NULL, &future);
    if (r < 0)
        return r;
    r = bench_value(future, &value);
    pool_future_free(future);
    return r < 0 ? r : check_sum(1, value);
}

/* Opening, using and closing a pool; count goes round from OPEN_ITEMS_MIN to OPEN_ITEMS_MAX. */
struct opening {
    unsigned workers;
    int backend;
    size_t count;
    struct bench_backends *backends;
};

static int open_trip(void *data)
{
    struct opening *opening = data;
    struct batch batch = {.backends = opening->backends};

    int r = open_pool(opening->workers, opening->backend, &batch.pool);
    if (r < 0)
        return r;
    r = map_batch(&batch, opening->count);
    pool_free(batch.pool);
    opening->count = opening->count == OPEN_ITEMS_MAX ? OPEN_ITEMS_MIN : opening->count + 1;
    return r;
}

/* ---- Figures -------------------------------------------------------------------------------- */

static int rate_of(struct bench *bench, int backend, bench_batch_fn run, size_t chunksize,
                   size_t count, double *ret_tasks_per_s)
{
    struct batch batch;
    int r = batch_init(bench, backend, &batch);
    if (r < 0)
        return r;
    batch.chunksize = chunksize;
    return bench_rate(bench->counts.rate_s, run, &batch, count, ret_tasks_per_s);
}

int bench_map_chunk1(struct bench *bench, int backend, double *ret_tasks_per_s)
{
    return rate_of(bench, backend, map_batch, 1, bench->counts.items, ret_tasks_per_s);
}

int bench_map_default(struct bench *bench, int backend, double *ret_tasks_per_s)
{
    return rate_of(bench, backend, map_batch, 0, bench->counts.chunked_items, ret_tasks_per_s);
}

int bench_imap_unordered(struct bench *bench, int backend, double *ret_tasks_per_s)
{
    return rate_of(bench, backend, imap_batch, 0, bench->counts.items, ret_tasks_per_s);
}

int bench_submit(struct bench *bench, int backend, double *ret_tasks_per_s)
{
    return rate_of(bench, backend, submit_batch, 0, bench->counts.items, ret_tasks_per_s);
}

int bench_apply(struct bench *bench, int backend, double *ret_us)
{
    struct batch batch;
    double median_s;

    int r = batch_init(bench, backend, &batch);
    if (r == 0)
        r = bench_trip(bench->counts.round_trips, apply_trip, &batch, &median_s);
    if (r == 0)
        *ret_us = median_s * 1e6;
    return r;
}

int bench_create_map_free(struct bench *bench, int backend, double *ret_ms)
{
    struct batch batch;
    double median_s;

    int r = batch_init(bench, backend, &batch);
    if (r < 0)
        return r;
    struct opening opening = {bench->workers, backend, OPEN_ITEMS_MIN, batch.backends};
    r = bench_trip(bench->counts.opens, open_trip, &opening, &median_s);
    if (r == 0)
        *ret_ms = median_s * 1e3;
    return r;
}
