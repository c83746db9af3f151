/* pool.c: create, submit, close, terminate, join and free: what all backends share. The life of a
 * job and the lock order stand in pool_priv.h. */
#include "pool_priv.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sync_priv.h"
#include "table_priv.h"

#define QUEUE_PER_WORKER 4

/* ---- Create and free ----------------------------------------------------------------------- */

static const struct backend *backend_of(enum pool_backend backend)
{
    switch (backend) {
    case POOL_BACKEND_PROCESS:
        return &backend_process;
    case POOL_BACKEND_THREAD:
        return &backend_thread;
    case POOL_BACKEND_SERIAL:
        return &backend_serial;
    }
    return NULL;
}

static int locks_init(struct pool *pool)
{
    pthread_cond_t *conds[] = {&pool->has_room, &pool->has_work, &pool->is_over};
    const size_t count = sizeof(conds) / sizeof(conds[0]);
    int r = -pthread_mutex_init(&pool->lock, NULL);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++) {
        r = cond_init(conds[i]);
        if (r < 0) {
            while (i-- > 0)
                pthread_cond_destroy(conds[i]);
            pthread_mutex_destroy(&pool->lock);
            return r;
        }
    }
    return 0;
}

static void locks_done(struct pool *pool)
{
    pthread_cond_destroy(&pool->is_over);
    pthread_cond_destroy(&pool->has_work);
    pthread_cond_destroy(&pool->has_room);
    pthread_mutex_destroy(&pool->lock);
}

int pool_create(const struct pool_options *options, struct pool **ret_pool)
{
    const struct backend *backend = backend_of(options->backend);
    const struct pool_tasks *tasks = options->tasks ? options->tasks : table_of_program();
    if (!backend || options->workers > POOL_WORKERS_MAX)
        return -EINVAL;
    if (options->backend == POOL_BACKEND_PROCESS && !options->worker_program && !table_of_program())
        return -ENOTSUP;
    int r = table_check(tasks);
    if (r < 0)
        return r;
    struct pool *pool = calloc(1, sizeof(*pool));
    if (!pool)
        return -ENOMEM;
    r = locks_init(pool);
    if (r < 0) {
        free(pool);
        return r;
    }
    pool->backend = backend;
    pool->tasks = tasks;
    pool->workers = options->workers ? options->workers : pool_cpu_count();
    if (options->backend == POOL_BACKEND_SERIAL)
        pool->workers = 1;
    if (pool->workers > POOL_WORKERS_MAX)
        pool->workers = POOL_WORKERS_MAX;
    pool->queue_max =
        options->queue_max ? options->queue_max : (size_t)QUEUE_PER_WORKER * pool->workers;
    r = backend->start(pool, options->worker_program);
    if (r < 0) {
        locks_done(pool);
        free(pool);
        return r;
    }
    *ret_pool = pool;
    return 0;
}

struct pool *pool_free(struct pool *pool)
{
    if (!pool)
        return NULL;
    pool_close(pool);
    pool_join(pool, -1);
    pool->backend->stop(pool);
    locks_done(pool);
    free(pool);
    return NULL;
}

unsigned pool_workers(const struct pool *pool)
{
    return pool->workers;
}

/* ---- Submit -------------------------------------------------------------------------------- */

/* May a job be queued? Waits for room until then, if it may; with until_ns 0 not at all. */
static int admit_locked(struct pool *pool, int64_t until_ns)
{
    int r = 0;
    for (;;) {
        if (pool->broken < 0)
            return pool->broken;
        if (pool->state != POOL_OPEN)
            return -ESHUTDOWN;
        if (pool->backend->unbounded || pool->queued.count < pool->queue_max)
            return 0;
        if (until_ns == 0)
            return -EAGAIN;
        if (r < 0)
            return r;
        r = cond_wait_until(&pool->has_room, &pool->lock, until_ns);
    }
}

int pool_submit_future(struct pool *pool, const char *task, const struct pool_item *item,
                       const struct pool_submit_options *options, int64_t until_ns,
                       struct pool_future *future)
{
    struct job *job = NULL;
    int index = table_find(pool->tasks, task);
    if (index < 0)
        return index;
    if (options->deadline_ms < 0)
        return -EINVAL;
    int r = job_create(&pool->tasks->list[index], (uint32_t)index, item, options, future, &job);
    if (r < 0)
        return r;

