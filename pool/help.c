#include "help_priv.h"

#include <errno.h>

#include "pool_priv.h"
#include "thread_worker_priv.h"

/* Does what `future` waits for wait, in the end, for `self`? */
static bool leads_to_locked(const struct pool *pool, struct pool_future *future,
                            const struct thread_worker *self)
{
    for (unsigned steps = 0; future && steps <= pool->live; steps++) {
        const struct thread_worker *runner = future->job.runner;
        if (pool_future_done(future) || !runner)
            return false;
        if (runner == self)
            return true;
        future = runner->awaits;
    }
    return false;
}

/* Would nobody be left to work if one worker more waited? */
static bool all_would_wait_locked(const struct pool *pool)
{
    const unsigned limit = atomic_load(&pool->workers);
    return pool->blocked + 1 >= (pool->live > limit ? pool->live : limit);
}

/* Take a job that nobody has started. */
static bool claim_locked(struct pool *pool, struct thread_worker *self, struct job *job)
{
    int ready = JOB_READY;
    if (job->place == JOB_NOWHERE ||
        !atomic_compare_exchange_strong(&job->claim, &ready, JOB_STARTED))
        return false;
    if (job->place == JOB_QUEUED)
        pool_take_job_locked(pool, job);
    job->runner = self;
    return true;
}

static int begin_wait_locked(struct pool *pool, struct thread_worker *self,
                             struct pool_future *awaited)
{
    if (all_would_wait_locked(pool))
        return -EDEADLK;
    pool->blocked++;
    self->awaits = awaited;
    return 0;
}

/* The first not done, and whether all that are not done lead back to us. */
static struct pool_future *first_awaited_locked(struct pool_context *context,
                                                struct pool_future *const *futures, size_t count,
                                                bool all, size_t from, bool *ret_endless)
{
    struct pool_future *awaited = NULL;
    bool any = false, every = true;
    for (size_t i = from; i < count; i++) {
        if (!futures[i] || pool_future_done(futures[i]))
            continue;
        const bool endless = futures[i]->pool == context->pool &&
                             leads_to_locked(context->pool, futures[i], context->worker);
        any = any || endless;
        every = every && endless;
        if (!awaited)
            awaited = futures[i];
    }
    *ret_endless = awaited && (all ? any : every);
    return awaited;
}

int pool_help_begin(struct pool_context *context, struct pool_future *const *futures, size_t count,
                    bool all, size_t *io_from)
{
    struct pool *pool = context->pool;
    struct thread_worker *self = context->worker;
    bool endless;
    if (!self) /* a supervisor, or serial */
        return -EDEADLK;
    pthread_mutex_lock(&pool->lock);
    for (size_t i = *io_from; i < count; i++) {
        if (!futures[i] || pool_future_done(futures[i])) {
            if (i == *io_from)
                (*io_from)++;
            continue;
        }
        if (futures[i]->pool == pool && claim_locked(pool, self, &futures[i]->job)) {
            pthread_mutex_unlock(&pool->lock);
            pool_thread_worker_run(self, &futures[i]->job);
            return 1;
        }
    }
    struct pool_future *awaited =
        first_awaited_locked(context, futures, count, all, *io_from, &endless);
    int r = 1; /* all done since */
    if (awaited)
        r = endless ? -EDEADLK : begin_wait_locked(pool, self, all || count == 1 ? awaited : NULL);
    pthread_mutex_unlock(&pool->lock);
    return r;
}

void pool_help_end_locked(struct pool_context *context)
{
    context->pool->blocked--;
    context->worker->awaits = NULL;
}

void pool_help_end(struct pool_context *context)
{
    pthread_mutex_lock(&context->pool->lock);
    pool_help_end_locked(context);
    pthread_mutex_unlock(&context->pool->lock);
}

int pool_help_begin_room_locked(struct pool_context *context)
{
    return context->worker ? begin_wait_locked(context->pool, context->worker, NULL) : -EDEADLK;
}
