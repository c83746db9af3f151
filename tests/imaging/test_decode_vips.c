/* The formats that come through libvips. The inputs are made by libvips too; a format that this
 * machine's libvips cannot write is passed over. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "isolate.h"
#include "surgery.h"
#include "thumbs.h"
#include "vips_files.h"

/* ---- Pixels ---- */

static void every_format_gives_the_pixels_of_its_picture(void **state)
{
    (void)state;
    static const struct {
        const char *suffix;
        enum img_format format;
        unsigned depth;
        double psnr_min;
    } rows[] = {
        {".webp[lossless]", IMG_FORMAT_WEBP, 8, 90},
        {".webp[Q=90]", IMG_FORMAT_WEBP, 8, 33},
        {".tif", IMG_FORMAT_TIFF, 8, 90},
        {".tif", IMG_FORMAT_TIFF, 16, 90},
        {".tif[compression=deflate,predictor=horizontal]", IMG_FORMAT_TIFF, 16, 90},
        {".tif[tile,compression=lzw]", IMG_FORMAT_TIFF, 8, 90},
        {".tif[bigtiff]", IMG_FORMAT_TIFF, 8, 90},
        {".gif", IMG_FORMAT_GIF, 8, 25},
        {".heic[Q=95]", IMG_FORMAT_HEIF, 8, 33},
        {".avif[Q=95,effort=0]", IMG_FORMAT_AVIF, 8, 33},
        {".jxl[lossless]", IMG_FORMAT_JXL, 8, 45},
        {".jxl[lossless]", IMG_FORMAT_JXL, 16, 45},
    };
    unsigned seen = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sample source = sample_photo(237, 181, 3, rows[i].depth);
        struct bytes file = vips_file_of(&source, rows[i].suffix);
        if (!file.size || img_format_probe(file.data, file.size) != rows[i].format) {
            free(file.data);
            sample_free(&source);
            continue;
        }
        struct bytes png = png_bytes(&source, &(struct png_make){0});
        const struct img_options options = thumb_options(100);
        struct sample thumb = thumb_of(file, &options), expected = thumb_of(png, &options);
        const double psnr = sample_psnr(&thumb, &expected);
        if (psnr < rows[i].psnr_min)
            fail_msg("%s, %u bits: %.1f dB", rows[i].suffix, rows[i].depth, psnr);
        seen++;
        sample_free(&source), sample_free(&thumb), sample_free(&expected);
        free(file.data), free(png.data);
    }
    assert_true(seen >= 4);
    vips_leave();
}

static void bmp_rows_come_in_their_order(void **state)
{
    (void)state;
    struct sample source = sample_quarters(101, 67);
    struct bytes bmp = bmp_bytes(&source);
    const struct img_options options = thumb_options(200);
    if (thumb_result(bmp, &options, NULL) == -ENOTSUP)
        skip();
    struct sample thumb = thumb_of(bmp, &options);
    assert_int_equal(sample_difference(&source, &thumb), 0);
    sample_free(&source), sample_free(&thumb);
    free(bmp.data);
    vips_leave();
}

static void alpha_and_gray_keep_their_channels(void **state)
{
    (void)state;
    static const char suffixes[][40] = {".tif", ".webp[lossless]"};
    for (unsigned channels = 1; channels <= 4; channels++)
        for (int i = 0; i < 2; i++) {
            struct sample source = sample_photo(50, 40, channels, 8);
            if (channels % 2 == 0)
                for (size_t s = channels - 1; s < 50 * 40 * channels; s += channels)
                    source.samples[s] |= 0x80;
            struct bytes file = vips_file_of(&source, suffixes[i]);
            if (!file.size) {
                sample_free(&source);
                free(file.data);
                continue;
            }
            const struct img_options options = thumb_options(50);
            struct sample thumb = thumb_of(file, &options);
            if (i == 0) /* WebP knows no gray */
                assert_true(sample_difference(&source, &thumb) <= 1);
            assert_int_equal(thumb.channels % 2, channels % 2);
            sample_free(&source), sample_free(&thumb);
            free(file.data);
        }
    vips_leave();
}

