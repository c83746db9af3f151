#include "png_maker.h"

#include <stdlib.h>
#include <string.h>

#include <png.h>
#include <zlib.h>

#include "isolate.h"

static uint32_t random_state = 1;

uint32_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

/* Memory grows in steps: some files are made of thousands of chunks. */
static void bytes_add(struct bytes *bytes, const void *data, size_t size)
{
    enum { STEP = 65536 };
    if (!bytes->data || bytes->size / STEP != (bytes->size + size) / STEP)
        bytes->data = realloc(bytes->data, ((bytes->size + size) / STEP + 1) * STEP);
    assert_non_null(bytes->data);
    if (size > 0)
        memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

static void chunk_add(struct bytes *bytes, const char *name, const void *data, size_t size)
{
    uint8_t number[4];
    png_save_uint_32(number, (png_uint_32)size);
    bytes_add(bytes, number, 4);
    const size_t start = bytes->size;
    bytes_add(bytes, name, 4);
    bytes_add(bytes, data, size);
    png_save_uint_32(number,
                     (png_uint_32)crc32(0, bytes->data + start, (uInt)(bytes->size - start)));
    bytes_add(bytes, number, 4);
}

struct bytes png_maker_rows(const struct png_maker *make)
{
    static const unsigned channels[] = {1, 0, 3, 1, 2, 0, 4};
    const size_t row_bytes =
        ((size_t)make->width * channels[make->type] * (unsigned)make->depth + 7) / 8;
    const size_t size = (row_bytes + 1) * make->height;
    struct bytes rows = {calloc(1, size + 64), size + (size_t)make->extra_bytes};
    assert_non_null(rows.data);
    for (size_t i = 0; i < rows.size; i++)
        rows.data[i] = (uint8_t)random_next();
    for (size_t i = 0; make->has_runs && i < rows.size;) {
        const size_t distance =
            i > 0 ? 1 + random_next() % (i < 40000 ? i : 40000) % (2u << random_next() % 16) : 0;
        size_t run = distance > 0 && distance <= i ? random_next() % 300 : 0;
        for (i++; run > 0 && i < rows.size; run--, i++)
            rows.data[i] = rows.data[i - distance];
    }
    for (uint32_t y = 0; y < make->height && y * (row_bytes + 1) < rows.size; y++)
        rows.data[y * (row_bytes + 1)] =
            (uint8_t)(make->filter == MIXED ? random_next() % 5 : (unsigned)make->filter);
    return rows;
}

struct bytes png_maker_deflate(struct bytes raw, const struct png_maker *make, int window_bits)
{
    z_stream stream = {0};
    const int level = make->stored ? 0 : make->level ? make->level : 6;
    assert_int_equal(deflateInit2(&stream, level, Z_DEFLATED, window_bits, 8, make->strategy),
                     Z_OK);
    struct bytes result = {malloc(deflateBound(&stream, raw.size)), 0};
    assert_non_null(result.data);
    stream.next_in = raw.data, stream.avail_in = (uInt)raw.size;
    stream.next_out = result.data, stream.avail_out = (uInt)deflateBound(&stream, raw.size);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    result.size = stream.total_out;
    deflateEnd(&stream);
    return result;
}

struct bytes png_maker_file(const struct png_maker *make)
{
    struct bytes file = {NULL, 0};
    uint8_t header[13] = {0}, palette[256 * 3];
    bytes_add(&file, "\x89PNG\r\n\x1a\n", 8);
    png_save_uint_32(header, make->width);
    png_save_uint_32(header + 4, make->height);
    header[8] = (uint8_t)make->depth;
    header[9] = (uint8_t)make->type;
    header[12] = make->interlaced;
    chunk_add(&file, "IHDR", header, sizeof(header));
    for (size_t i = 0; i < sizeof(palette); i++)
        palette[i] = (uint8_t)random_next();
    if (make->type == PALETTE)
        chunk_add(&file, "PLTE", palette, (size_t)make->colours * 3);
    if (make->transparency)
        chunk_add(&file, "tRNS", make->transparency, make->transparency_bytes);
    struct bytes rows = png_maker_rows(make);
    struct bytes stream = png_maker_deflate(rows, make, make->window_bits ? make->window_bits : 15);
    const size_t split = make->split ? make->split : stream.size;
    for (size_t at = 0; at < stream.size; at += split)
        chunk_add(&file, "IDAT", stream.data + at,
                  stream.size - at < split ? stream.size - at : split);
    chunk_add(&file, "IEND", NULL, 0);
    free(rows.data), free(stream.data);
    file.data = realloc(file.data, file.size); /* so that a sanitizer sees reads past the end */
    assert_non_null(file.data);
    return file;
}
