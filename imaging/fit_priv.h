/* fit_priv.h: the size rule and the limits. Private to imaging. */
#ifndef IMAGING_FIT_PRIV_H
#define IMAGING_FIT_PRIV_H

#include "imaging.h"

/* No side of a picture may be longer, whatever the number of pixels: working memory grows with
 * the row. */
#define IMG_SIDE_PX_MAX 1000000

struct img_size {
    uint32_t width_px;
    uint32_t height_px;
};

/** Do the orientations 5 to 8 apply, which swap width and height? */
static inline bool img_orientation_swaps(int orientation)
{
    return orientation >= 5 && orientation <= 8;
}

/** The largest size with the aspect ratio of source that fits the box and is no larger than
 *  source: scale = min(box / source per axis, 1), each side rounded, at least 1.
 *  source: at least 1x1, sides below 2^31. Both sizes are upright. */
struct img_size img_fit(struct img_size source, uint32_t box_width_px, uint32_t box_height_px);

/** The same for a stored picture that orientation will turn: the result is not turned yet. */
struct img_size img_fit_stored(struct img_size stored, int orientation,
                               const struct img_options *options);

/** How many stored pixels make one of the thumbnail, along the axis where they are fewer. */
double img_fit_shrink(struct img_size stored, int orientation, const struct img_options *options);

/** Refuse what a header claims before anything is allocated for it.
 *  Returns 0, -EFBIG, or -EBADMSG for a side of 0, and notes the error. */
int img_fit_check(struct img_size stored, const struct img_options *options,
                  struct img_error *error);

/** Refuse what needs more memory than options->memory_bytes.
 *  whole_bytes: what the decoder must hold at once; UINT64_MAX: too much to tell.
 *  file_bytes: the file itself, which is held too. Returns 0 or -EFBIG, and notes the error. */
int img_memory_check(uint64_t whole_bytes, size_t file_bytes, const struct img_options *options,
                     struct img_error *error);

#endif
