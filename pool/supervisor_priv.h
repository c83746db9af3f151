/* supervisor_priv.h: the process backend's one thread and what it owns; private to pool.
 *
 * The supervisor owns all there is to know about the workers of a process pool. Its lock is held by
 * whoever acts as supervisor at the moment: nearly always its own thread, from the time it wakes
 * until it sleeps again. While it sleeps, a thread that submits may take its place for as long as
 * it takes to put the job on an idle worker's page (pool_dispatch_quickly), which saves a change of
 * threads; and one that cancels, or asks for numbers, looks things up. Nobody waits while holding
 * the lock (but for a zygote that has to be started again), and no user code runs under it: what is
 * to be told (results, log events, a break) is collected in `ended` and `later` and done after
 * unlocking.
 *
 * The thread sleeps in epoll_wait() and is woken by
 *
 *   wake_fd   there is work for it: a job was queued, the pool was closed, terminated or resized
 *   control   the zygote has forked a worker, could not, or has reaped one; or it is gone
 *   sockets   bells and results; end of file is a worker's end
 *   pidfds    a worker's end, should a grandchild hold its socket open
 *   timers    deadlines, SIGKILL after SIGTERM, retries after a shortage, age and idleness, a look
 *             at busy workers' memory
 *
 * and after each it does again what can be done: hand out jobs, take unstarted ones back for idle
 * workers or for a higher priority, let workers go. The rooms: supervisor.c has the thread and its
 * events, dispatch.c decides who works on what, staff.c how many workers there are and which
 * have served long enough, memory.c looks at their memory, burial.c says what becomes of a dead
 * worker's tasks, timers.c what is due, remote.c knows one worker, loan.c lets a waiter listen to
 * one, zygote_client.c is the zygote's other end.
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

/** A log event that waits until the lock is free. */
struct later {
    struct later *next;
    struct pool_log_event event; /* its message is `message` */
    char message[MESSAGE_BYTES];
};

/** A worker's socket in the hands of a waiter (loan.c). */
struct loan {
    struct remote *remote; /* S: NULL: buried since */
    int fd;                /* its socket */
};

/* I: fixed after start.  A: atomic.  S: under its lock. */
/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): there is one in a pool. */
struct supervisor {
    struct pool *pool; /* I */
    pthread_t thread;  /* I */
    char *program;     /* I: owned; NULL: this program */
    sem_t started;
    int start_result;         /* written before `started` is posted */
    int wake_fd;              /* I: eventfd */
    int epoll_fd;             /* I */
    int loan_fd;              /* I: eventfd: wakes a borrower */
    atomic_bool wake_pending; /* A: somebody has written to wake_fd and it was not yet read */

    pthread_mutex_t lock;
    struct zygote_client zygote; /* S */
    struct loan *loan;           /* S: NULL: none */
    struct remote **remotes;     /* S */
    unsigned remote_count;       /* S */
    unsigned remote_room;        /* S: of remotes */
    uint32_t next_id;            /* S */
    uint32_t *cost_ns;           /* S: what a run of each task takes, lately; 0: not known */

    bool needs_timers;              /* S: what was handed out has a deadline, or its memory is to
                                     * be watched: the thread has to set its alarm */
    bool memory_watched;            /* S: its alarm is set for that */
    int64_t memory_at_ns;           /* S: the next look at busy workers' memory, not before */
    unsigned spawn_failures;        /* S: in a row */
    unsigned send_failures;         /* S: in a row, for want of descriptors or memory */
    unsigned zygote_deaths;         /* S: in a row */
    int64_t looked_ns;              /* S: timers were looked at */
    int64_t hire_at_ns;             /* S: no worker could be had: try none before; 0 = any time */
    int64_t send_at_ns;             /* S: a job could not be sent: send none before; 0 = any time */
    struct job *ended, **ended_end; /* S: to be finished after unlocking */
    struct later *later, **later_end; /* S: to be told after unlocking */
    unsigned start_failures;          /* S: workers in a row that were not ready */
    struct outcome break_why;         /* S: code 0, or the pool is to be broken after unlocking */
    _Alignas(JOB_ALIGN) uint8_t
        message[sizeof(struct wire_result) + WIRE_INLINE_MAX + MESSAGE_BYTES + WHERE_BYTES]; /* S */
};

/** What may wake the supervisor; the lower bits of epoll's data, above them the worker's id. */
enum event_kind { EVENT_WAKE, EVENT_CONTROL, EVENT_SOCKET, EVENT_PIDFD, EVENT_KINDS };

/** Become supervisor: take the lock. Stop being it: unlock, and then do all that was put off, which
 *  may run user code. */
void pool_supervisor_enter(struct supervisor *supervisor);
void pool_supervisor_leave(struct supervisor *supervisor);

/** Have the thread look at everything again. Any thread, with or without the lock. */
void pool_supervisor_wake(struct supervisor *supervisor);

/** The thread. data: the supervisor, whose start it reports by `started` and start_result. */
void *pool_supervisor_main(void *data);

/* Everything below is called with the supervisor's lock held. */

int pool_supervisor_watch(struct supervisor *supervisor, int fd, uint32_t events,
                          enum event_kind kind, uint32_t id);

/** No more. Before every close: a host that forks leaves the child a copy of the descriptor, and
 *  the open file behind it would stay watched for ever. */
void pool_supervisor_unwatch(struct supervisor *supervisor, int fd);

/** Watch a worker's socket for what it should be watched for: results, unless it is lent; and room,
 *  while it is full. */
void pool_supervisor_watch_socket(struct supervisor *supervisor, const struct remote *remote);

/** A job has ended, with job->outcome: finish it after unlocking. */
void pool_supervisor_end(struct supervisor *supervisor, struct job *job);

