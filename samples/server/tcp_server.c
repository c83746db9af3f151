/* tcp_server: document 000, section 5.2, and document 002, section 1: a server whose connections
 * are served by a pool of processes, because starting a process for each client would cost more
 * than many a client's request.
 *
 *     server_socket.bind(("127.0.0.1", 8888))
 *     server_socket.listen(5)
 *     with multiprocessing.Pool(processes=multiprocessing.cpu_count()) as pool:
 *         while True:
 *             client_socket, client_address = server_socket.accept()
 *             pool.apply_async(handle_client, args=(client_socket, client_address))
 *
 * The connection travels to the worker as a descriptor; what is done with it stands in
 * handle_client.c. Three things are better than in the document:
 *
 *   - It is bounded. Once --queue connections wait for a worker it accepts no more, until one has
 *     been served; the kernel, and then the clients, wait. apply_async takes in everything.
 *   - A worker that dies costs the connection it was serving, whose client sees its end; those that
 *     wait are served by others, and a new worker takes the place. Python's Pool would lose the
 *     task for ever.
 *   - SIGINT and SIGTERM end it in order: no more connections, the accepted ones are served.
 *
 * Usage: tcp_server [--workers N] [--queue N] [--connections N] [PORT]. It serves until a signal
 * comes, or so many connections have been served. PORT 0 means any. Without PORT it sends itself
 * some clients, and ends:
 *
 *     $ tcp_server
 *     listening on 127.0.0.1:40563
 *     worker 4712 started
 *     worker 4713 started
 *     client 0: hello 0 -> [4712] HELLO 0
 *     ...
 *     8 connections: 8 served, 0 failed; 0 workers died; paused 0 times
 *
 * To load it: `load` beside this file, or an HTTP client: wrk -c 64 http://127.0.0.1:8888/ */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handle_client.h"
#include "loopback.h"
#include "own_clients.h"
#include "sample.h"

/* A client that talks for longer than this has had its share: its worker is stopped. At the end,
 * whoever is still being served after GRACE_MS is cut off. */
enum { TASK_MS = 60000, GRACE_MS = 3000 };

static const struct pool_task list[] = {{"handle_client", handle_client}};
static const struct pool_tasks tasks = {list, 1};

struct server {
    struct pool *pool;
    int listen_fd, signal_fd;
    int held_fd; /* accepted, but the queue was full: to be submitted before any other; or -1 */
    struct sockaddr_in held_client;
    long limit; /* of connections; -1: none */
    long accepted, served, failed, pauses;
};

static void print_event(const struct pool_log_event *event, void *data)
{
    (void)data;
    if (event->kind == POOL_LOG_WORKER_STARTED)
        printf("worker %d started\n", event->worker_pid);
    else if (event->kind == POOL_LOG_WORKER_DIED)
        printf("worker %d died (signal %d)\n", event->worker_pid, event->signal);
}

/* Give the held connection to the pool, if there is one.  Returns false if there is no room. */
static bool submit_held(struct server *server)
{
    static const struct pool_submit_options options = {
        .nonblocking = true, .notify = true, .deadline_ms = TASK_MS};
    const struct pool_bytes address = {&server->held_client, sizeof(server->held_client)};
    const struct pool_item item = {&address, 1, &server->held_fd, 1, NULL};
    if (server->held_fd < 0)
        return true;
    const int r = pool_submit(server->pool, "handle_client", &item, &options, NULL);
    if (r == -EAGAIN)
        return false;
    must(r, "submit");
    server->held_fd = -1; /* the pool's now */
    return true;
}

static void accept_all(struct server *server)
{
    while (submit_held(server) && server->accepted != server->limit) {
        socklen_t size = sizeof(server->held_client);
        const int fd = accept4(server->listen_fd, (struct sockaddr *)&server->held_client, &size,
                               SOCK_CLOEXEC);
        if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR))
            return;
        server->held_fd = must(fd < 0 ? -errno : fd, "accept");
        server->accepted++;
    }
    if (server->held_fd >= 0 && server->pauses++ == 0)
        printf("the queue is full: accepting pauses\n"); /* the first time; the end counts them */
}

static void fetch_completions(struct server *server)
{
    struct pool_future *futures[16];
    int count;
    while ((count = must(pool_completions(server->pool, futures, 16), "completions")) > 0)
        for (int i = 0; i < count; i++) {
            struct pool_error error;
            must(pool_future_error(futures[i], &error), "future");
            server->served += error.code == 0;
            server->failed += error.code != 0;
            if (error.code != 0)
                printf("failed: %s\n", error.message);
            pool_future_free(futures[i]);
        }
}

