/* remote_priv.h: one worker process, seen from the host; private to pool. Every function is called
 * with the supervisor's lock held, which guards every field (supervisor_priv.h).
 *
 * States
 *   ALIVE     asked for, or running; gets tasks (they wait on its page while it starts)
 *   STOPPING  told to end: its socket is shut, or it got SIGTERM; gets no more tasks
 *   DEAD      its end has been seen (socket at end of file, or pidfd readable) and its socket and
 *             page read empty; waits for its exit status, which the zygote tells, or at most
 *             STATUS_WAIT_MS */
#ifndef POOL_REMOTE_PRIV_H
#define POOL_REMOTE_PRIV_H

#include <stdint.h>

#include "job_priv.h"
#include "wire_priv.h"

/** From SIGTERM to SIGKILL. */
#define GRACE_MS 500

/** How long an idle worker may take to leave: it releases what its tasks kept. */
#define LEAVE_MS 5000

/** How long the exit status may lag behind the end itself. */
#define STATUS_WAIT_MS 1000

enum remote_state { REMOTE_ALIVE, REMOTE_STOPPING, REMOTE_DEAD };

/** What stands in one slot of the page, as the host knows it. */
enum flight_state {
    FLIGHT_FREE,
    FLIGHT_FLYING,  /* a task in the worker's hands */
    FLIGHT_RECALLED /* taken back, but the worker has not passed the slot */
};

struct flight {
    enum flight_state state;
    struct job *job; /* FLYING */
    int64_t sent_ns;
    int64_t started_ns; /* first seen to be; 0: not yet (timers.c) */
    int64_t paused_ns;  /* time in which nobody ran: not counted against the deadline */
    uint32_t cost_ns;   /* what it was expected to take */
    bool timed_out;     /* the worker was told to end because of this task */
    bool cancelled;     /* likewise, by pool_future_cancel() */
    int64_t over_bytes; /* the worker was killed for having so much memory; 0: it was not */
};

struct remote {
    /* What is looked at of every worker whenever a task is handed out stands together, before all
     * else: with many workers, each cache line more is felt. */
    uint32_t id;
    enum remote_state state;
    uint32_t oldest, next; /* numbers: those from oldest up to next are not all free */
    unsigned flying;       /* flights in FLIGHT_FLYING */
    bool ready;            /* READY has come, and the initializer succeeded */
    bool retiring;         /* it gets no more tasks, and leaves when it has none */
    bool full;             /* its socket took no more: wait until it is writable */
    bool dismissed;        /* STOPPING: idle, and asked to leave */
    uint64_t load_ns;      /* what its flights were expected to take together */
    uint64_t given;        /* tasks given and not taken back */

    pid_t pid;     /* 0 until SPAWNED */
    int socket_fd; /* -1: closed */
    int pidfd;     /* -1: not known yet, or closed */
    struct wire_page *page;

    struct flight flights[PAGE_SLOTS]; /* number n in flights[n % PAGE_SLOTS] */
    int64_t moved_ns;                  /* when a result came last, or the first task was sent */

    int64_t created_ns;
    int64_t ready_ns;   /* its age counts from here */
    int64_t idle_ns;    /* nothing to do since then */
    int64_t rss_ns;     /* memory was looked at, after a task */
    int64_t over_ns;    /* it is above its memory limit since then; 0: it is not */
    int64_t left_bytes; /* what a task above the limit had used; 0: there was none (memory.c) */
    bool worn;          /* retiring because of its tasks, age or memory */
    bool broken;        /* it was killed for what it did */
    bool told_to_end;   /* DEAD: it had been */
    bool orphan;        /* its zygote is gone: nobody will tell how it ended */
    int64_t kill_at_ns; /* TIME_NEVER, or when SIGTERM turns into SIGKILL */
    int signal_waiting; /* to be sent as soon as there is a pidfd; 0: none */
    bool has_status;
    int wait_status;    /* as waitpid() gave it to the zygote */
    int64_t give_up_ns; /* DEAD: when to do without the status */
    bool failed_init;   /* its initializer failed: */
    struct outcome init_outcome;
};

