/* ipc_bench_python.c: Python's own queues, pipes and locks, run by python_ipc.py. It is one child
 * process, started when it is first needed; both its standard streams are one socket, whose end
 * tells it to leave. It leads a process group, so that one that does not answer can be killed with
 * its children. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "ipc_bench.h"

#define ANSWER_MS_MAX  (120 * 1000)
#define LINE_BYTES_MAX 128

static pid_t peer_pid; /* 0: not running */
static int peer_fd;
static int peer_missing; /* -ENOTSUP once it is known that there is no Python */

/* Read one line, without its end. */
static int read_line(char line[LINE_BYTES_MAX])
{
    const double end_s = bench_now_s() + ANSWER_MS_MAX / 1e3;
    for (size_t length = 0; length < LINE_BYTES_MAX;) {
        struct pollfd wait = {.fd = peer_fd, .events = POLLIN};
        const double left_s = end_s - bench_now_s();
        int ready = left_s > 0 ? poll(&wait, 1, (int)(left_s * 1e3) + 1) : 0;
        if (ready == 0)
            return -ETIMEDOUT;
        ssize_t n = ready > 0 ? recv(peer_fd, line + length, 1, 0) : -1;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EPIPE;
        if (line[length] == '\n') {
            line[length] = '\0';
            return 0;
        }
        length++;
    }
    return -EBADMSG;
}

void ipc_bench_python_end(void)
{
    char line[LINE_BYTES_MAX];
    if (peer_pid <= 0)
        return;
    shutdown(peer_fd, SHUT_WR);
    if (read_line(line) != -EPIPE)
        kill(-peer_pid, SIGKILL);
    close(peer_fd);
    while (waitpid(peer_pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    peer_pid = 0;
}

static int spawn(int fd)
{
    extern char **environ;
    const char *const argv[] = {"python3", BENCH_PYTHON_IPC, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;

    int r = posix_spawn_file_actions_init(&actions);
    if (r != 0)
        return -r;
    r = posix_spawnattr_init(&attributes);
    if (r == 0) {
        r = posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
        if (r == 0)
            r = posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
        if (r == 0)
            r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
        if (r == 0)
            r = posix_spawnp(&peer_pid, argv[0], &actions, &attributes, (char *const *)argv,
                             environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return -r;
}

static int peer_start(void)
{
    char line[LINE_BYTES_MAX] = "";
    int fds[2];
    if (peer_pid > 0 || peer_missing < 0)
        return peer_missing;
    if (access(BENCH_PYTHON_IPC, R_OK) < 0) {
        printf("# python not measured: no python_ipc.py: %s\n", strerror(errno));
        return peer_missing = -ENOTSUP;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return -errno;
    int r = spawn(fds[1]);
    close(fds[1]);
    if (r < 0) {
        close(fds[0]);
        peer_pid = 0;
        printf("# python not found: cannot run python3: %s\n", strerror(-r));
        return peer_missing = -ENOTSUP;
    }
    peer_fd = fds[0];
    r = read_line(line);
    if (r == 0 && strncmp(line, "ready ", 6) != 0)
        r = -EBADMSG;
    if (r == 0)
        printf("# python_ipc.py: version %s\n", line + 6);
    else
        ipc_bench_python_end();
    return r;
}

static int ask(const char *what, const struct ipc_job *job, double *ret_per_s)
{
    char line[LINE_BYTES_MAX], *end;
    int r = peer_start();
    if (r < 0)
        return r;
    const int length = snprintf(line, sizeof(line), "%s %u %u %zu %zu\n", what, job->putters,
                                job->getters, job->size_bytes, job->count);
    if (send(peer_fd, line, (size_t)length, MSG_NOSIGNAL) != length)
        return -EPIPE;
    r = read_line(line);
    if (r < 0)
        return r;
    *ret_per_s = strtod(line, &end);
    return end == line || *end != '\0' ? -EBADMSG : 0;
}

int ipc_bench_python_queue(const struct ipc_job *job, double *ret_per_s)
{
    return ask("queue", job, ret_per_s);
}

int ipc_bench_python_simple_queue(const struct ipc_job *job, double *ret_per_s)
{
    return ask("simple_queue", job, ret_per_s);
}

int ipc_bench_python_pipe(const struct ipc_job *job, double *ret_per_s)
{
    return ask("pipe", job, ret_per_s);
}

int ipc_bench_python_trip(const struct ipc_job *job, double *ret_per_s)
{
    return ask("trip", job, ret_per_s);
}

int ipc_bench_python_lock(const struct ipc_job *job, double *ret_per_s)
{
    return ask("lock", job, ret_per_s);
}
