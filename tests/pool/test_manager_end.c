/* How managers end: freed, killed, or left alone by their maker; and what was never one. */
#include "isolate.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pool/manager.h>
#include <pool/manager_wire_priv.h>
#include <pool/packet_priv.h>
#include <pool/pool.h>

#include "fault.h"
#include "forks.h"
#include "manager_shop.h"

/* ---- The end ------------------------------------------------------------------------------- */

static bool process_is_there(pid_t pid)
{
    return kill(pid, 0) == 0;
}

static void expect_all_broken(struct shop *shop)
{
    struct pool_message message = POOL_MESSAGE_INIT;
    struct pool_entries items;
    struct pool_dict *dict;
    struct pool_list *list;
    size_t size;
    uint8_t *large = bytes_of(100000, 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pool_dict_set(shop->dict, text("a"), text("x")), -EPIPE);
        assert_int_equal(pool_dict_set(shop->dict, text("a"), (struct pool_bytes){large, 100000}),
                         -EPIPE);
        assert_int_equal(pool_dict_get(shop->dict, text("a"), &message), -EPIPE);
        assert_int_equal(pool_dict_contains(shop->dict, text("a")), -EPIPE);
        assert_int_equal(pool_dict_pop(shop->dict, text("a"), &message), -EPIPE);
        assert_int_equal(pool_dict_add(shop->dict, text("n"), 1, NULL), -EPIPE);
        assert_int_equal(pool_dict_replace(shop->dict, text("a"), text("b"), text("c")), -EPIPE);
        assert_int_equal(pool_dict_set_default(shop->dict, text("a"), text("x"), &message), -EPIPE);
        assert_int_equal(pool_dict_size(shop->dict, &size), -EPIPE);
        assert_int_equal(pool_dict_clear(shop->dict), -EPIPE);
        assert_int_equal(pool_dict_items(shop->dict, &items), -EPIPE);
        assert_int_equal(pool_list_append(shop->list, text("x")), -EPIPE);
        assert_int_equal(pool_list_extend(shop->list, &(struct pool_bytes){"x", 1}, 1), -EPIPE);
        assert_int_equal(pool_list_insert(shop->list, 0, text("x")), -EPIPE);
        assert_int_equal(pool_list_get(shop->list, 0, &message), -EPIPE);
        assert_int_equal(pool_list_set(shop->list, 0, text("x")), -EPIPE);
        assert_int_equal(pool_list_pop(shop->list, 0, &message), -EPIPE);
        assert_int_equal(pool_list_size(shop->list, &size), -EPIPE);
        assert_int_equal(pool_list_clear(shop->list), -EPIPE);
        assert_int_equal(pool_list_items(shop->list, &items), -EPIPE);
        assert_int_equal(pool_manager_dict(shop->manager, "x", &dict), -EPIPE);
        assert_int_equal(pool_manager_list(shop->manager, "x", &list), -EPIPE);
    }
    free(large);
    pool_message_done(&message);
}

static int expect_broken_pipe(void *data)
{
    struct errand *errand = data;
    struct shop shop;
    EXPECT(shop_open(errand->fd, &shop) == 0);
    atomic_fetch_add(&errand->arrived, 1);
    int r;
    while ((r = pool_dict_add(shop.dict, text("n"), 1, NULL)) == 0)
        continue;
    EXPECT(r == -EPIPE);
    shop_free(&shop);
    return 0;
}

static void a_server_that_is_killed_breaks_every_call_and_hangs_none(void **state)
{
    (void)state;
    static const int signals[] = {SIGKILL, SIGTERM};
    for (size_t i = 0; i < 2; i++) {
        struct shop shop = shop_of(), opened;
        struct errand *errand = errand_of(&shop, 0);
        pid_t clients[4];
        for (int at = 0; at < 4; at++)
            clients[at] = fork_run(expect_broken_pipe, errand);
        assert_int_equal(shop_open(errand->fd, &opened), 0);
        wait_for_count(&errand->arrived, 4);
        assert_int_equal(kill(pool_manager_pid(shop.manager), signals[i]), 0);
        for (int at = 0; at < 4; at++)
            assert_int_equal(fork_wait(clients[at]), 0);
        expect_all_broken(&shop);
        expect_all_broken(&opened);
        struct pool_manager *late;
        assert_int_equal(pool_manager_open(errand->fd, &late), -EPIPE);
        close(errand->fd);
        shop_free(&opened);
        shop_free(&shop);
    }
}

