#include "call_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sync_priv.h"

/* Only the thread that runs the task touches it, but for pool_call_cancelled(), which reads the
 * atomic token and two fields fixed before the task starts. */
struct pool_call {
    const struct call_spec *spec;
    struct job_fields fields;
    int64_t ends_at_ns; /* TIME_NEVER without a deadline */
    uint8_t *result;    /* owned */
    size_t result_bytes, result_room;
    int write_error; /* sticky: a lost write must not pass for a shorter result */
    int fail_code;
    char message[MESSAGE_BYTES];
};

void call_local_done(struct call_local *local)
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
    return job_fields_at(&call->fields, index);
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
        uint8_t *grown = realloc(call->result, room);
        if (!grown)
            return call->write_error = -ENOMEM;
        call->result = grown;
        call->result_room = room;
    }
    memcpy(call->result + call->result_bytes, data, size_bytes);
    call->result_bytes = needed;
    return call->write_error;
}

int pool_call_fail(struct pool_call *call, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(call->message, sizeof(call->message), format, args);
    va_end(args);
    call->fail_code = code;
    return code;
}

bool pool_call_cancelled(const struct pool_call *call)
{
    const atomic_bool *token = call->spec->token;
    if (token && atomic_load_explicit(token, memory_order_relaxed))
        return true;
    return call->ends_at_ns != TIME_NEVER && time_now_ns() >= call->ends_at_ns;
}

void *pool_call_local(const struct pool_call *call)
{
    return call->spec->local->value;
}

void pool_call_set_local(struct pool_call *call, void *value, void (*release)(void *value))
{
    if (call->spec->local->value != value)
        call_local_done(call->spec->local);
    *call->spec->local = (struct call_local){.value = value, .release = release};
}

/* ---- Running ------------------------------------------------------------------------------- */

static void outcome_of(struct pool_call *call, int r, struct outcome *ret_outcome)
{
    if (r >= 0 && call->write_error < 0)
        r = call->write_error;
    if (r >= 0) {
        ret_outcome->value = (struct blob){.data = call->result, .size_bytes = call->result_bytes};
        call->result = NULL;
        return;
    }
    /* A task that gave up because it was told to did not fail by itself. */
    if (call->spec->token && atomic_load_explicit(call->spec->token, memory_order_relaxed)) {
        ret_outcome->code = -ECANCELED;
    } else if (pool_call_cancelled(call)) {
        ret_outcome->code = -ETIME;
    } else {
        ret_outcome->code = -EREMOTEIO;
        ret_outcome->task_code = r;
        if (call->fail_code == r)
            memcpy(ret_outcome->message, call->message, sizeof(call->message));
    }
}

void call_run(const struct call_spec *spec, struct outcome *ret_outcome)
{
    struct pool_call call = {.spec = spec, .ends_at_ns = TIME_NEVER};
    *ret_outcome = (struct outcome)OUTCOME_INIT;
    ret_outcome->worker_pid = getpid();
    int r = job_fields_read(spec->payload, spec->payload_bytes, &call.fields);
    if (r == 0) {
        if (spec->deadline_ns > 0)
            call.ends_at_ns = time_now_ns() + spec->deadline_ns;
        r = spec->task->run(&call);
    }
    outcome_of(&call, r, ret_outcome);
    free(call.result);
}

void call_run_job(const struct job *job, struct call_local *local, struct outcome *ret_outcome)
{
    const struct call_spec spec = {
        .task = job->task,
        .payload = job->payload,
        .payload_bytes = job->payload_bytes,
        .fds = job->fds,
        .fd_count = job->fd_count,
        .deadline_ns = job->deadline_ns,
        .token = &job->cancelled,
        .local = local,
    };
    call_run(&spec, ret_outcome);
}
