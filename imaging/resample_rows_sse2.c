/* resample_rows_sse2.c: what every x86-64 has. */
#include "resample_rows_priv.h"

#ifdef __SSE2__
#include <string.h>

#include <emmintrin.h>

#include "resample_rows_impl.h"

static inline __m128i load(const void *from)
{
    return _mm_loadu_si128(from);
}

static inline __m128i load_half(const void *from)
{
    return _mm_loadl_epi64(from);
}

/* Two weights in every lane. */
static inline __m128i weight_pair(const int16_t *weights)
{
    int32_t both;
    memcpy(&both, weights, sizeof(both));
    return _mm_set1_epi32(both);
}

static inline __attribute__((always_inline)) void add_pairs(int32_t *sums, const uint32_t *pairs,
                                                            size_t stride, const int16_t *weights,
                                                            unsigned pair_count, size_t count,
                                                            bool fresh)
{
    __m128i weight[IMG_ROWS_PAIRS];
    for (unsigned pair = 0; pair < pair_count; pair++)
        weight[pair] = weight_pair(weights + 2 * (size_t)pair);
    for (size_t i = 0; i < count; i += 4) {
        __m128i sum = fresh ? _mm_setzero_si128() : load(sums + i);
        for (unsigned pair = 0; pair < pair_count; pair++)
            sum = _mm_add_epi32(sum, _mm_madd_epi16(load(pairs + pair * stride + i), weight[pair]));
        _mm_storeu_si128((void *)(sums + i), sum);
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
    const __m128i half = _mm_set1_epi32(1 << (bits - 1));
    const __m128i by = _mm_cvtsi32_si128((int)bits);
    for (size_t i = 0; i < count; i += 8) {
        const __m128i a = _mm_sra_epi32(_mm_add_epi32(load(sums + i), half), by);
        const __m128i b = _mm_sra_epi32(_mm_add_epi32(load(sums + i + 4), half), by);
        _mm_storeu_si128((void *)(to + i), _mm_packs_epi32(a, b));
    }
}

/* Four sums of 32 bits, rounded, in 16 bits, twice. */
static inline __m128i sums_to_words(__m128i sums, __m128i half, __m128i by)
{
    const __m128i rounded = _mm_sra_epi32(_mm_add_epi32(sums, half), by);
    return _mm_packs_epi32(rounded, rounded);
}

/* Four sums of 32 bits, rounded, as four bytes. */
static inline uint32_t sums_to_bytes(__m128i sums, __m128i half, __m128i by)
{
    const __m128i words = sums_to_words(sums, half, by);
    return (uint32_t)_mm_cvtsi128_si32(_mm_packus_epi16(words, words));
}

/* One pixel of gray: eight taps at a time, four partial sums. */
static inline __m128i gray_sums(const int16_t *row, const struct img_kernel *across, uint32_t x)
{
    const int16_t *weights = across->whole + (size_t)x * across->stride;
    const int16_t *from = row + across->first[x];
    const uint32_t taps = across->taps[x];
    __m128i sums = _mm_madd_epi16(load(from), load(weights));
    for (uint32_t tap = 8; tap < taps; tap += 8)
        sums = _mm_add_epi32(sums, _mm_madd_epi16(load(from + tap), load(weights + tap)));
    return sums;
}

/* The sums of four pixels of gray. at: where they are; the same may come twice. */
static inline __m128i gray_four(const int16_t *row, const struct img_kernel *across,
                                const uint32_t at[4])
{
    const __m128i a = gray_sums(row, across, at[0]);
    const __m128i b = gray_sums(row, across, at[1]);
    const __m128i c = gray_sums(row, across, at[2]);
    const __m128i d = gray_sums(row, across, at[3]);
    /* a b a b, then c d c d */
    const __m128i ab = _mm_add_epi32(_mm_unpacklo_epi32(a, b), _mm_unpackhi_epi32(a, b));
    const __m128i cd = _mm_add_epi32(_mm_unpacklo_epi32(c, d), _mm_unpackhi_epi32(c, d));
    return _mm_add_epi32(_mm_unpacklo_epi64(ab, cd), _mm_unpackhi_epi64(ab, cd));
}

static void shrink_gray(uint8_t *to, const int16_t *row, const struct img_kernel *across)
{
    const unsigned bits = across->shift + IMG_ROWS_BETWEEN_BITS;
    const __m128i half = _mm_set1_epi32(1 << (bits - 1));
    const __m128i by = _mm_cvtsi32_si128((int)bits);
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
    const __m128i half = _mm_set1_epi32(1 << (across->shift - 1));
    const __m128i by = _mm_cvtsi32_si128((int)across->shift);
    const uint32_t end = across->count;
    uint32_t x = 0;
    for (; x + 4 <= end; x += 4) {
        const uint32_t at[4] = {x, x + 1, x + 2, x + 3};
        const __m128i words = sums_to_words(gray_four(row, across, at), half, by);
        _mm_storel_epi64((void *)(to + x), words);
    }
    for (; x < end; x++) {
        const uint32_t at[4] = {x, x, x, x};
        const __m128i words = sums_to_words(gray_four(row, across, at), half, by);
        to[x] = (int16_t)_mm_cvtsi128_si32(words);
    }
}

/* Pixels of several channels: two taps at a time, a sum for each channel. */
static inline __attribute__((always_inline)) void
shrink_pixels(uint8_t *to, const int16_t *row, const struct img_kernel *across, unsigned channels)
{
    const unsigned bits = across->shift + IMG_ROWS_BETWEEN_BITS;
    const __m128i half = _mm_set1_epi32(1 << (bits - 1));
    const __m128i by = _mm_cvtsi32_si128((int)bits);
    for (uint32_t x = 0; x < across->count; x++, to += channels) {
        const int16_t *weights = across->whole + (size_t)x * across->stride;
        const int16_t *from = row + (size_t)across->first[x] * channels;
        __m128i sums = _mm_setzero_si128();
        for (uint32_t tap = 0; tap < across->taps[x]; tap += 2, from += 2 * (size_t)channels) {
            const __m128i both = _mm_unpacklo_epi16(load_half(from), load_half(from + channels));
            sums = _mm_add_epi32(sums, _mm_madd_epi16(both, weight_pair(weights + tap)));
        }
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

const struct img_row_loops *img_row_loops_sse2(void)
{
    static const struct img_row_loops loops = {
        .name = "sse2",
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

const struct img_row_loops *img_row_loops_sse2(void)
{
    return NULL;
}

#endif
