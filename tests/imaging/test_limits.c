/* What is refused from what a file says of itself, and nonsense that says nothing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "isolate.h"
#include "surgery.h"
#include "thumbs.h"
#include "vips_files.h"

/* ---- Frames ---- */

static void files_of_too_many_frames_are_refused(void **state)
{
    (void)state;
    static const char suffixes[][40] = {".webp[lossless]", ".gif", ".tif", ".tif[bigtiff]",
                                        ".heic"};
    struct sample frames = sample_photo(64, 320, 3, 8); /* five pages of 64 rows */
    unsigned seen = 0;
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        struct bytes file =
            vips_file_made(&frames, suffixes[i], &(struct vips_make){.page_height = 64});
        struct img_options options = thumb_options(40);
        if (file.size) {
            assert_int_equal(thumb_result(file, &options, NULL), 0);
            options.frames_max = 5;
            assert_int_equal(thumb_result(file, &options, NULL), 0);
            options.frames_max = 4;
            struct img_error error;
            assert_int_equal(thumb_result(file, &options, &error), -EFBIG);
            assert_non_null(strstr(error.message, "frames"));
            seen++;
        }
        free(file.data);
    }
    assert_true(seen >= 2);
    sample_free(&frames);
    vips_leave();
}

/* A GIF of one pixel, many times. */
static struct bytes gif_of_frames(size_t count)
{
    static const uint8_t head[] = {'G',  'I', 'F', '8', '9', 'a', 1,    0,    1,   0,
                                   0x80, 0,   0,   0,   0,   0,   0xff, 0xff, 0xff};
    static const uint8_t frame[] = {0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0};
    struct bytes gif = {malloc(sizeof(head) + count * sizeof(frame) + 1), 0};
    assert_non_null(gif.data);
    memcpy(gif.data, head, sizeof(head));
    gif.size = sizeof(head);
    for (size_t i = 0; i < count; i++, gif.size += sizeof(frame))
        memcpy(gif.data + gif.size, frame, sizeof(frame));
    gif.data[gif.size++] = ';';
    return gif;
}

static void put_le(uint8_t *at, size_t count, uint64_t value)
{
    for (size_t i = 0; i < count; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* A TIFF of one pixel; the last directory points at an offset. */
static struct bytes tiff_of_pages(size_t count, uint32_t last_next)
{
    static const uint16_t tags[][3] = {/* number, type, value */
                                       {256, 3, 1}, {257, 3, 1}, {258, 3, 8}, {259, 3, 1},
                                       {262, 3, 1}, {273, 4, 1}, {279, 4, 1}};
    const size_t entries = sizeof(tags) / sizeof(tags[0]), each = 2 + 12 * entries + 4;
    struct bytes tiff = {calloc(1, 8 + count * each), 8 + count * each};
    assert_non_null(tiff.data);
    memcpy(tiff.data, "II*\0\x08\0\0\0", 8);
    for (size_t page = 0; page < count; page++) {
        uint8_t *at = tiff.data + 8 + page * each;
        put_le(at, 2, entries);
        for (size_t i = 0; i < entries; i++) {
            put_le(at + 2 + i * 12, 2, tags[i][0]);
            put_le(at + 4 + i * 12, 2, tags[i][1]);
            put_le(at + 6 + i * 12, 4, 1);
            put_le(at + 10 + i * 12, 4, tags[i][2]);
        }
        put_le(at + each - 4, 4, page + 1 < count ? 8 + (page + 1) * each : last_next);
    }
    return tiff;
}

/* An animated WebP whose frames have nothing in them. */
static struct bytes webp_of_frames(size_t count)
{
    struct bytes webp = {calloc(1, 30 + count * 24), 30 + count * 24};
    assert_non_null(webp.data);
    memcpy(webp.data, "RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x02", 21);
    put_le(webp.data + 4, 4, webp.size - 8);
    for (size_t i = 0; i < count; i++)
        memcpy(webp.data + 30 + i * 24, "ANMF\x10\0\0\0", 8);
    return webp;
}

static void frames_are_counted_before_a_loader_looks_at_them(void **state)
{
    (void)state;
    struct bytes files[] = {gif_of_frames(200000), tiff_of_pages(100000, 0),
                            webp_of_frames(200000)};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const struct img_options options = thumb_options(40);
        struct img_error error;
        assert_int_equal(thumb_result(files[i], &options, &error), -EFBIG);
        assert_non_null(strstr(error.message, "more than 10000 frames"));
        free(files[i].data);
    }
}

static void pages_in_a_circle_are_not_many_pages(void **state)
{
    (void)state;
    for (size_t first = 0; first < 7; first++) {
        struct bytes tiff = tiff_of_pages(7, (uint32_t)(8 + first * (2 + 12 * 7 + 4)));
        const struct img_options options = thumb_options(40);
        assert_int_not_equal(thumb_result(tiff, &options, NULL), -EFBIG);
        free(tiff.data);
    }
    vips_leave();
}

static void a_cut_list_of_frames_is_walked_to_its_end_only(void **state)
{
    (void)state;
    struct bytes files[] = {gif_of_frames(6), tiff_of_pages(6, 0), webp_of_frames(6)};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        for (size_t size = 1; size < files[i].size; size++) {
            struct bytes cut = bytes_cut(files[i], size);
            struct img_options options = thumb_options(40);
            options.frames_max = 100;
            assert_int_not_equal(thumb_result(cut, &options, NULL), -EFBIG);
            free(cut.data);
        }
        free(files[i].data);
    }
    vips_leave();
}

