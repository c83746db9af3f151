/* finish.c: jobs on their way through a backend, and out of the pool. */
#include <errno.h>
#include <string.h>

#include "context_priv.h"
#include "pool_priv.h"
#include "sync_priv.h"

/* ---- Taking -------------------------------------------------------------------------------- */

void pool_take_job_locked(struct pool *pool, struct job *job)
{
    pool_job_queue_remove(&pool->queue, job);
    pool_job_list_append(&pool->held, job);
    job->place = JOB_HELD;
    pool->bounded -= job->bounded;
    /* Woken when half of the queue is free, not for every job: a submitter that is faster than the
     * workers would change places with them at each. */
    if (pool->room_waiters > 0 && pool->bounded <= pool->options.queue_max / 2)
        pthread_cond_broadcast(&pool->has_room);
}

struct job *pool_take_locked(struct pool *pool)
{
    struct job *job = pool_job_queue_first(&pool->queue);
    if (job)
        pool_take_job_locked(pool, job);
    return job;
}

bool pool_untake_locked(struct pool *pool, struct job *job)
{
    if (atomic_load(&pool->stopped) || atomic_load(&job->settled))
        return false;
    pool_job_list_remove(&pool->held, job);
    pool_job_queue_prepend(&pool->queue, job);
    job->place = JOB_QUEUED;
    pool->bounded += job->bounded;
    pthread_cond_signal(&pool->has_work);
    return true;
}

/* ---- Publishing ---------------------------------------------------------------------------- */

bool pool_settle(struct pool *pool, struct job *job, int code)
{
    if (atomic_exchange(&job->settled, true))
        return false;
    atomic_fetch_add_explicit(code == 0            ? &pool->done
                              : code == -ECANCELED ? &pool->cancelled
                                                   : &pool->failed,
                              1, memory_order_relaxed);
    return true;
}

static void tell(struct pool *pool, struct pool_future *future)
{
    /* The pool is not over before its callbacks are: they must not wait for that. */
    struct pool_context visitor = {.pool = pool, .visitor = true};
    const bool is_stranger = !pool_context_of(pool);
    if (future->job.notify)
        pool_completions_add(pool, future);
    if (is_stranger)
        pool_context_push(&visitor);
    pool_future_tell(future);
    if (is_stranger)
        pool_context_pop(&visitor);
}

void pool_publish(struct pool *pool, struct pool_future *future, struct outcome *outcome)
{
    if (pool_future_publish(future, outcome))
        tell(pool, future);
}

/* What jobs without a result end with, once the pool was terminated or broken. */
static struct outcome end_outcome_locked(const struct pool *pool)
{
    struct outcome outcome = OUTCOME_INIT;
    if (pool->broken.code == 0) {
        outcome.code = -ECANCELED;
        pool_outcome_say(&outcome, "the pool was terminated");
        return outcome;
    }
    outcome.code = pool->broken.code;
    outcome.task_code = pool->broken.task_code;
    if (pool->broken.message)
        pool_outcome_say(&outcome, "%s", pool->broken.message);
    return outcome;
}

/* Decide what a job ends with.  Returns whether its outcome is the one that counts. */
static bool settle(struct pool *pool, struct job *job)
{
    /* After a terminate or a break, a job that has no result ends with that, whatever its worker
     * met on the way out: the workers are being killed, and who is faster must not matter. */
    if (job->outcome.code != 0 && atomic_load(&pool->stopped)) {
        pool_outcome_done(&job->outcome);
        pthread_mutex_lock(&pool->lock);
        job->outcome = end_outcome_locked(pool);
        pthread_mutex_unlock(&pool->lock);
    }
    return pool_settle(pool, job, job->outcome.code);
}

void pool_end(struct pool *pool, struct job *first)
{
    /* All can be seen before the first callback runs: to it, they ended together. */
    for (struct job *job = first; job; job = job->next_ended) {
        job->ours = settle(pool, job);
        pool_job_let_go(job); /* who has the result finds the descriptors closed */
        if (job->ours)
            job->ours = pool_future_publish(job->future, &job->outcome);
        pool_outcome_done(&job->outcome);
    }
    for (struct job *job = first; job; job = job->next_ended)
        if (job->ours)
            tell(pool, job->future);
}