static void a_server_that_dies_in_the_middle_of_a_call_ends_it(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    struct errand *errand = errand_of(&shop, 0);
    const pid_t server = pool_manager_pid(shop.manager);
    pid_t client = fork_run(expect_broken_pipe, errand);
    wait_for_count(&errand->arrived, 1);
    assert_int_equal(kill(server, SIGSTOP), 0);
    wait_until_asleep(client); /* its request is there, and there is no answer */
    assert_int_equal(kill(server, SIGKILL), 0);
    assert_int_equal(fork_wait(client), 0);
    close(errand->fd);
    shop_free(&shop);
}

static int open_until_it_breaks(void *data)
{
    struct errand *errand = data;
    struct pool_manager *manager;
    atomic_fetch_add(&errand->arrived, 1);
    int r;
    while ((r = pool_manager_open(errand->fd, &manager)) == 0)
        pool_manager_free(manager);
    EXPECT(r == -EPIPE);
    return 0;
}

static void a_server_that_dies_while_somebody_connects_ends_that_too(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        struct shop shop = shop_of();
        struct errand *errand = errand_of(&shop, 0);
        const pid_t server = pool_manager_pid(shop.manager);
        pid_t client = fork_run(open_until_it_breaks, errand);
        wait_for_count(&errand->arrived, 1);
        if (i % 2 == 0) {
            assert_int_equal(kill(server, SIGSTOP), 0);
            wait_until_asleep(client);
        }
        assert_int_equal(kill(server, SIGKILL), 0);
        assert_int_equal(fork_wait(client), 0);
        close(errand->fd);
        shop_free(&shop);
    }
}

