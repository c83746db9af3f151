/* mutate_png.c: changes to the chunks of a PNG, and to the rows behind its compression. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "mutate.h"

#define PARTS_MAX   128
#define SIGNATURE   8
#define CHUNK_FRAME 12 /* length, name and checksum */
#define ROWS_MAX    ((size_t)256 * 1024)

struct part {
    size_t at, size; /* with its frame */
};

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put32(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 24), to[1] = (uint8_t)(value >> 16);
    to[2] = (uint8_t)(value >> 8), to[3] = (uint8_t)value;
}

/* Up to what is no chunk any more. */
static size_t parts_find(const uint8_t *data, size_t size, struct part *parts)
{
    size_t count = 0, at = SIGNATURE;
    while (at < size && size - at >= CHUNK_FRAME && count < PARTS_MAX) {
        const uint32_t length = get32(data + at);
        if (length > size - at - CHUNK_FRAME)
            break;
        parts[count++] = (struct part){at, (size_t)length + CHUNK_FRAME};
        at += (size_t)length + CHUNK_FRAME;
    }
    return count;
}

static struct part part_choose(const struct part *parts, size_t count, struct fuzz_random *random)
{
    return count > 0 ? parts[fuzz_random_below(random, count)] : (struct part){.at = SIGNATURE};
}

static bool is_pixels(const uint8_t *chunk)
{
    return memcmp(chunk + 4, "IDAT", 4) == 0;
}

/* ---- The stream ---- */

/* The contents of all IDAT chunks, one behind the other.  Returns how many bytes. */
static size_t stream_gather(const struct fuzz_input *input, const struct part *parts, size_t count,
                            uint8_t *stream)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        if (is_pixels(input->data + parts[i].at)) {
            memcpy(stream + size, input->data + parts[i].at + 8, parts[i].size - CHUNK_FRAME);
            size += parts[i].size - CHUNK_FRAME;
        }
    return size;
}

/* ret_used: the bytes of the stream up to its end, without the checksum, where it has one. */
static size_t stream_inflate(uint8_t *stream, size_t size, uint8_t *rows, size_t *ret_used)
{
    z_stream zlib = {.next_in = stream + 2, .avail_in = size > 2 ? (uInt)(size - 2) : 0};
    zlib.next_out = rows;
    zlib.avail_out = ROWS_MAX;
    *ret_used = 0;
    if (size <= 2 || inflateInit2(&zlib, -15) != Z_OK)
        return 0;
    if (inflate(&zlib, Z_FINISH) == Z_STREAM_END)
        *ret_used = 2 + (size_t)zlib.total_in;
    const size_t made = zlib.total_out;
    inflateEnd(&zlib);
    return made;
}

/* The byte number at of all IDAT contents. */
static uint8_t *stream_byte(struct fuzz_input *input, const struct part *parts, size_t count,
                            size_t at)
{
    for (size_t i = 0; i < count; i++) {
        const size_t size = parts[i].size - CHUNK_FRAME;
        if (!is_pixels(input->data + parts[i].at))
            continue;
        if (at < size)
            return input->data + parts[i].at + 8 + at;
        at -= size;
    }
    return NULL;
}

static void adler_repair(struct fuzz_input *input, const struct part *parts, size_t count)
{
    uint8_t *stream = malloc(FUZZ_BYTES_MAX), *rows = malloc(ROWS_MAX);
    if (stream && rows) {
        size_t used;
        const size_t size = stream_gather(input, parts, count, stream);
        const size_t made = stream_inflate(stream, size, rows, &used);
        uint8_t sum[4];
        put32(sum, (uint32_t)adler32(1, rows, (uInt)made));
        for (size_t i = 0; used > 0 && i < 4; i++) {
            uint8_t *to = stream_byte(input, parts, count, used + i);
            if (to)
                *to = sum[i];
        }
    }
    free(stream), free(rows);
}

