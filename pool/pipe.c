/* pipe.c: a UNIX socket pair of whole messages, and nothing else: no lock, no memory that is
 * shared. So an end may be used by several threads and processes, of forked children too, and
 * whoever dies in the middle of a call leaves at most a message that nobody reads.
 *
 * A header goes before the data, so that a message that did not come from here is told apart. Data
 * above WIRE_INLINE_MAX, or above what the socket takes, travels as a sealed memfd, which is then
 * the first descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "blob_priv.h"
#include "ipc.h"
#include "message_priv.h"
#include "packet_priv.h"

#define PIPE_MAGIC UINT32_C(0x65706970) /* "pipe" */

struct pipe_header {
    uint32_t magic;
    uint16_t in_memfd; /* 0 or 1 */
    uint16_t fd_count; /* the memfd not counted */
    uint64_t size_bytes;
};
_Static_assert(sizeof(struct pipe_header) == 16, "no padding");

struct pool_pipe {
    int fd; /* fixed after create */
};

/* ---- Its life ------------------------------------------------------------------------------ */

/* fd: taken in every case. */
static int pipe_of(int fd, struct pool_pipe **ret_pipe)
{
    struct pool_pipe *pipe = malloc(sizeof(*pipe));
    if (!pipe) {
        close(fd);
        return -ENOMEM;
    }
    pipe->fd = fd;
    *ret_pipe = pipe;
    return 0;
}

int pool_pipe_create(struct pool_pipe **ret_first, struct pool_pipe **ret_second)
{
    int pair[2];
    struct pool_pipe *first, *second;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    int r = pipe_of(pair[0], &first);
    if (r < 0) {
        close(pair[1]);
        return r;
    }
    r = pipe_of(pair[1], &second);
    if (r < 0) {
        pool_pipe_free(first);
        return r;
    }
    *ret_first = first;
    *ret_second = second;
    return 0;
}

int pool_pipe_share(const struct pool_pipe *pipe)
{
    int fd = fcntl(pipe->fd, F_DUPFD_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

int pool_pipe_open(int fd, struct pool_pipe **ret_pipe)
{
    int r = pool_packet_check(fd, SOCK_SEQPACKET);
    if (r < 0)
        return r;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? -errno : pipe_of(copy, ret_pipe);
}

void pool_pipe_free(struct pool_pipe *pipe)
{
    if (!pipe)
        return;
    close(pipe->fd);
    free(pipe);
}

int pool_pipe_fd(const struct pool_pipe *pipe)
{
    return pipe->fd;
}

int pool_pipe_poll(struct pool_pipe *pipe, int timeout_ms)
{
    return pool_packet_wait(pipe->fd, POLLIN, pool_time_after_ms(timeout_ms));
}

/* ---- Sending ------------------------------------------------------------------------------- */

static int send_in_memfd(const struct pool_pipe *pipe, struct pipe_header *header, const void *data,
                         const int *fds, int64_t until_ns)
{
    const struct iovec content = {(void *)data, header->size_bytes};
    const struct iovec part = {header, sizeof(*header)};
    int all[WIRE_FDS_MAX];
    int r = pool_blob_to_memfd(&content, 1, &all[0]);
    if (r < 0)
        return r;
    if (header->fd_count > 0)
        memcpy(&all[1], fds, header->fd_count * sizeof(fds[0]));
    header->in_memfd = 1;
    r = pool_packet_send(pipe->fd, &part, 1, all, header->fd_count + 1U, until_ns);
    close(all[0]);
    return r;
}

int pool_pipe_send(struct pool_pipe *pipe, const void *data, size_t size_bytes, const int *fds,
                   size_t fd_count, int timeout_ms)
{
    if (fd_count > POOL_FDS_MAX || (fd_count > 0 && !fds) || (size_bytes > 0 && !data))
        return -EINVAL;
    const int64_t until_ns = timeout_ms == 0 ? PACKET_NOW : pool_time_after_ms(timeout_ms);
    struct pipe_header header = {
        .magic = PIPE_MAGIC, .fd_count = (uint16_t)fd_count, .size_bytes = size_bytes};
    if (size_bytes <= WIRE_INLINE_MAX) {
        const struct iovec parts[] = {{&header, sizeof(header)}, {(void *)data, size_bytes}};
        int r = pool_packet_send(pipe->fd, parts, 2, fds, fd_count, until_ns);
        if (r != -EMSGSIZE || size_bytes == 0) /* a system whose sockets have small buffers */
            return r;
    }
    return send_in_memfd(pipe, &header, data, fds, until_ns);
}

/* ---- Receiving ----------------------------------------------------------------------------- */

/* Copy what came in a memfd. */
static int read_memfd(int fd, size_t size_bytes, struct pool_message *message)
{
    struct blob blob;
    int r = pool_blob_from_memfd(fd, size_bytes, &blob);
    if (r < 0)
        return r;
    r = pool_message_reserve(message, size_bytes);
    if (r == 0)
        memcpy(message->data, blob.data, size_bytes);
    pool_blob_done(&blob);
    return r;
}

/* The message's data is in place if it came inline. On success its descriptors are taken. */
static int accept_message(const struct pipe_header *header, size_t got, struct wire_fds *fds,
                          struct pool_message *message)
{
    if (got < sizeof(*header) || header->magic != PIPE_MAGIC || header->in_memfd > 1)
        return -EBADMSG;
    if (fds->lost)
        return -EMFILE;
    if (header->fd_count > POOL_FDS_MAX ||
        fds->count != (size_t)header->fd_count + header->in_memfd)
        return -EBADMSG;
    if (header->in_memfd) {
        int r = got == sizeof(*header) ? read_memfd(fds->fds[0], header->size_bytes, message)
                                       : -EBADMSG;
        if (r < 0)
            return r;
        close(fds->fds[0]);
    } else {
        if (got - sizeof(*header) != header->size_bytes)
            return -EBADMSG;
        message->size_bytes = got - sizeof(*header);
    }
    memcpy(message->fds, fds->fds + header->in_memfd, header->fd_count * sizeof(fds->fds[0]));
    message->fd_count = header->fd_count;
    fds->count = 0;
    return 0;
}

int pool_pipe_receive(struct pool_pipe *pipe, int timeout_ms, struct pool_message *message)
{
    /* Its size is not known before it is here, and who asked first might not be who gets it: so
     * there must be room for the longest. */
    int r = pool_message_make_room(message, WIRE_INLINE_MAX);
    if (r < 0)
        return r;
    const int64_t until_ns = timeout_ms == 0 ? PACKET_NOW : pool_time_after_ms(timeout_ms);
    struct pipe_header header;
    struct wire_fds fds;
    const struct iovec parts[] = {{&header, sizeof(header)}, {message->data, message->room_bytes}};
    ssize_t got = pool_packet_receive(pipe->fd, parts, 2, &fds, until_ns);
    if (got >= 0 || got == -EBADMSG) /* the last message is overwritten: it goes as a whole */
        pool_message_reserve(message, 0);
    if (got < 0)
        return (int)got;
    r = accept_message(&header, (size_t)got, &fds, message);
    pool_wire_fds_done(&fds);
    return r;
}
