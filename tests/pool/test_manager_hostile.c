/* A manager's server and clients that do not keep to anything: they harm nobody but themselves. */
#include "isolate.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <pool/blob_priv.h>
#include <pool/manager.h>
#include <pool/manager_wire_priv.h>
#include <pool/packet_priv.h>
#include <pool/pool.h>

#include "fault.h"
#include "forks.h"
#include "manager_shop.h"

/* ---- A client by hand ---------------------------------------------------------------------- */

static int greet(int rendezvous_fd, struct manager_greeting greeting, size_t size, const int *fds,
                 size_t fd_count)
{
    const struct iovec part = {&greeting, size};
    return pool_packet_send(rendezvous_fd, &part, 1, fds, fd_count, TIME_NEVER);
}

static const struct manager_greeting connect_greeting = {MANAGER_CONNECT_MAGIC, MANAGER_VERSION};

/* Returns the reply's size, or -EPIPE if there will be none. */
static ssize_t next_reply(int fd, struct manager_reply *reply, void *body, size_t room)
{
    struct wire_fds fds;
    const struct iovec parts[] = {{reply, sizeof(*reply)}, {body, room}};
    ssize_t got = pool_packet_receive(fd, parts, 2, &fds, TIME_NEVER);
    if (got >= 0)
        assert_int_equal(fds.count, 0);
    return got;
}

static int connect_by_hand(int rendezvous_fd)
{
    struct manager_reply welcome;
    struct wire_fds fds;
    const struct iovec part = {&welcome, sizeof(welcome)};
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(greet(rendezvous_fd, connect_greeting, sizeof(connect_greeting), &pair[1], 1),
                     0);
    close(pair[1]);
    assert_int_equal(pool_packet_receive(pair[0], &part, 1, &fds, TIME_NEVER), sizeof(welcome));
    assert_int_equal(welcome.magic, MANAGER_REPLY_MAGIC);
    assert_int_equal(welcome.code, 0);
    assert_int_equal(fds.count, 1);
    close(pair[0]);
    return fds.fds[0];
}

static int ask(int fd, const struct manager_request *request, const void *body, size_t size,
               const int *fds, size_t fd_count)
{
    const struct iovec parts[] = {{(void *)request, sizeof(*request)}, {(void *)body, size}};
    return pool_packet_send(fd, parts, 2, fds, fd_count, TIME_NEVER);
}

static uint32_t object_by_hand(int fd, enum manager_operation operation, const char *name)
{
    struct manager_reply reply;
    const struct manager_request request = {
        .magic = MANAGER_REQUEST_MAGIC, .operation = operation, .key_bytes = strlen(name)};
    assert_int_equal(ask(fd, &request, name, strlen(name), NULL, 0), 0);
    assert_int_equal(next_reply(fd, &reply, NULL, 0), sizeof(reply));
    assert_int_equal(reply.code, 0);
    return (uint32_t)reply.number;
}

/* A shop whose contents must not change, and its rendezvous. */
struct target {
    struct shop shop;
    int fd;
    int server_fds;
};

static struct target target_of(void)
{
    struct target target = {.shop = shop_of()};
    target.fd = pool_manager_share(target.shop.manager);
    assert_int_equal(pool_dict_set(target.shop.dict, text("key"), text("value")), 0);
    assert_int_equal(pool_list_append(target.shop.list, text("item")), 0);
    target.server_fds = fds_of(pool_manager_pid(target.shop.manager));
    return target;
}

static void expect_unharmed(struct target *target)
{
    expect_dict(target->shop.dict, "key:value,");
    expect_list(target->shop.list, "item,");
}

static void target_free(struct target *target)
{
    struct shop shop;
    expect_unharmed(target);
    assert_int_equal(shop_open(target->fd, &shop), 0); /* it can be had as ever */
    shop_free(&shop);
    /* Nobody but the maker is connected any more, and nothing of the others is left. */
    while (fds_of(pool_manager_pid(target->shop.manager)) != target->server_fds)
        poll(NULL, 0, 1);
    close(target->fd);
    shop_free(&target->shop);
}

/* ---- Nonsense ------------------------------------------------------------------------------ */

