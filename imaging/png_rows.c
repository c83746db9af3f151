/* png_rows.c: PNG's five filters undone in vectors of eight 16-bit lanes.
 *
 * Average and Paeth need the pixel to the left before the next one can begin: what counts is how
 * many steps lie between two pixels, not how many bytes a vector holds. So the lanes hold a pixel
 * of one row and, where the row below has the same filter, a pixel of that row in the other half,
 * one to the left: all that it needs is there by then. Both come for the price of one. Of four such
 * rows, two pairs go on at once, as the processor has time for both.
 *
 * Paeth's choice needs no distances. With t = 3c - (a + b): where a and b are not above t, c is not
 * below both, and the lesser of them is nearest; where they are not below t, the greater; else c.
 * Ties come out as the standard wants; a test compares all 2^24 triples.
 *
 * The vectors are the compiler's own: SSE2, NEON or plain C give the same bytes. */
#include "png_rows_priv.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

typedef int16_t lanes __attribute__((vector_size(16)));
typedef uint8_t octets __attribute__((vector_size(8)));
typedef uint8_t bytes16 __attribute__((vector_size(16)));
typedef uint64_t halves __attribute__((vector_size(16)));

/* What the compiler's vectors lack, or make slow. */
#if defined(__SSE2__)
static inline lanes widen(octets narrow)
{
    const __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)&narrow);
    return (lanes)_mm_unpacklo_epi8(bytes, _mm_setzero_si128());
}

static inline octets narrow(lanes wide)
{
    octets bytes;
    _mm_storel_epi64((__m128i *)(void *)&bytes, _mm_packus_epi16((__m128i)wide, (__m128i)wide));
    return bytes;
}

static inline lanes load_two(const uint8_t *low, const uint8_t *high)
{
    int bytes[2];
    memcpy(&bytes[0], low, 4);
    memcpy(&bytes[1], high, 4);
    const __m128i pair =
        _mm_unpacklo_epi32(_mm_cvtsi32_si128(bytes[0]), _mm_cvtsi32_si128(bytes[1]));
    return (lanes)_mm_unpacklo_epi8(pair, _mm_setzero_si128());
}

static inline lanes lesser_of(lanes a, lanes b)
{
    return (lanes)_mm_min_epi16((__m128i)a, (__m128i)b);
}

static inline lanes greater_of(lanes a, lanes b)
{
    return (lanes)_mm_max_epi16((__m128i)a, (__m128i)b);
}
#elif defined(__ARM_NEON)
static inline lanes lesser_of(lanes a, lanes b)
{
    return (lanes)vminq_s16((int16x8_t)a, (int16x8_t)b);
}

static inline lanes greater_of(lanes a, lanes b)
{
    return (lanes)vmaxq_s16((int16x8_t)a, (int16x8_t)b);
}
#else
static inline lanes lesser_of(lanes a, lanes b)
{
    const lanes is_less = a < b;
    return (a & is_less) | (b & ~is_less);
}

static inline lanes greater_of(lanes a, lanes b)
{
    const lanes is_greater = a > b;
    return (a & is_greater) | (b & ~is_greater);
}

#endif

#if !defined(__SSE2__)
static inline lanes widen(octets narrow)
{
    return __builtin_convertvector(narrow, lanes);
}

static inline octets narrow(lanes wide)
{
    return __builtin_convertvector(wide, octets);
}

static inline lanes load_two(const uint8_t *low, const uint8_t *high)
{
    octets pixels;
    memcpy(&pixels, low, 4);
    memcpy((uint8_t *)&pixels + 4, high, 4);
    return widen(pixels);
}
#endif

static inline lanes load(const uint8_t *from, unsigned bytes)
{
    octets pixel = {0};
    memcpy(&pixel, from, bytes);
    return widen(pixel);
}

static inline void store(uint8_t *to, lanes pixel, unsigned bytes)
{
    const octets bytes_of = narrow(pixel);
    memcpy(to, &bytes_of, bytes);
}

/* Modulo 256, for lanes from 0 to 255: their upper bytes are zero and stay so. */
static inline lanes add(lanes x, lanes predicted)
{
    return (lanes)((bytes16)x + (bytes16)predicted);
}

static inline lanes average(lanes a, lanes b)
{
    return (a + b) >> 1;
}

