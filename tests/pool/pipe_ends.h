/* pipe_ends.h: what the tests of pipes have in common. */
#ifndef TESTS_POOL_PIPE_ENDS_H
#define TESTS_POOL_PIPE_ENDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pool/ipc.h>

struct ends {
    struct pool_pipe *first, *second;
};

/** Make a pipe. Asserts. */
struct ends pipe_of(void);
void ends_free(struct ends *ends);

/** Send a text, without its zero; wait while there is no room.  Returns what the send does. */
int send_text(struct pool_pipe *pipe, const char *text);

/** Receive it. Asserts. */
void expect_text(struct pool_pipe *pipe, const char *text);

/** Bytes that depend on seed and place. */
uint8_t pattern(size_t seed, size_t at);
void fill(uint8_t *data, size_t size, size_t seed);
bool is_filled(const struct pool_message *message, size_t size, size_t seed);

/** A file in memory that holds a number, and what it holds. These assert. */
int file_of(int number);
int number_in(int fd);

/** Send data with so many such files, numbered from 0. Asserts. */
void send_files(struct pool_pipe *pipe, const void *data, size_t size, size_t count);

#endif