static void random_bytes_harm_nobody(void **state)
{
    (void)state;
    struct target target = target_of();
    unsigned seed = test_seed();
    static uint8_t bytes[3000];
    int fd = -1;
    for (int i = 0; i < 3000; i++) {
        const size_t size = (size_t)rand_r(&seed) % (i % 2 ? 80 : sizeof(bytes));
        for (size_t at = 0; at < size; at++)
            bytes[at] = (uint8_t)rand_r(&seed);
        /* Sometimes nearly right. */
        struct manager_request request = {.magic = MANAGER_REQUEST_MAGIC,
                                          .operation = (unsigned)rand_r(&seed) % 18,
                                          .object = (unsigned)rand_r(&seed) % 4,
                                          .flags = (unsigned)rand_r(&seed) % 16,
                                          .key_bytes = (unsigned)rand_r(&seed) % 4,
                                          .number = rand_r(&seed)};
        const int more[] = {STDERR_FILENO, target.fd};
        if (fd < 0)
            fd = connect_by_hand(target.fd);
        int r;
        if (i % 3 == 0) {
            r = send(target.fd, bytes, size, MSG_NOSIGNAL) < 0 ? -errno : 0;
            assert_int_equal(r, 0); /* the way to the server stays open */
        } else if (i % 3 == 1) {
            r = send(fd, bytes, size, MSG_NOSIGNAL) < 0 ? -errno : 0;
        } else {
            request.operation =
                request.operation == MANAGER_CLEAR ? MANAGER_SIZE : request.operation;
            request.object += 100; /* of nobody */
            r = ask(fd, &request, bytes, (size_t)rand_r(&seed) % 8, more,
                    (unsigned)rand_r(&seed) % 3);
        }
        struct manager_reply reply;
        if (r < 0 || (i % 3 != 0 && next_reply(fd, &reply, bytes, sizeof(bytes)) < 0)) {
            close(fd);
            fd = -1;
        }
        if (i % 50 == 0)
            expect_unharmed(&target);
    }
    if (fd >= 0)
        close(fd);
    target_free(&target);
}

/* A request, and what comes with it. */
struct nonsense {
    const char *label;
    struct manager_request request;
    size_t size;      /* of the request; 0: all of it */
    size_t body_size; /* of zeros */
    int fds[3];
    size_t fd_count;
};

#define REQUEST(...)                                                                               \
    {                                                                                              \
        .magic = MANAGER_REQUEST_MAGIC, __VA_ARGS__                                                \
    }

static void expect_disconnected(int fd)
{
    struct manager_reply reply;
    assert_int_equal(next_reply(fd, &reply, NULL, 0), -EPIPE);
}

