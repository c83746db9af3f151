/* png_inflate_priv.h: a zlib stream into a sliding window, piece by piece. Private to imaging. */
#ifndef IMAGING_PNG_INFLATE_PRIV_H
#define IMAGING_PNG_INFLATE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** No distance reaches further back. */
#define IMG_INFLATE_HISTORY_BYTES 32768

/** So many bytes past the limit of the output are overwritten. */
#define IMG_INFLATE_OUT_SLACK 320

/** So many bytes behind the input may be read; behind the last input they must be zero. */
#define IMG_INFLATE_IN_SLACK 64

/** Without at least so many bytes of input, or the last of them, there may be no progress. */
#define IMG_INFLATE_IN_BYTES_MIN 1024

#define IMG_INFLATE_LENGTHS_BITS   11
#define IMG_INFLATE_DISTANCES_BITS 9
/* The first-level table, and room for second-level tables: a code of up to 15 bits has at most as
 * many of their entries as complete codes allow. */
#define IMG_INFLATE_LENGTHS_ROOM   (2048 + 1024)
#define IMG_INFLATE_DISTANCES_ROOM (512 + 512)

enum img_inflate_state {
    IMG_INFLATE_BLOCK,  /* a block's header is next */
    IMG_INFLATE_STORED, /* inside a stored block */
    IMG_INFLATE_CODES,  /* inside a block of codes */
    IMG_INFLATE_END,    /* the last block is done */
};

struct img_inflate {
    /* Set and moved by the caller between calls; the bytes up to in_end, and the slack. */
    const uint8_t *in;
    const uint8_t *in_end;
    bool in_is_last; /* nothing follows in_end */

    enum img_inflate_state state;
    uint64_t bits; /* the next bits of the stream, the lowest first */
    unsigned bit_count;
    bool block_is_final;
    bool codes_are_fixed; /* the tables are those of the fixed codes */
    uint32_t stored_left;
    uint32_t lengths[IMG_INFLATE_LENGTHS_ROOM];
    uint32_t distances[IMG_INFLATE_DISTANCES_ROOM];
};

/** Start a stream of raw deflate data. */
void img_inflate_begin(struct img_inflate *inflate);

/** Go on until the output reaches its limit, the input runs short or the last block ends.
 *  history: the oldest byte that a distance may reach; out: where to write; limit: no more is begun
 *  at or behind it, but the last piece may end up to 258 bytes behind.
 *  ret_out: the end of what was written; bytes behind it may be changed.
 *  After the end, in stands at the first whole byte behind the stream.
 *  Returns 0, or -EBADMSG. */
int img_inflate_run(struct img_inflate *inflate, const uint8_t *history, uint8_t *out,
                    uint8_t *limit, uint8_t **ret_out);

#endif
