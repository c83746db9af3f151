/* Pipes: whole messages between two processes. */
#include "isolate.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <pool/ipc.h>

#include "fault.h"
#include "forks.h"
#include "pipe_ends.h"

/* ---- Messages ------------------------------------------------------------------------------ */

static void messages_go_both_ways_in_order(void **state)
{
    (void)state;
    struct ends ends = pipe_of();
    assert_int_equal(send_text(ends.first, "one"), 0);
    assert_int_equal(send_text(ends.first, ""), 0);
    assert_int_equal(send_text(ends.second, "back"), 0);
    assert_int_equal(send_text(ends.first, "three"), 0);
    expect_text(ends.second, "one");
    expect_text(ends.second, ""); /* no data is a message, too */
    expect_text(ends.second, "three");
    expect_text(ends.first, "back");
    assert_int_equal(pool_pipe_send(ends.second, NULL, 0, NULL, 0, 0), 0);
    expect_text(ends.first, "");
    ends_free(&ends);
}

static void every_size_arrives_whole(void **state)
{
    (void)state;
    struct ends ends = pipe_of();
    struct pool_message message = POOL_MESSAGE_INIT;
    const size_t sizes[] = {1,      15,     16,     17,      65519,        65520,  65521,
                            65535,  65536,  65537,  131071,  131072,       131073, 200000,
                            212959, 212960, 212992, 1 << 20, (5 << 20) + 3};
    uint8_t *data = malloc(6 << 20);
    assert_non_null(data);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        fill(data, sizes[i], i);
        assert_int_equal(pool_pipe_send(ends.first, data, sizes[i], NULL, 0, 0), 0);
        assert_int_equal(pool_pipe_receive(ends.second, 0, &message), 0);
        assert_true(is_filled(&message, sizes[i], i));
        assert_int_equal((uintptr_t)message.data % _Alignof(max_align_t), 0);
        assert_int_equal(message.fd_count, 0);
    }
    for (size_t size = 0; size <= 200000; size += 997) {
        fill(data, size, size);
        assert_int_equal(pool_pipe_send(ends.second, data, size, NULL, 0, 0), 0);
        assert_int_equal(pool_pipe_receive(ends.first, 0, &message), 0);
        assert_true(is_filled(&message, size, size));
    }
    free(data);
    pool_message_done(&message);
    ends_free(&ends);
}

static void a_socket_with_a_small_buffer_takes_any_size_all_the_same(void **state)
{
    (void)state;
    struct ends ends = pipe_of();
    struct pool_message message = POOL_MESSAGE_INIT;
    static uint8_t data[60000];
    const int bytes = 1; /* which the system makes a few thousand */
    const int fd = pool_pipe_share(ends.first);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), 0);
    for (size_t size = 0; size <= sizeof(data); size += 1000) {
        fill(data, size, size);
        assert_int_equal(pool_pipe_send(ends.first, data, size, NULL, 0, 0), 0);
        assert_int_equal(pool_pipe_receive(ends.second, 0, &message), 0);
        assert_true(is_filled(&message, size, size));
    }
    close(fd);
    pool_message_done(&message);
    ends_free(&ends);
}

/* ---- Descriptors --------------------------------------------------------------------------- */

static void descriptors_come_along_with_data_of_any_size(void **state)
{
    (void)state;
    static uint8_t data[100000];
    static const size_t sizes[] = {0, 10, 65536, 65537, sizeof(data)};
    static const size_t counts[] = {0, 1, 63, 64};
    struct ends ends = pipe_of();
    struct pool_message message = POOL_MESSAGE_INIT;
    const int before = open_fds();
    for (size_t i = 0; i < 20; i++) {
        const size_t size = sizes[i / 4], count = counts[i % 4];
        fill(data, size, i);
        send_files(ends.first, data, size, count);
        assert_int_equal(open_fds(), before + (int)message.fd_count);
        assert_int_equal(pool_pipe_receive(ends.second, 0, &message), 0);
        assert_true(is_filled(&message, size, i));
        assert_int_equal(message.fd_count, count);
        assert_int_equal(open_fds(), before + (int)count); /* those of the last one are closed */
        for (size_t at = 0; at < count; at++) {
            assert_int_equal(number_in(message.fds[at]), at);
            assert_true(fcntl(message.fds[at], F_GETFD) & FD_CLOEXEC);
        }
    }
    pool_message_done(&message);
    assert_int_equal(open_fds(), before);
    ends_free(&ends);
}

