/* loan.c: a waiter in the supervisor's place. Part of the process backend (supervisor_priv.h).
 *
 * A task on its way to a worker and back passes three threads: the caller's, the worker's, the
 * supervisor's, and wakes the caller at the end. While the caller waits for nothing but the one
 * task that a worker holds, it may as well listen to that worker itself, which saves the change of
 * threads in the middle. So the worker's socket is lent to it:
 *
 *   - The supervisor stops watching the socket; there is one loan at a time in a pool.
 *   - The borrower sleeps until the socket has something, or its future is published by somebody
 *     else (cancel, terminate, another worker), who then writes to loan_fd.
 *   - Awake, it reads the worker's results as supervisor, gives the loan back, and publishes its
 * own future. Anything else that there is to publish or to tell is the supervisor thread's: a
 * caller may hold locks that a stranger's callback wants.
 *   - If the worker is buried meanwhile, its socket is shut down, which wakes the borrower, who
 *     closes it. */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "supervisor_priv.h"
#include "sync_priv.h"

/* Have whoever publishes the future write to fd.  Returns false if it is done. */
static bool set_wake_fd(struct pool_future *future, int fd)
{
    pthread_mutex_lock(&future->lock);
    const bool pending = !pool_future_done(future);
    future->wake_fd = fd;
    pthread_mutex_unlock(&future->lock);
    return pending;
}

/* Does the supervisor look at each worker after each task? */
static bool workers_wear(const struct pool_options *options)
{
    return options->max_tasks > 0 || options->max_rss_bytes > 0 || options->rss_limit_bytes > 0 ||
           options->max_age_ms > 0 || options->idle_ms > 0;
}

/* Borrow the socket of the worker that has this job, if that is all it has. The supervisor's lock
 * is held.  Returns false if it cannot be. */
static bool borrow(struct supervisor *supervisor, struct pool_future *future, struct loan *loan)
{
    struct remote *remote = future->job.remote;
    if (!remote || supervisor->loan || remote->state != REMOTE_ALIVE || !remote->ready ||
        remote->flying != 1 || remote->full || remote->retiring ||
        workers_wear(&supervisor->pool->options))
        return false;
    if (!set_wake_fd(future, supervisor->loan_fd))
        return false;
    *loan = (struct loan){.remote = remote, .fd = remote->socket_fd};
    supervisor->loan = loan;
    pool_supervisor_watch_socket(supervisor, remote);
    return true;
}

/* Give it back. The supervisor's lock is held. */
static void give_back(struct supervisor *supervisor, struct pool_future *future, struct loan *loan)
{
    uint64_t count;
    supervisor->loan = NULL;
    if (loan->remote)
        pool_supervisor_watch_socket(supervisor, loan->remote);
    else
        close(loan->fd); /* it was buried */
    set_wake_fd(future, -1);
    while (read(supervisor->loan_fd, &count, sizeof(count)) < 0 && errno == EINTR)
        continue; /* it is non-blocking: empty is fine */
}

/* Now that this worker may be idle, has the supervisor's thread anything to do about it? */
static bool thread_is_needed(struct supervisor *supervisor, const struct loan *loan)
{
    if (pool_dispatch_quickly(supervisor) || !loan->remote || loan->remote->retiring)
        return true;
    for (unsigned i = 0; i < supervisor->remote_count; i++)
        if (supervisor->remotes[i]->flying > 1) /* it may be shared */
            return true;
    return false;
}

/* Sleep until the socket or loan_fd is readable.  Returns 0, -ETIMEDOUT or -errno. */
static int sleep_on(const struct supervisor *supervisor, const struct loan *loan, int64_t until_ns)
{
    struct pollfd waits[] = {{.fd = loan->fd, .events = POLLIN},
                             {.fd = supervisor->loan_fd, .events = POLLIN}};
    int r;
    do {
        struct timespec left = {0};
        if (until_ns != TIME_NEVER) {
            const int64_t left_ns = until_ns - pool_time_now_ns();
            if (left_ns <= 0)
                return -ETIMEDOUT;
            left = (struct timespec){left_ns / NS_PER_S, left_ns % NS_PER_S};
        }
        r = ppoll(waits, 2, until_ns == TIME_NEVER ? NULL : &left, NULL);
    } while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
}

/* May the borrower publish what there is: its own future, and nobody to be called? */
static bool is_ours_alone(const struct supervisor *supervisor, struct pool_future *future)
{
    if (supervisor->ended != &future->job || future->job.next_ended || supervisor->later ||
        supervisor->break_why.code != 0 || future->hook || future->job.notify)
        return false;
    pthread_mutex_lock(&future->lock);
    const bool nobody = !future->callbacks;
    pthread_mutex_unlock(&future->lock);
    return nobody;
}

int pool_loan_wait(struct pool *pool, struct pool_future *future, int64_t until_ns)
{
    struct supervisor *supervisor = pool->backend_data;
    struct loan loan;
    int r = 0;
    while (r == 0 && !pool_future_done(future)) {
        pthread_mutex_lock(&supervisor->lock);
        const bool lent = borrow(supervisor, future, &loan);
        pthread_mutex_unlock(&supervisor->lock);
        if (!lent)
            return 1;
        r = sleep_on(supervisor, &loan, until_ns);
        pthread_mutex_lock(&supervisor->lock);
        if (loan.remote)
            pool_remote_drain(supervisor, loan.remote, false);
        give_back(supervisor, future, &loan);
        bool wake = thread_is_needed(supervisor, &loan);
        if (is_ours_alone(supervisor, future)) {
            pool_supervisor_leave(supervisor);
        } else {
            wake = wake || supervisor->ended || supervisor->later;
            pthread_mutex_unlock(&supervisor->lock);
        }
        if (wake)
            pool_supervisor_wake(supervisor);
    }
    return pool_future_done(future) ? 0 : r;
}
