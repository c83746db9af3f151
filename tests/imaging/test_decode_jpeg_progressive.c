#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <imaging/decode_priv.h>

#include "isolate.h"
#include "jpeg_scripts.h"
#include "surgery.h"
#include "thumbs.h"

/* 4:2:0 in the usual ten scans. */
static struct bytes made(uint32_t width, uint32_t height, int quality)
{
    const struct jpeg_recipe recipe = {.width = width,
                                       .height = height,
                                       .components = 3,
                                       .h = {2},
                                       .v = {2},
                                       .quality = quality,
                                       .grain = 15};
    return jpeg_scripted(&recipe, JPEG_SCRIPT_USUAL);
}

struct recorder {
    struct img_sink sink;
    struct img_planar_raster raster;
    uint8_t *planes[3]; /* owned */
    uint32_t rows[3];
};

static int record_begin(struct img_sink *sink, const struct img_planar_raster *raster)
{
    struct recorder *recorder = (struct recorder *)sink;
    recorder->raster = *raster;
    for (unsigned i = 0; i < raster->plane_count; i++) {
        const struct img_plane *plane = &raster->planes[i];
        recorder->planes[i] = malloc((size_t)plane->width_px * plane->height_px);
        assert_non_null(recorder->planes[i]);
    }
    return 0;
}

static int record_rows(struct img_sink *sink, unsigned plane, const uint8_t *rows,
                       size_t stride_bytes, uint32_t count)
{
    struct recorder *recorder = (struct recorder *)sink;
    const size_t width = recorder->raster.planes[plane].width_px;
    for (uint32_t i = 0; i < count; i++, recorder->rows[plane]++) {
        assert_true(recorder->rows[plane] < recorder->raster.planes[plane].height_px);
        memcpy(recorder->planes[plane] + recorder->rows[plane] * width, rows + i * stride_bytes,
               width);
    }
    return 0;
}

static struct recorder recorded(struct bytes file, const struct img_options *options, int *ret_code)
{
    struct recorder recorder = {.sink = {.begin_planar = record_begin, .plane_rows = record_rows}};
    struct img_buffer strip = {NULL, 0};
    struct img_error error;
    const struct img_decode_job job = {
        .data = file.data,
        .size_bytes = file.size,
        .format = IMG_FORMAT_JPEG,
        .options = options,
        .fail_on = options->fail_on,
        .strip = &strip,
        .sink = &recorder.sink,
        .error = &error,
    };
    *ret_code = img_decode_jpeg_progressive(&job);
    for (unsigned i = 0; *ret_code == 0 && i < recorder.raster.plane_count; i++)
        assert_int_equal(recorder.rows[i], recorder.raster.planes[i].height_px);
    img_buffer_done(&strip);
    return recorder;
}

static void recorder_done(struct recorder *recorder)
{
    for (unsigned i = 0; i < 3; i++)
        free(recorder->planes[i]);
}

/* libjpeg's own picture at 1/8, in Y, Cb and Cr. */
static struct sample eighth_of(struct bytes file)
{
    struct jpeg_decompress_struct cinfo;
    struct jpeg_error_mgr errors;
    cinfo.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&cinfo);
    jpeg_mem_src(&cinfo, file.data, file.size);
    jpeg_read_header(&cinfo, TRUE);
    cinfo.scale_denom = 8;
    cinfo.do_block_smoothing = FALSE;
    cinfo.out_color_space = cinfo.num_components == 3 ? JCS_YCbCr : JCS_GRAYSCALE;
    jpeg_start_decompress(&cinfo);
    struct sample sample =
        sample_new(cinfo.output_width, cinfo.output_height, (unsigned)cinfo.output_components, 8);
    uint8_t *row = malloc((size_t)sample.width * sample.channels);
    assert_non_null(row);
    for (uint32_t y = 0; y < sample.height; y++) {
        jpeg_read_scanlines(&cinfo, &row, 1);
        for (size_t i = 0; i < (size_t)sample.width * sample.channels; i++)
            sample_at(&sample, 0, y)[i] = row[i];
    }
    jpeg_finish_decompress(&cinfo);
    jpeg_destroy_decompress(&cinfo);
    free(row);
    return sample;
}

static void check_plane(const struct recorder *recorder, unsigned plane,
                        const struct sample *eighth, int tolerance)
{
    const uint32_t width = recorder->raster.planes[plane].width_px;
    assert_int_equal(width, eighth->width);
    assert_int_equal(recorder->raster.planes[plane].height_px, eighth->height);
    for (uint32_t y = 0; y < eighth->height; y++)
        for (uint32_t x = 0; x < width; x++) {
            const int sample = recorder->planes[plane][(size_t)y * width + x];
            const int expected = sample_at(eighth, x, y)[plane];
            if (abs(sample - expected) > tolerance)
                fail_msg("plane %u at %u, %u: %d, not %d", plane, x, y, sample, expected);
        }
}

