/* process_child_priv.h: the life of a process of process.h, inside; private to pool. */
#ifndef POOL_PROCESS_CHILD_PRIV_H
#define POOL_PROCESS_CHILD_PRIV_H

#include "pool.h"

/** Receive the target's call, run it, tell how it returned, and end what it has started itself.
 *  socket_fd: taken.  Returns the process's exit status. */
int pool_process_child_run(int socket_fd, const struct pool_tasks *tasks);

#endif
