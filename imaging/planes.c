#include "planes_priv.h"

#include <errno.h>

#include "orient_priv.h"

struct img_planes img_planes_lay(struct img_size size, bool halved)
{
    struct img_planes planes = {
        .luma = size, .chroma = size, .sample_bytes = halved ? 1 : sizeof(int16_t)};
    if (halved) {
        planes.chroma.width_px = size.width_px / 2 + size.width_px % 2;
        planes.chroma.height_px = size.height_px / 2 + size.height_px % 2;
    }
    return planes;
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

/* One axis of a halved plane. The last sample of an odd length has only one pixel, and its place
 * is past that pixel's middle, where the next would begin; it is the first sample, and before the
 * first pixel, where the axis will run backwards. */
static void axis_halve(uint32_t luma_px, double area_px, bool flipped, double *step_px,
                       double *origin_px)
{
    const double pixel = area_px / luma_px;
    *step_px = 2 * pixel;
    *origin_px = flipped && luma_px % 2 != 0 ? -pixel : 0;
}

/* A luma plane of a pixel for each block has the blocks' means. Chroma of this size may be
 * anything: how it was sampled is not known here. */
static bool is_of_means(unsigned plane, uint32_t source_px, double area_px)
{
    return plane == 0 && area_px * 8 == source_px;
}

struct img_resample_spec img_planes_spec(const struct img_planes *planes, unsigned plane,
                                         const struct img_planar_raster *raster)
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
        .means_width = is_of_means(plane, raster->source_width_px, from->area_width_px),
        .means_height = is_of_means(plane, raster->source_height_px, from->area_height_px),
        .wide = planes->sample_bytes > 1,
    };
    const bool halved = planes->luma.width_px != planes->chroma.width_px ||
                        planes->luma.height_px != planes->chroma.height_px;
    if (plane > 0 && halved) {
        axis_halve(planes->luma.width_px, from->area_width_px, flips.across, &spec.step_width_px,
                   &spec.origin_width_px);
        axis_halve(planes->luma.height_px, from->area_height_px, flips.down, &spec.step_height_px,
                   &spec.origin_height_px);
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

/* JFIF's equations in 14 bits of fraction and the samples' own, rounded once. The sums of what 16
 * bits can be stay below 2^31. */
void img_planes_to_rgb(const struct img_planes *planes, uint8_t *to)
{
    const unsigned bits = 14 + IMG_ROWS_BETWEEN_BITS;
    const size_t count = samples_of(planes->luma);
    const int16_t *luma = (const int16_t *)(const void *)img_planes_at(planes, 0);
    const int16_t *blue = (const int16_t *)(const void *)img_planes_at(planes, 1);
    const int16_t *red = (const int16_t *)(const void *)img_planes_at(planes, 2);
    for (size_t i = 0; i < count; i++) {
        const int y = luma[i] * 16384 + (1 << (bits - 1));
        const int cb = blue[i] - (128 << IMG_ROWS_BETWEEN_BITS);
        const int cr = red[i] - (128 << IMG_ROWS_BETWEEN_BITS);
        to[i * 3] = to_byte((y + 22970 * cr) >> bits);
        to[i * 3 + 1] = to_byte((y - 5638 * cb - 11700 * cr) >> bits);
        to[i * 3 + 2] = to_byte((y + 29032 * cb) >> bits);
    }
}
