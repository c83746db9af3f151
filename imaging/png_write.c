/* png_write.c: PNG of eight bits a sample through libdeflate.
 *
 * libdeflate packs the whole picture in one call, several times as fast as zlib at the same size.
 * Each row gets the filter whose bytes, as signed numbers, add up to the least, which is what
 * libpng does too; all filters are written and summed by loops that the compiler turns into
 * vectors. */
#include "png_write_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>

#include "note_priv.h"

/* With it, thumbnails are no larger than by zlib's level 3 and take a third of its time; level 6
 * takes twice to three times as long for another two to seven percent. */
#define DEFLATE_LEVEL 1

#define PICTURE_BYTES_MAX ((size_t)32 * 1024 * 1024)

#define SIGNATURE_BYTES 8
#define CHUNK_FRAME     12 /* length, name and checksum */
#define HEADER_BYTES    13
#define NOTE_BYTES_MAX  (IMG_NOTE_KEYWORD_BYTES + IMG_NOTE_MAX_BYTES)
#define FILTERS         5

/* Samples before the first of a row, which filters look at: zeros. */
#define MARGIN_BYTES 16

struct png_rows {
    const struct img_picture *picture;
    unsigned pixel_bytes;
    size_t row_bytes;
    uint8_t *filtered; /* owned; all rows, each after its filter's byte */
    uint8_t *scratch;  /* owned; this row and the one above, with margins, and a row per filter */
};

static uint8_t *put32(uint8_t *to, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                              (uint8_t)value};
    memcpy(to, bytes, sizeof(bytes));
    return to + sizeof(bytes);
}

/* Frame a chunk whose contents stand at to + 8 already. Returns its end. */
static uint8_t *chunk_frame(uint8_t *to, const char *name, size_t size_bytes)
{
    put32(to, (uint32_t)size_bytes);
    memcpy(to + 4, name, 4);
    return put32(to + 8 + size_bytes, libdeflate_crc32(0, to + 4, 4 + size_bytes));
}

/* ---- Filters ---- */

static unsigned magnitude(uint8_t byte)
{
    return byte < 128 ? byte : 256u - byte;
}

static unsigned long sum_of(const uint8_t *row, size_t count)
{
    unsigned long sum = 0;
    for (size_t done = 0; done < count;) {
        const size_t part = count - done < 65536 ? count - done : 65536;
        unsigned part_sum = 0;
        for (size_t i = 0; i < part; i++)
            part_sum += magnitude(row[done + i]);
        sum += part_sum;
        done += part;
    }
    return sum;
}

static uint8_t paeth(int a, int b, int c)
{
    const int pa = abs(b - c), pb = abs(a - c), pc = abs(a + b - 2 * c);
    const int nearer = pb <= pc ? b : c;
    return (uint8_t)(pa <= pb && pa <= pc ? a : nearer);
}

static void sub_filter(uint8_t *restrict to, const uint8_t *row, size_t count, size_t pixel)
{
    const uint8_t *before = row - pixel;
    for (size_t i = 0; i < count; i++)
        to[i] = (uint8_t)(row[i] - before[i]);
}

static void up_filter(uint8_t *restrict to, const uint8_t *row, const uint8_t *above, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = (uint8_t)(row[i] - above[i]);
}

static void average_filter(uint8_t *restrict to, const uint8_t *row, const uint8_t *above,
                           size_t count, size_t pixel)
{
    const uint8_t *before = row - pixel;
    for (size_t i = 0; i < count; i++)
        to[i] = (uint8_t)(row[i] - (before[i] + above[i]) / 2);
}

static void paeth_filter(uint8_t *restrict to, const uint8_t *row, const uint8_t *above,
                         size_t count, size_t pixel)
{
    const uint8_t *before = row - pixel, *above_before = above - pixel;
    for (size_t i = 0; i < count; i++)
        to[i] = (uint8_t)(row[i] - paeth(before[i], above[i], above_before[i]));
}

/* Write one row with its best filter, after the filter's number. */
static void row_filter(uint8_t *to, const uint8_t *row, const uint8_t *above, uint8_t *candidates,
                       size_t count, size_t pixel)
{
    uint8_t *const tries[FILTERS] = {NULL, candidates, candidates + count, candidates + 2 * count,
                                     candidates + 3 * count};
    sub_filter(tries[1], row, count, pixel);
    up_filter(tries[2], row, above, count);
    average_filter(tries[3], row, above, count, pixel);
    paeth_filter(tries[4], row, above, count, pixel);
    const uint8_t *best = row;
    unsigned long best_sum = sum_of(row, count);
    uint8_t filter = 0;
    for (uint8_t i = 1; i < FILTERS; i++) {
        const unsigned long sum = sum_of(tries[i], count);
        if (sum >= best_sum)
            continue;
        best_sum = sum;
        best = tries[i];
        filter = i;
    }
    to[0] = filter;
    memcpy(to + 1, best, count);
}

