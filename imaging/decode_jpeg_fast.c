/* decode_jpeg_fast.c: baseline and extended sequential JPEG, as much of it as a thumbnail needs.
 *
 * Of each block only the lowest coefficients are kept, mostly its mean alone, and the planes go to
 * the sink as they are stored: neither upsampled nor converted. Blocks that the sink does not look
 * at are passed over, but for what those behind them build on.
 *
 * Accepted: strict decodings, at a half, a quarter or an eighth, of what img_jpeg_frame_read()
 * takes, in one scan or in one for each component, that libjpeg reads to its end marker without a
 * warning. Declined: all else, wherever it is found, also samples so far out of range that decoders
 * do not agree about them.
 *
 * Exact: the coefficients are libjpeg's. At an eighth luma is its samples as well. The other
 * transforms are the usual ones of fewer points, not libjpeg's, which mix in higher frequencies,
 * and a plane is as coarse as its share in the thumbnail allows. */
#include "decode_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error_priv.h"
#include "exif_priv.h"
#include "fit_priv.h"
#include "jpeg_markers_priv.h"
#include "jpeg_planes_priv.h"
#include "jpeg_scan_priv.h"
#include "jpeg_segments_priv.h"

/* The sink gets so many rows of MCUs at once. */
#define STRIP_MCU_ROWS 4

/* No code is shorter than a bit, and no block has fewer than two. */
#define BLOCK_BITS_MIN 2

struct fast_plane {
    struct img_jpeg_reduction reduction;
    struct img_plane plane;
    bool seen;       /* some scan has had it */
    int16_t *blocks; /* those of a row of MCUs; borrowed from the strip, as all below */
    size_t blocks_bytes;
    uint8_t *rows; /* pixels that the sink has not got yet */
    size_t stride_bytes;
    uint32_t rows_ready;
    uint32_t rows_pushed;
    struct img_part part; /* in blocks: what the sink looks at */
    uint32_t block_row;   /* the next one to be shrunk */
};

struct fast_job {
    const struct img_decode_job *decode;
    struct img_jpeg_frame frame;
    struct img_jpeg_segments segments;
    int orientation;
    struct fast_plane planes[IMG_JPEG_COMPONENTS_MAX];
    struct img_jpeg_scan *scan; /* kept from picture to picture, with its tables */
    uint8_t *icc;               /* owned: the profile's parts put together */
};

/* ---- Before the scans ---- */

/* Whether a profile is converted is not known yet: then chroma may be needed at full size. */
static bool chroma_is_halved(const struct fast_job *job)
{
    return job->decode->options->format != IMG_FORMAT_PNG && job->segments.icc_count == 0;
}

static int planes_choose(struct fast_job *job)
{
    const struct img_jpeg_frame *frame = &job->frame;
    for (unsigned i = 0; i < frame->component_count; i++) {
        struct fast_plane *plane = &job->planes[i];
        plane->reduction = img_jpeg_reduction_choose(frame, i, job->orientation,
                                                     chroma_is_halved(job), job->decode->options);
        plane->plane = img_jpeg_plane(frame, i, plane->reduction);
        if (i == 0 && (plane->reduction.across == 8 || plane->reduction.down == 8))
            return -EAGAIN;
    }
    return 0;
}

/* What libjpeg would refuse is left to it, which has the words. */
static int limits_check(const struct fast_job *job, size_t strip_bytes)
{
    const struct img_jpeg_frame *frame = &job->frame;
    const struct img_decode_job *decode = job->decode;
    struct img_error unused;
    uint64_t blocks = 0;
    for (unsigned i = 0; i < frame->component_count; i++)
        blocks += (uint64_t)frame->components[i].width_blocks * frame->components[i].height_blocks;
    if (blocks * BLOCK_BITS_MIN / 8 > decode->size_bytes)
        return -EAGAIN;
    return img_memory_check(strip_bytes, decode->size_bytes, decode->options, &unused) < 0 ? -EAGAIN
                                                                                           : 0;
}

