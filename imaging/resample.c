/* resample.c: see resample_priv.h.
 *
 * Pixels without alpha are whole numbers: samples of 8 bits, or of 13 where the source has 16,
 * times weights of 16 bits, added in 32. Between the passes a sample has six bits of fraction. The
 * weights' own fraction is as long as the kernel allows, and their sum is exact, so even colour
 * stays what it is.
 *
 * Pixels with alpha are floats from 0 to 255, premultiplied by alpha/255: dividing by a small alpha
 * needs more bits. Four rows take the pass along the row together, one a lane. As long as all
 * pixels are opaque, as they are in most pictures that could have alpha, RGBA goes the other way:
 * the first batch with another pixel turns the unfinished sums into floats.
 *
 * Both: source rows are added in batches, a block of columns at a time, so that the block stays in
 * the first-level cache while all sums that it belongs to are updated. A result is rounded to a
 * byte once, at the end. Sums are added in an order that depends on the picture's size alone, and
 * the build forbids fused multiply-add: the same picture gives the same bytes everywhere. */
#include "resample_priv.h"

#include <errno.h>
#include <string.h>

#define BATCH_ROWS    IMG_ROWS_BATCH
#define LANES         IMG_ROWS_LANES
#define BLOCK_SAMPLES ((size_t)768)             /* of whole pixels, whatever the channels */
#define KEEP_BYTES    ((size_t)8 * 1024 * 1024) /* what a picture may leave behind per buffer */

/* ---- Start ---- */

/* How many result rows are unfinished at once, at most: while a batch is added, all rows that it
 * overlaps; and before it, complete rows that wait to be as many as there are lanes. */
static uint32_t sums_rows_needed(const struct img_kernel *down, uint32_t source_height_px,
                                 bool alpha)
{
    uint32_t most = 1;
    uint32_t oldest = 0;
    uint32_t newest = 0;
    for (uint32_t at = 0; at < source_height_px; at += BATCH_ROWS) {
        while (newest < down->count && down->first[newest] < at + BATCH_ROWS)
            newest++;
        while (oldest < newest && down->first[oldest] + down->taps[oldest] <= at)
            oldest++;
        if (newest - oldest > most)
            most = newest - oldest;
    }
    most += alpha ? LANES - 1 : 0;
    return most < down->count ? most : down->count;
}

static int kernels_init(struct img_resampler *r)
{
    const struct img_resample_spec *spec = &r->spec;
    struct img_axis across = {
        .source_px = spec->source_width_px,
        .area_px = spec->area_width_px,
        .count = spec->width_px,
        .step_px = spec->step_width_px,
        .origin_px = spec->origin_width_px,
        .sharpen = spec->sharpen_width,
        .sample_max = INT16_MAX,
    };
    struct img_axis down = {
        .source_px = spec->source_height_px,
        .area_px = spec->area_height_px,
        .count = spec->height_px,
        .step_px = spec->step_height_px,
        .origin_px = spec->origin_height_px,
        .sharpen = spec->sharpen_height,
        .sample_max = spec->depth_bits == 8 ? 255 : IMG_ROWS_SAMPLE_MAX,
        .even = true,
    };
    img_axis_narrow(&across, &r->columns.first);
    img_axis_narrow(&down, &r->rows.first);
    r->columns.count = across.source_px;
    r->rows.count = down.source_px;
    if (spec->like) {
        img_kernel_borrow(&r->across, &spec->like->across);
        img_kernel_borrow(&r->down, &spec->like->down);
        return 0;
    }
    int ret = img_kernel_init(&r->across, &across);
    return ret < 0 ? ret : img_kernel_init(&r->down, &down);
}