static void floats_and_lab_are_brought_to_srgb(void **state)
{
    (void)state;
    struct sample source = sample_photo(64, 48, 3, 8);
    static const VipsInterpretation spaces[] = {VIPS_INTERPRETATION_LAB, VIPS_INTERPRETATION_scRGB};
    for (int i = 0; i < 2; i++) {
        struct bytes file =
            vips_file_made(&source, ".tif", &(struct vips_make){.convert_to = spaces[i]});
        assert_true(file.size > 0);
        const struct img_options options = thumb_options(64);
        struct sample thumb = thumb_of(file, &options);
        if (sample_difference(&source, &thumb) > 4)
            fail_msg("space %d: %u off", i, sample_difference(&source, &thumb));
        sample_free(&thumb);
        free(file.data);
    }
    sample_free(&source);
    vips_leave();
}

static void inks_are_turned_into_light(void **state)
{
    (void)state;
    struct sample source = sample_new(30, 30, 4, 8);
    for (size_t i = 0; i < 900; i++)
        memcpy(source.samples + i * 4, (uint16_t[]){200, 50, 0, 30}, 4 * sizeof(uint16_t));
    struct bytes file =
        vips_file_made(&source, ".tif", &(struct vips_make){.read_as = VIPS_INTERPRETATION_CMYK});
    const struct img_options options = thumb_options(10);
    struct sample thumb = thumb_of(file, &options);
    const int expected[3] = {55 * 225 / 255, 205 * 225 / 255, 225};
    assert_int_equal(thumb.channels, 3);
    for (unsigned c = 0; c < 3; c++)
        assert_true(abs(thumb.samples[c] - expected[c]) <= 1);
    sample_free(&source), sample_free(&thumb);
    free(file.data);
    vips_leave();
}

static void an_embedded_profile_is_converted(void **state)
{
    (void)state;
    static const char suffixes[][40] = {".tif", ".webp[lossless]"};
    struct sample source = sample_new(60, 50, 3, 8);
    for (size_t i = 0; i < 3000; i++)
        source.samples[i * 3] = 250; /* red by its numbers, green by its profile */
    struct bytes icc = icc_swapped();
    for (int i = 0; i < 2; i++) {
        struct bytes file = vips_file_made(&source, suffixes[i], &(struct vips_make){.icc = icc});
        const struct img_options options = thumb_options(32);
        struct sample thumb = thumb_of(file, &options);
        assert_true(thumb.samples[0] < 10 && thumb.samples[1] > 240 && thumb.samples[2] < 10);
        sample_free(&thumb);
        free(file.data);
    }
    sample_free(&source);
    free(icc.data);
    vips_leave();
}

/* ---- Orientation and pages ---- */

static void all_orientations_come_out_upright(void **state)
{
    (void)state;
    static const char suffixes[][40] = {".tif", ".webp[lossless]"};
    struct sample upright = sample_quarters(90, 60);
    for (int i = 0; i < 2; i++)
        for (int orientation = 1; orientation <= 8; orientation++) {
            struct sample stored = sample_stored_as(&upright, orientation);
            struct bytes file = vips_file_made(&stored, suffixes[i],
                                               &(struct vips_make){.orientation = orientation});
            const struct img_options options = thumb_options(60);
            struct sample thumb = thumb_of(file, &options);
            assert_int_equal(thumb.width, 60);
            assert_int_equal(thumb.height, 40);
            if (!quarters_are_upright(&thumb))
                fail_msg("%s, orientation %d", suffixes[i], orientation);
            sample_free(&stored), sample_free(&thumb);
            free(file.data);
        }
    sample_free(&upright);
    vips_leave();
}

/* Their containers say how to turn, and their decoders do it; EXIF must not turn again. Whether a
 * writer notes the turn in the container is its own business. */
static void formats_that_turn_by_themselves_are_not_turned_twice(void **state)
{
    (void)state;
    static const char suffixes[][40] = {".heic", ".avif[effort=0]", ".jxl[lossless]"};
    struct sample upright = sample_quarters(96, 64);
    for (int i = 0; i < 3; i++) {
        struct bytes file =
            vips_file_made(&upright, suffixes[i], &(struct vips_make){.orientation = 6});
        if (file.size) {
            const struct img_options options = thumb_options(48);
            struct sample thumb = thumb_of(file, &options);
            struct sample back = sample_stored_as(&thumb, thumb.width == 48 ? 1 : 6);
            assert_int_equal(back.width, 48);
            if (!quarters_are_upright(&back))
                fail_msg("%s", suffixes[i]);
            sample_free(&thumb), sample_free(&back);
        }
        free(file.data);
    }
    sample_free(&upright);
    vips_leave();
}

