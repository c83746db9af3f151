/* zygote_priv.h: the process that forks workers and processes; private to pool. */
#ifndef POOL_ZYGOTE_PRIV_H
#define POOL_ZYGOTE_PRIV_H

#include "pool.h"

/** First argument of a program that is to be a zygote; behind it, how deep the pools of its workers
 *  are nested, then a comma and the host's process id, or 0 if it need not be watched. */
#define ZYGOTE_ARGUMENT "--pool-zygote="

/** The descriptor that the host leaves open for the zygote. */
#define ZYGOTE_CONTROL_FD 3

/** Is control_fd a socket of the kind a host would have given? */
bool pool_zygote_wanted(int control_fd);

/** Fork and reap workers and processes until the host closes the control socket; then no worker and
 *  no daemon is left.
 *  host: the process that is to be watched as well, or 0.
 *  Called from main while the process is single-threaded.  Returns the process's exit status (in
 *  the zygote and, later, in each worker and process). */
int pool_zygote_run(int control_fd, const struct pool_tasks *tasks, pid_t host);

#endif
