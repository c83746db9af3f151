/* The samples tcp_server and load: many connections, a full queue, workers that are killed. */
#include "sample_run.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "background.h"
#include "isolate.h"

#ifdef __SANITIZE_THREAD__
#define CONNECTIONS 1000 /* each costs several times as much */
#else
#define CONNECTIONS 10000
#endif
#define STRING_OF(x) #x
#define TEXT(x)      STRING_OF(x)

enum { KILLS_MAX = 100, KILL_AFTER_MS = 1, KILL_EACH_MS = 10 };

/* ---- The server, and what it says at its end ----------------------------------------------- */

/* Start a server with the arguments up to NULL, at a port that it finds.  ret_port: a copy, as text
 * and as number. */
struct server {
    struct background program;
    char port[8];
};

#define server_start(server, ...)                                                                  \
    do {                                                                                           \
        background_start(&(server)->program, SAMPLE("tcp_server"), __VA_ARGS__, "0", NULL);        \
        server_port(server);                                                                       \
    } while (0)

static void server_port(struct server *server)
{
    const char *at = background_wait(&server->program, "listening on 127.0.0.1:");
    background_wait(&server->program, "\n");
    snprintf(server->port, sizeof(server->port), "%ld", strtol(at, NULL, 10));
}

struct summary {
    long connections, served, failed, died, pauses;
};

static struct summary summary_of(const char *text)
{
    struct summary s = {0};
    const char *at = strstr(text, " connections: ");
    assert_non_null(at);
    while (at > text && at[-1] != '\n')
        at--;
    const int count = sscanf(at,
                             "%ld connections: %ld served, %ld failed; %ld workers died; "
                             "paused %ld times",
                             &s.connections, &s.served, &s.failed, &s.died, &s.pauses);
    if (count != 5)
        fail_msg("no summary in:\n%s", text);
    return s;
}

static struct summary server_stop(struct server *server, int signal)
{
    const int exit_code = background_end(&server->program, signal);
    if (exit_code != 0)
        fail_msg("the server ended with %d:\n%s", exit_code, server->program.text);
    const struct summary summary = summary_of(server->program.text);
    free(server->program.text);
    return summary;
}

/* ---- One client ---------------------------------------------------------------------------- */

static int client_connect(const struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)strtoul(server->port, NULL, 10));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void client_say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What comes up to the end of the line, or of the connection. Returns its length. */
static size_t client_hear(int fd, char *line, size_t room)
{
    size_t used = 0;
    ssize_t got = 1;
    while (got > 0 && used + 1 < room && (used == 0 || line[used - 1] != '\n')) {
        got = recv(fd, line + used, 1, 0);
        used += got > 0 ? 1 : 0;
    }
    line[used] = '\0';
    return used;
}

/* Say a line and check its answer.  Returns the process that gave it. */
static pid_t client_ask(int fd, const char *line, const char *capitals)
{
    char answer[256], *text;
    client_say(fd, line);
    assert_true(client_hear(fd, answer, sizeof(answer)) > 0);
    assert_int_equal(answer[0], '[');
    const long pid = strtol(answer + 1, &text, 10);
    assert_string_equal(text, capitals);
    return (pid_t)pid;
}

/* ---- Workers ------------------------------------------------------------------------------- */

static pid_t parent_of(pid_t pid)
{
    char path[64], line[128];
    long parent = -1;
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    FILE *file = fopen(path, "re");
    while (file && parent < 0 && fgets(line, sizeof(line), file))
        if (strncmp(line, "PPid:", 5) == 0)
            parent = strtol(line + 5, NULL, 10);
    if (file)
        fclose(file);
    return (pid_t)parent;
}

/* A handle on the worker that is serving a client of this test's. While it does, its number cannot
 * become somebody else's; and to be sure that nobody else is killed: a worker's parent is the
 * process that starts workers, whose parent is the server. */
