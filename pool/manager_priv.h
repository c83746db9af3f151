/* manager_priv.h: a manager's server process; private to pool. */
#ifndef POOL_MANAGER_PRIV_H
#define POOL_MANAGER_PRIV_H

#include <stddef.h>

struct pool_call;

/** Serve until the maker closes its end of the leash (see manager_wire_priv.h), or SIGTERM comes,
 *  which is blocked from then on. Other signals are as the caller has left them.
 *  leash_fd: borrowed.
 *  Returns 0 or -errno.
 *  Thread safety: a process that has one thread. */
int pool_manager_server_run(int leash_fd, size_t bytes_max);

/** The same as the target of a process (PROCESS_MANAGER in process_priv.h): its descriptor is the
 *  leash, its field is bytes_max. */
int pool_manager_serve(struct pool_call *call);

#endif
