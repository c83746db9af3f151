/* main.c: pool_main(), which makes a program its own worker program.
 *
 * The one piece of process-wide state in this library: the table that the program gave. It is a
 * fact about the program, written once before any pool exists: that main() calls pool_main(), so
 * running the program again with ZYGOTE_ARGUMENT will reach it and find the same tasks. */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "table_priv.h"
#include "zygote_priv.h"

static _Atomic(const struct pool_tasks *) program_tasks;

const struct pool_tasks *table_of_program(void)
{
    return atomic_load(&program_tasks);
}

int pool_main(int argc, char **argv, const struct pool_tasks *tasks)
{
    int r = table_check(tasks);
    if (r < 0)
        return r;
    if (argc == 2 && strcmp(argv[1], ZYGOTE_ARGUMENT) == 0) {
        const int control_fd = ZYGOTE_CONTROL_FD;
        if (zygote_wanted(control_fd))
            /* Not exit(): in a worker, that would run the host program's exit handlers. */
            _exit(zygote_run(control_fd, tasks));
    }
    atomic_store(&program_tasks, tasks);
    return 0;
}
