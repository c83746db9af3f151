/* zygote.c: a small, single-threaded process that forks workers, or the processes of process.h, on
 * request.
 *
 * Why not fork from the host: a host has threads, and after fork the child owns the memory but not
 * the threads that may have held malloc's or a decoder's locks in it; and fork takes time in
 * proportion to the host's memory. The zygote has neither problem.
 *
 * It is the parent of all of them, so it alone reaps them, and it can wait for any child because
 * every child is its own. The host learns of each end by an EXITED message. A child is reaped only
 * when there is room for that message: a host that has processes, and no thread for them, may not
 * read for a long time. So nothing here blocks but poll().
 *
 * End: when the control socket reaches end of file (the host closed it, or died in whatever way),
 * every worker and daemon that is left is killed and reaped, and the zygote ends; processes that
 * are no daemons go on. Should the zygote be killed itself, the kernel kills its workers and
 * daemons (parent-death signal).
 *
 * A child that the host forked may hold a copy of the control socket, and keep its end of file from
 * being seen. Therefore a pool's zygote has a parent-death signal as well, which is tied to the
 * thread that started it, the pool's own; the family's, which any thread may start, watches the
 * host's process. */
#include "zygote_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process_child_priv.h"
#include "table_priv.h"
#include "wire_priv.h"
#include "worker_priv.h"

enum { EXIT_SETUP = 120 };

/* What Ctrl-C, a hang-up or a broken pipe mean to the host is the host's decision: the zygote and
 * its workers ignore these. Processes of their own get them back as the host had them, so that one
 * of a host under nohup does not die of a hang-up. */
static const int host_signals[] = {SIGINT, SIGHUP, SIGPIPE};
#define HOST_SIGNALS (sizeof(host_signals) / sizeof(host_signals[0]))

struct child {
    uint32_t id;
    enum wire_kind kind;
    pid_t pid;
};

struct zygote {
    int control_fd;
    int signal_fd;
    int host_fd; /* pidfd of the host; -1: it is not watched */
    const struct pool_tasks *tasks;
    void (*handlers[HOST_SIGNALS])(int); /* SIG_DFL or SIG_IGN */
    struct child *children;              /* those not yet reaped */
    size_t count, room;
    bool unreaped; /* one may have ended */
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

/* ---- In the new process -------------------------------------------------------------------- */

/* Keep the standard descriptors and these, which are moved to 3 and up; nothing else may stay open:
 * a sibling's socket held here would hide that sibling's end of file. */
static int keep_only(int *fds, int count)
{
    enum { FIRST = STDERR_FILENO + 1, KEPT_MAX = 2 };
    int high[KEPT_MAX];
    for (int i = 0; i < count; i++) /* first out of each other's way */
        if ((high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, FIRST + count)) < 0)
            return -errno;
    for (int i = 0; i < count; i++)
        if ((fds[i] = dup3(high[i], FIRST + i, O_CLOEXEC)) < 0)
            return -errno;
    return syscall(SYS_close_range, (unsigned)(FIRST + count), ~0U, 0U) < 0 ? -errno : 0;
}

/* Returns 0 or -errno. */
static int leave_zygote(struct zygote *zygote, enum wire_kind kind, pid_t parent, int *fds)
{
    sigset_t none;
    sigemptyset(&none);
    if (kind != WIRE_PROCESS) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (getppid() != parent) /* it died before the line above */
            return -ESRCH;
    }
    int r = keep_only(fds, kind == WIRE_WORKER ? 2 : 1);
    if (r < 0)
        return r;
    for (size_t i = 0; kind != WIRE_WORKER && i < HOST_SIGNALS; i++)
        signal(host_signals[i], zygote->handlers[i]);
    if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
        return -errno;
    free(zygote->children);
    return 0;
}

