#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>
#include <zlib.h>

#include "isolate.h"
#include "surgery.h"
#include "thumbs.h"

/* ---- Pixels ---- */

static void all_colour_types_come_through_exactly(void **state)
{
    (void)state;
    for (unsigned channels = 1; channels <= 4; channels++)
        for (unsigned depth = 8; depth <= 16; depth += 8)
            for (int interlaced = 0; interlaced <= 1; interlaced++) {
                struct sample source = sample_photo(61, 43, channels, depth);
                if (channels % 2 == 0) /* opaque enough for colours to survive premultiplying */
                    for (size_t i = channels - 1; i < 61 * 43 * channels; i += channels)
                        source.samples[i] |= depth == 8 ? 0x80 : 0x8000;
                struct bytes png =
                    png_bytes(&source, &(struct png_make){interlaced, 0, 0, {0}, false});
                const struct img_options options = thumb_options(100);
                struct sample thumb = thumb_of(png, &options);
                if (depth == 16)
                    for (size_t i = 0; i < 61 * 43 * channels; i++)
                        source.samples[i] = (uint16_t)((source.samples[i] + 128) / 257);
                source.depth = 8;
                if (sample_difference(&source, &thumb) > (channels % 2 ? 0 : 1))
                    fail_msg("%u channels of %u bits, interlaced %d: %u off", channels, depth,
                             interlaced, sample_difference(&source, &thumb));
                sample_free(&source), sample_free(&thumb);
                free(png.data);
            }
}

static void palettes_of_all_depths_are_expanded(void **state)
{
    (void)state;
    uint8_t palette[256 * 3], alpha[256];
    for (unsigned i = 0; i < 256; i++) {
        palette[i * 3] = (uint8_t)(i * 7), palette[i * 3 + 1] = (uint8_t)(255 - i);
        palette[i * 3 + 2] = (uint8_t)(i * 31), alpha[i] = i % 3 == 0 ? 255 : 0;
    }
    for (int bits = 1; bits <= 8; bits *= 2)
        for (int transparent = 0; transparent <= 1; transparent++) {
            const unsigned colours = bits == 8 ? 200 : 1u << bits;
            struct bytes png =
                png_palette_bytes(37, 23, bits, colours, palette, transparent ? alpha : NULL);
            const struct img_options options = thumb_options(64);
            struct sample thumb = thumb_of(png, &options);
            assert_int_equal(thumb.channels, transparent ? 4 : 3);
            for (unsigned i = 0; i < 37 * 23; i++) {
                const uint16_t *pixel = thumb.samples + i * thumb.channels;
                const unsigned index = i % colours;
                if (transparent)
                    assert_int_equal(pixel[3], alpha[index]);
                if (transparent && alpha[index] == 0)
                    continue;
                for (unsigned c = 0; c < 3; c++)
                    assert_int_equal(pixel[c], palette[index * 3 + c]);
            }
            sample_free(&thumb);
            free(png.data);
        }
}

static void a_transparent_colour_becomes_alpha(void **state)
{
    (void)state;
    for (unsigned channels = 1; channels <= 3; channels += 2)
        for (unsigned depth = 8; depth <= 16; depth += 8) {
            struct sample source = sample_new(40, 40, channels, depth);
            for (size_t i = 0; i < 1600 * channels; i++)
                source.samples[i] = i < 800 * channels ? 50 : 200; /* the upper half vanishes */
            struct bytes png = png_bytes(&source, &(struct png_make){.transparent_key = true});
            const struct img_options options = thumb_options(10);
            struct sample thumb = thumb_of(png, &options);
            assert_int_equal(thumb.channels, channels + 1);
            assert_int_equal(sample_at(&thumb, 5, 1)[channels], 0);
            assert_int_equal(sample_at(&thumb, 5, 8)[channels], 255);
            sample_free(&source), sample_free(&thumb);
            free(png.data);
        }
}

static void orientation_counts_wherever_its_chunk_stands(void **state)
{
    (void)state;
    struct sample upright = sample_quarters(90, 60);
    for (int orientation = 1; orientation <= 8; orientation++)
        for (int variant = 0; variant < 4; variant++) {
            struct sample stored = sample_stored_as(&upright, orientation);
            const struct png_make make = {
                .orientation = orientation, .exif_at_end = variant & 1, .interlaced = variant & 2};
            struct bytes png = png_bytes(&stored, &make);
            const struct img_options options = thumb_options(60);
            struct sample thumb = thumb_of(png, &options);
            assert_int_equal(thumb.width, 60);
            assert_int_equal(thumb.height, 40);
            if (!quarters_are_upright(&thumb))
                fail_msg("orientation %d, variant %d", orientation, variant);
            sample_free(&stored), sample_free(&thumb);
            free(png.data);
        }
    sample_free(&upright);
}

