/* jpeg_low_check.h: our reader of progressive JPEGs beside libjpeg. */
#ifndef TESTS_IMAGING_JPEG_LOW_CHECK_H
#define TESTS_IMAGING_JPEG_LOW_CHECK_H

#include <imaging/jpeg_progressive_priv.h>

#include "samples.h"

#define JPEG_ALL_LOW 7u

/** What our reader makes of a file. */
struct jpeg_low {
    int code; /* 0, or -EAGAIN: declined */
    struct img_progressive progressive;
    void *memory; /* owned: free() */
};

/** Read it.  low_mask: a bit for each component whose low AC coefficients are wanted. */
struct jpeg_low jpeg_low_read(struct bytes file, unsigned low_mask);

/** Compare what was read with libjpeg's coefficients.
 *  ret_accepted: libjpeg complains of nothing; else there is nothing to compare.
 *  Returns NULL if they are the same, else what differs. */
const char *jpeg_low_compare(struct bytes file, const struct img_progressive *progressive,
                             bool *ret_accepted);

#endif
