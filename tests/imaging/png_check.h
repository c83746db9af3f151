/* png_check.h: our PNG decoder beside libpng, and our inflater beside what zlib gave. Whatever
 * differs ends the test. */
#ifndef TESTS_IMAGING_PNG_CHECK_H
#define TESTS_IMAGING_PNG_CHECK_H

#include <imaging/decode_priv.h>

#include "samples.h"

/** What a decoder pushed. Zeroed before first use. */
struct png_record {
    struct img_sink sink; /* first: the sink's functions find the rest behind it */
    struct img_raster raster;
    uint8_t *pixels; /* owned: free() */
    size_t row_bytes;
    uint32_t rows;
    int rows_result; /* what the sink says to rows */
};

/** Decode into memory.  Returns what the decoder returned. */
int png_record_decode(int (*decode)(const struct img_decode_job *job), struct bytes file,
                      const struct img_options *options, enum img_fail_on fail_on,
                      struct png_record *record);

/** Returns what the fast decoder said: 0, and then libpng says the same, or -EAGAIN.
 *  what: for the words. */
int png_check(struct bytes file, const struct img_options *options, const char *what);

/** Inflate a raw stream with buffers of these sizes and compare it with what is right.
 *  in_room: more than IMG_INFLATE_IN_BYTES_MIN.  Returns 0 or -EBADMSG. */
int png_inflate_check(struct bytes stream, struct bytes right, size_t in_room, size_t piece);

#endif
