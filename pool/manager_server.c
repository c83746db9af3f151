/* manager_server.c: the server process of a manager: one thread that waits for whichever client has
 * something to say, and answers it without ever waiting for that client. See manager_wire_priv.h
 * for what is said, and manager_data_priv.h for what it does.
 *
 * Fairness: a turn of the loop takes one message from each client that has one. Waiting sockets are
 * told by the kernel, so a client that is stopped, slow or flooding costs the others nothing but
 * the time of its own requests. */
#include "manager_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blob_priv.h"
#include "manager.h"
#include "manager_data_priv.h"
#include "packet_priv.h"
#include "task.h"

#define EVENTS_AT_ONCE 64

/* Descriptors that are kept for other things than clients: what the process has anyway, and those
 * that come with messages. */
#define FDS_KEPT ((rlim_t)32)

/* Whatever epoll tells about begins with this. */
enum watched { WATCH_LEASH, WATCH_RENDEZVOUS, WATCH_SIGNALS, WATCH_CLIENT };

struct client {
    enum watched watched;
    int fd;                       /* owned */
    size_t inline_max;            /* the largest body that its socket takes */
    struct client *next, **place; /* place: what points here */
};

struct server {
    int leash_fd; /* borrowed */
    int rendezvous_fd, epoll_fd, signal_fd;
    struct client *first;
    size_t client_count, clients_max;
    struct manager_data data;
    uint8_t *request_body, *reply_body; /* WIRE_INLINE_MAX each */
    bool ends;
};

/* ---- Replies ------------------------------------------------------------------------------- */

static int send_reply(int fd, int code, int64_t number, bool in_room, uint64_t body_bytes,
                      struct pool_bytes body)
{
    const struct manager_reply reply = {.magic = MANAGER_REPLY_MAGIC,
                                        .code = code,
                                        .number = number,
                                        .body_bytes = body_bytes,
                                        .in_room = in_room};
    const struct iovec parts[] = {{(void *)&reply, sizeof(reply)},
                                  {(void *)body.data, body.size_bytes}};
    return pool_packet_send(fd, parts, 2, NULL, 0, PACKET_NOW);
}

static int send_code(int fd, int code)
{
    return send_reply(fd, code, 0, false, 0, (struct pool_bytes){NULL, 0});
}

static int send_welcome(int fd, const int *fds, size_t fd_count)
{
    const struct manager_reply reply = {.magic = MANAGER_REPLY_MAGIC};
    const struct iovec part = {(void *)&reply, sizeof(reply)};
    int r = pool_packet_send(fd, &part, 1, fds, fd_count, PACKET_NOW);
    return r == -ETIMEDOUT ? -EMFILE : r; /* more descriptors are under way than may be */
}

/* Where a large reply goes. */
struct room {
    int fd; /* borrowed; -1: none */
    uint64_t size_bytes;
};

/* Bytes are collected and written when there are many. */
struct writer {
    int fd; /* -1: they stay in the buffer, which is large enough */
    off_t at;
    uint8_t *buffer; /* WIRE_INLINE_MAX */
    size_t used;
};

static int write_at(struct writer *writer, const uint8_t *data, size_t size_bytes)
{
    while (size_bytes > 0) {
        ssize_t wrote = pwrite(writer->fd, data, size_bytes, writer->at);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return wrote < 0 ? -errno : -EIO;
        data += wrote;
        size_bytes -= (size_t)wrote;
        writer->at += wrote;
    }
    return 0;
}

static int flush(struct writer *writer)
{
    const size_t used = writer->used;
    writer->used = 0;
    return write_at(writer, writer->buffer, used);
}

static int write_bytes(void *to, const void *data, size_t size_bytes)
{
    struct writer *writer = to;
    int r = 0;
    if (size_bytes == 0)
        return 0;
    if (size_bytes > WIRE_INLINE_MAX - writer->used)
        r = writer->fd < 0 ? -ENOSPC : flush(writer);
    if (r < 0)
        return r;
    if (size_bytes > WIRE_INLINE_MAX)
        return write_at(writer, data, size_bytes);
    memcpy(writer->buffer + writer->used, data, size_bytes);
    writer->used += size_bytes;
    return 0;
}

static int write_body(const struct manager_answer *answer, struct writer *writer)
{
    if (answer->items)
        return pool_manager_items_write(answer->items, write_bytes, writer);
    return write_bytes(writer, answer->value.data, answer->value.size_bytes);
}

/* Give a client its answer.
 * Returns 1 if the client has it, 0 if it has been told that there is not enough room, or -errno:
 * it is no use to talk to it any longer. */
