#include "context_priv.h"

#include "pool_priv.h"

static _Thread_local struct pool_context *innermost;

/* Fixed before the first task runs. */
static unsigned program_depth;

void pool_context_push(struct pool_context *context)
{
    context->outer = innermost;
    innermost = context;
}

void pool_context_pop(struct pool_context *context)
{
    innermost = context->outer;
}

struct pool_context *pool_context_of(const struct pool *pool)
{
    struct pool_context *context = innermost;
    while (context && context->pool != pool)
        context = context->outer;
    return context;
}

unsigned pool_context_depth(void)
{
    return innermost ? innermost->pool->depth + 1 : program_depth;
}

void pool_context_set_program_depth(unsigned depth)
{
    program_depth = depth;
}
