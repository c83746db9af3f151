/* test_fits.c: the built program's --fit, --background and --enlarge, by the thumbnails' sizes and
 * colours. How exact the pixels are is tested with imaging/. */
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "files.h"
#include "isolate.h"
#include "pictures.h"
#include "program.h"

static void expect_size(const char *path, uint32_t width_px, uint32_t height_px, bool is_png)
{
    uint32_t width, height;
    bool png;
    check_picture(path, &width, &height, &png);
    if (width != width_px || height != height_px || png != is_png)
        fail_msg("%s: %u x %u, png %d", path, width, height, png);
}

/* One pixel of a PNG. */
static void expect_colour(const char *path, uint32_t x, uint32_t y, uint32_t rgba)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_file(&image, path));
    image.format = PNG_FORMAT_RGBA;
    uint8_t *pixels = keep(malloc(PNG_IMAGE_SIZE(image)));
    assert_true(png_image_finish_read(&image, NULL, pixels, 0, NULL));
    const uint8_t *at = pixels + (y * image.width + x) * 4;
    const uint32_t found =
        (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    if (found != rgba)
        fail_msg("%s: %08x at %u, %u", path, found, x, y);
}

static void make_pictures(void)
{
    make_folder(scratch("in"));
    make_jpeg(scratch("in/wide.jpg"), 800, 400, 1);
    make_jpeg(scratch("in/tall.jpg"), 300, 900, 2);
    make_jpeg(scratch("in/small.jpg"), 20, 10, 3);
    make_png(scratch("in/clear.png"), 600, 200, true, 4); /* its left half is transparent */
    make_flat_png(scratch("in/flat.png"), 0x3264c8);
}

static void cover_fills_the_box(void **state)
{
    (void)state;
    make_pictures();
    struct program_result result =
        program_run("in", "--fit", "cover", "-s", "120x90", "-o", "out", NULL);
    expect_exit(&result, 0);
    expect_size(scratch("out/wide.jpg"), 120, 90, false);
    expect_size(scratch("out/tall.jpg"), 120, 90, false);
    expect_size(scratch("out/small.jpg"), 20, 10, false);
    expect_size(scratch("out/clear.png"), 120, 90, true);
    expect_colour(scratch("out/clear.png"), 10, 45, 0);
    result = program_run("in", "--fit=cover", "--enlarge", "-s", "120x90", "-o", "big", NULL);
    expect_exit(&result, 0);
    expect_size(scratch("big/wide.jpg"), 120, 90, false);
    expect_size(scratch("big/small.jpg"), 120, 90, false);
}

static void pad_fills_up_with_the_background(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        uint32_t rgba;
    } colours[] = {
        {"#ff8000", 0xff8000ff}, {"#f80", 0xff8800ff},   {"black", 0x000000ff},
        {"white", 0xffffffff},   {"yellow", 0xffff00ff},
    };
    make_pictures();
    for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++) {
        const char *out = scratch("out%zu", i);
        struct program_result result =
            program_run("in", "--fit", "pad", "-s", "100x100", "-f", "png", "--background",
                        colours[i].word, "-o", out, NULL);
        expect_exit(&result, 0);
        expect_size(scratch("out%zu/wide.jpg.png", i), 100, 100, true);
        expect_size(scratch("out%zu/small.jpg.png", i), 100, 100, true);
        expect_colour(scratch("out%zu/wide.jpg.png", i), 50, 24, colours[i].rgba);
        expect_colour(scratch("out%zu/small.jpg.png", i), 39, 50, colours[i].rgba);
        expect_colour(scratch("out%zu/clear.png", i), 0, 0, colours[i].rgba); /* opaque */
        expect_colour(scratch("out%zu/clear.png", i), 10, 50, 0);
    }
    struct program_result result =
        program_run("in", "--fit", "pad", "-s", "64x50", "-o", "j", NULL);
    expect_exit(&result, 0);
    expect_size(scratch("j/wide.jpg"), 64, 50, false);
    expect_size(scratch("j/tall.jpg"), 64, 50, false);
    expect_size(scratch("j/small.jpg"), 64, 50, false);
}

static void what_is_transparent_shows_the_background_in_jpeg(void **state)
{
    (void)state;
    make_pictures();
    struct program_result result = program_run("in/clear.png", "-f", "jpeg", "--background=black",
                                               "-o", "out", "-q", "100", NULL);
    expect_exit(&result, 0);
    expect_size(scratch("out/clear.png.jpg"), 256, 85, false);
    result = program_run("out/clear.png.jpg", "-f", "png", "-s", "1000", "-o", "seen", NULL);
    expect_exit(&result, 0);
    expect_colour(scratch("seen/clear.png.jpg.png"), 30, 40, 0x000000ff);
}

static void pictures_are_enlarged_only_when_asked_for(void **state)
{
    (void)state;
    make_pictures();
    struct program_result result = program_run("in", "-s", "1000", "-o", "as", NULL);
    expect_exit(&result, 0);
    expect_size(scratch("as/small.jpg"), 20, 10, false);
    result = program_run("in", "-s", "1000", "--enlarge", "-o", "big", NULL);
    expect_exit(&result, 0);
    expect_size(scratch("big/small.jpg"), 1000, 500, false);
    expect_size(scratch("big/tall.jpg"), 333, 1000, false);
    expect_size(scratch("big/wide.jpg"), 1000, 500, false);
    /* What would be larger than any picture may be fails, and the others are made. */
    result = program_run("in", "-s", "2000", "--enlarge", "--max-pixels", "1000000", "-o", "max",
                         "--json", NULL);
    expect_exit(&result, 1);
    assert_string_equal(json_get(program_file(&result, "small.jpg"), "error")->string, "too-large");
    assert_false(file_exists(scratch("max/small.jpg")));
}

static void all_backends_fit_alike(void **state)
{
    (void)state;
    static const char *const backends[] = {"serial", "thread", "process"};
    static const char *const fits[] = {"inside", "cover", "pad"};
    make_pictures();
    for (size_t f = 0; f < 3; f++) {
        uint64_t first = 0;
        for (size_t b = 0; b < 3; b++) {
            const char *out = scratch("%s-%s", fits[f], backends[b]);
            struct program_result result =
                program_run("in", "--fit", fits[f], "--background", "#123456", "-s", "70x110",
                            "--backend", backends[b], "-o", out, NULL);
            expect_exit(&result, 0);
            const uint64_t hash = tree_contents_hash(out);
            if (b == 0)
                first = hash;
            assert_int_equal(hash, first);
        }
    }
}

static void words_that_are_no_fit_and_no_colour_are_usage_errors(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"--fit", "fill"},        {"--fit", ""},
        {"--fit", "smart"},       {"--background", "#12345"},
        {"--background", "pink"}, {"--background", "#12345g"},
        {"--background", ""},     {"--background", "#"},
    };
    make_pictures();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct program_result result = program_run("in", rows[i][0], rows[i][1], NULL);
        expect_exit(&result, 2);
        assert_non_null(strstr(result.err, rows[i][0]));
    }
    assert_false(file_exists(scratch("in/thumbs")));
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(cover_fills_the_box),
        TEST(pad_fills_up_with_the_background),
        TEST(what_is_transparent_shows_the_background_in_jpeg),
        TEST(pictures_are_enlarged_only_when_asked_for),
        TEST(all_backends_fit_alike),
        TEST(words_that_are_no_fit_and_no_colour_are_usage_errors),
    };
    return test_run("thumbpool fits", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
