/* frames_priv.h: how many frames or pages a file has. Private to imaging. */
#ifndef IMAGING_FRAMES_PRIV_H
#define IMAGING_FRAMES_PRIV_H

#include "imaging.h"

/** Has the file more frames or pages than that? Told from the file's own structure, for the formats
 *  whose loaders look at all of them while they open: GIF, WebP and TIFF. Reads on no further than
 *  needed to tell; damage just ends the walk. */
bool img_frames_exceed(enum img_format format, const uint8_t *data, size_t size_bytes,
                       uint32_t frames_max);

#endif
