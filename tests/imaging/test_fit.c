#include <errno.h>

#include <imaging/fit_priv.h>

#include "isolate.h"

static const struct {
    const char *label;
    uint32_t width, height, box_width, box_height, fitted_width, fitted_height;
} rows[] = {
    {"landscape into a square", 4000, 3000, 256, 256, 256, 192},
    {"portrait into a square", 3000, 4000, 256, 256, 192, 256},
    {"a square", 1000, 1000, 75, 75, 75, 75},
    {"the box's width decides", 4000, 1000, 200, 100, 200, 50},
    {"the box's height decides", 1000, 4000, 200, 100, 25, 100},
    {"smaller than the box is left alone", 100, 50, 256, 256, 100, 50},
    {"as large as the box is left alone", 256, 256, 256, 256, 256, 256},
    {"only one side is too long", 300, 10, 256, 256, 256, 9},
    {"half a pixel is rounded up", 1000, 3, 500, 500, 500, 2},
    {"a thread keeps one pixel", 10000, 1, 256, 256, 256, 1},
    {"a tall thread keeps one pixel", 1, 1000000, 256, 256, 1, 256},
    {"one pixel", 1, 1, 1, 1, 1, 1},
    {"a box of one pixel", 4000, 3000, 1, 1, 1, 1},
    {"odd sides", 4001, 2999, 256, 256, 256, 192},
    {"the largest sides", 1000000, 999999, 65535, 65535, 65535, 65535},
    {"a wide box", 3000, 2000, 65535, 100, 150, 100},
};

static void a_picture_fits_its_box(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct img_size size = img_fit((struct img_size){rows[i].width, rows[i].height},
                                             rows[i].box_width, rows[i].box_height);
        if (size.width_px != rows[i].fitted_width || size.height_px != rows[i].fitted_height)
            fail_msg("%s: %u x %u", rows[i].label, size.width_px, size.height_px);
    }
}

static void no_size_ever_leaves_the_box_or_the_picture(void **state)
{
    (void)state;
    for (uint32_t width = 1; width < 400; width += 7)
        for (uint32_t height = 1; height < 400; height += 5)
            for (uint32_t box_width = 1; box_width < 300; box_width += 23)
                for (uint32_t box_height = 1; box_height < 300; box_height += 19) {
                    const struct img_size size =
                        img_fit((struct img_size){width, height}, box_width, box_height);
                    assert_in_range(size.width_px, 1, width < box_width ? width : box_width);
                    assert_in_range(size.height_px, 1, height < box_height ? height : box_height);
                }
}

static void the_box_is_for_the_upright_picture(void **state)
{
    (void)state;
    struct img_options options = IMG_OPTIONS_INIT;
    options.box_width_px = 200;
    options.box_height_px = 100;
    for (int orientation = 1; orientation <= 8; orientation++) {
        const struct img_size size =
            img_fit_stored((struct img_size){4000, 3000}, orientation, &options);
        assert_int_equal(size.width_px, orientation < 5 ? 133 : 100);
        assert_int_equal(size.height_px, orientation < 5 ? 100 : 75);
    }
}

static void the_shrink_is_that_of_the_tighter_axis(void **state)
{
    (void)state;
    struct img_options options = IMG_OPTIONS_INIT;
    const double even = img_fit_shrink((struct img_size){4096, 2048}, 1, &options);
    assert_true(even > 15.999 && even < 16.001);
    const double thread = img_fit_shrink((struct img_size){25600, 10}, 1, &options);
    assert_true(thread > 9.999 && thread < 10.001); /* one row is kept of ten */
}

static void headers_that_claim_too_much_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint32_t width, height;
        uint64_t pixels_max;
        int code;
    } cases[] = {
        {1000, 1000, 1000000, 0},
        {1001, 1000, 1000000, -EFBIG},
        {0xffffffff, 0xffffffff, 512000000, -EFBIG},
        {0xffffffff, 0xffffffff, UINT64_MAX, -EFBIG},
        {1000001, 1, 512000000, -EFBIG},
        {0, 5, 512000000, -EBADMSG},
        {5, 0, 512000000, -EBADMSG},
        {1, 1, 0, -EFBIG},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct img_options options = IMG_OPTIONS_INIT;
        struct img_error error = {0};
        options.pixels_max = cases[i].pixels_max;
        assert_int_equal(
            img_fit_check((struct img_size){cases[i].width, cases[i].height}, &options, &error),
            cases[i].code);
        assert_int_equal(error.code, cases[i].code);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(a_picture_fits_its_box),
        TEST(no_size_ever_leaves_the_box_or_the_picture),
        TEST(the_box_is_for_the_upright_picture),
        TEST(the_shrink_is_that_of_the_tighter_axis),
        TEST(headers_that_claim_too_much_are_refused),
    };
    return test_run("fit", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
