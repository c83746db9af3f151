#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <imaging/resample_priv.h>

#include "isolate.h"
#include "samples.h"

/* ---- The reference: the definition, in doubles, pixel by pixel ---- */

static double sinc(double x)
{
    return fabs(x) < 1e-12 ? 1 : sin(M_PI * x) / (M_PI * x);
}

/* The weight of source pixel i for destination pixel d. */
static double weight(uint32_t i, uint32_t d, double area, uint32_t count)
{
    const double step = area / count;
    const double scale = step > 1 ? step : 1;
    const double covered = fmin(1, area - i);
    if (covered <= 0)
        return 0;
    const double x = (i + covered / 2 - (d + 0.5) * step) / scale;
    return fabs(x) < 3 ? covered * sinc(x) * sinc(x / 3) : 0;
}

/* One direction; planes of doubles, line by line. */
static double *shrink_lines(const double *from, size_t lines, size_t line_step, uint32_t length,
                            size_t pixel_step, double area, uint32_t count, size_t to_line_step,
                            size_t to_pixel_step, double *to)
{
    for (uint32_t d = 0; d < count; d++) {
        double sum = 0;
        for (uint32_t i = 0; i < length; i++)
            sum += weight(i, d, area, count);
        for (size_t line = 0; line < lines; line++) {
            double value = 0;
            for (uint32_t i = 0; i < length; i++)
                value += weight(i, d, area, count) * from[line * line_step + i * pixel_step];
            to[line * to_line_step + d * to_pixel_step] = value / sum;
        }
    }
    return to;
}

static bool has_alpha(unsigned channels)
{
    return channels == 2 || channels == 4;
}

static struct sample reference(const struct sample *source, double area_width, double area_height,
                               uint32_t width, uint32_t height)
{
    const double full = source->depth == 16 ? 65535 : 255;
    const unsigned n = source->channels;
    const size_t pixels = (size_t)source->width * source->height;
    struct sample result = sample_new(width, height, n, 8);
    double *out = calloc((size_t)width * height * n, sizeof(double));
    for (unsigned c = 0; c < n; c++) {
        double *plane = calloc(pixels, sizeof(double));
        double *narrow = calloc((size_t)width * source->height, sizeof(double));
        double *small = calloc((size_t)width * height, sizeof(double));
        for (size_t i = 0; i < pixels; i++) {
            plane[i] = source->samples[i * n + c] / full * 255;
            if (has_alpha(n) && c + 1 < n)
                plane[i] *= source->samples[i * n + n - 1] / full;
        }
        shrink_lines(plane, source->height, source->width, source->width, 1, area_width, width,
                     width, 1, narrow);
        shrink_lines(narrow, width, 1, source->height, width, area_height, height, 1, width, small);
        for (size_t i = 0; i < (size_t)width * height; i++)
            out[i * n + c] = small[i];
        free(plane), free(narrow), free(small);
    }
    for (size_t i = 0; i < (size_t)width * height * n; i++) {
        double value = out[i];
        if (has_alpha(n) && i % n + 1 < n) {
            const double alpha = out[i - i % n + n - 1];
            value = alpha < 0.5 ? 0 : value * 255 / alpha;
        }
        result.samples[i] = (uint16_t)(fmin(fmax(value, 0), 255) + 0.5);
    }
    free(out);
    return result;
}

/* ---- The library's, fed in pieces of rows_at_once ---- */

static const enum img_layout layouts[] = {[1] = IMG_LAYOUT_GRAY,
                                          [2] = IMG_LAYOUT_GRAY_ALPHA,
                                          [3] = IMG_LAYOUT_RGB,
                                          [4] = IMG_LAYOUT_RGB_ALPHA};

/* NULL: the best that this machine has. */
static const struct img_row_loops *forced_loops;

/* How far rows are moved off their natural places, in bytes. */
static size_t rows_skew;

