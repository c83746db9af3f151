/* iter.c: imaps, lazy maps with a bounded window.
 *
 * The reader's thread does it all: pool_iter_next() pulls items from the source, submits them, and
 * waits. The workers' side only notes which futures are done (the hook). Each item pulled has a
 * slot until its result is given out; invariant:
 *
 *     slots in use = in flight + done and not given out <= window
 *
 * so memory does not depend on the source's length. Two rings remember the slots in the order in
 * which they were pulled and in which they were done; an ordered imap gives out by the first, an
 * unordered one by the second.
 *
 * Items are pulled a few at a time, and submitted at once: one at a time, reader and workers would
 * change places at each item.
 *
 * The iterator is reference-counted: one for the reader, one for each future in flight. So the
 * reader may let go of it while tasks still run. */
#include <errno.h>
#include <stdlib.h>

#include "help_priv.h"
#include "origin_priv.h"
#include "pool_priv.h"
#include "sync_priv.h"
#include "table_priv.h"

#define WINDOW_PER_WORKER 16
#define WINDOW_CHUNKS     4

struct slot {
    struct pool_iter *iter;
    struct pool_future *future; /* owned; NULL: free */
    bool done;                  /* L */
};

/* First in, first out; room for `window` slot numbers. */
struct ring {
    size_t *slots;
    size_t first, count;
};

/* I: fixed after create.  R: the reader's thread only.  L: lock.  A: atomic. */
struct pool_iter {
    struct pool *pool;                 /* I: borrowed */
    uint64_t origin;                   /* I */
    int task_index;                    /* I */
    bool ordered;                      /* I */
    pool_source_fn source;             /* I */
    void *source_data;                 /* I */
    struct pool_submit_options submit; /* I */
    size_t window, chunksize;          /* I */
    bool source_ended;                 /* R */
    struct slot *slots;                /* I: `window` of them; contents R, but `done` */
    struct ring free;                  /* R */
    struct ring pulled;                /* R: ordered only */
    struct pool_future **batch;        /* R: room for `window` */

    atomic_uint refs;     /* A */
    pthread_mutex_t lock; /* a leaf */
    pthread_cond_t has_result;
    bool abandoned;    /* L: the reader has gone */
    size_t in_flight;  /* L */
    struct ring ended; /* L: unordered only */
};

/* ---- Rings --------------------------------------------------------------------------------- */

static void ring_push(struct ring *ring, size_t window, size_t slot)
{
    ring->slots[(ring->first + ring->count++) % window] = slot;
}

static size_t ring_pop(struct ring *ring, size_t window)
{
    const size_t slot = ring->slots[ring->first];
    ring->first = (ring->first + 1) % window;
    ring->count--;
    return slot;
}

/* ---- Create and free ----------------------------------------------------------------------- */

static void iter_unref(struct pool_iter *iter)
{
    if (atomic_fetch_sub_explicit(&iter->refs, 1, memory_order_acq_rel) != 1)
        return;
    pthread_cond_destroy(&iter->has_result);
    pthread_mutex_destroy(&iter->lock);
    free(iter->slots);
    free(iter->free.slots);
    free(iter->pulled.slots);
    free(iter->ended.slots);
    free(iter->batch);
    free(iter);
}

static int iter_alloc(size_t window, struct pool_iter **ret_iter)
{
    struct pool_iter *iter = window > 0 ? calloc(1, sizeof(*iter)) : NULL;
    if (!iter)
        return -ENOMEM;
    int r = -pthread_mutex_init(&iter->lock, NULL);
    if (r < 0)
        goto no_lock;
    r = pool_cond_init(&iter->has_result);
    if (r < 0)
        goto no_cond;
    atomic_init(&iter->refs, 1);
    iter->window = window;
    iter->slots = calloc(window, sizeof(iter->slots[0]));
    iter->free.slots = calloc(window, sizeof(size_t));
    iter->pulled.slots = calloc(window, sizeof(size_t));
    iter->ended.slots = calloc(window, sizeof(size_t));
    iter->batch = calloc(window, sizeof(iter->batch[0]));
    if (!iter->slots || !iter->free.slots || !iter->pulled.slots || !iter->ended.slots ||
        !iter->batch) {
        iter_unref(iter);
        return -ENOMEM;
    }
    for (size_t i = 0; i < window; i++) {
        iter->slots[i].iter = iter;
        ring_push(&iter->free, window, i);
    }
    *ret_iter = iter;
    return 0;
no_cond:
    pthread_mutex_destroy(&iter->lock);
no_lock:
    free(iter);
    return r;
}

