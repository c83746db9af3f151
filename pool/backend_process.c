/* backend_process.c: workers are processes. This file has the supervisor's thread and what wakes
 * it; the design stands in supervisor_priv.h, the protocol in wire_priv.h. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "supervisor_priv.h"
#include "sync_priv.h"

#define SUPERVISOR_NAME   "pool-supervisor"
#define EVENTS_AT_ONCE    64
#define ZYGOTE_DEATHS_MAX 5

/* A sleep that took this much longer than asked: the process was stopped meanwhile. */
#define PAUSE_MIN_NS NS_PER_S

/* ---- epoll --------------------------------------------------------------------------------- */

int supervisor_watch(struct supervisor *supervisor, int fd, uint32_t events, enum event_kind kind,
                     uint32_t id)
{
    struct epoll_event event = {.events = events, .data.u64 = (uint64_t)id * EVENT_KINDS + kind};
    return epoll_ctl(supervisor->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

void supervisor_unwatch(struct supervisor *supervisor, int fd)
{
    epoll_ctl(supervisor->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

void supervisor_watch_room(struct supervisor *supervisor, struct remote *remote, bool room_wanted)
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

/* ---- The zygote ---------------------------------------------------------------------------- */

static int start_zygote(struct supervisor *supervisor)
{
    int r = zygote_client_start(&supervisor->zygote, supervisor->program, supervisor->pool->tasks);
    if (r < 0)
        return r;
    r = supervisor_watch(supervisor, supervisor->zygote.control_fd, EPOLLIN, EVENT_CONTROL, 0);
    if (r < 0)
        zygote_client_stop(&supervisor->zygote);
    return r;
}

/* Its workers die with it. What they had started is lost, the rest goes back to the queue; then a
 * new one is started. */
static void zygote_lost(struct supervisor *supervisor)
{
    supervisor_unwatch(supervisor, supervisor->zygote.control_fd);
    zygote_client_stop(&supervisor->zygote);
    for (unsigned i = supervisor->remote_count; i-- > 0;) {
        struct remote *remote = supervisor->remotes[i];
        remote->orphan = true;
        if (remote->state == REMOTE_DEAD)
            remote->give_up_ns = 0;
        else
            remote_kill(remote);
    }
    int r =
        ++supervisor->zygote_deaths > ZYGOTE_DEATHS_MAX ? -EOWNERDEAD : start_zygote(supervisor);
    if (r < 0)
        pool_break(supervisor->pool, r,
                   "the process that starts workers died and cannot be "
                   "started again: %s",
                   strerror(-r));
}

static void spawned(struct supervisor *supervisor, struct remote *remote, pid_t pid,
                    struct wire_fds *fds)
{
    if (fds->count != 1) { /* no descriptor left to receive it with: nobody could stop this one */
        remote->pid = pid;
        remote_kill(remote);
        zygote_client_kill(&supervisor->zygote, remote->id);
        return;
    }
    remote_spawned(remote, pid, fds->fds[0]);
    fds->count = 0;                   /* taken */
    if (remote->state == REMOTE_DEAD) /* it closed its socket before we heard of it */
        remote_kill(remote);
    else if (supervisor_watch(supervisor, remote->pidfd, EPOLLIN, EVENT_PIDFD, remote->id) < 0)
        remote_kill(remote);
}

static void serve_control(struct supervisor *supervisor)
{
    struct wire_control message;
    struct wire_fds fds;
    for (;;) {
        ssize_t got = wire_receive(supervisor->zygote.control_fd, &message, sizeof(message), &fds);
        if (got == -EAGAIN)
            return;
        if (got != (ssize_t)sizeof(message)) {
            if (got > 0)
                wire_fds_done(&fds);
            zygote_lost(supervisor);
            return;
        }
        struct remote *remote = find_remote(supervisor, message.worker_id);
        if (remote && message.type == WIRE_SPAWNED)
            spawned(supervisor, remote, message.pid, &fds);
        else if (remote && message.type == WIRE_FAILED)
            remote_not_started(supervisor, remote, message.value);
        else if (remote && message.type == WIRE_EXITED)
            remote_exited(supervisor, remote, message.value);
        wire_fds_done(&fds);
    }
}

/* ---- The thread ---------------------------------------------------------------------------- */

static void serve_event(struct supervisor *supervisor, const struct epoll_event *event)
{
    const enum event_kind kind = (enum event_kind)(event->data.u64 % EVENT_KINDS);
    uint64_t count;
    if (kind == EVENT_WAKE) {
        /* Read, then cleared, then the queue is looked at. A wake-up before the clearing need not
         * write again, because the look is yet to come; one after it will. The other order would
         * swallow the write of a wake-up in between and leave the flag set for ever. */
        while (read(supervisor->wake_fd, &count, sizeof(count)) < 0 && errno == EINTR)
            continue;
        atomic_store(&supervisor->wake_pending, false);
        return;
    }
    if (kind == EVENT_CONTROL) {
        if (supervisor->zygote.control_fd >= 0)
            serve_control(supervisor);
        return;
    }
    const uint32_t id = (uint32_t)(event->data.u64 / EVENT_KINDS);
    struct remote *remote = find_remote(supervisor, id);
    if (!remote || remote->state == REMOTE_DEAD)
        return;
    if (event->events & EPOLLOUT) {
        remote->full = false;
        supervisor_watch_room(supervisor, remote, false);
    }
    if (kind == EVENT_PIDFD || event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        remote_drain(supervisor, remote);
    remote = kind == EVENT_PIDFD ? find_remote(supervisor, id) : NULL;
    if (remote)
        remote_gone(supervisor, remote);
}

struct view {
    enum pool_state state;
    bool broken, busy;
};

static struct view look_at(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    const struct view view = {
        .state = pool->state,
        .broken = pool->broken<0, .busy = pool->queued.count> 0 || pool->running.count > 0,
    };
    pthread_mutex_unlock(&pool->lock);
    return view;
}

/* Do all that can be done without waiting.  Returns false when the pool's time is over. */
static bool work(struct supervisor *supervisor)
{
    struct view view = look_at(supervisor->pool);
    if (view.state != POOL_TERMINATED && !view.broken) {
        dispatch(supervisor);
        view = look_at(supervisor->pool); /* it may have broken the pool, or finished a job */
        if (!view.broken && (view.state == POOL_OPEN || (view.state == POOL_CLOSED && view.busy)))
            return true;
    }
    for (unsigned i = 0; i < supervisor->remote_count; i++) {
        struct remote *remote = supervisor->remotes[i];
        if (remote->flight_count > 0)
            remote_stop(remote);
        else
            remote_dismiss(remote);
    }
    return supervisor->remote_count > 0 || look_at(supervisor->pool).busy;
}

static void wait_and_serve(struct supervisor *supervisor, int64_t until_ns)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    const int64_t before_ns = time_now_ns();
    int timeout_ms = -1;
    if (until_ns != TIME_NEVER) {
        int64_t wait_ms = until_ns <= before_ns ? 0 : (until_ns - before_ns) / NS_PER_MS + 1;
        timeout_ms = wait_ms < INT32_MAX ? (int)wait_ms : INT32_MAX;
    }
    int count = epoll_wait(supervisor->epoll_fd, events, EVENTS_AT_ONCE, timeout_ms);
    if (timeout_ms >= 0) {
        const int64_t late_ns = time_now_ns() - before_ns - timeout_ms * NS_PER_MS;
        if (late_ns > PAUSE_MIN_NS)
            timers_forgive(supervisor, late_ns);
    }
    for (int i = 0; i < count; i++)
        serve_event(supervisor, &events[i]);
}

static void *supervisor_main(void *data)
{
    struct supervisor *supervisor = data;
    struct pool *pool = supervisor->pool;
    /* Here and not in pool_create(): the kernel ties the zygote's life to the thread that starts
     * it, and this one lives as long as the pool. */
    const int r = start_zygote(supervisor);
    supervisor->start_result = r;
    sem_post(&supervisor->started); /* with an error, the supervisor is freed from here on */
    if (r < 0)
        return NULL;
    while (work(supervisor))
        wait_and_serve(supervisor, timers_run(supervisor));
    zygote_client_stop(&supervisor->zygote);
    pool_thread_ended(pool);
    return NULL;
}

/* ---- The backend --------------------------------------------------------------------------- */

static void supervisor_free(struct supervisor *supervisor)
{
    if (supervisor->wake_fd >= 0)
        close(supervisor->wake_fd);
    if (supervisor->epoll_fd >= 0)
        close(supervisor->epoll_fd);
    sem_destroy(&supervisor->started);
    free(supervisor->remotes);
    free(supervisor->program);
    free(supervisor);
}

static int supervisor_create(struct pool *pool, const char *program, struct supervisor **ret)
{
    struct supervisor *supervisor = calloc(1, sizeof(*supervisor));
    if (!supervisor)
        return -ENOMEM;
    supervisor->pool = pool;
    supervisor->zygote = (struct zygote_client)ZYGOTE_CLIENT_INIT;
    supervisor->epoll_fd = -1;
    supervisor->wake_fd = -1;
    sem_init(&supervisor->started, 0, 0); /* cannot fail with these values */
    int r = -ENOMEM;
    supervisor->remotes = calloc(pool->workers, sizeof(supervisor->remotes[0]));
    supervisor->program = program ? strdup(program) : NULL;
    if (!supervisor->remotes || (program && !supervisor->program))
        goto out;
    supervisor->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    supervisor->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = supervisor->epoll_fd < 0 || supervisor->wake_fd < 0 ? -errno : 0;
    if (r == 0)
        r = supervisor_watch(supervisor, supervisor->wake_fd, EPOLLIN, EVENT_WAKE, 0);
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
    struct supervisor *supervisor;
    int r = supervisor_create(pool, worker_program, &supervisor);
    if (r < 0)
        return r;
    pool->backend_data = supervisor;
    pool->live = 1;
    r = thread_start(&supervisor->thread, SUPERVISOR_NAME, supervisor_main, supervisor);
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

static void process_submitted(struct pool *pool, struct job *job)
{
    (void)job;
    wake(pool->backend_data);
}

static void process_state_changed(struct pool *pool)
{
    wake(pool->backend_data);
}

static void process_stop(struct pool *pool)
{
    struct supervisor *supervisor = pool->backend_data;
    pthread_join(supervisor->thread, NULL);
    supervisor_free(supervisor);
}

const struct backend backend_process = {
    .start = process_start,
    .submitted = process_submitted,
    .state_changed = process_state_changed,
    .stop = process_stop,
};
