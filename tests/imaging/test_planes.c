#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <imaging/encode_priv.h>
#include <imaging/jpeg_planes_priv.h>
#include <imaging/orient_priv.h>
#include <imaging/planes_priv.h>

#include "isolate.h"
#include "samples.h"
#include "thumbs.h"

static struct img_size size_of(uint32_t width, uint32_t height)
{
    return (struct img_size){width, height};
}

/* ---- Places ---- */

/* A raster of this size, as stored, that becomes these planes whole. */
static struct img_fitting whole(struct img_planar_raster *raster, uint32_t width, uint32_t height,
                                const struct img_planes *planes)
{
    raster->source_width_px = width;
    raster->source_height_px = height;
    return (struct img_fitting){.across = {0, width, planes->luma.width_px},
                                .down = {0, height, planes->luma.height_px}};
}

#define SLOPE 3.0 /* levels a pixel of the thumbnail */

/* A stored plane whose values rise along one axis of the upright picture, from 20 on; scale: its
 * samples for one pixel of the thumbnail, whose stored size is size. */
static uint8_t *ramp_plane(struct img_size size, uint32_t scale, int orientation, bool along_x)
{
    const uint32_t width = size.width_px * scale, height = size.height_px * scale;
    const struct img_flips flips = img_orientation_flips(orientation);
    const bool stored_x = along_x != img_orientation_swaps(orientation);
    uint8_t *plane = malloc((size_t)width * height);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++) {
            const uint32_t at =
                stored_x ? (flips.across ? width - 1 - x : x) : (flips.down ? height - 1 - y : y);
            plane[(size_t)y * width + x] = (uint8_t)(20 + SLOPE * (at + 0.5) / scale + 0.5);
        }
    return plane;
}

static double wide_value(const uint8_t *samples, size_t place)
{
    int16_t value;
    memcpy(&value, samples + place * sizeof(value), sizeof(value));
    return (double)value / (1 << IMG_ROWS_BETWEEN_BITS);
}

/* odd: the upright picture will lie at an odd place. */
static void check_places(struct img_size stored, int orientation, bool along_x, bool halved,
                         bool odd)
{
    const uint32_t scale = 4;
    uint8_t *source = ramp_plane(stored, scale, orientation, along_x);
    struct img_planes planes = img_planes_lay(stored, halved);
    struct img_planar_raster raster = {.plane_count = 3, .orientation = orientation};
    if (odd)
        img_planes_shift(&planes, orientation, along_x, !along_x);
    const struct img_plane plane = {.width_px = stored.width_px * scale,
                                    .height_px = stored.height_px * scale,
                                    .area_width_px = stored.width_px * scale,
                                    .area_height_px = stored.height_px * scale};
    struct img_resampler resampler = {0};
    const struct img_fitting fitting = whole(&raster, plane.width_px, plane.height_px, &planes);
    planes.samples = calloc(img_planes_bytes(&planes), 1);
    uint8_t *const first_room = planes.samples;
    for (unsigned i = 0; i < 3; i++) {
        raster.planes[i] = plane;
        const struct img_resample_spec spec = img_planes_spec(&planes, i, &raster, &fitting);
        assert_int_equal(img_resample_begin(&resampler, &spec, img_planes_at(&planes, i)), 0);
        img_resample_rows(&resampler, source, plane.width_px, plane.height_px);
        assert_true(img_resample_is_complete(&resampler));
    }
    struct img_buffer room = {0};
    if (halved) /* the others are turned as pixels */
        assert_int_equal(img_planes_orient(&planes, orientation, &room), 0);
    for (unsigned i = 0; i < 3; i++) {
        const struct img_size size = img_planes_size(&planes, i);
        const double step = i > 0 && halved ? 2 : 1;
        const uint32_t length = along_x ? size.width_px : size.height_px;
        for (uint32_t at = 4; at + 4 < length; at++) { /* the edges bend a ramp */
            const uint32_t x = along_x ? at : size.width_px / 2;
            const uint32_t y = along_x ? size.height_px / 2 : at;
            const size_t place = (size_t)y * size.width_px + x;
            const uint8_t *samples = img_planes_at(&planes, i);
            const double value = halved ? samples[place] : wide_value(samples, place);
            const double shift = odd && i > 0 ? -1 : 0;
            const double expected = 20 + SLOPE * ((at + 0.5) * step + shift);
            if (fabs(value - expected) > 0.8)
                fail_msg("orientation %d, plane %u, %u of %u: %g instead of %g", orientation, i, at,
                         length, value, expected);
        }
    }
    img_resample_done(&resampler);
    img_buffer_done(&room);
    free(first_room);
    free(source);
}

