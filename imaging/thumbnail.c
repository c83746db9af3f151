/* thumbnail.c: the pipeline. The decoder pushes rows into a sink, which is the resampler with a
 * clock around it; what follows works on the small picture.
 *
 * A picture that comes in planes of Y, Cb and Cr stays so, each plane with a resampler of its own,
 * if the thumbnail is a JPEG in the same colours. Else the small planes become RGB. */
#include "imaging.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "buffer_priv.h"
#include "colour_priv.h"
#include "decode_priv.h"
#include "encode_priv.h"
#include "error_priv.h"
#include "fit_priv.h"
#include "note_priv.h"
#include "orient_priv.h"
#include "pad_priv.h"
#include "planes_priv.h"
#include "resample_priv.h"

#define BOX_SIDE_PX_MAX 65535
#define PLANES_MAX      3

/* What a picture may leave behind in a buffer. A usual thumbnail or strip needs less, so buffers
 * stay; one huge picture does not make a worker large for ever. */
#define KEEP_BYTES ((size_t)8 * 1024 * 1024)

/* Missing rows are filled so many at a time, with a look at cancellation between. */
#define FILL_ROWS 64

struct img_context {
    struct img_buffer strip;  /* the decoder's rows */
    struct img_buffer scan;   /* and a JPEG scan's state and tables */
    struct img_buffer pixels; /* the small picture */
    struct img_buffer turned; /* the small picture, turned */
    struct img_buffer output; /* its bytes; the caller looks at them until the next call */
    struct img_resampler resamplers[PLANES_MAX]; /* rows of whole pixels have the first */
    struct img_colour *colour;                   /* owned */
};

/* One thumbnail being made. */
struct work {
    struct img_sink sink; /* first: the sink's functions find the rest behind it */
    struct img_context *context;
    const struct img_options *options;
    struct img_error error;
    const char *decoder;  /* static storage */
    unsigned planes_come; /* 0: not begun, 1: rows of pixels, 3: planes */
    struct pushed {
        uint32_t row_count;
        uint32_t rows_come;
        size_t row_bytes;
        uint8_t filler;
    } pushed[PLANES_MAX];
    struct img_picture picture; /* unless planar */
    struct img_planes planes;   /* if planar */
    bool planar;                /* up to the encoder */
    struct img_size source;     /* as stored */
    int orientation;
    struct img_fitting fitting;
    const struct img_transform *transform; /* borrowed from the context's colour state */
    int64_t decode_ns;
    int64_t resample_ns;
    int64_t encode_ns;
};

int img_context_create(struct img_context **ret_context)
{
    struct img_context *context = calloc(1, sizeof(*context));
    if (!context)
        return -ENOMEM;
    int r = img_colour_create(&context->colour);
    if (r < 0) {
        img_context_free(context);
        return r;
    }
    *ret_context = context;
    return 0;
}

