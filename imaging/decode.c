#include "decode_priv.h"

/* The first match wins: a faster decoder goes above the one it may decline to, the general one
 * stays last. */
static const struct img_decoder decoders[] = {
    {"libjpeg-turbo", IMG_FORMAT_JPEG, img_decode_jpeg},
    {"libpng", IMG_FORMAT_PNG, img_decode_png},
    {"libvips", IMG_FORMAT_UNKNOWN, img_decode_vips},
};

const struct img_decoder *img_decoder_find(enum img_format format)
{
    size_t i = 0;
    while (decoders[i].format != format && decoders[i].format != IMG_FORMAT_UNKNOWN)
        i++;
    return &decoders[i];
}
