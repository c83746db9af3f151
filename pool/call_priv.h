/* call_priv.h: one run of a task; private to pool. Every backend runs tasks through here, in the
 * host's process or in a worker's, so a task cannot tell the difference. */
#ifndef POOL_CALL_PRIV_H
#define POOL_CALL_PRIV_H

#include <stdatomic.h>
#include <stdint.h>

#include "job_priv.h"
#include "pool.h"

/** A worker's pointer of its own (pool_call_local). Zeroed before first use. */
struct call_local {
    void *value;
    void (*release)(void *value);
};

/** Release the pointer. */
void pool_call_local_done(struct call_local *local);

/** What to run. All borrowed for the run. */
struct call_spec {
    const struct pool_task *task;
    const void *payload; /* packed fields */
    size_t payload_bytes;
    const int *fds;
    size_t fd_count;
    int64_t deadline_ns;      /* how long it may run; 0 = no limit */
    const atomic_bool *token; /* cancelled from outside; NULL: never */
    pid_t pid;                /* of this process */
    struct call_local *local;
    int *returned; /* NULL, or where to put what the task returned, if it got to run */
};

/** Run a task and say how it ended.
 *  ret_outcome: filled in every case; its value is owned by the caller from then on. */
void pool_call_run(const struct call_spec *spec, struct outcome *ret_outcome);

/** Run a job in this process; how it ended goes to job->outcome.
 *  pid: this process's.  local: the worker's. */
void pool_call_run_job(struct job *job, pid_t pid, struct call_local *local);

#endif