struct img_context *img_context_free(struct img_context *context)
{
    if (!context)
        return NULL;
    img_buffer_done(&context->strip);
    img_buffer_done(&context->scan);
    img_buffer_done(&context->pixels);
    img_buffer_done(&context->turned);
    img_buffer_done(&context->output);
    for (unsigned plane = 0; plane < PLANES_MAX; plane++)
        img_resample_done(&context->resamplers[plane]);
    img_colour_free(context->colour);
    free(context);
    return NULL;
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint32_t microseconds(int64_t ns)
{
    return ns <= 0 ? 0 : ns / 1000 > UINT32_MAX ? UINT32_MAX : (uint32_t)(ns / 1000);
}

static int check_cancelled(struct work *work)
{
    const struct img_options *options = work->options;
    if (options->cancelled && options->cancelled(options->cancel_data))
        return img_fail(&work->error, -ECANCELED, "cancelled");
    return 0;
}

/* ---- The sink ---- */

/* Returns 0 or -EFBIG. */
static int picture_start(struct work *work, struct img_size source, int orientation)
{
    work->planes_come = 0;
    work->planar = false;
    work->source = source;
    work->orientation = orientation;
    work->fitting = img_fit_stored(source, orientation, work->options);
    return img_fitting_check(&work->fitting, work->options, &work->error);
}

static int plane_start(struct work *work, unsigned plane, const struct img_resample_spec *spec,
                       uint8_t *result)
{
    work->pushed[plane] = (struct pushed){
        .row_count = spec->source_height_px,
        .row_bytes = (size_t)spec->source_width_px * img_layout_channels(spec->layout) *
                     (spec->depth_bits / 8),
        .filler = img_layout_filler(spec->layout),
    };
    return img_resample_begin(&work->context->resamplers[plane], spec, result);
}

static int sink_begin(struct img_sink *sink, const struct img_raster *raster)
{
    struct work *work = (struct work *)sink;
    struct img_context *context = work->context;
    const int64_t start_ns = now_ns();
    int r =
        picture_start(work, (struct img_size){raster->source_width_px, raster->source_height_px},
                      raster->orientation);
    if (r < 0)
        return r;
    const struct img_stretch *across = &work->fitting.across, *down = &work->fitting.down;
    const struct img_size size = img_fitting_size(&work->fitting);
    const struct img_resample_spec spec = {
        .source_width_px = raster->width_px,
        .source_height_px = raster->height_px,
        .area_width_px = raster->area_width_px,
        .area_height_px = raster->area_height_px,
        .sharpen_width = raster->sharpen_width,
        .sharpen_height = raster->sharpen_height,
        .layout = raster->layout,
        .depth_bits = raster->depth_bits,
        .width_px = size.width_px,
        .height_px = size.height_px,
        .step_width_px = img_stretch_step(across, work->source.width_px, raster->area_width_px),
        .step_height_px = img_stretch_step(down, work->source.height_px, raster->area_height_px),
        .origin_width_px = img_stretch_origin(across, work->source.width_px, raster->area_width_px),
        .origin_height_px =
            img_stretch_origin(down, work->source.height_px, raster->area_height_px),
    };
    const size_t bytes = (size_t)size.width_px * size.height_px * IMG_CHANNELS_MAX;
    if (img_buffer_need(&context->pixels, bytes) < 0 ||
        plane_start(work, 0, &spec, context->pixels.data) < 0 ||
        img_colour_find(context->colour, raster->layout, raster->icc, raster->icc_bytes,
                        &work->transform) < 0)
        return img_fail(&work->error, -ENOMEM, "out of memory");
    work->picture =
        (struct img_picture){context->pixels.data, size.width_px, size.height_px, raster->layout};
    work->planes_come = 1;
    work->resample_ns += now_ns() - start_ns;
    return 0;
}

static int plane_rows_push(struct work *work, unsigned plane, const uint8_t *rows,
                           size_t stride_bytes, uint32_t count)
{
    int r = check_cancelled(work);
    if (r < 0)
        return r;
    const int64_t start_ns = now_ns();
    img_resample_rows(&work->context->resamplers[plane], rows, stride_bytes, count);
    work->pushed[plane].rows_come += count;
    work->resample_ns += now_ns() - start_ns;
    return 0;
}

static int sink_rows(struct img_sink *sink, const uint8_t *rows, size_t stride_bytes,
                     uint32_t count)
{
    return plane_rows_push((struct work *)sink, 0, rows, stride_bytes, count);
}

/* One plane is gray, and then it is a picture like any other. */
static int gray_begin(struct img_sink *sink, const struct img_planar_raster *raster)
{
    const struct img_raster gray = {
        .source_width_px = raster->source_width_px,
        .source_height_px = raster->source_height_px,
        .width_px = raster->planes[0].width_px,
        .height_px = raster->planes[0].height_px,
        .area_width_px = raster->planes[0].area_width_px,
        .area_height_px = raster->planes[0].area_height_px,
        .sharpen_width = raster->planes[0].sharpen_width,
        .sharpen_height = raster->planes[0].sharpen_height,
        .layout = IMG_LAYOUT_GRAY,
        .depth_bits = 8,
        .orientation = raster->orientation,
        .icc = raster->icc,
        .icc_bytes = raster->icc_bytes,
    };
    return sink_begin(sink, &gray);
}

static bool planes_are_alike(const struct img_plane *a, const struct img_plane *b)
{
    return a->width_px == b->width_px && a->height_px == b->height_px &&
           a->area_width_px == b->area_width_px && a->area_height_px == b->area_height_px &&
           a->sharpen_width == b->sharpen_width && a->sharpen_height == b->sharpen_height;
}

static int sink_begin_planar(struct img_sink *sink, const struct img_planar_raster *raster)
{
    struct work *work = (struct work *)sink;
    struct img_context *context = work->context;
    if (raster->plane_count == 1)
        return gray_begin(sink, raster);
    const int64_t start_ns = now_ns();
    int r =
        picture_start(work, (struct img_size){raster->source_width_px, raster->source_height_px},
                      raster->orientation);
    if (r < 0)
        return r;
    const struct img_fitting *fitting = &work->fitting;
    const struct img_size size = img_fitting_size(fitting);
    if (img_colour_find(context->colour, IMG_LAYOUT_RGB, raster->icc, raster->icc_bytes,
                        &work->transform) < 0)
        return img_fail(&work->error, -ENOMEM, "out of memory");
    work->planar = !work->transform && work->options->format != IMG_FORMAT_PNG;
    work->planes = img_planes_lay(size, work->planar);
    if (work->planar)
        img_planes_shift(&work->planes, raster->orientation, fitting->left_px % 2 != 0,
                         fitting->top_px % 2 != 0);
    const size_t pixel_bytes = (size_t)size.width_px * size.height_px * IMG_CHANNELS_MAX;
    const size_t plane_bytes = img_planes_bytes(&work->planes);
    if (img_buffer_need(&context->pixels, pixel_bytes > plane_bytes ? pixel_bytes : plane_bytes) <
        0)
        return img_fail(&work->error, -ENOMEM, "out of memory");
    work->planes.samples = context->pixels.data;
    for (unsigned plane = 0; plane < PLANES_MAX; plane++) {
        struct img_resample_spec spec = img_planes_spec(&work->planes, plane, raster, fitting);
        if (plane == 2 && planes_are_alike(&raster->planes[1], &raster->planes[2]))
            spec.like = &context->resamplers[1];
        if (plane_start(work, plane, &spec, img_planes_at(&work->planes, plane)) < 0)
            return img_fail(&work->error, -ENOMEM, "out of memory");
    }
    work->planes_come = PLANES_MAX;
    work->resample_ns += now_ns() - start_ns;
    return 0;
}

static int sink_plane_rows(struct img_sink *sink, unsigned plane, const uint8_t *rows,
                           size_t stride_bytes, uint32_t count)
{
    return plane_rows_push((struct work *)sink, plane, rows, stride_bytes, count);
}

static void sink_plane_part(struct img_sink *sink, unsigned plane, struct img_part *ret_part)
{
    const struct work *work = (const struct work *)sink;
    const struct img_resampler *resampler = &work->context->resamplers[plane];
    *ret_part = (struct img_part){
        .first_column = resampler->columns.first,
        .end_column = resampler->columns.first + resampler->columns.count,
        .first_row = resampler->rows.first,
        .end_row = resampler->rows.first + resampler->rows.count,
    };
}

static bool is_complete(const struct work *work)
{
    for (unsigned plane = 0; plane < work->planes_come; plane++)
        if (!img_resample_is_complete(&work->context->resamplers[plane]))
            return false;
    return work->planes_come > 0;
}

/* ---- The steps ---- */

static int options_check(const struct img_options *options, struct img_error *error)
{
    if (options->box_width_px < 1 || options->box_width_px > BOX_SIDE_PX_MAX ||
        options->box_height_px < 1 || options->box_height_px > BOX_SIDE_PX_MAX)
        return img_fail(error, -EINVAL, "the box must be of 1 to %d pixels a side",
                        BOX_SIDE_PX_MAX);
    if ((unsigned)options->fit > IMG_FIT_PAD)
        return img_fail(error, -EINVAL, "no such way to fit a picture");
    if (options->format != IMG_FORMAT_UNKNOWN && options->format != IMG_FORMAT_JPEG &&
        options->format != IMG_FORMAT_PNG)
        return img_fail(error, -EINVAL, "thumbnails are JPEG or PNG, not %s",
                        img_format_name(options->format));
    if (options->quality < 1 || options->quality > 100)
        return img_fail(error, -EINVAL, "the quality must be from 1 to 100");
    if ((unsigned)options->fail_on > IMG_FAIL_ON_WARNING)
        return img_fail(error, -EINVAL, "no such level of damage");
    if (!img_note_is_sound(options->note, options->note_bytes))
        return img_fail(error, -EINVAL, "the note must be printable ASCII of at most %d bytes",
                        IMG_NOTE_MAX_BYTES);
    return 0;
}

static int source_check(const uint8_t *data, size_t size_bytes, enum img_format format,
                        struct img_error *error)
{
    if (size_bytes == 0)
        return img_fail(error, -ENODATA, "the file is empty");
    if (format == IMG_FORMAT_UNKNOWN)
        return img_fail(error, -ENOMSG, "not a picture (%s)",
                        img_content_describe(data, size_bytes));
    return 0;
}

static int plane_fill(struct work *work, unsigned plane)
{
    const struct pushed *pushed = &work->pushed[plane];
    struct img_buffer *strip = &work->context->strip;
    if (img_buffer_need(strip, pushed->row_bytes) < 0)
        return img_fail(&work->error, -ENOMEM, "out of memory");
    memset(strip->data, pushed->filler, pushed->row_bytes);
    int r = 0;
    while (r == 0 && pushed->rows_come < pushed->row_count) {
        const uint32_t left = pushed->row_count - pushed->rows_come;
        r = plane_rows_push(work, plane, strip->data, 0, left < FILL_ROWS ? left : FILL_ROWS);
    }
    return r;
}

/* Push the rows that damage has taken. A picture of which no row has come is no picture. */
static int missing_fill(struct work *work)
{
    if (work->planes_come == 0 || work->pushed[0].rows_come == 0)
        return work->error.code;
    int r = 0;
    for (unsigned plane = 0; r == 0 && plane < work->planes_come; plane++)
        r = plane_fill(work, plane);
    return r;
}

/* One decoding at one level, by the first decoder that does not decline the picture. */
static int decode(struct work *work, const uint8_t *data, size_t size_bytes, enum img_format format,
                  enum img_fail_on fail_on)
{
    const struct img_decode_job job = {
        .data = data,
        .size_bytes = size_bytes,
        .format = format,
        .options = work->options,
        .fail_on = fail_on,
        .strip = &work->context->strip,
        .scan = &work->context->scan,
        .sink = &work->sink,
        .error = &work->error,
    };
    const int64_t start_ns = now_ns() - work->decode_ns - work->resample_ns;
    const struct img_decoder *decoder = NULL;
    int r = -EAGAIN;
    while (r == -EAGAIN && (decoder = img_decoder_find(format, decoder))) {
        work->planes_come = 0;
        work->decoder = decoder->name;
        r = decoder->decode(&job);
    }
    if (r == -EAGAIN)
        r = img_fail(&work->error, -ENOTSUP, "no decoder takes this picture");
    if (r == 0 && !is_complete(work))
        r = img_fail(&work->error, -EBADMSG, "the decoder gave fewer rows than it promised");
    if (img_fail_on_tolerates(fail_on, r))
        r = missing_fill(work);
    work->decode_ns = now_ns() - start_ns - work->resample_ns;
    return r;
}

/* Strictly first, whatever is tolerated: only so is it known whether the picture is whole. */
static int decode_tolerantly(struct work *work, const uint8_t *data, size_t size_bytes,
                             enum img_format format, struct img_error *damage)
{
    const enum img_fail_on fail_on = work->options->fail_on;
    const bool strict = fail_on >= IMG_FAIL_ON_ERROR;
    int r = decode(work, data, size_bytes, format, strict ? fail_on : IMG_FAIL_ON_ERROR);
    if (strict || !img_fail_on_tolerates(fail_on, r))
        return r;
    const struct img_error found = work->error;
    r = decode(work, data, size_bytes, format, fail_on);
    if (r == 0)
        *damage = found;
    else if (img_fail_on_tolerates(fail_on, r))
        work->error = found; /* nothing could be kept: the first words say why */
    return r == 0 ? 0 : work->error.code;
}

/* Planes that cannot stay what they are become pixels, in the other buffer. */
static int planes_join(struct work *work)
{
    struct img_context *context = work->context;
    const struct img_size size = work->planes.luma;
    if (img_buffer_need(&context->turned,
                        (size_t)size.width_px * size.height_px * IMG_CHANNELS_MAX) < 0)
        return -ENOMEM;
    img_planes_to_rgb(&work->planes, context->turned.data);
    work->picture =
        (struct img_picture){context->turned.data, size.width_px, size.height_px, IMG_LAYOUT_RGB};
    return 0;
}

/* The buffer of the two for small pictures in which these samples do not lie. */
static struct img_buffer *other_room(struct img_context *context, const uint8_t *samples)
{
    return samples == context->pixels.data ? &context->turned : &context->pixels;
}

static int colours_and_turn(struct work *work)
{
    struct img_context *context = work->context;
    struct img_buffer *room = &context->turned;
    if (work->planar)
        return img_planes_orient(&work->planes, work->orientation, room);
    if (work->planes_come == PLANES_MAX) {
        int r = planes_join(work);
        if (r < 0)
            return r;
        room = &context->pixels;
    }
    img_colour_apply(work->transform, &work->picture);
    return img_orient(&work->picture, work->orientation, room);
}

static int pad(struct work *work)
{
    struct img_context *context = work->context;
    const uint8_t *background = work->options->background;
    if (work->planar)
        return img_planes_pad(&work->planes, &work->fitting, background,
                              other_room(context, work->planes.samples));
    return img_pad(&work->picture, &work->fitting, background,
                   other_room(context, work->picture.pixels));
}

static int finish(struct work *work, struct img_thumbnail *thumbnail)
{
    struct img_context *context = work->context;
    int64_t start_ns = now_ns();
    int r = check_cancelled(work);
    if (r < 0)
        return r;
    r = colours_and_turn(work);
    if (r == 0)
        r = pad(work);
    if (r < 0)
        return img_fail(&work->error, r, "out of memory");
    work->resample_ns += now_ns() - start_ns;

    start_ns = now_ns();
    if (work->planar) {
        thumbnail->format = IMG_FORMAT_JPEG;
        thumbnail->width_px = work->planes.luma.width_px;
        thumbnail->height_px = work->planes.luma.height_px;
        r = img_encode_jpeg_planes(&work->planes, work->options, &context->output,
                                   &thumbnail->size_bytes, &work->error);
    } else {
        thumbnail->width_px = work->picture.width_px;
        thumbnail->height_px = work->picture.height_px;
        thumbnail->format = img_encode_choose(&work->picture, work->options->format);
        r = img_encode(&work->picture, thumbnail->format, work->options, &context->output,
                       &thumbnail->size_bytes, &work->error);
    }
    work->encode_ns = now_ns() - start_ns;
    return r;
}

static void buffers_trim(struct img_context *context)
{
    img_buffer_trim(&context->strip, KEEP_BYTES);
    img_buffer_trim(&context->pixels, KEEP_BYTES);
    img_buffer_trim(&context->turned, KEEP_BYTES);
}

int img_thumbnail(struct img_context *context, const uint8_t *data, size_t size_bytes,
                  const struct img_options *options, struct img_thumbnail *ret_thumbnail,
                  struct img_error *reterr_error)
{
    struct work work = {
        .sink = {.begin = sink_begin,
                 .rows = sink_rows,
                 .begin_planar = sink_begin_planar,
                 .plane_rows = sink_plane_rows,
                 .plane_part = sink_plane_part},
        .context = context,
        .options = options,
    };
    const enum img_format format = img_format_probe(data, size_bytes);
    struct img_thumbnail made = {.source_format = format};
    img_buffer_trim(&context->output, KEEP_BYTES);

    int r = options_check(options, &work.error);
    if (r == 0)
        r = source_check(data, size_bytes, format, &work.error);
    if (r == 0)
        r = check_cancelled(&work);
    if (r == 0)
        r = decode_tolerantly(&work, data, size_bytes, format, &made.damage);
    if (r == 0)
        r = finish(&work, &made);
    if (r == 0) {
        const bool swaps = img_orientation_swaps(work.orientation);
        made.data = context->output.data;
        made.decoder = work.decoder;
        made.source_width_px = swaps ? work.source.height_px : work.source.width_px;
        made.source_height_px = swaps ? work.source.width_px : work.source.height_px;
        made.decode_us = microseconds(work.decode_ns);
        made.resample_us = microseconds(work.resample_ns);
        made.encode_us = microseconds(work.encode_ns);
        *ret_thumbnail = made;
    } else if (reterr_error) {
        *reterr_error = work.error;
    }
    buffers_trim(context);
    return r;
}
