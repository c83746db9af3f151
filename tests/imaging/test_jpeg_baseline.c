#include <stdlib.h>
#include <string.h>

#include <imaging/imaging.h>
#include <imaging/jpeg_markers_priv.h>

#include "isolate.h"
#include "jpeg_check.h"
#include "jpeg_maker.h"
#include "surgery.h"
#include "thumbs.h"

static const unsigned lasts[] = {0, 1, 2, 4, 24, 63};

#define LASTS (sizeof(lasts) / sizeof(lasts[0]))

static const struct sampling {
    const char *name;
    unsigned components;
    int h[3], v[3];
} samplings[] = {
    {"gray", 1, {1}, {1}},
    {"gray, factors of 2", 1, {2}, {2}},
    {"4:4:4", 3, {1, 1, 1}, {1, 1, 1}},
    {"4:2:2", 3, {2, 1, 1}, {1, 1, 1}},
    {"4:2:0", 3, {2, 1, 1}, {2, 1, 1}},
    {"4:4:0", 3, {1, 1, 1}, {2, 1, 1}},
    {"4:1:1", 3, {4, 1, 1}, {1, 1, 1}},
    {"4:1:0", 3, {4, 1, 1}, {2, 1, 1}},
    {"unlike", 3, {2, 1, 2}, {2, 2, 1}},
};

#define SAMPLINGS (sizeof(samplings) / sizeof(samplings[0]))

static struct jpeg_recipe recipe_of(size_t sampling, uint32_t width, uint32_t height)
{
    struct jpeg_recipe recipe = {
        .width = width, .height = height, .components = samplings[sampling].components};
    memcpy(recipe.h, samplings[sampling].h, sizeof(recipe.h));
    memcpy(recipe.v, samplings[sampling].v, sizeof(recipe.v));
    return recipe;
}

/* In memory of just the size, so that a sanitizer sees what reaches beyond. */
static enum jpeg_verdict verdict_of(struct bytes file, unsigned last)
{
    struct bytes exact = bytes_cut(file, file.size);
    const enum jpeg_verdict verdict = jpeg_coefficients_check(exact.data, exact.size, last);
    free(exact.data);
    return verdict;
}

static void check_equal(const struct jpeg_recipe *recipe, const char *label)
{
    struct bytes file = jpeg_made(recipe);
    for (size_t i = 0; i < LASTS; i++)
        if (verdict_of(file, lasts[i]) != JPEG_EQUAL)
            fail_msg("%s, %u x %u, quality %d, grain %d, last %u: verdict %d", label, recipe->width,
                     recipe->height, recipe->quality, recipe->grain, lasts[i],
                     verdict_of(file, lasts[i]));
    free(file.data);
}

static void coefficients_are_libjpegs_for_every_sampling_and_size(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{1, 1},   {8, 8},   {9, 7},    {16, 16},  {17, 33},
                                        {64, 40}, {83, 45}, {131, 67}, {500, 10}, {7, 300}};
    for (size_t s = 0; s < SAMPLINGS; s++)
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            struct jpeg_recipe recipe = recipe_of(s, sizes[i][0], sizes[i][1]);
            recipe.grain = 30;
            check_equal(&recipe, samplings[s].name);
        }
}

static void coefficients_are_libjpegs_for_every_quality_and_table(void **state)
{
    (void)state;
    static const int qualities[] = {1, 20, 50, 75, 92, 100};
    static const int grains[] = {0, 5, 255};
    for (size_t q = 0; q < sizeof(qualities) / sizeof(qualities[0]); q++)
        for (size_t g = 0; g < sizeof(grains) / sizeof(grains[0]); g++)
            for (int optimised = 0; optimised < 2; optimised++) {
                struct jpeg_recipe recipe = recipe_of(g == 1 ? 4 : 2, 211, 133);
                recipe.quality = qualities[q];
                recipe.grain = grains[g];
                recipe.optimised = optimised;
                check_equal(&recipe, optimised ? "own tables" : "standard tables");
            }
}

