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

/** The largest size with the aspect ratio of source that fits the box, and is no larger than source
 *  unless enlarge is set: scale = min(box / source per axis, 1), each side rounded, at least 1.
 *  source: at least 1x1, sides below 2^31. Both sizes are upright. */
struct img_size img_fit(struct img_size source, uint32_t box_width_px, uint32_t box_height_px,
                        bool enlarge);

/** What becomes of one axis of a stored picture: so many pixels of so long a part of it. */
struct img_stretch {
    double first_px; /* where the part begins; 0 where nothing is cut off */
    double kept_px;  /* over 0, up to the whole side */
    uint32_t count;
};

/** A stored picture and its thumbnail. */
struct img_fitting {
    struct img_stretch across; /* stored, not turned yet */
    struct img_stretch down;
    struct img_size canvas; /* the thumbnail, upright: the picture, and what PAD has around it */
    uint32_t left_px;       /* where on it the turned picture lies */
    uint32_t top_px;
};

/** By the options' box, fit and enlarge. The part that is kept has the aspect ratio of what it
 *  becomes exactly, and its middle is the picture's, to a fraction of a pixel; but at the picture's
 *  own size it begins at a whole pixel, so that pixels are kept as they are. The same pixels of the
 *  upright picture are kept in every orientation. */
struct img_fitting img_fit_stored(struct img_size stored, int orientation,
                                  const struct img_options *options);

/** The size of what is kept, not turned yet. */
static inline struct img_size img_fitting_size(const struct img_fitting *fitting)
{
    return (struct img_size){fitting->across.count, fitting->down.count};
}

/** How far apart a stretch's pixels are, and where the first begins, on a raster that has the whole
 *  side, side_px stored pixels, in area_px of its own. */
double img_stretch_step(const struct img_stretch *stretch, uint32_t side_px, double area_px);
double img_stretch_origin(const struct img_stretch *stretch, uint32_t side_px, double area_px);

/** Refuse a thumbnail of more pixels, or more memory, than the limits allow a picture: what is
 *  enlarged or padded may be as large as the box. Returns 0 or -EFBIG, and notes the error. */
int img_fitting_check(const struct img_fitting *fitting, const struct img_options *options,
                      struct img_error *error);

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
