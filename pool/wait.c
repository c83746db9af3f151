/* wait.c: waiting for one future, or for several.
 *
 * For several, a gathering object hangs a callback on each future and counts what comes in. Each
 * callback holds a reference to the object, so that one which is already being run when the wait
 * gives up still finds it. What is special about waiting inside a pool's own worker stands in
 * help_priv.h. */
#include <errno.h>
#include <stdlib.h>

#include "future_priv.h"
#include "help_priv.h"
#include "origin_priv.h"
#include "pool_priv.h"
#include "sync_priv.h"

/* ---- One ----------------------------------------------------------------------------------- */

/* Sleep until it is done.  Returns 0 or -ETIMEDOUT. */
static int sleep_for_one(struct pool_future *future, int64_t until_ns)
{
    int r = 0;
    pthread_mutex_lock(&future->lock);
    while (!pool_future_done(future) && r == 0)
        r = pool_cond_wait_until(&future->is_done, &future->lock, until_ns);
    pthread_mutex_unlock(&future->lock);
    return pool_future_done(future) ? 0 : r;
}

/* The context in which waiting for this pool so long is dangerous, or NULL. */
static struct pool_context *dangerous_context(const struct pool *pool, int64_t until_ns)
{
    struct pool_context *context = pool ? pool_context_of(pool) : NULL;
    if (!context || context->visitor || (until_ns != TIME_NEVER && !context->supervisor))
        return NULL;
    return until_ns > pool_time_now_ns() ? context : NULL;
}

/* As the backend knows best.  Returns 0, -ETIMEDOUT, or 1: sleep. */
static int wait_by_backend(struct pool_future *future, int64_t until_ns)
{
    struct pool *pool = pool_pin(future);
    int r = 1;
    if (!pool)
        return 1;
    if (pool->backend->wait)
        r = pool->backend->wait(pool, future, until_ns);
    pool_unpin(pool);
    return r == 0 || r == -ETIMEDOUT ? r : 1;
}

static int wait_for_one(struct pool_future *future, int64_t until_ns)
{
    struct pool_context *context = dangerous_context(future->pool, until_ns);
    size_t from = 0;
    while (context && !pool_future_done(future)) {
        int r = pool_help_begin(context, &future, 1, true, &from);
        if (r < 0)
            return r;
        if (r > 0)
            continue;
        r = sleep_for_one(future, until_ns);
        pool_help_end(context);
        return r;
    }
    if (pool_future_done(future))
        return 0;
    int r = wait_by_backend(future, until_ns);
    return r > 0 ? sleep_for_one(future, until_ns) : r;
}

int pool_future_result(struct pool_future *future, int timeout_ms, struct pool_bytes *ret_value)
{
    if (!pool_future_done(future)) {
        if (future->origin != pool_origin_now())
            return -ESTALE;
        if (timeout_ms == 0)
            return -ETIMEDOUT;
        int r = wait_for_one(future, pool_time_after_ms(timeout_ms));
        if (r < 0)
            return r;
    }
    if (future->result.code == 0 && ret_value)
        *ret_value = pool_outcome_value(&future->result);
    return future->result.code;
}

/* ---- Several ------------------------------------------------------------------------------- */

struct gather_entry {
    struct future_callback callback;
    struct pool_completed *gather;
    struct pool_future *future; /* a reference; NULL: passed over */
    size_t next_done;           /* L: index of the entry that was done after this one */
};

#define NO_ENTRY SIZE_MAX

/* L: lock.  R: the reader's thread. */
struct pool_completed {
    atomic_uint refs; /* the reader's, and one for each callback that may still be run */
    uint64_t origin;
    pthread_mutex_t lock; /* a leaf */
    pthread_cond_t has_more;
    size_t first_done, last_done; /* L: entries not yet given out, in the order of being done */
    size_t done_count;            /* L: of all */
    size_t failed_count;          /* L: of these, without a result */
    size_t wanted;                /* entries that are not passed over */
    size_t given;                 /* R */
    int64_t until_ns;
    size_t helped;                /* R: see pool_help_begin() */
    struct pool_future **futures; /* the same as in entries: what pool_help_begin() wants */
    size_t count;
    struct gather_entry entries[];
};