static size_t round_up(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

static int scan_get(struct fast_job *job)
{
    struct img_buffer *buffer = job->decode->scan;
    const bool fresh = !buffer->data;
    if (img_buffer_need(buffer, sizeof(*job->scan)) < 0)
        return img_fail(job->decode->error, -ENOMEM, "out of memory");
    job->scan = (struct img_jpeg_scan *)(void *)buffer->data;
    if (fresh)
        memset(job->scan, 0, sizeof(*job->scan));
    return 0;
}

/* Lay out the strip: each plane's blocks and pixels. All sizes come of sides of at most 65500
 * pixels and four rows of MCUs, so nothing overflows. */
static int memory_get(struct fast_job *job)
{
    const struct img_jpeg_frame *frame = &job->frame;
    struct img_buffer *strip = job->decode->strip;
    size_t bytes = 0;
    size_t rows_bytes[IMG_JPEG_COMPONENTS_MAX] = {0};
    for (unsigned i = 0; i < frame->component_count; i++) {
        const struct img_jpeg_component *component = &frame->components[i];
        struct fast_plane *plane = &job->planes[i];
        plane->blocks_bytes = (size_t)component->padded_width_blocks * component->v *
                              img_jpeg_reduction_step(plane->reduction) * sizeof(int16_t);
        plane->stride_bytes = (size_t)component->width_blocks * plane->reduction.across;
        rows_bytes[i] = plane->stride_bytes * STRIP_MCU_ROWS * component->v * plane->reduction.down;
        bytes += round_up(plane->blocks_bytes) + round_up(rows_bytes[i]);
    }
    int r = limits_check(job, sizeof(*job->scan) + bytes);
    if (r == 0)
        r = scan_get(job);
    if (r < 0)
        return r;
    if (img_buffer_need(strip, bytes) < 0)
        return img_fail(job->decode->error, -ENOMEM, "out of memory");
    uint8_t *next = strip->data;
    for (unsigned i = 0; i < frame->component_count; i++) {
        struct fast_plane *plane = &job->planes[i];
        plane->blocks = (int16_t *)(void *)next;
        next += round_up(plane->blocks_bytes);
        plane->rows = next;
        next += round_up(rows_bytes[i]);
    }
    return 0;
}

static void segments_read(struct fast_job *job)
{
    struct img_jpeg_segments *segments = &job->segments;
    img_jpeg_segments_find(job->decode->data, job->decode->size_bytes, segments);
    job->orientation = 1;
    if (segments->exif.data)
        job->orientation = img_exif_orientation(segments->exif.data, segments->exif.size_bytes);
}

static int icc_read(struct fast_job *job)
{
    if (job->segments.icc_count == 0)
        return 0;
    job->icc = malloc(job->segments.icc_bytes);
    if (!job->icc)
        return img_fail(job->decode->error, -ENOMEM, "out of memory");
    img_jpeg_icc_join(&job->segments, job->icc);
    return 0;
}

static uint32_t blocks_up_to(uint32_t samples, unsigned size, uint32_t most)
{
    const uint32_t blocks = (samples + size - 1) / size;
    return blocks < most ? blocks : most;
}

static void part_settle(struct fast_job *job, unsigned number)
{
    const struct img_jpeg_component *component = &job->frame.components[number];
    const struct img_jpeg_reduction reduction = job->planes[number].reduction;
    struct img_sink *sink = job->decode->sink;
    struct img_part part = {0, job->planes[number].plane.width_px, 0,
                            job->planes[number].plane.height_px};
    if (sink->plane_part)
        sink->plane_part(sink, number, &part);
    job->planes[number].part = (struct img_part){
        .first_column = part.first_column / reduction.across,
        .end_column = blocks_up_to(part.end_column, reduction.across, component->width_blocks),
        .first_row = part.first_row / reduction.down,
        .end_row = blocks_up_to(part.end_row, reduction.down, component->height_blocks),
    };
}

static int sink_begin(struct fast_job *job)
{
    struct img_planar_raster raster = {
        .source_width_px = job->frame.width_px,
        .source_height_px = job->frame.height_px,
        .plane_count = job->frame.component_count,
        .orientation = job->orientation,
        .icc = job->icc,
        .icc_bytes = job->segments.icc_bytes,
    };
    for (unsigned i = 0; i < raster.plane_count; i++)
        raster.planes[i] = job->planes[i].plane;
    int r = job->decode->sink->begin_planar(job->decode->sink, &raster);
    for (unsigned i = 0; r == 0 && i < raster.plane_count; i++)
        part_settle(job, i);
    return r;
}

/* ---- The scans ---- */

static int rows_push(struct fast_job *job, unsigned number)
{
    struct fast_plane *plane = &job->planes[number];
    const uint32_t left = plane->plane.height_px - plane->rows_pushed;
    const uint32_t count = plane->rows_ready < left ? plane->rows_ready : left;
    struct img_sink *sink = job->decode->sink;
    plane->rows_ready = 0;
    plane->rows_pushed += count;
    return count > 0 ? sink->plane_rows(sink, number, plane->rows, plane->stride_bytes, count) : 0;
}

/* Shrink the blocks of a row of MCUs, those that are looked at. */
static int blocks_reduce(struct fast_job *job, unsigned number)
{
    struct fast_plane *plane = &job->planes[number];
    const struct img_jpeg_component *component = &job->frame.components[number];
    const size_t step = img_jpeg_reduction_step(plane->reduction);
    const size_t row_entries = img_jpeg_scan_columns(job->scan, number) * step;
    const struct img_part *part = &plane->part;
    for (uint32_t row = 0; row < img_jpeg_scan_rows(job->scan, number); row++) {
        const bool seen = plane->block_row >= part->first_row && plane->block_row < part->end_row;
        if (seen && !img_jpeg_reduce(plane->reduction,
                                     plane->blocks + row * row_entries + part->first_column * step,
                                     part->end_column - part->first_column,
                                     job->frame.quant[component->quant],
                                     plane->rows + plane->rows_ready * plane->stride_bytes +
                                         (size_t)part->first_column * plane->reduction.across,
                                     plane->stride_bytes))
            return -EAGAIN;
        plane->rows_ready += plane->reduction.down;
        plane->block_row++;
    }
    return 0;
}

/* Of which MCUs of a row more than DC is of use. */
static void low_range_set(struct fast_job *job, uint32_t mcu_row)
{
    struct img_jpeg_scan *scan = job->scan;
    uint32_t first = scan->mcus_across, end = 0;
    for (unsigned i = 0; i < scan->component_count; i++) {
        const struct img_part *part = &job->planes[scan->components[i]].part;
        const uint32_t across =
            img_jpeg_scan_columns(scan, scan->components[i]) / scan->mcus_across;
        const uint32_t down = img_jpeg_scan_rows(scan, scan->components[i]);
        if (mcu_row * down >= part->end_row || (mcu_row + 1) * down <= part->first_row)
            continue;
        const uint32_t part_first = part->first_column / across;
        const uint32_t part_end = (part->end_column + across - 1) / across;
        first = part_first < first ? part_first : first;
        end = part_end > end ? part_end : end;
    }
    scan->low_first = first;
    scan->low_end = end;
}

static int mcu_row(struct fast_job *job, bool push)
{
    struct img_jpeg_scan *scan = job->scan;
    int16_t *blocks[IMG_JPEG_COMPONENTS_MAX];
    for (unsigned i = 0; i < job->frame.component_count; i++) {
        struct fast_plane *plane = &job->planes[i];
        blocks[i] = plane->blocks;
        if (scan->wanted[i].last > 0)
            memset(plane->blocks, 0, plane->blocks_bytes);
    }
    int r = img_jpeg_scan_row(scan, blocks);
    for (unsigned i = 0; r == 0 && i < scan->component_count; i++) {
        r = blocks_reduce(job, scan->components[i]);
        if (r == 0 && push)
            r = rows_push(job, scan->components[i]);
    }
    return r;
}

/* *at: at the contents of the SOS segment, then at the marker behind the scan's data. */
static int scan_read(struct fast_job *job, size_t *at)
{
    const struct img_decode_job *decode = job->decode;
    struct img_jpeg_scan *scan = job->scan;
    struct img_jpeg_wanted wanted[IMG_JPEG_COMPONENTS_MAX] = {{0}};
    const uint8_t *header = NULL;
    size_t header_bytes = 0;
    for (unsigned i = 0; i < job->frame.component_count; i++)
        wanted[i] = (struct img_jpeg_wanted){
            .last = img_jpeg_reduction_last(job->planes[i].reduction),
            .step = img_jpeg_reduction_step(job->planes[i].reduction),
        };
    int r = img_jpeg_segment_next(decode->data, decode->size_bytes, at, &header, &header_bytes);
    if (r == 0)
        r = img_jpeg_scan_begin(scan, &job->frame, wanted, header, header_bytes, decode->data,
                                decode->size_bytes, *at);
    for (unsigned i = 0; r == 0 && i < scan->component_count; i++) {
        const unsigned number = scan->components[i];
        if (job->planes[number].seen)
            r = -EAGAIN;
        job->planes[number].seen = true;
    }
    for (uint32_t row = 1; r == 0 && row <= scan->mcus_down; row++) {
        if (row % STRIP_MCU_ROWS == 0 && img_decode_cancelled(decode))
            return img_fail(decode->error, -ECANCELED, "cancelled");
        low_range_set(job, row - 1);
        r = mcu_row(job, row % STRIP_MCU_ROWS == 0 || row == scan->mcus_down);
    }
    const uint8_t *end = NULL;
    if (r == 0)
        r = img_jpeg_scan_end(scan, &end);
    if (r == 0)
        *at = (size_t)(end - decode->data);
    return r;
}

/* The first scan, and what else there is up to the end marker. */
static int scans_read(struct fast_job *job)
{
    const struct img_decode_job *decode = job->decode;
    size_t at = job->frame.first_scan + 2;
    int r = scan_read(job, &at);
    while (r == 0) {
        const int marker = img_jpeg_marker_next(decode->data, decode->size_bytes, &at);
        const uint8_t *body = NULL;
        size_t body_bytes = 0;
        if (marker == IMG_JPEG_EOI)
            break;
        if (marker == IMG_JPEG_SOS) {
            r = scan_read(job, &at);
            continue;
        }
        if (img_jpeg_marker_is_restart(marker)) /* some cameras end with one */
            continue;
        r = marker < 0
                ? marker
                : img_jpeg_segment_next(decode->data, decode->size_bytes, &at, &body, &body_bytes);
        if (r == 0 && !img_jpeg_marker_is_metadata(marker))
            r = img_jpeg_tables_read(&job->frame, (uint8_t)marker, body, body_bytes);
    }
    for (unsigned i = 0; r == 0 && i < job->frame.component_count; i++)
        if (!job->planes[i].seen)
            r = -EAGAIN;
    return r;
}

int img_decode_jpeg_fast(const struct img_decode_job *decode)
{
    struct fast_job job = {.decode = decode};
    struct img_error unused;
    if (decode->fail_on != IMG_FAIL_ON_ERROR)
        return -EAGAIN;
    int r = img_jpeg_frame_read(decode->data, decode->size_bytes, &job.frame);
    if (r < 0)
        return r;
    const struct img_size size = {job.frame.width_px, job.frame.height_px};
    /* Up to three scans: at least so many are always allowed by the budget of pixels. */
    if (job.frame.progressive || decode->options->scans_max < IMG_JPEG_COMPONENTS_MAX ||
        img_fit_check(size, decode->options, &unused) < 0)
        return -EAGAIN;
    segments_read(&job);
    r = planes_choose(&job);
    if (r == 0)
        r = memory_get(&job);
    if (r == 0)
        r = icc_read(&job);
    if (r == 0)
        r = sink_begin(&job);
    if (r == 0)
        r = scans_read(&job);
    free(job.icc);
    return r;
}