static void the_first_frame_is_taken(void **state)
{
    (void)state;
    static const char suffixes[][40] = {".webp[lossless]", ".gif", ".tif"};
    struct sample frames = sample_new(40, 90, 3, 8); /* three pages of 30 rows */
    for (uint32_t y = 0; y < 90; y++)
        for (uint32_t x = 0; x < 40; x++)
            sample_at(&frames, x, y)[y / 30] = 250;
    for (int i = 0; i < 3; i++) {
        struct bytes file =
            vips_file_made(&frames, suffixes[i], &(struct vips_make){.page_height = 30});
        if (!file.size) {
            free(file.data);
            continue;
        }
        const struct img_options options = thumb_options(40);
        struct sample thumb = thumb_of(file, &options);
        assert_int_equal(thumb.height, 30);
        const uint16_t *last = sample_at(&thumb, 39, 29);
        assert_true(last[0] > 240 && last[1] < 10 && last[2] < 10);
        sample_free(&thumb);
        free(file.data);
    }
    sample_free(&frames);
    vips_leave();
}

/* ---- Damage ---- */

static void check_cuts(struct bytes file, const char *label, int code)
{
    const struct img_options options = thumb_options(60);
    for (int part = 1; file.size && part < 16; part++) {
        const size_t size = file.size * (size_t)part / 16;
        uint8_t *exact = malloc(size);
        memcpy(exact, file.data, size);
        struct img_error error = {0};
        if (thumb_result((struct bytes){exact, size}, &options, &error) == 0)
            fail_msg("%s cut to %d/16 passed", label, part);
        if (code && part > 2 && error.code != code)
            fail_msg("%s cut to %d/16: %s", label, part, error.message);
        free(exact);
    }
}

static void cut_files_fail(void **state)
{
    (void)state;
    static const struct {
        const char *suffix;
        int code; /* 0: the loader does not tell */
    } rows[] = {
        {".webp[lossless]", -EPIPE},
        {".webp[Q=80]", -EPIPE},
        {".tif", -EPIPE},
        {".tif[compression=deflate]", -EPIPE},
        {".gif", -EPIPE},
        {".heic", -EPIPE},
        {".avif[effort=0]", -EPIPE},
        {".jxl", 0},
    };
    struct sample source = sample_photo(160, 120, 3, 8);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bytes file = vips_file_of(&source, rows[i].suffix);
        check_cuts(file, rows[i].suffix, rows[i].code);
        free(file.data);
    }
    struct bytes bmp = bmp_bytes(&source);
    check_cuts(bmp, "bmp", -EPIPE);
    free(bmp.data);
    sample_free(&source);
    vips_leave();
}