static int worker_open(const struct server *server, pid_t pid)
{
    const int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    assert_true(fd >= 0);
    assert_int_equal(parent_of(parent_of(pid)), server->program.pid);
    return fd;
}

static void worker_kill(int fd)
{
    assert_int_equal(syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0), 0);
    close(fd);
}

/* ---- Tests --------------------------------------------------------------------------------- */

static void without_a_port_the_server_sends_itself_clients(void **state)
{
    (void)state;
    const struct sample_output output = sample_ok(SAMPLE("tcp_server"), NULL);
    for (int i = 0; i < 8; i++) {
        char start[48], end[32];
        snprintf(start, sizeof(start), "client %d: hello %d -> [", i, i);
        snprintf(end, sizeof(end), "] HELLO %d", i);
        const char *line = output.lines[sample_find(&output, start)];
        assert_string_equal(strstr(line, "] "), end);
    }
    assert_int_equal(sample_count(&output, "client "), 8);
    assert_int_equal(sample_distinct(&output, "-> ["), 2);
    sample_expect_line(&output, output.line_count - 1,
                       "8 connections: 8 served, 0 failed; 0 workers died; paused 0 times");
}

static void the_server_ends_after_so_many_connections(void **state)
{
    (void)state;
    struct server server;
    server_start(&server, "--connections", "20");
    sample_ok(SAMPLE("load"), "--connections", "20", server.port, NULL);
    const struct summary summary = server_stop(&server, 0);
    assert_int_equal(summary.connections, 20);
    assert_int_equal(summary.served, 20);
}

static void ten_thousand_connections_are_answered(void **state)
{
    (void)state;
    struct server server;
    server_start(&server, "--workers", "2", "--connections", TEXT(CONNECTIONS));
    const struct sample_output output = sample_ok(
        SAMPLE("load"), "--connections", TEXT(CONNECTIONS), "--at-once", "64", server.port, NULL);
    const struct summary summary = server_stop(&server, 0);
    sample_expect_line(&output, 0,
                       TEXT(CONNECTIONS) " connections, 64 at a time: " TEXT(
                           CONNECTIONS) " answered, 0 wrong, 0 lost, 0 retries");
    sample_find(&output, "answers from ");
    assert_int_equal(summary.connections, CONNECTIONS);
    assert_int_equal(summary.served, CONNECTIONS);
    assert_int_equal(summary.failed, 0);
    assert_int_equal(summary.died, 0);
}

/* While the load runs, kill one worker after the other, each soon after it has answered a question:
 * it has gone on to some connection of the load then, or is about to.  Returns how many. */
static long kill_workers(struct server *server, struct background *load)
{
    long kills = 0;
    do {
        const int fd = client_connect(server);
        const int worker = worker_open(server, client_ask(fd, "who\n", "] WHO\n"));
        close(fd);
        background_read(load, KILL_AFTER_MS);
        worker_kill(worker);
        kills++;
        background_read(&server->program, 0);
    } while (background_read(load, KILL_EACH_MS) && kills < KILLS_MAX);
    return kills;
}

static size_t count_of(const char *text, const char *wanted)
{
    size_t count = 0;
    for (; (text = strstr(text, wanted)); text++)
        count++;
    return count;
}

static void killed_workers_cost_the_connections_that_they_held(void **state)
{
    (void)state;
    struct server server;
    struct background load;
    long answered = 0, wrong = 0, lost = 0, retries = 0;
    server_start(&server, "--workers", "2");
    background_start(&load, SAMPLE("load"), "--retry", "--connections", TEXT(CONNECTIONS),
                     "--at-once", "64", server.port, NULL);
    const long kills = kill_workers(&server, &load);
    const int exit_code = background_end(&load, 0);
    while (count_of(server.program.text, "died (signal 9)\n") < (size_t)kills)
        assert_true(background_read(&server.program, -1));
    const struct summary summary = server_stop(&server, SIGTERM);
    printf("%ld kills\n%s", kills, load.text);
    assert_int_equal(exit_code, 0);
    const char *counts = strstr(load.text, " at a time: ");
    assert_non_null(counts);
    assert_int_equal(sscanf(counts, " at a time: %ld answered, %ld wrong, %ld lost, %ld retries",
                            &answered, &wrong, &lost, &retries),
                     4);
    free(load.text);
    assert_int_equal(answered, CONNECTIONS);
    assert_int_equal(wrong + lost, 0);
    assert_int_equal(summary.died, kills);
    assert_true(summary.failed <= kills);   /* at most the one connection that it held */
    assert_true(retries <= summary.failed); /* whose answer may have been on its way already */
    assert_int_equal(summary.connections, kills + CONNECTIONS + retries);
    assert_int_equal(summary.served + summary.failed, summary.connections);
}

