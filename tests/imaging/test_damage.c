/* JPEG and PNG that are cut or damaged, at each level of what is tolerated. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "isolate.h"
#include "surgery.h"
#include "thumbs.h"

#define WIDTH  400
#define HEIGHT 300
#define BOX    80 /* thumbnails of 80 x 60 */

static struct img_options options_of(enum img_fail_on fail_on)
{
    struct img_options options = thumb_options(BOX);
    options.fail_on = fail_on;
    return options;
}

/* ---- Cuts ---- */

struct cut_kind {
    const char *label;
    bool png;
    struct jpeg_make jpeg;
    struct png_make png_as;
    unsigned channels;
    bool by_row; /* rows come one after the other: what is above the cut is as in the whole */
};

static const struct cut_kind kinds[] = {
    {"JPEG", false, {.quality = 85}, {0}, 3, true},
    {"JPEG 4:2:0", false, {.quality = 85, .luma_h = 2, .luma_v = 2}, {0}, 3, true},
    {"gray JPEG", false, {.quality = 85}, {0}, 1, true},
    {"JPEG of inks", false, {.quality = 85, .adobe_cmyk = true}, {0}, 4, true},
    {"JPEG with restarts", false, {.quality = 85, .restart_rows = 1}, {0}, 3, true},
    {"progressive JPEG", false, {.quality = 85, .progressive = true}, {0}, 3, false},
    {"JPEG of three scans", false, {.quality = 85, .separate_scans = true}, {0}, 3, false},
    {"PNG", true, {0}, {0}, 3, true},
    {"PNG with alpha", true, {0}, {0}, 4, true},
    {"interlaced PNG", true, {0}, {.interlaced = true}, 3, false},
    {"interlaced PNG with alpha", true, {0}, {.interlaced = true}, 4, false},
};

static struct bytes kind_make(const struct cut_kind *kind)
{
    struct sample source = sample_photo(WIDTH, HEIGHT, kind->channels, 8);
    if (kind->png && kind->channels == 4)
        for (size_t i = 3; i < (size_t)WIDTH * HEIGHT * 4; i += 4)
            source.samples[i] |= 0x80;
    struct bytes file =
        kind->png ? png_bytes(&source, &kind->png_as) : jpeg_bytes(&source, &kind->jpeg);
    sample_free(&source);
    return file;
}

/* The offset behind which the pixels' data stands. */
static size_t header_end(const struct cut_kind *kind, struct bytes file)
{
    return kind->png ? png_chunk_at(file, "IDAT") + 8 : jpeg_marker_at(file, 0xda) + 14;
}

/* Is the last row what missing rows are filled with? */
static bool last_row_is_filler(const struct sample *thumb)
{
    const uint16_t *row = sample_at(thumb, 0, thumb->height - 1);
    for (size_t i = 0; i < (size_t)thumb->width * thumb->channels; i++) {
        const bool filled =
            thumb->channels == 4 ? i % 4 != 3 || row[i] == 0 : row[i] >= 50 && row[i] <= 130;
        if (!filled)
            return false;
    }
    return true;
}

static void check_kept(const struct cut_kind *kind, const struct thumb_outcome *outcome,
                       const struct sample *whole, unsigned percent)
{
    assert_int_equal(outcome->damage.code, -EPIPE);
    const uint32_t alike = thumb_rows_alike(&outcome->sample, whole, 3);
    /* The grain is even, so the bytes are; the filter and the last rows of blocks take some. */
    if (kind->by_row && alike + 8 < whole->height * percent / 100)
        fail_msg("%s cut at %u %%: %u of %u rows are right", kind->label, percent, alike,
                 whole->height);
    if (kind->by_row && percent < 80 && !last_row_is_filler(&outcome->sample))
        fail_msg("%s cut at %u %%: the last row is not filled", kind->label, percent);
}

static void a_cut_fails_at_every_level_but_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct bytes file = kind_make(&kinds[i]);
        for (unsigned percent = 0; percent < 100; percent++) {
            struct bytes cut = bytes_cut(file, file.size * percent / 100);
            for (int level = IMG_FAIL_ON_TRUNCATED; level <= IMG_FAIL_ON_WARNING; level++) {
                const struct img_options options = options_of((enum img_fail_on)level);
                const int r = thumb_result(cut, &options, NULL);
                if (r == 0 || (cut.size >= 64 && r != -EPIPE))
                    fail_msg("%s cut at %u %%, level %d: %d", kinds[i].label, percent, level, r);
            }
            free(cut.data);
        }
        free(file.data);
    }
}

