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
    *ret_fd = fd;
    return 0;
}

int remote_create(uint32_t id, struct remote **ret_remote, int *ret_socket_fd, int *ret_page_fd)
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
    remote_free(remote);
    return r;
}

void remote_free(struct remote *remote)
{
    if (!remote)
        return;
    if (remote->socket_fd >= 0)
        close(remote->socket_fd);
    if (remote->pidfd >= 0)
        close(remote->pidfd);
    if (remote->page)
        munmap(remote->page, sizeof(*remote->page));
    free(remote);
}

/* ---- Tasks --------------------------------------------------------------------------------- */

static int send_job(struct remote *remote, const struct job *job, const struct wire_task *task,
                    int memfd)
{
    int fds[WIRE_FDS_MAX];
    size_t count = 0;
    const struct iovec parts[] = {
        {(void *)task, sizeof(*task)},
        {job->payload, memfd >= 0 ? 0 : job->payload_bytes},
    };
    if (memfd >= 0)
        fds[count++] = memfd;
    if (job->fd_count > 0)
        memcpy(fds + count, job->fds, job->fd_count * sizeof(fds[0]));
    return wire_send(remote->socket_fd, parts, 2, fds, count + job->fd_count);
}

int remote_send(struct remote *remote, struct job *job)
{
    unsigned slot = 0;
    while (remote->flights[slot].job) /* the caller looked: one is free */
        slot++;
    const uint32_t generation = remote->next_generation++ & (UINT32_MAX >> 2);
    struct wire_task task = {
        .type = WIRE_TASK,
        .slot = slot,
        .generation = generation,
        .task_index = job->task_index,
        .deadline_ns = job->deadline_ns,
        .payload_bytes = job->payload_bytes,
    };
    int memfd = -1;
    int r = 0;
    if (job->payload_bytes > WIRE_INLINE_MAX) {
        const struct iovec part = {job->payload, job->payload_bytes};
        r = blob_to_memfd(&part, 1, &memfd);
        task.in_memfd = 1;
    }
    if (r == 0) {
        atomic_store(&remote->page->slots[slot].word, slot_word(generation, SLOT_SENT));
        r = send_job(remote, job, &task, memfd);
    }
    if (memfd >= 0)
        close(memfd);
    if (r < 0)
        return r;
    remote->flights[slot] =
        (struct flight){.job = job, .generation = generation, .sent_ns = time_now_ns()};
    remote->flight_count++;
    return 0;
}

struct job *remote_take_back(struct remote *remote, unsigned slot)
{
    const uint32_t generation = remote->flights[slot].generation;
    uint32_t sent = slot_word(generation, SLOT_SENT);
    if (!remote->flights[slot].job ||
        !atomic_compare_exchange_strong(&remote->page->slots[slot].word, &sent,
                                        slot_word(generation, SLOT_TAKEN)))
        return NULL;
    return remote_release(remote, slot);
}

bool remote_started(const struct remote *remote, unsigned slot, int64_t *ret_started_ns)
{
    const struct flight *flight = &remote->flights[slot];
    const uint32_t word = atomic_load(&remote->page->slots[slot].word);
    if (!flight->job || word != slot_word(flight->generation, SLOT_STARTED))
        return false;
    /* The worker wrote this time; keep it within what can be true. */
    const int64_t now_ns = time_now_ns();
    int64_t started_ns = atomic_load(&remote->page->slots[slot].started_ns);
    if (started_ns < flight->sent_ns)
        started_ns = flight->sent_ns;
    *ret_started_ns = started_ns > now_ns ? now_ns : started_ns;
    return true;
}

struct job *remote_release(struct remote *remote, unsigned slot)
{
    struct job *job = remote->flights[slot].job;
    remote->flights[slot] = (struct flight){0};
    remote->flight_count--;
    return job;
}

/* ---- Results ------------------------------------------------------------------------------- */

