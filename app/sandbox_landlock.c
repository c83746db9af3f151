/* sandbox_landlock.c: a Landlock ruleset that handles every right it knows and grants none. */
#include "sandbox_priv.h"

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/landlock.h>

/* The newest members of linux/landlock.h, which older headers lack. */
struct ruleset {
    uint64_t access_fs;
    uint64_t access_net;
    uint64_t scoped;
};

/* Rights, by the version of the interface that brought them: bits 0 up to count. */
static const struct {
    int abi;
    unsigned fs_count;     /* 13 at first; then REFER, TRUNCATE, IOCTL_DEV */
    unsigned net_count;    /* TCP: bind, connect */
    unsigned scoped_count; /* abstract Unix sockets, signals */
    size_t size_bytes;     /* of the structure that this version takes */
} versions[] = {
    {1, 13, 0, 0, offsetof(struct ruleset, access_net)},
    {2, 14, 0, 0, offsetof(struct ruleset, access_net)},
    {3, 15, 0, 0, offsetof(struct ruleset, access_net)},
    {4, 15, 2, 0, offsetof(struct ruleset, scoped)},
    {5, 16, 2, 0, offsetof(struct ruleset, scoped)},
    {6, 16, 2, 2, sizeof(struct ruleset)},
};

static uint64_t bits(unsigned count)
{
    return ((uint64_t)1 << count) - 1;
}

int sandbox_landlock(int abi_max)
{
    const long found =
        syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (found < 0)
        return -errno;
    const int abi = found < abi_max ? (int)found : abi_max;
    size_t row = 0;
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
        if (versions[i].abi <= abi)
            row = i;
    const struct ruleset ruleset = {.access_fs = bits(versions[row].fs_count),
                                    .access_net = bits(versions[row].net_count),
                                    .scoped = bits(versions[row].scoped_count)};
    const int fd =
        (int)syscall(SYS_landlock_create_ruleset, &ruleset, versions[row].size_bytes, 0U);
    if (fd < 0)
        return -errno;
    const int r = syscall(SYS_landlock_restrict_self, fd, 0U) < 0 ? -errno : versions[row].abi;
    close(fd);
    return r;
}
