/* map.c: pool_map(), the ordered map over an array: submit all, wait for all. */
#include <errno.h>
#include <stdlib.h>

#include "pool_priv.h"
#include "sync_priv.h"
#include "table_priv.h"

struct pool_results {
    size_t count;
    struct pool_future *futures[]; /* owned, all done */
};

struct pool_results *pool_results_free(struct pool_results *results)
{
    for (size_t i = 0; results && i < results->count; i++)
        pool_future_free(results->futures[i]);
    free(results);
    return NULL;
}

size_t pool_results_count(const struct pool_results *results)
{
    return results->count;
}

struct pool_future *pool_results_at(const struct pool_results *results, size_t index)
{
    return index < results->count ? results->futures[index] : NULL;
}

static int results_create(const char *task, const struct pool_item *items, size_t count,
                          struct pool_results **ret_results)
{
    size_t size_bytes;
    struct pool_results *results = NULL;
    if (__builtin_mul_overflow(count, sizeof(results->futures[0]), &size_bytes) ||
        __builtin_add_overflow(size_bytes, sizeof(*results), &size_bytes))
        return -ENOMEM;
    results = malloc(size_bytes);
    if (!results)
        return -ENOMEM;
    for (results->count = 0; results->count < count; results->count++) {
        struct pool_future **future = &results->futures[results->count];
        int r = future_create(task, NULL, NULL, future);
        if (r < 0) {
            pool_results_free(results);
            return r;
        }
        future_set_user(*future, items[results->count].user);
    }
    *ret_results = results;
    return 0;
}

int pool_map(struct pool *pool, const char *task, const struct pool_item *items, size_t count,
             const struct pool_submit_options *options, struct pool_results **ret_results)
{
    struct pool_results *results;
    const struct pool_submit_options defaults = POOL_SUBMIT_INIT;
    if (!options)
        options = &defaults;

    int r = table_find(pool->tasks, task);
    if (r < 0)
        return r;
    /* All futures first: from here on every item has one, whatever becomes of it. */
    r = results_create(task, items, count, &results);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++) {
        r = pool_submit_future(pool, task, &items[i], options, TIME_NEVER, results->futures[i]);
        if (r < 0)
            pool_refuse_item(pool, &items[i], r, results->futures[i]);
    }
    for (size_t i = 0; i < count; i++)
        pool_future_result(results->futures[i], -1, NULL);
    *ret_results = results;
    return 0;
}
