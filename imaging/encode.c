#include "encode_priv.h"

#include <string.h>

static bool is_transparent_anywhere(const struct img_picture *picture)
{
    if (!img_layout_has_alpha(picture->layout))
        return false;
    const unsigned channels = img_layout_channels(picture->layout);
    const size_t end = img_picture_stride(picture) * picture->height_px;
    for (size_t i = channels - 1; i < end; i += channels)
        if (picture->pixels[i] < 255)
            return true;
    return false;
}

enum img_format img_encode_choose(const struct img_picture *picture, enum img_format asked)
{
    if (asked != IMG_FORMAT_UNKNOWN)
        return asked;
    return is_transparent_anywhere(picture) ? IMG_FORMAT_PNG : IMG_FORMAT_JPEG;
}

static uint8_t mix(unsigned colour, unsigned below, unsigned alpha)
{
    return (uint8_t)((colour * alpha + below * (255 - alpha) + 127) / 255);
}

/* Remove the alpha channel, in place. */
static void flatten(struct img_picture *picture, const uint8_t background[3])
{
    const size_t pixels = (size_t)picture->width_px * picture->height_px;
    const unsigned channels = img_layout_channels(picture->layout);
    const unsigned colours = channels - 1;
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t *from = picture->pixels + i * channels;
        uint8_t *to = picture->pixels + i * colours;
        const unsigned alpha = from[colours];
        for (unsigned c = 0; c < colours; c++)
            to[c] = mix(from[c], background[c], alpha);
    }
    picture->layout = colours == 1 ? IMG_LAYOUT_GRAY : IMG_LAYOUT_RGB;
}

/* Gray over a coloured background is no longer gray. From the end on, so that nothing is
 * overwritten before it is read. */
static void colours_widen(struct img_picture *picture)
{
    for (size_t i = (size_t)picture->width_px * picture->height_px; i-- > 0;) {
        const uint8_t gray = picture->pixels[i * 2];
        const uint8_t alpha = picture->pixels[i * 2 + 1];
        memset(picture->pixels + i * 4, gray, 3);
        picture->pixels[i * 4 + 3] = alpha;
    }
    picture->layout = IMG_LAYOUT_RGB_ALPHA;
}

int img_encode(struct img_picture *picture, enum img_format format,
               const struct img_options *options, struct img_buffer *output, size_t *ret_size_bytes,
               struct img_error *error)
{
    const uint8_t *background = options->background;
    if (img_layout_has_alpha(picture->layout)) {
        const bool transparent = is_transparent_anywhere(picture);
        if (format == IMG_FORMAT_JPEG && transparent && picture->layout == IMG_LAYOUT_GRAY_ALPHA &&
            (background[0] != background[1] || background[1] != background[2]))
            colours_widen(picture);
        if (format == IMG_FORMAT_JPEG || !transparent)
            flatten(picture, background);
    }
    if (format == IMG_FORMAT_JPEG)
        return img_encode_jpeg(picture, options, output, ret_size_bytes, error);
    return img_encode_png(picture, options, output, ret_size_bytes, error);
}
