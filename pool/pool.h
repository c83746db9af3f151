/* pool.h: run named tasks in a pool of workers, and get their results as futures.
 *
 * The pool is Python's multiprocessing.Pool and concurrent.futures.Executor for C. One interface
 * stands before three backends, chosen by one option:
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
 * Conventions of this header
 *   Errors     0 or a count on success, a negative errno value on failure.
 *   Outputs    come last and are written only on success (ret_...).
 *   Ownership  "borrowed": stays the caller's, valid as long as stated. "owned": the caller
 *              releases it with the named function. "taken": the pool's from success on.
 *   Times      timeout_ms: 0 = do not wait, 1..INT_MAX = milliseconds, -1 = no limit; measured on
 *              CLOCK_MONOTONIC.
 *   Threads    every function may be called from any thread unless stated otherwise.
 *
 * The library never prints, never installs a signal handler, and waits for no process but its
 * own. The one place where it does not return to the caller is pool_main(), in a worker. */
#ifndef POOL_POOL_H
#define POOL_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pool;         /* a pool of workers */
struct pool_future;  /* the result of one task, now or later */
struct pool_results; /* the results of pool_map() */
struct pool_iter;    /* a running pool_imap_unordered() */
struct pool_call;    /* inside a task: its arguments and where its result goes */

/** Some bytes. data may be NULL when size_bytes is 0. */
struct pool_bytes {
    const void *data;
    size_t size_bytes;
};

/* ---- Tasks --------------------------------------------------------------------------------- */

/** A task: runs in a worker, reads its arguments from call and writes its result to it.
 *  Returns 0, or a negative errno value of its own choosing: the task failed (see
 *  pool_call_fail()).  Thread safety: thread workers run tasks at the same time. */
typedef int (*pool_task_fn)(struct pool_call *call);

struct pool_task {
    const char *name; /* unique in its table, 1..POOL_TASK_NAME_MAX bytes */
    pool_task_fn run;
};

/** A table of tasks; borrowed for as long as any pool uses it, so usually static const. */
struct pool_tasks {
    const struct pool_task *list;
    size_t count; /* 1..POOL_TASKS_MAX */
};

#define POOL_TASK_NAME_MAX 64
#define POOL_TASKS_MAX     1024
#define POOL_FIELDS_MAX    1024 /* fields of one item */
#define POOL_FDS_MAX       64   /* descriptors of one item */

/** The task's arguments: the fields and descriptors of the item that was submitted.
 *  pool_call_field: an index out of range gives {NULL, 0}. The bytes are borrowed until the task
 *  returns and are aligned for any type.
 *  pool_call_fd: borrowed until the task returns (the pool closes it); -EBADF out of range.
 *  Thread safety: the thread that runs the task. */
size_t pool_call_field_count(const struct pool_call *call);
struct pool_bytes pool_call_field(const struct pool_call *call, size_t index);
size_t pool_call_fd_count(const struct pool_call *call);
int pool_call_fd(const struct pool_call *call, size_t index);

/** Append bytes to the task's result; a task that writes nothing has an empty result.
 *  data: borrowed for the call.  Returns 0 or -ENOMEM.
 *  Thread safety: the thread that runs the task. */
int pool_call_write(struct pool_call *call, const void *data, size_t size_bytes);

/** Say why the task fails: `return pool_call_fail(call, -EBADMSG, "line %d: ...", line);`
 *  code: negative errno value. The message reaches pool_future_error() (cut at 500 bytes).
 *  Returns code. A task that returns a code without calling this fails with strerror's text.
 *  Thread safety: the thread that runs the task. */
