#include "planes_priv.h"

#include <errno.h>

#include "orient_priv.h"

struct img_planes img_planes_lay(struct img_size size, bool halve)
{
    struct img_planes planes = {
        .luma = size, .chroma = size, .sample_bytes = halve ? 1 : sizeof(int16_t)};
    if (halve)
        img_planes_shift(&planes, 1, false, false);
    return planes;
}

/* Samples for so many pixels, the first of which may have one of its own. */
static uint32_t halved(uint32_t luma_px, bool odd)
{
    return odd ? luma_px / 2 + 1 : luma_px / 2 + luma_px % 2;
}

void img_planes_shift(struct img_planes *planes, int orientation, bool odd_left, bool odd_top)
{
    const bool swaps = img_orientation_swaps(orientation);
    planes->odd_left = odd_left;
    planes->odd_top = odd_top;
    planes->chroma.width_px = halved(planes->luma.width_px, swaps ? odd_top : odd_left);
    planes->chroma.height_px = halved(planes->luma.height_px, swaps ? odd_left : odd_top);
}

static size_t samples_of(struct img_size size)
{
    return (size_t)size.width_px * size.height_px;
}

size_t img_planes_bytes(const struct img_planes *planes)
{
    return (samples_of(planes->luma) + 2 * samples_of(planes->chroma)) * planes->sample_bytes;
}

uint8_t *img_planes_at(const struct img_planes *planes, unsigned plane)
{
    if (plane == 0)
        return planes->samples;
    const size_t before = samples_of(planes->luma) + (plane - 1) * samples_of(planes->chroma);
    return planes->samples + before * planes->sample_bytes;
}

struct img_size img_planes_size(const struct img_planes *planes, unsigned plane)
{
    return plane == 0 ? planes->luma : planes->chroma;
}

/* One axis of a halved plane, for which step and origin are luma's. The last sample of an odd
 * length has only one pixel, and its place is past that pixel's middle, where the next would begin;
 * it is the first sample, and before the first pixel, where the axis will run backwards. The other
 * way round where the upright picture's first sample has one pixel: odd. */
static void axis_halve(uint32_t luma_px, uint32_t chroma_px, bool odd, bool flipped,
                       double *step_px, double *origin_px)
{
    const bool odd_at_end = 2 * chroma_px - odd > luma_px;
    *origin_px -= (flipped ? odd_at_end : odd) ? *step_px : 0;
    *step_px *= 2;
}

struct img_resample_spec img_planes_spec(const struct img_planes *planes, unsigned plane,
                                         const struct img_planar_raster *raster,
                                         const struct img_fitting *fitting)
{
    const struct img_plane *from = &raster->planes[plane];
    const struct img_size to = img_planes_size(planes, plane);
    const struct img_flips flips = img_orientation_flips(raster->orientation);
    struct img_resample_spec spec = {
        .source_width_px = from->width_px,
        .source_height_px = from->height_px,
        .area_width_px = from->area_width_px,
        .area_height_px = from->area_height_px,
        .layout = IMG_LAYOUT_GRAY,
        .depth_bits = 8,
        .width_px = to.width_px,
        .height_px = to.height_px,
        .step_width_px =
            img_stretch_step(&fitting->across, raster->source_width_px, from->area_width_px),
        .step_height_px =
            img_stretch_step(&fitting->down, raster->source_height_px, from->area_height_px),
        .origin_width_px =
            img_stretch_origin(&fitting->across, raster->source_width_px, from->area_width_px),
        .origin_height_px =
            img_stretch_origin(&fitting->down, raster->source_height_px, from->area_height_px),
        .sharpen_width = from->sharpen_width,
        .sharpen_height = from->sharpen_height,
        .wide = planes->sample_bytes > 1,
    };
    const bool is_halved = planes->luma.width_px != planes->chroma.width_px ||
                           planes->luma.height_px != planes->chroma.height_px || planes->odd_left ||
                           planes->odd_top;
    if (plane > 0 && is_halved) {
        const bool swaps = img_orientation_swaps(raster->orientation);
        axis_halve(planes->luma.width_px, to.width_px, swaps ? planes->odd_top : planes->odd_left,
                   flips.across, &spec.step_width_px, &spec.origin_width_px);
        axis_halve(planes->luma.height_px, to.height_px, swaps ? planes->odd_left : planes->odd_top,
                   flips.down, &spec.step_height_px, &spec.origin_height_px);
    }
    return spec;
}

