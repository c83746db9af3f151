#include "manager_call_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "blob_priv.h"
#include "message_priv.h"
#include "origin_priv.h"
#include "packet_priv.h"

/* Where the body of a reply is put. Bytes of the request may lie in the message, so what it holds
 * stays until the reply is there. */
struct place {
    struct pool_message *message; /* borrowed; may be NULL */
    void *fresh;                  /* owned: larger memory for it, or NULL */
    size_t fresh_bytes;
    int room_fd; /* owned: a memfd for a large reply, or -1 */
    size_t room_bytes;
};

static void *place_data(const struct place *place)
{
    if (!place->message)
        return NULL;
    return place->fresh ? place->fresh : place->message->data;
}

/* Have memory for so many bytes.  Returns 0 or -ENOMEM. */
static int place_extend(struct place *place, size_t size_bytes)
{
    if (!place->message || size_bytes <= place->fresh_bytes ||
        (!place->fresh && size_bytes <= place->message->room_bytes))
        return 0;
    void *fresh = malloc(size_bytes);
    if (!fresh)
        return -ENOMEM;
    free(place->fresh);
    place->fresh = fresh;
    place->fresh_bytes = size_bytes;
    return 0;
}

/* Have a memfd, and memory, for a body that takes so many bytes.  Returns 0 or -errno. */
static int place_make_room(struct place *place, uint64_t body_bytes)
{
    uint64_t room;
    if (!place->message) /* it was not asked for */
        return -EBADMSG;
    /* Something to spare: by the second time there may be more. */
    if (__builtin_add_overflow(body_bytes, body_bytes / 8, &room) || room > SIZE_MAX / 2)
        return -ENOMEM;
    int r = place_extend(place, (size_t)room);
    if (r < 0)
        return r;
    if (place->room_fd >= 0)
        close(place->room_fd);
    place->room_fd = memfd_create("pool-reply", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (place->room_fd < 0)
        return -errno;
    do /* the pages themselves: whether there is memory shows here and not later */
        r = fallocate(place->room_fd, 0, 0, (off_t)room);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return errno == ENOSPC ? -ENOMEM : -errno;
    place->room_bytes = (size_t)room;
    return 0;
}

/* Fetch a body from the memfd. */
static int place_read(const struct place *place, size_t body_bytes)
{
    uint8_t *next = place_data(place);
    for (off_t at = 0; (size_t)at < body_bytes;) {
        ssize_t got = pread(place->room_fd, next + at, body_bytes - (size_t)at, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EBADMSG;
        at += got;
    }
    return 0;
}

/* The body is there: give it to the message. */
static void place_deliver(struct place *place, size_t body_bytes)
{
    struct pool_message *message = place->message;
    if (!message)
        return;
    if (place->fresh) {
        free(message->data);
        message->data = place->fresh;
        message->room_bytes = place->fresh_bytes;
        place->fresh = NULL;
    }
    pool_message_reserve(message, body_bytes); /* there is room: it only closes descriptors */
}

static void place_done(struct place *place)
{
    free(place->fresh);
    if (place->room_fd >= 0)
        close(place->room_fd);
}

/* ---- One exchange -------------------------------------------------------------------------- */

static int send_request(int fd, const struct manager_call *call, const struct place *place)
{
    struct manager_request request = {.magic = MANAGER_REQUEST_MAGIC,
                                      .operation = call->operation,
                                      .object = call->object,
                                      .flags = call->message ? 0 : MANAGER_NO_VALUE,
                                      .key_bytes = call->key.size_bytes,
                                      .expected_bytes = call->expected.size_bytes,
                                      .value_bytes = call->value.size_bytes,
                                      .room_bytes = place->room_bytes,
                                      .number = call->number};
    const struct iovec parts[] = {{&request, sizeof(request)},
                                  {(void *)call->key.data, call->key.size_bytes},
                                  {(void *)call->expected.data, call->expected.size_bytes},
                                  {(void *)call->value.data, call->value.size_bytes}};
    const size_t body_bytes = parts[1].iov_len + parts[2].iov_len + parts[3].iov_len;
    int fds[2] = {-1, -1};
    size_t fd_count = 0;
    if (place->room_fd >= 0) {
        fds[fd_count++] = place->room_fd;
        request.flags |= MANAGER_ROOM;
    }
    if (body_bytes <= WIRE_INLINE_MAX) {
        int r = pool_packet_send(fd, parts, 4, fds, fd_count, TIME_NEVER);
        if (r != -EMSGSIZE || body_bytes == 0)
            return r;
    }
    fds[1] = fds[0];
    int r = pool_blob_to_memfd(&parts[1], 3, &fds[0]);
    if (r < 0)
        return r;
    request.flags |= MANAGER_IN_MEMFD;
    r = pool_packet_send(fd, parts, 1, fds, fd_count + 1, TIME_NEVER);
    close(fds[0]);
    return r;
}

/* Returns 0 with a reply whose body, if it has one, is in place; or -errno: there is no going on
 * with this connection. */
static int receive_reply(int fd, const struct place *place, struct manager_reply *ret_reply)
{
    struct manager_reply reply;
    struct wire_fds fds;
    const struct iovec parts[] = {{&reply, sizeof(reply)},
                                  {place_data(place), place->message ? WIRE_INLINE_MAX : 0}};
    ssize_t got = pool_packet_receive(fd, parts, 2, &fds, TIME_NEVER);
    if (got < 0)
        return (int)got;
    const bool no_fds = fds.count == 0;
    pool_wire_fds_done(&fds);
    const uint64_t inline_bytes = (uint64_t)got - sizeof(reply);
    if ((size_t)got < sizeof(reply) || reply.magic != MANAGER_REPLY_MAGIC || !no_fds)
        return -EBADMSG;
    if (reply.code != 0 || reply.in_room) {
        if (inline_bytes != 0 || reply.code > 0)
            return -EBADMSG;
        if (reply.code == 0) {
            if (place->room_fd < 0 || reply.body_bytes > place->room_bytes)
                return -EBADMSG;
            int r = place_read(place, (size_t)reply.body_bytes);
            if (r < 0)
                return r;
        }
    } else if (inline_bytes != reply.body_bytes) {
        return -EBADMSG;
    }
    *ret_reply = reply;
    return 0;
}

/* Returns 0 with a reply, which may say that it failed, or -errno. */
static int exchange(struct pool_manager *manager, const struct manager_call *call,
                    struct place *place, struct manager_reply *ret_reply)
{
    int r = send_request(manager->fd, call, place);
    if (r < 0)
        return r;
    r = receive_reply(manager->fd, place, ret_reply);
    if (r == 0)
        return 0;
    /* What comes next might be the answer to this: there must be no next. */
    shutdown(manager->fd, SHUT_RDWR);
    return -EPIPE;
}

int pool_manager_call(struct pool_manager *manager, const struct manager_call *call,
                      int64_t *ret_number)
{
    struct place place = {.message = call->message, .room_fd = -1};
    struct manager_reply reply = {.code = 0};
    if (manager->origin != pool_origin_now())
        return -ESTALE;
    /* All memory is there before anything is asked for: what is popped must not be lost. */
    int r = place_extend(&place, WIRE_INLINE_MAX);
    if (r == 0) {
        pthread_mutex_lock(&manager->lock);
        r = exchange(manager, call, &place, &reply);
        while (r == 0 && reply.code == -EMSGSIZE) {
            r = place_make_room(&place, reply.body_bytes);
            if (r == 0)
                r = exchange(manager, call, &place, &reply);
        }
        pthread_mutex_unlock(&manager->lock);
        if (r == 0)
            r = reply.code;
    }
    if (r == 0) {
        place_deliver(&place, (size_t)reply.body_bytes);
        if (ret_number)
            *ret_number = reply.number;
    }
    place_done(&place);
    return r;
}
