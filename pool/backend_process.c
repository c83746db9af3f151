/* backend_process.c: workers are processes. This file is the backend as the pool sees it: starting
 * and stopping the supervisor, and what other threads may do in its place while it sleeps. The
 * supervisor itself is in supervisor.c, its design in supervisor_priv.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "supervisor_priv.h"
#include "sync_priv.h"

#define SUPERVISOR_NAME "pool-supervisor"

/* ---- Start and stop ------------------------------------------------------------------------ */

static void supervisor_free(struct supervisor *supervisor)
{
    if (supervisor->wake_fd >= 0)
        close(supervisor->wake_fd);
    if (supervisor->epoll_fd >= 0)
        close(supervisor->epoll_fd);
    if (supervisor->loan_fd >= 0)
        close(supervisor->loan_fd);
    sem_destroy(&supervisor->started);
    pthread_mutex_destroy(&supervisor->lock);
    free(supervisor->cost_ns);
    free(supervisor->remotes);
    free(supervisor->program);
    free(supervisor);
}

static int supervisor_create(struct pool *pool, const char *program, struct supervisor **ret)
{
    struct supervisor *supervisor = calloc(1, sizeof(*supervisor));
    if (!supervisor)
        return -ENOMEM;
    int r = -pthread_mutex_init(&supervisor->lock, NULL);
    if (r < 0) {
        free(supervisor);
        return r;
    }
    supervisor->pool = pool;
    supervisor->zygote = (struct zygote_client)ZYGOTE_CLIENT_INIT;
    supervisor->epoll_fd = -1;
    supervisor->wake_fd = -1;
    supervisor->loan_fd = -1;
    supervisor->ended_end = &supervisor->ended;
    supervisor->later_end = &supervisor->later;
    supervisor->break_why = pool_outcome_of(0);
    sem_init(&supervisor->started, 0, 0); /* cannot fail with these values */
    r = -ENOMEM;
    supervisor->cost_ns = calloc(pool->tasks->count, sizeof(supervisor->cost_ns[0]));
    supervisor->program = program ? strdup(program) : NULL;
    if (!supervisor->cost_ns || (program && !supervisor->program))
        goto out;
    supervisor->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    supervisor->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    supervisor->loan_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = supervisor->epoll_fd < 0 || supervisor->wake_fd < 0 || supervisor->loan_fd < 0 ? -errno : 0;
    if (r == 0)
        r = pool_supervisor_watch(supervisor, supervisor->wake_fd, EPOLLIN, EVENT_WAKE, 0);
    if (r < 0)
        goto out;
    *ret = supervisor;
    return 0;
out:
    supervisor_free(supervisor);
    return r;
}

static int process_start(struct pool *pool, const char *worker_program)
{
    struct supervisor *supervisor = NULL;
    int r = supervisor_create(pool, worker_program, &supervisor);
    if (r < 0 || !supervisor)
        return r;
    pool->backend_data = supervisor;
    pool->live = 1;
    r = pool_thread_start(&supervisor->thread, SUPERVISOR_NAME, pool_supervisor_main, supervisor);
    if (r == 0) {
        while (sem_wait(&supervisor->started) < 0)
            continue; /* EINTR */
        r = supervisor->start_result;
        if (r < 0)
            pthread_join(supervisor->thread, NULL);
    }
    if (r < 0) {
        pool->live = 0;
        supervisor_free(supervisor);
    }
    return r;
}

static void process_stop(struct pool *pool)
{
    struct supervisor *supervisor = pool->backend_data;
    pthread_join(supervisor->thread, NULL);
    supervisor_free(supervisor);
}

static void process_abandon(struct pool *pool)
{
    struct supervisor *supervisor = pool->backend_data;
    for (unsigned i = 0; i < supervisor->remote_count; i++) {
        const struct remote *remote = supervisor->remotes[i];
        if (remote->socket_fd >= 0)
            close(remote->socket_fd);
        if (remote->pidfd >= 0)
            close(remote->pidfd);
    }
    pool_zygote_client_abandon(&supervisor->zygote);
    close(supervisor->epoll_fd);
    close(supervisor->wake_fd);
    close(supervisor->loan_fd);
    if (pool->completion_fd >= 0)
        close(pool->completion_fd);
}

/* ---- In other threads ---------------------------------------------------------------------- */

static void process_submitted(struct pool *pool)
{
    struct supervisor *supervisor = pool->backend_data;
    if (atomic_load(&pool->has_priorities)) {
        /* When this returns, nothing of less priority is in a worker's hands unstarted. */
        pthread_mutex_lock(&supervisor->lock);
    } else if (pthread_mutex_trylock(&supervisor->lock) != 0) {
        pool_supervisor_wake(
            supervisor); /* somebody is at it, but may have looked at the queue already */
        return;
    }
    const bool more = pool_dispatch_quickly(supervisor);
    pool_supervisor_leave(supervisor);
    if (more)
        pool_supervisor_wake(supervisor);
}

static void process_changed(struct pool *pool)
{
    pool_supervisor_wake(pool->backend_data);
}

/* Stop the worker that runs this job. The future is settled here, so that whatever the worker's end
 * brings comes too late.  Returns 0 or -EALREADY. */