static struct sample resampled(struct img_resampler *resampler, const struct sample *source,
                               double area_width, double area_height, uint32_t width,
                               uint32_t height, uint32_t rows_at_once)
{
    const struct img_resample_spec spec = {
        .loops = forced_loops,
        .source_width_px = source->width,
        .source_height_px = source->height,
        .area_width_px = area_width,
        .area_height_px = area_height,
        .layout = layouts[source->channels],
        .depth_bits = source->depth,
        .width_px = width,
        .height_px = height,
    };
    const size_t count = (size_t)width * height * source->channels;
    uint8_t *result = malloc(count);
    assert_int_equal(img_resample_begin(resampler, &spec, result), 0);

    const size_t row_samples = (size_t)source->width * source->channels;
    const size_t stride = row_samples * (source->depth / 8) + 2; /* rows may be padded */
    uint8_t *room = malloc(stride * rows_at_once + rows_skew);
    uint8_t *rows = room + rows_skew;
    for (uint32_t y = 0; y < source->height; y += rows_at_once) {
        assert_false(img_resample_is_complete(resampler));
        uint32_t n = source->height - y < rows_at_once ? source->height - y : rows_at_once;
        for (uint32_t i = 0; i < n; i++) {
            const uint16_t *from = sample_at(source, 0, y + i);
            if (source->depth == 16)
                memcpy(rows + i * stride, from, row_samples * 2);
            else
                for (size_t s = 0; s < row_samples; s++)
                    rows[i * stride + s] = (uint8_t)from[s];
        }
        img_resample_rows(resampler, rows, stride, n);
    }
    assert_true(img_resample_is_complete(resampler));
    struct sample sample = sample_new(width, height, source->channels, 8);
    for (size_t i = 0; i < count; i++)
        sample.samples[i] = result[i];
    free(room);
    free(result);
    return sample;
}

static const struct {
    const char *label;
    uint32_t width, height;
    double area_width, area_height;
    uint32_t to_width, to_height;
    uint32_t rows_at_once;
} cases[] = {
    {"an even half", 64, 48, 64, 48, 32, 24, 1},
    {"odd sides", 101, 67, 101, 67, 33, 22, 3},
    {"a large factor", 331, 257, 331, 257, 9, 7, 16},
    {"a small factor", 97, 89, 97, 89, 90, 83, 8},
    {"a raster shrunk eight times", 63, 47, 62.125, 46.875, 31, 23, 5},
    {"an area just over a pixel's edge", 41, 41, 40.125, 40.125, 20, 20, 7},
    {"one column", 1, 90, 1, 90, 1, 30, 4},
    {"one row", 90, 1, 90, 1, 30, 1, 1},
    {"to one pixel", 57, 43, 57, 43, 1, 1, 9},
    {"a copy", 33, 21, 33, 21, 33, 21, 2},
    {"across only", 80, 30, 80, 30, 25, 30, 6},
    {"down only", 30, 80, 30, 80, 30, 25, 11},
    {"wider than a block", 1300, 20, 1300, 20, 200, 7, 20},
    {"a size larger than its source", 31, 23, 30.5, 22.5, 61, 45, 4},
    {"batches and pieces of them", 33, 100, 33, 100, 16, 49, 33},
};

static void it_agrees_with_the_definition_for_all_shapes(void **state)
{
    (void)state;
    struct img_resampler resampler = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (unsigned channels = 1; channels <= 4; channels++)
            for (unsigned depth = 8; depth <= 16; depth += 8) {
                struct sample source =
                    sample_photo(cases[i].width, cases[i].height, channels, depth);
                struct sample expected =
                    reference(&source, cases[i].area_width, cases[i].area_height, cases[i].to_width,
                              cases[i].to_height);
                struct sample got =
                    resampled(&resampler, &source, cases[i].area_width, cases[i].area_height,
                              cases[i].to_width, cases[i].to_height, cases[i].rows_at_once);
                if (sample_difference(&got, &expected) > 1)
                    fail_msg("%s, %u channels of %u bits: %u off", cases[i].label, channels, depth,
                             sample_difference(&got, &expected));
                sample_free(&source), sample_free(&expected), sample_free(&got);
            }
    img_resample_done(&resampler);
}

