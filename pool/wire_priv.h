/* wire_priv.h: what host, zygote and workers say to each other; private to pool.
 *
 * Four kinds of process take part:
 *
 *   host     the program that called pool_create() or pool_process_start(). A pool's supervisor
 *            thread owns everything here that is a pool's; what is of the processes of process.h
 *            stands in family_priv.h.
 *   zygote   the worker program, started by the host and still single-threaded: it forks workers
 *            or processes, reaps them, and tells how they ended. It runs no task. Each pool has
 *            one, and all processes together have one.
 *   worker   forked by a pool's zygote; runs tasks, one at a time.
 *   process  forked by the family's zygote; runs one task, its target.
 *
 * Sockets are SOCK_SEQPACKET pairs: a message arrives whole or not at all, end of file means the
 * peer is gone, descriptors can come along. Nobody but its two owners holds an end of one, unless
 * the host forks: so ends are shut down, not only closed, and taken out of epoll by name.
 *
 *   host <-> zygote ("control")          host <-> each worker
 *     <- HELLO  version, table hash        -> START   the initializer's call, if there is one
 *     -> SPAWN  id, kind + [socket, page]  <- READY   code of the initializer (+ its words)
 *     <- SPAWNED id, pid + [pidfd]         -> TASK    payload that is not on the page
 *     <- FAILED  id, errno                 <- RESULT  value that is not on the page
 *     -> KILL    id: of one whose pidfd    <> BELL    look at the page
 *                was lost
 *     <- EXITED  id, pid, wait status,   host <-> each process, which has no page
 *                most memory it had         -> START   the target's call, after SPAWNED
 *                                          <- RESULT  how the target returned, if it did
 *
 * A payload or value above WIRE_INLINE_MAX travels as a sealed memfd (blob_priv.h), which is then
 * the message's first descriptor.
 *
 * The page. Host and worker share a piece of memory a worker: a ring of slots, one for each task in
 * the worker's hands, used in order. Task number n (the host counts what it gives to this worker)
 * stands in slot n modulo PAGE_SLOTS, and the slot's word tells n and who may decide:
 *
 *     SENT      the host has put it there              -> STARTED  the worker, before it runs it
 *                                                      -> TAKEN    the host, to have it back
 *     STARTED   it runs, or its worker died with it    -> DONE     its result is in the slot
 *                                                      -> REPLIED  its result will be in a message
 *     TAKEN     the worker has not passed it yet       -> PASSED   it has: the slot is free
 *
 * SENT is left by compare-and-swap, so exactly one side wins, with no message and no lock; n keeps
 * a late swap from touching the next task in the slot. The word outlives the worker: after a death
 * STARTED and REPLIED (without the message) name the task that is to blame, SENT those that were
 * not run, DONE those whose result counts all the same. The host uses a slot again when it has seen
 * DONE, PASSED or the RESULT message in it; so neither side overtakes the other.
 *
 * Small payloads and results lie in the slot itself, and tasks that are short then cost no system
 * call: a side that runs out of work says so on the page (worker_sleeps, host_listens) and looks
 * once more before it sleeps; the other side takes the mark away and sends one BELL. A payload that
 * is too large, or comes with descriptors, follows in a TASK message right after its slot was
 * filled; if sending it fails, the host takes the task back at once.
 *
 * The host trusts nothing that it reads there: numbers are read once and checked, bytes are copied.
 * A worker that lies harms the tasks that it holds, and is replaced.
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

#define WIRE_VERSION    4
#define WIRE_INLINE_MAX ((size_t)64 * 1024)
#define WIRE_FDS_MAX    65 /* POOL_FDS_MAX and the payload's memfd */

enum wire_type {
    WIRE_HELLO = 1,
    WIRE_SPAWN,
    WIRE_KILL,
    WIRE_SPAWNED,
    WIRE_FAILED,
    WIRE_EXITED,
    WIRE_START,
    WIRE_READY,
    WIRE_TASK,
    WIRE_RESULT,
    WIRE_BELL,
};

/** What SPAWN asks for. */
enum wire_kind {
    WIRE_WORKER,  /* ends with the zygote */
    WIRE_DAEMON,  /* a process that ends with the zygote */
    WIRE_PROCESS, /* a process that does not */
};