static void size_swap(struct img_size *size)
{
    *size = (struct img_size){size->height_px, size->width_px};
}

int img_planes_orient(struct img_planes *planes, int orientation, struct img_buffer *room)
{
    if (orientation < 2 || orientation > 8)
        return 0;
    if (img_buffer_need(room, img_planes_bytes(planes)) < 0)
        return -ENOMEM;
    struct img_planes turned = *planes;
    turned.samples = room->data;
    for (unsigned plane = 0; plane < 3; plane++) {
        const struct img_size size = img_planes_size(planes, plane);
        img_orient_copy(img_planes_at(&turned, plane), img_planes_at(planes, plane), size.width_px,
                        size.height_px, 1, orientation);
    }
    if (img_orientation_swaps(orientation)) {
        size_swap(&turned.luma);
        size_swap(&turned.chroma);
    }
    *planes = turned;
    return 0;
}

static inline uint8_t to_byte(int value)
{
    return value < 0 ? 0 : value > 255 ? 255 : (uint8_t)value;
}

/* What chroma, so far off the middle, adds to luma by JFIF's equations: with 14 bits of fraction
 * more than it has itself. With luma, what 16 bits can be stays below 2^31. */
static inline int32_t red_of(int32_t cr)
{
    return 22970 * cr;
}

static inline int32_t green_of(int32_t cb, int32_t cr)
{
    return -5638 * cb - 11700 * cr;
}

static inline int32_t blue_of(int32_t cb)
{
    return 29032 * cb;
}

static inline int32_t rounded(int32_t value)
{
    return (value + (1 << 13)) >> 14;
}

/* Both with the fraction of exact: five eighths of the one, three of the other. */
static inline int32_t between(int32_t shown, int32_t exact)
{
    return exact + ((shown - exact) >> 3) * 5;
}

/* Decoders of whole pictures have chroma in whole numbers, and round what it adds to luma for each
 * pixel: in even areas always the same way, by up to half a level, and that is what is seen there.
 * The mean of such pixels lies on straight lines between the results for whole numbers. Where
 * chroma varies, the roundings cancel out, and the equations hold. What is between the two is
 * nearer to both kinds of pictures than either. */
void img_planes_to_rgb(const struct img_planes *planes, uint8_t *to)
{
    const int bits = IMG_ROWS_BETWEEN_BITS, one = 1 << bits;
    const size_t count = samples_of(planes->luma);
    const int16_t *luma = (const int16_t *)(const void *)img_planes_at(planes, 0);
    const int16_t *blue = (const int16_t *)(const void *)img_planes_at(planes, 1);
    const int16_t *red = (const int16_t *)(const void *)img_planes_at(planes, 2);
    for (size_t i = 0; i < count; i++) {
        const int32_t cb = blue[i] - 128 * one, cr = red[i] - 128 * one;
        const int32_t y = luma[i] * (1 << 14) + (1 << (13 + bits));
        const int32_t low_cb = cb >> bits, low_cr = cr >> bits;
        const int32_t more_cb = cb & (one - 1), more_cr = cr & (one - 1);
        const int32_t less_cb = one - more_cb, less_cr = one - more_cr;
        const int32_t r = rounded(red_of(low_cr)) * less_cr + rounded(red_of(low_cr + 1)) * more_cr;
        const int32_t b =
            rounded(blue_of(low_cb)) * less_cb + rounded(blue_of(low_cb + 1)) * more_cb;
        const int32_t g = (rounded(green_of(low_cb, low_cr)) * less_cb +
                           rounded(green_of(low_cb + 1, low_cr)) * more_cb) *
                              less_cr +
                          (rounded(green_of(low_cb, low_cr + 1)) * less_cb +
                           rounded(green_of(low_cb + 1, low_cr + 1)) * more_cb) *
                              more_cr;
        to[i * 3] = to_byte((y + between(r * (1 << 14), red_of(cr))) >> (14 + bits));
        to[i * 3 + 1] =
            to_byte((y + between(g * (1 << (14 - bits)), green_of(cb, cr))) >> (14 + bits));
        to[i * 3 + 2] = to_byte((y + between(b * (1 << 14), blue_of(cb))) >> (14 + bits));
    }
}
