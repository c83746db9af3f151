/* program_priv.h: what pool_main() knows about the program; private to pool. */
#ifndef POOL_PROGRAM_PRIV_H
#define POOL_PROGRAM_PRIV_H

#include "pool.h"

/** The table that the program gave to pool_main(), or NULL. */
const struct pool_tasks *pool_program_tasks_get(void);

/** The pool was shut down without waiting: the end of the program waits for it, unless it is freed
 *  before. */
void pool_program_remember(struct pool *pool);
void pool_program_forget(struct pool *pool);

/** From now on exit() runs the epilogue in this process.  Returns 0 or -ENOMEM. */
int pool_program_begin(void);

/** The program ends: wait for such pools, and deal with the processes that it has started. */
void pool_program_epilogue(void);

#endif
