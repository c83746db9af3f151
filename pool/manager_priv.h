/* manager_priv.h: a manager's server process; private to pool. */
#ifndef POOL_MANAGER_PRIV_H
#define POOL_MANAGER_PRIV_H

#include <stddef.h>

struct pool_call;

/** What a server is started with. All descriptors are borrowed. */
struct manager_server_options {
    int rendezvous_fd; /* its end of the socket over which clients introduce themselves */
    int owner_fd;      /* its end of its maker's own connection */
    size_t bytes_max;
};

/** Serve until the maker closes its connection, or SIGTERM comes, which is blocked from then on.
 *  Returns 0 or -errno.
 *  Thread safety: a process that has one thread. */
int pool_manager_server_run(const struct manager_server_options *options);

/** The same as the target of a process (PROCESS_MANAGER in process_priv.h). Its descriptors are in
 *  the order above, its field 0 is bytes_max. */
int pool_manager_serve(struct pool_call *call);

#endif
