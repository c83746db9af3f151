/* loopback.h: addresses and sockets on 127.0.0.1, for the samples with servers. */
#ifndef SAMPLES_LOOPBACK_H
#define SAMPLES_LOOPBACK_H

#include <netinet/in.h>

/** An address as text: "127.0.0.1:8888". */
struct loopback_text {
    char text[INET_ADDRSTRLEN + 8];
};
struct loopback_text loopback_text(const struct sockaddr_in *address);

struct sockaddr_in loopback_address(unsigned port);

/** Listen on a port, 0 = any.  flags: SOCK_NONBLOCK or 0.  ret_address: with the port.
 *  Returns a descriptor, which the caller closes, or a negative errno value. */
int loopback_listen(unsigned port, int flags, struct sockaddr_in *ret_address);

#endif
