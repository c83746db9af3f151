#include <errno.h>
#include <stdlib.h>

#include <imaging/orient_priv.h>

#include "isolate.h"
#include "samples.h"

static const enum img_layout layouts[] = {[1] = IMG_LAYOUT_GRAY,
                                          [2] = IMG_LAYOUT_GRAY_ALPHA,
                                          [3] = IMG_LAYOUT_RGB,
                                          [4] = IMG_LAYOUT_RGB_ALPHA};

static void check(uint32_t width, uint32_t height, unsigned channels, int orientation)
{
    struct sample upright = sample_photo(width, height, channels, 8);
    struct sample stored = sample_stored_as(&upright, orientation);
    const size_t count = (size_t)width * height * channels;
    uint8_t *pixels = malloc((size_t)width * height * 4);
    for (size_t i = 0; i < count; i++)
        pixels[i] = (uint8_t)stored.samples[i];
    struct img_picture picture = {pixels, stored.width, stored.height, layouts[channels]};
    struct img_buffer room = {0};
    assert_int_equal(img_orient(&picture, orientation, &room), 0);
    assert_int_equal(picture.width_px, width);
    assert_int_equal(picture.height_px, height);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(picture.pixels[i], upright.samples[i]);
    img_buffer_done(&room);
    free(pixels);
    sample_free(&upright), sample_free(&stored);
}

static void all_orientations_come_out_upright_at_all_channel_counts(void **state)
{
    (void)state;
    for (int orientation = 1; orientation <= 8; orientation++)
        for (unsigned channels = 1; channels <= 4; channels++) {
            check(7, 5, channels, orientation);
            check(64, 33, channels, orientation);
        }
}

static void threads_and_single_pixels_can_be_turned(void **state)
{
    (void)state;
    for (int orientation = 1; orientation <= 8; orientation++) {
        check(1, 1, 3, orientation);
        check(1, 9, 3, orientation);
        check(9, 1, 3, orientation);
    }
}

static void numbers_that_are_no_orientation_change_nothing(void **state)
{
    (void)state;
    uint8_t pixels[24] = {1, 2, 3};
    struct img_buffer room = {0};
    static const int values[] = {-1, 0, 9, 1000};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct img_picture picture = {pixels, 3, 2, IMG_LAYOUT_RGB};
        assert_int_equal(img_orient(&picture, values[i], &room), 0);
        assert_ptr_equal(picture.pixels, pixels);
        assert_int_equal(picture.width_px, 3);
    }
    img_buffer_done(&room);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(all_orientations_come_out_upright_at_all_channel_counts),
        TEST(threads_and_single_pixels_can_be_turned),
        TEST(numbers_that_are_no_orientation_change_nothing),
    };
    return test_run("orient", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
