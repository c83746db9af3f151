/* soak_look.c: the memory, processes and descriptors of a running program, from /proc.
 *
 * Pss counts a page that several processes map in equal shares, so what host and workers have
 * together is counted once, and the sum does not change when a page becomes shared. Resident
 * memory would count it once for each. Pages of files, such as the C library's, are left out where
 * the kernel tells them apart: any program on the machine may have a share of those.
 *
 * Nothing is stopped for a look: a process that ends meanwhile counts with what could be read. */
#include "soak.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROCESSES_MAX 4096

/* A small file of /proc, terminated; what is beyond room is left out. Returns its length or a
 * negative errno value. */
static ssize_t read_small(const char *path, char *text, size_t room)
{
    size_t length = 0;
    ssize_t n;

    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    do {
        n = read(fd, text + length, room - 1 - length);
        if (n > 0)
            length += (size_t)n;
    } while (length < room - 1 && (n > 0 || (n < 0 && errno == EINTR)));
    int r = n < 0 ? -errno : 0;
    close(fd);
    text[length] = '\0';
    return r < 0 ? r : (ssize_t)length;
}

static bool is_gone(ssize_t r)
{
    return r == -ENOENT || r == -ESRCH;
}

/* The number after "\nNAME:"; -1 if there is none. */
static double number_of(const char *text, const char *name)
{
    const char *found = strstr(text, name);
    return found ? strtod(found + strlen(name), NULL) : -1;
}

/* Returns 0 too for a process that has just ended: it has none. */
static int pss_kib(pid_t pid, double *ret_kib)
{
    char path[64], text[4096];

    *ret_kib = 0;
    snprintf(path, sizeof(path), "/proc/%ld/smaps_rollup", (long)pid);
    const ssize_t length = read_small(path, text, sizeof(text));
    if (length == 0 || is_gone(length))
        return 0;
    if (length < 0)
        return (int)length;
    const double all = number_of(text, "\nPss:"), own = number_of(text, "\nPss_Anon:");
    const double shared = number_of(text, "\nPss_Shmem:");
    if (all < 0)
        return -EBADMSG;
    *ret_kib = own >= 0 && shared >= 0 ? own + shared : all;
    return 0;
}

/* How many entries a folder of /proc has. */
static int count_entries(const char *path, double *ret_count)
{
    struct dirent *entry;
    double count = 0;

    DIR *dir = opendir(path);
    if (!dir)
        return -errno;
    while ((entry = readdir(dir)))
        count += entry->d_name[0] != '.';
    closedir(dir);
    *ret_count = count;
    return 0;
}

/* Append the children of all threads of a process. */
static int add_children(pid_t pid, pid_t *pids, size_t *count)
{
    char path[320], text[16384];
    struct dirent *entry;

    snprintf(path, sizeof(path), "/proc/%ld/task", (long)pid);
    DIR *dir = opendir(path);
    if (!dir)
        return is_gone(-errno) ? 0 : -errno;
    int r = 0;
    while (r == 0 && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/%ld/task/%s/children", (long)pid, entry->d_name);
        const ssize_t length = read_small(path, text, sizeof(text));
        if (length < 0 && !is_gone(length))
            r = (int)length;
        char *at = text, *end;
        for (; r == 0 && length > 0; at = end) {
            const long child = strtol(at, &end, 10);
            if (end == at)
                break;
            if (*count == PROCESSES_MAX)
                r = -E2BIG;
            else
                pids[(*count)++] = (pid_t)child;
        }
    }
    closedir(dir);
    return r;
}

int soak_look(pid_t host, struct soak_sample *ret_sample)
{
    struct soak_sample sample = {.at_s = 0};
    pid_t pids[PROCESSES_MAX];
    char path[64];
    size_t count = 1;
    double kib;

    pids[0] = host;
    int r = pss_kib(host, &sample.host_kib);
    if (r == 0 && sample.host_kib <= 0)
        r = -ESRCH;
    snprintf(path, sizeof(path), "/proc/%ld/fd", (long)host);
    if (r == 0)
        r = count_entries(path, &sample.descriptors);
    for (size_t i = 0; r == 0 && i < count; i++) {
        r = add_children(pids[i], pids, &count);
        if (r == 0 && i > 0) {
            r = pss_kib(pids[i], &kib);
            sample.workers_kib += kib;
        }
    }
    if (r < 0)
        return is_gone(r) ? -ESRCH : r;
    sample.processes = (double)(count - 1);
    *ret_sample = sample;
    return 0;
}

int soak_series_add(struct soak_series *series, const struct soak_sample *sample)
{
    if (series->count == series->room) {
        const size_t room = series->room > 0 ? 2 * series->room : 512;
        struct soak_sample *samples = reallocarray(series->samples, room, sizeof(*samples));
        if (!samples)
            return -ENOMEM;
        series->samples = samples;
        series->room = room;
    }
    series->samples[series->count++] = *sample;
    return 0;
}
