/* bench_none.c: stands in for the peers that are not built in. */
#include "bench.h"

#include <errno.h>
#include <stdio.h>

#ifndef BENCH_HAVE_GLIB
int bench_glib(struct bench *bench, int unused, double *ret_tasks_per_s)
{
    (void)bench, (void)unused, (void)ret_tasks_per_s;
    puts("# gthreadpool " BENCH_NO_GLIB);
    return -ENOTSUP;
}

struct bench_glib *bench_glib_free(struct bench_glib *glib)
{
    (void)glib;
    return NULL;
}
#endif

#ifndef BENCH_HAVE_LIBUV
int bench_libuv_prepare(unsigned workers)
{
    (void)workers;
    return 0;
}

int bench_libuv(struct bench *bench, int unused, double *ret_tasks_per_s)
{
    (void)bench, (void)unused, (void)ret_tasks_per_s;
    puts("# libuv " BENCH_NO_LIBUV);
    return -ENOTSUP;
}

struct bench_libuv *bench_libuv_free(struct bench_libuv *libuv)
{
    (void)libuv;
    return NULL;
}
#endif
