/* process.c: the objects of process.h. What they start, and how that is watched, is family.c's. */
#include "process_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "context_priv.h"
#include "family_priv.h"
#include "job_priv.h"
#include "origin_priv.h"
#include "program_priv.h"
#include "sync_priv.h"
#include "table_priv.h"
#include "wire_priv.h"

/* The exit code of a process of which nobody can tell how it ended. */
#define EXIT_UNKNOWN 255

/* I: fixed after create.  S: of the thread that starts it.  A: atomic. */
struct pool_process {
    uint64_t origin;       /* I: see origin_priv.h */
    struct family *family; /* I */
    char *name;            /* I: owned */
    bool daemon;           /* I */
    const char *target;    /* I: the table's */
    uint32_t task_index;   /* I: as in struct wire_task */

    /* S: what it is to be called with, until it runs. */
    void *payload; /* packed fields, owned */
    size_t payload_bytes;
    int *fds; /* owned, and those in it */
    size_t fd_count;

    atomic_bool begun;               /* A: started, or being started */
    _Atomic(struct member *) member; /* A: NULL until it runs */
};

/* In a child that the host forked? */
static bool is_stale(const struct pool_process *process)
{
    return process->origin != pool_origin_now();
}

/* ---- Create and free ----------------------------------------------------------------------- */

static int keep_name(struct pool_process *process, const char *name)
{
    char text[32];
    const unsigned number = pool_family_number(process->family);
    if (!name) {
        snprintf(text, sizeof(text), "Process-%u", number);
        name = text;
    }
    process->name = strdup(name);
    return process->name ? 0 : -ENOMEM;
}

/* The descriptors stay the caller's until nothing can fail any more. */
static int keep_item(struct pool_process *process, const struct pool_item *item)
{
    int r = pool_job_pack_fields(item, NULL, &process->payload, &process->payload_bytes);
    if (r < 0 || item->fd_count == 0)
        return r;
    process->fds = malloc(item->fd_count * sizeof(process->fds[0]));
    if (!process->fds)
        return -ENOMEM;
    memcpy(process->fds, item->fds, item->fd_count * sizeof(process->fds[0]));
    return 0;
}

/* It has what it is called with, or will never be called. */
static void let_go_of_item(struct pool_process *process)
{
    for (size_t i = 0; i < process->fd_count; i++)
        close(process->fds[i]);
    free(process->fds);
    free(process->payload);
    process->fds = NULL;
    process->fd_count = 0;
    process->payload = NULL;
}

static void destroy(struct pool_process *process)
{
    let_go_of_item(process);
    free(process->name);
    free(process);
}

static int create(const char *target, uint32_t task_index, const struct pool_item *item,
                  const struct pool_process_options *options, struct pool_process **ret_process)
{
    static const struct pool_item nothing;
    static const struct pool_process_options plain;
    if (!item)
        item = &nothing;
    if (!options)
        options = &plain;
    if (options->name &&
        (options->name[0] == '\0' ||
         strnlen(options->name, POOL_PROCESS_NAME_MAX + 1) > POOL_PROCESS_NAME_MAX))
        return -EINVAL;
    struct pool_process *process = calloc(1, sizeof(*process));
    if (!process)
        return -ENOMEM;
    process->origin = pool_origin_now();
    process->target = target;
    process->task_index = task_index;
    process->daemon = options->daemon;
    int r = keep_item(process, item);
    if (r == 0 && !(process->family = pool_family_enter()))
        r = -ENOMEM;
    if (r == 0)
        r = keep_name(process, options->name);
    if (r < 0) {
        if (process->family)
            pool_family_leave(process->family, NULL);
        destroy(process);
        return r;
    }
    process->fd_count = item->fd_count; /* taken */
    *ret_process = process;
    return 0;
}

int pool_process_create(const char *target, const struct pool_item *item,
                        const struct pool_process_options *options,
                        struct pool_process **ret_process)
{
    const struct pool_tasks *tasks = pool_program_tasks_get();
    if (!tasks)
        return -ENOTSUP;
    const int index = pool_table_find(tasks, target);
    if (index < 0)
        return index;
    return create(tasks->list[index].name, (uint32_t)index, item, options, ret_process);
}

int pool_process_create_builtin(enum process_builtin builtin, const struct pool_item *item,
                                const struct pool_process_options *options,
                                struct pool_process **ret_process)
{
    static const char *const names[] = {[PROCESS_MANAGER] = "manager"};
    if (!pool_program_tasks_get())
        return -ENOTSUP;
    return create(names[builtin], WIRE_BUILTIN | (uint32_t)builtin, item, options, ret_process);
}

int pool_process_create_runnable(const struct pool_runnable *self,
                                 const struct pool_process_options *options,
                                 struct pool_process **ret_process)
{
    const struct pool_bytes whole = {self, self->size_bytes};
    const struct pool_item item = {.fields = &whole, .field_count = 1};
    if (!self->run || self->size_bytes < sizeof(*self))
        return -EINVAL;
    return pool_process_create(self->run, &item, options, ret_process);
}