int img_resample_begin(struct img_resampler *resampler, const struct img_resample_spec *spec,
                       uint8_t *result)
{
    struct img_resampler *r = resampler;
    r->spec = *spec;
    if (!r->spec.loops)
        r->spec.loops = img_row_loops_at(0);
    r->result = result;
    r->channels = img_layout_channels(spec->layout);
    r->alpha = img_layout_has_alpha(spec->layout);
    r->floats = spec->layout == IMG_LAYOUT_GRAY_ALPHA;
    r->rows_come = 0;
    r->waiting_first = r->waiting_count = 0;
    r->opened = r->complete = r->finished = 0;
    img_buffer_trim(&r->waiting, KEEP_BYTES);
    img_buffer_trim(&r->sums, KEEP_BYTES);
    img_buffer_trim(&r->line, KEEP_BYTES);

    if (kernels_init(r) < 0)
        return -ENOMEM;
    r->row_samples = (size_t)r->columns.count * r->channels;
    r->sum_row_stride = (r->row_samples + IMG_ROWS_SLACK - 1) / IMG_ROWS_SLACK * IMG_ROWS_SLACK;
    r->sums_rows = sums_rows_needed(&r->down, r->rows.count, r->alpha);

    /* The widest row has a million pixels of four channels: no product here can overflow. A sum
     * takes four bytes, be it a float or a whole number. */
    const size_t row_bytes = r->row_samples * (spec->depth_bits / 8);
    const size_t sum_bytes = r->sum_row_stride * sizeof(float);
    const size_t line_bytes =
        r->alpha ? sum_bytes * LANES : (r->sum_row_stride + IMG_ROWS_SLACK) * sizeof(int16_t);
    const size_t block_bytes = (BLOCK_SAMPLES + IMG_ROWS_SLACK) * BATCH_ROWS * sizeof(float);
    if (img_buffer_need(&r->waiting, row_bytes * BATCH_ROWS) < 0 ||
        img_buffer_need(&r->sums, sum_bytes * r->sums_rows) < 0 ||
        img_buffer_need(&r->line, line_bytes) < 0 || img_buffer_need(&r->block, block_bytes) < 0)
        return -ENOMEM;
    return 0;
}

/* ---- Whole numbers ---- */

static int32_t *sum_row(const struct img_resampler *r, uint32_t row)
{
    return (int32_t *)(void *)r->sums.data + (row % r->sums_rows) * r->sum_row_stride;
}

static unsigned sum_fraction(const struct img_resampler *r)
{
    return r->down.shift + (r->spec.depth_bits == 8 ? 0 : IMG_ROWS_SAMPLE_BITS);
}

/* Rows in pairs; the last of an odd number beside itself, where its weight is 0. */
static void block_pair(const struct img_resampler *r, const uint8_t *rows, size_t stride_bytes,
                       uint32_t count, size_t from, size_t samples)
{
    const struct img_row_loops *loops = r->spec.loops;
    uint32_t *to = (uint32_t *)(void *)r->block.data;
    for (uint32_t i = 0; i < count; i += 2, to += BLOCK_SAMPLES) {
        const uint8_t *low = rows + i * stride_bytes;
        const uint8_t *high = i + 1 < count ? low + stride_bytes : low;
        if (r->spec.depth_bits == 8)
            loops->pair_8(to, low + from, high + from, samples);
        else
            loops->pair_16(to, (const uint16_t *)(const void *)low + from,
                           (const uint16_t *)(const void *)high + from, samples);
    }
}

/* Add the batch to one result row, for one block of columns. Batches begin at even rows, as the
 * weights do. */
static void block_add(const struct img_resampler *r, uint32_t row, uint32_t batch_count,
                      uint32_t first_new, size_t from, size_t samples)
{
    const uint32_t first = r->down.first[row];
    const uint32_t end = first + r->down.taps[row];
    const uint32_t batch_end = r->waiting_first + batch_count;
    const uint32_t start = first > r->waiting_first ? first : r->waiting_first;
    const uint32_t stop = end < batch_end ? end : batch_end;
    if (start >= stop)
        return;
    const uint32_t *pairs = (const uint32_t *)(const void *)r->block.data;
    r->spec.loops->add(sum_row(r, row) + from,
                       pairs + (start - r->waiting_first) / 2 * BLOCK_SAMPLES, BLOCK_SAMPLES,
                       r->down.whole + (size_t)row * r->down.stride + (start - first),
                       (stop - start + 1) / 2, samples, row >= first_new);
}

static void rows_finish(struct img_resampler *r)
{
    const struct img_row_loops *loops = r->spec.loops;
    int16_t *line = (int16_t *)(void *)r->line.data;
    const size_t stride = (size_t)r->across.count * r->channels;
    for (; r->finished < r->complete; r->finished++) {
        loops->narrow(line, sum_row(r, r->finished), r->row_samples,
                      sum_fraction(r) - IMG_ROWS_BETWEEN_BITS);
        if (r->spec.wide)
            loops->shrink_wide((int16_t *)(void *)r->result + r->finished * stride, line,
                               &r->across);
        else
            loops->shrink(r->result + r->finished * stride, line, &r->across, r->channels);
    }
}

/* ---- Floats ---- */

static float *float_sum_row(const struct img_resampler *r, uint32_t row)
{
    return (float *)(void *)r->sums.data + (row % r->sums_rows) * r->sum_row_stride;
}

