/* ipc_bench_ours.c: queues, pipes and locks of pool/ipc.h, between forked processes. The time runs
 * from the moment at which all processes are let go until the last message was received. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pool/ipc.h>

#include "bench.h"
#include "ipc_bench.h"

#define PROCESSES_MAX 16

/* One sample. */
struct run {
    const struct ipc_job *job;
    struct pool_queue *queue;
    struct pool_pipe *ends[2];
    struct pool_lock *lock;
    struct pool_event *go;
    struct pool_semaphore *ready, *done;
    pid_t pids[PROCESSES_MAX];
    unsigned process_count;
    void *message; /* job->size_bytes */
};

/* ---- Processes ------------------------------------------------------------------------------ */

static int start(struct run *run, int (*work)(struct run *run))
{
    const pid_t parent = getpid();
    pid_t pid = run->process_count < PROCESSES_MAX ? fork() : -1;
    if (pid < 0)
        return -EAGAIN;
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        int r = getppid() == parent ? 0 : -ESRCH;
        if (r == 0)
            r = pool_semaphore_release(run->ready);
        if (r == 0)
            r = pool_event_wait(run->go, -1);
        if (r == 0)
            r = work(run);
        if (r == 0)
            r = pool_semaphore_release(run->done);
        _exit(r == 0 ? 0 : 1);
    }
    run->pids[run->process_count++] = pid;
    return 0;
}

static int take(struct pool_semaphore *semaphore, unsigned times)
{
    int r = 0;
    while (r == 0 && times-- > 0)
        r = pool_semaphore_acquire(semaphore, 60000);
    return r;
}

/* End all processes; those that failed make this fail. */
static int stop(struct run *run, bool now)
{
    int r = 0, status;
    for (unsigned i = 0; i < run->process_count; i++) {
        if (now)
            kill(run->pids[i], SIGKILL);
        while (waitpid(run->pids[i], &status, 0) < 0 && errno == EINTR)
            continue;
        if (status != 0)
            r = -EIO;
    }
    return r;
}

static int run_init(struct run *run, const struct ipc_job *job)
{
    *run = (struct run){.job = job, .message = calloc(1, job->size_bytes + 1)};
    int r = run->message ? pool_event_create(&run->go) : -ENOMEM;
    if (r == 0)
        r = pool_semaphore_create(0, 0, &run->ready);
    if (r == 0)
        r = pool_semaphore_create(0, 0, &run->done);
    return r;
}

/* r: 0, or what made the run fail.  Returns it, or what a process's end says. */
static int run_done(struct run *run, int r)
{
    const int ended = stop(run, r < 0);
    pool_queue_free(run->queue);
    pool_pipe_free(run->ends[0]);
    pool_pipe_free(run->ends[1]);
    pool_lock_free(run->lock);
    pool_event_free(run->go);
    pool_semaphore_free(run->ready);
    pool_semaphore_free(run->done);
    free(run->message);
    return r < 0 ? r : ended;
}

/* Wait until all are ready, and let them go. */
static int go(struct run *run, double *ret_start_s)
{
    int r = take(run->ready, run->process_count);
    if (r == 0) {
        *ret_start_s = bench_now_s();
        pool_event_set(run->go);
    }
    return r;
}

/* ---- Queue ---------------------------------------------------------------------------------- */

static int put_all(struct run *run)
{
    int r = 0;
    for (size_t i = run->job->count / run->job->putters; r == 0 && i > 0; i--)
        r = pool_queue_put(run->queue, run->message, run->job->size_bytes, -1);
    return r;
}

static int get_all(struct run *run)
{
    struct pool_message message = POOL_MESSAGE_INIT;
    int r;
    while ((r = pool_queue_get(run->queue, -1, &message)) == 0)
        continue;
    pool_message_done(&message);
    return r == -ESHUTDOWN ? 0 : r;
}