static void gather_unref(struct pool_completed *gather)
{
    if (atomic_fetch_sub_explicit(&gather->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < gather->count; i++)
        pool_future_free(gather->entries[i].future);
    pthread_cond_destroy(&gather->has_more);
    pthread_mutex_destroy(&gather->lock);
    free(gather->futures);
    free(gather);
}

static void gather_note(struct gather_entry *entry)
{
    struct pool_completed *gather = entry->gather;
    const size_t index = (size_t)(entry - gather->entries);
    const bool failed = entry->future->result.code != 0;
    pthread_mutex_lock(&gather->lock);
    entry->next_done = NO_ENTRY;
    if (gather->first_done == NO_ENTRY)
        gather->first_done = index;
    else
        gather->entries[gather->last_done].next_done = index;
    gather->last_done = index;
    gather->done_count++;
    gather->failed_count += failed;
    pthread_cond_signal(&gather->has_more);
    pthread_mutex_unlock(&gather->lock);
}

static void gather_callback(struct future_callback *callback, struct pool_future *future)
{
    struct gather_entry *entry = (struct gather_entry *)callback; /* its first member */
    (void)future;
    gather_note(entry);
    gather_unref(entry->gather);
}

static int gather_init(struct pool_completed *gather, size_t count)
{
    gather->futures = calloc(count ? count : 1, sizeof(gather->futures[0]));
    if (!gather->futures)
        return -ENOMEM;
    int r = -pthread_mutex_init(&gather->lock, NULL);
    if (r == 0) {
        r = pool_cond_init(&gather->has_more);
        if (r < 0)
            pthread_mutex_destroy(&gather->lock);
    }
    if (r < 0)
        free(gather->futures);
    return r;
}

static int gather_create(struct pool_future *const *futures, size_t count, int timeout_ms,
                         struct pool_completed **ret_gather)
{
    struct pool_completed *gather;
    size_t size_bytes;
    if (__builtin_mul_overflow(count, sizeof(gather->entries[0]), &size_bytes) ||
        __builtin_add_overflow(size_bytes, sizeof(*gather), &size_bytes))
        return -ENOMEM;
    gather = calloc(1, size_bytes);
    if (!gather)
        return -ENOMEM;
    int r = gather_init(gather, count);
    if (r < 0) {
        free(gather);
        return r;
    }
    atomic_init(&gather->refs, 1);
    gather->origin = pool_origin_now();
    gather->first_done = gather->last_done = NO_ENTRY;
    gather->until_ns = pool_time_after_ms(timeout_ms);
    gather->count = count;
    for (size_t i = 0; i < count; i++) {
        struct gather_entry *entry = &gather->entries[i];
        if (!futures[i])
            continue;
        gather->wanted++;
        *entry = (struct gather_entry){.callback.run = gather_callback, .gather = gather};
        entry->future = gather->futures[i] = pool_future_ref(futures[i]);
        atomic_fetch_add_explicit(&gather->refs, 1, memory_order_relaxed);
        /* In a forked child a pending future's lock may be held for ever. */
        if (pool_future_done(futures[i]) || futures[i]->origin != gather->origin ||
            !pool_future_add_callback(futures[i], &entry->callback)) {
            if (pool_future_done(futures[i]))
                gather_note(entry);
            atomic_fetch_sub(&gather->refs, 1); /* not the last: the reader's remains */
        }
    }
    *ret_gather = gather;
    return 0;
}

static struct pool_completed *gather_free(struct pool_completed *gather)
{
    for (size_t i = 0; gather && i < gather->count; i++) {
        struct gather_entry *entry = &gather->entries[i];
        if (entry->future && entry->future->origin == pool_origin_now() &&
            !pool_future_done(entry->future) &&
            pool_future_remove_callback(entry->future, &entry->callback))
            atomic_fetch_sub(&gather->refs, 1); /* not the last: the reader's remains */
    }
    if (gather)
        gather_unref(gather);
    return NULL;
}

/* The context in which waiting is dangerous: the first that one of the futures leads to. */
static struct pool_context *gather_context(const struct pool_completed *gather)
{
    for (size_t i = 0; i < gather->count; i++) {
        struct pool_future *future = gather->futures[i];
        struct pool_context *context = future && !pool_future_done(future)
                                           ? dangerous_context(future->pool, gather->until_ns)
                                           : NULL;
        if (context)
            return context;
    }
    return NULL;
}

static bool gather_is_stale(const struct pool_completed *gather)
{
    for (size_t i = 0; i < gather->count; i++)
        if (gather->futures[i] && !pool_future_done(gather->futures[i]) &&
            gather->futures[i]->origin != pool_origin_now())
            return true;
    return false;
}

typedef bool (*gather_enough_fn)(const struct pool_completed *gather);

static bool enough_locked(struct pool_completed *gather, gather_enough_fn enough)
{
    return gather->done_count == gather->wanted || enough(gather);
}

static bool is_enough(struct pool_completed *gather, gather_enough_fn enough)
{
    pthread_mutex_lock(&gather->lock);
    const bool is = enough_locked(gather, enough);
    pthread_mutex_unlock(&gather->lock);
    return is;
}

/* Wait until there is enough.  Returns 0, -ETIMEDOUT, -EDEADLK or -ESTALE. */
static int gather_wait(struct pool_completed *gather, gather_enough_fn enough, bool all)
{
    struct pool_context *context = NULL;
    if (is_enough(gather, enough))
        return 0;
    if (gather_is_stale(gather))
        return -ESTALE;
    int r = 1;
    while (r > 0 && !is_enough(gather, enough)) {
        context = gather_context(gather);
        r = context ? pool_help_begin(context, gather->futures, gather->count, all, &gather->helped)
                    : 0;
    }
    if (r != 0) /* helping was all that was needed, or nothing helps */
        return r < 0 ? r : 0;
    pthread_mutex_lock(&gather->lock);
    while (r == 0 && !enough_locked(gather, enough))
        r = pool_cond_wait_until(&gather->has_more, &gather->lock, gather->until_ns);
    if (enough_locked(gather, enough))
        r = 0;
    pthread_mutex_unlock(&gather->lock);
    if (context)
        pool_help_end(context);
    return r;
}

static bool enough_for_first(const struct pool_completed *gather)
{
    return gather->done_count > 0;
}

static bool enough_for_exception(const struct pool_completed *gather)
{
    return gather->failed_count > 0;
}

static bool never_enough(const struct pool_completed *gather)
{
    (void)gather;
    return false;
}

int pool_wait(struct pool_future *const *futures, size_t count, enum pool_wait_mode mode,
              int timeout_ms)
{
    struct pool_completed *gather;
    gather_enough_fn enough = mode == POOL_FIRST_COMPLETED   ? enough_for_first
                              : mode == POOL_FIRST_EXCEPTION ? enough_for_exception
                                                             : never_enough;
    int r = gather_create(futures, count, timeout_ms, &gather);
    if (r < 0)
        return r;
    r = gather_wait(gather, enough, mode != POOL_FIRST_COMPLETED);
    if (r == 0)
        for (size_t i = 0; i < count; i++)
            r += futures[i] && pool_future_done(futures[i]);
    gather_free(gather);
    return r;
}

/* ---- One after the other ------------------------------------------------------------------- */

int pool_as_completed(struct pool_future *const *futures, size_t count, int timeout_ms,
                      struct pool_completed **ret_completed)
{
    return gather_create(futures, count, timeout_ms, ret_completed);
}

static bool enough_for_next(const struct pool_completed *gather)
{
    return gather->first_done != NO_ENTRY;
}

int pool_completed_next(struct pool_completed *completed, struct pool_future **ret_future)
{
    struct pool_completed *gather = completed;
    if (gather->given == gather->wanted)
        return 0;
    int r = gather_wait(gather, enough_for_next, false);
    if (r < 0)
        return r;
    pthread_mutex_lock(&gather->lock);
    struct gather_entry *entry = &gather->entries[gather->first_done];
    gather->first_done = entry->next_done;
    pthread_mutex_unlock(&gather->lock);
    gather->given++;
    *ret_future = entry->future;
    return 1;
}

struct pool_completed *pool_completed_free(struct pool_completed *completed)
{
    return gather_free(completed);
}
