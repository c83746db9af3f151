#include "store_priv.h"

#include <stdlib.h>
#include <string.h>

int pool_store_value_copy(struct pool_bytes bytes, struct store_value *ret_value)
{
    void *data = NULL;
    if (bytes.size_bytes > 0) {
        data = malloc(bytes.size_bytes);
        if (!data)
            return -ENOMEM;
        memcpy(data, bytes.data, bytes.size_bytes);
    }
    *ret_value = (struct store_value){data, bytes.size_bytes};
    return 0;
}

int pool_store_value_change(struct store_value *value, struct pool_bytes bytes,
                            struct store_budget *budget)
{
    struct store_value fresh;
    const size_t before = value->size_bytes;
    if (bytes.size_bytes == before) {
        if (before > 0)
            memcpy(value->data, bytes.data, before);
        return 0;
    }
    const size_t more = bytes.size_bytes > before ? bytes.size_bytes - before : 0;
    int r = store_budget_take(budget, more);
    if (r < 0)
        return r;
    r = pool_store_value_copy(bytes, &fresh);
    if (r < 0) {
        store_budget_give(budget, more);
        return r;
    }
    if (bytes.size_bytes < before)
        store_budget_give(budget, before - bytes.size_bytes);
    free(value->data);
    *value = fresh;
    return 0;
}
