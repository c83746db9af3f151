/* resample_rows_impl.h: the loops that a compiler vectorises well by itself, compiled once for each
 * instruction set. Included by resample_rows*.c alone. */
#ifndef IMAGING_RESAMPLE_ROWS_IMPL_H
#define IMAGING_RESAMPLE_ROWS_IMPL_H

#include <string.h>

#include "picture_priv.h"
#include "resample_rows_priv.h"

typedef float lanes_t __attribute__((vector_size(IMG_ROWS_LANES * sizeof(float))));

static void pair_8(uint32_t *restrict to, const uint8_t *restrict low, const uint8_t *restrict high,
                   size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = low[i] | (uint32_t)high[i] << 16;
}

/* v / 257 with five bits of fraction: multiples of 257 come out exactly. */
static inline uint32_t reduce_16(uint32_t value)
{
    const unsigned bits = 8 - IMG_ROWS_SAMPLE_BITS;
    return (value - (value >> 8) + (1u << (bits - 1))) >> bits;
}

static void pair_16(uint32_t *restrict to, const uint16_t *restrict low,
                    const uint16_t *restrict high, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = reduce_16(low[i]) | reduce_16(high[i]) << 16;
}

/* ---- Floats ---- */

static void float_premultiply(float *to, size_t count, unsigned channels)
{
    if (channels == 2) {
        for (size_t i = 0; i + 1 < count; i += 2)
            to[i] *= to[i + 1] * (1.0f / 255);
        return;
    }
    for (size_t i = 0; i + 3 < count; i += 4) {
        lanes_t pixel;
        memcpy(&pixel, to + i, sizeof(pixel));
        const float alpha = pixel[3] * (1.0f / 255);
        pixel *= (lanes_t){alpha, alpha, alpha, 1};
        memcpy(to + i, &pixel, sizeof(pixel));
    }
}

static void float_8(float *restrict to, const uint8_t *restrict from, size_t count,
                    unsigned channels)
{
    for (size_t i = 0; i < count; i++)
        to[i] = from[i];
    float_premultiply(to, count, channels);
}

static void float_16(float *restrict to, const uint16_t *restrict from, size_t count,
                     unsigned channels)
{
    for (size_t i = 0; i < count; i++)
        to[i] = from[i] * (1.0f / 257);
    float_premultiply(to, count, channels);
}

static void float_add(float *restrict sums, const float *restrict rows, size_t stride,
                      const float *weights, unsigned row_count, size_t count)
{
    const float w0 = weights[0];
    if (row_count == 1) {
        for (size_t i = 0; i < count; i++)
            sums[i] += rows[i] * w0;
        return;
    }
    const float w1 = weights[1], w2 = weights[2], w3 = weights[3];
    for (size_t i = 0; i < count; i++)
        sums[i] += (rows[i] * w0 + rows[stride + i] * w1) +
                   (rows[2 * stride + i] * w2 + rows[3 * stride + i] * w3);
}

static inline uint8_t round_to_byte(float value)
{
    if (!(value > 0))
        return 0;
    return value >= 255 ? 255 : (uint8_t)(value + 0.5f);
}

static inline void float_pixel_store(uint8_t *to, const float *from, unsigned channels)
{
    const float alpha = from[channels - 1];
    to[channels - 1] = round_to_byte(alpha);
    for (unsigned c = 0; c + 1 < channels; c++)
        to[c] = to[channels - 1] ? round_to_byte(from[c] * 255 / alpha) : 0;
}

/* Always inlined with constant channels, so that the sums stay in registers. */
static inline __attribute__((always_inline)) void
float_shrink_pixels(uint8_t *to, size_t to_stride, unsigned row_count, const float *samples,
                    const struct img_kernel *across, unsigned channels)
{
    const lanes_t *lanes = (const lanes_t *)__builtin_assume_aligned(samples, 16);
    for (uint32_t x = 0; x < across->count; x++) {
        const float *weights = across->weights + (size_t)x * across->stride;
        const lanes_t *from = lanes + (size_t)across->first[x] * channels;
        lanes_t sums[IMG_CHANNELS_MAX] = {{0}};
        for (uint32_t tap = 0; tap < across->taps[x]; tap++)
            for (unsigned c = 0; c < channels; c++)
                sums[c] += from[(size_t)tap * channels + c] * weights[tap];
        for (unsigned row = 0; row < row_count; row++) {
            float pixel[IMG_CHANNELS_MAX] = {0};
            for (unsigned c = 0; c < channels; c++)
                pixel[c] = sums[c][row];
            float_pixel_store(to + row * to_stride + (size_t)x * channels, pixel, channels);
        }
    }
}

static void float_shrink(uint8_t *to, size_t to_stride, unsigned row_count, const float *lanes,
                         const struct img_kernel *across, unsigned channels)
{
    if (channels == 2)
        float_shrink_pixels(to, to_stride, row_count, lanes, across, 2);
    else
        float_shrink_pixels(to, to_stride, row_count, lanes, across, 4);
}

#endif
