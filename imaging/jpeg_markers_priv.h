/* jpeg_markers_priv.h: the pieces that a JPEG is made of, for our own decoders. Private to imaging.
 *
 * Strict: what is not where it should be is -EAGAIN, for libjpeg to decide. Offsets (at) are at
 * most size_bytes. */
#ifndef IMAGING_JPEG_MARKERS_PRIV_H
#define IMAGING_JPEG_MARKERS_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    IMG_JPEG_SOF0 = 0xc0, /* baseline */
    IMG_JPEG_SOF1 = 0xc1, /* extended, sequential */
    IMG_JPEG_SOF2 = 0xc2, /* progressive */
    IMG_JPEG_DHT = 0xc4,
    IMG_JPEG_RST0 = 0xd0,
    IMG_JPEG_RST7 = 0xd7,
    IMG_JPEG_SOI = 0xd8,
    IMG_JPEG_EOI = 0xd9,
    IMG_JPEG_SOS = 0xda,
    IMG_JPEG_DQT = 0xdb,
    IMG_JPEG_DRI = 0xdd,
    IMG_JPEG_APP0 = 0xe0,
    IMG_JPEG_APP14 = 0xee,
    IMG_JPEG_APP15 = 0xef,
    IMG_JPEG_COM = 0xfe,
};

/** Application segments and comments: nothing in them changes how a scan is read. */
static inline bool img_jpeg_marker_is_metadata(int marker)
{
    return (marker >= IMG_JPEG_APP0 && marker <= IMG_JPEG_APP15) || marker == IMG_JPEG_COM;
}

/** Without a segment; between scans it means nothing. */
static inline bool img_jpeg_marker_is_restart(int marker)
{
    return marker >= IMG_JPEG_RST0 && marker <= IMG_JPEG_RST7;
}

/** The code of the marker that stands at *at, fill bytes before it allowed; *at then points behind
 *  it. -EAGAIN: there is none. */
int img_jpeg_marker_next(const uint8_t *data, size_t size_bytes, size_t *at);

/** The contents of the segment whose marker ends at *at; *at then points behind the segment.
 *  Returns 0 or -EAGAIN. ret_body: borrowed from data. */
int img_jpeg_segment_next(const uint8_t *data, size_t size_bytes, size_t *at,
                          const uint8_t **ret_body, size_t *ret_body_bytes);

#endif
