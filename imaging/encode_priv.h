/* encode_priv.h: the small picture to bytes. Private to imaging. */
#ifndef IMAGING_ENCODE_PRIV_H
#define IMAGING_ENCODE_PRIV_H

#include "buffer_priv.h"
#include "imaging.h"
#include "picture_priv.h"
#include "planes_priv.h"

/** What format the thumbnail gets: as asked, or by whether a pixel is transparent. */
enum img_format img_encode_choose(const struct img_picture *picture, enum img_format asked);

/** Encode a picture that is not CMYK as JPEG or PNG.
 *  picture: its pixels may be changed: alpha is flattened for JPEG and dropped where it is
 *  opaque everywhere.
 *  output: receives the bytes; ret_size_bytes: how many.
 *  Returns 0, -ENOMEM, or -EFBIG where the format has no such size. */
int img_encode(struct img_picture *picture, enum img_format format,
               const struct img_options *options, struct img_buffer *output, size_t *ret_size_bytes,
               struct img_error *error);

/* Encoders of one format each. JPEG takes GRAY and RGB alone. Of the options they look at the
 * quality and the note. */
int img_encode_jpeg(const struct img_picture *picture, const struct img_options *options,
                    struct img_buffer *output, size_t *ret_size_bytes, struct img_error *error);
/** planes: upright, chroma halved; they are written as they are, in 4:2:0. */
int img_encode_jpeg_planes(const struct img_planes *planes, const struct img_options *options,
                           struct img_buffer *output, size_t *ret_size_bytes,
                           struct img_error *error);
int img_encode_png(const struct img_picture *picture, const struct img_options *options,
                   struct img_buffer *output, size_t *ret_size_bytes, struct img_error *error);

#endif
