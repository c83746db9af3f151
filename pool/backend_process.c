/* backend_process.c: workers are processes. This file has the supervisor's thread, what wakes it,
 * and what other threads may do in its place; the design stands in supervisor_priv.h, the protocol
 * in wire_priv.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "context_priv.h"
#include "supervisor_priv.h"
#include "sync_priv.h"

#define SUPERVISOR_NAME   "pool-supervisor"
#define EVENTS_AT_ONCE    64
#define ZYGOTE_DEATHS_MAX 5

/* A sleep that took this much longer than asked: the process was stopped meanwhile. */
#define PAUSE_MIN_NS NS_PER_S

/* ---- The lock, and what is done after it --------------------------------------------------- */

static void enter(struct supervisor *supervisor)
{
    pthread_mutex_lock(&supervisor->lock);
}

static void tell(struct pool *pool, struct later *later)
{
    while (later) {
        struct later *told = later;
        later = told->next;
        pool_log(pool, &told->event);
        free(told);
    }
}

/* Unlock, then do all that was put off: user code may run now. */
static void leave(struct supervisor *supervisor)
{
    struct pool *pool = supervisor->pool;
    struct job *ended = supervisor->ended;
    struct later *later = supervisor->later;
    struct outcome why = supervisor->break_why;
    supervisor->ended = NULL;
    supervisor->ended_end = &supervisor->ended;
    supervisor->later = NULL;
    supervisor->later_end = &supervisor->later;
    supervisor->break_why = pool_outcome_of(0);
    pthread_mutex_unlock(&supervisor->lock);
    tell(pool, later);
    if (why.code != 0)
        pool_break(pool, &why);
    if (ended)
        pool_finish(pool, ended);
}

void pool_supervisor_end(struct supervisor *supervisor, struct job *job)
{
    job->next_ended = NULL;
    *supervisor->ended_end = job;
    supervisor->ended_end = &job->next_ended;
}

void pool_supervisor_say(struct supervisor *supervisor, enum pool_log_kind kind,
                         const struct remote *remote, const char *task, int code,
                         const char *format, ...)
{
    va_list args;
    if (!supervisor->pool->options.log)
        return;
    struct later *later = calloc(1, sizeof(*later));
    if (!later)
        return;
    va_start(args, format);
    vsnprintf(later->message, sizeof(later->message), format, args);
    va_end(args);
    later->event = (struct pool_log_event){
        .kind = kind, .message = later->message, .task = task, .code = code, .exit_status = -1};
    if (remote) {
        later->event.worker_pid = remote->pid;
        if (remote->has_status && WIFSIGNALED(remote->wait_status))
            later->event.signal = WTERMSIG(remote->wait_status);
        if (remote->has_status && WIFEXITED(remote->wait_status))
            later->event.exit_status = WEXITSTATUS(remote->wait_status);
    }
    *supervisor->later_end = later;
    supervisor->later_end = &later->next;
}

void pool_supervisor_break(struct supervisor *supervisor, struct outcome *why)
{
    if (supervisor->break_why.code == 0) {
        supervisor->break_why = *why;
        *why = pool_outcome_of(0);
    }
    pool_outcome_done(why);
}

void pool_supervisor_untake(struct supervisor *supervisor, struct job *job)
{
    struct pool *pool = supervisor->pool;
    pthread_mutex_lock(&pool->lock);
    const bool back = pool_untake_locked(pool, job);
    pthread_mutex_unlock(&pool->lock);
    if (back)
        return;
    job->outcome.code = -ECANCELED; /* or what broke the pool: see pool_finish() */
    pool_supervisor_end(supervisor, job);
}

/* ---- epoll --------------------------------------------------------------------------------- */

