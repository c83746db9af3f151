#include "future_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "origin_priv.h"
#include "sync_priv.h"

/* A slab is small, so that one future that is kept does not keep many. */
struct future_slab {
    atomic_uint alive; /* futures that are not freed */
    struct pool_future futures[];
};

/* Make a future of zeroed memory.  Returns 0 or -errno. */
static int init(struct pool_future *future, const char *task, future_hook_fn hook, void *hook_data)
{
    int r = -pthread_mutex_init(&future->lock, NULL);
    if (r < 0)
        return r;
    r = pool_cond_init(&future->is_done);
    if (r < 0) {
        pthread_mutex_destroy(&future->lock);
        return r;
    }
    atomic_init(&future->refs, 1);
    future->origin = pool_origin_now();
    future->task = task;
    future->wake_fd = -1;
    future->hook = hook;
    future->hook_data = hook_data;
    future->callbacks_end = &future->callbacks;
    future->job.future = future;
    future->job.outcome.exit_status = -1; /* the rest is zero, as in OUTCOME_INIT */
    return 0;
}

int pool_future_create(const char *task, future_hook_fn hook, void *hook_data,
                       struct pool_future **ret_future)
{
    struct pool_future *future = calloc(1, sizeof(*future));
    if (!future)
        return -ENOMEM;
    int r = init(future, task, hook, hook_data);
    if (r < 0) {
        free(future);
        return r;
    }
    *ret_future = future;
    return 0;
}

static void slab_unref(struct future_slab *slab)
{
    if (atomic_fetch_sub_explicit(&slab->alive, 1, memory_order_acq_rel) == 1)
        free(slab);
}

/* Make up to FUTURES_IN_SLAB futures.  Returns how many, which is count, or -errno. */
static int create_slab(const char *task, future_hook_fn hook, void *hook_data, size_t count,
                       struct pool_future **ret_futures)
{
    struct future_slab *slab = calloc(1, sizeof(*slab) + count * sizeof(slab->futures[0]));
    size_t made = 0;
    int r = 0;
    if (!slab)
        return -ENOMEM;
    atomic_init(&slab->alive, 1); /* ours, while it is being filled */
    while (made < count) {
        struct pool_future *future = &slab->futures[made];
        r = init(future, task, hook, hook_data);
        if (r < 0)
            break;
        future->slab = slab;
        atomic_fetch_add_explicit(&slab->alive, 1, memory_order_relaxed);
        ret_futures[made++] = future;
    }
    while (r < 0 && made > 0)
        pool_future_free(ret_futures[--made]);
    slab_unref(slab);
    return r < 0 ? r : (int)count;
}

int pool_future_create_many(const char *task, future_hook_fn hook, void *hook_data, size_t count,
                            struct pool_future **ret_futures)
{
    size_t made = 0;
    while (made < count) {
        const size_t left = count - made;
        const int r =
            create_slab(task, hook, hook_data, left < FUTURES_IN_SLAB ? left : FUTURES_IN_SLAB,
                        ret_futures + made);
        if (r < 0) {
            while (made > 0)
                pool_future_free(ret_futures[--made]);
            return r;
        }
        made += (size_t)r;
    }
    return 0;
}

struct pool_future *pool_future_ref(struct pool_future *future)
{
    atomic_fetch_add_explicit(&future->refs, 1, memory_order_relaxed);
    return future;
}

struct pool_future *pool_future_free(struct pool_future *future)
{
    if (!future || atomic_fetch_sub_explicit(&future->refs, 1, memory_order_acq_rel) != 1)
        return NULL;
    pool_job_done(&future->job);
    pool_outcome_done(&future->result);
    pthread_cond_destroy(&future->is_done);
    pthread_mutex_destroy(&future->lock);
    if (future->slab)
        slab_unref(future->slab);
    else
        free(future); /* NOLINT(clang-analyzer-unix.Malloc): it takes slabs for possible here */
    return NULL;
}

/* ---- Done ---------------------------------------------------------------------------------- */

static void wake_by_fd(int fd)
{
    const uint64_t one = 1;
    while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
        continue;
}

