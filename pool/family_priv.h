/* family_priv.h: the processes of process.h, as the program has them that started them; private to
 * pool.
 *
 * One zygote forks all of them. The first start makes it; it is stopped when the last object is
 * freed and no process is left, and at the program's end. There is no thread: whoever starts,
 * joins, asks or frees reads what the zygote has said meanwhile, under the family's lock, and keeps
 * it in the members concerned, whosever they are.
 *
 * A member is one process that was started. It stands in the list from its start until its end is
 * known, even if its object is freed before: the program's end has to deal with it. The end itself
 * is seen at its pidfd, without the lock; how it ended is told by the zygote, moments later
 * (EXITED), and by the process itself (RESULT), before. A zygote that was killed or stopped tells
 * nothing: then that stays unknown, and nobody waits for it without bound.
 *
 * A host that forks: the child begins with a family of its own, and touches nothing of this one but
 * its own copies of descriptors (pool_family_abandon()). */
#ifndef POOL_FAMILY_PRIV_H
#define POOL_FAMILY_PRIV_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "outcome_priv.h"

struct family;

enum member_state { MEMBER_STARTING, MEMBER_RUNNING, MEMBER_REFUSED, MEMBER_ENDED };

/* I: fixed once it runs.  L: the family's lock.  E: fixed once it has ended. */
struct member {
    struct member *next; /* L: in the list */
    uint32_t id;         /* I */
    bool daemon;         /* I */
    pid_t pid;           /* I */
    int pidfd;           /* I: open as long as the member lives */
    int socket_fd;       /* L: -1 once it has ended */

    bool has_object;         /* L: somebody may ask how it ended */
    unsigned waiters;        /* L: who wait for its end without an object */
    bool orphan;             /* L: its zygote is gone: nobody will tell how it ended */
    enum member_state state; /* L */
    int error;               /* L: REFUSED: -errno */

    atomic_bool ended;      /* A: as state says, for those who do not hold the lock */
    struct outcome outcome; /* E: as process.h says of pool_process_error() */
};

/** What a process is to begin with. All borrowed. */
struct family_start {
    uint32_t task_index; /* as in struct wire_task */
    const void *payload;
    size_t payload_bytes;
    const int *fds;
    size_t fd_count;
    const char *name;
    bool daemon;
};

/** This process's family, with one object more; NULL without memory. */
struct family *pool_family_enter(void);

/** An object goes.  member: its process, or NULL. */
void pool_family_leave(struct family *family, struct member *member);

/** The same in a child that the host forked. */
void pool_family_abandon(struct family *family, struct member *member);

/** A number for the next process's name: 1, 2, ... */
unsigned pool_family_number(struct family *family);

/** Start a process.  ret_member: the object's, until it leaves.
 *  Returns 0, -EAGAIN, -EMFILE, or another -errno. */
int pool_family_start(struct family *family, const struct family_start *start,
                      struct member **ret_member);

/** Wait for its end; then how it ended is there to be read.
 *  Returns 0, -ETIMEDOUT or -errno. */
int pool_family_wait(struct family *family, struct member *member, int64_t until_ns);

/** Send a signal.  Returns 0, also if it has ended, or -errno. */
int pool_family_signal(const struct member *member, int signal_number);

/** The program ends: stop its daemons, wait for all others, and stop the zygote. */
void pool_family_end(void);

#endif
