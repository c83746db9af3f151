/* monitor.c: a pool's numbers, asked for or told. Those that only grow are counted where it happens
 * (pool->counts); the rest is looked at when somebody asks. The telling has a thread of its own,
 * which sleeps: a pool's other threads may be busy for longer than the interval. */
#include <errno.h>
#include <stdlib.h>

#include "context_priv.h"
#include "origin_priv.h"
#include "pool_priv.h"
#include "sync_priv.h"

#define MONITOR_NAME "pool-monitor"

/* L: its lock. */
struct monitor {
    struct pool *pool;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t is_stopping;
    bool stopping; /* L */
};

int pool_stats(struct pool *pool, struct pool_stats *ret_stats)
{
    unsigned busy = 0;
    if (pool->origin != pool_origin_now())
        return -ESTALE;
    const unsigned workers = pool->backend->workers(pool, NULL, 0, &busy);
    const int64_t now_ns = pool_time_now_ns();

    pthread_mutex_lock(&pool->lock);
    struct pool_stats stats = pool->counts;
    stats.done = atomic_load(&pool->done);
    stats.failed = atomic_load(&pool->failed);
    stats.cancelled = atomic_load(&pool->cancelled);
    const uint64_t ended = stats.done + stats.failed + stats.cancelled;
    const size_t inside = (size_t)(stats.submitted - ended);
    const double passed_s = (double)(now_ns - pool->seen_ns) / (double)NS_PER_S;
    stats.workers = workers;
    stats.workers_max = atomic_load(&pool->workers);
    stats.busy = busy;
    stats.running = busy < inside ? busy : inside;
    stats.queued = inside - stats.running;
    stats.age_ms = (now_ns - pool->created_ns) / NS_PER_MS;
    stats.tasks_per_s = passed_s > 0 ? (double)(ended - pool->seen_ended) / passed_s : 0;
    pool->seen_ended = ended;
    pool->seen_ns = now_ns;
    pthread_mutex_unlock(&pool->lock);
    *ret_stats = stats;
    return 0;
}

int pool_worker_stats(struct pool *pool, struct pool_worker_stats *ret_workers, size_t room)
{
    unsigned busy;
    if (pool->origin != pool_origin_now())
        return -ESTALE;
    return (int)pool->backend->workers(pool, ret_workers, room, &busy);
}

static void *monitor_main(void *data)
{
    struct monitor *monitor = data;
    struct pool *pool = monitor->pool;
    struct pool_context context = {.pool = pool, .visitor = true};
    pool_context_push(&context);
    pthread_mutex_lock(&monitor->lock);
    while (!monitor->stopping) {
        const int64_t until_ns = pool_time_after_ms(pool->options.stats_interval_ms);
        int r = 0;
        while (r == 0 && !monitor->stopping)
            r = pool_cond_wait_until(&monitor->is_stopping, &monitor->lock, until_ns);
        if (monitor->stopping)
            break;
        pthread_mutex_unlock(&monitor->lock);
        struct pool_stats stats;
        if (pool_stats(pool, &stats) == 0)
            pool->options.on_stats(&stats, pool->options.on_stats_data);
        pthread_mutex_lock(&monitor->lock);
    }
    pthread_mutex_unlock(&monitor->lock);
    pool_context_pop(&context);
    return NULL;
}

int pool_monitor_start(struct pool *pool)
{
    struct monitor *monitor = calloc(1, sizeof(*monitor));
    if (!monitor)
        return -ENOMEM;
    monitor->pool = pool;
    int r = -pthread_mutex_init(&monitor->lock, NULL);
    if (r < 0)
        goto no_lock;
    r = pool_cond_init(&monitor->is_stopping);
    if (r < 0)
        goto no_cond;
    r = pool_thread_start(&monitor->thread, MONITOR_NAME, monitor_main, monitor);
    if (r < 0)
        goto no_thread;
    pool->monitor = monitor;
    return 0;
no_thread:
    pthread_cond_destroy(&monitor->is_stopping);
no_cond:
    pthread_mutex_destroy(&monitor->lock);
no_lock:
    free(monitor);
    return r;
}

void pool_monitor_stop(struct pool *pool)
{
    struct monitor *monitor = pool->monitor;
    if (!monitor)
        return;
    pthread_mutex_lock(&monitor->lock);
    monitor->stopping = true;
    pthread_cond_signal(&monitor->is_stopping);
    pthread_mutex_unlock(&monitor->lock);
    pthread_join(monitor->thread, NULL);
    pthread_cond_destroy(&monitor->is_stopping);
    pthread_mutex_destroy(&monitor->lock);
    free(monitor);
    pool->monitor = NULL;
}
