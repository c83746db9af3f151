#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <imaging/pad_priv.h>

#include "isolate.h"
#include "samples.h"
#include "thumbs.h"

static const uint8_t orange[3] = {250, 130, 20};

static struct img_options pad_options(uint32_t width, uint32_t height, enum img_format format)
{
    struct img_options options = IMG_OPTIONS_INIT;
    options.fit = IMG_FIT_PAD;
    options.box_width_px = width;
    options.box_height_px = height;
    options.format = format;
    options.quality = 100;
    memcpy(options.background, orange, 3);
    return options;
}

/* All of one colour. */
static struct sample flat(uint32_t width, uint32_t height, unsigned channels,
                          const uint16_t colour[4])
{
    struct sample sample = sample_new(width, height, channels, 8);
    for (size_t i = 0; i < (size_t)width * height; i++)
        memcpy(sample.samples + i * channels, colour, channels * sizeof(*colour));
    return sample;
}

/* Is each pixel of the thumbnail the picture's colour or the background, at its place? */
static void check_flat(const struct sample *thumb, uint32_t width, uint32_t height,
                       const uint16_t *picture, const uint16_t *background, int tolerance,
                       uint32_t edge)
{
    const uint32_t left = (thumb->width - width) / 2, top = (thumb->height - height) / 2;
    for (uint32_t y = 0; y < thumb->height; y++)
        for (uint32_t x = 0; x < thumb->width; x++) {
            const bool in = x >= left && x < left + width && y >= top && y < top + height;
            const bool near = x + edge >= left && x < left + width + edge && y + edge >= top &&
                              y < top + height + edge;
            const bool deep = x >= left + edge && x + edge < left + width && y >= top + edge &&
                              y + edge < top + height;
            if (edge > 0 && near && !deep)
                continue;
            const uint16_t *expected = in ? picture : background;
            for (unsigned c = 0; c < thumb->channels; c++)
                if (abs(sample_at(thumb, x, y)[c] - expected[c]) > tolerance)
                    fail_msg("%u, %u: channel %u is %u, not %u", x, y, c, sample_at(thumb, x, y)[c],
                             expected[c]);
        }
}