static void float_block_convert(const struct img_resampler *r, const uint8_t *rows,
                                size_t stride_bytes, uint32_t count, size_t from, size_t samples)
{
    const struct img_row_loops *loops = r->spec.loops;
    float *to = (float *)(void *)r->block.data;
    for (uint32_t i = 0; i < count; i++, to += BLOCK_SAMPLES) {
        const uint8_t *row = rows + i * stride_bytes;
        if (r->spec.depth_bits == 8)
            loops->float_8(to, row + from, samples, r->channels);
        else
            loops->float_16(to, (const uint16_t *)(const void *)row + from, samples, r->channels);
    }
}

static void float_block_add(const struct img_resampler *r, uint32_t row, uint32_t batch_count,
                            size_t from, size_t samples)
{
    const uint32_t first = r->down.first[row];
    const uint32_t end = first + r->down.taps[row];
    const float *weights = r->down.weights + (size_t)row * r->down.stride;
    const float *block = (const float *)(const void *)r->block.data;
    uint32_t at = first > r->waiting_first ? first : r->waiting_first;
    const uint32_t batch_end = r->waiting_first + batch_count;
    const uint32_t stop = end < batch_end ? end : batch_end;
    float *sums = float_sum_row(r, row) + from;
    while (at < stop) {
        const unsigned rows = at + 4 <= stop ? 4 : 1;
        r->spec.loops->float_add(sums, block + (at - r->waiting_first) * BLOCK_SAMPLES,
                                 BLOCK_SAMPLES, weights + (at - first), rows, samples);
        at += rows;
    }
}

static void lanes_finish(struct img_resampler *r, uint32_t count)
{
    const float *rows[LANES];
    for (uint32_t lane = 0; lane < LANES; lane++)
        rows[lane] = float_sum_row(r, r->finished + (lane < count ? lane : count - 1));
    float *lanes = (float *)(void *)r->line.data;
    for (size_t i = 0; i < r->row_samples; i++)
        for (uint32_t lane = 0; lane < LANES; lane++)
            lanes[i * LANES + lane] = rows[lane][i];
    const size_t stride = (size_t)r->across.count * r->channels;
    r->spec.loops->float_shrink(r->result + r->finished * stride, stride, count, lanes, &r->across,
                                r->channels);
    r->finished += count;
}

static void float_rows_finish(struct img_resampler *r)
{
    while (r->complete - r->finished >= LANES)
        lanes_finish(r, LANES);
    if (r->complete == r->down.count && r->finished < r->complete)
        lanes_finish(r, r->complete - r->finished);
}

/* ---- From whole numbers to floats ---- */

static bool row_is_opaque(const struct img_resampler *r, const uint8_t *row)
{
    const size_t pixel_bytes = r->channels * (r->spec.depth_bits / 8);
    const size_t row_bytes = r->columns.count * pixel_bytes;
    uint64_t all = UINT64_MAX; /* a pixel, or two */
    uint8_t ones[sizeof(all)];
    for (size_t i = 0; i + sizeof(all) <= row_bytes; i += sizeof(all)) {
        uint64_t some;
        memcpy(&some, row + i, sizeof(some));
        all &= some;
    }
    memcpy(ones, &all, sizeof(all));
    for (size_t i = row_bytes / sizeof(all) * sizeof(all); i < row_bytes; i++)
        ones[i % sizeof(all)] &= row[i];
    return r->spec.depth_bits == 8 ? (ones[3] & ones[7]) == 255 : (ones[6] & ones[7]) == 255;
}

static bool batch_is_opaque(const struct img_resampler *r, const uint8_t *rows, size_t stride_bytes,
                            uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!row_is_opaque(r, rows + i * stride_bytes))
            return false;
    return true;
}

/* What is opaque is the same with and without alpha in it: only the numbers change. */
static void floats_turn(struct img_resampler *r)
{
    const float unit = 1.0f / (float)(1u << sum_fraction(r));
    for (uint32_t row = r->finished; row < r->opened; row++) {
        uint8_t *at = (uint8_t *)sum_row(r, row);
        for (size_t i = 0; i < r->row_samples; i++, at += sizeof(float)) {
            int32_t whole;
            memcpy(&whole, at, sizeof(whole));
            const float value = (float)whole * unit;
            memcpy(at, &value, sizeof(value));
        }
    }
    r->floats = true;
}

/* ---- All ---- */

/* At its own size a picture is only brought to bytes, exactly. */
static void rows_copy(struct img_resampler *r, const uint8_t *rows, size_t stride_bytes,
                      uint32_t count)
{
    const size_t samples = (size_t)r->across.count * r->channels;
    for (uint32_t i = 0; i < count && r->finished < r->down.count; i++) {
        const uint8_t *row = rows + i * stride_bytes;
        uint8_t *to = r->result + r->finished * samples;
        if (r->spec.depth_bits == 8)
            memcpy(to, row, samples);
        else
            for (size_t s = 0; s < samples; s++)
                to[s] = (uint8_t)((((const uint16_t *)(const void *)row)[s] + 128) / 257);
        r->finished++;
    }
    r->opened = r->complete = r->finished;
}