static const int samplings[][2] = {{1, 1}, {2, 1}, {1, 2}, {2, 2}};

static void samples_are_libjpegs_at_an_eighth(void **state)
{
    (void)state;
    for (int gray = 0; gray <= 1; gray++)
        for (int factor = 1; factor <= 2; factor++) {
            const struct jpeg_recipe recipe = {.width = 357,
                                               .height = 263,
                                               .components = gray ? 1 : 3,
                                               .h = {factor},
                                               .v = {factor},
                                               .grain = 15};
            struct bytes file = jpeg_scripted(&recipe, JPEG_SCRIPT_USUAL);
            struct img_options options = thumb_options(16);
            int code;
            struct recorder recorder = recorded(file, &options, &code);
            assert_int_equal(code, 0);
            struct sample eighth = eighth_of(file);
            assert_true(recorder.raster.planes[0].area_width_px == 357 / 8.0);
            assert_true(recorder.raster.planes[0].area_height_px == 263 / 8.0);
            /* 4:2:0 comes from a 2x2 transform, of which ours leaves something out. */
            for (unsigned plane = 0; plane < recorder.raster.plane_count; plane++)
                check_plane(&recorder, plane, &eighth, plane > 0 && factor == 2 ? 40 : 0);
            sample_free(&eighth);
            recorder_done(&recorder);
            free(file.data);
        }
}

