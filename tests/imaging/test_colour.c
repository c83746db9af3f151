#include <stdlib.h>
#include <string.h>

#include <imaging/colour_priv.h>
#include <lcms2.h>

#include "isolate.h"
#include "samples.h"

/* Convert one pixel; the picture has a few of them, as transforms work in runs. */
static void convert(struct img_colour *colour, enum img_layout layout, struct bytes icc,
                    const uint8_t *pixel, uint8_t *ret_pixel, enum img_layout *ret_layout)
{
    uint8_t pixels[5 * 4];
    const unsigned channels = img_layout_channels(layout);
    for (unsigned i = 0; i < 5; i++)
        memcpy(pixels + i * channels, pixel, channels);
    struct img_picture picture = {pixels, 5, 1, layout};
    const struct img_transform *transform = NULL;
    assert_int_equal(img_colour_find(colour, layout, icc.data, icc.size, &transform), 0);
    img_colour_apply(transform, &picture);
    const unsigned now = img_layout_channels(picture.layout);
    for (unsigned i = 1; i < 5; i++)
        assert_memory_equal(pixels, pixels + i * now, now);
    memcpy(ret_pixel, pixels, now);
    *ret_layout = picture.layout;
}

static bool transforms(struct img_colour *colour, enum img_layout layout, struct bytes icc)
{
    const struct img_transform *transform = NULL;
    assert_int_equal(img_colour_find(colour, layout, icc.data, icc.size, &transform), 0);
    return transform != NULL;
}

static struct img_colour *colour_create(void)
{
    struct img_colour *colour = NULL;
    assert_int_equal(img_colour_create(&colour), 0);
    return colour;
}

static void exchanged_primaries_are_put_back(void **state)
{
    (void)state;
    struct img_colour *colour = colour_create();
    struct bytes icc = icc_swapped();
    enum img_layout layout;
    uint8_t result[4];
    convert(colour, IMG_LAYOUT_RGB, icc, (uint8_t[]){255, 0, 0}, result, &layout);
    assert_true(result[0] <= 2 && result[1] >= 253 && result[2] <= 2);
    convert(colour, IMG_LAYOUT_RGB, icc, (uint8_t[]){0, 255, 0}, result, &layout);
    assert_true(result[0] <= 2 && result[1] <= 2 && result[2] >= 253);
    convert(colour, IMG_LAYOUT_RGB, icc, (uint8_t[]){90, 90, 90}, result, &layout);
    assert_true(abs(result[0] - 90) <= 1 && abs(result[1] - 90) <= 1 && abs(result[2] - 90) <= 1);
    assert_int_equal(layout, IMG_LAYOUT_RGB);
    free(icc.data);
    img_colour_free(colour);
}

static void alpha_passes_unchanged(void **state)
{
    (void)state;
    struct img_colour *colour = colour_create();
    struct bytes icc = icc_swapped();
    enum img_layout layout;
    uint8_t result[4];
    convert(colour, IMG_LAYOUT_RGB_ALPHA, icc, (uint8_t[]){255, 0, 0, 77}, result, &layout);
    assert_true(result[1] >= 253);
    assert_int_equal(result[3], 77);
    free(icc.data);
    img_colour_free(colour);
}

static void wide_gamut_red_leaves_srgb_at_its_edge(void **state)
{
    (void)state;
    struct img_colour *colour = colour_create();
    struct bytes icc = icc_display_p3();
    enum img_layout layout;
    uint8_t result[4];
    convert(colour, IMG_LAYOUT_RGB, icc, (uint8_t[]){200, 80, 60}, result, &layout);
    assert_in_range(result[0], 210, 225); /* (215, 73, 51) by the matrices */
    assert_in_range(result[1], 68, 78);
    assert_in_range(result[2], 45, 57);
    free(icc.data);
    img_colour_free(colour);
}

static void profiles_that_are_srgb_are_left_out(void **state)
{
    (void)state;
    struct img_colour *colour = colour_create();
    struct bytes icc = icc_srgb();
    assert_false(transforms(colour, IMG_LAYOUT_RGB, icc));
    assert_false(transforms(colour, IMG_LAYOUT_RGB_ALPHA, icc));
    free(icc.data);
    img_colour_free(colour);
}

static void gray_profiles_apply_to_gray_pictures(void **state)
{
    (void)state;
    struct img_colour *colour = colour_create();
    struct bytes linear = icc_gray(1.0);
    enum img_layout layout;
    uint8_t result[4];
    convert(colour, IMG_LAYOUT_GRAY, linear, (uint8_t[]){55}, result, &layout);
    assert_in_range(result[0], 126, 130); /* 0.2157 linear is 0.5019 in sRGB */
    assert_int_equal(layout, IMG_LAYOUT_GRAY);
    convert(colour, IMG_LAYOUT_GRAY_ALPHA, linear, (uint8_t[]){55, 9}, result, &layout);
    assert_in_range(result[0], 126, 130);
    assert_int_equal(result[1], 9);
    free(linear.data);
    img_colour_free(colour);
}

