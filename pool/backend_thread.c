/* backend_thread.c: workers are threads of this process.
 *
 * Threads start as work arrives: workers_min with the pool (at least one, so that a system that has
 * no threads left is noticed by pool_create()), then one more whenever a job is queued and nobody
 * is idle. A thread ends, between two tasks, when
 *   - the pool is over: no longer open, and the queue empty;
 *   - there are more than the limit, after pool_resize();
 *   - it has been idle for idle_ms, and there are more than workers_min;
 *   - it has run max_tasks or is older than max_age_ms; another takes its place if there is work;
 *   - its initializer failed.
 * Threads that have ended are joined by the next one that starts or ends, and by stop().
 *
 * A chunk (jobs marked `together`) is taken in one go, up to POOL_BATCH_MAX jobs. Each of them is
 * then claimed by itself when its turn comes, so that a cancel, a helping waiter (help.c) or an
 * idle thread may still have those that were not started. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pool_priv.h"
#include "sync_priv.h"
#include "thread_worker_priv.h"

#define WORKER_NAME "pool-thread"

/* Tasks shorter than this are taken several at a time, if no chunk says how many. */
#define SHORT_NS    5000
#define SINGLES_MAX 32

/* All under the pool's lock, but for pid and the atomic ones. */
struct threads {
    struct thread_worker *first; /* started, and not yet joined */
    unsigned idle;               /* waiting for work */
    unsigned leaving;            /* have decided to end, and have not yet */
    unsigned next_id;
    pid_t pid;                 /* fixed */
    atomic_bool complete;      /* there are as many threads as there may be; a hint */
    _Atomic uint32_t *cost_ns; /* what a run of each task takes, lately; 0: not known */
};

/* Jobs that a worker has taken at once. */
struct batch {
    struct job *jobs[POOL_BATCH_MAX];
    size_t count;
};

/* ---- Running ------------------------------------------------------------------------------- */

/* Run a job that this worker has claimed; its outcome is then in the job.
 * timed: look at the clock, so that the numbers can say since when it runs. */
static void run(struct thread_worker *worker, struct job *job, bool timed)
{
    const struct threads *threads = worker->pool->backend_data;
    const struct pool_task *outer = atomic_load_explicit(&worker->current, memory_order_relaxed);
    const int64_t outer_ns = atomic_load_explicit(&worker->current_ns, memory_order_relaxed);
    job->next_ended = NULL;
    if (atomic_load(&job->cancelled)) { /* the pool was terminated before its turn came */
        job->outcome.code = -ECANCELED;
        return;
    }
    if (timed)
        atomic_store_explicit(&worker->current_ns, pool_time_now_ns(), memory_order_relaxed);
    atomic_store_explicit(&worker->current, job->task, memory_order_relaxed);
    atomic_fetch_add_explicit(&worker->tasks, 1, memory_order_relaxed);
    pool_call_run_job(job, threads->pid, &worker->local);
    /* Not NULL if a task waits for this one and runs it itself. */
    atomic_store_explicit(&worker->current, outer, memory_order_relaxed);
    if (outer)
        atomic_store_explicit(&worker->current_ns, outer_ns, memory_order_relaxed);
}

void pool_thread_worker_run(struct thread_worker *worker, struct job *job)
{
    run(worker, job, true);
    pool_finish(worker->pool, job);
}

/* The same, but it is forgotten when the worker takes the pool's lock the next time. */
static void run_and_keep(struct thread_worker *worker, struct job *job, bool timed)
{
    run(worker, job, timed);
    pool_end(worker->pool, job);
    job->next_ended = worker->ended_jobs;
    worker->ended_jobs = job;
}

/* ---- Taking -------------------------------------------------------------------------------- */

/* A job out of another worker's batch that nobody has started. */
static struct job *steal_locked(struct pool *pool)
{
    for (struct job *job = pool->held.first; job; job = job->next) {
        int ready = JOB_READY;
        if (atomic_compare_exchange_strong(&job->claim, &ready, JOB_STARTED))
            return job;
    }
    return NULL;
}

/* How many jobs this worker may take at once. */
static size_t batch_room_locked(const struct pool *pool, const struct thread_worker *worker)
{
    const uint64_t max_tasks = pool->options.max_tasks;
    const uint64_t tasks = atomic_load(&worker->tasks);
    if (max_tasks == 0 || tasks >= max_tasks || max_tasks - tasks > POOL_BATCH_MAX)
        return max_tasks > 0 && tasks >= max_tasks ? 1 : POOL_BATCH_MAX;
    return (size_t)(max_tasks - tasks);
}

