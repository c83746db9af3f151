/* process_child.c: the inside of a process of process.h. Its zygote has forked it; the host then
 * sends one START. End of file instead means that the start has failed over there: nothing was run
 * and nothing shall be. */
#include "process_child_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "context_priv.h"
#include "manager_priv.h"
#include "process_priv.h"
#include "program_priv.h"
#include "wire_task_priv.h"

/* Exit statuses. */
enum { FAILED = 1, HIGHEST = 255, EXIT_SETUP = 120, EXIT_PROTOCOL = 121 };

static const struct pool_task builtins[] = {[PROCESS_MANAGER] = {"manager", pool_manager_serve}};

/* One of the library's own serves the host, which decides what these mean. */
static void leave_signals_to_host(void)
{
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
}

static const struct pool_task *find_target(const struct wire_task *head,
                                           const struct pool_tasks *tasks)
{
    const uint32_t builtin = head->task_index & ~WIRE_BUILTIN;
    if (!(head->task_index & WIRE_BUILTIN))
        return head->task_index < tasks->count ? &tasks->list[head->task_index] : NULL;
    return builtin < sizeof(builtins) / sizeof(builtins[0]) ? &builtins[builtin] : NULL;
}

/* Become what START says.  Returns the target, or NULL. */
static const struct pool_task *prepare(const struct wire_body *body, const struct pool_tasks *tasks)
{
    const struct wire_task *head = pool_wire_body_head(body);
    char name[WIRE_NAME_BYTES];
    if (!body->full || head->type != WIRE_START)
        return NULL;
    memcpy(name, head->name, sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    prctl(PR_SET_NAME, name, 0, 0, 0);
    pool_context_set_program_depth(head->depth);
    if (head->task_index & WIRE_BUILTIN)
        leave_signals_to_host();
    pool_program_begin(); /* without memory for its epilogue, exit() in the target has none */
    return find_target(head, tasks);
}

/* Run the target and tell the host.  Returns the exit status. */
static int run(struct wire_body *body, const struct pool_task *target, int socket_fd)
{
    struct call_local local = {0};
    struct outcome outcome;
    int returned = 0;
    struct call_spec spec = {
        .task = target, .pid = getpid(), .local = &local, .returned = &returned};
    pool_wire_run_body(body, &spec, &outcome);
    const bool good = outcome.code == 0;
    pool_wire_body_done(body);
    pool_call_local_done(&local);
    fflush(NULL);
    /* What it wrote as a result is nobody's. The host may be gone: then nobody wants to know. */
    struct outcome words = outcome;
    words.value = (struct blob){0};
    words.small_bytes = 0;
    pool_wire_send_outcome(socket_fd, WIRE_RESULT, 0, 0, &words);
    pool_outcome_done(&outcome);
    return !good ? FAILED : returned > HIGHEST ? HIGHEST : returned;
}

int pool_process_child_run(int socket_fd, const struct pool_tasks *tasks)
{
    struct wire_body *body = calloc(1, sizeof(*body));
    int status = EXIT_SETUP;
    if (body && pool_wire_receive_body(socket_fd, body) > 0) {
        const struct pool_task *target = prepare(body, tasks);
        status = target ? run(body, target, socket_fd) : EXIT_PROTOCOL;
        if (target)
            pool_program_epilogue();
        pool_wire_body_done(body);
    }
    close(socket_fd);
    free(body);
    return status;
}