static void planes_are_as_fine_as_the_thumbnail_shows_them(void **state)
{
    (void)state;
    struct bytes file = made(640, 480, 85);
    static const struct {
        enum img_format format;
        uint32_t box, luma_width, chroma_width;
    } cases[] = {
        {IMG_FORMAT_PNG, 20, 80, 40},   {IMG_FORMAT_PNG, 41, 80, 80},
        {IMG_FORMAT_JPEG, 41, 80, 40},  {IMG_FORMAT_UNKNOWN, 41, 80, 40},
        {IMG_FORMAT_JPEG, 80, 160, 80}, {IMG_FORMAT_PNG, 80, 0, 0}, /* two points do not suffice */
        {IMG_FORMAT_JPEG, 90, 0, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct img_options options = thumb_options(cases[i].box);
        options.format = cases[i].format;
        int code;
        struct recorder recorder = recorded(file, &options, &code);
        assert_int_equal(code, cases[i].luma_width > 0 ? 0 : -EAGAIN);
        assert_int_equal(recorder.raster.planes[0].width_px, cases[i].luma_width);
        assert_int_equal(recorder.raster.planes[1].width_px, cases[i].chroma_width);
        recorder_done(&recorder);
    }
    free(file.data);
}

/* The same picture as a baseline file goes through another decoder. */
static void thumbnails_are_those_of_the_baseline_file(void **state)
{
    (void)state;
    static const struct {
        enum img_format format;
        uint32_t box;
    } cases[] = {
        {IMG_FORMAT_PNG, 20}, {IMG_FORMAT_PNG, 38}, {IMG_FORMAT_JPEG, 35}, {IMG_FORMAT_JPEG, 79}};
    for (size_t i = 0; i < 4; i++) { /* 4:4:4 to 4:2:0 */
        struct jpeg_recipe recipe = {.width = 613,
                                     .height = 437,
                                     .components = 3,
                                     .h = {samplings[i][0]},
                                     .v = {samplings[i][1]}};
        struct bytes sequential = jpeg_made(&recipe);
        struct bytes progressive = jpeg_scripted(&recipe, JPEG_SCRIPT_USUAL);
        for (size_t j = 0; j < sizeof(cases) / sizeof(cases[0]); j++) {
            struct img_options options = thumb_options(cases[j].box);
            options.format = cases[j].format;
            struct sample one = thumb_of(progressive, &options);
            struct sample other = thumb_of(sequential, &options);
            if (sample_difference(&one, &other) > 0)
                fail_msg("%dx%d to %u: %u off", recipe.h[0], recipe.v[0], cases[j].box,
                         sample_difference(&one, &other));
            sample_free(&one), sample_free(&other);
        }
        free(progressive.data), free(sequential.data);
    }
}

static void samples_that_libjpeg_would_not_clamp_are_declined(void **state)
{
    (void)state;
    struct bytes file = made(160, 120, 90);
    const size_t table = jpeg_marker_at(file, 0xdb) + 5;
    struct img_options options = thumb_options(10);
    int code;
    file.data[table] = 255; /* DC that many times too large */
    struct recorder recorder = recorded(file, &options, &code);
    assert_int_equal(code, -EAGAIN);
    recorder_done(&recorder);
    free(file.data);
}

static void the_level_of_warnings_and_lax_decodings_are_declined(void **state)
{
    (void)state;
    struct bytes file = made(160, 160, 85);
    struct img_options options = thumb_options(10);
    for (int level = IMG_FAIL_ON_NONE; level <= IMG_FAIL_ON_WARNING; level++) {
        int code;
        options.fail_on = (enum img_fail_on)level;
        struct recorder recorder = recorded(file, &options, &code);
        assert_int_equal(code, level == IMG_FAIL_ON_ERROR ? 0 : -EAGAIN);
        recorder_done(&recorder);
    }
    free(file.data);
}

static void less_memory_is_needed_than_for_the_whole_picture(void **state)
{
    (void)state;
    struct bytes file = made(800, 600, 85);
    struct img_options options = thumb_options(30);
    options.format = IMG_FORMAT_JPEG;
    options.memory_bytes = file.size + 800 * 600 / 4;
    assert_int_equal(thumb_result(file, &options, NULL), 0);
    options.memory_bytes = file.size;
    assert_int_equal(thumb_result(file, &options, NULL), -EFBIG);
    free(file.data);
}

/* ---- Fast ---- */

static void fast_needs_only_the_first_scan(void **state)
{
    (void)state;
    struct bytes file = made(640, 480, 85);
    struct bytes cut = bytes_cut(file, jpeg_scan_end(file, jpeg_scan_at(file, 0)) + 2);
    struct img_options options = thumb_options(40);
    options.format = IMG_FORMAT_JPEG;
    assert_int_equal(thumb_result(cut, &options, NULL), -EPIPE);
    options.fast = true;
    int code, cut_code;
    struct recorder whole = recorded(file, &options, &code);
    struct recorder first = recorded(cut, &options, &cut_code);
    assert_int_equal(code, 0);
    assert_int_equal(cut_code, 0);
    struct sample eighth = eighth_of(file);
    check_plane(&whole, 0, &eighth, 1);
    check_plane(&first, 0, &eighth, 1);
    sample_free(&eighth);
    recorder_done(&whole), recorder_done(&first);
    free(cut.data), free(file.data);
}

static void fast_reads_on_where_a_gray_level_is_missing(void **state)
{
    (void)state;
    const struct jpeg_recipe recipe = {.width = 640, .height = 480, .components = 3};
    /* Four bits are missing after the first scan, and at low quality one bit is too much. */
    struct bytes files[] = {
        jpeg_scripted(&recipe, JPEG_SCRIPT_BIT_BY_BIT),
        made(640, 480, 20),
    };
    struct img_options options = thumb_options(40);
    options.format = IMG_FORMAT_JPEG;
    options.fast = true;
    for (size_t i = 0; i < 2; i++) {
        struct bytes cut =
            bytes_cut(files[i], jpeg_scan_end(files[i], jpeg_scan_at(files[i], 0)) + 2);
        assert_int_equal(thumb_result(cut, &options, NULL), -EPIPE);
        int code;
        struct recorder recorder = recorded(files[i], &options, &code);
        assert_int_equal(code, 0);
        struct sample eighth = eighth_of(files[i]);
        check_plane(&recorder, 0, &eighth, 1);
        sample_free(&eighth);
        recorder_done(&recorder);
        free(cut.data), free(files[i].data);
    }
}

static void fast_still_has_the_chroma_that_the_thumbnail_shows(void **state)
{
    (void)state;
    struct bytes file = made(640, 480, 85);
    const size_t chroma_end = jpeg_scan_end(file, jpeg_scan_at(file, 8));
    struct img_options options = thumb_options(40); /* a PNG */
    options.fast = true;
    for (size_t i = 0; i < 2; i++) { /* the last scan is luma's */
        struct bytes cut = bytes_cut(file, i == 0 ? chroma_end + 2 : chroma_end - 2);
        assert_int_equal(thumb_result(cut, &options, NULL), i == 0 ? 0 : -EPIPE);
        free(cut.data);
    }
    free(file.data);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(samples_are_libjpegs_at_an_eighth),
        TEST(planes_are_as_fine_as_the_thumbnail_shows_them),
        TEST(thumbnails_are_those_of_the_baseline_file),
        TEST(samples_that_libjpeg_would_not_clamp_are_declined),
        TEST(the_level_of_warnings_and_lax_decodings_are_declined),
        TEST(less_memory_is_needed_than_for_the_whole_picture),
        TEST(fast_needs_only_the_first_scan),
        TEST(fast_reads_on_where_a_gray_level_is_missing),
        TEST(fast_still_has_the_chroma_that_the_thumbnail_shows),
    };
    return test_run("decode_jpeg_progressive", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
