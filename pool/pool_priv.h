/* pool_priv.h: the pool's own state and what backends do with it; private to pool.
 *
 * Life of a job
 *   submit        creates it with its future and appends it to `queued`
 *   pool_take     a backend moves the first one to `running`
 *   pool_untake   ... moves it back to the front, when it could not be started after all
 *   pool_finish   ... resolves its future, removes and frees it
 * A job stands in exactly one list from submit to finish, so terminating is resolving the futures
 * of both lists: that needs no word from the backend, which will find out by itself that its
 * outcomes come too late.
 *
 * Lock order: pool->lock, then nothing. Futures are resolved with no lock held, because a hook
 * runs then. */
#ifndef POOL_POOL_PRIV_H
#define POOL_POOL_PRIV_H

#include <pthread.h>

#include "backend_priv.h"
#include "future_priv.h"
#include "job_priv.h"
#include "pool.h"

enum pool_state { POOL_OPEN, POOL_CLOSED, POOL_TERMINATED };

/* I: fixed after create.  L: lock.  B: the backend's own business. */
struct pool {
    unsigned workers;               /* I */
    size_t queue_max;               /* I */
    const struct pool_tasks *tasks; /* I */
    const struct backend *backend;  /* I */
    void *backend_data;             /* B */

    pthread_mutex_t lock;
    pthread_cond_t has_room;            /* a submitter may go on, or the pool is no longer open */
    pthread_cond_t has_work;            /* a job is queued, or the pool is no longer open */
    pthread_cond_t is_over;             /* the last of jobs and `live` has ended */
    struct job_list queued;             /* L: limited by queue_max */
    struct job_list running;            /* L */
    enum pool_state state;              /* L */
    unsigned ending;                    /* L: calls that close, terminate or break, under way */
    unsigned live;                      /* L: threads of the backend that still run */
    int broken;                         /* L: 0, or the error that broke the pool */
    char broken_message[MESSAGE_BYTES]; /* L */
};

/** Take the first queued job, or NULL.  The _locked form holds pool->lock. */
struct job *pool_take(struct pool *pool);
struct job *pool_take_locked(struct pool *pool);

/** Move a given queued job to the running ones; holds pool->lock.  Returns false if it is no
 *  longer queued (the pool was terminated). */
bool pool_take_job_locked(struct pool *pool, struct job *job);

/** Put a job that was taken back to the front of the queue.  After a terminate or a break, when
 *  nobody would take it again, it is finished instead. */
void pool_untake(struct pool *pool, struct job *job);

/** A job that was taken has ended: publish it, forget it, free it.  outcome: consumed. */
void pool_finish(struct pool *pool, struct job *job, struct outcome *outcome);

/** No worker can be had any more: every job ends with this error, and so does every submit. The
 *  first call counts.  format: why, for people. */
void pool_break(struct pool *pool, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** One of the backend's threads has ended; the last thing it does with the pool. */
void pool_thread_ended(struct pool *pool);

/** Submit one task whose outcome goes to a given future.
 *  future: borrowed; the job takes a reference.  item: its descriptors are taken on success.
 *  options: not NULL; nonblocking is not looked at.  until_ns: how long to wait for room in the
 *  queue; 0 = not at all (-EAGAIN), TIME_NEVER = as long as it takes.
 *  Returns as pool_submit(), or -ETIMEDOUT. */
int pool_submit_future(struct pool *pool, const char *task, const struct pool_item *item,
                       const struct pool_submit_options *options, int64_t until_ns,
                       struct pool_future *future);

/** An item cannot be submitted after all (r says why): close its descriptors and end its future. */
void pool_refuse_item(struct pool *pool, const struct pool_item *item, int r,
                      struct pool_future *future);

#endif