/* Has this task been short, lately? */
static bool is_short(const struct pool *pool, const struct job *job)
{
    const struct threads *threads = pool->backend_data;
    const uint32_t cost_ns =
        atomic_load_explicit(&threads->cost_ns[job->task_index], memory_order_relaxed);
    return cost_ns > 0 && cost_ns <= SHORT_NS;
}

/* How many jobs to take at once that are no chunk: several while they are so short that taking them
 * one by one would cost more than running them, and many more are queued. */
static size_t short_singles_locked(const struct pool *pool, const struct job *job)
{
    if (!is_short(pool, job))
        return 1;
    const size_t share = pool->queue.count / (2 * (size_t)atomic_load(&pool->workers));
    return share < 1 ? 1 : share < SINGLES_MAX ? share : SINGLES_MAX;
}

/* The next job, with the rest of its chunk or with others if they are short; or one stolen, which
 * is then claimed already. */
static void take_batch_locked(struct pool *pool, struct thread_worker *worker,
                              struct batch *ret_batch)
{
    struct job *job = pool_take_locked(pool);
    ret_batch->count = 0;
    if (!job) {
        job = steal_locked(pool);
        if (job) {
            job->runner = worker;
            ret_batch->jobs[ret_batch->count++] = job;
        }
        return;
    }
    const size_t room = batch_room_locked(pool, worker);
    const size_t singles = short_singles_locked(pool, job);
    bool together = true;
    while (job) {
        job->runner = worker;
        ret_batch->jobs[ret_batch->count++] = job;
        together = together && job->together;
        const bool more = together || ret_batch->count < singles;
        job = more && ret_batch->count < room ? pool_take_locked(pool) : NULL;
    }
    if (ret_batch->count == 1)
        atomic_store(&ret_batch->jobs[0]->claim, JOB_STARTED);
    else
        for (size_t i = 0; i < ret_batch->count; i++) /* another may run it, and let go of it */
            pool_future_ref(ret_batch->jobs[i]->future);
}

/* Remember how long the tasks of this batch took, one with the other. */
static void learn(struct pool *pool, int64_t started_ns, uint32_t task_index, uint64_t count)
{
    struct threads *threads = pool->backend_data;
    if (count == 0)
        return;
    const int64_t each_ns = (pool_time_now_ns() - started_ns) / (int64_t)count;
    const uint32_t now = each_ns < UINT32_MAX / 16 ? (uint32_t)each_ns : UINT32_MAX / 16;
    const uint32_t before =
        atomic_load_explicit(&threads->cost_ns[task_index], memory_order_relaxed);
    const uint32_t mean = before ? (3 * before + now) / 4 : now;
    atomic_store_explicit(&threads->cost_ns[task_index], mean ? mean : 1, memory_order_relaxed);
}

static void run_batch(struct pool *pool, struct thread_worker *worker, struct batch *batch)
{
    const int64_t started_ns = pool_time_now_ns();
    const uint64_t before = atomic_load_explicit(&worker->tasks, memory_order_relaxed);
    const uint32_t task_index = batch->jobs[0]->task_index;
    const bool are_short = is_short(pool, batch->jobs[0]); /* one look at the clock does for all */
    if (batch->count == 1)
        run_and_keep(worker, batch->jobs[0], true);
    for (size_t i = 0; batch->count > 1 && i < batch->count; i++) {
        struct pool_future *future = batch->jobs[i]->future;
        int ready = JOB_READY;
        if (atomic_compare_exchange_strong(&batch->jobs[i]->claim, &ready, JOB_STARTED))
            run_and_keep(worker, batch->jobs[i], i == 0 || !are_short);
        pool_future_free(future);
    }
    const uint64_t ran = atomic_load_explicit(&worker->tasks, memory_order_relaxed) - before;
    learn(pool, started_ns, task_index, ran);
}

/* ---- A thread's life ----------------------------------------------------------------------- */

static bool is_worn_locked(const struct pool *pool, const struct thread_worker *worker)
{
    const struct pool_options *options = &pool->options;
    return (options->max_tasks > 0 && atomic_load(&worker->tasks) >= options->max_tasks) ||
           (options->max_age_ms > 0 &&
            pool_time_now_ns() - worker->started_ns >= options->max_age_ms * NS_PER_MS);
}