int pool_supervisor_watch(struct supervisor *supervisor, int fd, uint32_t events,
                          enum event_kind kind, uint32_t id)
{
    struct epoll_event event = {.events = events, .data.u64 = (uint64_t)id * EVENT_KINDS + kind};
    return epoll_ctl(supervisor->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

void pool_supervisor_unwatch(struct supervisor *supervisor, int fd)
{
    epoll_ctl(supervisor->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

void pool_supervisor_watch_room(struct supervisor *supervisor, struct remote *remote,
                                bool room_wanted)
{
    struct epoll_event event = {
        .events = EPOLLIN | (room_wanted ? (uint32_t)EPOLLOUT : 0),
        .data.u64 = (uint64_t)remote->id * EVENT_KINDS + EVENT_SOCKET,
    };
    epoll_ctl(supervisor->epoll_fd, EPOLL_CTL_MOD, remote->socket_fd, &event);
}

static struct remote *find_remote(const struct supervisor *supervisor, uint32_t id)
{
    for (unsigned i = 0; i < supervisor->remote_count; i++)
        if (supervisor->remotes[i]->id == id)
            return supervisor->remotes[i];
    return NULL; /* buried since */
}

static void wake(struct supervisor *supervisor)
{
    const uint64_t one = 1;
    if (atomic_exchange(&supervisor->wake_pending, true))
        return;
    ssize_t wrote;
    do
        wrote = write(supervisor->wake_fd, &one, sizeof(one));
    while (wrote < 0 && errno == EINTR);
}

/* ---- The zygote ---------------------------------------------------------------------------- */

static int start_zygote(struct supervisor *supervisor)
{
    const struct pool *pool = supervisor->pool;
    int r = pool_zygote_client_start(&supervisor->zygote, supervisor->program, pool->tasks,
                                     pool->depth + 1);
    if (r < 0)
        return r;
    r = pool_supervisor_watch(supervisor, supervisor->zygote.control_fd, EPOLLIN, EVENT_CONTROL, 0);
    if (r < 0)
        pool_zygote_client_stop(&supervisor->zygote);
    return r;
}

/* Its workers die with it. What they had started is lost, the rest goes back to the queue; then a
 * new one is started. */
static void zygote_lost(struct supervisor *supervisor)
{
    pool_supervisor_unwatch(supervisor, supervisor->zygote.control_fd);
    pool_zygote_client_stop(&supervisor->zygote);
    for (unsigned i = supervisor->remote_count; i-- > 0;) {
        struct remote *remote = supervisor->remotes[i];
        remote->orphan = true;
        if (remote->state == REMOTE_DEAD)
            remote->give_up_ns = 0;
        else
            pool_remote_kill(remote);
    }
    int r =
        ++supervisor->zygote_deaths > ZYGOTE_DEATHS_MAX ? -EOWNERDEAD : start_zygote(supervisor);
    if (r < 0) {
        struct outcome why = pool_outcome_of(r);
        pool_outcome_say(&why,
                         "the process that starts workers died and cannot be started again: %s",
                         strerror(-r));
        pool_supervisor_break(supervisor, &why);
    }
}

static void spawned(struct supervisor *supervisor, struct remote *remote, pid_t pid,
                    struct wire_fds *fds)
{
    if (fds->count != 1) { /* no descriptor left to receive it with: nobody could stop this one */
        remote->pid = pid;
        pool_remote_kill(remote);
        pool_zygote_client_kill(&supervisor->zygote, remote->id);
        return;
    }
    pool_remote_spawned(remote, pid, fds->fds[0]);
    fds->count = 0;                   /* taken */
    if (remote->state == REMOTE_DEAD) /* it closed its socket before we heard of it */
        pool_remote_kill(remote);
    else if (pool_supervisor_watch(supervisor, remote->pidfd, EPOLLIN, EVENT_PIDFD, remote->id) < 0)
        pool_remote_kill(remote);
}

static void serve_control(struct supervisor *supervisor)
{
    struct wire_control message;
    struct wire_fds fds;
    for (;;) {
        ssize_t got =
            pool_wire_receive(supervisor->zygote.control_fd, &message, sizeof(message), &fds);
        if (got == -EAGAIN)
            return;
        if (got != (ssize_t)sizeof(message)) {
            if (got > 0)
                pool_wire_fds_done(&fds);
            zygote_lost(supervisor);
            return;
        }
        struct remote *remote = find_remote(supervisor, message.worker_id);
        if (remote && message.type == WIRE_SPAWNED)
            spawned(supervisor, remote, message.pid, &fds);
        else if (remote && message.type == WIRE_FAILED)
            pool_remote_not_started(supervisor, remote, message.value);
        else if (remote && message.type == WIRE_EXITED)
            pool_remote_exited(supervisor, remote, message.value);
        pool_wire_fds_done(&fds);
    }
}

/* ---- The thread ---------------------------------------------------------------------------- */

static void serve_wake(struct supervisor *supervisor)
{
    uint64_t count;
    /* Read, then cleared, then the queue is looked at. A wake-up before the clearing need not
     * write again, because the look is yet to come; one after it will. The other order would
     * swallow the write of a wake-up in between and leave the flag set for ever. */
    while (read(supervisor->wake_fd, &count, sizeof(count)) < 0 && errno == EINTR)
        continue;
    atomic_store(&supervisor->wake_pending, false);
}

static void serve_event(struct supervisor *supervisor, const struct epoll_event *event)
{
    const enum event_kind kind = (enum event_kind)(event->data.u64 % EVENT_KINDS);
    const uint32_t id = (uint32_t)(event->data.u64 / EVENT_KINDS);
    if (kind == EVENT_WAKE) {
        serve_wake(supervisor);
        return;
    }
    if (kind == EVENT_CONTROL) {
        if (supervisor->zygote.control_fd >= 0)
            serve_control(supervisor);
        return;
    }
    struct remote *remote = find_remote(supervisor, id);
    if (!remote || remote->state == REMOTE_DEAD)
        return;
    if (event->events & EPOLLOUT) {
        remote->full = false;
        pool_supervisor_watch_room(supervisor, remote, false);
    }
    if (kind == EVENT_PIDFD || event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        pool_remote_drain(supervisor, remote, kind == EVENT_PIDFD);
    remote = kind == EVENT_PIDFD ? find_remote(supervisor, id) : NULL;
    if (remote)
        pool_remote_gone(supervisor, remote);
}

struct view {
    enum pool_state state;
    bool broken, busy;
};

static struct view look_at(struct supervisor *supervisor)
{
    struct pool *pool = supervisor->pool;
    pthread_mutex_lock(&pool->lock);
    const struct view view = {
        .state = pool->state,
        .broken = pool->broken.code != 0 || supervisor->break_why.code != 0,
        .busy = pool->queue.count > 0 || pool->held.count > 0,
    };
    pthread_mutex_unlock(&pool->lock);
    return view;
}

/* Do all that can be done without waiting.  Returns false when the pool's time is over. */
static bool work(struct supervisor *supervisor)
{
    struct view view = look_at(supervisor);
    if (view.state != POOL_TERMINATED && !view.broken) {
        pool_staff_review(supervisor);
        pool_dispatch(supervisor);
        view = look_at(supervisor); /* it may have broken the pool, or finished a job */
        if (!view.broken && (view.state == POOL_OPEN || (view.state == POOL_CLOSED && view.busy)))
            return true;
    }
    for (unsigned i = 0; i < supervisor->remote_count; i++) {
        struct remote *remote = supervisor->remotes[i];
        if (remote->flying > 0) {
            pool_dispatch_recall(supervisor, remote);
            pool_remote_stop(remote);
        } else
            pool_remote_dismiss(remote);
    }
    return supervisor->remote_count > 0 || supervisor->ended || supervisor->later ||
           look_at(supervisor).busy || supervisor->break_why.code != 0;
}

static int sleep_ms(struct supervisor *supervisor, int64_t now_ns)
{
    const int64_t until_ns = pool_timers_run(supervisor);
    if (until_ns == TIME_NEVER)
        return -1;
    const int64_t wait_ms = until_ns <= now_ns ? 0 : (until_ns - now_ns) / NS_PER_MS + 1;
    return wait_ms < INT32_MAX ? (int)wait_ms : INT32_MAX;
}

/* Unlock, sleep until something happens, lock again and serve it. */
static void wait_and_serve(struct supervisor *supervisor)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int64_t before_ns = pool_time_now_ns();
    const int timeout_ms = sleep_ms(supervisor, before_ns);
    leave(supervisor);
    before_ns = pool_time_now_ns(); /* callbacks may have taken their time */
    int count = epoll_wait(supervisor->epoll_fd, events, EVENTS_AT_ONCE, timeout_ms);
    enter(supervisor);
    if (timeout_ms >= 0) {
        const int64_t late_ns = pool_time_now_ns() - before_ns - timeout_ms * NS_PER_MS;
        if (late_ns > PAUSE_MIN_NS)
            pool_timers_forgive(supervisor, late_ns);
    }
    for (int i = 0; i < count; i++)
        serve_event(supervisor, &events[i]);
}

static void *supervisor_main(void *data)
{
    struct supervisor *supervisor = data;
    struct pool *pool = supervisor->pool;
    struct pool_context context = {.pool = pool, .supervisor = true};
    /* Here and not in pool_create(): the kernel ties the zygote's life to the thread that starts
     * it, and this one lives as long as the pool. */
    const int r = start_zygote(supervisor);
    supervisor->start_result = r;
    sem_post(&supervisor->started); /* with an error, the supervisor is freed from here on */
    if (r < 0)
        return NULL;
    pool_context_push(&context);
    enter(supervisor);
    while (work(supervisor))
        wait_and_serve(supervisor);
    pool_zygote_client_stop(&supervisor->zygote);
    leave(supervisor);
    pool_context_pop(&context);
    pool_thread_ended(pool);
    return NULL;
}

/* ---- Start and stop ------------------------------------------------------------------------ */

static void supervisor_free(struct supervisor *supervisor)
{
    if (supervisor->wake_fd >= 0)
        close(supervisor->wake_fd);
    if (supervisor->epoll_fd >= 0)
        close(supervisor->epoll_fd);
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
    r = supervisor->epoll_fd < 0 || supervisor->wake_fd < 0 ? -errno : 0;
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
    if (r < 0)
        return r;
    pool->backend_data = supervisor;
    pool->live = 1;
    r = pool_thread_start(&supervisor->thread, SUPERVISOR_NAME, supervisor_main, supervisor);
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
    if (pool->completion_fd >= 0)
        close(pool->completion_fd);
}

/* ---- In other threads ---------------------------------------------------------------------- */

static void process_submitted(struct pool *pool)
{
    struct supervisor *supervisor = pool->backend_data;
    if (pthread_mutex_trylock(&supervisor->lock) != 0) {
        wake(supervisor); /* somebody is at it, but may have looked at the queue already */
        return;
    }
    const bool more = pool_dispatch_quickly(supervisor);
    leave(supervisor);
    if (more)
        wake(supervisor);
}

static void process_changed(struct pool *pool)
{
    wake(pool->backend_data);
}

/* Stop the worker that runs this job. The future is settled here, so that whatever the worker's end
 * brings comes too late. Returns 0 or -EALREADY. */
static int stop_running_task(struct supervisor *supervisor, struct job *job)
{
    struct pool *pool = supervisor->pool;
    struct remote *remote = job->remote;
    pthread_mutex_lock(&pool->lock);
    const bool ours = pool_settle_locked(pool, job, -ECANCELED);
    pthread_mutex_unlock(&pool->lock);
    if (!ours)
        return -EALREADY;
    remote->flights[job->slot % PAGE_SLOTS].cancelled = true;
    pool_timers_stop_for(supervisor, remote, job->slot);
    return 0;
}

static int process_cancel(struct pool *pool, struct pool_future *future, bool stop_running)
{
    struct supervisor *supervisor = pool->backend_data;
    struct job *job = &future->job;
    int r = -EALREADY; /* it has ended, and is about to be published */
    bool stopped = false;
    enter(supervisor);
    if (job->remote && pool_remote_take_back(job->remote, job->slot)) {
        job->outcome.code = -ECANCELED;
        pool_supervisor_end(supervisor, job);
        r = 0;
    } else if (job->remote) {
        r = stop_running ? stop_running_task(supervisor, job) : -EBUSY;
        stopped = r == 0;
    }
    leave(supervisor);
    if (stopped) {
        struct outcome outcome = pool_outcome_of(-ECANCELED);
        pool_publish(pool, future, &outcome);
    }
    if (r == 0)
        wake(supervisor); /* there is room, or a worker to be stopped in time */
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
    .workers = process_workers,
    .stop = process_stop,
    .abandon = process_abandon,
    .resizable = true,
};
