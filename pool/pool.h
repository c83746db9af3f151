/* pool.h: run named tasks in a pool of workers, and get their results as futures.
 *
 * The pool is Python's multiprocessing.Pool and concurrent.futures.Executor for C (README.md beside
 * this file has a table of their calls and ours). One interface stands before three backends,
 * chosen by one option:
 *
 *   POOL_BACKEND_PROCESS  worker processes. A task that crashes, hangs or eats memory costs itself
 *                         only: its future says how its worker ended, and the worker is replaced.
 *   POOL_BACKEND_THREAD   threads of this process: no isolation, nothing to start.
 *   POOL_BACKEND_SERIAL   no worker: each task runs in the thread that submits it. The yardstick
 *                         for the other two.
 *
 * A program in short
 *
 *     static int square(struct pool_call *call)
 *     {
 *         int x;
 *         struct pool_bytes field = pool_call_field(call, 0);
 *         if (field.size_bytes != sizeof(x))
 *             return pool_call_fail(call, -EINVAL, "one int expected");
 *         memcpy(&x, field.data, sizeof(x));
 *         x *= x;
 *         return pool_call_write(call, &x, sizeof(x));
 *     }
 *     static const struct pool_task list[] = {{"square", square}};
 *     static const struct pool_tasks tasks = {list, 1};
 *
 *     int main(int argc, char **argv)
 *     {
 *         pool_main(argc, argv, &tasks);              // before anything else
 *         struct pool_options options = POOL_OPTIONS_INIT;
 *         struct pool *pool;
 *         int r = pool_create(&options, &pool);
 *         ... pool_submit(pool, "square", &item, NULL, &future) ...
 *         ... pool_future_result(future, -1, &value) ...
 *         pool_future_free(future);
 *         pool_free(pool);
 *     }
 *
 * Why tasks have names. A worker process does not share the caller's memory, so a function pointer
 * means nothing to it. Tasks are registered in a table that host and worker both have, and are
 * submitted by name; payloads are bytes and open descriptors.
 *
 * Conventions of the three headers (pool.h, future.h, task.h)
 *   Errors     0 or a count on success, a negative errno value on failure.
 *   Outputs    come last and are written only on success (ret_...).
 *   Ownership  "borrowed": stays the caller's, valid as long as stated. "owned": the caller
 *              releases it with the named function. "taken": the pool's from success on.
 *   Times      timeout_ms: 0 = do not wait, 1..INT_MAX = milliseconds, -1 = no limit; measured on
 *              CLOCK_MONOTONIC.
 *   Threads    every function may be called from any thread unless stated otherwise.
 *   Forks      a pool belongs to the process that created it. In a child that the host forks,
 *              every call on it returns -ESTALE (or 0, or nothing), touches nothing of the
 *              parent's, and never waits.
 *
 * The library never prints, never installs a signal handler, and waits for no process but its
 * own. The one place where it does not return to the caller is pool_main(), in a worker. */
#ifndef POOL_POOL_H
#define POOL_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "future.h"
#include "task.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pool;         /* a pool of workers */
struct pool_results; /* the results of a map */
struct pool_iter;    /* a running imap */

/** The number of CPUs that this process may use: by its affinity mask and by its cgroup's CPU
 *  quota (version 2), at least 1.  Mirrors: os.process_cpu_count(), which leaves out the quota. */
unsigned pool_cpu_count(void);

/* ---- What a task is called with ------------------------------------------------------------ */

/** A tuple of byte fields, and open descriptors.
 *  fields and their bytes: borrowed for the call that takes the item (they are copied).
 *  fds: the descriptors are taken, and closed by the pool when the task has ended; if the call
 *       fails they stay the caller's.
 *  user: anything; comes back from pool_future_user(). */
struct pool_item {
    const struct pool_bytes *fields;
    size_t field_count; /* at most POOL_FIELDS_MAX */
    const int *fds;
    size_t fd_count; /* at most POOL_FDS_MAX */
    void *user;
};

/* ---- Watching ------------------------------------------------------------------------------ */