/* Does the head fit the task it names, and the message's size? A worker is not trusted. */
static bool result_is_sound(const struct remote *remote, const struct wire_result *head,
                            size_t size_bytes, const struct wire_fds *fds)
{
    if (head->type != WIRE_RESULT || head->slot >= PAGE_SLOTS)
        return false;
    const struct flight *flight = &remote->flights[head->slot];
    if (!flight->job || flight->generation != head->generation)
        return false;
    if (head->code != 0 && head->code != -EREMOTEIO && head->code != -ETIME)
        return false;
    if (head->message_bytes >= MESSAGE_BYTES || (head->code != 0 && head->value_bytes != 0))
        return false;
    if (head->in_memfd)
        return size_bytes == sizeof(*head) + head->message_bytes && (fds->count == 1 || fds->lost);
    return head->value_bytes <= WIRE_INLINE_MAX && fds->count == 0 &&
           size_bytes == sizeof(*head) + head->value_bytes + head->message_bytes;
}

/* The value, from the message or the memfd.  Returns 0 or -errno. */
static int take_value(const struct wire_result *head, const uint8_t *inline_bytes,
                      const struct wire_fds *fds, struct blob *ret_value)
{
    if (head->in_memfd)
        return fds->lost ? -EMFILE
                         : blob_from_memfd(fds->fds[0], (size_t)head->value_bytes, ret_value);
    if (head->value_bytes == 0)
        return 0;
    void *data = malloc((size_t)head->value_bytes);
    if (!data)
        return -ENOMEM;
    memcpy(data, inline_bytes, (size_t)head->value_bytes);
    *ret_value = (struct blob){.data = data, .size_bytes = (size_t)head->value_bytes};
    return 0;
}

int remote_read_result(struct remote *remote, const void *message, size_t size_bytes,
                       struct wire_fds *fds, struct job **ret_job, struct outcome *ret_outcome)
{
    struct wire_result head;
    struct outcome outcome = OUTCOME_INIT;
    if (size_bytes < sizeof(head))
        return -EBADMSG;
    memcpy(&head, message, sizeof(head));
    if (!result_is_sound(remote, &head, size_bytes, fds))
        return -EBADMSG;
    const uint8_t *body = (const uint8_t *)message + sizeof(head);
    outcome.code = head.code;
    outcome.task_code = head.code == -EREMOTEIO ? head.task_code : 0;
    outcome.worker_pid = remote->pid;
    memcpy(outcome.message, body + (head.in_memfd ? 0 : head.value_bytes), head.message_bytes);
    if (head.code == 0) {
        int r = take_value(&head, body, fds, &outcome.value);
        if (r == -EBADMSG)
            return r;
        if (r < 0) { /* our own shortage: the result is lost, and says so */
            outcome.code = r;
            snprintf(outcome.message, sizeof(outcome.message),
                     "its result could not be received: %s", strerror(-r));
        }
    }
    *ret_job = remote_release(remote, head.slot);
    *ret_outcome = outcome;
    return 0;
}

/* ---- Ending -------------------------------------------------------------------------------- */

/* Before SPAWNED there is nobody to signal: it is kept, and delivered by remote_spawned(). (A
 * worker whose pidfd is lost on the way is killed through the zygote.) */
static void signal_to(struct remote *remote, int signal_number)
{
    if (remote->pidfd >= 0)
        syscall(SYS_pidfd_send_signal, remote->pidfd, signal_number, NULL, 0);
    else
        remote->signal_waiting = signal_number;
}

void remote_spawned(struct remote *remote, pid_t pid, int pidfd)
{
    remote->pid = pid;
    remote->pidfd = pidfd;
    if (remote->signal_waiting)
        signal_to(remote, remote->signal_waiting);
}

void remote_dismiss(struct remote *remote)
{
    if (remote->state != REMOTE_ALIVE)
        return;
    remote->state = REMOTE_STOPPING;
    remote->kill_at_ns = time_now_ns() + LEAVE_MS * NS_PER_MS;
    shutdown(remote->socket_fd, SHUT_WR);
}

void remote_stop(struct remote *remote)
{
    if (remote->state != REMOTE_ALIVE)
        return;
    remote->state = REMOTE_STOPPING;
    remote->kill_at_ns = time_now_ns() + GRACE_MS * NS_PER_MS;
    signal_to(remote, SIGTERM);
}

void remote_kill(struct remote *remote)
{
    if (remote->state == REMOTE_ALIVE)
        remote->state = REMOTE_STOPPING;
    remote->kill_at_ns = TIME_NEVER;
    signal_to(remote, SIGKILL);
}
