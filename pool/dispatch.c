/* dispatch.c: who works on what. Part of the supervisor (supervisor_priv.h).
 *
 * How much a worker is given. One task to run and one to go on with, so that it need not wait for
 * the host between two. More only while they are known to be short, up to PREFETCH_NS of work (or
 * if they were submitted as a chunk): then the cost of a change of threads is shared by many. What
 * was given too early can be had back, because the host may take back whatever has not started. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "supervisor_priv.h"
#include "sync_priv.h"

/* A worker may hold so much work, as far as is known beforehand. */
#define PREFETCH_NS 500000

/* Work of less is not worth sharing, unless the worker got stuck for so long. */
#define SHARE_MIN_NS   100000
#define SHARE_AFTER_NS (2 * NS_PER_MS)

/* ---- Estimates ----------------------------------------------------------------------------- */

static uint32_t cost_of(const struct supervisor *supervisor, const struct job *job)
{
    const uint32_t cost_ns = supervisor->cost_ns[job->task_index];
    return cost_ns ? cost_ns : PREFETCH_NS;
}

void pool_dispatch_learn(struct supervisor *supervisor, const struct job *job, uint64_t ran_ns)
{
    uint32_t *cost_ns = &supervisor->cost_ns[job->task_index];
    const uint32_t ran = ran_ns < UINT32_MAX / 16 ? (uint32_t)ran_ns : UINT32_MAX / 16;
    *cost_ns = *cost_ns ? (7 * *cost_ns + ran) / 8 : ran;
    if (*cost_ns == 0)
        *cost_ns = 1;
}

/* ---- Choosing ------------------------------------------------------------------------------ */

/* Can it be given this job (or, with NULL, another of a chunk it has part of)? */
static bool can_take(const struct supervisor *supervisor, struct remote *remote,
                     const struct job *job)
{
    const uint64_t max_tasks = supervisor->pool->options.max_tasks;
    if (remote->state != REMOTE_ALIVE || remote->full || remote->retiring ||
        (max_tasks > 0 && remote->given >= max_tasks) || !pool_remote_has_slot(remote))
        return false;
    return !job || remote->flying < 2 || remote->load_ns + cost_of(supervisor, job) <= PREFETCH_NS;
}

/* The worker with the least to do that takes another task: a ready one before one that starts. */
static struct remote *least_busy(const struct supervisor *supervisor, const struct job *job)
{
    struct remote *best = NULL;
    for (unsigned i = 0; i < supervisor->remote_count; i++) {
        struct remote *remote = supervisor->remotes[i];
        if (!can_take(supervisor, remote, job))
            continue;
        if (!best || remote->flying < best->flying ||
            (remote->flying == best->flying && remote->ready && !best->ready))
            best = remote;
        if (best->flying == 0 && best->ready)
            break;
    }
    return best;
}

/* ---- Handing out --------------------------------------------------------------------------- */

static bool something_runs(const struct supervisor *supervisor)
{
    for (unsigned i = 0; i < supervisor->remote_count; i++)
        if (supervisor->remotes[i]->flying > 0)
            return true;
    return false;
}

/* A job cannot be sent for want of descriptors or memory. Returns false to stop for now. */
static bool not_sent(struct supervisor *supervisor, struct job *job, int r)
{
    if (++supervisor->send_failures < FAILURES_MAX || something_runs(supervisor)) {
        pool_supervisor_untake(supervisor, job);
        supervisor->send_at_ns = pool_staff_after_failures(supervisor->send_failures);
        return false;
    }
    supervisor->send_failures = 0;
    pool_outcome_done(&job->outcome);
    job->outcome = pool_outcome_of(r);
    pool_outcome_say(&job->outcome, "cannot be handed to a worker: %s", strerror(-r));
    pool_supervisor_end(supervisor, job);
    return true;
}

