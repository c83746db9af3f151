/* resample.c: see resample_priv.h.
 *
 * Numbers are floats from 0 to 255 in both passes, colours premultiplied by alpha/255; a result
 * is rounded once, at the end. Source rows are collected in small batches and added a block of
 * columns at a time, so that the block stays in the first-level cache while all sums that it
 * belongs to are updated. The pass along the rows works on four rows at once, one a lane.
 *
 * Sums are added in an order that depends on the picture's size alone, and the build forbids
 * fused multiply-add: the same picture gives the same bytes everywhere. */
#include "resample_priv.h"

#include <errno.h>
#include <string.h>

#define BATCH_ROWS 8u
#define LANES      4u
#define BLOCK_PX   256u
#define BLOCK_MAX  (BLOCK_PX * IMG_CHANNELS_MAX)
#define KEEP_BYTES ((size_t)8 * 1024 * 1024) /* what a picture may leave behind per buffer */

typedef float lanes_t __attribute__((vector_size(LANES * sizeof(float))));

/* ---- Start ---- */

/* How many result rows are unfinished at once, at most: while a batch is added, all rows that it
 * overlaps; and before it, complete rows that wait to be four. */
static uint32_t sums_rows_needed(const struct img_kernel *down, uint32_t source_height_px)
{
    uint32_t most = 1;
    uint32_t oldest = 0;
    uint32_t newest = 0;
    for (uint32_t at = 0; at < source_height_px; at += BATCH_ROWS) {
        while (newest < down->count && down->first[newest] < at + BATCH_ROWS)
            newest++;
        while (oldest < newest && down->first[oldest] + down->taps[oldest] <= at)
            oldest++;
        if (newest - oldest > most)
            most = newest - oldest;
    }
    most += LANES - 1;
    return most < down->count ? most : down->count;
}

int img_resample_begin(struct img_resampler *resampler, const struct img_resample_spec *spec,
                       uint8_t *result)
{
    struct img_resampler *r = resampler;
    r->spec = *spec;
    r->result = result;
    r->channels = img_layout_channels(spec->layout);
    r->row_samples = (size_t)spec->source_width_px * r->channels;
    r->waiting_first = r->waiting_count = 0;
    r->opened = r->complete = r->finished = 0;
    img_kernel_done(&r->across);
    img_kernel_done(&r->down);
    img_buffer_trim(&r->waiting, KEEP_BYTES);
    img_buffer_trim(&r->sums, KEEP_BYTES);
    img_buffer_trim(&r->lanes, KEEP_BYTES);

    if (img_kernel_init(&r->across, spec->source_width_px, spec->area_width_px, spec->width_px) <
            0 ||
        img_kernel_init(&r->down, spec->source_height_px, spec->area_height_px, spec->height_px) <
            0)
        return -ENOMEM;
    r->sums_rows = sums_rows_needed(&r->down, spec->source_height_px);

    /* The widest row has a million pixels of four channels: no product here can overflow. */
    const size_t row_bytes = r->row_samples * (spec->depth_bits / 8);
    const size_t sum_bytes = r->row_samples * sizeof(float);
    if (img_buffer_need(&r->waiting, row_bytes * BATCH_ROWS) < 0 ||
        img_buffer_need(&r->sums, sum_bytes * r->sums_rows) < 0 ||
        img_buffer_need(&r->lanes, sum_bytes * LANES) < 0)
        return -ENOMEM;
    return 0;
}

/* ---- The pass along a row ---- */

static inline uint8_t round_to_byte(float value)
{
    if (!(value > 0))
        return 0;
    return value >= 255 ? 255 : (uint8_t)(value + 0.5f);
}

static inline void pixel_store(uint8_t *to, const float *from, unsigned channels, bool has_alpha)
{
    if (!has_alpha) {
        for (unsigned c = 0; c < channels; c++)
            to[c] = round_to_byte(from[c]);
        return;
    }
    const float alpha = from[channels - 1];
    to[channels - 1] = round_to_byte(alpha);
    for (unsigned c = 0; c + 1 < channels; c++)
        to[c] = to[channels - 1] ? round_to_byte(from[c] * 255 / alpha) : 0;
}