/** Tell the host after unlocking; without memory for it, it is not told.
 *  remote: the worker concerned, or NULL; its status is told if it is known.  task: or NULL. */
void pool_supervisor_say(struct supervisor *supervisor, enum pool_log_kind kind,
                         const struct remote *remote, const char *task, int code,
                         const char *format, ...) __attribute__((format(printf, 6, 7)));

/** Break the pool after unlocking. The first call counts.  why: consumed. */
void pool_supervisor_break(struct supervisor *supervisor, struct outcome *why);

/** Move a taken job back to the queue's front; or end it, if nobody would take it again. */
void pool_supervisor_untake(struct supervisor *supervisor, struct job *job);

/* ---- dispatch.c ---------------------------------------------------------------------------- */

/** Hand out queued jobs as far as workers can take them, starting workers up to the pool's limit;
 *  then share what is unstarted with the idle. */
void pool_dispatch(struct supervisor *supervisor);

/** For a thread that submits: hand out what needs no more than a place on a ready worker's page.
 *  Returns whether the supervisor thread has more to do. */
bool pool_dispatch_quickly(struct supervisor *supervisor);

/** Is work waiting behind a task that seems to take long, with a worker idle? Then share it.
 *  Returns when to look again; TIME_NEVER if there is nothing to share. */
int64_t pool_dispatch_share(struct supervisor *supervisor, int64_t now_ns);

/** Take back all that a worker has not started. */
void pool_dispatch_recall(struct supervisor *supervisor, struct remote *remote);

/** ... but for the task of that number. */
void pool_dispatch_recall_but(struct supervisor *supervisor, struct remote *remote,
                              uint32_t number);

/** How long a job took: for the estimate. */
void pool_dispatch_learn(struct supervisor *supervisor, const struct job *job, uint64_t ran_ns);

/* ---- staff.c ------------------------------------------------------------------------------- */

/** Start one worker more.  Returns it, or NULL when it must wait. */
struct remote *pool_staff_hire(struct supervisor *supervisor);

/** May a worker be started now? */
bool pool_staff_may_hire(const struct supervisor *supervisor);

/** A worker could not be started: try again after a while. The wait doubles from 10 ms to one
 *  second; if no worker is left and trying goes on failing, the pool breaks with the error.
 *  r: why, -errno. */
void pool_staff_not_hired(struct supervisor *supervisor, int r);

/** A worker was not ready: count it, and break the pool if there were too many in a row.
 *  why: consumed. */
void pool_staff_start_failed(struct supervisor *supervisor, const struct remote *remote,
                             struct outcome *why);

/** Start those of workers_min that are missing; retire the worn and the surplus; let go of those
 *  that have nothing left to do. */
void pool_staff_review(struct supervisor *supervisor);

/** Give it no more tasks, and take back what it has not started; it leaves when it has none.
 *  worn: because of its tasks, age or memory. */
void pool_staff_retire(struct supervisor *supervisor, struct remote *remote, bool worn);

/** When pool_staff_review() has something to do next. */
int64_t pool_staff_next_ns(const struct supervisor *supervisor);

/** The time to try again after so many failures. */
int64_t pool_staff_after_failures(unsigned times);
#define FAILURES_MAX 12

/* ---- memory.c ------------------------------------------------------------------------------ */

/** A worker has done a task: retire it if its memory has grown too large. */
void pool_memory_check(struct supervisor *supervisor, struct remote *remote);

/** Kill busy workers above rss_limit_bytes.
 *  Returns when to look again; TIME_NEVER if nobody is busy, or there is no limit. */
int64_t pool_memory_watch(struct supervisor *supervisor, int64_t now_ns);

/** There is a limit, and the thread does not yet wake for it. */
bool pool_memory_needs_watch(const struct supervisor *supervisor);

/** What a task did that was stopped for its memory, for people. */
void pool_memory_describe(const struct supervisor *supervisor, int64_t rss_bytes, char *text,
                          size_t size_bytes);
#define MEMORY_WORDS_BYTES 128

/* ---- burial.c ------------------------------------------------------------------------------ */

/** Read what a worker has sent; at end of file it is gone. May bury (free) it.
 *  to_the_end: all of it, now; else the rest may be left to the next event. */
void pool_remote_drain(struct supervisor *supervisor, struct remote *remote, bool to_the_end);

/** The worker has ended and its socket was read empty. May bury it. */
void pool_remote_gone(struct supervisor *supervisor, struct remote *remote);

/** The zygote says how it ended: bury it. */
void pool_remote_exited(struct supervisor *supervisor, struct remote *remote, int wait_status);

/** The zygote could not fork it (positive errno). */
void pool_remote_not_started(struct supervisor *supervisor, struct remote *remote, int error);

/** Its exit status has been waited for long enough. */
void pool_remote_bury(struct supervisor *supervisor, struct remote *remote);

/* ---- loan.c -------------------------------------------------------------------------------- */

/** Wait for a future by listening to the worker that runs it; without the lock.
 *  Returns 0 when it is done, -ETIMEDOUT, -errno, or 1: it cannot be done that way. */
int pool_loan_wait(struct pool *pool, struct pool_future *future, int64_t until_ns);

/* ---- timers.c ------------------------------------------------------------------------------ */

/** Do what is due: deadlines, looks at memory, kills, burials without a status.
 *  Returns when to look again; TIME_NEVER if nothing is waiting. */
int64_t pool_timers_run(struct supervisor *supervisor);

/** Stop a worker because of one of its tasks, if that still runs. What it has not started is taken
 *  back first, or it might be started within the grace and die for another's sake. */
void pool_timers_stop_for(struct supervisor *supervisor, struct remote *remote, uint32_t number);

#endif