static void a_cut_keeps_its_upper_rows_where_all_is_tolerated(void **state)
{
    (void)state;
    const struct img_options options = options_of(IMG_FAIL_ON_NONE);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct bytes file = kind_make(&kinds[i]);
        struct sample whole = thumb_of(file, &options);
        const size_t header = header_end(&kinds[i], file);
        for (unsigned percent = 0; percent < 100; percent++) {
            struct bytes cut = bytes_cut(file, file.size * percent / 100);
            struct thumb_outcome outcome = thumb_try(cut, &options);
            if (outcome.code == 0)
                check_kept(&kinds[i], &outcome, &whole, percent);
            else if (outcome.code != -EPIPE && cut.size >= 64)
                fail_msg("%s cut at %u %%: %s", kinds[i].label, percent, outcome.error.message);
            /* a row of blocks of 16 is needed: the picture has 19 */
            if (outcome.code != 0 && cut.size > header + (file.size - header) / 12)
                fail_msg("%s cut at %u %% is lost: %s", kinds[i].label, percent,
                         outcome.error.message);
            if (outcome.code == 0 && cut.size < header)
                fail_msg("%s cut at %u %%, in its header, is kept", kinds[i].label, percent);
            sample_free(&outcome.sample);
            free(cut.data);
        }
        sample_free(&whole);
        free(file.data);
    }
}

/* What several scans or passes give: the more of them, the nearer to the whole. */
static void scans_and_passes_that_came_are_used(void **state)
{
    (void)state;
    static const struct {
        size_t kind;
        unsigned percent;
        double psnr_min;
    } rows[] = {{5, 30, 25}, {5, 60, 30}, {5, 95, 40}, {9, 10, 20}, {9, 30, 25}, {9, 60, 27}};
    const struct img_options options = options_of(IMG_FAIL_ON_NONE);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bytes file = kind_make(&kinds[rows[i].kind]);
        struct sample whole = thumb_of(file, &options);
        struct sample part =
            thumb_of((struct bytes){file.data, file.size * rows[i].percent / 100}, &options);
        const double psnr = sample_psnr(&part, &whole);
        if (psnr < rows[i].psnr_min)
            fail_msg("%s cut at %u %%: %.1f dB", kinds[rows[i].kind].label, rows[i].percent, psnr);
        sample_free(&whole), sample_free(&part);
        free(file.data);
    }
}

static void a_whole_picture_has_no_label_and_looks_the_same_at_every_level(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct bytes file = kind_make(&kinds[i]);
        const struct img_options strict = thumb_options(BOX); /* the default is ERROR */
        struct sample expected = thumb_of(file, &strict);
        for (int level = IMG_FAIL_ON_NONE; level <= IMG_FAIL_ON_WARNING; level++) {
            const struct img_options options = options_of((enum img_fail_on)level);
            struct thumb_outcome outcome = thumb_try(file, &options);
            assert_int_equal(outcome.code, 0);
            assert_int_equal(outcome.damage.code, 0);
            /* Warnings are the libraries' to give, which decode by other transforms. */
            assert_true(sample_difference(&outcome.sample, &expected) <=
                        (level == IMG_FAIL_ON_WARNING ? 3 : 0));
            sample_free(&outcome.sample);
        }
        sample_free(&expected);
        free(file.data);
    }
}

static void an_early_end_is_filled_in_all_orientations_and_depths(void **state)
{
    (void)state;
    const struct img_options options = options_of(IMG_FAIL_ON_NONE);
    for (int orientation = 1; orientation <= 8; orientation++)
        for (int interlaced = 0; interlaced <= 1; interlaced++) {
            struct sample source = sample_photo(200, 120, orientation % 2 ? 3 : 4, 16);
            struct bytes png = png_bytes(
                &source, &(struct png_make){.orientation = orientation, .interlaced = interlaced});
            struct bytes cut = bytes_cut(png, png.size / 2);
            struct thumb_outcome outcome = thumb_try(cut, &options);
            assert_int_equal(outcome.code, 0);
            assert_int_equal(outcome.damage.code, -EPIPE);
            sample_free(&outcome.sample), sample_free(&source);
            free(cut.data), free(png.data);
        }
}

/* ---- Bad codes ---- */