static void who_takes_a_descriptor_keeps_it(void **state)
{
    (void)state;
    struct ends ends = pipe_of();
    struct pool_message message = POOL_MESSAGE_INIT;
    send_files(ends.first, "x", 1, 3);
    assert_int_equal(pool_pipe_receive(ends.second, 0, &message), 0);
    const int kept = message.fds[2];
    message.fds[2] = -1;
    pool_message_done(&message);
    assert_int_equal(number_in(kept), 2);
    close(kept);
    ends_free(&ends);
}

static void a_message_that_cannot_be_sent_is_refused(void **state)
{
    (void)state;
    struct ends ends = pipe_of();
    struct pool_message message = POOL_MESSAGE_INIT;
    int fds[POOL_FDS_MAX + 1];
    for (size_t i = 0; i <= POOL_FDS_MAX; i++)
        fds[i] = STDERR_FILENO;
    assert_int_equal(pool_pipe_send(ends.first, "x", 1, fds, POOL_FDS_MAX + 1, 0), -EINVAL);
    assert_int_equal(pool_pipe_send(ends.first, NULL, 1, NULL, 0, 0), -EINVAL);
    assert_int_equal(pool_pipe_send(ends.first, "x", 1, NULL, 1, 0), -EINVAL);
    fds[5] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    close(fds[5]);
    assert_int_equal(pool_pipe_send(ends.first, "x", 1, fds, 10, -1), -EBADF);
    assert_int_equal(pool_pipe_receive(ends.second, 0, &message), -ETIMEDOUT); /* nothing came */
    pool_message_done(&message);
    ends_free(&ends);
}

static void a_pipe_can_be_sent_through_a_pipe(void **state)
{
    (void)state;
    struct ends ends = pipe_of(), other = pipe_of();
    struct pool_message message = POOL_MESSAGE_INIT;
    struct pool_pipe *opened;
    int fd = pool_pipe_share(other.first);
    assert_int_equal(pool_pipe_send(ends.first, NULL, 0, &fd, 1, 0), 0);
    close(fd);
    pool_pipe_free(other.first);
    assert_int_equal(send_text(other.second, "waiting for you"), 0);
    assert_int_equal(pool_pipe_receive(ends.second, 0, &message), 0);
    assert_int_equal(pool_pipe_open(message.fds[0], &opened), 0);
    pool_message_done(&message);
    expect_text(opened, "waiting for you");
    pool_pipe_free(opened);
    pool_pipe_free(other.second);
    ends_free(&ends);
}

/* ---- Waiting ------------------------------------------------------------------------------- */

static void nothing_to_receive_is_said_in_time_and_changes_nothing(void **state)
{
    (void)state;
    struct ends ends = pipe_of();
    struct pool_message message = POOL_MESSAGE_INIT;
    assert_int_equal(send_text(ends.first, "the last one"), 0);
    assert_int_equal(pool_pipe_receive(ends.second, 0, &message), 0);
    assert_int_equal(pool_pipe_receive(ends.second, 0, &message), -ETIMEDOUT);
    assert_int_equal(pool_pipe_receive(ends.second, 20, &message), -ETIMEDOUT);
    assert_int_equal(message.size_bytes, strlen("the last one"));
    assert_memory_equal(message.data, "the last one", message.size_bytes);
    pool_message_done(&message);
    ends_free(&ends);
}