static void an_interrupt_is_not_for_the_server(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    assert_int_equal(kill(pool_manager_pid(shop.manager), SIGINT), 0);
    assert_int_equal(kill(pool_manager_pid(shop.manager), SIGHUP), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(pool_dict_add(shop.dict, text("n"), 1, NULL), 0);
    shop_free(&shop);
}

static void a_manager_that_is_freed_ends_its_server_and_its_clients_calls(void **state)
{
    (void)state;
    struct shop shop = shop_of(), opened;
    const pid_t server = pool_manager_pid(shop.manager);
    const int fd = pool_manager_share(shop.manager);
    struct pool_manager *late;
    assert_int_equal(shop_open(fd, &opened), 0);
    shop_free(&shop);
    assert_false(process_is_there(server)); /* and reaped */
    expect_all_broken(&opened);
    assert_int_equal(pool_manager_open(fd, &late), -EPIPE);
    shop_free(&opened);
    close(fd);
}

static int hold_copies(void *data)
{
    (void)data;
    while (pause() < 0) /* by whatever signal */
        continue;
    return 0;
}

static void a_connection_ends_although_a_forked_child_has_a_copy_of_it(void **state)
{
    (void)state;
    struct shop shop = shop_of(), opened;
    const pid_t server = pool_manager_pid(shop.manager);
    const int fd = pool_manager_share(shop.manager), before = fds_of(server);
    assert_int_equal(shop_open(fd, &opened), 0);
    assert_int_equal(fds_of(server), before + 1);
    pid_t heir = fork_run(hold_copies, NULL);
    shop_free(&opened);
    while (fds_of(server) != before)
        poll(NULL, 0, 1);
    shop_free(&shop);
    assert_int_equal(kill(heir, SIGKILL), 0);
    assert_int_equal(fork_wait(heir), -SIGKILL);
    close(fd);
}

static void a_server_that_is_stopped_does_not_keep_its_maker(void **state)
{
    (void)state;
    struct shop shop = shop_of();
    const pid_t server = pool_manager_pid(shop.manager);
    assert_int_equal(kill(server, SIGSTOP), 0);
    shop_free(&shop);
    assert_false(process_is_there(server));
}

/* A maker that ends without freeing anything. */
struct making {
    atomic_int server;
    int how; /* 0: waits to be killed; 1: exits at once; 2: leaves a child that has all it had */
    int ends[2];
    atomic_int heir;
};

static int make_and_leave(void *data)
{
    struct making *making = data;
    struct pool_manager *manager;
    EXPECT(pool_manager_create(NULL, &manager) == 0);
    int fd = pool_manager_share(manager);
    struct pool_pipe *pipe;
    EXPECT(pool_pipe_open(making->ends[1], &pipe) == 0);
    EXPECT(pool_pipe_send(pipe, NULL, 0, &fd, 1, -1) == 0);
    atomic_store(&making->server, pool_manager_pid(manager));
    if (making->how == 2) {
        pid_t heir = fork();
        EXPECT(heir >= 0);
        if (heir == 0)
            for (;;)
                pause();
        atomic_store(&making->heir, heir);
    }
    while (making->how != 1)
        pause();
    return 0;
}

static void a_server_ends_when_its_maker_does(void **state)
{
    (void)state;
    struct making *making = shared_memory(sizeof(*making));
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, making->ends), 0);
    for (making->how = 0; making->how < 3; making->how++) {
        struct pool_message message = POOL_MESSAGE_INIT;
        struct pool_pipe *pipe;
        struct shop shop;
        atomic_store(&making->server, 0);
        atomic_store(&making->heir, 0);
        assert_int_equal(pool_pipe_open(making->ends[0], &pipe), 0);
        pid_t maker = fork_run(make_and_leave, making);
        assert_int_equal(pool_pipe_receive(pipe, -1, &message), 0);
        assert_int_equal(message.fd_count, 1);
        wait_for_count(&making->server, 1);
        const bool opened = making->how != 1 && shop_open(message.fds[0], &shop) == 0;
        assert_true(opened || making->how == 1);
        if (making->how == 2)
            wait_for_count(&making->heir, 1);
        if (making->how != 1)
            assert_int_equal(kill(maker, SIGKILL), 0);
        fork_wait(maker);
        /* Orphans are this process's to reap. */
        while (process_is_there(atomic_load(&making->server))) {
            waitpid(atomic_load(&making->server), NULL, WNOHANG);
            poll(NULL, 0, 1);
        }
        if (opened) {
            expect_all_broken(&shop);
            shop_free(&shop);
        }
        if (making->how == 2) {
            assert_int_equal(kill(atomic_load(&making->heir), SIGKILL), 0);
            assert_int_equal(fork_wait(atomic_load(&making->heir)), -SIGKILL);
        }
        while (waitpid(-1, NULL, 0) > 0) /* its zygote */
            continue;
        pool_pipe_free(pipe);
        pool_message_done(&message);
    }
    close(making->ends[0]);
    close(making->ends[1]);
}

/* ---- What is no manager -------------------------------------------------------------------- */