/** Make the socket and the page of a new worker.
 *  ret_socket_fd, ret_page_fd: the worker's ends, owned by the caller.  Returns 0 or -errno. */
int pool_remote_create(uint32_t id, struct remote **ret_remote, int *ret_socket_fd,
                       int *ret_page_fd);

/** Close everything and free. Its tasks must have been taken away.  NULL is fine. */
void pool_remote_free(struct remote *remote);

/** Send START.  task_index: of the initializer, or WIRE_NO_TASK.  payload: its packed fields.
 *  Returns 0 or -errno. */
int pool_remote_send_start(struct remote *remote, uint32_t task_index, const void *payload,
                           size_t payload_bytes);

/** Is there a free slot for one more task? */
bool pool_remote_has_slot(struct remote *remote);

/** Can this job be handed over on the page alone, without a system call but a bell? */
bool pool_remote_fits_page(const struct job *job);

/** Hand a job over; there must be a free slot.  cost_ns: what it is expected to take.
 *  job: borrowed until it is released.
 *  Returns 0, -EAGAIN (no room in the socket), -EPIPE, or -errno (no descriptor or memory to send
 *  it with); on failure the worker has not got it. */
int pool_remote_send(struct remote *remote, struct job *job, uint32_t cost_ns);

/** Take back a task that the worker has not started.  Returns the job, or NULL if it has, or if
 *  there is none of that number. */
struct job *pool_remote_take_back(struct remote *remote, uint32_t number);

/** Has the worker started this task? Anything but SENT says so, or is a lie, which is as good.
 *  ret_started_ns: when, never in the future. */
bool pool_remote_started(const struct remote *remote, uint32_t number, int64_t *ret_started_ns);

/** Is the worker running this task now: has it started it, and not ended it? */
bool pool_remote_runs(const struct remote *remote, uint32_t number);

/** Forget this flying task.  Returns its job. */
struct job *pool_remote_release(struct remote *remote, uint32_t number);

/** The job of this number if it is flying, else NULL. */
struct job *pool_remote_job(const struct remote *remote, uint32_t number);

/** Take a result from the page, if there is one: the oldest first.
 *  ret_job: released; its outcome is set.  ret_ran_ns: how long it took, as the worker says.
 *  Returns 1, 0 if there is none, or -EBADMSG. */
int pool_remote_read_page(struct remote *remote, struct job **ret_job, uint64_t *ret_ran_ns);

/** Ask to be rung for the next result on the page.  Returns false if one has come meanwhile. */
bool pool_remote_listen(struct remote *remote);

/** Read a RESULT message; as pool_remote_read_page(), but never 0. */
int pool_remote_read_result(struct remote *remote, const void *message, size_t size_bytes,
                            struct wire_fds *fds, struct job **ret_job, uint64_t *ret_ran_ns);

/** Read a READY message: the initializer's outcome, which is then in remote->init_outcome.
 *  Returns 0 or -EBADMSG. */
int pool_remote_read_ready(struct remote *remote, const void *message, size_t size_bytes,
                           const struct wire_fds *fds);

/** The zygote has forked it.  pidfd: taken.  A stop or kill that came earlier is done now. */
void pool_remote_spawned(struct remote *remote, pid_t pid, int pidfd);

/** Ask an idle worker to leave: it sees end of file.  within_ms: or it is killed. Again: with less
 *  time, if that is less. */
void pool_remote_dismiss(struct remote *remote, int within_ms);

/** SIGTERM now, SIGKILL after the grace. */
void pool_remote_stop(struct remote *remote);

/** SIGKILL now. */
void pool_remote_kill(struct remote *remote);

/** The same, because it does not listen or makes no sense: that counts as a death of its own. */
void pool_remote_kill_broken(struct remote *remote);

#endif
