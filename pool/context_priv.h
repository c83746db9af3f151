/* context_priv.h: on whose behalf does this thread run? Private to pool.
 *
 * A thread that runs a pool's tasks or callbacks must not wait for that pool as others do: it could
 * wait for itself. So such a thread carries a chain of contexts, innermost first, that the waiting
 * functions look at (help.c). */
#ifndef POOL_CONTEXT_PRIV_H
#define POOL_CONTEXT_PRIV_H

#include <stdbool.h>

#include "pool.h"

struct thread_worker;

struct pool_context {
    struct pool *pool;
    struct thread_worker *worker; /* a thread worker; NULL: serial, or a supervisor */
    bool supervisor;              /* the one thread on which everything depends: it never waits */
    bool visitor;                 /* any other thread, in a callback: it may wait for futures, but
                                     not for the pool's end, which waits for it */
    struct pool_context *outer;
};

/** Enter and leave, on the thread itself. context: borrowed in between. */
void pool_context_push(struct pool_context *context);
void pool_context_pop(struct pool_context *context);

/** The innermost context of that pool, or NULL: this thread is none of its own. */
struct pool_context *pool_context_of(const struct pool *pool);

/** How deep a pool is nested that this thread creates: 0 in a program's own code. */
unsigned pool_context_depth(void);

/** In a worker process: the depth of the pool that it works for, plus one. */
void pool_context_set_program_depth(unsigned depth);

#endif
