/* event.c: a flag in shared memory.
 *
 * The word counts how often the event was set or cleared: it is odd while it is set. Who waits
 * sleeps until the word is another one than he has seen, and so learns of a set that is over
 * already. Setting and waking is one step (futex_priv.h); clearing wakes nobody. */
#include <errno.h>
#include <stdlib.h>

#include "futex_priv.h"
#include "ipc.h"
#include "segment_priv.h"

#define SET UINT32_C(1)

struct pool_event {
    struct segment segment;
    _Atomic uint32_t *word;
};

static int finish(struct pool_event *event, int r, struct pool_event **ret_event)
{
    if (r < 0) {
        free(event);
        return r;
    }
    event->word = pool_segment_words(&event->segment);
    *ret_event = event;
    return 0;
}

int pool_event_create(struct pool_event **ret_event)
{
    struct pool_event *event = calloc(1, sizeof(*event));
    if (!event)
        return -ENOMEM;
    return finish(event, pool_segment_create(SEGMENT_EVENT, 0, &event->segment), ret_event);
}

int pool_event_open(int fd, struct pool_event **ret_event)
{
    struct pool_event *event = calloc(1, sizeof(*event));
    if (!event)
        return -ENOMEM;
    return finish(event, pool_segment_open(fd, SEGMENT_EVENT, &event->segment), ret_event);
}

int pool_event_share(const struct pool_event *event)
{
    return pool_segment_share(&event->segment);
}

void pool_event_free(struct pool_event *event)
{
    if (!event)
        return;
    pool_segment_done(&event->segment);
    free(event);
}

void pool_event_set(struct pool_event *event)
{
    /* Changes nothing, but whoever finds it set has seen what was done before this call. */
    if (atomic_fetch_or_explicit(event->word, 0, memory_order_acq_rel) & SET)
        return;
    pool_futex_change_and_wake(event->word, FUTEX_CHANGE_OR, SET, FUTEX_ALL);
}

void pool_event_clear(struct pool_event *event)
{
    uint32_t seen = atomic_load_explicit(event->word, memory_order_relaxed);
    while ((seen & SET) &&
           !atomic_compare_exchange_weak_explicit(event->word, &seen, seen + SET,
                                                  memory_order_acq_rel, memory_order_relaxed))
        continue;
}

bool pool_event_is_set(const struct pool_event *event)
{
    return atomic_load_explicit(event->word, memory_order_acquire) & SET;
}

int pool_event_wait(struct pool_event *event, int timeout_ms)
{
    const int64_t until_ns = pool_futex_deadline(timeout_ms);
    const uint32_t first = atomic_load_explicit(event->word, memory_order_acquire);
    int r = 0;
    if (first & SET)
        return 0;
    for (;;) {
        if (atomic_load_explicit(event->word, memory_order_acquire) != first)
            return 0;
        if (r == -ETIMEDOUT)
            return r;
        r = pool_futex_wait(event->word, first, until_ns);
    }
}
