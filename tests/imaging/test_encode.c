#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <imaging/encode_priv.h>

#include "isolate.h"
#include "samples.h"

static const enum img_layout layouts[] = {[1] = IMG_LAYOUT_GRAY,
                                          [2] = IMG_LAYOUT_GRAY_ALPHA,
                                          [3] = IMG_LAYOUT_RGB,
                                          [4] = IMG_LAYOUT_RGB_ALPHA};

/* A picture with the room that img_picture promises. */
static struct img_picture picture_of(const struct sample *sample)
{
    struct img_picture picture = {malloc((size_t)sample->width * sample->height * 4), sample->width,
                                  sample->height, layouts[sample->channels]};
    for (size_t i = 0; i < (size_t)sample->width * sample->height * sample->channels; i++)
        picture.pixels[i] = (uint8_t)sample->samples[i];
    return picture;
}

static struct sample encoded(const struct sample *sample, enum img_format format,
                             const struct img_options *options)
{
    struct img_picture picture = picture_of(sample);
    struct img_buffer output = {0};
    struct img_error error = {0};
    size_t size = 0;
    assert_int_equal(img_encode(&picture, format, options, &output, &size, &error), 0);
    assert_int_equal(img_format_probe(output.data, size), format);
    struct sample decoded = sample_decode(output.data, size);
    img_buffer_done(&output);
    free(picture.pixels);
    return decoded;
}

static void png_keeps_every_sample(void **state)
{
    (void)state;
    const struct img_options options = IMG_OPTIONS_INIT;
    for (unsigned channels = 1; channels <= 4; channels++) {
        struct sample sample = sample_photo(61, 43, channels, 8);
        struct sample decoded = encoded(&sample, IMG_FORMAT_PNG, &options);
        assert_int_equal(sample_difference(&sample, &decoded), 0);
        sample_free(&sample), sample_free(&decoded);
    }
}

static void png_drops_an_alpha_channel_that_hides_nothing(void **state)
{
    (void)state;
    const struct img_options options = IMG_OPTIONS_INIT;
    struct sample sample = sample_photo(20, 10, 4, 8);
    for (size_t i = 0; i < 200; i++)
        sample.samples[i * 4 + 3] = 255;
    struct sample decoded = encoded(&sample, IMG_FORMAT_PNG, &options);
    assert_int_equal(decoded.channels, 3);
    for (size_t i = 0; i < 600; i++)
        assert_int_equal(decoded.samples[i], sample.samples[i / 3 * 4 + i % 3]);
    sample_free(&sample), sample_free(&decoded);
}

static void jpeg_comes_close_and_grows_with_quality(void **state)
{
    (void)state;
    static const int qualities[] = {1, 40, 80, 95, 100};
    struct sample sample = sample_photo(160, 120, 1, 8);
    double last = 0;
    for (size_t i = 0; i < sizeof(qualities) / sizeof(qualities[0]); i++) {
        struct img_options options = IMG_OPTIONS_INIT;
        options.quality = qualities[i];
        struct sample decoded = encoded(&sample, IMG_FORMAT_JPEG, &options);
        const double psnr = sample_psnr(&sample, &decoded);
        assert_true(psnr > last);
        last = psnr;
        sample_free(&decoded);
    }
    assert_true(last > 45);
    sample_free(&sample);
}

static void gray_becomes_jpeg_of_one_component(void **state)
{
    (void)state;
    const struct img_options options = IMG_OPTIONS_INIT;
    struct sample gray = sample_photo(33, 17, 1, 8);
    struct sample decoded = encoded(&gray, IMG_FORMAT_JPEG, &options);
    assert_int_equal(decoded.channels, 1);
    sample_free(&gray), sample_free(&decoded);
}

