/* cpus.c: how many CPUs this process may really use.
 *
 * The affinity mask (taskset, cpuset cgroups) bounds which CPUs; a cgroup's quota (containers'
 * "--cpus 1.5") bounds how much of them. Counting all CPUs of a 64-core host inside a two-CPU
 * container is the classic way to start 64 workers that fight over two. */
#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int read_text(const char *path, char *buffer, size_t size_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t got = read(fd, buffer, size_bytes - 1);
    close(fd);
    if (got < 0)
        return -EIO;
    buffer[got] = '\0';
    return 0;
}

static unsigned affinity_count(void)
{
    /* A mask larger than the kernel's is needed, and its size is not known beforehand. */
    for (int cpus = 1024; cpus <= 1024 * 64; cpus *= 4) {
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        if (!set)
            break;
        size_t size_bytes = CPU_ALLOC_SIZE((size_t)cpus);
        int r = sched_getaffinity(0, size_bytes, set);
        int count = r == 0 ? CPU_COUNT_S(size_bytes, set) : 0;
        CPU_FREE(set);
        if (count > 0)
            return (unsigned)count;
        if (errno != EINVAL)
            break;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

/* ceil(quota / period) of "cpu.max": "max 100000" or "150000 100000". 0 when there is no limit. */
static unsigned quota_of(const char *cgroup_path)
{
    char path[PATH_MAX], text[64];
    if (snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cpu.max", cgroup_path) >= (int)sizeof(path))
        return 0;
    if (read_text(path, text, sizeof(text)) < 0)
        return 0;
    unsigned long long quota, period;
    if (sscanf(text, "%llu %llu", &quota, &period) != 2 || period == 0 || quota == 0)
        return 0;
    unsigned long long cpus = (quota + period - 1) / period;
    return cpus < UINT_MAX ? (unsigned)cpus : 0;
}

/* The tightest quota of this process's cgroup (version 2) and of all above it; 0 for none. */
static unsigned quota_count(void)
{
    char text[PATH_MAX];
    unsigned tightest = 0;
    if (read_text("/proc/self/cgroup", text, sizeof(text)) < 0)
        return 0;
    char *path = strstr(text, "0::/");
    if (!path)
        return 0;
    path += strlen("0::");
    path[strcspn(path, "\n")] = '\0';
    for (;;) {
        unsigned quota = quota_of(path[1] ? path : "");
        if (quota > 0 && (tightest == 0 || quota < tightest))
            tightest = quota;
        char *slash = strrchr(path, '/');
        if (!slash || path[1] == '\0')
            return tightest;
        slash[slash == path] = '\0'; /* "/a" becomes "/", "/a/b" becomes "/a" */
    }
}

unsigned pool_cpu_count(void)
{
    unsigned cpus = affinity_count();
    unsigned quota = quota_count();
    return quota > 0 && quota < cpus ? quota : cpus;
}
