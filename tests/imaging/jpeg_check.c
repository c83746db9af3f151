#include "jpeg_check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <imaging/decode_priv.h>
#include <imaging/jpeg_markers_priv.h>
#include <imaging/jpeg_planes_priv.h>
#include <imaging/jpeg_scan_priv.h>

#include "isolate.h"
#include "jpeg_maker.h"

static void *zeroed(size_t count, size_t bytes)
{
    void *memory = calloc(count ? count : 1, bytes);
    assert_non_null(memory);
    return memory;
}

/* ---- Coefficients ---- */

struct coefficients {
    struct img_jpeg_frame frame;
    unsigned seen; /* a bit for each component */
    unsigned last;
    int16_t *of[IMG_JPEG_COMPONENTS_MAX]; /* owned; 64 for each block of whole MCUs */
};

static int scan_rows_read(struct coefficients *read, struct img_jpeg_scan *scan)
{
    int16_t *rows[IMG_JPEG_COMPONENTS_MAX];
    int r = 0;
    for (uint32_t y = 0; r == 0 && y < scan->mcus_down; y++) {
        for (unsigned i = 0; i < read->frame.component_count; i++)
            rows[i] = read->of[i] +
                      (size_t)64 * y * img_jpeg_scan_rows(scan, i) * img_jpeg_scan_columns(scan, i);
        r = img_jpeg_scan_row(scan, rows);
    }
    for (unsigned i = 0; r == 0 && i < scan->component_count; i++)
        read->seen |= 1u << scan->components[i];
    return r;
}

static int scan_read(struct coefficients *read, struct img_jpeg_scan *scan, const uint8_t *data,
                     size_t size, size_t *at)
{
    const struct img_jpeg_wanted want = {.last = read->last, .step = 64};
    const struct img_jpeg_wanted wanted[3] = {want, want, want};
    const uint8_t *header = NULL, *end = NULL;
    size_t header_bytes = 0;
    int r = img_jpeg_segment_next(data, size, at, &header, &header_bytes);
    if (r == 0)
        r = img_jpeg_scan_begin(scan, &read->frame, wanted, header, header_bytes, data, size, *at);
    for (unsigned i = 0; r == 0 && i < scan->component_count; i++)
        if (read->seen >> scan->components[i] & 1) /* as the decoder does */
            r = -EAGAIN;
    if (r == 0)
        r = scan_rows_read(read, scan);
    if (r == 0)
        r = img_jpeg_scan_end(scan, &end);
    if (r == 0)
        *at = (size_t)(end - data);
    return r;
}

static int scans_read(struct coefficients *read, struct img_jpeg_scan *scan, const uint8_t *data,
                      size_t size)
{
    size_t at = read->frame.first_scan + 2;
    int r = scan_read(read, scan, data, size, &at);
    while (r == 0) {
        const int marker = img_jpeg_marker_next(data, size, &at);
        const uint8_t *body = NULL;
        size_t body_bytes = 0;
        if (marker == IMG_JPEG_EOI)
            return read->seen == (1u << read->frame.component_count) - 1 ? 0 : -EAGAIN;
        if (marker == IMG_JPEG_SOS) {
            r = scan_read(read, scan, data, size, &at);
            continue;
        }
        if (img_jpeg_marker_is_restart(marker))
            continue;
        r = marker < 0 ? marker : img_jpeg_segment_next(data, size, &at, &body, &body_bytes);
        if (r == 0 && !img_jpeg_marker_is_metadata(marker))
            r = img_jpeg_tables_read(&read->frame, (uint8_t)marker, body, body_bytes);
    }
    return r;
}

/* Rows of the scan that are not of whole MCUs have their own width. */
static bool component_is_equal(const struct coefficients *read, const struct jpeg_oracle *oracle,
                               unsigned c, bool single)
{
    const struct img_jpeg_component *component = &read->frame.components[c];
    const size_t columns = single ? component->width_blocks : component->padded_width_blocks;
    if (oracle->width_blocks[c] != component->width_blocks ||
        oracle->height_blocks[c] != component->height_blocks)
        return false;
    for (size_t y = 0; y < component->height_blocks; y++)
        for (size_t x = 0; x < component->width_blocks; x++) {
            const int16_t *ours = read->of[c] + 64 * (y * columns + x);
            const int16_t *theirs =
                oracle->coefficients[c] + 64 * (y * component->width_blocks + x);
            for (unsigned k = 0; k < 64; k++)
                if (ours[k] != (k <= read->last ? theirs[k] : 0))
                    return false;
        }
    return true;
}

