/* backend_serial.c: no worker at all. A task runs in the thread that submits it, before submit
 * returns; several threads take turns, in no promised order. A task may submit to its own pool:
 * that nested task runs at once, inside the outer one. What a map submits at once is run by its
 * caller, by priority.
 *
 * It is the yardstick for the other backends, and the debugger's friend. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "call_priv.h"
#include "context_priv.h"
#include "pool_priv.h"
#include "sync_priv.h"

/* Guarded by the pool's lock, but for local: the thread whose turn it is. */
struct serial {
    struct call_local local;
    bool busy;       /* somebody's turn */
    bool ready;      /* the initializer has run */
    pthread_t owner; /* whose turn, when busy */
    uint64_t tasks;
    struct job *current; /* innermost */
    int64_t current_ns;
    pid_t pid;
};

static int serial_start(struct pool *pool, const char *worker_program)
{
    (void)worker_program;
    struct serial *serial = calloc(1, sizeof(*serial));
    if (!serial)
        return -ENOMEM;
    serial->pid = getpid();
    pool->backend_data = serial;
    return 0;
}

/* Run the initializer before the first task, until it succeeds or the pool breaks. */
static bool make_ready(struct pool *pool, struct serial *serial)
{
    struct outcome outcome;
    while (!serial->ready) {
        serial->ready = true; /* for tasks that the initializer submits */
        if (pool_run_initializer(pool, &serial->local, &outcome) == 0) {
            pool_outcome_done(&outcome);
            serial->ready = true;
            pthread_mutex_lock(&pool->lock);
            pool->counts.started++;
            pthread_mutex_unlock(&pool->lock);
            const struct pool_log_event event = {.kind = POOL_LOG_WORKER_STARTED,
                                                 .message = "the serial worker is ready",
                                                 .worker_pid = serial->pid,
                                                 .exit_status = -1};
            pool_log(pool, &event);
        } else {
            serial->ready = false;
            if (pool_start_failed(pool, &outcome))
                return false;
        }
    }
    return true;
}

static void run_one(struct pool *pool, struct serial *serial, struct job *job)
{
    pthread_mutex_lock(&pool->lock);
    struct job *outer = serial->current;
    const int64_t outer_ns = serial->current_ns;
    serial->current = job;
    serial->current_ns = pool_time_now_ns();
    serial->tasks++;
    pthread_mutex_unlock(&pool->lock);

    pool_call_run_job(job, serial->pid, &serial->local);

    pthread_mutex_lock(&pool->lock);
    serial->current = outer;
    serial->current_ns = outer_ns;
    pthread_mutex_unlock(&pool->lock);
    job->next_ended = NULL;
    pool_finish(pool, job);
}

/* The next job that this thread submitted; those of others are for them to run: a task that holds a
 * lock must not find itself inside a stranger's. */
static struct job *next_job(struct pool *pool)
{
    struct job *job = NULL;
    pthread_mutex_lock(&pool->lock);
    for (int level = PRIORITY_LEVELS - 1; level >= 0 && !job; level--) {
        job = pool->queue.levels[level].first;
        while (job && !pthread_equal(job->submitter, pthread_self()))
            job = job->next;
    }
    if (job) {
        pool_take_job_locked(pool, job);
        atomic_store(&job->claim, JOB_STARTED);
    }
    pthread_mutex_unlock(&pool->lock);
    return job;
}

static void serial_submitted(struct pool *pool)
{
    struct serial *serial = pool->backend_data;
    struct pool_context context = {.pool = pool};
    struct job *job;

    pthread_mutex_lock(&pool->lock);
    const bool nested = serial->busy && pthread_equal(serial->owner, pthread_self());
    while (serial->busy && !nested)
        pthread_cond_wait(&pool->has_work, &pool->lock);
    serial->busy = true;
    serial->owner = pthread_self();
    pthread_mutex_unlock(&pool->lock);

    pool_context_push(&context);
    if (make_ready(pool, serial))
        while ((job = next_job(pool)))
            run_one(pool, serial, job);
    pool_context_pop(&context);

    if (nested)
        return;
    pthread_mutex_lock(&pool->lock);
    serial->busy = false;
    pthread_cond_broadcast(&pool->has_work);
    pthread_mutex_unlock(&pool->lock);
}

static void serial_changed(struct pool *pool)
{
    (void)pool; /* nobody sleeps here but submitters, whom the pool itself wakes */
}

static int serial_cancel(struct pool *pool, struct pool_future *future, bool stop_running)
{
    (void)pool;
    if (pool_future_done(future))
        return -EALREADY;
    if (!stop_running)
        return -EBUSY;
    atomic_store(&future->job.cancelled, true);
    return -EINPROGRESS;
}

static bool serial_running(struct pool *pool, struct pool_future *future)
{
    (void)pool;
    return atomic_load(&future->job.claim) == JOB_STARTED;
}

static unsigned serial_workers(struct pool *pool, struct pool_worker_stats *ret_workers,
                               size_t room, unsigned *ret_busy)
{
    const struct serial *serial = pool->backend_data;
    pthread_mutex_lock(&pool->lock);
    const bool busy = serial->current;
    *ret_busy = busy;
    if (room > 0)
        ret_workers[0] = (struct pool_worker_stats){
            .pid = serial->pid,
            .state = busy ? POOL_WORKER_BUSY : POOL_WORKER_IDLE,
            .task = busy ? serial->current->task->name : NULL,
            .task_age_ms = busy ? (pool_time_now_ns() - serial->current_ns) / NS_PER_MS : 0,
            .tasks = serial->tasks,
            .age_ms = (pool_time_now_ns() - pool->created_ns) / NS_PER_MS,
            .cpu_ms = -1,
            .rss_bytes = -1,
        };
    pthread_mutex_unlock(&pool->lock);
    return 1;
}

static void serial_stop(struct pool *pool)
{
    struct serial *serial = pool->backend_data;
    pool_call_local_done(&serial->local);
    free(serial);
}

static void serial_abandon(struct pool *pool)
{
    (void)pool; /* it has no descriptor */
}

const struct backend pool_backend_serial = {
    .start = serial_start,
    .submitted = serial_submitted,
    .changed = serial_changed,
    .cancel = serial_cancel,
    .running = serial_running,
    .workers = serial_workers,
    .stop = serial_stop,
    .abandon = serial_abandon,
    .unbounded = true,
};
