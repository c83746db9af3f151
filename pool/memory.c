/* memory.c: how much memory workers have. Part of the supervisor (supervisor_priv.h).
 *
 * Resident memory is read from /proc, at most every LOOK_EVERY_NS: after a task, to replace a
 * worker that has grown too large for the next one; and, with a limit, while tasks run, to kill a
 * worker that is above it. While no task runs, nobody wakes for this.
 *
 * Only the task that has used the memory may pay. It is known if it ran before the reading and
 * still does after it. Then what the worker has not started is taken back, so that it can start no
 * other; if the task runs even now, nothing else can die with it. If it does not, it has just
 * ended, and the next may have been started in between: then the worker is retired instead, and
 * that next task may use as much as any other on top of what it found (left_bytes). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "supervisor_priv.h"
#include "sync_priv.h"

#define LOOK_EVERY_NS (20 * NS_PER_MS)

static int64_t resident_bytes(pid_t pid)
{
    char path[64], text[128];
    long long total_pages, resident_pages;
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t got = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (got <= 0)
        return -1;
    text[got] = '\0';
    if (sscanf(text, "%lld %lld", &total_pages, &resident_pages) != 2)
        return -1;
    return resident_pages * sysconf(_SC_PAGESIZE);
}

static bool is_above(int64_t rss_bytes, size_t limit_bytes)
{
    return rss_bytes > 0 && (uint64_t)rss_bytes > limit_bytes;
}

/* ---- After a task -------------------------------------------------------------------------- */

void pool_memory_check(struct supervisor *supervisor, struct remote *remote)
{
    const struct pool_options *options = &supervisor->pool->options;
    size_t limit_bytes = options->max_rss_bytes;
    if (limit_bytes == 0 ||
        (options->rss_limit_bytes > 0 && options->rss_limit_bytes < limit_bytes))
        limit_bytes = options->rss_limit_bytes;
    if (limit_bytes == 0 || remote->retiring || remote->pid <= 0)
        return;
    const int64_t now_ns = pool_time_now_ns();
    if (now_ns < remote->rss_ns + LOOK_EVERY_NS)
        return;
    remote->rss_ns = now_ns;
    if (is_above(resident_bytes(remote->pid), limit_bytes))
        pool_staff_retire(supervisor, remote, true);
}

/* ---- While tasks run ----------------------------------------------------------------------- */

static bool is_busy(const struct remote *remote)
{
    return remote->state != REMOTE_DEAD && remote->ready && remote->flying > 0;
}

/* The number of the task that it runs or, if its page names none, of the oldest that it holds. */
static uint32_t find_current(const struct remote *remote)
{
    uint32_t oldest = remote->next;
    for (uint32_t number = remote->oldest; number != remote->next;
         number = (number + 1) & NUMBER_MASK) {
        if (pool_remote_runs(remote, number))
            return number;
        if (oldest == remote->next && pool_remote_job(remote, number))
            oldest = number;
    }
    return oldest;
}

/* The task of this number has used too much. */
static void kill_for(struct supervisor *supervisor, struct remote *remote, uint32_t number,
                     int64_t rss_bytes)
{
    const char *name = pool_remote_job(remote, number)->task->name;
    char words[MEMORY_WORDS_BYTES];
    pool_memory_describe(supervisor, rss_bytes, words, sizeof(words));
    pool_supervisor_say(supervisor, POOL_LOG_TASK_TOO_LARGE, remote, name, -ENOMEM, "task %s %s",
                        name, words);
    remote->flights[number % PAGE_SLOTS].over_bytes = rss_bytes;
    pool_remote_kill(remote); /* without a grace, in which its memory would grow on */
}

/* It is above the limit.  number: of its current task.  sure: it is this task that is.
 * Returns whether something was done about it. */
static bool punish(struct supervisor *supervisor, struct remote *remote, uint32_t number, bool sure,
                   int64_t rss_bytes, int64_t now_ns)
{
    /* One that is above it for so long, and is never seen at a task, hides it. */
    const bool hides = now_ns >= remote->over_ns + GRACE_MS * NS_PER_MS;
    if (remote->state == REMOTE_STOPPING) { /* for another reason, which stays the reason */
        pool_remote_kill(remote);
        return true;
    }
    if (!sure && !hides)
        return false;
    /* What its page says of this one is not asked when it lies: the task stays with it, to blame.
     */
    pool_dispatch_recall_but(supervisor, remote, number);
    if (pool_remote_job(remote, number) && (hides || pool_remote_runs(remote, number))) {
        kill_for(supervisor, remote, number, rss_bytes);
        return true;
    }
    pool_dispatch_recall(supervisor, remote);
    remote->left_bytes = rss_bytes;
    remote->over_ns = 0;
    pool_staff_retire(supervisor, remote, true);
    return true;
}

static bool look_at(struct supervisor *supervisor, struct remote *remote, int64_t now_ns)
{
    const uint32_t number = find_current(remote);
    const bool ran = pool_remote_runs(remote, number);
    const int64_t rss_bytes = resident_bytes(remote->pid);
    if (!is_above(rss_bytes - remote->left_bytes, supervisor->pool->options.rss_limit_bytes)) {
        remote->over_ns = 0;
        return false;
    }
    if (remote->over_ns == 0)
        remote->over_ns = now_ns;
    const bool sure = ran && pool_remote_runs(remote, number);
    return punish(supervisor, remote, number, sure, rss_bytes, now_ns);
}

int64_t pool_memory_watch(struct supervisor *supervisor, int64_t now_ns)
{
    bool busy = false, acted = false;
    if (supervisor->pool->options.rss_limit_bytes == 0)
        return TIME_NEVER;
    for (unsigned i = 0; i < supervisor->remote_count; i++)
        busy = busy || is_busy(supervisor->remotes[i]);
    supervisor->memory_watched = busy;
    if (!busy)
        return TIME_NEVER;
    if (now_ns < supervisor->memory_at_ns)
        return supervisor->memory_at_ns;
    supervisor->memory_at_ns = now_ns + LOOK_EVERY_NS;
    for (unsigned i = 0; i < supervisor->remote_count; i++)
        if (is_busy(supervisor->remotes[i]))
            acted = look_at(supervisor, supervisor->remotes[i], now_ns) || acted;
    return acted ? now_ns : supervisor->memory_at_ns; /* what was taken back can be handed out */
}

bool pool_memory_needs_watch(const struct supervisor *supervisor)
{
    return supervisor->pool->options.rss_limit_bytes > 0 && !supervisor->memory_watched;
}

void pool_memory_describe(const struct supervisor *supervisor, int64_t rss_bytes, char *text,
                          size_t size_bytes)
{
    enum { MB = 1024 * 1024 };
    /* Rounded apart: "used 512 MB, more than 512 MB" would read as a mistake. */
    snprintf(text, size_bytes, "used %lld MB of memory, more than its limit of %zu MB",
             (long long)(rss_bytes + MB - 1) / MB, supervisor->pool->options.rss_limit_bytes / MB);
}