void fuzz_png_repair(struct fuzz_input *input, struct fuzz_random *random)
{
    struct part parts[PARTS_MAX];
    const size_t count = parts_find(input->data, input->size, parts);
    if (fuzz_random_below(random, 8) == 0)
        return;
    if (fuzz_random_below(random, 4) != 0)
        adler_repair(input, parts, count);
    for (size_t i = 0; i < count; i++) {
        uint8_t *chunk = input->data + parts[i].at;
        const size_t size = parts[i].size;
        put32(chunk + size - 4, (uint32_t)crc32(0, chunk + 4, (uInt)(size - 8)));
    }
}

/* Put a stream in the place of all IDAT chunks, in pieces of some size. */
static void stream_put(struct fuzz_input *input, const uint8_t *stream, size_t size,
                       struct fuzz_random *random)
{
    struct part parts[PARTS_MAX];
    const size_t count = parts_find(input->data, input->size, parts);
    size_t first = count;
    for (size_t i = count; i-- > 0;)
        if (is_pixels(input->data + parts[i].at)) {
            fuzz_replace(input, parts[i].at, parts[i].size, NULL, 0);
            first = i;
        }
    if (first == count)
        return;
    const size_t least = size / 40 + 1;
    const size_t piece =
        fuzz_random_next(random) & 1 ? size : least + fuzz_random_below(random, size);
    size_t to = parts[first].at;
    for (size_t at = 0; at < size; at += piece) {
        const size_t length = size - at < piece ? size - at : piece;
        uint8_t head[8] = {0, 0, 0, 0, 'I', 'D', 'A', 'T'};
        put32(head, (uint32_t)length);
        const size_t before = input->size;
        fuzz_replace(input, to, 0, head, sizeof(head));
        fuzz_replace(input, to + 8, 0, stream + at, length);
        fuzz_replace(input, to + 8 + length, 0, (const uint8_t[4]){0}, 4);
        if (input->size != before + length + CHUNK_FRAME)
            return; /* no room */
        to += length + CHUNK_FRAME;
    }
}

/* Other rows: inflated, changed, and deflated in some way. */
static void rows_change(struct fuzz_input *input, struct fuzz_random *random)
{
    struct part parts[PARTS_MAX];
    const size_t count = parts_find(input->data, input->size, parts);
    uint8_t *stream = malloc(FUZZ_BYTES_MAX), *rows = malloc(ROWS_MAX);
    if (stream && rows) {
        size_t used;
        const size_t size = stream_gather(input, parts, count, stream);
        struct fuzz_input changed = {rows, stream_inflate(stream, size, rows, &used), ROWS_MAX};
        for (size_t i = fuzz_random_below(random, 4); i > 0; i--)
            fuzz_mutate_range(&changed, 0, changed.size, random);
        z_stream zlib = {.next_in = changed.data, .avail_in = (uInt)changed.size};
        zlib.next_out = stream;
        zlib.avail_out = FUZZ_BYTES_MAX;
        if (deflateInit2(&zlib, (int)fuzz_random_below(random, 10), Z_DEFLATED, 15,
                         1 + (int)fuzz_random_below(random, 9),
                         (int)fuzz_random_below(random, Z_FIXED + 1)) == Z_OK) {
            if (deflate(&zlib, Z_FINISH) == Z_STREAM_END)
                stream_put(input, stream, zlib.total_out, random);
            deflateEnd(&zlib);
        }
    }
    free(stream), free(rows);
}

/* The same stream, or the same with a change, in other pieces. */
static void stream_split(struct fuzz_input *input, struct fuzz_random *random)
{
    struct part parts[PARTS_MAX];
    const size_t count = parts_find(input->data, input->size, parts);
    uint8_t *stream = malloc(FUZZ_BYTES_MAX);
    if (stream) {
        const size_t size = stream_gather(input, parts, count, stream);
        struct fuzz_input changed = {stream, size, FUZZ_BYTES_MAX};
        if (fuzz_random_next(random) & 1)
            fuzz_mutate_bytes(&changed, (struct fuzz_other){NULL, 0}, random);
        stream_put(input, changed.data, changed.size, random);
    }
    free(stream);
}

