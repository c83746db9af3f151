#include "exif_priv.h"

#include <stdbool.h>
#include <string.h>

#define TAG_ORIENTATION 0x0112
#define ENTRY_BYTES     12

enum { TYPE_BYTE = 1, TYPE_SHORT = 3, TYPE_LONG = 4 };

struct tiff {
    const uint8_t *data;
    size_t size_bytes;
    bool big_endian;
};

/* Callers have checked that the bytes are there. */
static unsigned read16(const struct tiff *tiff, size_t at)
{
    const uint8_t *p = tiff->data + at;
    return tiff->big_endian ? (unsigned)(p[0] << 8 | p[1]) : (unsigned)(p[1] << 8 | p[0]);
}

static uint32_t read32(const struct tiff *tiff, size_t at)
{
    const uint32_t first = read16(tiff, at);
    const uint32_t second = read16(tiff, at + 2);
    return tiff->big_endian ? first << 16 | second : second << 16 | first;
}

/* Writers disagree about the type; the value sits in the entry itself in every case. */
static uint32_t entry_value(const struct tiff *tiff, size_t at)
{
    switch (read16(tiff, at + 2)) {
    case TYPE_BYTE:
        return tiff->data[at + 8];
    case TYPE_SHORT:
        return read16(tiff, at + 8);
    case TYPE_LONG:
        return read32(tiff, at + 8);
    default:
        return 0;
    }
}

int img_exif_orientation(const uint8_t *data, size_t size_bytes)
{
    if (size_bytes < 8)
        return 1;
    struct tiff tiff = {.data = data, .size_bytes = size_bytes};
    if (memcmp(data, "MM\0*", 4) == 0)
        tiff.big_endian = true;
    else if (memcmp(data, "II*\0", 4) != 0)
        return 1;

    const size_t ifd = read32(&tiff, 4);
    if (ifd < 8 || ifd > size_bytes - 2)
        return 1;
    const unsigned count = read16(&tiff, ifd);
    for (unsigned i = 0; i < count; i++) {
        const size_t at = ifd + 2 + (size_t)i * ENTRY_BYTES;
        if (at > size_bytes - ENTRY_BYTES || size_bytes < ENTRY_BYTES)
            return 1;
        if (read16(&tiff, at) != TAG_ORIENTATION)
            continue;
        const uint32_t value = entry_value(&tiff, at);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}
