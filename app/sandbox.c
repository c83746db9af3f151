/* sandbox.c: see sandbox_priv.h. */
#include "sandbox_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

/* The standard ones, the pool's socket, the source, a result, and what a decoding library keeps. */
#define DESCRIPTORS_MAX 32

/* Libraries map far more than they touch, so a tight limit on address space fails sound pictures.
 * The one on private memory is the one that counts; this stands behind it. */
#define ADDRESS_SPACE_FACTOR 4
#define ADDRESS_SPACE_BYTES  ((uint64_t)2 << 30)

static int limit(int resource, uint64_t value)
{
    const struct rlimit limit = {.rlim_cur = value, .rlim_max = value};
    return setrlimit((__rlimit_resource_t)resource, &limit) < 0 ? -errno : 0;
}

/* A limit that is lower already stays. */
static int limit_to(int resource, uint64_t value)
{
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)resource, &now) < 0)
        return -errno;
    return limit(resource, now.rlim_max < value ? now.rlim_max : value);
}

static int set_limits(const struct sandbox_options *options)
{
    int r = limit_to(RLIMIT_CORE, 0);
    if (r == 0)
        r = limit_to(RLIMIT_NOFILE, DESCRIPTORS_MAX);
    if (r == 0)
        r = limit_to(RLIMIT_FSIZE, options->file_bytes);
    if (r < 0 || options->memory_bytes == 0 || SANDBOX_SANITIZED)
        return r;
    uint64_t address_space;
    if (__builtin_mul_overflow(options->memory_bytes, ADDRESS_SPACE_FACTOR, &address_space) ||
        __builtin_add_overflow(address_space, ADDRESS_SPACE_BYTES, &address_space))
        address_space = RLIM_INFINITY;
    r = limit_to(RLIMIT_DATA, options->memory_bytes);
    return r < 0 ? r : limit_to(RLIMIT_AS, address_space);
}

/* Root's rights go, whatever they were: a worker has no use for any. */
static int drop_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    const struct __user_cap_data_struct none[2] = {{0}, {0}};
    return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

/* What decoders print is nothing for the program's output. */
static int silence(void)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = dup2(fd, STDOUT_FILENO) < 0 ? -errno : 0;
    if (r == 0 && !SANDBOX_SANITIZED && dup2(fd, STDERR_FILENO) < 0)
        r = -errno;
    close(fd);
    return r;
}

int sandbox_enter(const struct sandbox_options *options, struct sandbox_state *ret_state)
{
    struct sandbox_state state = {.landlock_abi = 0};
    int r = silence();
    if (r == 0)
        r = set_limits(options);
    if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        r = -errno;
    if (r == 0)
        r = drop_capabilities();
    if (r < 0)
        return r;
    if (options->landlock_abi_max > 0) {
        r = sandbox_landlock(options->landlock_abi_max);
        state.landlock_abi = r > 0 ? r : 0;
        state.landlock_error = r < 0 ? r : 0;
    }
    if (!options->without_seccomp) { /* last: it refuses what the above took */
        state.seccomp_error = sandbox_filter(options->kind);
        state.seccomp = state.seccomp_error == 0;
    }
    *ret_state = state;
    return 0;
}

int sandbox_grant_cpu(unsigned seconds)
{
    struct rusage used;
    struct rlimit limit;
    if (getrusage(RUSAGE_SELF, &used) < 0 || getrlimit(RLIMIT_CPU, &limit) < 0)
        return -errno;
    limit.rlim_cur = limit.rlim_max;
    if (seconds > 0) {
        const rlim_t until =
            (rlim_t)used.ru_utime.tv_sec + (rlim_t)used.ru_stime.tv_sec + 1 + seconds;
        limit.rlim_cur = until < limit.rlim_max ? until : limit.rlim_max;
    }
    return setrlimit(RLIMIT_CPU, &limit) < 0 ? -errno : 0;
}
