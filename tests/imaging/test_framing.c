/* How pictures get into their boxes: every fit, from every kind of file, in every orientation,
 * against the definition. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "isolate.h"
#include "reference.h"
#include "thumbs.h"
#include "vips_files.h"

/* ---- Files ---- */

enum kind {
    PNG_GRAY,
    PNG_GRAY_ALPHA,
    PNG_RGB,
    PNG_RGB_ALPHA,
    PNG_RGB_16,
    PNG_RGB_ALPHA_16,
    PNG_INTERLACED,
    JPEG_GRAY,
    JPEG_444,
    JPEG_422,
    JPEG_420,
    JPEG_PROGRESSIVE_420,
    JPEG_PROGRESSIVE_444,
    JPEG_RESTARTS,
    JPEG_SEPARATE, /* a scan for each component */
    JPEG_ICC,      /* sRGB: converted, but the same */
    VIPS,          /* TIFF */
    KINDS
};

static const struct {
    const char *name;
    unsigned channels, depth;
    double psnr; /* that a PNG thumbnail reaches; 99: each sample is within 1 */
    struct jpeg_make make;
} kinds[KINDS] = {
    [PNG_GRAY] = {"gray PNG", 1, 8, 99, {0}},
    [PNG_GRAY_ALPHA] = {"PNG of gray and alpha", 2, 8, 99, {0}},
    [PNG_RGB] = {"PNG", 3, 8, 99, {0}},
    [PNG_RGB_ALPHA] = {"PNG with alpha", 4, 8, 99, {0}},
    [PNG_RGB_16] = {"PNG of 16 bits", 3, 16, 99, {0}},
    [PNG_RGB_ALPHA_16] = {"PNG of 16 bits with alpha", 4, 16, 99, {0}},
    [PNG_INTERLACED] = {"interlaced PNG", 3, 8, 99, {0}},
    [JPEG_GRAY] = {"gray JPEG", 1, 8, 50, {.quality = 98}},
    [JPEG_444] = {"JPEG 4:4:4", 3, 8, 50, {.quality = 98}},
    [JPEG_422] = {"JPEG 4:2:2", 3, 8, 50, {.quality = 98, .luma_h = 2}},
    [JPEG_420] = {"JPEG 4:2:0", 3, 8, 50, {.quality = 98, .luma_h = 2, .luma_v = 2}},
    [JPEG_PROGRESSIVE_420] = {"progressive JPEG 4:2:0",
                              3,
                              8,
                              50,
                              {.quality = 98, .luma_h = 2, .luma_v = 2, .progressive = true}},
    [JPEG_PROGRESSIVE_444] = {"progressive JPEG", 3, 8, 50, {.quality = 98, .progressive = true}},
    [JPEG_RESTARTS] = {"JPEG with restarts",
                       3,
                       8,
                       50,
                       {.quality = 98, .luma_h = 2, .luma_v = 2, .restart_rows = 1}},
    [JPEG_SEPARATE] = {"JPEG of three scans",
                       3,
                       8,
                       50,
                       {.quality = 98, .luma_h = 2, .luma_v = 2, .separate_scans = true}},
    [JPEG_ICC] = {"JPEG with a profile", 3, 8, 50, {.quality = 98, .luma_h = 2, .luma_v = 2}},
    [VIPS] = {"TIFF", 3, 8, 99, {0}},
};

/* The file of a stored picture; size 0: it cannot be made here. */
static struct bytes file_of(enum kind kind, const struct sample *stored, int orientation)
{
    if (kind == VIPS)
        return vips_file_made(stored, ".tif", &(struct vips_make){.orientation = orientation});
    if (kind < JPEG_GRAY)
        return png_bytes(stored, &(struct png_make){.orientation = orientation,
                                                    .interlaced = kind == PNG_INTERLACED});
    struct jpeg_make make = kinds[kind].make;
    struct bytes icc = {NULL, 0};
    make.orientation = orientation;
    if (kind == JPEG_ICC)
        make.icc = icc = icc_srgb();
    struct bytes file = jpeg_bytes(stored, &make);
    free(icc.data);
    return file;
}

/* ---- Ways ---- */

