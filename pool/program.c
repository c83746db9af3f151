/* program.c: pool_main(), which makes a program its own worker program, and its epilogue.
 *
 * The one place in this library with process-wide state, because it is about the program:
 *
 *   the table   that main() gave, written once before any pool exists: running the program again
 *               with ZYGOTE_ARGUMENT will reach pool_main() and find the same tasks.
 *   the list    of pools that were shut down without waiting and not freed. The work in them goes
 *               on, so the program's end waits for it (as Python does at exit). */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "context_priv.h"
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

/* exit() was called, in the process that called pool_main() and not in a child of it. */
static void epilogue(void)
{
    if (atomic_load(&program_origin) != pool_origin_now())
        return;
    for (;;) {
        pthread_mutex_lock(&shut_lock);
        struct pool *pool = shut_first;
        pthread_mutex_unlock(&shut_lock);
        if (!pool || pool_free(pool)) /* none, or this is one of its own tasks */
            return;
    }
}

int pool_main(int argc, char **argv, const struct pool_tasks *tasks)
{
    static atomic_flag has_epilogue = ATOMIC_FLAG_INIT;
    int r = pool_table_check(tasks);
    if (r < 0)
        return r;
    const size_t argument_size = strlen(ZYGOTE_ARGUMENT);
    atomic_store(&program_tasks, tasks); /* a task may create a pool as well */
    if (argc == 2 && strncmp(argv[1], ZYGOTE_ARGUMENT, argument_size) == 0) {
        const int control_fd = ZYGOTE_CONTROL_FD;
        if (pool_zygote_wanted(control_fd)) {
            pool_context_set_program_depth((unsigned)strtoul(argv[1] + argument_size, NULL, 10));
            /* Not exit(): in a worker, that would run the host program's exit handlers. */
            _exit(pool_zygote_run(control_fd, tasks));
        }
    }
    atomic_store(&program_origin, pool_origin_now());
    if (!atomic_flag_test_and_set(&has_epilogue) && atexit(epilogue) != 0)
        return -ENOMEM;
    return 0;
}
