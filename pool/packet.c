#include "packet_priv.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Nothing tells when descriptors that were under way have arrived: look again so often. */
#define REFS_NAP_NS (5 * NS_PER_MS)

union control {
    char bytes[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
    struct cmsghdr align;
};

int pool_packet_check(int fd, int type)
{
    int value = 0;
    socklen_t size = sizeof(value);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &value, &size) < 0)
        return errno == EBADF ? -EBADF : -EBADMSG;
    if (value != AF_UNIX)
        return -EBADMSG;
    size = sizeof(value);
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size) < 0 || value != type)
        return -EBADMSG;
    struct sockaddr_storage peer;
    size = sizeof(peer);
    /* It goes on saying whom it was connected to once that one is gone. */
    return getpeername(fd, (struct sockaddr *)&peer, &size) < 0 ? -EBADMSG : 0;
}

int pool_packet_wait(int fd, short events, int64_t until_ns)
{
    struct pollfd wait = {.fd = fd, .events = events};
    for (;;) {
        int timeout_ms = -1;
        if (until_ns != TIME_NEVER) {
            const int64_t left_ns = until_ns == PACKET_NOW ? 0 : until_ns - pool_time_now_ns();
            const int64_t left_ms = left_ns <= 0 ? 0 : (left_ns - 1) / NS_PER_MS + 1;
            timeout_ms = left_ms > INT_MAX ? INT_MAX : (int)left_ms;
        }
        int r = poll(&wait, 1, timeout_ms);
        if (r >= 0)
            return r;
        if (errno != EINTR)
            return -errno;
    }
}

/* Wait for room. Returns 0 to try again, -ETIMEDOUT or -errno. */
static int wait_to_send(int fd, int error, int64_t until_ns)
{
    if (until_ns == PACKET_NOW)
        return -ETIMEDOUT;
    const int64_t now_ns = pool_time_now_ns();
    if (now_ns >= until_ns)
        return -ETIMEDOUT;
    if (error != ETOOMANYREFS) {
        int r = pool_packet_wait(fd, POLLOUT, until_ns);
        return r < 0 ? r : 0;
    }
    const int64_t nap_ns = now_ns + REFS_NAP_NS;
    int r = pool_packet_wait(fd, 0, nap_ns < until_ns ? nap_ns : until_ns);
    return r < 0 ? r : 0;
}

int pool_packet_send(int fd, const struct iovec *parts, size_t part_count, const int *fds,
                     size_t fd_count, int64_t until_ns)
{
    union control control;
    struct msghdr msg = {.msg_iov = (struct iovec *)parts, .msg_iovlen = part_count};
    if (fd_count > WIRE_FDS_MAX)
        return -EINVAL;
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
        /* A wait without end is the kernel's to do: one call less. */
        if (sendmsg(fd, &msg, MSG_NOSIGNAL | (until_ns == TIME_NEVER ? 0 : MSG_DONTWAIT)) >= 0)
            return 0;
        int r = 0;
        switch (errno) {
        case EINTR:
            continue;
        case EAGAIN:
        case ETOOMANYREFS:
            r = wait_to_send(fd, errno, until_ns);
            break;
        case ECONNRESET:
        case ECONNREFUSED: /* a datagram's word for a peer that is gone */
        case ENOTCONN:
            r = -EPIPE;
            break;
        case ENOBUFS:
            r = -ENOMEM;
            break;
        default:
            r = -errno;
        }
        if (r < 0)
            return r;
    }
}

static void take_fds(struct msghdr *msg, struct wire_fds *taken)
{
    for (struct cmsghdr *head = CMSG_FIRSTHDR(msg); head; head = CMSG_NXTHDR(msg, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        const size_t here = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
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

/* Nothing was read: is that the end, or a message without a byte? */
static int what_nothing_means(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLRDHUP};
    if (poll(&wait, 1, 0) > 0 && (wait.revents & (POLLRDHUP | POLLHUP)))
        return -EPIPE;
    return -EBADMSG;
}

ssize_t pool_packet_receive(int fd, const struct iovec *parts, size_t part_count,
                            struct wire_fds *ret_fds, int64_t until_ns)
{
    union control control;
    ssize_t got;
    struct msghdr msg;
    for (;;) {
        msg = (struct msghdr){.msg_iov = (struct iovec *)parts,
                              .msg_iovlen = part_count,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof(control.bytes)};
        got = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | (until_ns == TIME_NEVER ? 0 : MSG_DONTWAIT));
        /* A peer that died with unread messages raises ECONNRESET once, ahead of the messages that
         * it had sent: they are still there. */
        if (got < 0 && (errno == EINTR || errno == ECONNRESET))
            continue;
        if (got >= 0 || errno != EAGAIN)
            break;
        if (until_ns == PACKET_NOW || pool_time_now_ns() >= until_ns)
            return -ETIMEDOUT;
        int r = pool_packet_wait(fd, POLLIN, until_ns);
        if (r < 0)
            return r;
    }
    if (got < 0)
        return -errno;
    struct wire_fds taken = {.count = 0};
    take_fds(&msg, &taken);
    if (got == 0 || (msg.msg_flags & MSG_TRUNC)) {
        pool_wire_fds_done(&taken);
        return got == 0 ? what_nothing_means(fd) : -EBADMSG;
    }
    *ret_fds = taken;
    return got;
}