/** What a pool has to say; none of it needs an answer. */
enum pool_log_kind {
    POOL_LOG_WORKER_STARTED,   /* it is ready for tasks (its initializer has run) */
    POOL_LOG_WORKER_ENDED,     /* as it was told to: recycled, idle, shrunk, or the pool's end */
    POOL_LOG_WORKER_DIED,      /* by itself; signal and exit_status say how */
    POOL_LOG_WORKER_FAILED,    /* it could not be started, or its initializer failed: code */
    POOL_LOG_TASK_LATE,        /* past its deadline: its worker is stopped */
    POOL_LOG_TASK_TOO_LARGE,   /* past rss_limit_bytes: its worker is killed */
    POOL_LOG_TASK_RETRIED,     /* its worker died; it is tried again */
    POOL_LOG_TASK_QUARANTINED, /* it has killed too many workers */
    POOL_LOG_BROKEN,           /* the pool can do no more: code */
};

/** Pointers are valid for the call only. */
struct pool_log_event {
    enum pool_log_kind kind;
    const char *message; /* one line for people, never NULL */
    const char *task;    /* the task concerned, or NULL */
    pid_t worker_pid;    /* the worker concerned (threads: its thread id), or 0 */
    int code;            /* negative errno value, or 0 */
    int signal;          /* the signal that ended the worker, or 0 */
    int exit_status;     /* its exit status, or -1 */
};

/** Called from a thread of the pool (or, with the serial backend, of the caller), with no lock
 *  held, one at a time for the supervisor's events; threads' events may come at the same time. */
typedef void (*pool_log_fn)(const struct pool_log_event *event, void *data);

/** A pool's numbers: now, or since it was created. */
struct pool_stats {
    unsigned workers;     /* alive now, starting ones included */
    unsigned workers_max; /* the limit now */
    unsigned busy;        /* workers that run a task */
    size_t queued;        /* tasks that no worker has started */
    size_t running;       /* tasks that a worker has started */
    uint64_t submitted;
    uint64_t done;      /* ended with a result */
    uint64_t failed;    /* ended otherwise, cancelled ones not counted */
    uint64_t cancelled; /* ended with -ECANCELED */
    uint64_t requeued;  /* handed to another worker because the first one died before the start */
    uint64_t retried;   /* run again because their worker died */
    uint64_t started;   /* workers started */
    uint64_t died;      /* workers that ended by themselves */
    uint64_t recycled;  /* workers replaced for their task count, memory or age */
    int64_t age_ms;     /* since pool_create() */
    /* The most resident memory that any worker which has ended ever had, with the processes that it
     * had started and waited for. After pool_join() that is any worker, but for those that died
     * with the process that starts them. -1: none has ended, or it cannot be known (threads,
     * serial). */
    int64_t rss_peak_bytes;
    double tasks_per_s; /* tasks ended per second, since the last call of this function or, at the
                           first, since pool_create() */
};

enum pool_worker_state {
    POOL_WORKER_STARTING,
    POOL_WORKER_IDLE,
    POOL_WORKER_BUSY,
    POOL_WORKER_ENDING
};

struct pool_worker_stats {
    unsigned id; /* counts up with each worker started: its restarts show as new numbers */
    pid_t pid;   /* of the process, or the thread's id; 0 while it starts */
    enum pool_worker_state state;
    const char *task;    /* the current task's name (the table's own), or NULL */
    int64_t task_age_ms; /* how long it has been running */
    uint64_t tasks;      /* started by this worker */
    int64_t age_ms;      /* since it was started */
    int64_t cpu_ms;      /* processor time used, -1 if it cannot be known */
    int64_t rss_bytes;   /* resident memory; -1 if it cannot be known, as for threads */
};

/** stats: valid for the call only. Called from a thread of the pool's own, with no lock held. */
typedef void (*pool_stats_fn)(const struct pool_stats *stats, void *data);

/* ---- Pools --------------------------------------------------------------------------------- */

enum pool_backend { POOL_BACKEND_PROCESS, POOL_BACKEND_THREAD, POOL_BACKEND_SERIAL };

/** How to run a pool. 0 or NULL in any member means its default. */
struct pool_options {
    enum pool_backend backend;
    /* The most workers: 0 = pool_cpu_count(); at most POOL_WORKERS_MAX. Serial always has 1. */
    unsigned workers;
    /* So many start with the pool and stay; the others start as work arrives. At most `workers`. */
    unsigned workers_min;
    /* A worker above workers_min that had nothing to do for so long leaves. 0: it stays. */
    int idle_ms;
    /* Tasks queued and not yet given to a worker; a submit beyond it waits. 0: POOL_QUEUE_DEFAULT.
     * What maps and imaps submit is not counted: these have bounds of their own. */
    size_t queue_max;
    /* The table given to pool_main(). Borrowed until pool_free(). */
    const struct pool_tasks *tasks;
    /* Process backend: run this program as worker instead of the running one; it must call
     * pool_main() with the same table. Borrowed during pool_create(). */
    const char *worker_program;

