/* Pipes between many, of whom some are killed; what is no pipe and no message; and shortage. */
#include "isolate.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <pool/ipc.h>
#include <pool/wire_priv.h>

#include "fault.h"
#include "forks.h"
#include "pipe_ends.h"

/* ---- Several processes --------------------------------------------------------------------- */

enum { MESSAGES_MAX = 40000 };

struct crowd {
    struct ends ends;
    int messages;        /* of each sender */
    atomic_int number;   /* of the next sender */
    atomic_int received; /* all together */
    atomic_int bad;
    atomic_uchar sent[MESSAGES_MAX], got[MESSAGES_MAX];
};

/* Message `number` says so, and its size is of all kinds. */
static size_t size_of(int number)
{
    const size_t size = sizeof(number) + (size_t)number * 7919 % 3000;
    return number % 97 == 0 ? size + 70000 : size;
}

static int send_numbers(struct crowd *crowd, int first, int count)
{
    static uint8_t data[80000];
    for (int number = first; number < first + count; number++) {
        const size_t size = size_of(number);
        fill(data, size, (size_t)number);
        memcpy(data, &number, sizeof(number));
        if (pool_pipe_send(crowd->ends.first, data, size, NULL, 0, -1) < 0)
            return 1;
        atomic_store(&crowd->sent[number], 1);
    }
    return 0;
}

static int send_share(void *data)
{
    struct crowd *crowd = data;
    const int self = atomic_fetch_add(&crowd->number, 1);
    return send_numbers(crowd, self * crowd->messages, crowd->messages);
}

static void note(struct crowd *crowd, const struct pool_message *message)
{
    int number = -1;
    if (message->size_bytes >= sizeof(number))
        memcpy(&number, message->data, sizeof(number));
    bool sound = number >= 0 && number < MESSAGES_MAX && message->size_bytes == size_of(number);
    for (size_t i = sizeof(number); sound && i < message->size_bytes; i++)
        sound = ((uint8_t *)message->data)[i] == pattern((size_t)number, i);
    if (sound)
        atomic_fetch_add(&crowd->got[number], 1);
    else
        atomic_fetch_add(&crowd->bad, 1);
    atomic_fetch_add(&crowd->received, 1);
}

static int receive_all(void *data)
{
    struct crowd *crowd = data;
    struct pool_message message = POOL_MESSAGE_INIT;
    int r;
    while ((r = pool_pipe_receive(crowd->ends.second, -1, &message)) == 0 && message.size_bytes > 0)
        note(crowd, &message);
    pool_message_done(&message);
    return r == 0 ? 0 : 1;
}

static void each_message_goes_to_exactly_one_of_several_readers(void **state)
{
    (void)state;
    enum { SENDERS = 3, READERS = 4 };
    struct crowd *crowd = shared_memory(sizeof(*crowd));
    pid_t senders[SENDERS], readers[READERS];
    crowd->ends = pipe_of();
    crowd->messages = 1500;
    for (int i = 0; i < READERS; i++)
        readers[i] = fork_run(receive_all, crowd);
    for (int i = 0; i < SENDERS; i++)
        senders[i] = fork_run(send_share, crowd);
    for (int i = 0; i < SENDERS; i++)
        assert_int_equal(fork_wait(senders[i]), 0);
    for (int i = 0; i < READERS; i++) /* an empty one tells a reader to go */
        assert_int_equal(send_text(crowd->ends.first, ""), 0);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(fork_wait(readers[i]), 0);
    assert_int_equal(crowd->bad, 0);
    for (int i = 0; i < SENDERS * crowd->messages; i++)
        assert_int_equal(crowd->got[i], 1);
    ends_free(&crowd->ends);
}

