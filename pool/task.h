/* task.h: the worker's side: what a task is, what it may ask for, and how a program becomes its own
 * worker program. Part of the pool library; the conventions stand in pool.h. */
#ifndef POOL_TASK_H
#define POOL_TASK_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pool_call; /* one run of a task: its arguments, and where its result goes */

/** Some bytes. data may be NULL when size_bytes is 0. */
struct pool_bytes {
    const void *data;
    size_t size_bytes;
};

/** A task: runs in a worker, reads its arguments from call and writes its result to it.
 *  Returns 0 (or more), or a negative errno value of its own choosing: the task failed (see
 *  pool_call_fail()).  Thread safety: thread workers run tasks at the same time. */
typedef int (*pool_task_fn)(struct pool_call *call);

struct pool_task {
    const char *name; /* unique in its table, 1..POOL_TASK_NAME_MAX bytes */
    pool_task_fn run;
};

/** A table of tasks; borrowed for as long as any pool that uses it, or any future of such a pool,
 *  lives: so usually static const. */
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
 *  code: negative errno value. The message (cut at 500 bytes) and the place of the call in the
 *  source reach pool_future_error().
 *  Returns code. A task that returns a code without calling this fails with strerror's text.
 *  Thread safety: the thread that runs the task.  Mirrors: raise. */
#define pool_call_fail(call, code, ...)                                                            \
    pool_call_fail_at((call), (code), __FILE__, __LINE__, __VA_ARGS__)
int pool_call_fail_at(struct pool_call *call, int code, const char *file, int line,
                      const char *format, ...) __attribute__((format(printf, 5, 6)));

/** Should the task give up? True once its deadline has passed or, in a serial or thread worker, it
 *  was cancelled or the pool was terminated. These cannot be stopped from outside, so long tasks
 *  poll this and return an error (whose code does not matter). A process worker is stopped by
 *  signals.
 *  Thread safety: any thread while the task runs. */
bool pool_call_cancelled(const struct pool_call *call);

/** One pointer a worker, kept from task to task: caches, reused buffers, an open library.
 *  set_local: value is taken and released with release(value) when the worker ends or sets
 *  another (not when a worker process is killed).  local: borrowed, NULL until set.
 *  Thread safety: the thread that runs the task. */
void *pool_call_local(const struct pool_call *call);
void pool_call_set_local(struct pool_call *call, void *value, void (*release)(void *value));

/** Make this program its own worker program: call it first in main(), before any thread starts.
 *  Process pools start their workers by running the program again; in such a process this call
 *  serves tasks and ends the process instead of returning. Otherwise it records the table and
 *  returns 0. It also arranges that exit(), and so returning from main(), waits for pools that
 *  were shut down without waiting (pool_shutdown()) and were not freed.
 *  argc, argv: main's own.  tasks: borrowed until the program ends.
 *  Returns 0, -EINVAL for a table that is empty or has a bad or repeated name, or -ENOMEM.
 *  Thread safety: once, from main, before any other call.
 *  Mirrors: Python's `if __name__ == '__main__'` (with freeze_support()). */
int pool_main(int argc, char **argv, const struct pool_tasks *tasks);

#ifdef __cplusplus
}
#endif

#endif
