/* manager.c: the life of a manager: starting its server, handing out descriptors, connecting. See
 * manager_wire_priv.h for how they talk. */
#include "manager.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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

/* Wait for a WELCOME and its descriptors.
 * sentinel_fd: -1, or one that tells that the server is dead.
 * ret_fds: owned, `count` of them.  Returns 0, the server's code, -EPIPE or another -errno. */
static int take_welcome(int fd, int sentinel_fd, int *ret_fds, size_t count)
{
    struct manager_reply reply;
    struct wire_fds fds;
    const struct iovec part = {&reply, sizeof(reply)};
    struct pollfd waits[] = {{.fd = fd, .events = POLLIN}, {.fd = sentinel_fd, .events = POLLIN}};
    while (poll(waits, 2, -1) < 0)
        if (errno != EINTR)
            return -errno;
    ssize_t got = pool_packet_receive(fd, &part, 1, &fds, PACKET_NOW);
    if (got < 0)
        return got == -ETIMEDOUT ? -EPIPE : (int)got; /* nothing is there: the server is dead */
    int r = -EBADMSG;
    if (got == sizeof(reply) && reply.magic == MANAGER_REPLY_MAGIC) {
        if (fds.lost)
            r = -EMFILE;
        else if (reply.code < 0 || (reply.code == 0 && fds.count == count))
            r = reply.code;
    }
    if (r == 0) {
        memcpy(ret_fds, fds.fds, count * sizeof(ret_fds[0]));
        fds.count = 0;
    }
    pool_wire_fds_done(&fds);
    return r;
}

/* fds: connection and rendezvous; taken on success. */
static int manager_of(const int fds[2], struct pool_manager **ret_manager)
{
    struct pool_manager *manager = calloc(1, sizeof(*manager));
    if (!manager)
        return -ENOMEM;
    if (pthread_mutex_init(&manager->lock, NULL) != 0) { /* which lacks memory, too */
        free(manager);
        return -ENOMEM;
    }
    manager->origin = pool_origin_now();
    manager->fd = fds[0];
    manager->rendezvous_fd = fds[1];
    manager->leash_fd = -1;
    *ret_manager = manager;
    return 0;
}

/* ---- The server ---------------------------------------------------------------------------- */

/* fd: the server's end of the leash; taken in every case. */
static int start_server(size_t bytes_max, int fd, struct pool_process **ret_process)
{
    /* A daemon: if its maker dies, it does not outlive it. */
    static const struct pool_process_options options = {.name = "pool-manager", .daemon = true};
    const struct pool_bytes field = {&bytes_max, sizeof(bytes_max)};
    const struct pool_item item = {.fields = &field, .field_count = 1, .fds = &fd, .fd_count = 1};
    struct pool_process *process;
    int r = pool_process_create_builtin(PROCESS_MANAGER, &item, &options, &process);
    if (r < 0) {
        close(fd);
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

/* The server has been told to end. */
static void stop_server(struct pool_process *process)
{
    if (pool_process_join(process, STOP_TIMEOUT_MS) == -ETIMEDOUT) { /* stopped, perhaps */
        pool_process_kill(process);
        pool_process_join(process, -1);
    }
    pool_process_free(process);
}

/* leash_fd: the maker's end. */
static int meet_server(int leash_fd, struct pool_process *process,
                       struct pool_manager **ret_manager)
{
    int fds[2];
    int r = pool_process_sentinel(process);
    if (r >= 0)
        r = take_welcome(leash_fd, r, fds, 2);
    if (r < 0)
        return r;
    r = manager_of(fds, ret_manager);
    if (r < 0) {
        close(fds[0]);
        close(fds[1]);
    }
    return r;
}

int pool_manager_create(const struct pool_manager_options *options,
                        struct pool_manager **ret_manager)
{
    const size_t bytes_max = options ? options->bytes_max : 0;
    struct pool_manager *manager = NULL;
    struct pool_process *process;
    int leash[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, leash) < 0)
        return -errno;
    int r = start_server(bytes_max ? bytes_max : POOL_MANAGER_BYTES_DEFAULT, leash[1], &process);
    if (r < 0) {
        close(leash[0]);
        return r;
    }
    r = meet_server(leash[0], process, &manager);
    if (r < 0) {
        shutdown(leash[0], SHUT_RDWR);
        close(leash[0]);
        stop_server(process);
        return r;
    }
    manager->process = process;
    manager->leash_fd = leash[0];
    *ret_manager = manager;
    return 0;
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
        /* A child that the host forked may hold them too. */
        shutdown(manager->fd, SHUT_RDWR);
        if (manager->leash_fd >= 0)
            shutdown(manager->leash_fd, SHUT_RDWR);
        pthread_mutex_destroy(&manager->lock);
    }
    close(manager->fd);
    close(manager->rendezvous_fd);
    if (manager->leash_fd >= 0)
        close(manager->leash_fd);
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
    int pair[2], connection_fd = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    int r = pool_packet_send(rendezvous_fd, &part, 1, &pair[1], 1, TIME_NEVER);
    close(pair[1]); /* now the server alone has it: its death is our end of file */
    if (r == 0)
        r = take_welcome(pair[0], -1, &connection_fd, 1);
    close(pair[0]);
    return r < 0 ? r : connection_fd;
}

int pool_manager_open(int fd, struct pool_manager **ret_manager)
{
    int r = check_signature(fd);
    if (r < 0)
        return r;
    int rendezvous_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (rendezvous_fd < 0)
        return -errno;
    const int connection_fd = connect_to(rendezvous_fd);
    r = connection_fd;
    if (connection_fd >= 0)
        r = manager_of((const int[]){connection_fd, rendezvous_fd}, ret_manager);
    if (r < 0) {
        if (connection_fd >= 0)
            close(connection_fd);
        close(rendezvous_fd);
    }
    return r < 0 ? r : 0;
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