    /* A task that each worker runs once before any other, called with initializer_item (fields
     * only; borrowed during pool_create()). If it fails, the worker ends; if it fails (or workers
     * die before they are ready) so often in a row, the pool breaks with that error. */
    const char *initializer;
    const struct pool_item *initializer_item;
    unsigned start_failures_max; /* 0: POOL_START_FAILURES_DEFAULT */

    /* A worker is replaced, between two tasks, once it has run so many, is so old, or is resident
     * with so much memory (processes only; looked at after a task, at most every 20 ms). */
    uint64_t max_tasks;
    int max_age_ms;
    size_t max_rss_bytes;

    /* Process backend: a worker whose resident memory passes this while it runs a task is killed at
     * once, and that task's future ends with -ENOMEM (over_memory); it is not tried again, retries
     * or not, because it would do the same again. What the worker had not started goes to others.
     * Looked at every 20 ms, so it is no bound on what is used in between. What is left of earlier
     * tasks counts as well: a lower max_rss_bytes replaces workers before it is much. (A worker
     * found above this limit after a task is replaced likewise; an initializer is not watched.) */
    size_t rss_limit_bytes;

    /* A task with retries left is not tried again once it has killed so many workers.
     * 0: POOL_QUARANTINE_DEFAULT. */
    unsigned quarantine_deaths;

    pool_log_fn log;
    void *log_data;
    /* Called every stats_interval_ms (0: a second). */
    pool_stats_fn on_stats;
    void *on_stats_data;
    int stats_interval_ms;

    /* The most futures submitted with notify and not yet fetched by pool_completions(); a submit
     * beyond it waits as for a full queue. 0: POOL_NOTIFY_DEFAULT. */
    size_t notify_max;
};

#define POOL_OPTIONS_INIT                                                                          \
    {                                                                                              \
        .backend = POOL_BACKEND_PROCESS                                                            \
    }
#define POOL_WORKERS_MAX            1024
#define POOL_QUEUE_DEFAULT          256
#define POOL_NOTIFY_DEFAULT         1024
#define POOL_START_FAILURES_DEFAULT 5
#define POOL_QUARANTINE_DEFAULT     3
/** How deep pools may be nested: tasks that create pools whose tasks create pools. */
#define POOL_NESTING_MAX 3

/** Create a pool.
 *  options: borrowed for the call.  ret_pool: owned; release with pool_free().
 *  Returns 0, or
 *    -EINVAL   an option is out of range, or there is no task table
 *    -ENOENT   the initializer is not in the table
 *    -ENOTSUP  process backend, but this program did not call pool_main() and names no other
 *    -EPROTO   the worker program has another task table, or is no worker program
 *    -ELOOP    inside a task, and pools are nested deeper than POOL_NESTING_MAX
 *    -ENOMEM, -EAGAIN, -EMFILE, ...  the system's own word.
 *  Mirrors: multiprocessing.Pool(processes, initializer, initargs, maxtasksperchild),
 *  concurrent.futures.*Executor(max_workers, initializer, initargs). */
int pool_create(const struct pool_options *options, struct pool **ret_pool);

/** Release a pool: closes it, waits until everything submitted has ended and every worker is gone
 *  (every process reaped), and frees it. Futures may be kept longer than their pool. NULL is fine.
 *  In a forked child it closes this process's copies of the pool's descriptors, and no more.
 *  No other thread may be in a call on this pool, or begin one; calls on futures are no danger.
 *  Returns NULL; or, from a task or callback of the same pool, pool itself: it was closed but lives
 *  on, and must be freed elsewhere. */
struct pool *pool_free(struct pool *pool);

/** The most workers the pool runs: as pool_create() settled it, or pool_resize() changed it. */
unsigned pool_workers(const struct pool *pool);

/** Change the most workers. Growing takes effect as work is waiting for it; surplus workers leave
 *  as they finish what they run.  workers: 1..POOL_WORKERS_MAX; workers_min is lowered with it.
 *  Returns 0, -EINVAL, -ENOTSUP (serial), -ENOMEM, -ESHUTDOWN or -ESTALE. */
int pool_resize(struct pool *pool, unsigned workers);

/** No more submits: they return -ESHUTDOWN from now on. What was submitted still runs.
 *  Mirrors: Pool.close(). */
