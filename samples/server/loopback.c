#include "loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

struct loopback_text loopback_text(const struct sockaddr_in *address)
{
    struct loopback_text to;
    char host[INET_ADDRSTRLEN] = "?";
    inet_ntop(AF_INET, &address->sin_addr, host, sizeof(host));
    snprintf(to.text, sizeof(to.text), "%s:%u", host, ntohs(address->sin_port));
    return to;
}

struct sockaddr_in loopback_address(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

int loopback_listen(unsigned port, int flags, struct sockaddr_in *ret_address)
{
    struct sockaddr_in address = loopback_address(port);
    socklen_t size = sizeof(address);
    const int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
        const int r = -errno;
        close(fd);
        return r;
    }
    *ret_address = address;
    return fd;
}
