/* sample.h: the few lines that every sample would otherwise repeat. */
#ifndef SAMPLES_SAMPLE_H
#define SAMPLES_SAMPLE_H

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pool/pool.h>

/** The documents sleep for seconds; here a second lasts a tenth of one. */
#define SECOND_MS 100

/** End the program, saying why, if r is an error; else r. The documents' programs would end with an
 *  exception. */
static inline int must(int r, const char *what)
{
    if (r < 0) {
        fprintf(stderr, "%s: %s\n", what, strerror(-r));
        exit(EXIT_FAILURE);
    }
    return r;
}

static inline void sleep_ms(int ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * 1000000L};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        continue;
}

/** Print a line now, so that lines of several processes stand in the order in which they came. */
__attribute__((format(printf, 1, 2))) static inline void say(const char *format, ...)
{
    va_list args;
    flockfile(stdout); /* no other thread's words between this one's and the end of the line */
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
    funlockfile(stdout);
}

/** Seconds since some moment. */
static inline double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/** Bytes that hold one int, and back. 0 if they are of another size. */
static inline struct pool_bytes bytes_of(const int *number)
{
    return (struct pool_bytes){number, sizeof(*number)};
}

static inline int int_of(struct pool_bytes bytes)
{
    int number = 0;
    if (bytes.size_bytes == sizeof(number))
        memcpy(&number, bytes.data, sizeof(number));
    return number;
}

/** The result of a task that gives an int, as it is ready; its error ends the program. */
static inline int int_result(struct pool_future *future)
{
    struct pool_bytes value;
    must(pool_future_result(future, -1, &value), "result");
    return int_of(value);
}

/** Submit a task that takes one int; an error ends the program. Free the future. */
static inline struct pool_future *submit_int(struct pool *pool, const char *task, int number)
{
    const struct pool_bytes field = bytes_of(&number);
    const struct pool_item item = {.fields = &field, .field_count = 1};
    struct pool_future *future;
    must(pool_submit(pool, task, &item, NULL, &future), "submit");
    return future;
}

/** Print the ints that a map has made, each as it is ready, as Python prints a list: [1, 4, 9] */
static inline void print_ints(struct pool_results *results)
{
    const size_t count = pool_results_count(results);
    for (size_t i = 0; i < count; i++)
        printf("%s%d", i == 0 ? "[" : ", ", int_result(pool_results_at(results, i)));
    printf("%s]\n", count == 0 ? "[" : "");
}

#endif
