/* A part of a picture, resampled as if it were cut out of the whole, without a look at the rest. */
#include <stdlib.h>
#include <string.h>

#include <imaging/resample_priv.h>

#include "isolate.h"
#include "reference.h"
#include "samples.h"

static const enum img_layout layouts[] = {[1] = IMG_LAYOUT_GRAY,
                                          [2] = IMG_LAYOUT_GRAY_ALPHA,
                                          [3] = IMG_LAYOUT_RGB,
                                          [4] = IMG_LAYOUT_RGB_ALPHA};

static const struct part {
    const char *label;
    double left, top, kept_width, kept_height;
    uint32_t to_width, to_height;
    uint32_t columns_max, rows_max; /* so many are looked at, at most */
} parts[] = {
    {"the middle half", 80, 60, 160, 120, 40, 30, 191, 151},
    {"a column", 160.25, 0, 1.5, 240, 3, 40, 20, 240},
    {"a row", 0, 119.5, 320, 1, 50, 7, 320, 20},
    {"fractions", 33.3, 21.7, 200.1, 99.9, 61, 33, 240, 130},
    {"enlarged", 100.5, 90.5, 10, 8, 100, 80, 24, 22},
    {"to one pixel", 40, 30, 200, 200, 1, 1, 320, 240},
    {"the first corner", 0, 0, 50, 50, 20, 20, 65, 65},
    {"the last corner", 270, 190, 50, 50, 20, 20, 65, 65},
    {"whole pixels", 11, 13, 150, 120, 150, 120, 150, 120},
    {"whole pixels up to the end", 170, 120, 150, 120, 150, 120, 150, 120},
    {"its own size between the pixels", 11.5, 13.25, 150, 120, 150, 120, 164, 134},
};

/* The rows and columns that a part has no need of are as odd as can be. */
static struct sample part_resampled(struct img_resampler *resampler, const struct sample *source,
                                    const struct part *part, const struct img_row_loops *loops,
                                    uint32_t rows_at_once, bool spoil)
{
    const struct img_resample_spec spec = {
        .loops = loops,
        .source_width_px = source->width,
        .source_height_px = source->height,
        .area_width_px = source->width,
        .area_height_px = source->height,
        .layout = layouts[source->channels],
        .depth_bits = source->depth,
        .width_px = part->to_width,
        .height_px = part->to_height,
        .step_width_px = part->kept_width / part->to_width,
        .step_height_px = part->kept_height / part->to_height,
        .origin_width_px = part->left,
        .origin_height_px = part->top,
    };
    const size_t count = (size_t)part->to_width * part->to_height * source->channels;
    const size_t sample_bytes = source->depth / 8, pixel_bytes = sample_bytes * source->channels;
    const size_t stride = source->width * pixel_bytes;
    uint8_t *result = malloc(count), *rows = malloc(stride * source->height);
    assert_int_equal(img_resample_begin(resampler, &spec, result), 0);
    const struct img_stripe columns = resampler->columns, lines = resampler->rows;
    if (columns.count > part->columns_max || lines.count > part->rows_max)
        fail_msg("%s: %u columns and %u rows are looked at", part->label, columns.count,
                 lines.count);
    for (uint32_t y = 0; y < source->height; y++)
        for (size_t s = 0; s < (size_t)source->width * source->channels; s++) {
            const uint32_t x = (uint32_t)(s / source->channels);
            const bool seen = x - columns.first < columns.count && y - lines.first < lines.count;
            const uint16_t value =
                seen || !spoil ? sample_at(source, 0, y)[s] : (uint16_t)(x * 7919 + y * 104729);
            if (source->depth == 16)
                memcpy(rows + y * stride + s * 2, &value, 2);
            else
                rows[y * stride + s] = (uint8_t)value;
        }
    for (uint32_t y = 0; y < source->height; y += rows_at_once) {
        assert_false(img_resample_is_complete(resampler));
        const uint32_t left = source->height - y;
        img_resample_rows(resampler, rows + y * stride, stride,
                          left < rows_at_once ? left : rows_at_once);
    }
    assert_true(img_resample_is_complete(resampler));
    img_resample_rows(resampler, rows, stride, 1); /* past the last */
    assert_true(img_resample_is_complete(resampler));
    struct sample sample = sample_new(part->to_width, part->to_height, source->channels, 8);
    for (size_t i = 0; i < count; i++)
        sample.samples[i] = result[i];
    free(result), free(rows);
    return sample;
}

