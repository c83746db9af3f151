/* supervisor_priv.h: the process backend's one thread; private to pool.
 *
 * The supervisor thread owns all there is to know about the workers of a process pool. Nothing
 * below is touched by another thread but the wake-up (wake_fd, wake_pending) and the start's
 * hand-shake (started, start_result). It sleeps in epoll_wait() and is woken by
 *
 *   wake_fd   a job was queued, or the pool was closed or terminated
 *   control   the zygote has forked a worker, could not, or has reaped one; or it is gone
 *   sockets   results; end of file is a worker's end
 *   pidfds    a worker's end, should a grandchild hold its socket open
 *   timers    deadlines, SIGKILL after SIGTERM, retries after a shortage
 *
 * and after each it does again what can be done: hand out jobs, take unstarted ones back for idle
 * workers, let workers go. The rooms: backend_process.c has the thread and its events, dispatch.c
 * decides who works on what, burial.c what becomes of a dead worker's tasks, remote.c knows one
 * worker, zygote_client.c the zygote.
 *
 * End: the pool is closed and has no job left, or it was terminated or broken. Workers are let go
 * (busy ones stopped), each is waited for, then the zygote is ended and reaped, and only then does
 * the thread end: a pool that has been joined has no process. */
#ifndef POOL_SUPERVISOR_PRIV_H
#define POOL_SUPERVISOR_PRIV_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "pool_priv.h"
#include "remote_priv.h"
#include "zygote_client_priv.h"

/* I: fixed after start.  A: atomic.  S: supervisor thread only. */
struct supervisor {
    struct pool *pool; /* I */
    pthread_t thread;  /* I */
    char *program;     /* I: owned; NULL: this program */
    sem_t started;
    int start_result;         /* written before `started` is posted */
    int wake_fd;              /* I: eventfd */
    int epoll_fd;             /* I */
    atomic_bool wake_pending; /* A: somebody has written to wake_fd and it was not yet read */

    struct zygote_client zygote; /* S */
    struct remote **remotes;     /* S: room for pool->workers */
    unsigned remote_count;       /* S */
    uint32_t next_id;            /* S */
    unsigned early_deaths;       /* S: workers that died before they were ready, in a row */
    unsigned spawn_failures;     /* S: in a row */
    unsigned send_failures;      /* S: in a row, for want of descriptors or memory */
    unsigned zygote_deaths;      /* S: in a row */
    int64_t hire_at_ns;          /* S: no worker could be had: try none before; 0 = at any time */
    int64_t send_at_ns;          /* S: a job could not be sent: send none before; 0 = at any time */
    _Alignas(JOB_ALIGN)
        uint8_t message[sizeof(struct wire_result) + WIRE_INLINE_MAX + MESSAGE_BYTES]; /* S */
};

/** What may wake the supervisor; the lower bits of epoll's data, above them the worker's id. */
enum event_kind { EVENT_WAKE, EVENT_CONTROL, EVENT_SOCKET, EVENT_PIDFD, EVENT_KINDS };

int supervisor_watch(struct supervisor *supervisor, int fd, uint32_t events, enum event_kind kind,
                     uint32_t id);

/** No more. Before every close: a host that forks leaves the child a copy of the descriptor, and
 *  the open file behind it would stay watched for ever. */
void supervisor_unwatch(struct supervisor *supervisor, int fd);

/** Be woken again when a full socket is writable, or no more. */
void supervisor_watch_room(struct supervisor *supervisor, struct remote *remote, bool room_wanted);

/* ---- dispatch.c ---------------------------------------------------------------------------- */

/** Hand out queued jobs as far as workers can take them, starting workers up to the pool's limit;
 *  then share what is unstarted with the idle. */
void dispatch(struct supervisor *supervisor);

/** A worker could not be started: try again after a while. The wait doubles from 10 ms to one
 *  second; if no worker is left and trying goes on failing, the pool breaks with the error.
 *  r: why, -errno. */
void dispatch_not_hired(struct supervisor *supervisor, int r);

/* ---- burial.c ------------------------------------------------------------------------------ */

/** Read all that a worker has sent; at end of file it is gone. May bury (free) it. */
void remote_drain(struct supervisor *supervisor, struct remote *remote);

/** The worker has ended and its socket was read empty. May bury it. */
void remote_gone(struct supervisor *supervisor, struct remote *remote);

/** The zygote says how it ended: bury it. */
void remote_exited(struct supervisor *supervisor, struct remote *remote, int wait_status);

/** The zygote could not fork it (positive errno). */
void remote_not_started(struct supervisor *supervisor, struct remote *remote, int error);

/** Do what is due: deadlines, kills, burials without a status.
 *  Returns when to look again; TIME_NEVER if nothing is waiting. */
int64_t timers_run(struct supervisor *supervisor);

/** Nobody ran for a while (the machine or the process group was stopped): that time is not counted
 *  against deadlines. */
void timers_forgive(struct supervisor *supervisor, int64_t pause_ns);

#endif
