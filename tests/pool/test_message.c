/* Messages: memory that is used again and again, and descriptors that are not lost. */
#include "isolate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <pool/ipc.h>
#include <pool/message_priv.h>

#include "fault.h"
#include "forks.h"

static int is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void memory_is_used_again_and_grows_as_needed(void **state)
{
    (void)state;
    struct pool_message message = POOL_MESSAGE_INIT;
    assert_int_equal(pool_message_reserve(&message, 0), 0);
    assert_int_equal(message.size_bytes, 0);
    assert_int_equal(pool_message_reserve(&message, 1000), 0);
    assert_int_equal(message.size_bytes, 1000);
    assert_true(message.room_bytes >= 1000);
    assert_int_equal((uintptr_t)message.data % _Alignof(max_align_t), 0);
    const void *before = message.data;
    memset(message.data, 'x', 1000);
    assert_int_equal(pool_message_reserve(&message, 10), 0);
    assert_int_equal(message.size_bytes, 10);
    assert_ptr_equal(message.data, before);
    for (size_t size = 1; size < 100000; size = size * 3 + 1) {
        assert_int_equal(pool_message_reserve(&message, size), 0);
        assert_int_equal(message.size_bytes, size);
        memset(message.data, 'y', size);
    }
    pool_message_done(&message);
    assert_null(message.data);
    assert_int_equal(message.size_bytes, 0);
    assert_int_equal(message.room_bytes, 0);
    pool_message_done(&message); /* twice is fine */
}

static void growing_byte_by_byte_moves_the_memory_seldom(void **state)
{
    (void)state;
    struct pool_message message = POOL_MESSAGE_INIT;
    size_t room = 0;
    int grown = 0;
    for (size_t size = 1; size <= 100000; size++) {
        assert_int_equal(pool_message_reserve(&message, size), 0);
        grown += message.room_bytes != room;
        room = message.room_bytes;
    }
    assert_true(grown <= 12);
    pool_message_done(&message);
}

static void descriptors_that_are_left_are_closed_and_taken_ones_are_not(void **state)
{
    (void)state;
    struct pool_message message = POOL_MESSAGE_INIT;
    int fds[3];
    for (size_t i = 0; i < 3; i++)
        message.fds[i] = fds[i] = dup(STDERR_FILENO);
    message.fd_count = 3;
    message.fds[1] = -1; /* taken */
    assert_int_equal(pool_message_reserve(&message, 5), 0);
    assert_int_equal(message.fd_count, 0);
    assert_false(is_open(fds[0]));
    assert_true(is_open(fds[1]));
    assert_false(is_open(fds[2]));
    message.fds[0] = fds[1];
    message.fd_count = 1;
    pool_message_done(&message);
    assert_false(is_open(fds[1]));
    assert_int_equal(message.fd_count, 0);
}

static void making_room_changes_nothing_else(void **state)
{
    (void)state;
    struct pool_message message = POOL_MESSAGE_INIT;
    assert_int_equal(pool_message_reserve(&message, 5), 0);
    memcpy(message.data, "hello", 5);
    message.fds[0] = dup(STDERR_FILENO);
    message.fd_count = 1;
    assert_int_equal(pool_message_make_room(&message, 50000), 0);
    assert_true(message.room_bytes >= 50000);
    assert_int_equal(message.size_bytes, 5);
    assert_memory_equal(message.data, "hello", 5);
    assert_int_equal(message.fd_count, 1);
    assert_true(is_open(message.fds[0]));
    pool_message_done(&message);
}

static void without_memory_a_message_stays_as_it_was(void **state)
{
    (void)state;
    struct pool_message message = POOL_MESSAGE_INIT;
    assert_int_equal(pool_message_reserve(&message, 100), 0);
    memset(message.data, 'x', 100);
    const struct pool_message before = message;
    fault_arm(FAULT_REALLOC, 0, 100);
    int reserved = pool_message_reserve(&message, 100000);
    int made_room = pool_message_make_room(&message, 100000);
    assert_true(fault_disarm());
    assert_int_equal(reserved, -ENOMEM);
    assert_int_equal(made_room, -ENOMEM);
    assert_memory_equal(&message, &before, sizeof(before));
    /* Not twice as much, but enough: that is fine. */
    fault_arm(FAULT_REALLOC, 0, 1);
    reserved = pool_message_reserve(&message, message.room_bytes + 1);
    assert_true(fault_disarm());
    assert_int_equal(reserved, 0);
    assert_int_equal(message.room_bytes, before.room_bytes + 1);
    pool_message_done(&message);
}

static const struct test_case tests[] = {
    TEST(memory_is_used_again_and_grows_as_needed),
    TEST(growing_byte_by_byte_moves_the_memory_seldom),
    TEST(descriptors_that_are_left_are_closed_and_taken_ones_are_not),
    TEST(making_room_changes_nothing_else),
    TEST(without_memory_a_message_stays_as_it_was),
};

int main(int argc, char **argv)
{
    fault_is_host();
    return test_run("message", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