static int deliver(struct server *server, const struct client *client,
                   const struct manager_answer *answer, const struct room *room)
{
    const struct pool_bytes none = {NULL, 0};
    const uint64_t size = answer->items ? answer->items_bytes : answer->value.size_bytes;
    struct writer writer = {.fd = -1, .buffer = server->reply_body};
    int r;
    if (answer->code < 0) {
        r = send_code(client->fd, answer->code);
    } else if (size <= client->inline_max) {
        struct pool_bytes body = answer->value;
        if (answer->items) {
            r = write_body(answer, &writer);
            if (r < 0)
                return r;
            body = (struct pool_bytes){writer.buffer, writer.used};
        }
        r = send_reply(client->fd, 0, answer->number, false, size, body);
    } else if (room->fd < 0 || room->size_bytes < size) {
        r = send_reply(client->fd, -EMSGSIZE, 0, false, size, none);
        return r < 0 ? r : 0;
    } else {
        writer.fd = room->fd;
        r = write_body(answer, &writer);
        if (r == 0)
            r = flush(&writer);
        if (r < 0) /* it was to be all there: see check_room() */
            return r;
        r = send_reply(client->fd, 0, answer->number, true, size, none);
    }
    return r < 0 ? r : 1;
}

/* ---- Requests ------------------------------------------------------------------------------ */

/* A memfd, so that writing never waits, which has its memory already and may be written. */
static int check_room(int fd, uint64_t size_bytes)
{
    struct stat st;
    const int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)))
        return -EBADMSG;
    if (fstat(fd, &st) < 0 || st.st_size < 0 || (uint64_t)st.st_size < size_bytes ||
        (uint64_t)st.st_blocks * 512 < size_bytes)
        return -EBADMSG;
    return 0;
}

static int cut(const struct manager_request *request, const void *body, uint64_t body_bytes,
               struct manager_command *command)
{
    struct pool_bytes *const parts[] = {&command->key, &command->expected, &command->value};
    const uint64_t sizes[] = {request->key_bytes, request->expected_bytes, request->value_bytes};
    const uint8_t *next = body;
    for (size_t i = 0; i < 3; i++) {
        if (sizes[i] > body_bytes)
            return -EBADMSG;
        *parts[i] = (struct pool_bytes){next, (size_t)sizes[i]};
        if (sizes[i] > 0)
            next += sizes[i];
        body_bytes -= sizes[i];
    }
    return body_bytes == 0 ? 0 : -EBADMSG;
}

/* Do what is asked and answer.  body: of body_bytes. */
static int obey(struct server *server, const struct client *client,
                const struct manager_request *request, const void *body, uint64_t body_bytes,
                const struct room *room)
{
    struct manager_answer answer;
    struct manager_command command = {.operation = (enum manager_operation)request->operation,
                                      .object = request->object,
                                      .number = request->number};
    int r = cut(request, body, body_bytes, &command);
    if (r == 0)
        r = pool_manager_data_do(&server->data, &command, &answer);
    if (r < 0)
        return r;
    if (request->flags & MANAGER_NO_VALUE)
        answer.value = (struct pool_bytes){NULL, 0};
    const bool found = answer.code == 0;
    r = deliver(server, client, &answer, room);
    if (r > 0 && found)
        pool_manager_data_delivered(&server->data, &command);
    return r < 0 ? r : 0;
}

/* The same for a body in a memfd. */
static int obey_memfd(struct server *server, const struct client *client,
                      const struct manager_request *request, int fd, const struct room *room)
{
    struct blob blob;
    uint64_t size;
    if (__builtin_add_overflow(request->key_bytes, request->expected_bytes, &size) ||
        __builtin_add_overflow(size, request->value_bytes, &size))
        return -EBADMSG;
    int r = pool_blob_from_memfd(fd, size, &blob);
    if (r == -EBADMSG)
        return r;
    if (r < 0)
        return send_code(client->fd, r);
    r = obey(server, client, request, blob.data, size, room);
    pool_blob_done(&blob);
    return r;
}

