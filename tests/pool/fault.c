#include "fault.h"

#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define VARIABLE "SCENARIO_FAULT"

static const struct {
    const char *name;
    int error;
} faults[FAULTS] = {
    [FAULT_MALLOC] = {"malloc", ENOMEM},       [FAULT_CALLOC] = {"calloc", ENOMEM},
    [FAULT_REALLOC] = {"realloc", ENOMEM},     [FAULT_STRDUP] = {"strdup", ENOMEM},
    [FAULT_MMAP] = {"mmap", ENOMEM},           [FAULT_MEMFD_CREATE] = {"memfd_create", EMFILE},
    [FAULT_FTRUNCATE] = {"ftruncate", ENOSPC}, [FAULT_SOCKETPAIR] = {"socketpair", EMFILE},
    [FAULT_EVENTFD] = {"eventfd", ENFILE},     [FAULT_EPOLL_CREATE] = {"epoll_create1", EMFILE},
    [FAULT_EPOLL_CTL] = {"epoll_ctl", ENOSPC}, [FAULT_PTHREAD_CREATE] = {"pthread_create", EAGAIN},
    [FAULT_FORK] = {"fork", EAGAIN},           [FAULT_POSIX_SPAWN] = {"posix_spawn", EAGAIN},
    [FAULT_SENDMSG] = {"sendmsg", ENOBUFS},
};

/* One fault at a time. Written while no other thread makes calls that matter. */
static atomic_int armed = -1; /* enum fault */
static atomic_int calls_left, times_left;
static atomic_bool fired;

enum { UNKNOWN, HOST, POOLS };
static atomic_int whose; /* this process: enum above */

const char *fault_name(enum fault fault)
{
    return faults[fault].name;
}

int fault_errno(enum fault fault)
{
    return faults[fault].error;
}

void fault_arm(enum fault fault, int nth, int times)
{
    atomic_store(&fired, false);
    atomic_store(&calls_left, nth);
    atomic_store(&times_left, times);
    atomic_store(&armed, (int)fault);
}

bool fault_disarm(void)
{
    atomic_store(&armed, -1);
    return atomic_load(&fired);
}

void fault_remote_arm(enum fault fault, int nth, int times)
{
    char text[64];
    snprintf(text, sizeof(text), "%d %d %d", (int)fault, nth, times);
    setenv(VARIABLE, text, 1);
}

void fault_remote_disarm(void)
{
    unsetenv(VARIABLE);
}

void fault_is_host(void)
{
    atomic_store(&whose, HOST);
}

/* Zygotes are single-threaded when they come here first. */
static void look_into_environment(void)
{
    const char *text = getenv(VARIABLE);
    int fault, nth, times;
    atomic_store(&whose, POOLS);
    if (text && sscanf(text, "%d %d %d", &fault, &nth, &times) == 3)
        fault_arm((enum fault)fault, nth, times);
}

/* Is this call to fail? Sets errno. */
static bool fails(enum fault fault)
{
    if (atomic_load(&whose) == UNKNOWN)
        look_into_environment();
    if (atomic_load(&armed) != (int)fault || atomic_fetch_sub(&calls_left, 1) > 0 ||
        atomic_fetch_sub(&times_left, 1) <= 0)
        return false;
    atomic_store(&fired, true);
    errno = faults[fault].error;
    return true;
}

/* The names are the linker's (--wrap=...). NOLINTBEGIN(bugprone-reserved-identifier) */
#define WRAPPED(type, function, parameters)                                                        \
    type __real_##function parameters;                                                             \
    type __wrap_##function parameters;                                                             \
    type __wrap_##function parameters

WRAPPED(void *, malloc, (size_t size))
{
    return fails(FAULT_MALLOC) ? NULL : __real_malloc(size);
}

WRAPPED(void *, calloc, (size_t count, size_t size))
{
    return fails(FAULT_CALLOC) ? NULL : __real_calloc(count, size);
}

WRAPPED(void *, realloc, (void *old, size_t size))
{
    return fails(FAULT_REALLOC) ? NULL : __real_realloc(old, size);
}

WRAPPED(char *, strdup, (const char *text))
{
    return fails(FAULT_STRDUP) ? NULL : __real_strdup(text);
}

WRAPPED(void *, mmap, (void *at, size_t size, int protection, int flags, int fd, off_t offset))
{
    return fails(FAULT_MMAP) ? MAP_FAILED : __real_mmap(at, size, protection, flags, fd, offset);
}

WRAPPED(int, memfd_create, (const char *name, unsigned flags))
{
    return fails(FAULT_MEMFD_CREATE) ? -1 : __real_memfd_create(name, flags);
}

WRAPPED(int, ftruncate, (int fd, off_t size))
{
    return fails(FAULT_FTRUNCATE) ? -1 : __real_ftruncate(fd, size);
}

WRAPPED(int, socketpair, (int domain, int type, int protocol, int pair[2]))
{
    return fails(FAULT_SOCKETPAIR) ? -1 : __real_socketpair(domain, type, protocol, pair);
}

WRAPPED(int, eventfd, (unsigned value, int flags))
{
    return fails(FAULT_EVENTFD) ? -1 : __real_eventfd(value, flags);
}

WRAPPED(int, epoll_create1, (int flags))
{
    return fails(FAULT_EPOLL_CREATE) ? -1 : __real_epoll_create1(flags);
}

WRAPPED(int, epoll_ctl, (int epoll, int operation, int fd, struct epoll_event *event))
{
    /* Removing and changing need no memory, so they cannot fail for want of it. */
    if (operation == EPOLL_CTL_ADD && fails(FAULT_EPOLL_CTL))
        return -1;
    return __real_epoll_ctl(epoll, operation, fd, event);
}

WRAPPED(int, pthread_create,
        (pthread_t * thread, const pthread_attr_t *attr, void *(*run)(void *), void *data))
{
    if (fails(FAULT_PTHREAD_CREATE))
        return faults[FAULT_PTHREAD_CREATE].error;
    return __real_pthread_create(thread, attr, run, data);
}

WRAPPED(pid_t, fork, (void))
{
    return fails(FAULT_FORK) ? -1 : __real_fork();
}

WRAPPED(int, posix_spawn,
        (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions,
         const posix_spawnattr_t *attr, char *const *argv, char *const *envp))
{
    if (fails(FAULT_POSIX_SPAWN))
        return faults[FAULT_POSIX_SPAWN].error;
    return __real_posix_spawn(pid, path, actions, attr, argv, envp);
}

WRAPPED(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags))
{
    return fails(FAULT_SENDMSG) ? -1 : __real_sendmsg(fd, message, flags);
}
/* NOLINTEND(bugprone-reserved-identifier) */