static void polling_tells_what_a_receive_would_find(void **state)
{
    (void)state;
    struct ends ends = pipe_of();
    struct pollfd wait = {.fd = pool_pipe_fd(ends.second), .events = POLLIN};
    assert_int_equal(pool_pipe_poll(ends.second, 0), 0);
    assert_int_equal(pool_pipe_poll(ends.second, 20), 0);
    assert_int_equal(poll(&wait, 1, 0), 0);
    assert_int_equal(send_text(ends.first, ""), 0);
    assert_int_equal(pool_pipe_poll(ends.second, 0), 1);
    assert_int_equal(pool_pipe_poll(ends.second, -1), 1);
    assert_int_equal(poll(&wait, 1, 0), 1);
    assert_true(wait.revents & POLLIN);
    expect_text(ends.second, "");
    assert_int_equal(pool_pipe_poll(ends.second, 0), 0);
    pool_pipe_free(ends.first);
    assert_int_equal(pool_pipe_poll(ends.second, -1), 1); /* the news that nobody is there */
    assert_int_equal(poll(&wait, 1, 0), 1);
    assert_true(wait.revents & POLLIN);
    pool_pipe_free(ends.second);
}

/* Send until it is full; returns how many messages it took. */
static int fill_up(struct pool_pipe *pipe, const void *data, size_t size)
{
    int count = 0;
    int r;
    while ((r = pool_pipe_send(pipe, data, size, NULL, 0, 0)) == 0)
        count++;
    assert_int_equal(r, -ETIMEDOUT);
    return count;
}

static int send_after_all(void *data)
{
    struct pool_pipe *pipe = data;
    return send_text(pipe, "at last") == 0 ? 0 : 1;
}

static void a_full_pipe_makes_senders_wait_until_there_is_room(void **state)
{
    (void)state;
    static uint8_t data[50000];
    struct ends ends = pipe_of();
    struct pool_message message = POOL_MESSAGE_INIT;
    int count = fill_up(ends.first, data, sizeof(data));
    assert_true(count > 0);
    assert_int_equal(pool_pipe_send(ends.first, data, sizeof(data), NULL, 0, 20), -ETIMEDOUT);
    assert_int_equal(pool_pipe_send(ends.second, data, 1, NULL, 0, 0), 0); /* not that way */
    pid_t sender = fork_run(send_after_all, ends.first);
    wait_until_asleep(sender);
    for (; count > 0; count--) {
        assert_int_equal(pool_pipe_receive(ends.second, -1, &message), 0);
        assert_int_equal(message.size_bytes, sizeof(data));
    }
    expect_text(ends.second, "at last");
    assert_int_equal(fork_wait(sender), 0);
    pool_message_done(&message);
    ends_free(&ends);
}

static int receive_one(void *data)
{
    struct pool_message message = POOL_MESSAGE_INIT;
    int r = pool_pipe_receive(data, -1, &message);
    pool_message_done(&message);
    return r == 0 ? 0 : -r;
}

static void who_waits_is_woken_by_a_message(void **state)
{
    (void)state;
    struct ends ends = pipe_of();
    pid_t receiver = fork_run(receive_one, ends.second);
    wait_until_asleep(receiver);
    assert_int_equal(send_text(ends.first, "wake up"), 0);
    assert_int_equal(fork_wait(receiver), 0);
    ends_free(&ends);
}

static void who_waits_does_so_even_if_somebody_has_made_the_end_nonblocking(void **state)
{
    (void)state;
    static uint8_t data[50000];
    struct ends ends = pipe_of();
    struct pool_message message = POOL_MESSAGE_INIT;
    for (int i = 0; i < 2; i++) /* the flag belongs to all who have the end */
        assert_int_equal(fcntl(pool_pipe_fd(i ? ends.first : ends.second), F_SETFL, O_NONBLOCK), 0);
    pid_t receiver = fork_run(receive_one, ends.second);
    wait_until_asleep(receiver);
    assert_int_equal(send_text(ends.first, "wake up"), 0);
    assert_int_equal(fork_wait(receiver), 0);
    int count = fill_up(ends.first, data, sizeof(data));
    pid_t sender = fork_run(send_after_all, ends.first);
    wait_until_asleep(sender);
    for (; count > 0; count--)
        assert_int_equal(pool_pipe_receive(ends.second, -1, &message), 0);
    expect_text(ends.second, "at last");
    assert_int_equal(fork_wait(sender), 0);
    pool_message_done(&message);
    ends_free(&ends);
}