static void samples_lie_where_jfif_says_in_all_orientations(void **state)
{
    (void)state;
    static const struct img_size sizes[] = {{64, 48}, {65, 48}, {64, 47}, {61, 53}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        for (int orientation = 1; orientation <= 8; orientation++)
            for (int way = 0; way < 2; way++)
                for (int odd = 0; odd < 2; odd++)
                    check_places(sizes[i], orientation, way, true, odd);
    check_places(sizes[0], 1, true, false, false);
    check_places(sizes[3], 1, false, false, false);
}

static void a_halved_plane_at_its_own_size_is_copied(void **state)
{
    (void)state;
    const struct img_planes planes = img_planes_lay(size_of(21, 9), true);
    struct img_planar_raster raster = {
        .plane_count = 3,
        .orientation = 1,
        .planes = {{21, 9, 21, 9, 0, 0}, {11, 5, 10.5, 4.5, 0, 0}, {11, 5, 10.5, 4.5, 0, 0}},
    };
    const struct img_fitting fitting = whole(&raster, 21, 9, &planes);
    const struct img_resample_spec spec = img_planes_spec(&planes, 1, &raster, &fitting);
    struct img_resampler resampler = {0};
    uint8_t source[11 * 5], result[11 * 5];
    for (size_t i = 0; i < sizeof(source); i++)
        source[i] = (uint8_t)(i * 37);
    assert_int_equal(img_resample_begin(&resampler, &spec, result), 0);
    img_resample_rows(&resampler, source, 11, 5);
    assert_true(img_resample_is_complete(&resampler));
    assert_memory_equal(result, source, sizeof(source));
    img_resample_done(&resampler);
}

/* ---- Planes of a JPEG ---- */

static struct img_jpeg_frame frame_of(uint32_t width, uint32_t height, uint8_t h, uint8_t v)
{
    struct img_jpeg_frame frame = {
        .width_px = width, .height_px = height, .component_count = 3, .h_max = h, .v_max = v};
    frame.components[0].h = h;
    frame.components[0].v = v;
    for (unsigned i = 1; i < 3; i++)
        frame.components[i].h = frame.components[i].v = 1;
    return frame;
}

static void a_plane_is_sharpened_by_what_its_decoding_has_blurred(void **state)
{
    (void)state;
    const struct img_jpeg_frame frame = frame_of(801, 600, 2, 1);
    struct img_planar_raster raster = {
        .source_width_px = 801, .source_height_px = 600, .plane_count = 3, .orientation = 1};
    raster.planes[0] = img_jpeg_plane(&frame, 0, (struct img_jpeg_reduction){1, 4});
    raster.planes[1] = img_jpeg_plane(&frame, 1, (struct img_jpeg_reduction){2, 1});
    raster.planes[2] = img_jpeg_plane(&frame, 2, (struct img_jpeg_reduction){8, 8});
    const struct img_planes planes = img_planes_lay(size_of(40, 30), true);
    const struct img_fitting fitting = whole(&raster, 801, 600, &planes);
    struct img_resample_spec spec = img_planes_spec(&planes, 0, &raster, &fitting);
    assert_float_equal(spec.sharpen_width, 63 / 64.0 / 24, 1e-9); /* means */
    assert_float_equal(spec.sharpen_height, 0, 1e-9);
    spec = img_planes_spec(&planes, 1, &raster, &fitting);
    assert_true(spec.sharpen_width > 0 && spec.sharpen_width < 1 / 24.0);
    assert_float_equal(spec.sharpen_height, 63 / 64.0 / 24, 1e-9);
    spec = img_planes_spec(&planes, 2, &raster, &fitting); /* blurred as decoders spread it */
    assert_float_equal(spec.sharpen_width, -3 / 32.0, 1e-9);
    assert_float_equal(spec.sharpen_height, 0, 1e-9);
}

static void halved_chroma_gets_by_with_a_smaller_transform(void **state)
{
    (void)state;
    struct img_options options = IMG_OPTIONS_INIT;
    const struct img_jpeg_frame frame = frame_of(3264, 2448, 2, 2);
    assert_int_equal(img_jpeg_reduction_choose(&frame, 0, 1, true, &options).across, 2);
    assert_int_equal(img_jpeg_reduction_choose(&frame, 1, 1, true, &options).across, 1);
    assert_int_equal(img_jpeg_reduction_choose(&frame, 1, 1, true, &options).down, 1);
    assert_int_equal(img_jpeg_reduction_choose(&frame, 1, 1, false, &options).across, 4);
    options.box_width_px = options.box_height_px = 300; /* 1.36 would be left */
    assert_int_equal(img_jpeg_reduction_choose(&frame, 1, 1, true, &options).across, 2);
}

/* For cover the scale is that of the part that is kept. */
static void a_part_gets_the_transform_that_its_own_scale_needs(void **state)
{
    (void)state;
    struct img_options options = IMG_OPTIONS_INIT;
    const struct img_jpeg_frame frame = frame_of(4000, 2000, 2, 2);
    assert_int_equal(img_jpeg_reduction_choose(&frame, 0, 1, true, &options).across, 1);
    assert_int_equal(img_jpeg_reduction_choose(&frame, 0, 1, true, &options).down, 1);
    options.fit = IMG_FIT_COVER; /* as if to 512 x 256 */
    assert_int_equal(img_jpeg_reduction_choose(&frame, 0, 1, true, &options).across, 2);
    assert_int_equal(img_jpeg_reduction_choose(&frame, 0, 1, true, &options).down, 2);
    options.box_width_px = 64; /* as if to 512 x 256 too */
    assert_int_equal(img_jpeg_reduction_choose(&frame, 0, 1, true, &options).across, 2);
    options.fit = IMG_FIT_PAD;
    assert_int_equal(img_jpeg_reduction_choose(&frame, 0, 1, true, &options).across, 1);
    options.enlarge = true;
    options.box_width_px = options.box_height_px = 5000;
    assert_int_equal(img_jpeg_reduction_choose(&frame, 0, 1, true, &options).across, 8);
}

/* ---- Files ---- */

static struct img_planes planes_make(struct img_size size)
{
    struct img_planes planes = img_planes_lay(size, true);
    planes.samples = malloc(img_planes_bytes(&planes));
    for (unsigned i = 0; i < 3; i++) {
        const struct img_size part = img_planes_size(&planes, i);
        struct sample sample = sample_photo(part.width_px, part.height_px, 1, 8);
        for (size_t s = 0; s < (size_t)part.width_px * part.height_px; s++)
            img_planes_at(&planes, i)[s] =
                (uint8_t)(i == 0 ? sample.samples[s] : 90 + (sample.samples[s] + 40 * i) % 256 / 4);
        sample_free(&sample);
    }
    return planes;
}

/* The largest difference of the planes in a file from these. */
static int file_difference(const uint8_t *data, size_t size, const struct img_planes *planes)
{
    struct jpeg_decompress_struct cinfo;
    struct jpeg_error_mgr errors;
    cinfo.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&cinfo);
    jpeg_mem_src(&cinfo, data, (unsigned long)size);
    jpeg_read_header(&cinfo, TRUE);
    assert_int_equal(cinfo.image_width, planes->luma.width_px);
    assert_int_equal(cinfo.image_height, planes->luma.height_px);
    assert_int_equal(cinfo.num_components, 3);
    assert_true(cinfo.saw_JFIF_marker);
    cinfo.raw_data_out = TRUE;
    jpeg_start_decompress(&cinfo);
    const size_t stride = (planes->luma.width_px + 31) / 16 * 16;
    uint8_t *strip = malloc(stride * 16 * 3);
    JSAMPROW rows[3][16];
    JSAMPARRAY arrays[3] = {rows[0], rows[1], rows[2]};
    for (unsigned i = 0; i < 48; i++)
        rows[i / 16][i % 16] = strip + i * stride;
    int difference = 0;
    while (cinfo.output_scanline < cinfo.output_height) {
        const uint32_t first = cinfo.output_scanline;
        jpeg_read_raw_data(&cinfo, arrays, 16);
        for (unsigned i = 0; i < 3; i++) {
            const struct img_size part = img_planes_size(planes, i);
            assert_int_equal(cinfo.comp_info[i].h_samp_factor, i == 0 ? 2 : 1);
            assert_int_equal(cinfo.comp_info[i].v_samp_factor, i == 0 ? 2 : 1);
            const uint32_t from = i == 0 ? first : first / 2;
            for (uint32_t y = 0; y < (i == 0 ? 16u : 8u) && from + y < part.height_px; y++)
                for (uint32_t x = 0; x < part.width_px; x++) {
                    const int expected =
                        img_planes_at(planes, i)[(size_t)(from + y) * part.width_px + x];
                    const int found = abs(rows[i][y][x] - expected);
                    difference = found > difference ? found : difference;
                }
        }
    }
    jpeg_finish_decompress(&cinfo);
    jpeg_destroy_decompress(&cinfo);
    free(strip);
    return difference;
}

