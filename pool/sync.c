#include "sync_priv.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

int64_t pool_time_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail: the clock always exists on Linux */
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t pool_time_after_ms(int timeout_ms)
{
    return timeout_ms < 0 ? TIME_NEVER : pool_time_now_ns() + timeout_ms * NS_PER_MS;
}

int pool_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    int r = pthread_condattr_init(&attr);
    if (r != 0)
        return -r;
    r = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    if (r == 0)
        r = pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
    return -r;
}

int pool_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ns)
{
    if (until_ns == TIME_NEVER) {
        pthread_cond_wait(cond, lock);
        return 0;
    }
    struct timespec until = {.tv_sec = until_ns / NS_PER_S, .tv_nsec = until_ns % NS_PER_S};
    return pthread_cond_timedwait(cond, lock, &until) == ETIMEDOUT ? -ETIMEDOUT : 0;
}

int pool_thread_start(pthread_t *ret_thread, const char *name, void *(*run)(void *), void *data)
{
    sigset_t all, before;
    pthread_t thread;
    sigfillset(&all);
    int r = pthread_sigmask(SIG_SETMASK, &all, &before); /* a new thread inherits the mask */
    if (r != 0)
        return -r;
    r = pthread_create(&thread, NULL, run, data);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0)
        return -r;
    pthread_setname_np(thread, name);
    *ret_thread = thread;
    return 0;
}
