#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "isolate.h"
#include "jpeg_low_check.h"
#include "jpeg_scripts.h"
#include "surgery.h"
#include "thumbs.h"

/* ---- Against libjpeg ---- */

static void check_same(const struct jpeg_recipe *recipe, const struct jpeg_script *script)
{
    struct bytes file = jpeg_scripted(recipe, script);
    for (unsigned low_mask = 0; low_mask <= JPEG_ALL_LOW; low_mask++) {
        struct jpeg_low reading = jpeg_low_read(file, low_mask);
        bool accepted = false;
        const char *difference =
            reading.code < 0 ? "declined" : jpeg_low_compare(file, &reading.progressive, &accepted);
        if (difference || !accepted)
            fail_msg("%s, %ux%u, %dx%d, restarts %u, mask %u: %s", script->label, recipe->width,
                     recipe->height, recipe->h[0], recipe->v[0], recipe->restart_interval, low_mask,
                     difference ? difference : "libjpeg complains");
        free(reading.memory);
    }
    free(file.data);
}

static const int samplings[][2] = {{1, 1}, {2, 1}, {1, 2}, {2, 2}, {4, 1}, {4, 2}};

static void low_coefficients_are_the_same_as_libjpegs(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{1, 1}, {8, 8}, {17, 9}, {33, 47}, {131, 75}, {160, 128}};
    static const unsigned intervals[] = {0, 1, 7, 1000};
    for (size_t script = 0; script < JPEG_SCRIPTS_COMPLETE; script++)
        for (size_t size = 0; size < sizeof(sizes) / sizeof(sizes[0]); size++)
            for (size_t i = 0; i < sizeof(samplings) / sizeof(samplings[0]); i++) {
                const struct jpeg_recipe recipe = {
                    .width = sizes[size][0],
                    .height = sizes[size][1],
                    .components = 3,
                    .h = {samplings[i][0]},
                    .v = {samplings[i][1]},
                    .quality = 30 + (int)(script * 37 + i * 23) % 71,
                    .grain = 15,
                    .restart_interval = intervals[(size + i + script) % 4],
                };
                check_same(&recipe, &jpeg_scripts[script]);
            }
}

static void gray_is_the_same_as_libjpegs(void **state)
{
    (void)state;
    for (size_t script = 0; script < JPEG_SCRIPTS_COMPLETE; script++)
        for (unsigned interval = 0; interval <= 5; interval += 5)
            for (int factor = 1; factor <= 2; factor++) {
                const struct jpeg_recipe recipe = {
                    .width = 93,
                    .height = 71,
                    .components = 1,
                    .h = {factor},
                    .v = {factor},
                    .grain = 15,
                    .restart_interval = interval,
                };
                check_same(&recipe, &jpeg_scripts[script]);
            }
}

/* ---- Declined ---- */

static void check_declined(struct bytes file, const char *label)
{
    for (unsigned low_mask = 0; low_mask <= JPEG_ALL_LOW; low_mask += JPEG_ALL_LOW) {
        struct jpeg_low reading = jpeg_low_read(file, low_mask);
        if (reading.code != -EAGAIN)
            fail_msg("%s: %d", label, reading.code);
        free(reading.memory);
    }
}

static void a_picture_that_lacks_bits_of_dc_is_declined(void **state)
{
    (void)state;
    for (size_t i = JPEG_SCRIPTS_COMPLETE; i < JPEG_SCRIPTS; i++) {
        const struct jpeg_recipe recipe = {.width = 60, .height = 50, .components = 3};
        struct bytes file = jpeg_scripted(&recipe, &jpeg_scripts[i]);
        check_declined(file, jpeg_scripts[i].label);
        free(file.data);
    }
}

/* 4:2:0 in the usual ten scans. */
static struct bytes made(uint32_t width, uint32_t height, int quality)
{
    const struct jpeg_recipe recipe = {.width = width,
                                       .height = height,
                                       .components = 3,
                                       .h = {2},
                                       .v = {2},
                                       .quality = quality,
                                       .grain = 15};
    return jpeg_scripted(&recipe, JPEG_SCRIPT_USUAL);
}

static void a_missing_or_doubled_scan_is_declined(void **state)
{
    (void)state;
    struct bytes file = made(60, 50, 85);
    for (unsigned number = 0; number < 10; number++) {
        const size_t at = jpeg_scan_at(file, number);
        const size_t size = jpeg_scan_end(file, at) - at;
        struct bytes doubled = bytes_inserted(file, at, file.data + at, size);
        check_declined(doubled, "a scan comes twice");
        struct bytes without = bytes_cut(file, file.size);
        memmove(without.data + at, without.data + at + size, file.size - at - size);
        without.size -= size;
        struct jpeg_low reading = jpeg_low_read(without, JPEG_ALL_LOW);
        bool accepted = false;
        /* The last three only refine AC. */
        assert_int_equal(reading.code, number < 7 ? -EAGAIN : 0);
        if (number >= 7)
            assert_null(jpeg_low_compare(without, &reading.progressive, &accepted));
        assert_int_equal(accepted, number >= 7);
        free(reading.memory);
        free(doubled.data), free(without.data);
    }
    free(file.data);
}