int pool_process_self(struct pool_call *call, void *ret_self, size_t size_bytes)
{
    const struct pool_bytes whole = pool_call_field(call, 0);
    if (size_bytes < sizeof(struct pool_runnable) || whole.size_bytes != size_bytes)
        return pool_call_fail(call, -EBADMSG, "a struct of %zu bytes expected, there are %zu",
                              size_bytes, whole.size_bytes);
    memcpy(ret_self, whole.data, size_bytes);
    ((struct pool_runnable *)ret_self)->run = NULL; /* a pointer of the other process's */
    return 0;
}

void pool_process_free(struct pool_process *process)
{
    if (!process)
        return;
    if (is_stale(process))
        pool_family_abandon(process->family, atomic_load(&process->member));
    else
        pool_family_leave(process->family, atomic_load(&process->member));
    destroy(process);
}

/* ---- Start and end ------------------------------------------------------------------------- */

int pool_process_start(struct pool_process *process)
{
    struct member *member;
    if (is_stale(process))
        return -ESTALE;
    if (pool_context_depth() > POOL_NESTING_MAX)
        return -ELOOP;
    if (atomic_exchange(&process->begun, true))
        return -EALREADY;
    const struct family_start start = {
        .task_index = process->task_index,
        .payload = process->payload,
        .payload_bytes = process->payload_bytes,
        .fds = process->fds,
        .fd_count = process->fd_count,
        .name = process->name,
        .daemon = process->daemon,
    };
    int r = pool_family_start(process->family, &start, &member);
    if (r < 0) {
        atomic_store(&process->begun, false);
        return r;
    }
    let_go_of_item(process);
    atomic_store(&process->member, member);
    return 0;
}

/* Returns 0 when it has ended, -ETIMEDOUT, -EINVAL before the start, -ESTALE, or -errno. */
static int wait_for_end(struct pool_process *process, int timeout_ms, struct member **ret_member)
{
    const int64_t until_ns = pool_time_after_ms(timeout_ms);
    if (is_stale(process))
        return -ESTALE;
    *ret_member = atomic_load(&process->member);
    return *ret_member ? pool_family_wait(process->family, *ret_member, until_ns) : -EINVAL;
}

int pool_process_join(struct pool_process *process, int timeout_ms)
{
    struct member *member;
    return wait_for_end(process, timeout_ms, &member);
}

bool pool_process_is_alive(struct pool_process *process)
{
    struct member *member;
    return wait_for_end(process, 0, &member) == -ETIMEDOUT;
}

static int send_signal(struct pool_process *process, int signal_number)
{
    if (is_stale(process))
        return -ESTALE;
    const struct member *member = atomic_load(&process->member);
    return member ? pool_family_signal(member, signal_number) : -EINVAL;
}

int pool_process_terminate(struct pool_process *process)
{
    return send_signal(process, SIGTERM);
}

int pool_process_kill(struct pool_process *process)
{
    return send_signal(process, SIGKILL);
}

/* Returns 0 when it has ended, -ESTALE, or -EAGAIN. */
static int look_at_end(struct pool_process *process, struct member **ret_member)
{
    int r = wait_for_end(process, 0, ret_member);
    return r == 0 || r == -ESTALE ? r : -EAGAIN;
}

int pool_process_exitcode(struct pool_process *process, int *ret_code)
{
    struct member *member;
    int r = look_at_end(process, &member);
    if (r < 0)
        return r;
    const struct outcome *outcome = &member->outcome;
    *ret_code = outcome->signal > 0         ? -outcome->signal
                : outcome->exit_status >= 0 ? outcome->exit_status
                                            : EXIT_UNKNOWN;
    return 0;
}

int pool_process_error(struct pool_process *process, struct pool_error *ret_error)
{
    struct member *member;
    int r = look_at_end(process, &member);
    if (r < 0)
        return r;
    const struct outcome *outcome = &member->outcome;
    const bool died = outcome->code == -EOWNERDEAD;
    *ret_error = (struct pool_error){
        .code = outcome->code,
        .task_code = outcome->task_code,
        .message = outcome->message ? outcome->message : "",
        .where = outcome->where ? outcome->where : "",
        .task = process->target,
        .worker_pid = outcome->worker_pid,
        .signal = outcome->signal,
        .exit_status = died ? outcome->exit_status : -1,
    };
    return 0;
}

/* ---- What it is ---------------------------------------------------------------------------- */

pid_t pool_process_pid(const struct pool_process *process)
{
    const struct member *member = is_stale(process) ? NULL : atomic_load(&process->member);
    return member ? member->pid : 0;
}

const char *pool_process_name(const struct pool_process *process)
{
    return process->name;
}

bool pool_process_daemon(const struct pool_process *process)
{
    return process->daemon;
}

int pool_process_sentinel(struct pool_process *process)
{
    if (is_stale(process))
        return -ESTALE;
    const struct member *member = atomic_load(&process->member);
    return member ? member->pidfd : -EINVAL;
}