static enum jpeg_verdict coefficients_compare(const struct coefficients *read, bool single,
                                              const uint8_t *data, size_t size)
{
    struct jpeg_oracle oracle;
    jpeg_oracle_read(&oracle, data, size);
    bool equal = oracle.accepted && oracle.components == read->frame.component_count;
    for (unsigned c = 0; equal && c < oracle.components; c++)
        equal = component_is_equal(read, &oracle, c, single);
    jpeg_oracle_done(&oracle);
    return equal ? JPEG_EQUAL : JPEG_DIFFERENT;
}

enum jpeg_verdict jpeg_coefficients_check(const uint8_t *data, size_t size, unsigned last)
{
    struct coefficients read = {.last = last};
    uint64_t blocks = 0;
    int r = img_jpeg_frame_read(data, size, &read.frame);
    if (r < 0 || read.frame.progressive)
        return JPEG_DECLINED;
    for (unsigned c = 0; c < read.frame.component_count; c++)
        blocks += (uint64_t)read.frame.components[c].padded_width_blocks *
                  read.frame.components[c].padded_height_blocks;
    if (blocks / 4 > size) /* as the decoder does: fewer bits than the blocks need */
        return JPEG_DECLINED;
    struct img_jpeg_scan *scan = zeroed(1, sizeof(*scan));
    for (unsigned c = 0; c < read.frame.component_count; c++)
        read.of[c] = zeroed((size_t)read.frame.components[c].padded_width_blocks *
                                read.frame.components[c].padded_height_blocks,
                            64 * sizeof(int16_t));
    enum jpeg_verdict verdict = JPEG_DECLINED;
    if (scans_read(&read, scan, data, size) == 0)
        verdict = coefficients_compare(&read, scan->component_count == 1, data, size);
    for (unsigned c = 0; c < 3; c++)
        free(read.of[c]);
    free(scan);
    return verdict;
}

/* ---- Planes ---- */

struct plane_sink {
    struct img_sink sink; /* first */
    struct img_planar_raster raster;
    uint8_t *rows[3]; /* owned */
    uint32_t rows_come[3];
};

static int planes_begin(struct img_sink *sink, const struct img_planar_raster *raster)
{
    struct plane_sink *planes = (struct plane_sink *)sink;
    planes->raster = *raster;
    for (unsigned i = 0; i < raster->plane_count; i++) {
        planes->rows[i] = zeroed(raster->planes[i].width_px, raster->planes[i].height_px);
        planes->rows_come[i] = 0;
    }
    return 0;
}

static int planes_rows(struct img_sink *sink, unsigned plane, const uint8_t *rows,
                       size_t stride_bytes, uint32_t count)
{
    struct plane_sink *planes = (struct plane_sink *)sink;
    const struct img_plane *of = &planes->raster.planes[plane];
    for (uint32_t i = 0; i < count && planes->rows_come[plane] < of->height_px; i++)
        memcpy(planes->rows[plane] + (size_t)of->width_px * planes->rows_come[plane]++,
               rows + i * stride_bytes, of->width_px);
    return 0;
}

/* The transform as its definition says; but of two pixels, each is the mean of its half of the
 * block, as nearly as 15/16 of the coefficient make it, and nothing goes both ways. */
static double pixel_expected(const int16_t *block, const uint16_t *quant, unsigned across,
                             unsigned down, uint32_t x, uint32_t y)
{
    static const uint8_t rows[64] = {0, 0, 1, 2, 1, 0, 0, 1, 2, 3, 4, 3, 2, 1, 0, 0,
                                     1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1, 0, 0, 1, 2, 3,
                                     4, 5, 6, 7, 7, 6, 5, 4, 3, 2, 1, 2, 3, 4, 5, 6,
                                     7, 7, 6, 5, 4, 3, 4, 5, 6, 7, 7, 6, 5, 6, 7, 7};
    static const uint8_t columns[64] = {0, 1, 0, 0, 1, 2, 3, 2, 1, 0, 0, 1, 2, 3, 4, 5,
                                        4, 3, 2, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 6, 5, 4,
                                        3, 2, 1, 0, 1, 2, 3, 4, 5, 6, 7, 7, 6, 5, 4, 3,
                                        2, 3, 4, 5, 6, 7, 7, 6, 5, 4, 5, 6, 7, 7, 6, 7};
    const bool halves = across <= 2 && down <= 2;
    double sum = 0;
    for (unsigned k = 0; k < 64; k++)
        if (rows[k] < down && columns[k] < across && !(halves && k == 4))
            sum += (halves && k > 0 ? 15.0 / 16 : 1) * block[k] * quant[k] / 4.0 *
                   (rows[k] ? 1 : M_SQRT1_2) * (columns[k] ? 1 : M_SQRT1_2) *
                   cos((2 * x + 1) * columns[k] * M_PI / (2 * across)) *
                   cos((2 * y + 1) * rows[k] * M_PI / (2 * down));
    return sum + 128;
}

