/* remote_priv.h: one worker process, seen from the host; private to pool. All functions run on the
 * supervisor thread, which alone owns every field.
 *
 * States
 *   ALIVE     asked for, or running; gets tasks (they wait in its socket while it starts)
 *   STOPPING  told to end: its socket is shut, or it got SIGTERM; gets no more tasks
 *   DEAD      its end has been seen (socket at end of file, or pidfd readable) and its socket read
 *             empty; waits for its exit status, which the zygote tells, or at most STATUS_WAIT_MS
 */
#ifndef POOL_REMOTE_PRIV_H
#define POOL_REMOTE_PRIV_H

#include <stdint.h>

#include "future_priv.h"
#include "job_priv.h"
#include "wire_priv.h"

/** From SIGTERM to SIGKILL. */
#define GRACE_MS 500

/** How long an idle worker may take to leave: it releases what its tasks kept. */
#define LEAVE_MS 5000

/** How long the exit status may lag behind the end itself. */
#define STATUS_WAIT_MS 1000

enum remote_state { REMOTE_ALIVE, REMOTE_STOPPING, REMOTE_DEAD };

/** A task in a worker's hands. */
struct flight {
    struct job *job; /* NULL: the slot is free */
    uint32_t generation;
    int64_t sent_ns;
    int64_t paused_ns; /* time in which nobody ran: not counted against the deadline */
    bool timed_out;    /* the worker was told to end because of this task */
};

struct remote {
    uint32_t id;
    enum remote_state state;
    pid_t pid;     /* 0 until SPAWNED */
    int socket_fd; /* -1: closed */
    int pidfd;     /* -1: not known yet, or closed */
    struct wire_page *page;
    struct flight flights[PAGE_SLOTS];
    unsigned flight_count;
    uint32_t next_generation;
    bool ready;         /* READY has come */
    bool full;          /* its socket took no more: wait until it is writable */
    bool asked_to_end;  /* DEAD: it had been told to */
    bool orphan;        /* its zygote is gone: nobody will tell how it ended */
    int64_t kill_at_ns; /* TIME_NEVER, or when SIGTERM turns into SIGKILL */
    int signal_waiting; /* to be sent as soon as there is a pidfd; 0: none */
    bool has_status;
    int wait_status;    /* as waitpid() gave it to the zygote */
    int64_t give_up_ns; /* DEAD: when to do without the status */
};

/** Make the socket and the page of a new worker.
 *  ret_socket_fd, ret_page_fd: the worker's ends, owned by the caller.  Returns 0 or -errno. */
int remote_create(uint32_t id, struct remote **ret_remote, int *ret_socket_fd, int *ret_page_fd);

/** Close everything and free. Its tasks must have been taken away.  NULL is fine. */
void remote_free(struct remote *remote);

/** Hand a job over.  job: borrowed until remote_release() or its result.
 *  Returns 0, -EAGAIN (no room in the socket), -EPIPE, or -errno (no descriptor or memory to send
 *  it with); on failure the worker has not got it. */
int remote_send(struct remote *remote, struct job *job);

/** Take back a task that the worker has not started.  Returns the job, or NULL if it has. */
struct job *remote_take_back(struct remote *remote, unsigned slot);

/** Has the worker started the task in this slot?  ret_started_ns: when, never in the future. */
bool remote_started(const struct remote *remote, unsigned slot, int64_t *ret_started_ns);

/** Forget the task in this slot.  Returns its job. */
struct job *remote_release(struct remote *remote, unsigned slot);

/** The zygote has forked it.  pidfd: taken.  A stop or kill that came earlier is done now. */
void remote_spawned(struct remote *remote, pid_t pid, int pidfd);

/** Ask an idle worker to leave: it sees end of file. */
void remote_dismiss(struct remote *remote);

/** SIGTERM now, SIGKILL after the grace. */
void remote_stop(struct remote *remote);

/** SIGKILL now. */
void remote_kill(struct remote *remote);

/** Read a RESULT message.
 *  ret_job: the job it belongs to, which is then released from its slot.  ret_outcome: its value is
 *  owned.  Returns 0, or -EBADMSG for anything that makes no sense. */
int remote_read_result(struct remote *remote, const void *message, size_t size_bytes,
                       struct wire_fds *fds, struct job **ret_job, struct outcome *ret_outcome);

#endif
