/* exif_priv.h: the one EXIF entry a thumbnail needs. Private to imaging. */
#ifndef IMAGING_EXIF_PRIV_H
#define IMAGING_EXIF_PRIV_H

#include <stddef.h>
#include <stdint.h>

/** Read the orientation from a TIFF block, which is what an EXIF segment holds after "Exif\0\0"
 *  and a PNG's eXIf chunk from its start.
 *  Returns 1..8; 1 where the entry is missing or the block makes no sense. */
int img_exif_orientation(const uint8_t *tiff, size_t size_bytes);

#endif
