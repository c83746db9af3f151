/* decode_jpeg_progressive.c: progressive JPEG at 1/8 and 1/4, from the scans that matter.
 *
 * A progressive file has the means of its 8x8 blocks apart from the rest. Where a thumbnail needs
 * no more, only they are decoded, which is a small part of the file. Where a plane would then be
 * coarser than the thumbnail shows it, its lowest AC coefficients are decoded too, for a transform
 * of two points; at 1/8 that is at most the chroma, and those of luma are most of the file. In no
 * case are the coefficients of the whole picture held.
 *
 * Accepted: strict decodings of what img_jpeg_frame_read() and img_progressive_read() take, where
 * two samples of a block each way are enough. Declined: all else, and samples so far out of range
 * that decoders do not agree about them.
 *
 * Exact: the coefficients are libjpeg's, and the samples those of a baseline picture that has the
 * same coefficients. */
#include "decode_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "error_priv.h"
#include "exif_priv.h"
#include "fit_priv.h"
#include "jpeg_planes_priv.h"
#include "jpeg_progressive_priv.h"
#include "jpeg_segments_priv.h"

/* Pixels times scans are limited to this many times the limit of the pixels. */
#define SCAN_PIXELS_FACTOR 16

#define STRIP_BLOCK_ROWS 8

/* The coefficients of a block that a transform of two points each way looks at, and those before
 * them, in zigzag order. */
#define LOW_STEP_MAX 8

struct progressive_job {
    const struct img_decode_job *decode;
    struct img_progressive progressive;
    struct img_jpeg_segments segments;
    int orientation;
    struct img_jpeg_reduction reductions[IMG_JPEG_COMPONENTS_MAX];
    unsigned low_mask; /* components that need more than DC */
    uint8_t *icc;      /* owned: the profile's parts put together */
    int16_t *blocks;   /* in the strip: a row of any plane's blocks */
    uint8_t *rows;     /* in the strip: a strip of any plane's rows */
};

/* ---- Before the scans ---- */

/* Does the thumbnail have half as many chroma samples as pixels each way? It may turn out to where
 * this says no: whether a profile is converted is not known yet. */
static bool chroma_is_halved(const struct progressive_job *job)
{
    return job->decode->options->format != IMG_FORMAT_PNG && job->segments.icc_count == 0;
}

/* Which components need more than DC; false: one needs more than there is here. */
static bool reductions_choose(struct progressive_job *job)
{
    const struct img_jpeg_frame *frame = &job->progressive.frame;
    job->low_mask = 0;
    for (unsigned i = 0; i < frame->component_count; i++) {
        struct img_jpeg_reduction *reduction = &job->reductions[i];
        *reduction = img_jpeg_reduction_choose(frame, i, job->orientation, chroma_is_halved(job),
                                               job->decode->options);
        if (reduction->across > 2 || reduction->down > 2)
            return false;
        if (reduction->across > 1 || reduction->down > 1)
            job->low_mask |= 1u << i;
    }
    return true;
}

static uint32_t scans_allowed(const struct img_options *options, uint64_t pixels)
{
    uint64_t budget;
    if (__builtin_mul_overflow(options->pixels_max, SCAN_PIXELS_FACTOR, &budget))
        budget = UINT64_MAX;
    const uint64_t scans = budget / pixels;
    return scans < options->scans_max ? (uint32_t)scans : options->scans_max;
}

/* Rows are written whole blocks at a time. */
static size_t stride_of(const struct progressive_job *job, unsigned number)
{
    return (size_t)job->progressive.frame.components[number].width_blocks *
           job->reductions[number].across;
}

/* Limits, and memory for the coefficients and for one strip of rows. */
static int memory_get(struct progressive_job *job)
{
    struct img_progressive *progressive = &job->progressive;
    const struct img_decode_job *decode = job->decode;
    struct img_error unused;
    size_t row_blocks = 0, strip = 0;
    uint64_t blocks = 0;
    for (unsigned i = 0; i < progressive->frame.component_count; i++) {
        const struct img_jpeg_component *component = &progressive->frame.components[i];
        const size_t need = stride_of(job, i) * job->reductions[i].down * STRIP_BLOCK_ROWS;
        strip = need > strip ? need : strip;
        if (component->width_blocks > row_blocks)
            row_blocks = component->width_blocks;
        blocks += (uint64_t)component->width_blocks * component->height_blocks;
    }
    /* A block's DC has a bit at least, so a short file need not be tried, nor memory taken. */
    if (blocks / 8 > decode->size_bytes)
        return -EAGAIN;
    const uint64_t bytes = img_progressive_bytes(&progressive->frame, job->low_mask);
    const size_t row_bytes = row_blocks * LOW_STEP_MAX * sizeof(*job->blocks);
    const uint64_t all = bytes + row_bytes + strip;
    if (img_memory_check(all, decode->size_bytes, decode->options, &unused) < 0)
        return -EAGAIN;
    if (img_buffer_need(decode->strip, all) < 0)
        return img_fail(decode->error, -ENOMEM, "out of memory");
    img_progressive_place(progressive, job->low_mask, decode->strip->data);
    job->blocks = (int16_t *)(void *)(decode->strip->data + bytes);
    job->rows = decode->strip->data + bytes + row_bytes;
    return 0;
}

/* ---- Behind the scans ---- */

/* libjpeg clamps what lies within; beyond it wraps, and so would have to be followed. */
static inline uint8_t to_byte(int32_t value, uint32_t *wild)
{
    *wild |= (uint32_t)(value + 512) >> 10;
    const int32_t sample = value + 128;
    return sample < 0 ? 0 : sample > 255 ? 255 : (uint8_t)sample;
}

