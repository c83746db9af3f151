/* bench_child.c: see bench_child_priv.h.
 *
 * The result comes through a pipe in one write, so it is there whole or not at all. The child is
 * not outlived by its workers, nor does it outlive us. */
#include "bench_child_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "signals_priv.h"

struct result {
    int code;
    struct bench_sample sample;
};

_Static_assert(sizeof(struct result) <= PIPE_BUF, "one write has it all");

_Noreturn static void child_main(bench_child_fn run, void *data, int pipe_fd, pid_t parent)
{
    struct result result;
    memset(&result, 0, sizeof(result)); /* it is sent as bytes: no padding of our stack's */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(1);
    result.code = run(data, &result.sample);
    ssize_t wrote;
    do
        wrote = write(pipe_fd, &result, sizeof(result));
    while (wrote < 0 && errno == EINTR);
    _exit(wrote == (ssize_t)sizeof(result) ? 0 : 1);
}

/* Hand a signal on that has come, once. */
static void hand_on(pid_t child, bool *told)
{
    if (*told || signals_caught() == 0)
        return;
    *told = true;
    kill(child, signals_caught());
}

/* Returns whether there was a result. */
static bool read_result(int pipe_fd, pid_t child, bool *told, struct result *ret_result)
{
    ssize_t got;
    do {
        hand_on(child, told);
        got = read(pipe_fd, ret_result, sizeof(*ret_result));
    } while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof(*ret_result);
}

static int wait_for(pid_t child, bool *told, int *ret_status)
{
    while (waitpid(child, ret_status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
        hand_on(child, told);
    }
    return 0;
}

static void describe_death(int status, struct text *words)
{
    if (WIFSIGNALED(status))
        text_printf(words, "ended by a signal: %s", strsignal(WTERMSIG(status)));
    else
        text_printf(words, "ended with status %d", WEXITSTATUS(status));
}

int bench_child_run(bench_child_fn run, void *data, struct bench_sample *ret_sample,
                    struct text *words)
{
    struct result result;
    bool told = false;
    int fds[2], status = 0;
    const pid_t parent = getpid();
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    const pid_t child = fork();
    if (child == 0) {
        close(fds[0]);
        child_main(run, data, fds[1], parent);
    }
    int r = child < 0 ? -errno : 0;
    close(fds[1]);
    const bool has_result = r == 0 && read_result(fds[0], child, &told, &result);
    close(fds[0]);
    if (r == 0)
        r = wait_for(child, &told, &status);
    if (r < 0)
        return r;
    if (has_result) {
        *ret_sample = result.sample;
        return result.code;
    }
    *ret_sample = (struct bench_sample){.host_peak_bytes = -1, .worker_peak_bytes = -1};
    if (signals_caught() == 0)
        describe_death(status, words);
    return 0;
}
