/* future_priv.h: the one place where a task's outcome is published; private to pool.
 *
 * States: pending -> done. A future reaches done exactly once: future_resolve() is first come,
 * first served, and what comes later is dropped. So "the result came", "the worker died", "the
 * deadline passed" and "the pool was terminated" may race; whoever is first wins, and nobody has
 * to know about the others. */
#ifndef POOL_FUTURE_PRIV_H
#define POOL_FUTURE_PRIV_H

#include "blob_priv.h"
#include "pool.h"

#define MESSAGE_BYTES 501 /* with its terminator */

/** How a task ended. */
struct outcome {
    int code;                    /* 0, or as pool_future_result() returns it */
    int task_code;               /* with -EREMOTEIO */
    struct blob value;           /* owned; with code 0 */
    char message[MESSAGE_BYTES]; /* empty: the code's own text */
    pid_t worker_pid;
    int signal;
    int exit_status;
};

#define OUTCOME_INIT                                                                               \
    {                                                                                              \
        .exit_status = -1                                                                          \
    }

/** Called once when a future is done, after publication, with no lock held. */
typedef void (*future_hook_fn)(struct pool_future *future, void *data);

/** A new pending future with one reference.
 *  task: the name, copied.  hook: NULL or what to call when done.  Returns 0 or -errno. */
int future_create(const char *task, future_hook_fn hook, void *hook_data,
                  struct pool_future **ret_future);

/** Set what pool_future_user() returns; before anybody else has the future. */
void future_set_user(struct pool_future *future, void *user);

/** One more reference; let go with pool_future_free().  Returns future. */
struct pool_future *future_ref(struct pool_future *future);

/** Publish how the task ended, wake everybody who waits, call the hook.
 *  outcome: consumed.  Returns true if this call was the first.
 *  Must be called with no lock held. */
bool future_resolve(struct pool_future *future, struct outcome *outcome);

#endif
