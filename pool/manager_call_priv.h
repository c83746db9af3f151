/* manager_call_priv.h: a connection to a manager's server, and one request over it; private to
 * pool. */
#ifndef POOL_MANAGER_CALL_PRIV_H
#define POOL_MANAGER_CALL_PRIV_H

#include <pthread.h>
#include <stdint.h>

#include "ipc.h"
#include "manager.h"
#include "manager_wire_priv.h"

struct pool_process;

/* I: fixed after create.  L: lock. */
struct pool_manager {
    uint64_t origin;   /* I: of the process that made this, see origin_priv.h */
    int rendezvous_fd; /* I */
    int fd;            /* I: the connection; one request on it at a time: L */
    pthread_mutex_t lock;
    /* In the maker; else NULL and -1. */
    struct pool_process *process; /* I: the server */
    int leash_fd;                 /* I: the server lives as long as this is open */
};

/** One request. Members that it does not use are 0. */
struct manager_call {
    enum manager_operation operation;
    uint32_t object;
    int64_t number;
    struct pool_bytes key, expected, value;
    struct pool_message *message; /* gets the reply's body; NULL: not wanted */
};

/** Make a request and wait for its reply.
 *  call: its bytes may lie in its message, which is changed at the end, and only by a success.
 *  ret_number: may be NULL.
 *  Returns the server's code, or -ESTALE, -EPIPE, -ENOMEM, -EMFILE, or another -errno: nothing has
 *  been changed or lost, except that after -EPIPE nobody knows. */
int pool_manager_call(struct pool_manager *manager, const struct manager_call *call,
                      int64_t *ret_number);

/** Open an object by its name.  Returns 0, -EINVAL, or as pool_manager_call(). */
int pool_manager_open_object(struct pool_manager *manager, enum manager_operation operation,
                             const char *name, uint32_t *ret_number);

/** What is common to dicts and lists.  Return as pool_manager_call(). */
int pool_manager_fetch_size(struct pool_manager *manager, uint32_t object, size_t *ret_size);
int pool_manager_fetch_items(struct pool_manager *manager, uint32_t object,
                             struct pool_entries *ret_entries);

#endif
