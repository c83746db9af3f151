/* kernel_priv.h: which source pixels make a pixel of the thumbnail. Private to imaging. */
#ifndef IMAGING_KERNEL_PRIV_H
#define IMAGING_KERNEL_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer_priv.h"

/* The whole numbers of a pixel are followed by zeros up to a multiple of this many. */
#define IMG_KERNEL_GROUP 16

/** How the pixels of one axis lie on the source. */
struct img_axis {
    uint32_t source_px;
    double area_px;   /* over 0, at most source_px: the part from the first on that makes the
                       * picture; its last pixel may be covered in part */
    uint32_t count;   /* of destination pixels */
    double step_px;   /* from one to the next; 0: area_px / count */
    double origin_px; /* where the first begins; its middle, and the last one's, in the area or on
                       * its edge */
    /* So much of its second difference is taken off each source pixel, as part of the weights.
     * 1/24 is for pixels that are means over their width, as those of a JPEG at 1/8 are: it undoes
     * the blur as far as such pixels can tell. Below 0 it blurs. From -1/8 to 1/8. */
    double sharpen;
    /* The largest magnitude that whole weights will be multiplied with: no sum of products leaves
     * 31 bits. 0: no whole numbers. */
    uint32_t sample_max;
    bool even; /* every first[d] is even; a weight of 0 may come first */
};

/** The weights of one axis. Destination pixel d is the sum of taps[d] source pixels, from
 *  first[d] on, with the weights from weights + d * stride on. The weights of a pixel sum to 1;
 *  both first[d] and first[d] + taps[d] never decrease with d.
 *  Where whole numbers were asked for, whole has the same weights times 2^shift, and theirs sum to
 *  2^shift exactly. A zeroed kernel is valid; memory stays until img_kernel_done(). */
struct img_kernel {
    uint32_t count; /* of destination pixels */
    uint32_t stride;
    unsigned shift;
    bool copies; /* pixel d is source pixel d */
    const uint32_t *first;
    const uint32_t *taps;
    const float *weights;
    const int16_t *whole; /* NULL: not asked for */
    struct img_axis axis; /* for which it was made; of a borrowed one no count */
    struct img_buffer room[4];
};

/** The source pixels that an axis looks at, and a few at both ends that it may: the others have no
 *  weight. Makes *axis the one of these pixels alone, from *ret_first on: the weights are the
 *  same. */
void img_axis_narrow(struct img_axis *axis, uint32_t *ret_first);

/** Lanczos-3. If the kernel is this axis's already, nothing is to do: photographs of a folder are
 *  often of one size. Returns 0 or -ENOMEM. */
int img_kernel_init(struct img_kernel *kernel, const struct img_axis *axis);

/** Be the same as another, whose arrays are borrowed: until either is made anew or released. */
void img_kernel_borrow(struct img_kernel *kernel, const struct img_kernel *from);

/** Release; zeroed kernels are fine. */
void img_kernel_done(struct img_kernel *kernel);

#endif
