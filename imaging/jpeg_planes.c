/* jpeg_planes.c: see jpeg_planes_priv.h. */
#include "jpeg_planes_priv.h"

#include "fit_priv.h"

/* side_px: of the picture; factor of factor_max: the component's part of it. wanted: samples that
 * are to be left at least. */
static unsigned axis_choose(uint32_t side_px, unsigned factor, unsigned factor_max, double wanted)
{
    const double plane = (double)side_px * factor / factor_max;
    unsigned pixels = 1;
    while (pixels < 8 && plane * pixels / 8 < wanted)
        pixels *= 2;
    return pixels;
}

/* How many pixels the whole side would become. */
static double pixels_of(const struct img_stretch *stretch, uint32_t side_px)
{
    return (double)side_px * stretch->count / stretch->kept_px;
}

struct img_jpeg_reduction img_jpeg_reduction_choose(const struct img_jpeg_frame *frame,
                                                    unsigned component, int orientation,
                                                    bool chroma_is_halved,
                                                    const struct img_options *options)
{
    const struct img_jpeg_component *from = &frame->components[component];
    const struct img_size size = {frame->width_px, frame->height_px};
    const struct img_fitting fitting = img_fit_stored(size, orientation, options);
    const double wanted = component > 0 && chroma_is_halved ? IMG_JPEG_SHRINK_LEFT_MIN_HALVED / 2
                                                            : IMG_JPEG_SHRINK_LEFT_MIN;
    return (struct img_jpeg_reduction){
        .across = axis_choose(size.width_px, from->h, frame->h_max,
                              pixels_of(&fitting.across, size.width_px) * wanted),
        .down = axis_choose(size.height_px, from->v, frame->v_max,
                            pixels_of(&fitting.down, size.height_px) * wanted),
    };
}

/* The second difference by which a plane's samples are off, in their own measure; see struct
 * img_axis. factor of factor_max: the component's part of the picture. */
static double axis_sharpen(unsigned pixels, unsigned factor, unsigned factor_max)
{
    const double part = pixels / 8.0; /* of the component's own samples */
    /* One is a mean; two are less than the means of their halves, but not yet the values in the
     * midst of them. */
    const double mean = pixels == 1 ? (1 - part * part) / 24 : pixels == 2 ? 1 / 32.0 : 0;
    /* What is less than the whole picture's is spread over it by decoders, each sample over two
     * and half of the next two pixels, or where it has four pixels, over those. */
    const double spread = factor_max == 2 * factor ? 3 / 32.0 : factor_max > factor ? 5 / 128.0 : 0;
    return mean - spread * part * part;
}

struct img_plane img_jpeg_plane(const struct img_jpeg_frame *frame, unsigned component,
                                struct img_jpeg_reduction reduction)
{
    const struct img_jpeg_component *from = &frame->components[component];
    const uint64_t width = (uint64_t)frame->width_px * from->h * reduction.across;
    const uint64_t height = (uint64_t)frame->height_px * from->v * reduction.down;
    const uint32_t across = 8 * frame->h_max, down = 8 * frame->v_max;
    return (struct img_plane){
        .width_px = (uint32_t)((width + across - 1) / across),
        .height_px = (uint32_t)((height + down - 1) / down),
        .area_width_px = (double)width / across,
        .area_height_px = (double)height / down,
        .sharpen_width = axis_sharpen(reduction.across, from->h, frame->h_max),
        .sharpen_height = axis_sharpen(reduction.down, from->v, frame->v_max),
    };
}
