/* origin_priv.h: is this still the process that made an object? Private to pool.
 *
 * A host may fork while it has pools. The child gets a copy of all memory, but not the threads that
 * may have held locks in it, and shares every open file with its parent: it must keep its hands
 * off, and must find that out without taking a lock. So each object remembers the origin of its
 * process, a number that changes over fork. It is kept in a page that the kernel empties in a child
 * (MADV_WIPEONFORK), which makes asking as cheap as reading memory. */
#ifndef POOL_ORIGIN_PRIV_H
#define POOL_ORIGIN_PRIV_H

#include <stdint.h>

/** This process's origin, never 0.  Thread safety: any thread. */
uint64_t pool_origin_now(void);

#endif
