/* program.c: pool_main(), which makes a program its own worker program, and its epilogue.
 *
 * The one place in this library with process-wide state, because it is about the program:
 *
 *   the table   that main() gave, written once before any pool exists: running the program again
 *               with ZYGOTE_ARGUMENT will reach pool_main() and find the same tasks.
 *   the list    of pools that were shut down without waiting and not freed. The work in them goes
 *               on, so the program's end waits for it (as Python does at exit).
 *
 * Its processes (family.c) are dealt with after that: those pools' tasks may need them. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "context_priv.h"
#include "family_priv.h"
#include "origin_priv.h"
#include "pool_priv.h"
#include "program_priv.h"
#include "table_priv.h"
#include "zygote_priv.h"

static _Atomic(const struct pool_tasks *) program_tasks;
static atomic_uint_fast64_t program_origin;

static pthread_mutex_t shut_lock = PTHREAD_MUTEX_INITIALIZER;
static struct pool *shut_first; /* shut_lock */

const struct pool_tasks *pool_program_tasks_get(void)
{
    return atomic_load(&program_tasks);
}

void pool_program_remember(struct pool *pool)
{
    pthread_mutex_lock(&shut_lock);
    if (!pool->shut) {
        pool->shut = true;
        pool->shut_next = shut_first;
        shut_first = pool;
    }
    pthread_mutex_unlock(&shut_lock);
}

void pool_program_forget(struct pool *pool)
{
    if (!atomic_load(&pool->shut)) /* no lock then: in a forked child it may be held for ever */
        return;
    pthread_mutex_lock(&shut_lock);
    for (struct pool **at = &shut_first; *at; at = &(*at)->shut_next) {
        if (*at != pool)
            continue;
        *at = pool->shut_next;
        break;
    }
    pool->shut = false;
    pthread_mutex_unlock(&shut_lock);
}

static void end_pools(void)
{
    for (;;) {
        pthread_mutex_lock(&shut_lock);
        struct pool *pool = shut_first;
        pthread_mutex_unlock(&shut_lock);
        if (!pool || pool_free(pool)) /* none, or this is one of its own tasks */
            return;
    }
}

void pool_program_epilogue(void)
{
    end_pools();
    pool_family_end();
}

/* exit() was called: in the process that has the epilogue, or in a child that it forked? */
static void at_exit(void)
{
    if (atomic_load(&program_origin) == pool_origin_now())
        pool_program_epilogue();
}

int pool_program_begin(void)
{
    static atomic_flag has_epilogue = ATOMIC_FLAG_INIT;
    atomic_store(&program_origin, pool_origin_now());
    if (!atomic_flag_test_and_set(&has_epilogue) && atexit(at_exit) != 0)
        return -ENOMEM;
    return 0;
}

/* Does not return if this process is to be a zygote. */
static void become_zygote_if_asked(const char *argument, const struct pool_tasks *tasks)
{
    const size_t head_size = strlen(ZYGOTE_ARGUMENT);
    char *behind_depth;
    if (strncmp(argument, ZYGOTE_ARGUMENT, head_size) != 0 ||
        !pool_zygote_wanted(ZYGOTE_CONTROL_FD))
        return;
    pool_context_set_program_depth((unsigned)strtoul(argument + head_size, &behind_depth, 10));
    const pid_t host = *behind_depth == ',' ? (pid_t)strtol(behind_depth + 1, NULL, 10) : 0;
    /* Not exit(): in a worker, that would run the host program's exit handlers. */
    _exit(pool_zygote_run(ZYGOTE_CONTROL_FD, tasks, host));
}

int pool_main(int argc, char **argv, const struct pool_tasks *tasks)
{
    int r = pool_table_check(tasks);
    if (r < 0)
        return r;
    atomic_store(&program_tasks, tasks); /* a task may create a pool as well */
    if (argc == 2)
        become_zygote_if_asked(argv[1], tasks);
    return pool_program_begin();
}