/* Shrink LANES interleaved rows and store the first count of them. Always inlined with constant
 * channels, so that the sums stay in registers. */
static inline __attribute__((always_inline)) void
lanes_shrink(const struct img_resampler *r, uint32_t count, unsigned channels, bool has_alpha)
{
    const struct img_kernel *across = &r->across;
    const lanes_t *lanes = (const lanes_t *)__builtin_assume_aligned(r->lanes.data, 16);
    const size_t stride = (size_t)across->count * channels;
    uint8_t *to = r->result + (size_t)r->finished * stride;
    for (uint32_t x = 0; x < across->count; x++) {
        const float *weights = across->weights + (size_t)x * across->taps_max;
        const lanes_t *from = lanes + (size_t)across->first[x] * channels;
        lanes_t sums[IMG_CHANNELS_MAX] = {{0}};
        for (uint32_t tap = 0; tap < across->taps[x]; tap++)
            for (unsigned c = 0; c < channels; c++)
                sums[c] += from[(size_t)tap * channels + c] * weights[tap];
        for (uint32_t lane = 0; lane < count; lane++) {
            float pixel[IMG_CHANNELS_MAX] = {0};
            for (unsigned c = 0; c < channels; c++)
                pixel[c] = sums[c][lane];
            pixel_store(to + lane * stride + (size_t)x * channels, pixel, channels, has_alpha);
        }
    }
}

static float *sum_row(const struct img_resampler *r, uint32_t row)
{
    return (float *)(void *)r->sums.data + (row % r->sums_rows) * r->row_samples;
}

static void rows_finish(struct img_resampler *r, uint32_t count)
{
    const float *rows[LANES];
    for (uint32_t lane = 0; lane < LANES; lane++)
        rows[lane] = sum_row(r, r->finished + (lane < count ? lane : count - 1));
    float *lanes = (float *)(void *)r->lanes.data;
    for (size_t i = 0; i < r->row_samples; i++)
        for (uint32_t lane = 0; lane < LANES; lane++)
            lanes[i * LANES + lane] = rows[lane][i];

    switch (r->spec.layout) {
    case IMG_LAYOUT_GRAY:
        lanes_shrink(r, count, 1, false);
        break;
    case IMG_LAYOUT_GRAY_ALPHA:
        lanes_shrink(r, count, 2, true);
        break;
    case IMG_LAYOUT_RGB:
        lanes_shrink(r, count, 3, false);
        break;
    case IMG_LAYOUT_RGB_ALPHA:
        lanes_shrink(r, count, 4, true);
        break;
    case IMG_LAYOUT_CMYK:
        lanes_shrink(r, count, 4, false);
        break;
    }
    r->finished += count;
}

/* ---- The pass down the columns ---- */

static void samples_convert(const struct img_resampler *r, float *restrict to, const uint8_t *row,
                            size_t from, size_t count)
{
    if (r->spec.depth_bits == 8) {
        const uint8_t *restrict samples = row + from;
        for (size_t i = 0; i < count; i++)
            to[i] = samples[i];
    } else {
        const uint16_t *restrict samples = (const uint16_t *)(const void *)row + from;
        for (size_t i = 0; i < count; i++)
            to[i] = samples[i] * (1.0f / 257);
    }
    if (r->spec.layout == IMG_LAYOUT_GRAY_ALPHA) {
        for (size_t i = 0; i + 1 < count; i += 2)
            to[i] *= to[i + 1] * (1.0f / 255);
    } else if (r->spec.layout == IMG_LAYOUT_RGB_ALPHA) {
        for (size_t i = 0; i + 3 < count; i += 4) {
            const float alpha = to[i + 3] * (1.0f / 255);
            to[i] *= alpha;
            to[i + 1] *= alpha;
            to[i + 2] *= alpha;
        }
    }
}

static void add_one(float *restrict sums, const float *restrict row, float weight, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sums[i] += row[i] * weight;
}

