#include "futex_priv.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sync_priv.h"

/* FUTEX_WAKE_OP wakes one sleeper more if the word's old value compares with a number of 12 bits in
 * a certain way. That is not wanted here, and no word of ours was -1 before it is changed. */
#define NEVER_EQUAL ((uint32_t)FUTEX_OP_CMP_EQ << 24 | 0xfff)

int64_t pool_futex_deadline(int timeout_ms)
{
    return timeout_ms == 0 ? 0 : pool_time_after_ms(timeout_ms);
}

int pool_futex_wait(const void *word, uint32_t expected, int64_t until_ns)
{
    struct timespec until = {.tv_sec = until_ns / NS_PER_S, .tv_nsec = until_ns % NS_PER_S};
    if (until_ns == 0)
        return -ETIMEDOUT;
    /* This form of the call takes a point in time, on CLOCK_MONOTONIC. */
    long r = syscall(SYS_futex, word, FUTEX_WAIT_BITSET, expected,
                     until_ns == TIME_NEVER ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
    return r < 0 && errno == ETIMEDOUT ? -ETIMEDOUT : 0;
}

static long change_and_wake(void *word, enum futex_change change, uint32_t operand, int count)
{
    static const uint32_t codes[] = {
        [FUTEX_CHANGE_ADD] = FUTEX_OP_ADD,
        [FUTEX_CHANGE_OR] = FUTEX_OP_OR,
        [FUTEX_CHANGE_SET_BIT] = FUTEX_OP_SET | FUTEX_OP_OPARG_SHIFT,
    };
    const uint32_t how = codes[change] << 28 | operand << 12 | NEVER_EQUAL;
    return syscall(SYS_futex, word, FUTEX_WAKE_OP, count, 0, word, how);
}

int pool_futex_change_and_wake(void *word, enum futex_change change, uint32_t operand, int count)
{
    /* It cannot fail: pool_futex_supported() was asked before, and the word is mapped. */
    long woken = change_and_wake(word, change, operand, count);
    return woken > 0 ? (int)woken : 0;
}

int pool_futex_supported(void)
{
    uint32_t word = 0;
    if (change_and_wake(&word, FUTEX_CHANGE_ADD, 1, 1) < 0)
        return -errno;
    return word == 1 ? 0 : -ENOSYS;
}
