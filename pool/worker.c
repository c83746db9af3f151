/* worker.c: the inside of a worker process.
 *
 * A plain loop in a single-threaded process: receive a task, claim it on the page, run it, send
 * the result. End of file on the socket means that the host does not want this worker any more, or
 * is gone: either way the worker ends. The protocol stands in wire_priv.h. */
#include "worker_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "call_priv.h"
#include "sync_priv.h"
#include "wire_priv.h"

/* Exit statuses that people may meet in pool_error.exit_status. */
enum { EXIT_SETUP = 120, EXIT_PROTOCOL = 121 };

#define TOO_MANY_REFS_WAIT_MS 5

struct worker {
    int socket_fd;
    struct wire_page *page;
    const struct pool_tasks *tasks;
    struct call_local local;
    _Alignas(JOB_ALIGN) uint8_t message[sizeof(struct wire_task) + WIRE_INLINE_MAX];
};

/* Claim the task: from now on it is the one that a death is blamed on. */
static bool claim(struct worker *worker, const struct wire_task *task)
{
    uint32_t sent = slot_word(task->generation, SLOT_SENT);
    atomic_store(&worker->page->slots[task->slot].started_ns, time_now_ns());
    return atomic_compare_exchange_strong(&worker->page->slots[task->slot].word, &sent,
                                          slot_word(task->generation, SLOT_STARTED));
}

static int send_outcome(struct worker *worker, const struct wire_task *task,
                        const struct outcome *outcome)
{
    struct wire_result result = {
        .type = WIRE_RESULT,
        .slot = task->slot,
        .generation = task->generation,
        .code = outcome->code,
        .task_code = outcome->task_code,
        .message_bytes = (uint32_t)strnlen(outcome->message, MESSAGE_BYTES - 1),
        .value_bytes = outcome->value.size_bytes,
    };
    const struct iovec value = {outcome->value.data, outcome->value.size_bytes};
    const struct iovec message = {(void *)outcome->message, result.message_bytes};
    int fd = -1;
    if (outcome->value.size_bytes > WIRE_INLINE_MAX) {
        int r = blob_to_memfd(&value, 1, &fd);
        if (r < 0) { /* the value cannot be handed over: the task fails with the system's word */
            result.code = -EREMOTEIO;
            result.task_code = r;
            result.value_bytes = 0;
        }
    }
    result.in_memfd = fd >= 0;
    const struct iovec parts[] = {
        {&result, sizeof(result)},
        {value.iov_base, fd >= 0 || result.code < 0 ? 0 : value.iov_len},
        message,
    };
    int r;
    while ((r = wire_send(worker->socket_fd, parts, 3, &fd, fd >= 0)) == -ETOOMANYREFS)
        poll(NULL, 0, TOO_MANY_REFS_WAIT_MS); /* until the host has received some */
    if (fd >= 0)
        close(fd);
    return r;
}

/* Bring the payload into memory and run the task. */
static void run_task(struct worker *worker, const struct wire_task *task,
                     const struct wire_fds *fds, struct outcome *ret_outcome)
{
    const size_t skip = task->in_memfd ? 1 : 0;
    struct blob mapped = {0};
    struct call_spec spec = {
        .task = &worker->tasks->list[task->task_index],
        .payload = worker->message + sizeof(*task),
        .payload_bytes = (size_t)task->payload_bytes,
        .fds = fds->fds + skip,
        .fd_count = fds->count - skip,
        .deadline_ns = task->deadline_ns,
        .local = &worker->local,
    };
    int r = fds->lost ? -EMFILE : 0;
    if (r == 0 && task->in_memfd) {
        r = blob_from_memfd(fds->fds[0], (size_t)task->payload_bytes, &mapped);
        spec.payload = mapped.data;
    }
    if (r < 0) {
        *ret_outcome = (struct outcome)OUTCOME_INIT;
        ret_outcome->code = -EREMOTEIO;
        ret_outcome->task_code = r;
        snprintf(ret_outcome->message, sizeof(ret_outcome->message),
                 "the worker could not receive the task's data");
        return;
    }
    call_run(&spec, ret_outcome);
    blob_done(&mapped);
}

static bool message_is_sound(const struct worker *worker, const struct wire_task *task,
                             size_t size_bytes, const struct wire_fds *fds)
{
    if (size_bytes < sizeof(*task) || task->type != WIRE_TASK || task->slot >= PAGE_SLOTS ||
        task->task_index >= worker->tasks->count)
        return false;
    if (task->in_memfd)
        return size_bytes == sizeof(*task) && (fds->count > 0 || fds->lost);
    return task->payload_bytes == size_bytes - sizeof(*task);
}

/* One task from receive to reply.  Returns 1, 0 at end of file, or -errno. */
static int serve_one(struct worker *worker)
{
    struct wire_task task;
    struct wire_fds fds;
    struct outcome outcome;
    ssize_t got = wire_receive(worker->socket_fd, worker->message, sizeof(worker->message), &fds);
    if (got <= 0)
        return (int)got;
    memset(&task, 0, sizeof(task));
    memcpy(&task, worker->message, (size_t)got < sizeof(task) ? (size_t)got : sizeof(task));
    int r = -EBADMSG;
    if (message_is_sound(worker, &task, (size_t)got, &fds)) {
        r = 1;
        if (claim(worker, &task)) { /* else the host took it back */
            run_task(worker, &task, &fds, &outcome);
            /* Both before the reply, so that a caller who has the result finds the descriptors
             * closed, and what the task printed printed. */
            wire_fds_done(&fds);
            fflush(stdout);
            r = send_outcome(worker, &task, &outcome);
            r = r < 0 ? r : 1;
            blob_done(&outcome.value);
        }
    }
    wire_fds_done(&fds);
    return r;
}

int worker_run(int socket_fd, int page_fd, const struct pool_tasks *tasks)
{
    const struct wire_control ready = {.type = WIRE_READY, .pid = getpid()};
    const struct iovec part = {(void *)&ready, sizeof(ready)};
    struct worker *worker = calloc(1, sizeof(*worker));
    if (!worker)
        return EXIT_SETUP;
    worker->socket_fd = socket_fd;
    worker->tasks = tasks;
    worker->page =
        mmap(NULL, sizeof(*worker->page), PROT_READ | PROT_WRITE, MAP_SHARED, page_fd, 0);
    close(page_fd);
    int status = EXIT_SETUP;
    if (worker->page != MAP_FAILED) {
        int r = wire_send(socket_fd, &part, 1, NULL, 0);
        if (r == 0)
            do
                r = serve_one(worker);
            while (r > 0);
        status = r == 0 || r == -EPIPE ? 0 : EXIT_PROTOCOL;
        munmap(worker->page, sizeof(*worker->page));
    }
    call_local_done(&worker->local);
    close(socket_fd);
    free(worker);
    return status;
}
