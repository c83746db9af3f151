/* lock.c: a turn (turn_priv.h) that its holder keeps for as long as it likes.
 *
 * Whose it is stands in shared memory, where a broken user may write, and once more in the object:
 * the turn's node must never enter two threads' lists, or one list twice, whatever the shared word
 * says. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "futex_priv.h"
#include "ipc.h"
#include "lock_priv.h"
#include "origin_priv.h"
#include "sync_priv.h"

#define PATIENCE_MS 1000

struct pool_lock {
    struct segment segment;
    struct segment_lock lock;
};

void pool_segment_lock_init(struct segment_lock *lock, const struct segment *segment)
{
    lock->turn = pool_segment_turn(segment);
    atomic_init(&lock->holder, 0);
}

static uint64_t myself(void)
{
    return pool_origin_now() << 32 | pool_turn_thread();
}

/* Has the kernel gone through the list of the thread that was the last holder here? Objects are
 * copied by fork, threads are not. */
static bool is_gone(uint64_t holder)
{
    return holder >> 32 != pool_origin_now() || pool_turn_thread_is_gone((uint32_t)holder);
}

/* The kernel wakes who waits a moment before it is done with a dead thread's list. But if that
 * thread lives, the shared word lies. */
static bool wait_until_gone(uint64_t holder)
{
    const struct timespec pause = {.tv_nsec = NS_PER_MS};
    for (int i = 0; i < PATIENCE_MS; i++) {
        if (is_gone(holder))
            return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

int pool_segment_lock_acquire(struct segment_lock *lock, int timeout_ms)
{
    const uint64_t me = myself();
    if (atomic_load_explicit(&lock->holder, memory_order_relaxed) == me)
        return -EDEADLK;
    int r = pool_turn_take(lock->turn, pool_futex_deadline(timeout_ms));
    if (r < 0)
        return r;
    uint64_t last = atomic_load_explicit(&lock->holder, memory_order_relaxed);
    if ((last != 0 && !wait_until_gone(last)) ||
        !atomic_compare_exchange_strong_explicit(&lock->holder, &last, me, memory_order_acquire,
                                                 memory_order_relaxed)) {
        pool_turn_give(lock->turn);
        return -EBADMSG;
    }
    pool_turn_keep(lock->turn);
    return r == 0 ? 0 : -EOWNERDEAD;
}

int pool_segment_lock_release(struct segment_lock *lock)
{
    if (atomic_load_explicit(&lock->holder, memory_order_relaxed) != myself() ||
        !pool_turn_unkeep(lock->turn))
        return -EPERM;
    atomic_store_explicit(&lock->holder, 0, memory_order_release);
    pool_turn_give(lock->turn);
    return 0;
}

static int finish(struct pool_lock *lock, int r, struct pool_lock **ret_lock)
{
    if (r < 0) {
        free(lock);
        return r;
    }
    pool_segment_lock_init(&lock->lock, &lock->segment);
    *ret_lock = lock;
    return 0;
}

int pool_lock_create(struct pool_lock **ret_lock)
{
    struct pool_lock *lock = calloc(1, sizeof(*lock));
    if (!lock)
        return -ENOMEM;
    return finish(lock, pool_segment_create(SEGMENT_LOCK, 0, &lock->segment), ret_lock);
}

int pool_lock_open(int fd, struct pool_lock **ret_lock)
{
    struct pool_lock *lock = calloc(1, sizeof(*lock));
    if (!lock)
        return -ENOMEM;
    return finish(lock, pool_segment_open(fd, SEGMENT_LOCK, &lock->segment), ret_lock);
}

int pool_lock_share(const struct pool_lock *lock)
{
    return pool_segment_share(&lock->segment);
}

void pool_lock_free(struct pool_lock *lock)
{
    if (!lock)
        return;
    pool_segment_done(&lock->segment);
    free(lock);
}

int pool_lock_acquire(struct pool_lock *lock, int timeout_ms)
{
    return pool_segment_lock_acquire(&lock->lock, timeout_ms);
}

int pool_lock_release(struct pool_lock *lock)
{
    return pool_segment_lock_release(&lock->lock);
}