void pool_forget_locked(struct pool *pool, struct job *first)
{
    for (struct job *job = first; job; job = job->next_ended) {
        pool_job_list_remove(&pool->held, job);
        job->place = JOB_NOWHERE;
    }
}

void pool_let_go(struct job *first)
{
    while (first) {
        struct job *job = first;
        first = job->next_ended;
        pool_future_free(job->future);
    }
}

void pool_finish(struct pool *pool, struct job *first)
{
    pool_end(pool, first);
    /* Published before they are removed: whoever sees the pool idle sees every future done. */
    pthread_mutex_lock(&pool->lock);
    pool_forget_locked(pool, first);
    /* A backend that waits for the last job is not told by anybody else. */
    const bool last = pool->state != POOL_OPEN && pool->queue.count == 0 && pool->held.count == 0 &&
                      pool->live > 0;
    pool->ending += last;
    pool_announce_if_over_locked(pool);
    pthread_mutex_unlock(&pool->lock); /* unless `last`, the pool may be freed from here on */
    pool_let_go(first);
    if (last) {
        pool->backend->changed(pool);
        pool_end_done(pool);
    }
}

/* ---- The end of everything ----------------------------------------------------------------- */

/* The next held job whose future is still to be resolved: a reference to the future, or NULL. */
static struct pool_future *next_held(struct pool *pool, struct outcome *ret_outcome)
{
    struct pool_future *future = NULL;
    pthread_mutex_lock(&pool->lock);
    for (struct job *job = pool->held.first; job && !future; job = job->next) {
        atomic_store_explicit(&job->cancelled, true, memory_order_relaxed);
        if (atomic_load(&job->settled))
            continue;
        *ret_outcome = end_outcome_locked(pool);
        if (pool_settle(pool, job, ret_outcome->code))
            future = pool_future_ref(job->future);
        else /* it has ended at this very moment */
            pool_outcome_done(ret_outcome);
    }
    pthread_mutex_unlock(&pool->lock);
    return future;
}

void pool_resolve_everything(struct pool *pool)
{
    struct pool_future *future;
    struct outcome outcome;
    pool_cancel_queued(pool); /* with -ECANCELED, or with what broke the pool */
    while ((future = next_held(pool, &outcome))) {
        pool_publish(pool, future, &outcome);
        pool_future_free(future);
    }
}

void pool_cancel_queued(struct pool *pool)
{
    for (;;) { /* from one list to the other, where pool_finish() wants it */
        pthread_mutex_lock(&pool->lock);
        struct job *job = pool_take_locked(pool);
        if (job)
            atomic_store(&job->claim, JOB_CANCELLED);
        pthread_mutex_unlock(&pool->lock);
        if (!job)
            return;
        job->next_ended = NULL;
        job->outcome.code = -ECANCELED;
        pool_finish(pool, job);
    }
}

/* The next held job that was not tried yet: a reference to its future, or NULL. */
static struct pool_future *next_to_ask(struct pool *pool)
{
    struct pool_future *future = NULL;
    pthread_mutex_lock(&pool->lock);
    for (struct job *job = pool->held.first; job && !future; job = job->next) {
        if (!job->asked && !atomic_load(&job->settled))
            future = pool_future_ref(job->future);
        job->asked = true;
    }
    pthread_mutex_unlock(&pool->lock);
    return future;
}

void pool_cancel_unstarted(struct pool *pool)
{
    struct pool_future *future;
    do { /* what was taken back meanwhile is in the queue again */
        pool_cancel_queued(pool);
        future = next_to_ask(pool);
        if (future)
            pool->backend->cancel(pool, future, false);
        pool_future_free(future);
    } while (future);
    pool_cancel_queued(pool);
}
