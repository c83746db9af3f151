#include <errno.h>

#include <imaging/fit_priv.h>
#include <imaging/orient_priv.h>

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
                                             rows[i].box_width, rows[i].box_height, false);
        if (size.width_px != rows[i].fitted_width || size.height_px != rows[i].fitted_height)
            fail_msg("%s: %u x %u", rows[i].label, size.width_px, size.height_px);
    }
}

static void a_picture_is_enlarged_to_its_box_when_asked_to(void **state)
{
    (void)state;
    static const struct {
        uint32_t width, height, box_width, box_height, fitted_width, fitted_height;
    } cases[] = {
        {100, 50, 256, 256, 256, 128},
        {50, 100, 256, 256, 128, 256},
        {1, 1, 9, 5, 5, 5},
        {256, 256, 256, 256, 256, 256},
        {3, 1000, 300, 2000, 6, 2000},
        {1, 1, 65535, 65535, 65535, 65535},
        {1000000, 1, 65535, 65535, 65535, 1},
        {400, 300, 256, 256, 256, 192},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct img_size size = img_fit((struct img_size){cases[i].width, cases[i].height},
                                             cases[i].box_width, cases[i].box_height, true);
        assert_int_equal(size.width_px, cases[i].fitted_width);
        assert_int_equal(size.height_px, cases[i].fitted_height);
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
                        img_fit((struct img_size){width, height}, box_width, box_height, false);
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
        const struct img_fitting fitting =
            img_fit_stored((struct img_size){4000, 3000}, orientation, &options);
        const struct img_size size = img_fitting_size(&fitting);
        assert_int_equal(size.width_px, orientation < 5 ? 133 : 100);
        assert_int_equal(size.height_px, orientation < 5 ? 100 : 75);
    }
}

static const struct cover_case {
    const char *label;
    uint32_t width, height, box_width, box_height;
    bool enlarge;
    uint32_t to_width, to_height;
    double left, top, kept_width, kept_height; /* of the upright picture */
} covers[] = {
    {"landscape", 4000, 3000, 256, 256, false, 256, 256, 500, 0, 3000, 3000},
    {"portrait", 3000, 4000, 256, 256, false, 256, 256, 0, 500, 3000, 3000},
    {"to a strip", 4000, 3000, 400, 100, false, 400, 100, 0, 1000, 4000, 1000},
    {"a fraction of a pixel", 401, 300, 100, 100, false, 100, 100, 50.5, 0, 300, 300},
    {"the same aspect ratio", 400, 300, 200, 150, false, 200, 150, 0, 0, 400, 300},
    {"smaller than the box", 100, 50, 256, 256, false, 100, 50, 0, 0, 100, 50},
    {"one side smaller", 1000, 50, 256, 256, false, 256, 50, 372, 0, 256, 50},
    {"whole pixels at its own size", 1001, 50, 256, 256, false, 256, 50, 372, 0, 256, 50},
    {"enlarged", 100, 50, 300, 300, true, 300, 300, 25, 0, 50, 50},
    {"both ways", 1000, 50, 100, 100, true, 100, 100, 475, 0, 50, 50},
};

