/* Messages and descriptors over a socket pair. */
#include "isolate.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pool/wire_priv.h>

static void pair_open(int pair[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
                     0);
}

static void parts_arrive_as_one_message_with_their_descriptors(void **state)
{
    (void)state;
    int pair[2];
    char buffer[32];
    struct wire_fds fds;
    const struct iovec parts[] = {{(void *)"one ", 4}, {(void *)"two ", 4}, {(void *)"three", 5}};
    const int sent[] = {STDIN_FILENO, STDOUT_FILENO};
    pair_open(pair);
    assert_int_equal(pool_wire_send(pair[0], parts, 3, sent, 2), 0);
    assert_int_equal(pool_wire_receive(pair[1], buffer, sizeof(buffer), &fds), 13);
    assert_memory_equal(buffer, "one two three", 13);
    assert_int_equal(fds.count, 2);
    assert_false(fds.lost);
    assert_int_equal(fcntl(fds.fds[0], F_GETFD), FD_CLOEXEC);
    pool_wire_fds_done(&fds);
    assert_int_equal(pool_wire_receive(pair[1], buffer, sizeof(buffer), &fds), -EAGAIN);
    close(pair[0]);
    close(pair[1]);
}

static void a_message_too_long_is_dropped_with_its_descriptors(void **state)
{
    (void)state;
    int pair[2];
    char buffer[8];
    struct wire_fds fds;
    const struct iovec part = {(void *)"much too long", 13};
    const int sent[] = {STDIN_FILENO};
    pair_open(pair);
    assert_int_equal(pool_wire_send(pair[0], &part, 1, sent, 1), 0);
    assert_int_equal(pool_wire_receive(pair[1], buffer, sizeof(buffer), &fds), -EBADMSG);
    close(pair[0]);
    close(pair[1]);
}

static void what_a_dead_peer_had_sent_can_still_be_read(void **state)
{
    (void)state;
    int pair[2];
    char buffer[8];
    struct wire_fds fds;
    const struct iovec part = {(void *)"last", 4};
    pair_open(pair);
    assert_int_equal(pool_wire_send(pair[1], &part, 1, NULL, 0),
                     0); /* unread by the peer: a reset */
    assert_int_equal(pool_wire_send(pair[0], &part, 1, NULL, 0), 0);
    close(pair[0]);
    assert_int_equal(pool_wire_receive(pair[1], buffer, sizeof(buffer), &fds), 4);
    assert_int_equal(pool_wire_receive(pair[1], buffer, sizeof(buffer), &fds), 0);
    assert_int_equal(pool_wire_send(pair[1], &part, 1, NULL, 0), -EPIPE);
    close(pair[1]);
}

static void a_full_socket_says_so(void **state)
{
    (void)state;
    int pair[2];
    static char bytes[WIRE_INLINE_MAX];
    const struct iovec part = {bytes, sizeof(bytes)};
    int r = 0, sent = 0;
    pair_open(pair);
    for (; sent < 1000 && r == 0; sent++)
        r = pool_wire_send(pair[0], &part, 1, NULL, 0);
    assert_int_equal(r, -EAGAIN);
    assert_true(sent > 2); /* a worker's two tasks always fit */
    close(pair[0]);
    close(pair[1]);
}

static void descriptors_that_cannot_be_received_are_reported_lost(void **state)
{
    (void)state;
    int pair[2];
    char buffer[8];
    struct wire_fds fds;
    struct rlimit before, low;
    const struct iovec part = {(void *)"fd", 2};
    const int sent[] = {STDIN_FILENO};
    pair_open(pair);
    assert_int_equal(pool_wire_send(pair[0], &part, 1, sent, 1), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    ssize_t got = pool_wire_receive(pair[1], buffer, sizeof(buffer), &fds);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(got, 2);
    assert_int_equal(fds.count, 0);
    assert_true(fds.lost);
    close(pair[0]);
    close(pair[1]);
}

static const struct test_case tests[] = {
    TEST(parts_arrive_as_one_message_with_their_descriptors),
    TEST(a_message_too_long_is_dropped_with_its_descriptors),
    TEST(what_a_dead_peer_had_sent_can_still_be_read),
    TEST(a_full_socket_says_so),
    TEST(descriptors_that_cannot_be_received_are_reported_lost),
};

int main(int argc, char **argv)
{
    return test_run("wire", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
