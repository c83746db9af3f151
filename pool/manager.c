/* manager.c: the life of a manager: starting its server, handing out descriptors, connecting. See
 * manager_wire_priv.h for how they talk. */
#include "manager.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "manager_call_priv.h"
#include "message_priv.h"
#include "origin_priv.h"
#include "packet_priv.h"
#include "process_priv.h"

/* How long a server that has been told to end may take before it is killed. Freeing its data takes
 * it milliseconds. */
#define STOP_TIMEOUT_MS 1000

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* rendezvous_fd, fd: taken on success. */
static int manager_of(int rendezvous_fd, int fd, struct pool_process *process,
                      struct pool_manager **ret_manager)
{
    struct pool_manager *manager = calloc(1, sizeof(*manager));
    if (!manager)
        return -ENOMEM;
    int r = pthread_mutex_init(&manager->lock, NULL);
    if (r != 0) {
        free(manager);
        return -r;
    }
    manager->origin = pool_origin_now();
    manager->rendezvous_fd = rendezvous_fd;
    manager->fd = fd;
    manager->process = process;
    *ret_manager = manager;
    return 0;
}

/* ---- The server ---------------------------------------------------------------------------- */

/* A pair of datagram sockets, and what shows it to be a manager's. */
static int rendezvous_open(int pair[2])
{
    struct manager_greeting signature = {.magic = MANAGER_SIGNATURE_MAGIC,
                                         .version = MANAGER_VERSION};
    const struct iovec part = {&signature, sizeof(signature)};
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    int r = pool_packet_send(pair[1], &part, 1, NULL, 0, PACKET_NOW);
    if (r < 0) {
        close_fd(&pair[0]);
        close_fd(&pair[1]);
    }
    return r;
}

/* fds: the server's, in the order of manager_priv.h; taken in every case. */
static int start_server(size_t bytes_max, int fds[2], struct pool_process **ret_process)
{
    /* A daemon: if its maker dies, it does not outlive it. */
    static const struct pool_process_options options = {.name = "pool-manager", .daemon = true};
    const struct pool_bytes field = {&bytes_max, sizeof(bytes_max)};
    const struct pool_item item = {.fields = &field, .field_count = 1, .fds = fds, .fd_count = 2};
    struct pool_process *process;
    int r = pool_process_create_builtin(PROCESS_MANAGER, &item, &options, &process);
    if (r < 0) {
        for (int i = 0; i < 2; i++)
            close_fd(&fds[i]);
        return r;
    }
    r = pool_process_start(process);
    if (r < 0) {
        pool_process_free(process);
        return r;
    }
    *ret_process = process;
    return 0;
}

/* The server has been told to end, by an end of file. */
static void stop_server(struct pool_process *process)
{
    if (pool_process_join(process, STOP_TIMEOUT_MS) == -ETIMEDOUT) { /* stopped, perhaps */
        pool_process_kill(process);
        pool_process_join(process, -1);
    }
    pool_process_free(process);
}

int pool_manager_create(const struct pool_manager_options *options,
                        struct pool_manager **ret_manager)
{
    size_t bytes_max = options ? options->bytes_max : 0;
    int rendezvous[2] = {-1, -1}, connection[2] = {-1, -1};
    struct pool_process *process = NULL;
    if (bytes_max == 0)
        bytes_max = POOL_MANAGER_BYTES_DEFAULT;
    int r = rendezvous_open(rendezvous);
    if (r < 0)
        return r;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, connection) < 0)
        r = -errno;
    if (r == 0) {
        int fds[] = {rendezvous[1], connection[1]};
        r = start_server(bytes_max, fds, &process);
        rendezvous[1] = connection[1] = -1;
    }
    if (r == 0)
        r = pool_manager_welcome(connection[0]);
    if (r == 0)
        r = manager_of(rendezvous[0], connection[0], process, ret_manager);
    if (r == 0)
        return 0;
    for (int i = 0; i < 2; i++) {
        close_fd(&rendezvous[i]);
        close_fd(&connection[i]);
    }
    if (process)
        stop_server(process);
    return r;
}

pid_t pool_manager_pid(const struct pool_manager *manager)
{
    if (!manager->process || manager->origin != pool_origin_now())
        return 0;
    return pool_process_pid(manager->process);
}

void pool_manager_free(struct pool_manager *manager)
{
    if (!manager)
        return;
    if (manager->origin == pool_origin_now()) {
        shutdown(manager->fd, SHUT_RDWR); /* a child that the host forked may hold it too */
        pthread_mutex_destroy(&manager->lock);
    }
    close_fd(&manager->fd);
    close_fd(&manager->rendezvous_fd);
    if (manager->process)
        stop_server(manager->process); /* in a forked child this only frees */
    free(manager);
}

/* ---- Connecting ---------------------------------------------------------------------------- */

