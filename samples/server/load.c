/* load: clients for tcp_server: so many connections in total, so many of them at a time. Each says
 * one line, closes its side, and must get exactly that line in capital letters, and then the end.
 *
 * Usage: load [--connections N] [--at-once N] [--retry] PORT
 *
 *     $ load --connections 10000 --at-once 64 8888
 *     10000 connections, 64 at a time: 10000 answered, 0 wrong, 0 lost, 0 retries
 *     answers from 2 processes; 1.104 s, 9058 connections/s
 *
 * A connection that ends without the whole answer, because the process that served it has died, is
 * lost; with --retry it is tried again, which is counted. Exit code 0: all were answered. */
#include <getopt.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loopback.h"
#include "sample.h"

enum { AT_ONCE_MAX = 1000, PIDS_MAX = 4096, SILENCE_MS = 30000 };

struct connection {
    int fd;
    long number; /* says "hello NUMBER" */
    size_t got;
    char answer[64];
};

struct load {
    struct sockaddr_in server;
    int epoll_fd;
    long total, at_once;
    bool retry;
    long started, answered, wrong, lost, retries;
    int pids[PIDS_MAX]; /* that have answered */
    size_t pid_count;
};

static void begin(struct load *load, struct connection *connection)
{
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = connection};
    connection->got = 0;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (connection->fd < 0 ||
        (connect(connection->fd, (struct sockaddr *)&load->server, sizeof(load->server)) < 0 &&
         errno != EINPROGRESS) ||
        epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) < 0)
        must(-errno, "connect");
}

/* It is connected, or never will be: that no server listens is not what --retry is for. */
static void speak(struct load *load, struct connection *connection)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    char line[32];
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    must(error == ECONNRESET ? 0 : -error, "connect");
    const int length = snprintf(line, sizeof(line), "hello %ld\n", connection->number);
    /* So few bytes always find room. If the other side is gone already, the answer will tell. */
    if (send(connection->fd, line, (size_t)length, MSG_NOSIGNAL) == length)
        shutdown(connection->fd, SHUT_WR);
    must(epoll_ctl(load->epoll_fd, EPOLL_CTL_MOD, connection->fd, &event) < 0 ? -errno : 0,
         "epoll");
}

static void count_pid(struct load *load, int pid)
{
    size_t i = 0;
    while (i < load->pid_count && load->pids[i] != pid)
        i++;
    if (i == load->pid_count && i < PIDS_MAX)
        load->pids[load->pid_count++] = pid;
}

/* All has come that will come.  Returns whether to try again. */
static bool judge(struct load *load, struct connection *connection)
{
    char expected[32], *text;
    connection->answer[connection->got] = '\0';
    if (connection->got == 0 || connection->answer[connection->got - 1] != '\n') {
        load->retries += load->retry;
        load->lost += !load->retry;
        return load->retry;
    }
    snprintf(expected, sizeof(expected), "] HELLO %ld\n", connection->number);
    const long pid = strtol(connection->answer + 1, &text, 10);
    if (connection->answer[0] == '[' && pid > 0 && strcmp(text, expected) == 0) {
        load->answered++;
        count_pid(load, (int)pid);
    } else {
        load->wrong++;
    }
    return false;
}

static void listen_to(struct load *load, struct connection *connection)
{
    const size_t room = sizeof(connection->answer) - 1 - connection->got;
    const ssize_t got = recv(connection->fd, connection->answer + connection->got, room, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    connection->got += got > 0 ? (size_t)got : 0;
    if (got > 0 && (size_t)got < room)
        return;
    close(connection->fd);
    if (judge(load, connection)) {
        begin(load, connection);
    } else if (load->started < load->total) {
        connection->number = load->started++;
        begin(load, connection);
    }
}

static void run(struct load *load, struct connection *connections)
{
    for (long i = 0; i < load->at_once; i++) {
        connections[i].number = load->started++;
        begin(load, &connections[i]);
    }
    while (load->answered + load->wrong + load->lost < load->total) {
        struct epoll_event events[64];
        const int count = epoll_wait(load->epoll_fd, events, 64, SILENCE_MS);
        if (count < 0 && errno == EINTR)
            continue;
        must(count < 0 ? -errno : count == 0 ? -ETIMEDOUT : 0, "wait for an answer");
        for (int i = 0; i < count; i++)
            if (events[i].events & EPOLLOUT)
                speak(load, events[i].data.ptr);
            else
                listen_to(load, events[i].data.ptr);
    }
}

static bool read_options(int argc, char **argv, struct load *load)
{
    static const struct option names[] = {{"connections", required_argument, NULL, 'c'},
                                          {"at-once", required_argument, NULL, 'a'},
                                          {"retry", no_argument, NULL, 'r'},
                                          {0}};
    int option;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (option == 'c')
            load->total = strtol(optarg, NULL, 10);
        else if (option == 'a')
            load->at_once = strtol(optarg, NULL, 10);
        else if (option == 'r')
            load->retry = true;
        else
            return false;
    }
    if (load->at_once > load->total)
        load->at_once = load->total;
    return optind + 1 == argc && load->at_once > 0 && load->at_once <= AT_ONCE_MAX;
}

int main(int argc, char **argv)
{
    static struct load load = {.total = 1000, .at_once = 64};
    static struct connection connections[AT_ONCE_MAX];
    if (!read_options(argc, argv, &load)) {
        fprintf(stderr, "usage: load [--connections N] [--at-once 1..%d] [--retry] PORT\n",
                AT_ONCE_MAX);
        return 2;
    }
    load.server = loopback_address((unsigned)strtoul(argv[optind], NULL, 10));
    load.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    must(load.epoll_fd < 0 ? -errno : 0, "epoll");
    const double start = now_s();
    run(&load, connections);
    const double time_s = now_s() - start;
    printf("%ld connections, %ld at a time: %ld answered, %ld wrong, %ld lost, %ld retries\n",
           load.total, load.at_once, load.answered, load.wrong, load.lost, load.retries);
    printf("answers from %zu processes; %.3f s, %.0f connections/s\n", load.pid_count, time_s,
           (double)load.total / time_s);
    close(load.epoll_fd);
    return load.answered == load.total ? EXIT_SUCCESS : EXIT_FAILURE;
}