void pool_close(struct pool *pool);

/** Stop now: every future that is not done ends with -ECANCELED, at once. Worker processes are
 *  stopped (SIGTERM, then SIGKILL); thread and serial tasks see pool_call_cancelled() and run to
 *  their own end.  Mirrors: Pool.terminate(). */
void pool_terminate(struct pool *pool);

/** Wait until all work has ended and all workers are gone.
 *  Returns 0, -ETIMEDOUT, -EINVAL before pool_close() or pool_terminate(), -EDEADLK from a task or
 *  callback of the same pool, or -ESTALE.  Mirrors: Pool.join(). */
int pool_join(struct pool *pool, int timeout_ms);

enum pool_shutdown_flags {
    POOL_SHUTDOWN_WAIT = 1,  /* return when all work has ended; else at once, and it goes on */
    POOL_SHUTDOWN_CANCEL = 2 /* cancel what no worker has started */
};

/** Close the pool as flags say. Without waiting, the work goes on: pool_free() waits for it, and so
 *  does the end of a program that called pool_main().
 *  Returns 0, -EDEADLK (WAIT, from a task or callback of the same pool) or -ESTALE.
 *  Mirrors: Executor.shutdown(wait, cancel_futures). */
int pool_shutdown(struct pool *pool, unsigned flags);

/** Why the pool can do no more: workers could not be started, or their initializer failed, again
 *  and again. Submits then return its code.
 *  ret_error: its strings are borrowed until pool_free().
 *  Returns 1 with an error, or 0: it is not broken. */
int pool_broken(struct pool *pool, struct pool_error *ret_error);

/** The pool's numbers.  Returns 0 or -ESTALE.  Mirrors: what people use psutil for. */
int pool_stats(struct pool *pool, struct pool_stats *ret_stats);

/** Its workers' numbers.
 *  ret_workers: room for `room` of them; may be NULL with 0.
 *  Returns how many workers there are (more than room: the rest is left out), or -ESTALE. */
int pool_worker_stats(struct pool *pool, struct pool_worker_stats *ret_workers, size_t room);

/* ---- Submitting ---------------------------------------------------------------------------- */

/** How to run a task. NULL wherever a pointer to this is taken means POOL_SUBMIT_INIT. */
struct pool_submit_options {
    /* The longest the task may run, 0 = no limit. Counted while it runs, not while it waits. A
     * process worker past it is stopped (SIGTERM, then SIGKILL after a grace of half a second) and
     * replaced; the future ends with -ETIME. A thread or serial task sees
     * pool_call_cancelled(), and the future ends with -ETIME if it then returns an error. */
    int deadline_ms;
    int priority; /* POOL_PRIORITY_MIN..MAX; higher first, then first in, first out */
    /* Run it again so often if its worker dies, or if its result is lost because this process is
     * short of descriptors or memory (not if it fails). */
    unsigned retries;
    bool nonblocking; /* full queue: return -EAGAIN instead of waiting */
    bool notify;      /* once done, queue the future for pool_completions() */
};

#define POOL_SUBMIT_INIT                                                                           \
    {                                                                                              \
        .deadline_ms = 0                                                                           \
    }
#define POOL_PRIORITY_MIN (-16)
#define POOL_PRIORITY_MAX 15

/** Submit one task.
 *  task: a name of the table.  item: NULL is one without fields.  ret_future: owned; release with
 *  pool_future_free(); NULL when the result is not wanted.
 *  With the serial backend the task has run when this returns.
 *  Returns 0, or
 *    -ENOENT     no task of that name
 *    -EINVAL     too many fields or descriptors, a descriptor that is not open or there twice, a
 *                negative deadline, a priority out of range
 *    -EAGAIN     the queue is full (nonblocking only)
 *    -EDEADLK    the queue is full, and it is for this task or callback to make room
 *    -ESHUTDOWN  after pool_close() or pool_terminate()
 *    -ESTALE     in a forked child
 *    -ENOMEM
 *    the error that broke the pool: see pool_broken().
 *  Mirrors: Executor.submit(), Pool.apply_async(). */
int pool_submit(struct pool *pool, const char *task, const struct pool_item *item,
                const struct pool_submit_options *options, struct pool_future **ret_future);

/** Submit one task and wait for its end.
 *  ret_future: owned, done: it tells the result.
 *  Returns 0 once the task has ended, however it ended, or as pool_submit() does; -EDEADLK also if
 *  the wait could never end, and then the item's descriptors were taken if this is a thread pool's
 *  task.
 *  Mirrors: Pool.apply(). */