static void coefficients_are_libjpegs_with_restart_markers(void **state)
{
    (void)state;
    static const unsigned intervals[] = {1, 2, 4, 7, 11, 500, 65535};
    for (size_t s = 0; s < SAMPLINGS; s++)
        for (size_t i = 0; i < sizeof(intervals) / sizeof(intervals[0]); i++) {
            struct jpeg_recipe recipe = recipe_of(s, 163, 61);
            recipe.restart_interval = intervals[i];
            recipe.grain = 10;
            check_equal(&recipe, samplings[s].name);
        }
}

static void a_scan_for_each_component_is_read_too(void **state)
{
    (void)state;
    for (size_t s = 2; s < SAMPLINGS; s++) {
        struct jpeg_recipe recipe = recipe_of(s, 83, 45);
        recipe.separate_scans = true;
        recipe.optimised = s & 1; /* then there are tables between the scans */
        recipe.restart_interval = s == 4 ? 5 : 0;
        check_equal(&recipe, samplings[s].name);
    }
}

/* Scan data of several chunks. */
static void a_large_file_is_read_in_pieces(void **state)
{
    (void)state;
    struct jpeg_recipe recipe = recipe_of(4, 900, 700);
    recipe.quality = 97;
    recipe.grain = 200;
    check_equal(&recipe, "no restart markers");
    recipe.restart_interval = 1300;
    check_equal(&recipe, "long segments");
}

/* Segments of some kilobytes are read at several places at once. */
static void what_is_read_at_several_places_is_the_same(void **state)
{
    (void)state;
    for (size_t s = 0; s < SAMPLINGS; s++)
        for (int grain = 2; grain <= 162; grain += 80) {
            struct jpeg_recipe recipe = recipe_of(s, 520, 390);
            recipe.grain = grain;
            recipe.quality = 94;
            recipe.optimised = s & 1;
            recipe.separate_scans = s == 4 && grain == 2;
            recipe.restart_interval = s % 4 == 2 ? 700 : 0;
            check_equal(&recipe, samplings[s].name);
        }
}

/* ---- Codes as long as they can be, which no encoder makes ---- */

struct bit_writer {
    struct bytes file; /* room for all of it */
    uint32_t bits;     /* not yet written */
    unsigned count;
};

static void byte_put(struct bit_writer *to, unsigned byte)
{
    to->file.data[to->file.size++] = (uint8_t)byte;
}

static void segment_put(struct bit_writer *to, unsigned marker, const uint8_t *body, size_t size)
{
    const uint8_t head[] = {0xff, (uint8_t)marker, (uint8_t)((size + 2) >> 8), (uint8_t)(size + 2)};
    for (size_t i = 0; i < sizeof(head); i++)
        byte_put(to, head[i]);
    for (size_t i = 0; i < size; i++)
        byte_put(to, body[i]);
}

static void bits_put(struct bit_writer *to, uint32_t bits, unsigned count)
{
    for (; count > 0; count--) {
        to->bits = to->bits << 1 | (bits >> (count - 1) & 1);
        if (++to->count < 8)
            continue;
        byte_put(to, to->bits & 255);
        if ((to->bits & 255) == 255)
            byte_put(to, 0);
        to->count = 0;
    }
}

