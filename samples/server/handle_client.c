#include "handle_client.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "loopback.h"

enum { SILENCE_S = 5, LINE_BYTES = 4096 };

/* What has been received and not yet used. */
struct input {
    int fd;
    size_t used;
    char bytes[LINE_BYTES];
};

/* The next line, with its end, into line. Returns its length, 0 if the client has gone (a last
 * line without an end is none), or a negative errno value: -EAGAIN after too long a silence. */
static ssize_t read_line(struct input *input, char line[LINE_BYTES])
{
    char *end;
    while (!(end = memchr(input->bytes, '\n', input->used))) {
        if (input->used == LINE_BYTES)
            return -EMSGSIZE;
        const ssize_t got =
            recv(input->fd, input->bytes + input->used, LINE_BYTES - input->used, 0);
        if (got == 0 || (got < 0 && errno == ECONNRESET))
            return 0;
        if (got < 0 && errno != EINTR)
            return -errno;
        input->used += got > 0 ? (size_t)got : 0;
    }
    const size_t length = (size_t)(end - input->bytes) + 1;
    memcpy(line, input->bytes, length);
    input->used -= length;
    memmove(input->bytes, input->bytes + length, input->used);
    return (ssize_t)length;
}

/* Returns 1, 0 if the client has gone, or a negative errno value. */
static int send_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        const ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
            return 0;
        if (sent < 0 && errno != EINTR)
            return -errno;
        data += sent > 0 ? sent : 0;
        size -= sent > 0 ? (size_t)sent : 0;
    }
    return 1;
}

static int answer_line(int fd, const char *line, size_t length)
{
    char answer[LINE_BYTES + 32];
    size_t used = (size_t)snprintf(answer, sizeof(answer), "[%d] ", (int)getpid());
    for (size_t i = 0; i < length; i++)
        answer[used++] = (char)toupper((unsigned char)line[i]);
    return send_all(fd, answer, used);
}

/* The rest of the request is of no interest, but it has to be read: closing a connection with
 * something unread in it would take the answer back. */
static int answer_http(struct input *input, char line[LINE_BYTES])
{
    char answer[256], body[64];
    ssize_t length;
    do {
        if ((length = read_line(input, line)) <= 0)
            return (int)length;
    } while (length > 2 || (line[0] != '\r' && line[0] != '\n'));
    const int size = snprintf(body, sizeof(body), "hello from worker %d\n", (int)getpid());
    const int used = snprintf(answer, sizeof(answer),
                              "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                              "Content-Length: %d\r\nConnection: close\r\n\r\n%s",
                              size, body);
    return send_all(input->fd, answer, (size_t)used);
}

int handle_client(struct pool_call *call)
{
    const struct timeval silence = {.tv_sec = SILENCE_S};
    const struct pool_bytes field = pool_call_field(call, 0);
    struct input input = {.fd = pool_call_fd(call, 0)};
    struct sockaddr_in client;
    char line[LINE_BYTES];
    bool http = false;
    int lines = 0, r = 1;

    if (field.size_bytes != sizeof(client) || input.fd < 0)
        return pool_call_fail(call, -EINVAL, "an address and a connection are expected");
    memcpy(&client, field.data, sizeof(client));
    if (setsockopt(input.fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence)) < 0 ||
        setsockopt(input.fd, SOL_SOCKET, SO_SNDTIMEO, &silence, sizeof(silence)) < 0)
        return pool_call_fail(call, -errno, "%s: %s", loopback_text(&client).text, strerror(errno));
    while (r > 0 && !http) {
        const ssize_t length = read_line(&input, line);
        http = length > 4 && memcmp(line, "GET ", 4) == 0;
        if (length <= 0)
            r = (int)length;
        else if (http)
            r = answer_http(&input, line);
        else
            r = answer_line(input.fd, line, (size_t)length);
        lines += r > 0;
    }
    /* The server has a copy of the descriptor: this says the end without waiting for that one. */
    shutdown(input.fd, SHUT_WR);
    if (r < 0)
        return pool_call_fail(call, r, "%s: %s", loopback_text(&client).text,
                              r == -EAGAIN ? "silent for too long" : strerror(-r));
    return pool_call_write(call, &lines, sizeof(lines));
}