int pool_apply(struct pool *pool, const char *task, const struct pool_item *item,
               const struct pool_submit_options *options, struct pool_future **ret_future);

/* ---- The map family ------------------------------------------------------------------------ */

struct pool_map_options {
    struct pool_submit_options submit; /* for every task; nonblocking and notify are ignored */
    /* So many items go to one worker together, in order: less to do for each, but a less even load.
     * Each still has its own status: one that fails or kills its worker costs the others nothing.
     * 0: ceil(count / (4 * workers)). At most 64 are handed out at a time. */
    size_t chunksize;
    bool stop_at_error; /* cancel what has not started once one item has no result */
};

#define POOL_MAP_INIT                                                                              \
    {                                                                                              \
        .submit = POOL_SUBMIT_INIT                                                                 \
    }

/** Run one task for each item, and wait for all. An item with one field is a call of Python's map,
 *  one with several a call of starmap: the task gets its fields one by one.
 *  items: count of them; all their descriptors are taken, also those of items that cannot be
 *  submitted: these fail with the cause (-EINVAL, -ESHUTDOWN, ...) and the others go on.
 *  options: borrowed for the call; NULL means POOL_MAP_INIT.
 *  ret_results: owned; release with pool_results_free(). It has one future an item, in the order
 *  of the items: an item that fails does not touch the others.
 *  Returns 0 (also when tasks failed: look at each), or -ENOENT, -EINVAL (options), -ESTALE or
 *  -ENOMEM, and then no descriptor was taken; or -EDEADLK, inside a task or callback of the same
 *  pool: what had not started was cancelled, or nothing was taken if this is a process pool's
 *  callback.
 *  Mirrors: Pool.map(), Executor.map(). */
int pool_map(struct pool *pool, const char *task, const struct pool_item *items, size_t count,
             const struct pool_map_options *options, struct pool_results **ret_results);

/** The same without waiting: returns as soon as all items are queued, past the queue's limit.
 *  Mirrors: Pool.map_async(). */
int pool_map_async(struct pool *pool, const char *task, const struct pool_item *items, size_t count,
                   const struct pool_map_options *options, struct pool_results **ret_results);

/** The same two under the names that items with several fields have in Python.
 *  Mirrors: Pool.starmap(), Pool.starmap_async(). */
static inline int pool_starmap(struct pool *pool, const char *task, const struct pool_item *items,
                               size_t count, const struct pool_map_options *options,
                               struct pool_results **ret_results)
{
    return pool_map(pool, task, items, count, options, ret_results);
}

static inline int pool_starmap_async(struct pool *pool, const char *task,
                                     const struct pool_item *items, size_t count,
                                     const struct pool_map_options *options,
                                     struct pool_results **ret_results)
{
    return pool_map_async(pool, task, items, count, options, ret_results);
}

/** An array of values of one size. */
struct pool_sequence {
    const void *values; /* borrowed for the call that takes it */
    size_t value_bytes; /* size of one */
    size_t count;
};

/** pool_map_async() over plain arrays in step: task number i is called with value number i of each
 *  sequence, as many times as the shortest has values. Its user pointer is NULL.
 *  Returns as pool_map_async(), or -EINVAL for no sequence or more than POOL_FIELDS_MAX.
 *  Mirrors: Executor.map(fn, *iterables), zip() with starmap(). */
int pool_map_sequences(struct pool *pool, const char *task, const struct pool_sequence *sequences,
                       size_t sequence_count, const struct pool_map_options *options,
                       struct pool_results **ret_results);

/** Wait until all have ended.  Returns 0, -ETIMEDOUT (ask again), -EDEADLK or -ESTALE.
 *  Mirrors: AsyncResult.wait(timeout) and .get(timeout) of a map. */
int pool_results_wait(struct pool_results *results, int timeout_ms);

/** Have all ended?  Mirrors: AsyncResult.ready(). */
bool pool_results_done(struct pool_results *results);

/** Have all ended with a result?  Returns 1, 0, or -EAGAIN while not all have ended.
 *  Mirrors: AsyncResult.successful(). */
int pool_results_successful(struct pool_results *results);

size_t pool_results_count(const struct pool_results *results);

/** The future of item number index; borrowed until pool_results_free(). NULL out of range. */
struct pool_future *pool_results_at(const struct pool_results *results, size_t index);