static void a_killed_worker_costs_no_other_connection(void **state)
{
    (void)state;
    struct server server;
    char line[64];
    server_start(&server, "--workers", "2");
    const int first = client_connect(&server), second = client_connect(&server);
    const pid_t first_pid = client_ask(first, "first\n", "] FIRST\n");
    const pid_t second_pid = client_ask(second, "second\n", "] SECOND\n");
    assert_int_not_equal(first_pid, second_pid); /* each is kept busy by its client */
    const int third = client_connect(&server);
    client_say(third, "third\n");
    worker_kill(worker_open(&server, first_pid));
    assert_int_equal(client_hear(first, line, sizeof(line)), 0);
    assert_int_equal(client_ask(second, "again\n", "] AGAIN\n"), second_pid);
    assert_true(client_hear(third, line, sizeof(line)) > 0); /* by the one that took its place */
    assert_non_null(strstr(line, "] THIRD\n"));
    assert_int_not_equal(strtol(line + 1, NULL, 10), first_pid);
    assert_int_not_equal(strtol(line + 1, NULL, 10), second_pid);
    close(first);
    close(second);
    close(third);
    background_wait(&server.program, "died (signal 9)\n");
    const struct summary summary = server_stop(&server, SIGTERM);
    assert_int_equal(summary.connections, 3);
    assert_int_equal(summary.served, 2);
    assert_int_equal(summary.failed, 1);
    assert_int_equal(summary.died, 1);
}

static void a_full_queue_makes_the_server_pause(void **state)
{
    (void)state;
    struct server server;
    struct background load;
    server_start(&server, "--workers", "1", "--queue", "2");
    const int holder = client_connect(&server); /* of the only worker */
    client_ask(holder, "mine\n", "] MINE\n");
    background_start(&load, SAMPLE("load"), "--connections", "64", "--at-once", "64", server.port,
                     NULL);
    background_wait(&server.program, "the queue is full: accepting pauses\n");
    client_ask(holder, "still mine\n", "] STILL MINE\n");
    close(holder);
    assert_int_equal(background_end(&load, 0), 0);
    assert_non_null(strstr(load.text, " 64 answered, 0 wrong, 0 lost, 0 retries\n"));
    free(load.text);
    const struct summary summary = server_stop(&server, SIGTERM);
    assert_int_equal(summary.connections, 65);
    assert_int_equal(summary.served, 65);
    assert_true(summary.pauses >= 1);
}

static void a_signal_ends_the_server(void **state)
{
    (void)state;
    struct server server;
    char line[64];
    server_start(&server, "--workers", "1");
    assert_int_equal(server_stop(&server, SIGINT).connections, 0);
    server_start(&server, "--workers", "1");
    const int fd = client_connect(&server);
    client_ask(fd, "here\n", "] HERE\n");
    const struct summary summary = server_stop(&server, SIGTERM); /* though a client stays */
    assert_int_equal(client_hear(fd, line, sizeof(line)), 0);
    assert_int_equal(summary.connections, 1);
    close(fd);
}

