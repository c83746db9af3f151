/* worker_priv.h: the life of a worker process; private to pool. */
#ifndef POOL_WORKER_PRIV_H
#define POOL_WORKER_PRIV_H

#include "pool.h"

/** Serve tasks until the host closes the socket.
 *  socket_fd, page_fd: taken; the socket is closed by the process's end, which is to follow.
 *  Returns the process's exit status. */
int pool_worker_run(int socket_fd, int page_fd, const struct pool_tasks *tasks);

#endif