static void put_le(uint8_t *at, size_t count, uint64_t value)
{
    for (size_t i = 0; i < count; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* An uncompressed TIFF of RGB that says first where its strips of eight rows are: libvips writes
 * that last, so that a cut always takes it. */
static struct bytes tiff_told_first(const struct sample *sample)
{
    enum { ROWS = 8, ENTRIES = 9 };
    const uint32_t strips = sample->height / ROWS, row_bytes = sample->width * 3;
    const uint32_t bits_at = 8 + 2 + ENTRIES * 12 + 4, offsets_at = bits_at + 6;
    const uint32_t counts_at = offsets_at + 4 * strips, data_at = counts_at + 4 * strips;
    const uint32_t entries[ENTRIES][4] = {
        /* tag, type, count, value */
        {256, 4, 1, sample->width},
        {257, 4, 1, sample->height},
        {258, 3, 3, bits_at},
        {259, 3, 1, 1},
        {262, 3, 1, 2},
        {273, 4, strips, offsets_at},
        {277, 3, 1, 3},
        {278, 4, 1, ROWS},
        {279, 4, strips, counts_at},
    };
    struct bytes tiff = {calloc(1, data_at + (size_t)row_bytes * sample->height), 0};
    assert_non_null(tiff.data);
    tiff.size = data_at + (size_t)row_bytes * sample->height;
    memcpy(tiff.data, "II*\0\x08\0\0\0\x09\0", 10);
    for (size_t i = 0; i < ENTRIES; i++) {
        uint8_t *at = tiff.data + 10 + i * 12;
        put_le(at, 2, entries[i][0]), put_le(at + 2, 2, entries[i][1]);
        put_le(at + 4, 4, entries[i][2]), put_le(at + 8, 4, entries[i][3]);
    }
    for (size_t i = 0; i < 3; i++)
        put_le(tiff.data + bits_at + i * 2, 2, 8);
    for (size_t i = 0; i < strips; i++) {
        put_le(tiff.data + offsets_at + i * 4, 4, data_at + i * ROWS * row_bytes);
        put_le(tiff.data + counts_at + i * 4, 4, ROWS * row_bytes);
    }
    for (size_t i = 0; i < (size_t)row_bytes * sample->height; i++)
        tiff.data[data_at + i] = (uint8_t)sample->samples[i];
    return tiff;
}

static void a_cut_keeps_its_upper_rows_where_all_is_tolerated(void **state)
{
    (void)state;
    struct sample source = sample_photo(160, 160, 3, 8);
    struct bytes files[] = {tiff_told_first(&source), vips_file_of(&source, ".gif")};
    for (size_t i = 0; i < 2; i++) {
        struct img_options options = thumb_options(80);
        if (!files[i].size) {
            free(files[i].data);
            continue;
        }
        struct sample whole = thumb_of(files[i], &options);
        for (unsigned percent = 1; percent < 100; percent++) {
            struct bytes cut = bytes_cut(files[i], files[i].size * percent / 100);
            for (int level = IMG_FAIL_ON_TRUNCATED; level <= IMG_FAIL_ON_WARNING; level++) {
                options.fail_on = (enum img_fail_on)level;
                if (thumb_result(cut, &options, NULL) == 0)
                    fail_msg("file %zu cut at %u %% passed at level %d", i, percent, level);
            }
            options.fail_on = IMG_FAIL_ON_NONE;
            struct thumb_outcome outcome = thumb_try(cut, &options);
            if (outcome.code == 0) {
                const uint32_t alike = thumb_rows_alike(&outcome.sample, &whole, 3);
                assert_int_equal(outcome.damage.code, -EPIPE);
                if (alike + 12 < whole.height * percent / 100)
                    fail_msg("file %zu cut at %u %%: %u rows are right", i, percent, alike);
            } else if (percent > 15) {
                fail_msg("file %zu cut at %u %%: %s", i, percent, outcome.error.message);
            }
            sample_free(&outcome.sample);
            free(cut.data);
        }
        sample_free(&whole);
        free(files[i].data);
    }
    sample_free(&source);
    vips_leave();
}

static void bad_codes_are_kept_from_the_level_of_early_ends_down(void **state)
{
    (void)state;
    struct sample source = sample_photo(160, 600, 3, 8);
    struct bytes tiff = vips_file_of(&source, ".tif[compression=deflate]");
    assert_true(tiff.size > 0);
    struct img_options options = thumb_options(100);
    struct sample whole = thumb_of(tiff, &options);
    unsigned noticed = 0;
    for (unsigned round = 0; round < 40; round++) { /* not all bad codes are impossible ones */
        struct bytes bad = bytes_cut(tiff, tiff.size);
        const size_t at = bad.size / 2 + bad.size * round / 100;
        for (size_t i = 0; i < 40; i++)
            bad.data[at + i] = (uint8_t)(bad.data[at + i] * 7 + i);
        options.fail_on = IMG_FAIL_ON_ERROR;
        const int r = thumb_result(bad, &options, NULL);
        for (int level = IMG_FAIL_ON_NONE; level <= IMG_FAIL_ON_TRUNCATED; level++) {
            options.fail_on = (enum img_fail_on)level;
            struct thumb_outcome outcome = thumb_try(bad, &options);
            assert_int_equal(outcome.code, 0);
            assert_int_equal(outcome.damage.code, r);
            assert_true(thumb_rows_alike(&outcome.sample, &whole, 1) > 10);
            sample_free(&outcome.sample);
        }
        noticed += r == -EBADMSG;
        free(bad.data);
    }
    assert_true(noticed > 3);
    sample_free(&source), sample_free(&whole);
    free(tiff.data);
    vips_leave();
}

/* What is decoded in one piece fails as before, and leaves no half of a picture. */
static void formats_of_one_piece_come_out_whole_or_not_at_all(void **state)
{
    (void)state;
    static const char suffixes[][40] = {".webp[lossless]", ".heic", ".avif[effort=0]"};
    struct sample source = sample_photo(160, 120, 3, 8);
    struct img_options options = thumb_options(60);
    options.fail_on = IMG_FAIL_ON_NONE;
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        struct bytes file = vips_file_of(&source, suffixes[i]);
        for (unsigned percent = 10; percent < 100 && file.size; percent += 10) {
            struct bytes cut = bytes_cut(file, file.size * percent / 100);
            assert_int_equal(thumb_result(cut, &options, NULL), -EPIPE);
            free(cut.data);
        }
        free(file.data);
    }
    sample_free(&source);
    vips_leave();
}

static void flipped_bits_never_crash_and_nothing_is_printed(void **state)
{
    (void)state;
    static const char suffixes[][40] = {
        ".webp[lossless]",        ".webp[Q=60]", ".gif", ".tif[compression=deflate]",
        ".tif[compression=jpeg]", ".jxl"};
    const size_t count = sizeof(suffixes) / sizeof(suffixes[0]);
    const int quiet = memfd_create("printed", MFD_CLOEXEC);
    const int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
    struct sample source = sample_photo(60, 50, 3, 8);
    const struct img_options options = thumb_options(30);
    uint32_t random = 9;
    dup2(quiet, STDOUT_FILENO), dup2(quiet, STDERR_FILENO);
    off_t printed = 0;
    for (size_t i = 0; i < count; i++) {
        struct bytes file = vips_file_of(&source, suffixes[i]);
        if (i == count - 1) /* libjxl itself prints in some builds */
            fflush(NULL), printed = lseek(quiet, 0, SEEK_END);
        for (int round = 0; file.size && round < 60; round++) {
            random = random * 1664525 + 1013904223;
            const size_t at = (random >> 4) % file.size;
            const uint8_t bit = (uint8_t)(1 << (random >> 29));
            file.data[at] ^= bit;
            thumb_result(file, &options, NULL);
            file.data[at] ^= bit;
        }
        free(file.data);
    }
    dup2(out, STDOUT_FILENO), dup2(err, STDERR_FILENO);
    assert_int_equal(printed, 0);
    close(quiet), close(out), close(err);
    sample_free(&source);
    vips_leave();
}

/* ---- Limits ---- */

static void too_many_pixels_are_refused(void **state)
{
    (void)state;
    static const char suffixes[][40] = {".webp[lossless]", ".tif", ".gif", ".jxl", ".avif"};
    struct sample source = sample_photo(100, 100, 3, 8);
    struct img_options options = thumb_options(30);
    options.pixels_max = 9999;
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        struct bytes file = vips_file_of(&source, suffixes[i]);
        if (file.size)
            assert_int_equal(thumb_result(file, &options, NULL), -EFBIG);
        free(file.data);
    }
    struct bytes bmp = bmp_bytes(&source);
    assert_int_equal(thumb_result(bmp, &options, NULL), -EFBIG);
    free(bmp.data);
    sample_free(&source);
    vips_leave();
}

