/* pool.c: create and free, open, closed and over: what all backends share. The life of a task and
 * the lock order stand in pool_priv.h. */
#include "pool_priv.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call_priv.h"
#include "context_priv.h"
#include "origin_priv.h"
#include "program_priv.h"
#include "sync_priv.h"
#include "table_priv.h"

#define STATS_INTERVAL_MS 1000

/* ---- Create and free ----------------------------------------------------------------------- */

static const struct backend *backend_of(enum pool_backend backend)
{
    switch (backend) {
    case POOL_BACKEND_PROCESS:
        return &pool_backend_process;
    case POOL_BACKEND_THREAD:
        return &pool_backend_thread;
    case POOL_BACKEND_SERIAL:
        return &pool_backend_serial;
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
        r = pool_cond_init(conds[i]);
        if (r < 0) {
            while (i-- > 0)
                pthread_cond_destroy(conds[i]);
            pthread_mutex_destroy(&pool->lock);
            return r;
        }
    }
    return 0;
}

/* Free the memory of a pool that has no thread and no job. */
static void pool_destroy(struct pool *pool)
{
    pool_completions_done(pool);
    free(pool->init_payload);
    pool_outcome_done(&pool->broken);
    pthread_cond_destroy(&pool->is_over);
    pthread_cond_destroy(&pool->has_work);
    pthread_cond_destroy(&pool->has_room);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static int options_check(const struct pool_options *options)
{
    if (!backend_of(options->backend) || options->workers > POOL_WORKERS_MAX ||
        options->workers_min > POOL_WORKERS_MAX || options->idle_ms < 0 ||
        options->max_age_ms < 0 || options->stats_interval_ms < 0)
        return -EINVAL;
    if (options->workers > 0 && options->workers_min > options->workers)
        return -EINVAL;
    if (options->initializer_item &&
        (!options->initializer || options->initializer_item->fd_count > 0))
        return -EINVAL;
    if (options->backend == POOL_BACKEND_PROCESS && !options->worker_program &&
        !pool_program_tasks_get())
        return -ENOTSUP;
    return 0;
}

static void fill_in_defaults(struct pool *pool, const struct pool_options *options)
{
    struct pool_options *o = &pool->options;
    unsigned workers = options->workers ? options->workers : pool_cpu_count();
    *o = *options;
    if (o->backend == POOL_BACKEND_SERIAL)
        workers = 1;
    if (workers > POOL_WORKERS_MAX)
        workers = POOL_WORKERS_MAX;
    atomic_init(&pool->workers, workers);
    pool->workers_min = o->workers_min < workers ? o->workers_min : workers;
    o->queue_max = o->queue_max ? o->queue_max : POOL_QUEUE_DEFAULT;
    o->notify_max = o->notify_max ? o->notify_max : POOL_NOTIFY_DEFAULT;
    o->start_failures_max =
        o->start_failures_max ? o->start_failures_max : POOL_START_FAILURES_DEFAULT;
    o->quarantine_deaths = o->quarantine_deaths ? o->quarantine_deaths : POOL_QUARANTINE_DEFAULT;
    o->stats_interval_ms = o->stats_interval_ms ? o->stats_interval_ms : STATS_INTERVAL_MS;
    pool->backend = backend_of(o->backend);
    pool->created_ns = pool->seen_ns = pool_time_now_ns();
    pool->completions_end = &pool->completions;
    pool->completion_fd = -1;
    pool->counts.rss_peak_bytes = -1;
    pool->broken = pool_outcome_of(0);
    pool->depth = pool_context_depth();
    pool->origin = pool_origin_now();
}

/* The initializer and its arguments outlive the call. */
static int keep_initializer(struct pool *pool, const struct pool_options *options)
{
    const struct pool_item nothing = {0};
    const struct pool_item *item = options->initializer_item ? options->initializer_item : &nothing;
    pool->initializer = -1;
    if (!options->initializer)
        return 0;
    pool->initializer = pool_table_find(pool->tasks, options->initializer);
    if (pool->initializer < 0)
        return -ENOENT;
    return pool_job_pack_fields(item, NULL, &pool->init_payload, &pool->init_payload_bytes);
}

static int start(struct pool *pool, const struct pool_options *options)
{
    if (pool->depth > POOL_NESTING_MAX)
        return -ELOOP;
    int r = keep_initializer(pool, options);
    if (r == 0)
        r = pool->backend->start(pool, options->worker_program);
    if (r < 0 || !options->on_stats)
        return r;
    r = pool_monitor_start(pool);
    if (r < 0) {
        pool_close(pool);
        pool_join(pool, -1);
        pool->backend->stop(pool);
    }
    return r;
}

int pool_create(const struct pool_options *options, struct pool **ret_pool)
{
    int r = options_check(options);
    if (r < 0)
        return r;
    const struct pool_tasks *tasks = options->tasks ? options->tasks : pool_program_tasks_get();
    r = pool_table_check(tasks);
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
    pool->tasks = tasks;
    fill_in_defaults(pool, options);
    r = start(pool, options);
    if (r < 0) {
        pool_destroy(pool);
        return r;
    }
    *ret_pool = pool;
    return 0;
}

struct pool *pool_free(struct pool *pool)
{
    if (!pool)
        return NULL;
    if (pool->origin != pool_origin_now()) {
        /* Its threads are not here, and may have held any lock: the memory is left as it is. */
        pool->backend->abandon(pool);
        return NULL;
    }
    pool_close(pool);
    if (pool_join(pool, -1) < 0)
        return pool; /* we are one of its own */
    pool_program_forget(pool);
    pool_monitor_stop(pool);
    pool->backend->stop(pool);
    pool_destroy(pool);
    return NULL;
}

unsigned pool_workers(const struct pool *pool)
{
    return atomic_load(&pool->workers);
}

int pool_resize(struct pool *pool, unsigned workers)
{
    if (pool->origin != pool_origin_now())
        return -ESTALE;
    if (workers < 1 || workers > POOL_WORKERS_MAX)
        return -EINVAL;
    if (!pool->backend->resizable)
        return -ENOTSUP;
    pthread_mutex_lock(&pool->lock);
    const bool open = pool->state == POOL_OPEN;
    if (open) {
        atomic_store(&pool->workers, workers);
        if (pool->workers_min > workers)
            pool->workers_min = workers;
        pool_end_begin_locked(pool); /* it wakes everybody, and keeps the pool while we tell them */
    }
    pthread_mutex_unlock(&pool->lock);
    if (!open)
        return -ESHUTDOWN;
    pool->backend->changed(pool);
    pool_end_done(pool);
    return 0;
}

/* ---- Over ---------------------------------------------------------------------------------- */

bool pool_is_over_locked(const struct pool *pool)
{
    return pool->queue.count == 0 && pool->held.count == 0 && pool->live == 0 &&
           pool->ending == 0 && pool->room_waiters == 0 && atomic_load(&pool->pins) == 0;
}

void pool_announce_if_over_locked(struct pool *pool)
{
    if (pool->state != POOL_OPEN && pool_is_over_locked(pool))
        pthread_cond_broadcast(&pool->is_over);
}

void pool_end_begin_locked(struct pool *pool)
{
    pool->ending++;
    pthread_cond_broadcast(&pool->has_room);
    pthread_cond_broadcast(&pool->has_work);
}

void pool_end_done(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->ending--;
    pool_announce_if_over_locked(pool);
    pthread_mutex_unlock(&pool->lock);
}

void pool_thread_ended(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->live--;
    pool_announce_if_over_locked(pool);
    pthread_mutex_unlock(&pool->lock);
}

/* ---- The ways to end ----------------------------------------------------------------------- */

void pool_break(struct pool *pool, struct outcome *why)
{
    pthread_mutex_lock(&pool->lock);
    const bool first = pool->broken.code == 0;
    if (first) {
        pool->broken = *why;
        *why = pool_outcome_of(0);
        atomic_store(&pool->stopped, true);
        pool_end_begin_locked(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    pool_outcome_done(why);
    if (!first)
        return;
    const struct pool_log_event event = {
        .kind = POOL_LOG_BROKEN,
        .message = pool->broken.message ? pool->broken.message : "the pool is broken",
        .code = pool->broken.code,
        .exit_status = -1,
    };
    pool_log(pool, &event);
    pool_resolve_everything(pool);
    pool->backend->changed(pool);
    pool_end_done(pool);
}

int pool_broken(struct pool *pool, struct pool_error *ret_error)
{
    if (pool->origin != pool_origin_now())
        return -ESTALE;
    pthread_mutex_lock(&pool->lock);
    const struct outcome *why = &pool->broken; /* fixed once it has a code */
    const bool broken = why->code < 0;
    if (broken)
        *ret_error = (struct pool_error){
            .code = why->code,
            .task_code = why->task_code,
            .message = why->message ? why->message : "",
            .where = why->where ? why->where : "",
            .task = pool->initializer >= 0 ? pool->tasks->list[pool->initializer].name : "",
            .worker_pid = why->worker_pid,
            .signal = why->signal,
            .exit_status = why->exit_status,
        };
    pthread_mutex_unlock(&pool->lock);
    return broken;
}

void pool_close(struct pool *pool)
{
    if (pool->origin != pool_origin_now())
        return;
    pthread_mutex_lock(&pool->lock);
    const bool changed = pool->state == POOL_OPEN;
    if (changed) {
        pool->state = POOL_CLOSED;
        pool_end_begin_locked(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    if (changed) {
        pool->backend->changed(pool);
        pool_end_done(pool);
    }
}

void pool_terminate(struct pool *pool)
{
    if (pool->origin != pool_origin_now())
        return;
    pthread_mutex_lock(&pool->lock);
    const bool changed = pool->state != POOL_TERMINATED;
    if (changed) {
        pool->state = POOL_TERMINATED;
        atomic_store(&pool->stopped, true);
        pool_end_begin_locked(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    if (changed) {
        pool_resolve_everything(pool);
        pool->backend->changed(pool);
        pool_end_done(pool);
    }
}

int pool_join(struct pool *pool, int timeout_ms)
{
    const int64_t until_ns = pool_time_after_ms(timeout_ms);
    int r = 0;
    if (pool->origin != pool_origin_now())
        return -ESTALE;
    if (pool_context_of(pool))
        return -EDEADLK;
    pthread_mutex_lock(&pool->lock);
    if (pool->state == POOL_OPEN)
        r = -EINVAL;
    while (r == 0 && !pool_is_over_locked(pool))
        r = timeout_ms == 0 ? -ETIMEDOUT
                            : pool_cond_wait_until(&pool->is_over, &pool->lock, until_ns);
    pthread_mutex_unlock(&pool->lock);
    return r;
}

int pool_shutdown(struct pool *pool, unsigned flags)
{
    if (pool->origin != pool_origin_now())
        return -ESTALE;
    pool_close(pool);
    if (flags & POOL_SHUTDOWN_CANCEL) {
        pthread_mutex_lock(&pool->lock);
        pool->ending++;
        pthread_mutex_unlock(&pool->lock);
        pool_cancel_unstarted(pool);
        pool->backend->changed(pool);
        pool_end_done(pool);
    }
    if (flags & POOL_SHUTDOWN_WAIT)
        return pool_join(pool, -1);
    pool_program_remember(pool);
    return 0;
}

/* ---- Workers that do not start ------------------------------------------------------------- */

int pool_run_initializer(struct pool *pool, struct call_local *local, struct outcome *ret_outcome)
{
    *ret_outcome = pool_outcome_of(0);
    if (pool->initializer < 0)
        return 0;
    const struct call_spec spec = {
        .task = &pool->tasks->list[pool->initializer],
        .payload = pool->init_payload,
        .payload_bytes = pool->init_payload_bytes,
        .pid = getpid(),
        .local = local,
    };
    pool_call_run(&spec, ret_outcome);
    return ret_outcome->code;
}

bool pool_start_failed(struct pool *pool, struct outcome *why)
{
    pthread_mutex_lock(&pool->lock);
    const bool enough = ++pool->start_failures >= pool->options.start_failures_max;
    pthread_mutex_unlock(&pool->lock);
    const struct pool_log_event event = {
        .kind = POOL_LOG_WORKER_FAILED,
        .message = why->message ? why->message : "a worker did not start",
        .task = pool->initializer >= 0 ? pool->tasks->list[pool->initializer].name : NULL,
        .worker_pid = why->worker_pid,
        .code = why->code,
        .signal = why->signal,
        .exit_status = why->exit_status,
    };
    pool_log(pool, &event);
    if (enough)
        pool_break(pool, why);
    else
        pool_outcome_done(why);
    return enough;
}
