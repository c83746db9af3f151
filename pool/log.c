#include "pool_priv.h"

void pool_log(struct pool *pool, const struct pool_log_event *event)
{
    if (pool->options.log)
        pool->options.log(event, pool->options.log_data);
}