static bool third_time(void *data)
{
    return ++*(int *)data >= 3;
}

static void cancelling_stops_between_strips(void **state)
{
    (void)state;
    struct sample source = sample_photo(500, 2000, 3, 8);
    struct bytes file = vips_file_of(&source, ".tif");
    int asked = 0;
    struct img_options options = thumb_options(30);
    options.cancelled = third_time;
    options.cancel_data = &asked;
    assert_int_equal(thumb_result(file, &options, NULL), -ECANCELED);
    assert_int_equal(asked, 3);
    free(file.data);
    sample_free(&source);
    vips_leave();
}

int main(int argc, char **argv)
{
    vips_files_main(argc, argv);
    static const struct test_case tests[] = {
        TEST_LONG(every_format_gives_the_pixels_of_its_picture, 60000),
        TEST(bmp_rows_come_in_their_order),
        TEST(alpha_and_gray_keep_their_channels),
        TEST(floats_and_lab_are_brought_to_srgb),
        TEST(inks_are_turned_into_light),
        TEST(an_embedded_profile_is_converted),
        TEST(all_orientations_come_out_upright),
        TEST_LONG(formats_that_turn_by_themselves_are_not_turned_twice, 60000),
        TEST(the_first_frame_is_taken),
        TEST_LONG(cut_files_fail, 60000),
        TEST_LONG(a_cut_keeps_its_upper_rows_where_all_is_tolerated, 60000),
        TEST(bad_codes_are_kept_from_the_level_of_early_ends_down),
        TEST_LONG(formats_of_one_piece_come_out_whole_or_not_at_all, 60000),
        TEST_LONG(flipped_bits_never_crash_and_nothing_is_printed, 60000),
        TEST_LONG(too_many_pixels_are_refused, 60000),
        TEST(cancelling_stops_between_strips),
    };
    return test_run("decode_vips", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
