/* staff.c: how many workers there are, and for how long. Part of the supervisor
 * (supervisor_priv.h). Workers start when work waits for them, up to the pool's limit. They go when
 * they have served long enough (max_tasks, max_age_ms; for max_rss_bytes see memory.c), when the
 * limit was lowered, or when they were idle for idle_ms; and only between two tasks: one that is to
 * go gets no more, what it has not started is taken back, and when it has nothing left it is
 * dismissed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "supervisor_priv.h"
#include "sync_priv.h"

/* The wait after the first failure, and the longest. After FAILURES_MAX in a row (about six
 * seconds), while nothing runs whose end could help, what is missing will not come. */
#define BACK_OFF_MIN_MS 10
#define BACK_OFF_MAX_MS 1000

/* ---- Hiring -------------------------------------------------------------------------------- */

int64_t pool_staff_after_failures(unsigned times)
{
    int64_t wait_ms = BACK_OFF_MIN_MS;
    while (times-- > 0 && wait_ms < BACK_OFF_MAX_MS)
        wait_ms *= 2;
    if (wait_ms > BACK_OFF_MAX_MS)
        wait_ms = BACK_OFF_MAX_MS;
    return pool_time_now_ns() + wait_ms * NS_PER_MS;
}

/* Those that work, or are being stopped at it; not those that were idle and are leaving. */
static unsigned count_staff(const struct supervisor *supervisor)
{
    unsigned count = 0;
    for (unsigned i = 0; i < supervisor->remote_count; i++)
        count += !supervisor->remotes[i]->dismissed;
    return count;
}

static unsigned count_staying(const struct supervisor *supervisor)
{
    unsigned count = 0;
    for (unsigned i = 0; i < supervisor->remote_count; i++)
        count += supervisor->remotes[i]->state == REMOTE_ALIVE && !supervisor->remotes[i]->retiring;
    return count;
}

bool pool_staff_may_hire(const struct supervisor *supervisor)
{
    return count_staff(supervisor) < atomic_load(&supervisor->pool->workers) &&
           (supervisor->hire_at_ns == 0 || supervisor->hire_at_ns <= pool_time_now_ns());
}

void pool_staff_not_hired(struct supervisor *supervisor, int r)
{
    pool_supervisor_say(supervisor, POOL_LOG_WORKER_FAILED, NULL, NULL, r,
                        "cannot start a worker process: %s", strerror(-r));
    /* Several that were asked for at once fail for one reason: it is counted once. */
    if (supervisor->hire_at_ns <= pool_time_now_ns())
        supervisor->hire_at_ns = pool_staff_after_failures(supervisor->spawn_failures++);
    if (supervisor->spawn_failures < FAILURES_MAX || supervisor->remote_count > 0)
        return;
    /* -EAGAIN would read as "the queue is full" to those who submit. */
    struct outcome why = pool_outcome_of(r == -EAGAIN ? -ENOMEM : r);
    pool_outcome_say(&why, "cannot start a worker process: %s", strerror(-r));
    pool_supervisor_break(supervisor, &why);
}

void pool_staff_start_failed(struct supervisor *supervisor, const struct remote *remote,
                             struct outcome *why)
{
    const char *words = why->message ? why->message : "it was not ready";
    pool_supervisor_say(supervisor, POOL_LOG_WORKER_FAILED, remote, NULL, why->code, "%s", words);
    if (++supervisor->start_failures >= supervisor->pool->options.start_failures_max)
        pool_supervisor_break(supervisor, why);
    else
        pool_outcome_done(why);
}

static int make_room(struct supervisor *supervisor)
{
    if (supervisor->remote_count < supervisor->remote_room)
        return 0;
    const unsigned room = supervisor->remote_room ? 2 * supervisor->remote_room : 8;
    struct remote **grown = realloc(supervisor->remotes, room * sizeof(grown[0]));
    if (!grown)
        return -ENOMEM;
    supervisor->remotes = grown;
    supervisor->remote_room = room;
    return 0;
}

/* Ask the zygote for a process that has these ends, and tell it how to begin. */
static int start_remote(struct supervisor *supervisor, struct remote *remote, int socket_fd,
                        int page_fd)
{
    const struct pool *pool = supervisor->pool;
    const uint32_t initializer =
        pool->initializer >= 0 ? (uint32_t)pool->initializer : WIRE_NO_TASK;
    int r =
        pool_remote_send_start(remote, initializer, pool->init_payload, pool->init_payload_bytes);
    if (r == 0)
        r = pool_supervisor_watch(supervisor, remote->socket_fd, EPOLLIN, EVENT_SOCKET, remote->id);
    if (r < 0)
        return r;
    const int fds[] = {socket_fd, page_fd};
    r = pool_zygote_client_spawn(&supervisor->zygote, WIRE_WORKER, remote->id, fds, 2);
    if (r < 0)
        pool_supervisor_unwatch(supervisor, remote->socket_fd);
    return r;
}