static int child_main(struct zygote *zygote, enum wire_kind kind, pid_t parent, int *fds)
{
    prctl(PR_SET_NAME, kind == WIRE_WORKER ? "pool-worker" : "pool-process", 0, 0, 0);
    if (leave_zygote(zygote, kind, parent, fds) < 0)
        return EXIT_SETUP;
    return kind == WIRE_WORKER ? pool_worker_run(fds[0], fds[1], zygote->tasks)
                               : pool_process_child_run(fds[0], zygote->tasks);
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
static int fork_child(struct zygote *zygote, const struct wire_control *request,
                      struct wire_fds *fds, pid_t *ret_pid, int *ret_pidfd)
{
    const pid_t self = getpid();
    const enum wire_kind kind = (enum wire_kind)request->value;
    if (fds->lost)
        return -EMFILE;
    if (kind > WIRE_PROCESS || fds->count != (kind == WIRE_WORKER ? 2 : 1))
        return -EBADMSG;
    int r = make_room(zygote);
    if (r < 0)
        return r;
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0)
        _exit(child_main(zygote, kind, self, fds->fds));
    /* Not reaped yet, so the number cannot name anybody else. */
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        r = -errno;
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        return r;
    }
    zygote->children[zygote->count++] =
        (struct child){.id = request->worker_id, .kind = kind, .pid = pid};
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    return 0;
}

/* It is nobody's: whatever it was to be, it must not be left behind. */
static void kill_child(struct child *child)
{
    kill(child->pid, SIGKILL); /* not reaped yet: the number is its own */
    child->kind = WIRE_WORKER;
}

static int spawn(struct zygote *zygote, const struct wire_control *request, struct wire_fds *fds)
{
    struct wire_control reply = {.type = WIRE_SPAWNED, .worker_id = request->worker_id};
    int pidfd = -1;
    int r = fork_child(zygote, request, fds, &reply.pid, &pidfd);
    if (r < 0) {
        reply.type = WIRE_FAILED;
        reply.value = -r;
    }
    r = say(zygote, &reply, &pidfd, pidfd >= 0);
    if (pidfd < 0)
        return r;
    close(pidfd);
    if (r < 0 && r != -EPIPE) { /* too many descriptors under way: without its pidfd it is no use */
        kill_child(&zygote->children[zygote->count - 1]);
        reply.type = WIRE_FAILED;
        reply.value = -r;
        r = say(zygote, &reply, NULL, 0);
    }
    return r;
}

static void kill_by_id(struct zygote *zygote, uint32_t id)
{
    for (size_t i = 0; i < zygote->count; i++)
        if (zygote->children[i].id == id)
            kill_child(&zygote->children[i]);
}

/* Reap one child if there is one to reap.  Returns 1, 0 when there is none, or -errno. */
static int reap(struct zygote *zygote, int flags)
{
    int status;
    struct rusage usage;
    pid_t pid = wait4(-1, &status, flags, &usage);
    if (pid < 0)
        return errno == EINTR ? 1 : errno == ECHILD ? 0 : -errno;
    if (pid == 0)
        return 0;
    for (size_t i = 0; i < zygote->count; i++) {
        if (zygote->children[i].pid != pid)
            continue;
        const struct wire_control gone = {.type = WIRE_EXITED,
                                          .worker_id = zygote->children[i].id,
                                          .pid = pid,
                                          .value = status,
                                          .rss_peak_bytes = (int64_t)usage.ru_maxrss * 1024};
        zygote->children[i] = zygote->children[--zygote->count];
        say(zygote, &gone, NULL, 0); /* a host that is gone shows as end of file */
        break;
    }
    return 1;
}

/* Reap those that have ended, as long as there is room to say so. */
static void reap_ended(struct zygote *zygote)
{
    struct pollfd room = {.fd = zygote->control_fd, .events = POLLOUT};
    while (zygote->unreaped && poll(&room, 1, 0) > 0)
        zygote->unreaped = reap(zygote, WNOHANG) > 0;
}

/* How many children may not outlive this process? */
static size_t count_bound(const struct zygote *zygote)
{
    size_t count = 0;
    for (size_t i = 0; i < zygote->count; i++)
        count += zygote->children[i].kind != WIRE_PROCESS;
    return count;
}