int ipc_bench_queue(const struct ipc_job *job, double *ret_per_s)
{
    struct run run;
    double start_s = 0;
    int r = run_init(&run, job);
    if (r == 0)
        r = pool_queue_create(NULL, &run.queue);
    for (unsigned i = 0; r == 0 && i < job->putters; i++)
        r = start(&run, put_all);
    for (unsigned i = 0; r == 0 && i < job->getters; i++)
        r = start(&run, get_all);
    if (r == 0)
        r = go(&run, &start_s);
    if (r == 0)
        r = take(run.done, job->putters);
    if (r == 0) {
        pool_queue_close(run.queue);
        r = take(run.done, job->getters);
    }
    if (r == 0)
        *ret_per_s = (double)job->count / (bench_now_s() - start_s);
    return run_done(&run, r);
}

/* ---- Pipe ----------------------------------------------------------------------------------- */

static int receive_some(struct run *run, size_t count, bool answer)
{
    struct pool_message message = POOL_MESSAGE_INIT;
    int r = 0;
    for (; r == 0 && count > 0; count--) {
        r = pool_pipe_receive(run->ends[1], -1, &message);
        if (r == 0 && answer)
            r = pool_pipe_send(run->ends[1], message.data, message.size_bytes, NULL, 0, -1);
    }
    pool_message_done(&message);
    return r;
}

static int receive_all(struct run *run)
{
    return receive_some(run, run->job->count, false);
}

static int answer_all(struct run *run)
{
    return receive_some(run, run->job->count, true);
}

static int send_all(struct run *run)
{
    int r = 0;
    for (size_t i = run->job->count; r == 0 && i > 0; i--)
        r = pool_pipe_send(run->ends[0], run->message, run->job->size_bytes, NULL, 0, -1);
    return r;
}

static int ask_all(struct run *run)
{
    struct pool_message message = POOL_MESSAGE_INIT;
    int r = 0;
    for (size_t i = run->job->count; r == 0 && i > 0; i--) {
        r = pool_pipe_send(run->ends[0], run->message, run->job->size_bytes, NULL, 0, -1);
        if (r == 0)
            r = pool_pipe_receive(run->ends[0], -1, &message);
    }
    pool_message_done(&message);
    return r;
}

/* Two processes, each with an end of a pipe, or with the same lock. */
static int run_pair(struct run *run, int (*first)(struct run *run), int (*second)(struct run *run),
                    double *ret_per_s)
{
    double start_s = 0;
    int r = start(run, first);
    if (r == 0 && second)
        r = start(run, second);
    if (r == 0)
        r = go(run, &start_s);
    if (r == 0)
        r = take(run->done, run->process_count);
    if (r == 0)
        *ret_per_s = (double)run->job->count / (bench_now_s() - start_s);
    return r;
}

int ipc_bench_pipe(const struct ipc_job *job, double *ret_per_s)
{
    struct run run;
    int r = run_init(&run, job);
    if (r == 0)
        r = pool_pipe_create(&run.ends[0], &run.ends[1]);
    if (r == 0)
        r = run_pair(&run, send_all, receive_all, ret_per_s);
    return run_done(&run, r);
}

int ipc_bench_trip(const struct ipc_job *job, double *ret_per_s)
{
    struct run run;
    int r = run_init(&run, job);
    if (r == 0)
        r = pool_pipe_create(&run.ends[0], &run.ends[1]);
    if (r == 0)
        r = run_pair(&run, ask_all, answer_all, ret_per_s);
    return run_done(&run, r);
}

/* ---- Lock ----------------------------------------------------------------------------------- */

static int lock_all(struct run *run)
{
    int r = 0;
    for (size_t i = run->job->count / run->job->putters; r == 0 && i > 0; i--) {
        r = pool_lock_acquire(run->lock, -1);
        if (r == 0)
            r = pool_lock_release(run->lock);
    }
    return r;
}

int ipc_bench_lock(const struct ipc_job *job, double *ret_per_s)
{
    struct run run;
    int r = run_init(&run, job);
    if (r == 0)
        r = pool_lock_create(&run.lock);
    if (r == 0)
        r = run_pair(&run, lock_all, job->putters > 1 ? lock_all : NULL, ret_per_s);
    return run_done(&run, r);
}
