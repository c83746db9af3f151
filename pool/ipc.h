/* ipc.h: what processes use between them: queue, pipe, lock, semaphore, event, shared memory. Part
 * of the pool library; the conventions stand in pool.h.
 *
 * How another process gets one. Each object is one open descriptor and nothing else: it has no name
 * in any namespace, so nothing is left over, and it is gone when the last process that has it lets
 * go of it or dies. Three calls pass it on, alike for every kind:
 *
 *     int fd = pool_queue_share(queue);           // here: a descriptor to give away
 *     item.fds = &fd; item.fd_count = 1;          // with a task, a process, a pipe's message
 *     ...
 *     pool_queue_open(pool_call_fd(call, 0), &q); // there: the same queue
 *     pool_queue_free(q);
 *
 * (A child that the host forks may go on using its copies of all that is in this file.)
 *
 * When a user is killed. Any process may be killed at any moment, in the middle of any call here:
 * no other is held up by it, and nothing shared is left half-changed. What the dead one had taken
 * for itself (a message that it got, a semaphore's permit) is gone with it; a lock that it held
 * goes to the next who asks, who is told. A user that is stopped (SIGSTOP) in the middle of a call
 * may hold up others until it goes on: their timeouts still count, a queue's with up to half a
 * second on top. Users must see each other's thread ids: they live in one PID namespace.
 *
 * Trust. Users of an object share its memory; they trust each other to keep to this interface. What
 * is read there is checked, so that a broken user cannot make another overrun its memory; what is
 * found broken says -EBADMSG.
 *
 * Thread safety: every function here may be called from any thread, none from a signal handler; an
 * object must not be freed while another call on it runs. timeout_ms is as in pool.h. */
#ifndef POOL_IPC_H
#define POOL_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "task.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pool_queue;     /* messages, first in, first out; any number of processes on both ends */
struct pool_pipe;      /* one end of a two-way channel */
struct pool_lock;      /* one holder at a time */
struct pool_semaphore; /* so many permits */
struct pool_event;     /* set or not */
struct pool_shared;    /* memory: a value or an array */

/* ---- A message that arrives ---------------------------------------------------------------- */

/** Where a received message is put. Zero it once (POOL_MESSAGE_INIT) and use it again and again:
 * its memory grows as needed and is reused, as with getline(3). data is aligned for any type.
 * Descriptors that came along are owned by the message: whoever wants to keep one takes it and puts
 * -1 in its place; the others are closed by the next receive, or by pool_message_done(). */
struct pool_message {
    void *data;
    size_t size_bytes;
    size_t room_bytes;
    int fds[POOL_FDS_MAX];
    size_t fd_count;
};

#define POOL_MESSAGE_INIT                                                                          \
    {                                                                                              \
        .data = NULL                                                                               \
    }

/** Free the memory, close the descriptors, make it empty. */
void pool_message_done(struct pool_message *message);

/* ---- Queue --------------------------------------------------------------------------------- */

struct pool_queue_options {
    size_t items_max; /* messages it holds at once; 0: as many as its memory takes */
    size_t bytes_max; /* its memory, for messages and 8 bytes each, rounded up to a power of two;
                         0: POOL_QUEUE_BYTES_DEFAULT; at most POOL_QUEUE_BYTES_MAX */
};

#define POOL_QUEUE_BYTES_DEFAULT ((size_t)1 << 20)
#define POOL_QUEUE_BYTES_MAX     ((size_t)1 << 30)

/** Make a queue.  options: NULL for the defaults.  ret_queue: owned, pool_queue_free().
 *  Its memory is reserved now.  Returns 0, -EINVAL, -ENOMEM, -EMFILE or another -errno.
 *  Mirrors: multiprocessing.Queue(maxsize), JoinableQueue(maxsize). */
int pool_queue_create(const struct pool_queue_options *options, struct pool_queue **ret_queue);

/** share: a new descriptor, owned by the caller, for another process.  open: the object of such a
 *  descriptor (borrowed); -EBADMSG if it is of something else.  free: let go of it; may be NULL. */
int pool_queue_share(const struct pool_queue *queue);
int pool_queue_open(int fd, struct pool_queue **ret_queue);
void pool_queue_free(struct pool_queue *queue);

/** Append a message; wait while the queue is full. A message is in the queue whole, or not at all.
 *  data: copied; may be NULL if size_bytes is 0.
 *  Returns 0, -ETIMEDOUT (still full), -ESHUTDOWN (it was closed), -EMSGSIZE (it could never hold
 *  such a message), -EBADMSG.
 *  Mirrors: Queue.put(obj, block, timeout). */
