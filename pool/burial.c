/* burial.c: what becomes of a worker that ends, and of the tasks in its hands. Part of the
 * supervisor (supervisor_priv.h).
 *
 * The order matters: a worker's socket is read empty first, because the answer may be in it; then
 * its exit status is waited for, because people want to know; then the page decides. The task that
 * had started fails; one that had not goes back to the front of the queue. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor_priv.h"
#include "sync_priv.h"

/* So many workers in a row that died before they were ready break the pool: something is wrong that
 * trying again will not mend. */
#define EARLY_DEATHS_MAX 5

/* So often an unstarted task may be in the hands of a worker that dies. An honest page leads to one
 * or two; a worker that takes its claim back before it dies would go on for ever. */
#define REQUEUES_MAX 10

/* While a deadline runs, the supervisor wakes this often, to notice when the whole process group
 * was stopped for a time. */
#define DEADLINE_TICK_NS NS_PER_S

static void describe_end(const struct remote *remote, char *text, size_t size_bytes)
{
    if (!remote->has_status)
        snprintf(text, size_bytes, "ended, nobody knows how");
    else if (WIFSIGNALED(remote->wait_status))
        snprintf(text, size_bytes, "was killed by signal %d (%s)", WTERMSIG(remote->wait_status),
                 strsignal(WTERMSIG(remote->wait_status)));
    else
        snprintf(text, size_bytes, "exited with status %d", WEXITSTATUS(remote->wait_status));
}

static void fail_started(struct supervisor *supervisor, const struct remote *remote,
                         struct job *job, bool timed_out)
{
    char end[128];
    struct outcome outcome = OUTCOME_INIT;
    outcome.worker_pid = remote->pid;
    if (remote->has_status && WIFSIGNALED(remote->wait_status))
        outcome.signal = WTERMSIG(remote->wait_status);
    if (timed_out) {
        outcome.code = -ETIME;
        snprintf(outcome.message, sizeof(outcome.message), "ran longer than %lld ms",
                 (long long)(job->deadline_ns / NS_PER_MS));
    } else {
        outcome.code = -EOWNERDEAD;
        if (remote->has_status && WIFEXITED(remote->wait_status))
            outcome.exit_status = WEXITSTATUS(remote->wait_status);
        describe_end(remote, end, sizeof(end));
        snprintf(outcome.message, sizeof(outcome.message), "worker process %d %s", (int)remote->pid,
                 end);
    }
    pool_finish(supervisor->pool, job, &outcome);
}

static void settle_flights(struct supervisor *supervisor, struct remote *remote)
{
    for (unsigned slot = 0; slot < PAGE_SLOTS; slot++) {
        int64_t started_ns;
        if (!remote->flights[slot].job)
            continue;
        const bool started = remote_started(remote, slot, &started_ns);
        const bool timed_out = remote->flights[slot].timed_out;
        struct job *job = remote_release(remote, slot);
        if (started || (remote->ready && ++job->requeues > REQUEUES_MAX))
            fail_started(supervisor, remote, job, timed_out);
        else
            pool_untake(supervisor->pool, job);
    }
}

static void remove_and_free(struct supervisor *supervisor, struct remote *remote)
{
    for (unsigned i = 0; i < supervisor->remote_count; i++) {
        if (supervisor->remotes[i] != remote)
            continue;
        supervisor->remotes[i] = supervisor->remotes[--supervisor->remote_count];
        break;
    }
    remote_free(remote);
}

static void bury(struct supervisor *supervisor, struct remote *remote, bool was_asked_to_end)
{
    char end[128];
    describe_end(remote, end, sizeof(end));
    const bool early = !remote->ready && !was_asked_to_end;
    settle_flights(supervisor, remote);
    remove_and_free(supervisor, remote);
    if (early && ++supervisor->early_deaths >= EARLY_DEATHS_MAX)
        pool_break(supervisor->pool, -EOWNERDEAD,
                   "%u workers in a row died before they were ready; the last one %s",
                   supervisor->early_deaths, end);
}

void remote_gone(struct supervisor *supervisor, struct remote *remote)
{
    if (remote->state == REMOTE_DEAD)
        return;
    const bool was_asked_to_end = remote->state == REMOTE_STOPPING;
    supervisor_unwatch(supervisor, remote->socket_fd);
    shutdown(remote->socket_fd, SHUT_RDWR);
    close(remote->socket_fd);
    remote->socket_fd = -1;
    if (remote->pidfd >= 0) {
        /* A worker may close its socket and live on; it must not outlive its burial. */
        remote_kill(remote);
        supervisor_unwatch(supervisor, remote->pidfd);
        close(remote->pidfd);
        remote->pidfd = -1;
    }
    remote->state = REMOTE_DEAD;
    remote->asked_to_end = was_asked_to_end;
    if (remote->has_status || remote->orphan)
        bury(supervisor, remote, was_asked_to_end);
    else
        remote->give_up_ns = time_now_ns() + STATUS_WAIT_MS * NS_PER_MS;
}

