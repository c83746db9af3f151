/* jpeg_reduce.c: see jpeg_reduce_priv.h.
 *
 * The inverse transform of N points takes the lowest N coefficients of each axis as if the block
 * had N by N pixels: those are the picture's frequencies that N pixels can show, and the pixels lie
 * at the centres of the areas they stand for. What is wanted at one eighth is the mean alone.
 *
 * Sums are made in one fixed order in single precision, so that every machine has the same pixels;
 * 1x1 and 2x2 need integers only. */
#include "jpeg_reduce_priv.h"

#include <string.h>

/* By row and column, where a coefficient stands in zigzag order. */
static const uint8_t zigzag[8][8] = {
    {0, 1, 5, 6, 14, 15, 27, 28},     {2, 4, 7, 13, 16, 26, 29, 42},
    {3, 8, 12, 17, 25, 30, 41, 43},   {9, 11, 18, 24, 31, 40, 44, 53},
    {10, 19, 23, 32, 39, 45, 52, 54}, {20, 22, 33, 38, 46, 51, 55, 60},
    {21, 34, 37, 47, 50, 56, 59, 61}, {35, 36, 48, 49, 57, 58, 62, 63},
};

/* Pixels so far out are all black or all white; libjpeg's are, too, up to here. */
#define OUT_OF_RANGE 512

unsigned img_jpeg_reduction_last(struct img_jpeg_reduction reduction)
{
    unsigned last = 0;
    if (reduction.across == 2 && reduction.down == 2)
        return zigzag[1][0]; /* see reduce_2x2() */
    for (unsigned row = 0; row < reduction.down; row++)
        for (unsigned column = 0; column < reduction.across; column++)
            if (zigzag[row][column] > last)
                last = zigzag[row][column];
    return last;
}

unsigned img_jpeg_reduction_step(struct img_jpeg_reduction reduction)
{
    const unsigned last = img_jpeg_reduction_last(reduction);
    unsigned step = 1;
    while (step <= last)
        step *= 2;
    return step;
}

/* A pixel from its distance to middle gray; *wrong is noted. */
static inline uint8_t pixel_of(int32_t value, uint32_t *wrong)
{
    *wrong |= (uint32_t)(value + OUT_OF_RANGE) / (2 * OUT_OF_RANGE);
    value += 128;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static uint32_t reduce_1x1(const int16_t *blocks, uint32_t count, int16_t quant, uint8_t *to)
{
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < count; i++)
        to[i] = pixel_of((blocks[i] * quant + 4) >> 3, &wrong);
    return wrong;
}

/* Of two pixels, each stands for the mean of its half of the block. The basis gives what it is in
 * the middle of the half, and that is further from the block's mean, by about a fifteenth. */
static inline int32_t half_of(int16_t coefficient, uint16_t quant)
{
    return (coefficient * quant * 15 + 8) >> 4;
}

static uint32_t reduce_2x1(const int16_t *blocks, size_t step, uint32_t count,
                           const uint16_t *quant, uint8_t *to)
{
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < count; i++, blocks += step) {
        const int32_t mean = blocks[0] * quant[0] + 4;
        const int32_t across = half_of(blocks[1], quant[1]);
        *to++ = pixel_of((mean + across) >> 3, &wrong);
        *to++ = pixel_of((mean - across) >> 3, &wrong);
    }
    return wrong;
}

static uint32_t reduce_1x2(const int16_t *blocks, size_t step, uint32_t count,
                           const uint16_t *quant, uint8_t *to, size_t stride_bytes)
{
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < count; i++, blocks += step) {
        const int32_t mean = blocks[0] * quant[0] + 4;
        const int32_t down = half_of(blocks[2], quant[2]);
        to[i] = pixel_of((mean + down) >> 3, &wrong);
        to[stride_bytes + i] = pixel_of((mean - down) >> 3, &wrong);
    }
    return wrong;
}

/* Without the coefficient that goes both ways, which adds next to nothing: the codes need then be
 * read only up to the second one. */
static uint32_t reduce_2x2(const int16_t *blocks, size_t step, uint32_t count,
                           const uint16_t *quant, uint8_t *to, size_t stride_bytes)
{
    uint32_t wrong = 0;
    uint8_t *upper = to, *lower = to + stride_bytes;
    for (uint32_t i = 0; i < count; i++, blocks += step) {
        const int32_t mean = blocks[0] * quant[0] + 4;
        const int32_t across = half_of(blocks[1], quant[1]);
        const int32_t down = half_of(blocks[2], quant[2]);
        const int32_t pixels[4] = {(mean + across + down) >> 3, (mean - across + down) >> 3,
                                   (mean + across - down) >> 3, (mean - across - down) >> 3};
        /* Hardly ever is one out of range: they need not be clamped each. */
        const uint32_t all = (uint32_t)(pixels[0] + 128) | (uint32_t)(pixels[1] + 128) |
                             (uint32_t)(pixels[2] + 128) | (uint32_t)(pixels[3] + 128);
        if (__builtin_expect(all > 255, 0)) {
            *upper++ = pixel_of(pixels[0], &wrong);
            *upper++ = pixel_of(pixels[1], &wrong);
            *lower++ = pixel_of(pixels[2], &wrong);
            *lower++ = pixel_of(pixels[3], &wrong);
            continue;
        }
        *upper++ = (uint8_t)(pixels[0] + 128);
        *upper++ = (uint8_t)(pixels[1] + 128);
        *lower++ = (uint8_t)(pixels[2] + 128);
        *lower++ = (uint8_t)(pixels[3] + 128);
    }
    return wrong;
}