/* Give a job that was taken from the queue to a worker.  Returns false to stop for now. */
static bool assign(struct supervisor *supervisor, struct remote *remote, struct job *job)
{
    int r = pool_remote_send(remote, job, cost_of(supervisor, job));
    if (r == 0) {
        supervisor->send_failures = 0;
        supervisor->needs_timers |= job->deadline_ns > 0 || pool_memory_needs_watch(supervisor);
        return true;
    }
    if (r != -EAGAIN && r != -EPIPE)
        return not_sent(supervisor, job, r);
    remote->full = true;
    if (r == -EAGAIN)
        pool_supervisor_watch_socket(supervisor, remote);
    else /* it has ended, or does not listen any more */
        pool_remote_kill_broken(remote);
    pool_supervisor_untake(supervisor, job);
    return true;
}

/* A look at the queue's front. The job may be gone as soon as the lock is: only what is copied. */
struct front {
    bool any, quick;
    int priority;
    uint32_t task_index;
};

static struct front look_at_front(struct pool *pool)
{
    struct front front = {0};
    pthread_mutex_lock(&pool->lock);
    const struct job *job = pool_job_queue_first(&pool->queue);
    if (job && !atomic_load(&pool->stopped))
        front = (struct front){.any = true,
                               .quick = pool_remote_fits_page(job) && job->deadline_ns == 0,
                               .priority = job->priority,
                               .task_index = job->task_index};
    pthread_mutex_unlock(&pool->lock);
    return front;
}

static struct job *take(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct job *job = atomic_load(&pool->stopped) ? NULL : pool_take_locked(pool);
    pthread_mutex_unlock(&pool->lock);
    return job;
}

/* Give a worker the queue's first job, and the rest of its chunk.  Returns false to stop for now.
 */
static bool give(struct supervisor *supervisor, struct remote *remote)
{
    bool more = true;
    for (unsigned count = 0; more && count < POOL_BATCH_MAX; count++) {
        if (count > 0 && !can_take(supervisor, remote, NULL))
            return true;
        struct job *job = take(supervisor->pool);
        if (!job)
            return false;
        more = job->together;
        if (!assign(supervisor, remote, job))
            return false;
    }
    return true;
}

/* Work of lower priority that has not started makes way for what is at the queue's front. */
static void make_way(struct supervisor *supervisor, int priority)
{
    for (unsigned i = 0; i < supervisor->remote_count; i++) {
        struct remote *remote = supervisor->remotes[i];
        const uint32_t count = (remote->next - remote->oldest) & NUMBER_MASK;
        for (uint32_t back = 1; back <= count; back++) { /* see pool_dispatch_recall() */
            const uint32_t number = (remote->next - back) & NUMBER_MASK;
            const struct job *job = pool_remote_job(remote, number);
            if (!job || job->priority >= priority)
                continue;
            struct job *taken = pool_remote_take_back(remote, number);
            if (taken)
                pool_supervisor_untake(supervisor, taken);
        }
    }
}

void pool_dispatch_recall_but(struct supervisor *supervisor, struct remote *remote, uint32_t number)
{
    const uint32_t count = (remote->next - remote->oldest) & NUMBER_MASK;
    for (uint32_t back = 1; back <= count; back++) {
        /* The newest first, each to the front of the queue: the order stays. */
        const uint32_t other = (remote->next - back) & NUMBER_MASK;
        struct job *job = other == number ? NULL : pool_remote_take_back(remote, other);
        if (job)
            pool_supervisor_untake(supervisor, job);
    }
}

void pool_dispatch_recall(struct supervisor *supervisor, struct remote *remote)
{
    pool_dispatch_recall_but(supervisor, remote, remote->next); /* which is nobody's number yet */
}

void pool_dispatch(struct supervisor *supervisor)
{
    struct pool *pool = supervisor->pool;
    while (supervisor->send_at_ns == 0 || supervisor->send_at_ns <= pool_time_now_ns()) {
        const struct front front = look_at_front(pool);
        const struct job like = {.task_index = front.task_index};
        if (!front.any)
            break;
        if (atomic_load(&pool->has_priorities))
            make_way(supervisor, front.priority);
        struct remote *remote = least_busy(supervisor, &like);
        if ((!remote || remote->flying > 0) && pool_staff_may_hire(supervisor)) {
            struct remote *hired = pool_staff_hire(supervisor);
            remote = hired ? hired : remote;
        }
        if (!remote || !give(supervisor, remote))
            break;
    }
    pool_dispatch_share(supervisor, pool_time_now_ns());
}

