/* sample_run.h: runs a sample and catches what it prints. */
#ifndef TESTS_SAMPLES_SAMPLE_RUN_H
#define TESTS_SAMPLES_SAMPLE_RUN_H

#include <stddef.h>

/** Where the build put the programs. */
#define SAMPLE(name) SAMPLES_DIR "/" name

struct sample_output {
    int exit_code; /* -1: a signal ended it */
    char *out;     /* standard output and error, as they came; never NULL */
    char **lines;  /* the same, cut into lines without their ends */
    size_t line_count;
};

/** Run a program with the arguments up to NULL and wait for its end. What it returns is freed when
 *  the test's process ends. Fails the test if the program cannot be started. */
struct sample_output sample_run(const char *program, ...) __attribute__((sentinel));

/** Run it, and fail the test, showing its output, unless it ends with 0. */
#define sample_ok(...) sample_check(sample_run(__VA_ARGS__))
struct sample_output sample_check(struct sample_output output);

/** How many lines contain text. */
size_t sample_count(const struct sample_output *output, const char *text);

/** The index of the first line that contains text; fails the test, showing the output, if none. */
size_t sample_find(const struct sample_output *output, const char *text);

/** Fail the test, showing the output, unless line `index` is exactly that. */
void sample_expect_line(const struct sample_output *output, size_t index, const char *line);

/** How many different numbers stand right behind `key`, e.g. "pid " or "pid=", in all lines. */
size_t sample_distinct(const struct sample_output *output, const char *key);

#endif