/* basis[n][k][x]: what coefficient k adds to pixel x of 1 << n. */
static const float basis[4][8][8] = {
    {{0.353553391f}},
    {{0.353553391f, 0.353553391f}, {0.353553391f, -0.353553391f}},
    {{0.353553391f, 0.353553391f, 0.353553391f, 0.353553391f},
     {0.461939766f, 0.191341716f, -0.191341716f, -0.461939766f},
     {0.353553391f, -0.353553391f, -0.353553391f, 0.353553391f},
     {0.191341716f, -0.461939766f, 0.461939766f, -0.191341716f}},
    {{0.353553391f, 0.353553391f, 0.353553391f, 0.353553391f, 0.353553391f, 0.353553391f,
      0.353553391f, 0.353553391f},
     {0.490392640f, 0.415734806f, 0.277785117f, 0.097545161f, -0.097545161f, -0.277785117f,
      -0.415734806f, -0.490392640f},
     {0.461939766f, 0.191341716f, -0.191341716f, -0.461939766f, -0.461939766f, -0.191341716f,
      0.191341716f, 0.461939766f},
     {0.415734806f, -0.097545161f, -0.490392640f, -0.277785117f, 0.277785117f, 0.490392640f,
      0.097545161f, -0.415734806f},
     {0.353553391f, -0.353553391f, -0.353553391f, 0.353553391f, 0.353553391f, -0.353553391f,
      -0.353553391f, 0.353553391f},
     {0.277785117f, -0.490392640f, 0.097545161f, 0.415734806f, -0.415734806f, -0.097545161f,
      0.490392640f, -0.277785117f},
     {0.191341716f, -0.461939766f, 0.461939766f, -0.191341716f, -0.191341716f, 0.461939766f,
      -0.461939766f, 0.191341716f},
     {0.097545161f, -0.277785117f, 0.415734806f, -0.490392640f, 0.490392640f, -0.415734806f,
      0.277785117f, -0.097545161f}},
};

/* One block of across by down pixels; constant where it is worth a loop of its own. */
static inline __attribute__((always_inline)) uint32_t
reduce_block(const int16_t *block, const uint16_t *quant, unsigned across, unsigned down,
             const float (*across_basis)[8], const float (*down_basis)[8], uint8_t *to,
             size_t stride_bytes)
{
    uint32_t wrong = 0;
    float halfway[8][8] = {{0}};
    for (unsigned row = 0; row < down; row++) {
        float values[8];
        for (unsigned x = 0; x < across; x++)
            values[x] = (float)(block[zigzag[row][x]] * quant[zigzag[row][x]]);
        for (unsigned y = 0; y < down; y++)
            for (unsigned x = 0; x < across; x++)
                halfway[y][x] += down_basis[row][y] * values[x];
    }
    for (unsigned y = 0; y < down; y++) {
        float sums[8] = {0};
        for (unsigned column = 0; column < across; column++)
            for (unsigned x = 0; x < across; x++)
                sums[x] += across_basis[column][x] * halfway[y][column];
        for (unsigned x = 0; x < across; x++) {
            const float lowest = -2 * OUT_OF_RANGE, highest = 2 * OUT_OF_RANGE;
            const float sum = sums[x] < lowest ? lowest : sums[x] > highest ? highest : sums[x];
            /* Above 0 when it is cut off, so that it is rounded the same way everywhere. */
            const int32_t value = (int32_t)(sum + 4 * OUT_OF_RANGE + 0.5f) - 4 * OUT_OF_RANGE;
            to[y * stride_bytes + x] = pixel_of(value, &wrong);
        }
    }
    return wrong;
}

/* ---- 4x4, four columns or rows at a time ---- */

typedef float lanes __attribute__((vector_size(16)));
typedef int32_t int_lanes __attribute__((vector_size(16)));

static inline void transform_4(lanes *v)
{
    const float half = basis[2][0][0], more = basis[2][1][0], less = basis[2][1][1];
    const lanes sum = (v[0] + v[2]) * half, difference = (v[0] - v[2]) * half;
    const lanes outer = v[1] * more + v[3] * less, inner = v[1] * less - v[3] * more;
    v[0] = sum + outer;
    v[1] = difference + inner;
    v[2] = difference - inner;
    v[3] = sum - outer;
}

