/* futex_priv.h: to sleep until a word in shared memory changes, and to change it; private to pool.
 *
 * Who sleeps on a word leaves a mark in it first, so that whoever changes the word knows whether
 * there is anybody to be woken. Without the mark, a change is one atomic operation and no system
 * call. With it, the kernel is asked to change the word and to wake (FUTEX_WAKE_OP), which is one
 * step even for SIGKILL: so it never happens that a change was made and its maker died before it
 * could tell the sleeper. */
#ifndef POOL_FUTEX_PRIV_H
#define POOL_FUTEX_PRIV_H

#include <limits.h>
#include <stdint.h>

/** Wake everybody. */
#define FUTEX_ALL INT_MAX

/** Can the kernel do both?  Returns 0 or -errno. */
int pool_futex_supported(void);

/** The point in time timeout_ms from now, as the waits in this header's family take it: 0 is "do
 *  not wait", and needs no look at the clock. */
int64_t pool_futex_deadline(int timeout_ms);

/** Sleep while *word is `expected`.  word: 32 bits in shared memory.
 *  Returns 0 (look again: woken, changed, a signal) or -ETIMEDOUT. */
int pool_futex_wait(const void *word, uint32_t expected, int64_t until_ns);

enum futex_change {
    FUTEX_CHANGE_ADD,    /* *word += operand, 0..2047 */
    FUTEX_CHANGE_OR,     /* *word |= operand, 0..2047 */
    FUTEX_CHANGE_SET_BIT /* *word = 1 << operand */
};

/** Change *word and wake at most `count` of those who sleep on it, in one step.
 *  Sanitizers that watch the language's memory order do not see the kernel's store: whoever hands
 *  something over by it does an atomic operation with memory_order_release on the word before.
 *  Returns how many were woken. */
int pool_futex_change_and_wake(void *word, enum futex_change change, uint32_t operand, int count);

#endif
