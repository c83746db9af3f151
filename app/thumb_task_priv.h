/* thumb_task_priv.h: the task "thumbnail": what is sent to a worker and what comes back.
 *
 * The item has a struct thumb_request as its first field and one descriptor, the open source. A
 * second field, which may be empty or missing, is the note that is kept in the thumbnail: its
 * bytes, as struct img_options takes them. The result is a struct thumb_reply, then the thumbnail's
 * bytes. Both sides are the same program, so plain structs will do; but a worker that reads hostile
 * files is not believed: thumb_reply_check(). */
#ifndef APP_THUMB_TASK_PRIV_H
#define APP_THUMB_TASK_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <imaging/imaging.h>
#include <pool/pool.h>

#define THUMB_TASK "thumbnail"

/** Larger sources are refused, however much memory there may be. */
#define THUMB_SOURCE_MAX_BYTES (UINT64_C(1) << 30)

/** Larger ones are refused where a picture with all that it takes may have so much memory. */
static inline uint64_t thumb_source_bytes_max(uint64_t memory_bytes)
{
    const uint64_t share = memory_bytes / 2; /* the picture needs memory too */
    return share > 0 && share < THUMB_SOURCE_MAX_BYTES ? share : THUMB_SOURCE_MAX_BYTES;
}

struct thumb_request {
    uint32_t box_width_px;
    uint32_t box_height_px;
    uint32_t fit;          /* enum img_fit */
    uint32_t enlarge;      /* a bool */
    uint8_t background[4]; /* R, G, B; the last is not used */
    uint32_t format;       /* enum img_format; UNKNOWN: auto */
    int32_t quality;
    uint64_t pixels_max;
    uint64_t memory_bytes; /* for one picture with all that it takes; 0: no limit */
    uint32_t fail_on;      /* enum img_fail_on */
    uint32_t fast;         /* a bool */
    uint32_t cpu_seconds;  /* of a confined worker; 0: no limit */
    /* The state that the source must have when it is read: the note speaks of it. */
    uint32_t has_state; /* a bool; false: any will do */
    uint32_t mtime_nsec;
    int64_t mtime_sec;
    uint64_t source_bytes;
};

struct thumb_reply {
    uint32_t format; /* enum img_format: JPEG or PNG */
    uint32_t width_px;
    uint32_t height_px;
    uint32_t source_format;
    uint32_t source_width_px;
    uint32_t source_height_px;
    uint32_t read_us;
    uint32_t decode_us;
    uint32_t resample_us;
    uint32_t encode_us;
    char decoder[24]; /* terminated */
    char damage[160]; /* terminated: what is wrong with a partial picture; empty: it is whole */
};

/** Does the format need a wide worker (thumb_worker_priv.h)? Content that is no picture does not.
 */
bool thumb_format_is_wide(enum img_format format);

/** The task itself. A failure's message is "slug\twords". */
int thumb_task_run(struct pool_call *call);

/** No thumbnail of that box has more bytes: what does not compress, in either format, and a note.
 */
static inline uint64_t thumb_image_bytes_max(uint32_t box_width_px, uint32_t box_height_px)
{
    return 65536 + IMG_NOTE_MAX_BYTES + 5 * (uint64_t)box_width_px * box_height_px;
}

/** Take a result apart, trusting nothing in it.
 *  ret_image: borrowed from value.  Returns 0, or -EPROTO if it cannot be an answer to request. */
int thumb_reply_check(const struct thumb_request *request, struct pool_bytes value,
                      struct thumb_reply *ret_reply, struct pool_bytes *ret_image);

/** Is this the note that a thumbnail has? Whoever relies on notes asks, since a
 *  worker may have written another.  note: as it was sent; empty: there must be none. */
bool thumb_note_is(struct pool_bytes image, struct pool_bytes note);

/** Take a failure's message apart: the slug is copied into slug (cut to fit, letters and hyphens
 *  only, "failed" if there is none).  Returns the words, borrowed from message. */
const char *thumb_failure_words(const char *message, char *slug, size_t slug_size);

#endif