static void a_part_is_what_the_definition_says_and_all_else_is_passed_over(void **state)
{
    (void)state;
    struct img_resampler resampler = {0};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        for (unsigned channels = 1; channels <= 4; channels++)
            for (unsigned depth = 8; depth <= 16; depth += 8) {
                const struct part *part = &parts[i];
                struct sample source = sample_photo(320, 240, channels, depth);
                struct sample expected = reference_resampled(
                    &source, (struct reference_axis){part->left, part->kept_width, part->to_width},
                    (struct reference_axis){part->top, part->kept_height, part->to_height});
                struct sample plain = part_resampled(&resampler, &source, part, NULL, 240, false);
                if (sample_difference(&plain, &expected) > 1)
                    fail_msg("%s, %u channels of %u bits: %u off", part->label, channels, depth,
                             sample_difference(&plain, &expected));
                for (unsigned v = 0; img_row_loops_at(v); v++) {
                    const struct img_row_loops *loops = img_row_loops_at(v);
                    struct sample spoilt =
                        part_resampled(&resampler, &source, part, loops, 1 + 13 * v, true);
                    if (sample_difference(&plain, &spoilt) > 0)
                        fail_msg("%s, %s, %u channels of %u bits", part->label, loops->name,
                                 channels, depth);
                    sample_free(&spoilt);
                }
                sample_free(&source), sample_free(&expected), sample_free(&plain);
            }
    img_resample_done(&resampler);
}

/* The weight of a source pixel. */
static double weight_of(const struct img_kernel *kernel, uint32_t index, uint32_t pixel)
{
    const uint32_t first = kernel->first[index];
    if (pixel < first || pixel - first >= kernel->taps[index])
        return 0;
    return (double)kernel->weights[(size_t)index * kernel->stride + pixel - first];
}

static void a_narrowed_axis_has_the_same_weights(void **state)
{
    (void)state;
    static const struct img_axis axes[] = {
        {320, 320, 40, 4, 80, 0, 0, false},         {320, 320, 40, 4, 80, 1 / 24.0, 0, true},
        {320, 319.25, 33, 2.7, 201.3, 0, 0, false}, {320, 319.25, 40, 3, 199.25, 1 / 24.0, 0, true},
        {320, 320, 300, 0.1, 160.5, 0, 0, false},   {320, 320, 3, 0.5, 0, -3 / 32.0, 0, true},
        {320, 320, 50, 1, 11, 0, 0, true},          {320, 320, 50, 1, 11, 1 / 24.0, 0, false},
        {320, 320, 50, 1, 10.5, 0, 0, true},        {320, 320, 50, 1, -1, 0, 0, false},
        {320, 319.5, 21, 2, 279, 0, 0, false},      {320, 320, 1, 200, 60, 0, 0, true},
    };
    for (size_t i = 0; i < sizeof(axes) / sizeof(axes[0]); i++) {
        struct img_kernel whole = {0}, narrow = {0};
        struct img_axis axis = axes[i];
        uint32_t first = 77;
        img_axis_narrow(&axis, &first);
        assert_in_range(axis.source_px, 1, 320 - first);
        assert_int_equal(img_kernel_init(&whole, &axes[i]), 0);
        assert_int_equal(img_kernel_init(&narrow, &axis), 0);
        for (uint32_t d = 0; d < axis.count; d++)
            for (uint32_t pixel = 0; pixel < 320; pixel++) {
                const double expected = weight_of(&whole, d, pixel);
                const double found = pixel < first ? 0 : weight_of(&narrow, d, pixel - first);
                if (found - expected > 1e-6 || expected - found > 1e-6)
                    fail_msg("axis %zu, %u: pixel %u has %g, not %g", i, d, pixel, found, expected);
            }
        img_kernel_done(&whole), img_kernel_done(&narrow);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(a_narrowed_axis_has_the_same_weights),
        TEST(a_part_is_what_the_definition_says_and_all_else_is_passed_over),
    };
    return test_run("resample part", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