static void every_variant_gives_the_same_bytes(void **state)
{
    (void)state;
    struct img_resampler portable = {0}, other = {0};
    unsigned last = 0;
    while (img_row_loops_at(last + 1))
        last++;
    assert_string_equal(img_row_loops_at(last)->name, "portable");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (unsigned channels = 1; channels <= 4; channels++)
            for (unsigned depth = 8; depth <= 16; depth += 8) {
                struct sample source =
                    sample_photo(cases[i].width, cases[i].height, channels, depth);
                forced_loops = img_row_loops_at(last);
                rows_skew = 0;
                struct sample expected =
                    resampled(&portable, &source, cases[i].area_width, cases[i].area_height,
                              cases[i].to_width, cases[i].to_height, cases[i].rows_at_once);
                for (unsigned v = 0; v < last; v++) {
                    forced_loops = img_row_loops_at(v);
                    rows_skew = v + 1;
                    struct sample got =
                        resampled(&other, &source, cases[i].area_width, cases[i].area_height,
                                  cases[i].to_width, cases[i].to_height, 40);
                    if (sample_difference(&got, &expected) > 0)
                        fail_msg("%s, %s, %u channels of %u bits", forced_loops->name,
                                 cases[i].label, channels, depth);
                    sample_free(&got);
                }
                sample_free(&source), sample_free(&expected);
            }
    forced_loops = NULL;
    rows_skew = 0;
    img_resample_done(&portable);
    img_resample_done(&other);
}

static void the_machines_own_loops_come_first(void **state)
{
    (void)state;
    const char *name = img_row_loops_at(0)->name;
#if defined(__aarch64__) && defined(__ARM_NEON) && !defined(__AARCH64EB__)
    assert_string_equal(name, "neon");
#elif defined(__x86_64__)
    if (strcmp(name, "avx2") != 0)
        assert_string_equal(name, "sse2");
#else
    assert_string_equal(name, "portable");
#endif
}

/* Each loop by itself, at odd places and lengths, with numbers as large as they may be. */
static void every_variant_of_each_loop_agrees(void **state)
{
    (void)state;
    enum { N = 150, ROOM = N + IMG_ROWS_SLACK };
    static uint8_t bytes[2 * ROOM];
    static uint16_t words[2 * ROOM];
    static uint32_t pairs[IMG_ROWS_PAIRS * ROOM];
    int16_t weights[2 * IMG_ROWS_PAIRS];
    uint32_t random = 1;
    for (size_t i = 0; i < 2 * ROOM; i++) {
        random = random * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(random >> 24);
        words[i] = (uint16_t)(random >> 16);
    }
    for (size_t i = 0; i < 2 * IMG_ROWS_PAIRS; i++)
        weights[i] = i % 3 == 0 ? INT16_MAX : i % 3 == 1 ? -3000 : INT16_MIN;
    unsigned last = 0;
    while (img_row_loops_at(last + 1))
        last++;
    const struct img_row_loops *portable = img_row_loops_at(last);
    for (size_t i = 0; i < IMG_ROWS_PAIRS; i++)
        portable->pair_16(pairs + i * ROOM, words + i, words + ROOM - i, N);
    for (unsigned v = 0; v < last; v++)
        for (size_t count = 1; count < N - 8; count += count < 40 ? 1 : 7) {
            const struct img_row_loops *loops = img_row_loops_at(v);
            uint32_t to[2][ROOM] = {0};
            int32_t sums[2][ROOM] = {0};
            int16_t narrow[2][ROOM] = {0};
            const size_t skew = count % 5;
            portable->pair_8(to[0], bytes + skew, bytes + ROOM, count);
            loops->pair_8(to[1], bytes + skew, bytes + ROOM, count);
            assert_memory_equal(to[0], to[1], count * sizeof(uint32_t));
            portable->pair_16(to[0], words + skew, words + ROOM, count);
            loops->pair_16(to[1], words + skew, words + ROOM, count);
            assert_memory_equal(to[0], to[1], count * sizeof(uint32_t));
            for (unsigned n = 1; n <= IMG_ROWS_PAIRS; n++)
                for (int fresh = n % 2; fresh >= 0; fresh--) {
                    portable->add(sums[0], pairs + skew, ROOM, weights, n, count, fresh);
                    loops->add(sums[1], pairs + skew, ROOM, weights, n, count, fresh);
                    assert_memory_equal(sums[0], sums[1], count * sizeof(int32_t));
                }
            for (unsigned bits = 1; bits < 24; bits++) {
                portable->narrow(narrow[0], sums[0], count, bits);
                loops->narrow(narrow[1], sums[1], count, bits);
                assert_memory_equal(narrow[0], narrow[1], count * sizeof(int16_t));
            }
        }
}