struct wire_control {
    uint32_t type;
    uint32_t worker_id; /* or a process's */
    int32_t pid;
    int32_t value;          /* FAILED: positive errno; EXITED: wait status; HELLO: WIRE_VERSION;
                               SPAWN: enum wire_kind */
    uint64_t table_hash;    /* HELLO */
    int64_t rss_peak_bytes; /* EXITED: the most resident memory it had */
};
_Static_assert(sizeof(struct wire_control) == 32, "no padding");

#define WIRE_NAME_BYTES 16 /* what the kernel keeps of a process's name, with its terminator */

/** START (task_index WIRE_NO_TASK without an initializer) and TASK; the payload follows. */
struct wire_task {
    uint32_t type;
    uint32_t number;
    uint32_t task_index;
    uint32_t in_memfd;
    uint64_t payload_bytes;
    uint32_t depth;             /* START of a process: how deep what it starts is nested */
    uint32_t zero;              /* the payload behind it starts at a multiple of JOB_ALIGN */
    char name[WIRE_NAME_BYTES]; /* START of a process */
};
_Static_assert(sizeof(struct wire_task) == 48, "no padding, aligned payload");

#define WIRE_NO_TASK UINT32_MAX

/** Set in the task_index of a process whose target is not in the table but the library's own (enum
 *  process_builtin). */
#define WIRE_BUILTIN UINT32_C(0x80000000)

/** RESULT and READY (whose number is the worker's pid: it may come before SPAWNED does); value,
 *  message and where follow, one after the other. */
struct wire_result {
    uint32_t type;
    uint32_t number;
    int32_t code;
    int32_t task_code;
    uint32_t message_bytes;
    uint32_t where_bytes;
    uint64_t value_bytes;
    uint64_t ran_ns;
    uint32_t in_memfd;
    uint32_t zero;
};
_Static_assert(sizeof(struct wire_result) == 48, "no padding");

/** Tasks that a worker may hold. */
#define PAGE_SLOTS         64
#define SLOT_PAYLOAD_BYTES 256
#define SLOT_RESULT_BYTES  256

enum slot_state {
    SLOT_EMPTY,
    SLOT_SENT,
    SLOT_STARTED,
    SLOT_DONE,
    SLOT_REPLIED,
    SLOT_TAKEN,
    SLOT_PASSED
};

struct wire_slot {
    _Atomic uint32_t word; /* number << 3 | enum slot_state */
    /* Written by the host before SENT. */
    uint32_t task_index;
    int64_t deadline_ns;
    uint32_t payload_bytes;
    uint32_t in_message;
    /* Written by the worker before STARTED, and before DONE. */
    _Atomic int64_t started_ns; /* CLOCK_MONOTONIC */
    uint64_t ran_ns;
    int32_t code, task_code;
    uint32_t value_bytes;
    uint16_t message_bytes, where_bytes;
    _Alignas(16) uint8_t payload[SLOT_PAYLOAD_BYTES];
    uint8_t result[SLOT_RESULT_BYTES]; /* value, message, where */
};

struct wire_page {
    _Alignas(64) _Atomic uint32_t worker_sleeps; /* set by the worker, taken away by the host */
    _Alignas(64) _Atomic uint32_t host_listens;  /* set by the host, taken away by the worker */
    _Alignas(64) struct wire_slot slots[PAGE_SLOTS];
};

/** Task numbers have so many bits, and then begin again at 0. */
#define NUMBER_MASK (UINT32_MAX >> 3)
_Static_assert(PAGE_SLOTS > 1 && (PAGE_SLOTS & (PAGE_SLOTS - 1)) == 0, "numbers begin again");

static inline uint32_t slot_word(uint32_t number, enum slot_state state)
{
    return number << 3 | (uint32_t)state;
}

static inline struct wire_slot *page_slot(struct wire_page *page, uint32_t number)
{
    return &page->slots[number % PAGE_SLOTS];
}

/** Send one message of up to four parts.
 *  fds: borrowed.  Returns 0, -EAGAIN (a non-blocking socket is full), -EPIPE (the peer is gone),
 *  or -errno. */
int pool_wire_send(int fd, const struct iovec *parts, size_t part_count, const int *fds,
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
ssize_t pool_wire_receive(int fd, void *buffer, size_t size_bytes, struct wire_fds *ret_fds);

/** Send a BELL without waiting; if there is no room, the peer has other messages to wake it. */
void pool_wire_ring(int fd);

/** Close them. */
void pool_wire_fds_done(struct wire_fds *fds);

#endif
