/* process.h: run one task in a process of its own. Part of the pool library; the conventions stand
 * in pool.h.
 *
 * This is Python's multiprocessing.Process. Its target is a task of the table that the program gave
 * to pool_main(), named as for a pool, and gets its arguments in the same way (task.h):
 *
 *     struct pool_process *process;
 *     pool_process_create("greet", &item, NULL, &process);
 *     pool_process_start(process);
 *     pool_process_join(process, -1);
 *     pool_process_exitcode(process, &code);
 *     pool_process_free(process);
 *
 * In the other style of the documents, a class with a run() of its own, a struct carries the name
 * of its run and is copied into the new process whole:
 *
 *     struct greeter {
 *         struct pool_runnable runnable;             // first
 *         char who[32];                              // no pointers: they mean nothing over there
 *     };
 *     static int greeter_run(struct pool_call *call) // in the table as "greeter"
 *     {
 *         struct greeter self;
 *         int r = pool_process_self(call, &self, sizeof(self));
 *         ...
 *     }
 *     struct greeter greeter = {POOL_RUNNABLE("greeter", struct greeter), "Python"};
 *     pool_process_create_runnable(&greeter.runnable, NULL, &process);
 *
 * The life of a process. It is forked from a clean copy of this program (like a pool's workers, and
 * for the same reasons), runs its target and exits: with status 0 if the target returned 0, with
 * the target's value if that was positive (255 if it was more), with 1 if it failed. What it
 * printed is flushed; exit handlers of the host program do not run in it. Its standard input is
 * /dev/null; working directory and environment are those of the time when the copy was made, which
 * is the first start; SIGINT, SIGHUP and SIGPIPE are ignored if the program ignored them then.
 * Queues, pipes, locks and the rest of ipc.h and manager.h reach it as descriptors of the item.
 *
 * Daemons, and the end of the program. exit(), and so returning from main(), first stops the
 * daemons that still run (SIGTERM, SIGKILL after half a second), then waits for all other
 * processes. If this program ends in another way (a signal, _exit()), its daemons are killed; the
 * others go on. A process is such a program itself: it may start processes and pools, and what is
 * said here is true of its own end, by return or by exit().
 *
 * The clean copy is stopped when the last object is freed and no process runs; so a program that
 * starts many, one after the other, does well to keep one object.
 *
 * Forks: a process belongs to the program that made it. In a child that the host forks, every call
 * on it returns -ESTALE (or false, or 0); its name can be asked for, and it should be freed, which
 * closes the child's copies of its descriptors.
 *
 * Thread safety: every function here may be called from any thread, but an object must not be freed
 * while another call on it runs. */
#ifndef POOL_PROCESS_H
#define POOL_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "pool.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pool_process; /* a process, before, while and after it runs */

struct pool_process_options {
    const char *name; /* borrowed for the call; NULL: "Process-1", "Process-2", ...; its first 15
                         bytes are what ps(1) shows */
    bool daemon;      /* it ends with this program */
};

#define POOL_PROCESS_NAME_MAX 255

/** Make a process that is not started yet.
 *  target: a task's name.  item: its arguments; copied, its descriptors are taken; may be NULL.
 *  options: NULL for a plain one.
 *  ret_process: owned, pool_process_free().
 *  Returns 0, -ENOENT (no such task), -ENOTSUP (the program has not called pool_main()), -EINVAL
 *  (an item or a name out of limits), -ENOMEM.
 *  Mirrors: Process(target, args, name, daemon). */
int pool_process_create(const char *target, const struct pool_item *item,
                        const struct pool_process_options *options,
                        struct pool_process **ret_process);

/** The first member of a struct that carries its own run. */
struct pool_runnable {
    const char *run;   /* the task that runs it */
    size_t size_bytes; /* of the whole struct */
};

#define POOL_RUNNABLE(run, type)                                                                   \
    {                                                                                              \
        (run), sizeof(type)                                                                        \
    }

/** The same for a struct that carries its own run: the task gets a copy of it, taken now.
 *  Returns as above; -EINVAL also for a struct without run or of no proper size.
 *  Mirrors: a subclass of Process with run(). */
int pool_process_create_runnable(const struct pool_runnable *self,
                                 const struct pool_process_options *options,
                                 struct pool_process **ret_process);

/** In the run of such a struct: fetch the copy. Its member `run` is NULL.
 *  Returns 0, or -EBADMSG if it has another size (which is then also the task's error). */
int pool_process_self(struct pool_call *call, void *ret_self, size_t size_bytes);

/** Start it.
 *  Returns 0 when it runs, or
 *    -EALREADY  it was started before: a process runs once
 *    -ELOOP     processes and pools are nested too deep
 *    -EAGAIN, -EMFILE, -ENOMEM, ...  the system has no more processes, descriptors or memory now;
 *               nothing has run, and it may be tried again
 *    -ESTALE    in a forked child.
 *  Mirrors: Process.start(). */
int pool_process_start(struct pool_process *process);

/** Wait for its end.  Returns 0, -ETIMEDOUT, or -EINVAL if it was not started.
 *  Mirrors: Process.join(timeout), which does not tell whether the time ran out. */
int pool_process_join(struct pool_process *process, int timeout_ms);

/** Has it been started, and not ended?  Mirrors: Process.is_alive(). */
bool pool_process_is_alive(struct pool_process *process);

/** Ask it to end (SIGTERM); make it end (SIGKILL). Neither waits.
 *  Returns 0, also if it has ended already, or -EINVAL if it was not started.
 *  Mirrors: Process.terminate(), Process.kill(). */
int pool_process_terminate(struct pool_process *process);
int pool_process_kill(struct pool_process *process);

/** How it ended: its exit status, or minus the number of the signal that ended it; 255 if that is
 *  not known. (It is told by the process that starts processes, pool-zygote in ps(1). If that is
 *  killed, its daemons die with it, the others go on, and the next start makes another.)
 *  Returns 0, or -EAGAIN while it has not ended (or not begun).
 *  Mirrors: Process.exitcode. */
int pool_process_exitcode(struct pool_process *process, int *ret_code);

/** What its target had to say about its failure, or how it was ended.
 *  ret_error: its pointers are borrowed until the process is freed; its code is
 *    0            the target returned 0 or more, or called exit(0)
 *    -EREMOTEIO   it failed: task_code, message and where are its own
 *    -EOWNERDEAD  it ended in another way: signal or exit_status say how.
 *  Returns 0, or -EAGAIN while it has not ended. */
int pool_process_error(struct pool_process *process, struct pool_error *ret_error);

/** pid: 0 before the start; it may be another's once the process has ended.  name, daemon: as
 *  given.
 *  Mirrors: Process.pid, .name, .daemon. */
pid_t pool_process_pid(const struct pool_process *process);
const char *pool_process_name(const struct pool_process *process);
bool pool_process_daemon(const struct pool_process *process);

/** A descriptor that polls readable once the process has ended; borrowed, never read from it.
 *  Returns it, or -EINVAL before the start.
 *  Mirrors: Process.sentinel. */
int pool_process_sentinel(struct pool_process *process);

/** Let go of the object. A process that still runs is not stopped: the program's end deals with it.
 *  process: may be NULL.  Mirrors: Process.close(), which refuses while it runs. */
void pool_process_free(struct pool_process *process);

#ifdef __cplusplus
}
#endif

#endif