static void an_embedded_profile_is_converted_unless_srgb_is_declared(void **state)
{
    (void)state;
    struct sample source = sample_new(50, 50, 4, 8);
    for (size_t i = 0; i < 2500; i++)
        source.samples[i * 4] = 250, source.samples[i * 4 + 3] = i % 2 ? 255 : 128;
    struct bytes icc = icc_swapped();
    struct bytes png = png_bytes(&source, &(struct png_make){.icc = icc});
    const struct img_options options = thumb_options(50);
    struct sample thumb = thumb_of(png, &options);
    assert_true(thumb.samples[0] < 10 && thumb.samples[1] > 240 && thumb.samples[2] < 10);
    assert_int_equal(thumb.samples[3], 128);
    sample_free(&thumb);

    struct bytes declared = png_with_chunk(png, "iCCP", "sRGB", "\0", 1);
    thumb = thumb_of(declared, &options);
    assert_true(thumb.samples[0] > 240 && thumb.samples[1] < 10);
    sample_free(&source), sample_free(&thumb);
    free(png.data), free(declared.data), free(icc.data);
}

static void interlaced_rows_shrink_as_others_do(void **state)
{
    (void)state;
    struct sample source = sample_photo(311, 207, 3, 16);
    struct bytes plain = png_bytes(&source, &(struct png_make){0});
    struct bytes interlaced = png_bytes(&source, &(struct png_make){.interlaced = true});
    const struct img_options options = thumb_options(77);
    struct sample a = thumb_of(plain, &options), b = thumb_of(interlaced, &options);
    assert_int_equal(sample_difference(&a, &b), 0);
    sample_free(&source), sample_free(&a), sample_free(&b);
    free(plain.data), free(interlaced.data);
}

/* ---- Damage ---- */

static void every_cut_is_noticed(void **state)
{
    (void)state;
    struct sample source = sample_photo(60, 40, 3, 8);
    for (int interlaced = 0; interlaced <= 1; interlaced++) {
        struct bytes png = png_bytes(&source, &(struct png_make){.interlaced = interlaced != 0});
        check_all_cuts_fail(png, 3);
        struct bytes without_end = {png.data, png.size - 1}; /* cut in the very last chunk */
        const struct img_options options = thumb_options(20);
        assert_int_equal(thumb_result(without_end, &options, NULL), -EPIPE);
        free(png.data);
    }
    sample_free(&source);
}

static void a_flipped_bit_is_noticed_or_changes_nothing(void **state)
{
    (void)state;
    struct sample source = sample_photo(50, 40, 3, 8);
    const struct img_options options = thumb_options(20);
    for (int interlaced = 0; interlaced <= 1; interlaced++) {
        struct bytes png = png_bytes(&source, &(struct png_make){.interlaced = interlaced != 0});
        struct sample right = thumb_of(png, &options);
        for (size_t bit = 0; bit < png.size * 8; bit += 7) {
            png.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (thumb_result(png, &options, NULL) == 0) {
                struct sample thumb = thumb_of(png, &options);
                assert_int_equal(sample_difference(&thumb, &right), 0);
                sample_free(&thumb);
            }
            png.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        sample_free(&right);
        free(png.data);
    }
    sample_free(&source);
}

static void checksums_count_where_pixels_depend_on_them(void **state)
{
    (void)state;
    struct sample source = sample_photo(30, 30, 3, 8);
    struct bytes plain = png_bytes(&source, &(struct png_make){.transparent_key = true});
    struct bytes png = png_with_chunk(plain, "IDAT", "tEXt", "Comment\0x", 9);
    static const struct {
        const char *chunk;
        int code;
    } rows[] = {{"IHDR", -EBADMSG},
                {"IDAT", -EBADMSG},
                {"IEND", -EBADMSG},
                {"tRNS", -EBADMSG},
                {"tEXt", 0}};
    const struct img_options options = thumb_options(20);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const size_t at = png_chunk_at(png, rows[i].chunk);
        uint8_t *crc = png.data + at + 8 + png_get_uint_32(png.data + at);
        crc[0] ^= 1;
        if (thumb_result(png, &options, NULL) != rows[i].code)
            fail_msg("%s", rows[i].chunk);
        crc[0] ^= 1;
    }
    free(plain.data), free(png.data);
    sample_free(&source);
}