static size_t window_for(const struct pool *pool, const struct pool_imap_options *options)
{
    if (options->window > 0)
        return options->window;
    if (pool->backend->unbounded)
        return 1;
    const size_t by_workers = (size_t)WINDOW_PER_WORKER * pool_workers(pool);
    const size_t by_chunks = options->chunksize < POOL_BATCH_MAX
                                 ? WINDOW_CHUNKS * options->chunksize
                                 : (size_t)WINDOW_CHUNKS * POOL_BATCH_MAX;
    return by_workers > by_chunks ? by_workers : by_chunks;
}

static int iter_create(struct pool *pool, const char *task, pool_source_fn source, void *data,
                       const struct pool_imap_options *options, bool ordered,
                       struct pool_iter **ret_iter)
{
    const struct pool_imap_options defaults = POOL_IMAP_INIT;
    struct pool_iter *iter = NULL;
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
    r = iter_alloc(window_for(pool, options), &iter);
    if (r < 0)
        return r;
    iter->pool = pool;
    iter->origin = pool_origin_now();
    iter->task_index = index;
    iter->ordered = ordered;
    iter->source = source;
    iter->source_data = data;
    iter->submit = options->submit;
    iter->submit.notify = false;
    iter->chunksize = options->chunksize > 0 ? options->chunksize : 1;
    if (iter->chunksize > iter->window)
        iter->chunksize = iter->window;
    *ret_iter = iter;
    return 0;
}

int pool_imap(struct pool *pool, const char *task, pool_source_fn source, void *data,
              const struct pool_imap_options *options, struct pool_iter **ret_iter)
{
    return iter_create(pool, task, source, data, options, true, ret_iter);
}

int pool_imap_unordered(struct pool *pool, const char *task, pool_source_fn source, void *data,
                        const struct pool_imap_options *options, struct pool_iter **ret_iter)
{
    return iter_create(pool, task, source, data, options, false, ret_iter);
}

struct pool_iter *pool_iter_free(struct pool_iter *iter)
{
    if (!iter)
        return NULL;
    if (iter->origin == pool_origin_now()) {
        pthread_mutex_lock(&iter->lock);
        iter->abandoned = true;
        pthread_mutex_unlock(&iter->lock);
        for (size_t i = 0; i < iter->window; i++) /* those in flight have the pool's reference */
            pool_future_free(iter->slots[i].future);
    }
    iter_unref(iter);
    return NULL;
}

/* ---- The workers' side --------------------------------------------------------------------- */

/* A future of ours is done. Any thread. */
static void iter_hook(struct pool_future *future, void *data)
{
    struct slot *slot = data;
    struct pool_iter *iter = slot->iter;
    (void)future;
    pthread_mutex_lock(&iter->lock);
    iter->in_flight--;
    if (!iter->abandoned) {
        slot->done = true;
        if (!iter->ordered)
            ring_push(&iter->ended, iter->window, (size_t)(slot - iter->slots));
        pthread_cond_signal(&iter->has_result);
    }
    pthread_mutex_unlock(&iter->lock);
    iter_unref(iter);
}

/* ---- Pulling ------------------------------------------------------------------------------- */

/* Pull one item and prepare it.  Returns 1 with a future to be submitted, 0 without (the source has
 * ended, or the item's future is done already), or -ENOMEM. */
static int pull(struct pool_iter *iter, struct pool_future **ret_future)
{
    struct pool_item item = {0};
    struct pool_future *future;
    struct slot *slot = &iter->slots[iter->free.slots[iter->free.first]];
    const char *task = iter->pool->tasks->list[iter->task_index].name;
    /* The future first: an item that has been pulled cannot be put back. */
    int r = pool_future_create(task, iter_hook, slot, &future);
    if (r < 0)
        return r;
    const int got = iter->source(iter->source_data, &item);
    if (got == 0) {
        iter->source_ended = true;
        pool_future_free(future);
        return 0;
    }
    const size_t index = ring_pop(&iter->free, iter->window);
    slot->future = future;
    slot->done = false;
    if (iter->ordered)
        ring_push(&iter->pulled, iter->window, index);
    atomic_fetch_add_explicit(&iter->refs, 1, memory_order_relaxed);
    pthread_mutex_lock(&iter->lock);
    iter->in_flight++;
    pthread_mutex_unlock(&iter->lock);
    if (got < 0) { /* the source's own error, as a task's would come */
        struct outcome outcome = pool_outcome_of(-EREMOTEIO);
        outcome.task_code = got;
        iter->source_ended = true;
        pool_future_resolve(future, &outcome);
        return 0;
    }
    r = pool_prepare(iter->pool, iter->task_index, &item, &iter->submit, future);
    if (r < 0) {
        pool_refuse_item(iter->pool, &item, r, future);
        return 0;
    }
    *ret_future = future;
    return 1;
}

