/* background.h: runs a sample while the test goes on, and reads what it prints. */
#ifndef TESTS_SAMPLES_BACKGROUND_H
#define TESTS_SAMPLES_BACKGROUND_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct background {
    pid_t pid;
    int out_fd;
    char *text; /* what it has printed so far, standard output and error */
    size_t used;
};

/** Start a program with the arguments up to NULL. Fails the test if it cannot be started. It is to
 *  be ended with background_end(); if the test fails before that, the test's runner ends it. */
void background_start(struct background *background, const char *program, ...)
    __attribute__((sentinel));

/** Read what it has printed, if anything comes within the time.  timeout_ms: -1 = no limit.
 *  Returns false at the end of its output. */
bool background_read(struct background *background, int timeout_ms);

/** Wait until it has printed the text; fails the test, showing the output, if it ends before.
 *  Returns what stands behind it; valid until the next read. */
const char *background_wait(struct background *background, const char *text);

/** Send it a signal, if that is not 0, read the rest and wait for its end.
 *  Returns its exit code, or -1: a signal ended it. The text stays. */
int background_end(struct background *background, int signal);

#endif
