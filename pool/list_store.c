#include "list_store_priv.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_MIN ((size_t)8)

/* An array that is used so little (one part in so many) is made smaller. */
#define SPARSE ((size_t)8)

void pool_list_store_init(struct list_store *store, struct store_budget *budget)
{
    *store = (struct list_store){.budget = budget};
}

void pool_list_store_done(struct list_store *store)
{
    for (size_t i = 0; i < store->count; i++) {
        struct store_value *item = &store->items[store->first + i];
        store_budget_give(store->budget, LIST_STORE_OVERHEAD + item->size_bytes);
        free(item->data);
    }
    free(store->items);
    pool_list_store_init(store, store->budget);
}

struct pool_bytes pool_list_store_get(const struct list_store *store, size_t index)
{
    return store_bytes(&store->items[store->first + index]);
}

/* ---- Room ---------------------------------------------------------------------------------- */

/* Move all items into a new array, with so much room before and behind them.
 * Returns 0, or -ENOMEM with all as it was. */
static int relocate(struct list_store *store, size_t before, size_t behind)
{
    size_t room;
    if (__builtin_add_overflow(store->count, before, &room) ||
        __builtin_add_overflow(room, behind, &room) || room > SIZE_MAX / sizeof(store->items[0]))
        return -ENOMEM;
    struct store_value *items = calloc(room, sizeof(items[0]));
    if (!items)
        return -ENOMEM;
    if (store->count > 0)
        memcpy(items + before, store->items + store->first, store->count * sizeof(items[0]));
    free(store->items);
    store->items = items;
    store->first = before;
    store->room = room;
    return 0;
}

/* Make a gap of `size` items before item number index, moving whichever part is shorter. The gap is
 * counted as items.  Returns 0, or -ENOMEM with all as it was. */
static int open_gap(struct list_store *store, size_t index, size_t size)
{
    const size_t spare = store->count / 2 + ROOM_MIN;
    const bool at_front = index < store->count - index;
    const size_t behind = store->room - store->first - store->count;
    int r = 0;
    if (at_front ? store->first < size : behind < size) {
        if (size > SIZE_MAX - spare)
            return -ENOMEM;
        r = at_front ? relocate(store, size + spare, behind < spare ? behind : spare)
                     : relocate(store, store->first < spare ? store->first : spare, size + spare);
    }
    if (r < 0)
        return r;
    struct store_value *items = store->items + store->first;
    if (at_front) {
        memmove(items - size, items, index * sizeof(items[0]));
        store->first -= size;
    } else {
        memmove(items + index + size, items + index, (store->count - index) * sizeof(items[0]));
    }
    store->count += size;
    return 0;
}

/* ---- Items --------------------------------------------------------------------------------- */

static int cost_of(const struct pool_bytes *values, size_t value_count, size_t *ret_cost)
{
    size_t cost;
    if (__builtin_mul_overflow(value_count, LIST_STORE_OVERHEAD, &cost))
        return -ENOSPC;
    for (size_t i = 0; i < value_count; i++)
        if (__builtin_add_overflow(cost, values[i].size_bytes, &cost))
            return -ENOSPC;
    *ret_cost = cost;
    return 0;
}

static void close_gap(struct list_store *store, size_t index, size_t size)
{
    struct store_value *items = store->items + store->first;
    const size_t behind = store->count - index - size;
    if (index < behind) {
        memmove(items + size, items, index * sizeof(items[0]));
        store->first += size;
    } else {
        memmove(items + index, items + index + size, behind * sizeof(items[0]));
    }
    store->count -= size;
}

int pool_list_store_insert(struct list_store *store, size_t index, const struct pool_bytes *values,
                           size_t value_count)
{
    size_t cost, copied = 0;
    if (value_count == 0)
        return 0;
    int r = cost_of(values, value_count, &cost);
    if (r == 0)
        r = store_budget_take(store->budget, cost);
    if (r < 0)
        return r;
    r = open_gap(store, index, value_count);
    if (r < 0) {
        store_budget_give(store->budget, cost);
        return r;
    }
    struct store_value *gap = store->items + store->first + index;
    while (copied < value_count && r == 0) {
        r = pool_store_value_copy(values[copied], &gap[copied]);
        if (r == 0)
            copied++;
    }
    if (r < 0) {
        while (copied > 0)
            free(gap[--copied].data);
        close_gap(store, index, value_count);
        store_budget_give(store->budget, cost);
    }
    return r;
}

int pool_list_store_set(struct list_store *store, size_t index, struct pool_bytes value)
{
    return pool_store_value_change(&store->items[store->first + index], value, store->budget);
}

void pool_list_store_remove(struct list_store *store, size_t index)
{
    struct store_value *item = &store->items[store->first + index];
    store_budget_give(store->budget, LIST_STORE_OVERHEAD + item->size_bytes);
    free(item->data);
    close_gap(store, index, 1);
    if (store->room > SPARSE * ROOM_MIN && store->count < store->room / SPARSE)
        relocate(store, store->count / 2, store->count / 2 + ROOM_MIN); /* or it stays as it is */
}