void remote_exited(struct supervisor *supervisor, struct remote *remote, int wait_status)
{
    remote->has_status = true;
    remote->wait_status = wait_status;
    if (remote->state == REMOTE_DEAD) {
        bury(supervisor, remote, remote->asked_to_end);
        return;
    }
    /* All that it ever sent is in the socket now. Draining ends in remote_gone() at end of file;
     * if a grandchild holds the socket open it does not, and the worker is gone all the same. */
    const uint32_t id = remote->id;
    remote_drain(supervisor, remote);
    for (unsigned i = 0; i < supervisor->remote_count; i++)
        if (supervisor->remotes[i]->id == id)
            remote_gone(supervisor, supervisor->remotes[i]);
}

void remote_not_started(struct supervisor *supervisor, struct remote *remote, int error)
{
    settle_flights(supervisor, remote);
    remove_and_free(supervisor, remote);
    dispatch_not_hired(supervisor, -error);
}

/* ---- Messages ------------------------------------------------------------------------------ */

/* Returns 0, or -EBADMSG for a message that a sound worker would not send. */
static int serve_message(struct supervisor *supervisor, struct remote *remote, size_t size_bytes,
                         struct wire_fds *fds)
{
    const struct wire_control *control = (const void *)supervisor->message;
    struct job *job;
    struct outcome outcome;
    if (size_bytes == sizeof(*control) && control->type == WIRE_READY) {
        if (remote->ready) /* said once; a flood of it would keep us from everything else */
            return -EBADMSG;
        remote->ready = true;
        supervisor->early_deaths = 0;
        supervisor->spawn_failures = 0;
        supervisor->zygote_deaths = 0;
        return 0;
    }
    int r = remote_read_result(remote, supervisor->message, size_bytes, fds, &job, &outcome);
    if (r == 0)
        pool_finish(supervisor->pool, job, &outcome);
    return r;
}

void remote_drain(struct supervisor *supervisor, struct remote *remote)
{
    struct wire_fds fds;
    while (remote->state != REMOTE_DEAD) {
        ssize_t got =
            wire_receive(remote->socket_fd, supervisor->message, sizeof(supervisor->message), &fds);
        if (got == -EAGAIN)
            return;
        if (got == 0) {
            remote_gone(supervisor, remote);
            return;
        }
        int r = (int)got;
        if (got > 0) {
            r = serve_message(supervisor, remote, (size_t)got, &fds);
            wire_fds_done(&fds);
        }
        if (r < 0) {
            remote_kill(remote);
            return;
        }
    }
}

/* ---- Timers -------------------------------------------------------------------------------- */

static int64_t earlier(int64_t a_ns, int64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

/* Stop a worker because of one task. What it has not started is taken back first, or it might be
 * started within the grace and die for another's lateness. */
static void stop_late(struct supervisor *supervisor, struct remote *remote, unsigned late_slot)
{
    remote->flights[late_slot].timed_out = true;
    for (unsigned slot = 0; slot < PAGE_SLOTS; slot++) {
        struct job *job = slot == late_slot ? NULL : remote_take_back(remote, slot);
        if (job)
            pool_untake(supervisor->pool, job);
    }
    remote_stop(remote);
}

/* Stop the worker if one of its tasks has run out of time.  Returns when to look again. */
static int64_t check_deadlines(struct supervisor *supervisor, struct remote *remote, int64_t now_ns)
{
    int64_t next_ns = TIME_NEVER;
    for (unsigned slot = 0; slot < PAGE_SLOTS; slot++) {
        struct flight *flight = &remote->flights[slot];
        int64_t started_ns = now_ns; /* if not started: it cannot be due before now + deadline */
        if (!flight->job || flight->job->deadline_ns == 0)
            continue;
        if (remote_started(remote, slot, &started_ns))
            started_ns += flight->paused_ns;
        const int64_t due_ns = started_ns + flight->job->deadline_ns;
        if (now_ns >= due_ns) {
            stop_late(supervisor, remote, slot);
            return now_ns; /* what was taken back can be handed out */
        }
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
            remote_kill(remote);
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

int64_t timers_run(struct supervisor *supervisor)
{
    const int64_t now_ns = time_now_ns();
    int64_t next_ns = TIME_NEVER;
    next_ns = earlier(next_ns, check_retry(&supervisor->hire_at_ns, now_ns));
    next_ns = earlier(next_ns, check_retry(&supervisor->send_at_ns, now_ns));
    for (unsigned i = supervisor->remote_count; i-- > 0;) { /* downwards: burying removes */
        struct remote *remote = supervisor->remotes[i];
        const int64_t due_ns = check_remote(supervisor, remote, now_ns);
        if (remote->state == REMOTE_DEAD && now_ns >= remote->give_up_ns) {
            bury(supervisor, remote, remote->asked_to_end);
            next_ns = now_ns; /* its tasks can be handed out again: do not sleep on it */
        } else
            next_ns = earlier(next_ns, due_ns);
    }
    return next_ns;
}

void timers_forgive(struct supervisor *supervisor, int64_t pause_ns)
{
    for (unsigned i = 0; i < supervisor->remote_count; i++)
        for (unsigned slot = 0; slot < PAGE_SLOTS; slot++)
            supervisor->remotes[i]->flights[slot].paused_ns += pause_ns;
}
