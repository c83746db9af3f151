/* supervisor.c: the supervisor's lock, its thread, and what wakes it. The design stands in
 * supervisor_priv.h, the protocol in wire_priv.h. */
#include "supervisor_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "context_priv.h"
#include "sync_priv.h"

#define EVENTS_AT_ONCE    64
#define ZYGOTE_DEATHS_MAX 5

/* ---- The lock, and what is done after it --------------------------------------------------- */

void pool_supervisor_enter(struct supervisor *supervisor)
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

void pool_supervisor_leave(struct supervisor *supervisor)
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

void pool_supervisor_watch_socket(struct supervisor *supervisor, const struct remote *remote)
{
    const bool lent = supervisor->loan && supervisor->loan->remote == remote;
    struct epoll_event event = {
        .events = (lent ? 0 : (uint32_t)EPOLLIN) | (remote->full ? (uint32_t)EPOLLOUT : 0),
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

void pool_supervisor_wake(struct supervisor *supervisor)
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
    const struct zygote_role role = {.depth = pool->depth + 1};
    int r = pool_zygote_client_start(&supervisor->zygote, supervisor->program, pool->tasks, role);
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
    fds->count = 0;                     /* taken */
    if (remote->state == REMOTE_DEAD || /* it closed its socket before we heard of it */
        pool_supervisor_watch(supervisor, remote->pidfd, EPOLLIN, EVENT_PIDFD, remote->id) < 0)
        pool_remote_kill(remote);
}

/* Also of one that was buried before its end was told. */
static void keep_peak(struct supervisor *supervisor, int64_t rss_peak_bytes)
{
    struct pool *pool = supervisor->pool;
    pthread_mutex_lock(&pool->lock);
    if (rss_peak_bytes > pool->counts.rss_peak_bytes)
        pool->counts.rss_peak_bytes = rss_peak_bytes;
    pthread_mutex_unlock(&pool->lock);
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
        if (message.type == WIRE_EXITED)
            keep_peak(supervisor, message.rss_peak_bytes);
        struct remote *remote = find_remote(supervisor, message.worker_id);
        if (!remote && message.type == WIRE_SPAWNED) /* buried before it was heard of */
            pool_zygote_client_kill(&supervisor->zygote, message.worker_id);
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
        pool_supervisor_watch_socket(supervisor, remote);
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
        } else {
            const bool in_peace = view.state == POOL_CLOSED && !view.broken;
            pool_remote_dismiss(remote, in_peace ? LEAVE_MS : GRACE_MS);
        }
    }
    return supervisor->remote_count > 0 || supervisor->ended || supervisor->break_why.code != 0 ||
           look_at(supervisor).busy;
}

/* How long to sleep, in milliseconds; -1: until something happens. */
static int sleep_ms(struct supervisor *supervisor, int64_t now_ns)
{
    const struct view view = look_at(supervisor);
    const int64_t until_ns = pool_timers_run(supervisor);
    /* What is about to be published may be the last, and then there is nothing to wait for. */
    if ((view.state != POOL_OPEN || view.broken) &&
        (supervisor->ended || supervisor->break_why.code != 0))
        return 0;
    if (until_ns == TIME_NEVER)
        return -1;
    const int64_t wait_ms = until_ns <= now_ns ? 0 : (until_ns - now_ns) / NS_PER_MS + 1;
    return wait_ms < INT32_MAX ? (int)wait_ms : INT32_MAX;
}

/* Unlock, sleep until something happens, lock again and serve it. */
static void wait_and_serve(struct supervisor *supervisor)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    const int timeout_ms = sleep_ms(supervisor, pool_time_now_ns());
    pool_supervisor_leave(supervisor);
    int count = epoll_wait(supervisor->epoll_fd, events, EVENTS_AT_ONCE, timeout_ms);
    pool_supervisor_enter(supervisor);
    for (int i = 0; i < count; i++)
        serve_event(supervisor, &events[i]);
}

void *pool_supervisor_main(void *data)
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
    pool_supervisor_enter(supervisor);
    while (work(supervisor))
        wait_and_serve(supervisor);
    pool_zygote_client_stop(&supervisor->zygote);
    pool_supervisor_leave(supervisor);
    pool_context_pop(&context);
    pool_thread_ended(pool);
    return NULL;
}
