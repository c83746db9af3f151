#include "help_priv.h"

#include <errno.h>

#include "pool_priv.h"
#include "thread_worker_priv.h"

/* Is any of these futures one that, in the end, waits for `self`? mark: of this search, so that no
 * worker is looked at twice. */
static bool leads_to_locked(struct pool *pool, struct pool_future *const *futures, size_t count,
                            const struct thread_worker *self, uint64_t mark)
{
    for (size_t i = 0; i < count; i++) {
        if (!futures[i] || futures[i]->pool != pool || pool_future_done(futures[i]))
            continue;
        struct thread_worker *runner = futures[i]->job.runner;
        if (!runner || runner->mark == mark)
            continue;
        if (runner == self)
            return true;
        runner->mark = mark;
        if (runner->awaits_all &&
            leads_to_locked(pool, runner->awaits, runner->awaits_count, self, mark))
            return true;
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
                             struct pool_future *const *futures, size_t count, bool all)
{
    if (all_would_wait_locked(pool))
        return -EDEADLK;
    pool->blocked++;
    self->awaits = futures;
    self->awaits_count = count;
    self->awaits_all = all;
    return 0;
}

/* Can a wait for these never end? */
static bool is_endless_locked(struct pool_context *context, struct pool_future *const *futures,
                              size_t count, bool all)
{
    struct pool *pool = context->pool;
    if (all)
        return leads_to_locked(pool, futures, count, context->worker, ++pool->marks);
    for (size_t i = 0; i < count; i++)
        if (futures[i] && !pool_future_done(futures[i]) &&
            !leads_to_locked(pool, &futures[i], 1, context->worker, ++pool->marks))
            return false; /* this one may end */
    return count > 0;
}

int pool_help_begin(struct pool_context *context, struct pool_future *const *futures, size_t count,
                    bool all, size_t *io_from)
{
    struct pool *pool = context->pool;
    struct thread_worker *self = context->worker;
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
    bool pending = false;
    for (size_t i = *io_from; i < count && !pending; i++)
        pending = futures[i] && !pool_future_done(futures[i]);
    int r = 1; /* all done since */
    if (pending)
        r = is_endless_locked(context, futures, count, all || count == 1)
                ? -EDEADLK
                : begin_wait_locked(pool, self, futures, count, all || count == 1);
    pthread_mutex_unlock(&pool->lock);
    return r;
}

void pool_help_end_locked(struct pool_context *context)
{
    context->pool->blocked--;
    context->worker->awaits = NULL;
    context->worker->awaits_count = 0;
    context->worker->awaits_all = false;
}

void pool_help_end(struct pool_context *context)
{
    pthread_mutex_lock(&context->pool->lock);
    pool_help_end_locked(context);
    pthread_mutex_unlock(&context->pool->lock);
}

int pool_help_begin_room_locked(struct pool_context *context)
{
    return context->worker ? begin_wait_locked(context->pool, context->worker, NULL, 0, false)
                           : -EDEADLK;
}