/* ---- Memory ---- */

#define WIDTH  200
#define HEIGHT 150

static const char suffixes_held_whole[][20] = {".webp", ".gif", ".heic", ".avif[effort=0]", ".jxl"};

static void check_memory(struct bytes file, const char *label, uint64_t whole_bytes)
{
    struct img_options options = thumb_options(40);
    if (!file.size || thumb_result(file, &options, NULL) == -ENOTSUP)
        return;
    for (int level = IMG_FAIL_ON_NONE; level <= IMG_FAIL_ON_WARNING; level++) {
        struct img_error error;
        options.fail_on = (enum img_fail_on)level;
        options.memory_bytes = file.size + whole_bytes - 1;
        if (thumb_result(file, &options, &error) != -EFBIG)
            fail_msg("%s is taken with too little memory", label);
        assert_non_null(strstr(error.message, "needs about 1 MB of memory, more than the limit"));
        options.memory_bytes = file.size + whole_bytes * 3;
        if (thumb_result(file, &options, NULL) != 0)
            fail_msg("%s is refused with enough memory", label);
    }
}

static void what_must_be_held_whole_is_refused_if_it_does_not_fit(void **state)
{
    (void)state;
    const uint64_t pixels = WIDTH * HEIGHT;
    struct sample source = sample_photo(WIDTH, HEIGHT, 3, 8);
    struct bytes progressive = jpeg_bytes(&source, &(struct jpeg_make){.progressive = true});
    struct bytes scans = jpeg_bytes(&source, &(struct jpeg_make){.separate_scans = true});
    struct bytes interlaced = png_bytes(&source, &(struct png_make){.interlaced = true});
    struct bytes bmp = bmp_bytes(&source);
    check_memory(progressive, "progressive JPEG", pixels * 3 * 2);
    check_memory(scans, "JPEG of three scans", pixels * 3 * 2);
    check_memory(interlaced, "interlaced PNG", pixels * 3);
    check_memory(bmp, "BMP", pixels * 4);
    for (size_t i = 0; i < sizeof(suffixes_held_whole) / sizeof(suffixes_held_whole[0]); i++) {
        struct bytes file = vips_file_of(&source, suffixes_held_whole[i]);
        check_memory(file, suffixes_held_whole[i], pixels * 4);
        free(file.data);
    }
    free(progressive.data), free(scans.data), free(interlaced.data), free(bmp.data);
    sample_free(&source);
    vips_leave();
}

static void pictures_that_come_by_the_row_need_only_their_files_memory(void **state)
{
    (void)state;
    struct sample source = sample_photo(WIDTH, HEIGHT, 3, 8);
    struct bytes files[] = {jpeg_bytes(&source, &(struct jpeg_make){.quality = 75}),
                            png_bytes(&source, &(struct png_make){.interlaced = false}),
                            vips_file_of(&source, ".tif")};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct img_options options = thumb_options(40);
        options.memory_bytes = files[i].size;
        if (files[i].size)
            assert_int_equal(thumb_result(files[i], &options, NULL), 0);
        options.memory_bytes = files[i].size - 1;
        if (files[i].size)
            assert_int_equal(thumb_result(files[i], &options, NULL), -EFBIG);
        free(files[i].data);
    }
    sample_free(&source);
    vips_leave();
}