int pool_queue_put(struct pool_queue *queue, const void *data, size_t size_bytes, int timeout_ms);

/** Take the oldest message; wait while there is none. Each message goes to exactly one taker.
 *  Returns 0, -ETIMEDOUT (still empty), -ESHUTDOWN (closed, and nothing is left), -ENOMEM (the
 *  message stays in the queue), -EBADMSG.
 *  Mirrors: Queue.get(block, timeout). */
int pool_queue_get(struct pool_queue *queue, int timeout_ms, struct pool_message *message);

/** Messages in it at this moment; 0 says that it is empty.  Mirrors: Queue.qsize(), .empty(). */
size_t pool_queue_size(const struct pool_queue *queue);

/** Would a put of so many bytes have to wait at this moment?  Mirrors: Queue.full(). */
bool pool_queue_full(const struct pool_queue *queue, size_t size_bytes);

/** Say that the work on one message is done; wait until that was said for every message ever put.
 *  A message that a killed user had taken stays undone: whoever watches over that user may say
 *  task_done in its place. (Counted modulo 2^30.)
 *  task_done returns 0, or -EINVAL if it was said more often than messages were put.
 *  join returns 0 or -ETIMEDOUT.
 *  Mirrors: JoinableQueue.task_done(), .join(). */
int pool_queue_task_done(struct pool_queue *queue);
int pool_queue_join(struct pool_queue *queue, int timeout_ms);

/** Take no more messages: puts end with -ESHUTDOWN, also those that wait; gets still empty the
 *  queue, then end with -ESHUTDOWN.  Mirrors: queue.Queue.shutdown(). */
void pool_queue_close(struct pool_queue *queue);

/* ---- Pipe ---------------------------------------------------------------------------------- */

/** Make a two-way channel and both its ends, each owned, pool_pipe_free(). Messages arrive whole,
 *  in order. An end may be in the hands of several processes; each message goes to one of them.
 *  After an end was given away, free the copy here: the other end learns that its peer is gone only
 *  when no copy is left.
 *  Returns 0, -ENOMEM, -EMFILE or another -errno.
 *  Mirrors: multiprocessing.Pipe(). */
int pool_pipe_create(struct pool_pipe **ret_first, struct pool_pipe **ret_second);

/** As for queues. */
int pool_pipe_share(const struct pool_pipe *pipe);
int pool_pipe_open(int fd, struct pool_pipe **ret_pipe);
void pool_pipe_free(struct pool_pipe *pipe);

/** Send a message of any size, with up to POOL_FDS_MAX open descriptors; wait while the channel is
 *  full.  data, fds: borrowed for the call. (Above 64 KiB a descriptor is needed for the data.)
 *  Returns 0, -ETIMEDOUT, -EPIPE (nobody has the other end any more), -EINVAL (too many
 *  descriptors), -EBADF, -ENOMEM or another -errno.
 *  Mirrors: Connection.send_bytes(). */
int pool_pipe_send(struct pool_pipe *pipe, const void *data, size_t size_bytes, const int *fds,
                   size_t fd_count, int timeout_ms);

/** Receive a message.
 *  Returns 0, -ETIMEDOUT, -EPIPE (nothing is left, and nobody has the other end any more), -EMFILE
 *  (its descriptors could not be received: the message is lost), -EBADMSG (it did not come from a
 *  pool_pipe_send(): it is dropped), -ENOMEM (a message above 64 KiB is lost, another one stays).
 *  Mirrors: Connection.recv_bytes(), whose EOFError is -EPIPE. */
int pool_pipe_receive(struct pool_pipe *pipe, int timeout_ms, struct pool_message *message);

/** Is there something to receive, a message or the news that the peer is gone?
 *  Returns 1, 0 (nothing came in that time) or -errno.  Mirrors: Connection.poll(timeout). */
int pool_pipe_poll(struct pool_pipe *pipe, int timeout_ms);

/** The descriptor, for an event loop: readable when pool_pipe_poll() would say 1. Borrowed; only to
 *  be polled.  Mirrors: Connection.fileno(). */
int pool_pipe_fd(const struct pool_pipe *pipe);

/* ---- Lock ---------------------------------------------------------------------------------- */

/** Make a lock.  ret_lock: owned, pool_lock_free().  Mirrors: multiprocessing.Lock(). */
int pool_lock_create(struct pool_lock **ret_lock);

/** As for queues. A lock that is held must not be freed by its holder. */
int pool_lock_share(const struct pool_lock *lock);
int pool_lock_open(int fd, struct pool_lock **ret_lock);
void pool_lock_free(struct pool_lock *lock);

