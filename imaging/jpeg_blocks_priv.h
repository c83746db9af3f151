/* jpeg_blocks_priv.h: where the blocks of a segment begin. Private to imaging. */
#ifndef IMAGING_JPEG_BLOCKS_PRIV_H
#define IMAGING_JPEG_BLOCKS_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "jpeg_huffman_priv.h"

/** Readers of one segment, the first and its scouts, and how many blocks each may find at once. */
#define IMG_JPEG_READERS       3
#define IMG_JPEG_READER_BLOCKS 2048
#define IMG_JPEG_STARTS_MAX    (IMG_JPEG_MCU_BLOCKS_MAX + IMG_JPEG_READERS * IMG_JPEG_READER_BLOCKS)

/** Memory that must be readable behind the segment's data, or what there is of it. */
#define IMG_JPEG_SLACK_BYTES 256

/** The blocks of one segment, and where they begin: places are bits from its data's start on. */
struct img_jpeg_blocks {
    unsigned per_mcu;
    const struct img_jpeg_coder *coders[IMG_JPEG_MCU_BLOCKS_MAX]; /* of an MCU's blocks */
    /* So many blocks have been found: starts[i] is where block i begins, or with i = count the
     * one behind them. The first is the first of an MCU. */
    uint32_t count;
    uint32_t starts[IMG_JPEG_STARTS_MAX + 1];
    uint32_t lead_bytes; /* each scout is sent so far ahead of the one before */
    unsigned in_vain;    /* so often in a row none of them was met */
    /* For img_jpeg_blocks_find() alone. */
    const uint16_t *skips[2 * IMG_JPEG_MCU_BLOCKS_MAX];
    uint8_t next_state[2 * IMG_JPEG_MCU_BLOCKS_MAX];
    uint32_t found[IMG_JPEG_READERS][IMG_JPEG_READER_BLOCKS + 1];
};

/** Prepare for a scan; per_mcu and coders are set. */
void img_jpeg_blocks_begin(struct img_jpeg_blocks *blocks);

/** Start with the scan's first segment, or the next one. */
void img_jpeg_blocks_segment(struct img_jpeg_blocks *blocks);

/** Find more blocks, behind those there are (fewer than an MCU has, or none).
 *  data: of the segment, size_bytes of it, and IMG_JPEG_SLACK_BYTES of anything. Whole: nothing of
 *  the segment comes behind it; then what is found beyond the end is nonsense, and to be told from
 *  the rest by its place.
 *  Less than a whole MCU is found where codes are bad or the data is used up; and where there is
 *  less data than img_jpeg_blocks_bytes_wanted(). */
void img_jpeg_blocks_find(struct img_jpeg_blocks *blocks, const uint8_t *data, size_t size_bytes,
                          bool whole);

/** So many bytes or more had better be there when blocks are searched, if the segment has them. */
size_t img_jpeg_blocks_bytes_wanted(const struct img_jpeg_blocks *blocks);

/* ---- Bits, by place ---- */

/** At least 57 bits, from the highest on. */
static inline uint64_t img_jpeg_bits_at(const uint8_t *data, uint32_t place)
{
    uint64_t bytes;
    memcpy(&bytes, data + place / 8, sizeof(bytes));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    bytes = __builtin_bswap64(bytes);
#endif
    return bytes << place % 8;
}

/** The highest size bits; size: 0..15. */
static inline uint32_t img_jpeg_bits_first(uint64_t bits, unsigned size)
{
    return (uint32_t)(bits >> 1 >> (63 - size));
}

/** A symbol by its code, of code_bits_min or more. */
struct img_jpeg_symbol {
    unsigned code_bits;  /* 0: there is no such code */
    unsigned value_bits; /* that follow */
    unsigned advance;    /* by so many coefficients; IMG_JPEG_ADVANCE_EOB: to the end */
};

struct img_jpeg_symbol img_jpeg_symbol_read(const struct img_jpeg_coder *coder, bool is_dc,
                                            unsigned code_bits_min, uint64_t bits);

#endif
