/* resample_rows_avx2.c: compiled for AVX2, and called only where the processor has it. */
#include "resample_rows_priv.h"

#ifdef __AVX2__
#include <string.h>

#include <immintrin.h>

#include "resample_rows_impl.h"

static inline __m256i load(const void *from)
{
    return _mm256_loadu_si256(from);
}

static inline __m128i load_half(const void *from)
{
    return _mm_loadu_si128(from);
}

static inline __attribute__((always_inline)) void add_pairs(int32_t *sums, const uint32_t *pairs,
                                                            size_t stride, const int16_t *weights,
                                                            unsigned pair_count, size_t count,
                                                            bool fresh)
{
    __m256i weight[IMG_ROWS_PAIRS];
    for (unsigned pair = 0; pair < pair_count; pair++) {
        int32_t both;
        memcpy(&both, weights + 2 * (size_t)pair, sizeof(both));
        weight[pair] = _mm256_set1_epi32(both);
    }
    for (size_t i = 0; i < count; i += 8) {
        __m256i sum = fresh ? _mm256_setzero_si256() : load(sums + i);
        for (unsigned pair = 0; pair < pair_count; pair++)
            sum = _mm256_add_epi32(
                sum, _mm256_madd_epi16(load(pairs + pair * stride + i), weight[pair]));
        _mm256_storeu_si256((void *)(sums + i), sum);
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
    const __m256i half = _mm256_set1_epi32(1 << (bits - 1));
    const __m128i by = _mm_cvtsi32_si128((int)bits);
    for (size_t i = 0; i < count; i += 16) {
        const __m256i a = _mm256_sra_epi32(_mm256_add_epi32(load(sums + i), half), by);
        const __m256i b = _mm256_sra_epi32(_mm256_add_epi32(load(sums + i + 8), half), by);
        const __m256i packed = _mm256_packs_epi32(a, b); /* a0 b0 a1 b1, in quarters */
        _mm256_storeu_si256((void *)(to + i), _mm256_permute4x64_epi64(packed, 0xd8));
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

/* One pixel of gray: sixteen taps at a time, eight partial sums. */
static inline __m256i gray_sums(const int16_t *row, const struct img_kernel *across, uint32_t x)
{
    const int16_t *weights = across->whole + (size_t)x * across->stride;
    const int16_t *from = row + across->first[x];
    const uint32_t taps = across->taps[x];
    __m256i sums = _mm256_madd_epi16(load(from), load(weights));
    for (uint32_t tap = 16; tap < taps; tap += 16)
        sums = _mm256_add_epi32(sums, _mm256_madd_epi16(load(from + tap), load(weights + tap)));
    return sums;
}

/* The sums of four pixels of gray. at: where they are; the same may come twice. */
static inline __m128i gray_four(const int16_t *row, const struct img_kernel *across,
                                const uint32_t at[4])
{
    const __m256i ab =
        _mm256_hadd_epi32(gray_sums(row, across, at[0]), gray_sums(row, across, at[1]));
    const __m256i cd =
        _mm256_hadd_epi32(gray_sums(row, across, at[2]), gray_sums(row, across, at[3]));
    const __m256i sums = _mm256_hadd_epi32(ab, cd); /* a b c d, in each half */
    return _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
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

/* Pixels of several channels: four taps at a time, two in each half, a sum for each channel. */
static inline __attribute__((always_inline)) void
shrink_pixels(uint8_t *to, const int16_t *row, const struct img_kernel *across, unsigned channels)
{
    const unsigned bits = across->shift + IMG_ROWS_BETWEEN_BITS;
    const __m128i half = _mm_set1_epi32(1 << (bits - 1));
    const __m128i by = _mm_cvtsi32_si128((int)bits);
    const __m256i spread = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
    /* A channel of one pixel beside the same of the next; with three channels the last is void. */
    const __m256i side_by_side =
        channels == 3 ? _mm256_broadcastsi128_si256(
                            _mm_setr_epi8(0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11, -1, -1, -1, -1))
                      : _mm256_broadcastsi128_si256(
                            _mm_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15));
    for (uint32_t x = 0; x < across->count; x++, to += channels) {
        const int16_t *weights = across->whole + (size_t)x * across->stride;
        const int16_t *from = row + (size_t)across->first[x] * channels;
        __m256i sums = _mm256_setzero_si256();
        for (uint32_t tap = 0; tap < across->taps[x]; tap += 4, from += 4 * (size_t)channels) {
            const __m256i pixels = _mm256_inserti128_si256(
                _mm256_castsi128_si256(load_half(from)), load_half(from + 2 * (size_t)channels), 1);
            const __m256i four =
                _mm256_castsi128_si256(_mm_loadl_epi64((const void *)(weights + tap)));
            sums = _mm256_add_epi32(sums,
                                    _mm256_madd_epi16(_mm256_shuffle_epi8(pixels, side_by_side),
                                                      _mm256_permutevar8x32_epi32(four, spread)));
        }
        const uint32_t bytes = sums_to_bytes(
            _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1)), half,
            by);
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

const struct img_row_loops *img_row_loops_avx2(void)
{
    static const struct img_row_loops loops = {
        .name = "avx2",
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
    return __builtin_cpu_supports("avx2") ? &loops : NULL;
}

#else

const struct img_row_loops *img_row_loops_avx2(void)
{
    return NULL;
}

#endif