/* Results with their fraction, gray: nearer to the reference than bytes, and may overshoot. */
static void wide_results_have_six_bits_more(void **state)
{
    (void)state;
    struct img_resampler resampler = {0};
    uint8_t rows[101 * 67];
    int16_t wide[2][37 * 23];
    for (size_t i = 0; i < sizeof(rows); i++)
        rows[i] = i % 101 < 50 ? 255 : (uint8_t)(i * 7);
    struct img_resample_spec spec = {.source_width_px = 101,
                                     .source_height_px = 67,
                                     .area_width_px = 101,
                                     .area_height_px = 67,
                                     .layout = IMG_LAYOUT_GRAY,
                                     .depth_bits = 8,
                                     .width_px = 37,
                                     .height_px = 23};
    uint8_t bytes[37 * 23];
    assert_int_equal(img_resample_begin(&resampler, &spec, bytes), 0);
    img_resample_rows(&resampler, rows, 101, 67);
    spec.wide = true;
    for (unsigned v = 0; img_row_loops_at(v); v++) {
        spec.loops = img_row_loops_at(v);
        assert_int_equal(img_resample_begin(&resampler, &spec, (uint8_t *)wide[v > 0]), 0);
        img_resample_rows(&resampler, rows, 101, 67);
        assert_true(img_resample_is_complete(&resampler));
        assert_memory_equal(wide[0], wide[v > 0], sizeof(wide[0]));
    }
    unsigned over = 0;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        const double value = fmin(fmax((double)wide[0][i] / 64, 0), 255);
        assert_true(fabs(value - bytes[i]) <= 0.51);
        over += wide[0][i] > 255 * 64;
    }
    assert_true(over > 0);
    img_resample_done(&resampler);
}