static void requests_that_make_no_sense_cost_their_client_its_connection(void **state)
{
    (void)state;
    static uint8_t zeros[100000];
    struct target target = target_of();
    int plain = memfd_create("plain", MFD_CLOEXEC | MFD_ALLOW_SEALING), ends[2], sealed;
    const struct iovec part = {zeros, 1000};
    assert_int_equal(pool_blob_to_memfd(&part, 1, &sealed), 0);
    assert_int_equal(ftruncate(plain, 100000), 0); /* holes: no memory behind it */
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const uint32_t in_memfd = MANAGER_IN_MEMFD, room = MANAGER_ROOM;
    const struct nonsense rows[] = {
        {"no byte", REQUEST(0), .size = SIZE_MAX},
        {"one byte", REQUEST(0), .size = 1},
        {"half a header", REQUEST(0), .size = sizeof(struct manager_request) - 1},
        {"another magic", {.magic = MANAGER_REPLY_MAGIC}, .size = 0},
        {"no such operation", REQUEST(.operation = MANAGER_OPERATIONS), .size = 0},
        {"no operation at all", REQUEST(.operation = UINT32_MAX), .size = 0},
        {"no such flag", REQUEST(.operation = MANAGER_SIZE, .flags = 8), .size = 0},
        {"no such object", REQUEST(.operation = MANAGER_SIZE, .object = 2), .size = 0},
        {"no name", REQUEST(.operation = MANAGER_OPEN_DICT), .size = 0},
        {"a name that is too long", REQUEST(.operation = MANAGER_OPEN_DICT, .key_bytes = 256),
         .body_size = 256},
        {"less than it says", REQUEST(.operation = MANAGER_DICT_GET, .key_bytes = 5),
         .body_size = 4},
        {"more than it says", REQUEST(.operation = MANAGER_DICT_GET, .key_bytes = 5),
         .body_size = 6},
        {"an endless key", REQUEST(.operation = MANAGER_DICT_GET, .key_bytes = UINT64_MAX),
         .body_size = 6},
        {"sizes that overflow",
         REQUEST(.operation = MANAGER_DICT_SET, .key_bytes = 4, .expected_bytes = UINT64_MAX,
                 .value_bytes = 3),
         .body_size = 6},
        {"sizes that overflow in a memfd",
         REQUEST(.operation = MANAGER_DICT_SET, .flags = in_memfd, .key_bytes = 1001,
                 .expected_bytes = UINT64_MAX),
         .fds = {sealed}, .fd_count = 1},
        {"more than fits, of which it says that it fits",
         REQUEST(.operation = MANAGER_DICT_GET, .key_bytes = 65536), .body_size = 65537},
        {"too long a message", REQUEST(.operation = MANAGER_DICT_GET, .key_bytes = 70000),
         .body_size = 70000},
        {"a descriptor that nobody asked for", REQUEST(.operation = MANAGER_CLEAR), .fds = {sealed},
         .fd_count = 1},
        {"a memfd that is not there",
         REQUEST(.operation = MANAGER_DICT_GET, .flags = in_memfd, .key_bytes = 1000), .size = 0},
        {"two memfds for one",
         REQUEST(.operation = MANAGER_DICT_GET, .flags = in_memfd, .key_bytes = 1000),
         .fds = {sealed, sealed}, .fd_count = 2},
        {"a memfd of another size",
         REQUEST(.operation = MANAGER_DICT_GET, .flags = in_memfd, .key_bytes = 1001),
         .fds = {sealed}, .fd_count = 1},
        {"a memfd that can change",
         REQUEST(.operation = MANAGER_DICT_GET, .flags = in_memfd, .key_bytes = 100000),
         .fds = {plain}, .fd_count = 1},
        {"a pipe for a memfd",
         REQUEST(.operation = MANAGER_DICT_GET, .flags = in_memfd, .key_bytes = 1000),
         .fds = {ends[0]}, .fd_count = 1},
        {"a body beside a memfd",
         REQUEST(.operation = MANAGER_DICT_GET, .flags = in_memfd, .key_bytes = 1000),
         .body_size = 1, .fds = {sealed}, .fd_count = 1},
        {"a room that is not there",
         REQUEST(.operation = MANAGER_ITEMS, .flags = room, .room_bytes = 1000), .size = 0},
        {"a room that cannot be written",
         REQUEST(.operation = MANAGER_ITEMS, .flags = room, .room_bytes = 1000), .fds = {sealed},
         .fd_count = 1},
        {"a room without memory",
         REQUEST(.operation = MANAGER_ITEMS, .flags = room, .room_bytes = 100000), .fds = {plain},
         .fd_count = 1},
        {"a room that is smaller than it says",
         REQUEST(.operation = MANAGER_ITEMS, .flags = room, .room_bytes = UINT64_MAX),
         .fds = {plain}, .fd_count = 1},
        {"a pipe for a room, which would take nothing",
         REQUEST(.operation = MANAGER_ITEMS, .flags = room, .room_bytes = 1000), .fds = {ends[1]},
         .fd_count = 1},
        {"a socket for a room",
         REQUEST(.operation = MANAGER_ITEMS, .flags = room, .room_bytes = 1000), .fds = {target.fd},
         .fd_count = 1},
        {"an extend by more values than sizes",
         REQUEST(.operation = MANAGER_LIST_EXTEND, .object = 1, .number = 100, .value_bytes = 80),
         .body_size = 80},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct nonsense *row = &rows[i];
        const size_t size = row->size == 0          ? sizeof(row->request)
                            : row->size == SIZE_MAX ? 0
                                                    : row->size;
        const struct iovec parts[] = {{(void *)&row->request, size}, {zeros, row->body_size}};
        print_message("%s\n", row->label);
        const int fd = connect_by_hand(target.fd);
        assert_int_equal(pool_packet_send(fd, parts, 2, row->fds, row->fd_count, TIME_NEVER), 0);
        expect_disconnected(fd);
        close(fd);
        expect_unharmed(&target);
    }
    close(plain);
    close(sealed);
    close(ends[0]);
    close(ends[1]);
    target_free(&target);
}

