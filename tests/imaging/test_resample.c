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

static struct sample resampled(struct img_resampler *resampler, const struct sample *source,
                               double area_width, double area_height, uint32_t width,
                               uint32_t height, uint32_t rows_at_once)
{
    const struct img_resample_spec spec = {
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
    uint8_t *rows = malloc(stride * rows_at_once);
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
    free(rows);
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
    {"wider than a block", 600, 20, 600, 20, 200, 7, 20},
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

static void a_copy_is_exact(void **state)
{
    (void)state;
    struct img_resampler resampler = {0};
    struct sample source = sample_photo(119, 87, 3, 8);
    struct sample got = resampled(&resampler, &source, 119, 87, 119, 87, 4);
    assert_int_equal(sample_difference(&got, &source), 0);
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
        TEST(a_copy_is_exact),
        TEST(even_colour_stays_as_it_is_up_to_the_edges),
        TEST(a_mirrored_picture_gives_the_mirrored_thumbnail),
        TEST(the_centre_of_a_ramp_does_not_move),
        TEST(transparent_pixels_lend_no_colour_to_others),
        TEST(pieces_and_earlier_pictures_do_not_change_the_result),
        TEST(missing_rows_are_noticed_and_surplus_rows_ignored),
    };
    return test_run("resample", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