static atomic_int alarms;

static void count_alarm(int signal)
{
    (void)signal;
    alarms++;
}

static void *send_when_interrupted_often(void *data)
{
    wait_for_count(&alarms, 20);
    send_text(data, "through");
    return NULL;
}

static void *receive_when_interrupted_often(void *data)
{
    struct pool_message message = POOL_MESSAGE_INIT;
    wait_for_count(&alarms, 20);
    while (pool_pipe_receive(data, 0, &message) == 0)
        continue;
    pool_message_done(&message);
    return NULL;
}

/* The thread is not to be interrupted: all alarms are the test's. */
static pthread_t thread_without_alarms(void *(*run)(void *), void *data)
{
    pthread_t thread;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    assert_int_equal(pthread_create(&thread, NULL, run, data), 0);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    return thread;
}

static void signals_do_not_end_a_wait(void **state)
{
    (void)state;
    static uint8_t data[50000];
    struct ends ends = pipe_of();
    struct pool_message message = POOL_MESSAGE_INIT;
    const struct sigaction action = {.sa_handler = count_alarm}; /* no SA_RESTART */
    const struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    pthread_t thread = thread_without_alarms(send_when_interrupted_often, ends.first);
    expect_text(ends.second, "through"); /* waits without a limit */
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(pool_pipe_receive(ends.second, 50, &message), -ETIMEDOUT);
    assert_int_equal(pool_pipe_poll(ends.second, 50), 0);
    fill_up(ends.first, data, sizeof(data));
    assert_int_equal(pool_pipe_send(ends.first, data, sizeof(data), NULL, 0, 50), -ETIMEDOUT);
    alarms = 0;
    thread = thread_without_alarms(receive_when_interrupted_often, ends.second);
    assert_int_equal(pool_pipe_send(ends.first, data, sizeof(data), NULL, 0, -1), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    pool_message_done(&message);
    ends_free(&ends);
}

/* ---- A peer that is gone ------------------------------------------------------------------- */

static void what_was_sent_is_there_after_its_sender_has_gone(void **state)
{
    (void)state;
    struct ends ends = pipe_of();
    struct pool_message message = POOL_MESSAGE_INIT;
    static uint8_t data[100000];
    fill(data, sizeof(data), 1);
    assert_int_equal(send_text(ends.first, "one"), 0);
    assert_int_equal(pool_pipe_send(ends.first, data, sizeof(data), NULL, 0, 0), 0);
    assert_int_equal(send_text(ends.second, "nobody will read this"), 0);
    pool_pipe_free(ends.first);
    assert_int_equal(send_text(ends.second, "nor this"), -EPIPE);
    expect_text(ends.second, "one");
    assert_int_equal(pool_pipe_receive(ends.second, 0, &message), 0);
    assert_true(is_filled(&message, sizeof(data), 1));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pool_pipe_receive(ends.second, i - 1, &message), -EPIPE);
        assert_int_equal(pool_pipe_send(ends.second, "x", 1, NULL, 0, i - 1), -EPIPE);
        assert_int_equal(pool_pipe_send(ends.second, data, sizeof(data), NULL, 0, i - 1), -EPIPE);
    }
    pool_message_done(&message);
    pool_pipe_free(ends.second);
}

static void what_was_sent_is_there_although_its_sender_left_something_unread(void **state)
{
    (void)state;
    struct ends ends = pipe_of();
    struct pool_message message = POOL_MESSAGE_INIT;
    assert_int_equal(send_text(ends.first, "one"), 0);
    assert_int_equal(send_text(ends.second, "nobody will read this"), 0);
    pool_pipe_free(ends.first);
    expect_text(ends.second, "one"); /* before anything else is tried */
    assert_int_equal(pool_pipe_receive(ends.second, -1, &message), -EPIPE);
    pool_message_done(&message);
    pool_pipe_free(ends.second);
}

