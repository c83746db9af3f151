/* png_write_priv.h: small pictures to PNG in one go. Private to imaging. */
#ifndef IMAGING_PNG_WRITE_PRIV_H
#define IMAGING_PNG_WRITE_PRIV_H

#include "buffer_priv.h"
#include "imaging.h"
#include "picture_priv.h"

/** Is the picture so small that it may be held once more, filtered? */
bool img_png_write_takes(const struct img_picture *picture);

/** Encode such a picture, of any layout but CMYK, with the options' note.
 *  output: receives the bytes; ret_size_bytes: how many. Returns 0 or -ENOMEM. */
int img_png_write(const struct img_picture *picture, const struct img_options *options,
                  struct img_buffer *output, size_t *ret_size_bytes);

#endif
