/* soak_run.c: runs a program, and looks at it every so often.
 *
 * Its standard output comes through a pipe; each line about a file counts, and the summary says at
 * the end what became of them. A fake is told of every sample by a byte on its standard input, so
 * that what it leaks is the same on a machine of any speed. */
#include "bench.h"
#include "soak.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_BYTES 2048 /* kept of a line: more than a summary has */

extern char **environ;

/* The line that comes through the pipe. */
struct reader {
    char line[LINE_BYTES]; /* terminated; what is beyond is left out */
    size_t length;
};

static const char file_line[] = "{\"event\":\"file\"";
static const char summary_line[] = "{\"event\":\"summary\"";

/* A number of the summary; 0 if it has none of that name. */
static size_t number_of(const char *line, const char *name)
{
    const char *found = strstr(line, name);
    return found ? strtoul(found + strlen(name), NULL, 10) : 0;
}

static void take_line(struct reader *reader, struct soak_run *run)
{
    if (strncmp(reader->line, file_line, strlen(file_line)) == 0)
        run->files++;
    if (strncmp(reader->line, summary_line, strlen(summary_line)) == 0) {
        run->made = number_of(reader->line, "\"made\":");
        run->failed = number_of(reader->line, "\"failed\":");
    }
    reader->length = 0;
    reader->line[0] = '\0';
}

static void take(struct reader *reader, const char *bytes, size_t count, struct soak_run *run)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] == '\n') {
            take_line(reader, run);
        } else if (reader->length < sizeof(reader->line) - 1) {
            reader->line[reader->length++] = bytes[i];
            reader->line[reader->length] = '\0';
        }
    }
}

/* ---- Starting ------------------------------------------------------------------------------- */

/* Start a program with these as its standard input and output (-1: /dev/null), and with no signal
 * blocked or ignored that we block or ignore.  Returns 0 or a negative errno value. */
static int spawn(char *const *words, char *const *env, int in_fd, int out_fd, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, pipe_only;

    int r = posix_spawn_file_actions_init(&actions);
    if (r != 0)
        return -r;
    r = posix_spawnattr_init(&attributes);
    if (r != 0)
        goto no_attributes;
    sigemptyset(&none);
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    r = posix_spawnattr_setsigmask(&attributes, &none);
    if (r == 0)
        r = posix_spawnattr_setsigdefault(&attributes, &pipe_only);
    if (r == 0)
        r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (r == 0)
        r = in_fd >= 0 ? posix_spawn_file_actions_adddup2(&actions, in_fd, STDIN_FILENO)
                       : posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null",
                                                          O_RDONLY, 0);
    if (r == 0)
        r = out_fd >= 0 ? posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO)
                        : posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null",
                                                           O_WRONLY, 0);
    if (r == 0)
        r = posix_spawn(ret_pid, words[0], &actions, &attributes, words, env);
    posix_spawnattr_destroy(&attributes);
no_attributes:
    posix_spawn_file_actions_destroy(&actions);
    return -r;
}

static int wait_for(pid_t pid, int *ret_exit_code)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    *ret_exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return 0;
}

int soak_call(char *const *words)
{
    int exit_code = 0;
    pid_t pid = -1;

    int r = spawn(words, environ, -1, -1, &pid);
    if (r == 0)
        r = wait_for(pid, &exit_code);
    return r == 0 && exit_code != 0 ? -EIO : r;
}

/* ---- Looking -------------------------------------------------------------------------------- */

struct watch {
    const struct soak_start *start;
    struct soak_run *run;
    struct reader reader;
    double start_s, next_s;
    int out_fd, tell_fd; /* tell_fd: a fake's standard input, else -1 */
    size_t told;         /* steps that a fake was told to take */
    pid_t pid;
};

/* -ESRCH: it is ending, and the pipe will say so. */
static int sample(struct watch *watch)
{
    struct soak_sample now;

    watch->next_s += watch->start->interval_ms / 1000.0;
    int r = soak_look(watch->pid, &now);
    if (r == 0) {
        now.at_s = bench_now_s() - watch->start_s;
        now.files = (double)watch->run->files;
        r = soak_series_add(&watch->run->series, &now);
    }
    if (r == 0 && watch->tell_fd >= 0) {
        watch->told++;
        if (write(watch->tell_fd, "", 1) < 0 && errno != EPIPE)
            r = -errno;
    }
    return r == -ESRCH ? 0 : r;
}

/* A fake is looked at between two steps: in the middle of one its memory is not known. */
static bool is_within_step(const struct watch *watch)
{
    return watch->tell_fd >= 0 && watch->run->files < watch->told;
}

static int milliseconds_left(const struct watch *watch)
{
    const double left_ms = (watch->next_s - bench_now_s()) * 1000;
    if (is_within_step(watch))
        return -1; /* it says when it is done, or ends */
    return left_ms > 0 ? (int)left_ms + 1 : 0;
}

/* Until the pipe ends.  Returns 0, -EINTR for a signal, or another negative errno value. */
static int watch_until_end(struct watch *watch)
{
    char bytes[16384];

    for (;;) {
        struct pollfd fds[] = {{.fd = watch->out_fd, .events = POLLIN},
                               {.fd = watch->start->signals_fd, .events = POLLIN}};
        int n = poll(fds, 2, milliseconds_left(watch));
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0 && fds[1].revents)
            return -EINTR;
        if (n > 0 && fds[0].revents) {
            const ssize_t got = read(watch->out_fd, bytes, sizeof(bytes));
            if (got < 0 && errno != EINTR)
                return -errno;
            if (got == 0)
                return 0;
            if (got > 0)
                take(&watch->reader, bytes, (size_t)got, watch->run);
        }
        if (!is_within_step(watch) && bench_now_s() >= watch->next_s) {
            int r = sample(watch);
            if (r < 0)
                return r;
        }
    }
}

static int close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
    return -1;
}

int soak_run(const struct soak_start *start, struct soak_run *run)
{
    struct watch watch = {.start = start, .run = run, .tell_fd = -1};
    int out[2] = {-1, -1}, in[2] = {-1, -1};
    int r = 0;

    if (start->fake && setenv(SOAK_FAKE, start->fake, 1) < 0)
        return -errno;
    if (pipe2(out, O_CLOEXEC) < 0 || (start->fake && pipe2(in, O_CLOEXEC) < 0))
        r = -errno;
    watch.start_s = watch.next_s = bench_now_s();
    if (r == 0)
        r = spawn(start->words, environ, in[0], out[1], &watch.pid);
    in[0] = close_fd(in[0]);
    out[1] = close_fd(out[1]);
    if (r == 0) {
        watch.out_fd = out[0];
        watch.tell_fd = in[1];
        r = watch_until_end(&watch);
        if (r < 0)
            kill(watch.pid, SIGTERM); /* it cleans up, and ends its workers */
        in[1] = close_fd(in[1]);
        out[0] = close_fd(out[0]);
        int waited = wait_for(watch.pid, &run->exit_code);
        run->took_s = bench_now_s() - watch.start_s;
        r = r < 0 ? r : waited;
    }
    close_fd(in[1]);
    close_fd(out[0]);
    if (start->fake)
        unsetenv(SOAK_FAKE);
    return r;
}
