/* wire_priv.h: what host, zygote and workers say to each other; private to pool.
 *
 * Three kinds of process take part in a process pool:
 *
 *   host    the program that called pool_create(). Its supervisor thread owns everything here.
 *   zygote  the worker program, started by the host and still single-threaded: it forks workers,
 *           reaps them, and tells how they ended. It runs no task.
 *   worker  forked by the zygote; runs tasks, one at a time.
 *
 * Sockets are SOCK_SEQPACKET pairs: a message arrives whole or not at all, end of file means the
 * peer is gone, descriptors can come along. Nobody but its two owners holds an end of one, unless
 * the host forks: so ends are shut down, not only closed, and taken out of epoll by name.
 *
 *   host <-> zygote ("control")          host <-> each worker
 *     <- HELLO  version, table hash        -> TASK    header + packed fields (+ descriptors)
 *     -> SPAWN  id + [socket, page]        <- READY   the worker has set itself up
 *     <- SPAWNED id, pid + [pidfd]         <- RESULT  header + value + message
 *     <- FAILED  id, errno
 *     -> KILL    id: of a worker whose pidfd was lost
 *     <- EXITED  id, pid, wait status
 *
 * A payload or value above WIRE_INLINE_MAX travels as a sealed memfd (blob_priv.h), which is then
 * the message's first descriptor.
 *
 * The page. Host and worker share one page of memory a worker, with one word for each task that
 * the worker may hold. The word says who may still decide: the worker turns SENT into STARTED
 * before it runs the task, the host turns SENT into TAKEN to have the task back; both by
 * compare-and-swap, so exactly one of them wins, with no message and no lock. The word outlives the
 * worker: after a death, STARTED names the task that was running, SENT those that were not. The
 * generation in the word's upper bits keeps a late swap from touching the next task in the slot.
 * The host trusts nothing it reads there beyond "which of my tasks": a worker that lies harms the
 * tasks that it holds, and is replaced.
 *
 * All structures have fixed-width members and no padding; both sides run on one machine. */
#ifndef POOL_WIRE_PRIV_H
#define POOL_WIRE_PRIV_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#define WIRE_VERSION    1
#define WIRE_INLINE_MAX (64 * 1024)
#define WIRE_FDS_MAX    65 /* POOL_FDS_MAX and the payload's memfd */

enum wire_type {
    WIRE_HELLO = 1,
    WIRE_SPAWN,
    WIRE_KILL,
    WIRE_SPAWNED,
    WIRE_FAILED,
    WIRE_EXITED,
    WIRE_READY,
    WIRE_TASK,
    WIRE_RESULT,
};

struct wire_control {
    uint32_t type;
    uint32_t worker_id;
    int32_t pid;
    int32_t value;       /* FAILED: positive errno; EXITED: wait status; HELLO: WIRE_VERSION */
    uint64_t table_hash; /* HELLO */
};
_Static_assert(sizeof(struct wire_control) == 24, "no padding");

struct wire_task {
    uint32_t type;
    uint32_t slot;
    uint32_t generation;
    uint32_t task_index;
    int64_t deadline_ns;
    uint64_t payload_bytes;
    uint32_t in_memfd;
    uint32_t zero[3]; /* the payload behind it starts at a multiple of JOB_ALIGN */
};
_Static_assert(sizeof(struct wire_task) == 48, "no padding, aligned payload");

struct wire_result {
    uint32_t type;
    uint32_t slot;
    uint32_t generation;
    int32_t code;
    int32_t task_code;
    uint32_t message_bytes;
    uint64_t value_bytes;
    uint32_t in_memfd;
    uint32_t zero[3];
};
_Static_assert(sizeof(struct wire_result) == 48, "no padding");

/** Tasks that a worker may hold: one that runs and one ready behind it, so that it need not wait
 *  for the host between two. */
#define PAGE_SLOTS 2

enum slot_state { SLOT_EMPTY, SLOT_SENT, SLOT_STARTED, SLOT_TAKEN };

struct wire_page {
    struct {
        _Atomic uint32_t word;      /* generation << 2 | enum slot_state */
        _Atomic int64_t started_ns; /* CLOCK_MONOTONIC, valid from STARTED on */
    } slots[PAGE_SLOTS];
};

static inline uint32_t slot_word(uint32_t generation, enum slot_state state)
{
    return generation << 2 | (uint32_t)state;
}

/** Send one message of up to three parts.
 *  fds: borrowed.  Returns 0, -EAGAIN (a non-blocking socket is full), -EPIPE (the peer is gone),
 *  or -errno. */
int wire_send(int fd, const struct iovec *parts, size_t part_count, const int *fds,
              size_t fd_count);

/** Descriptors that came with a message: the receiver owns them. */
struct wire_fds {
    int fds[WIRE_FDS_MAX];
    size_t count;
    bool lost; /* some could not be received: this process has no descriptor to spare */
};

/** Receive one message.
 *  Returns its size, 0 at end of file, -EAGAIN (nothing there; non-blocking), -EBADMSG (too long
 *  for the buffer: dropped, no descriptor is left open), or -errno. */
ssize_t wire_receive(int fd, void *buffer, size_t size_bytes, struct wire_fds *ret_fds);

/** Close them. */
void wire_fds_done(struct wire_fds *fds);

#endif