static void add_four(float *restrict sums, const float (*restrict rows)[BLOCK_MAX],
                     const float *restrict weights, size_t count)
{
    const float w0 = weights[0], w1 = weights[1], w2 = weights[2], w3 = weights[3];
    for (size_t i = 0; i < count; i++)
        sums[i] += (rows[0][i] * w0 + rows[1][i] * w1) + (rows[2][i] * w2 + rows[3][i] * w3);
}

/* Add the waiting rows to one result row, for one block of columns. */
static void block_add(const struct img_resampler *r, uint32_t result_row, size_t from, size_t count,
                      const float (*block)[BLOCK_MAX])
{
    const uint32_t first = r->down.first[result_row];
    const uint32_t end = first + r->down.taps[result_row];
    const float *weights = r->down.weights + (size_t)result_row * r->down.taps_max;
    uint32_t at = first > r->waiting_first ? first : r->waiting_first;
    const uint32_t waiting_end = r->waiting_first + r->waiting_count;
    const uint32_t stop = end < waiting_end ? end : waiting_end;
    float *sums = sum_row(r, result_row) + from;
    for (; at + 4 <= stop; at += 4)
        add_four(sums, block + (at - r->waiting_first), weights + (at - first), count);
    for (; at < stop; at++)
        add_one(sums, block[at - r->waiting_first], weights[at - first], count);
}

static void batch_add(struct img_resampler *r)
{
    const uint32_t end = r->waiting_first + r->waiting_count;
    while (r->opened < r->down.count && r->down.first[r->opened] < end) {
        memset(sum_row(r, r->opened), 0, r->row_samples * sizeof(float));
        r->opened++;
    }
    float block[BATCH_ROWS][BLOCK_MAX];
    const size_t row_bytes = r->row_samples * (r->spec.depth_bits / 8);
    const size_t block_samples = (size_t)BLOCK_PX * r->channels;
    for (size_t from = 0; from < r->row_samples; from += block_samples) {
        const size_t left = r->row_samples - from;
        const size_t count = left < block_samples ? left : block_samples;
        for (uint32_t i = 0; i < r->waiting_count; i++)
            samples_convert(r, block[i], r->waiting.data + i * row_bytes, from, count);
        for (uint32_t row = r->complete; row < r->opened; row++)
            block_add(r, row, from, count, (const float(*)[BLOCK_MAX])block);
    }
    r->waiting_first = end;
    r->waiting_count = 0;

    while (r->complete < r->opened && r->down.first[r->complete] + r->down.taps[r->complete] <= end)
        r->complete++;
    while (r->complete - r->finished >= LANES)
        rows_finish(r, LANES);
    if (r->complete == r->down.count && r->finished < r->complete)
        rows_finish(r, r->complete - r->finished);
}

void img_resample_rows(struct img_resampler *resampler, const uint8_t *rows, size_t stride_bytes,
                       uint32_t count)
{
    struct img_resampler *r = resampler;
    const size_t row_bytes = r->row_samples * (r->spec.depth_bits / 8);
    for (uint32_t i = 0; i < count; i++) {
        if (r->waiting_first + r->waiting_count >= r->spec.source_height_px)
            return;
        memcpy(r->waiting.data + r->waiting_count * row_bytes, rows + i * stride_bytes, row_bytes);
        r->waiting_count++;
        if (r->waiting_count == BATCH_ROWS ||
            r->waiting_first + r->waiting_count == r->spec.source_height_px)
            batch_add(r);
    }
}

bool img_resample_is_complete(const struct img_resampler *resampler)
{
    return resampler->finished == resampler->spec.height_px &&
           resampler->waiting_first == resampler->spec.source_height_px;
}

void img_resample_done(struct img_resampler *resampler)
{
    img_kernel_done(&resampler->across);
    img_kernel_done(&resampler->down);
    img_buffer_done(&resampler->waiting);
    img_buffer_done(&resampler->sums);
    img_buffer_done(&resampler->lanes);
}
