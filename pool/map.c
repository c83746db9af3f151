/* map.c: maps over arrays: all items are queued, each with a future of its own. One counter
 * for all of them, so that whoever waits for the whole is woken once and not for each. */
#include <errno.h>
#include <stdlib.h>

#include "help_priv.h"
#include "origin_priv.h"
#include "pool_priv.h"
#include "sync_priv.h"
#include "table_priv.h"

#define CHUNKS_PER_WORKER 4

/* Items queued at once. */
#define RUN_LENGTH 1024

/* I: fixed before the first item is submitted.  A: atomic.  L: lock. */
struct pool_results {
    atomic_uint refs;        /* A: the user's, and one of all items that have not ended */
    struct pool *pool;       /* I: valid while not all have ended */
    uint64_t origin;         /* I */
    bool stop_at_error;      /* I */
    atomic_bool stopped;     /* A: an error has stopped it */
    atomic_bool failed;      /* A: an item has no result */
    atomic_size_t remaining; /* A: items that have not ended */
    pthread_mutex_t lock;    /* a leaf */
    pthread_cond_t all_done;
    size_t helped;                 /* R: of the thread that waits, see pool_help_begin() */
    size_t count;                  /* I */
    struct pool_future *futures[]; /* I: owned */
};

/* ---- Results ------------------------------------------------------------------------------- */