static void planes_are_written_as_they_are(void **state)
{
    (void)state;
    static const struct img_size sizes[] = {{1, 1},  {2, 1},   {1, 17},  {16, 16},
                                            {17, 9}, {33, 65}, {24, 40}, {256, 171}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct img_options options = IMG_OPTIONS_INIT;
        struct img_planes planes = planes_make(sizes[i]);
        struct img_buffer output = {0};
        struct img_error error = {0};
        size_t size = 0;
        options.quality = 100;
        assert_int_equal(img_encode_jpeg_planes(&planes, &options, &output, &size, &error), 0);
        const int difference = file_difference(output.data, size, &planes);
        if (difference > 2)
            fail_msg("%u x %u: %d off", sizes[i].width_px, sizes[i].height_px, difference);
        img_buffer_done(&output);
        free(planes.samples);
    }
}

static void planes_too_long_for_a_jpeg_are_refused(void **state)
{
    (void)state;
    const struct img_options options = IMG_OPTIONS_INIT;
    struct img_planes planes = planes_make(size_of(65535, 1));
    struct img_buffer output = {0};
    struct img_error error = {0};
    size_t size = 77;
    assert_int_equal(img_encode_jpeg_planes(&planes, &options, &output, &size, &error), -EFBIG);
    assert_int_equal(error.code, -EFBIG);
    assert_int_equal(size, 77);
    img_buffer_done(&output);
    free(planes.samples);
}