static void serve(struct server *server)
{
    enum { LISTEN, COMPLETIONS, SIGNAL };
    struct pollfd wait[] = {
        [LISTEN] = {.events = POLLIN},
        [COMPLETIONS] = {must(pool_completion_fd(server->pool), "completions"), POLLIN, 0},
        [SIGNAL] = {server->signal_fd, POLLIN, 0},
    };
    bool stopping = false;
    while (server->served + server->failed != server->limit &&
           (!stopping || server->held_fd >= 0)) {
        /* No room, or enough of them: leave the others to the kernel. */
        const bool more = server->held_fd < 0 && server->accepted != server->limit;
        wait[LISTEN].fd = more ? server->listen_fd : -1;
        if (poll(wait, 3, -1) < 0 && errno != EINTR)
            must(-errno, "poll");
        if (wait[SIGNAL].revents) {
            stopping = true;
            server->limit = server->accepted;
            wait[SIGNAL].fd = -1;
        }
        if (wait[COMPLETIONS].revents)
            fetch_completions(server);
        accept_all(server);
    }
}

/* What was accepted is served, unless it takes too long. */
static void end(struct server *server)
{
    close(server->listen_fd);
    pool_close(server->pool);
    if (pool_join(server->pool, GRACE_MS) == -ETIMEDOUT)
        pool_terminate(server->pool);
    must(pool_join(server->pool, -1), "join");
    fetch_completions(server);
}

static bool read_options(int argc, char **argv, struct pool_options *options, long *limit)
{
    static const struct option names[] = {{"workers", required_argument, NULL, 'w'},
                                          {"queue", required_argument, NULL, 'q'},
                                          {"connections", required_argument, NULL, 'c'},
                                          {0}};
    int option;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        const long number = option == '?' ? 0 : strtol(optarg, NULL, 10);
        if (number < 1 || number > 1000000)
            return false;
        if (option == 'w')
            options->workers = (unsigned)number;
        else if (option == 'q')
            options->queue_max = (size_t)number;
        else
            *limit = number;
    }
    return argc - optind <= 1;
}

static int make_signal_fd(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    const int r = -pthread_sigmask(SIG_BLOCK, &set, NULL); /* before the pool has threads */
    const int fd = r < 0 ? r : signalfd(-1, &set, SFD_CLOEXEC);
    return must(fd == -1 ? -errno : fd, "signals");
}

int main(int argc, char **argv)
{
    struct pool_options options = POOL_OPTIONS_INIT;
    struct server server = {.held_fd = -1, .limit = -1};
    struct sockaddr_in address;
    struct pool_stats stats;
    pthread_t clients;

    must(pool_main(argc, argv, &tasks), "pool_main"); /* if __name__ == "__main__": */
    if (!read_options(argc, argv, &options, &server.limit)) {
        fprintf(stderr, "usage: tcp_server [--workers N] [--queue N] [--connections N] [PORT]\n");
        return 2;
    }
    const bool alone = optind == argc;
    setvbuf(stdout, NULL, _IOLBF, 0); /* whoever reads this in a pipe wants to know the port now */
    const unsigned port = alone ? 0 : (unsigned)strtoul(argv[optind], NULL, 10);
    server.listen_fd = must(loopback_listen(port, SOCK_NONBLOCK, &address), "listen");
    server.signal_fd = make_signal_fd();
    printf("listening on %s\n", loopback_text(&address).text);
    options.tasks = &tasks;
    if (options.workers == 0)
        options.workers = alone ? OWN_CLIENTS_AT_ONCE : pool_cpu_count();
    options.workers_min = options.workers;
    options.log = print_event;
    must(pool_create(&options, &server.pool), "pool");
    if (alone) {
        server.limit = OWN_CLIENTS;
        must(-pthread_create(&clients, NULL, own_clients_main, &address), "thread");
    }
    serve(&server);
    end(&server);
    if (alone)
        pthread_join(clients, NULL);
    must(pool_stats(server.pool, &stats), "stats");
    printf("%ld connections: %ld served, %ld failed; %llu workers died; paused %ld times\n",
           server.accepted, server.served, server.failed, (unsigned long long)stats.died,
           server.pauses);
    close(server.signal_fd);
    pool_free(server.pool);
    return EXIT_SUCCESS;
}
