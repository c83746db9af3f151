/* picture_priv.h: what a pixel is made of. Private to imaging. */
#ifndef IMAGING_PICTURE_PRIV_H
#define IMAGING_PICTURE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Samples of one pixel, in this order, with nothing between pixels. Alpha is not premultiplied;
 *  CMYK counts ink: 0 is none. */
enum img_layout {
    IMG_LAYOUT_GRAY,
    IMG_LAYOUT_GRAY_ALPHA,
    IMG_LAYOUT_RGB,
    IMG_LAYOUT_RGB_ALPHA,
    IMG_LAYOUT_CMYK,
};

#define IMG_CHANNELS_MAX 4

static inline unsigned img_layout_channels(enum img_layout layout)
{
    switch (layout) {
    case IMG_LAYOUT_GRAY:
        return 1;
    case IMG_LAYOUT_GRAY_ALPHA:
        return 2;
    case IMG_LAYOUT_RGB:
        return 3;
    case IMG_LAYOUT_RGB_ALPHA:
    case IMG_LAYOUT_CMYK:
        break;
    }
    return 4;
}

static inline bool img_layout_has_alpha(enum img_layout layout)
{
    return layout == IMG_LAYOUT_GRAY_ALPHA || layout == IMG_LAYOUT_RGB_ALPHA;
}

/** The bytes that pixels are made of which were lost to damage: transparent where there is alpha,
 *  else a middle gray, as libjpeg does. */
static inline uint8_t img_layout_filler(enum img_layout layout)
{
    return img_layout_has_alpha(layout) ? 0x00 : 0x80;
}

/** A small picture of eight bits a sample, rows without padding. */
struct img_picture {
    uint8_t *pixels; /* borrowed from a buffer of the context; room for 4 bytes a pixel, always */
    uint32_t width_px;
    uint32_t height_px;
    enum img_layout layout;
};

static inline size_t img_picture_stride(const struct img_picture *picture)
{
    return (size_t)picture->width_px * img_layout_channels(picture->layout);
}

#endif
