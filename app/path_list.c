/* path_list.c: see path_list_priv.h. */
#include "path_list_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "escape_priv.h"
#include "signals_priv.h"

#define FIRST_BYTES ((size_t)64 << 10)

/* A signal that comes just before the wait does not end it, so the wait has an end. */
#define WAIT_MS 100

struct path_list {
    char *bytes; /* each path is terminated, the last one too */
    size_t used;
    size_t size;
};

struct path_list *path_list_free(struct path_list *list)
{
    if (!list)
        return NULL;
    free(list->bytes);
    free(list);
    return NULL;
}

/* Room for more, and for a NUL at the end. */
static int list_reserve(struct path_list *list)
{
    size_t size = FIRST_BYTES;
    if (list->size - list->used > 1)
        return 0;
    if (list->size > 0 && __builtin_mul_overflow(list->size, (size_t)2, &size))
        return -ENOMEM;
    char *bytes = realloc(list->bytes, size);
    if (!bytes)
        return -ENOMEM;
    list->bytes = bytes;
    list->size = size;
    return 0;
}

/* Read what there is. Returns 1, 0 at the end, or a negative errno value. */
static int list_fill(struct path_list *list, int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    int r = list_reserve(list);
    if (r < 0)
        return r;
    r = poll(&wait, 1, WAIT_MS);
    if (r == 0 || (r < 0 && errno == EINTR))
        return 1;
    if (r < 0)
        return -errno;
    ssize_t got = read(fd, list->bytes + list->used, list->size - list->used - 1);
    if (got < 0)
        return errno == EINTR || errno == EAGAIN ? 1 : -errno;
    list->used += (size_t)got;
    return got > 0;
}

/* Terminate each line. Returns 0, or -EINVAL with the number of the line that has a NUL. */
static int list_cut(struct path_list *list, size_t *reterr_line)
{
    size_t line = 1;
    for (size_t i = 0; i < list->used; i++) {
        if (list->bytes[i] == '\0') {
            *reterr_line = line;
            return -EINVAL;
        }
        if (list->bytes[i] != '\n')
            continue;
        list->bytes[i] = '\0';
        line++;
    }
    return 0;
}

static void explain(struct text *message, const char *file)
{
    text_puts(message, "--files-from: ");
    if (strcmp(file, "-") == 0)
        text_puts(message, "standard input");
    else
        escape_name(message, file, strlen(file));
}

static int list_read(struct path_list *list, int fd, bool null, size_t *reterr_line)
{
    int r = 1;
    while (r > 0 && signals_caught() == 0)
        r = list_fill(list, fd);
    if (r < 0)
        return r;
    if (signals_caught() != 0)
        list->used = 0; /* its end is missing, perhaps in the middle of a path */
    r = null ? 0 : list_cut(list, reterr_line);
    list->bytes[list->used] = '\0';
    char *fitting = realloc(list->bytes, list->used + 1);
    list->bytes = fitting ? fitting : list->bytes;
    return r;
}

int path_list_read(const char *file, bool null, struct path_list **ret_list,
                   struct text *reterr_message)
{
    const bool is_stdin = strcmp(file, "-") == 0;
    size_t line = 0;
    struct path_list *list = calloc(1, sizeof(*list));
    if (!list)
        return -ENOMEM;
    int r = list_reserve(list);
    int fd = r < 0 || is_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        r = errno == EINTR && signals_caught() != 0 ? 0 : -errno;
    else if (r == 0)
        r = list_read(list, fd, null, &line);
    if (fd >= 0 && fd != STDIN_FILENO)
        close(fd);
    if (r == 0) {
        *ret_list = list;
        return 0;
    }
    path_list_free(list);
    if (r == -ENOMEM)
        return r;
    explain(reterr_message, file);
    if (r == -EINVAL && line > 0)
        text_printf(reterr_message,
                    ": line %zu has a NUL byte; lists that are separated by them are read with "
                    "--null",
                    line);
    else
        text_printf(reterr_message, ": %s", strerror(-r));
    return r;
}

const char *path_list_next(const struct path_list *list, size_t *at)
{
    while (list && *at < list->used) {
        const char *path = list->bytes + *at;
        *at += strlen(path) + 1;
        if (path[0] != '\0')
            return path;
    }
    return NULL;
}