/** Take the lock: from now on this thread holds it.
 *  Returns
 *    0
 *    -EOWNERDEAD  it is held now as with 0, but its last holder died while it had it: what it
 *                 protects may be half-changed
 *    -ETIMEDOUT
 *    -EDEADLK     this thread holds it already
 *    -EBADMSG     it is broken: not held.
 *  Mirrors: Lock.acquire(block, timeout). */
int pool_lock_acquire(struct pool_lock *lock, int timeout_ms);

/** Returns 0, or -EPERM if this thread has not taken it by this object (Python lets anybody release
 *  a lock). */
int pool_lock_release(struct pool_lock *lock);

/* ---- Semaphore ----------------------------------------------------------------------------- */

/** Make a semaphore with `value` permits to begin with and never more than `max` of them.
 *  max: 1..INT_MAX, or 0 for INT_MAX.  value: 0..max.  ret_semaphore: owned, pool_semaphore_free().
 *  Returns 0, -EINVAL, or -errno.
 *  Mirrors: multiprocessing.Semaphore(value), BoundedSemaphore(value). */
int pool_semaphore_create(unsigned value, unsigned max, struct pool_semaphore **ret_semaphore);

/** As for queues. */
int pool_semaphore_share(const struct pool_semaphore *semaphore);
int pool_semaphore_open(int fd, struct pool_semaphore **ret_semaphore);
void pool_semaphore_free(struct pool_semaphore *semaphore);

/** Take a permit; wait while there is none. Permits belong to nobody: any process may give one
 *  back, and one that a killed user had taken stays taken.
 *  Returns 0, -ETIMEDOUT or -EBADMSG.
 *  Mirrors: Semaphore.acquire(block, timeout). */
int pool_semaphore_acquire(struct pool_semaphore *semaphore, int timeout_ms);

/** Give a permit.  Returns 0, -EOVERFLOW if there are `max` already, or -EBADMSG.
 *  Mirrors: Semaphore.release(). */
int pool_semaphore_release(struct pool_semaphore *semaphore);

/** Permits at this moment.  Mirrors: Semaphore.get_value(). */
unsigned pool_semaphore_value(const struct pool_semaphore *semaphore);

/* ---- Event --------------------------------------------------------------------------------- */

/** Make an event that is not set.  ret_event: owned, pool_event_free().
 *  Mirrors: multiprocessing.Event(). */
int pool_event_create(struct pool_event **ret_event);

/** As for queues. */
int pool_event_share(const struct pool_event *event);
int pool_event_open(int fd, struct pool_event **ret_event);
void pool_event_free(struct pool_event *event);

/** Mirrors: Event.set(), .clear(), .is_set(). */
void pool_event_set(struct pool_event *event);
void pool_event_clear(struct pool_event *event);
bool pool_event_is_set(const struct pool_event *event);

/** Wait until it is set: also if it is cleared again at once.  Returns 0 or -ETIMEDOUT.
 *  Mirrors: Event.wait(timeout). */
int pool_event_wait(struct pool_event *event, int timeout_ms);

/* ---- Shared value and array ---------------------------------------------------------------- */

/** Make memory that several processes see, zeroed, with a lock of its own.
 *  size_bytes: 1 or more.  ret_shared: owned, pool_shared_free().  Its memory is reserved now.
 *  Returns 0, -EINVAL, -ENOMEM or another -errno.
 *  Mirrors: multiprocessing.Value(type), Array(type, n). */
int pool_shared_create(size_t size_bytes, struct pool_shared **ret_shared);

/** As for queues. */
int pool_shared_share(const struct pool_shared *shared);
int pool_shared_open(int fd, struct pool_shared **ret_shared);
void pool_shared_free(struct pool_shared *shared);

/** The memory, aligned for any type, at another address in each process; valid until freed. Readers
 *  and writers keep order by the lock, or by atomic types. */
void *pool_shared_data(const struct pool_shared *shared);
size_t pool_shared_size(const struct pool_shared *shared);

/** The same as a value or an array of a type: `*POOL_SHARED(counter, int64_t) += 1;`,
 *  `POOL_SHARED(row, double)[3]`. */
#define POOL_SHARED(shared, type) ((type *)pool_shared_data(shared))

/** Its lock: returns as pool_lock_acquire() and pool_lock_release().
 *  Mirrors: Value.get_lock(). */
int pool_shared_acquire(struct pool_shared *shared, int timeout_ms);
int pool_shared_release(struct pool_shared *shared);

#ifdef __cplusplus
}
#endif

#endif
