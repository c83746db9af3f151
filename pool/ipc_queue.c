/* ipc_queue.c: a queue of messages between processes: struct pool_queue of ipc.h.
 *
 * Messages lie in a ring of bytes, each behind a header of 8 bytes, the beginnings aligned to 8.
 * Putters have a turn (turn_priv.h), and getters have another; one of each may work at the same
 * time, and whoever has to wait, for room or for a message, does it in his turn. So messages are
 * first in, first out, and a large one is not overtaken by small ones for ever.
 *
 * Each side has a word, count << 2 | CLOSED | ASLEEP: how many messages were put, or got, ever.
 * Only the holder of the side's turn counts it up, and that is what makes a put or a get happen,
 * whole: the message was written before, or copied out before. The ring's end or beginning after n
 * messages is in position[n % 2] and was written before the count became n; so a holder that dies
 * in the middle has changed nothing that counts, and there is nothing to repair. A reader on the
 * other side reads count, position, and count again: the position is overwritten only after the
 * count has gone on.
 *
 * Who sleeps. A getter who finds nothing sleeps on the putters' word, a putter who finds no room on
 * the getters'; each marks it ASLEEP first, by a compare-and-swap that fails if there was news. The
 * next count takes the mark away and wakes him in the same step (futex_priv.h). The mark is never
 * taken back otherwise: that could come between a counter's look and its step.
 *
 * Unfinished messages are those put less those done; `done` is such a word, too. Several may count
 * it up at the same time: by compare-and-swap, or in a turn of its own if somebody is asleep in
 * join.
 *
 * Closing marks both words CLOSED, first the getters', where it stops putters. A closer may be
 * killed between the two: so every putter who finds the first mark sets the second before he tells
 * anybody; and where there is no putter to find it, the queue is as if it had not been closed. A
 * put that had looked before the first mark may end after the second one: a getter who finds the
 * queue closed and empty waits out the putters' turn and looks again.
 *
 * A broken user may write anything anywhere. The ring's size is remembered privately, positions and
 * sizes are checked against it, and each header carries its message's number. */
#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "futex_priv.h"
#include "ipc.h"
#include "message_priv.h"
#include "segment_priv.h"
#include "sync_priv.h"

#define ASLEEP      UINT32_C(1)
#define CLOSED      UINT32_C(2)
#define ONE         UINT32_C(4)
#define COUNT(word) ((word) / ONE)
#define COUNT_MASK  (UINT32_MAX / ONE)
#define BYTES_MIN   64
#define ALIGNMENT   8
#define LINE_BYTES  64
#define PATIENCE_MS 1000
#define INTERVAL_MS 1

struct record_header {
    uint32_t size_bytes;
    uint32_t number;
};

struct side {
    _Atomic uint32_t word;
    _Atomic uint32_t position[2]; /* in bytes, modulo 2^32 */
};

/* In shared memory. What the two sides write lies in lines of their own. */
struct queue_words {
    uint32_t items_max;
    alignas(LINE_BYTES) struct turn putters;
    alignas(LINE_BYTES) struct side puts;
    alignas(LINE_BYTES) struct turn getters;
    alignas(LINE_BYTES) struct side gets;
    alignas(LINE_BYTES) struct turn doers;
    _Atomic uint32_t done;
};

struct pool_queue {
    struct segment segment;
    struct queue_words *words;
    uint8_t *ring;
    uint32_t ring_bytes; /* a power of two */
    uint32_t items_max;
};

/* ---- Making --------------------------------------------------------------------------------- */

static int finish(struct pool_queue *queue, int r, struct pool_queue **ret_queue)
{
    const size_t ring_bytes = queue->segment.payload_bytes;
    if (r == 0 && (ring_bytes < BYTES_MIN || ring_bytes > POOL_QUEUE_BYTES_MAX ||
                   (ring_bytes & (ring_bytes - 1)) != 0 || queue->words->items_max == 0)) {
        pool_segment_done(&queue->segment);
        r = -EBADMSG;
    }
    if (r < 0) {
        free(queue);
        return r;
    }
    queue->ring = pool_segment_payload(&queue->segment);
    queue->ring_bytes = (uint32_t)ring_bytes;
    queue->items_max = queue->words->items_max;
    *ret_queue = queue;
    return 0;
}