static void results_unref(struct pool_results *results)
{
    if (atomic_fetch_sub_explicit(&results->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < results->count; i++)
        pool_future_free(results->futures[i]);
    pthread_cond_destroy(&results->all_done);
    pthread_mutex_destroy(&results->lock);
    free(results);
}

struct pool_results *pool_results_free(struct pool_results *results)
{
    if (results)
        results_unref(results);
    return NULL;
}

static void cancel_all(struct pool_results *results)
{
    for (size_t i = 0; i < results->count; i++)
        pool_future_cancel(results->futures[i], false);
}

/* An item has ended. Any thread. */
static void results_hook(struct pool_future *future, void *data)
{
    struct pool_results *results = data;
    if (future->result.code != 0) {
        atomic_store(&results->failed, true);
        if (results->stop_at_error && !atomic_exchange(&results->stopped, true))
            cancel_all(results);
    }
    if (atomic_fetch_sub(&results->remaining, 1) != 1)
        return;
    pthread_mutex_lock(&results->lock);
    pthread_cond_broadcast(&results->all_done);
    pthread_mutex_unlock(&results->lock);
    results_unref(results);
}

static struct pool_results *results_alloc(size_t count)
{
    struct pool_results *results = NULL;
    size_t size_bytes;
    if (__builtin_mul_overflow(count, sizeof(results->futures[0]), &size_bytes) ||
        __builtin_add_overflow(size_bytes, sizeof(*results), &size_bytes))
        return NULL;
    results = calloc(1, size_bytes);
    if (!results)
        return NULL;
    if (pthread_mutex_init(&results->lock, NULL) != 0)
        goto no_lock;
    if (pool_cond_init(&results->all_done) < 0)
        goto no_cond;
    atomic_init(&results->refs, 1);
    return results;
no_cond:
    pthread_mutex_destroy(&results->lock);
no_lock:
    free(results);
    return NULL;
}

static int results_create(struct pool *pool, const char *task, size_t count,
                          const struct pool_map_options *options, struct pool_results **ret_results)
{
    struct pool_results *results = results_alloc(count);
    if (!results)
        return -ENOMEM;
    results->pool = pool;
    results->origin = pool_origin_now();
    results->stop_at_error = options->stop_at_error;
    int r = pool_future_create_many(task, results_hook, results, count, results->futures);
    if (r < 0) {
        results_unref(results);
        return r;
    }
    results->count = count;
    atomic_store(&results->remaining, count);
    if (count > 0)
        atomic_fetch_add(&results->refs, 1);
    *ret_results = results;
    return 0;
}

size_t pool_results_count(const struct pool_results *results)
{
    return results->count;
}

struct pool_future *pool_results_at(const struct pool_results *results, size_t index)
{
    return index < results->count ? results->futures[index] : NULL;
}

bool pool_results_done(struct pool_results *results)
{
    return atomic_load(&results->remaining) == 0;
}

int pool_results_successful(struct pool_results *results)
{
    if (!pool_results_done(results))
        return -EAGAIN;
    return !atomic_load(&results->failed);
}

/* Waiting inside one of the pool's own workers. Returns 1 when all is done, 0 to sleep, or -errno.
 */
static int help(struct pool_results *results, struct pool_context *context)
{
    int r = 1;
    while (r > 0 && !pool_results_done(results))
        r = pool_help_begin(context, results->futures, results->count, true, &results->helped);
    return r;
}

int pool_results_wait(struct pool_results *results, int timeout_ms)
{
    const int64_t until_ns = pool_time_after_ms(timeout_ms);
    struct pool_context *context = NULL;
    if (pool_results_done(results))
        return 0;
    if (results->origin != pool_origin_now())
        return -ESTALE;
    if (timeout_ms == 0)
        return -ETIMEDOUT;
    context = pool_context_of(results->pool);
    if (context && !context->visitor && (timeout_ms < 0 || context->supervisor)) {
        int r = help(results, context);
        if (r != 0)
            return r < 0 ? r : 0;
    } else {
        context = NULL;
    }
    int r = 0;
    pthread_mutex_lock(&results->lock);
    while (r == 0 && !pool_results_done(results))
        r = pool_cond_wait_until(&results->all_done, &results->lock, until_ns);
    pthread_mutex_unlock(&results->lock);
    if (context)
        pool_help_end(context);
    return pool_results_done(results) ? 0 : r;
}

/* ---- Submitting ---------------------------------------------------------------------------- */

/* What to map over: items, or sequences in step. */
struct input {
    const struct pool_item *items;
    const struct pool_sequence *sequences;
    size_t sequence_count;
    struct pool_bytes *fields; /* room for one value of each sequence */
    size_t count;
};

static struct pool_item input_at(const struct input *input, size_t index)
{
    if (input->items)
        return input->items[index];
    for (size_t k = 0; k < input->sequence_count; k++) {
        const struct pool_sequence *sequence = &input->sequences[k];
        input->fields[k].size_bytes = sequence->value_bytes;
        input->fields[k].data = (const char *)sequence->values + index * sequence->value_bytes;
    }
    return (struct pool_item){.fields = input->fields, .field_count = input->sequence_count};
}

/* Queue a run of prepared items. */
static void submit_run(struct pool *pool, struct pool_future *const *futures, size_t count)
{
    const int r = pool_admit(pool, futures, count, 0);
    for (size_t i = 0; r < 0 && i < count; i++)
        if (!pool_future_done(futures[i]))
            pool_refuse(pool, futures[i], r);
}

/* Prepare every item and queue those that can be, in runs, so that workers begin with the first
 * while the last are still being prepared. From here on nothing fails as a whole. */
static void submit_all(struct pool *pool, int task_index, const struct input *input,
                       const struct pool_map_options *options, struct pool_results *results)
{
    const size_t workers = pool_workers(pool);
    const size_t chunks = CHUNKS_PER_WORKER * workers;
    const size_t chunksize =
        options->chunksize ? options->chunksize : (input->count + chunks - 1) / chunks;
    struct pool_submit_options submit = options->submit;
    size_t first = 0;
    submit.notify = false;
    for (size_t i = 0; i < input->count; i++) {
        const struct pool_item item = input_at(input, i);
        struct pool_future *future = results->futures[i];
        int r = atomic_load(&results->stopped)
                    ? -ECANCELED
                    : pool_prepare(pool, task_index, &item, &submit, future);
        future->job.together = (i + 1) % chunksize != 0 && i + 1 < input->count;
        if (r < 0)
            pool_refuse_item(pool, &item, r, future);
        if (i + 1 - first >= RUN_LENGTH || i + 1 == input->count) {
            submit_run(pool, results->futures + first, i + 1 - first);
            first = i + 1;
        }
    }
    if (atomic_load(&results->stopped)) /* perhaps before all were queued */
        cancel_all(results);
}

static int map(struct pool *pool, const char *task, const struct input *input,
               const struct pool_map_options *options, struct pool_results **ret_results)
{
    const struct pool_map_options defaults = POOL_MAP_INIT;
    struct pool_results *results;
    if (pool->origin != pool_origin_now())
        return -ESTALE;
    if (!options)
        options = &defaults;
    const int index = pool_table_find(pool->tasks, task);
    if (index < 0)
        return index;
    int r = pool_check_submit(&options->submit);
    if (r < 0)
        return r;
    /* All futures first: from then on every item has one, whatever becomes of it. */
    r = results_create(pool, pool->tasks->list[index].name, input->count, options, &results);
    if (r < 0)
        return r;
    submit_all(pool, index, input, options, results);
    *ret_results = results;
    return 0;
}

int pool_map_async(struct pool *pool, const char *task, const struct pool_item *items, size_t count,
                   const struct pool_map_options *options, struct pool_results **ret_results)
{
    const struct input input = {.items = items, .count = count};
    return map(pool, task, &input, options, ret_results);
}

int pool_map(struct pool *pool, const char *task, const struct pool_item *items, size_t count,
             const struct pool_map_options *options, struct pool_results **ret_results)
{
    struct pool_results *results;
    if (pool->origin != pool_origin_now())
        return -ESTALE;
    const struct pool_context *context = pool_context_of(pool);
    if (context && context->supervisor)
        return -EDEADLK;
    int r = pool_map_async(pool, task, items, count, options, &results);
    if (r < 0)
        return r;
    r = pool_results_wait(results, -1);
    if (r < 0) {
        cancel_all(results);
        pool_results_free(results);
        return r;
    }
    *ret_results = results;
    return 0;
}

int pool_map_sequences(struct pool *pool, const char *task, const struct pool_sequence *sequences,
                       size_t sequence_count, const struct pool_map_options *options,
                       struct pool_results **ret_results)
{
    struct input input = {.sequences = sequences, .sequence_count = sequence_count};
    if (sequence_count < 1 || sequence_count > POOL_FIELDS_MAX)
        return -EINVAL;
    input.count = sequences[0].count;
    for (size_t k = 1; k < sequence_count; k++)
        if (sequences[k].count < input.count)
            input.count = sequences[k].count;
    input.fields = calloc(sequence_count, sizeof(input.fields[0]));
    if (!input.fields)
        return -ENOMEM;
    int r = map(pool, task, &input, options, ret_results);
    free(input.fields);
    return r;
}

/* ---- Sizes --------------------------------------------------------------------------------- */

struct pool_range pool_split(size_t total, size_t parts, size_t index)
{
    if (index >= parts)
        return (struct pool_range){.first = total, .count = 0};
    const size_t least = total / parts, longer = total % parts; /* so many have one more */
    return (struct pool_range){
        .first = index * least + (index < longer ? index : longer),
        .count = least + (index < longer),
    };
}