/* ---- Colours ---- */

static double clamped(double value)
{
    return fmin(fmax(value, 0), 255);
}

static void planes_become_pixels_by_the_equations(void **state)
{
    (void)state;
    int16_t samples[3 * 256];
    uint8_t pixels[3 * 256];
    for (int cb = 0; cb < 256; cb += 15)
        for (int cr = 0; cr < 256; cr += 15) {
            struct img_planes planes = img_planes_lay(size_of(256, 1), false);
            planes.samples = (uint8_t *)samples;
            for (int i = 0; i < 256; i++) {
                samples[i] = (int16_t)(i << IMG_ROWS_BETWEEN_BITS);
                samples[256 + i] = (int16_t)(cb << IMG_ROWS_BETWEEN_BITS);
                samples[512 + i] = (int16_t)(cr << IMG_ROWS_BETWEEN_BITS);
            }
            img_planes_to_rgb(&planes, pixels);
            for (int y = 0; y < 256; y++) {
                const double rgb[3] = {y + 1.402 * (cr - 128),
                                       y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128),
                                       y + 1.772 * (cb - 128)};
                for (int c = 0; c < 3; c++)
                    assert_true(fabs(pixels[y * 3 + c] - clamped(rgb[c])) <= 0.51);
            }
        }
}

/* The mean of the pixels that a decoder makes of chroma that is one whole number or the next. */
static double shown_mean(double factor, double chroma)
{
    const double low = floor(chroma), part = chroma - low;
    return floor(factor * low + 0.5) * (1 - part) + floor(factor * (low + 1) + 0.5) * part;
}

