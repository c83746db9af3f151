/* backend_thread.c: workers are threads of this process.
 *
 * Threads start as work arrives: one with the pool, so that a system that has no threads left is
 * noticed by pool_create(), then one more whenever a job is queued and nobody is idle. Shutdown:
 * a thread leaves when the pool is no longer open and the queue is empty; pool_join() waits for
 * the last, and stop() joins them all. */
#include <errno.h>
#include <stdlib.h>

#include "call_priv.h"
#include "pool_priv.h"
#include "sync_priv.h"

#define WORKER_NAME "pool-thread"

/* L: the pool's lock. */
struct threads {
    pthread_t *handles; /* L: room for pool->workers */
    unsigned started;   /* L */
    unsigned idle;      /* L: waiting for work */
};

static struct job *wait_for_job(struct pool *pool)
{
    struct threads *threads = pool->backend_data;
    pthread_mutex_lock(&pool->lock);
    while (pool->queued.count == 0 && pool->state == POOL_OPEN) {
        threads->idle++;
        pthread_cond_wait(&pool->has_work, &pool->lock);
        threads->idle--;
    }
    struct job *job = pool_take_locked(pool);
    pthread_mutex_unlock(&pool->lock);
    return job;
}

static void *thread_main(void *data)
{
    struct pool *pool = data;
    struct call_local local = {0};
    struct outcome outcome;
    struct job *job;

    while ((job = wait_for_job(pool))) {
        call_run_job(job, &local, &outcome);
        pool_finish(pool, job, &outcome);
    }
    call_local_done(&local);
    pool_thread_ended(pool);
    return NULL;
}

/* One thread more. The new thread waits for the lock that the caller holds. */
static int add_thread_locked(struct pool *pool)
{
    struct threads *threads = pool->backend_data;
    int r = thread_start(&threads->handles[threads->started], WORKER_NAME, thread_main, pool);
    if (r < 0)
        return r;
    threads->started++;
    pool->live++;
    return 0;
}

static int threads_start(struct pool *pool, const char *worker_program)
{
    (void)worker_program;
    struct threads *threads = calloc(1, sizeof(*threads));
    int r = -ENOMEM;
    if (!threads)
        return r;
    pool->backend_data = threads;
    threads->handles = calloc(pool->workers, sizeof(threads->handles[0]));
    if (threads->handles) {
        pthread_mutex_lock(&pool->lock);
        r = add_thread_locked(pool);
        pthread_mutex_unlock(&pool->lock);
    }
    if (r < 0) {
        free(threads->handles);
        free(threads);
    }
    return r;
}

static void threads_submitted(struct pool *pool, struct job *job)
{
    struct threads *threads = pool->backend_data;
    (void)job;
    pthread_mutex_lock(&pool->lock);
    if (threads->idle < pool->queued.count && threads->started < pool->workers &&
        pool->state == POOL_OPEN)
        add_thread_locked(pool); /* if there are no more to be had, those that run do the work */
    pthread_mutex_unlock(&pool->lock);
}

static void threads_state_changed(struct pool *pool)
{
    (void)pool; /* the pool itself wakes has_work */
}

static void threads_stop(struct pool *pool)
{
    struct threads *threads = pool->backend_data;
    for (unsigned i = 0; i < threads->started; i++)
        pthread_join(threads->handles[i], NULL);
    free(threads->handles);
    free(threads);
}

const struct backend backend_thread = {
    .start = threads_start,
    .submitted = threads_submitted,
    .state_changed = threads_state_changed,
    .stop = threads_stop,
};