/* ---- Chunks ---- */

static void body_change(struct fuzz_input *input, struct part part, struct fuzz_random *random)
{
    if (part.size > CHUNK_FRAME)
        fuzz_mutate_range(input, part.at + 8, part.size - CHUNK_FRAME, random);
}

/* Size, depth, type of pixels and interlacing, mostly to values that mean something. */
static void header_change(struct fuzz_input *input, const struct part *parts, size_t count,
                          struct fuzz_random *random)
{
    static const uint8_t depths[] = {1, 2, 4, 8, 16};
    static const uint8_t types[] = {0, 2, 3, 4, 6};
    if (count == 0 || parts[0].size < CHUNK_FRAME + 13)
        return;
    uint8_t *body = input->data + parts[0].at + 8;
    switch (fuzz_random_below(random, 6)) {
    case 0:
        put32(body, 1 + (uint32_t)fuzz_random_below(random, 100));
        break;
    case 1:
        put32(body + 4, 1 + (uint32_t)fuzz_random_below(random, 100));
        break;
    case 2:
        body[8] = depths[fuzz_random_below(random, sizeof(depths))];
        break;
    case 3:
        body[9] = types[fuzz_random_below(random, sizeof(types))];
        break;
    case 4:
        body[12] ^= 1;
        break;
    default:
        fuzz_mutate_range(input, parts[0].at + 8, 13, random);
        break;
    }
}

static void length_change(struct fuzz_input *input, struct part part, struct fuzz_random *random)
{
    uint8_t *length = input->data + part.at;
    if (part.size > 0)
        put32(length, get32(length) + (uint32_t)fuzz_random_below(random, 9) - 4);
}

static void name_change(struct fuzz_input *input, struct part part, struct fuzz_random *random)
{
    static const char names[][5] = {"IDAT", "IEND", "PLTE", "tRNS", "iCCP", "eXIf", "tEXt", "gAMA",
                                    "sRGB", "cHRM", "sBIT", "fdAT", "bKGD", "CgBI", "juNk", "Junk"};
    if (part.size > 0)
        memcpy(input->data + part.at + 4,
               names[fuzz_random_below(random, sizeof(names) / sizeof(names[0]))], 4);
}

static void part_take(struct fuzz_input *input, struct part to, struct fuzz_other other,
                      struct fuzz_random *random)
{
    struct part others[PARTS_MAX];
    const size_t count = parts_find(other.data, other.size, others);
    const struct part from = part_choose(others, count, random);
    if (count > 0)
        fuzz_replace(input, to.at, fuzz_random_next(random) & 1 ? to.size : 0, other.data + from.at,
                     from.size);
}

void fuzz_mutate_png(struct fuzz_input *input, struct fuzz_other other, struct fuzz_random *random)
{
    struct part parts[PARTS_MAX];
    const size_t count = parts_find(input->data, input->size, parts);
    const struct part part = part_choose(parts, count, random);
    const struct part to = part_choose(parts, count, random);
    if (input->size < SIGNATURE)
        return;
    switch (fuzz_random_below(random, 16)) {
    case 0:
        fuzz_replace(input, part.at, part.size, NULL, 0);
        break;
    case 1:
        fuzz_replace(input, part.at, 0, input->data + part.at, part.size);
        break;
    case 2:
        fuzz_replace(input, to.at, 0, input->data + part.at, part.size);
        break;
    case 3:
        part_take(input, to, other, random);
        break;
    case 4:
        length_change(input, part, random);
        break;
    case 5:
        name_change(input, part, random);
        break;
    case 6:
    case 7:
        header_change(input, parts, count, random);
        break;
    case 8:
    case 9:
    case 10:
        rows_change(input, random);
        break;
    case 11:
    case 12:
        stream_split(input, random);
        break;
    default:
        body_change(input, part, random);
        break;
    }
}
