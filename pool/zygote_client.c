#include "zygote_client_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sync_priv.h"
#include "table_priv.h"
#include "zygote_priv.h"

#define THIS_PROGRAM "/proc/self/exe" /* the running file, even if its name has been replaced */

/* Long enough for a cold disk and a sanitizer's start; only a broken program ever waits so long. */
#define HELLO_TIMEOUT_MS 30000

/* How long an ending zygote may take before it is killed. Killing and reaping takes it
 * milliseconds. */
#define STOP_TIMEOUT_MS 3000

extern char **environ;

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int spawn_program(const char *program, int control_fd, char *argument, pid_t *ret_pid)
{
    char name[] = "pool-zygote";
    char *argv[] = {name, argument, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t defaults, none;

    int r = -posix_spawn_file_actions_init(&actions);
    if (r < 0)
        return r;
    r = -posix_spawnattr_init(&attr);
    if (r < 0)
        goto no_attr;
    /* These three are as the host has them, for those who get them back (see zygote.c). */
    sigfillset(&defaults);
    sigdelset(&defaults, SIGINT);
    sigdelset(&defaults, SIGHUP);
    sigdelset(&defaults, SIGPIPE);
    sigemptyset(&none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigdefault(&attr, &defaults);
    posix_spawnattr_setsigmask(&attr, &none);
    /* Workers have the host's output, but its input is not theirs to read. */
    r = -posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (r == 0)
        r = -posix_spawn_file_actions_adddup2(&actions, control_fd, ZYGOTE_CONTROL_FD);
    if (r == 0)
        r = -posix_spawn(ret_pid, program, &actions, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
no_attr:
    posix_spawn_file_actions_destroy(&actions);
    return r;
}

/* Wait for the first message and check that it comes from what we expect. */
static int wait_for_hello(const struct zygote_client *zygote, const struct pool_tasks *tasks)
{
    struct pollfd wait = {.fd = zygote->control_fd, .events = POLLIN};
    struct wire_control hello;
    struct wire_fds fds;
    const int64_t until_ns = pool_time_after_ms(HELLO_TIMEOUT_MS);
    int r;
    do {
        int64_t left_ns = until_ns - pool_time_now_ns();
        r = left_ns <= 0 ? 0 : poll(&wait, 1, (int)(left_ns / NS_PER_MS) + 1);
    } while (r < 0 && errno == EINTR);
    if (r <= 0)
        return r < 0 ? -errno : -EPROTO;
    ssize_t got = pool_wire_receive(zygote->control_fd, &hello, sizeof(hello), &fds);
    if (got < 0)
        return (int)got;
    pool_wire_fds_done(&fds);
    if (got != sizeof(hello) || hello.type != WIRE_HELLO || hello.value != WIRE_VERSION ||
        hello.table_hash != pool_table_hash(tasks))
        return -EPROTO;
    return 0;
}

int pool_zygote_client_start(struct zygote_client *zygote, const char *program,
                             const struct pool_tasks *tasks, struct zygote_role role)
{
    int pair[2];
    char argument[sizeof(ZYGOTE_ARGUMENT) + 22]; /* two numbers and a comma */
    struct zygote_client started = ZYGOTE_CLIENT_INIT;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    started.control_fd = pair[0];
    snprintf(argument, sizeof(argument), ZYGOTE_ARGUMENT "%u,%d", role.depth,
             role.watches_host ? (int)getpid() : 0);
    /* Out of the way of the numbers that the child's standard descriptors get. */
    int r = 0;
    int theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, ZYGOTE_CONTROL_FD + 1);
    if (theirs < 0)
        r = -errno;
    if (r == 0)
        r = spawn_program(program ? program : THIS_PROGRAM, theirs, argument, &started.pid);
    close_fd(&pair[1]);
    close_fd(&theirs); /* now the zygote alone has it: its death is our end of file */
    if (r < 0) {
        close_fd(&started.control_fd);
        return r;
    }
    started.pidfd = (int)syscall(SYS_pidfd_open, started.pid, 0);
    r = started.pidfd < 0 ? -errno : wait_for_hello(&started, tasks);
    if (r == 0 && fcntl(started.control_fd, F_SETFL, O_NONBLOCK) < 0)
        r = -errno;
    if (r < 0) {
        /* A program that is no zygote does not end at end of file either. */
        kill(started.pid, SIGKILL); /* not reaped yet */
        pool_zygote_client_stop(&started);
        return r;
    }
    *zygote = started;
    return 0;
}

int pool_zygote_client_spawn(struct zygote_client *zygote, enum wire_kind kind, uint32_t id,
                             const int *fds, size_t fd_count)
{
    const struct wire_control request = {
        .type = WIRE_SPAWN, .worker_id = id, .value = (int32_t)kind};
    const struct iovec part = {(void *)&request, sizeof(request)};
    return pool_wire_send(zygote->control_fd, &part, 1, fds, fd_count);
}

void pool_zygote_client_kill(struct zygote_client *zygote, uint32_t worker_id)
{
    const struct wire_control request = {.type = WIRE_KILL, .worker_id = worker_id};
    const struct iovec part = {(void *)&request, sizeof(request)};
    pool_wire_send(zygote->control_fd, &part, 1, NULL, 0); /* if it fails, the zygote is gone */
}

/* Reap it. A host that reaps everybody, or ignores SIGCHLD, may have been faster: that is fine. */
static void reap(const struct zygote_client *zygote)
{
    siginfo_t info;
    int r;
    do /* by pidfd: the number may name another child by now */
        r = zygote->pidfd >= 0 ? waitid(P_PIDFD, (id_t)zygote->pidfd, &info, WEXITED)
                               : waitpid(zygote->pid, NULL, 0);
    while (r < 0 && errno == EINTR);
}

void pool_zygote_client_stop(struct zygote_client *zygote)
{
    struct pollfd wait = {.fd = zygote->pidfd, .events = POLLIN};
    if (zygote->pid <= 0)
        return;
    if (zygote->control_fd >= 0)
        shutdown(zygote->control_fd, SHUT_RDWR); /* a child that the host forked may hold it too */
    close_fd(&zygote->control_fd);
    if (zygote->pidfd >= 0) {
        const int64_t until_ns = pool_time_after_ms(STOP_TIMEOUT_MS);
        int r;
        do {
            int64_t left_ns = until_ns - pool_time_now_ns();
            r = left_ns <= 0 ? 0 : poll(&wait, 1, (int)(left_ns / NS_PER_MS) + 1);
        } while (r < 0 && errno == EINTR);
        if (r <= 0) /* stopped, perhaps; its workers die with it */
            syscall(SYS_pidfd_send_signal, zygote->pidfd, SIGKILL, NULL, 0);
    }
    reap(zygote);
    close_fd(&zygote->pidfd);
    *zygote = (struct zygote_client)ZYGOTE_CLIENT_INIT;
}

void pool_zygote_client_abandon(struct zygote_client *zygote)
{
    close_fd(&zygote->control_fd);
    close_fd(&zygote->pidfd);
}