static const struct way {
    enum img_fit fit;
    bool enlarge;
    uint32_t width, height;
} ways[] = {
    {IMG_FIT_COVER, false, 64, 64},    {IMG_FIT_COVER, false, 90, 31},
    {IMG_FIT_COVER, false, 31, 90},    {IMG_FIT_COVER, false, 45, 34},
    {IMG_FIT_COVER, false, 5, 7},      {IMG_FIT_COVER, false, 1, 1},
    {IMG_FIT_COVER, false, 700, 40},   {IMG_FIT_COVER, true, 40, 500},
    {IMG_FIT_COVER, true, 450, 450},   {IMG_FIT_PAD, false, 64, 64},
    {IMG_FIT_PAD, false, 63, 50},      {IMG_FIT_PAD, false, 51, 77},
    {IMG_FIT_PAD, false, 4, 7},        {IMG_FIT_PAD, false, 470, 350},
    {IMG_FIT_PAD, true, 500, 390},     {IMG_FIT_INSIDE, true, 480, 480},
    {IMG_FIT_INSIDE, true, 1000, 370},
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

static struct img_options options_of(const struct way *way)
{
    struct img_options options = IMG_OPTIONS_INIT;
    options.fit = way->fit;
    options.enlarge = way->enlarge;
    options.box_width_px = way->width;
    options.box_height_px = way->height;
    options.format = IMG_FORMAT_PNG;
    options.quality = 98;
    memset(options.background, 40, 3); /* gray, so that gray stays gray */
    return options;
}

static void check_alike(const struct sample *thumb, const struct sample *expected, double psnr,
                        const char *name, const struct way *way, int orientation)
{
    if (thumb->width != expected->width || thumb->height != expected->height ||
        thumb->channels != expected->channels)
        fail_msg("%s, fit %d, box %u x %u, orientation %d: %u x %u of %u", name, way->fit,
                 way->width, way->height, orientation, thumb->width, thumb->height,
                 thumb->channels);
    if (psnr >= 99 ? sample_difference(thumb, expected) > 1 : sample_psnr(thumb, expected) < psnr)
        fail_msg("%s, fit %d, enlarge %d, box %u x %u, orientation %d: %u off, %.1f dB", name,
                 way->fit, way->enlarge, way->width, way->height, orientation,
                 sample_difference(thumb, expected), sample_psnr(thumb, expected));
}

/* Alpha of a half is where a premultiplied colour is off by the most: so none is lower here. */
static struct sample upright_of(enum kind kind, uint32_t width, uint32_t height)
{
    struct sample sample = sample_photo(width, height, kinds[kind].channels, kinds[kind].depth);
    if (sample.channels % 2 == 0)
        for (size_t i = sample.channels - 1; i < (size_t)width * height * sample.channels;
             i += sample.channels)
            sample.samples[i] |= sample.depth == 8 ? 0x80 : 0x8000;
    return sample;
}

/* The upright picture that the file of a stored one has: what a JPEG has lost is not to be found
 * again. Takes the picture that was stored. */
static struct sample shown_by(enum kind kind, struct bytes file, struct sample upright,
                              int orientation)
{
    static const int backwards[] = {0, 1, 2, 3, 4, 5, 8, 7, 6};
    if (kind < JPEG_GRAY || kind == VIPS)
        return upright;
    struct sample stored = sample_decode(file.data, file.size);
    struct sample turned = sample_stored_as(&stored, backwards[orientation]);
    sample_free(&stored), sample_free(&upright);
    return turned;
}

static void check_kind(enum kind kind, int orientation)
{
    const bool large = orientation == 1 && (kind == PNG_GRAY_ALPHA || kind == PNG_RGB_ALPHA_16 ||
                                            kind == JPEG_GRAY || kind == JPEG_420);
    struct sample upright = upright_of(kind, 401, 303);
    struct sample stored = sample_stored_as(&upright, orientation);
    struct bytes file = file_of(kind, &stored, orientation);
    upright = shown_by(kind, file, upright, orientation);
    for (size_t i = 0; i < WAYS && file.size > 0; i++) {
        const struct img_options options = options_of(&ways[i]);
        if (!large && ways[i].width > 300 && ways[i].height > 300)
            continue; /* the definition takes long for it */
        struct sample expected = reference_thumb(&upright, &options, 0);
        struct sample thumb = thumb_of(file, &options);
        check_alike(&thumb, &expected, kinds[kind].psnr, kinds[kind].name, &ways[i], orientation);
        sample_free(&thumb), sample_free(&expected);
    }
    free(file.data);
    sample_free(&stored), sample_free(&upright);
}

/* turned: the one that is tried in all orientations. */
static void check_kinds(enum kind first, enum kind end, enum kind turned)
{
    for (enum kind kind = first; kind < end; kind++)
        for (int orientation = 1; orientation <= 8; orientation++)
            if (orientation == 1 || kind == turned)
                check_kind(kind, orientation);
}

static void every_fit_agrees_with_the_definition_for_png(void **state)
{
    (void)state;
    check_kinds(PNG_GRAY, JPEG_GRAY, PNG_RGB_ALPHA);
}

static void every_fit_agrees_with_the_definition_for_jpeg(void **state)
{
    (void)state;
    check_kinds(JPEG_GRAY, VIPS, JPEG_420);
}

static void every_fit_agrees_with_the_definition_for_libvips(void **state)
{
    (void)state;
    check_kind(VIPS, 1);
    check_kind(VIPS, 6);
    vips_leave();
}

/* The tests above would see it. */
static void a_part_that_is_off_by_a_quarter_of_a_pixel_is_another(void **state)
{
    (void)state;
    struct sample upright = upright_of(PNG_RGB, 401, 303);
    for (size_t i = 0; i < WAYS; i++) {
        const struct img_options options = options_of(&ways[i]);
        if (options.fit != IMG_FIT_COVER || (ways[i].width == 700 && !ways[i].enlarge))
            continue;
        struct sample right = reference_thumb(&upright, &options, 0);
        struct sample wrong = reference_thumb(&upright, &options, 0.25);
        if (right.width > 1 && sample_psnr(&right, &wrong) > 49)
            fail_msg("%u x %u: %.1f dB", ways[i].width, ways[i].height,
                     sample_psnr(&right, &wrong));
        sample_free(&right), sample_free(&wrong);
    }
    sample_free(&upright);
}

/* Through planes and, at the strictest level, through pixels. */
static void planes_and_pixels_agree_in_jpeg(void **state)
{
    (void)state;
    for (int orientation = 1; orientation <= 8; orientation++)
        for (size_t i = 0; i < WAYS; i++) {
            if (ways[i].width + ways[i].height > 200 || ways[i].width < 30)
                continue;
            struct sample upright = sample_quarters(401, 303);
            struct sample stored = sample_stored_as(&upright, orientation);
            struct bytes file = file_of(JPEG_420, &stored, orientation);
            struct img_options options = options_of(&ways[i]);
            memcpy(options.background, (uint8_t[]){200, 40, 90}, 3);
            options.format = IMG_FORMAT_JPEG;
            struct sample planar = thumb_of(file, &options);
            options.fail_on = IMG_FAIL_ON_WARNING;
            struct sample pixels = thumb_of(file, &options);
            if (sample_psnr(&planar, &pixels) < 33)
                fail_msg("fit %d, box %u x %u, orientation %d: %.1f dB", ways[i].fit, ways[i].width,
                         ways[i].height, orientation, sample_psnr(&planar, &pixels));
            sample_free(&planar), sample_free(&pixels);
            sample_free(&upright), sample_free(&stored);
            free(file.data);
        }
}

/* Nothing else than the fast decoders is to have made these. */
static void the_fast_ways_serve_every_fit(void **state)
{
    (void)state;
    static const enum kind fast[] = {PNG_RGB, PNG_RGB_ALPHA, JPEG_GRAY, JPEG_420,
                                     JPEG_PROGRESSIVE_420};
    for (size_t k = 0; k < sizeof(fast) / sizeof(fast[0]); k++) {
        struct sample upright = upright_of(fast[k], 401, 303);
        struct bytes file = file_of(fast[k], &upright, 1);
        for (int fit = IMG_FIT_INSIDE; fit <= IMG_FIT_PAD; fit++) {
            struct img_options options = IMG_OPTIONS_INIT;
            struct img_context *context = NULL;
            struct img_thumbnail thumbnail;
            options.fit = (enum img_fit)fit;
            options.box_width_px = options.box_height_px = 40;
            assert_int_equal(img_context_create(&context), 0);
            assert_int_equal(
                img_thumbnail(context, file.data, file.size, &options, &thumbnail, NULL), 0);
            if (strcmp(thumbnail.decoder, "thumbpool") != 0)
                fail_msg("%s, fit %d: %s", kinds[fast[k]].name, fit, thumbnail.decoder);
            img_context_free(context);
        }
        free(file.data);
        sample_free(&upright);
    }
}

/* ---- Odd shapes ---- */

static void odd_shapes_agree_with_the_definition(void **state)
{
    (void)state;
    static const struct {
        uint32_t width, height, box_width, box_height;
    } rows[] = {
        {1, 1, 1, 1},      {1, 1, 9, 5},         {1, 2000, 16, 16},  {2000, 1, 16, 16},
        {3, 1999, 300, 2}, {1999, 3, 2, 300},    {2, 2, 3, 3},       {5, 4, 4, 5},
        {7, 300, 7, 7},    {300, 7, 7, 7},       {30, 20, 4000, 1},  {30, 20, 1, 4000},
        {1, 9000, 300, 1}, {9000, 1, 1, 300},    {16, 16, 17, 17},   {100, 99, 99, 100},
        {1, 65535, 1, 1},  {65535, 1, 65535, 1}, {1, 2000, 2000, 1}, {12, 1, 3000, 250},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (unsigned alpha = 0; alpha <= 1; alpha++) {
            struct sample upright =
                upright_of(alpha ? PNG_RGB_ALPHA : PNG_RGB, rows[i].width, rows[i].height);
            struct bytes file = png_bytes(&upright, &(struct png_make){0});
            for (int fit = IMG_FIT_INSIDE; fit <= IMG_FIT_PAD; fit++)
                for (int enlarge = 0; enlarge <= 1; enlarge++) {
                    const struct way way = {(enum img_fit)fit, enlarge, rows[i].box_width,
                                            rows[i].box_height};
                    const struct img_options options = options_of(&way);
                    struct sample expected = reference_thumb(&upright, &options, 0);
                    struct sample thumb = thumb_of(file, &options);
                    assert_in_range(thumb.width, 1, rows[i].box_width);
                    assert_in_range(thumb.height, 1, rows[i].box_height);
                    check_alike(&thumb, &expected, 99, alpha ? "odd, alpha" : "odd", &way, 1);
                    sample_free(&thumb), sample_free(&expected);
                }
            free(file.data);
            sample_free(&upright);
        }
}

static void thumbnails_that_would_be_too_large_are_refused(void **state)
{
    (void)state;
    static const struct {
        enum img_fit fit;
        bool enlarge;
        uint64_t pixels_max, memory_bytes;
        int code;
    } rows[] = {
        {IMG_FIT_PAD, false, 1000000, 0, -EFBIG},       {IMG_FIT_PAD, false, 4000000, 0, 0},
        {IMG_FIT_COVER, true, 1000000, 0, -EFBIG},      {IMG_FIT_INSIDE, true, 1000000, 0, -EFBIG},
        {IMG_FIT_COVER, false, 1000000, 0, 0},          {IMG_FIT_INSIDE, false, 1000000, 0, 0},
        {IMG_FIT_PAD, false, 4000000, 3000000, -EFBIG},
    };
    struct sample source = sample_photo(30, 30, 3, 8);
    struct bytes file = png_bytes(&source, &(struct png_make){0});
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct way way = {rows[i].fit, rows[i].enlarge, 2000, 2000};
        struct img_options options = options_of(&way);
        struct img_error error = {.code = 0};
        options.pixels_max = rows[i].pixels_max;
        options.memory_bytes = rows[i].memory_bytes;
        if (thumb_result(file, &options, &error) != rows[i].code)
            fail_msg("row %zu: %d, %s", i, error.code, error.message);
    }
    struct img_options options = options_of(&(struct way){IMG_FIT_PAD, true, 65535, 65535});
    assert_int_equal(thumb_result(file, &options, NULL), -EFBIG);
    options.fit = (enum img_fit)3;
    assert_int_equal(thumb_result(file, &options, NULL), -EINVAL);
    free(file.data);
    sample_free(&source);
}

int main(int argc, char **argv)
{
    vips_files_main(argc, argv);
    static const struct test_case tests[] = {
        TEST_LONG(every_fit_agrees_with_the_definition_for_png, 60000),
        TEST_LONG(every_fit_agrees_with_the_definition_for_jpeg, 60000),
        TEST(every_fit_agrees_with_the_definition_for_libvips),
        TEST(a_part_that_is_off_by_a_quarter_of_a_pixel_is_another),
        TEST(planes_and_pixels_agree_in_jpeg),
        TEST(the_fast_ways_serve_every_fit),
        TEST_LONG(odd_shapes_agree_with_the_definition, 60000),
        TEST(thumbnails_that_would_be_too_large_are_refused),
    };
    return test_run("framing", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
