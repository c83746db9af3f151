/* orient_priv.h: turning the small picture upright. Private to imaging. */
#ifndef IMAGING_ORIENT_PRIV_H
#define IMAGING_ORIENT_PRIV_H

#include "buffer_priv.h"
#include "picture_priv.h"

/** Which of a stored picture's axes run backwards in the upright one, whether or not the axes are
 *  swapped too. */
struct img_flips {
    bool across;
    bool down;
};

/** orientation: what is not of 1..8 is 1. */
struct img_flips img_orientation_flips(int orientation);

/** Copy pixels upright, rows without padding. Where the orientation swaps the axes, the copy is
 *  height_px wide. width_px, height_px: as stored. channels: 1..4. to: may not overlap. */
void img_orient_copy(uint8_t *to, const uint8_t *from, uint32_t width_px, uint32_t height_px,
                     unsigned channels, int orientation);

/** Apply an EXIF orientation, 1..8.
 *  picture: its size is swapped where needed, and its pixels then lie in room (1: unchanged).
 *  Returns 0 or -ENOMEM; on failure the picture is unchanged. */
int img_orient(struct img_picture *picture, int orientation, struct img_buffer *room);

#endif