static void fractions_of_chroma_lie_between_the_equations_and_what_is_shown(void **state)
{
    (void)state;
    const int one = 1 << IMG_ROWS_BETWEEN_BITS;
    for (int red = -128 * one; red < 127 * one; red += 5) {
        int16_t samples[3] = {(int16_t)(100 * one), (int16_t)(128 * one),
                              (int16_t)(red + 128 * one)};
        uint8_t pixel[3];
        struct img_planes planes = img_planes_lay(size_of(1, 1), false);
        planes.samples = (uint8_t *)samples;
        img_planes_to_rgb(&planes, pixel);
        const double cr = (double)red / one;
        const double exact = 100 + 1.402 * cr, shown = 100 + shown_mean(1.402, cr);
        assert_true(pixel[0] >= clamped(fmin(exact, shown)) - 0.51);
        assert_true(pixel[0] <= clamped(fmax(exact, shown)) + 0.51);
        assert_int_equal(pixel[2], 100);
    }
}

static void gray_planes_become_gray_pixels(void **state)
{
    (void)state;
    int16_t samples[3 * 256];
    uint8_t pixels[3 * 256];
    struct img_planes planes = img_planes_lay(size_of(16, 16), false);
    planes.samples = (uint8_t *)samples;
    for (int i = 0; i < 768; i++)
        samples[i] = (int16_t)((i < 256 ? i : 128) << IMG_ROWS_BETWEEN_BITS);
    img_planes_to_rgb(&planes, pixels);
    for (int i = 0; i < 768; i++)
        assert_int_equal(pixels[i], i / 3);
}

/* ---- The whole way ---- */

/* The strictest level keeps to libjpeg and its pixels, the default may go through planes. */
static void planes_and_pixels_give_the_same_thumbnail(void **state)
{
    (void)state;
    static const enum img_format formats[] = {IMG_FORMAT_JPEG, IMG_FORMAT_PNG};
    struct bytes icc = icc_swapped();
    for (int orientation = 1; orientation <= 8; orientation++)
        for (int kind = 0; kind < 8; kind++) {
            struct sample sample = sample_quarters(401, 303);
            const struct jpeg_make make = {.luma_h = 1 + (kind & 1),
                                           .luma_v = 1 + (kind & 1),
                                           .orientation = orientation,
                                           .icc = kind & 2 ? icc : (struct bytes){0}};
            struct bytes file = jpeg_bytes(&sample, &make);
            struct img_options options = thumb_options(61);
            options.format = formats[kind >> 2];
            options.quality = 95;
            struct sample planar = thumb_of(file, &options);
            options.fail_on = IMG_FAIL_ON_WARNING;
            struct sample pixels = thumb_of(file, &options);
            if (sample_psnr(&planar, &pixels) < 35)
                fail_msg("orientation %d, kind %d: %.1f dB", orientation, kind,
                         sample_psnr(&planar, &pixels));
            sample_free(&planar), sample_free(&pixels), sample_free(&sample);
            free(file.data);
        }
    free(icc.data);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(samples_lie_where_jfif_says_in_all_orientations),
        TEST(a_halved_plane_at_its_own_size_is_copied),
        TEST(a_plane_is_sharpened_by_what_its_decoding_has_blurred),
        TEST(a_part_gets_the_transform_that_its_own_scale_needs),
        TEST(halved_chroma_gets_by_with_a_smaller_transform),
        TEST(planes_are_written_as_they_are),
        TEST(planes_too_long_for_a_jpeg_are_refused),
        TEST(planes_become_pixels_by_the_equations),
        TEST(fractions_of_chroma_lie_between_the_equations_and_what_is_shown),
        TEST(gray_planes_become_gray_pixels),
        TEST(planes_and_pixels_give_the_same_thumbnail),
    };
    return test_run("planes", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