static void profiles_for_other_pixels_are_ignored(void **state)
{
    (void)state;
    struct img_colour *colour = colour_create();
    struct bytes rgb = icc_swapped(), gray = icc_gray(1.0);
    assert_false(transforms(colour, IMG_LAYOUT_GRAY, rgb));
    assert_false(transforms(colour, IMG_LAYOUT_CMYK, rgb));
    assert_false(transforms(colour, IMG_LAYOUT_RGB, gray));
    free(rgb.data), free(gray.data);
    img_colour_free(colour);
}

static void unusable_profiles_are_ignored(void **state)
{
    (void)state;
    struct img_colour *colour = colour_create();
    struct bytes icc = icc_swapped();
    assert_false(transforms(colour, IMG_LAYOUT_RGB, (struct bytes){NULL, 0}));
    assert_false(transforms(colour, IMG_LAYOUT_RGB, (struct bytes){icc.data, 127}));
    assert_false(transforms(colour, IMG_LAYOUT_RGB, (struct bytes){icc.data, 140}));
    uint8_t *zeros = calloc(1, 1000);
    assert_false(transforms(colour, IMG_LAYOUT_RGB, (struct bytes){zeros, 1000}));
    memcpy(icc.data + 12, "link", 4); /* a class that is no profile of a picture */
    assert_false(transforms(colour, IMG_LAYOUT_RGB, icc));
    free(zeros), free(icc.data);
    img_colour_free(colour);
}

static void damaged_profiles_never_crash(void **state)
{
    (void)state;
    struct img_colour *colour = colour_create();
    struct bytes good = icc_display_p3();
    uint8_t *icc = malloc(good.size);
    uint32_t random = 7;
    for (int round = 0; round < 1500; round++) {
        memcpy(icc, good.data, good.size);
        for (int i = 0; i < 4; i++) {
            random = random * 1664525 + 1013904223;
            icc[(random >> 8) % good.size] = (uint8_t)(random >> 24);
        }
        uint8_t pixel[4];
        enum img_layout layout;
        convert(colour, IMG_LAYOUT_RGB, (struct bytes){icc, good.size}, (uint8_t[]){9, 99, 199},
                pixel, &layout);
    }
    free(icc), free(good.data);
    img_colour_free(colour);
}

static void cmyk_without_profile_becomes_what_its_inks_leave(void **state)
{
    (void)state;
    static const struct {
        uint8_t inks[4], rgb[3];
    } rows[] = {
        {{0, 0, 0, 0}, {255, 255, 255}},      {{0, 0, 0, 255}, {0, 0, 0}},
        {{255, 0, 0, 0}, {0, 255, 255}},      {{0, 255, 0, 0}, {255, 0, 255}},
        {{0, 0, 255, 0}, {255, 255, 0}},      {{0, 0, 0, 100}, {155, 155, 155}},
        {{51, 102, 153, 0}, {204, 153, 102}},
    };
    struct img_colour *colour = colour_create();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum img_layout layout;
        uint8_t result[4];
        convert(colour, IMG_LAYOUT_CMYK, (struct bytes){NULL, 0}, rows[i].inks, result, &layout);
        assert_int_equal(layout, IMG_LAYOUT_RGB);
        assert_memory_equal(result, rows[i].rgb, 3);
    }
    img_colour_free(colour);
}

static void the_cache_forgets_the_oldest_and_stays_right(void **state)
{
    (void)state;
    struct img_colour *colour = colour_create();
    struct bytes icc[7];
    uint8_t first[7], again[7];
    enum img_layout layout;
    for (int i = 0; i < 7; i++) {
        icc[i] = icc_gray(1.0 + 0.3 * i);
        convert(colour, IMG_LAYOUT_GRAY, icc[i], (uint8_t[]){100}, &first[i], &layout);
    }
    for (int i = 6; i >= 0; i--)
        convert(colour, IMG_LAYOUT_GRAY, icc[i], (uint8_t[]){100}, &again[i], &layout);
    assert_memory_equal(first, again, sizeof(first));
    for (int i = 1; i < 7; i++)
        assert_true(first[i] < first[i - 1]);
    const struct img_transform *one = NULL, *two = NULL;
    img_colour_find(colour, IMG_LAYOUT_GRAY, icc[0].data, icc[0].size, &one);
    img_colour_find(colour, IMG_LAYOUT_GRAY, icc[0].data, icc[0].size, &two);
    assert_ptr_equal(one, two);
    for (int i = 0; i < 7; i++)
        free(icc[i].data);
    img_colour_free(colour);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(exchanged_primaries_are_put_back),
        TEST(alpha_passes_unchanged),
        TEST(wide_gamut_red_leaves_srgb_at_its_edge),
        TEST(profiles_that_are_srgb_are_left_out),
        TEST(gray_profiles_apply_to_gray_pictures),
        TEST(profiles_for_other_pixels_are_ignored),
        TEST(unusable_profiles_are_ignored),
        TEST_LONG(damaged_profiles_never_crash, 60000),
        TEST(cmyk_without_profile_becomes_what_its_inks_leave),
        TEST(the_cache_forgets_the_oldest_and_stays_right),
    };
    return test_run("colour", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