/* A code of each length from 1 to 16: the first ends a block, the last is of a value of 15 bits. */
static void long_tables_put(struct bit_writer *to)
{
    static const uint8_t dc[] = {0x00, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t ac[] = {0x10, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,  1,  1,  1,  1,  1, 1,
                                 0,    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    segment_put(to, 0xc4, dc, sizeof(dc));
    segment_put(to, 0xc4, ac, sizeof(ac));
}

/* An MCU has ten blocks of 4:1:0. Where long_from is reached, every block has `values` coefficients
 * of 31 bits each; the others have two bits. */
static struct bytes long_codes_made(unsigned mcus, unsigned long_from, unsigned values)
{
    const unsigned width = mcus * 32;
    const uint8_t frame[] = {
        8, 0, 16, (uint8_t)(width >> 8), (uint8_t)width, 3, 1, 0x42, 0, 2, 0x11, 0, 3, 0x11, 0};
    static const uint8_t scan[] = {3, 1, 0, 2, 0, 3, 0, 0, 63, 0};
    struct bit_writer to = {.file.data = malloc(4096 + (size_t)mcus * 10 * 64 * 8)};
    uint8_t quant[65] = {0};
    uint32_t random = 3;
    assert_non_null(to.file.data);
    memset(quant + 1, 1, 64);
    byte_put(&to, 0xff), byte_put(&to, 0xd8);
    segment_put(&to, 0xdb, quant, sizeof(quant));
    segment_put(&to, 0xc0, frame, sizeof(frame));
    long_tables_put(&to);
    segment_put(&to, 0xda, scan, sizeof(scan));
    for (unsigned block = 0; block < mcus * 10; block++) {
        bits_put(&to, 0, 1); /* DC as before */
        for (unsigned k = 0; block / 10 >= long_from && k < values; k++) {
            random = random * UINT32_C(1664525) + UINT32_C(1013904223);
            bits_put(&to, 0xfffe, 16);
            bits_put(&to, random >> 17, 15);
        }
        if (block / 10 < long_from || values < 63)
            bits_put(&to, 0, 1);
    }
    bits_put(&to, 0x7f, (8 - to.count) % 8);
    byte_put(&to, 0xff), byte_put(&to, 0xd9);
    return to.file;
}

static void codes_may_be_as_long_as_there_are(void **state)
{
    (void)state;
    static const unsigned cases[][3] = {{1, 0, 1},      {3, 0, 2},        {5, 1, 5},
                                        {9, 3, 24},     {40, 0, 63},      {20, 10, 63},
                                        {1000, 600, 3}, {1500, 1480, 63}, {1900, 1890, 62}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bytes file = long_codes_made(cases[i][0], cases[i][1], cases[i][2]);
        for (size_t l = 0; l < LASTS; l++)
            if (verdict_of(file, lasts[l]) != JPEG_EQUAL)
                fail_msg("case %zu, last %u: verdict %d", i, lasts[l], verdict_of(file, lasts[l]));
        free(file.data);
    }
}

/* A reader's room is for so many blocks, whatever few bits they have. */
static void plain_surfaces_have_many_blocks_in_few_bytes(void **state)
{
    (void)state;
    struct jpeg_recipe recipe = recipe_of(0, 3100, 1700);
    recipe.quality = 1;
    check_equal(&recipe, "gray");
    recipe = recipe_of(4, 3100, 1100);
    recipe.quality = 3;
    check_equal(&recipe, "4:2:0");
}

static void planes_are_what_the_coefficients_say(void **state)
{
    (void)state;
    unsigned seen = 0;
    for (size_t s = 0; s < SAMPLINGS; s++)
        for (uint32_t box = 20; box <= 100; box += 16)
            for (int png = 0; png < 2; png++) {
                struct jpeg_recipe recipe = recipe_of(s, 403, 245);
                recipe.grain = 20;
                recipe.separate_scans = s == 5 && png;
                struct bytes file = jpeg_made(&recipe);
                struct img_options options = thumb_options(box);
                options.format = png ? IMG_FORMAT_PNG : IMG_FORMAT_JPEG;
                unsigned denominator = 0;
                const enum jpeg_verdict verdict =
                    jpeg_planes_check(file.data, file.size, &options, &denominator);
                if (verdict != JPEG_EQUAL)
                    fail_msg("%s to %u: %d", samplings[s].name, box, verdict);
                assert_true(denominator > 1 && 403.0 / denominator / box >= 1.9);
                seen |= denominator;
                free(file.data);
            }
    assert_int_equal(seen, 8 | 4 | 2);
}

static void wild_contrasts_are_clamped_as_they_should(void **state)
{
    (void)state;
    for (int quality = 1; quality <= 100; quality += 33) {
        struct jpeg_recipe recipe = recipe_of(2, 160, 160);
        recipe.quality = quality;
        recipe.grain = 255;
        struct bytes file = jpeg_made(&recipe);
        for (uint32_t box = 10; box <= 40; box *= 2) {
            struct img_options options = thumb_options(box);
            assert_int_equal(jpeg_planes_check(file.data, file.size, &options, NULL), JPEG_EQUAL);
        }
        free(file.data);
    }
}

static void what_needs_the_whole_picture_or_laxness_is_declined(void **state)
{
    (void)state;
    struct jpeg_recipe recipe = recipe_of(4, 403, 245);
    struct bytes file = jpeg_made(&recipe);
    struct img_options options = thumb_options(300);
    assert_int_equal(jpeg_planes_check(file.data, file.size, &options, NULL), JPEG_DECLINED);
    options = thumb_options(50);
    options.pixels_max = 1000;
    assert_int_equal(jpeg_planes_check(file.data, file.size, &options, NULL), JPEG_DECLINED);
    static const enum img_fail_on levels[] = {IMG_FAIL_ON_NONE, IMG_FAIL_ON_TRUNCATED,
                                              IMG_FAIL_ON_WARNING};
    for (size_t i = 0; i < 3; i++) {
        options = thumb_options(50);
        options.fail_on = levels[i];
        assert_int_equal(jpeg_planes_check(file.data, file.size, &options, NULL), JPEG_DECLINED);
    }
    recipe.progressive = true;
    struct bytes progressive = jpeg_made(&recipe);
    options = thumb_options(50);
    assert_int_equal(jpeg_planes_check(progressive.data, progressive.size, &options, NULL),
                     JPEG_DECLINED);
    free(progressive.data);
    free(file.data);
}

static void every_cut_is_declined(void **state)
{
    (void)state;
    for (unsigned interval = 0; interval < 8; interval += 7) {
        struct jpeg_recipe recipe = recipe_of(4, 163, 61);
        recipe.restart_interval = interval;
        struct bytes file = jpeg_made(&recipe);
        for (size_t size = 0; size < file.size; size++) {
            struct bytes cut = {file.data, size};
            assert_int_equal(verdict_of(cut, size & 1 ? 0 : 4), JPEG_DECLINED);
        }
        free(file.data);
    }
}

static uint32_t random_next(uint32_t *state)
{
    *state = *state * UINT32_C(1664525) + UINT32_C(1013904223);
    return *state >> 8;
}

/* Many still make a picture; libjpeg then must read the same one and find nothing to say. Returns
 * how many do. */
static unsigned check_flipped(const struct jpeg_recipe *recipe, const char *label, unsigned times,
                              uint32_t *random)
{
    unsigned equal = 0;
    struct bytes file = jpeg_made(recipe);
    for (unsigned i = 0; i < times; i++) {
        struct bytes damaged = bytes_cut(file, file.size);
        for (unsigned flips = 1 + random_next(random) % 3; flips > 0; flips--)
            damaged.data[random_next(random) % damaged.size] ^=
                (uint8_t)(1u << random_next(random) % 8);
        const unsigned last = lasts[random_next(random) % LASTS];
        const enum jpeg_verdict verdict = jpeg_coefficients_check(damaged.data, damaged.size, last);
        if (verdict == JPEG_DIFFERENT)
            fail_msg("%s, %u: different", label, i);
        equal += verdict == JPEG_EQUAL;
        free(damaged.data);
    }
    free(file.data);
    return equal;
}

static void flipped_bits_are_declined_or_read_as_libjpeg_does(void **state)
{
    (void)state;
    uint32_t random = 7;
    unsigned equal = 0;
    for (size_t s = 0; s < SAMPLINGS; s++) {
        struct jpeg_recipe recipe = recipe_of(s, 83, 61);
        recipe.restart_interval = (unsigned)(s % 3) * 3;
        recipe.optimised = s & 1;
        recipe.separate_scans = s == 3;
        equal += check_flipped(&recipe, samplings[s].name, 400, &random);
    }
    assert_true(equal > 0);
}

static void flipped_bits_do_not_lead_scouts_astray(void **state)
{
    (void)state;
    uint32_t random = 8;
    unsigned equal = 0;
    for (size_t s = 1; s < SAMPLINGS; s += 3) {
        struct jpeg_recipe recipe = recipe_of(s, 260, 190);
        recipe.grain = 40;
        recipe.quality = 96;
        equal += check_flipped(&recipe, samplings[s].name, 150, &random);
    }
    assert_true(equal > 0);
}

/* The scan's data as it is, and what may stand behind it. */
static enum jpeg_verdict with_inserted(struct bytes file, size_t at, const char *data, size_t size)
{
    struct bytes changed = bytes_inserted(file, at, (const uint8_t *)data, size);
    const enum jpeg_verdict verdict = verdict_of(changed, 4);
    free(changed.data);
    return verdict;
}

static void only_a_clean_end_is_taken(void **state)
{
    (void)state;
    struct jpeg_recipe recipe = recipe_of(4, 83, 61);
    struct bytes file = jpeg_made(&recipe);
    const size_t end = file.size - 2;
    assert_int_equal(with_inserted(file, end, "\xff\xff", 2), JPEG_EQUAL);       /* fill */
    assert_int_equal(with_inserted(file, end, "\xff\xfe\0\4ab", 6), JPEG_EQUAL); /* comment */
    assert_int_equal(with_inserted(file, end, "\xff\xd0", 2), JPEG_EQUAL);       /* a restart */
    assert_int_equal(with_inserted(file, file.size, "anything", 8), JPEG_EQUAL); /* behind */
    assert_int_equal(with_inserted(file, end, "x", 1), JPEG_DECLINED);           /* a byte */
    assert_int_equal(with_inserted(file, end, "\xff\0", 2), JPEG_DECLINED);      /* a stuffed one */
    assert_int_equal(with_inserted(file, end, "\xff\xdc\0\4\0\1", 6), JPEG_DECLINED); /* DNL */
    free(file.data);
}

static void restart_markers_must_be_there_and_in_order(void **state)
{
    (void)state;
    struct jpeg_recipe recipe = recipe_of(4, 83, 61);
    recipe.restart_interval = 4;
    struct bytes file = jpeg_made(&recipe);
    assert_int_equal(verdict_of(file, 4), JPEG_EQUAL);
    size_t at = jpeg_marker_at(file, IMG_JPEG_SOS);
    while (file.data[at] != 0xff || file.data[at + 1] != 0xd1)
        at++;
    file.data[at + 1] = 0xd2;
    assert_int_equal(verdict_of(file, 4), JPEG_DECLINED);
    file.data[at + 1] = 0x00;
    assert_int_equal(verdict_of(file, 4), JPEG_DECLINED);
    file.data[at + 1] = 0xd1;
    assert_int_equal(with_inserted(file, at, "\xff\xff", 2), JPEG_EQUAL);
    assert_int_equal(with_inserted(file, at, "a", 1), JPEG_DECLINED);
    free(file.data);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(coefficients_are_libjpegs_for_every_sampling_and_size),
        TEST(coefficients_are_libjpegs_for_every_quality_and_table),
        TEST(coefficients_are_libjpegs_with_restart_markers),
        TEST(a_scan_for_each_component_is_read_too),
        TEST(a_large_file_is_read_in_pieces),
        TEST_LONG(what_is_read_at_several_places_is_the_same, 60000),
        TEST_LONG(codes_may_be_as_long_as_there_are, 60000),
        TEST_LONG(plain_surfaces_have_many_blocks_in_few_bytes, 60000),
        TEST_LONG(planes_are_what_the_coefficients_say, 60000),
        TEST(wild_contrasts_are_clamped_as_they_should),
        TEST(what_needs_the_whole_picture_or_laxness_is_declined),
        TEST(every_cut_is_declined),
        TEST_LONG(flipped_bits_are_declined_or_read_as_libjpeg_does, 60000),
        TEST_LONG(flipped_bits_do_not_lead_scouts_astray, 60000),
        TEST(only_a_clean_end_is_taken),
        TEST(restart_markers_must_be_there_and_in_order),
    };
    return test_run("jpeg_baseline", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