static int obey_message(struct server *server, const struct client *client,
                        const struct manager_request *request, size_t got,
                        const struct wire_fds *fds)
{
    struct room room = {.fd = -1, .size_bytes = request->room_bytes};
    const bool in_memfd = request->flags & MANAGER_IN_MEMFD;
    const bool has_room = request->flags & MANAGER_ROOM;
    if (got < sizeof(*request) || request->magic != MANAGER_REQUEST_MAGIC ||
        (request->flags & ~(uint32_t)MANAGER_FLAGS))
        return -EBADMSG;
    if (fds->lost) /* nothing is done */
        return send_code(client->fd, -EMFILE);
    if (fds->count != (size_t)in_memfd + has_room)
        return -EBADMSG;
    if (has_room) {
        room.fd = fds->fds[fds->count - 1];
        int r = check_room(room.fd, room.size_bytes);
        if (r < 0)
            return r;
    }
    if (!in_memfd)
        return obey(server, client, request, server->request_body, got - sizeof(*request), &room);
    return got == sizeof(*request) ? obey_memfd(server, client, request, fds->fds[0], &room)
                                   : -EBADMSG;
}

/* ---- Clients ------------------------------------------------------------------------------- */

static int watch(const struct server *server, int fd, enum watched *watched)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = watched}};
    return epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static void client_drop(struct server *server, struct client *client)
{
    close(client->fd); /* which nobody else has: so it is no longer watched */
    /* client_add() has set it. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    *client->place = client->next;
    if (client->next)
        client->next->place = client->place;
    server->client_count--;
    free(client);
}

/* Add one, and make its connection.  ret_theirs: owned, the client's end.  Returns 0 or -errno. */
static int client_add(struct server *server, struct client **ret_client, int *ret_theirs)
{
    int pair[2], buffer_bytes = 0;
    socklen_t size = sizeof(buffer_bytes);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    struct client *client = calloc(1, sizeof(*client));
    int r = client ? 0 : -ENOMEM;
    if (r == 0 && getsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &buffer_bytes, &size) < 0)
        r = -errno;
    if (r == 0) {
        *client = (struct client){.watched = WATCH_CLIENT,
                                  .fd = pair[0],
                                  .inline_max = (size_t)buffer_bytes / 2,
                                  .next = server->first,
                                  .place = &server->first};
        if (client->inline_max > WIRE_INLINE_MAX)
            client->inline_max = WIRE_INLINE_MAX;
        r = watch(server, pair[0], &client->watched);
    }
    if (r < 0) {
        free(client);
        close(pair[0]);
        close(pair[1]);
        return r;
    }
    if (client->next)
        client->next->place = &client->next;
    server->first = client;
    server->client_count++;
    *ret_client = client;
    *ret_theirs = pair[1];
    return 0;
}

/* Give a connection to whoever waits on the other end of fd.  more_fd: -1, or what goes with it.
 * Returns 0 or -errno. */
static int welcome(struct server *server, int fd, int more_fd)
{
    struct client *client = NULL;
    int theirs[2] = {-1, more_fd};
    int r = -EMFILE;
    if (server->client_count < server->clients_max)
        r = client_add(server, &client, &theirs[0]);
    if (!client)
        return r;
    r = send_welcome(fd, theirs, more_fd >= 0 ? 2 : 1);
    close(theirs[0]); /* now the client alone has it: its death is our end of file */
    if (r < 0)
        client_drop(server, client);
    return r;
}

/* Somebody introduces himself, or something makes no sense and is passed over. */
static void serve_rendezvous(struct server *server)
{
    struct manager_greeting greeting;
    struct wire_fds fds = {.count = 0};
    const struct iovec part = {&greeting, sizeof(greeting)};
    ssize_t got = pool_packet_receive(server->rendezvous_fd, &part, 1, &fds, PACKET_NOW);
    if (got < 0)
        return;
    if (got == sizeof(greeting) && greeting.magic == MANAGER_CONNECT_MAGIC &&
        greeting.version == MANAGER_VERSION && fds.count == 1 &&
        pool_packet_check(fds.fds[0], SOCK_SEQPACKET) == 0) {
        int r = welcome(server, fds.fds[0], -1);
        if (r < 0)
            send_code(fds.fds[0], r);
    }
    pool_wire_fds_done(&fds);
}

static void serve_client(struct server *server, struct client *client)
{
    struct manager_request request;
    struct wire_fds fds;
    const struct iovec parts[] = {{&request, sizeof(request)},
                                  {server->request_body, WIRE_INLINE_MAX}};
    ssize_t got = pool_packet_receive(client->fd, parts, 2, &fds, PACKET_NOW);
    if (got == -ETIMEDOUT)
        return;
    int r = (int)got;
    if (got > 0) {
        r = obey_message(server, client, &request, (size_t)got, &fds);
        pool_wire_fds_done(&fds);
    }
    if (r < 0)
        client_drop(server, client);
}

/* ---- The process --------------------------------------------------------------------------- */