    pthread_mutex_lock(&pool->lock);
    r = admit_locked(pool, until_ns);
    if (r == 0) {
        job_take_fds(job);
        job_list_append(&pool->queued, job);
        pthread_cond_signal(&pool->has_work);
    }
    pthread_mutex_unlock(&pool->lock);
    if (r < 0)
        job_free(job);
    else
        pool->backend->submitted(pool, job); /* the job may be gone when this returns */
    return r;
}

void pool_refuse_item(struct pool *pool, const struct pool_item *item, int r,
                      struct pool_future *future)
{
    struct outcome outcome = OUTCOME_INIT;
    outcome.code = r;
    pthread_mutex_lock(&pool->lock);
    if (r == pool->broken)
        memcpy(outcome.message, pool->broken_message, sizeof(outcome.message));
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < item->fd_count; i++)
        close(item->fds[i]);
    future_resolve(future, &outcome);
}

int pool_submit(struct pool *pool, const char *task, const struct pool_item *item,
                const struct pool_submit_options *options, struct pool_future **ret_future)
{
    const struct pool_submit_options defaults = POOL_SUBMIT_INIT;
    struct pool_future *future;
    if (!options)
        options = &defaults;
    int r = table_find(pool->tasks, task);
    if (r < 0)
        return r;
    r = future_create(task, NULL, NULL, &future);
    if (r < 0)
        return r;
    future_set_user(future, item->user);
    r = pool_submit_future(pool, task, item, options, options->nonblocking ? 0 : TIME_NEVER,
                           future);
    if (r == 0 && ret_future) {
        *ret_future = future;
        future = NULL;
    }
    pool_future_free(future);
    return r;
}

/* ---- Jobs on their way --------------------------------------------------------------------- */

static bool pool_is_over_locked(const struct pool *pool)
{
    return pool->queued.count == 0 && pool->running.count == 0 && pool->live == 0 &&
           pool->ending == 0;
}

static void announce_if_over_locked(struct pool *pool)
{
    if (pool_is_over_locked(pool))
        pthread_cond_broadcast(&pool->is_over);
}

static void move_to_running_locked(struct pool *pool, struct job *job)
{
    job_list_remove(&pool->queued, job);
    job_list_append(&pool->running, job);
    pthread_cond_signal(&pool->has_room);
}

struct job *pool_take_locked(struct pool *pool)
{
    struct job *job = pool->queued.first;
    if (job)
        move_to_running_locked(pool, job);
    return job;
}

struct job *pool_take(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct job *job = pool_take_locked(pool);
    pthread_mutex_unlock(&pool->lock);
    return job;
}

bool pool_take_job_locked(struct pool *pool, struct job *job)
{
    for (struct job *at = pool->queued.first; at; at = at->next) {
        if (at == job) {
            move_to_running_locked(pool, job);
            return true;
        }
    }
    return false;
}

/* What jobs without a result end with, once the pool was terminated or broken. */
static void end_outcome_locked(const struct pool *pool, struct outcome *outcome)
{
    outcome->code = pool->broken < 0 ? pool->broken : -ECANCELED;
    snprintf(outcome->message, sizeof(outcome->message), "%s",
             pool->broken < 0 ? pool->broken_message : "the pool was terminated");
}

/* After a terminate or a break, a job that has no result ends with that, whatever its worker met on
 * the way out: the workers are being killed, and who is faster must not matter. */
static void blame_the_end_locked(const struct pool *pool, struct outcome *outcome)
{
    if (outcome->code == 0 || (pool->state != POOL_TERMINATED && pool->broken == 0))
        return;
    *outcome = (struct outcome)OUTCOME_INIT;
    end_outcome_locked(pool, outcome);
}

void pool_finish(struct pool *pool, struct job *job, struct outcome *outcome)
{
    pthread_mutex_lock(&pool->lock);
    blame_the_end_locked(pool, outcome);
    pthread_mutex_unlock(&pool->lock);
    /* Published before it is removed: whoever sees the pool idle sees every future done. */
    future_resolve(job->future, outcome);
    pthread_mutex_lock(&pool->lock);
    job_list_remove(&pool->running, job);
    announce_if_over_locked(pool);
    pthread_mutex_unlock(&pool->lock);
    job_free(job);
}

