/* pool_priv.h: the pool's own state and what backends do with it; private to pool.
 *
 * The life of a task
 *
 *   submit   pool_submit() (submit.c), a map (map.c) or an imap (iter.c) makes a future, which
 *            contains a job. The job packs the item's fields into one piece of memory (job.c).
 *            The pool lets it in (submit.c): it may have to wait for room, or be refused because
 *            the pool is closed or broken. From now on the pool has a reference to the future,
 *            which every path below gives back, and owns the item's descriptors.
 *   queue    The job stands in `queue`, by priority, then by age (queue.c). The backend is told.
 *   worker   The backend takes it: the job moves to `held`, and will leave that list but in one of
 *            two ways, pool_finish() or pool_untake().
 *              serial   the submitter takes its own job and runs it at once.
 *              thread   an idle thread takes it, alone or with the rest of its chunk.
 *              process  the supervisor puts it into a worker's hands (dispatch.c): onto the page
 *                       that the two share, with the bytes beside it or, if they are many or there
 *                       are descriptors, in a message or a sealed memfd behind it (remote.c). The
 *                       worker claims it on the page (worker.c); until then the host may take it
 *                       back, for an idle worker, a higher priority or a cancel.
 *            The task runs (call.c), reads its fields in place and appends to its result.
 *   result   The value goes into the job's outcome: directly, or from the worker's page, message or
 *            memfd. If the worker died instead, burial.c looks at the page: a task that had not
 *            started goes back to the front of the queue (pool_untake), one that had fails with
 *            the way its worker ended, or is tried again if it was submitted with retries.
 *   future   pool_finish() publishes the outcome (future.c): it wakes those who wait, queues the
 *            future for pool_completions() if asked, calls the callbacks, and only then forgets the
 *            job: whoever sees the pool idle sees every future done.
 *
 *   On the way a cancel (cancel.c) may take the job out of the queue or out of a worker's hands; a
 *   terminate or a break (pool.c) publishes every future at once, needs no word from the backend
 *   for that, and lets the backend find out by itself that its outcomes come too late.
 *
 * Lock order: the process backend's own lock, then pool->lock, then a future's. No user code (task,
 * source, callback, log) runs under any of them. */
#ifndef POOL_POOL_PRIV_H
#define POOL_POOL_PRIV_H

#include <pthread.h>

#include "backend_priv.h"
#include "future_priv.h"
#include "pool.h"
#include "queue_priv.h"

enum pool_state { POOL_OPEN, POOL_CLOSED, POOL_TERMINATED };

/** Jobs that a backend gives to one worker at once, at most. */
#define POOL_BATCH_MAX 64

/* I: fixed after create.  L: lock.  A: atomic.  B: the backend's own business. */
/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): there are few of them. */
struct pool {
    uint64_t origin;                /* I: see origin_priv.h */
    const struct pool_tasks *tasks; /* I */
    const struct backend *backend;  /* I */
    struct pool_options options;    /* I: with defaults filled in; its pointers are not used */
    unsigned depth;                 /* I: how many pools this one is nested in */
    int initializer;                /* I: index in the table, or -1 */
    void *init_payload;             /* I: packed fields, owned */
    size_t init_payload_bytes;      /* I */
    int64_t created_ns;             /* I */
    void *backend_data;             /* B */

    pthread_mutex_t lock;
    pthread_cond_t has_room;    /* a submitter may go on, or the pool is no longer open */
    pthread_cond_t has_work;    /* a job is queued, or the pool is no longer open */
    pthread_cond_t is_over;     /* the last of jobs and `live` has ended */
    struct job_queue queue;     /* L */
    size_t bounded;             /* L: jobs of the queue that count against queue_max */
    size_t room_waiters;        /* L: threads that wait for has_room */
    struct job_list held;       /* L */
    enum pool_state state;      /* L */
    atomic_bool stopped;        /* A: terminated or broken; written under the lock */
    unsigned ending;            /* L: calls that close, terminate or break, under way */
    unsigned live;              /* L: threads of the backend that still run */
    atomic_bool has_priorities; /* A: jobs of other than normal priority were submitted */
    atomic_uint pins;           /* A: calls on futures that use the pool meanwhile */
    unsigned blocked;           /* L: workers in waits without end on this pool (help.c) */
    uint64_t marks;             /* L: searches among workers that wait (help.c) */
    atomic_uint workers;        /* A: the limit; written under the lock */
    unsigned workers_min;       /* L */
    struct outcome broken;      /* L: code 0, or why the pool broke */
    unsigned start_failures;    /* L: workers in a row that were not ready */
    struct pool_stats counts;   /* L: those that only grow, but for */
    atomic_ullong done;         /* A: tasks that ended with a result, */
    atomic_ullong failed;       /* A: without one, */
    atomic_ullong cancelled;    /* A: or were cancelled */
    uint64_t seen_ended;        /* L: for tasks_per_s: ended at the last look, */
    int64_t seen_ns;            /* L: which was at this time */

    struct pool_future *completions, **completions_end; /* L: owned; see completions.c */
    size_t notify_count;                                /* L: not fetched yet */
    int completion_fd;                                  /* L: -1: nobody asked for it */
    struct monitor *monitor;                            /* I: NULL without on_stats */
    struct pool *shut_next;                             /* program.c's lock */
    atomic_bool shut;                                   /* likewise: it is in the list */
};

