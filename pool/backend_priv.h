/* backend_priv.h: what a backend is to the pool; private to pool.
 *
 * The pool keeps the queue, the limits and the futures' bookkeeping; a backend takes jobs from the
 * queue (pool_take_locked), runs them somewhere, and hands back how they ended (pool_finish).
 * Adding a backend is adding one file with one such table. */
#ifndef POOL_BACKEND_PRIV_H
#define POOL_BACKEND_PRIV_H

#include <stddef.h>

#include "pool.h"

struct backend {
    /** Get ready to take jobs, with pool->workers_min workers started.
     *  Returns 0 or -errno, and then has cleaned up after itself. Sets pool->backend_data. */
    int (*start)(struct pool *pool, const char *worker_program);
    /** Jobs were put into the queue by the calling thread, which holds no lock. */
    void (*submitted)(struct pool *pool);
    /** The pool was closed, terminated, broken or resized: look at it. No lock is held. */
    void (*changed)(struct pool *pool);
    /** pool_future_cancel() of a job that this backend holds; -EAGAIN if it is in the queue again.
     *  No lock is held. */
    int (*cancel)(struct pool *pool, struct pool_future *future, bool stop_running);
    /** Has a worker started this job, which this backend holds? No lock is held. */
    bool (*running)(struct pool *pool, struct pool_future *future);
    /** Wait for a pending future of this pool in a better way than on its condition variable; NULL:
     *  there is none. No lock is held; the pool is pinned.
     *  Returns 0 when it is done, -ETIMEDOUT, -errno, or 1: not this time. */
    int (*wait)(struct pool *pool, struct pool_future *future, int64_t until_ns);
    /** The workers' numbers.  Returns how many there are; fills as many as there is room for.
     *  ret_busy: how many of them run a task. */
    unsigned (*workers)(struct pool *pool, struct pool_worker_stats *ret_workers, size_t room,
                        unsigned *ret_busy);
    /** Everything has ended and pool->live is 0: join threads, free pool->backend_data. */
    void (*stop)(struct pool *pool);
    /** In a forked child: close this process's copies of the descriptors, touch nothing else. */
    void (*abandon)(struct pool *pool);
    /** The queue takes any number of jobs: they run in their submitters. */
    bool unbounded;
    /** Workers can be added and let go. */
    bool resizable;
};

extern const struct backend pool_backend_serial, pool_backend_thread, pool_backend_process;

#endif