static void who_waits_is_told_when_the_peer_dies(void **state)
{
    (void)state;
    static uint8_t data[50000];
    struct ends ends = pipe_of();
    /* Children inherit both ends, so each lets go of the one that is not its own. */
    pid_t peer = fork();
    assert_true(peer >= 0);
    if (peer == 0) {
        pool_pipe_free(ends.second);
        for (;;)
            pause();
    }
    pool_pipe_free(ends.first);
    pid_t receiver = fork_run(receive_one, ends.second);
    wait_until_asleep(receiver);
    assert_int_equal(kill(peer, SIGKILL), 0);
    assert_int_equal(fork_wait(receiver), EPIPE);
    assert_int_equal(fork_wait(peer), -SIGKILL);
    pool_pipe_free(ends.second);

    ends = pipe_of();
    peer = fork();
    assert_true(peer >= 0);
    if (peer == 0) {
        pool_pipe_free(ends.second);
        for (;;)
            pause();
    }
    pool_pipe_free(ends.first);
    fill_up(ends.second, data, sizeof(data));
    pid_t sender = fork_run(send_after_all, ends.second);
    wait_until_asleep(sender);
    assert_int_equal(kill(peer, SIGKILL), 0);
    assert_int_equal(fork_wait(sender), 1);
    assert_int_equal(fork_wait(peer), -SIGKILL);
    pool_pipe_free(ends.second);
}

static void a_peer_is_gone_only_when_no_copy_is_left(void **state)
{
    (void)state;
    struct ends ends = pipe_of();
    struct pool_message message = POOL_MESSAGE_INIT;
    struct pool_pipe *copy;
    int fd = pool_pipe_share(ends.first);
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(pool_pipe_open(fd, &copy), 0);
    pool_pipe_free(ends.first);
    assert_int_equal(pool_pipe_receive(ends.second, 0, &message), -ETIMEDOUT);
    close(fd);
    assert_int_equal(pool_pipe_receive(ends.second, 0, &message), -ETIMEDOUT);
    assert_int_equal(send_text(copy, "still here"), 0);
    expect_text(ends.second, "still here");
    pool_pipe_free(copy);
    assert_int_equal(pool_pipe_receive(ends.second, -1, &message), -EPIPE);
    pool_message_done(&message);
    pool_pipe_free(ends.second);
    pool_pipe_free(NULL);
}

static void an_end_can_be_opened_after_its_peer_has_gone(void **state)
{
    (void)state;
    struct ends ends = pipe_of();
    struct pool_pipe *opened;
    assert_int_equal(send_text(ends.first, "a legacy"), 0);
    pool_pipe_free(ends.first);
    int fd = pool_pipe_share(ends.second);
    pool_pipe_free(ends.second);
    assert_int_equal(pool_pipe_open(fd, &opened), 0);
    close(fd);
    expect_text(opened, "a legacy");
    pool_pipe_free(opened);
}

static const struct test_case tests[] = {
    TEST(messages_go_both_ways_in_order),
    TEST(every_size_arrives_whole),
    TEST(a_socket_with_a_small_buffer_takes_any_size_all_the_same),
    TEST(descriptors_come_along_with_data_of_any_size),
    TEST(who_takes_a_descriptor_keeps_it),
    TEST(a_message_that_cannot_be_sent_is_refused),
    TEST(a_pipe_can_be_sent_through_a_pipe),
    TEST(nothing_to_receive_is_said_in_time_and_changes_nothing),
    TEST(polling_tells_what_a_receive_would_find),
    TEST(a_full_pipe_makes_senders_wait_until_there_is_room),
    TEST(who_waits_is_woken_by_a_message),
    TEST(who_waits_does_so_even_if_somebody_has_made_the_end_nonblocking),
    TEST(signals_do_not_end_a_wait),
    TEST(what_was_sent_is_there_after_its_sender_has_gone),
    TEST(what_was_sent_is_there_although_its_sender_left_something_unread),
    TEST(who_waits_is_told_when_the_peer_dies),
    TEST(a_peer_is_gone_only_when_no_copy_is_left),
    TEST(an_end_can_be_opened_after_its_peer_has_gone),
};

int main(int argc, char **argv)
{
    fault_is_host();
    return test_run("pipe", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