static void who_is_killed_leaves_the_channel_working(void **state)
{
    (void)state;
    enum { ROUNDS = 60, EACH = 400 };
    struct crowd *crowd = shared_memory(sizeof(*crowd));
    unsigned seed = test_seed();
    crowd->ends = pipe_of();
    crowd->messages = EACH;
    for (int round = 0; round < ROUNDS; round++) {
        pid_t sender = fork_run(send_share, crowd), reader = fork_run(receive_all, crowd);
        poll(NULL, 0, rand_r(&seed) % 6);
        const bool first = rand_r(&seed) % 2;
        assert_int_equal(kill(first ? sender : reader, SIGKILL), 0);
        poll(NULL, 0, rand_r(&seed) % 2);
        assert_int_equal(kill(first ? reader : sender, SIGKILL), 0);
        fork_wait(sender);
        fork_wait(reader);
    }
    /* Whoever comes now finds what is left. */
    struct pool_message message = POOL_MESSAGE_INIT;
    while (pool_pipe_receive(crowd->ends.second, 0, &message) == 0)
        note(crowd, &message);
    assert_int_equal(crowd->bad, 0);
    int lost = 0, sent = 0;
    for (int i = 0; i < ROUNDS * EACH; i++) {
        assert_true(crowd->got[i] <= 1);
        sent += crowd->sent[i];
        lost += crowd->sent[i] && !crowd->got[i];
    }
    /* Each reader took at most one with it into the grave. */
    print_message("%d messages sent, %d lost\n", sent, lost);
    assert_true(lost <= ROUNDS);
    assert_int_equal(send_text(crowd->ends.first, "and so on"), 0);
    expect_text(crowd->ends.second, "and so on");
    pool_message_done(&message);
    ends_free(&crowd->ends);
}

/* ---- What is no pipe, and what is no message ----------------------------------------------- */

static void other_descriptors_are_not_opened(void **state)
{
    (void)state;
    struct pool_pipe *opened = NULL;
    int pair[2];
    int fd = file_of(1);
    assert_int_equal(pool_pipe_open(fd, &opened), -EBADMSG);
    close(fd);
    assert_int_equal(pool_pipe_open(fd, &opened), -EBADF);
    assert_int_equal(pool_pipe_open(-1, &opened), -EBADF);
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    assert_int_equal(pool_pipe_open(pair[0], &opened), -EBADMSG);
    close(pair[0]);
    close(pair[1]);
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(socketpair(AF_UNIX, types[i] | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(pool_pipe_open(pair[0], &opened), -EBADMSG);
        close(pair[0]);
        close(pair[1]);
    }
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0); /* not connected */
    assert_int_equal(pool_pipe_open(fd, &opened), -EBADMSG);
    const struct sockaddr_un nameless = {.sun_family = AF_UNIX};
    assert_int_equal(bind(fd, (const struct sockaddr *)&nameless, sizeof(sa_family_t)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(pool_pipe_open(fd, &opened), -EBADMSG);
    close(fd);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(pool_pipe_open(fd, &opened), -EBADMSG);
    close(fd);
    assert_null(opened);
}

/* What the header looks like: see pipe.c. */
struct foreign {
    uint32_t magic;
    uint16_t in_memfd, fd_count;
    uint64_t size_bytes;
    char data[8];
};
enum { HEADER_BYTES = 16, MAGIC = 0x65706970 };

static void expect_foreign(struct ends *ends)
{
    struct pool_message message = POOL_MESSAGE_INIT;
    const int before = open_fds();
    assert_int_equal(pool_pipe_receive(ends->second, 0, &message), -EBADMSG);
    assert_int_equal(message.fd_count, 0);
    pool_message_done(&message);
    assert_int_equal(open_fds(), before); /* what came with it is not kept */
    assert_int_equal(send_text(ends->first, "a sound one"), 0);
    expect_text(ends->second, "a sound one");
}

static void foreign_messages_are_refused_and_the_next_one_arrives(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        struct foreign message;
        size_t size;
    } rows[] = {
        {"nothing", {0}, 0},
        {"one byte", {MAGIC, 0, 0, 0, ""}, 1},
        {"half a header", {MAGIC, 0, 0, 0, ""}, HEADER_BYTES - 1},
        {"another magic", {MAGIC + 1, 0, 0, 4, "abcd"}, HEADER_BYTES + 4},
        {"too little data", {MAGIC, 0, 0, 4, "abc"}, HEADER_BYTES + 3},
        {"too much data", {MAGIC, 0, 0, 4, "abcde"}, HEADER_BYTES + 5},
        {"an endless size", {MAGIC, 0, 0, UINT64_MAX, "abcd"}, HEADER_BYTES + 4},
        {"descriptors that are not there", {MAGIC, 0, 1, 4, "abcd"}, HEADER_BYTES + 4},
        {"more descriptors than there may be", {MAGIC, 0, 65, 4, "abcd"}, HEADER_BYTES + 4},
        {"a memfd that is not there", {MAGIC, 1, 0, 4, ""}, HEADER_BYTES},
        {"two memfds", {MAGIC, 2, 0, 4, ""}, HEADER_BYTES},
    };
    struct ends ends = pipe_of();
    const int fd = pool_pipe_share(ends.first);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("%s\n", rows[i].label);
        assert_int_equal(send(fd, &rows[i].message, rows[i].size, 0), rows[i].size);
        expect_foreign(&ends);
    }
    static uint8_t long_one[100000];
    static const size_t said[] = {sizeof(long_one) - HEADER_BYTES, 65536}; /* or as much as fits */
    for (size_t i = 0; i < 2; i++) {
        const struct foreign header = {MAGIC, 0, 0, said[i], ""};
        memcpy(long_one, &header, HEADER_BYTES);
        assert_int_equal(send(fd, long_one, sizeof(long_one), 0), sizeof(long_one));
        expect_foreign(&ends);
    }
    close(fd);
    ends_free(&ends);
}

