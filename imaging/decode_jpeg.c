/* decode_jpeg.c: JPEG through libjpeg-turbo, at the smallest scale that loses nothing.
 *
 * libjpeg goes on after damage and only warns, which gives half-grey pictures. Here a warning
 * that means wrong or missing pixels ends the picture, unless the job's level tolerates it; the
 * harmless ones are passed over, unless the level forbids them.
 *
 * Errors leave libjpeg by longjmp. It lands in guarded(), which owns nothing: all that must be
 * released hangs on struct jpeg_job and is released by img_decode_jpeg() alone. */
#include "decode_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#include <jerror.h>

#include "error_priv.h"
#include "exif_priv.h"
#include "fit_priv.h"
#include "jpeg_planes_priv.h"
#include "jpeg_segments_priv.h"

/* Where chroma has half the luma's samples in one direction only, libjpeg's samples at 1/8 are
 * means of 16 pixels in that direction. */
#define SHRINK_LEFT_MIN_UNEVEN (2 * IMG_JPEG_SHRINK_LEFT_MIN)

/* libjpeg's transforms of two and four points mix in higher frequencies. */
#define SHRINK_LEFT_MIN_MIXED 2.0

/* A scan can cost a few bytes and a walk over the whole picture: pixels times scans are limited
 * to this many times the limit of the pixels. */
#define SCAN_PIXELS_FACTOR 16

#define STRIP_ROWS 16

struct jpeg_job {
    const struct img_decode_job *decode;
    size_t size_bytes;                   /* so much of the data is looked at */
    struct jpeg_decompress_struct cinfo; /* owned */
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf landing;
    int code;   /* why the jump was made */
    bool ended; /* the data has come to an early end, which was tolerated */
    uint32_t scans_max;
    unsigned components_seen; /* a bit for each that some scan has had */
    int orientation;
    struct img_jpeg_segments segments;
    uint8_t *icc; /* owned: the profile's parts put together */
};

/* ---- Errors and warnings ---- */

static bool warning_is_harmless(int message)
{
    switch (message) {
    case JWRN_ADOBE_XFORM:
    case JWRN_BOGUS_PROGRESSION: /* an odd order of scans; the codes are sound */
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_JFIF_MAJOR:
    case JWRN_TOO_MUCH_DATA:
        return true;
    default:
        return false;
    }
}

static int classify(int message)
{
    switch (message) {
    case JWRN_JPEG_EOF:
    case JERR_INPUT_EOF:
    case JERR_INPUT_EMPTY:
        return -EPIPE;
    case JERR_OUT_OF_MEMORY:
        return -ENOMEM;
    case JERR_IMAGE_TOO_BIG:
    case JERR_WIDTH_OVERFLOW:
        return -EFBIG;
    case JERR_ARITH_NOTIMPL:
    case JERR_BAD_PRECISION:
    case JERR_CCIR601_NOTIMPL:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_NOT_COMPILED:
    case JERR_SOF_UNSUPPORTED:
        return -ENOTSUP;
    default:
        return -EBADMSG;
    }
}

static struct jpeg_job *job_of(j_common_ptr cinfo)
{
    return cinfo->client_data;
}

static void leave(j_common_ptr cinfo) __attribute__((noreturn));
static void leave(j_common_ptr cinfo)
{
    struct jpeg_job *job = job_of(cinfo);
    char text[JMSG_LENGTH_MAX] = "";
    job->errors.format_message(cinfo, text);
    job->code = job->ended ? -EPIPE : classify(job->errors.msg_code);
    const uint32_t row = job->cinfo.output_scanline;
    if (job->code == -EPIPE && row > 0)
        img_fail(job->decode->error, job->code,
                 "the data ends early, after row %" PRIu32 " of %" PRIu32, row,
                 (uint32_t)job->cinfo.output_height);
    else if (job->code == -EPIPE)
        img_fail(job->decode->error, job->code, "the data ends early");
    else
        img_fail(job->decode->error, job->code, "%s", text);
    longjmp(job->landing, 1);
}