static void a_silent_client_loses_its_connection(void **state)
{
    (void)state;
    struct server server;
    char line[64];
    server_start(&server, "--workers", "1");
    const int fd = client_connect(&server);
    client_say(fd, "half a li");
    assert_int_equal(client_hear(fd, line, sizeof(line)), 0);
    background_wait(&server.program, ": silent for too long\n");
    close(fd);
    assert_int_equal(server_stop(&server, SIGTERM).failed, 1);
}

static void an_http_request_gets_a_page(void **state)
{
    (void)state;
    static const char *const lines[] = {"HTTP/1.1 200 OK\r\n", "Content-Type: text/plain\r\n", NULL,
                                        "Connection: close\r\n", "\r\n"};
    struct server server;
    char line[64];
    unsigned size = 0;
    server_start(&server, "--workers", "1");
    const int fd = client_connect(&server);
    client_say(fd, "GET /any/path HTTP/1.1\r\nHost: here\r\n\r\n");
    for (size_t i = 0; i < 5; i++) {
        assert_true(client_hear(fd, line, sizeof(line)) > 0);
        if (lines[i])
            assert_string_equal(line, lines[i]);
        else
            assert_int_equal(sscanf(line, "Content-Length: %u\r\n", &size), 1);
    }
    assert_int_equal(client_hear(fd, line, sizeof(line)), size);
    assert_ptr_equal(strstr(line, "hello from worker "), line);
    assert_int_equal(client_hear(fd, line, sizeof(line)), 0);
    close(fd);
    assert_int_equal(server_stop(&server, SIGTERM).served, 1);
}

/* The checker checked: a server that closes, then answers well, then badly. */
static void the_load_client_tells_lost_and_wrong_answers(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    struct background load;
    char port[8], line[64];
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    snprintf(port, sizeof(port), "%u", ntohs(address.sin_port));
    for (int retry = 0; retry < 2; retry++) {
        static const char *const answers[2][4] = {{"", "[1] HELLO 1\n", "[1] HELLO 1\n", "[1] HEL"},
                                                  {"", "[1] HELLO 0\n", "[1] HELLO 0\n", NULL}};
        if (retry)
            background_start(&load, SAMPLE("load"), "--retry", "--connections", "2", "--at-once",
                             "1", port, NULL);
        else
            background_start(&load, SAMPLE("load"), "--connections", "4", "--at-once", "1", port,
                             NULL);
        for (size_t i = 0; i < 4 && answers[retry][i]; i++) {
            const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
            assert_true(fd >= 0);
            assert_true(client_hear(fd, line, sizeof(line)) > 0);
            client_say(fd, answers[retry][i]);
            close(fd);
        }
        assert_int_equal(background_end(&load, 0), 1);
        assert_non_null(strstr(load.text, retry ? ": 1 answered, 1 wrong, 0 lost, 1 retries\n"
                                                : ": 1 answered, 1 wrong, 2 lost, 0 retries\n"));
        free(load.text);
    }
    close(listener);
}

static void wrong_usage_is_told(void **state)
{
    (void)state;
    assert_int_equal(sample_run(SAMPLE("tcp_server"), "--workers", "0", "0", NULL).exit_code, 2);
    assert_int_equal(sample_run(SAMPLE("load"), "--at-once", "0", "1", NULL).exit_code, 2);
    assert_int_equal(sample_run(SAMPLE("load"), NULL).exit_code, 2);
}

static const struct test_case tests[] = {
    TEST(without_a_port_the_server_sends_itself_clients),
    TEST(the_server_ends_after_so_many_connections),
    TEST_LONG(ten_thousand_connections_are_answered, 60000),
    TEST_LONG(killed_workers_cost_the_connections_that_they_held, 60000),
    TEST(a_killed_worker_costs_no_other_connection),
    TEST(a_full_queue_makes_the_server_pause),
    TEST(a_signal_ends_the_server),
    TEST(a_silent_client_loses_its_connection),
    TEST(an_http_request_gets_a_page),
    TEST(the_load_client_tells_lost_and_wrong_answers),
    TEST(wrong_usage_is_told),
};

int main(int argc, char **argv)
{
    return test_run("samples server", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