static void a_claim_is_refused_before_anything_is_allocated_for_it(void **state)
{
    (void)state;
    struct sample source = sample_photo(64, 64, 3, 8);
    struct img_options options = thumb_options(40);
    options.memory_bytes = UINT64_C(1024) * 1024 * 1024;
    struct bytes jpeg = jpeg_bytes(&source, &(struct jpeg_make){.progressive = true});
    jpeg_size_claim(jpeg, 0xc2, 20000, 20000); /* 400 megapixels: 2.4 GB of coefficients */
    struct img_error error;
    assert_int_equal(thumb_result(jpeg, &options, &error), -EFBIG);
    assert_non_null(strstr(error.message, "more than the limit of 1024 MB"));
    struct bytes bmp = bmp_bytes(&source);
    put_le(bmp.data + 18, 4, 20000), put_le(bmp.data + 22, 4, 20000);
    assert_int_equal(thumb_result(bmp, &options, NULL), -EFBIG);
    free(jpeg.data), free(bmp.data);
    sample_free(&source);
}

/* ---- Nonsense ---- */

static void nonsense_behind_a_signature_fails_at_every_level(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        const char *bytes;
        size_t size;
    } signatures[] = {
        {"JPEG", "\xff\xd8\xff\xe0", 4},
        {"PNG", "\x89PNG\r\n\x1a\n", 8},
        {"PNG with a header",
         "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0\0\0\1\0\x08\2\0\0\0\xd3\x10\x3f\x31", 33},
        {"WebP", "RIFF\xff\xff\xff\0WEBPVP8 ", 16},
        {"lossless WebP", "RIFF\xff\xff\xff\0WEBPVP8L", 16},
        {"animated WebP", "RIFF\xff\xff\xff\0WEBPVP8X", 16},
        {"GIF", "GIF89a", 6},
        {"TIFF", "II*\0\x08\0\0\0", 8},
        {"BigTIFF", "II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0", 16},
        {"HEIF",
         "\0\0\0\x18"
         "ftypheic\0\0\0\0mif1heic",
         24},
        {"AVIF",
         "\0\0\0\x18"
         "ftypavif\0\0\0\0mif1avif",
         24},
        {"JPEG XL", "\xff\x0a", 2},
        {"boxes of JPEG XL", "\0\0\0\x0cJXL \r\n\x87\n", 12},
        {"BMP", "BM\0\0\1\0\0\0\0\0\x36\0\0\0\x28\0\0\0\0\4\0\0\0\4\0\0\1\0\x08\0", 30},
    };
    uint32_t random = 3;
    for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++)
        for (int round = 0; round < 6; round++) {
            const size_t size = round % 2 ? 100000 : signatures[i].size + (size_t)round * 40;
            struct bytes file = {malloc(size), size};
            assert_non_null(file.data);
            for (size_t at = 0; at < size; at++) {
                random = random * 1664525 + 1013904223;
                file.data[at] = round < 4 ? (uint8_t)(random >> 24) : 0;
            }
            memcpy(file.data, signatures[i].bytes, signatures[i].size);
            struct img_options options = thumb_options(40);
            if (thumb_result(file, &options, NULL) == 0)
                fail_msg("%s, round %d", signatures[i].label, round);
            options.fail_on = IMG_FAIL_ON_NONE;
            options.pixels_max = 100000;
            thumb_result(file, &options, NULL); /* a row or two may be made of it */
            free(file.data);
        }
    vips_leave();
}

int main(int argc, char **argv)
{
    vips_files_main(argc, argv);
    static const struct test_case tests[] = {
        TEST(files_of_too_many_frames_are_refused),
        TEST(frames_are_counted_before_a_loader_looks_at_them),
        TEST(pages_in_a_circle_are_not_many_pages),
        TEST(a_cut_list_of_frames_is_walked_to_its_end_only),
        TEST_LONG(what_must_be_held_whole_is_refused_if_it_does_not_fit, 60000),
        TEST(pictures_that_come_by_the_row_need_only_their_files_memory),
        TEST(a_claim_is_refused_before_anything_is_allocated_for_it),
        TEST_LONG(nonsense_behind_a_signature_fails_at_every_level, 60000),
    };
    return test_run("limits", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
