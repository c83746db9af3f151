#include "call_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync_priv.h"

/* Only the thread that runs the task touches it, but for pool_call_cancelled(), which reads the
 * atomic token and two fields fixed before the task starts. */
struct pool_call {
    const struct call_spec *spec;
    struct job_fields fields;
    int64_t ends_at_ns; /* TIME_NEVER without a deadline */
    uint8_t *result;    /* `small`, or owned */
    size_t result_bytes, result_room;
    int write_error; /* sticky: a lost write must not pass for a shorter result */
    int fail_code;   /* with message and where */
    char *message, *where;
    _Alignas(16) uint8_t small[OUTCOME_SMALL_BYTES];
};

void pool_call_local_done(struct call_local *local)
{
    if (local->value && local->release)
        local->release(local->value);
    *local = (struct call_local){0};
}

/* ---- What tasks call ----------------------------------------------------------------------- */

size_t pool_call_field_count(const struct pool_call *call)
{
    return call->fields.count;
}

struct pool_bytes pool_call_field(const struct pool_call *call, size_t index)
{
    return pool_job_fields_at(&call->fields, index);
}

size_t pool_call_fd_count(const struct pool_call *call)
{
    return call->spec->fd_count;
}

int pool_call_fd(const struct pool_call *call, size_t index)
{
    return index < call->spec->fd_count ? call->spec->fds[index] : -EBADF;
}

int pool_call_write(struct pool_call *call, const void *data, size_t size_bytes)
{
    size_t needed;
    if (size_bytes == 0)
        return call->write_error;
    if (__builtin_add_overflow(call->result_bytes, size_bytes, &needed))
        return call->write_error = -ENOMEM;
    if (needed > call->result_room) {
        size_t room = needed > SIZE_MAX / 2 ? needed : needed + needed / 2;
        const bool in_place = call->result == call->small;
        uint8_t *grown = realloc(in_place ? NULL : call->result, room);
        if (!grown)
            return call->write_error = -ENOMEM;
        if (in_place)
            memcpy(grown, call->small, call->result_bytes);
        call->result = grown;
        call->result_room = room;
    }
    memcpy(call->result + call->result_bytes, data, size_bytes);
    call->result_bytes = needed;
    return call->write_error;
}

int pool_call_fail_at(struct pool_call *call, int code, const char *file, int line,
                      const char *format, ...)
{
    char message[MESSAGE_BYTES], where[WHERE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    snprintf(where, sizeof(where), "%s:%d", file, line);
    free(call->message);
    free(call->where);
    call->message = strdup(message); /* without memory, the code must do */
    call->where = strdup(where);
    call->fail_code = code;
    return code;
}

bool pool_call_cancelled(const struct pool_call *call)
{
    const atomic_bool *token = call->spec->token;
    if (token && atomic_load_explicit(token, memory_order_relaxed))
        return true;
    return call->ends_at_ns != TIME_NEVER && pool_time_now_ns() >= call->ends_at_ns;
}

void *pool_call_local(const struct pool_call *call)
{
    return call->spec->local->value;
}

void pool_call_set_local(struct pool_call *call, void *value, void (*release)(void *value))
{
    if (call->spec->local->value != value)
        pool_call_local_done(call->spec->local);
    *call->spec->local = (struct call_local){.value = value, .release = release};
}

/* ---- Running ------------------------------------------------------------------------------- */

static void take_value(struct pool_call *call, struct outcome *outcome)
{
    if (call->result == call->small) {
        memcpy(outcome->small, call->small, call->result_bytes);
        outcome->small_bytes = (uint32_t)call->result_bytes;
        return;
    }
    outcome->value = (struct blob){.data = call->result, .size_bytes = call->result_bytes};
    call->result = call->small;
}

static void take_outcome(struct pool_call *call, int r, struct outcome *outcome)
{
    const atomic_bool *token = call->spec->token;
    if (r >= 0 && call->write_error < 0)
        r = call->write_error;
    if (r >= 0) {
        take_value(call, outcome);
        return;
    }
    /* A task that gave up because it was told to did not fail by itself. */
    if (token && atomic_load_explicit(token, memory_order_relaxed)) {
        outcome->code = -ECANCELED;
    } else if (pool_call_cancelled(call)) {
        outcome->code = -ETIME;
    } else {
        outcome->code = -EREMOTEIO;
        outcome->task_code = r;
        if (call->fail_code == r) {
            outcome->message = call->message;
            outcome->where = call->where;
            call->message = call->where = NULL;
        }
    }
}

void pool_call_run(const struct call_spec *spec, struct outcome *ret_outcome)
{
    struct pool_call call = {.spec = spec, .ends_at_ns = TIME_NEVER};
    call.result = call.small;
    call.result_room = sizeof(call.small);
    *ret_outcome = pool_outcome_of(0);
    ret_outcome->worker_pid = spec->pid;
    int r = pool_job_fields_read(spec->payload, spec->payload_bytes, &call.fields);
    if (r == 0) {
        if (spec->deadline_ns > 0)
            call.ends_at_ns = pool_time_now_ns() + spec->deadline_ns;
        r = spec->task->run(&call);
        if (spec->returned)
            *spec->returned = r;
    }
    take_outcome(&call, r, ret_outcome);
    if (call.result != call.small)
        free(call.result);
    free(call.message);
    free(call.where);
}

void pool_call_run_job(struct job *job, pid_t pid, struct call_local *local)
{
    const struct call_spec spec = {
        .task = job->task,
        .payload = job->payload,
        .payload_bytes = job->payload_bytes,
        .fds = job->fds,
        .fd_count = job->fd_count,
        .deadline_ns = job->deadline_ns,
        .token = &job->cancelled,
        .pid = pid,
        .local = local,
    };
    pool_call_run(&spec, &job->outcome);
}
