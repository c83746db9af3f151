/* jpeg_segments_priv.h: the metadata of a JPEG that a thumbnail needs. Private to imaging. */
#ifndef IMAGING_JPEG_SEGMENTS_PRIV_H
#define IMAGING_JPEG_SEGMENTS_PRIV_H

#include <stddef.h>
#include <stdint.h>

#define IMG_ICC_SEGMENTS_MAX 255

struct img_segment {
    const uint8_t *data; /* borrowed from the file; NULL: there is none */
    size_t size_bytes;
};

/** What stands before the first scan. */
struct img_jpeg_segments {
    struct img_segment exif;                      /* the TIFF block of the first EXIF segment */
    struct img_segment icc[IMG_ICC_SEGMENTS_MAX]; /* a profile's parts, in their order */
    unsigned icc_count; /* 0: no profile, or one whose parts do not fit together */
    size_t icc_bytes;   /* of all parts */
};

/** Walk the markers of a JPEG up to its first scan; takes time linear in the walked bytes, however
 *  many markers there are. Damage just ends the walk. */
void img_jpeg_segments_find(const uint8_t *data, size_t size_bytes,
                            struct img_jpeg_segments *ret_segments);

/** Put a profile's parts together. to: icc_bytes long. */
void img_jpeg_icc_join(const struct img_jpeg_segments *segments, uint8_t *to);

#endif