static void batch_add(struct img_resampler *r, const uint8_t *rows, size_t stride_bytes,
                      uint32_t count)
{
    const uint32_t end = r->waiting_first + count;
    const uint32_t first_new = r->opened;
    if (r->across.copies && r->down.copies && !r->alpha && !r->spec.wide) {
        rows_copy(r, rows, stride_bytes, count);
        r->waiting_first = end;
        return;
    }
    if (r->alpha && !r->floats && !batch_is_opaque(r, rows, stride_bytes, count))
        floats_turn(r);
    for (; r->opened < r->down.count && r->down.first[r->opened] < end; r->opened++)
        if (r->floats)
            memset(float_sum_row(r, r->opened), 0, r->row_samples * sizeof(float));

    const size_t block = BLOCK_SAMPLES / r->channels * r->channels;
    for (size_t from = 0; from < r->row_samples; from += block) {
        const size_t left = r->row_samples - from;
        const size_t samples = left < block ? left : block;
        if (r->floats)
            float_block_convert(r, rows, stride_bytes, count, from, samples);
        else
            block_pair(r, rows, stride_bytes, count, from, samples);
        for (uint32_t row = r->complete; row < r->opened; row++)
            if (r->floats)
                float_block_add(r, row, count, from, samples);
            else
                block_add(r, row, count, first_new, from, samples);
    }
    r->waiting_first = end;

    while (r->complete < r->opened && r->down.first[r->complete] + r->down.taps[r->complete] <= end)
        r->complete++;
    if (r->floats)
        float_rows_finish(r);
    else
        rows_finish(r);
}

/* A batch that comes in one piece is taken where it lies; pieces are put together first. Batches
 * are the same, however the rows come. */
static void rows_take(struct img_resampler *r, const uint8_t *rows, size_t stride_bytes,
                      uint32_t count)
{
    const size_t row_bytes = r->row_samples * (r->spec.depth_bits / 8);
    const bool aligned = r->spec.depth_bits == 8 || ((uintptr_t)rows | stride_bytes) % 2 == 0;
    while (count > 0) {
        const uint32_t left = r->rows.count - r->waiting_first;
        const uint32_t batch = left < BATCH_ROWS ? left : BATCH_ROWS;
        if (batch == 0)
            return;
        uint32_t taken = batch - r->waiting_count < count ? batch - r->waiting_count : count;
        if (taken == batch && aligned) {
            batch_add(r, rows, stride_bytes, batch);
        } else {
            for (uint32_t i = 0; i < taken; i++)
                memcpy(r->waiting.data + (r->waiting_count + i) * row_bytes,
                       rows + i * stride_bytes, row_bytes);
            r->waiting_count += taken;
            if (r->waiting_count == batch) {
                r->waiting_count = 0;
                batch_add(r, r->waiting.data, row_bytes, batch);
            }
        }
        rows += taken * stride_bytes;
        count -= taken;
    }
}

void img_resample_rows(struct img_resampler *resampler, const uint8_t *rows, size_t stride_bytes,
                       uint32_t count)
{
    struct img_resampler *r = resampler;
    const uint32_t left = r->spec.source_height_px - r->rows_come;
    const uint32_t come = count < left ? count : left;
    const uint32_t above = r->rows.first > r->rows_come ? r->rows.first - r->rows_come : 0;
    const uint32_t rows_end = r->rows.first + r->rows.count;
    const uint32_t usable = r->rows_come < rows_end ? rows_end - r->rows_come : 0;
    const uint32_t end = come < usable ? come : usable;
    r->rows_come += come;
    if (above >= end)
        return;
    const size_t column_bytes = (size_t)r->columns.first * r->channels * (r->spec.depth_bits / 8);
    rows_take(r, rows + above * stride_bytes + column_bytes, stride_bytes, end - above);
}

bool img_resample_is_complete(const struct img_resampler *resampler)
{
    return resampler->finished == resampler->spec.height_px &&
           resampler->rows_come == resampler->spec.source_height_px;
}

void img_resample_done(struct img_resampler *resampler)
{
    img_kernel_done(&resampler->across);
    img_kernel_done(&resampler->down);
    img_buffer_done(&resampler->waiting);
    img_buffer_done(&resampler->sums);
    img_buffer_done(&resampler->block);
    img_buffer_done(&resampler->line);
}
