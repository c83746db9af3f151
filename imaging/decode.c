#include "decode_priv.h"

/* The first match wins: a faster decoder goes above the one it may decline to, the general one
 * stays last. */
static const struct img_decoder decoders[] = {
    {"thumbpool", IMG_FORMAT_JPEG, img_decode_jpeg_fast},
    {"thumbpool", IMG_FORMAT_JPEG, img_decode_jpeg_progressive},
    {"libjpeg-turbo", IMG_FORMAT_JPEG, img_decode_jpeg},
    {"thumbpool", IMG_FORMAT_PNG, img_decode_png_fast},
    {"libpng", IMG_FORMAT_PNG, img_decode_png},
    {"libvips", IMG_FORMAT_UNKNOWN, img_decode_vips},
};

const struct img_decoder *img_decoder_find(enum img_format format, const struct img_decoder *after)
{
    const struct img_decoder *end = decoders + sizeof(decoders) / sizeof(decoders[0]);
    const struct img_decoder *decoder = after ? after + 1 : decoders;
    while (decoder < end && decoder->format != format && decoder->format != IMG_FORMAT_UNKNOWN)
        decoder++;
    return decoder < end ? decoder : NULL;
}
