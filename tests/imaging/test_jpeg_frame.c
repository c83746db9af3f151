#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <imaging/jpeg_frame_priv.h>
#include <imaging/jpeg_markers_priv.h>

#include "isolate.h"
#include "jpeg_maker.h"
#include "surgery.h"

/* The file's frame, read from memory of just its size. */
static int frame_of(struct bytes file, struct img_jpeg_frame *frame)
{
    struct bytes exact = bytes_cut(file, file.size);
    int r = img_jpeg_frame_read(exact.data, exact.size, frame);
    free(exact.data);
    return r;
}

static struct bytes usual(void)
{
    return jpeg_made(&(struct jpeg_recipe){
        .width = 83, .height = 45, .components = 3, .h = {2}, .v = {2}, .restart_interval = 3});
}

static void a_usual_file_is_understood(void **state)
{
    (void)state;
    struct bytes file = usual();
    struct img_jpeg_frame frame;
    assert_int_equal(frame_of(file, &frame), 0);
    assert_int_equal(frame.width_px, 83);
    assert_int_equal(frame.height_px, 45);
    assert_int_equal(frame.component_count, 3);
    assert_int_equal(frame.h_max * 10 + frame.v_max, 22);
    assert_int_equal(frame.mcus_across, 6);
    assert_int_equal(frame.mcus_down, 3);
    assert_int_equal(frame.components[0].width_blocks, 11);
    assert_int_equal(frame.components[0].padded_width_blocks, 12);
    assert_int_equal(frame.components[0].height_blocks, 6);
    assert_int_equal(frame.components[1].width_blocks, 6);
    assert_int_equal(frame.components[2].padded_height_blocks, 3);
    assert_int_equal(frame.restart_interval, 3);
    assert_false(frame.progressive);
    assert_int_equal(frame.first_scan, jpeg_marker_at(file, IMG_JPEG_SOS));
    assert_true(frame.quant_defined[0] && frame.quant_defined[1]);
    assert_true(frame.dc[1].defined && frame.ac[1].defined && !frame.ac[2].defined);
    free(file.data);
}

static void a_single_component_has_mcus_of_one_block(void **state)
{
    (void)state;
    struct bytes file = jpeg_made(
        &(struct jpeg_recipe){.width = 17, .height = 9, .components = 1, .h = {2}, .v = {2}});
    struct img_jpeg_frame frame;
    assert_int_equal(frame_of(file, &frame), 0);
    assert_int_equal(frame.mcus_across, 3);
    assert_int_equal(frame.mcus_down, 2);
    assert_int_equal(frame.components[0].padded_height_blocks, 2);
    free(file.data);
}

static void only_what_is_usual_is_taken(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        struct jpeg_recipe recipe;
        int want;
    } rows[] = {
        {"gray", {.components = 1}, 0},
        {"progressive", {.components = 3, .progressive = true}, 0},
        {"neither JFIF nor Adobe", {.components = 3, .no_jfif = true}, 0},
        {"4:1:1", {.components = 3, .h = {4}}, 0},
        {"chroma of unlike factors", {.components = 3, .h = {2, 2, 1}, .v = {2, 1, 2}}, 0},
        {"arithmetic", {.components = 3, .arithmetic = true}, -EAGAIN},
        {"RGB", {.components = 3, .adobe_rgb = true}, -EAGAIN},
        {"chroma larger than luma", {.components = 3, .h = {1, 2, 2}}, -EAGAIN},
        {"thirds", {.components = 3, .h = {3}}, -EAGAIN},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct jpeg_recipe recipe = rows[i].recipe;
        recipe.width = 50, recipe.height = 50;
        struct bytes file = jpeg_made(&recipe);
        struct img_jpeg_frame frame;
        const int r = frame_of(file, &frame);
        if (r != rows[i].want)
            fail_msg("%s: %d", rows[i].label, r);
        free(file.data);
    }
}

/* What is wrong with a file whose byte at an offset behind a marker is another. */
static int with_byte(uint8_t marker, size_t offset, uint8_t byte)
{
    struct bytes file = usual();
    struct img_jpeg_frame frame;
    file.data[jpeg_marker_at(file, marker) + offset] = byte;
    const int r = frame_of(file, &frame);
    free(file.data);
    return r;
}

