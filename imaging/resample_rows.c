/* resample_rows.c: the portable loops, which define what the others must give, and the choice. */
#include "resample_rows_priv.h"

#include "resample_rows_impl.h"

static void add(int32_t *restrict sums, const uint32_t *restrict pairs, size_t stride,
                const int16_t *weights, unsigned pair_count, size_t count, bool fresh)
{
    for (unsigned pair = 0; pair < pair_count; pair++) {
        const uint32_t *from = pairs + pair * stride;
        const int32_t w0 = weights[2 * pair];
        const int32_t w1 = weights[2 * pair + 1];
        const int32_t keep = fresh && pair == 0 ? 0 : -1;
        for (size_t i = 0; i < count; i++)
            sums[i] =
                (sums[i] & keep) + (int32_t)(from[i] & 0xffff) * w0 + (int32_t)(from[i] >> 16) * w1;
    }
}

static void narrow(int16_t *restrict to, const int32_t *restrict sums, size_t count, unsigned bits)
{
    const int32_t half = 1 << (bits - 1);
    for (size_t i = 0; i < count; i++) {
        const int32_t value = (sums[i] + half) >> bits;
        to[i] = (int16_t)(value > INT16_MAX ? INT16_MAX : value < INT16_MIN ? INT16_MIN : value);
    }
}

static inline __attribute__((always_inline)) void
shrink_pixels(uint8_t *to, const int16_t *row, const struct img_kernel *across, unsigned channels)
{
    const unsigned bits = across->shift + IMG_ROWS_BETWEEN_BITS;
    for (uint32_t x = 0; x < across->count; x++, to += channels) {
        const int16_t *weights = across->whole + (size_t)x * across->stride;
        const int16_t *from = row + (size_t)across->first[x] * channels;
        int32_t sums[IMG_CHANNELS_MAX] = {0};
        for (uint32_t tap = 0; tap < across->taps[x]; tap++)
            for (unsigned c = 0; c < channels; c++)
                sums[c] += from[(size_t)tap * channels + c] * weights[tap];
        for (unsigned c = 0; c < channels; c++) {
            const int32_t value = (sums[c] + (1 << (bits - 1))) >> bits;
            to[c] = (uint8_t)(value > 255 ? 255 : value < 0 ? 0 : value);
        }
    }
}

static void shrink(uint8_t *to, const int16_t *row, const struct img_kernel *across,
                   unsigned channels)
{
    if (channels == 1)
        shrink_pixels(to, row, across, 1);
    else if (channels == 3)
        shrink_pixels(to, row, across, 3);
    else
        shrink_pixels(to, row, across, 4);
}

static void shrink_wide(int16_t *to, const int16_t *row, const struct img_kernel *across)
{
    const unsigned bits = across->shift;
    for (uint32_t x = 0; x < across->count; x++) {
        const int16_t *weights = across->whole + (size_t)x * across->stride;
        const int16_t *from = row + across->first[x];
        int32_t sum = 0;
        for (uint32_t tap = 0; tap < across->taps[x]; tap++)
            sum += from[tap] * weights[tap];
        const int32_t value = (sum + (1 << (bits - 1))) >> bits;
        to[x] = (int16_t)(value > INT16_MAX ? INT16_MAX : value < INT16_MIN ? INT16_MIN : value);
    }
}

static const struct img_row_loops portable = {
    .name = "portable",
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

const struct img_row_loops *img_row_loops_at(unsigned index)
{
    const struct img_row_loops *variants[] = {
        img_row_loops_avx2(),
        img_row_loops_sse2(),
        img_row_loops_neon(),
        &portable,
    };
    for (unsigned i = 0; i < sizeof(variants) / sizeof(variants[0]); i++)
        if (variants[i] && index-- == 0)
            return variants[i];
    return NULL;
}
