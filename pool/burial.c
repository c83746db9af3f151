/* burial.c: what becomes of a worker that ends, and of the tasks in its hands. Part of the
 * supervisor (supervisor_priv.h).
 *
 * The order matters: a worker's socket and page are read empty first, because the answer may be
 * there; then its exit status is waited for, because people want to know; then the page decides.
 * The task that had started fails, or is tried again if it was submitted with retries; one that had
 * not goes back to the front of the queue. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor_priv.h"
#include "sync_priv.h"

/* So often an unstarted task may be in the hands of a worker that dies. An honest page leads to one
 * or two; a worker that takes its claim back before it dies would go on for ever. */
#define REQUEUES_MAX 10

/* And so often it may be the next one's turn when that happens. Once is chance; from the second
 * time on the death counts as its own, although its page says that it was never started. */
#define SUSPICIONS_MAX 2

/* So many messages are read at once, at most: more than an honest worker can have sent. A process
 * that it left behind may go on sending for ever. */
#define MESSAGES_MAX 4096

static void describe_end(const struct remote *remote, char *text, size_t size_bytes)
{
    pool_outcome_describe_end(remote->has_status ? &remote->wait_status : NULL, text, size_bytes);
}

/* An outcome that tells how a worker ended. */
static struct outcome outcome_of_end(const struct remote *remote, int code)
{
    struct outcome outcome = pool_outcome_of(code);
    outcome.worker_pid = remote->pid;
    if (remote->has_status)
        pool_outcome_set_end(&outcome, remote->wait_status);
    return outcome;
}

/* ---- Its tasks ----------------------------------------------------------------------------- */

static void end_timed_out(struct supervisor *supervisor, const struct remote *remote,
                          struct job *job)
{
    struct outcome outcome = outcome_of_end(remote, -ETIME);
    outcome.exit_status = -1;
    pool_outcome_say(&outcome, "ran longer than %lld ms",
                     (long long)(job->deadline_ns / NS_PER_MS));
    outcome.deaths = job->deaths;
    job->outcome = outcome;
    pool_supervisor_end(supervisor, job);
}

/* Not tried again, whatever retries are left: it would do it again. */
static void end_too_large(struct supervisor *supervisor, const struct remote *remote,
                          struct job *job, int64_t over_bytes)
{
    char words[MEMORY_WORDS_BYTES];
    struct outcome outcome = outcome_of_end(remote, -ENOMEM);
    outcome.exit_status = -1;
    outcome.over_memory = true;
    pool_memory_describe(supervisor, over_bytes, words, sizeof(words));
    pool_outcome_say(&outcome, "%s", words);
    outcome.deaths = job->deaths;
    job->outcome = outcome;
    pool_supervisor_end(supervisor, job);
}

/* Its worker died while it ran: is it tried again? */
static bool retry(struct supervisor *supervisor, const struct remote *remote, struct job *job)
{
    struct pool *pool = supervisor->pool;
    const unsigned deaths = job->deaths, limit = pool->options.quarantine_deaths;
    const char *name = job->task->name;
    if (job->retries == 0 || deaths >= limit)
        return false;
    job->retries--;
    pthread_mutex_lock(&pool->lock);
    const bool back = pool_untake_locked(pool, job);
    pool->counts.retried += back;
    pthread_mutex_unlock(&pool->lock);
    if (back) /* a cancel may have freed it by now */
        pool_supervisor_say(supervisor, POOL_LOG_TASK_RETRIED, remote, name, 0,
                            "task %s is tried again: its worker died (%u of %u)", name, deaths,
                            limit);
    else
        pool_supervisor_end(supervisor, job); /* it is settled: cancelled, or the pool has ended */
    return true;
}

