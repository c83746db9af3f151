/* jpeg_segments.c: see jpeg_segments_priv.h.
 *
 * libjpeg can keep segments too, but it copies each and walks a list of all for every new one:
 * a file of a megabyte of tiny segments then takes many seconds. */
#include "jpeg_segments_priv.h"

#include <stdbool.h>
#include <string.h>

enum { MARKER_SOS = 0xda, MARKER_EOI = 0xd9, MARKER_APP1 = 0xe1, MARKER_APP2 = 0xe2 };

#define EXIF_PREFIX       "Exif\0" /* and the literal's own zero */
#define EXIF_PREFIX_BYTES 6
#define ICC_PREFIX        "ICC_PROFILE"
#define ICC_PREFIX_BYTES  12
#define ICC_HEAD_BYTES    14 /* then the part's number and the number of parts */

/* Markers without a length: TEM, RST0 to RST7, SOI. */
static bool stands_alone(uint8_t marker)
{
    return marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8);
}

/* A part that comes twice, or that disagrees about the number of parts, spoils the profile. */
static void icc_note(struct img_jpeg_segments *segments, struct img_segment part, bool *spoiled)
{
    const unsigned number = part.data[ICC_PREFIX_BYTES];
    const unsigned count = part.data[ICC_PREFIX_BYTES + 1];
    if (number < 1 || number > count || segments->icc[number - 1].data ||
        (segments->icc_count > 0 && segments->icc_count != count)) {
        *spoiled = true;
        return;
    }
    segments->icc_count = count;
    segments->icc[number - 1].data = part.data + ICC_HEAD_BYTES;
    segments->icc[number - 1].size_bytes = part.size_bytes - ICC_HEAD_BYTES;
    segments->icc_bytes += part.size_bytes - ICC_HEAD_BYTES;
}

static bool icc_is_complete(const struct img_jpeg_segments *segments)
{
    for (unsigned i = 0; i < segments->icc_count; i++)
        if (!segments->icc[i].data)
            return false;
    return segments->icc_bytes > 0;
}

/* The next marker's code; *at then points behind it. 0: there is none. */
static uint8_t marker_next(const uint8_t *data, size_t size_bytes, size_t *at)
{
    while (*at + 1 < size_bytes) {
        const uint8_t *found = memchr(data + *at, 0xff, size_bytes - *at - 1);
        if (!found)
            return 0;
        *at = (size_t)(found - data) + 1;
        if (data[*at] != 0x00 && data[*at] != 0xff)
            return data[(*at)++];
    }
    return 0;
}

void img_jpeg_segments_find(const uint8_t *data, size_t size_bytes,
                            struct img_jpeg_segments *ret_segments)
{
    struct img_jpeg_segments *segments = ret_segments;
    *segments = (struct img_jpeg_segments){.icc_count = 0};
    bool icc_spoiled = false;
    size_t at = 0;
    for (;;) {
        const uint8_t marker = marker_next(data, size_bytes, &at);
        if (marker == 0 || marker == MARKER_SOS || marker == MARKER_EOI)
            break;
        if (stands_alone(marker))
            continue;
        if (size_bytes - at < 2)
            break;
        const size_t length = (size_t)data[at] << 8 | data[at + 1];
        if (length < 2 || length > size_bytes - at)
            break;
        const struct img_segment body = {data + at + 2, length - 2};
        if (marker == MARKER_APP1 && !segments->exif.data && body.size_bytes > EXIF_PREFIX_BYTES &&
            memcmp(body.data, EXIF_PREFIX, EXIF_PREFIX_BYTES) == 0) {
            segments->exif.data = body.data + EXIF_PREFIX_BYTES;
            segments->exif.size_bytes = body.size_bytes - EXIF_PREFIX_BYTES;
        } else if (marker == MARKER_APP2 && body.size_bytes >= ICC_HEAD_BYTES &&
                   memcmp(body.data, ICC_PREFIX, ICC_PREFIX_BYTES) == 0) {
            icc_note(segments, body, &icc_spoiled);
        }
        at += length;
    }
    if (icc_spoiled || !icc_is_complete(segments))
        segments->icc_count = 0, segments->icc_bytes = 0;
}

void img_jpeg_icc_join(const struct img_jpeg_segments *segments, uint8_t *to)
{
    for (unsigned i = 0; i < segments->icc_count; i++) {
        memcpy(to, segments->icc[i].data, segments->icc[i].size_bytes);
        to += segments->icc[i].size_bytes;
    }
}
