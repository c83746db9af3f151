/* dict_store_priv.h: the data of a manager's dict: bytes by keys of bytes, in the order in which
 * the keys were first set; private to pool. No locks: one thread owns it. */
#ifndef POOL_DICT_STORE_PRIV_H
#define POOL_DICT_STORE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keyed_hash_priv.h"
#include "store_priv.h"

/** What an entry costs of the budget besides its bytes: about what it takes here. */
#define DICT_STORE_OVERHEAD ((size_t)128)

struct dict_entry {
    uint64_t hash;
    struct store_value key, value;
    bool present; /* else a hole that a removed entry left */
};

/* Two arrays, as in Python's dict: entries in their order, and an index of slots, of which at most
 * two in three are in use, that says where in it a key is. */
struct dict_store {
    struct store_budget *budget;
    struct hash_secret secret;
    size_t size; /* keys */
    struct dict_entry *entries;
    size_t entry_count, entry_room; /* holes included */
    uint32_t *slots;
    size_t slot_count; /* a power of two, or 0 */
};

/** Make an empty one.  budget: borrowed until done. */
void pool_dict_store_init(struct dict_store *store, struct store_budget *budget,
                          const struct hash_secret *secret);

/** Free everything, and give it back to the budget; it is empty then, and may be used again. */
void pool_dict_store_done(struct dict_store *store);

/** Returns whether the key is there.  ret_value: borrowed until the next change; may be NULL. */
bool pool_dict_store_get(const struct dict_store *store, struct pool_bytes key,
                         struct pool_bytes *ret_value);

/** Set a key to a value; both are copied, and must not lie in the store.
 *  Returns 0, -ENOSPC or -ENOMEM, and then nothing has changed. */
int pool_dict_store_set(struct dict_store *store, struct pool_bytes key, struct pool_bytes value);

/** Remove a key.  Returns whether it was there. */
bool pool_dict_store_remove(struct dict_store *store, struct pool_bytes key);

/** Go through all in order.  cursor: 0 to begin with; no change in between.
 *  Returns whether there was another one. */
bool pool_dict_store_next(const struct dict_store *store, size_t *cursor,
                          struct pool_bytes *ret_key, struct pool_bytes *ret_value);

#endif
