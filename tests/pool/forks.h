/* forks.h: what tests of objects that several processes use have in common: children that they
 * fork, memory that these share, descriptors that are counted, and chance. */
#ifndef TESTS_POOL_FORKS_H
#define TESTS_POOL_FORKS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

/** Run a function in a child, which ends with its value as exit status. In there EXPECT takes the
 *  place of cmocka's assertions, whose jump buffer is the parent's. Asserts. */
pid_t fork_run(int (*run)(void *data), void *data);

/** Wait for its end.  Returns its exit status, or minus the signal that ended it. Asserts. */
int fork_wait(pid_t pid);

/** In a child: say where, and end it with status 99, unless the condition holds. */
#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            _exit(99);                                                                             \
        }                                                                                          \
    } while (0)

/** Memory, zeroed, that children forked later see as well; it lasts as long as the test. Asserts.
 */
void *shared_memory(size_t size_bytes);

/** Descriptors that this process has open. */
int open_fds(void);

/** Take all descriptors but `spare` away from this process, by its limit. */
void leave_fds(int spare);

/** Wait until *number is at least that. */
void wait_for_count(const _Atomic int *number, int least);

/** Wait until all threads of the process sleep. */
void wait_until_asleep(pid_t pid);

/** The seed of a sequence of chance for rand_r(3): TEST_SEED repeats the one that it prints. */
unsigned test_seed(void);

#endif
