#include "wire_priv.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PARTS_MAX 4

int pool_wire_send(int fd, const struct iovec *parts, size_t part_count, const int *fds,
                   size_t fd_count)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
        struct cmsghdr align;
    } control;
    struct iovec iov[PARTS_MAX];
    if (part_count > PARTS_MAX || fd_count > WIRE_FDS_MAX)
        return -EINVAL;
    memcpy(iov, parts, part_count * sizeof(iov[0]));
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = part_count};
    if (fd_count > 0) {
        memset(&control, 0, sizeof(control));
        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
        if (!head) /* there is room for one */
            return -EINVAL;
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(head), fds, sizeof(int) * fd_count);
    }
    for (;;) {
        if (sendmsg(fd, &msg, MSG_NOSIGNAL) >= 0)
            return 0;
        if (errno == EINTR)
            continue;
        return errno == ECONNRESET ? -EPIPE : -errno;
    }
}

static void take_fds(struct msghdr *msg, struct wire_fds *taken)
{
    for (struct cmsghdr *head = CMSG_FIRSTHDR(msg); head; head = CMSG_NXTHDR(msg, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        size_t here = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof(fd));
            if (taken->count < WIRE_FDS_MAX)
                taken->fds[taken->count++] = fd;
            else
                close(fd);
        }
    }
    taken->lost = (msg->msg_flags & MSG_CTRUNC) != 0;
}

ssize_t pool_wire_receive(int fd, void *buffer, size_t size_bytes, struct wire_fds *ret_fds)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
        struct cmsghdr align;
    } control;
    struct iovec iov = {.iov_base = buffer, .iov_len = size_bytes};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof(control.bytes)};
    struct wire_fds taken = {.count = 0};
    ssize_t got;
    /* A peer that died with unread messages raises ECONNRESET once, ahead of the messages that it
     * had sent: they are still there, so ask again until the true end of file. */
    do
        got = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
    while (got < 0 && (errno == EINTR || errno == ECONNRESET));
    if (got < 0)
        return -errno;
    take_fds(&msg, &taken);
    if (got == 0) /* end of file, or an empty message, which no sound peer sends: the same to us */
        pool_wire_fds_done(&taken);
    if (msg.msg_flags & MSG_TRUNC) {
        pool_wire_fds_done(&taken);
        return -EBADMSG;
    }
    *ret_fds = taken;
    return got;
}

void pool_wire_ring(int fd)
{
    const struct wire_control bell = {.type = WIRE_BELL};
    while (send(fd, &bell, sizeof(bell), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EINTR)
        continue;
}

void pool_wire_fds_done(struct wire_fds *fds)
{
    for (size_t i = 0; i < fds->count; i++)
        close(fds->fds[i]);
    fds->count = 0;
}
