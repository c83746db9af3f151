#include "fit_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>

#include "error_priv.h"
#include "orient_priv.h"

/* round(side * numerator / denominator), at least 1 */
static uint32_t scale_side(uint32_t side, uint32_t numerator, uint32_t denominator)
{
    const uint64_t twice = 2 * (uint64_t)side * numerator + denominator;
    const uint64_t scaled = twice / (2 * (uint64_t)denominator);
    return scaled > 0 ? (uint32_t)scaled : 1;
}

struct img_size img_fit(struct img_size source, uint32_t box_width_px, uint32_t box_height_px,
                        bool enlarge)
{
    if (!enlarge && source.width_px <= box_width_px && source.height_px <= box_height_px)
        return source;
    const bool width_is_tighter =
        (uint64_t)box_width_px * source.height_px <= (uint64_t)box_height_px * source.width_px;
    if (width_is_tighter)
        return (struct img_size){box_width_px,
                                 scale_side(source.height_px, box_width_px, source.width_px)};
    return (struct img_size){scale_side(source.width_px, box_height_px, source.height_px),
                             box_height_px};
}

static struct img_size swap_if(struct img_size size, bool swap)
{
    return swap ? (struct img_size){size.height_px, size.width_px} : size;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* The part of a side that is kept, if a pixel of the result is to be numerator / denominator of the
 * side's. */
static struct img_stretch stretch_cut(uint32_t side, uint32_t count, uint32_t numerator,
                                      uint32_t denominator)
{
    const double kept = (double)((uint64_t)count * numerator) / denominator;
    const double first = (side - kept) / 2;
    return (struct img_stretch){.first_px = numerator == denominator ? floor(first) : first,
                                .kept_px = kept,
                                .count = count};
}

/* Upright. One axis is kept whole, the other in the same scale. */
static void cover(struct img_size source, const struct img_options *options,
                  struct img_stretch *across, struct img_stretch *down)
{
    const uint32_t width =
        options->enlarge ? options->box_width_px : smaller(options->box_width_px, source.width_px);
    const uint32_t height = options->enlarge ? options->box_height_px
                                             : smaller(options->box_height_px, source.height_px);
    if ((uint64_t)width * source.height_px >= (uint64_t)height * source.width_px) {
        *across = (struct img_stretch){0, source.width_px, width};
        *down = stretch_cut(source.height_px, height, source.width_px, width);
    } else {
        *across = stretch_cut(source.width_px, width, source.height_px, height);
        *down = (struct img_stretch){0, source.height_px, height};
    }
}

/* Where a side runs backwards, what is cut off at its end comes first. */
static void stretch_flip(struct img_stretch *stretch, uint32_t side, bool flipped)
{
    if (flipped)
        stretch->first_px = side - stretch->kept_px - stretch->first_px;
}

struct img_fitting img_fit_stored(struct img_size stored, int orientation,
                                  const struct img_options *options)
{
    const bool swaps = img_orientation_swaps(orientation);
    const struct img_flips flips = img_orientation_flips(orientation);
    const struct img_size source = swap_if(stored, swaps);
    struct img_stretch across, down;
    if (options->fit == IMG_FIT_COVER) {
        cover(source, options, &across, &down);
    } else {
        const struct img_size size =
            img_fit(source, options->box_width_px, options->box_height_px, options->enlarge);
        across = (struct img_stretch){0, source.width_px, size.width_px};
        down = (struct img_stretch){0, source.height_px, size.height_px};
    }
    struct img_fitting fitting = {.across = swaps ? down : across,
                                  .down = swaps ? across : down,
                                  .canvas = {across.count, down.count}};
    stretch_flip(&fitting.across, stored.width_px, flips.across);
    stretch_flip(&fitting.down, stored.height_px, flips.down);
    if (options->fit == IMG_FIT_PAD) {
        fitting.canvas = (struct img_size){options->box_width_px, options->box_height_px};
        fitting.left_px = (fitting.canvas.width_px - across.count) / 2;
        fitting.top_px = (fitting.canvas.height_px - down.count) / 2;
    }
    return fitting;
}

/* The whole is the area exactly, whatever dividing and multiplying would make of it. */
static double part_of_area(double part_px, uint32_t side_px, double area_px)
{
    return part_px == side_px ? area_px : part_px * area_px / side_px;
}

double img_stretch_step(const struct img_stretch *stretch, uint32_t side_px, double area_px)
{
    return part_of_area(stretch->kept_px, side_px, area_px) / stretch->count;
}

double img_stretch_origin(const struct img_stretch *stretch, uint32_t side_px, double area_px)
{
    return part_of_area(stretch->first_px, side_px, area_px);
}

int img_fitting_check(const struct img_fitting *fitting, const struct img_options *options,
                      struct img_error *error)
{
    const struct img_size canvas = fitting->canvas;
    const uint64_t pixels = (uint64_t)canvas.width_px * canvas.height_px;
    if (options->fit != IMG_FIT_PAD && !options->enlarge)
        return 0; /* no larger than the picture */
    if (pixels > options->pixels_max)
        return img_fail(error, -EFBIG,
                        "a thumbnail of %" PRIu32 " x %" PRIu32
                        " pixels has more than the limit of %" PRIu64,
                        canvas.width_px, canvas.height_px, options->pixels_max);
    return img_memory_check(pixels * 3, 0, options, error);
}

double img_fit_shrink(struct img_size stored, int orientation, const struct img_options *options)
{
    const struct img_fitting fitting = img_fit_stored(stored, orientation, options);
    const double across = fitting.across.kept_px / fitting.across.count;
    const double down = fitting.down.kept_px / fitting.down.count;
    return across < down ? across : down;
}

int img_fit_check(struct img_size stored, const struct img_options *options,
                  struct img_error *error)
{
    if (stored.width_px == 0 || stored.height_px == 0)
        return img_fail(error, -EBADMSG, "the header says %" PRIu32 " x %" PRIu32 " pixels",
                        stored.width_px, stored.height_px);
    const uint64_t pixels = (uint64_t)stored.width_px * stored.height_px;
    if (pixels > options->pixels_max)
        return img_fail(error, -EFBIG,
                        "%" PRIu32 " x %" PRIu32 " pixels are more than the limit of %" PRIu64,
                        stored.width_px, stored.height_px, options->pixels_max);
    if (stored.width_px > IMG_SIDE_PX_MAX || stored.height_px > IMG_SIDE_PX_MAX)
        return img_fail(error, -EFBIG, "%" PRIu32 " x %" PRIu32 ": a side is over %d pixels",
                        stored.width_px, stored.height_px, IMG_SIDE_PX_MAX);
    return 0;
}

int img_memory_check(uint64_t whole_bytes, size_t file_bytes, const struct img_options *options,
                     struct img_error *error)
{
    const uint64_t mebi = UINT64_C(1024) * 1024;
    uint64_t need;
    if (__builtin_add_overflow(whole_bytes, file_bytes, &need))
        need = UINT64_MAX;
    if (options->memory_bytes == 0 || need <= options->memory_bytes)
        return 0;
    const uint64_t need_mb = need / mebi + (need % mebi != 0); /* so that it is always more */
    return img_fail(error, -EFBIG,
                    "needs about %" PRIu64 " MB of memory, more than the limit of %" PRIu64 " MB",
                    need_mb, options->memory_bytes / mebi);
}
