/* job_priv.h: a submitted task on its way through a pool; private to pool.
 *
 * The item's fields are packed once, at submit, into the form in which they travel: a count, the
 * sizes, then the fields, each at a multiple of JOB_ALIGN so that a task may read any type in
 * place. A backend inside the process reads the packed form as it is; the process backend sends it
 * without looking. */
#ifndef POOL_JOB_PRIV_H
#define POOL_JOB_PRIV_H

#include <stdatomic.h>
#include <stdint.h>

#include "pool.h"

#define JOB_ALIGN 16

/* I: fixed after create.  P: the pool's lock.  A: atomic. */
struct job {
    struct job *prev, *next;      /* P: neighbours in the list it stands in */
    struct pool_future *future;   /* I: a reference of the job's own */
    const struct pool_task *task; /* I */
    uint32_t task_index;          /* I: in the table */
    int64_t deadline_ns;          /* I: how long it may run; 0 = no limit */
    void *payload;                /* I: packed fields, owned */
    size_t payload_bytes;         /* I */
    int *fds;                     /* I */
    size_t fd_count;              /* I */
    bool owns_fds;                /* I, from job_take_fds() on */
    unsigned requeues;            /* the backend's: times it came back from a dead worker */
    bool resolved_early;          /* P: terminate or break has resolved, or is about to */
    atomic_bool cancelled;        /* A: the token that pool_call_cancelled() shows */
};

/** Fields read in place from a packed payload, which must outlive it. */
struct job_fields {
    const uint8_t *payload;
    size_t count;
};

/** Pack an item into a new job. The item's descriptors become the job's only when it is accepted:
 *  until job_take_fds() they stay the caller's, whatever happens to the job.
 *  future: borrowed; the job takes a reference of its own.  ret_job: owned.
 *  Returns 0, -EINVAL or -ENOMEM. */
int job_create(const struct pool_task *task, uint32_t task_index, const struct pool_item *item,
               const struct pool_submit_options *options, struct pool_future *future,
               struct job **ret_job);

/** From now on the job closes its descriptors. */
void job_take_fds(struct job *job);

/** Release a job and what it owns; NULL is fine.  Returns NULL. */
struct job *job_free(struct job *job);

/** Look into a packed payload: any bytes are safe to give.  Returns 0 or -EBADMSG. */
int job_fields_read(const void *payload, size_t payload_bytes, struct job_fields *ret_fields);

/** Field number index, or {NULL, 0} out of range. */
struct pool_bytes job_fields_at(const struct job_fields *fields, size_t index);

/* A list of jobs, first in, first out. */
struct job_list {
    struct job *first, *last;
    size_t count;
};

void job_list_append(struct job_list *list, struct job *job);
void job_list_prepend(struct job_list *list, struct job *job);
void job_list_remove(struct job_list *list, struct job *job);

#endif
