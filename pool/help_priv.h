/* help_priv.h: waiting for a pool from inside it; private to pool.
 *
 * A worker that waits for its own pool keeps a worker from working, and if all do, none is left to
 * end what they wait for. So a thread worker that is about to wait without a time limit
 *
 *   helps    runs the very task that it waits for, if nobody has started it. It runs no other: an
 *            unrelated task might want a lock that this one holds.
 *   gives up with -EDEADLK if the wait cannot end: the awaited task waits, through however many
 *            others, for this very worker; or every worker of the pool would then be waiting so.
 *   waits    otherwise: the awaited task runs in another worker.
 *
 * A supervisor thread, on which callbacks of a process pool run, never waits for its pool: nothing
 * would move meanwhile. Nor does a serial task: there is only its own thread. Waits with a time
 * limit end by themselves, and are left alone (but for supervisors). */
#ifndef POOL_HELP_PRIV_H
#define POOL_HELP_PRIV_H

#include "context_priv.h"
#include "future_priv.h"

/** Before waiting for futures, from inside `context`: help if possible.
 *  futures: count of them; NULL, done and other pools' entries are passed over.
 *  all: the wait is for all of them; else for one.
 *  io_from: where to start looking; entries before it are done. 0 at first.
 *  Returns 1: something was done, look again; 0: wait now, then call pool_help_end(); -EDEADLK. */
int pool_help_begin(struct pool_context *context, struct pool_future *const *futures, size_t count,
                    bool all, size_t *io_from);
void pool_help_end(struct pool_context *context);

/** Before waiting for room in the queue; the caller holds the pool's lock.
 *  Returns 0: wait now, then call pool_help_end_locked(); or -EDEADLK. */
int pool_help_begin_room_locked(struct pool_context *context);
void pool_help_end_locked(struct pool_context *context);

#endif
