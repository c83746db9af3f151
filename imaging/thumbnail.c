/* thumbnail.c: the pipeline. The decoder pushes rows into a sink, which is the resampler with a
 * clock around it; what follows works on the small picture. */
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
#include "orient_priv.h"
#include "resample_priv.h"

#define BOX_SIDE_PX_MAX 65535

/* What a picture may leave behind in a buffer. A usual thumbnail or strip needs less, so buffers
 * stay; one huge picture does not make a worker large for ever. */
#define KEEP_BYTES ((size_t)8 * 1024 * 1024)

/* Missing rows are filled so many at a time, with a look at cancellation between. */
#define FILL_ROWS 64

struct img_context {
    struct img_buffer strip;  /* the decoder's rows */
    struct img_buffer pixels; /* the small picture */
    struct img_buffer turned; /* the small picture, turned */
    struct img_buffer output; /* its bytes; the caller looks at them until the next call */
    struct img_resampler resampler;
    struct img_colour *colour; /* owned */
};

/* One thumbnail being made. */
struct work {
    struct img_sink sink; /* first: the sink's functions find the rest behind it */
    struct img_context *context;
    const struct img_options *options;
    struct img_error error;
    bool begun;
    uint32_t rows_come;
    struct img_raster raster; /* without the profile */
    struct img_picture picture;
    struct img_size source; /* as stored */
    int orientation;
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
    img_buffer_done(&context->pixels);
    img_buffer_done(&context->turned);
    img_buffer_done(&context->output);
    img_resample_done(&context->resampler);
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

static int sink_begin(struct img_sink *sink, const struct img_raster *raster)
{
    struct work *work = (struct work *)sink;
    struct img_context *context = work->context;
    const int64_t start_ns = now_ns();
    work->source = (struct img_size){raster->source_width_px, raster->source_height_px};
    work->orientation = raster->orientation;
    const struct img_size size = img_fit_stored(work->source, raster->orientation, work->options);
    work->picture.layout = raster->layout;
    work->picture.width_px = size.width_px;
    work->picture.height_px = size.height_px;

    const struct img_resample_spec spec = {
        .source_width_px = raster->width_px,
        .source_height_px = raster->height_px,
        .area_width_px = raster->area_width_px,
        .area_height_px = raster->area_height_px,
        .layout = raster->layout,
        .depth_bits = raster->depth_bits,
        .width_px = size.width_px,
        .height_px = size.height_px,
    };
    const size_t bytes = (size_t)size.width_px * size.height_px * IMG_CHANNELS_MAX;
    if (img_buffer_need(&context->pixels, bytes) < 0 ||
        img_resample_begin(&context->resampler, &spec, context->pixels.data) < 0 ||
        img_colour_find(context->colour, raster->layout, raster->icc, raster->icc_bytes,
                        &work->transform) < 0)
        return img_fail(&work->error, -ENOMEM, "out of memory");
    work->picture.pixels = context->pixels.data;
    work->raster = *raster;
    work->raster.icc = NULL;
    work->begun = true;
    work->resample_ns += now_ns() - start_ns;
    return 0;
}

static int sink_rows(struct img_sink *sink, const uint8_t *rows, size_t stride_bytes,
                     uint32_t count)
{
    struct work *work = (struct work *)sink;
    int r = check_cancelled(work);
    if (r < 0)
        return r;
    const int64_t start_ns = now_ns();
    img_resample_rows(&work->context->resampler, rows, stride_bytes, count);
    work->rows_come += count;
    work->resample_ns += now_ns() - start_ns;
    return 0;
}

/* ---- The steps ---- */

static int options_check(const struct img_options *options, struct img_error *error)
{
    if (options->box_width_px < 1 || options->box_width_px > BOX_SIDE_PX_MAX ||
        options->box_height_px < 1 || options->box_height_px > BOX_SIDE_PX_MAX)
        return img_fail(error, -EINVAL, "the box must be of 1 to %d pixels a side",
                        BOX_SIDE_PX_MAX);
    if (options->format != IMG_FORMAT_UNKNOWN && options->format != IMG_FORMAT_JPEG &&
        options->format != IMG_FORMAT_PNG)
        return img_fail(error, -EINVAL, "thumbnails are JPEG or PNG, not %s",
                        img_format_name(options->format));
    if (options->quality < 1 || options->quality > 100)
        return img_fail(error, -EINVAL, "the quality must be from 1 to 100");
    if ((unsigned)options->fail_on > IMG_FAIL_ON_WARNING)
        return img_fail(error, -EINVAL, "no such level of damage");
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

/* Push the rows that damage has taken. A picture of which no row has come is no picture. */
static int missing_fill(struct work *work)
{
    const struct img_raster *raster = &work->raster;
    struct img_buffer *strip = &work->context->strip;
    if (!work->begun || work->rows_come == 0)
        return work->error.code;
    const size_t row_bytes =
        (size_t)raster->width_px * img_layout_channels(raster->layout) * (raster->depth_bits / 8);
    if (img_buffer_need(strip, row_bytes) < 0)
        return img_fail(&work->error, -ENOMEM, "out of memory");
    memset(strip->data, img_layout_filler(raster->layout), row_bytes);
    int r = 0;
    while (r == 0 && work->rows_come < raster->height_px) {
        const uint32_t left = raster->height_px - work->rows_come;
        r = sink_rows(&work->sink, strip->data, 0, left < FILL_ROWS ? left : FILL_ROWS);
    }
    return r;
}

/* One decoding at one level. */
static int decode(struct work *work, const struct img_decoder *decoder, const uint8_t *data,
                  size_t size_bytes, enum img_format format, enum img_fail_on fail_on)
{
    work->begun = false;
    work->rows_come = 0;
    const struct img_decode_job job = {
        .data = data,
        .size_bytes = size_bytes,
        .format = format,
        .options = work->options,
        .fail_on = fail_on,
        .strip = &work->context->strip,
        .sink = &work->sink,
        .error = &work->error,
    };
    const int64_t start_ns = now_ns() - work->decode_ns - work->resample_ns;
    int r = decoder->decode(&job);
    if (r == 0 && !(work->begun && img_resample_is_complete(&work->context->resampler)))
        r = img_fail(&work->error, -EBADMSG, "the decoder gave fewer rows than it promised");
    if (img_fail_on_tolerates(fail_on, r))
        r = missing_fill(work);
    work->decode_ns = now_ns() - start_ns - work->resample_ns;
    return r;
}

/* Strictly first, whatever is tolerated: only so is it known whether the picture is whole. */
static int decode_tolerantly(struct work *work, const struct img_decoder *decoder,
                             const uint8_t *data, size_t size_bytes, enum img_format format,
                             struct img_error *damage)
{
    const enum img_fail_on fail_on = work->options->fail_on;
    const bool strict = fail_on >= IMG_FAIL_ON_ERROR;
    int r = decode(work, decoder, data, size_bytes, format, strict ? fail_on : IMG_FAIL_ON_ERROR);
    if (strict || !img_fail_on_tolerates(fail_on, r))
        return r;
    const struct img_error found = work->error;
    r = decode(work, decoder, data, size_bytes, format, fail_on);
    if (r == 0)
        *damage = found;
    else if (img_fail_on_tolerates(fail_on, r))
        work->error = found; /* nothing could be kept: the first words say why */
    return r == 0 ? 0 : work->error.code;
}

static int finish(struct work *work, struct img_thumbnail *thumbnail)
{
    struct img_context *context = work->context;
    int64_t start_ns = now_ns();
    int r = check_cancelled(work);
    if (r < 0)
        return r;
    img_colour_apply(work->transform, &work->picture);
    r = img_orient(&work->picture, work->orientation, &context->turned);
    if (r < 0)
        return img_fail(&work->error, r, "out of memory");
    work->resample_ns += now_ns() - start_ns;

    start_ns = now_ns();
    thumbnail->format = img_encode_choose(&work->picture, work->options->format);
    r = img_encode(&work->picture, thumbnail->format, work->options, &context->output,
                   &thumbnail->size_bytes, &work->error);
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
        .sink = {.begin = sink_begin, .rows = sink_rows}, .context = context, .options = options};
    const enum img_format format = img_format_probe(data, size_bytes);
    struct img_thumbnail made = {.source_format = format};
    img_buffer_trim(&context->output, KEEP_BYTES);

    int r = options_check(options, &work.error);
    if (r == 0)
        r = source_check(data, size_bytes, format, &work.error);
    if (r == 0)
        r = check_cancelled(&work);
    if (r == 0) {
        const struct img_decoder *decoder = img_decoder_find(format);
        made.decoder = decoder->name;
        r = decode_tolerantly(&work, decoder, data, size_bytes, format, &made.damage);
    }
    if (r == 0)
        r = finish(&work, &made);
    if (r == 0) {
        const bool swaps = img_orientation_swaps(work.orientation);
        made.data = context->output.data;
        made.width_px = work.picture.width_px;
        made.height_px = work.picture.height_px;
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