int pool_queue_create(const struct pool_queue_options *options, struct pool_queue **ret_queue)
{
    const size_t items_max = options ? options->items_max : 0;
    size_t bytes_max = options ? options->bytes_max : 0, ring_bytes = BYTES_MIN;
    if (bytes_max == 0)
        bytes_max = POOL_QUEUE_BYTES_DEFAULT;
    if (bytes_max > POOL_QUEUE_BYTES_MAX)
        return -EINVAL;
    while (ring_bytes < bytes_max)
        ring_bytes *= 2;
    struct pool_queue *queue = calloc(1, sizeof(*queue));
    if (!queue)
        return -ENOMEM;
    int r = pool_segment_create(SEGMENT_QUEUE, ring_bytes, &queue->segment);
    if (r == 0) {
        queue->words = pool_segment_words(&queue->segment);
        queue->words->items_max =
            items_max == 0 || items_max > COUNT_MASK ? COUNT_MASK : (uint32_t)items_max;
    }
    return finish(queue, r, ret_queue);
}

int pool_queue_open(int fd, struct pool_queue **ret_queue)
{
    struct pool_queue *queue = calloc(1, sizeof(*queue));
    if (!queue)
        return -ENOMEM;
    int r = pool_segment_open(fd, SEGMENT_QUEUE, &queue->segment);
    if (r == 0)
        queue->words = pool_segment_words(&queue->segment);
    return finish(queue, r, ret_queue);
}

int pool_queue_share(const struct pool_queue *queue)
{
    return pool_segment_share(&queue->segment);
}

void pool_queue_free(struct pool_queue *queue)
{
    if (!queue)
        return;
    pool_segment_done(&queue->segment);
    free(queue);
}

/* ---- Looking -------------------------------------------------------------------------------- */

/* Both words, and what they say. */
struct view {
    uint32_t puts, gets;
    uint32_t tail, head; /* positions */
    uint32_t items, used_bytes;
};

static uint32_t read_side(const struct side *side, uint32_t *ret_position)
{
    uint32_t word, again = atomic_load_explicit(&side->word, memory_order_acquire);
    do {
        word = again;
        *ret_position =
            atomic_load_explicit(&side->position[COUNT(word) % 2], memory_order_acquire);
        again = atomic_load_explicit(&side->word, memory_order_acquire);
    } while (COUNT(again) != COUNT(word));
    return word;
}

/* In a turn, one side stands still.  Returns 0, or -EBADMSG if this cannot be. */
static int look(const struct pool_queue *queue, struct view *view)
{
    view->puts = read_side(&queue->words->puts, &view->tail);
    view->gets = read_side(&queue->words->gets, &view->head);
    view->items = (COUNT(view->puts) - COUNT(view->gets)) & COUNT_MASK;
    view->used_bytes = view->tail - view->head;
    if (view->used_bytes > queue->ring_bytes || view->used_bytes % ALIGNMENT != 0 ||
        view->items > view->used_bytes / ALIGNMENT || (view->items == 0) != (view->used_bytes == 0))
        return -EBADMSG;
    return 0;
}

/* Without a turn: no message went between the two looks at the getters' word, so what the putters'
 * word said in between belongs to the first one. */
static void glance(const struct pool_queue *queue, struct view *view)
{
    uint32_t again, position;
    do {
        view->gets = read_side(&queue->words->gets, &view->head);
        view->puts = read_side(&queue->words->puts, &view->tail);
        again = read_side(&queue->words->gets, &position);
    } while (COUNT(again) != COUNT(view->gets));
    view->items = (COUNT(view->puts) - COUNT(view->gets)) & COUNT_MASK;
    view->used_bytes = view->tail - view->head;
}

