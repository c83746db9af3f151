#include "png_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <imaging/png_inflate_priv.h>

#include "isolate.h"

static int record_begin(struct img_sink *sink, const struct img_raster *raster)
{
    struct png_record *record = (struct png_record *)sink;
    record->raster = *raster;
    record->raster.icc = NULL;
    record->rows = 0;
    record->row_bytes =
        (size_t)raster->width_px * img_layout_channels(raster->layout) * (raster->depth_bits / 8);
    free(record->pixels);
    record->pixels = malloc(record->row_bytes * raster->height_px);
    assert_non_null(record->pixels);
    return 0;
}

static int record_rows(struct img_sink *sink, const uint8_t *rows, size_t stride_bytes,
                       uint32_t count)
{
    struct png_record *record = (struct png_record *)sink;
    assert_true(record->rows + count <= record->raster.height_px);
    for (uint32_t i = 0; i < count; i++)
        memcpy(record->pixels + (record->rows + i) * record->row_bytes, rows + i * stride_bytes,
               record->row_bytes);
    record->rows += count;
    return record->rows_result;
}

int png_record_decode(int (*decode)(const struct img_decode_job *job), struct bytes file,
                      const struct img_options *options, enum img_fail_on fail_on,
                      struct png_record *record)
{
    struct img_buffer strip = {0};
    struct img_error error = {0};
    const struct img_decode_job job = {.data = file.data,
                                       .size_bytes = file.size,
                                       .format = IMG_FORMAT_PNG,
                                       .options = options,
                                       .fail_on = fail_on,
                                       .strip = &strip,
                                       .sink = &record->sink,
                                       .error = &error};
    record->sink = (struct img_sink){.begin = record_begin, .rows = record_rows};
    int r = decode(&job);
    img_buffer_done(&strip);
    return r;
}

int png_check(struct bytes file, const struct img_options *options, const char *what)
{
    struct png_record fast = {0}, slow = {0};
    int r = png_record_decode(img_decode_png_fast, file, options, IMG_FAIL_ON_ERROR, &fast);
    if (r == 0) {
        if (png_record_decode(img_decode_png, file, options, IMG_FAIL_ON_ERROR, &slow) != 0)
            fail_msg("%s: libpng takes it not", what);
        if (fast.rows != fast.raster.height_px || slow.rows != fast.rows ||
            memcmp(&fast.raster, &slow.raster, sizeof(fast.raster)) != 0 ||
            memcmp(fast.pixels, slow.pixels, fast.row_bytes * fast.rows) != 0)
            fail_msg("%s: other pixels than libpng's", what);
    } else if (r != -EAGAIN) {
        fail_msg("%s: %d", what, r);
    }
    free(fast.pixels), free(slow.pixels);
    return r;
}

int png_inflate_check(struct bytes stream, struct bytes right, size_t in_room, size_t piece)
{
    struct img_inflate *inflate = calloc(1, sizeof(*inflate));
    uint8_t *input = malloc(in_room + IMG_INFLATE_IN_SLACK);
    uint8_t *window = malloc(IMG_INFLATE_HISTORY_BYTES + piece + IMG_INFLATE_OUT_SLACK);
    assert_true(inflate && input && window);
    uint8_t *out = window, *limit = window + IMG_INFLATE_HISTORY_BYTES + piece;
    size_t taken = 0, done = 0;
    int r = 0;
    img_inflate_begin(inflate);
    inflate->in = inflate->in_end = input;
    while (r == 0 && inflate->state != IMG_INFLATE_END) {
        if (!inflate->in_is_last) {
            size_t have = (size_t)(inflate->in_end - inflate->in), count = in_room - have;
            memmove(input, inflate->in, have);
            if (count > stream.size - taken)
                count = stream.size - taken;
            memcpy(input + have, stream.data + taken, count);
            taken += count;
            inflate->in = input, inflate->in_end = input + have + count;
            inflate->in_is_last = taken == stream.size;
            memset(input + have + count, 0, IMG_INFLATE_IN_SLACK);
        }
        uint8_t *end;
        r = img_inflate_run(inflate, window, out, limit, &end);
        const size_t count = (size_t)(end - out);
        if (count > right.size - done && r == 0)
            r = -EBADMSG; /* more than there is: zlib had no room either */
        if (r == 0)
            assert_memory_equal(out, right.data + done, count);
        done += count;
        out = end;
        if (out >= limit) {
            memmove(window, out - IMG_INFLATE_HISTORY_BYTES, IMG_INFLATE_HISTORY_BYTES);
            out = window + IMG_INFLATE_HISTORY_BYTES;
        }
    }
    if (r == 0)
        assert_int_equal(done, right.size);
    free(inflate), free(input), free(window);
    return r;
}
