/* store_priv.h: what the dict and the list of a manager's server have in common; private to pool.
 */
#ifndef POOL_STORE_PRIV_H
#define POOL_STORE_PRIV_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "task.h"

/** How much several stores may hold together. */
struct store_budget {
    size_t used, max; /* used <= max */
};

/** Returns 0 or -ENOSPC. */
static inline int store_budget_take(struct store_budget *budget, size_t bytes)
{
    if (bytes > budget->max - budget->used)
        return -ENOSPC;
    budget->used += bytes;
    return 0;
}

static inline void store_budget_give(struct store_budget *budget, size_t bytes)
{
    budget->used -= bytes;
}

/** Bytes of a store's own, and where they end. */
struct store_value {
    void *data; /* owned; NULL if size_bytes is 0 */
    size_t size_bytes;
};

/** Copy bytes.  Returns 0 or -ENOMEM. */
int pool_store_value_copy(struct pool_bytes bytes, struct store_value *ret_value);

/** Put other bytes in place of value's, at the budget's cost.
 *  Returns 0, -ENOSPC or -ENOMEM, and then nothing has changed. */
int pool_store_value_change(struct store_value *value, struct pool_bytes bytes,
                            struct store_budget *budget);

static inline struct pool_bytes store_bytes(const struct store_value *value)
{
    return (struct pool_bytes){value->data, value->size_bytes};
}

#endif
