/* dispatch.c: who works on what. Part of the supervisor (supervisor_priv.h). */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "supervisor_priv.h"
#include "sync_priv.h"

/* The wait after the first failure, and the longest. */
#define BACK_OFF_MIN_MS 10
#define BACK_OFF_MAX_MS 1000

/* So many failures in a row (about six seconds) while nothing runs whose end could help: what is
 * missing will not come. */
#define FAILURES_MAX 12

static int64_t after_failures(unsigned times)
{
    int64_t wait_ms = BACK_OFF_MIN_MS;
    while (times-- > 0 && wait_ms < BACK_OFF_MAX_MS)
        wait_ms *= 2;
    if (wait_ms > BACK_OFF_MAX_MS)
        wait_ms = BACK_OFF_MAX_MS;
    return time_now_ns() + wait_ms * NS_PER_MS;
}

void dispatch_not_hired(struct supervisor *supervisor, int r)
{
    /* Several that were asked for at once fail for one reason: it is counted once. */
    if (supervisor->hire_at_ns <= time_now_ns())
        supervisor->hire_at_ns = after_failures(supervisor->spawn_failures++);
    if (supervisor->spawn_failures >= FAILURES_MAX && supervisor->remote_count == 0)
        /* -EAGAIN would read as "the queue is full" to those who submit. */
        pool_break(supervisor->pool, r == -EAGAIN ? -ENOMEM : r,
                   "cannot start a worker process: %s", strerror(-r));
}

/* Start one worker more.  Returns it, or NULL when it must wait. */
static struct remote *hire(struct supervisor *supervisor)
{
    struct remote *remote;
    int socket_fd, page_fd;
    int r = remote_create(supervisor->next_id, &remote, &socket_fd, &page_fd);
    if (r == 0) {
        r = supervisor_watch(supervisor, remote->socket_fd, EPOLLIN, EVENT_SOCKET, remote->id);
        if (r == 0)
            r = zygote_client_spawn(&supervisor->zygote, remote->id, socket_fd, page_fd);
        close(socket_fd);
        close(page_fd);
        if (r < 0) {
            supervisor_unwatch(supervisor, remote->socket_fd);
            remote_free(remote);
        }
    }
    if (r < 0) { /* -EPIPE too: the zygote's end will be seen, and it is started anew */
        dispatch_not_hired(supervisor, r);
        return NULL;
    }
    supervisor->next_id++;
    supervisor->remotes[supervisor->remote_count++] = remote;
    return remote;
}

/* The worker with the least to do that takes another task: a ready one before one that starts. */
static struct remote *least_busy(const struct supervisor *supervisor)
{
    struct remote *best = NULL;
    for (unsigned i = 0; i < supervisor->remote_count; i++) {
        struct remote *remote = supervisor->remotes[i];
        if (remote->state != REMOTE_ALIVE || remote->full || remote->flight_count >= PAGE_SLOTS)
            continue;
        if (!best || remote->flight_count < best->flight_count ||
            (remote->flight_count == best->flight_count && remote->ready && !best->ready))
            best = remote;
    }
    return best;
}

static bool work_is_queued(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    const bool queued = pool->queued.count > 0;
    pthread_mutex_unlock(&pool->lock);
    return queued;
}

static bool something_runs(const struct supervisor *supervisor)
{
    for (unsigned i = 0; i < supervisor->remote_count; i++)
        if (supervisor->remotes[i]->flight_count > 0)
            return true;
    return false;
}

/* A job cannot be sent for want of descriptors or memory. Returns false to stop for now. */
static bool not_sent(struct supervisor *supervisor, struct job *job, int r)
{
    struct outcome outcome = OUTCOME_INIT;
    if (++supervisor->send_failures < FAILURES_MAX || something_runs(supervisor)) {
        pool_untake(supervisor->pool, job);
        supervisor->send_at_ns = after_failures(supervisor->send_failures);
        return false;
    }
    supervisor->send_failures = 0;
    outcome.code = r;
    snprintf(outcome.message, sizeof(outcome.message), "cannot be handed to a worker: %s",
             strerror(-r));
    pool_finish(supervisor->pool, job, &outcome);
    return true;
}

/* Give a job that was taken from the queue to a worker.  Returns false to stop for now. */
static bool assign(struct supervisor *supervisor, struct remote *remote, struct job *job)
{
    int r = remote_send(remote, job);
    if (r == 0) {
        supervisor->send_failures = 0;
        return true;
    }
    if (r != -EAGAIN && r != -EPIPE)
        return not_sent(supervisor, job, r);
    remote->full = true;
    if (r == -EAGAIN) /* else it has ended, and end of file is on its way */
        supervisor_watch_room(supervisor, remote, true);
    pool_untake(supervisor->pool, job);
    return true;
}

/* While nothing is queued, let idle workers have what waits behind another's running task. */
static void share(struct supervisor *supervisor)
{
    for (unsigned i = 0; i < supervisor->remote_count; i++) {
        struct remote *loaded = supervisor->remotes[i];
        if (loaded->state != REMOTE_ALIVE || loaded->flight_count < 2)
            continue;
        struct remote *idle = least_busy(supervisor);
        if (!idle || idle->flight_count > 0)
            return;
        struct job *job = NULL;
        for (unsigned slot = 0; slot < PAGE_SLOTS && !job; slot++)
            job = remote_take_back(loaded, slot);
        if (job && !assign(supervisor, idle, job))
            return;
    }
}

void dispatch(struct supervisor *supervisor)
{
    struct pool *pool = supervisor->pool;
    while (supervisor->send_at_ns <= time_now_ns() && work_is_queued(pool)) {
        struct remote *remote = least_busy(supervisor);
        if ((!remote || remote->flight_count > 0) && supervisor->remote_count < pool->workers &&
            supervisor->hire_at_ns <= time_now_ns()) {
            struct remote *hired = hire(supervisor);
            remote = hired ? hired : remote;
        }
        if (!remote)
            return;
        struct job *job = pool_take(pool);
        if (!job || !assign(supervisor, remote, job))
            return;
    }
    share(supervisor);
}
