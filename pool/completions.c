/* completions.c: futures submitted with notify, on their way to an event loop.
 *
 * A list under the pool's lock, and an eventfd that is readable exactly while the list is not
 * empty: it is written when the first future comes and read when the last one goes, both under the
 * lock. The list is bounded, because submitting counts against notify_max until fetching. */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "origin_priv.h"
#include "pool_priv.h"

/* An eventfd that is not full takes a write, and one that is not empty a read, without waiting. */
static void raise_locked(const struct pool *pool)
{
    const uint64_t one = 1;
    while (pool->completion_fd >= 0 && write(pool->completion_fd, &one, sizeof(one)) < 0 &&
           errno == EINTR)
        continue;
}

static void lower_locked(const struct pool *pool)
{
    uint64_t count;
    while (pool->completion_fd >= 0 && read(pool->completion_fd, &count, sizeof(count)) < 0 &&
           errno == EINTR)
        continue;
}

void pool_completions_add(struct pool *pool, struct pool_future *future)
{
    pool_future_ref(future);
    future->next_completion = NULL;
    pthread_mutex_lock(&pool->lock);
    if (!pool->completions)
        raise_locked(pool);
    *pool->completions_end = future;
    pool->completions_end = &future->next_completion;
    pthread_mutex_unlock(&pool->lock);
}

int pool_completions(struct pool *pool, struct pool_future **ret_futures, size_t room)
{
    int count = 0;
    if (pool->origin != pool_origin_now())
        return -ESTALE;
    pthread_mutex_lock(&pool->lock);
    while ((size_t)count < room && count < INT32_MAX && pool->completions) {
        struct pool_future *future = pool->completions;
        pool->completions = future->next_completion;
        ret_futures[count++] = future;
    }
    if (count > 0 && !pool->completions) {
        pool->completions_end = &pool->completions;
        lower_locked(pool);
    }
    pool->notify_count -= (size_t)count;
    if (count > 0)
        pthread_cond_broadcast(&pool->has_room);
    pthread_mutex_unlock(&pool->lock);
    return count;
}

int pool_completion_fd(struct pool *pool)
{
    if (pool->origin != pool_origin_now())
        return -ESTALE;
    int r = 0;
    pthread_mutex_lock(&pool->lock);
    if (pool->completion_fd < 0) {
        pool->completion_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (pool->completion_fd < 0)
            r = -errno;
        else if (pool->completions)
            raise_locked(pool);
    }
    if (r == 0)
        r = pool->completion_fd;
    pthread_mutex_unlock(&pool->lock);
    return r;
}

void pool_completions_done(struct pool *pool)
{
    while (pool->completions) {
        struct pool_future *future = pool->completions;
        pool->completions = future->next_completion;
        pool_future_free(future);
    }
    if (pool->completion_fd >= 0)
        close(pool->completion_fd);
    pool->completion_fd = -1;
}