static inline lanes paeth(lanes a, lanes b, lanes c)
{
    const lanes threshold = (c + c + c - a) - b; /* of two rows, b comes last */
    const lanes lesser = lesser_of(a, b);
    const lanes greater = greater_of(a, b);
    const lanes not_lesser = greater > threshold;
    const lanes not_greater = threshold > lesser;
    return (lesser & ~not_lesser) | (greater & ~not_greater) | (c & not_lesser & not_greater);
}

/* bytes: of a pixel; wide: what to load and store, which may reach into the next pixel, whose turn
 * comes later. */
static inline __attribute__((always_inline)) void
sub_row(uint8_t *row, const uint8_t *filtered, size_t row_bytes, unsigned bytes, unsigned wide)
{
    octets a = {0};
    for (size_t at = 0; at < row_bytes; at += bytes) {
        octets x = {0};
        memcpy(&x, filtered + at, wide);
        a += x;
        memcpy(row + at, &a, wide);
    }
}

static inline __attribute__((always_inline)) void average_row(uint8_t *row, const uint8_t *filtered,
                                                              const uint8_t *above,
                                                              size_t row_bytes, unsigned bytes,
                                                              unsigned wide)
{
    lanes a = {0};
    for (size_t at = 0; at < row_bytes; at += bytes) {
        a = add(load(filtered + at, wide), average(a, load(above + at, wide)));
        store(row + at, a, wide);
    }
}

static inline __attribute__((always_inline)) void paeth_row(uint8_t *row, const uint8_t *filtered,
                                                            const uint8_t *above, size_t row_bytes,
                                                            unsigned bytes, unsigned wide)
{
    lanes a = {0}, c = {0};
    for (size_t at = 0; at < row_bytes; at += bytes) {
        const lanes b = load(above + at, wide);
        a = add(load(filtered + at, wide), paeth(a, b, c));
        c = b;
        store(row + at, a, wide);
    }
}

static void up_row(uint8_t *restrict row, const uint8_t *restrict filtered,
                   const uint8_t *restrict above, size_t row_bytes)
{
    for (size_t i = 0; i < row_bytes; i++)
        row[i] = (uint8_t)(filtered[i] + above[i]);
}

static inline __attribute__((always_inline)) void unfilter(unsigned filter, uint8_t *row,
                                                           const uint8_t *filtered,
                                                           const uint8_t *above, size_t row_bytes,
                                                           unsigned bytes, unsigned wide)
{
    if (filter == IMG_PNG_SUB)
        sub_row(row, filtered, row_bytes, bytes, wide);
    else if (filter == IMG_PNG_AVERAGE)
        average_row(row, filtered, above, row_bytes, bytes, wide);
    else
        paeth_row(row, filtered, above, row_bytes, bytes, wide);
}

bool img_png_unfilter(unsigned filter, uint8_t *row, const uint8_t *filtered, const uint8_t *above,
                      size_t row_bytes, unsigned pixel_bytes)
{
    if (filter > IMG_PNG_PAETH)
        return false;
    if (filter == IMG_PNG_NONE)
        memcpy(row, filtered, row_bytes);
    else if (filter == IMG_PNG_UP)
        up_row(row, filtered, above, row_bytes);
    else if (pixel_bytes == 1)
        unfilter(filter, row, filtered, above, row_bytes, 1, 1);
    else if (pixel_bytes == 2)
        unfilter(filter, row, filtered, above, row_bytes, 2, 2);
    else if (pixel_bytes == 3)
        unfilter(filter, row, filtered, above, row_bytes, 3, 4);
    else if (pixel_bytes == 4)
        unfilter(filter, row, filtered, above, row_bytes, 4, 4);
    else if (pixel_bytes == 6)
        unfilter(filter, row, filtered, above, row_bytes, 6, 8);
    else
        unfilter(filter, row, filtered, above, row_bytes, 8, 8);
    return true;
}

/* ---- Two rows, and four ---- */

#define LAG_PX 32

/* The lower half of low, and of high its lower half too. */
static inline lanes join(lanes low, lanes high)
{
    const halves both = {((halves)low)[0], ((halves)high)[0]};
    return (lanes)both;
}

static inline void store_two(uint8_t *low, uint8_t *high, lanes pixels)
{
    const octets bytes = narrow(pixels);
    memcpy(low, &bytes, 4);
    memcpy(high, (const uint8_t *)&bytes + 4, 4);
}

/* Two rows on their way: the lower lanes hold the last pixel of the upper row, the upper lanes the
 * one to the left of it of the lower row. Stores of four bytes spill over into pixels that are
 * written later, but for the last of a row, which spill into the slack. */
