/* zygote_client_priv.h: the host's side of a zygote; private to pool. A pool's belongs to its
 * supervisor thread, the family's to whoever holds the family's lock. */
#ifndef POOL_ZYGOTE_CLIENT_PRIV_H
#define POOL_ZYGOTE_CLIENT_PRIV_H

#include "pool.h"
#include "wire_priv.h"

struct zygote_client {
    int control_fd; /* -1: none */
    int pidfd;      /* -1: none */
    pid_t pid;
};

#define ZYGOTE_CLIENT_INIT                                                                         \
    {                                                                                              \
        .control_fd = -1, .pidfd = -1                                                              \
    }

struct zygote_role {
    unsigned depth;    /* how deep pools are nested that its workers create */
    bool watches_host; /* its life is tied to this process; else to the thread that starts it */
};

/** Start a zygote and wait until it says hello.
 *  program: NULL for the running one.  tasks: what it must know.
 *  Returns 0, -EPROTO (another table or version, or no worker program at all), or -errno. */
int pool_zygote_client_start(struct zygote_client *zygote, const char *program,
                             const struct pool_tasks *tasks, struct zygote_role role);

/** Ask for a worker or a process.
 *  fds: what it is to have (wire_priv.h); borrowed.  Returns 0, -EAGAIN, -EPIPE, or -errno. */
int pool_zygote_client_spawn(struct zygote_client *zygote, enum wire_kind kind, uint32_t id,
                             const int *fds, size_t fd_count);

/** Have it kill one whose pidfd could not be received, or that nobody wants any more. */
void pool_zygote_client_kill(struct zygote_client *zygote, uint32_t worker_id);

/** End the zygote, and with it every worker and daemon that is left, and reap it. NULL-safe on a
 * zygote that never started. */
void pool_zygote_client_stop(struct zygote_client *zygote);

/** In a forked child: close this process's copies of the descriptors. */
void pool_zygote_client_abandon(struct zygote_client *zygote);

#endif