static bool has_work_locked(const struct pool *pool)
{
    if (pool->queue.count > 0)
        return true;
    for (const struct job *job = pool->held.first; job; job = job->next)
        if (atomic_load_explicit(&job->claim, memory_order_relaxed) == JOB_READY)
            return true;
    return false;
}

static bool too_many_locked(const struct pool *pool)
{
    const struct threads *threads = pool->backend_data;
    return pool->live - threads->leaving > atomic_load(&pool->workers);
}

/* Sleep until there is work.  Returns false when this thread should end. */
static bool wait_for_work_locked(struct pool *pool)
{
    struct threads *threads = pool->backend_data;
    const int64_t idle_ns = pool->options.idle_ms * NS_PER_MS;
    const int64_t until_ns = idle_ns > 0 ? pool_time_now_ns() + idle_ns : TIME_NEVER;
    int r = 0;
    while (!has_work_locked(pool)) {
        if (pool->state != POOL_OPEN || pool->broken.code < 0 || too_many_locked(pool))
            return false;
        if (r < 0 && pool->live - threads->leaving > pool->workers_min)
            return false;
        threads->idle++;
        r = pool_cond_wait_until(&pool->has_work, &pool->lock, r < 0 ? TIME_NEVER : until_ns);
        threads->idle--;
    }
    return !too_many_locked(pool);
}

static int add_thread_locked(struct pool *pool);

/* One thread less, and another if there is work that needs one.  Returns 0, or the error if it
 * could not be had and none is left. */
static int leave_locked(struct pool *pool)
{
    struct threads *threads = pool->backend_data;
    threads->leaving--;
    pool->live--;
    pthread_cond_broadcast(&pool->has_room); /* who waits for it may now be the last (help.c) */
    const unsigned staying = pool->live - threads->leaving;
    const bool wanted = pool->queue.count > threads->idle ||
                        (pool->state == POOL_OPEN && staying < pool->workers_min);
    int r = 0;
    if (wanted && staying < atomic_load(&pool->workers) && pool->broken.code == 0)
        r = add_thread_locked(pool);
    return pool->live == 0 && pool->queue.count > 0 ? r : 0;
}

static void break_for_want_of_threads(struct pool *pool, int r)
{
    struct outcome why =
        pool_outcome_of(r == -EAGAIN ? -ENOMEM : r); /* -EAGAIN means a full queue */
    pool_outcome_say(&why, "cannot start a worker thread: %s", strerror(-r));
    pool_break(pool, &why);
}

static void say(struct pool *pool, const struct thread_worker *worker, enum pool_log_kind kind,
                const char *what)
{
    char message[64];
    snprintf(message, sizeof(message), "worker thread %d %s", (int)worker->tid, what);
    const struct pool_log_event event = {
        .kind = kind, .message = message, .worker_pid = worker->tid, .exit_status = -1};
    pool_log(pool, &event);
}

/* Run the initializer.  Returns false if this thread must end, and has left. */
static bool make_ready(struct pool *pool, struct thread_worker *worker)
{
    struct outcome outcome;
    int r = pool_run_initializer(pool, &worker->local, &outcome);
    if (r == 0) {
        pool_outcome_done(&outcome);
        pthread_mutex_lock(&pool->lock);
        worker->ready = true;
        worker->started_ns = pool_time_now_ns(); /* its age counts from here */
        pool->start_failures = 0;
        pool->counts.started++;
        pthread_mutex_unlock(&pool->lock);
        say(pool, worker, POOL_LOG_WORKER_STARTED, "started");
        return true;
    }
    pool_start_failed(pool, &outcome);
    struct threads *threads = pool->backend_data;
    pthread_mutex_lock(&pool->lock);
    threads->leaving++;
    atomic_store(&threads->complete, false);
    pthread_mutex_unlock(&pool->lock);
    return false;
}

