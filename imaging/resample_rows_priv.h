/* resample_rows_priv.h: the resampler's inner loops, in one variant for each instruction set.
 * Private to imaging.
 *
 * The portable variant is plain C, always built, and the definition: all others give the same
 * numbers. Those of whole numbers are exact in any order. Those of floats, for pixels with alpha,
 * do the same operations on every sample in the same order, whatever the width of the registers. */
#ifndef IMAGING_RESAMPLE_ROWS_PRIV_H
#define IMAGING_RESAMPLE_ROWS_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel_priv.h"

/* Sixteen-bit samples are reduced to 0..8160, which is 255 with five bits of fraction. */
#define IMG_ROWS_SAMPLE_BITS 5
#define IMG_ROWS_SAMPLE_MAX  (255 << IMG_ROWS_SAMPLE_BITS)

/* Fraction of what lies between the two passes: a sample and what Lanczos overshoots it by fit
 * into 16 bits. */
#define IMG_ROWS_BETWEEN_BITS 6

/* Source rows that are added at once, in pairs. */
#define IMG_ROWS_BATCH 16
#define IMG_ROWS_PAIRS (IMG_ROWS_BATCH / 2)

/* Arrays of sums, pairs and between-samples have room for so many more than they hold: vectors may
 * read and write whole registers. */
#define IMG_ROWS_SLACK 64

/* Rows of floats that go through the pass along the row together. */
#define IMG_ROWS_LANES 4

struct img_row_loops {
    const char *name; /* static storage */

    /* Two rows' samples side by side: the first in the low half. 16 bits reduced as said above. */
    void (*pair_8)(uint32_t *to, const uint8_t *low, const uint8_t *high, size_t count);
    void (*pair_16)(uint32_t *to, const uint16_t *low, const uint16_t *high, size_t count);

    /* Add pair_count (1..IMG_ROWS_PAIRS) rows of pairs, stride apart, each with its two weights.
     * fresh: the sums hold nothing yet. */
    void (*add)(int32_t *sums, const uint32_t *pairs, size_t stride, const int16_t *weights,
                unsigned pair_count, size_t count, bool fresh);

    /* Drop so many bits of fraction (1..31), rounded, and keep 16 bits, saturated. */
    void (*narrow)(int16_t *to, const int32_t *sums, size_t count, unsigned bits);

    /* The pass along one row of pixels of 1, 3 or 4 channels: across->count pixels of bytes. */
    void (*shrink)(uint8_t *to, const int16_t *row, const struct img_kernel *across,
                   unsigned channels);

    /* The same of gray, to numbers with IMG_ROWS_BETWEEN_BITS of fraction, saturated. */
    void (*shrink_wide)(int16_t *to, const int16_t *row, const struct img_kernel *across);

    /* Pixels of 2 or 4 channels, the last of them alpha, to floats of 0..255, premultiplied. */
    void (*float_8)(float *to, const uint8_t *from, size_t count, unsigned channels);
    void (*float_16)(float *to, const uint16_t *from, size_t count, unsigned channels);

    /* Add one row, or four that are stride apart, with their weights. */
    void (*float_add)(float *sums, const float *rows, size_t stride, const float *weights,
                      unsigned row_count, size_t count);

    /* The pass along IMG_ROWS_LANES rows at once, whose samples are interleaved; the first
     * row_count of them are stored, to_stride bytes apart. lanes: aligned to 16 bytes. */
    void (*float_shrink)(uint8_t *to, size_t to_stride, unsigned row_count, const float *lanes,
                         const struct img_kernel *across, unsigned channels);
};

/** The variants that this machine can run, the best first, the portable one last.
 *  Returns static storage, or NULL past the end. */
const struct img_row_loops *img_row_loops_at(unsigned index);

/* NULL where the build is for another machine. */
const struct img_row_loops *img_row_loops_sse2(void);
const struct img_row_loops *img_row_loops_avx2(void);
const struct img_row_loops *img_row_loops_neon(void);

#endif
