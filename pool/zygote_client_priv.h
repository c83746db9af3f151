/* zygote_client_priv.h: the host's side of the zygote; private to pool. All functions run on the
 * supervisor thread. */
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

/** Start a zygote and wait until it says hello.
 *  program: NULL for the running one.  tasks: what it must know.  depth: how deep pools are nested
 *  that its workers create.
 *  Returns 0, -EPROTO (another table or version, or no worker program at all), or -errno. */
int pool_zygote_client_start(struct zygote_client *zygote, const char *program,
                             const struct pool_tasks *tasks, unsigned depth);

/** Ask for a worker.  socket_fd, page_fd: borrowed.  Returns 0, -EAGAIN, -EPIPE, or -errno. */
int pool_zygote_client_spawn(struct zygote_client *zygote, uint32_t worker_id, int socket_fd,
                             int page_fd);

/** Have it kill a worker whose pidfd could not be received. */
void pool_zygote_client_kill(struct zygote_client *zygote, uint32_t worker_id);

/** End the zygote, and with it every worker that is left, and reap it. NULL-safe on a zygote that
 *  never started. */
void pool_zygote_client_stop(struct zygote_client *zygote);

/** In a forked child: close this process's copies of the descriptors. */
void pool_zygote_client_abandon(struct zygote_client *zygote);

#endif