static void end_bound(struct zygote *zygote)
{
    close(zygote->control_fd); /* nobody reads there, and it may be full */
    zygote->control_fd = -1;
    for (size_t i = 0; i < zygote->count; i++)
        if (zygote->children[i].kind != WIRE_PROCESS)
            kill(zygote->children[i].pid, SIGKILL);
    while (count_bound(zygote) > 0 && reap(zygote, 0) > 0)
        continue;
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
    /* SIGTERM keeps its meaning in workers, for deadlines, but must not end the zygote. */
    sigset_t set;
    for (size_t i = 0; i < HOST_SIGNALS; i++)
        zygote->handlers[i] = signal(host_signals[i], SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
        return -errno;
    zygote->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return zygote->signal_fd < 0 ? -errno : 0;
}

/* Be sure to end with the host.  host: 0 for a pool's.  Returns 0 or -errno. */
static int tie_to_host(struct zygote *zygote, pid_t host)
{
    if (host == 0) /* it checks for an early death by the missing HELLO */
        return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ? -errno : 0;
    zygote->host_fd = (int)syscall(SYS_pidfd_open, host, 0);
    if (zygote->host_fd < 0)
        return -errno;
    return getppid() == host ? 0
                             : -ESRCH; /* it is our parent still, so the descriptor is its own */
}

static int init(struct zygote *zygote, pid_t host)
{
    const struct wire_control hello = {.type = WIRE_HELLO,
                                       .pid = getpid(),
                                       .value = WIRE_VERSION,
                                       .table_hash = pool_table_hash(zygote->tasks)};
    prctl(PR_SET_NAME, "pool-zygote", 0, 0, 0);
    int r = fill_standard_fds();
    /* What the host had opened without close-on-exec is not for workers. */
    if (r == 0 && syscall(SYS_close_range, ZYGOTE_CONTROL_FD + 1U, ~0U, 0U) < 0)
        r = -errno;
    if (r == 0)
        r = tie_to_host(zygote, host);
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
        r = spawn(zygote, &request, &fds);
    if (got == sizeof(request) && request.type == WIRE_KILL) {
        kill_by_id(zygote, request.worker_id);
        r = 0;
    }
    pool_wire_fds_done(&fds);
    return r < 0 ? r : 1;
}

static void serve_signals(struct zygote *zygote)
{
    struct signalfd_siginfo info;
    while (read(zygote->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        zygote->unreaped = true; /* which signal it was does not matter */
}

/* Serve until the host is gone.  Returns 0, or -errno. */
static int serve(struct zygote *zygote)
{
    enum { CONTROL, SIGNAL, HOST };
    struct pollfd waits[] = {
        [CONTROL] = {.fd = zygote->control_fd},
        [SIGNAL] = {.fd = zygote->signal_fd, .events = POLLIN},
        [HOST] = {.fd = zygote->host_fd, .events = POLLIN},
    };
    for (;;) {
        waits[CONTROL].events = (short)(POLLIN | (zygote->unreaped ? POLLOUT : 0));
        if (poll(waits, 3, -1) < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (waits[HOST].revents)
            return 0;
        if (waits[SIGNAL].revents)
            serve_signals(zygote);
        reap_ended(zygote);
        if (waits[CONTROL].revents & ~POLLOUT) {
            int r = serve_control(zygote);
            if (r <= 0)
                return r;
        }
    }
}

int pool_zygote_run(int control_fd, const struct pool_tasks *tasks, pid_t host)
{
    struct zygote zygote = {
        .control_fd = control_fd, .signal_fd = -1, .host_fd = -1, .tasks = tasks};
    int r = init(&zygote, host);
    if (r == 0)
        r = serve(&zygote);
    end_bound(&zygote);
    free(zygote.children);
    return r == 0 || r == -EPIPE ? 0 : EXIT_SETUP;
}