/* What a JPEG at 1/8 is: means of 8 by 8 pixels. The thumbnail should be that of the pixels. */
static void means_are_taken_back_to_what_they_are_means_of(void **state)
{
    (void)state;
    enum { FULL = 400, COARSE = FULL / 8, SMALL = 28 };
    struct img_resampler resampler = {0};
    static uint8_t full[FULL * FULL], coarse[COARSE * COARSE];
    static uint8_t results[3][SMALL * SMALL];
    for (size_t i = 0; i < sizeof(full); i++)
        full[i] = (uint8_t)(128.5 + 50 * cos((double)(i % FULL) / 6.5) +
                            50 * cos((double)(i / FULL) / 7.5));
    for (size_t i = 0; i < sizeof(coarse); i++) {
        unsigned sum = 32;
        for (size_t k = 0; k < 64; k++)
            sum += full[(i / COARSE * 8 + k / 8) * FULL + i % COARSE * 8 + k % 8];
        coarse[i] = (uint8_t)(sum / 64);
    }
    for (int i = 0; i < 3; i++) {
        const uint32_t side = i == 0 ? FULL : COARSE;
        const struct img_resample_spec spec = {.source_width_px = side,
                                               .source_height_px = side,
                                               .area_width_px = side,
                                               .area_height_px = side,
                                               .sharpen_width = i == 2 ? 1 / 24.0 : 0,
                                               .sharpen_height = i == 2 ? 1 / 24.0 : 0,
                                               .layout = IMG_LAYOUT_GRAY,
                                               .depth_bits = 8,
                                               .width_px = SMALL,
                                               .height_px = SMALL};
        assert_int_equal(img_resample_begin(&resampler, &spec, results[i]), 0);
        img_resample_rows(&resampler, i == 0 ? full : coarse, side, side);
        assert_true(img_resample_is_complete(&resampler));
    }
    double as_pixels = 0, as_means = 0;
    for (size_t i = 0; i < sizeof(results[0]); i++) {
        as_pixels += pow(results[1][i] - results[0][i], 2);
        as_means += pow(results[2][i] - results[0][i], 2);
    }
    assert_true(as_means < as_pixels / 4);

    memset(coarse, 77, sizeof(coarse)); /* and even colour is left alone, up to the edges */
    const struct img_resample_spec spec = {.source_width_px = COARSE,
                                           .source_height_px = COARSE,
                                           .area_width_px = COARSE - 0.375,
                                           .area_height_px = COARSE - 0.875,
                                           .sharpen_width = 1 / 24.0,
                                           .sharpen_height = -1 / 16.0,
                                           .layout = IMG_LAYOUT_GRAY,
                                           .depth_bits = 8,
                                           .width_px = SMALL,
                                           .height_px = SMALL};
    assert_int_equal(img_resample_begin(&resampler, &spec, results[0]), 0);
    img_resample_rows(&resampler, coarse, COARSE, COARSE);
    for (size_t i = 0; i < sizeof(results[0]); i++)
        assert_int_equal(results[0][i], 77);
    img_resample_done(&resampler);
}

static void a_copy_is_exact(void **state)
{
    (void)state;
    struct img_resampler resampler = {0};
    struct sample source = sample_photo(119, 87, 3, 8);
    struct sample got = resampled(&resampler, &source, 119, 87, 119, 87, 4);
    assert_int_equal(sample_difference(&got, &source), 0);
    sample_free(&source), sample_free(&got);
    source = sample_photo(119, 87, 1, 16); /* to the nearest */
    got = resampled(&resampler, &source, 119, 87, 119, 87, 9);
    for (size_t i = 0; i < 119 * 87; i++)
        assert_int_equal(got.samples[i], (source.samples[i] + 128) / 257);
    sample_free(&source), sample_free(&got);
    img_resample_done(&resampler);
}

static void even_colour_stays_as_it_is_up_to_the_edges(void **state)
{
    (void)state;
    struct img_resampler resampler = {0};
    static const uint16_t levels[] = {0, 1, 127, 254, 255};
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        struct sample source = sample_new(203, 151, 3, 8);
        for (size_t s = 0; s < 203 * 151 * 3; s++)
            source.samples[s] = levels[i];
        struct sample got = resampled(&resampler, &source, 202.375, 150.125, 40, 30, 8);
        for (size_t s = 0; s < 40 * 30 * 3; s++)
            assert_int_equal(got.samples[s], levels[i]);
        sample_free(&source), sample_free(&got);
    }
    img_resample_done(&resampler);
}

static void a_mirrored_picture_gives_the_mirrored_thumbnail(void **state)
{
    (void)state;
    struct img_resampler resampler = {0};
    struct sample source = sample_photo(230, 171, 3, 8);
    struct sample turned = sample_stored_as(&source, 3);
    struct sample small = resampled(&resampler, &source, 230, 171, 61, 47, 8);
    struct sample small_turned = resampled(&resampler, &turned, 230, 171, 61, 47, 8);
    struct sample back = sample_stored_as(&small_turned, 3);
    assert_true(sample_difference(&small, &back) <= 1);
    sample_free(&source), sample_free(&turned), sample_free(&small);
    sample_free(&small_turned), sample_free(&back);
    img_resample_done(&resampler);
}