static void foreign_descriptors_are_refused_and_closed(void **state)
{
    (void)state;
    struct ends ends = pipe_of();
    const int fd = pool_pipe_share(ends.first);
    const struct foreign in_memfd = {MAGIC, 1, 0, sizeof(int), ""};
    const struct foreign inline_one = {MAGIC, 0, 0, 1, "x"};
    const struct foreign both = {MAGIC, 1, 0, 1, "x"};
    const struct foreign many = {MAGIC, 0, 65, 1, "x"};
    int fds[65];
    const int unsealed = file_of(1);
    const struct {
        const char *label;
        const struct foreign *message;
        size_t size;
        size_t fd_count;
    } rows[] = {
        {"a memfd that can still change", &in_memfd, HEADER_BYTES, 1},
        {"more descriptors than it says", &inline_one, HEADER_BYTES + 1, 2},
        {"more descriptors than it says beside a memfd", &in_memfd, HEADER_BYTES, 3},
        {"data beside a memfd", &both, HEADER_BYTES + 1, 1},
        {"descriptors and no byte", &inline_one, 0, 1},
        {"more descriptors than a message holds", &many, HEADER_BYTES + 1, 65},
    };
    for (size_t i = 0; i < 65; i++)
        fds[i] = unsealed;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct iovec part = {(void *)rows[i].message, rows[i].size};
        print_message("%s\n", rows[i].label);
        assert_int_equal(pool_wire_send(fd, &part, 1, fds, rows[i].fd_count), 0);
        expect_foreign(&ends);
    }
    close(unsealed);
    close(fd);
    ends_free(&ends);
}

/* ---- Shortage ------------------------------------------------------------------------------ */

