/* packet_priv.h: whole messages on UNIX sockets that several processes may hold, with timeouts;
 * private to pool.
 *
 * Neither call relies on O_NONBLOCK, which belongs to the open file and so to every process that
 * has it: each asks for what it needs with every message. */
#ifndef POOL_PACKET_PRIV_H
#define POOL_PACKET_PRIV_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "sync_priv.h"
#include "wire_priv.h"

/** Do not wait, as a point in time. */
#define PACKET_NOW INT64_C(0)

/** Is fd a connected UNIX socket of that type (SOCK_SEQPACKET, SOCK_DGRAM)? Its peer may be gone.
 *  Returns 0, -EBADMSG if it is something else, or -EBADF. */
int pool_packet_check(int fd, int type);

/** Send one message; wait until until_ns while the channel is full, or too many descriptors are
 *  under way.
 *  fds: borrowed.
 *  Returns 0, -ETIMEDOUT, -EPIPE (the peer is gone), -EMSGSIZE (the socket takes no message of that
 *  size), -EINVAL (more than WIRE_FDS_MAX descriptors), -ENOMEM, or another -errno. */
int pool_packet_send(int fd, const struct iovec *parts, size_t part_count, const int *fds,
                     size_t fd_count, int64_t until_ns);

/** Receive one message; wait for it until until_ns.
 *  parts: where to put it, changed by nobody.
 *  Returns its size (1 or more), -ETIMEDOUT, -EPIPE (nothing is left and the peer is gone),
 * -EBADMSG (empty, or too long for the parts: dropped, no descriptor is left open), or -errno. */
ssize_t pool_packet_receive(int fd, const struct iovec *parts, size_t part_count,
                            struct wire_fds *ret_fds, int64_t until_ns);

/** Wait until poll(2) says any of events, or that the peer is gone.
 *  Returns 1, 0 (the time is up), or -errno. */
int pool_packet_wait(int fd, short events, int64_t until_ns);

#endif
