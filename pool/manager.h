/* manager.h: dicts and lists that several processes read and change. Part of the pool library; the
 * conventions stand in pool.h.
 *
 * This is Python's multiprocessing.Manager. A server process holds the data; every other process
 * talks to it. Each call here is one request, and the server does one request after the other: each
 * is whole, whatever other processes do, and whoever is killed in the middle of a call has either
 * changed all that it asked for, or nothing.
 *
 *     pool_manager_create(NULL, &manager);
 *     pool_manager_dict(manager, "dic", &dict);       // opened by its name, made on first use
 *     int fd = pool_manager_share(manager);           // for another process, as in ipc.h:
 *     ...
 *     pool_manager_open(pool_call_fd(call, 0), &manager);
 *     pool_manager_dict(manager, "dic", &dict);       // the same dict
 *
 * Keys and values are bytes. A dict keeps the order in which its keys were first set.
 *
 * The server lives until the manager that made it is freed, or the process that made it ends in
 * whatever way; from then on calls of other processes return -EPIPE. It serves whoever was given a
 * descriptor, and nobody else: it has no name or address.
 *
 * Every call waits for the server as long as it lives, and returns -EPIPE when it is gone; -ENOMEM,
 * -EMFILE or another -errno when this process or the server lacks something; -ENOSPC when the
 * server may not hold more; and -ESTALE in a child that the host forked (which may make a
 * connection of its own by pool_manager_open()). Whatever fails has changed nothing, and what was
 * to be popped is still there; only after -EPIPE nobody knows.
 *
 * Thread safety: every function here may be called from any thread (calls on one manager wait for
 * each other), but an object must not be freed while another call on it runs. */
#ifndef POOL_MANAGER_H
#define POOL_MANAGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pool_manager; /* a connection to the server, and in its maker the server itself */
struct pool_dict;    /* a dict of a manager */
struct pool_list;    /* a list of a manager */

struct pool_manager_options {
    /* What the server may hold: bytes of keys, values and names, and for each 64 to 384 more, about
     * what keeping it costs. 0: POOL_MANAGER_BYTES_DEFAULT. */
    size_t bytes_max;
};

#define POOL_MANAGER_BYTES_DEFAULT ((size_t)256 << 20)
#define POOL_MANAGER_NAME_MAX      255

/** Start a server process.  options: NULL for the defaults.
 *  ret_manager: owned, pool_manager_free().
 *  Returns 0, -ENOTSUP (the program has not called pool_main()), or as pool_process_start().
 *  Mirrors: Manager(). */
int pool_manager_create(const struct pool_manager_options *options,
                        struct pool_manager **ret_manager);

/** share: a new descriptor, owned by the caller, for another process.  open: connect to the server
 *  by such a descriptor (borrowed); -EBADMSG if it is of something else, -EMFILE also if the server
 *  has no room for one more.  free: disconnect and, in the one that started it, end the server and
 *  wait for that; its dicts and lists must have been freed; may be NULL. */
int pool_manager_share(const struct pool_manager *manager);
int pool_manager_open(int fd, struct pool_manager **ret_manager);
void pool_manager_free(struct pool_manager *manager);

/** The server's process; 0 in a manager that was opened. */
pid_t pool_manager_pid(const struct pool_manager *manager);

/** Open the dict or list of that name, or make an empty one. Dicts and lists have names of their
 *  own: one of each may have the same.
 *  name: 1..POOL_MANAGER_NAME_MAX bytes.
 *  ret_dict, ret_list: owned; to be freed before the manager.
 *  Returns 0, -EINVAL, or as above.
 *  Mirrors: manager.dict(), manager.list(). */
int pool_manager_dict(struct pool_manager *manager, const char *name, struct pool_dict **ret_dict);
int pool_manager_list(struct pool_manager *manager, const char *name, struct pool_list **ret_list);

/** Let go of the object here; the data stays in the server.  May be NULL. */
void pool_dict_free(struct pool_dict *dict);
void pool_list_free(struct pool_list *list);

