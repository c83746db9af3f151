#include "remote_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sync_priv.h"
#include "wire_task_priv.h"

/* ---- Create and free ----------------------------------------------------------------------- */

/* A page that both sides map. Sealed, so that the worker cannot cut it off under us. */
static int page_create(struct wire_page **ret_page, int *ret_fd)
{
    int fd = memfd_create("pool-page", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    int r = 0;
    void *page = MAP_FAILED;
    if (ftruncate(fd, sizeof(struct wire_page)) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        r = -errno;
    if (r == 0) {
        page = mmap(NULL, sizeof(struct wire_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        r = page == MAP_FAILED ? -errno : 0;
    }
    if (r < 0) {
        close(fd);
        return r;
    }
    *ret_page = page;
    atomic_store(&(*ret_page)->host_listens, 1);
    *ret_fd = fd;
    return 0;
}

int pool_remote_create(uint32_t id, struct remote **ret_remote, int *ret_socket_fd,
                       int *ret_page_fd)
{
    int pair[2], page_fd = -1;
    struct remote *remote = calloc(1, sizeof(*remote));
    if (!remote)
        return -ENOMEM;
    remote->id = id;
    remote->pidfd = -1;
    remote->socket_fd = -1;
    remote->kill_at_ns = TIME_NEVER;
    remote->give_up_ns = TIME_NEVER;
    remote->created_ns = remote->idle_ns = remote->rss_ns = pool_time_now_ns();
    remote->init_outcome = pool_outcome_of(0);
    int r = page_create(&remote->page, &page_fd);
    if (r < 0)
        goto out;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        r = -errno;
        close(page_fd);
        goto out;
    }
    remote->socket_fd = pair[0];
    if (fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0) {
        r = -errno;
        close(page_fd);
        close(pair[1]);
        goto out;
    }
    *ret_socket_fd = pair[1];
    *ret_page_fd = page_fd;
    *ret_remote = remote;
    return 0;
out:
    pool_remote_free(remote);
    return r;
}

void pool_remote_free(struct remote *remote)
{
    if (!remote)
        return;
    if (remote->socket_fd >= 0)
        close(remote->socket_fd);
    if (remote->pidfd >= 0)
        close(remote->pidfd);
    if (remote->page)
        munmap(remote->page, sizeof(*remote->page));
    pool_outcome_done(&remote->init_outcome);
    free(remote);
}

/* ---- Tasks --------------------------------------------------------------------------------- */

/* Free what the worker has passed, and forget free slots at the old end. */
static void advance(struct remote *remote)
{
    for (uint32_t number = remote->oldest; number != remote->next;
         number = (number + 1) & NUMBER_MASK) {
        struct flight *flight = &remote->flights[number % PAGE_SLOTS];
        if (flight->state == FLIGHT_RECALLED &&
            atomic_load(&page_slot(remote->page, number)->word) == slot_word(number, SLOT_PASSED))
            flight->state = FLIGHT_FREE;
        if (flight->state != FLIGHT_FREE)
            return;
        remote->oldest = (number + 1) & NUMBER_MASK;
    }
}

bool pool_remote_has_slot(struct remote *remote)
{
    if (((remote->next - remote->oldest) & NUMBER_MASK) < PAGE_SLOTS)
        return true;
    advance(remote);
    return ((remote->next - remote->oldest) & NUMBER_MASK) < PAGE_SLOTS;
}

bool pool_remote_fits_page(const struct job *job)
{
    return job->payload_bytes <= SLOT_PAYLOAD_BYTES && job->fd_count == 0;
}

int pool_remote_send_start(struct remote *remote, uint32_t task_index, const void *payload,
                           size_t payload_bytes)
{
    struct wire_task head = {
        .type = WIRE_START, .task_index = task_index, .payload_bytes = payload_bytes};
    return pool_wire_send_task(remote->socket_fd, &head, payload, NULL, 0);
}

int pool_remote_send(struct remote *remote, struct job *job, uint32_t cost_ns)
{
    const uint32_t number = remote->next;
    struct wire_slot *slot = page_slot(remote->page, number);
    const bool in_message = !pool_remote_fits_page(job);
    int r = 0;
    slot->task_index = job->task_index;
    slot->deadline_ns = job->deadline_ns;
    slot->in_message = in_message;
    slot->payload_bytes = in_message ? 0 : (uint32_t)job->payload_bytes;
    if (!in_message && job->payload_bytes > 0)
        memcpy(slot->payload, job->payload, job->payload_bytes);
    atomic_store(&slot->word, slot_word(number, SLOT_SENT));
    remote->next = (number + 1) & NUMBER_MASK;
    if (in_message) {
        struct wire_task head = {.type = WIRE_TASK,
                                 .number = number,
                                 .task_index = job->task_index,
                                 .payload_bytes = job->payload_bytes};
        r = pool_wire_send_task(remote->socket_fd, &head, job->payload, job->fds, job->fd_count);
    }
    struct flight *flight = &remote->flights[number % PAGE_SLOTS];
    if (r < 0) { /* it cannot have started without the message */
        atomic_store(&slot->word, slot_word(number, SLOT_TAKEN));
        *flight = (struct flight){.state = FLIGHT_RECALLED};
        pool_wire_ring(remote->socket_fd);
        return r;
    }
    if (!in_message && atomic_exchange(&remote->page->worker_sleeps, 0))
        pool_wire_ring(remote->socket_fd);
    *flight = (struct flight){
        .state = FLIGHT_FLYING, .job = job, .sent_ns = pool_time_now_ns(), .cost_ns = cost_ns};
    if (remote->flying++ == 0)
        remote->moved_ns = flight->sent_ns;
    remote->load_ns += cost_ns;
    remote->given++;
    job->remote = remote;
    job->slot = number;
    return 0;
}

struct job *pool_remote_job(const struct remote *remote, uint32_t number)
{
    const struct flight *flight = &remote->flights[number % PAGE_SLOTS];
    return flight->state == FLIGHT_FLYING && flight->job->slot == number ? flight->job : NULL;
}

/* Let go of a flying job; its slot is then in the given state. */
static struct job *land(struct remote *remote, uint32_t number, enum flight_state state)
{
    struct flight *flight = &remote->flights[number % PAGE_SLOTS];
    struct job *job = flight->job;
    remote->flying--;
    remote->load_ns -= flight->cost_ns;
    *flight = (struct flight){.state = state};
    job->remote = NULL;
    advance(remote);
    return job;
}

struct job *pool_remote_take_back(struct remote *remote, uint32_t number)
{
    uint32_t sent = slot_word(number, SLOT_SENT);
    if (!pool_remote_job(remote, number) ||
        !atomic_compare_exchange_strong(&page_slot(remote->page, number)->word, &sent,
                                        slot_word(number, SLOT_TAKEN)))
        return NULL;
    remote->given--;
    return land(remote, number, FLIGHT_RECALLED);
}

bool pool_remote_started(const struct remote *remote, uint32_t number, int64_t *ret_started_ns)
{
    const struct flight *flight = &remote->flights[number % PAGE_SLOTS];
    struct wire_slot *slot = page_slot(remote->page, number);
    if (!pool_remote_job(remote, number) ||
        atomic_load(&slot->word) == slot_word(number, SLOT_SENT))
        return false;
    /* The worker wrote this time; keep it within what can be true. */
    const int64_t now_ns = pool_time_now_ns();
    int64_t started_ns = atomic_load(&slot->started_ns);
    if (started_ns < flight->sent_ns)
        started_ns = flight->sent_ns;
    *ret_started_ns = started_ns > now_ns ? now_ns : started_ns;
    return true;
}

bool pool_remote_runs(const struct remote *remote, uint32_t number)
{
    return pool_remote_job(remote, number) &&
           atomic_load(&page_slot(remote->page, number)->word) == slot_word(number, SLOT_STARTED);
}

struct job *pool_remote_release(struct remote *remote, uint32_t number)
{
    return land(remote, number, FLIGHT_FREE);
}

/* ---- Results ------------------------------------------------------------------------------- */

/* What does a slot hold?  Returns 1 with a result in ret_outcome, or -EBADMSG. */
static int read_slot(const struct remote *remote, const struct wire_slot *slot,
                     struct outcome *ret_outcome)
{
    /* Read once: the worker may write at any time. */
    const int32_t code = *(const volatile int32_t *)&slot->code;
    const int32_t task_code = *(const volatile int32_t *)&slot->task_code;
    const uint32_t value_bytes = *(const volatile uint32_t *)&slot->value_bytes;
    const uint16_t message_bytes = *(const volatile uint16_t *)&slot->message_bytes;
    const uint16_t where_bytes = *(const volatile uint16_t *)&slot->where_bytes;
    if (value_bytes > SLOT_RESULT_BYTES ||
        value_bytes + message_bytes + where_bytes > SLOT_RESULT_BYTES ||
        message_bytes >= MESSAGE_BYTES || where_bytes >= WHERE_BYTES ||
        !pool_wire_code_is_sound(code, value_bytes))
        return -EBADMSG;
    *ret_outcome = pool_outcome_of(code);
    ret_outcome->task_code = code == -EREMOTEIO ? task_code : 0;
    ret_outcome->worker_pid = remote->pid;
    ret_outcome->message = pool_wire_copy_words(slot->result + value_bytes, message_bytes);
    ret_outcome->where =
        pool_wire_copy_words(slot->result + value_bytes + message_bytes, where_bytes);
    int r = pool_outcome_set_value(ret_outcome, slot->result, value_bytes);
    if (r < 0) { /* our own shortage: the result is lost, and says so */
        ret_outcome->code = r;
        pool_outcome_say(ret_outcome, "its result could not be received: %s", strerror(-r));
    }
    return 1;
}

static void keep_deaths(struct job *job, struct outcome *outcome)
{
    outcome->deaths = job->deaths;
    job->outcome = *outcome;
}

int pool_remote_read_page(struct remote *remote, struct job **ret_job, uint64_t *ret_ran_ns)
{
    for (uint32_t number = remote->oldest; number != remote->next;
         number = (number + 1) & NUMBER_MASK) {
        const struct flight *flight = &remote->flights[number % PAGE_SLOTS];
        const struct wire_slot *slot = page_slot(remote->page, number);
        const uint32_t word = atomic_load(&slot->word);
        if (flight->state == FLIGHT_FLYING && word == slot_word(number, SLOT_DONE)) {
            struct outcome outcome;
            int r = read_slot(remote, slot, &outcome);
            if (r < 0)
                return r;
            *ret_ran_ns = *(const volatile uint64_t *)&slot->ran_ns;
            *ret_job = pool_remote_release(remote, number);
            keep_deaths(*ret_job, &outcome);
            return 1;
        } else if (word == slot_word(number, SLOT_SENT) ||
                   word == slot_word(number, SLOT_STARTED)) {
            return 0; /* it does them in order: nothing behind this one is done */
        }
    }
    return 0;
}

bool pool_remote_listen(struct remote *remote)
{
    atomic_store(&remote->page->host_listens, 1);
    for (uint32_t number = remote->oldest; number != remote->next;
         number = (number + 1) & NUMBER_MASK) {
        const struct flight *flight = &remote->flights[number % PAGE_SLOTS];
        const uint32_t word = atomic_load(&page_slot(remote->page, number)->word);
        if (flight->state == FLIGHT_FLYING && word == slot_word(number, SLOT_DONE))
            return false;
        if (word == slot_word(number, SLOT_SENT) || word == slot_word(number, SLOT_STARTED))
            break;
    }
    return true;
}

/* Read a message of wire_result's form.  Returns 0 or -EBADMSG. */
static int read_outcome(const struct remote *remote, const void *message, size_t size_bytes,
                        const struct wire_fds *fds, struct wire_result *ret_head,
                        struct outcome *ret_outcome)
{
    int r = pool_wire_read_outcome(message, size_bytes, fds, ret_head, ret_outcome);
    if (r == 0)
        ret_outcome->worker_pid = remote->pid;
    return r;
}

int pool_remote_read_result(struct remote *remote, const void *message, size_t size_bytes,
                            struct wire_fds *fds, struct job **ret_job, uint64_t *ret_ran_ns)
{
    struct wire_result head;
    struct outcome outcome;
    int r = read_outcome(remote, message, size_bytes, fds, &head, &outcome);
    if (r < 0)
        return r;
    const uint32_t word = atomic_load(&page_slot(remote->page, head.number)->word);
    if (!pool_remote_job(remote, head.number & NUMBER_MASK) ||
        word != slot_word(head.number & NUMBER_MASK, SLOT_REPLIED)) {
        pool_outcome_done(&outcome);
        return -EBADMSG;
    }
    *ret_ran_ns = head.ran_ns;
    *ret_job = pool_remote_release(remote, head.number & NUMBER_MASK);
    keep_deaths(*ret_job, &outcome);
    return 1;
}

int pool_remote_read_ready(struct remote *remote, const void *message, size_t size_bytes,
                           const struct wire_fds *fds)
{
    struct wire_result head;
    /* Said once; a flood of it would keep us from everything else. */
    if (remote->ready || remote->failed_init)
        return -EBADMSG;
    int r = read_outcome(remote, message, size_bytes, fds, &head, &remote->init_outcome);
    if (r < 0)
        return r;
    if (remote->pid == 0) /* it was faster than SPAWNED, which has the last word */
        remote->init_outcome.worker_pid = remote->pid = (pid_t)head.number;
    remote->failed_init = remote->init_outcome.code != 0;
    return 0;
}

/* ---- Ending -------------------------------------------------------------------------------- */

/* Before SPAWNED there is nobody to signal: it is kept, and delivered by pool_remote_spawned(). (A
 * worker whose pidfd is lost on the way is killed through the zygote.) */
static void signal_to(struct remote *remote, int signal_number)
{
    if (remote->pidfd >= 0)
        syscall(SYS_pidfd_send_signal, remote->pidfd, signal_number, NULL, 0);
    else
        remote->signal_waiting = signal_number;
}

void pool_remote_spawned(struct remote *remote, pid_t pid, int pidfd)
{
    remote->pid = pid;
    remote->pidfd = pidfd;
    if (remote->signal_waiting)
        signal_to(remote, remote->signal_waiting);
}

void pool_remote_dismiss(struct remote *remote, int within_ms)
{
    const int64_t kill_at_ns = pool_time_now_ns() + within_ms * NS_PER_MS;
    if (remote->dismissed && remote->state == REMOTE_STOPPING && kill_at_ns < remote->kill_at_ns)
        remote->kill_at_ns = kill_at_ns; /* there is less time now */
    if (remote->state != REMOTE_ALIVE)
        return;
    remote->state = REMOTE_STOPPING;
    remote->dismissed = true;
    remote->kill_at_ns = kill_at_ns;
    shutdown(remote->socket_fd, SHUT_WR);
}

void pool_remote_stop(struct remote *remote)
{
    if (remote->state != REMOTE_ALIVE)
        return;
    remote->state = REMOTE_STOPPING;
    remote->kill_at_ns = pool_time_now_ns() + GRACE_MS * NS_PER_MS;
    signal_to(remote, SIGTERM);
}

void pool_remote_kill_broken(struct remote *remote)
{
    remote->broken = remote->broken || remote->state == REMOTE_ALIVE;
    pool_remote_kill(remote);
}

void pool_remote_kill(struct remote *remote)
{
    if (remote->state == REMOTE_ALIVE)
        remote->state = REMOTE_STOPPING;
    remote->kill_at_ns = TIME_NEVER;
    signal_to(remote, SIGKILL);
}