/* Work until it is time to end. */
static void work(struct pool *pool, struct thread_worker *worker)
{
    struct threads *threads = pool->backend_data;
    struct batch batch;
    for (;;) {
        pthread_mutex_lock(&pool->lock);
        struct job *gone = worker->ended_jobs;
        worker->ended_jobs = NULL;
        pool_forget_locked(pool, gone);
        if (gone && !has_work_locked(pool)) { /* do not sleep on what may be freed */
            pthread_mutex_unlock(&pool->lock);
            pool_let_go(gone);
            gone = NULL;
            pthread_mutex_lock(&pool->lock);
        }
        const bool worn = is_worn_locked(pool, worker);
        if (worn || !wait_for_work_locked(pool)) {
            threads->leaving++;
            atomic_store(&threads->complete, false);
            pool->counts.recycled += worn;
            pthread_mutex_unlock(&pool->lock);
            pool_let_go(gone);
            return;
        }
        take_batch_locked(pool, worker, &batch);
        pthread_mutex_unlock(&pool->lock);
        pool_let_go(gone);
        if (batch.count > 0)
            run_batch(pool, worker, &batch);
    }
}

static void *thread_main(void *data)
{
    struct thread_worker *worker = data;
    struct pool *pool = worker->pool;
    pthread_mutex_lock(&pool->lock);
    worker->tid = gettid();
    pthread_mutex_unlock(&pool->lock);
    worker->context = (struct pool_context){.pool = pool, .worker = worker};
    pool_context_push(&worker->context);
    const bool ready = make_ready(pool, worker);
    if (ready)
        work(pool, worker);
    pool_call_local_done(&worker->local);
    if (ready)
        say(pool, worker, POOL_LOG_WORKER_ENDED, "ended");
    pthread_mutex_lock(&pool->lock);
    pool->ending++; /* not over before we have looked at what our leaving means */
    const int r = leave_locked(pool);
    pthread_mutex_unlock(&pool->lock);
    if (r < 0)
        break_for_want_of_threads(pool, r);
    pool_context_pop(&worker->context);
    pthread_mutex_lock(&pool->lock);
    worker->ended = true;
    pool->ending--;
    pool_announce_if_over_locked(pool); /* the pool may be freed once the lock is */
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* ---- Threads ------------------------------------------------------------------------------- */

/* Those that have ended are as good as gone: joining does not wait. */
static void join_ended_locked(struct pool *pool)
{
    struct threads *threads = pool->backend_data;
    struct thread_worker **at = &threads->first;
    while (*at) {
        struct thread_worker *worker = *at;
        if (!worker->ended || pthread_equal(worker->thread, pthread_self())) {
            at = &worker->next;
            continue;
        }
        *at = worker->next;
        pthread_join(worker->thread, NULL);
        free(worker);
    }
}

/* One thread more. It waits for the lock that the caller holds. */
static int add_thread_locked(struct pool *pool)
{
    struct threads *threads = pool->backend_data;
    join_ended_locked(pool);
    struct thread_worker *worker = calloc(1, sizeof(*worker));
    if (!worker)
        return -ENOMEM;
    worker->pool = pool;
    worker->id = threads->next_id++;
    worker->started_ns = pool_time_now_ns();
    int r = pool_thread_start(&worker->thread, WORKER_NAME, thread_main, worker);
    if (r < 0) {
        free(worker);
        return r;
    }
    worker->next = threads->first;
    threads->first = worker;
    pool->live++;
    atomic_store(&threads->complete, pool->live >= atomic_load(&pool->workers));
    return 0;
}

static void threads_stop(struct pool *pool)
{
    struct threads *threads = pool->backend_data;
    while (threads->first) {
        struct thread_worker *worker = threads->first;
        threads->first = worker->next;
        pthread_join(worker->thread, NULL);
        free(worker);
    }
    free(threads->cost_ns);
    free(threads);
}

static int threads_start(struct pool *pool, const char *worker_program)
{
    (void)worker_program;
    struct threads *threads = calloc(1, sizeof(*threads));
    if (!threads)
        return -ENOMEM;
    threads->cost_ns = calloc(pool->tasks->count, sizeof(threads->cost_ns[0]));
    if (!threads->cost_ns) {
        free(threads);
        return -ENOMEM;
    }
    threads->pid = getpid();
    pool->backend_data = threads;
    int r = 0;
    pthread_mutex_lock(&pool->lock);
    const unsigned wanted = pool->workers_min > 0 ? pool->workers_min : 1;
    while (r == 0 && pool->live < wanted)
        r = add_thread_locked(pool);
    const bool none = pool->live == 0;
    if (r < 0 && !none) /* those that there are do the work */
        r = 0;
    pthread_mutex_unlock(&pool->lock);
    if (r < 0)
        threads_stop(pool);
    return r;
}

/* More threads, if there is more work than they can see to. */
static void grow(struct pool *pool)
{
    struct threads *threads = pool->backend_data;
    int r = 0;
    pthread_mutex_lock(&pool->lock);
    const size_t wanted = threads->idle < pool->queue.count ? pool->queue.count - threads->idle : 0;
    for (size_t i = 0;
         i < wanted && r == 0 && pool->live < atomic_load(&pool->workers) && pool->broken.code == 0;
         i++)
        r = add_thread_locked(
            pool); /* if there are no more to be had, those that run do the work */
    const bool stuck = r < 0 && pool->live == 0;
    pthread_mutex_unlock(&pool->lock);
    if (stuck)
        break_for_want_of_threads(pool, r);
}

static void threads_submitted(struct pool *pool)
{
    const struct threads *threads = pool->backend_data;
    if (!atomic_load(&threads->complete)) /* a thread that leaves looks for work behind it */
        grow(pool);
}

static void threads_changed(struct pool *pool)
{
    grow(pool); /* the limit may be higher; the pool itself wakes those who sleep */
}

/* ---- One task ------------------------------------------------------------------------------ */

static int threads_cancel(struct pool *pool, struct pool_future *future, bool stop_running)
{
    struct job *job = &future->job;
    struct outcome outcome = pool_outcome_of(-ECANCELED);
    int ready = JOB_READY, r = -EBUSY;
    pthread_mutex_lock(&pool->lock);
    if (job->place == JOB_HELD && !atomic_load(&job->settled) &&
        atomic_compare_exchange_strong(&job->claim, &ready, JOB_CANCELLED)) {
        job->runner = NULL;
        pthread_mutex_unlock(&pool->lock);
        pool_outcome_done(&job->outcome);
        job->outcome = outcome;
        job->next_ended = NULL;
        pool_finish(pool, job); /* who has it in his batch will pass over it */
        return 0;
    }
    if (atomic_load(&job->settled))
        r = -EALREADY;
    else if (stop_running) {
        atomic_store(&job->cancelled, true);
        r = -EINPROGRESS;
    }
    pthread_mutex_unlock(&pool->lock);
    return r;
}

static bool threads_running(struct pool *pool, struct pool_future *future)
{
    (void)pool;
    return atomic_load(&future->job.claim) == JOB_STARTED;
}

/* ---- Numbers ------------------------------------------------------------------------------- */

static int64_t cpu_ms_of(pthread_t thread)
{
    clockid_t clock;
    struct timespec used;
    if (pthread_getcpuclockid(thread, &clock) != 0 || clock_gettime(clock, &used) < 0)
        return -1;
    return ((int64_t)used.tv_sec * NS_PER_S + used.tv_nsec) / NS_PER_MS;
}

static unsigned threads_workers(struct pool *pool, struct pool_worker_stats *ret_workers,
                                size_t room, unsigned *ret_busy)
{
    const struct threads *threads = pool->backend_data;
    const int64_t now_ns = pool_time_now_ns();
    unsigned count = 0, busy = 0;
    pthread_mutex_lock(&pool->lock);
    for (const struct thread_worker *worker = threads->first; worker; worker = worker->next) {
        if (worker->ended)
            continue;
        const struct pool_task *task = atomic_load(&worker->current);
        busy += task != NULL;
        if (count < room)
            ret_workers[count] = (struct pool_worker_stats){
                .id = worker->id,
                .pid = worker->tid,
                .state = !worker->ready ? POOL_WORKER_STARTING
                         : task         ? POOL_WORKER_BUSY
                                        : POOL_WORKER_IDLE,
                .task = task ? task->name : NULL,
                .task_age_ms = task ? (now_ns - atomic_load(&worker->current_ns)) / NS_PER_MS : 0,
                .tasks = atomic_load(&worker->tasks),
                .age_ms = (now_ns - worker->started_ns) / NS_PER_MS,
                .cpu_ms = cpu_ms_of(worker->thread),
                .rss_bytes = -1,
            };
        count++;
    }
    pthread_mutex_unlock(&pool->lock);
    *ret_busy = busy;
    return count;
}

static void threads_abandon(struct pool *pool)
{
    if (pool->completion_fd >= 0)
        close(pool->completion_fd);
}

const struct backend pool_backend_thread = {
    .start = threads_start,
    .submitted = threads_submitted,
    .changed = threads_changed,
    .cancel = threads_cancel,
    .running = threads_running,
    .workers = threads_workers,
    .stop = threads_stop,
    .abandon = threads_abandon,
    .resizable = true,
};
