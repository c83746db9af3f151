/* submit.c: the way into a pool. The life of a task stands in pool_priv.h. */
#include <errno.h>
#include <unistd.h>

#include "help_priv.h"
#include "origin_priv.h"
#include "pool_priv.h"
#include "sync_priv.h"
#include "table_priv.h"

int pool_check_submit(const struct pool_submit_options *options)
{
    if (options->deadline_ms < 0 || options->priority < POOL_PRIORITY_MIN ||
        options->priority > POOL_PRIORITY_MAX)
        return -EINVAL;
    return 0;
}

int pool_prepare(struct pool *pool, int task_index, const struct pool_item *item,
                 const struct pool_submit_options *options, struct pool_future *future)
{
    future->pool = pool;
    future->user = item->user;
    return pool_job_pack(&future->job, &pool->tasks->list[task_index], (uint32_t)task_index, item,
                         options);
}

/* ---- Admission ----------------------------------------------------------------------------- */

static bool has_room_locked(const struct pool *pool, const struct job *job)
{
    if (job->notify && pool->notify_count >= pool->options.notify_max)
        return false;
    return !job->bounded || pool->backend->unbounded || pool->bounded < pool->options.queue_max;
}

/* Wait once for room. Returns 0 (look again), -ETIMEDOUT or -EDEADLK. */
static int wait_for_room_locked(struct pool *pool, int64_t until_ns)
{
    struct pool_context *context = pool_context_of(pool);
    /* A worker's wait with a limit ends by itself; a supervisor's holds everything up. */
    const bool matters =
        context && !context->visitor && (until_ns == TIME_NEVER || context->supervisor);
    int r = matters ? pool_help_begin_room_locked(context) : 0;
    if (r < 0)
        return r;
    pool->room_waiters++;
    r = pool_cond_wait_until(&pool->has_room, &pool->lock, until_ns);
    pool->room_waiters--;
    pool_announce_if_over_locked(pool); /* they count, too */
    if (matters)
        pool_help_end_locked(context);
    return r;
}

/* May this job be queued? Waits for room until then, if it may; with until_ns 0 not at all. */
static int admit_locked(struct pool *pool, const struct job *job, int64_t until_ns)
{
    int r = 0;
    for (;;) {
        if (pool->broken.code < 0)
            return pool->broken.code;
        if (pool->state != POOL_OPEN)
            return -ESHUTDOWN;
        if (has_room_locked(pool, job))
            return 0;
        if (until_ns == 0)
            return -EAGAIN;
        if (r < 0)
            return r;
        r = wait_for_room_locked(pool, until_ns);
    }
}

static void enqueue_locked(struct pool *pool, struct job *job)
{
    pool_future_ref(job->future);
    pool_job_take_fds(job);
    job->place = JOB_QUEUED;
    job->submitter = pthread_self();
    pool_job_queue_append(&pool->queue, job);
    pool->bounded += job->bounded;
    pool->notify_count += job->notify;
    pool->counts.submitted++;
    if (job->priority != 0)
        atomic_store(&pool->has_priorities, true);
}

int pool_admit(struct pool *pool, struct pool_future *const *futures, size_t count,
               int64_t until_ns)
{
    size_t queued = 0;
    int r = 0;
    pthread_mutex_lock(&pool->lock);
    for (size_t i = 0; i < count && r == 0; i++) {
        if (pool_future_done(futures[i])) /* it could not be prepared */
            continue;
        if (queued++ == 0) /* several at once are never bounded: the first speaks for all */
            r = admit_locked(pool, &futures[i]->job, until_ns);
        if (r == 0)
            enqueue_locked(pool, &futures[i]->job);
    }
    if (r == 0 && queued == 1)
        pthread_cond_signal(&pool->has_work);
    else if (r == 0 && queued > 1)
        pthread_cond_broadcast(&pool->has_work);
    const bool tell = r == 0 && queued > 0;
    if (tell) /* the jobs may end at once, and then nothing else would keep the pool */
        atomic_fetch_add(&pool->pins, 1);
    pthread_mutex_unlock(&pool->lock);
    if (tell) {
        pool->backend->submitted(pool);
        pool_unpin(pool);
    }
    return r;
}

void pool_refuse(struct pool *pool, struct pool_future *future, int r)
{
    struct outcome outcome = pool_outcome_of(r);
    pthread_mutex_lock(&pool->lock);
    if (r == pool->broken.code && pool->broken.message)
        pool_outcome_say(&outcome, "%s", pool->broken.message);
    pthread_mutex_unlock(&pool->lock);
    pool_job_take_fds(&future->job);
    pool_job_done(&future->job);
    pool_future_resolve(future, &outcome);
}

void pool_refuse_item(struct pool *pool, const struct pool_item *item, int r,
                      struct pool_future *future)
{
    for (size_t i = 0; i < item->fd_count; i++) {
        bool closed = false; /* it may be there twice, which may be why the item is refused */
        for (size_t k = 0; k < i && !closed; k++)
            closed = item->fds[k] == item->fds[i];
        if (!closed)
            close(item->fds[i]);
    }
    pool_refuse(pool, future, r);
}

/* ---- Submit -------------------------------------------------------------------------------- */

int pool_submit(struct pool *pool, const char *task, const struct pool_item *item,
                const struct pool_submit_options *options, struct pool_future **ret_future)
{
    const struct pool_submit_options defaults = POOL_SUBMIT_INIT;
    const struct pool_item nothing = {0};
    struct pool_future *future;
    if (pool->origin != pool_origin_now())
        return -ESTALE;
    if (!options)
        options = &defaults;
    if (!item)
        item = &nothing;
    const int index = pool_table_find(pool->tasks, task);
    if (index < 0)
        return index;
    int r = pool_check_submit(options);
    if (r < 0)
        return r;
    r = pool_future_create(pool->tasks->list[index].name, NULL, NULL, &future);
    if (r < 0)
        return r;
    r = pool_prepare(pool, index, item, options, future);
    future->job.bounded = true;
    if (r == 0)
        r = pool_admit(pool, &future, 1, options->nonblocking ? 0 : TIME_NEVER);
    if (r == 0 && ret_future) {
        *ret_future = future;
        return 0;
    }
    pool_future_free(future);
    return r;
}

int pool_apply(struct pool *pool, const char *task, const struct pool_item *item,
               const struct pool_submit_options *options, struct pool_future **ret_future)
{
    struct pool_future *future = NULL;
    if (pool->origin != pool_origin_now())
        return -ESTALE;
    const struct pool_context *context = pool_context_of(pool);
    if (context && context->supervisor)
        return -EDEADLK;
    int r = pool_submit(pool, task, item, options, &future);
    if (r < 0)
        return r;
    pool_future_result(future, -1, NULL);
    if (!pool_future_done(future)) { /* it could never be: only -EDEADLK comes back then */
        pool_future_cancel(future, false);
        pool_future_free(future);
        return -EDEADLK;
    }
    *ret_future = future;
    return 0;
}
