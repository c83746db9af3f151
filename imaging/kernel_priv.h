/* kernel_priv.h: which source pixels make a pixel of the thumbnail. Private to imaging. */
#ifndef IMAGING_KERNEL_PRIV_H
#define IMAGING_KERNEL_PRIV_H

#include <stdint.h>

/** The weights of one axis. Destination pixel d is the sum of taps[d] source pixels, from
 *  first[d] on, with the weights from weights + d * taps_max on. The weights of a pixel sum to 1;
 *  both first[d] and first[d] + taps[d] never decrease with d. */
struct img_kernel {
    uint32_t count; /* of destination pixels */
    uint32_t taps_max;
    uint32_t *first; /* owned */
    uint32_t *taps;  /* owned */
    float *weights;  /* owned */
};

/** Lanczos-3 from the first area_px of source_px pixels to count pixels.
 *  area_px: over 0, at most source_px; its last pixel may be covered in part.
 *  kernel: must be zeroed or done. Returns 0 or -ENOMEM. */
int img_kernel_init(struct img_kernel *kernel, uint32_t source_px, double area_px, uint32_t count);

/** Release; zeroed kernels are fine. */
void img_kernel_done(struct img_kernel *kernel);

#endif