static void without_descriptors_a_message_that_brings_some_is_lost_and_said_to_be(void **state)
{
    (void)state;
    static uint8_t data[100000];
    struct ends ends = pipe_of();
    struct pool_message message = POOL_MESSAGE_INIT;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    send_files(ends.first, "x", 1, 10);
    assert_int_equal(pool_pipe_send(ends.first, data, sizeof(data), NULL, 0, 0), 0);
    assert_int_equal(send_text(ends.first, "no descriptor is needed for this"), 0);
    const int open_before = open_fds();
    leave_fds(5);
    assert_int_equal(pool_pipe_receive(ends.second, 0, &message), -EMFILE);
    leave_fds(0);
    assert_int_equal(pool_pipe_receive(ends.second, 0, &message), -EMFILE);
    assert_int_equal(message.fd_count, 0);
    expect_text(ends.second, "no descriptor is needed for this");
    assert_int_equal(pool_pipe_send(ends.first, data, sizeof(data), NULL, 0, 0), -EMFILE);
    assert_int_equal(pool_pipe_share(ends.first), -EMFILE);
    struct pool_pipe *opened;
    assert_int_equal(pool_pipe_open(pool_pipe_fd(ends.first), &opened), -EMFILE);
    struct ends more;
    assert_int_equal(pool_pipe_create(&more.first, &more.second), -EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(open_fds(), open_before);
    send_files(ends.first, "x", 1, 10);
    assert_int_equal(pool_pipe_receive(ends.second, 0, &message), 0);
    assert_int_equal(message.fd_count, 10);
    pool_message_done(&message);
    ends_free(&ends);
}

static void what_fails_for_want_of_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    static uint8_t data[100000];
    struct ends ends = pipe_of(), more;
    struct pool_message message = POOL_MESSAGE_INIT;
    const int before = open_fds();
    for (int nth = 0; nth < 2; nth++) {
        fault_arm(FAULT_MALLOC, nth, 1);
        int r = pool_pipe_create(&more.first, &more.second);
        assert_true(fault_disarm());
        assert_int_equal(r, -ENOMEM);
    }
    fault_arm(FAULT_MALLOC, 0, 1);
    int opened = pool_pipe_open(pool_pipe_fd(ends.first), &more.first);
    assert_true(fault_disarm());
    assert_int_equal(opened, -ENOMEM);
    assert_int_equal(open_fds(), before);

    fault_arm(FAULT_SENDMSG, 0, 1);
    int sent = pool_pipe_send(ends.first, data, sizeof(data), NULL, 0, 0);
    assert_true(fault_disarm());
    assert_int_equal(sent, -ENOMEM);
    assert_int_equal(send_text(ends.first, "it stays there"), 0);
    fault_arm(FAULT_REALLOC, 0, 2);
    int received = pool_pipe_receive(ends.second, 0, &message);
    assert_true(fault_disarm());
    assert_int_equal(received, -ENOMEM);
    expect_text(ends.second, "it stays there");

    assert_int_equal(pool_pipe_send(ends.first, data, sizeof(data), NULL, 0, 0), 0);
    fault_arm(FAULT_MMAP, 0, 1);
    received = pool_pipe_receive(ends.second, 0, &message);
    assert_true(fault_disarm());
    assert_int_equal(received, -ENOMEM); /* this one is lost */
    assert_int_equal(message.size_bytes, 0);
    assert_int_equal(open_fds(), before);
    pool_message_done(&message);
    ends_free(&ends);
}

/* The system lets a user who is nobody special have so many descriptors under way as he may have
 * open. */
static int crowd_the_way(void *data)
{
    struct ends *ends = data;
    struct rlimit limit = {.rlim_cur = 150, .rlim_max = 150};
    int fds[60], sent = 0, r;
    for (int i = 0; i < 60; i++)
        fds[i] = STDERR_FILENO;
    if (getuid() == 0)
        EXPECT(setgroups(0, NULL) == 0 && setgid(54321) == 0 && setuid(54321) == 0);
    EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    while ((r = pool_pipe_send(ends->first, "x", 1, fds, 60, 0)) == 0)
        sent++;
    EXPECT(r == -ETIMEDOUT);
    EXPECT(sent >= 2 && sent < 10); /* it was not the channel that was full */
    EXPECT(pool_pipe_send(ends->first, "x", 1, fds, 60, 30) == -ETIMEDOUT);
    EXPECT(pool_pipe_send(ends->first, "x", 1, NULL, 0, 0) == 0);
    pid_t sender = fork();
    EXPECT(sender >= 0);
    if (sender == 0) /* waits until the others have arrived */
        _exit(pool_pipe_send(ends->first, "y", 1, fds, 60, -1) == 0 ? 0 : 1);
    struct pool_message message = POOL_MESSAGE_INIT;
    for (int i = 0; i < sent + 2; i++) {
        EXPECT(pool_pipe_receive(ends->second, -1, &message) == 0);
        EXPECT(message.fd_count == (i == sent ? 0 : 60));
    }
    pool_message_done(&message);
    return fork_wait(sender);
}

static void too_many_descriptors_under_way_are_waited_for(void **state)
{
    (void)state;
    struct ends ends = pipe_of();
    assert_int_equal(fork_wait(fork_run(crowd_the_way, &ends)), 0);
    ends_free(&ends);
}

static const struct test_case tests[] = {
    TEST(each_message_goes_to_exactly_one_of_several_readers),
    TEST(who_is_killed_leaves_the_channel_working),
    TEST(other_descriptors_are_not_opened),
    TEST(foreign_messages_are_refused_and_the_next_one_arrives),
    TEST(foreign_descriptors_are_refused_and_closed),
    TEST(without_descriptors_a_message_that_brings_some_is_lost_and_said_to_be),
    TEST(what_fails_for_want_of_memory_leaves_nothing_behind),
    TEST(too_many_descriptors_under_way_are_waited_for),
};

int main(int argc, char **argv)
{
    fault_is_host();
    return test_run("pipe_trouble", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