static void every_cut_is_declined(void **state)
{
    (void)state;
    for (unsigned interval = 0; interval <= 3; interval += 3) {
        const struct jpeg_recipe recipe = {
            .width = 41, .height = 35, .components = 3, .restart_interval = interval};
        struct bytes file = jpeg_scripted(&recipe, JPEG_SCRIPT_USUAL);
        for (size_t size = 0; size < file.size; size++) {
            struct bytes cut = bytes_cut(file, size);
            check_declined(cut, "a cut file");
            free(cut.data);
        }
        free(file.data);
    }
}

/* Only cuts at a scan's end could be taken for an end that is meant. */
static void a_cut_with_an_end_marker_is_declined(void **state)
{
    (void)state;
    struct bytes file = made(90, 70, 85);
    const size_t last = jpeg_scan_at(file, 6);
    for (size_t cut = jpeg_scan_at(file, 0) + 14; cut < last; cut++) {
        struct bytes ended = bytes_cut(file, cut + 2);
        memcpy(ended.data + cut, "\xff\xd9", 2);
        check_declined(ended, "an end before DC is complete");
        free(ended.data);
    }
    free(file.data);
}

static void restart_markers_out_of_order_are_declined(void **state)
{
    (void)state;
    const struct jpeg_recipe recipe = {
        .width = 90, .height = 70, .components = 3, .grain = 15, .restart_interval = 4};
    struct bytes file = jpeg_scripted(&recipe, JPEG_SCRIPT_USUAL);
    unsigned found = 0;
    for (size_t at = jpeg_scan_at(file, 0); at + 2 < file.size; at++) {
        if (file.data[at] != 0xff || (file.data[at + 1] & 0xf8) != 0xd0)
            continue;
        found++;
        file.data[at + 1] ^= 1;
        check_declined(file, "another number");
        file.data[at + 1] ^= 1;
        struct bytes without = bytes_cut(file, file.size);
        memmove(without.data + at, without.data + at + 2, file.size - at - 2);
        without.size -= 2;
        check_declined(without, "a marker is missing");
        struct bytes doubled = bytes_inserted(file, at, file.data + at, 2);
        check_declined(doubled, "a marker comes twice");
        free(without.data), free(doubled.data);
    }
    assert_true(found > 50);
    free(file.data);
}

static void too_many_scans_are_declined(void **state)
{
    (void)state;
    struct bytes file = made(60, 50, 85);
    struct jpeg_low reading = jpeg_low_read(file, 0);
    for (uint32_t scans_max = 9; scans_max <= 10; scans_max++) {
        struct img_options options = thumb_options(1);
        reading.progressive.options = &options;
        reading.progressive.scans_max = scans_max;
        img_jpeg_frame_read(file.data, file.size, &reading.progressive.frame);
        img_progressive_place(&reading.progressive, 0, reading.memory);
        assert_int_equal(img_progressive_read(&reading.progressive), scans_max < 10 ? -EAGAIN : 0);
    }
    free(reading.memory);
    free(file.data);
}

/* What is read in full is as libjpeg reads it without a warning; what is passed over may hide what
 * libjpeg warns of, but not change what is read. */
static void flipped_bits_are_declined_or_read_as_libjpeg_does(void **state)
{
    (void)state;
    uint32_t random = 11;
    unsigned accepted = 0;
    for (int round = 0; round < 3000; round++) {
        const struct jpeg_recipe recipe = {
            .width = 40,
            .height = 34,
            .components = round % 5 == 4 ? 1 : 3,
            .h = {samplings[round % 4][0]},
            .v = {samplings[round % 4][1]},
            .quality = 60,
            .grain = 15,
            .restart_interval = round % 3 == 2 ? 5 : 0,
        };
        struct bytes file = jpeg_scripted(&recipe, &jpeg_scripts[round % JPEG_SCRIPTS_COMPLETE]);
        for (int flips = 0; flips <= round % 2; flips++) {
            random = random * 1664525 + 1013904223;
            file.data[(random >> 4) % file.size] ^= (uint8_t)(1 << (random >> 29));
        }
        for (unsigned low_mask = 0; low_mask <= JPEG_ALL_LOW; low_mask += JPEG_ALL_LOW) {
            struct jpeg_low reading = jpeg_low_read(file, low_mask);
            bool complete = true;
            const char *difference =
                reading.code < 0 ? NULL : jpeg_low_compare(file, &reading.progressive, &complete);
            if (difference || (low_mask == JPEG_ALL_LOW && !complete))
                fail_msg("round %d, mask %u: %s", round, low_mask,
                         difference ? difference : "libjpeg complains");
            accepted += reading.code == 0;
            free(reading.memory);
        }
        free(file.data);
    }
    assert_true(accepted > 100);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST_LONG(low_coefficients_are_the_same_as_libjpegs, 60000),
        TEST(gray_is_the_same_as_libjpegs),
        TEST(a_picture_that_lacks_bits_of_dc_is_declined),
        TEST(a_missing_or_doubled_scan_is_declined),
        TEST_LONG(every_cut_is_declined, 60000),
        TEST_LONG(a_cut_with_an_end_marker_is_declined, 60000),
        TEST_LONG(restart_markers_out_of_order_are_declined, 60000),
        TEST(too_many_scans_are_declined),
        TEST_LONG(flipped_bits_are_declined_or_read_as_libjpeg_does, 60000),
    };
    return test_run("jpeg_progressive", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
