/* semaphore.c: permits in shared memory.
 *
 * The word is value << 1 | asleep. A permit is taken and given by one compare-and-swap, unless
 * there is none: then takers line up (turn_priv.h), and the one whose turn it is marks the word as
 * asleep and sleeps on it. So a marked word has the value 0, and stays as it is until somebody
 * gives a permit: that takes the mark away and wakes the sleeper in the same step (futex_priv.h).
 * Two givers must not do that at once; they have a turn of their own for it. */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

#include "futex_priv.h"
#include "ipc.h"
#include "segment_priv.h"
#include "sync_priv.h"

#define ASLEEP UINT32_C(1)
#define PERMIT UINT32_C(2)

/* In shared memory. */
struct semaphore_words {
    _Atomic uint32_t word;
    uint32_t max;
    struct turn takers;
    struct turn givers; /* of those who find the word marked */
};

struct pool_semaphore {
    struct segment segment;
    struct semaphore_words *words;
    uint32_t max;
};

static int finish(struct pool_semaphore *semaphore, int r, struct pool_semaphore **ret_semaphore)
{
    if (r == 0 && (semaphore->max < 1 || semaphore->max > INT_MAX)) {
        pool_segment_done(&semaphore->segment);
        r = -EBADMSG;
    }
    if (r < 0)
        free(semaphore);
    else
        *ret_semaphore = semaphore;
    return r;
}

int pool_semaphore_create(unsigned value, unsigned max, struct pool_semaphore **ret_semaphore)
{
    if (max == 0)
        max = INT_MAX;
    if (max > INT_MAX || value > max)
        return -EINVAL;
    struct pool_semaphore *semaphore = calloc(1, sizeof(*semaphore));
    if (!semaphore)
        return -ENOMEM;
    int r = pool_segment_create(SEGMENT_SEMAPHORE, 0, &semaphore->segment);
    if (r == 0) {
        semaphore->words = pool_segment_words(&semaphore->segment);
        semaphore->max = semaphore->words->max = max;
        atomic_init(&semaphore->words->word, value * PERMIT);
    }
    return finish(semaphore, r, ret_semaphore);
}

int pool_semaphore_open(int fd, struct pool_semaphore **ret_semaphore)
{
    struct pool_semaphore *semaphore = calloc(1, sizeof(*semaphore));
    if (!semaphore)
        return -ENOMEM;
    int r = pool_segment_open(fd, SEGMENT_SEMAPHORE, &semaphore->segment);
    if (r == 0) {
        semaphore->words = pool_segment_words(&semaphore->segment);
        semaphore->max = semaphore->words->max;
    }
    return finish(semaphore, r, ret_semaphore);
}

int pool_semaphore_share(const struct pool_semaphore *semaphore)
{
    return pool_segment_share(&semaphore->segment);
}

void pool_semaphore_free(struct pool_semaphore *semaphore)
{
    if (!semaphore)
        return;
    pool_segment_done(&semaphore->segment);
    free(semaphore);
}

unsigned pool_semaphore_value(const struct pool_semaphore *semaphore)
{
    return atomic_load_explicit(&semaphore->words->word, memory_order_acquire) / PERMIT;
}

/* ---- Taking --------------------------------------------------------------------------------- */

/* Take a permit if there is one; else ret_seen is the word. */
static bool take_one(struct semaphore_words *words, uint32_t *ret_seen)
{
    uint32_t seen = atomic_load_explicit(&words->word, memory_order_relaxed);
    while (seen >= PERMIT)
        if (atomic_compare_exchange_weak_explicit(&words->word, &seen, seen - PERMIT,
                                                  memory_order_acquire, memory_order_relaxed))
            return true;
    *ret_seen = seen;
    return false;
}

static int take_in_turn(struct semaphore_words *words, int64_t until_ns)
{
    uint32_t seen;
    int r = 0;
    while (!take_one(words, &seen)) {
        if (r == -ETIMEDOUT)
            return r;
        if (seen == ASLEEP ||
            atomic_compare_exchange_strong_explicit(&words->word, &seen, ASLEEP,
                                                    memory_order_relaxed, memory_order_relaxed))
            r = pool_futex_wait(&words->word, ASLEEP, until_ns);
    }
    return 0;
}

int pool_semaphore_acquire(struct pool_semaphore *semaphore, int timeout_ms)
{
    struct semaphore_words *words = semaphore->words;
    const int64_t until_ns = pool_futex_deadline(timeout_ms);
    uint32_t seen;
    if (take_one(words, &seen))
        return 0;
    if (until_ns == 0)
        return -ETIMEDOUT;
    int r = pool_turn_take(&words->takers, until_ns);
    if (r == -ETIMEDOUT)
        return take_one(words, &seen) ? 0 : r;
    if (r < 0)
        return -EBADMSG; /* this thread was in no turn */
    r = take_in_turn(words, until_ns);
    pool_turn_give(&words->takers);
    return r;
}

/* ---- Giving --------------------------------------------------------------------------------- */

/* Give a permit unless the word is marked.  Returns 0, -EOVERFLOW or -EAGAIN (it is). */
static int give_one(struct pool_semaphore *semaphore)
{
    _Atomic uint32_t *word = &semaphore->words->word;
    uint32_t seen = atomic_load_explicit(word, memory_order_relaxed);
    do {
        if (seen / PERMIT >= semaphore->max)
            return -EOVERFLOW;
        if (seen & ASLEEP)
            return -EAGAIN;
    } while (!atomic_compare_exchange_weak_explicit(word, &seen, seen + PERMIT,
                                                    memory_order_release, memory_order_relaxed));
    return 0;
}

int pool_semaphore_release(struct pool_semaphore *semaphore)
{
    struct semaphore_words *words = semaphore->words;
    int r = give_one(semaphore);
    if (r != -EAGAIN)
        return r;
    r = pool_turn_take(&words->givers, TIME_NEVER);
    if (r < 0)
        return -EBADMSG;
    r = give_one(semaphore); /* another giver may have woken the sleeper meanwhile */
    if (r == -EAGAIN) {
        atomic_fetch_or_explicit(&words->word, 0, memory_order_release); /* see futex_priv.h */
        pool_futex_change_and_wake(&words->word, FUTEX_CHANGE_ADD, PERMIT - ASLEEP, 1);
        r = 0;
    }
    pool_turn_give(&words->givers);
    return r;
}