static int stop_running_task(struct supervisor *supervisor, struct job *job)
{
    struct pool *pool = supervisor->pool;
    struct remote *remote = job->remote;
    if (!pool_remote_runs(remote, job->slot))
        return -EALREADY; /* its result is on the way, and the worker may be at another task */
    if (!pool_settle(pool, job, -ECANCELED))
        return -EALREADY;
    remote->flights[job->slot % PAGE_SLOTS].cancelled = true;
    pool_timers_stop_for(supervisor, remote, job->slot);
    return 0;
}

/* Is a job that no worker has in the queue again, or has it ended? */
static bool is_queued(struct pool *pool, const struct job *job)
{
    pthread_mutex_lock(&pool->lock);
    const bool queued = job->place == JOB_QUEUED;
    pthread_mutex_unlock(&pool->lock);
    return queued;
}

static int process_cancel(struct pool *pool, struct pool_future *future, bool stop_running)
{
    struct supervisor *supervisor = pool->backend_data;
    struct job *job = &future->job;
    int r;
    bool stopped = false;
    pool_supervisor_enter(supervisor);
    if (!job->remote) {
        r = is_queued(pool, job) ? -EAGAIN : -EALREADY; /* about to be published */
    } else if (pool_remote_take_back(job->remote, job->slot)) {
        job->outcome.code = -ECANCELED;
        pool_supervisor_end(supervisor, job);
        r = 0;
    } else {
        r = stop_running ? stop_running_task(supervisor, job) : -EBUSY;
        stopped = r == 0;
    }
    pool_supervisor_leave(supervisor);
    if (stopped) {
        struct outcome outcome = pool_outcome_of(-ECANCELED);
        pool_publish(pool, future, &outcome);
    }
    if (r == 0)
        pool_supervisor_wake(supervisor); /* there is room, or a worker to be stopped in time */
    return r;
}

static bool process_running(struct pool *pool, struct pool_future *future)
{
    struct supervisor *supervisor = pool->backend_data;
    const struct job *job = &future->job;
    int64_t started_ns;
    pthread_mutex_lock(&supervisor->lock);
    const bool running = job->remote && pool_remote_started(job->remote, job->slot, &started_ns);
    pthread_mutex_unlock(&supervisor->lock);
    return running;
}

/* ---- Numbers ------------------------------------------------------------------------------- */

/* Processor time and resident memory of a process, from /proc; -1 each if it is gone. */
static void look_up_process(struct pool_worker_stats *worker)
{
    char path[64], text[1024];
    unsigned long long user, system;
    long long rss_pages;
    worker->cpu_ms = worker->rss_bytes = -1;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)worker->pid);
    int fd = worker->pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    ssize_t got = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[got > 0 ? got : 0] = '\0';
    const char *behind_name = strrchr(text, ')'); /* the name may contain anything */
    if (!behind_name ||
        sscanf(behind_name + 1,
               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d "
               "%*u %*u %lld",
               &user, &system, &rss_pages) != 3)
        return;
    worker->cpu_ms = (int64_t)((user + system) * 1000 / (unsigned long long)sysconf(_SC_CLK_TCK));
    worker->rss_bytes = rss_pages * sysconf(_SC_PAGESIZE);
}

static struct pool_worker_stats look_at_remote(const struct remote *remote, int64_t now_ns)
{
    struct pool_worker_stats stats = {
        .id = remote->id,
        .pid = remote->pid,
        .state = remote->state != REMOTE_ALIVE ? POOL_WORKER_ENDING
                 : !remote->ready              ? POOL_WORKER_STARTING
                                               : POOL_WORKER_IDLE,
        .tasks = remote->given,
        .age_ms = (now_ns - remote->created_ns) / NS_PER_MS,
    };
    for (uint32_t number = remote->oldest; number != remote->next;
         number = (number + 1) & NUMBER_MASK) {
        const struct job *job = pool_remote_job(remote, number);
        int64_t started_ns;
        if (!job)
            continue;
        if (!stats.task && pool_remote_started(remote, number, &started_ns)) {
            stats.task = job->task->name;
            stats.task_age_ms = (now_ns - started_ns) / NS_PER_MS;
            if (stats.state == POOL_WORKER_IDLE)
                stats.state = POOL_WORKER_BUSY;
        } else {
            stats.tasks--; /* not started */
        }
    }
    return stats;
}

static unsigned process_workers(struct pool *pool, struct pool_worker_stats *ret_workers,
                                size_t room, unsigned *ret_busy)
{
    struct supervisor *supervisor = pool->backend_data;
    const int64_t now_ns = pool_time_now_ns();
    unsigned busy = 0;
    pthread_mutex_lock(&supervisor->lock);
    const unsigned count = supervisor->remote_count;
    for (unsigned i = 0; i < count; i++) {
        const struct pool_worker_stats stats = look_at_remote(supervisor->remotes[i], now_ns);
        busy += stats.task != NULL;
        if (i < room)
            ret_workers[i] = stats;
    }
    pthread_mutex_unlock(&supervisor->lock);
    for (unsigned i = 0; i < count && i < room; i++)
        look_up_process(&ret_workers[i]);
    *ret_busy = busy;
    return count;
}

const struct backend pool_backend_process = {
    .start = process_start,
    .submitted = process_submitted,
    .changed = process_changed,
    .cancel = process_cancel,
    .running = process_running,
    .wait = pool_loan_wait,
    .workers = process_workers,
    .stop = process_stop,
    .abandon = process_abandon,
    .resizable = true,
};