static void data_behind_the_end_does_no_harm(void **state)
{
    (void)state;
    struct sample source = sample_photo(30, 30, 3, 8);
    struct bytes png = png_bytes(&source, &(struct png_make){0});
    png.data = realloc(png.data, png.size + 1000);
    memset(png.data + png.size, 0xa5, 1000);
    const struct img_options options = thumb_options(20);
    assert_int_equal(thumb_result((struct bytes){png.data, png.size + 1000}, &options, NULL), 0);
    free(png.data);
    sample_free(&source);
}

/* ---- Bombs and variants ---- */

static void a_header_that_claims_too_much_is_refused_at_once(void **state)
{
    (void)state;
    struct sample source = sample_photo(40, 40, 3, 8);
    const struct img_options options = thumb_options(20);
    for (int interlaced = 0; interlaced <= 1; interlaced++) {
        struct bytes png = png_bytes(&source, &(struct png_make){.interlaced = interlaced != 0});
        const long before = cpu_ms();
        png_size_claim(png, 60000, 60000);
        assert_int_equal(thumb_result(png, &options, NULL), -EFBIG);
        png_size_claim(png, 0x7fffffff, 1);
        assert_int_equal(thumb_result(png, &options, NULL), -EFBIG);
        png_size_claim(png, 1100000, 40); /* a side that is too long */
        assert_int_equal(thumb_result(png, &options, NULL), -EFBIG);
        png_size_claim(png, 20000, 20000); /* within the limit, but there is no data */
        assert_int_equal(thumb_result(png, &options, NULL), -EPIPE);
        png_size_claim(png, 0, 40);
        assert_int_not_equal(thumb_result(png, &options, NULL), 0);
        assert_true(cpu_ms() - before < 1000 * test_time_scale());
        free(png.data);
    }
    sample_free(&source);
}

static void compressed_text_is_not_unpacked(void **state)
{
    (void)state;
    struct sample source = sample_photo(30, 30, 3, 8);
    struct bytes plain = png_bytes(&source, &(struct png_make){0});
    uint8_t *zeros = calloc(1, 50000000);
    uLongf packed = compressBound(50000000);
    char *chunk = malloc(packed + 6);
    memcpy(chunk, "Text\0\0", 6);
    assert_int_equal(compress2((Bytef *)chunk + 6, &packed, zeros, 50000000, 9), Z_OK);
    struct bytes bomb = png_with_chunk(plain, "IDAT", "zTXt", chunk, (uint32_t)packed + 6);
    const struct img_options options = thumb_options(20);
    const long before = cpu_ms();
    assert_int_equal(thumb_result(bomb, &options, NULL), 0);
    assert_true(cpu_ms() - before < 30 * test_time_scale());
    free(zeros), free(chunk), free(bomb.data), free(plain.data);
    sample_free(&source);
}

static void apples_variant_is_called_unsupported(void **state)
{
    (void)state;
    struct sample source = sample_photo(30, 30, 3, 8);
    struct bytes plain = png_bytes(&source, &(struct png_make){0});
    struct bytes variant = png_with_chunk(plain, "IHDR", "CgBI", "\x50\0\x20\2", 4);
    const struct img_options options = thumb_options(20);
    assert_int_equal(thumb_result(variant, &options, NULL), -ENOTSUP);
    free(plain.data), free(variant.data);
    sample_free(&source);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(all_colour_types_come_through_exactly),
        TEST(palettes_of_all_depths_are_expanded),
        TEST(a_transparent_colour_becomes_alpha),
        TEST(orientation_counts_wherever_its_chunk_stands),
        TEST(an_embedded_profile_is_converted_unless_srgb_is_declared),
        TEST(interlaced_rows_shrink_as_others_do),
        TEST_LONG(every_cut_is_noticed, 60000),
        TEST_LONG(a_flipped_bit_is_noticed_or_changes_nothing, 60000),
        TEST(checksums_count_where_pixels_depend_on_them),
        TEST(data_behind_the_end_does_no_harm),
        TEST(a_header_that_claims_too_much_is_refused_at_once),
        TEST(compressed_text_is_not_unpacked),
        TEST(apples_variant_is_called_unsupported),
    };
    return test_run("decode_png", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
