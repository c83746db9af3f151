/* bench_glib.c: GLib's GThreadPool: an exclusive pool, so that its threads are its own and stay.
 * Each task copies 8 bytes from its argument to its result; the last one of a batch wakes the
 * thread that waits for it. */
#include "bench.h"

#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>

struct slot {
    uint64_t argument, result;
};

struct bench_glib {
    GThreadPool *pool;
    struct slot *slots;
    gint left; /* tasks of the batch that have not ended; atomic */
    GMutex lock;
    GCond ended;
};

static void run(gpointer data, gpointer user_data)
{
    struct slot *slot = data;
    struct bench_glib *glib = user_data;

    slot->result = slot->argument;
    if (g_atomic_int_dec_and_test(&glib->left)) {
        g_mutex_lock(&glib->lock);
        g_cond_signal(&glib->ended);
        g_mutex_unlock(&glib->lock);
    }
}

struct bench_glib *bench_glib_free(struct bench_glib *glib)
{
    if (!glib)
        return NULL;
    if (glib->pool)
        g_thread_pool_free(glib->pool, TRUE, TRUE);
    g_thread_pool_stop_unused_threads();
    g_mutex_clear(&glib->lock);
    g_cond_clear(&glib->ended);
    free(glib->slots);
    free(glib);
    return NULL;
}

static int glib_create(unsigned workers, size_t count, struct bench_glib **ret_glib)
{
    GError *error = NULL;
    struct bench_glib *glib = calloc(1, sizeof(*glib));
    if (!glib)
        return -ENOMEM;

    g_mutex_init(&glib->lock);
    g_cond_init(&glib->ended);
    glib->slots = calloc(count, sizeof(*glib->slots));
    int r = glib->slots ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < count; i++)
        glib->slots[i].argument = BENCH_VALUE_BASE + i;
    if (r == 0)
        glib->pool = g_thread_pool_new(run, glib, (gint)workers, TRUE, &error);
    if (error) {
        fprintf(stderr, "pool_bench: GThreadPool: %s\n", error->message);
        g_error_free(error);
        r = -EAGAIN;
    }
    if (r < 0)
        glib = bench_glib_free(glib);
    else
        *ret_glib = glib;
    return r;
}

static int glib_batch(void *data, size_t count)
{
    struct bench_glib *glib = data;
    uint64_t sum = 0;

    g_atomic_int_set(&glib->left, (gint)count);
    for (size_t i = 0; i < count; i++)
        if (!g_thread_pool_push(glib->pool, &glib->slots[i], NULL))
            return -EAGAIN; /* the batch is unfinished: no other may follow */
    g_mutex_lock(&glib->lock);
    while (g_atomic_int_get(&glib->left) > 0)
        g_cond_wait(&glib->ended, &glib->lock);
    g_mutex_unlock(&glib->lock);
    for (size_t i = 0; i < count; i++)
        sum += glib->slots[i].result;
    return sum == bench_values_sum(count) ? 0 : -EBADMSG;
}

int bench_glib(struct bench *bench, int unused, double *ret_tasks_per_s)
{
    const struct bench_counts *counts = &bench->counts;

    (void)unused;
    if (!bench->glib) {
        int r = glib_create(bench->workers, counts->items, &bench->glib);
        if (r < 0)
            return r;
    }
    return bench_rate(counts->rate_s, glib_batch, bench->glib, counts->items, ret_tasks_per_s);
}
