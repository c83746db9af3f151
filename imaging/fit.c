#include "fit_priv.h"

#include "error_priv.h"

#include <errno.h>
#include <inttypes.h>

/* round(side * numerator / denominator), at least 1 */
static uint32_t scale_side(uint32_t side, uint32_t numerator, uint32_t denominator)
{
    const uint64_t twice = 2 * (uint64_t)side * numerator + denominator;
    const uint64_t scaled = twice / (2 * (uint64_t)denominator);
    return scaled > 0 ? (uint32_t)scaled : 1;
}

struct img_size img_fit(struct img_size source, uint32_t box_width_px, uint32_t box_height_px)
{
    if (source.width_px <= box_width_px && source.height_px <= box_height_px)
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

struct img_size img_fit_stored(struct img_size stored, int orientation,
                               const struct img_options *options)
{
    const bool swaps = img_orientation_swaps(orientation);
    return swap_if(img_fit(swap_if(stored, swaps), options->box_width_px, options->box_height_px),
                   swaps);
}

double img_fit_shrink(struct img_size stored, int orientation, const struct img_options *options)
{
    const struct img_size fitted = img_fit_stored(stored, orientation, options);
    const double across = (double)stored.width_px / fitted.width_px;
    const double down = (double)stored.height_px / fitted.height_px;
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