static void greetings_that_make_no_sense_are_passed_over(void **state)
{
    (void)state;
    struct target target = target_of();
    struct manager_greeting other_magic = connect_greeting, other_version = connect_greeting;
    int pair[2], stream[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream), 0);
    other_magic.magic++;
    other_version.version++;
    const size_t whole = sizeof(connect_greeting);
    const int two[] = {pair[1], pair[1]}, file = memfd_create("test", MFD_CLOEXEC);
    assert_int_equal(greet(target.fd, connect_greeting, whole, NULL, 0), 0);
    assert_int_equal(greet(target.fd, connect_greeting, whole, two, 2), 0);
    assert_int_equal(greet(target.fd, connect_greeting, whole - 1, two, 1), 0);
    assert_int_equal(greet(target.fd, connect_greeting, 0, two, 1), 0);
    assert_int_equal(greet(target.fd, other_magic, whole, two, 1), 0);
    assert_int_equal(greet(target.fd, other_version, whole, two, 1), 0);
    assert_int_equal(greet(target.fd, connect_greeting, whole, &file, 1), 0);
    assert_int_equal(greet(target.fd, connect_greeting, whole, &stream[1], 1), 0);
    assert_int_equal(greet(target.fd, connect_greeting, whole, &target.fd, 1), 0);
    close(pair[1]);
    expect_disconnected(pair[0]); /* every copy of it has been closed */
    close(connect_by_hand(target.fd));
    close(pair[0]);
    close(stream[0]);
    close(stream[1]);
    close(file);
    target_free(&target);
}

