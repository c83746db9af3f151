/* resample_priv.h: rows of a large picture in, a small picture out. Private to imaging.
 *
 * Lanczos-3 over the exact area, in two passes: each row that arrives is added at once, with its
 * weights, to the few rows of the thumbnail that it overlaps; a row that has got all it needs is
 * then shrunk along its length. Memory is a few rows, whatever the height of the source. */
#ifndef IMAGING_RESAMPLE_PRIV_H
#define IMAGING_RESAMPLE_PRIV_H

#include "buffer_priv.h"
#include "kernel_priv.h"
#include "picture_priv.h"
#include "resample_rows_priv.h"

struct img_resampler;

struct img_resample_spec {
    uint32_t source_width_px; /* of the rows */
    uint32_t source_height_px;
    double area_width_px; /* the part of them that makes the picture, from the top left on */
    double area_height_px;
    enum img_layout layout;
    unsigned depth_bits; /* 8, or 16 in the machine's byte order */
    uint32_t width_px;   /* of the result */
    uint32_t height_px;
    /* How far apart the result's pixels are in the source, and where the first begins; a step of 0:
     * they share the area evenly. What lies outside of them, and is not needed for the ones at the
     * edge, is passed over. */
    double step_width_px, step_height_px;
    double origin_width_px, origin_height_px;
    double sharpen_width, sharpen_height; /* see struct img_axis */
    bool wide; /* of GRAY alone: the result is of int16_t, with IMG_ROWS_BETWEEN_BITS of fraction,
                * and may overshoot 0 and 255; it must be aligned for them */
    const struct img_row_loops *loops; /* NULL: the best that there are */
    /* A resampler that has begun with the same numbers, and begins nothing else until this one is
     * complete: its kernels are borrowed. NULL: none. */
    const struct img_resampler *like;
};

/** A zeroed resampler is valid; memory stays for the next picture until img_resample_done(). */
struct img_resampler {
    struct img_resample_spec spec;
    unsigned channels;
    bool alpha;         /* in the layout */
    bool floats;        /* now; else whole numbers */
    struct img_stripe { /* what is looked at of the source's columns, and of its rows */
        uint32_t first;
        uint32_t count;
    } columns, rows;
    uint32_t rows_come;    /* of all there are */
    size_t row_samples;    /* of a source row, as far as it is looked at */
    size_t sum_row_stride; /* in sums */
    struct img_kernel across;
    struct img_kernel down;
    uint8_t *result; /* borrowed */

    struct img_buffer waiting; /* source rows that came since the last batch */
    uint32_t waiting_first;    /* their first row's number among those that are looked at: so many
                                * are already added */
    uint32_t waiting_count;

    struct img_buffer sums; /* a ring of rows, one for each unfinished result row */
    uint32_t sums_rows;
    uint32_t opened;   /* result rows before this one have been given a ring row */
    uint32_t complete; /* ... have all their source rows */
    uint32_t finished; /* ... are in the result */

    struct img_buffer block; /* a batch of source rows, as numbers, for one block of columns */
    struct img_buffer line;  /* what goes into the pass along the rows */
};

/** Start a picture. result: borrowed until the last row; width * height * channels samples.
 *  Returns 0 or -ENOMEM. */
int img_resample_begin(struct img_resampler *resampler, const struct img_resample_spec *spec,
                       uint8_t *result);

/** Add count source rows, stride_bytes apart. Rows past the last are ignored. */
void img_resample_rows(struct img_resampler *resampler, const uint8_t *rows, size_t stride_bytes,
                       uint32_t count);

/** Have all the rows come, so that the result is complete? */
bool img_resample_is_complete(const struct img_resampler *resampler);

/** Release the memory. */
void img_resample_done(struct img_resampler *resampler);

#endif
