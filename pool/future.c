#include "future_priv.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "sync_priv.h"

/* Linux has no errno value from here on. */
#define ERRNO_END 4096

/* I: fixed after create.  L: lock.  A: atomic.  D: written once before done is set, then fixed. */
struct pool_future {
    atomic_uint refs;     /* A */
    pthread_mutex_t lock; /* a leaf: nothing else is locked while it is held */
    pthread_cond_t is_done;
    bool done;                         /* L */
    void *user;                        /* I */
    future_hook_fn hook;               /* I */
    void *hook_data;                   /* I */
    struct blob value;                 /* D: owned */
    struct pool_error error;           /* D: message owned, in `message` below; task in `task` */
    char *message;                     /* D: owned */
    char task[POOL_TASK_NAME_MAX + 1]; /* I */
};

int future_create(const char *task, future_hook_fn hook, void *hook_data,
                  struct pool_future **ret_future)
{
    struct pool_future *future = calloc(1, sizeof(*future));
    if (!future)
        return -ENOMEM;
    int r = -pthread_mutex_init(&future->lock, NULL);
    if (r < 0)
        goto no_lock;
    r = cond_init(&future->is_done);
    if (r < 0)
        goto no_cond;
    atomic_init(&future->refs, 1);
    future->hook = hook;
    future->hook_data = hook_data;
    strncpy(future->task, task, POOL_TASK_NAME_MAX);
    *ret_future = future;
    return 0;
no_cond:
    pthread_mutex_destroy(&future->lock);
no_lock:
    free(future);
    return r;
}

void future_set_user(struct pool_future *future, void *user)
{
    future->user = user;
}

struct pool_future *future_ref(struct pool_future *future)
{
    atomic_fetch_add_explicit(&future->refs, 1, memory_order_relaxed);
    return future;
}

struct pool_future *pool_future_free(struct pool_future *future)
{
    if (!future || atomic_fetch_sub_explicit(&future->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    blob_done(&future->value);
    free(future->message);
    pthread_cond_destroy(&future->is_done);
    pthread_mutex_destroy(&future->lock);
    free(future);
    return NULL;
}

/* The outcome's words, or the code's own. NULL when there is no memory for them. */
static char *message_of(const struct outcome *outcome)
{
    char text[128];
    if (outcome->code == 0)
        return NULL;
    if (outcome->message[0])
        return strdup(outcome->message);
    int code = outcome->code == -EREMOTEIO ? outcome->task_code : outcome->code;
    if (code <= -ERRNO_END) /* a task may return any number */
        return strdup("failed");
    return strdup(strerror_r(-code, text, sizeof(text)));
}

bool future_resolve(struct pool_future *future, struct outcome *outcome)
{
    char *message = message_of(outcome);
    pthread_mutex_lock(&future->lock);
    const bool first = !future->done;
    if (first) {
        future->value = outcome->value;
        outcome->value = (struct blob){0};
        future->message = message;
        message = NULL;
        future->error = (struct pool_error){
            .code = outcome->code,
            .task_code = outcome->task_code,
            .message = future->message ? future->message : "",
            .task = future->task,
            .worker_pid = outcome->worker_pid,
            .signal = outcome->signal,
            .exit_status = outcome->exit_status,
        };
        future->done = true;
        pthread_cond_broadcast(&future->is_done);
    }
    pthread_mutex_unlock(&future->lock);
    free(message);
    blob_done(&outcome->value);
    if (first && future->hook)
        future->hook(future, future->hook_data);
    return first;
}

int pool_future_result(struct pool_future *future, int timeout_ms, struct pool_bytes *ret_value)
{
    const int64_t until_ns = time_after_ms(timeout_ms);
    int r = 0;
    pthread_mutex_lock(&future->lock);
    while (!future->done && r == 0)
        r = timeout_ms == 0 ? -ETIMEDOUT
                            : cond_wait_until(&future->is_done, &future->lock, until_ns);
    if (future->done) {
        r = future->error.code;
        if (r == 0 && ret_value)
            *ret_value = (struct pool_bytes){.data = future->value.data,
                                             .size_bytes = future->value.size_bytes};
    }
    pthread_mutex_unlock(&future->lock);
    return r;
}

bool pool_future_done(struct pool_future *future)
{
    pthread_mutex_lock(&future->lock);
    const bool done = future->done;
    pthread_mutex_unlock(&future->lock);
    return done;
}

int pool_future_error(struct pool_future *future, struct pool_error *ret_error)
{
    if (!pool_future_done(future))
        return -EAGAIN;
    *ret_error = future->error; /* fixed since done */
    return 0;
}

void *pool_future_user(const struct pool_future *future)
{
    return future->user;
}
