/* backend_priv.h: what a backend is to the pool; private to pool.
 *
 * The pool keeps the queue, the limits and the futures' bookkeeping; a backend takes jobs from the
 * queue (pool_take), runs them somewhere, and hands back how they ended (pool_finish). Adding a
 * backend is adding one file with one such table. */
#ifndef POOL_BACKEND_PRIV_H
#define POOL_BACKEND_PRIV_H

struct pool;
struct job;

struct backend {
    /** Get ready to take jobs. options: borrowed for the call.  Returns 0 or -errno, and then has
     *  cleaned up after itself. Sets pool->backend_data. */
    int (*start)(struct pool *pool, const char *worker_program);
    /** A job was put into the queue by the calling thread, which holds no lock. */
    void (*submitted)(struct pool *pool, struct job *job);
    /** The pool was closed, terminated or broken: look at pool->state. No lock is held. */
    void (*state_changed)(struct pool *pool);
    /** Everything has ended and pool->live is 0: join threads, free pool->backend_data. */
    void (*stop)(struct pool *pool);
    /** The queue takes any number of jobs: they run in their submitters. */
    int unbounded;
};

extern const struct backend backend_serial, backend_thread, backend_process;

#endif
