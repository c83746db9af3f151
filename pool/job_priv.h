/* job_priv.h: a submitted task on its way through a pool; private to pool.
 *
 * A job is the working half of a future (future_priv.h) and lives inside it: one record from submit
 * to the end. The item's fields are packed once, at submit, into the form in which they travel: a
 * count, the sizes, then the fields, each at a multiple of JOB_ALIGN so that a task may read any
 * type in place. A backend inside the process reads the packed form as it is; the process backend
 * sends it without looking. */
#ifndef POOL_JOB_PRIV_H
#define POOL_JOB_PRIV_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "outcome_priv.h"
#include "pool.h"

#define JOB_ALIGN 16

/** Packed fields of up to so many bytes are kept in place. */
#define JOB_SMALL_BYTES 64

struct remote;
struct thread_worker;

/** Where a job is. */
enum job_place {
    JOB_NOWHERE, /* not submitted yet, or ended */
    JOB_QUEUED,  /* in the pool's queue */
    JOB_HELD     /* a backend has it: it runs, or waits in a worker's hands */
};

/** Who decides about a held job of the serial and thread backends: whoever swaps READY away. (The
 *  process backend has this on the worker's page, see wire_priv.h.) */
enum job_claim { JOB_READY, JOB_STARTED, JOB_CANCELLED };

/* I: fixed once packed.  P: the pool's lock.  A: atomic.  O: whoever runs or sends it.
 * Grouped by meaning; the padding that this costs is no more than a cache line. */
/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct job {
    struct job *prev, *next;      /* P: neighbours in the list it stands in */
    struct pool_future *future;   /* I: the record it is part of */
    const struct pool_task *task; /* I */
    uint32_t task_index;          /* I: in the table */
    int64_t deadline_ns;          /* I: how long it may run; 0 = no limit */
    int priority;                 /* I */
    bool notify;                  /* I */
    bool bounded;                 /* I: counts against the queue's limit */
    bool together;                /* I: the next in the queue belongs to the same chunk */
    void *payload;                /* I: packed fields; `small`, or owned */
    size_t payload_bytes;         /* I */
    int *fds;                     /* I: owned */
    size_t fd_count;              /* I */
    bool owns_fds;                /* I, from pool_job_take_fds() on */

    enum job_place place;         /* P */
    atomic_bool settled;          /* A: it is decided what it ends with, and who publishes that */
    bool asked;                   /* P: pool_cancel_unstarted() has tried to cancel it */
    _Atomic int claim;            /* A: enum job_claim */
    atomic_bool cancelled;        /* A: the token that pool_call_cancelled() shows */
    struct thread_worker *runner; /* P: thread backend: who has it */
    pthread_t submitter;          /* P: serial backend: who runs it */
    unsigned retries;             /* O: left */
    unsigned requeues;            /* O: times it came back unstarted from a dead worker */
    unsigned suspicions;          /* O: ... that had died when it was the next one's turn */
    unsigned deaths;              /* O: workers that died running it */
    struct remote *remote;        /* process backend, under its lock: the worker that has it */
    unsigned slot;                /* likewise */
    struct outcome outcome;       /* O: how it ended, until it is published */
    struct job *next_ended;       /* O: of those that are published together */
    bool ours;                    /* O: its outcome is the one that counts */

    _Alignas(JOB_ALIGN) uint8_t small[JOB_SMALL_BYTES];
};

/** Fields read in place from a packed payload, which must outlive it. */
struct job_fields {
    const uint8_t *payload;
    size_t count;
};

/** Pack an item into a job. The item's descriptors become the job's only when it is accepted:
 *  until pool_job_take_fds() they stay the caller's, whatever happens to the job.
 *  Returns 0, -EINVAL or -ENOMEM. */
int pool_job_pack(struct job *job, const struct pool_task *task, uint32_t task_index,
                  const struct pool_item *item, const struct pool_submit_options *options);

/** From now on the job closes its descriptors. */
void pool_job_take_fds(struct job *job);

/** Release what the task was called with: payload and descriptors. Harmless when repeated. */
void pool_job_let_go(struct job *job);

/** Release all that the job owns, an unpublished outcome too. Harmless when repeated. */
void pool_job_done(struct job *job);

/** Pack an item's fields alone.
 *  small: room for JOB_SMALL_BYTES, or NULL.  ret_payload: small, or owned (free).
 *  Returns 0, -EINVAL or -ENOMEM. */
int pool_job_pack_fields(const struct pool_item *item, uint8_t *small, void **ret_payload,
                         size_t *ret_payload_bytes);

/** Look into a packed payload: any bytes are safe to give.  Returns 0 or -EBADMSG. */
int pool_job_fields_read(const void *payload, size_t payload_bytes, struct job_fields *ret_fields);

/** Field number index, or {NULL, 0} out of range. */
struct pool_bytes pool_job_fields_at(const struct job_fields *fields, size_t index);

#endif