static int rows_filter(struct png_rows *rows)
{
    const size_t row_bytes = rows->row_bytes;
    const uint32_t height_px = rows->picture->height_px;
    rows->filtered = malloc((row_bytes + 1) * height_px);
    rows->scratch = calloc(1, 2 * (MARGIN_BYTES + row_bytes) + (FILTERS - 1) * row_bytes);
    if (!rows->filtered || !rows->scratch)
        return -ENOMEM;
    uint8_t *above = rows->scratch + MARGIN_BYTES;
    uint8_t *row = above + row_bytes + MARGIN_BYTES;
    uint8_t *const candidates = row + row_bytes;
    for (uint32_t y = 0; y < height_px; y++) {
        memcpy(row, rows->picture->pixels + y * row_bytes, row_bytes);
        row_filter(rows->filtered + y * (row_bytes + 1), row, above, candidates, row_bytes,
                   rows->pixel_bytes);
        uint8_t *const last = above;
        above = row;
        row = last;
    }
    return 0;
}

/* ---- The file ---- */

static uint8_t *header_put(uint8_t *to, const struct img_picture *picture)
{
    static const uint8_t signature[SIGNATURE_BYTES] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    static const uint8_t colour_types[] = {[1] = 0, [2] = 4, [3] = 2, [4] = 6};
    memcpy(to, signature, SIGNATURE_BYTES);
    to += SIGNATURE_BYTES;
    uint8_t *at = put32(put32(to + 8, picture->width_px), picture->height_px);
    *at++ = 8;
    *at++ = colour_types[img_layout_channels(picture->layout)];
    memset(at, 0, 3); /* deflate, the usual filters, not interlaced */
    return chunk_frame(to, "IHDR", HEADER_BYTES);
}

static uint8_t *note_put(uint8_t *to, const struct img_options *options)
{
    if (options->note_bytes == 0)
        return to;
    memcpy(to + 8, IMG_NOTE_KEYWORD, IMG_NOTE_KEYWORD_BYTES);
    memcpy(to + 8 + IMG_NOTE_KEYWORD_BYTES, options->note, options->note_bytes);
    return chunk_frame(to, "tEXt", IMG_NOTE_KEYWORD_BYTES + options->note_bytes);
}

static int rows_pack(const struct png_rows *rows, const struct img_options *options,
                     struct img_buffer *output, size_t *ret_size_bytes)
{
    const size_t raw_bytes = (rows->row_bytes + 1) * rows->picture->height_px;
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(DEFLATE_LEVEL);
    if (!compressor)
        return -ENOMEM;
    const size_t bound = libdeflate_zlib_compress_bound(compressor, raw_bytes);
    int r = img_buffer_grow(output, SIGNATURE_BYTES + CHUNK_FRAME * 4 + HEADER_BYTES +
                                        NOTE_BYTES_MAX + bound);
    if (r == 0) {
        uint8_t *at = note_put(header_put(output->data, rows->picture), options);
        const size_t packed =
            libdeflate_zlib_compress(compressor, rows->filtered, raw_bytes, at + 8, bound);
        at = chunk_frame(at, "IDAT", packed);
        at = chunk_frame(at, "IEND", 0);
        *ret_size_bytes = (size_t)(at - output->data);
    }
    libdeflate_free_compressor(compressor);
    return r;
}

bool img_png_write_takes(const struct img_picture *picture)
{
    return (uint64_t)picture->width_px * picture->height_px <= PICTURE_BYTES_MAX / IMG_CHANNELS_MAX;
}

int img_png_write(const struct img_picture *picture, const struct img_options *options,
                  struct img_buffer *output, size_t *ret_size_bytes)
{
    struct png_rows rows = {.picture = picture,
                            .pixel_bytes = img_layout_channels(picture->layout),
                            .row_bytes = img_picture_stride(picture)};
    int r = rows_filter(&rows);
    if (r == 0)
        r = rows_pack(&rows, options, output, ret_size_bytes);
    free(rows.filtered);
    free(rows.scratch);
    return r;
}
