/* frames.c: see frames_priv.h.
 *
 * A frame costs as little as a dozen bytes of the file, and far more in the loader, some of which
 * find each frame by walking over all before it: a small file can claim millions. */
#include "frames_priv.h"

#include <string.h>

/* ---- GIF: blocks in a row, each of parts with a byte of length ---- */

enum { GIF_EXTENSION = 0x21, GIF_FRAME = 0x2c, GIF_HEADER_BYTES = 13, GIF_FRAME_BYTES = 10 };

/* The bytes of the colour table that a byte of flags announces. */
static size_t gif_colours_bytes(uint8_t flags)
{
    return flags & 0x80 ? (size_t)3 << ((flags & 7) + 1) : 0;
}

/* Behind the parts that start at an offset, the last of which is empty; size_bytes: they do not
 * end. */
static size_t gif_parts_skip(const uint8_t *data, size_t size_bytes, size_t at)
{
    while (at < size_bytes && data[at] != 0)
        at += (size_t)1 + data[at];
    return at < size_bytes ? at + 1 : size_bytes;
}

static bool gif_exceeds(const uint8_t *data, size_t size_bytes, uint32_t frames_max)
{
    uint32_t frames = 0;
    if (size_bytes < GIF_HEADER_BYTES)
        return false;
    size_t at = GIF_HEADER_BYTES + gif_colours_bytes(data[10]);
    while (at < size_bytes) {
        const size_t left = size_bytes - at;
        if (data[at] == GIF_EXTENSION && left > 2) {
            at = gif_parts_skip(data, size_bytes, at + 2);
        } else if (data[at] == GIF_FRAME && left > GIF_FRAME_BYTES) {
            if (frames++ >= frames_max)
                return true;
            /* one more byte: how long the codes are */
            at += GIF_FRAME_BYTES + gif_colours_bytes(data[at + 9]) + 1;
            at = gif_parts_skip(data, size_bytes, at);
        } else {
            return false;
        }
    }
    return false;
}

/* ---- WebP: chunks in a row, behind the file's own header ---- */

static bool webp_exceeds(const uint8_t *data, size_t size_bytes, uint32_t frames_max)
{
    uint32_t frames = 0;
    size_t at = 12;
    while (size_bytes >= 8 && at <= size_bytes - 8) {
        uint64_t length = 8;
        for (unsigned i = 0; i < 4; i++)
            length += (uint64_t)data[at + 4 + i] << (8 * i);
        if (memcmp(data + at, "ANMF", 4) == 0 && frames++ >= frames_max)
            return true;
        length += length & 1; /* an odd one is padded */
        if (length > size_bytes - at)
            return false;
        at += length;
    }
    return false;
}

/* ---- TIFF: a chain of directories ---- */

struct tiff {
    const uint8_t *data;
    size_t size_bytes;
    bool big_endian;
    bool big; /* BigTIFF: offsets of 64 bits */
};

/* A number of count bytes. Returns false beyond the end. */
static bool tiff_number(const struct tiff *tiff, uint64_t at, unsigned count, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (at > tiff->size_bytes || tiff->size_bytes - at < count)
        return false;
    for (unsigned i = 0; i < count; i++)
        number = number << 8 | tiff->data[at + (tiff->big_endian ? i : count - 1 - i)];
    *ret_number = number;
    return true;
}

/* From one directory to the next. Returns false where there is none. */
static bool tiff_next(const struct tiff *tiff, uint64_t *at)
{
    uint64_t entries;
    uint64_t next;
    if (!tiff_number(tiff, *at, tiff->big ? 8 : 2, &entries) || entries > tiff->size_bytes)
        return false;
    next = *at + (tiff->big ? 8 + entries * 20 : 2 + entries * 12);
    return tiff_number(tiff, next, tiff->big ? 8 : 4, at) && *at != 0;
}

static bool tiff_exceeds(const uint8_t *data, size_t size_bytes, uint32_t frames_max)
{
    struct tiff tiff = {.data = data, .size_bytes = size_bytes};
    uint64_t at;
    if (size_bytes < 16)
        return false;
    tiff.big_endian = data[0] == 'M';
    tiff.big = data[tiff.big_endian ? 3 : 2] == '+';
    if (!tiff_number(&tiff, tiff.big ? 8 : 4, tiff.big ? 8 : 4, &at) || at == 0)
        return false;
    /* A chain that runs in a circle is libtiff's business, which notices. mark: a place that the
     * chain has passed, moved on at each doubling of the steps. */
    uint64_t mark = at;
    uint64_t mark_until = 2;
    for (uint64_t frames = 1; tiff_next(&tiff, &at); frames++) {
        if (at == mark)
            return false;
        if (frames >= frames_max)
            return true;
        if (frames == mark_until)
            mark = at, mark_until *= 2;
    }
    return false;
}

bool img_frames_exceed(enum img_format format, const uint8_t *data, size_t size_bytes,
                       uint32_t frames_max)
{
    switch (format) {
    case IMG_FORMAT_GIF:
        return gif_exceeds(data, size_bytes, frames_max);
    case IMG_FORMAT_WEBP:
        return webp_exceeds(data, size_bytes, frames_max);
    case IMG_FORMAT_TIFF:
        return tiff_exceeds(data, size_bytes, frames_max);
    default:
        return false;
    }
}
