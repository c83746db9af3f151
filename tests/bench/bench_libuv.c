/* bench_libuv.c: libuv's uv_queue_work(): a batch of requests, each copying 8 bytes from its
 * argument to its result in a worker thread, and counted by its after-work callback in the loop's
 * thread. libuv leaves the requests' memory to its user; here it is one array, reused. */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

struct request {
    uv_work_t work; /* its data points to this request */
    uint64_t argument, result;
    struct bench_libuv *libuv;
};

struct bench_libuv {
    uv_loop_t loop;
    struct request *requests;
    uint64_t sum; /* of the batch's results */
    int error;    /* of a request that failed, or 0 */
};

/* libuv knows no other way to set the size of its one thread pool. */
int bench_libuv_prepare(unsigned workers)
{
    char text[16];
    snprintf(text, sizeof(text), "%u", workers);
    return setenv("UV_THREADPOOL_SIZE", text, 1) < 0 ? -errno : 0;
}

static void run(uv_work_t *work)
{
    struct request *request = work->data;
    request->result = request->argument;
}

static void ended(uv_work_t *work, int status)
{
    const struct request *request = work->data;
    struct bench_libuv *libuv = request->libuv;

    libuv->sum += request->result;
    if (status < 0)
        libuv->error = status;
}

struct bench_libuv *bench_libuv_free(struct bench_libuv *libuv)
{
    if (!libuv)
        return NULL;
    if (uv_loop_close(&libuv->loop) < 0)
        fprintf(stderr, "pool_bench: libuv's loop is still in use\n");
    free(libuv->requests);
    free(libuv);
    return NULL;
}

static int libuv_create(size_t count, struct bench_libuv **ret_libuv)
{
    struct bench_libuv *libuv = calloc(1, sizeof(*libuv));
    struct request *requests = calloc(count, sizeof(*requests));
    int r = libuv && requests ? uv_loop_init(&libuv->loop) : -ENOMEM; /* its codes are errno's */

    if (r < 0) {
        free(libuv);
        free(requests);
        return r;
    }
    for (size_t i = 0; i < count; i++) {
        requests[i].argument = BENCH_VALUE_BASE + i;
        requests[i].libuv = libuv;
        requests[i].work.data = &requests[i];
    }
    libuv->requests = requests;
    *ret_libuv = libuv;
    return 0;
}

static int libuv_batch(void *data, size_t count)
{
    struct bench_libuv *libuv = data;

    libuv->sum = 0;
    libuv->error = 0;
    for (size_t i = 0; libuv->error == 0 && i < count; i++)
        libuv->error = uv_queue_work(&libuv->loop, &libuv->requests[i].work, run, ended);
    if (uv_run(&libuv->loop, UV_RUN_DEFAULT) > 0)
        return -EBUSY;
    if (libuv->error < 0)
        return libuv->error;
    return libuv->sum == bench_values_sum(count) ? 0 : -EBADMSG;
}

int bench_libuv(struct bench *bench, int unused, double *ret_tasks_per_s)
{
    const struct bench_counts *counts = &bench->counts;

    (void)unused;
    if (!bench->libuv) {
        int r = libuv_create(counts->items, &bench->libuv);
        if (r < 0)
            return r;
    }
    return bench_rate(counts->rate_s, libuv_batch, bench->libuv, counts->items, ret_tasks_per_s);
}