/* How many items to pull now. */
static size_t wanted(struct pool_iter *iter)
{
    const size_t room = iter->free.count;
    pthread_mutex_lock(&iter->lock);
    const size_t in_flight = iter->in_flight;
    pthread_mutex_unlock(&iter->lock);
    if (iter->source_ended || room == 0)
        return 0;
    if (in_flight > 2 * (size_t)pool_workers(iter->pool) && room < iter->window / 4)
        return 0; /* nobody goes hungry: wait until it is worth while */
    if (room >= iter->chunksize)
        return room - room % iter->chunksize;
    return in_flight == 0 ? room : 0;
}

/* Keep the window full.  Returns 0, or -ENOMEM if nothing could be pulled. */
static int top_up(struct pool_iter *iter)
{
    size_t count = 0, pulled = 0;
    const size_t want = wanted(iter);
    int r = 0;
    while (pulled < want && !iter->source_ended && r >= 0) {
        r = pull(iter, &iter->batch[count]);
        pulled++;
        if (r > 0) {
            struct job *job = &iter->batch[count++]->job;
            job->together = pulled % iter->chunksize != 0;
        }
    }
    if (count == 0)
        return r < 0 ? r : 0;
    iter->batch[count - 1]->job.together = false;
    r = pool_admit(iter->pool, iter->batch, count, 0);
    for (size_t i = 0; r < 0 && i < count; i++)
        pool_refuse(iter->pool, iter->batch[i], r);
    return 0;
}

/* ---- Reading ------------------------------------------------------------------------------- */

/* The slot whose result is next, or `window` if there is none yet. */
static size_t next_slot_locked(struct pool_iter *iter)
{
    if (!iter->ordered)
        return iter->ended.count > 0 ? iter->ended.slots[iter->ended.first] : iter->window;
    if (iter->pulled.count == 0)
        return iter->window;
    const size_t slot = iter->pulled.slots[iter->pulled.first];
    return iter->slots[slot].done ? slot : iter->window;
}

/* Waiting inside one of the pool's own workers: run what we wait for, if nobody has started it.
 * Returns 1: look again; 0: sleep, then pool_help_end(); or -EDEADLK. */
static int help(struct pool_iter *iter, struct pool_context *context)
{
    size_t count = 0, from = 0;
    if (iter->ordered) {
        iter->batch[count++] = iter->slots[iter->pulled.slots[iter->pulled.first]].future;
    } else {
        for (size_t i = 0; i < iter->window; i++)
            if (iter->slots[i].future)
                iter->batch[count++] = iter->slots[i].future;
    }
    return pool_help_begin(context, iter->batch, count, iter->ordered, &from);
}

/* Wait until a result can be given out.  Returns 1, 0 at the end, or -errno. */
static int wait_for_result(struct pool_iter *iter, int64_t until_ns)
{
    struct pool_context *context = pool_context_of(iter->pool);
    bool helping = false;
    int r = 0;
    if (context && context->visitor)
        context = NULL;
    if (context && until_ns != TIME_NEVER &&
        !(context->supervisor && until_ns > pool_time_now_ns()))
        context = NULL;
    pthread_mutex_lock(&iter->lock);
    while (r == 0 && next_slot_locked(iter) == iter->window && iter->in_flight > 0) {
        if (context && !helping) {
            pthread_mutex_unlock(&iter->lock);
            const int helped = help(iter, context);
            pthread_mutex_lock(&iter->lock);
            helping = helped == 0;
            r = helped < 0 ? helped : 0;
            continue;
        }
        r = pool_cond_wait_until(&iter->has_result, &iter->lock, until_ns);
    }
    if (next_slot_locked(iter) != iter->window)
        r = 1;
    pthread_mutex_unlock(&iter->lock);
    if (helping)
        pool_help_end(context);
    return r;
}

static struct pool_future *give_out(struct pool_iter *iter)
{
    pthread_mutex_lock(&iter->lock);
    const size_t index = ring_pop(iter->ordered ? &iter->pulled : &iter->ended, iter->window);
    pthread_mutex_unlock(&iter->lock);
    struct slot *slot = &iter->slots[index];
    struct pool_future *future = slot->future;
    slot->future = NULL;
    ring_push(&iter->free, iter->window, index);
    return future;
}

int pool_iter_next(struct pool_iter *iter, int timeout_ms, struct pool_future **ret_future)
{
    const int64_t until_ns = pool_time_after_ms(timeout_ms);
    if (iter->origin != pool_origin_now())
        return -ESTALE;
    int r = top_up(iter);
    if (r < 0 && iter->free.count == iter->window)
        return r; /* else there are others to wait for */
    r = wait_for_result(iter, until_ns);
    if (r == 1)
        *ret_future = give_out(iter);
    return r;
}