static void other_descriptors_are_not_opened(void **state)
{
    (void)state;
    struct pool_manager *manager = NULL;
    struct pool_pipe *first, *second, *pipe;
    struct shop shop = shop_of();
    int pair[2];
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_int_equal(pool_manager_open(fd, &manager), -EBADMSG);
    close(fd);
    assert_int_equal(pool_manager_open(fd, &manager), -EBADF);
    assert_int_equal(pool_manager_open(-1, &manager), -EBADF);
    assert_int_equal(pool_pipe_create(&first, &second), 0);
    assert_int_equal(pool_manager_open(pool_pipe_fd(first), &manager), -EBADMSG);
    pool_pipe_free(first);
    pool_pipe_free(second);
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(socketpair(AF_UNIX, types[i] | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(pool_manager_open(pair[0], &manager), -EBADMSG);
        assert_int_equal(send(pair[1], "12345678", 8, 0), 8);
        assert_int_equal(pool_manager_open(pair[0], &manager), -EBADMSG);
        close(pair[0]);
        close(pair[1]);
    }
    fd = pool_manager_share(shop.manager); /* and the other way round */
    assert_int_equal(pool_pipe_open(fd, &pipe), -EBADMSG);
    close(fd);
    assert_null(manager);
    shop_free(&shop);
}

/* ---- A server that talks nonsense ---------------------------------------------------------- */

/* A client that gets one reply which it cannot understand. */
static int expect_nonsense(void *data)
{
    const int *rendezvous_fd = data;
    struct pool_message message = POOL_MESSAGE_INIT;
    struct pool_manager *manager;
    struct pool_dict *dict;
    EXPECT(pool_manager_open(*rendezvous_fd, &manager) == 0);
    EXPECT(pool_manager_dict(manager, "d", &dict) == 0);
    for (int i = 0; i < 3; i++) { /* and no more is said to who talks so */
        EXPECT(pool_dict_get(dict, text("key"), &message) == -EPIPE);
        EXPECT(message.size_bytes == 0);
    }
    pool_dict_free(dict);
    pool_manager_free(manager);
    return 0;
}

static int expect_no_welcome(void *data)
{
    const int *rendezvous_fd = data;
    struct pool_manager *manager;
    EXPECT(pool_manager_open(*rendezvous_fd, &manager) == -EBADMSG);
    return 0;
}

/* The next request of whoever has connected. */
static void take_request(int fd, unsigned operation)
{
    struct manager_request request;
    struct wire_fds fds;
    char body[20];
    const struct iovec parts[] = {{&request, sizeof(request)}, {body, sizeof(body)}};
    assert_true(pool_packet_receive(fd, parts, 2, &fds, TIME_NEVER) >= (ssize_t)sizeof(request));
    assert_int_equal(request.operation, operation);
    assert_int_equal(fds.count, 0);
}

/* Where this process is the server.  ret_theirs: the clients' end. */
static int rendezvous_by_hand(int *ret_theirs)
{
    const struct manager_greeting signature = {MANAGER_SIGNATURE_MAGIC, MANAGER_VERSION};
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(send(pair[0], &signature, sizeof(signature), 0), sizeof(signature));
    *ret_theirs = pair[1];
    return pair[0];
}

/* The descriptor on which the next client waits for its welcome. */
static int next_client(int rendezvous_fd)
{
    struct manager_greeting greeting;
    struct wire_fds fds;
    const struct iovec part = {&greeting, sizeof(greeting)};
    assert_int_equal(pool_packet_receive(rendezvous_fd, &part, 1, &fds, TIME_NEVER),
                     sizeof(greeting));
    assert_int_equal(fds.count, 1);
    return fds.fds[0];
}

static void a_welcome_that_makes_no_sense_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        struct manager_reply reply;
        size_t size, fd_count;
    } rows[] = {
        {"nothing", {0}, 0, 0},
        {"half a welcome", {MANAGER_REPLY_MAGIC, 0, 0, 0, 0, 0}, 10, 1},
        {"another magic", {MANAGER_REQUEST_MAGIC, 0, 0, 0, 0, 0}, 32, 1},
        {"an error that is none", {MANAGER_REPLY_MAGIC, 1, 0, 0, 0, 0}, 32, 0},
        {"no connection", {MANAGER_REPLY_MAGIC, 0, 0, 0, 0, 0}, 32, 0},
        {"two of them", {MANAGER_REPLY_MAGIC, 0, 0, 0, 0, 0}, 32, 2},
    };
    int theirs;
    const int ours = rendezvous_by_hand(&theirs), in_vain[] = {STDERR_FILENO, STDERR_FILENO};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct iovec part = {(void *)&rows[i].reply, rows[i].size};
        print_message("%s\n", rows[i].label);
        pid_t client = fork_run(expect_no_welcome, &theirs);
        const int fd = next_client(ours);
        assert_int_equal(pool_packet_send(fd, &part, 1, in_vain, rows[i].fd_count, TIME_NEVER), 0);
        assert_int_equal(fork_wait(client), 0);
        close(fd);
    }
    close(ours);
    close(theirs);
}

