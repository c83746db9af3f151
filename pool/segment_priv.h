/* segment_priv.h: the shared memory that an object of ipc.h is made of; private to pool.
 *
 * A segment is a memfd. All its memory is there from the beginning (a full machine shows when it is
 * made, not as SIGBUS later), and seals see to it that it stays so. Where it is mapped,
 *
 *     head      | private page | payload
 *     (shared)  |              | (shared, may be empty)
 *
 * the head is one page: what the segment is, then the object's own words. The private page is this
 * process's alone. It stands there for a lock's node: the kernel wants it at a fixed distance from
 * the lock's word, and it must not be shared (turn_priv.h). */
#ifndef POOL_SEGMENT_PRIV_H
#define POOL_SEGMENT_PRIV_H

#include <stddef.h>
#include <stdint.h>

#include "turn_priv.h"

enum segment_kind {
    SEGMENT_QUEUE = 1,
    SEGMENT_LOCK,
    SEGMENT_SEMAPHORE,
    SEGMENT_EVENT,
    SEGMENT_SHARED
};

struct segment {
    int fd; /* owned */
    uint8_t *memory;
    size_t page_bytes;
    size_t payload_bytes;
};

/** Make a zeroed one.
 *  payload_bytes: 0 or more.  ret_segment: owned, pool_segment_done().
 *  Returns 0, -ENOMEM, -EMFILE or another -errno. */
int pool_segment_create(enum segment_kind kind, size_t payload_bytes, struct segment *ret_segment);

/** Map the one behind a descriptor (borrowed).
 *  Returns 0, -EBADMSG if it is not of that kind, or -errno. */
int pool_segment_open(int fd, enum segment_kind kind, struct segment *ret_segment);

/** A new descriptor, owned by the caller; or -errno. */
int pool_segment_share(const struct segment *segment);

void pool_segment_done(struct segment *segment);

/** The object's own words: SEGMENT_WORDS_MAX bytes, aligned to a cache line. */
#define SEGMENT_WORDS_MAX 1024
void *pool_segment_words(const struct segment *segment);

/** A turn that may be kept: one a segment. */
struct turn *pool_segment_turn(const struct segment *segment);

/** Aligned to a page. */
void *pool_segment_payload(const struct segment *segment);

#endif