static void jpeg_is_flattened_over_the_background(void **state)
{
    (void)state;
    struct img_options options = IMG_OPTIONS_INIT;
    options.quality = 100;
    memcpy(options.background, (uint8_t[]){10, 20, 200}, 3);
    static const struct {
        unsigned channels;
        uint16_t pixel[4];
        int rgb[3];
    } rows[] = {
        {4, {100, 150, 50, 255}, {100, 150, 50}},
        {4, {100, 150, 50, 0}, {10, 20, 200}},
        {4, {110, 120, 100, 128}, {60, 70, 150}},
        {2, {90, 0}, {10, 20, 200}}, /* gray over a coloured background */
        {2, {110, 128}, {60, 65, 155}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sample sample = sample_new(16, 16, rows[i].channels, 8);
        for (size_t at = 0; at < 256; at++)
            memcpy(sample.samples + at * rows[i].channels, rows[i].pixel,
                   rows[i].channels * sizeof(uint16_t));
        struct sample decoded = encoded(&sample, IMG_FORMAT_JPEG, &options);
        assert_int_equal(decoded.channels, 3);
        for (unsigned c = 0; c < 3; c++)
            assert_true(abs(decoded.samples[c] - rows[i].rgb[c]) <= 2);
        sample_free(&sample), sample_free(&decoded);
    }
}

static void gray_over_a_gray_background_stays_gray(void **state)
{
    (void)state;
    const struct img_options options = IMG_OPTIONS_INIT;
    struct sample sample = sample_photo(20, 20, 2, 8);
    struct sample decoded = encoded(&sample, IMG_FORMAT_JPEG, &options);
    assert_int_equal(decoded.channels, 1);
    sample_free(&sample), sample_free(&decoded);
}

static void the_format_is_chosen_by_real_transparency(void **state)
{
    (void)state;
    uint8_t pixels[4 * 4] = {1, 2, 3, 255, 4, 5, 6, 255, 7, 8, 9, 255, 1, 1, 1, 255};
    struct img_picture picture = {pixels, 2, 2, IMG_LAYOUT_RGB_ALPHA};
    assert_int_equal(img_encode_choose(&picture, IMG_FORMAT_UNKNOWN), IMG_FORMAT_JPEG);
    pixels[15] = 254;
    assert_int_equal(img_encode_choose(&picture, IMG_FORMAT_UNKNOWN), IMG_FORMAT_PNG);
    assert_int_equal(img_encode_choose(&picture, IMG_FORMAT_JPEG), IMG_FORMAT_JPEG);
    picture.layout = IMG_LAYOUT_RGB;
    assert_int_equal(img_encode_choose(&picture, IMG_FORMAT_UNKNOWN), IMG_FORMAT_JPEG);
    assert_int_equal(img_encode_choose(&picture, IMG_FORMAT_PNG), IMG_FORMAT_PNG);
}

static void output_larger_than_the_first_buffer_is_whole(void **state)
{
    (void)state;
    struct img_options options = IMG_OPTIONS_INIT;
    options.quality = 100;
    struct sample sample = sample_photo(900, 700, 1, 8);
    uint32_t random = 3;
    for (size_t i = 0; i < 900 * 700; i++) {
        random = random * 1664525 + 1013904223;
        sample.samples[i] = (uint16_t)(random >> 24);
    }
    struct sample jpeg = encoded(&sample, IMG_FORMAT_JPEG, &options);
    struct sample png = encoded(&sample, IMG_FORMAT_PNG, &options);
    assert_true(sample_psnr(&sample, &jpeg) > 40);
    assert_int_equal(sample_difference(&sample, &png), 0);
    sample_free(&sample), sample_free(&jpeg), sample_free(&png);
}

static void a_side_that_jpeg_cannot_have_is_refused(void **state)
{
    (void)state;
    const struct img_options options = IMG_OPTIONS_INIT;
    struct sample sample = sample_new(65535, 1, 1, 8);
    struct img_picture picture = picture_of(&sample);
    struct img_buffer output = {0};
    struct img_error error = {0};
    size_t size = 77;
    assert_int_equal(img_encode(&picture, IMG_FORMAT_JPEG, &options, &output, &size, &error),
                     -EFBIG);
    assert_int_equal(error.code, -EFBIG);
    assert_int_equal(size, 77);
    assert_int_equal(img_encode(&picture, IMG_FORMAT_PNG, &options, &output, &size, &error), 0);
    img_buffer_done(&output);
    free(picture.pixels);
    sample_free(&sample);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(png_keeps_every_sample),
        TEST(png_drops_an_alpha_channel_that_hides_nothing),
        TEST(jpeg_comes_close_and_grows_with_quality),
        TEST(gray_becomes_jpeg_of_one_component),
        TEST(jpeg_is_flattened_over_the_background),
        TEST(gray_over_a_gray_background_stays_gray),
        TEST(the_format_is_chosen_by_real_transparency),
        TEST(output_larger_than_the_first_buffer_is_whole),
        TEST(a_side_that_jpeg_cannot_have_is_refused),
    };
    return test_run("encode", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
