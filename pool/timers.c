/* timers.c: what is due when. Part of the supervisor (supervisor_priv.h). */
#include <errno.h>

#include "supervisor_priv.h"
#include "sync_priv.h"

/* While a deadline runs, the supervisor wakes this often, to notice when the whole process group
 * was stopped for a time: no more than this much of a stop is counted against a deadline. */
#define DEADLINE_TICK_NS (100 * NS_PER_MS)

/* A gap of so much more is a pause. */
#define PAUSE_MIN_NS (50 * NS_PER_MS)

/* While a late task's result is said to be on its way. */
#define LATE_TICK_NS (10 * NS_PER_MS)

/* A worker that is awake starts a task within this time. */
#define START_SLACK_NS NS_PER_S

static int64_t earlier(int64_t a_ns, int64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

void pool_timers_stop_for(struct supervisor *supervisor, struct remote *remote, uint32_t number)
{
    pool_dispatch_recall_but(supervisor, remote, number);
    /* Now it can start no other. But it may have ended this one and started the next before that:
     * then its result is on the way, and the next must not pay for it. */
    if (pool_remote_runs(remote, number))
        pool_remote_stop(remote);
}

/* When a task was started, as far as its deadline is concerned; now, if it was not. What a worker
 * says on its page is not enough: one that is in somebody else's hands may say that it has started
 * nothing, so the oldest task counts as started soon after the one before it came back. */
static int64_t started_ns_of(struct remote *remote, uint32_t number, bool oldest, int64_t now_ns)
{
    struct flight *flight = &remote->flights[number % PAGE_SLOTS];
    if (flight->started_ns == 0) /* once it has been seen, it stays */
        pool_remote_started(remote, number, &flight->started_ns);
    if (flight->started_ns != 0)
        return flight->started_ns + flight->paused_ns;
    if (!remote->ready || !oldest)
        return now_ns; /* it cannot be due before now + deadline */
    const int64_t since_ns =
        remote->moved_ns > flight->sent_ns ? remote->moved_ns : flight->sent_ns;
    return since_ns + START_SLACK_NS + flight->paused_ns;
}

/* A task is past its deadline.  Returns when to look again. */
static int64_t stop_late(struct supervisor *supervisor, struct remote *remote, uint32_t number,
                         int64_t due_ns, int64_t now_ns)
{
    struct flight *flight = &remote->flights[number % PAGE_SLOTS];
    const struct job *job = flight->job;
    if (!flight->timed_out)
        pool_supervisor_say(supervisor, POOL_LOG_TASK_LATE, remote, job->task->name, -ETIME,
                            "task %s ran longer than %lld ms", job->task->name,
                            (long long)(job->deadline_ns / NS_PER_MS));
    flight->timed_out = true;
    pool_timers_stop_for(supervisor, remote, number);
    if (remote->state != REMOTE_ALIVE)
        return now_ns; /* what was taken back can be handed out */
    /* It says that it has just ended it. Then the result will be here soon, or it lies. */
    if (now_ns >= due_ns + GRACE_MS * NS_PER_MS)
        pool_remote_kill(remote);
    return now_ns + LATE_TICK_NS;
}

/* Stop the worker if the task it runs is out of time.  Returns when to look again. */
static int64_t check_deadlines(struct supervisor *supervisor, struct remote *remote, int64_t now_ns)
{
    int64_t next_ns = TIME_NEVER;
    const uint32_t end = remote->next;
    bool oldest = true;
    for (uint32_t number = remote->oldest; number != end; number = (number + 1) & NUMBER_MASK) {
        const struct job *job = pool_remote_job(remote, number);
        const bool is_oldest = job && oldest;
        oldest = oldest && !job;
        if (!job || job->deadline_ns == 0)
            continue;
        const int64_t due_ns = started_ns_of(remote, number, is_oldest, now_ns) + job->deadline_ns;
        if (now_ns >= due_ns)
            return stop_late(supervisor, remote, number, due_ns, now_ns);
        next_ns = earlier(next_ns, earlier(due_ns, now_ns + DEADLINE_TICK_NS));
    }
    return next_ns;
}

static int64_t check_remote(struct supervisor *supervisor, struct remote *remote, int64_t now_ns)
{
    switch (remote->state) {
    case REMOTE_ALIVE:
        return check_deadlines(supervisor, remote, now_ns);
    case REMOTE_STOPPING:
        if (now_ns >= remote->kill_at_ns)
            pool_remote_kill(remote);
        return remote->kill_at_ns;
    case REMOTE_DEAD:
        return remote->give_up_ns;
    }
    return TIME_NEVER;
}

/* Cleared when it is due, whether or not anybody is there to use the chance. */
static int64_t check_retry(int64_t *retry_at_ns, int64_t now_ns)
{
    const int64_t due_ns = *retry_at_ns;
    if (due_ns == 0)
        return TIME_NEVER;
    if (due_ns <= now_ns)
        *retry_at_ns = 0;
    return due_ns;
}

/* While a deadline runs, timers are looked at every DEADLINE_TICK_NS. If they were not for longer
 * than that, this process was stopped (or the machine was, or is so busy that its workers got
 * nowhere either): that time is nobody's fault. */
static void forgive_gap(struct supervisor *supervisor, int64_t now_ns)
{
    for (unsigned i = 0; i < supervisor->remote_count; i++) {
        struct remote *remote = supervisor->remotes[i];
        for (uint32_t number = remote->oldest; number != remote->next;
             number = (number + 1) & NUMBER_MASK) {
            struct flight *flight = &remote->flights[number % PAGE_SLOTS];
            const int64_t since_ns =
                flight->sent_ns > supervisor->looked_ns ? flight->sent_ns : supervisor->looked_ns;
            const int64_t gap_ns = now_ns - since_ns - DEADLINE_TICK_NS;
            if (gap_ns > PAUSE_MIN_NS)
                flight->paused_ns += gap_ns;
        }
    }
    supervisor->looked_ns = now_ns;
}

int64_t pool_timers_run(struct supervisor *supervisor)
{
    const int64_t now_ns = pool_time_now_ns();
    forgive_gap(supervisor, now_ns);
    int64_t next_ns = TIME_NEVER;
    next_ns = earlier(next_ns, check_retry(&supervisor->hire_at_ns, now_ns));
    next_ns = earlier(next_ns, check_retry(&supervisor->send_at_ns, now_ns));
    for (unsigned i = supervisor->remote_count; i-- > 0;) { /* downwards: burying removes */
        struct remote *remote = supervisor->remotes[i];
        const int64_t due_ns = check_remote(supervisor, remote, now_ns);
        if (remote->state == REMOTE_DEAD && now_ns >= remote->give_up_ns) {
            pool_remote_bury(supervisor, remote);
            next_ns = now_ns; /* its tasks can be handed out again: do not sleep on it */
        } else
            next_ns = earlier(next_ns, due_ns);
    }
    next_ns = earlier(next_ns, pool_memory_watch(supervisor, now_ns));
    next_ns = earlier(next_ns, pool_staff_next_ns(supervisor));
    return earlier(next_ns, pool_dispatch_share(supervisor, now_ns));
}
