/* ipc_bench.h: what the files of ipc_bench share. ipc_bench.c says what is measured, and how. */
#ifndef IPC_BENCH_H
#define IPC_BENCH_H

#include <stddef.h>

/** A measuring function takes one sample of one figure.  Returns 0, -ENOTSUP if the peer is not
 *  there (it has then printed a line with a '#' about it), or another negative errno value. */
struct ipc_job {
    unsigned putters, getters; /* processes */
    size_t size_bytes;         /* of a message */
    size_t count;              /* messages, round trips, or times */
};

/* ---- ipc_bench_ours.c: values per second ---------------------------------------------------- */

int ipc_bench_queue(const struct ipc_job *job, double *ret_per_s);
int ipc_bench_pipe(const struct ipc_job *job, double *ret_per_s);
int ipc_bench_trip(const struct ipc_job *job, double *ret_per_s);
int ipc_bench_lock(const struct ipc_job *job, double *ret_per_s);

/* ---- ipc_bench_python.c: the same, by python_ipc.py ------------------------------------------ */

int ipc_bench_python_queue(const struct ipc_job *job, double *ret_per_s);
int ipc_bench_python_simple_queue(const struct ipc_job *job, double *ret_per_s);
int ipc_bench_python_pipe(const struct ipc_job *job, double *ret_per_s);
int ipc_bench_python_trip(const struct ipc_job *job, double *ret_per_s);
int ipc_bench_python_lock(const struct ipc_job *job, double *ret_per_s);

/** End the peer, if it was started. */
void ipc_bench_python_end(void);

#endif
