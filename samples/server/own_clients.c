#include "own_clients.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sample.h"

/* A connection, and what is said in it. */
static FILE *client_open(const struct sockaddr_in *address, int number)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fd < 0 ? -errno : 0, "client");
    must(connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0,
         "client");
    FILE *stream = fdopen(fd, "r+");
    must(!stream || fprintf(stream, "hello %d\n", number) < 0 || fflush(stream) != 0 ? -EIO : 0,
         "client");
    return stream;
}

void *own_clients_main(void *address)
{
    for (int first = 0; first < OWN_CLIENTS; first += OWN_CLIENTS_AT_ONCE) {
        FILE *streams[OWN_CLIENTS_AT_ONCE];
        char answer[64];
        for (int i = 0; i < OWN_CLIENTS_AT_ONCE; i++)
            streams[i] = client_open(address, first + i);
        for (int i = 0; i < OWN_CLIENTS_AT_ONCE; i++) {
            must(fgets(answer, sizeof(answer), streams[i]) ? 0 : -EPIPE, "client");
            printf("client %d: hello %d -> %s", first + i, first + i, answer);
        }
        for (int i = 0; i < OWN_CLIENTS_AT_ONCE; i++)
            fclose(streams[i]);
    }
    return NULL;
}
