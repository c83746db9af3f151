/* bench.h: what the files of pool_bench share: the counts of a run, its clock and medians, and one
 * measuring function a subject. pool_bench.c says what is measured, and how.
 *
 * A measuring function takes one sample of one figure. It returns 0, -ENOTSUP when the peer it
 * measures is not there (it has then printed a line with a '#' about it), or another negative errno
 * value. What it needs (a pool, a peer) it makes at its first call and keeps in struct bench, so
 * that later samples find it warm. All of it runs in the main thread. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

#include <pool/pool.h>

/** Payloads are BENCH_VALUE_BASE + 0, 1, 2, ...: so large that an integer takes 8 bytes in Python's
 *  pickles too. */
#define BENCH_VALUE_BASE (UINT64_C(1) << 56)

/** How much is done for one sample; the same for ours and for every peer. */
struct bench_counts {
    double rate_s;        /* a rate is measured over whole batches, until so long has passed */
    size_t items;         /* of a batch whose tasks are handed out one by one */
    size_t chunked_items; /* of a batch with the default chunksize */
    size_t round_trips;   /* whose median is a round trip's time */
    size_t opens;         /* whose median is the time to open, use and close a pool */
};

/** A run. The pointers are each subject's own, NULL until it is first measured. */
struct bench {
    struct bench_counts counts;
    unsigned workers;
    struct bench_backends *backends;
    struct bench_echo *echo;
    struct bench_python *python;
    struct bench_glib *glib;
    struct bench_libuv *libuv;
};

/* ---- bench_measure.c ----------------------------------------------------------------------- */

/** Seconds on CLOCK_MONOTONIC. */
double bench_now_s(void);

/** The median of count values, at least one; it sorts them. */
double bench_median(double *values, size_t count);

/** One batch, or one round trip.  Returns 0 or a negative errno value. */
typedef int (*bench_batch_fn)(void *data, size_t count);
typedef int (*bench_trip_fn)(void *data);

/** Repeat batches of count items until rate_s have passed, at least one.
 *  Returns 0 with items per second, or the batch's error. */
int bench_rate(double rate_s, bench_batch_fn batch, void *data, size_t count, double *ret_per_s);

/** The median time of so many round trips, at least one.  Returns 0, -ENOMEM or the trip's error.
 */
int bench_trip(size_t trips, bench_trip_fn trip, void *data, double *ret_median_s);

/** The sum of the first count payloads, modulo 2^64: what the results of a batch must add up to. */
uint64_t bench_values_sum(size_t count);

/** Print one figure. */
void bench_print(const char *name, double value);

/* ---- bench_backends.c: the pool; backend is an enum pool_backend ------------------------------
 */

extern const struct pool_tasks bench_tasks;
#define BENCH_TASK "echo" /* returns its 8-byte argument */

int bench_map_chunk1(struct bench *bench, int backend, double *ret_tasks_per_s);
int bench_map_default(struct bench *bench, int backend, double *ret_tasks_per_s);
int bench_imap_unordered(struct bench *bench, int backend, double *ret_tasks_per_s);
int bench_submit(struct bench *bench, int backend, double *ret_tasks_per_s);
int bench_apply(struct bench *bench, int backend, double *ret_us);
int bench_create_map_free(struct bench *bench, int backend, double *ret_ms);
struct bench_backends *bench_backends_free(struct bench_backends *backends);

/** The 8-byte result of a future that is, or will be, done; a failure is explained on stderr.
 *  Returns 0, the future's error, or -EBADMSG for a result of another size. */
int bench_value(struct pool_future *future, uint64_t *ret_value);

/* ---- Peers ---------------------------------------------------------------------------------- */

/** bench_echo.c: a bare round trip to another process. Its process is forked by bench_echo_start(),
 *  to be called before there are threads. */
enum bench_echo_binding { BENCH_ECHO_UNBOUND, BENCH_ECHO_ONE_CPU, BENCH_ECHO_TWO_CPUS };
int bench_echo_start(struct bench *bench);
int bench_echo_rtt(struct bench *bench, int binding, double *ret_us);
struct bench_echo *bench_echo_free(struct bench_echo *echo);

/** bench_python.c */
enum bench_python_job {
    BENCH_PYTHON_CHUNK1,
    BENCH_PYTHON_DEFAULT,
    BENCH_PYTHON_APPLY,
    BENCH_PYTHON_OPEN,
    BENCH_PYTHON_EXECUTOR
};
int bench_python(struct bench *bench, int job, double *ret_value);
struct bench_python *bench_python_free(struct bench_python *python);

/** bench_glib.c and bench_libuv.c, or bench_none.c in the place of each that is not installed. */
int bench_glib(struct bench *bench, int unused, double *ret_tasks_per_s);
struct bench_glib *bench_glib_free(struct bench_glib *glib);
int bench_libuv_prepare(unsigned workers); /* to be called before there are threads */
int bench_libuv(struct bench *bench, int unused, double *ret_tasks_per_s);
struct bench_libuv *bench_libuv_free(struct bench_libuv *libuv);

/* ---- bench_soak.c --------------------------------------------------------------------------- */

#define BENCH_SOAK_ITEMS 10000000

/** Run so many items through an imap with a slow reader, per backend, and print the figures.
 *  Returns 0, -EOVERFLOW if memory grew, or another negative errno value. */
int bench_soak(unsigned workers, size_t items);

#endif