static void the_centre_of_a_ramp_does_not_move(void **state)
{
    (void)state;
    struct img_resampler resampler = {0};
    static const double areas[] = {500, 499.5, 499.125};
    for (size_t i = 0; i < sizeof(areas) / sizeof(areas[0]); i++) {
        struct sample ramp = sample_new(500, 500, 1, 16);
        for (uint32_t y = 0; y < 500; y++)
            for (uint32_t x = 0; x < 500; x++)
                *sample_at(&ramp, x, y) = (uint16_t)(60 * x + 60 * y);
        struct sample got = resampled(&resampler, &ramp, areas[i], areas[i], 50, 50, 8);
        for (uint32_t at = 10; at < 40; at++) { /* the value of a ramp is the place it is taken */
            const double place = (at + 0.5) * areas[i] / 50 - 0.5;
            const double value = 2 * 60 * place / 257;
            assert_true(fabs(*sample_at(&got, at, at) - value) <= 0.51);
        }
        sample_free(&ramp), sample_free(&got);
    }
    img_resample_done(&resampler);
}

static void transparent_pixels_lend_no_colour_to_others(void **state)
{
    (void)state;
    struct img_resampler resampler = {0};
    struct sample source = sample_new(200, 100, 4, 8); /* opaque red beside invisible green */
    for (uint32_t y = 0; y < 100; y++)
        for (uint32_t x = 0; x < 200; x++) {
            const uint16_t red[4] = {200, 0, 0, 255}, green[4] = {0, 255, 0, 0};
            memcpy(sample_at(&source, x, y), x < 100 ? red : green, sizeof(red));
        }
    struct sample got = resampled(&resampler, &source, 200, 100, 27, 13, 8);
    unsigned seen_half = 0;
    for (uint32_t x = 0; x < 27; x++) {
        const uint16_t *pixel = sample_at(&got, x, 6);
        assert_int_equal(pixel[1], 0);
        if (pixel[3] > 2)
            assert_in_range(pixel[0], 199, 201);
        seen_half += pixel[3] > 60 && pixel[3] < 200;
    }
    assert_true(seen_half > 0);
    sample_free(&source), sample_free(&got);
    img_resample_done(&resampler);
}

static void opaque_pixels_are_as_those_without_alpha(void **state)
{
    (void)state;
    struct img_resampler resampler = {0};
    for (unsigned depth = 8; depth <= 16; depth += 8) {
        struct sample opaque = sample_photo(211, 97, 4, depth);
        struct sample plain = sample_new(211, 97, 3, depth);
        for (size_t i = 0; i < 211 * 97; i++) {
            opaque.samples[i * 4 + 3] = depth == 8 ? 255 : 65535;
            memcpy(plain.samples + i * 3, opaque.samples + i * 4, 3 * sizeof(uint16_t));
        }
        struct sample with = resampled(&resampler, &opaque, 211, 97, 71, 33, 8);
        struct sample without = resampled(&resampler, &plain, 211, 97, 71, 33, 8);
        for (size_t i = 0; i < 71 * 33; i++) {
            assert_int_equal(with.samples[i * 4 + 3], 255);
            for (unsigned c = 0; c < 3; c++)
                assert_int_equal(with.samples[i * 4 + c], without.samples[i * 3 + c]);
        }
        sample_free(&opaque), sample_free(&plain), sample_free(&with), sample_free(&without);
    }
    img_resample_done(&resampler);
}