int pool_manager_share(const struct pool_manager *manager)
{
    if (manager->origin != pool_origin_now())
        return -ESTALE;
    int fd = fcntl(manager->rendezvous_fd, F_DUPFD_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

/* Is it a rendezvous? */
static int check_signature(int fd)
{
    struct manager_greeting signature;
    int r = pool_packet_check(fd, SOCK_DGRAM);
    if (r < 0)
        return r;
    ssize_t got;
    do
        got = recv(fd, &signature, sizeof(signature), MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC);
    while (got < 0 && (errno == EINTR || errno == ECONNRESET));
    if (got != sizeof(signature) || signature.magic != MANAGER_SIGNATURE_MAGIC ||
        signature.version != MANAGER_VERSION)
        return -EBADMSG;
    return 0;
}

/* Get a connection of our own.  Returns it (owned) or -errno. */
static int connect_to(int rendezvous_fd)
{
    struct manager_greeting greeting = {.magic = MANAGER_CONNECT_MAGIC, .version = MANAGER_VERSION};
    const struct iovec part = {&greeting, sizeof(greeting)};
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    int r = pool_packet_send(rendezvous_fd, &part, 1, &pair[1], 1, TIME_NEVER);
    close_fd(&pair[1]); /* now the server alone has it: its death is our end of file */
    if (r == 0)
        r = pool_manager_welcome(pair[0]);
    if (r == 0)
        return pair[0];
    close_fd(&pair[0]);
    return r;
}

int pool_manager_open(int fd, struct pool_manager **ret_manager)
{
    int r = check_signature(fd);
    if (r < 0)
        return r;
    int rendezvous_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (rendezvous_fd < 0)
        return -errno;
    int connection_fd = connect_to(rendezvous_fd);
    r = connection_fd < 0 ? connection_fd
                          : manager_of(rendezvous_fd, connection_fd, NULL, ret_manager);
    if (r < 0) {
        close_fd(&connection_fd);
        close_fd(&rendezvous_fd);
    }
    return r;
}

/* ---- Objects ------------------------------------------------------------------------------- */

int pool_manager_open_object(struct pool_manager *manager, enum manager_operation operation,
                             const char *name, uint32_t *ret_number)
{
    const size_t size = name ? strlen(name) : 0;
    int64_t number;
    if (size < 1 || size > POOL_MANAGER_NAME_MAX)
        return -EINVAL;
    const struct manager_call call = {.operation = operation, .key = {name, size}};
    int r = pool_manager_call(manager, &call, &number);
    if (r == 0)
        *ret_number = (uint32_t)number;
    return r;
}

int pool_manager_fetch_size(struct pool_manager *manager, uint32_t object, size_t *ret_size)
{
    const struct manager_call call = {.operation = MANAGER_SIZE, .object = object};
    int64_t number;
    int r = pool_manager_call(manager, &call, &number);
    if (r == 0)
        *ret_size = (size_t)number;
    return r;
}

void pool_entries_done(struct pool_entries *entries)
{
    free(entries->entries);
    free(entries->memory);
    *entries = (struct pool_entries){.count = 0};
}

/* Find the entries in the bytes that the server sent. */
static int cut_entries(const struct pool_message *message, struct pool_entry *entries, size_t count)
{
    const uint8_t *next = message->data;
    uint64_t left = message->size_bytes;
    for (size_t i = 0; i < count; i++) {
        struct manager_item item;
        if (left < sizeof(item))
            return -EBADMSG;
        memcpy(&item, next, sizeof(item));
        next += sizeof(item);
        left -= sizeof(item);
        if (item.key_bytes > left || item.value_bytes > left)
            return -EBADMSG;
        const uint64_t key_room = item.key_bytes + manager_padding(item.key_bytes);
        const uint64_t value_room = item.value_bytes + manager_padding(item.value_bytes);
        if (key_room > left || value_room > left - key_room)
            return -EBADMSG;
        entries[i].key = (struct pool_bytes){next, (size_t)item.key_bytes};
        entries[i].value = (struct pool_bytes){next + key_room, (size_t)item.value_bytes};
        next += key_room + value_room;
        left -= key_room + value_room;
    }
    return left == 0 ? 0 : -EBADMSG;
}

int pool_manager_fetch_items(struct pool_manager *manager, uint32_t object,
                             struct pool_entries *ret_entries)
{
    struct pool_message message = POOL_MESSAGE_INIT;
    const struct manager_call call = {
        .operation = MANAGER_ITEMS, .object = object, .message = &message};
    int64_t count;
    struct pool_entry *entries = NULL;
    int r = pool_manager_call(manager, &call, &count);
    if (r == 0 && (count < 0 || (uint64_t)count > message.size_bytes / sizeof(struct manager_item)))
        r = -EBADMSG;
    if (r == 0 && count > 0) {
        entries = calloc((size_t)count, sizeof(entries[0]));
        r = entries ? cut_entries(&message, entries, (size_t)count) : -ENOMEM;
    }
    if (r < 0) {
        free(entries);
        pool_message_done(&message);
        return r;
    }
    *ret_entries = (struct pool_entries){entries, (size_t)count, message.data};
    return 0;
}
