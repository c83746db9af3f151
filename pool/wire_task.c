#include "wire_task_priv.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define TOO_MANY_REFS_WAIT_MS 5

/* ---- The call ------------------------------------------------------------------------------ */

int pool_wire_send_task(int socket_fd, struct wire_task *head, const void *payload,
                        const int *more_fds, size_t more_count)
{
    int fds[WIRE_FDS_MAX];
    size_t count = 0;
    struct iovec parts[] = {{head, sizeof(*head)}, {(void *)payload, head->payload_bytes}};
    int memfd = -1;
    if (more_count > WIRE_FDS_MAX - 1)
        return -EINVAL;
    if (head->payload_bytes > WIRE_INLINE_MAX) {
        int r = pool_blob_to_memfd(&parts[1], 1, &memfd);
        if (r < 0)
            return r;
        head->in_memfd = 1;
        parts[1].iov_len = 0;
        fds[count++] = memfd;
    }
    if (more_count > 0)
        memcpy(fds + count, more_fds, more_count * sizeof(fds[0]));
    int r = pool_wire_send(socket_fd, parts, 2, fds, count + more_count);
    if (memfd >= 0)
        close(memfd);
    return r;
}

const struct wire_task *pool_wire_body_head(const struct wire_body *body)
{
    return (const void *)body->message;
}

void pool_wire_body_done(struct wire_body *body)
{
    if (body->full)
        pool_wire_fds_done(&body->fds);
    body->full = false;
}

int pool_wire_receive_body(int socket_fd, struct wire_body *body)
{
    struct wire_fds fds;
    pool_wire_body_done(body);
    ssize_t got = pool_wire_receive(socket_fd, body->message, sizeof(body->message), &fds);
    if (got <= 0)
        return (int)got;
    const struct wire_task *head = pool_wire_body_head(body);
    const uint32_t type = head->type;
    if (type == WIRE_BELL && fds.count == 0)
        return 1;
    body->fds = fds;
    body->size_bytes = (size_t)got;
    body->full = true;
    if ((type != WIRE_TASK && type != WIRE_START) || body->size_bytes < sizeof(*head))
        return -EBADMSG;
    if (head->in_memfd ? body->size_bytes != sizeof(*head) || (fds.count == 0 && !fds.lost)
                       : head->payload_bytes != body->size_bytes - sizeof(*head))
        return -EBADMSG;
    return 1;
}

void pool_wire_run_body(const struct wire_body *body, struct call_spec *spec,
                        struct outcome *ret_outcome)
{
    const struct wire_task *head = pool_wire_body_head(body);
    const size_t skip = head->in_memfd ? 1 : 0;
    struct blob mapped = {0};
    int r = body->fds.lost ? -EMFILE : 0;
    spec->payload = body->message + sizeof(*head);
    spec->payload_bytes = (size_t)head->payload_bytes;
    if (r == 0 && head->in_memfd) {
        r = pool_blob_from_memfd(body->fds.fds[0], spec->payload_bytes, &mapped);
        spec->payload = mapped.data;
    }
    if (r < 0) {
        *ret_outcome = pool_outcome_of(-EREMOTEIO);
        ret_outcome->task_code = r;
        pool_outcome_say(ret_outcome, "the task's data could not be received");
        return;
    }
    spec->fds = body->fds.fds + skip;
    spec->fd_count = body->fds.count - skip;
    pool_call_run(spec, ret_outcome);
    pool_blob_done(&mapped);
}

/* ---- How it ended -------------------------------------------------------------------------- */

