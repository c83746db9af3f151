/* worker.c: the inside of a worker process.
 *
 * A plain loop in a single-threaded process: find the next task on the page, claim it, run it, put
 * the result back. End of file on the socket means that the host does not want this worker any
 * more, or is gone: either way the worker ends. The protocol stands in wire_priv.h. */
#include "worker_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "call_priv.h"
#include "sync_priv.h"
#include "wire_task_priv.h"

/* Exit statuses that people may meet in pool_error.exit_status. */
enum { EXIT_SETUP = 120, EXIT_PROTOCOL = 121, EXIT_INITIALIZER = 122 };

struct worker {
    int socket_fd;
    pid_t pid;
    struct wire_page *page;
    const struct pool_tasks *tasks;
    struct call_local local;
    uint32_t number;       /* of the next task */
    struct wire_body body; /* the last TASK message, until its turn comes */
};

/* ---- One task ------------------------------------------------------------------------------ */

/* Does the outcome fit into the slot?  Then put it there. */
static bool put_outcome(struct wire_slot *slot, const struct outcome *outcome)
{
    const struct pool_bytes value = pool_outcome_value(outcome);
    const size_t value_bytes = outcome->code == 0 ? value.size_bytes : 0;
    const size_t message_bytes = outcome->message ? strlen(outcome->message) : 0;
    const size_t where_bytes = outcome->where ? strlen(outcome->where) : 0;
    if (value_bytes > SLOT_RESULT_BYTES ||
        value_bytes + message_bytes + where_bytes > SLOT_RESULT_BYTES)
        return false;
    slot->code = outcome->code;
    slot->task_code = outcome->task_code;
    slot->value_bytes = (uint32_t)value_bytes;
    slot->message_bytes = (uint16_t)message_bytes;
    slot->where_bytes = (uint16_t)where_bytes;
    uint8_t *next = slot->result;
    if (value_bytes > 0)
        memcpy(next, value.data, value_bytes);
    if (message_bytes > 0)
        memcpy(next + value_bytes, outcome->message, message_bytes);
    if (where_bytes > 0)
        memcpy(next + value_bytes + message_bytes, outcome->where, where_bytes);
    return true;
}

/* After a slot was given back: wake the host, if it waits for that. */
static void ring_host(struct worker *worker)
{
    if (atomic_exchange(&worker->page->host_listens, 0))
        pool_wire_ring(worker->socket_fd);
}

/* Hand the outcome over. From DONE or REPLIED on, the slot is the host's. */
static int reply(struct worker *worker, struct wire_slot *slot, const struct outcome *outcome)
{
    const int64_t ran_ns = pool_time_now_ns() - atomic_load(&slot->started_ns);
    if (!put_outcome(slot, outcome)) {
        atomic_store(&slot->word, slot_word(worker->number, SLOT_REPLIED));
        return pool_wire_send_outcome(worker->socket_fd, WIRE_RESULT, worker->number,
                                      (uint64_t)ran_ns, outcome);
    }
    slot->ran_ns = (uint64_t)ran_ns;
    atomic_store(&slot->word, slot_word(worker->number, SLOT_DONE));
    ring_host(worker);
    return 0;
}

static int run_slot(struct worker *worker, struct wire_slot *slot)
{
    struct outcome outcome;
    struct call_spec spec = {
        .task = &worker->tasks->list[slot->task_index],
        .payload = slot->payload,
        .payload_bytes = slot->payload_bytes,
        .deadline_ns = slot->deadline_ns,
        .pid = worker->pid,
        .local = &worker->local,
    };
    if (slot->in_message)
        pool_wire_run_body(&worker->body, &spec, &outcome);
    else
        pool_call_run(&spec, &outcome);
    /* Both before the reply, so that a caller who has the result finds the descriptors closed, and
     * what the task printed printed. */
    pool_wire_body_done(&worker->body);
    fflush(stdout);
    int r = reply(worker, slot, &outcome);
    pool_outcome_done(&outcome);
    return r;
}

/* Look at the slot whose turn it is.  Returns 1 if it was dealt with, 0 if there is nothing yet, or
 * -errno. */
