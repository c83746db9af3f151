/* jpeg_check.h: our sequential JPEG decoder beside libjpeg. */
#ifndef TESTS_IMAGING_JPEG_CHECK_H
#define TESTS_IMAGING_JPEG_CHECK_H

#include <imaging/imaging.h>

#include "samples.h"

enum jpeg_verdict {
    JPEG_DECLINED,
    JPEG_EQUAL,
    JPEG_DIFFERENT, /* also: libjpeg complains of it or fails */
};

/** Read the coefficients 0 to last of every component and compare them with libjpeg's. */
enum jpeg_verdict jpeg_coefficients_check(const uint8_t *data, size_t size, unsigned last);

/** Decode to planes as for a thumbnail, and compare them with what libjpeg's coefficients say:
 *  means of blocks exactly, other transforms to one level.
 *  ret_denominator: of the first plane's width; NULL: not wanted. */
enum jpeg_verdict jpeg_planes_check(const uint8_t *data, size_t size,
                                    const struct img_options *options, unsigned *ret_denominator);

/** The same for progressive files. What libjpeg complains of is not compared: it may stand in scans
 *  that are passed over. */
enum jpeg_verdict jpeg_progressive_planes_check(const uint8_t *data, size_t size,
                                                const struct img_options *options);

#endif
