/* orient_priv.h: turning the small picture upright. Private to imaging. */
#ifndef IMAGING_ORIENT_PRIV_H
#define IMAGING_ORIENT_PRIV_H

#include "buffer_priv.h"
#include "picture_priv.h"

/** Apply an EXIF orientation, 1..8.
 *  picture: its size is swapped where needed, and its pixels then lie in room (1: unchanged).
 *  Returns 0 or -ENOMEM; on failure the picture is unchanged. */
int img_orient(struct img_picture *picture, int orientation, struct img_buffer *room);

#endif
