#include "outcome_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* Linux has no errno value from here on. */
#define ERRNO_END 4096

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

void pool_outcome_give_words(struct outcome *outcome)
{
    char text[128];
    if (outcome->code == 0 || outcome->message)
        return;
    const int code = outcome->code == -EREMOTEIO ? outcome->task_code : outcome->code;
    if (code <= -ERRNO_END) /* a task may return any number */
        outcome->message = strdup("failed");
    else
        outcome->message = strdup(strerror_r(-code, text, sizeof(text)));
}

void pool_outcome_set_end(struct outcome *outcome, int wait_status)
{
    if (WIFSIGNALED(wait_status))
        outcome->signal = WTERMSIG(wait_status);
    if (WIFEXITED(wait_status))
        outcome->exit_status = WEXITSTATUS(wait_status);
}

void pool_outcome_describe_end(const int *wait_status, char *text, size_t size_bytes)
{
    if (!wait_status)
        snprintf(text, size_bytes, "ended, nobody knows how");
    else if (WIFSIGNALED(*wait_status))
        snprintf(text, size_bytes, "was killed by signal %d (%s)", WTERMSIG(*wait_status),
                 strsignal(WTERMSIG(*wait_status)));
    else
        snprintf(text, size_bytes, "exited with status %d", WEXITSTATUS(*wait_status));
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
