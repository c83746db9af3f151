/* jpeg_huffman_priv.h: Huffman tables made for reading quickly. Private to imaging. */
#ifndef IMAGING_JPEG_HUFFMAN_PRIV_H
#define IMAGING_JPEG_HUFFMAN_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "jpeg_frame_priv.h"

#define IMG_JPEG_DC_BITS 10
#define IMG_JPEG_AC_BITS 13

/** The way that always works, a bit longer each time: codes of length bits are below
 *  end[length], left-aligned to 16 bits; offset + code is the symbol's place. */
struct img_jpeg_codes {
    uint32_t end[18]; /* [17]: beyond every code */
    int32_t offset[17];
    uint8_t symbols[256];
};

/** Entries take the next bits as index. Zero: the code is longer or is none, so step by codes. */
struct img_jpeg_dc_table {
    struct img_jpeg_codes codes;
    /* Bits 0..5: all bits of code and value; 8..11: those of the value. */
    uint16_t entry[1 << IMG_JPEG_DC_BITS];
};

/* An advance beyond every block's end. */
#define IMG_JPEG_ADVANCE_EOB  128
#define IMG_JPEG_ADVANCE_NONE 255

struct img_jpeg_ac_table {
    struct img_jpeg_codes codes;
    /* As many whole symbols as the index shows. Bits 0..5: all their bits, with the values;
     * 8..15: how many coefficients they go on, plus ADVANCE_EOB where the last is the end of the
     * block; ADVANCE_NONE: not even one. */
    uint16_t skip[1 << IMG_JPEG_AC_BITS];
    /* One symbol. Bits 0..5: all its bits; 8..15: the advance, as above; 16..31: the value; where
     * bit 6 is set, the number of the value's bits instead. */
    uint32_t value[1 << IMG_JPEG_AC_BITS];
};

#define IMG_JPEG_VALUE_IS_LONG 0x40u

/** The tables must be sound, as img_jpeg_tables_read() leaves them. */
void img_jpeg_dc_table_make(struct img_jpeg_dc_table *table, const struct img_jpeg_huffman *from);

/** with_values: is value needed? */
void img_jpeg_ac_table_make(struct img_jpeg_ac_table *table, const struct img_jpeg_huffman *from,
                            bool with_values);

/** The symbol of the code at the top of the 16 bits; its length, or 0: there is none. */
static inline unsigned img_jpeg_code_find(const struct img_jpeg_codes *codes, uint32_t bits16,
                                          uint8_t *ret_symbol)
{
    unsigned length = 1;
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
