/* lock_priv.h: a lock of a segment, for objects that have one; private to pool. */
#ifndef POOL_LOCK_PRIV_H
#define POOL_LOCK_PRIV_H

#include <stdatomic.h>
#include <stdint.h>

#include "segment_priv.h"

/** One process's side of it. */
struct segment_lock {
    struct turn *turn;
    _Atomic uint64_t holder; /* process << 32 | thread that took it through this object; or 0 */
};

void pool_segment_lock_init(struct segment_lock *lock, const struct segment *segment);

/** As pool_lock_acquire() and pool_lock_release(). */
int pool_segment_lock_acquire(struct segment_lock *lock, int timeout_ms);
int pool_segment_lock_release(struct segment_lock *lock);

#endif