static void bad_codes_of_a_jpeg_are_kept_from_the_level_of_early_ends_down(void **state)
{
    (void)state;
    const struct img_options strict = options_of(IMG_FAIL_ON_ERROR);
    unsigned damaged = 0;
    for (int progressive = 0; progressive <= 1; progressive++) {
        const struct cut_kind *kind = &kinds[progressive ? 5 : 4];
        struct bytes file = kind_make(kind);
        const size_t header = header_end(kind, file);
        for (unsigned round = 1; round < 60; round++) {
            struct bytes bad = bytes_cut(file, file.size);
            const size_t at = header + (file.size - header) * round / 61;
            memset(bad.data + at, 0xa5 ^ (int)round, 12); /* no byte of it is 0xff */
            const int r = thumb_result(bad, &strict, NULL);
            for (int level = IMG_FAIL_ON_NONE; level <= IMG_FAIL_ON_TRUNCATED && r < 0; level++) {
                const struct img_options options = options_of((enum img_fail_on)level);
                struct thumb_outcome outcome = thumb_try(bad, &options);
                if (outcome.code != 0 && (r == -EBADMSG || level == IMG_FAIL_ON_NONE))
                    fail_msg("%s, round %u: %s", kind->label, round, outcome.error.message);
                if (outcome.code == 0)
                    assert_int_equal(outcome.damage.code, r);
                sample_free(&outcome.sample);
            }
            damaged += r == -EBADMSG;
            free(bad.data);
        }
        free(file.data);
    }
    assert_true(damaged > 40);
}

static void a_bad_table_between_two_scans_costs_only_what_follows(void **state)
{
    (void)state;
    struct bytes jpeg = kind_make(&kinds[5]);
    const struct img_options options = options_of(IMG_FAIL_ON_TRUNCATED);
    struct sample whole = thumb_of(jpeg, &options);
    size_t at = jpeg_marker_at(jpeg, 0xda);
    for (int scans = 0; scans < 3; scans++) { /* the table behind the third scan */
        at = jpeg_scan_end(jpeg, at);
        if (scans < 2)
            while (jpeg.data[at + 1] != 0xda)
                at += 2 + ((size_t)jpeg.data[at + 2] << 8 | jpeg.data[at + 3]);
    }
    assert_int_equal(jpeg.data[at + 1], 0xc4);
    memset(jpeg.data + at + 5, 0xee, 16); /* more codes than there can be */
    struct thumb_outcome outcome = thumb_try(jpeg, &options);
    assert_int_equal(outcome.code, 0);
    assert_int_equal(outcome.damage.code, -EBADMSG);
    assert_true(sample_psnr(&outcome.sample, &whole) > 20);
    const struct img_options strict = options_of(IMG_FAIL_ON_ERROR);
    assert_int_equal(thumb_result(jpeg, &strict, NULL), -EBADMSG);
    sample_free(&outcome.sample), sample_free(&whole);
    free(jpeg.data);
}

static void bad_data_of_a_png_is_kept_from_the_level_of_early_ends_down(void **state)
{
    (void)state;
    for (size_t i = 7; i <= 10; i++) {
        struct bytes png = kind_make(&kinds[i]);
        const size_t data = png_chunk_at(png, "IDAT") + 8;
        for (unsigned part = 1; part < 8; part++) {
            struct bytes bad = bytes_cut(png, png.size);
            bad.data[data + (png.size - data) * part / 8] ^= 0x10;
            struct img_options options = options_of(IMG_FAIL_ON_ERROR);
            assert_int_equal(thumb_result(bad, &options, NULL), -EBADMSG);
            options.fail_on = IMG_FAIL_ON_TRUNCATED;
            struct thumb_outcome outcome = thumb_try(bad, &options);
            if (outcome.code != 0)
                fail_msg("%s, part %u: %s", kinds[i].label, part, outcome.error.message);
            assert_int_equal(outcome.damage.code, -EBADMSG);
            sample_free(&outcome.sample);
            free(bad.data);
        }
        free(png.data);
    }
}

static void a_wrong_checksum_of_a_png_is_tolerated_but_not_the_headers(void **state)
{
    (void)state;
    const struct img_options strict = thumb_options(BOX);
    const struct img_options options = options_of(IMG_FAIL_ON_TRUNCATED);
    static const char names[][5] = {"IHDR", "IDAT", "IEND"};
    for (int i = 0; i < 6; i++) {
        struct bytes png = kind_make(&kinds[i < 3 ? 7 : 10]); /* plain and interlaced */
        struct sample whole = thumb_of(png, &strict);
        const size_t at = png_chunk_at(png, names[i % 3]);
        const size_t length = (size_t)png.data[at] << 24 | (size_t)png.data[at + 1] << 16 |
                              (size_t)png.data[at + 2] << 8 | png.data[at + 3];
        png.data[at + 8 + length] ^= 1;
        assert_int_equal(thumb_result(png, &strict, NULL), -EBADMSG);
        struct thumb_outcome outcome = thumb_try(png, &options);
        assert_int_equal(outcome.code, i % 3 == 0 ? -EBADMSG : 0);
        if (i % 3 > 0) {
            assert_int_equal(outcome.damage.code, -EBADMSG);
            assert_int_equal(sample_difference(&outcome.sample, &whole), 0);
        }
        sample_free(&outcome.sample), sample_free(&whole);
        free(png.data);
    }
}