/* One row of blocks to one row of samples. Where bits are missing, half of what they can say is
 * added: all is computed in halves. */
static bool means_row(const struct img_progressive_component *component, const int16_t *dc,
                      size_t count, uint8_t *row)
{
    const int32_t quant = component->quant[0], missing = (1 << component->missing_bits[0]) - 1;
    uint32_t wild = 0;
    for (size_t i = 0; i < count; i++)
        row[i] = to_byte(((2 * dc[i] + missing) * quant + 8) >> 4, &wild);
    return wild == 0;
}

/* One row of blocks as img_jpeg_reduce() wants them. */
static void blocks_gather(const int16_t *dc, const struct img_progressive_low *low, size_t count,
                          size_t step, int16_t *to)
{
    for (size_t i = 0; i < count; i++, to += step) {
        to[0] = dc[i];
        to[IMG_LOW_ACROSS] = low[i].across;
        if (step > IMG_LOW_DOWN)
            to[IMG_LOW_DOWN] = low[i].down;
        if (step > IMG_LOW_BOTH)
            to[IMG_LOW_BOTH] = low[i].both;
    }
}

/* Row number of blocks to one or two rows of samples. False: they are out of range. */
static bool blocks_row(struct progressive_job *job, unsigned number, uint32_t row, uint8_t *to)
{
    const struct img_progressive_component *component = &job->progressive.components[number];
    const struct img_jpeg_component *frame = &job->progressive.frame.components[number];
    const struct img_jpeg_reduction reduction = job->reductions[number];
    const size_t first = (size_t)row * frame->padded_width_blocks;
    const uint32_t count = frame->width_blocks; /* what stands in the padding is nobody's */
    if (!component->low)
        return means_row(component, component->dc + first, count, to);
    const size_t step = img_jpeg_reduction_step(reduction);
    blocks_gather(component->dc + first, component->low + first, count, step, job->blocks);
    return img_jpeg_reduce(reduction, job->blocks, count, component->quant, to,
                           stride_of(job, number));
}

static int plane_push(struct progressive_job *job, unsigned number, uint32_t height_px)
{
    const struct img_decode_job *decode = job->decode;
    const uint32_t down = job->reductions[number].down;
    const size_t stride = stride_of(job, number);
    const uint32_t strip_rows = STRIP_BLOCK_ROWS * down;
    for (uint32_t row = 0; row < height_px; row += strip_rows) {
        const uint32_t rows = height_px - row < strip_rows ? height_px - row : strip_rows;
        for (uint32_t i = 0; i < rows; i += down)
            if (!blocks_row(job, number, (row + i) / down, job->rows + i * stride))
                return -EAGAIN;
        int r = decode->sink->plane_rows(decode->sink, number, job->rows, stride, rows);
        if (r < 0)
            return r;
    }
    return 0;
}

static int planes_push(struct progressive_job *job)
{
    const struct img_decode_job *decode = job->decode;
    const struct img_jpeg_frame *frame = &job->progressive.frame;
    struct img_planar_raster raster = {
        .source_width_px = frame->width_px,
        .source_height_px = frame->height_px,
        .plane_count = frame->component_count,
        .orientation = job->orientation,
    };
    if (job->segments.icc_count > 0) {
        job->icc = malloc(job->segments.icc_bytes);
        if (!job->icc)
            return img_fail(decode->error, -ENOMEM, "out of memory");
        img_jpeg_icc_join(&job->segments, job->icc);
        raster.icc = job->icc;
        raster.icc_bytes = job->segments.icc_bytes;
    }
    for (unsigned i = 0; i < frame->component_count; i++)
        raster.planes[i] = img_jpeg_plane(frame, i, job->reductions[i]);
    int r = decode->sink->begin_planar(decode->sink, &raster);
    for (unsigned i = 0; i < frame->component_count && r == 0; i++)
        r = plane_push(job, i, raster.planes[i].height_px);
    return r;
}

/* ---- All of it ---- */

static int prepare(struct progressive_job *job)
{
    struct img_progressive *progressive = &job->progressive;
    const struct img_decode_job *decode = job->decode;
    struct img_error unused;
    int r = img_jpeg_frame_read(decode->data, decode->size_bytes, &progressive->frame);
    if (r < 0 || !progressive->frame.progressive)
        return -EAGAIN;
    const struct img_size size = {progressive->frame.width_px, progressive->frame.height_px};
    if (img_fit_check(size, decode->options, &unused) < 0)
        return -EAGAIN;
    img_jpeg_segments_find(decode->data, decode->size_bytes, &job->segments);
    job->orientation = 1;
    if (job->segments.exif.data)
        job->orientation =
            img_exif_orientation(job->segments.exif.data, job->segments.exif.size_bytes);
    if (!reductions_choose(job))
        return -EAGAIN;
    progressive->scans_max =
        scans_allowed(decode->options, (uint64_t)size.width_px * size.height_px);
    return memory_get(job);
}

int img_decode_jpeg_progressive(const struct img_decode_job *decode)
{
    struct progressive_job job = {
        .decode = decode,
        .progressive = {.data = decode->data,
                        .size_bytes = decode->size_bytes,
                        .options = decode->options},
    };
    if (decode->fail_on != IMG_FAIL_ON_ERROR)
        return -EAGAIN; /* what is odd is to be complained of, or passed over */
    int r = prepare(&job);
    if (r == 0)
        r = img_progressive_read(&job.progressive);
    if (r == -ECANCELED)
        return img_fail(decode->error, r, "cancelled");
    if (r == 0)
        r = planes_push(&job);
    free(job.icc);
    return r;
}
