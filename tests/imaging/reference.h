/* reference.h: what a thumbnail should be, by the definition, in doubles, pixel by pixel. */
#ifndef TESTS_IMAGING_REFERENCE_H
#define TESTS_IMAGING_REFERENCE_H

#include <imaging/imaging.h>

#include "samples.h"

/** One axis: so many pixels of the part of the source that begins at first. */
struct reference_axis {
    double first;
    double kept;
    uint32_t count;
};

/** Lanczos-3: over the step where it is larger than a pixel, else over a pixel. Beyond the source
 *  there is nothing; what lies outside of the part still counts. Alpha is premultiplied meanwhile.
 *  Of 8 bits. */
struct sample reference_resampled(const struct sample *source, struct reference_axis across,
                                  struct reference_axis down);

/** The thumbnail of an upright picture, by the words of imaging.h: box, fit, enlarge, background.
 *  shift: how far the part that is kept is off the middle, in pixels of the thumbnail each way; 0
 *  is right. */
struct sample reference_thumb(const struct sample *upright, const struct img_options *options,
                              double shift);

#endif