static void heed_message(j_common_ptr cinfo, int level)
{
    struct jpeg_job *job = job_of(cinfo);
    const int message = job->errors.msg_code;
    const enum img_fail_on fail_on = job->decode->fail_on;
    if (level >= 0)
        return;
    if (warning_is_harmless(message) ? fail_on >= IMG_FAIL_ON_WARNING
                                     : !img_fail_on_tolerates(fail_on, classify(message)))
        leave(cinfo);
    job->ended = job->ended || message == JWRN_JPEG_EOF;
    /* Codes run out in the first row of blocks: all that would come is gray. */
    if (job->ended && message == JWRN_HIT_MARKER && job->cinfo.input_scan_number <= 1 &&
        job->cinfo.input_iMCU_row == 0)
        leave(cinfo);
}

static void print_nothing(j_common_ptr cinfo)
{
    (void)cinfo;
}

/* Called between rows of blocks. Single-scan pictures have one scan; the others are read whole
 * before the first row comes out, so this is the only place to stop them. */
static void watch(j_common_ptr cinfo)
{
    struct jpeg_job *job = job_of(cinfo);
    for (int i = 0; i < job->cinfo.comps_in_scan; i++)
        job->components_seen |= 1u << job->cinfo.cur_comp_info[i]->component_index;
    if ((uint32_t)job->cinfo.input_scan_number > job->scans_max) {
        job->code =
            img_fail(job->decode->error, -EFBIG,
                     "more than %" PRIu32 " scans for a picture of this size", job->scans_max);
        longjmp(job->landing, 1);
    }
    if (img_decode_cancelled(job->decode)) {
        job->code = img_fail(job->decode->error, -ECANCELED, "cancelled");
        longjmp(job->landing, 1);
    }
}

static int guarded(struct jpeg_job *job, int (*step)(struct jpeg_job *job))
{
    if (setjmp(job->landing))
        return job->code;
    return step(job);
}

/* ---- Steps: each runs under guarded() ---- */

static int header_read(struct jpeg_job *job)
{
    struct jpeg_decompress_struct *cinfo = &job->cinfo;
    jpeg_create_decompress(cinfo);
    job->progress.progress_monitor = watch;
    cinfo->progress = &job->progress;
    jpeg_mem_src(cinfo, job->decode->data, (unsigned long)job->size_bytes);
    jpeg_read_header(cinfo, TRUE);
    if (cinfo->num_components != 1 && cinfo->num_components != 3 && cinfo->num_components != 4)
        return img_fail(job->decode->error, -ENOTSUP, "a JPEG of %d components",
                        cinfo->num_components);
    return 0;
}

/* A file of several scans may end properly without the scans of a colour. */
static int components_check(const struct jpeg_job *job)
{
    const struct jpeg_decompress_struct *cinfo = &job->cinfo;
    for (int i = 0; i < cinfo->num_components; i++)
        if (!(job->components_seen >> i & 1) || (cinfo->coef_bits && cinfo->coef_bits[i][0] < 0))
            return img_fail(job->decode->error, -EBADMSG, "component %d has no scan", i + 1);
    return 0;
}

static int rows_push(struct jpeg_job *job)
{
    struct jpeg_decompress_struct *cinfo = &job->cinfo;
    const struct img_decode_job *decode = job->decode;
    const size_t stride = (size_t)cinfo->output_width * (unsigned)cinfo->output_components;
    JSAMPROW rows[STRIP_ROWS];
    for (size_t i = 0; i < STRIP_ROWS; i++)
        rows[i] = decode->strip->data + i * stride;

    jpeg_start_decompress(cinfo);
    while (cinfo->output_scanline < cinfo->output_height) {
        const JDIMENSION count = jpeg_read_scanlines(cinfo, rows, STRIP_ROWS);
        if (cinfo->out_color_space == JCS_CMYK) /* stored as Adobe does: 255 is no ink */
            for (size_t i = 0; i < count * stride; i++)
                decode->strip->data[i] = (uint8_t)~decode->strip->data[i];
        int r = decode->sink->rows(decode->sink, decode->strip->data, stride, count);
        if (r < 0)
            return r;
    }
    if (!img_fail_on_tolerates(decode->fail_on, -EBADMSG)) {
        int r = components_check(job);
        if (r < 0)
            return r;
    }
    jpeg_finish_decompress(cinfo); /* reads on to the end marker, complains without one */
    return 0;
}

