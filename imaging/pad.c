/* pad.c: see pad_priv.h.
 *
 * Planes: a sample of chroma belongs to two by two pixels. At the picture's edge some of these can
 * be background; the sample is then the mean, which is what an encoder would make of the pixels. */
#include "pad_priv.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static bool is_gray(const uint8_t colour[3])
{
    return colour[0] == colour[1] && colour[1] == colour[2];
}

static bool canvas_is_filled(const struct img_fitting *fitting, struct img_size size)
{
    return size.width_px == fitting->canvas.width_px && size.height_px == fitting->canvas.height_px;
}

/* ---- Pixels ---- */

static enum img_layout layout_with(enum img_layout layout, const uint8_t background[3])
{
    if (layout == IMG_LAYOUT_GRAY && !is_gray(background))
        return IMG_LAYOUT_RGB;
    if (layout == IMG_LAYOUT_GRAY_ALPHA && !is_gray(background))
        return IMG_LAYOUT_RGB_ALPHA;
    return layout;
}

static void pixels_fill(uint8_t *to, size_t count, const uint8_t *pixel, unsigned channels)
{
    for (size_t i = 0; i < count; i++, to += channels)
        memcpy(to, pixel, channels);
}

/* To the same layout, or from gray to colours. */
static void row_copy(uint8_t *to, unsigned to_channels, const uint8_t *from, unsigned channels,
                     uint32_t count)
{
    if (to_channels == channels) {
        memcpy(to, from, (size_t)count * channels);
        return;
    }
    for (uint32_t i = 0; i < count; i++, from += channels, to += to_channels) {
        memset(to, from[0], 3);
        if (to_channels == 4)
            to[3] = from[1];
    }
}

int img_pad(struct img_picture *picture, const struct img_fitting *fitting,
            const uint8_t background[3], struct img_buffer *room)
{
    const struct img_size canvas = fitting->canvas;
    const struct img_picture from = *picture;
    if (canvas_is_filled(fitting, (struct img_size){from.width_px, from.height_px}))
        return 0;
    if (img_buffer_need(room, (size_t)canvas.width_px * canvas.height_px * IMG_CHANNELS_MAX) < 0)
        return -ENOMEM;
    picture->pixels = room->data;
    picture->width_px = canvas.width_px;
    picture->height_px = canvas.height_px;
    picture->layout = layout_with(from.layout, background);
    const unsigned channels = img_layout_channels(picture->layout);
    const uint8_t rgba[4] = {background[0], background[1], background[2], 255};
    const uint8_t gray[2] = {background[0], 255};
    const uint8_t *pixel = channels < 3 ? gray : rgba;
    const size_t stride = img_picture_stride(picture), from_stride = img_picture_stride(&from);
    const size_t left_bytes = (size_t)fitting->left_px * channels;
    const uint32_t right_px = fitting->left_px + from.width_px;
    for (uint32_t y = 0; y < canvas.height_px; y++) {
        uint8_t *to = picture->pixels + y * stride;
        if (y < fitting->top_px || y - fitting->top_px >= from.height_px) {
            pixels_fill(to, canvas.width_px, pixel, channels);
            continue;
        }
        pixels_fill(to, fitting->left_px, pixel, channels);
        row_copy(to + left_bytes, channels, from.pixels + (y - fitting->top_px) * from_stride,
                 img_layout_channels(from.layout), from.width_px);
        pixels_fill(to + (size_t)right_px * channels, canvas.width_px - right_px, pixel, channels);
    }
    return 0;
}

/* ---- Planes ---- */

static uint8_t rounded(double value)
{
    const long whole = lround(value);
    return (uint8_t)(whole < 0 ? 0 : whole > 255 ? 255 : whole);
}

/* By JFIF's equations. */
static void to_ycc(const uint8_t rgb[3], uint8_t ycc[3])
{
    const double luma = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
    ycc[0] = rounded(luma);
    ycc[1] = rounded(128 + (rgb[2] - luma) / 1.772);
    ycc[2] = rounded(128 + (rgb[0] - luma) / 1.402);
}

/* What two pixels from `first` on have of the picture, which lies from `start` to `end`, in halves.
 * The last pixel of an odd canvas stands for both. */
static unsigned halves_of(uint32_t first, uint32_t canvas_px, uint32_t start, uint32_t end)
{
    const uint32_t second = first + 1 < canvas_px ? first + 1 : first;
    const unsigned one = first >= start && first < end, other = second >= start && second < end;
    return one + other;
}

static void luma_pad(const struct img_planes *planes, const struct img_fitting *fitting,
                     uint8_t background, uint8_t *to)
{
    const struct img_size size = planes->luma, canvas = fitting->canvas;
    const uint8_t *from = img_planes_at(planes, 0);
    memset(to, background, (size_t)canvas.width_px * canvas.height_px);
    to += (size_t)fitting->top_px * canvas.width_px + fitting->left_px;
    for (uint32_t y = 0; y < size.height_px; y++)
        memcpy(to + (size_t)y * canvas.width_px, from + (size_t)y * size.width_px, size.width_px);
}

static void chroma_pad(const struct img_planes *planes, unsigned plane,
                       const struct img_fitting *fitting, uint8_t background, uint8_t *to,
                       struct img_size to_size)
{
    const struct img_size size = planes->chroma, canvas = fitting->canvas;
    const uint32_t left = fitting->left_px, top = fitting->top_px;
    const uint8_t *from = img_planes_at(planes, plane);
    memset(to, background, (size_t)to_size.width_px * to_size.height_px);
    for (uint32_t y = 0; y < size.height_px; y++) {
        const uint32_t row = top / 2 + y;
        const unsigned down =
            halves_of(2 * row, canvas.height_px, top, top + planes->luma.height_px);
        for (uint32_t x = 0; x < size.width_px; x++) {
            const uint32_t column = left / 2 + x;
            const unsigned across =
                halves_of(2 * column, canvas.width_px, left, left + planes->luma.width_px);
            const unsigned part = across * down; /* in quarters */
            const unsigned sample = from[(size_t)y * size.width_px + x];
            to[(size_t)row * to_size.width_px + column] =
                (uint8_t)((sample * part + background * (4 - part) + 2) / 4);
        }
    }
}

int img_planes_pad(struct img_planes *planes, const struct img_fitting *fitting,
                   const uint8_t background[3], struct img_buffer *room)
{
    struct img_planes padded = img_planes_lay(fitting->canvas, true);
    uint8_t ycc[3];
    if (canvas_is_filled(fitting, planes->luma))
        return 0;
    if (img_buffer_need(room, img_planes_bytes(&padded)) < 0)
        return -ENOMEM;
    padded.samples = room->data;
    to_ycc(background, ycc);
    luma_pad(planes, fitting, ycc[0], img_planes_at(&padded, 0));
    for (unsigned plane = 1; plane < 3; plane++)
        chroma_pad(planes, plane, fitting, ycc[plane], img_planes_at(&padded, plane),
                   padded.chroma);
    *planes = padded;
    return 0;
}
