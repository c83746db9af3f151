/* pictures.c: see pictures.h. The codecs' own way to end on an error is fine here: the test's
 * process ends, and the test has failed. */
#include "pictures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>

#include "files.h"
#include "isolate.h"

static void fill_row(uint8_t *row, uint32_t width_px, uint32_t y, unsigned seed, int channels)
{
    for (uint32_t x = 0; x < width_px; x++, row += channels) {
        row[0] = (uint8_t)(x + seed * 37);
        row[1] = (uint8_t)(y + seed * 91);
        row[2] = (uint8_t)((x + y) / 2 + seed * 11);
        if (channels == 4)
            row[3] = x < width_px / 2 ? 0 : 255;
    }
}

static void write_jpeg(const char *path, uint32_t width_px, uint32_t height_px, unsigned seed,
                       bool slow)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    FILE *file = fopen(path, "we");
    uint8_t *row = malloc((size_t)width_px * 3);
    assert_non_null(file);
    assert_non_null(row);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = width_px;
    jpeg.image_height = height_px;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 90, TRUE);
    if (slow) {
        jpeg.comp_info[0].h_samp_factor = 3; /* which no fast decoder takes */
        jpeg.comp_info[0].v_samp_factor = 1;
        jpeg_simple_progression(&jpeg);
    }
    jpeg_start_compress(&jpeg, TRUE);
    unsigned noise = seed + 1;
    for (uint32_t y = 0; y < height_px; y++) {
        fill_row(row, width_px, y, seed, 3);
        for (uint32_t i = 0; slow && i < width_px * 3; i++) {
            noise = noise * 1664525u + 1013904223u;
            row[i] = (uint8_t)(noise >> 24);
        }
        JSAMPROW rows[1] = {row};
        jpeg_write_scanlines(&jpeg, rows, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    free(row);
    assert_int_equal(fclose(file), 0);
}

void make_jpeg(const char *path, uint32_t width_px, uint32_t height_px, unsigned seed)
{
    write_jpeg(path, width_px, height_px, seed, false);
}

void make_slow_jpeg(const char *path, uint32_t width_px, uint32_t height_px, unsigned seed)
{
    write_jpeg(path, width_px, height_px, seed, true);
}

void make_png(const char *path, uint32_t width_px, uint32_t height_px, bool alpha, unsigned seed)
{
    const int channels = alpha ? 4 : 3;
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = width_px,
                       .height = height_px,
                       .format = alpha ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB};
    uint8_t *pixels = malloc((size_t)width_px * height_px * (size_t)channels);
    assert_non_null(pixels);
    for (uint32_t y = 0; y < height_px; y++)
        fill_row(pixels + (size_t)y * width_px * (size_t)channels, width_px, y, seed, channels);
    assert_int_equal(png_image_write_to_file(&image, path, 0, pixels, 0, NULL), 1);
    free(pixels);
}

#define FLAT_SIDE_PX 24

void make_flat_png(const char *path, uint32_t colour)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = FLAT_SIDE_PX,
                       .height = FLAT_SIDE_PX,
                       .format = PNG_FORMAT_RGB,
                       .flags = PNG_IMAGE_FLAG_FAST};
    uint8_t pixels[FLAT_SIDE_PX * FLAT_SIDE_PX * 3];
    for (size_t i = 0; i < sizeof(pixels); i++)
        pixels[i] = (uint8_t)(colour >> (16 - 8 * (i % 3)));
    assert_int_equal(png_image_write_to_file(&image, path, 0, pixels, 0, NULL), 1);
}

uint32_t colour_of_flat_png(const char *path)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_int_equal(png_image_begin_read_from_file(&image, path), 1);
    image.format = PNG_FORMAT_RGB;
    uint8_t *pixels = malloc(PNG_IMAGE_SIZE(image));
    assert_non_null(pixels);
    assert_int_equal(png_image_finish_read(&image, NULL, pixels, 0, NULL), 1);
    const uint32_t colour = (uint32_t)pixels[0] << 16 | (uint32_t)pixels[1] << 8 | pixels[2];
    free(pixels);
    return colour;
}

static void check_png(const char *path, uint32_t *ret_width_px, uint32_t *ret_height_px)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_int_equal(png_image_begin_read_from_file(&image, path), 1);
    image.format = PNG_FORMAT_RGBA;
    uint8_t *pixels = malloc(PNG_IMAGE_SIZE(image));
    assert_non_null(pixels);
    assert_int_equal(png_image_finish_read(&image, NULL, pixels, 0, NULL), 1);
    assert_int_equal(image.warning_or_error, 0);
    free(pixels);
    *ret_width_px = image.width;
    *ret_height_px = image.height;
}

static void check_jpeg(const uint8_t *data, size_t size_bytes, uint32_t *ret_width_px,
                       uint32_t *ret_height_px)
{
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&jpeg);
    jpeg_mem_src(&jpeg, data, (unsigned long)size_bytes);
    assert_int_equal(jpeg_read_header(&jpeg, TRUE), JPEG_HEADER_OK);
    jpeg_start_decompress(&jpeg);
    uint8_t *row = malloc((size_t)jpeg.output_width * (size_t)jpeg.output_components);
    assert_non_null(row);
    while (jpeg.output_scanline < jpeg.output_height) {
        JSAMPROW rows[1] = {row};
        jpeg_read_scanlines(&jpeg, rows, 1);
    }
    *ret_width_px = jpeg.output_width;
    *ret_height_px = jpeg.output_height;
    jpeg_finish_decompress(&jpeg);
    assert_int_equal(errors.num_warnings, 0);
    jpeg_destroy_decompress(&jpeg);
    free(row);
}

void check_picture(const char *path, uint32_t *ret_width_px, uint32_t *ret_height_px,
                   bool *ret_is_png)
{
    size_t size_bytes;
    const char *data = read_file(path, &size_bytes);
    const bool is_png = size_bytes > 8 && memcmp(data, "\x89PNG", 4) == 0;
    uint32_t width_px = 0, height_px = 0;
    if (is_png)
        check_png(path, &width_px, &height_px);
    else
        check_jpeg((const uint8_t *)data, size_bytes, &width_px, &height_px);
    if (ret_width_px)
        *ret_width_px = width_px;
    if (ret_height_px)
        *ret_height_px = height_px;
    if (ret_is_png)
        *ret_is_png = is_png;
}