int pool_call_fail(struct pool_call *call, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Should the task give up? True once its deadline has passed or, in a serial or thread worker, the
 *  pool was terminated. These cannot be stopped from outside, so long tasks poll this and return
 *  (the code does not matter). A process worker is stopped by signals.
 *  Thread safety: any thread while the task runs. */
bool pool_call_cancelled(const struct pool_call *call);

/** One pointer a worker, kept from task to task: caches, reused buffers, an open library.
 *  set_local: value is taken and released with release(value) when the worker ends or sets
 *  another (not when a worker process is killed).  local: borrowed, NULL until set.
 *  Thread safety: the thread that runs the task. */
void *pool_call_local(const struct pool_call *call);
void pool_call_set_local(struct pool_call *call, void *value, void (*release)(void *value));

/* ---- The program --------------------------------------------------------------------------- */

/** Make this program its own worker program: call it first in main(), before any thread starts.
 *  Process pools start their workers by running the program again; in such a process this call
 *  serves tasks and ends the process instead of returning. Otherwise it records the table and
 *  returns 0.
 *  argc, argv: main's own.  tasks: borrowed until the program ends.
 *  Returns 0, or -EINVAL for a table that is empty or has a bad or repeated name.
 *  Thread safety: once, from main, before any other call.
 *  Mirrors: Python's `if __name__ == '__main__'` (with freeze_support()). */
int pool_main(int argc, char **argv, const struct pool_tasks *tasks);

/** The number of CPUs that this process may use: by its affinity mask and by its cgroup's CPU
 *  quota (version 2), at least 1.  Mirrors: os.process_cpu_count(), which leaves out the quota. */
unsigned pool_cpu_count(void);

/* ---- Pools --------------------------------------------------------------------------------- */

enum pool_backend { POOL_BACKEND_PROCESS, POOL_BACKEND_THREAD, POOL_BACKEND_SERIAL };

struct pool_options {
    enum pool_backend backend;
    unsigned workers; /* 0: pool_cpu_count(); at most POOL_WORKERS_MAX. Serial always has 1 */
    /* Tasks queued and not yet given to a worker; a submit beyond it blocks. 0: 4 a worker. */
    size_t queue_max;
    /* NULL: the table given to pool_main(). Borrowed until pool_free(). */
    const struct pool_tasks *tasks;
    /* Process backend: run this program as worker instead of the running one; it must call
     * pool_main() with the same table. NULL: this program. Borrowed during pool_create(). */
    const char *worker_program;
};

#define POOL_OPTIONS_INIT                                                                          \
    {                                                                                              \
        .backend = POOL_BACKEND_PROCESS, .workers = 0, .queue_max = 0, .tasks = NULL,              \
        .worker_program = NULL                                                                     \
    }
#define POOL_WORKERS_MAX 1024

/** Create a pool. Workers start as work arrives, up to options->workers.
 *  options: borrowed for the call.  ret_pool: owned; release with pool_free().
 *  Returns 0, or
 *    -EINVAL   an option is out of range, or there is no task table
 *    -ENOTSUP  process backend, but this program did not call pool_main() and names no other
 *    -EPROTO   the worker program has another task table, or is no worker program
 *    -ENOMEM, -EAGAIN, -EMFILE, ...  the system's own word.
 *  Mirrors: multiprocessing.Pool(processes), concurrent.futures.*Executor(max_workers). */
int pool_create(const struct pool_options *options, struct pool **ret_pool);

/** Release a pool: closes it, waits until everything submitted has ended and every worker is gone
 *  (every process reaped), and frees it. Futures may be kept longer than their pool. NULL is fine.
 *  Must not be called from a task of the same pool.  Returns NULL. */
struct pool *pool_free(struct pool *pool);

/** The most workers the pool will run, as pool_create() settled it. */
unsigned pool_workers(const struct pool *pool);

/** No more submits: they return -ESHUTDOWN from now on. What was submitted still runs.
 *  Mirrors: Pool.close(). */
void pool_close(struct pool *pool);

/** Stop now: every future that is not done ends with -ECANCELED, at once. Worker processes are
 *  stopped (SIGTERM, then SIGKILL); thread and serial tasks see pool_call_cancelled() and run to
 *  their own end.  Mirrors: Pool.terminate(). */
void pool_terminate(struct pool *pool);

/** Wait until all work has ended and all workers are gone.
 *  Returns 0, -ETIMEDOUT, or -EINVAL before pool_close() or pool_terminate().
 *  Must not be called from a task of the same pool.  Mirrors: Pool.join(). */
int pool_join(struct pool *pool, int timeout_ms);

/* ---- Submitting ---------------------------------------------------------------------------- */

/** What a task is called with: a tuple of byte fields, and open descriptors.
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

/** How to run a task. NULL wherever a pointer to this is taken means POOL_SUBMIT_INIT. */
struct pool_submit_options {
    /* The longest the task may run, 0 = no limit. Counted while it runs, not while it waits. A
     * process worker past it is stopped (SIGTERM, then SIGKILL after a grace of half a second) and
     * replaced; the future ends with -ETIME. A thread or serial task sees
     * pool_call_cancelled(), and the future ends with -ETIME if it then returns an error. */
    int deadline_ms;
    bool nonblocking; /* full queue: return -EAGAIN instead of waiting */
};

#define POOL_SUBMIT_INIT                                                                           \
    {                                                                                              \
        .deadline_ms = 0, .nonblocking = false                                                     \
    }

/** Submit one task.
 *  task: a name of the table.  ret_future: owned; release with pool_future_free(); NULL when the
 *  result is not wanted.
 *  With the serial backend the task has run when this returns.
 *  Returns 0, or
 *    -ENOENT     no task of that name
 *    -EINVAL     too many fields or descriptors, a descriptor that is not open or there twice, a
 *                negative deadline
 *    -EAGAIN     the queue is full (nonblocking only)
 *    -ESHUTDOWN  after pool_close() or pool_terminate()
 *    -ENOMEM
 *    the error that broke the pool, when workers could not be started again and again.
 *  Mirrors: Executor.submit(), Pool.apply_async(). */
int pool_submit(struct pool *pool, const char *task, const struct pool_item *item,
                const struct pool_submit_options *options, struct pool_future **ret_future);

/* ---- Futures ------------------------------------------------------------------------------- */

/** Wait until the task has ended and fetch its result.
 *  future: borrowed.  ret_value: its bytes are borrowed until the future is freed; may be NULL.
 *  Returns 0, or
 *    -ETIMEDOUT   still not done after timeout_ms; nothing has changed, ask again
 *    -EREMOTEIO   the task ran and failed; its own code and words are in pool_future_error()
 *    -ETIME       the task ran past its deadline
 *    -EOWNERDEAD  its worker died (crash, exit, kill); pool_future_error() says how
 *    -ECANCELED   the pool was terminated first
 *    another error: the task could not be run at all, see pool_future_error().
 *  Mirrors: Future.result(timeout), AsyncResult.get(timeout), AsyncResult.wait(timeout). */
int pool_future_result(struct pool_future *future, int timeout_ms, struct pool_bytes *ret_value);

/** Why a task has no result. */
struct pool_error {
    int code;            /* as pool_future_result() returns it; 0: there is a result */
    int task_code;       /* with -EREMOTEIO: what the task returned; else 0 */
    const char *message; /* borrowed until the future is freed; never NULL */
    const char *task;    /* the task's name, borrowed likewise */
    pid_t worker_pid;    /* the process that ran it; 0 if none did */
    int signal;          /* with -EOWNERDEAD or -ETIME: the signal that ended the worker, or 0 */
    int exit_status;     /* with -EOWNERDEAD: its exit status if it exited, else -1 */
};

/** The error of a finished task.  Returns 0, or -EAGAIN while it is not done.
 *  Mirrors: Future.exception(). */
int pool_future_error(struct pool_future *future, struct pool_error *ret_error);

/** Has the task ended, one way or another?  Mirrors: Future.done(), AsyncResult.ready(). */
bool pool_future_done(struct pool_future *future);

/** The item's user pointer. */
void *pool_future_user(const struct pool_future *future);

/** Let go of a future; the task itself goes on. NULL is fine.  Returns NULL. */
struct pool_future *pool_future_free(struct pool_future *future);

/* ---- The map family ------------------------------------------------------------------------ */

/** Run one task for each item, and wait for all.
 *  items: count of them; all their descriptors are taken, also those of items that cannot be
 *  submitted: these fail with the cause (-EINVAL, -ESHUTDOWN, ...) and the others go on.
 *  options: for every task; nonblocking is ignored.
 *  ret_results: owned; release with pool_results_free(). It has one future an item, in the order
 *  of the items: an item that fails does not touch the others.
 *  Returns 0 (also when tasks failed: look at each), or -ENOENT or -ENOMEM, and then no descriptor
 *  was taken.  Mirrors: Pool.map(), with a status for each item. */
int pool_map(struct pool *pool, const char *task, const struct pool_item *items, size_t count,
             const struct pool_submit_options *options, struct pool_results **ret_results);

size_t pool_results_count(const struct pool_results *results);

/** The future of item number index, done; borrowed until pool_results_free(). NULL out of range. */
struct pool_future *pool_results_at(const struct pool_results *results, size_t index);

struct pool_results *pool_results_free(struct pool_results *results);

/** Where pool_imap_unordered() gets its items, one at a time.
 *  data: as given.  ret_item: to fill; what it points to must stay valid until the next call. Its
 *  descriptors are taken in every case.
 *  Returns 1 with an item, 0 at the end, or a negative errno value: the iteration then yields one
 *  future that failed with it and ends. Called from the thread that is in pool_iter_next(), never
 *  by two at a time, with no lock held. */
typedef int (*pool_source_fn)(void *data, struct pool_item *ret_item);

struct pool_imap_options {
    struct pool_submit_options submit; /* for every task; nonblocking is ignored */
    /* Items pulled from the source whose results have not been taken: the bound on everything in
     * flight. 0: 4 a worker (serial: 1). */
    size_t window;
};

#define POOL_IMAP_INIT                                                                             \
    {                                                                                              \
        .submit = POOL_SUBMIT_INIT, .window = 0                                                    \
    }

/** Run one task for each item of a source that is pulled lazily, and yield results as they end.
 *  Memory does not grow with the number of items.
 *  source: borrowed until pool_iter_free().  options: borrowed for the call; NULL: POOL_IMAP_INIT.
 *  ret_iter: owned; release with pool_iter_free(), before its pool.
 *  Returns 0, -ENOENT or -ENOMEM.  Mirrors: Pool.imap_unordered(). */
int pool_imap_unordered(struct pool *pool, const char *task, pool_source_fn source, void *data,
                        const struct pool_imap_options *options, struct pool_iter **ret_iter);

/** The next finished task: tops up the window from the source, then waits for a result.
 *  ret_future: owned, done; release with pool_future_free().
 *  Returns 1 with a future, 0 when all is done, or -ETIMEDOUT or -ENOMEM (the iterator stays
 *  usable).
 *  An item that could not be submitted (pool closed, out of memory) comes as a future that failed
 *  with the cause: every item pulled yields exactly one future.
 *  Thread safety: one thread at a time.  Mirrors: IMapIterator.next(timeout). */
int pool_iter_next(struct pool_iter *iter, int timeout_ms, struct pool_future **ret_future);

/** Let go of an iteration. Tasks in flight still run, their results are dropped; the source is
 *  called no more.  NULL is fine.  Returns NULL. */
struct pool_iter *pool_iter_free(struct pool_iter *iter);

#ifdef __cplusplus
}
#endif

#endif
