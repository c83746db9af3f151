/* resample_rows_neon.c: what every 64-bit Arm has. */
#include "resample_rows_priv.h"

#if defined(__aarch64__) && defined(__ARM_NEON) && !defined(__AARCH64EB__)
#include <string.h>

#include <arm_neon.h>

#include "resample_rows_impl.h"

static inline __attribute__((always_inline)) void add_pairs(int32_t *sums, const uint32_t *pairs,
                                                            size_t stride, const int16_t *weights,
                                                            unsigned pair_count, size_t count,
                                                            bool fresh)
{
    int16x4_t low[IMG_ROWS_PAIRS];
    int16x4_t high[IMG_ROWS_PAIRS];
    for (unsigned pair = 0; pair < pair_count; pair++) {
        low[pair] = vdup_n_s16(weights[2 * pair]);
        high[pair] = vdup_n_s16(weights[2 * pair + 1]);
    }
    for (size_t i = 0; i < count; i += 4) {
        int32x4_t sum = fresh ? vdupq_n_s32(0) : vld1q_s32(sums + i);
        for (unsigned pair = 0; pair < pair_count; pair++) {
            const uint32x4_t both = vld1q_u32(pairs + pair * stride + i);
            sum = vmlal_s16(sum, vreinterpret_s16_u16(vmovn_u32(both)), low[pair]);
            sum = vmlal_s16(sum, vreinterpret_s16_u16(vshrn_n_u32(both, 16)), high[pair]);
        }
        vst1q_s32(sums + i, sum);
    }
}

#define ADD_CASE(n)                                                                                \
    case n:                                                                                        \
        if (fresh)                                                                                 \
            add_pairs(sums, pairs, stride, weights, n, count, true);                               \
        else                                                                                       \
            add_pairs(sums, pairs, stride, weights, n, count, false);                              \
        break;

static void add(int32_t *sums, const uint32_t *pairs, size_t stride, const int16_t *weights,
                unsigned pair_count, size_t count, bool fresh)
{
    switch (pair_count) {
        ADD_CASE(1)
        ADD_CASE(2)
        ADD_CASE(3)
        ADD_CASE(4)
        ADD_CASE(5)
        ADD_CASE(6)
        ADD_CASE(7)
        ADD_CASE(8)
    }
}

static void narrow(int16_t *to, const int32_t *sums, size_t count, unsigned bits)
{
    const int32x4_t half = vdupq_n_s32(1 << (bits - 1));
    const int32x4_t by = vdupq_n_s32(-(int32_t)bits);
    for (size_t i = 0; i < count; i += 8) {
        const int32x4_t a = vshlq_s32(vaddq_s32(vld1q_s32(sums + i), half), by);
        const int32x4_t b = vshlq_s32(vaddq_s32(vld1q_s32(sums + i + 4), half), by);
        vst1q_s16(to + i, vcombine_s16(vqmovn_s32(a), vqmovn_s32(b)));
    }
}

/* Four sums of 32 bits, rounded, in 16 bits. */
static inline int16x4_t sums_to_words(int32x4_t sums, int32x4_t half, int32x4_t by)
{
    return vqmovn_s32(vshlq_s32(vaddq_s32(sums, half), by));
}

/* Four sums of 32 bits, rounded, as four bytes. */
static inline uint32_t sums_to_bytes(int32x4_t sums, int32x4_t half, int32x4_t by)
{
    const int16x4_t words = sums_to_words(sums, half, by);
    return vget_lane_u32(vreinterpret_u32_u8(vqmovun_s16(vcombine_s16(words, words))), 0);
}

/* One pixel of gray: eight taps at a time, four partial sums. */
static inline int32x4_t gray_sums(const int16_t *row, const struct img_kernel *across, uint32_t x)
{
    const int16_t *weights = across->whole + (size_t)x * across->stride;
    const int16_t *from = row + across->first[x];
    const uint32_t taps = across->taps[x];
    int32x4_t sums = vdupq_n_s32(0);
    for (uint32_t tap = 0; tap < taps; tap += 8) {
        const int16x8_t samples = vld1q_s16(from + tap);
        const int16x8_t by = vld1q_s16(weights + tap);
        sums = vmlal_s16(sums, vget_low_s16(samples), vget_low_s16(by));
        sums = vmlal_high_s16(sums, samples, by);
    }
    return sums;
}

