/* program.h: runs the built program and catches what it says. */
#ifndef TESTS_APP_PROGRAM_H
#define TESTS_APP_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "json_check.h"

/** How a run ended, and what it wrote. Valid until the test ends. */
struct program_result {
    int exit_code; /* -1: killed by `signal` */
    int signal;
    const char *out;
    size_t out_bytes;
    const char *err;
    size_t err_bytes;
    int64_t took_ms;
};

/** A run under way. */
struct program {
    pid_t pid;
    char *out_path, *err_path;
    int64_t start_ms;
    int heard_fd; /* of program_wait_until_held(); -1: no call is held */
};

#define PROGRAM_ARGS_MAX 64

/** How to start it; all zero is the ordinary way. */
struct program_setup {
    const char *folder;     /* to start in; NULL: the test's scratch folder */
    const char *const *env; /* "NAME=value" to set, ends with NULL; NULL: none */
    const char *in_path;    /* standard input; NULL: /dev/null */
    int close_fd;           /* 1, 2: a standard descriptor to close; -1: all three */
    int out_fd;             /* standard output if > 0; the caller's still */
    int err_fd;             /* standard error, likewise */
    uint64_t file_limit;    /* RLIMIT_FSIZE in bytes, 0: none */
    uint64_t open_limit;    /* RLIMIT_NOFILE, hard and soft; 0: as it is */
    int free_fds;           /* with open_limit: all others are taken; 0: as it is */
    bool as_nobody;         /* give up root's rights, if we have them */
    bool deny_confinement;  /* a kernel that has neither Landlock nor seccomp, as it seems */
    bool own_group;         /* it leads a process group, as a shell's job does */
    int held_call;          /* number of a system call that never returns, but for a signal that
                             * kills; 0: none */
    int in_fd;              /* standard input if > 0; the caller's still */
};

struct program program_start(const struct program_setup *setup, const char *const *args);
struct program_result program_wait(struct program *program);

/** Wait until all processes that it has started are gone; fails the test if one is there after two
 *  seconds. For programs that were killed. */
void program_left_no_process(void);

/** Can this kernel hold a system call (held_call)? */
bool program_can_hold_calls(void);

/** Wait until it has made the call that does not return (held_call): once for each program. */
void program_wait_until_held(struct program *program);

/** Has it ended? It is still to be waited for. */
bool program_has_ended(const struct program *program);

/** Is this a worker process of the program? */
bool program_is_worker(pid_t program, pid_t pid);

/** A worker process of the program that has been handed a file of the test and has been working
 *  for a while since, and is not that one; 0 if there is none after some time. */
pid_t program_busy_worker(pid_t program, pid_t but_not);

/** Start, with arguments up to NULL, and wait. */
struct program_result program_run(const char *first, ...) __attribute__((sentinel));
struct program_result program_run_with(const struct program_setup *setup, const char *first, ...)
    __attribute__((sentinel));

/** The lines of --json output, checked: each is an object with "event", the first is "start", the
 *  last "summary", and the counts of the summary are those of the lines. An array of *ret_count. */
struct json_value **program_events(const struct program_result *result, size_t *ret_count);

/** The one event about a file whose path ends with that; fails the test if it is not one. */
struct json_value *program_file(const struct program_result *result, const char *path_end);

/** Fails the test, showing all that the program said, unless it ended with that code. */
void expect_exit(const struct program_result *result, int exit_code);

#endif