static void odd_headers_are_declined(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        uint8_t marker;
        size_t offset;
        uint8_t byte;
    } rows[] = {
        {"twelve bits", IMG_JPEG_SOF0, 4, 12},
        {"a longer header", IMG_JPEG_SOF0, 3, 18},
        {"two components", IMG_JPEG_SOF0, 9, 2},
        {"a component twice", IMG_JPEG_SOF0, 13, 1},
        {"a factor of 0", IMG_JPEG_SOF0, 11, 0x20},
        {"a factor of 3", IMG_JPEG_SOF0, 11, 0x32},
        {"an MCU of 24 blocks", IMG_JPEG_SOF0, 11, 0x44},
        {"the fifth table", IMG_JPEG_SOF0, 12, 4},
        {"lossless", IMG_JPEG_SOF0, 1, 0xc3},
        {"a table of 17 codes of a bit", IMG_JPEG_DHT, 5, 17},
        {"a code of only ones", IMG_JPEG_DHT, 5, 2},
        {"a bad class of tables", IMG_JPEG_DHT, 4, 0x20},
        {"a table that is cut", IMG_JPEG_DHT, 3, 22},
        {"a step of 0", IMG_JPEG_DQT, 5, 0},
        {"the fifth quantisation table", IMG_JPEG_DQT, 4, 4},
        {"a long restart interval", IMG_JPEG_DRI, 3, 5},
        {"JFIF 2", IMG_JPEG_APP0, 9, 2},
        {"no JFIF, no marker", IMG_JPEG_APP0, 0, 0xfe},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (with_byte(rows[i].marker, rows[i].offset, rows[i].byte) != -EAGAIN)
            fail_msg("taken: %s", rows[i].label);
    assert_int_equal(with_byte(IMG_JPEG_APP0, 6, 'x'), 0); /* JFIF's own bytes: by numbers then */
}

static void every_cut_is_declined(void **state)
{
    (void)state;
    struct bytes file = usual();
    struct img_jpeg_frame frame;
    const size_t scan = jpeg_marker_at(file, IMG_JPEG_SOS);
    for (size_t size = 0; size < scan + 2; size++) {
        struct bytes cut = bytes_cut(file, size);
        assert_int_equal(img_jpeg_frame_read(cut.data, cut.size, &frame), -EAGAIN);
        free(cut.data);
    }
    free(file.data);
}

static void fill_bytes_are_passed_over_and_garbage_is_declined(void **state)
{
    (void)state;
    struct bytes file = usual();
    struct img_jpeg_frame frame;
    const size_t at = jpeg_marker_at(file, IMG_JPEG_DQT);
    struct bytes filled = bytes_inserted(file, at, (const uint8_t *)"\xff\xff\xff", 3);
    struct bytes spoiled = bytes_inserted(file, at, (const uint8_t *)"x", 1);
    assert_int_equal(frame_of(filled, &frame), 0);
    assert_int_equal(frame.first_scan, jpeg_marker_at(file, IMG_JPEG_SOS) + 3);
    assert_int_equal(frame_of(spoiled, &frame), -EAGAIN);
    free(filled.data);
    free(spoiled.data);
    free(file.data);
}

static void later_tables_take_the_place_of_earlier_ones(void **state)
{
    (void)state;
    struct bytes file = usual();
    struct img_jpeg_frame frame;
    assert_int_equal(frame_of(file, &frame), 0);
    assert_int_equal(img_jpeg_tables_read(&frame, IMG_JPEG_DRI, (const uint8_t *)"\1\2", 2), 0);
    assert_int_equal(frame.restart_interval, 258);
    uint8_t steps[65];
    memset(steps, 9, sizeof(steps));
    steps[0] = 1;
    assert_int_equal(img_jpeg_tables_read(&frame, IMG_JPEG_DQT, steps, 65), 0);
    assert_int_equal(frame.quant[1][63], 9);
    assert_int_equal(img_jpeg_tables_read(&frame, IMG_JPEG_DQT, steps, 64), -EAGAIN);
    assert_int_equal(img_jpeg_tables_read(&frame, 0xcc, steps, 65), -EAGAIN);
    free(file.data);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(a_usual_file_is_understood),
        TEST(a_single_component_has_mcus_of_one_block),
        TEST(only_what_is_usual_is_taken),
        TEST(odd_headers_are_declined),
        TEST(every_cut_is_declined),
        TEST(fill_bytes_are_passed_over_and_garbage_is_declined),
        TEST(later_tables_take_the_place_of_earlier_ones),
    };
    return test_run("jpeg_frame", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