struct remote *pool_staff_hire(struct supervisor *supervisor)
{
    struct remote *remote = NULL;
    int socket_fd, page_fd;
    int r = make_room(supervisor);
    if (r == 0)
        r = pool_remote_create(supervisor->next_id, &remote, &socket_fd, &page_fd);
    if (r == 0) {
        r = start_remote(supervisor, remote, socket_fd, page_fd);
        close(socket_fd);
        close(page_fd);
    }
    if (r < 0) { /* -EPIPE too: the zygote's end will be seen, and it is started anew */
        pool_remote_free(remote);
        pool_staff_not_hired(supervisor, r);
        return NULL;
    }
    supervisor->next_id++;
    supervisor->remotes[supervisor->remote_count++] = remote;
    return remote;
}

/* ---- Letting go ---------------------------------------------------------------------------- */

void pool_staff_retire(struct supervisor *supervisor, struct remote *remote, bool worn)
{
    if (remote->retiring)
        return;
    remote->retiring = true;
    remote->worn = worn;
    pool_dispatch_recall(supervisor, remote);
}

static void count_recycled(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->counts.recycled++;
    pthread_mutex_unlock(&pool->lock);
}

/* When this worker is to be looked at: it has served too long, or idled too long. */
static int64_t due_ns(const struct supervisor *supervisor, const struct remote *remote, bool spare)
{
    const struct pool_options *options = &supervisor->pool->options;
    int64_t due = TIME_NEVER;
    if (options->max_age_ms > 0 && remote->ready)
        due = remote->ready_ns + options->max_age_ms * NS_PER_MS;
    if (spare && options->idle_ms > 0 && remote->flying == 0 && remote->ready &&
        remote->idle_ns + options->idle_ms * NS_PER_MS < due)
        due = remote->idle_ns + options->idle_ms * NS_PER_MS;
    return due;
}

/* staying: how many stay with the pool; counted down here. Counting them anew for each worker would
 * cost the square of their number at every wake-up. */
static void review_one(struct supervisor *supervisor, struct remote *remote, int64_t now_ns,
                       unsigned min, unsigned *staying)
{
    const struct pool_options *options = &supervisor->pool->options;
    const bool stayed = !remote->retiring;
    const bool old = options->max_age_ms > 0 && remote->ready &&
                     now_ns >= remote->ready_ns + options->max_age_ms * NS_PER_MS;
    const bool used = options->max_tasks > 0 && remote->given >= options->max_tasks;
    if (old || (used && remote->flying == 0))
        pool_staff_retire(supervisor, remote, true);
    else if (*staying > atomic_load(&supervisor->pool->workers) ||
             now_ns >= due_ns(supervisor, remote, *staying > min))
        pool_staff_retire(supervisor, remote, false);
    *staying -= stayed && remote->retiring;
    if (!remote->retiring || remote->flying > 0)
        return;
    if (remote->worn)
        count_recycled(supervisor->pool);
    pool_remote_dismiss(remote, LEAVE_MS);
}

void pool_staff_review(struct supervisor *supervisor)
{
    struct pool *pool = supervisor->pool;
    const int64_t now_ns = pool_time_now_ns();
    pthread_mutex_lock(&pool->lock);
    const unsigned min = pool->workers_min;
    const bool open = pool->state == POOL_OPEN;
    pthread_mutex_unlock(&pool->lock);
    unsigned staying = count_staying(supervisor);
    for (unsigned busy = 0; busy < 2; busy++) /* of surplus ones, the idle go first */
        for (unsigned i = supervisor->remote_count; i-- > 0;) {
            struct remote *remote = supervisor->remotes[i];
            if (remote->state == REMOTE_ALIVE && (remote->flying > 0) == busy)
                review_one(supervisor, remote, now_ns, min, &staying);
        }
    for (; open && staying < min && pool_staff_may_hire(supervisor); staying++)
        if (!pool_staff_hire(supervisor))
            break;
}

int64_t pool_staff_next_ns(const struct supervisor *supervisor)
{
    struct pool *pool = supervisor->pool;
    int64_t next_ns = TIME_NEVER;
    pthread_mutex_lock(&pool->lock);
    const bool spare = count_staying(supervisor) > pool->workers_min;
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < supervisor->remote_count; i++) {
        const struct remote *remote = supervisor->remotes[i];
        if (remote->state != REMOTE_ALIVE || remote->retiring)
            continue;
        const int64_t due = due_ns(supervisor, remote, spare);
        next_ns = due < next_ns ? due : next_ns;
    }
    return next_ns;
}
