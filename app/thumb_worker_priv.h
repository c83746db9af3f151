/* thumb_worker_priv.h: what a worker is before its first file, and what it keeps from file to file.
 *
 * A worker process confines itself in its initializer, the task "prepare". There are two kinds. The
 * narrow one makes thumbnails of JPEG and PNG and never has libvips in its address space. The wide
 * one has libvips with all its modules, loaded before it is confined, since nothing can be loaded
 * afterwards. Threads and the serial backend have no initializer and are not confined. */
#ifndef APP_THUMB_WORKER_PRIV_H
#define APP_THUMB_WORKER_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <imaging/imaging.h>
#include <pool/pool.h>

#include "sandbox_priv.h"

#define THUMB_PREPARE     "prepare"
#define THUMB_CONFINEMENT "confinement"

/** The one field of "prepare". */
struct thumb_setup {
    struct sandbox_options sandbox;
    bool may_be_unconfined; /* --no-sandbox: go on where the kernel has nothing */
};

/** What a worker keeps. */
struct thumb_worker {
    struct img_context *context;
    uint8_t *buffer; /* for the source */
    size_t capacity;
    bool confined; /* it was prepared: */
    enum sandbox_kind kind;
    struct sandbox_state sandbox;
    bool has_grant; /* of processor time, a confined worker only: */
    unsigned granted_seconds;
    int64_t granted_ms; /* when */
};

/** The worker that runs this call, made at its first one.  ret_worker: borrowed.
 *  Returns 0 or -ENOMEM. */
int thumb_worker_of(struct pool_call *call, struct thumb_worker **ret_worker);

/** The tasks: "prepare" is an initializer; "confinement" answers with a struct sandbox_state. */
int thumb_prepare_run(struct pool_call *call);
int thumb_confinement_run(struct pool_call *call);

/** A few words for what confines the workers, or does not, for people: static or given storage.
 *  text: size_bytes of it. */
void thumb_confinement_describe(const struct sandbox_state *state, char *text, size_t size_bytes);

#endif