int pool_wire_send_outcome(int socket_fd, uint32_t type, uint32_t number, uint64_t ran_ns,
                           const struct outcome *outcome)
{
    struct pool_bytes value = pool_outcome_value(outcome);
    const char *words = outcome->message ? outcome->message : "";
    const char *where = outcome->where ? outcome->where : "";
    struct wire_result result = {
        .type = type,
        .number = number,
        .code = outcome->code,
        .task_code = outcome->task_code,
        .message_bytes = (uint32_t)strnlen(words, MESSAGE_BYTES - 1),
        .where_bytes = (uint32_t)strnlen(where, WHERE_BYTES - 1),
        .value_bytes = outcome->code == 0 ? value.size_bytes : 0,
        .ran_ns = ran_ns,
    };
    int fd = -1;
    if (result.value_bytes > WIRE_INLINE_MAX) {
        const struct iovec part = {(void *)value.data, value.size_bytes};
        int r = pool_blob_to_memfd(&part, 1, &fd);
        if (r < 0) { /* the value cannot be handed over: the task fails with the system's word */
            result.code = -EREMOTEIO;
            result.task_code = r;
            result.value_bytes = 0;
        }
    }
    result.in_memfd = fd >= 0;
    const struct iovec parts[] = {
        {&result, sizeof(result)},
        {(void *)value.data, fd >= 0 ? 0 : (size_t)result.value_bytes},
        {(void *)words, result.message_bytes},
        {(void *)where, result.where_bytes},
    };
    int r;
    while ((r = pool_wire_send(socket_fd, parts, 4, &fd, fd >= 0)) == -ETOOMANYREFS)
        poll(NULL, 0, TOO_MANY_REFS_WAIT_MS); /* until the host has received some */
    if (fd >= 0)
        close(fd);
    return r;
}

bool pool_wire_code_is_sound(int32_t code, uint64_t value_bytes)
{
    return code == 0 || ((code == -EREMOTEIO || code == -ETIME) && value_bytes == 0);
}

char *pool_wire_copy_words(const uint8_t *bytes, size_t size_bytes)
{
    return size_bytes > 0 ? strndup((const char *)bytes, size_bytes) : NULL;
}

/* Does the head fit the message's size? */
static bool head_is_sound(const struct wire_result *head, size_t size_bytes,
                          const struct wire_fds *fds)
{
    if (!pool_wire_code_is_sound(head->code, head->value_bytes) ||
        head->message_bytes >= MESSAGE_BYTES || head->where_bytes >= WHERE_BYTES)
        return false;
    const size_t words_bytes = (size_t)head->message_bytes + head->where_bytes;
    /* One that was lost is our own shortage; several are a flood, whether or not all came. */
    if (head->in_memfd)
        return size_bytes == sizeof(*head) + words_bytes && fds->count == (fds->lost ? 0 : 1);
    return head->value_bytes <= WIRE_INLINE_MAX && fds->count == 0 &&
           size_bytes == sizeof(*head) + head->value_bytes + words_bytes;
}

/* The value, from the message or the memfd.  Returns 0 or -errno. */
static int take_value(const struct wire_result *head, const uint8_t *inline_bytes,
                      const struct wire_fds *fds, struct outcome *outcome)
{
    if (!head->in_memfd)
        return pool_outcome_set_value(outcome, inline_bytes, (size_t)head->value_bytes);
    return fds->lost
               ? -EMFILE
               : pool_blob_from_memfd(fds->fds[0], (size_t)head->value_bytes, &outcome->value);
}

int pool_wire_read_outcome(const void *message, size_t size_bytes, const struct wire_fds *fds,
                           struct wire_result *ret_head, struct outcome *ret_outcome)
{
    if (size_bytes < sizeof(*ret_head))
        return -EBADMSG;
    memcpy(ret_head, message, sizeof(*ret_head));
    if (!head_is_sound(ret_head, size_bytes, fds))
        return -EBADMSG;
    const uint8_t *body = (const uint8_t *)message + sizeof(*ret_head);
    const uint8_t *words = body + (ret_head->in_memfd ? 0 : ret_head->value_bytes);
    struct outcome outcome = pool_outcome_of(ret_head->code);
    outcome.task_code = ret_head->code == -EREMOTEIO ? ret_head->task_code : 0;
    if (ret_head->code == 0) {
        int r = take_value(ret_head, body, fds, &outcome);
        if (r == -EBADMSG)
            return r;
        if (r < 0) {
            outcome.code = r;
            pool_outcome_say(&outcome, "its result could not be received: %s", strerror(-r));
        }
    }
    if (!outcome.message)
        outcome.message = pool_wire_copy_words(words, ret_head->message_bytes);
    outcome.where = pool_wire_copy_words(words + ret_head->message_bytes, ret_head->where_bytes);
    *ret_outcome = outcome;
    return 0;
}
