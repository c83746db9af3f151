/* cancel.c: what can be done to one task from outside: cancel it, ask whether it runs. */
#include <errno.h>

#include "origin_priv.h"
#include "pool_priv.h"

struct pool *pool_pin(struct pool_future *future)
{
    struct pool *pool = NULL;
    pthread_mutex_lock(&future->lock);
    /* While it is not done its job is in the pool, so the pool is not over. Resolving needs this
     * lock, so the pin is seen by whoever looks afterwards whether it is over. */
    if (!pool_future_done(future) && future->pool) {
        pool = future->pool;
        atomic_fetch_add(&pool->pins, 1);
    }
    pthread_mutex_unlock(&future->lock);
    return pool;
}

void pool_unpin(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_sub(&pool->pins, 1);
    pool_announce_if_over_locked(pool);
    pthread_mutex_unlock(&pool->lock);
}

/* Take it out of the queue, if that is where it is. Returns the job, or NULL. */
static struct job *take_from_queue(struct pool *pool, struct job *job)
{
    pthread_mutex_lock(&pool->lock);
    const bool queued = job->place == JOB_QUEUED;
    if (queued) {
        atomic_store(&job->claim, JOB_CANCELLED);
        pool_take_job_locked(pool, job);
        pthread_cond_broadcast(&pool->has_room);
    }
    pthread_mutex_unlock(&pool->lock);
    return queued ? job : NULL;
}

int pool_future_cancel(struct pool_future *future, bool stop_running)
{
    if (pool_future_done(future))
        return -EALREADY;
    if (future->origin != pool_origin_now())
        return -ESTALE;
    struct pool *pool = pool_pin(future);
    if (!pool)
        return -EALREADY;
    struct job *job;
    int r;
    do { /* the tasks of a worker that dies, or is stopped, go back to the queue under our hands */
        job = take_from_queue(pool, &future->job);
        r = job ? 0 : pool->backend->cancel(pool, future, stop_running);
    } while (r == -EAGAIN);
    if (job) {
        job->next_ended = NULL;
        job->outcome.code = -ECANCELED;
        pool_finish(pool, job);
    }
    if (r == 0 && !pool_future_cancelled(future))
        r = -EALREADY; /* the pool broke meanwhile, and that is what it ended with */
    pool_unpin(pool);
    return r;
}

bool pool_future_running(struct pool_future *future)
{
    if (pool_future_done(future) || future->origin != pool_origin_now())
        return false;
    struct pool *pool = pool_pin(future);
    if (!pool)
        return false;
    const bool running = pool->backend->running(pool, future);
    pool_unpin(pool);
    return running && !pool_future_done(future);
}
