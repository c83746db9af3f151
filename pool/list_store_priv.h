/* list_store_priv.h: the data of a manager's list; private to pool. No locks: one thread owns it.
 */
#ifndef POOL_LIST_STORE_PRIV_H
#define POOL_LIST_STORE_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "store_priv.h"

/** What an item costs of the budget besides its bytes: about what it takes here. */
#define LIST_STORE_OVERHEAD ((size_t)64)

/* An array with room at both ends: appending, and taking from either end, is quick however long it
 * is. */
struct list_store {
    struct store_budget *budget;
    struct store_value *items;
    size_t first, count, room; /* items[first .. first + count - 1] are in use */
};

/** Make an empty one.  budget: borrowed until done. */
void pool_list_store_init(struct list_store *store, struct store_budget *budget);

/** Free everything, and give it back to the budget; it is empty then, and may be used again. */
void pool_list_store_done(struct list_store *store);

/** Item number index, below count; borrowed until the next change. */
struct pool_bytes pool_list_store_get(const struct list_store *store, size_t index);

/** Insert values, so that the first of them is item number index, which is at most count. They are
 *  copied, and must not lie in the store.
 *  Returns 0, -ENOSPC or -ENOMEM, and then nothing has changed. */
int pool_list_store_insert(struct list_store *store, size_t index, const struct pool_bytes *values,
                           size_t value_count);

/** Change item number index, below count.  Returns and copies as above. */
int pool_list_store_set(struct list_store *store, size_t index, struct pool_bytes value);

/** Remove item number index, below count. */
void pool_list_store_remove(struct list_store *store, size_t index);

#endif
