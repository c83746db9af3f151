/* jpeg_reduce_priv.h: from a block's low coefficients to a few pixels. Private to imaging. */
#ifndef IMAGING_JPEG_REDUCE_PRIV_H
#define IMAGING_JPEG_REDUCE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** How a plane's blocks are shrunk: so many pixels are left of the eight of each axis. */
struct img_jpeg_reduction {
    unsigned across, down; /* 1, 2, 4 or 8 */
};

/** The last coefficient, in zigzag order, that a reduction looks at. */
unsigned img_jpeg_reduction_last(struct img_jpeg_reduction reduction);

/** Entries from block to block that suit it. */
unsigned img_jpeg_reduction_step(struct img_jpeg_reduction reduction);

/** Turn a row of blocks into rows of pixels.
 *  blocks: coefficients in zigzag order, not multiplied; step entries from block to block.
 *  quant: in zigzag order.  to: count * across bytes for each of the rows.
 *  Returns false where a pixel is so far out of range that decoders do not agree about it. */
bool img_jpeg_reduce(struct img_jpeg_reduction reduction, const int16_t *blocks, uint32_t count,
                     const uint16_t *quant, uint8_t *to, size_t stride_bytes);

#endif