/* ---- Warnings ---- */

static void what_is_harmless_fails_at_the_level_of_warnings_alone(void **state)
{
    (void)state;
    struct bytes jpeg = kind_make(&kinds[0]), png = kind_make(&kinds[7]);
    struct bytes odd[] = {
        bytes_inserted(jpeg, jpeg_marker_at(jpeg, 0xdb), (const uint8_t *)"abc", 3),
        png_with_chunk(png, "IDAT", "gAMA", "\0\0\0\0", 4),
    };
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        for (int level = IMG_FAIL_ON_NONE; level <= IMG_FAIL_ON_WARNING; level++) {
            const struct img_options options = options_of((enum img_fail_on)level);
            struct thumb_outcome outcome = thumb_try(odd[i], &options);
            if (outcome.code != (level == IMG_FAIL_ON_WARNING ? -EBADMSG : 0))
                fail_msg("file %zu at level %d: %d", i, level, outcome.code);
            assert_int_equal(outcome.damage.code, 0);
            sample_free(&outcome.sample);
        }
        free(odd[i].data);
    }
    free(jpeg.data), free(png.data);
}

/* ---- Whatever comes ---- */

static void flipped_bits_never_crash_and_limits_hold_at_every_level(void **state)
{
    (void)state;
    uint32_t random = 77;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct sample source = sample_photo(70, 50, kinds[i].channels, 8);
        struct bytes file = kinds[i].png ? png_bytes(&source, &kinds[i].png_as)
                                         : jpeg_bytes(&source, &kinds[i].jpeg);
        for (int round = 0; round < 300; round++) {
            random = random * 1664525 + 1013904223;
            struct bytes bad = bytes_cut(file, round % 4 ? file.size : (random >> 8) % file.size);
            for (int flips = 0; flips <= round % 3 && bad.size > 0; flips++) {
                random = random * 1664525 + 1013904223;
                bad.data[(random >> 4) % bad.size] ^= (uint8_t)(1 << (random >> 29));
            }
            struct img_options options = options_of((enum img_fail_on)(round % 2));
            options.pixels_max = 20000;
            struct thumb_outcome outcome = thumb_try(bad, &options);
            if (outcome.code == 0 && outcome.damage.code != 0 && outcome.damage.code != -EBADMSG &&
                outcome.damage.code != -EPIPE)
                fail_msg("round %d is labelled %d", round, outcome.damage.code);
            sample_free(&outcome.sample);
            free(bad.data);
        }
        sample_free(&source);
        free(file.data);
    }
}

static bool count_down(void *data)
{
    return --*(int *)data < 0;
}

static void cancelling_works_in_a_lax_decoding(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct bytes file = kind_make(&kinds[i]);
        struct bytes cut = bytes_cut(file, file.size / 2);
        struct img_options options = options_of(IMG_FAIL_ON_NONE);
        int left = 1000000;
        options.cancelled = count_down;
        options.cancel_data = &left;
        assert_int_equal(thumb_result(cut, &options, NULL), 0);
        const int questions = 1000000 - left;
        for (int after = 0; after < questions; after += 1 + questions / 7) {
            left = after;
            assert_int_equal(thumb_result(cut, &options, NULL), -ECANCELED);
        }
        free(cut.data), free(file.data);
    }
}

static void a_level_that_does_not_exist_is_refused(void **state)
{
    (void)state;
    struct bytes file = kind_make(&kinds[0]);
    const struct img_options options = options_of((enum img_fail_on)7);
    assert_int_equal(thumb_result(file, &options, NULL), -EINVAL);
    free(file.data);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST_LONG(a_cut_fails_at_every_level_but_none, 120000),
        TEST_LONG(a_cut_keeps_its_upper_rows_where_all_is_tolerated, 120000),
        TEST(scans_and_passes_that_came_are_used),
        TEST(a_whole_picture_has_no_label_and_looks_the_same_at_every_level),
        TEST(an_early_end_is_filled_in_all_orientations_and_depths),
        TEST_LONG(bad_codes_of_a_jpeg_are_kept_from_the_level_of_early_ends_down, 60000),
        TEST(a_bad_table_between_two_scans_costs_only_what_follows),
        TEST(bad_data_of_a_png_is_kept_from_the_level_of_early_ends_down),
        TEST(a_wrong_checksum_of_a_png_is_tolerated_but_not_the_headers),
        TEST(what_is_harmless_fails_at_the_level_of_warnings_alone),
        TEST_LONG(flipped_bits_never_crash_and_limits_hold_at_every_level, 60000),
        TEST_LONG(cancelling_works_in_a_lax_decoding, 60000),
        TEST(a_level_that_does_not_exist_is_refused),
    };
    return test_run("damage", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
