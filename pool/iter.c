/* iter.c: pool_imap_unordered(), a lazy map with a bounded window.
 *
 * The reader's thread does it all: pool_iter_next() pulls items from the source, submits them, and
 * waits. Workers' side only appends finished futures to a ring (the hook). Invariant:
 *
 *     in_flight (a held item is one of them) + count of the ring <= window
 *
 * so the ring never overflows, and memory does not depend on the source's length. When the pool's
 * own queue is full, the item just pulled is held and tried again by the next call: next() blocks
 * on the queue only when it has nothing else to wait for.
 *
 * The iterator is reference-counted: one for the reader, one for each future in flight. So the
 * reader may let go of it while tasks still run. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "pool_priv.h"
#include "sync_priv.h"
#include "table_priv.h"

#define WINDOW_PER_WORKER 4

/* I: fixed after create.  R: the reader's thread only.  L: lock.  A: atomic. */
struct pool_iter {
    struct pool *pool;                 /* I: borrowed */
    const char *task;                  /* I: the table's own */
    pool_source_fn source;             /* I */
    void *source_data;                 /* I */
    struct pool_submit_options submit; /* I */
    size_t window;                     /* I */
    bool source_ended;                 /* R */
    struct pool_future *held_future;   /* R: owned; not NULL: held_item waits to be submitted */
    struct pool_item held_item;        /* R: its memory is the source's until the next pull */

    atomic_uint refs;     /* A */
    pthread_mutex_t lock; /* a leaf */
    pthread_cond_t has_result;
    bool abandoned;             /* L: the reader has gone */
    size_t in_flight;           /* L */
    size_t first, count;        /* L: of the ring */
    struct pool_future *ring[]; /* L: window slots; owned, done */
};

static void iter_unref(struct pool_iter *iter)
{
    if (atomic_fetch_sub_explicit(&iter->refs, 1, memory_order_acq_rel) != 1)
        return;
    pthread_cond_destroy(&iter->has_result);
    pthread_mutex_destroy(&iter->lock);
    free(iter);
}

/* A future of ours is done. Any thread. */
static void iter_hook(struct pool_future *future, void *data)
{
    struct pool_iter *iter = data;
    pthread_mutex_lock(&iter->lock);
    const bool dropped = iter->abandoned;
    iter->in_flight--;
    if (!dropped) {
        iter->ring[(iter->first + iter->count++) % iter->window] = future;
        pthread_cond_signal(&iter->has_result);
    }
    pthread_mutex_unlock(&iter->lock);
    if (dropped)
        pool_future_free(future);
    iter_unref(iter);
}

int pool_imap_unordered(struct pool *pool, const char *task, pool_source_fn source, void *data,
                        const struct pool_imap_options *options, struct pool_iter **ret_iter)
{
    const struct pool_imap_options defaults = POOL_IMAP_INIT;
    struct pool_iter *iter = NULL;
    size_t size_bytes;
    if (!options)
        options = &defaults;
    int index = table_find(pool->tasks, task);
    if (index < 0)
        return index;
    size_t window = options->window;
    if (window == 0)
        window = pool->backend->unbounded ? 1 : (size_t)WINDOW_PER_WORKER * pool->workers;
    if (__builtin_mul_overflow(window, sizeof(iter->ring[0]), &size_bytes) ||
        __builtin_add_overflow(size_bytes, sizeof(*iter), &size_bytes))
        return -ENOMEM;
    iter = calloc(1, size_bytes);
    if (!iter)
        return -ENOMEM;
    int r = -pthread_mutex_init(&iter->lock, NULL);
    if (r < 0)
        goto no_lock;
    r = cond_init(&iter->has_result);
    if (r < 0)
        goto no_cond;
    iter->pool = pool;
    iter->task = pool->tasks->list[index].name;
    iter->source = source;
    iter->source_data = data;
    iter->submit = options->submit;
    iter->window = window;
    atomic_init(&iter->refs, 1);
    *ret_iter = iter;
    return 0;
no_cond:
    pthread_mutex_destroy(&iter->lock);
no_lock:
    free(iter);
    return r;
}