/* The sums of four pixels of gray. at: where they are; the same may come twice. */
static inline int32x4_t gray_four(const int16_t *row, const struct img_kernel *across,
                                  const uint32_t at[4])
{
    const int32x4_t ab = vpaddq_s32(gray_sums(row, across, at[0]), gray_sums(row, across, at[1]));
    const int32x4_t cd = vpaddq_s32(gray_sums(row, across, at[2]), gray_sums(row, across, at[3]));
    return vpaddq_s32(ab, cd);
}

static void shrink_gray(uint8_t *to, const int16_t *row, const struct img_kernel *across)
{
    const unsigned bits = across->shift + IMG_ROWS_BETWEEN_BITS;
    const int32x4_t half = vdupq_n_s32(1 << (bits - 1));
    const int32x4_t by = vdupq_n_s32(-(int32_t)bits);
    const uint32_t end = across->count;
    uint32_t x = 0;
    for (; x + 4 <= end; x += 4) {
        const uint32_t at[4] = {x, x + 1, x + 2, x + 3};
        const uint32_t bytes = sums_to_bytes(gray_four(row, across, at), half, by);
        memcpy(to + x, &bytes, sizeof(bytes));
    }
    for (; x < end; x++) {
        const uint32_t at[4] = {x, x, x, x};
        to[x] = (uint8_t)sums_to_bytes(gray_four(row, across, at), half, by);
    }
}

static void shrink_wide(int16_t *to, const int16_t *row, const struct img_kernel *across)
{
    const int32x4_t half = vdupq_n_s32(1 << (across->shift - 1));
    const int32x4_t by = vdupq_n_s32(-(int32_t)across->shift);
    const uint32_t end = across->count;
    uint32_t x = 0;
    for (; x + 4 <= end; x += 4) {
        const uint32_t at[4] = {x, x + 1, x + 2, x + 3};
        vst1_s16(to + x, sums_to_words(gray_four(row, across, at), half, by));
    }
    for (; x < end; x++) {
        const uint32_t at[4] = {x, x, x, x};
        to[x] = vget_lane_s16(sums_to_words(gray_four(row, across, at), half, by), 0);
    }
}

/* Pixels of several channels: a sum for each channel. */
static inline __attribute__((always_inline)) void
shrink_pixels(uint8_t *to, const int16_t *row, const struct img_kernel *across, unsigned channels)
{
    const unsigned bits = across->shift + IMG_ROWS_BETWEEN_BITS;
    const int32x4_t half = vdupq_n_s32(1 << (bits - 1));
    const int32x4_t by = vdupq_n_s32(-(int32_t)bits);
    for (uint32_t x = 0; x < across->count; x++, to += channels) {
        const int16_t *weights = across->whole + (size_t)x * across->stride;
        const int16_t *from = row + (size_t)across->first[x] * channels;
        int32x4_t sums = vdupq_n_s32(0);
        for (uint32_t tap = 0; tap < across->taps[x]; tap++, from += channels)
            sums = vmlal_n_s16(sums, vld1_s16(from), weights[tap]);
        const uint32_t bytes = sums_to_bytes(sums, half, by);
        memcpy(to, &bytes, channels);
    }
}

static void shrink(uint8_t *to, const int16_t *row, const struct img_kernel *across,
                   unsigned channels)
{
    if (channels == 1)
        shrink_gray(to, row, across);
    else if (channels == 3)
        shrink_pixels(to, row, across, 3);
    else
        shrink_pixels(to, row, across, 4);
}

const struct img_row_loops *img_row_loops_neon(void)
{
    static const struct img_row_loops loops = {
        .name = "neon",
        .pair_8 = pair_8,
        .pair_16 = pair_16,
        .add = add,
        .narrow = narrow,
        .shrink = shrink,
        .shrink_wide = shrink_wide,
        .float_8 = float_8,
        .float_16 = float_16,
        .float_add = float_add,
        .float_shrink = float_shrink,
    };
    return &loops;
}

#else

const struct img_row_loops *img_row_loops_neon(void)
{
    return NULL;
}

#endif
