/* sync_priv.h: monotonic time and condition variables that wait on it; private to pool. */
#ifndef POOL_SYNC_PRIV_H
#define POOL_SYNC_PRIV_H

#include <pthread.h>
#include <stdint.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

/** "Never", as a point in time. */
#define TIME_NEVER INT64_MAX

/** Now, in nanoseconds of CLOCK_MONOTONIC. */
int64_t pool_time_now_ns(void);

/** The point in time timeout_ms from now; -1 (or any negative value) gives TIME_NEVER. */
int64_t pool_time_after_ms(int timeout_ms);

/** Initialise a condition variable that measures time on CLOCK_MONOTONIC.  Returns 0 or -errno. */
int pool_cond_init(pthread_cond_t *cond);

/** Wait for cond until the time until_ns.  Returns 0 (perhaps spuriously) or -ETIMEDOUT. */
int pool_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ns);

/** Start a thread with every signal blocked, so that signals go to the host's threads, with the
 *  given name (at most 15 bytes).  Returns 0 or -errno. */
int pool_thread_start(pthread_t *ret_thread, const char *name, void *(*run)(void *), void *data);

#endif