bool pool_future_publish(struct pool_future *future, struct outcome *outcome)
{
    pool_outcome_give_words(outcome);
    pthread_mutex_lock(&future->lock);
    const bool first = !atomic_load_explicit(&future->done, memory_order_relaxed);
    if (first) {
        future->result = *outcome;
        pool_outcome_moved(outcome);
        atomic_store_explicit(&future->done, true, memory_order_release);
        pthread_cond_broadcast(&future->is_done);
        if (future->wake_fd >= 0)
            wake_by_fd(future->wake_fd);
    }
    pthread_mutex_unlock(&future->lock);
    pool_outcome_done(outcome);
    return first;
}

void pool_future_tell(struct pool_future *future)
{
    pthread_mutex_lock(&future->lock);
    struct future_callback *callbacks = future->callbacks; /* none is added any more */
    future->callbacks = NULL;
    pthread_mutex_unlock(&future->lock);
    if (!future->hook && !callbacks)
        return;
    pool_future_ref(future); /* whoever is called may let go of the last other one */
    if (future->hook)
        future->hook(future, future->hook_data);
    while (callbacks) {
        struct future_callback *callback = callbacks;
        callbacks = callback->next; /* run() may free it */
        callback->run(callback, future);
    }
    pool_future_free(future);
}

void pool_future_resolve(struct pool_future *future, struct outcome *outcome)
{
    if (pool_future_publish(future, outcome))
        pool_future_tell(future);
}

bool pool_future_done(struct pool_future *future)
{
    return atomic_load_explicit(&future->done, memory_order_acquire);
}

bool pool_future_cancelled(struct pool_future *future)
{
    return pool_future_done(future) && future->result.code == -ECANCELED;
}

int pool_future_successful(struct pool_future *future)
{
    if (!pool_future_done(future))
        return -EAGAIN;
    return future->result.code == 0;
}

int pool_future_error(struct pool_future *future, struct pool_error *ret_error)
{
    if (!pool_future_done(future))
        return -EAGAIN;
    const struct outcome *result = &future->result; /* fixed since done */
    *ret_error = (struct pool_error){
        .code = result->code,
        .task_code = result->task_code,
        .message = result->message ? result->message : "",
        .where = result->where ? result->where : "",
        .task = future->task,
        .worker_pid = result->worker_pid,
        .signal = result->signal,
        .exit_status = result->exit_status,
        .deaths = result->deaths,
        .quarantined = result->quarantined,
        .over_memory = result->over_memory,
    };
    return 0;
}

void *pool_future_user(const struct pool_future *future)
{
    return future->user;
}

const char *pool_future_task(const struct pool_future *future)
{
    return future->task;
}

/* ---- Callbacks ----------------------------------------------------------------------------- */

bool pool_future_add_callback(struct pool_future *future, struct future_callback *callback)
{
    pthread_mutex_lock(&future->lock);
    const bool pending = !atomic_load_explicit(&future->done, memory_order_relaxed);
    if (pending) {
        callback->next = NULL;
        *future->callbacks_end = callback;
        future->callbacks_end = &callback->next;
    }
    pthread_mutex_unlock(&future->lock);
    return pending;
}

bool pool_future_remove_callback(struct pool_future *future, struct future_callback *callback)
{
    bool found = false;
    pthread_mutex_lock(&future->lock);
    for (struct future_callback **at = &future->callbacks; *at && !found; at = &(*at)->next) {
        if (*at != callback)
            continue;
        *at = callback->next;
        if (!callback->next)
            future->callbacks_end = at;
        found = true;
        break;
    }
    pthread_mutex_unlock(&future->lock);
    return found;
}

/* A callback that a user of the library added. */
struct user_callback {
    struct future_callback callback;
    pool_done_fn done;
    void *data;
};

static void user_callback_run(struct future_callback *callback, struct pool_future *future)
{
    struct user_callback *user = (struct user_callback *)callback; /* its first member */
    user->done(future, user->data);
    free(user);
}

int pool_future_add_done_callback(struct pool_future *future, pool_done_fn done, void *data)
{
    if (future->origin != pool_origin_now() && !pool_future_done(future))
        return -ESTALE;
    struct user_callback *user = malloc(sizeof(*user));
    if (!user)
        return -ENOMEM;
    *user = (struct user_callback){.callback.run = user_callback_run, .done = done, .data = data};
    /* From here on it is the future's list that owns it. */
    if (pool_future_done(future) || !pool_future_add_callback(future, &user->callback))
        user_callback_run(&user->callback, future);
    return 0;
}
