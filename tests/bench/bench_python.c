/* bench_python.c: Python's own pools, run by python_peers.py (its words stand there).
 *
 * Each role is a child process, started when first needed and kept, so that Python's pools are warm
 * as ours are. Both of its standard streams are one socket, whose end tells it to leave. It leads a
 * process group, so that one which does not answer can be killed with its workers. */
#include "bench.h"

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

#define ANSWER_MS_MAX  (120 * 1000) /* a slow sample on a loaded machine: some seconds */
#define LINE_BYTES_MAX 128

enum role { ROLE_POOL, ROLE_OPEN, ROLE_EXECUTOR, ROLE_COUNT };
static const char *const role_names[ROLE_COUNT] = {"pool", "open", "executor"};

struct peer {
    pid_t pid; /* 0: not running */
    int fd;    /* valid while it runs */
};

struct bench_python {
    struct peer peers[ROLE_COUNT];
    char script[PATH_MAX];
    int missing; /* -ENOTSUP once it is known that there is no Python; else 0 */
};

/* ---- Lines to and fro --------------------------------------------------------------------- */

/* Read one line, without its end.  Returns 0, -ETIMEDOUT, -EPIPE if the peer has gone, ... */
static int read_line(int fd, char line[LINE_BYTES_MAX])
{
    size_t length = 0;
    double end_s = bench_now_s() + ANSWER_MS_MAX / 1e3;

    while (length < LINE_BYTES_MAX) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        double left_s = end_s - bench_now_s();
        int ready = left_s > 0 ? poll(&wait, 1, (int)(left_s * 1e3) + 1) : 0;
        if (ready == 0)
            return -ETIMEDOUT;
        ssize_t n = ready > 0 ? recv(fd, line + length, 1, 0) : -1;
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

static int ask(int fd, const char *command, char answer[LINE_BYTES_MAX])
{
    size_t length = strlen(command); /* so short that it is sent whole */
    if (send(fd, command, length, MSG_NOSIGNAL) != (ssize_t)length)
        return -EPIPE;
    return read_line(fd, answer);
}

/* ---- Start and end ------------------------------------------------------------------------ */

/* The script beside the source that this was built from or, where that has moved away, beside this
 * program. */
static int find_script(char script[PATH_MAX])
{
    static const char name[] = "/python_peers.py";

    if (access(BENCH_PYTHON_PEERS, R_OK) == 0) {
        strcpy(script, BENCH_PYTHON_PEERS);
        return 0;
    }
    ssize_t n = readlink("/proc/self/exe", script, PATH_MAX - sizeof(name));
    if (n < 0)
        return -errno;
    script[n] = '\0';
    char *slash = strrchr(script, '/');
    memcpy(slash ? slash : script, name, sizeof(name));
    return access(script, R_OK) < 0 ? -errno : 0;
}

static int spawn(const char *script, const char *role, unsigned workers, int fd, pid_t *ret_pid)
{
    extern char **environ;
    char workers_text[16];
    snprintf(workers_text, sizeof(workers_text), "%u", workers);
    const char *const argv[] = {"python3", script, role, workers_text, NULL};
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
            r = posix_spawnp(ret_pid, argv[0], &actions, &attributes, (char *const *)argv, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return -r;
}

/* End a peer: it leaves once its input has ended; one that stays is killed with its workers. */
static void peer_end(struct peer *peer)
{
    char line[LINE_BYTES_MAX];

    if (peer->pid <= 0)
        return;
    shutdown(peer->fd, SHUT_WR);
    if (read_line(peer->fd, line) != -EPIPE)
        kill(-peer->pid, SIGKILL);
    close(peer->fd);
    while (waitpid(peer->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    peer->pid = 0;
}

static int peer_start(struct bench_python *python, enum role role, unsigned workers)
{
    struct peer *peer = &python->peers[role];
    char line[LINE_BYTES_MAX] = "";
    int fds[2];

    if (peer->pid > 0)
        return 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return -errno;
    int r = spawn(python->script, role_names[role], workers, fds[1], &peer->pid);
    close(fds[1]);
    if (r < 0) {
        close(fds[0]);
        peer->pid = 0;
        return r;
    }
    peer->fd = fds[0];
    r = read_line(peer->fd, line);
    if (r == 0 && strncmp(line, "ready ", 6) != 0)
        r = -EBADMSG;
    if (r == 0)
        printf("# python_peers.py %s: version %s\n", role_names[role], line + 6);
    else
        peer_end(peer);
    return r;
}

struct bench_python *bench_python_free(struct bench_python *python)
{
    if (!python)
        return NULL;
    for (size_t i = 0; i < ROLE_COUNT; i++)
        peer_end(&python->peers[i]);
    free(python);
    return NULL;
}

/* ---- Figures -------------------------------------------------------------------------------- */

/* The peer that does a role; without Python or the script a line says so, once. */
static int peer_of(struct bench *bench, enum role role, struct peer **ret_peer)
{
    int r = 0;
    if (!bench->python) {
        struct bench_python *python = calloc(1, sizeof(*python));
        if (!python)
            return -ENOMEM;
        bench->python = python;
        r = find_script(python->script);
        if (r < 0)
            printf("# python not measured: no python_peers.py: %s\n", strerror(-r));
        else if ((r = peer_start(python, role, bench->workers)) < 0)
            printf("# python not found: cannot run python3: %s\n", strerror(-r));
        if (r < 0)
            python->missing = -ENOTSUP;
    }
    if (bench->python->missing < 0)
        return bench->python->missing;
    r = peer_start(bench->python, role, bench->workers);
    if (r == 0)
        *ret_peer = &bench->python->peers[role];
    return r;
}

int bench_python(struct bench *bench, int job, double *ret_value)
{
    static const struct {
        const char *command;
        enum role role;
        double scale; /* from the answer's unit to the figure's */
    } jobs[] = {
        [BENCH_PYTHON_CHUNK1] = {"chunk1", ROLE_POOL, 1},
        [BENCH_PYTHON_DEFAULT] = {"default", ROLE_POOL, 1},
        [BENCH_PYTHON_APPLY] = {"apply", ROLE_POOL, 1e6},
        [BENCH_PYTHON_OPEN] = {"open", ROLE_OPEN, 1e3},
        [BENCH_PYTHON_EXECUTOR] = {"map", ROLE_EXECUTOR, 1},
    };
    const struct bench_counts *counts = &bench->counts;
    const size_t items = job == BENCH_PYTHON_DEFAULT ? counts->chunked_items : counts->items;
    const size_t times = job == BENCH_PYTHON_APPLY ? counts->round_trips : counts->opens;
    char command[LINE_BYTES_MAX], answer[LINE_BYTES_MAX], *end;
    struct peer *peer = NULL;

    int r = peer_of(bench, jobs[job].role, &peer);
    if (r < 0)
        return r;
    if (job == BENCH_PYTHON_APPLY || job == BENCH_PYTHON_OPEN)
        snprintf(command, sizeof(command), "%s %zu\n", jobs[job].command, times);
    else
        snprintf(command, sizeof(command), "%s %zu %f\n", jobs[job].command, items, counts->rate_s);
    r = ask(peer->fd, command, answer);
    if (r < 0)
        return r;
    double value = strtod(answer, &end);
    if (end == answer || *end != '\0')
        return -EBADMSG;
    *ret_value = value * jobs[job].scale;
    return 0;
}
