/* future_priv.h: the one place where a task's outcome is published; private to pool.
 *
 * The states of a future, seen from outside, and what moves it
 *
 *   state     | where its job is                | event                         | next
 *   ----------+---------------------------------+-------------------------------+---------------
 *   pending   | in the pool's queue, or in a    | a worker starts it            | running
 *             | worker's hands, not started     | pool_future_cancel()          | done, -ECANCELED
 *             |                                 | terminate                     | done, -ECANCELED
 *             |                                 | the pool breaks               | done, its error
 *             |                                 | its worker dies               | pending (queue)
 *             |                                 | it cannot be handed over      | done, the cause
 *   running   | a worker has started it         | it returns 0 or more          | done, 0
 *             |                                 | it returns an error           | done, -EREMOTEIO
 *             |                                 |   ... and was told to stop    | done, -ECANCELED
 *             |                                 |   ... and is past its time    | done, -ETIME
 *             |                                 | its worker dies               | done, -EOWNERDEAD
 *             |                                 |   ... and retries are left    | pending (queue)
 *             |                                 |   ... stopped for lateness    | done, -ETIME
 *             |                                 | cancelled, in a process       | done, -ECANCELED
 *             |                                 | terminate                     | done, -ECANCELED
 *             |                                 | the pool breaks               | done, its error
 *   done      | nowhere, or still running for   | anything                      | done, unchanged
 *             | nobody (cancelled, terminated)  |                               |
 *
 * A future reaches done exactly once: pool_future_resolve() is first come, first served, and what
 * comes later is dropped. So "the result came", "the worker died", "the deadline passed" and "the
 * pool was terminated" may race; whoever is first wins, and nobody has to know about the others.
 *
 * A future holds its job (job_priv.h): the pool has a reference from submit until the job has
 * ended, everybody who was given the future has another. */
#ifndef POOL_FUTURE_PRIV_H
#define POOL_FUTURE_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "job_priv.h"
#include "outcome_priv.h"
#include "pool.h"

/** Called once when a future is done, after publication, with no lock held. */
typedef void (*future_hook_fn)(struct pool_future *future, void *data);

/** Something to be called when a future is done. Part of a larger object that run() knows. */
struct future_callback {
    struct future_callback *next;
    void (*run)(struct future_callback *callback, struct pool_future *future);
};

/** Futures that were allocated together; freed when the last of them is. */
struct future_slab;

#define FUTURES_IN_SLAB 64

/* I: fixed before anybody else has the future.  L: lock.  A: atomic.  D: written once before done
 * is set, then fixed. */
struct pool_future {
    atomic_uint refs;     /* A */
    pthread_mutex_t lock; /* a leaf: nothing else is locked while it is held */
    pthread_cond_t is_done;
    atomic_bool done;         /* A: written under the lock */
    int wake_fd;              /* L: -1, or an eventfd on which somebody waits for this one */
    uint64_t origin;          /* I: see origin_priv.h */
    struct future_slab *slab; /* I: NULL: allocated by itself */
    struct pool *pool;        /* I: from submit on; borrowed, valid while not done */
    const char *task;         /* I: the table's own */
    void *user;               /* I */
    future_hook_fn hook;      /* I: before all callbacks */
    void *hook_data;          /* I */
    struct outcome result;    /* D */
    struct future_callback *callbacks, **callbacks_end; /* L: in order of adding */
    struct pool_future *next_completion;                /* the pool's lock: see completions.c */
    struct job job;
};

/** A new pending future with one reference.
 *  task: the table's own name.  hook: NULL or what to call when done.  Returns 0 or -errno. */
int pool_future_create(const char *task, future_hook_fn hook, void *hook_data,
                       struct pool_future **ret_future);

/** The same for several at once, which costs less.
 *  ret_futures: room for count of them.  On failure there are none. */
int pool_future_create_many(const char *task, future_hook_fn hook, void *hook_data, size_t count,
                            struct pool_future **ret_futures);

/** Publish how the task ended, and wake everybody who waits.
 *  outcome: consumed.  Returns true if this call was the first, which must then call
 *  pool_future_tell(). */
bool pool_future_publish(struct pool_future *future, struct outcome *outcome);

/** Call the hook and the callbacks of a future that was published. Must be called with no lock
 *  held. */
void pool_future_tell(struct pool_future *future);

/** Both.  outcome: consumed. Must be called with no lock held. */
void pool_future_resolve(struct pool_future *future, struct outcome *outcome);

/** Have callback->run called once the future is done.
 *  Returns true, or false if it is done already, and then nothing was added. */
bool pool_future_add_callback(struct pool_future *future, struct future_callback *callback);

/** Take it away again.  Returns false if it is about to be run, or was. */
bool pool_future_remove_callback(struct pool_future *future, struct future_callback *callback);

#endif