void pool_untake(struct pool *pool, struct job *job)
{
    struct outcome outcome = OUTCOME_INIT;
    pthread_mutex_lock(&pool->lock);
    if (pool->state != POOL_TERMINATED && pool->broken == 0) {
        job_list_remove(&pool->running, job);
        job_list_prepend(&pool->queued, job);
        pthread_cond_signal(&pool->has_work);
        job = NULL;
    }
    pthread_mutex_unlock(&pool->lock);
    if (job) {
        outcome.code = -ECANCELED; /* or what broke the pool: see pool_finish() */
        pool_finish(pool, job, &outcome);
    }
}

/* ---- The end ------------------------------------------------------------------------------- */

/* A call that ends the pool is under way: until end_done() the pool is not over, so that nobody who
 * joins it frees it under us. */
static void end_begin_locked(struct pool *pool)
{
    pool->ending++;
    pthread_cond_broadcast(&pool->has_room);
    pthread_cond_broadcast(&pool->has_work);
}

static void end_done(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->ending--;
    announce_if_over_locked(pool);
    pthread_mutex_unlock(&pool->lock);
}

/* The next running job whose future is still to be resolved: a reference to the future, or NULL. */
static struct pool_future *next_running(struct pool *pool)
{
    struct pool_future *future = NULL;
    pthread_mutex_lock(&pool->lock);
    for (struct job *job = pool->running.first; job && !future; job = job->next) {
        if (job->resolved_early)
            continue;
        job->resolved_early = true;
        atomic_store_explicit(&job->cancelled, true, memory_order_relaxed);
        future = future_ref(job->future);
    }
    pthread_mutex_unlock(&pool->lock);
    return future;
}

/* End every job's future; the pool's state says with what. Queued jobs are freed; running ones are
 * the backend's to finish, and see their token. Needs no memory: it must not fail. */
static void resolve_everything(struct pool *pool)
{
    struct pool_future *future;
    struct job *job;
    while ((job = pool_take(pool))) { /* from one list to the other, where pool_finish() wants it */
        struct outcome outcome = OUTCOME_INIT;
        outcome.code = -ECANCELED;
        pool_finish(pool, job, &outcome);
    }
    while ((future = next_running(pool))) {
        struct outcome outcome = OUTCOME_INIT;
        pthread_mutex_lock(&pool->lock);
        end_outcome_locked(pool, &outcome);
        pthread_mutex_unlock(&pool->lock);
        future_resolve(future, &outcome);
        pool_future_free(future);
    }
}

void pool_break(struct pool *pool, int code, const char *format, ...)
{
    va_list args;
    pthread_mutex_lock(&pool->lock);
    const bool first = pool->broken == 0;
    if (first) {
        pool->broken = code;
        va_start(args, format);
        vsnprintf(pool->broken_message, sizeof(pool->broken_message), format, args);
        va_end(args);
        end_begin_locked(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    if (first) {
        resolve_everything(pool);
        end_done(pool);
    }
}

void pool_close(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    const bool changed = pool->state == POOL_OPEN;
    if (changed) {
        pool->state = POOL_CLOSED;
        end_begin_locked(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    if (changed) {
        pool->backend->state_changed(pool);
        end_done(pool);
    }
}

void pool_terminate(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    const bool changed = pool->state != POOL_TERMINATED;
    if (changed) {
        pool->state = POOL_TERMINATED;
        end_begin_locked(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    if (changed) {
        resolve_everything(pool);
        pool->backend->state_changed(pool);
        end_done(pool);
    }
}

int pool_join(struct pool *pool, int timeout_ms)
{
    const int64_t until_ns = time_after_ms(timeout_ms);
    int r = 0;
    pthread_mutex_lock(&pool->lock);
    if (pool->state == POOL_OPEN)
        r = -EINVAL;
    while (r == 0 && !pool_is_over_locked(pool))
        r = cond_wait_until(&pool->is_over, &pool->lock, until_ns);
    pthread_mutex_unlock(&pool->lock);
    return r;
}

void pool_thread_ended(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->live--;
    announce_if_over_locked(pool);
    pthread_mutex_unlock(&pool->lock);
}