/* ---- submit.c ------------------------------------------------------------------------------ */

/** Pack an item into the future's job. Sets the future's user pointer in every case.
 *  Returns 0, -EINVAL or -ENOMEM. */
int pool_prepare(struct pool *pool, int task_index, const struct pool_item *item,
                 const struct pool_submit_options *options, struct pool_future *future);

/** Are the options in range?  Returns 0 or -EINVAL. */
int pool_check_submit(const struct pool_submit_options *options);

/** Put prepared jobs into the queue, in order.
 *  futures: count of them, of which those that are done already (refused) are passed over; the pool
 *  takes a reference to each.
 *  until_ns: how long to wait for room, for a job that is `bounded` or to be notified; 0 = not at
 *  all (-EAGAIN), TIME_NEVER = as long as it takes.
 *  Returns as pool_submit(), or -ETIMEDOUT; then none was taken. */
int pool_admit(struct pool *pool, struct pool_future *const *futures, size_t count,
               int64_t until_ns);

/** What will not be submitted after all (r says why): end its future, close the descriptors of its
 *  job, once it was prepared, or of its item. */
void pool_refuse(struct pool *pool, struct pool_future *future, int r);
void pool_refuse_item(struct pool *pool, const struct pool_item *item, int r,
                      struct pool_future *future);

/* ---- finish.c: what backends do with jobs -------------------------------------------------- */

/** Take the first queued job, or NULL. The caller holds pool->lock. */
struct job *pool_take_locked(struct pool *pool);

/** Take a given job that is queued. The caller holds pool->lock. */
void pool_take_job_locked(struct pool *pool, struct job *job);

/** Put a job that was taken back to the front of its priority.  After a terminate or a break, when
 *  nobody would take it again, it stays where it is. The caller holds pool->lock.
 *  Returns false in that case: it must be finished. */
bool pool_untake_locked(struct pool *pool, struct job *job);

/** Jobs that were taken have ended: publish job->outcome of each, forget them, let go of them.
 *  first: linked by next_ended. Must be called with no lock held. */
void pool_finish(struct pool *pool, struct job *first);

/** The same in three steps, for who takes the lock anyway: pool_end() publishes, with no lock held;
 *  pool_forget_locked() removes them from `held`
 *  (and the pool may then be over); pool_let_go() may free them, with no lock held.
 */
void pool_end(struct pool *pool, struct job *first);
void pool_forget_locked(struct pool *pool, struct job *first);
void pool_let_go(struct job *first);

/** Decide that this is how a job ends: whoever is first must publish it.
 *  Returns true if it is the first.  Thread safety: any thread. */
bool pool_settle(struct pool *pool, struct job *job, int code);

/** Resolve the future of a job that this thread has settled; the job itself is finished by who
 *  holds it.  outcome: consumed. No lock may be held. */
void pool_publish(struct pool *pool, struct pool_future *future, struct outcome *outcome);

/** End every queued job with -ECANCELED. No lock may be held. */
void pool_cancel_queued(struct pool *pool);

/** The same, and what workers hold without having started it. */
void pool_cancel_unstarted(struct pool *pool);

/** Give an outcome to every job that has none; the pool's state says which. No lock may be held. */
void pool_resolve_everything(struct pool *pool);

/* ---- pool.c -------------------------------------------------------------------------------- */

/** No worker can be had any more: every job ends with this error, and so does every submit. The
 *  first call counts.  why: consumed; its code is not 0. No lock may be held. */
void pool_break(struct pool *pool, struct outcome *why);

/** A call that ends the pool is under way: until pool_end_done() the pool is not over, so that
 *  nobody who joins it frees it under us. */
void pool_end_begin_locked(struct pool *pool);
void pool_end_done(struct pool *pool);

/** Is nothing left to do or to run? */
bool pool_is_over_locked(const struct pool *pool);
void pool_announce_if_over_locked(struct pool *pool);

/** One of the backend's threads has ended; the last thing it does with the pool. */
void pool_thread_ended(struct pool *pool);

/** Keep the pool from being freed while something is done to a future that is not done.
 *  pool_pin: returns the future's pool, or NULL if it is done or was never submitted. */
struct pool *pool_pin(struct pool_future *future);
void pool_unpin(struct pool *pool);

/** Run the initializer in this thread, if there is one.
 *  Returns 0, or the negative code with which it failed; the outcome then says why. */
struct call_local;
int pool_run_initializer(struct pool *pool, struct call_local *local, struct outcome *ret_outcome);

/** A worker was not ready: its initializer failed or it died before.  why: consumed.
 *  Returns true if that broke the pool. */
bool pool_start_failed(struct pool *pool, struct outcome *why);

/* ---- completions.c ------------------------------------------------------------------------- */

/** Queue a future that is done for pool_completions(); takes a reference. */
void pool_completions_add(struct pool *pool, struct pool_future *future);

/** Let go of those that were not fetched, and of the descriptor. */
void pool_completions_done(struct pool *pool);

/* ---- log.c --------------------------------------------------------------------------------- */

/** Tell the host, if it wants to know. No lock may be held. */
void pool_log(struct pool *pool, const struct pool_log_event *event);

/* ---- monitor.c ----------------------------------------------------------------------------- */

/** Start the thread that calls on_stats.  Returns 0 or -errno. */
int pool_monitor_start(struct pool *pool);
void pool_monitor_stop(struct pool *pool);

#endif
