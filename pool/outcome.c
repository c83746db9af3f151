#include "outcome_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct outcome pool_outcome_of(int code)
{
    struct outcome outcome = OUTCOME_INIT;
    outcome.code = code;
    return outcome;
}

void pool_outcome_say(struct outcome *outcome, const char *format, ...)
{
    char text[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    free(outcome->message);
    outcome->message = strdup(text);
}

int pool_outcome_set_value(struct outcome *outcome, const void *data, size_t size_bytes)
{
    if (size_bytes <= OUTCOME_SMALL_BYTES) {
        if (size_bytes > 0)
            memcpy(outcome->small, data, size_bytes);
        outcome->small_bytes = (uint32_t)size_bytes;
        return 0;
    }
    void *copy = malloc(size_bytes);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, data, size_bytes);
    outcome->value = (struct blob){.data = copy, .size_bytes = size_bytes};
    return 0;
}

struct pool_bytes pool_outcome_value(const struct outcome *outcome)
{
    if (outcome->value.data)
        return (struct pool_bytes){outcome->value.data, outcome->value.size_bytes};
    return (struct pool_bytes){outcome->small, outcome->small_bytes};
}

void pool_outcome_moved(struct outcome *outcome)
{
    outcome->value = (struct blob){0};
    outcome->message = outcome->where = NULL;
}

void pool_outcome_done(struct outcome *outcome)
{
    pool_blob_done(&outcome->value);
    free(outcome->message);
    free(outcome->where);
    outcome->message = outcome->where = NULL;
}