/** Let go of the results; tasks that have not ended still run. NULL is fine.  Returns NULL. */
struct pool_results *pool_results_free(struct pool_results *results);

/** Where an imap gets its items, one at a time.
 *  data: as given.  ret_item: to fill; what it points to must stay valid until the next call. Its
 *  descriptors are taken in every case.
 *  Returns 1 with an item, 0 at the end, or a negative errno value: the iteration then yields one
 *  future that failed with it (-EREMOTEIO, task_code), in its place, and ends. Called from the
 *  thread that is in pool_iter_next(), never by two at a time, with no lock held. */
typedef int (*pool_source_fn)(void *data, struct pool_item *ret_item);

struct pool_imap_options {
    struct pool_submit_options submit; /* for every task; nonblocking and notify are ignored */
    /* Items pulled from the source whose results have not been taken: the bound on everything in
     * flight. 0: 16 a worker, or 4 times the chunksize if that is more (serial: 1). */
    size_t window;
    /* So many items go to one worker together (at most 64, and at most the window). 0 and 1: each
     * goes by itself, and a worker is given a few at a time only while they turn out to be short:
     * the size for unknown lengths and uneven costs. */
    size_t chunksize;
};

#define POOL_IMAP_INIT                                                                             \
    {                                                                                              \
        .submit = POOL_SUBMIT_INIT                                                                 \
    }

/** Run one task for each item of a source that is pulled lazily, and yield the results: in the
 * order of the items, or as they end (unordered). Memory does not grow with the number of items.
 *  source: borrowed until pool_iter_free().  options: borrowed for the call; NULL: POOL_IMAP_INIT.
 *  ret_iter: owned; release with pool_iter_free(), before its pool.
 *  Returns 0, -ENOENT, -EINVAL (options), -ESTALE or -ENOMEM.
 *  Mirrors: Pool.imap(), Pool.imap_unordered(). */
int pool_imap(struct pool *pool, const char *task, pool_source_fn source, void *data,
              const struct pool_imap_options *options, struct pool_iter **ret_iter);
int pool_imap_unordered(struct pool *pool, const char *task, pool_source_fn source, void *data,
                        const struct pool_imap_options *options, struct pool_iter **ret_iter);

/** The next finished task: tops up the window from the source, then waits for a result.
 *  ret_future: owned, done; release with pool_future_free().
 *  Returns 1 with a future, 0 when all is done, or -ETIMEDOUT, -EDEADLK, -ESTALE or -ENOMEM (the
 *  iterator stays usable).
 *  An item that could not be submitted (pool closed, out of memory) comes as a future that failed
 *  with the cause: every item pulled yields exactly one future.
 *  Thread safety: one thread at a time.  Mirrors: IMapIterator.next(timeout). */
int pool_iter_next(struct pool_iter *iter, int timeout_ms, struct pool_future **ret_future);

/** Let go of an iteration. Tasks in flight still run, their results are dropped; the source is
 *  called no more.  NULL is fine.  Returns NULL. */
struct pool_iter *pool_iter_free(struct pool_iter *iter);

/** Consecutive numbers first .. first + count - 1. */
struct pool_range {
    size_t first, count;
};

/** Part number index of 0..total-1 cut into so many parts: together they cover all of it exactly,
 *  in order, and their sizes differ by at most one. With fewer numbers than parts the last parts
 * are empty; an index out of range, or 0 parts, gives an empty one. Mirrors: the documents'
 * split_tasks(), which loses the remainder. */
struct pool_range pool_split(size_t total, size_t parts, size_t index);

/* ---- Event loops --------------------------------------------------------------------------- */

/** A descriptor that is readable while futures submitted with notify wait to be fetched: for
 *  epoll, libuv's uv_poll_t, GLib's g_unix_fd_add(), ... Do not read it. Belongs to the pool, which
 *  closes it in pool_free().
 *  Returns it, -ESTALE, -EMFILE or -ENFILE.  Mirrors: what loop.run_in_executor() does with a
 * self-pipe. */
int pool_completion_fd(struct pool *pool);

/** Fetch futures that are done, in the order in which they ended; never waits.
 *  ret_futures: room for `room` of them; each is owned (a reference apart from the one that
 *  pool_submit() may have returned): release with pool_future_free().
 *  Returns how many, or -ESTALE. */
int pool_completions(struct pool *pool, struct pool_future **ret_futures, size_t room);

#ifdef __cplusplus
}
#endif

#endif
