/* fault.h: makes system calls fail, in this process or in the pool's processes, by link-time
 * wrapping (CMakeLists.txt): no hook ships in the library.
 *
 * The test program is its own worker program, so the same wrappers are in the zygote and in the
 * workers: they are told by an environment variable, which is set while a pool is created. */
#ifndef TESTS_POOL_SCENARIOS_FAULT_H
#define TESTS_POOL_SCENARIOS_FAULT_H

#include <stdbool.h>

enum fault {
    FAULT_MALLOC,
    FAULT_CALLOC,
    FAULT_REALLOC,
    FAULT_STRDUP,
    FAULT_MMAP,
    FAULT_MEMFD_CREATE,
    FAULT_FTRUNCATE,
    FAULT_SOCKETPAIR,
    FAULT_EVENTFD,
    FAULT_EPOLL_CREATE,
    FAULT_EPOLL_CTL,
    FAULT_PTHREAD_CREATE,
    FAULT_FORK,
    FAULT_POSIX_SPAWN,
    FAULT_SENDMSG,
    FAULTS
};

const char *fault_name(enum fault fault);

/** The errno value that it fails with. */
int fault_errno(enum fault fault);

/** Let call number nth from now (0: the next), and the times - 1 after it, fail in this process. */
void fault_arm(enum fault fault, int nth, int times);

/** No more failures. Returns whether there was one since fault_arm(). */
bool fault_disarm(void);

/** The same for the processes of pools that are created until fault_remote_disarm(): each counts
 *  by itself, but a worker goes on from where the zygote was when it forked it. */
void fault_remote_arm(enum fault fault, int nth, int times);
void fault_remote_disarm(void);

/** In main(), once pool_main() has returned: this is no process of a pool's. */
void fault_is_host(void);

#endif
