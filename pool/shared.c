/* shared.c: memory for values and arrays: a segment's payload, and its lock. */
#include <errno.h>
#include <stdlib.h>

#include "ipc.h"
#include "lock_priv.h"

struct pool_shared {
    struct segment segment;
    struct segment_lock lock;
};

static int finish(struct pool_shared *shared, int r, struct pool_shared **ret_shared)
{
    if (r == 0 && shared->segment.payload_bytes == 0) {
        pool_segment_done(&shared->segment);
        r = -EBADMSG;
    }
    if (r < 0) {
        free(shared);
        return r;
    }
    pool_segment_lock_init(&shared->lock, &shared->segment);
    *ret_shared = shared;
    return 0;
}

int pool_shared_create(size_t size_bytes, struct pool_shared **ret_shared)
{
    if (size_bytes == 0)
        return -EINVAL;
    struct pool_shared *shared = calloc(1, sizeof(*shared));
    if (!shared)
        return -ENOMEM;
    return finish(shared, pool_segment_create(SEGMENT_SHARED, size_bytes, &shared->segment),
                  ret_shared);
}

int pool_shared_open(int fd, struct pool_shared **ret_shared)
{
    struct pool_shared *shared = calloc(1, sizeof(*shared));
    if (!shared)
        return -ENOMEM;
    return finish(shared, pool_segment_open(fd, SEGMENT_SHARED, &shared->segment), ret_shared);
}

int pool_shared_share(const struct pool_shared *shared)
{
    return pool_segment_share(&shared->segment);
}

void pool_shared_free(struct pool_shared *shared)
{
    if (!shared)
        return;
    pool_segment_done(&shared->segment);
    free(shared);
}

void *pool_shared_data(const struct pool_shared *shared)
{
    return pool_segment_payload(&shared->segment);
}

size_t pool_shared_size(const struct pool_shared *shared)
{
    return shared->segment.payload_bytes;
}

int pool_shared_acquire(struct pool_shared *shared, int timeout_ms)
{
    return pool_segment_lock_acquire(&shared->lock, timeout_ms);
}

int pool_shared_release(struct pool_shared *shared)
{
    return pool_segment_lock_release(&shared->lock);
}
