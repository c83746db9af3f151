/* zygote.c: a small, single-threaded process that forks workers on request.
 *
 * Why not fork from the host: a host has threads, and after fork the child owns the memory but not
 * the threads that may have held malloc's or a decoder's locks in it; and fork takes time in
 * proportion to the host's memory. The zygote has neither problem.
 *
 * It is the parent of all workers, so it alone reaps them, and it can wait for any child because
 * every child is its own. The host learns of each end by an EXITED message. Nothing here blocks
 * on anything but the control socket and the signal descriptor.
 *
 * End: when the control socket reaches end of file (the host closed it, or died in whatever way),
 * every worker that is left is killed and reaped, and the zygote ends. Should the zygote be killed
 * itself, the kernel kills its workers (parent-death signal). */
#include "zygote_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "table_priv.h"
#include "wire_priv.h"
#include "worker_priv.h"

enum { EXIT_SETUP = 120 };

struct child {
    uint32_t id;
    pid_t pid;
};

struct zygote {
    int control_fd;
    int signal_fd;
    const struct pool_tasks *tasks;
    struct child *children; /* those not yet reaped */
    size_t count, room;
};

bool pool_zygote_wanted(int control_fd)
{
    int domain = 0, type = 0;
    socklen_t size = sizeof(domain);
    if (getsockopt(control_fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0)
        return false;
    size = sizeof(type);
    if (getsockopt(control_fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
        return false;
    return domain == AF_UNIX && type == SOCK_SEQPACKET;
}

static int say(const struct zygote *zygote, const struct wire_control *message, const int *fds,
               size_t fd_count)
{
    const struct iovec part = {(void *)message, sizeof(*message)};
    return pool_wire_send(zygote->control_fd, &part, 1, fds, fd_count);
}

/* ---- In the new worker --------------------------------------------------------------------- */

/* Keep the standard descriptors, the socket and the page; nothing else may stay open: a sibling's
 * socket held here would hide that sibling's end of file. The two are moved to 3 and 4. */
static int keep_only(int *socket_fd, int *page_fd)
{
    int high_socket = fcntl(*socket_fd, F_DUPFD_CLOEXEC, 5);
    int high_page = fcntl(*page_fd, F_DUPFD_CLOEXEC, 5);
    if (high_socket < 0 || high_page < 0 || dup3(high_socket, 3, O_CLOEXEC) < 0 ||
        dup3(high_page, 4, O_CLOEXEC) < 0 || syscall(SYS_close_range, 5U, ~0U, 0U) < 0)
        return -errno;
    *socket_fd = 3;
    *page_fd = 4;
    return 0;
}

static int worker_main(const struct zygote *zygote, int socket_fd, int page_fd, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent) /* it died before the line above */
        return EXIT_SETUP;
    prctl(PR_SET_NAME, "pool-worker", 0, 0, 0);
    if (keep_only(&socket_fd, &page_fd) < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0)
        return EXIT_SETUP;
    free(zygote->children);
    return pool_worker_run(socket_fd, page_fd, zygote->tasks);
}

/* ---- Spawning and reaping ------------------------------------------------------------------ */

static int make_room(struct zygote *zygote)
{
    if (zygote->count < zygote->room)
        return 0;
    size_t room = zygote->room ? 2 * zygote->room : 16;
    struct child *grown = realloc(zygote->children, room * sizeof(grown[0]));
    if (!grown)
        return -ENOMEM;
    zygote->children = grown;
    zygote->room = room;
    return 0;
}

/* Returns 0 or -errno.  ret_pidfd: owned. */
static int fork_worker(struct zygote *zygote, uint32_t id, int socket_fd, int page_fd,
                       pid_t *ret_pid, int *ret_pidfd)
{
    const pid_t self = getpid();
    int r = make_room(zygote);
    if (r < 0)
        return r;
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0)
        _exit(worker_main(zygote, socket_fd, page_fd, self));
    /* Not reaped yet, so the number cannot name anybody else. */
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        r = -errno;
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        return r;
    }
    zygote->children[zygote->count++] = (struct child){.id = id, .pid = pid};
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    return 0;
}

static int spawn(struct zygote *zygote, uint32_t id, const struct wire_fds *fds)
{
    struct wire_control reply = {.type = WIRE_SPAWNED, .worker_id = id};
    int pidfd = -1;
    int r = fds->lost ? -EMFILE : -EBADMSG;
    if (fds->count == 2)
        r = fork_worker(zygote, id, fds->fds[0], fds->fds[1], &reply.pid, &pidfd);
    if (r < 0) {
        reply.type = WIRE_FAILED;
        reply.value = -r;
    }
    r = say(zygote, &reply, &pidfd, pidfd >= 0);
    if (pidfd < 0)
        return r;
    close(pidfd);
    if (r < 0 && r != -EPIPE) { /* too many descriptors under way: without its pidfd it is no use */
        kill(reply.pid, SIGKILL);
        reply.type = WIRE_FAILED;
        reply.value = -r;
        r = say(zygote, &reply, NULL, 0);
    }
    return r;
}

