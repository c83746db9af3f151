#include "background.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "isolate.h"

enum { ARGS_MAX = 16, TEXT_BYTES = 1 << 20 };

void background_start(struct background *background, const char *program, ...)
{
    char *args[ARGS_MAX + 2] = {strdup(program)};
    int ends[2], count = 1;
    va_list list;
    va_start(list, program);
    for (const char *arg; (arg = va_arg(list, const char *));) {
        assert_true(count <= ARGS_MAX);
        args[count++] = strdup(arg);
    }
    va_end(list);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    background->pid = fork();
    assert_true(background->pid >= 0);
    if (background->pid == 0) {
        if (dup2(ends[1], STDOUT_FILENO) >= 0 && dup2(ends[1], STDERR_FILENO) >= 0)
            execv(program, args);
        _exit(127);
    }
    close(ends[1]);
    for (int i = 0; i < count; i++)
        free(args[i]);
    background->out_fd = ends[0];
    background->used = 0;
    background->text = calloc(TEXT_BYTES, 1);
    assert_non_null(background->text);
}

bool background_read(struct background *background, int timeout_ms)
{
    struct pollfd wait = {.fd = background->out_fd, .events = POLLIN};
    const size_t room = TEXT_BYTES - 1 - background->used;
    const int r = poll(&wait, 1, timeout_ms);
    assert_true(r >= 0 && room > 0);
    if (r == 0)
        return true;
    const ssize_t got = read(background->out_fd, background->text + background->used, room);
    assert_true(got >= 0);
    background->used += (size_t)got;
    background->text[background->used] = '\0';
    return got > 0;
}

const char *background_wait(struct background *background, const char *text)
{
    const char *at;
    bool more = true;
    while (!(at = strstr(background->text, text)) && more)
        more = background_read(background, -1);
    if (!at)
        fail_msg("it never said '%s', but:\n%s", text, background->text);
    return at + strlen(text);
}

int background_end(struct background *background, int signal)
{
    int status;
    if (signal)
        assert_int_equal(kill(background->pid, signal), 0);
    while (background_read(background, -1))
        continue;
    close(background->out_fd);
    assert_int_equal(waitpid(background->pid, &status, 0), background->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