static int serve_slot(struct worker *worker)
{
    struct wire_slot *slot = page_slot(worker->page, worker->number);
    uint32_t word = atomic_load(&slot->word);
    const uint32_t sent = slot_word(worker->number, SLOT_SENT);
    const uint32_t taken = slot_word(worker->number, SLOT_TAKEN);
    int r = 0;
    if (word == sent && slot->in_message &&
        !(worker->body.full && pool_wire_body_head(&worker->body)->number == worker->number))
        return 0; /* its message is on its way, or the host will take it back */
    if (word == sent) {
        if (slot->task_index >= worker->tasks->count ||
            (!slot->in_message && slot->payload_bytes > SLOT_PAYLOAD_BYTES))
            return -EBADMSG;
        atomic_store(&slot->started_ns, pool_time_now_ns());
        /* From now on it is the one that a death is blamed on. */
        if (atomic_compare_exchange_strong(&slot->word, &word,
                                           slot_word(worker->number, SLOT_STARTED)))
            r = run_slot(worker, slot);
    }
    if (word != sent && word != taken)
        return 0;
    if (word == taken) {
        atomic_store(&slot->word, slot_word(worker->number, SLOT_PASSED));
        ring_host(worker); /* all slots may be of this kind, and work may be waiting for one */
    }
    worker->number = (worker->number + 1) & NUMBER_MASK;
    return r < 0 ? r : 1;
}

/* ---- The process --------------------------------------------------------------------------- */

/* Returns 0 when the host does not want us any more, or -errno. */
static int serve(struct worker *worker)
{
    struct wire_page *page = worker->page;
    for (;;) {
        int r = serve_slot(worker);
        if (r > 0)
            continue;
        if (r == 0) { /* say that we are about to sleep, and look once more */
            atomic_store(&page->worker_sleeps, 1);
            r = serve_slot(worker);
        }
        if (r == 0) {
            r = pool_wire_receive_body(worker->socket_fd, &worker->body);
            if (r <= 0)
                return r;
        }
        atomic_store(&page->worker_sleeps, 0);
        if (r < 0)
            return r;
    }
}

/* Receive START and run the initializer.  Returns 1, 0 if it failed or the host is gone, -errno. */
static int make_ready(struct worker *worker)
{
    struct outcome outcome = pool_outcome_of(0);
    int r = pool_wire_receive_body(worker->socket_fd, &worker->body);
    if (r <= 0)
        return r;
    if (!worker->body.full || pool_wire_body_head(&worker->body)->type != WIRE_START)
        return -EBADMSG;
    const uint32_t index = pool_wire_body_head(&worker->body)->task_index;
    if (index != WIRE_NO_TASK && index >= worker->tasks->count)
        return -EBADMSG;
    if (index != WIRE_NO_TASK) {
        struct call_spec spec = {
            .task = &worker->tasks->list[index], .pid = worker->pid, .local = &worker->local};
        pool_wire_run_body(&worker->body, &spec, &outcome);
        fflush(stdout);
    }
    pool_wire_body_done(&worker->body);
    pool_outcome_set_value(&outcome, NULL, 0);
    r = pool_wire_send_outcome(worker->socket_fd, WIRE_READY, (uint32_t)worker->pid, 0, &outcome);
    const int code = outcome.code;
    pool_outcome_done(&outcome);
    return r < 0 ? r : code == 0;
}

int pool_worker_run(int socket_fd, int page_fd, const struct pool_tasks *tasks)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    if (!worker)
        return EXIT_SETUP;
    worker->socket_fd = socket_fd;
    worker->pid = getpid();
    worker->tasks = tasks;
    worker->page =
        mmap(NULL, sizeof(*worker->page), PROT_READ | PROT_WRITE, MAP_SHARED, page_fd, 0);
    close(page_fd);
    int status = EXIT_SETUP;
    if (worker->page != MAP_FAILED) {
        int r = make_ready(worker);
        const bool ready = r > 0;
        if (ready)
            r = serve(worker);
        status = r < 0 && r != -EPIPE ? EXIT_PROTOCOL : ready ? 0 : EXIT_INITIALIZER;
        munmap(worker->page, sizeof(*worker->page));
    }
    pool_wire_body_done(&worker->body);
    pool_call_local_done(&worker->local);
    free(worker);
    /* The socket closes when the process ends, not before: the host kills one that has closed it.
     */
    return status;
}