static void kill_child(const struct zygote *zygote, uint32_t id)
{
    for (size_t i = 0; i < zygote->count; i++)
        if (zygote->children[i].id == id)
            kill(zygote->children[i].pid, SIGKILL); /* not reaped yet: the number is its own */
}

/* Reap one child if there is one to reap.  Returns 1, 0 when there is none, or -errno. */
static int reap(struct zygote *zygote, int flags)
{
    int status;
    pid_t pid = waitpid(-1, &status, flags);
    if (pid < 0)
        return errno == EINTR ? 1 : errno == ECHILD ? 0 : -errno;
    if (pid == 0)
        return 0;
    for (size_t i = 0; i < zygote->count; i++) {
        if (zygote->children[i].pid != pid)
            continue;
        const struct wire_control gone = {
            .type = WIRE_EXITED, .worker_id = zygote->children[i].id, .pid = pid, .value = status};
        zygote->children[i] = zygote->children[--zygote->count];
        say(zygote, &gone, NULL, 0); /* a host that is gone shows as end of file */
        break;
    }
    return 1;
}

/* ---- The process --------------------------------------------------------------------------- */

/* A library may not assume 0, 1 and 2 are what they should be: if the host had closed them, the
 * next socket would get their numbers, and a stray printf would write into the protocol. */
static int fill_standard_fds(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

static int signals_init(struct zygote *zygote)
{
    /* Ctrl-C and a hang-up reach the whole process group; what they mean is the host's decision.
     * SIGTERM keeps its meaning in workers, for deadlines, but must not end the zygote. */
    sigset_t set;
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
        return -errno;
    zygote->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return zygote->signal_fd < 0 ? -errno : 0;
}

static int init(struct zygote *zygote)
{
    const struct wire_control hello = {.type = WIRE_HELLO,
                                       .pid = getpid(),
                                       .value = WIRE_VERSION,
                                       .table_hash = pool_table_hash(zygote->tasks)};
    prctl(PR_SET_NAME, "pool-zygote", 0, 0, 0);
    /* The thread that started us lives as long as the pool; the host checks for an early death by
     * the missing HELLO. */
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    int r = fill_standard_fds();
    /* What the host had opened without close-on-exec is not for workers. */
    if (r == 0 && syscall(SYS_close_range, ZYGOTE_CONTROL_FD + 1U, ~0U, 0U) < 0)
        r = -errno;
    if (r == 0)
        r = signals_init(zygote);
    if (r == 0)
        r = say(zygote, &hello, NULL, 0);
    return r;
}

/* Returns 1, or 0 when the host is gone, or -errno. */
static int serve_control(struct zygote *zygote)
{
    struct wire_control request;
    struct wire_fds fds;
    ssize_t got = pool_wire_receive(zygote->control_fd, &request, sizeof(request), &fds);
    if (got <= 0)
        return (int)got;
    int r = -EBADMSG;
    if (got == sizeof(request) && request.type == WIRE_SPAWN)
        r = spawn(zygote, request.worker_id, &fds);
    if (got == sizeof(request) && request.type == WIRE_KILL) {
        kill_child(zygote, request.worker_id);
        r = 0;
    }
    pool_wire_fds_done(&fds);
    return r < 0 ? r : 1;
}

static void serve_signals(struct zygote *zygote)
{
    struct signalfd_siginfo info;
    while (read(zygote->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        continue; /* which signals does not matter: children are asked for below */
    while (reap(zygote, WNOHANG) > 0)
        continue;
}

int pool_zygote_run(int control_fd, const struct pool_tasks *tasks)
{
    struct zygote zygote = {.control_fd = control_fd, .signal_fd = -1, .tasks = tasks};
    int r = init(&zygote);
    struct pollfd waits[] = {{.fd = control_fd, .events = POLLIN},
                             {.fd = zygote.signal_fd, .events = POLLIN}};
    if (r == 0)
        r = 1;
    while (r > 0) {
        if (poll(waits, 2, -1) < 0) {
            r = errno == EINTR ? 1 : -errno;
            continue;
        }
        if (waits[1].revents)
            serve_signals(&zygote);
        if (waits[0].revents)
            r = serve_control(&zygote);
    }
    for (size_t i = 0; i < zygote.count; i++)
        kill(zygote.children[i].pid, SIGKILL);
    while (reap(&zygote, 0) > 0)
        continue;
    free(zygote.children);
    return r == 0 || r == -EPIPE ? 0 : EXIT_SETUP;
}