/* Pull one item and give it a future.  Returns 0, also at the end of the source, or -ENOMEM. */
static int pull(struct pool_iter *iter)
{
    struct pool_future *future;
    struct pool_item item = {0};
    /* The future first: an item that has been pulled cannot be put back. */
    int r = future_create(iter->task, iter_hook, iter, &future);
    if (r < 0)
        return r;
    int got = iter->source(iter->source_data, &item);
    if (got == 0) {
        iter->source_ended = true;
        pool_future_free(future);
        return 0;
    }
    atomic_fetch_add_explicit(&iter->refs, 1, memory_order_relaxed);
    pthread_mutex_lock(&iter->lock);
    iter->in_flight++;
    pthread_mutex_unlock(&iter->lock);
    if (got < 0) { /* the source's own error, as a task's would come */
        struct outcome outcome = OUTCOME_INIT;
        iter->source_ended = true;
        outcome.code = -EREMOTEIO;
        outcome.task_code = got;
        future_resolve(future, &outcome);
        return 0;
    }
    future_set_user(future, item.user);
    iter->held_item = item;
    iter->held_future = future;
    return 0;
}

/* Submit the held item. Waiting for room in the queue, until then, is right only when nothing else
 * of ours is on its way.  Returns false when it is still held. */
static bool submit_held(struct pool_iter *iter, int64_t until_ns)
{
    struct pool_future *future = iter->held_future;
    pthread_mutex_lock(&iter->lock);
    if (iter->count > 0 || iter->in_flight > 1) /* the held item is one of them */
        until_ns = 0;
    pthread_mutex_unlock(&iter->lock);
    int r = pool_submit_future(iter->pool, iter->task, &iter->held_item, &iter->submit, until_ns,
                               future);
    if (r == -EAGAIN || r == -ETIMEDOUT)
        return false;
    iter->held_future = NULL; /* the hook has it now: it may be freed already */
    if (r < 0)
        pool_refuse_item(iter->pool, &iter->held_item, r, future);
    return true;
}

/* Keep the window as full as it can be. */
static int top_up(struct pool_iter *iter, int64_t until_ns)
{
    for (;;) {
        if (!iter->held_future) {
            pthread_mutex_lock(&iter->lock);
            const size_t outstanding = iter->in_flight + iter->count;
            pthread_mutex_unlock(&iter->lock);
            if (iter->source_ended || outstanding >= iter->window)
                return 0;
            int r = pull(iter);
            if (r < 0)
                return outstanding > 0 ? 0 : r;
        }
        if (iter->held_future && !submit_held(iter, until_ns))
            return 0;
    }
}

int pool_iter_next(struct pool_iter *iter, int timeout_ms, struct pool_future **ret_future)
{
    const int64_t until_ns = time_after_ms(timeout_ms);
    int r = top_up(iter, timeout_ms == 0 ? 0 : until_ns);
    if (r < 0)
        return r;
    pthread_mutex_lock(&iter->lock);
    while (r == 0 && iter->count == 0 && iter->in_flight > 0)
        r = timeout_ms == 0 ? -ETIMEDOUT
                            : cond_wait_until(&iter->has_result, &iter->lock, until_ns);
    if (iter->count > 0) {
        *ret_future = iter->ring[iter->first];
        iter->first = (iter->first + 1) % iter->window;
        iter->count--;
        r = 1;
    }
    pthread_mutex_unlock(&iter->lock);
    return r;
}

struct pool_iter *pool_iter_free(struct pool_iter *iter)
{
    if (!iter)
        return NULL;
    pthread_mutex_lock(&iter->lock);
    iter->abandoned = true;
    const size_t first = iter->first, count = iter->count;
    iter->count = 0;
    pthread_mutex_unlock(&iter->lock);
    /* With `abandoned` set nobody else touches the ring. */
    for (size_t i = 0; i < count; i++)
        pool_future_free(iter->ring[(first + i) % iter->window]);
    if (iter->held_future) {
        struct pool_future *future = iter->held_future;
        iter->held_future = NULL;
        pool_refuse_item(iter->pool, &iter->held_item, -ECANCELED, future);
    }
    iter_unref(iter);
    return NULL;
}
