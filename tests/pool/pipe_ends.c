#include "pipe_ends.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "isolate.h"

struct ends pipe_of(void)
{
    struct ends ends = {NULL, NULL};
    assert_int_equal(pool_pipe_create(&ends.first, &ends.second), 0);
    return ends;
}

void ends_free(struct ends *ends)
{
    pool_pipe_free(ends->first);
    pool_pipe_free(ends->second);
}

int send_text(struct pool_pipe *pipe, const char *text)
{
    return pool_pipe_send(pipe, text, strlen(text), NULL, 0, -1);
}

void expect_text(struct pool_pipe *pipe, const char *text)
{
    struct pool_message message = POOL_MESSAGE_INIT;
    assert_int_equal(pool_pipe_receive(pipe, -1, &message), 0);
    assert_int_equal(message.size_bytes, strlen(text));
    assert_memory_equal(message.data, text, strlen(text));
    assert_int_equal(message.fd_count, 0);
    pool_message_done(&message);
}

uint8_t pattern(size_t seed, size_t at)
{
    return (uint8_t)(seed * 31 + at + (at >> 8) * 7);
}

void fill(uint8_t *data, size_t size, size_t seed)
{
    for (size_t i = 0; i < size; i++)
        data[i] = pattern(seed, i);
}

bool is_filled(const struct pool_message *message, size_t size, size_t seed)
{
    const uint8_t *data = message->data;
    if (message->size_bytes != size)
        return false;
    for (size_t i = 0; i < size; i++)
        if (data[i] != pattern(seed, i))
            return false;
    return true;
}

int file_of(int number)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, &number, sizeof(number), 0), sizeof(number));
    return fd;
}

int number_in(int fd)
{
    int number = -1;
    assert_int_equal(pread(fd, &number, sizeof(number), 0), sizeof(number));
    return number;
}

void send_files(struct pool_pipe *pipe, const void *data, size_t size, size_t count)
{
    int fds[POOL_FDS_MAX] = {0};
    for (size_t i = 0; i < count; i++)
        fds[i] = file_of((int)i);
    assert_int_equal(pool_pipe_send(pipe, data, size, fds, count, 0), 0);
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}