/** A copy of a dict or list as it was at one moment, in order. All bytes are aligned for any type;
 *  key is empty in a list's. */
struct pool_entry {
    struct pool_bytes key;
    struct pool_bytes value;
};
struct pool_entries {
    struct pool_entry *entries; /* owned, with all their bytes, by pool_entries_done() */
    size_t count;
    void *memory; /* where the bytes are */
};

/** Free what a copy holds and make it empty. */
void pool_entries_done(struct pool_entries *entries);

/* ---- Dict ---------------------------------------------------------------------------------- */

/** dict[key] = value.  Returns 0. */
int pool_dict_set(struct pool_dict *dict, struct pool_bytes key, struct pool_bytes value);

/** dict[key].  message: as for queues, here and below: untouched unless there is something to put
 *  into it; the bytes asked with may lie in it.  Returns 0 or -ENOENT. */
int pool_dict_get(struct pool_dict *dict, struct pool_bytes key, struct pool_message *message);

/** key in dict.  Returns 1 or 0. */
int pool_dict_contains(struct pool_dict *dict, struct pool_bytes key);

/** dict.pop(key): take the value out.  message: NULL to throw it away.  Returns 0 or -ENOENT. */
int pool_dict_pop(struct pool_dict *dict, struct pool_bytes key, struct pool_message *message);

/** dict[key] += delta in one step, which `dict[key] += 1` is not in Python: there, another process
 *  may come between the reading and the writing. Such a value is an int64_t of 8 bytes; a key that
 *  is missing counts as 0.  ret_sum: may be NULL.
 *  Returns 0, -EINVAL (the value there is no such number) or -ERANGE (the sum would be none). */
int pool_dict_add(struct pool_dict *dict, struct pool_bytes key, int64_t delta, int64_t *ret_sum);

/** Set dict[key] to value only if it still is `expected`: for every other change in one step (get,
 *  compute, replace; again if another was faster).  Returns 0, -EAGAIN (it is different now) or
 *  -ENOENT. */
int pool_dict_replace(struct pool_dict *dict, struct pool_bytes key, struct pool_bytes expected,
                      struct pool_bytes value);

/** dict.setdefault(key, value): set it unless it is there; message (may be NULL) gets what is there
 *  then.  Returns 1 if it was set, 0 if it was there. */
int pool_dict_set_default(struct pool_dict *dict, struct pool_bytes key, struct pool_bytes value,
                          struct pool_message *message);

/** len(dict): returns 0 and the number.  dict.clear().  dict.items(): a copy of all. */
int pool_dict_size(struct pool_dict *dict, size_t *ret_size);
int pool_dict_clear(struct pool_dict *dict);
int pool_dict_items(struct pool_dict *dict, struct pool_entries *ret_entries);

/* ---- List ---------------------------------------------------------------------------------- */

/* Indexes are Python's: 0 is the first, -1 the last; -ERANGE if there is no such item. */

/** list.append(value); list.extend(values), in one step.  Returns 0. */
int pool_list_append(struct pool_list *list, struct pool_bytes value);
int pool_list_extend(struct pool_list *list, const struct pool_bytes *values, size_t count);

/** list.insert(index, value): before that item; beyond either end means at that end. */
int pool_list_insert(struct pool_list *list, ssize_t index, struct pool_bytes value);

/** list[index]; list[index] = value; list.pop(index) (message NULL: thrown away). */
int pool_list_get(struct pool_list *list, ssize_t index, struct pool_message *message);
int pool_list_set(struct pool_list *list, ssize_t index, struct pool_bytes value);
int pool_list_pop(struct pool_list *list, ssize_t index, struct pool_message *message);

/** len(list); list.clear(); list[:], a copy of all. */
int pool_list_size(struct pool_list *list, size_t *ret_size);
int pool_list_clear(struct pool_list *list);
int pool_list_items(struct pool_list *list, struct pool_entries *ret_entries);

#ifdef __cplusplus
}
#endif

#endif