static bool plane_is_equal(const struct plane_sink *planes, const struct jpeg_oracle *oracle,
                           const struct img_jpeg_frame *frame, unsigned c)
{
    const struct img_plane *plane = &planes->raster.planes[c];
    const double across_blocks = frame->width_px * frame->components[c].h / 8.0 / frame->h_max;
    const double down_blocks = frame->height_px * frame->components[c].v / 8.0 / frame->v_max;
    const unsigned across = (unsigned)lround(plane->area_width_px / across_blocks);
    const unsigned down = (unsigned)lround(plane->area_height_px / down_blocks);
    if (fabs(plane->area_width_px - across_blocks * across) > 1e-6 ||
        fabs(plane->area_height_px - down_blocks * down) > 1e-6 ||
        plane->width_px != (uint32_t)ceil(plane->area_width_px) ||
        plane->height_px != (uint32_t)ceil(plane->area_height_px) ||
        planes->rows_come[c] != plane->height_px)
        return false;
    const uint16_t *quant = oracle->quant[c];
    for (uint32_t y = 0; y < plane->height_px; y++)
        for (uint32_t x = 0; x < plane->width_px; x++) {
            const int16_t *block = oracle->coefficients[c] +
                                   64 * ((size_t)(y / down) * oracle->width_blocks[c] + x / across);
            double want = pixel_expected(block, quant, across, down, x % across, y % down);
            want = want < 0 ? 0 : want > 255 ? 255 : want;
            if (across == 1 && down == 1 &&
                planes->rows[c][(size_t)y * plane->width_px + x] != (int)floor(want + 0.5 + 1e-6))
                return false;
            if (fabs(want - planes->rows[c][(size_t)y * plane->width_px + x]) >
                0.51 + (across <= 2 && down <= 2 ? 0.125 : 0))
                return false;
        }
    return true;
}

/* Scans that were passed over may hide what libjpeg complains of. */
static enum jpeg_verdict planes_compare(const struct plane_sink *planes, const uint8_t *data,
                                        size_t size)
{
    struct img_jpeg_frame frame;
    struct jpeg_oracle oracle;
    img_jpeg_frame_read(data, size, &frame);
    jpeg_oracle_read(&oracle, data, size);
    const bool hidden = frame.progressive && !oracle.accepted;
    bool equal = oracle.accepted && oracle.components == planes->raster.plane_count &&
                 planes->raster.source_width_px == frame.width_px &&
                 planes->raster.source_height_px == frame.height_px;
    for (unsigned c = 0; equal && c < oracle.components; c++)
        equal = plane_is_equal(planes, &oracle, &frame, c);
    jpeg_oracle_done(&oracle);
    return equal || hidden ? JPEG_EQUAL : JPEG_DIFFERENT;
}

static enum jpeg_verdict planes_check(int (*decode)(const struct img_decode_job *job),
                                      const uint8_t *data, size_t size,
                                      const struct img_options *options, unsigned *ret_denominator)
{
    struct plane_sink planes = {.sink = {.begin_planar = planes_begin, .plane_rows = planes_rows}};
    struct img_buffer strip = {.data = NULL}, scan = {.data = NULL};
    struct img_error error = {.code = 0};
    const struct img_decode_job job = {
        .data = data,
        .size_bytes = size,
        .format = IMG_FORMAT_JPEG,
        .options = options,
        .fail_on = options->fail_on,
        .strip = &strip,
        .scan = &scan,
        .sink = &planes.sink,
        .error = &error,
    };
    const int r = decode(&job);
    enum jpeg_verdict verdict = r == -EAGAIN ? JPEG_DECLINED : JPEG_DIFFERENT;
    if (r == 0)
        verdict = planes_compare(&planes, data, size);
    if (r == 0 && ret_denominator)
        *ret_denominator =
            (unsigned)lround(planes.raster.source_width_px / planes.raster.planes[0].area_width_px);
    for (unsigned i = 0; i < 3; i++)
        free(planes.rows[i]);
    img_buffer_done(&strip);
    img_buffer_done(&scan);
    return verdict;
}

enum jpeg_verdict jpeg_planes_check(const uint8_t *data, size_t size,
                                    const struct img_options *options, unsigned *ret_denominator)
{
    return planes_check(img_decode_jpeg_fast, data, size, options, ret_denominator);
}

enum jpeg_verdict jpeg_progressive_planes_check(const uint8_t *data, size_t size,
                                                const struct img_options *options)
{
    return planes_check(img_decode_jpeg_progressive, data, size, options, NULL);
}
