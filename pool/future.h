/* future.h: the result of a task, now or later. Part of the pool library; the conventions stand in
 * pool.h.
 *
 * A future is made by a submit and passes through
 *
 *     pending ----> running ----> done
 *         \___________________/
 *
 * It is done exactly once, on every path, whatever happens to its task, its worker or its pool, and
 * from then on it does not change. pool_future_result() then returns one of
 *
 *     0            the task returned a result
 *     -EREMOTEIO   the task ran and failed: its own code and words are in pool_future_error()
 *     -ETIME       it ran past its deadline
 *     -ENOMEM      its worker used more memory than rss_limit_bytes (over_memory is true), or there
 *                  was none to run it or to receive its result with (it is false)
 *     -EOWNERDEAD  its worker died (crash, exit, kill): pool_future_error() says how
 *     -ECANCELED   it was cancelled, or its pool was terminated
 *     another      it could not be run at all: pool_future_error() says why
 *
 * Thread safety: every function here may be called from any thread. */
#ifndef POOL_FUTURE_H
#define POOL_FUTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "task.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pool_future;    /* the result of one task, now or later */
struct pool_completed; /* a running pool_as_completed() */

/** Wait until the task has ended and fetch its result.
 *  future: borrowed.  ret_value: its bytes are borrowed until the future is freed; may be NULL.
 *  Inside a task or callback of the same pool, a wait that can never end returns -EDEADLK. With
 *  timeout_ms -1 a thread worker that waits for a task which nobody has started runs that task
 *  itself, and no other: so waits may nest deeper than the pool has workers.
 *  Returns 0 or another of the codes above, or
 *    -ETIMEDOUT   still not done after timeout_ms; nothing has changed, ask again
 *    -EDEADLK     this wait could never end
 *    -ESTALE      in a process that was forked after the submit, unless it was done then.
 *  Mirrors: Future.result(timeout), AsyncResult.get(timeout), AsyncResult.wait(timeout). */
int pool_future_result(struct pool_future *future, int timeout_ms, struct pool_bytes *ret_value);

/** Why a task has no result. Pointers are borrowed until the future is freed. */
struct pool_error {
    int code;            /* as pool_future_result() returns it; 0: there is a result */
    int task_code;       /* with -EREMOTEIO: what the task returned; else 0 */
    const char *message; /* never NULL */
    const char *where;   /* "file:line" of pool_call_fail(), or "" */
    const char *task;    /* the task's name */
    pid_t worker_pid;    /* the process that ran it last; 0 if none did */
    int signal;          /* with -EOWNERDEAD, -ETIME or over_memory: what ended the worker, or 0 */
    int exit_status;     /* with -EOWNERDEAD: its exit status if it exited, else -1 */
    unsigned deaths;     /* workers that died while they ran it (see retries in pool.h) */
    bool quarantined;    /* retries were left, but it had killed too many workers */
    bool over_memory;    /* with -ENOMEM: its worker was killed for its memory (rss_limit_bytes) */
};

/** The error of a finished task.  Returns 0, or -EAGAIN while it is not done.
 *  Mirrors: Future.exception(). */
int pool_future_error(struct pool_future *future, struct pool_error *ret_error);

/** done: has the task ended, one way or another?  running: has a worker started it, and it has not
 *  ended?  cancelled: is it done with -ECANCELED?
 *  Mirrors: Future.done(), .running(), .cancelled(), AsyncResult.ready(). */
bool pool_future_done(struct pool_future *future);
bool pool_future_running(struct pool_future *future);
bool pool_future_cancelled(struct pool_future *future);

/** Did the task return a result?  Returns 1, 0, or -EAGAIN while it is not done.
 *  Mirrors: AsyncResult.successful(). */
int pool_future_successful(struct pool_future *future);

/** Cancel a task. One that no worker has started never will be, even if a worker process has
 *  received it already. One that runs is left alone, unless
 *  stop_running: a worker process that runs it is stopped (SIGTERM, SIGKILL after half a second)
 *    and replaced; in a thread or serial worker pool_call_cancelled() turns true.
 *  Returns
 *    0             the future is now done, with -ECANCELED
 *    -EINPROGRESS  a thread or serial task was told: -ECANCELED if it then returns an error, or if
 *                  it was just about to begin, and now will not
 *    -EBUSY        it runs, and stop_running was not given
 *    -EALREADY     it was done already
 *    -ESTALE       in a forked child.
 *  Mirrors: Future.cancel(), which is stop_running = false. */
int pool_future_cancel(struct pool_future *future, bool stop_running);

/** Called when a future is done.  future: borrowed for the call. */
typedef void (*pool_done_fn)(struct pool_future *future, void *data);

/** Have a function called once the future is done: at once, in this thread, if it is done already;
 *  else in the thread that ends it (one of the pool's, or of whoever cancels or terminates), after
 *  the result can be seen, in the order of adding, with no lock held. The function may submit,
 *  cancel, close, terminate or free futures. It should be brief, because it keeps that thread from
 *  its work; and a callback of a process pool that waits for the same pool gets -EDEADLK.
 *  Returns 0 or -ENOMEM.  Mirrors: Future.add_done_callback(). */
int pool_future_add_done_callback(struct pool_future *future, pool_done_fn done, void *data);

/** The item's user pointer. */
void *pool_future_user(const struct pool_future *future);

/** The task's name; borrowed from the table. */
const char *pool_future_task(const struct pool_future *future);

/** One reference more, to be let go with pool_future_free().  Returns future. */
struct pool_future *pool_future_ref(struct pool_future *future);

/** Let go of a future; the task itself goes on. NULL is fine.  Returns NULL. */
struct pool_future *pool_future_free(struct pool_future *future);

/* ---- Several at once ----------------------------------------------------------------------- */

enum pool_wait_mode {
    POOL_FIRST_COMPLETED, /* until one is done */
    POOL_FIRST_EXCEPTION, /* until one is done without a result, or all are done */
    POOL_ALL_COMPLETED    /* until all are done */
};

/** Wait for several futures, of any pools.
 *  futures: count of them, borrowed for the call; NULL entries are passed over.
 *  Returns how many of them are done (ask pool_future_done() which), or -ETIMEDOUT, -EDEADLK,
 *  -ESTALE or -ENOMEM.  Mirrors: concurrent.futures.wait(). */
int pool_wait(struct pool_future *const *futures, size_t count, enum pool_wait_mode mode,
              int timeout_ms);

/** Go through futures in the order in which they end.
 *  futures: count of them, of any pools; each gets a reference until pool_completed_free(); NULL
 *    entries are passed over.
 *  timeout_ms: for all of it, counted from this call.
 *  ret_completed: owned; release with pool_completed_free().  Returns 0 or -ENOMEM.
 *  Mirrors: concurrent.futures.as_completed(). */
int pool_as_completed(struct pool_future *const *futures, size_t count, int timeout_ms,
                      struct pool_completed **ret_completed);

/** The next one that is done.
 *  ret_future: borrowed until pool_completed_free().
 *  Returns 1 with a future, 0 when all have been given out, -ETIMEDOUT, -EDEADLK or -ESTALE.
 *  Thread safety: one thread at a time. */
int pool_completed_next(struct pool_completed *completed, struct pool_future **ret_future);

/** NULL is fine.  Returns NULL. */
struct pool_completed *pool_completed_free(struct pool_completed *completed);

#ifdef __cplusplus
}
#endif

#endif