static void a_room_that_is_too_small_is_answered_by_the_size_and_changes_nothing(void **state)
{
    (void)state;
    static uint8_t zeros[100];
    struct target target = target_of();
    uint8_t *large = bytes_of(100000, 1);
    const struct pool_bytes value = {large, 100000};
    const struct iovec part = {zeros, sizeof(zeros)};
    struct manager_reply reply;
    struct stat st;
    const int fd = connect_by_hand(target.fd);
    const int small = memfd_create("small", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(writev(small, &part, 1), sizeof(zeros));
    const struct manager_request pop =
        REQUEST(.operation = MANAGER_DICT_POP,
                .object = object_by_hand(fd, MANAGER_OPEN_DICT, "dict"), .flags = MANAGER_ROOM,
                .room_bytes = sizeof(zeros), .key_bytes = 5);
    assert_int_equal(pool_dict_set(target.shop.dict, text("large"), value), 0);
    assert_int_equal(ask(fd, &pop, "large", 5, &small, 1), 0);
    assert_int_equal(next_reply(fd, &reply, NULL, 0), sizeof(reply));
    assert_int_equal(reply.code, -EMSGSIZE);
    assert_int_equal(reply.body_bytes, 100000);
    assert_int_equal(fstat(small, &st), 0);
    assert_int_equal(st.st_size, sizeof(zeros));
    assert_int_equal(pool_dict_pop(target.shop.dict, text("large"), NULL), 0);
    close(small);
    close(fd);
    free(large);
    target_free(&target);
}

/* ---- Clients that do not listen ------------------------------------------------------------ */

static void a_client_that_takes_no_replies_is_disconnected(void **state)
{
    (void)state;
    struct target target = target_of();
    uint8_t *large = bytes_of(60000, 1);
    const int fd = connect_by_hand(target.fd);
    assert_int_equal(
        pool_dict_set(target.shop.dict, text("large"), (struct pool_bytes){large, 60000}), 0);
    const struct manager_request get =
        REQUEST(.operation = MANAGER_DICT_GET,
                .object = object_by_hand(fd, MANAGER_OPEN_DICT, "dict"), .key_bytes = 5);
    int r, asked = 0;
    while ((r = ask(fd, &get, "large", 5, NULL, 0)) == 0)
        asked++;
    assert_int_equal(r, -EPIPE);
    print_message("disconnected after %d requests\n", asked);
    close(fd);
    assert_int_equal(pool_dict_pop(target.shop.dict, text("large"), NULL), 0);
    free(large);
    target_free(&target);
}

static int call_until_killed(void *data)
{
    struct errand *errand = data;
    struct shop shop;
    EXPECT(shop_open(errand->fd, &shop) == 0);
    atomic_fetch_add(&errand->arrived, 1);
    for (;;)
        EXPECT(pool_dict_contains(shop.dict, text("key")) == 1);
}

static void a_client_that_is_stopped_delays_nobody(void **state)
{
    (void)state;
    struct target target = target_of();
    struct errand *errand = errand_of(&target.shop, 0);
    pid_t clients[5];
    for (int i = 0; i < 5; i++)
        clients[i] = fork_run(call_until_killed, errand);
    wait_for_count(&errand->arrived, 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(kill(clients[i], SIGSTOP), 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(pool_dict_contains(target.shop.dict, text("key")), 1);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(kill(clients[i], SIGKILL), 0);
        assert_int_equal(fork_wait(clients[i]), -SIGKILL);
    }
    close(errand->fd);
    target_free(&target);
}

static void what_a_dead_client_wanted_to_pop_stays(void **state)
{
    (void)state;
    struct target target = target_of();
    const pid_t server = pool_manager_pid(target.shop.manager);
    const int fd = connect_by_hand(target.fd);
    const uint32_t dict = object_by_hand(fd, MANAGER_OPEN_DICT, "dict");
    const uint32_t list = object_by_hand(fd, MANAGER_OPEN_LIST, "list");
    const struct manager_request pop_key =
        REQUEST(.operation = MANAGER_DICT_POP, .object = dict, .key_bytes = 3);
    const struct manager_request pop_item = REQUEST(.operation = MANAGER_LIST_POP, .object = list);
    assert_int_equal(kill(server, SIGSTOP), 0);
    assert_int_equal(ask(fd, &pop_key, "key", 3, NULL, 0), 0);
    assert_int_equal(ask(fd, &pop_item, NULL, 0, NULL, 0), 0);
    close(fd); /* it is dead before the server has read a word */
    assert_int_equal(kill(server, SIGCONT), 0);
    target_free(&target);
}

static void half_a_connection_is_none(void **state)
{
    (void)state;
    static const int halves[] = {SHUT_RD, SHUT_WR, SHUT_RDWR};
    struct target target = target_of();
    for (size_t i = 0; i < 3; i++) {
        const int fd = connect_by_hand(target.fd);
        const struct manager_request size = REQUEST(.operation = MANAGER_SIZE);
        assert_int_equal(shutdown(fd, halves[i]), 0);
        ask(fd, &size, NULL, 0, NULL, 0); /* may be refused already */
        expect_unharmed(&target);
        close(fd);
    }
    target_free(&target);
}

/* Requests without end, and greetings whose welcome nobody takes. */
static int flood(void *data)
{
    const struct target *target = data;
    const struct manager_request size = REQUEST(.operation = MANAGER_SIZE);
    const int fd = connect_by_hand(target->fd);
    for (;;) {
        struct manager_reply reply;
        int pair[2];
        EXPECT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
        EXPECT(greet(target->fd, connect_greeting, sizeof(connect_greeting), &pair[1], 1) == 0);
        EXPECT(ask(fd, &size, NULL, 0, NULL, 0) == 0);
        EXPECT(next_reply(fd, &reply, NULL, 0) > 0);
        close(pair[0]);
        close(pair[1]);
    }
}

static void a_flood_does_not_drown_the_others(void **state)
{
    (void)state;
    struct target target = target_of();
    pid_t floods[3];
    for (int i = 0; i < 3; i++)
        floods[i] = fork_run(flood, &target);
    for (int i = 0; i < 200; i++) {
        struct shop shop;
        assert_int_equal(shop_open(target.fd, &shop), 0);
        assert_int_equal(pool_dict_contains(shop.dict, text("key")), 1);
        shop_free(&shop);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(kill(floods[i], SIGKILL), 0);
        assert_int_equal(fork_wait(floods[i]), -SIGKILL);
    }
    target_free(&target);
}

static const struct test_case tests[] = {
    TEST(random_bytes_harm_nobody),
    TEST(requests_that_make_no_sense_cost_their_client_its_connection),
    TEST(greetings_that_make_no_sense_are_passed_over),
    TEST(a_room_that_is_too_small_is_answered_by_the_size_and_changes_nothing),
    TEST(a_client_that_takes_no_replies_is_disconnected),
    TEST(a_client_that_is_stopped_delays_nobody),
    TEST(what_a_dead_client_wanted_to_pop_stays),
    TEST(half_a_connection_is_none),
    TEST(a_flood_does_not_drown_the_others),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &shop_tasks) < 0)
        return 2;
    fault_is_host();
    return test_run("manager_hostile", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