static void a_server_that_talks_nonsense_is_as_good_as_none(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        struct manager_reply reply;
        size_t size, fd_count;
        const char body[8];
    } rows[] = {
        {"nothing", {0}, 0, 0, ""},
        {"half a reply", {MANAGER_REPLY_MAGIC, 0, 0, 0, 0, 0}, 10, 0, ""},
        {"another magic", {MANAGER_REQUEST_MAGIC, 0, 0, 0, 0, 0}, 32, 0, ""},
        {"less than it says", {MANAGER_REPLY_MAGIC, 0, 0, 5, 0, 0}, 36, 0, "abcd"},
        {"more than it says", {MANAGER_REPLY_MAGIC, 0, 0, 3, 0, 0}, 36, 0, "abcd"},
        {"a body beside an error", {MANAGER_REPLY_MAGIC, -ENOENT, 0, 4, 0, 0}, 36, 0, "abcd"},
        {"an error that is none", {MANAGER_REPLY_MAGIC, 1, 0, 0, 0, 0}, 32, 0, ""},
        {"a room that nobody gave", {MANAGER_REPLY_MAGIC, 0, 0, 4, 1, 0}, 32, 0, ""},
        {"a descriptor", {MANAGER_REPLY_MAGIC, 0, 0, 0, 0, 0}, 32, 1, ""},
    };
    const struct manager_reply fine = {.magic = MANAGER_REPLY_MAGIC};
    int theirs;
    const int ours = rendezvous_by_hand(&theirs);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const int in_vain = STDERR_FILENO;
        char message[sizeof(rows[i].reply) + sizeof(rows[i].body)];
        print_message("%s\n", rows[i].label);
        pid_t client = fork_run(expect_nonsense, &theirs);
        const int fd = next_client(ours);
        int pair[2]; /* the connection, which comes with the welcome */
        const struct iovec welcome = {(void *)&fine, sizeof(fine)};
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(pool_packet_send(fd, &welcome, 1, &pair[1], 1, TIME_NEVER), 0);
        close(pair[1]);
        take_request(pair[0], MANAGER_OPEN_DICT);
        assert_int_equal(send(pair[0], &fine, sizeof(fine), 0), sizeof(fine));
        take_request(pair[0], MANAGER_DICT_GET);
        memcpy(message, &rows[i].reply, sizeof(rows[i].reply));
        memcpy(message + sizeof(rows[i].reply), rows[i].body, sizeof(rows[i].body));
        const struct iovec reply = {message, rows[i].size};
        assert_int_equal(
            pool_packet_send(pair[0], &reply, 1, &in_vain, rows[i].fd_count, TIME_NEVER), 0);
        assert_int_equal(fork_wait(client), 0);
        close(pair[0]);
        close(fd);
    }
    close(ours);
    close(theirs);
}

static const struct test_case tests[] = {
    TEST(a_server_that_is_killed_breaks_every_call_and_hangs_none),
    TEST(a_server_that_dies_in_the_middle_of_a_call_ends_it),
    TEST(a_server_that_dies_while_somebody_connects_ends_that_too),
    TEST(an_interrupt_is_not_for_the_server),
    TEST(a_manager_that_is_freed_ends_its_server_and_its_clients_calls),
    TEST(a_connection_ends_although_a_forked_child_has_a_copy_of_it),
    TEST(a_server_that_is_stopped_does_not_keep_its_maker),
    TEST(a_server_ends_when_its_maker_does),
    TEST(other_descriptors_are_not_opened),
    TEST(a_welcome_that_makes_no_sense_is_none),
    TEST(a_server_that_talks_nonsense_is_as_good_as_none),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &shop_tasks) < 0)
        return 2;
    fault_is_host();
    return test_run("manager_end", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