struct chain {
    uint8_t *row[2];
    const uint8_t *filtered[2];
    const uint8_t *above;
    lanes a; /* the pixels to the left, and in its lower lanes what the lower row's next is below */
    lanes c;
};

static inline __attribute__((always_inline)) lanes predicted(unsigned filter, lanes a, lanes b,
                                                             lanes c)
{
    return filter == IMG_PNG_PAETH ? paeth(a, b, c) : average(a, b);
}

/* The first pixel of the upper row. */
static inline __attribute__((always_inline)) struct chain
chain_begin(unsigned filter, uint8_t *const rows[2], const uint8_t *const filtered[2],
            const uint8_t *above)
{
    const lanes zero = {0};
    const lanes b = load(above, 4);
    const lanes first = add(load(filtered[0], 4), predicted(filter, zero, b, zero));
    store(rows[0], first, 4);
    return (struct chain){.row = {rows[0], rows[1]},
                          .filtered = {filtered[0], filtered[1]},
                          .above = above,
                          .a = join(first, zero),
                          .c = join(b, zero)};
}

/* The pixel at `at` of the upper row, and the one before it of the lower row. */
static inline __attribute__((always_inline)) void chain_step(struct chain *chain, unsigned filter,
                                                             size_t at, unsigned bytes)
{
    const lanes b = join(load(chain->above + at, 4), chain->a);
    const lanes x = load_two(chain->filtered[0] + at, chain->filtered[1] + at - bytes);
    chain->a = add(x, predicted(filter, chain->a, b, chain->c));
    chain->c = b;
    store_two(chain->row[0] + at, chain->row[1] + at - bytes, chain->a);
}

/* The last pixel of the lower row. */
static inline __attribute__((always_inline)) void chain_end(const struct chain *chain,
                                                            unsigned filter, size_t last)
{
    const lanes b = join((lanes){0}, chain->a);
    const lanes x = load_two(chain->filtered[1] + last, chain->filtered[1] + last);
    const octets end = narrow(add(x, predicted(filter, chain->a, b, chain->c)));
    memcpy(chain->row[1] + last, (const uint8_t *)&end + 4, 4);
}

static inline __attribute__((always_inline)) void two_rows(unsigned filter, uint8_t *const *rows,
                                                           const uint8_t *const *filtered,
                                                           const uint8_t *above, size_t row_bytes,
                                                           unsigned bytes)
{
    struct chain chain = chain_begin(filter, rows, filtered, above);
    for (size_t at = bytes; at < row_bytes; at += bytes)
        chain_step(&chain, filter, at, bytes);
    chain_end(&chain, filter, row_bytes - bytes);
}

/* Two chains, the second so far behind the first that what it reads of the first one's lower row
 * has left the processor's queue of stores. */
static inline __attribute__((always_inline)) void four_rows(unsigned filter, uint8_t *const *rows,
                                                            const uint8_t *const *filtered,
                                                            const uint8_t *above, size_t row_bytes,
                                                            unsigned bytes)
{
    const size_t lag = (size_t)LAG_PX * bytes;
    struct chain first = chain_begin(filter, rows, filtered, above);
    size_t at = bytes;
    for (; at <= lag; at += bytes)
        chain_step(&first, filter, at, bytes);
    struct chain second = chain_begin(filter, rows + 2, filtered + 2, rows[1]);
    for (; at < row_bytes; at += bytes) {
        chain_step(&first, filter, at, bytes);
        chain_step(&second, filter, at - lag, bytes);
    }
    chain_end(&first, filter, row_bytes - bytes);
    for (; at < row_bytes + lag; at += bytes)
        chain_step(&second, filter, at - lag, bytes);
    chain_end(&second, filter, row_bytes - bytes);
}

void img_png_unfilter_two(unsigned filter, uint8_t *const *rows, const uint8_t *const *filtered,
                          const uint8_t *above, size_t row_bytes, unsigned pixel_bytes)
{
    if (filter == IMG_PNG_PAETH && pixel_bytes == 3)
        two_rows(IMG_PNG_PAETH, rows, filtered, above, row_bytes, 3);
    else if (filter == IMG_PNG_PAETH)
        two_rows(IMG_PNG_PAETH, rows, filtered, above, row_bytes, 4);
    else if (pixel_bytes == 3)
        two_rows(IMG_PNG_AVERAGE, rows, filtered, above, row_bytes, 3);
    else
        two_rows(IMG_PNG_AVERAGE, rows, filtered, above, row_bytes, 4);
}

