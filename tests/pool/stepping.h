/* stepping.h: a child that is run one instruction after the other, and killed where one likes. So a
 * test can go through all the places where a process may be killed, instead of hoping that chance
 * finds the bad one. */
#ifndef TESTS_POOL_STEPPING_H
#define TESTS_POOL_STEPPING_H

#include <stdbool.h>
#include <sys/types.h>

struct stepped {
    pid_t pid;
    struct step_page *page; /* shared with it */
    bool asleep;            /* it was when it was last looked at */
    bool sleeps;            /* it may sleep on its way; to be set before step_to(), if so */
};

enum step_place {
    STEP_THERE,  /* it has done so many instructions, and stands */
    STEP_ASLEEP, /* on the way there it sleeps in a system call */
    STEP_ENDED   /* it has done the operation */
};

/** Run before(data), unless it is NULL, in a child, and have it stand before operation(data).
 *  Returns false if this machine does not allow that: the test is to be skipped. Asserts. */
bool step_start(struct stepped *child, void (*before)(void *data), void (*operation)(void *data),
                void *data);

/** Let it go on to its instruction number `steps`, counted from the operation's beginning, which is
 *  still ahead. If it was asleep, it has been given what it waits for. Asserts. */
enum step_place step_to(struct stepped *child, long steps);

/** Instructions done up to now. */
long step_count(const struct stepped *child);

/** Kill it where it is, and reap it. Asserts. */
void step_kill(struct stepped *child);

/** Does a thread, of whichever process, sleep in a system call? */
bool thread_sleeps(pid_t tid);

#endif
