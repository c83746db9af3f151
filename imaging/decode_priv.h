/* decode_priv.h: what a decoder is. Private to imaging.
 *
 * A decoder opens the picture, chooses how much of it to decode, tells the sink what rows will
 * come (begin) and then pushes them from top to bottom (rows). It keeps no more of the picture
 * than it must. Whoever is the sink turns rows into a thumbnail.
 *
 * How much damage a decoder passes over is told by the job. Where it cannot go on, it pushes the
 * rows that it has, and fails: whoever asked for a lax decoding fills the rows that are missing. */
#ifndef IMAGING_DECODE_PRIV_H
#define IMAGING_DECODE_PRIV_H

#include <errno.h>

#include "buffer_priv.h"
#include "imaging.h"
#include "picture_priv.h"

/** The rows that a decoder is about to push. They may be a shrunk version of the stored picture,
 *  whose edges then need not fall on the raster: the areas say in units of the raster's pixels
 *  how far the picture really reaches (4001 pixels at 1/8 are 500.125 of 501). */
struct img_raster {
    uint32_t source_width_px; /* as stored: neither shrunk nor turned */
    uint32_t source_height_px;
    uint32_t width_px;
    uint32_t height_px;
    double area_width_px;
    double area_height_px;
    double sharpen_width, sharpen_height; /* what shrinking or sampling has blurred; img_axis */
    enum img_layout layout;
    unsigned depth_bits; /* 8, or 16 in the machine's byte order */
    int orientation;     /* 1..8, still to be applied */
    const uint8_t *icc;  /* borrowed for the call of begin; NULL: none */
    size_t icc_bytes;
};

/** One plane of a picture that comes in planes, likewise. */
struct img_plane {
    uint32_t width_px;
    uint32_t height_px;
    double area_width_px;
    double area_height_px;
    double sharpen_width, sharpen_height; /* as above */
};

/** A picture of eight bits a sample that a decoder pushes plane by plane: one plane is gray; three
 *  are Y, Cb and Cr as JFIF defines them, each of its own size, all of the same area. */
struct img_planar_raster {
    uint32_t source_width_px; /* as stored: neither shrunk nor turned */
    uint32_t source_height_px;
    unsigned plane_count; /* 1 or 3 */
    struct img_plane planes[3];
    int orientation;    /* 1..8, still to be applied */
    const uint8_t *icc; /* borrowed for the call; NULL: none */
    size_t icc_bytes;
};

/** Samples of a plane, by row and column. */
struct img_part {
    uint32_t first_column, end_column;
    uint32_t first_row, end_row;
};

/** The functions return 0 or a negative errno value, which the decoder hands on. A second begin, of
 *  either kind, starts the picture anew: what came before is forgotten. */
struct img_sink {
    int (*begin)(struct img_sink *sink, const struct img_raster *raster);
    /* rows: borrowed for the call; count rows, stride_bytes apart. */
    int (*rows)(struct img_sink *sink, const uint8_t *rows, size_t stride_bytes, uint32_t count);
    /* The same in planes. Rows of the planes may come in any interleaving. */
    int (*begin_planar)(struct img_sink *sink, const struct img_planar_raster *raster);
    int (*plane_rows)(struct img_sink *sink, unsigned plane, const uint8_t *rows,
                      size_t stride_bytes, uint32_t count);
    /* After begin_planar: the samples that are looked at. All must come, but the others may be
     * anything. NULL: all are. */
    void (*plane_part)(struct img_sink *sink, unsigned plane, struct img_part *ret_part);
};

/** One picture to decode; all members are borrowed for the call. */
struct img_decode_job {
    const uint8_t *data;
    size_t size_bytes;
    enum img_format format;
    const struct img_options *options;
    enum img_fail_on fail_on; /* of this decoding; the options' own may be laxer */
    struct img_buffer *strip; /* for the decoder's rows; kept from picture to picture */
    struct img_buffer *scan;  /* likewise, for img_decode_jpeg_fast() alone */
    struct img_sink *sink;
    struct img_error *error; /* filled on failure */
};

static inline bool img_decode_cancelled(const struct img_decode_job *job)
{
    return job->options->cancelled && job->options->cancelled(job->options->cancel_data);
}

/** Is damage of this kind passed over at this level, so that what comes out is kept?
 *  code: of struct img_error. */
static inline bool img_fail_on_tolerates(enum img_fail_on fail_on, int code)
{
    return (code == -EBADMSG && fail_on <= IMG_FAIL_ON_TRUNCATED) ||
           (code == -EPIPE && fail_on <= IMG_FAIL_ON_NONE);
}

struct img_decoder {
    const char *name;       /* static storage */
    enum img_format format; /* IMG_FORMAT_UNKNOWN: every known format */
    /* Returns 0, -EAGAIN: this picture is not for this decoder, the next one of the table has it
     * (also after rows were pushed: the next begins anew); or another negative errno value. */
    int (*decode)(const struct img_decode_job *job);
};

/** The first decoder of the table, or the first behind `after`, that takes the format; there is one
 *  for every known format that never says -EAGAIN. */
const struct img_decoder *img_decoder_find(enum img_format format, const struct img_decoder *after);

int img_decode_jpeg(const struct img_decode_job *job);
int img_decode_jpeg_fast(const struct img_decode_job *job);
int img_decode_jpeg_progressive(const struct img_decode_job *job);
int img_decode_png(const struct img_decode_job *job);
int img_decode_png_fast(const struct img_decode_job *job);
int img_decode_vips(const struct img_decode_job *job);

#endif