static void end_started(struct supervisor *supervisor, const struct remote *remote, struct job *job)
{
    char end[128];
    job->deaths++;
    if (retry(supervisor, remote, job))
        return;
    struct outcome outcome = outcome_of_end(remote, -EOWNERDEAD);
    describe_end(remote, end, sizeof(end));
    outcome.deaths = job->deaths;
    outcome.quarantined = job->retries > 0;
    if (outcome.quarantined) {
        pool_outcome_say(&outcome, "quarantined after %u deaths: worker process %d %s", job->deaths,
                         (int)remote->pid, end);
        pool_supervisor_say(supervisor, POOL_LOG_TASK_QUARANTINED, remote, job->task->name,
                            -EOWNERDEAD, "task %s has killed %u workers", job->task->name,
                            job->deaths);
    } else {
        pool_outcome_say(&outcome, "worker process %d %s", (int)remote->pid, end);
    }
    job->outcome = outcome;
    pool_supervisor_end(supervisor, job);
}

/* first: its turn was next, or it ran and the page hides it. */
static void requeue(struct supervisor *supervisor, const struct remote *remote, struct job *job,
                    bool first)
{
    struct pool *pool = supervisor->pool;
    const bool died = remote->ready && !remote->told_to_end;
    if (died && first && ++job->suspicions > 1 && job->suspicions <= SUSPICIONS_MAX)
        job->deaths++;
    if (remote->ready && (++job->requeues > REQUEUES_MAX || job->suspicions > SUSPICIONS_MAX)) {
        end_started(supervisor, remote, job);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->counts.requeued++;
    pthread_mutex_unlock(&pool->lock);
    pool_supervisor_untake(supervisor, job);
}

/* The number of the oldest task that it holds. */
static uint32_t oldest_of(const struct remote *remote)
{
    uint32_t number = remote->oldest;
    while (number != remote->next && !pool_remote_job(remote, number))
        number = (number + 1) & NUMBER_MASK;
    return number;
}

static void settle_flights(struct supervisor *supervisor, struct remote *remote)
{
    const uint32_t count = (remote->next - remote->oldest) & NUMBER_MASK;
    const uint32_t oldest = oldest_of(remote);
    for (uint32_t back = 1; back <= count; back++) { /* the newest first: the queue's order stays */
        const uint32_t number = (remote->next - back) & NUMBER_MASK;
        const struct flight *flight = &remote->flights[number % PAGE_SLOTS];
        int64_t started_ns;
        if (!pool_remote_job(remote, number))
            continue;
        const bool timed_out = flight->timed_out, cancelled = flight->cancelled;
        const int64_t over_bytes = flight->over_bytes;
        /* What we have seen, or have stopped it for, is not undone by what its page says now. */
        const bool started = pool_remote_started(remote, number, &started_ns) ||
                             flight->started_ns != 0 || timed_out || over_bytes > 0;
        const bool first = number == oldest;
        struct job *job = pool_remote_release(remote, number);
        if (started && timed_out)
            end_timed_out(supervisor, remote, job);
        else if (started && cancelled)
            pool_supervisor_end(supervisor, job); /* its future is done already */
        else if (started && over_bytes > 0)
            end_too_large(supervisor, remote, job, over_bytes);
        else if (started)
            end_started(supervisor, remote, job);
        else
            requeue(supervisor, remote, job, first);
    }
}

/* ---- Itself -------------------------------------------------------------------------------- */

static void remove_and_free(struct supervisor *supervisor, struct remote *remote)
{
    for (unsigned i = 0; i < supervisor->remote_count; i++) {
        if (supervisor->remotes[i] != remote)
            continue;
        supervisor->remotes[i] = supervisor->remotes[--supervisor->remote_count];
        break;
    }
    pool_remote_free(remote);
}

static void start_failed(struct supervisor *supervisor, struct remote *remote)
{
    char end[128];
    struct outcome why;
    describe_end(remote, end, sizeof(end));
    if (remote->failed_init) {
        const struct outcome *init = &remote->init_outcome;
        why = pool_outcome_of(init->code);
        why.task_code = init->task_code;
        why.worker_pid = remote->pid;
        pool_outcome_say(&why, "the initializer failed: %s",
                         init->message ? init->message : "it gave no reason");
        if (init->where)
            why.where = strdup(init->where);
    } else {
        why = outcome_of_end(remote, -EOWNERDEAD);
        pool_outcome_say(&why, "workers died before they were ready; the last one %s", end);
    }
    pool_staff_start_failed(supervisor, remote, &why);
}

static void tell_end(struct supervisor *supervisor, const struct remote *remote)
{
    char end[128];
    struct pool *pool = supervisor->pool;
    describe_end(remote, end, sizeof(end));
    if (!remote->told_to_end) {
        pthread_mutex_lock(&pool->lock);
        pool->counts.died++;
        pthread_mutex_unlock(&pool->lock);
    }
    pool_supervisor_say(supervisor,
                        remote->told_to_end ? POOL_LOG_WORKER_ENDED : POOL_LOG_WORKER_DIED, remote,
                        NULL, 0, "worker process %d %s", (int)remote->pid, end);
}

void pool_remote_bury(struct supervisor *supervisor, struct remote *remote)
{
    const bool early = remote->failed_init || (!remote->ready && !remote->told_to_end);
    settle_flights(supervisor, remote);
    if (early)
        start_failed(supervisor, remote);
    else
        tell_end(supervisor, remote);
    remove_and_free(supervisor, remote);
}

void pool_remote_gone(struct supervisor *supervisor, struct remote *remote)
{
    if (remote->state == REMOTE_DEAD)
        return;
    remote->told_to_end = remote->state == REMOTE_STOPPING && !remote->broken;
    pool_supervisor_unwatch(supervisor, remote->socket_fd);
    shutdown(remote->socket_fd, SHUT_RDWR);
    if (supervisor->loan && supervisor->loan->remote == remote)
        supervisor->loan->remote = NULL; /* who borrowed it wakes, and closes it */
    else
        close(remote->socket_fd);
    remote->socket_fd = -1;
    if (remote->pidfd >= 0) {
        /* A worker may close its socket and live on; it must not outlive its burial. */
        pool_remote_kill(remote);
        pool_supervisor_unwatch(supervisor, remote->pidfd);
        close(remote->pidfd);
        remote->pidfd = -1;
    }
    remote->state = REMOTE_DEAD;
    if (remote->has_status || remote->orphan)
        pool_remote_bury(supervisor, remote);
    else
        remote->give_up_ns = pool_time_now_ns() + STATUS_WAIT_MS * NS_PER_MS;
}

void pool_remote_exited(struct supervisor *supervisor, struct remote *remote, int wait_status)
{
    remote->has_status = true;
    remote->wait_status = wait_status;
    if (remote->state == REMOTE_DEAD) {
        pool_remote_bury(supervisor, remote);
        return;
    }
    /* All that it ever sent is in the socket now. Draining ends in pool_remote_gone() at end of
     * file; if a grandchild holds the socket open it does not, and the worker is gone all the same.
     */
    const uint32_t id = remote->id;
    pool_remote_drain(supervisor, remote, true);
    for (unsigned i = 0; i < supervisor->remote_count; i++)
        if (supervisor->remotes[i]->id == id) {
            pool_remote_gone(supervisor, supervisor->remotes[i]);
            break;
        }
}

void pool_remote_not_started(struct supervisor *supervisor, struct remote *remote, int error)
{
    settle_flights(supervisor, remote);
    pool_supervisor_unwatch(supervisor, remote->socket_fd);
    remove_and_free(supervisor, remote);
    pool_staff_not_hired(supervisor, -error);
}

/* ---- What it says -------------------------------------------------------------------------- */

/* Did it end well, but we had no descriptor or memory for its result? No worker can say such codes
 * (pool_wire_code_is_sound()). */
static bool is_lost(const struct job *job)
{
    const int code = job->outcome.code;
    return code < 0 && code != -EREMOTEIO && code != -ETIME;
}

/* A task has come back with its outcome. */
static void landed(struct supervisor *supervisor, struct remote *remote, struct job *job,
                   uint64_t ran_ns)
{
    remote->moved_ns = pool_time_now_ns();
    if (remote->flying == 0)
        remote->idle_ns = remote->moved_ns;
    pool_dispatch_learn(supervisor, job, ran_ns);
    if (is_lost(job) && job->retries > 0) {
        job->retries--;
        pool_outcome_done(&job->outcome);
        job->outcome = pool_outcome_of(0);
        pool_supervisor_untake(supervisor, job);
        return;
    }
    pool_supervisor_end(supervisor, job);
}

/* Read results off the page until there are none and we shall be rung for the next. */
static int drain_page(struct supervisor *supervisor, struct remote *remote)
{
    struct job *job;
    uint64_t ran_ns;
    int r;
    do {
        while ((r = pool_remote_read_page(remote, &job, &ran_ns)) > 0)
            landed(supervisor, remote, job, ran_ns);
    } while (r == 0 && !pool_remote_listen(remote));
    return r;
}

static int serve_ready(struct supervisor *supervisor, struct remote *remote, size_t size_bytes,
                       const struct wire_fds *fds)
{
    int r = pool_remote_read_ready(remote, supervisor->message, size_bytes, fds);
    if (r == 0 && remote->failed_init) /* it ends by itself now, or is helped */
        pool_remote_stop(remote);
    if (r < 0 || remote->failed_init)
        return r;
    remote->ready = true;
    remote->idle_ns = remote->ready_ns = pool_time_now_ns();
    supervisor->start_failures = 0;
    supervisor->spawn_failures = 0;
    supervisor->zygote_deaths = 0;
    pthread_mutex_lock(&supervisor->pool->lock);
    supervisor->pool->counts.started++;
    pthread_mutex_unlock(&supervisor->pool->lock);
    pool_supervisor_say(supervisor, POOL_LOG_WORKER_STARTED, remote, NULL, 0,
                        "worker process %d is ready", (int)remote->pid);
    return 0;
}

/* Returns 0, 1 for a bell, or -EBADMSG for a message that a sound worker would not send. */
static int serve_message(struct supervisor *supervisor, struct remote *remote, size_t size_bytes,
                         struct wire_fds *fds)
{
    const struct wire_control *control = (const void *)supervisor->message;
    struct job *job;
    uint64_t ran_ns;
    if (size_bytes < sizeof(control->type))
        return -EBADMSG;
    if (control->type == WIRE_BELL)
        return fds->count == 0 ? 1 : -EBADMSG;
    if (control->type == WIRE_READY)
        return serve_ready(supervisor, remote, size_bytes, fds);
    if (control->type != WIRE_RESULT)
        return -EBADMSG;
    int r = pool_remote_read_result(remote, supervisor->message, size_bytes, fds, &job, &ran_ns);
    if (r < 0)
        return r;
    landed(supervisor, remote, job, ran_ns);
    return 0;
}

void pool_remote_drain(struct supervisor *supervisor, struct remote *remote, bool to_the_end)
{
    struct wire_fds fds;
    ssize_t got;
    int r;
    unsigned left = MESSAGES_MAX;
    if (to_the_end) /* what it has sent can still be read; a process it left behind sends no more */
        shutdown(remote->socket_fd, SHUT_RD);
    do { /* after a bell more may have come, but epoll will say so: mostly there is no more */
        got = pool_wire_receive(remote->socket_fd, supervisor->message, sizeof(supervisor->message),
                                &fds);
        if (got <= 0)
            break;
        r = serve_message(supervisor, remote, (size_t)got, &fds);
        pool_wire_fds_done(&fds);
    } while ((r == 0 || (r > 0 && to_the_end)) && --left > 0);
    if (got > 0 && r < 0) {
        pool_remote_kill_broken(remote);
        return;
    }
    r = got < 0 && got != -EAGAIN ? (int)got : drain_page(supervisor, remote);
    if (r < 0)
        pool_remote_kill_broken(remote);
    else
        pool_memory_check(supervisor, remote);
    if (got == 0)
        pool_remote_gone(supervisor, remote);
}