/* ---- Between the steps ---- */

static int segments_read(struct jpeg_job *job)
{
    struct img_jpeg_segments *segments = &job->segments;
    img_jpeg_segments_find(job->decode->data, job->decode->size_bytes, segments);
    job->orientation = 1;
    if (segments->exif.data)
        job->orientation = img_exif_orientation(segments->exif.data, segments->exif.size_bytes);
    if (segments->icc_count == 0)
        return 0;
    job->icc = malloc(segments->icc_bytes);
    if (!job->icc)
        return img_fail(job->decode->error, -ENOMEM, "out of memory");
    img_jpeg_icc_join(segments, job->icc);
    return 0;
}

static bool chroma_is_uneven(const struct jpeg_decompress_struct *cinfo)
{
    const jpeg_component_info *components = cinfo->comp_info;
    for (int i = 1; i < cinfo->num_components; i++)
        if (components[i].h_samp_factor * components[0].v_samp_factor !=
            components[i].v_samp_factor * components[0].h_samp_factor)
            return true;
    return false;
}

static unsigned scale_choose(const struct jpeg_decompress_struct *cinfo, double shrink)
{
    if (shrink / 8 >= (chroma_is_uneven(cinfo) ? SHRINK_LEFT_MIN_UNEVEN : IMG_JPEG_SHRINK_LEFT_MIN))
        return 8;
    unsigned denominator = 4;
    while (denominator > 1 && shrink / denominator < SHRINK_LEFT_MIN_MIXED)
        denominator /= 2;
    return denominator;
}

static uint32_t scans_allowed(const struct jpeg_job *job, struct img_size size)
{
    const struct img_options *options = job->decode->options;
    uint64_t budget;
    if (__builtin_mul_overflow(options->pixels_max, SCAN_PIXELS_FACTOR, &budget))
        budget = UINT64_MAX;
    const uint64_t scans = budget / ((uint64_t)size.width_px * size.height_px);
    return scans < options->scans_max ? (uint32_t)scans : options->scans_max;
}

/* The coefficients of a file of several scans, all of which libjpeg holds; else it holds rows. */
static uint64_t whole_bytes(struct jpeg_decompress_struct *cinfo)
{
    uint64_t blocks = 0;
    if (!jpeg_has_multiple_scans(cinfo))
        return 0;
    for (int i = 0; i < cinfo->num_components; i++)
        blocks +=
            (uint64_t)cinfo->comp_info[i].width_in_blocks * cinfo->comp_info[i].height_in_blocks;
    return blocks * sizeof(JBLOCK);
}

/* Choose the scale and the colours, and tell the sink. Nothing here leaves by longjmp. */
static int decode_prepare(struct jpeg_job *job)
{
    const struct img_decode_job *decode = job->decode;
    struct jpeg_decompress_struct *cinfo = &job->cinfo;
    const struct img_size size = {cinfo->image_width, cinfo->image_height};
    int r = img_fit_check(size, decode->options, decode->error);
    if (r == 0)
        r = img_memory_check(whole_bytes(cinfo), decode->size_bytes, decode->options,
                             decode->error);
    if (r < 0)
        return r;
    r = segments_read(job);
    if (r < 0)
        return r;
    job->scans_max = scans_allowed(job, size);

    const unsigned denominator =
        scale_choose(cinfo, img_fit_shrink(size, job->orientation, decode->options));
    struct img_raster raster = {
        .source_width_px = size.width_px,
        .source_height_px = size.height_px,
        .width_px = (size.width_px + denominator - 1) / denominator,
        .height_px = (size.height_px + denominator - 1) / denominator,
        .area_width_px = (double)size.width_px / denominator,
        .area_height_px = (double)size.height_px / denominator,
        .sharpen_width = denominator == 8 ? 1 / 24.0 : 0, /* means, where it counts: of luma */
        .sharpen_height = denominator == 8 ? 1 / 24.0 : 0,
        .layout = IMG_LAYOUT_RGB,
        .depth_bits = 8,
        .orientation = job->orientation,
        .icc = job->icc,
        .icc_bytes = job->segments.icc_bytes,
    };
    cinfo->scale_num = 1;
    cinfo->scale_denom = denominator;
    cinfo->do_block_smoothing = FALSE; /* it alters DC where AC is not known yet */
    cinfo->out_color_space = JCS_RGB;
    if (cinfo->num_components == 1) {
        raster.layout = IMG_LAYOUT_GRAY;
        cinfo->out_color_space = JCS_GRAYSCALE;
    } else if (cinfo->num_components == 4) {
        raster.layout = IMG_LAYOUT_CMYK;
        cinfo->out_color_space = JCS_CMYK;
    }
    const size_t stride = (size_t)raster.width_px * img_layout_channels(raster.layout);
    if (img_buffer_need(decode->strip, stride * STRIP_ROWS) < 0)
        return img_fail(decode->error, -ENOMEM, "out of memory");
    return decode->sink->begin(decode->sink, &raster);
}