/* See pool_dispatch_quickly(). */
static bool dispatch_ready(struct supervisor *supervisor)
{
    struct pool *pool = supervisor->pool;
    while (supervisor->send_at_ns == 0) {
        const struct front front = look_at_front(pool);
        const struct job like = {.task_index = front.task_index};
        if (!front.any)
            return false;
        if (!front.quick)
            return true;
        if (atomic_load(&pool->has_priorities))
            make_way(supervisor, front.priority);
        struct remote *remote = least_busy(supervisor, &like);
        if ((!remote || remote->flying > 0) && pool_staff_may_hire(supervisor))
            return true;
        if (!remote) /* all have enough: whoever is done first wakes the supervisor */
            return false;
        if (!remote->ready || !give(supervisor, remote))
            return true;
    }
    return true;
}

bool pool_dispatch_quickly(struct supervisor *supervisor)
{
    supervisor->needs_timers = false;
    const bool more = dispatch_ready(supervisor);
    return more || supervisor->needs_timers;
}

/* ---- Sharing ------------------------------------------------------------------------------- */

static struct remote *idle_remote(const struct supervisor *supervisor)
{
    for (unsigned i = 0; i < supervisor->remote_count; i++) {
        struct remote *remote = supervisor->remotes[i];
        if (remote->flying == 0 && remote->ready && can_take(supervisor, remote, NULL))
            return remote;
    }
    return NULL;
}

/* Move half of what a worker has not started to an idle one. */
static void share_half(struct supervisor *supervisor, struct remote *loaded, struct remote *idle)
{
    struct job *jobs[PAGE_SLOTS];
    unsigned count = 0, half = loaded->flying / 2;
    for (uint32_t number = loaded->next; count < half && number != loaded->oldest;) {
        number = (number - 1) & NUMBER_MASK;
        struct job *job = pool_remote_take_back(loaded, number);
        if (job)
            jobs[count++] = job;
    }
    bool go_on = true;
    while (count > 0) { /* taken from the newest: given in order */
        struct job *job = jobs[--count];
        if (go_on && can_take(supervisor, idle, NULL))
            go_on = assign(supervisor, idle, job);
        else
            pool_supervisor_untake(supervisor, job);
    }
}

/* Will somebody be idle before long? */
static bool one_starts(const struct supervisor *supervisor)
{
    for (unsigned i = 0; i < supervisor->remote_count; i++) {
        const struct remote *remote = supervisor->remotes[i];
        if (remote->state == REMOTE_ALIVE && !remote->ready && remote->flying == 0)
            return true;
    }
    return false;
}

/* What has been handed out, but not started, goes on to idle workers. Where none is idle, but one
 * more may be hired (since the handing out one has died, or the limit was raised), one is; it gets
 * its share when it is ready. */
int64_t pool_dispatch_share(struct supervisor *supervisor, int64_t now_ns)
{
    int64_t next_ns = TIME_NEVER;
    for (unsigned i = 0; i < supervisor->remote_count; i++) {
        struct remote *loaded = supervisor->remotes[i];
        if (loaded->state != REMOTE_ALIVE || loaded->flying < 2)
            continue;
        struct remote *idle = idle_remote(supervisor);
        if (!idle && (one_starts(supervisor) || !pool_staff_may_hire(supervisor)))
            return TIME_NEVER; /* looked at again when that changes */
        if (look_at_front(supervisor->pool).any)
            return TIME_NEVER;
        const int64_t stuck_ns = loaded->moved_ns + SHARE_AFTER_NS;
        if (loaded->load_ns < SHARE_MIN_NS && now_ns < stuck_ns)
            next_ns = stuck_ns < next_ns ? stuck_ns : next_ns;
        else if (idle)
            share_half(supervisor, loaded, idle);
        else
            pool_staff_hire(supervisor);
    }
    return next_ns;
}
