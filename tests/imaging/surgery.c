#include "surgery.h"

#include <stdlib.h>
#include <string.h>

#include <png.h>
#include <zlib.h>

#include "isolate.h"

struct bytes bytes_inserted(struct bytes file, size_t at, const uint8_t *data, size_t size)
{
    struct bytes longer = {malloc(file.size + size), file.size + size};
    assert_non_null(longer.data);
    memcpy(longer.data, file.data, at);
    memcpy(longer.data + at, data, size);
    memcpy(longer.data + at + size, file.data + at, file.size - at);
    return longer;
}

struct bytes bytes_cut(struct bytes file, size_t size)
{
    struct bytes cut = {malloc(size ? size : 1), size};
    assert_non_null(cut.data);
    memcpy(cut.data, file.data, size);
    return cut;
}

/* ---- JPEG ---- */

size_t jpeg_marker_at(struct bytes jpeg, uint8_t code)
{
    size_t at = 2;
    while (at + 4 < jpeg.size) {
        assert_int_equal(jpeg.data[at], 0xff);
        if (jpeg.data[at + 1] == code)
            return at;
        at += 2 + ((size_t)jpeg.data[at + 2] << 8 | jpeg.data[at + 3]);
    }
    fail_msg("no marker %02x", code);
    return 0;
}

size_t jpeg_scan_end(struct bytes jpeg, size_t at)
{
    at += 2 + ((size_t)jpeg.data[at + 2] << 8 | jpeg.data[at + 3]);
    while (jpeg.data[at] != 0xff || jpeg.data[at + 1] == 0 || (jpeg.data[at + 1] & 0xf8) == 0xd0)
        at++;
    return at;
}

void jpeg_size_claim(struct bytes jpeg, uint8_t frame_marker, unsigned width, unsigned height)
{
    uint8_t *frame = jpeg.data + jpeg_marker_at(jpeg, frame_marker);
    frame[5] = (uint8_t)(height >> 8), frame[6] = (uint8_t)height;
    frame[7] = (uint8_t)(width >> 8), frame[8] = (uint8_t)width;
}

/* ---- PNG ---- */

size_t png_chunk_at(struct bytes png, const char *type)
{
    size_t at = 8;
    while (at + 12 <= png.size && memcmp(png.data + at + 4, type, 4) != 0)
        at += 12 + (size_t)png_get_uint_32(png.data + at);
    if (at + 12 > png.size)
        fail_msg("no chunk %s", type);
    return at;
}

static void crc_renew(struct bytes png, size_t chunk)
{
    const uint32_t length = png_get_uint_32(png.data + chunk);
    const uint32_t crc = (uint32_t)crc32(0, png.data + chunk + 4, length + 4);
    png_save_uint_32(png.data + chunk + 8 + length, crc);
}

void png_size_claim(struct bytes png, uint32_t width, uint32_t height)
{
    png_save_uint_32(png.data + 16, width);
    png_save_uint_32(png.data + 20, height);
    crc_renew(png, 8);
}

struct bytes png_with_chunk(struct bytes png, const char *before, const char *type,
                            const char *data, uint32_t size)
{
    const size_t at = png_chunk_at(png, before);
    struct bytes longer = {malloc(png.size + 12 + size), png.size + 12 + size};
    assert_non_null(longer.data);
    memcpy(longer.data, png.data, at);
    png_save_uint_32(longer.data + at, size);
    memcpy(longer.data + at + 4, type, 4);
    memcpy(longer.data + at + 8, data, size);
    crc_renew(longer, at);
    memcpy(longer.data + at + 12 + size, png.data + at, png.size - at);
    return longer;
}
