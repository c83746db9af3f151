/* thread_worker_priv.h: one thread of a thread pool; private to pool. */
#ifndef POOL_THREAD_WORKER_PRIV_H
#define POOL_THREAD_WORKER_PRIV_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "call_priv.h"
#include "context_priv.h"
#include "job_priv.h"

/* I: fixed after start.  L: the pool's lock.  T: the thread itself.  A: atomic; for pool_stats(),
 * decides nothing. */
struct thread_worker {
    struct pool *pool;                         /* I */
    unsigned id;                               /* I */
    pthread_t thread;                          /* I */
    int64_t started_ns;                        /* L: or ready since */
    pid_t tid;                                 /* L: 0 until it runs */
    bool ready;                                /* L: its initializer has run */
    bool ended;                                /* L: it may be joined */
    _Atomic(const struct pool_task *) current; /* A: the task that it runs, innermost */
    _Atomic int64_t current_ns;                /* A: since when */
    _Atomic uint64_t tasks;                    /* A: started; written by the thread alone */
    struct pool_future *const *awaits;         /* L: it waits for these, without limit */
    size_t awaits_count;                       /* L */
    bool awaits_all;                           /* L: for all of them; else for any */
    uint64_t mark;                             /* L: the search that saw it last (help.c) */
    struct call_local local;                   /* T */
    struct pool_context context;               /* T */
    struct job *ended_jobs;                    /* T: published, and not yet forgotten */
    struct thread_worker *next;                /* L */
};

/** Run a job that this worker has claimed, and finish it. No lock is held.
 *  Thread safety: the worker's own thread. */
void pool_thread_worker_run(struct thread_worker *worker, struct job *job);

#endif