static uint64_t record_bytes(size_t size_bytes)
{
    return sizeof(struct record_header) +
           ((uint64_t)size_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static bool is_full_for(const struct pool_queue *queue, const struct view *view, uint64_t record)
{
    return view->items >= queue->items_max || record > queue->ring_bytes - view->used_bytes;
}

size_t pool_queue_size(const struct pool_queue *queue)
{
    struct view view;
    glance(queue, &view);
    return view.items;
}

bool pool_queue_full(const struct pool_queue *queue, size_t size_bytes)
{
    struct view view;
    if (size_bytes > queue->ring_bytes)
        return true;
    glance(queue, &view);
    return view.used_bytes > queue->ring_bytes ||
           is_full_for(queue, &view, record_bytes(size_bytes));
}

/* ---- Turns, sleep and steps ----------------------------------------------------------------- */

/* Must a put (record > 0) or a get wait for the other side? */
static bool must_wait(const struct pool_queue *queue, uint64_t record)
{
    struct view view;
    glance(queue, &view);
    if (record == 0)
        return view.items == 0;
    return (view.gets & ASLEEP) || view.used_bytes > queue->ring_bytes ||
           is_full_for(queue, &view, record);
}

/* Time is counted while the other side is waited for. Somebody who just has the turn, and is no
 * more than in the middle of a call, is no reason to say that the queue is full or empty: so there
 * is some patience, in short pieces, as long as there is nothing else to wait for. */
static int take_turn(struct pool_queue *queue, struct turn *turn, uint64_t record, int64_t until_ns)
{
    int r = pool_turn_take(turn, until_ns);
    if (r == -EDEADLK)
        return -EBADMSG; /* this thread was in no turn */
    if (r != -ETIMEDOUT || (record == 0 && must_wait(queue, record)))
        return r;
    const int64_t end_ns = pool_time_after_ms(PATIENCE_MS);
    while (r == -ETIMEDOUT && pool_time_now_ns() < end_ns) {
        r = pool_turn_take(turn, pool_time_after_ms(INTERVAL_MS));
        if (r == -ETIMEDOUT && must_wait(queue, record))
            break;
    }
    return r;
}

/* Sleep until the word is no longer as it was seen, but for the mark. */
static int sleep_on(_Atomic uint32_t *word, uint32_t seen, int64_t until_ns)
{
    if (until_ns == 0)
        return -ETIMEDOUT;
    if (!(seen & ASLEEP) &&
        !atomic_compare_exchange_strong_explicit(word, &seen, seen | ASLEEP, memory_order_relaxed,
                                                 memory_order_relaxed))
        return 0;
    return pool_futex_wait(word, seen | ASLEEP, until_ns);
}

/* The step that makes a put or a get happen: count it, with the position after it. */
static void step(struct side *side, uint32_t position)
{
    uint32_t seen = atomic_load_explicit(&side->word, memory_order_relaxed);
    /* Release: it must not seem to come before the last step. */
    atomic_store_explicit(&side->position[(COUNT(seen) + 1) % 2], position, memory_order_release);
    while (!(seen & ASLEEP))
        if (atomic_compare_exchange_weak_explicit(&side->word, &seen, seen + ONE,
                                                  memory_order_release, memory_order_relaxed))
            return;
    atomic_fetch_or_explicit(&side->word, 0, memory_order_release); /* see futex_priv.h */
    pool_futex_change_and_wake(&side->word, FUTEX_CHANGE_ADD, ONE - ASLEEP, 1);
}

/* ---- The ring ------------------------------------------------------------------------------- */

static void ring_write(struct pool_queue *queue, uint32_t position, const void *data, size_t bytes)
{
    const size_t at = position & (queue->ring_bytes - 1), to_end = queue->ring_bytes - at;
    const size_t first = bytes < to_end ? bytes : to_end;
    if (bytes == 0) /* and data may be NULL */
        return;
    memcpy(queue->ring + at, data, first);
    memcpy(queue->ring, (const uint8_t *)data + first, bytes - first);
}

static void ring_read(const struct pool_queue *queue, uint32_t position, void *data, size_t bytes)
{
    const size_t at = position & (queue->ring_bytes - 1), to_end = queue->ring_bytes - at;
    const size_t first = bytes < to_end ? bytes : to_end;
    if (bytes == 0)
        return;
    memcpy(data, queue->ring + at, first);
    memcpy((uint8_t *)data + first, queue->ring, bytes - first);
}

/* ---- Put ------------------------------------------------------------------------------------ */

/* Tell the getters, too, before anybody is told (see the top). */
static int refuse(struct pool_queue *queue)
{
    struct side *puts = &queue->words->puts;
    if (!(atomic_load_explicit(&puts->word, memory_order_relaxed) & CLOSED))
        pool_futex_change_and_wake(&puts->word, FUTEX_CHANGE_OR, CLOSED, FUTEX_ALL);
    return -ESHUTDOWN;
}

void pool_queue_close(struct pool_queue *queue)
{
    struct side *gets = &queue->words->gets;
    if (!(atomic_load_explicit(&gets->word, memory_order_relaxed) & CLOSED))
        pool_futex_change_and_wake(&gets->word, FUTEX_CHANGE_OR, CLOSED, FUTEX_ALL);
    refuse(queue);
}

static int put_in_turn(struct pool_queue *queue, const void *data, size_t size_bytes,
                       int64_t until_ns)
{
    const uint64_t record = record_bytes(size_bytes);
    struct view view;
    for (int waited = 0;;) {
        int r = look(queue, &view);
        if (r < 0)
            return r;
        if (view.gets & CLOSED)
            return refuse(queue);
        if (!is_full_for(queue, &view, record))
            break;
        if (waited < 0)
            return waited;
        waited = sleep_on(&queue->words->gets.word, view.gets, until_ns);
    }
    const struct record_header header = {(uint32_t)size_bytes, COUNT(view.puts)};
    ring_write(queue, view.tail, &header, sizeof(header));
    ring_write(queue, view.tail + (uint32_t)sizeof(header), data, size_bytes);
    step(&queue->words->puts, view.tail + (uint32_t)record);
    return 0;
}

int pool_queue_put(struct pool_queue *queue, const void *data, size_t size_bytes, int timeout_ms)
{
    struct queue_words *words = queue->words;
    const int64_t until_ns = pool_futex_deadline(timeout_ms);
    if (size_bytes > queue->ring_bytes - sizeof(struct record_header))
        return -EMSGSIZE;
    if (atomic_load_explicit(&words->gets.word, memory_order_acquire) & CLOSED)
        return refuse(queue);
    int r = take_turn(queue, &words->putters, record_bytes(size_bytes), until_ns);
    if (r < 0)
        return r;
    r = put_in_turn(queue, data, size_bytes, until_ns);
    pool_turn_give(&words->putters);
    return r;
}

/* ---- Get ------------------------------------------------------------------------------------ */

static int copy_out(struct pool_queue *queue, const struct view *view, struct pool_message *message)
{
    struct record_header header;
    ring_read(queue, view->head, &header, sizeof(header));
    if (header.number != COUNT(view->gets) || header.size_bytes > queue->ring_bytes ||
        record_bytes(header.size_bytes) > view->used_bytes)
        return -EBADMSG;
    int r = pool_message_reserve(message, header.size_bytes);
    if (r < 0)
        return r;
    ring_read(queue, view->head + (uint32_t)sizeof(header), message->data, header.size_bytes);
    step(&queue->words->gets, view->head + (uint32_t)record_bytes(header.size_bytes));
    return 0;
}

static int get_in_turn(struct pool_queue *queue, int64_t until_ns, struct pool_message *message)
{
    struct view view;
    for (int waited = 0;;) {
        int r = look(queue, &view);
        if (r < 0)
            return r;
        if (view.items > 0)
            return copy_out(queue, &view, message);
        if (view.puts & CLOSED)
            return -ESHUTDOWN;
        if (waited < 0)
            return waited;
        waited = sleep_on(&queue->words->puts.word, view.puts, until_ns);
    }
}

/* Let a put that was in the middle of its call when the queue was closed come to its end.
 * Returns 0, -ETIMEDOUT, or -ESHUTDOWN: there is nothing, and will never be. */
static int wait_out_putters(struct pool_queue *queue, int64_t until_ns)
{
    struct queue_words *words = queue->words;
    int r = take_turn(queue, &words->putters, record_bytes(0), until_ns);
    if (r < 0)
        return r;
    pool_turn_give(&words->putters);
    return pool_queue_size(queue) > 0 ? 0 : -ESHUTDOWN;
}

int pool_queue_get(struct pool_queue *queue, int timeout_ms, struct pool_message *message)
{
    struct queue_words *words = queue->words;
    const int64_t until_ns = pool_futex_deadline(timeout_ms);
    for (;;) {
        int r = take_turn(queue, &words->getters, 0, until_ns);
        if (r < 0)
            return r;
        r = get_in_turn(queue, until_ns, message);
        pool_turn_give(&words->getters);
        if (r != -ESHUTDOWN)
            return r;
        r = wait_out_putters(queue, until_ns);
        if (r < 0)
            return r;
    }
}

/* ---- Unfinished ----------------------------------------------------------------------------- */

static uint32_t count_unfinished(const struct pool_queue *queue, uint32_t done)
{
    const uint32_t puts = atomic_load_explicit(&queue->words->puts.word, memory_order_acquire);
    return (COUNT(puts) - COUNT(done)) & COUNT_MASK;
}

/* Count one done, but for the last one while somebody is asleep, which must wake him.
 * Returns 0, -EINVAL, or -EAGAIN: somebody is asleep. */
static int count_done(struct pool_queue *queue, bool in_turn)
{
    _Atomic uint32_t *done = &queue->words->done;
    uint32_t seen = atomic_load_explicit(done, memory_order_acquire);
    for (;;) {
        const uint32_t unfinished = count_unfinished(queue, seen);
        if (unfinished == 0)
            return -EINVAL;
        if ((seen & ASLEEP) && (!in_turn || unfinished == 1))
            return -EAGAIN;
        if (atomic_compare_exchange_weak_explicit(done, &seen, seen + ONE, memory_order_acq_rel,
                                                  memory_order_acquire))
            return 0;
    }
}

int pool_queue_task_done(struct pool_queue *queue)
{
    struct queue_words *words = queue->words;
    int r = count_done(queue, false);
    if (r != -EAGAIN)
        return r;
    r = pool_turn_take(&words->doers, TIME_NEVER);
    if (r < 0)
        return r;
    r = count_done(queue, true);
    if (r == -EAGAIN) {
        atomic_fetch_or_explicit(&words->done, 0, memory_order_release); /* see futex_priv.h */
        pool_futex_change_and_wake(&words->done, FUTEX_CHANGE_ADD, ONE - ASLEEP, FUTEX_ALL);
        r = 0;
    }
    pool_turn_give(&words->doers);
    return r;
}

int pool_queue_join(struct pool_queue *queue, int timeout_ms)
{
    _Atomic uint32_t *done = &queue->words->done;
    const int64_t until_ns = pool_futex_deadline(timeout_ms);
    for (int waited = 0;;) {
        const uint32_t seen = atomic_load_explicit(done, memory_order_acquire);
        if (count_unfinished(queue, seen) == 0)
            return 0;
        if (waited < 0)
            return waited;
        waited = sleep_on(done, seen, until_ns);
    }
}