static int signals_init(struct server *server)
{
    /* A limit on the size of files, which memfds are too, is to be an error and not the end. */
    sigset_t set;
    signal(SIGXFSZ, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    server->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return server->signal_fd < 0 ? -errno : 0;
}

static void limits_init(struct server *server)
{
    struct rlimit limit;
    server->clients_max = 1;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur > FDS_KEPT + 1)
        server->clients_max = (size_t)(limit.rlim_cur - FDS_KEPT);
}

/* A pair of datagram sockets, and what shows it to be a manager's.  ret_theirs: owned. */
static int rendezvous_init(struct server *server, int *ret_theirs)
{
    struct manager_greeting signature = {.magic = MANAGER_SIGNATURE_MAGIC,
                                         .version = MANAGER_VERSION};
    const struct iovec part = {&signature, sizeof(signature)};
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    server->rendezvous_fd = pair[0];
    *ret_theirs = pair[1];
    return pool_packet_send(pair[0], &part, 1, NULL, 0, PACKET_NOW);
}

/* ret_theirs: owned, also after a failure: the clients' end of the rendezvous, or -1. */
static int init(struct server *server, size_t bytes_max, enum watched watched[WATCH_CLIENT],
                int *ret_theirs)
{
    for (int i = 0; i < WATCH_CLIENT; i++)
        watched[i] = (enum watched)i;
    limits_init(server);
    int r = signals_init(server);
    if (r < 0)
        return r;
    r = pool_manager_data_init(&server->data, bytes_max);
    if (r < 0)
        return r;
    server->request_body = malloc(WIRE_INLINE_MAX);
    server->reply_body = malloc(WIRE_INLINE_MAX);
    if (!server->request_body || !server->reply_body)
        return -ENOMEM;
    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (server->epoll_fd < 0)
        return -errno;
    r = rendezvous_init(server, ret_theirs);
    if (r == 0)
        r = watch(server, server->rendezvous_fd, &watched[WATCH_RENDEZVOUS]);
    if (r == 0)
        r = watch(server, server->leash_fd, &watched[WATCH_LEASH]);
    if (r == 0)
        r = watch(server, server->signal_fd, &watched[WATCH_SIGNALS]);
    return r;
}

static int loop(struct server *server)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    while (!server->ends) {
        int count = epoll_wait(server->epoll_fd, events, EVENTS_AT_ONCE, -1);
        if (count < 0 && errno != EINTR)
            return -errno;
        /* Each is in there once, and a client is dropped only in its own turn. */
        for (int i = 0; i < count && !server->ends; i++) {
            enum watched *watched = events[i].data.ptr;
            if (*watched == WATCH_CLIENT)
                serve_client(server, events[i].data.ptr);
            else if (*watched == WATCH_RENDEZVOUS)
                serve_rendezvous(server);
            else
                server->ends = true; /* the maker has let go, or SIGTERM */
        }
    }
    return 0;
}

static void done(struct server *server)
{
    const int fds[] = {server->rendezvous_fd, server->epoll_fd, server->signal_fd};
    while (server->first) /* the first one's place is server->first: it goes from there */
        client_drop(server, server->first); /* NOLINT(clang-analyzer-unix.Malloc) */
    pool_manager_data_done(&server->data);
    free(server->request_body);
    free(server->reply_body);
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

int pool_manager_server_run(int leash_fd, size_t bytes_max)
{
    struct server server = {
        .leash_fd = leash_fd, .rendezvous_fd = -1, .epoll_fd = -1, .signal_fd = -1};
    enum watched watched[WATCH_CLIENT];
    int theirs = -1;
    int r = init(&server, bytes_max, watched, &theirs);
    if (r == 0)
        r = welcome(&server, leash_fd, theirs);
    if (r < 0)
        send_code(leash_fd, r); /* why there is no welcome */
    if (theirs >= 0)
        close(theirs);
    if (r == 0)
        r = loop(&server);
    done(&server);
    return r;
}

int pool_manager_serve(struct pool_call *call)
{
    size_t bytes_max;
    const struct pool_bytes field = pool_call_field(call, 0);
    const int leash_fd = pool_call_fd(call, 0);
    if (field.size_bytes != sizeof(bytes_max) || leash_fd < 0)
        return pool_call_fail(call, -EINVAL, "a manager needs a descriptor and a size");
    memcpy(&bytes_max, field.data, sizeof(bytes_max));
    int r = pool_manager_server_run(leash_fd, bytes_max);
    return r < 0 ? pool_call_fail(call, r, "the manager's server: %s", strerror(-r)) : 0;
}
