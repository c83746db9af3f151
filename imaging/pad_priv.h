/* pad_priv.h: the background around a small picture. Private to imaging. */
#ifndef IMAGING_PAD_PRIV_H
#define IMAGING_PAD_PRIV_H

#include "buffer_priv.h"
#include "fit_priv.h"
#include "picture_priv.h"
#include "planes_priv.h"

/** Lay a picture, upright and in sRGB, on the fitting's canvas. The background is opaque where
 * there is alpha; a picture of gray gets colours if it has. picture: gets the canvas' size, and its
 * pixels then lie in room, unless it fills the canvas. Returns 0 or -ENOMEM; on failure the picture
 * is unchanged. */
int img_pad(struct img_picture *picture, const struct img_fitting *fitting,
            const uint8_t background[3], struct img_buffer *room);

/** The same for upright planes whose chroma is halved, and begins half a sample before the picture
 *  where the picture's place is odd: see img_planes_shift(). */
int img_planes_pad(struct img_planes *planes, const struct img_fitting *fitting,
                   const uint8_t background[3], struct img_buffer *room);

#endif
