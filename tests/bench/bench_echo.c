/* bench_echo.c: the floor under every process pool's round trip: 8 bytes to another process and
 * back, over a SOCK_SEQPACKET socket pair, with nothing else to do. Neither side is pinned to a
 * CPU: a pool's processes are not either. */
#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct bench_echo {
    pid_t pid; /* 0 until forked */
    int fd;    /* this side's end; -1 until made */
};

/* The other process: sends back what comes, until this side closes its end. */
static _Noreturn void serve(int fd)
{
    char message[sizeof(uint64_t)];
    for (;;) {
        ssize_t n = recv(fd, message, sizeof(message), 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            _exit(n < 0);
        if (send(fd, message, (size_t)n, MSG_NOSIGNAL) < 0)
            _exit(1);
    }
}

struct bench_echo *bench_echo_free(struct bench_echo *echo)
{
    if (!echo)
        return NULL;
    if (echo->fd >= 0)
        close(echo->fd);
    if (echo->pid > 0)
        while (waitpid(echo->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    free(echo);
    return NULL;
}

int bench_echo_start(struct bench *bench)
{
    int fds[2] = {-1, -1};
    struct bench_echo *echo = calloc(1, sizeof(*echo));
    if (!echo)
        return -ENOMEM;

    echo->fd = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0) {
        echo->fd = fds[0];
        echo->pid = fork();
        if (echo->pid == 0) {
            close(fds[0]);
            serve(fds[1]);
        }
    }
    int r = fds[1] < 0 || echo->pid < 0 ? -errno : 0;
    if (fds[1] >= 0)
        close(fds[1]);
    if (r < 0)
        echo = bench_echo_free(echo);
    bench->echo = echo;
    return r;
}

static int echo_trip(void *data)
{
    const struct bench_echo *echo = data;
    uint64_t value = BENCH_VALUE_BASE;
    ssize_t n;

    if (send(echo->fd, &value, sizeof(value), MSG_NOSIGNAL) < 0)
        return -errno;
    do
        n = recv(echo->fd, &value, sizeof(value), 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return n == sizeof(value) && value == BENCH_VALUE_BASE ? 0 : -EBADMSG;
}

/* Bind this thread to one of the CPUs in allowed, and the other process to the same or to another.
 * Returns 0, -ENOTSUP if there is no other, or another negative errno value. */
static int bind_both(const struct bench_echo *echo, const cpu_set_t *allowed, bool same)
{
    cpu_set_t mine, theirs;
    size_t cpu = 0;

    CPU_ZERO(&mine);
    CPU_ZERO(&theirs);
    while (!CPU_ISSET(cpu, allowed))
        cpu++;
    CPU_SET(cpu, &mine);
    while (!same && ++cpu < CPU_SETSIZE && !CPU_ISSET(cpu, allowed))
        ;
    if (cpu == CPU_SETSIZE)
        return -ENOTSUP;
    CPU_SET(cpu, &theirs);
    if (sched_setaffinity(0, sizeof(mine), &mine) < 0 ||
        sched_setaffinity(echo->pid, sizeof(theirs), &theirs) < 0)
        return -errno;
    return 0;
}

int bench_echo_rtt(struct bench *bench, int binding, double *ret_us)
{
    const struct bench_echo *echo = bench->echo;
    cpu_set_t allowed;
    double median_s;
    int r = 0;

    if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
        return -errno;
    if (binding != BENCH_ECHO_UNBOUND)
        r = bind_both(echo, &allowed, binding == BENCH_ECHO_ONE_CPU);
    if (r == -ENOTSUP)
        puts("# socketpair.two_cpus not measured: this process may use one CPU only");
    if (r == 0)
        r = bench_trip(bench->counts.round_trips, echo_trip, bench->echo, &median_s);
    if (sched_setaffinity(0, sizeof(allowed), &allowed) < 0 ||
        sched_setaffinity(echo->pid, sizeof(allowed), &allowed) < 0)
        return -errno;
    if (r == 0)
        *ret_us = median_s * 1e6;
    return r;
}