static void the_background_is_exact_in_png(void **state)
{
    (void)state;
    static const struct {
        unsigned channels, to_channels;
        uint16_t colour[4], becomes[4], background[4];
    } rows[] = {
        {1, 3, {90}, {90, 90, 90}, {250, 130, 20}}, /* gray gets colours */
        {2, 4, {90, 128}, {90, 90, 90, 128}, {250, 130, 20, 255}},
        {2, 3, {90, 255}, {90, 90, 90}, {250, 130, 20}},
        {3, 3, {10, 220, 130}, {10, 220, 130}, {250, 130, 20}},
        {4, 4, {10, 220, 130, 0}, {0, 0, 0, 0}, {250, 130, 20, 255}},
        {4, 4, {10, 220, 130, 77}, {10, 220, 130, 77}, {250, 130, 20, 255}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (uint32_t box = 40; box <= 43; box++) {
            struct sample source = flat(20, 11, rows[i].channels, rows[i].colour);
            struct bytes file = png_bytes(&source, &(struct png_make){0});
            const struct img_options options = pad_options(box, 83 - box, IMG_FORMAT_UNKNOWN);
            struct img_options png = options;
            png.format = IMG_FORMAT_PNG;
            struct sample thumb = thumb_of(file, &png);
            assert_int_equal(thumb.width, box);
            assert_int_equal(thumb.height, 83 - box);
            assert_int_equal(thumb.channels, rows[i].to_channels);
            check_flat(&thumb, 20, 11, rows[i].becomes, rows[i].background, 0, 0);
            sample_free(&thumb), sample_free(&source);
            free(file.data);
        }
}

static void gray_stays_gray_before_gray(void **state)
{
    (void)state;
    const uint16_t gray[4] = {90, 255}, background[4] = {255};
    struct img_options options = pad_options(40, 40, IMG_FORMAT_JPEG);
    memset(options.background, 255, 3);
    for (unsigned channels = 1; channels <= 2; channels++) {
        struct sample source = flat(16, 8, channels, gray);
        struct bytes file = png_bytes(&source, &(struct png_make){0});
        struct sample thumb = thumb_of(file, &options);
        assert_int_equal(thumb.channels, 1);
        check_flat(&thumb, 16, 8, gray, background, 1, 4);
        sample_free(&thumb), sample_free(&source);
        free(file.data);
    }
}

/* Alpha is laid over the same background that lies around the picture. */
static void what_is_transparent_cannot_be_told_from_the_padding_in_jpeg(void **state)
{
    (void)state;
    const uint16_t clear[4] = {0, 200, 0, 0}, background[4] = {250, 130, 20};
    struct sample source = flat(30, 12, 4, clear);
    struct bytes file = png_bytes(&source, &(struct png_make){0});
    const struct img_options options = pad_options(47, 47, IMG_FORMAT_JPEG);
    struct sample thumb = thumb_of(file, &options);
    check_flat(&thumb, 30, 12, background, background, 2, 0);
    free(file.data);
    sample_free(&thumb), sample_free(&source);
}

/* Through planes: at every parity of place and size. */
static void the_background_is_right_in_planes(void **state)
{
    (void)state;
    const uint16_t colour[4] = {20, 60, 200}, background[4] = {250, 130, 20};
    for (uint32_t box = 60; box < 64; box++)
        for (uint32_t tall = 40; tall < 44; tall++)
            for (uint32_t shape = 0; shape < 3; shape++) {
                const uint32_t width = 600 + 10 * shape, height = 397 - 60 * shape;
                struct sample source = flat(width, height, 3, colour);
                struct bytes file = jpeg_bytes(
                    &source, &(struct jpeg_make){.luma_h = 2, .luma_v = 2, .quality = 100});
                const struct img_options options = pad_options(box, tall, IMG_FORMAT_JPEG);
                struct img_options inside = options;
                inside.fit = IMG_FIT_INSIDE;
                struct sample thumb = thumb_of(file, &options), bare = thumb_of(file, &inside);
                assert_int_equal(thumb.width, box);
                assert_int_equal(thumb.height, tall);
                check_flat(&thumb, bare.width, bare.height, colour, background, 4, 5);
                sample_free(&thumb), sample_free(&bare), sample_free(&source);
                free(file.data);
            }
}

/* Two by two pixels share a sample of chroma; what of them is background counts. */
static void chroma_at_the_edge_is_the_mean_of_its_pixels(void **state)
{
    (void)state;
    static const struct {
        uint32_t canvas, size, left;
        unsigned across[4]; /* halves that are the picture's, of each sample */
    } rows[] = {
        {6, 2, 2, {0, 2, 0}},    {6, 3, 1, {1, 2, 0}},    {6, 1, 2, {0, 1, 0}},
        {7, 5, 1, {1, 2, 2, 0}}, {7, 7, 0, {2, 2, 2, 2}}, {8, 6, 1, {1, 2, 2, 1}},
        {3, 1, 1, {1, 0}},       {5, 3, 1, {1, 2, 0}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct img_fitting fitting = {.canvas = {rows[i].canvas, 2}, .left_px = rows[i].left};
        struct img_planes planes = img_planes_lay((struct img_size){rows[i].size, 2}, true);
        struct img_buffer room = {0};
        img_planes_shift(&planes, 1, rows[i].left % 2 != 0, false);
        uint8_t samples[64];
        memset(samples, 200, sizeof(samples)); /* luma and both chromas */
        planes.samples = samples;
        /* blue: Cb 255, Cr 107 and luma 29 */
        assert_int_equal(img_planes_pad(&planes, &fitting, (uint8_t[]){0, 0, 255}, &room), 0);
        assert_int_equal(planes.luma.width_px, rows[i].canvas);
        for (uint32_t x = 0; x < rows[i].canvas; x++) {
            const bool in = x >= rows[i].left && x < rows[i].left + rows[i].size;
            assert_int_equal(img_planes_at(&planes, 0)[x], in ? 200 : 29);
        }
        for (uint32_t x = 0; x < planes.chroma.width_px; x++) {
            const unsigned part = rows[i].across[x];
            assert_int_equal(img_planes_at(&planes, 1)[x], (200 * part + 255 * (2 - part) + 1) / 2);
            assert_int_equal(img_planes_at(&planes, 2)[x], (200 * part + 107 * (2 - part) + 1) / 2);
        }
        img_buffer_done(&room);
    }
}

static void what_fills_its_box_is_left_alone(void **state)
{
    (void)state;
    uint8_t pixels[4 * 4 * 4] = {0};
    struct img_picture picture = {pixels, 4, 4, IMG_LAYOUT_GRAY};
    const struct img_fitting fitting = {.canvas = {4, 4}};
    struct img_buffer room = {0};
    assert_int_equal(img_pad(&picture, &fitting, orange, &room), 0);
    assert_ptr_equal(picture.pixels, pixels);
    assert_int_equal(picture.layout, IMG_LAYOUT_GRAY);
    assert_null(room.data);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(the_background_is_exact_in_png),
        TEST(gray_stays_gray_before_gray),
        TEST(what_is_transparent_cannot_be_told_from_the_padding_in_jpeg),
        TEST(the_background_is_right_in_planes),
        TEST(chroma_at_the_edge_is_the_mean_of_its_pixels),
        TEST(what_fills_its_box_is_left_alone),
    };
    return test_run("pad", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
