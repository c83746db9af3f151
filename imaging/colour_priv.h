/* colour_priv.h: embedded colour profiles to sRGB, on the small picture. Private to imaging. */
#ifndef IMAGING_COLOUR_PRIV_H
#define IMAGING_COLOUR_PRIV_H

#include "picture_priv.h"

struct img_colour;

/** What to do with the colours of one picture; NULL: nothing but to make CMYK RGB. */
struct img_transform;

/** Make the colour state of a context. ret_colour: owned; release with img_colour_free().
 *  Returns 0 or -ENOMEM. */
int img_colour_create(struct img_colour **ret_colour);

/** Release it with all its transforms; NULL is fine. Returns NULL. */
struct img_colour *img_colour_free(struct img_colour *colour);

/** The transform from an embedded profile to sRGB for pictures of this layout, from the cache or
 *  new. icc: borrowed for the call; NULL where there is none.
 *  ret_transform: NULL where nothing is to be done: no profile, an unusable one, one for other
 *  kinds of pixels, or one that is sRGB already; else borrowed until the next call.
 *  Returns 0 or -ENOMEM. */
int img_colour_find(struct img_colour *colour, enum img_layout layout, const uint8_t *icc,
                    size_t icc_bytes, const struct img_transform **ret_transform);

/** Convert in place. Gray stays gray, CMYK becomes RGB, with or without a transform. */
void img_colour_apply(const struct img_transform *transform, struct img_picture *picture);

#endif