void img_png_unfilter_four(unsigned filter, uint8_t *const *rows, const uint8_t *const *filtered,
                           const uint8_t *above, size_t row_bytes, unsigned pixel_bytes)
{
    if (row_bytes <= 2 * (size_t)LAG_PX * pixel_bytes) {
        img_png_unfilter_two(filter, rows, filtered, above, row_bytes, pixel_bytes);
        img_png_unfilter_two(filter, rows + 2, filtered + 2, rows[1], row_bytes, pixel_bytes);
    } else if (filter == IMG_PNG_PAETH && pixel_bytes == 3) {
        four_rows(IMG_PNG_PAETH, rows, filtered, above, row_bytes, 3);
    } else if (filter == IMG_PNG_PAETH) {
        four_rows(IMG_PNG_PAETH, rows, filtered, above, row_bytes, 4);
    } else if (pixel_bytes == 3) {
        four_rows(IMG_PNG_AVERAGE, rows, filtered, above, row_bytes, 3);
    } else {
        four_rows(IMG_PNG_AVERAGE, rows, filtered, above, row_bytes, 4);
    }
}

/* ---- Expansion ---- */

bool img_png_expands(const struct img_png_expansion *expansion)
{
    return expansion->has_palette || expansion->adds_alpha || expansion->depth_bits < 8 ||
           (expansion->depth_bits == 16 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
}

/* Few bits, or a palette: each pixel is looked up. */
static inline __attribute__((always_inline)) void
table_expand(const struct img_png_expansion *expansion, uint8_t *to, const uint8_t *from,
             unsigned bits, unsigned to_bytes)
{
    const unsigned mask = (1u << bits) - 1;
    for (size_t x = 0; x < expansion->width_px; x++) {
        const size_t bit = x * bits;
        const unsigned index = from[bit / 8] >> (8 - bits - bit % 8) & mask;
        memcpy(to + x * to_bytes, expansion->palette[index], to_bytes);
    }
}

static inline __attribute__((always_inline)) void
depth_expand(const struct img_png_expansion *expansion, uint8_t *to, const uint8_t *from,
             unsigned bits)
{
    const bool alpha = expansion->adds_alpha;
    if (expansion->has_palette && alpha)
        table_expand(expansion, to, from, bits, 4);
    else if (expansion->has_palette)
        table_expand(expansion, to, from, bits, 3);
    else if (alpha)
        table_expand(expansion, to, from, bits, 2);
    else
        table_expand(expansion, to, from, bits, 1);
}

static void key_expand_8(const struct img_png_expansion *expansion, uint8_t *to,
                         const uint8_t *from)
{
    const unsigned channels = expansion->channels;
    for (size_t x = 0; x < expansion->width_px; x++) {
        bool is_key = true;
        for (unsigned i = 0; i < channels; i++) {
            to[i] = from[i];
            is_key = is_key && from[i] == (expansion->key[i] & 0xff);
        }
        to[channels] = is_key ? 0 : 0xff;
        from += channels;
        to += channels + 1;
    }
}

static void words_expand(const struct img_png_expansion *expansion, uint8_t *to,
                         const uint8_t *from)
{
    const unsigned channels = expansion->channels;
    const unsigned to_channels = channels + expansion->adds_alpha;
    uint16_t *words = (uint16_t *)(void *)to;
    if (!expansion->adds_alpha) {
        for (size_t i = 0; i < (size_t)expansion->width_px * channels; i++)
            words[i] = (uint16_t)(from[i * 2] << 8 | from[i * 2 + 1]);
        return;
    }
    for (size_t x = 0; x < expansion->width_px; x++) {
        bool is_key = true;
        for (unsigned i = 0; i < channels; i++) {
            words[i] = (uint16_t)(from[i * 2] << 8 | from[i * 2 + 1]);
            is_key = is_key && words[i] == expansion->key[i];
        }
        words[channels] = is_key ? 0 : UINT16_MAX;
        from += (size_t)channels * 2;
        words += to_channels;
    }
}

void img_png_expand(const struct img_png_expansion *expansion, uint8_t *to, const uint8_t *from)
{
    switch (expansion->depth_bits) {
    case 1:
        depth_expand(expansion, to, from, 1);
        break;
    case 2:
        depth_expand(expansion, to, from, 2);
        break;
    case 4:
        depth_expand(expansion, to, from, 4);
        break;
    case 16:
        words_expand(expansion, to, from);
        break;
    default:
        if (expansion->has_palette)
            depth_expand(expansion, to, from, 8);
        else
            key_expand_8(expansion, to, from);
        break;
    }
}
