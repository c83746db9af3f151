/* turn_priv.h: whose turn it is: a lock in shared memory that outlives its holder; private to pool.
 *
 * What it is for. Whoever may be killed at any instruction must not hold others up. A holder that
 * dies is the smaller part of it. The larger one are wake-ups: a wake-up of one that goes to
 * somebody who is killed before he acts on it is lost for all the others. So those who may have to
 * wait for a thing line up at a turn, and only its holder sleeps on the thing itself. A wake-up of
 * one can then only go to the holder; if he dies, the kernel gives the turn to the next, who looks
 * for himself. Nobody polls, and no herd is woken. Changes that are made in a turn take effect by
 * one store, so a new holder finds nothing to repair.
 *
 * How. The word's low half is what the kernel's robust futexes have agreed on with user space (and
 * what a robust pthread mutex has, too): the holder's thread id, FUTEX_WAITERS if somebody may be
 * asleep, FUTEX_OWNER_DIED if the last holder died. A thread that dies tells the kernel by the head
 * of its robust list, which the C library has registered, what it holds: a turn by the head's
 * list_op_pending, the place for a lock that is just being taken or given, during all the time that
 * it has the turn. That needs no room beside the word, but allows one turn at a time, and no other
 * robust lock within it: turns are for short sections of this library's own. (What is kept while
 * the caller runs enters the list: pool_turn_keep().)
 *
 * Why not a robust pthread mutex.
 *   - Its list pointers are in the mutex, hence in shared memory: a broken process could make
 *     another write anywhere.
 *   - An unlock empties its word and then wakes. If a third thread takes the mutex between the two,
 *     without the mark that others sleep, and the unlocking one is killed there, or the one that it
 *     woke, then those who sleep are forgotten: the kernel wakes the next only if the mutex is
 *     free. So FUTEX_WAITERS stays here when a turn is given, until it is certain that nobody
 *     sleeps, and giving and waking are one step.
 *
 * When it is certain. Whoever goes to sleep marks the word and counts its upper half up, both by
 * one operation. Whoever gives the turn and wakes nobody knows that nobody slept at that moment; if
 * the upper half has not changed since before that, nobody has gone to sleep after it either, and
 * one compare-and-swap of both halves takes the mark away.
 *
 * A woken thread that dies before it takes the turn has list_op_pending set: the kernel then wakes
 * the next one (since Linux 5.5; for a turn whose mark is left, since 6.2 and the stable versions
 * of that time).
 *
 * Limits. Thread ids must mean the same to all: they live in one PID namespace. Turns are not for
 * signal handlers. */
#ifndef POOL_TURN_PRIV_H
#define POOL_TURN_PRIV_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** In shared memory; zeroed is free. */
struct turn {
    _Atomic uint64_t word;
};

/** Can this thread take turns?  Returns 0 or -errno. */
int pool_turn_supported(void);

/** Wait for the turn.  until_ns: as of pool_futex_deadline().
 *  Returns 0; 1 if it is held now, and the last holder died; -ETIMEDOUT; or -EDEADLK: this thread
 *  has it. */
int pool_turn_take(struct turn *turn, int64_t until_ns);

/** Give it to whoever is next. */
void pool_turn_give(struct turn *turn);

/** Have the turn that was just taken while other code runs: it enters the thread's list. And be as
 *  just after taking it again, to give it. The list's node is TURN_NODE_BYTES around the byte that
 *  lies TURN_NODE_OFFSET behind the turn; it must not lie in shared memory.
 *  unkeep returns false if the thread's list does not have it. */
#define TURN_NODE_OFFSET 32
#define TURN_NODE_BYTES  8 /* on either side */
void pool_turn_keep(struct turn *turn);
bool pool_turn_unkeep(struct turn *turn);

/** This thread's id, as turns have it. And has the kernel seen to what a thread of this process
 *  held, because it has ended? */
uint32_t pool_turn_thread(void);
bool pool_turn_thread_is_gone(uint32_t id);

#endif