static void check_cover(const struct cover_case *row, int orientation)
{
    const bool swaps = img_orientation_swaps(orientation);
    const struct img_flips flips = img_orientation_flips(orientation);
    const struct img_size stored = {swaps ? row->height : row->width,
                                    swaps ? row->width : row->height};
    struct img_options options = IMG_OPTIONS_INIT;
    options.fit = IMG_FIT_COVER;
    options.enlarge = row->enlarge;
    options.box_width_px = row->box_width;
    options.box_height_px = row->box_height;
    const struct img_fitting fitting = img_fit_stored(stored, orientation, &options);
    const struct img_stretch *across = swaps ? &fitting.down : &fitting.across;
    const struct img_stretch *down = swaps ? &fitting.across : &fitting.down;
    const bool flip_x = swaps ? flips.down : flips.across,
               flip_y = swaps ? flips.across : flips.down;
    const double left = flip_x ? row->width - row->left - row->kept_width : row->left;
    const double top = flip_y ? row->height - row->top - row->kept_height : row->top;
    if (across->count != row->to_width || down->count != row->to_height ||
        fitting.canvas.width_px != row->to_width || fitting.canvas.height_px != row->to_height)
        fail_msg("%s, orientation %d: %u x %u", row->label, orientation, across->count,
                 down->count);
    assert_float_equal(across->first_px, left, 1e-9);
    assert_float_equal(down->first_px, top, 1e-9);
    assert_float_equal(across->kept_px, row->kept_width, 1e-9);
    assert_float_equal(down->kept_px, row->kept_height, 1e-9);
    assert_int_equal(fitting.left_px + fitting.top_px, 0);
}

static void cover_keeps_the_middle_in_every_orientation(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(covers) / sizeof(covers[0]); i++)
        for (int orientation = 1; orientation <= 8; orientation++)
            check_cover(&covers[i], orientation);
}

static void what_is_kept_lies_within_the_picture(void **state)
{
    (void)state;
    static const uint32_t sides[] = {1, 2, 3, 7, 100, 333, 1001, 65535, 1000000};
    static const uint32_t boxes[] = {1, 2, 5, 256, 1000, 65535};
    struct img_options options = IMG_OPTIONS_INIT;
    for (size_t i = 0; i < 9 * 9 * 6 * 6 * 6; i++) {
        const struct img_size stored = {sides[i % 9], sides[i / 9 % 9]};
        options.box_width_px = boxes[i / 81 % 6];
        options.box_height_px = boxes[i / 486 % 6];
        options.fit = (enum img_fit)(i / 2916 % 3);
        options.enlarge = i / 8748 != 0;
        const struct img_fitting fitting = img_fit_stored(stored, 1 + (int)(i % 8), &options);
        const struct img_stretch *axes[2] = {&fitting.across, &fitting.down};
        for (int axis = 0; axis < 2; axis++) {
            const uint32_t side = axis == 0 ? stored.width_px : stored.height_px;
            assert_true(axes[axis]->first_px >= 0 && axes[axis]->kept_px > 0);
            assert_true(axes[axis]->first_px + axes[axis]->kept_px <= side * (1 + 1e-12));
            assert_true(axes[axis]->count >= 1);
            assert_true(options.enlarge || axes[axis]->count <= side);
        }
        assert_in_range(fitting.canvas.width_px, 1, options.box_width_px);
        assert_in_range(fitting.canvas.height_px, 1, options.box_height_px);
    }
}

static void pad_lays_the_picture_in_the_middle_of_the_box(void **state)
{
    (void)state;
    struct img_options options = IMG_OPTIONS_INIT;
    options.fit = IMG_FIT_PAD;
    options.box_width_px = 201;
    options.box_height_px = 100;
    const struct img_fitting fitting = img_fit_stored((struct img_size){3000, 4000}, 6, &options);
    assert_int_equal(fitting.across.count, 100);
    assert_int_equal(fitting.down.count, 133);
    assert_int_equal(fitting.canvas.width_px, 201);
    assert_int_equal(fitting.canvas.height_px, 100);
    assert_int_equal(fitting.left_px, 34);
    assert_int_equal(fitting.top_px, 0);
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
        TEST(a_picture_is_enlarged_to_its_box_when_asked_to),
        TEST(no_size_ever_leaves_the_box_or_the_picture),
        TEST(the_box_is_for_the_upright_picture),
        TEST(cover_keeps_the_middle_in_every_orientation),
        TEST(what_is_kept_lies_within_the_picture),
        TEST(pad_lays_the_picture_in_the_middle_of_the_box),
        TEST(the_shrink_is_that_of_the_tighter_axis),
        TEST(headers_that_claim_too_much_are_refused),
    };
    return test_run("fit", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
