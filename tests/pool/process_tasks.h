/* process_tasks.h: the targets that the tests of process.h start, and shorthands for starting them.
 * Each test program's main calls process_test_main(). */
#ifndef TESTS_POOL_PROCESS_TASKS_H
#define TESTS_POOL_PROCESS_TASKS_H

#include <sys/types.h>

#include <pool/process.h>

#include "isolate.h"

/* Each takes an int and descriptors.
 *
 * give       returns the int
 * fail       fails with the int as its code; silent: without words
 * leave      calls exit() with the int
 * die        is killed by that signal; 0: calls abort()
 * hold       waits for the end of file of fds[0]
 * mark       waits for the end of file of fds[0], then writes the int as a byte to fds[1]
 * mark_twice the same, but it writes one at once, too
 * stubborn   ignores SIGTERM, says so on fds[0], waits for the end of file of fds[1]
 * polite     says so on fds[0], waits for the end of file of fds[1]; when terminated, it says that
 * tell       writes a struct told to fds[0]
 * sum        writes the sum of field 1's bytes and their number to fds[0]
 * copy       from fds[0] to fds[1]
 * print      prints the int
 * run        of struct runner
 * host       starts a daemon, which holds fds[0] until the end of file of fds[1], and a process
 * that marks (fds[1], fds[2]); returns, or calls exit() with the int if it is not negative square
 * gives a pool its square pool       squares the int in a pool of its own, and has the int below do
 * the same: the sum nest       starts itself; returns, and gives a pool, how deep that went */

/** What a process says of itself. */
struct told {
    pid_t pid, parent;
    char name[16];
    int handles_default[3]; /* SIGINT, SIGHUP, SIGPIPE */
    int open_descriptors;
    int stdin_is_empty;
};

/** In the other style: its run makes the file, with that one byte. */
struct runner {
    struct pool_runnable runnable;
    int byte;
    char path[128];
};

/** The whole of a test program's main. */
int process_test_main(const char *group, const struct test_case *tests, size_t count, int argc,
                      char **argv);

/** What pool_process_create() returned before pool_main() was called. */
extern int created_too_early;

/** Be the program, as if main() had just begun: its exit() will have the epilogue. Once that is
 *  over, it writes 'e' to after_fd, unless that is -1. For a forked child of a test. */
void become_program(int after_fd);

/** A pipe, both ends close-on-exec. */
struct channel {
    int read_fd, write_fd; /* -1: closed */
};
struct channel channel_open(void);
void channel_close(struct channel *channel);

/** What a program and its processes have in common. */
struct shared {
    struct channel gate;   /* its end of file ends the processes */
    struct channel daemon; /* held by the daemon alone */
    struct channel marks;  /* what happens, one byte each */
};
struct shared shared_open(void);
void shared_close(struct shared *shared);

/** Let go of what only the program's processes are to have. */
void shared_leave_to_program(struct shared *shared);

/** Close one end, if it is open. */
void close_end(int *fd);

/** Read one byte; -1 at end of file. */
int read_byte(int fd);

/** Make a process. fds stay the caller's (copies are given). Fails the test if that fails. */
struct pool_process *make(const char *target, int number, const int *fds, size_t fd_count);
struct pool_process *make_daemon(const char *target, int number, const int *fds, size_t fd_count);

/** Make it and start it. */
struct pool_process *start(const char *target, int number, const int *fds, size_t fd_count);
struct pool_process *start_daemon(const char *target, int number, const int *fds, size_t fd_count);

/** Wait for its end and free it.  Returns the exit code. */
int take_code(struct pool_process *process);

/** Start "tell", wait for its end.  ret_told: what it says. */
void ask_a_process(struct told *ret_told);

/** The parent of a process, or -1. */
pid_t parent_of(pid_t pid);

/** Wait for the end of processes that became this one's children, because their parent died. */
void reap_orphans(void);

#endif
