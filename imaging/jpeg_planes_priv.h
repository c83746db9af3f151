/* jpeg_planes_priv.h: at which scale each plane of a JPEG is decoded. Private to imaging. */
#ifndef IMAGING_JPEG_PLANES_PRIV_H
#define IMAGING_JPEG_PLANES_PRIV_H

#include "decode_priv.h"
#include "jpeg_frame_priv.h"
#include "jpeg_reduce_priv.h"

/* What is left to the resampler after the scaled decoding: with less, the scaled transform's own
 * blur would show; with more, time is lost. A picture that is 3840 pixels wide leaves 1.875 for a
 * thumbnail of 256: it is still decoded at an eighth. */
#define IMG_JPEG_SHRINK_LEFT_MIN 1.85

/* The same for chroma that the thumbnail has at half its size. Half the resolution is what limits
 * it there; beside that, the difference from a larger transform is not seen. */
#define IMG_JPEG_SHRINK_LEFT_MIN_HALVED 1.4

/** The smallest transform of a component, for each axis, that leaves the resampler enough.
 *  orientation: 1..8.  chroma_is_halved: will the thumbnail have half as many chroma samples as
 *  pixels, each way? 8 across or down: nothing smaller does. */
struct img_jpeg_reduction img_jpeg_reduction_choose(const struct img_jpeg_frame *frame,
                                                    unsigned component, int orientation,
                                                    bool chroma_is_halved,
                                                    const struct img_options *options);

/** The plane that comes of it. */
struct img_plane img_jpeg_plane(const struct img_jpeg_frame *frame, unsigned component,
                                struct img_jpeg_reduction reduction);

#endif
