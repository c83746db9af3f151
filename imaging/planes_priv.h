/* planes_priv.h: small pictures in planes of Y, Cb and Cr, from decoder to encoder without a change
 * of colours. Private to imaging. */
#ifndef IMAGING_PLANES_PRIV_H
#define IMAGING_PLANES_PRIV_H

#include "buffer_priv.h"
#include "decode_priv.h"
#include "fit_priv.h"
#include "resample_priv.h"

/** Three planes, one behind the other, rows without padding. Halved chroma means bytes, ready to be
 *  encoded. Planes that are to become RGB keep their fraction till then: int16_t, as the resampler
 *  makes them when it is asked for wide results. */
struct img_planes {
    uint8_t *samples; /* borrowed */
    struct img_size luma;
    struct img_size chroma; /* luma's size, or half of it (4:2:0), rounded up */
    size_t sample_bytes;    /* 1 or 2 */
    /* Of the upright picture: the first column, or row, of halved chroma has only one of luma. */
    bool odd_left, odd_top;
};

/** The planes of a thumbnail of this size. halved: chroma by half. samples: NULL as yet. */
struct img_planes img_planes_lay(struct img_size size, bool halved);

/** Halve chroma otherwise, for planes whose upright picture will lie at an odd place of a larger
 *  one. orientation: as it will be turned. Chroma must be halved; samples: NULL as yet. */
void img_planes_shift(struct img_planes *planes, int orientation, bool odd_left, bool odd_top);

/** How many bytes they have together; never more than six a pixel. */
size_t img_planes_bytes(const struct img_planes *planes);

/** Where plane 0, 1 or 2 begins, and its size. */
uint8_t *img_planes_at(const struct img_planes *planes, unsigned plane);
struct img_size img_planes_size(const struct img_planes *planes, unsigned plane);

/** How plane 0, 1 or 2 of a raster becomes the one of a picture that is still to be turned: where
 *  chroma is halved, its samples lie in the midst of two by two pixels of the upright picture. */
struct img_resample_spec img_planes_spec(const struct img_planes *planes, unsigned plane,
                                         const struct img_planar_raster *raster,
                                         const struct img_fitting *fitting);

/** Apply an EXIF orientation to planes of bytes, as img_orient() does. Returns 0 or -ENOMEM. */
int img_planes_orient(struct img_planes *planes, int orientation, struct img_buffer *room);

/** Make pixels of R, G and B of planes whose chroma is not halved. to: may not overlap. */
void img_planes_to_rgb(const struct img_planes *planes, uint8_t *to);

#endif