/* The first row with such a pixel is anywhere in a batch, with sums finished and unfinished. */
static void transparency_may_begin_in_any_row(void **state)
{
    (void)state;
    struct img_resampler resampler = {0};
    for (unsigned depth = 8; depth <= 16; depth += 8)
        for (uint32_t first = 0; first < 70; first += first < 20 ? 1 : 7) {
            struct sample source = sample_photo(45, 70, 4, depth);
            const uint32_t clear = first * 45 + first % 45; /* opaque up to this pixel */
            for (size_t i = 0; i < clear; i++)
                source.samples[i * 4 + 3] = depth == 8 ? 255 : 65535;
            source.samples[clear * 4 + 3] = 0;
            struct sample expected = reference(&source, 45, 70, 19, 29);
            struct sample got = resampled(&resampler, &source, 45, 70, 19, 29, 5);
            if (sample_difference(&got, &expected) > 1)
                fail_msg("row %u, %u bits: %u off", first, depth,
                         sample_difference(&got, &expected));
            for (unsigned v = 0; img_row_loops_at(v); v++) {
                forced_loops = img_row_loops_at(v);
                struct sample other = resampled(&resampler, &source, 45, 70, 19, 29, 9);
                assert_int_equal(sample_difference(&got, &other), 0);
                sample_free(&other);
            }
            forced_loops = NULL;
            sample_free(&source), sample_free(&expected), sample_free(&got);
        }
    img_resample_done(&resampler);
}

static void pieces_and_earlier_pictures_do_not_change_the_result(void **state)
{
    (void)state;
    struct sample source = sample_photo(301, 233, 3, 8);
    struct img_resampler fresh = {0}, used = {0};
    struct sample whole = resampled(&fresh, &source, 300.5, 232.125, 77, 60, 233);
    for (uint32_t rows_at_once = 1; rows_at_once < 40; rows_at_once += 3) {
        struct sample other = sample_photo(40 + rows_at_once, 90, 4, 16);
        struct sample ignored = resampled(&used, &other, 30, 80, 20, 20, 3);
        struct sample got = resampled(&used, &source, 300.5, 232.125, 77, 60, rows_at_once);
        assert_int_equal(sample_difference(&got, &whole), 0);
        sample_free(&other), sample_free(&ignored), sample_free(&got);
    }
    sample_free(&source), sample_free(&whole);
    img_resample_done(&fresh);
    img_resample_done(&used);
}

static void missing_rows_are_noticed_and_surplus_rows_ignored(void **state)
{
    (void)state;
    const struct img_resample_spec spec = {.source_width_px = 10,
                                           .source_height_px = 20,
                                           .area_width_px = 10,
                                           .area_height_px = 20,
                                           .layout = IMG_LAYOUT_GRAY,
                                           .depth_bits = 8,
                                           .width_px = 5,
                                           .height_px = 10};
    struct img_resampler resampler = {0};
    uint8_t result[50], rows[10 * 30] = {0};
    assert_int_equal(img_resample_begin(&resampler, &spec, result), 0);
    img_resample_rows(&resampler, rows, 10, 19);
    assert_false(img_resample_is_complete(&resampler));
    img_resample_rows(&resampler, rows, 10, 30);
    assert_true(img_resample_is_complete(&resampler));
    img_resample_done(&resampler);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST_LONG(it_agrees_with_the_definition_for_all_shapes, 120000),
        TEST(the_machines_own_loops_come_first),
        TEST_LONG(every_variant_gives_the_same_bytes, 120000),
        TEST(every_variant_of_each_loop_agrees),
        TEST(wide_results_have_six_bits_more),
        TEST(means_are_taken_back_to_what_they_are_means_of),
        TEST(a_copy_is_exact),
        TEST(even_colour_stays_as_it_is_up_to_the_edges),
        TEST(a_mirrored_picture_gives_the_mirrored_thumbnail),
        TEST(the_centre_of_a_ramp_does_not_move),
        TEST(transparent_pixels_lend_no_colour_to_others),
        TEST(opaque_pixels_are_as_those_without_alpha),
        TEST(transparency_may_begin_in_any_row),
        TEST(pieces_and_earlier_pictures_do_not_change_the_result),
        TEST(missing_rows_are_noticed_and_surplus_rows_ignored),
    };
    return test_run("resample", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
