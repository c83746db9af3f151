/* console.c: see console_priv.h. */
#include "console_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "signals_priv.h"

/* Returns 0, -EINTR when a signal asks the program to end, or another negative errno value. */
static int write_all(int fd, const struct text *text)
{
    size_t done = 0;
    while (done < text->length) {
        ssize_t written = write(fd, text->data + done, text->length - done);
        if (written >= 0) {
            done += (size_t)written;
        } else if (errno == EAGAIN) {
            struct pollfd room = {.fd = fd, .events = POLLOUT};
            if (poll(&room, 1, 100) < 0 && errno != EINTR)
                return -errno;
            if (signals_caught())
                return -EINTR;
        } else if (errno != EINTR || signals_caught()) {
            return -errno;
        }
    }
    return 0;
}

void console_out(struct console *console, const struct text *text)
{
    if (console->out_error == 0)
        console->out_error = write_all(STDOUT_FILENO, text);
}

void console_err(const struct text *text)
{
    (void)write_all(STDERR_FILENO, text);
}

void console_complain(const char *words)
{
    struct text line = TEXT_INIT;
    text_printf(&line, "thumbpool: %s\n", words);
    console_err(&line);
    text_done(&line);
}

bool console_has_room(void)
{
    struct pollfd both[] = {{.fd = STDOUT_FILENO, .events = POLLOUT},
                            {.fd = STDERR_FILENO, .events = POLLOUT}};
    return poll(both, 2, 0) == 2;
}

int console_open_missing(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        int opened = open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY); /* meant to be inherited */
        if (opened < 0)
            return -errno;
        if (opened != fd) /* cannot be: the lowest free one is taken */
            close(opened);
    }
    return 0;
}
