/* thumb_worker.c: see thumb_worker_priv.h. */
#include "thumb_worker_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The analyzer of gcc 12 takes memory for lost that only an opaque pointer leads to, as
 * pool_call_local() does. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

static void worker_release(void *value)
{
    struct thumb_worker *worker = value;
    if (!worker)
        return;
    img_context_free(worker->context);
    free(worker->buffer);
    free(worker);
}

int thumb_worker_of(struct pool_call *call, struct thumb_worker **ret_worker)
{
    struct thumb_worker *worker = pool_call_local(call);
    if (!worker) {
        worker = calloc(1, sizeof(*worker));
        if (!worker)
            return -ENOMEM;
        int r = img_context_create(&worker->context);
        if (r < 0) {
            worker_release(worker);
            return r;
        }
        pool_call_set_local(call, worker, worker_release);
    }
    *ret_worker = worker;
    return 0;
}

/* When memory runs out, the kernel should end a worker, which costs one file, and nobody else.
 * Anyone may ask for that; where it cannot be asked, nothing is lost. */
static void offer_to_die_first(void)
{
    static const char most[] = "1000";
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    while (write(fd, most, sizeof(most) - 1) < 0 && errno == EINTR)
        continue;
    close(fd);
}

int thumb_prepare_run(struct pool_call *call)
{
    struct thumb_setup setup;
    struct thumb_worker *worker;
    struct img_error error = {.code = 0};
    char words[200];
    const struct pool_bytes field = pool_call_field(call, 0);
    if (field.size_bytes != sizeof(setup))
        return pool_call_fail(call, -EINVAL, "the request is malformed");
    memcpy(&setup, field.data, sizeof(setup));
    int r = thumb_worker_of(call, &worker);
    if (r < 0)
        return pool_call_fail(call, r, "no memory for a worker");
    offer_to_die_first();
    /* Without libvips, files that need it fail one by one and say so. */
    if (setup.sandbox.kind == SANDBOX_WIDE)
        img_libraries_prepare(setup.sandbox.memory_bytes, &error);
    r = sandbox_enter(&setup.sandbox, &worker->sandbox);
    if (r < 0)
        return pool_call_fail(call, r, "cannot limit a worker: %s", strerror(-r));
    worker->confined = true;
    worker->kind = setup.sandbox.kind;
    /* Landlock alone would leave sockets and signals, and in its first versions truncation. */
    if (worker->sandbox.seccomp || setup.may_be_unconfined)
        return 0;
    thumb_confinement_describe(&worker->sandbox, words, sizeof(words));
    return pool_call_fail(call, -EPERM,
                          "workers cannot be confined here (%s); --no-sandbox runs without", words);
}

int thumb_confinement_run(struct pool_call *call)
{
    struct thumb_worker *worker;
    int r = thumb_worker_of(call, &worker);
    return r < 0 ? r : pool_call_write(call, &worker->sandbox, sizeof(worker->sandbox));
}

void thumb_confinement_describe(const struct sandbox_state *state, char *text, size_t size_bytes)
{
    char landlock[100], seccomp[100];
    if (state->landlock_abi > 0)
        snprintf(landlock, sizeof(landlock), "Landlock %d", (int)state->landlock_abi);
    else
        snprintf(landlock, sizeof(landlock), "no Landlock: %s",
                 state->landlock_error ? strerror(-state->landlock_error) : "not wanted");
    if (state->seccomp)
        snprintf(seccomp, sizeof(seccomp), "seccomp");
    else
        snprintf(seccomp, sizeof(seccomp), "no seccomp: %s",
                 state->seccomp_error ? strerror(-state->seccomp_error) : "not wanted");
    snprintf(text, size_bytes, "%s; %s", seccomp, landlock);
}
