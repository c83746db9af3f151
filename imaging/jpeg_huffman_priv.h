/* jpeg_huffman_priv.h: Huffman tables made for reading quickly. Private to imaging. */
#ifndef IMAGING_JPEG_HUFFMAN_PRIV_H
#define IMAGING_JPEG_HUFFMAN_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "jpeg_frame_priv.h"

#define IMG_JPEG_DC_BITS   10
#define IMG_JPEG_LOW_BITS  11
#define IMG_JPEG_SKIP_BITS 13

/** The way that always works, a bit longer each time: codes of length bits are below
 *  end[length], left-aligned to 16 bits; offset + code is the symbol's place. */
struct img_jpeg_codes {
    uint32_t end[18]; /* [17]: beyond every code */
    int32_t offset[17];
    uint8_t symbols[256];
};

/* Advances beyond every block's end. */
#define IMG_JPEG_ADVANCE_EOB     128
#define IMG_JPEG_ADVANCE_NONE    255
#define IMG_JPEG_LOW_ADVANCE_EOB 127

/** What the blocks of a component are read with. Entries take the next bits as index. Zero, or of
 *  skips ADVANCE_NONE: the code is longer or is none, so step by codes. */
struct img_jpeg_coder {
    struct img_jpeg_codes dc_codes, ac_codes;
    /* Bits 0..5: all bits of code and value; 8..11: those of the value. */
    uint16_t dc[1 << IMG_JPEG_DC_BITS];
    /* One symbol of AC, whose value need not be among the index's bits. Bits 0..4: all bits of code
     * and value; 5..8: those of the value; 9..15: how many coefficients it goes on, or
     * LOW_ADVANCE_EOB where it is the end of the block. */
    uint16_t low[1 << IMG_JPEG_LOW_BITS];
    /* As many whole symbols as the index shows, from a block's beginning on, and behind its DC.
     * Bits 0..4: all their bits, with the values; 8..15: how many coefficients they go
     * on, plus ADVANCE_EOB where the last is the end of the block; ADVANCE_NONE: not even one. */
    uint16_t first[1 << IMG_JPEG_SKIP_BITS];
    uint16_t skip[1 << IMG_JPEG_SKIP_BITS];
};

/** The tables must be sound, as img_jpeg_tables_read() leaves them.
 *  with_low: is low needed? */
void img_jpeg_coder_make(struct img_jpeg_coder *coder, const struct img_jpeg_huffman *dc,
                         const struct img_jpeg_huffman *ac, bool with_low);

/** The symbol of the code at the top of the 16 bits; its length, or 0: there is none.
 *  length: no shorter one comes into question. */
static inline unsigned img_jpeg_code_find(const struct img_jpeg_codes *codes, uint32_t bits16,
                                          unsigned length, uint8_t *ret_symbol)
{
    while (bits16 >= codes->end[length])
        length++;
    if (length > 16)
        return 0;
    *ret_symbol =
        codes->symbols[(codes->offset[length] + (int32_t)(bits16 >> (16 - length))) & 255];
    return length;
}

/** What a value's bits mean. size: 0..15. Without a branch: signs cannot be foretold. */
static inline int32_t img_jpeg_value(uint32_t bits, unsigned size)
{
    const int32_t all = (int32_t)(UINT32_C(1) << size) - 1;
    const int32_t below = (int32_t)(bits << 1) - all - 1; /* below 0: a negative value */
    return (int32_t)bits - (all & (below >> 31));
}

#endif