static inline void transpose_4(lanes *v)
{
    const lanes a = __builtin_shufflevector(v[0], v[1], 0, 4, 1, 5);
    const lanes b = __builtin_shufflevector(v[2], v[3], 0, 4, 1, 5);
    const lanes c = __builtin_shufflevector(v[0], v[1], 2, 6, 3, 7);
    const lanes d = __builtin_shufflevector(v[2], v[3], 2, 6, 3, 7);
    v[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
    v[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
    v[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
    v[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
}

static inline lanes lanes_choose(int_lanes where, lanes yes, lanes no)
{
    return (lanes)(((int_lanes)yes & where) | ((int_lanes)no & ~where));
}

static uint32_t reduce_4x4(const int16_t *blocks, size_t step, uint32_t count,
                           const uint16_t *quant, uint8_t *to, size_t stride_bytes)
{
    const lanes lowest = (lanes){0} + 0.5f, highest = (lanes){0} + 255.5f;
    const lanes least = (lanes){0} + (128.0f - OUT_OF_RANGE);
    const lanes most = (lanes){0} + (128.0f + OUT_OF_RANGE);
    int_lanes wrong = {0};
    lanes steps[4];
    for (unsigned row = 0; row < 4; row++)
        for (unsigned x = 0; x < 4; x++)
            steps[row][x] = quant[zigzag[row][x]];
    for (uint32_t i = 0; i < count; i++, blocks += step, to += 4) {
        const int_lanes rows[4] = {
            {blocks[0], blocks[1], blocks[5], blocks[6]},
            {blocks[2], blocks[4], blocks[7], blocks[13]},
            {blocks[3], blocks[8], blocks[12], blocks[17]},
            {blocks[9], blocks[11], blocks[18], blocks[24]},
        };
        lanes v[4];
        for (unsigned row = 0; row < 4; row++)
            v[row] = __builtin_convertvector(rows[row], lanes) * steps[row];
        transform_4(v);
        transpose_4(v);
        transform_4(v);
        transpose_4(v);
        for (unsigned row = 0; row < 4; row++) {
            const lanes sum = v[row] + 128.5f;
            wrong |= (sum < least) | (sum >= most);
            const lanes low = lanes_choose(sum < lowest, lowest, sum);
            const int_lanes value =
                __builtin_convertvector(lanes_choose(low > highest, highest, low), int_lanes);
            const uint8_t pixels[4] = {(uint8_t)value[0], (uint8_t)value[1], (uint8_t)value[2],
                                       (uint8_t)value[3]};
            memcpy(to + row * stride_bytes, pixels, sizeof(pixels));
        }
    }
    return (uint32_t)(wrong[0] | wrong[1] | wrong[2] | wrong[3]);
}

/* The same with sizes that the compiler knows. */
#define REDUCE_OF(across, down)                                                                    \
    static uint32_t reduce_##across##x##down(const int16_t *blocks, size_t step, uint32_t count,   \
                                             const uint16_t *quant, uint8_t *to,                   \
                                             size_t stride_bytes)                                  \
    {                                                                                              \
        uint32_t wrong = 0;                                                                        \
        for (uint32_t i = 0; i < count; i++, blocks += step, to += (across))                       \
            wrong |= reduce_block(blocks, quant, across, down, basis[__builtin_ctz(across)],       \
                                  basis[__builtin_ctz(down)], to, stride_bytes);                   \
        return wrong;                                                                              \
    }

REDUCE_OF(4, 2)
REDUCE_OF(8, 4)
REDUCE_OF(8, 8)

static uint32_t reduce_any(struct img_jpeg_reduction reduction, const int16_t *blocks, size_t step,
                           uint32_t count, const uint16_t *quant, uint8_t *to, size_t stride_bytes)
{
    const float(*across_basis)[8] = basis[__builtin_ctz(reduction.across)];
    const float(*down_basis)[8] = basis[__builtin_ctz(reduction.down)];
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < count; i++, blocks += step, to += reduction.across)
        wrong |= reduce_block(blocks, quant, reduction.across, reduction.down, across_basis,
                              down_basis, to, stride_bytes);
    return wrong;
}

bool img_jpeg_reduce(struct img_jpeg_reduction reduction, const int16_t *blocks, uint32_t count,
                     const uint16_t *quant, uint8_t *to, size_t stride_bytes)
{
    const size_t step = img_jpeg_reduction_step(reduction);
    switch (reduction.across * 10 + reduction.down) {
    case 11:
        return reduce_1x1(blocks, count, (int16_t)quant[0], to) == 0;
    case 12:
        return reduce_1x2(blocks, step, count, quant, to, stride_bytes) == 0;
    case 21:
        return reduce_2x1(blocks, step, count, quant, to) == 0;
    case 22:
        return reduce_2x2(blocks, step, count, quant, to, stride_bytes) == 0;
    case 42:
        return reduce_4x2(blocks, step, count, quant, to, stride_bytes) == 0;
    case 44:
        return reduce_4x4(blocks, step, count, quant, to, stride_bytes) == 0;
    case 84:
        return reduce_8x4(blocks, step, count, quant, to, stride_bytes) == 0;
    case 88:
        return reduce_8x8(blocks, step, count, quant, to, stride_bytes) == 0;
    default:
        return reduce_any(reduction, blocks, step, count, quant, to, stride_bytes) == 0;
    }
}
