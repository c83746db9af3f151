/* manager_data_priv.h: all dicts and lists of a manager, and what each request does to them;
 * private to pool. It knows nothing of sockets. No locks: one thread owns it. */
#ifndef POOL_MANAGER_DATA_PRIV_H
#define POOL_MANAGER_DATA_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dict_store_priv.h"
#include "list_store_priv.h"
#include "manager_wire_priv.h"

/** What an object costs of the budget besides its contents and its name's entry. */
#define MANAGER_OBJECT_OVERHEAD ((size_t)256)

struct manager_object {
    bool is_dict;
    union {
        struct dict_store dict;
        struct list_store list;
    };
};

struct manager_data {
    struct store_budget budget;
    struct hash_secret secret;
    struct dict_store names; /* a kind's letter and the name -> the object's number, uint32_t */
    struct manager_object **objects;
    size_t object_count, object_room;
};

/** Begin with nothing. From then on it must stay where it is.  Returns 0 or -errno. */
int pool_manager_data_init(struct manager_data *data, size_t bytes_max);
void pool_manager_data_done(struct manager_data *data);

/** The parts of a request; the bytes are borrowed. */
struct manager_command {
    enum manager_operation operation;
    uint32_t object;
    int64_t number;
    struct pool_bytes key, expected, value;
};

/** What to answer. */
struct manager_answer {
    int code;
    int64_t number;
    struct pool_bytes value;            /* borrowed until the next change */
    const struct manager_object *items; /* instead of value: all that is in it */
    uint64_t items_bytes;               /* as manager_items_write() makes them */
};

/** Do what a command asks for; a pop only looks.
 *  Returns 0 with an answer, which may say that it failed, or -EBADMSG: no client of ours asks for
 *  such a thing. */
int pool_manager_data_do(struct manager_data *data, const struct manager_command *command,
                         struct manager_answer *ret_answer);

/** Once a pop's answer has been delivered: remove it. Nothing for other commands. */
void pool_manager_data_delivered(struct manager_data *data, const struct manager_command *command);

/** Pass on the bytes of an answer's items, piece by piece, until write fails.
 *  Returns 0 or what write returned. */
typedef int (*manager_write_fn)(void *to, const void *data, size_t size_bytes);
int pool_manager_items_write(const struct manager_object *items, manager_write_fn write, void *to);

#endif