/* libjpeg computes the output's size by itself; the strip was made for ours. */
static int size_settle(struct jpeg_job *job)
{
    struct jpeg_decompress_struct *cinfo = &job->cinfo;
    jpeg_calc_output_dimensions(cinfo);
    const JDIMENSION denominator = cinfo->scale_denom;
    if (cinfo->output_width != (cinfo->image_width + denominator - 1) / denominator ||
        cinfo->output_height != (cinfo->image_height + denominator - 1) / denominator ||
        cinfo->out_color_components != (cinfo->num_components == 3 ? 3 : cinfo->num_components))
        return img_fail(job->decode->error, -ENOTSUP, "libjpeg scales in another way");
    return 0;
}

/* Where libjpeg stopped. */
struct jpeg_stop {
    bool in_scans;   /* behind the first scan's header and before the first row */
    size_t at_bytes; /* the bytes before were taken in */
};

/* Decode what stands in the first size_bytes of the data. ret_stop: written always. */
static int decode_part(const struct img_decode_job *decode, size_t size_bytes,
                       struct jpeg_stop *ret_stop)
{
    struct jpeg_job job = {
        .decode = decode, .size_bytes = size_bytes, .scans_max = decode->options->scans_max};
    job.cinfo.err = jpeg_std_error(&job.errors);
    job.cinfo.client_data = &job;
    job.errors.error_exit = leave;
    job.errors.emit_message = heed_message;
    job.errors.output_message = print_nothing;

    int r = guarded(&job, header_read);
    if (r == 0)
        r = decode_prepare(&job);
    if (r == 0)
        r = guarded(&job, size_settle);
    if (r == 0)
        r = guarded(&job, rows_push);
    ret_stop->in_scans = job.cinfo.input_scan_number >= 1 && job.cinfo.output_scanline == 0;
    ret_stop->at_bytes =
        !job.ended && job.cinfo.src ? size_bytes - job.cinfo.src->bytes_in_buffer : size_bytes;
    jpeg_destroy_decompress(&job.cinfo);
    free(job.icc);
    return r;
}

/* The offset of the last marker before an offset; 0: there is none. */
static size_t marker_before(const uint8_t *data, size_t at)
{
    while (at >= 2) {
        const uint8_t code = data[at - 1];
        if (data[at - 2] == 0xff && code != 0x00 && code != 0xff && (code & 0xf8) != 0xd0)
            return at - 2;
        at--;
    }
    return 0;
}

/* A file of several scans is read whole before the first row comes out, so one bad or cut segment
 * between two scans would lose all. Where that is tolerated, the file is taken to end before it. */
int img_decode_jpeg(const struct img_decode_job *decode)
{
    struct jpeg_stop stop = {.in_scans = false};
    int r = decode_part(decode, decode->size_bytes, &stop);
    if (!img_fail_on_tolerates(decode->fail_on, r) || !stop.in_scans)
        return r;
    const size_t part_bytes = marker_before(decode->data, stop.at_bytes);
    if (part_bytes == 0)
        return r;
    struct img_decode_job lax = *decode;
    lax.fail_on = IMG_FAIL_ON_NONE; /* the early end is of our making */
    return decode_part(&lax, part_bytes, &stop);
}
