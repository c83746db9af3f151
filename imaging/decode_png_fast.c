/* decode_png_fast.c: regular PNG files, faster than libpng and zlib.
 *
 * The header is read by libpng, as for decode_png.c (png_header.c), so that palettes, transparent
 * colours and profiles are what it says they are. From the first IDAT on the file is read here: the
 * chunks' contents are gathered in a small buffer, inflated into a window, their filters undone and
 * their samples expanded strip by strip, each while the one before is still in the processor's
 * cache. Memory grows with the width alone.
 *
 * It takes files that are not interlaced, whose IDAT chunks follow each other, with nothing behind
 * them but text, time, orientation and an animation's frames, and nothing behind IEND. It declines,
 * with -EAGAIN, whatever libpng would complain of, and more: any damage to a length, checksum, code
 * or filter, data that end too early or go on too long, limits that are exceeded, unusual windows.
 * libpng then decides, from the start, and finds the words. It declines lax decodings and the
 * strictest ones: those want libpng's opinion of every chunk.
 *
 * Rows that came before a damage was seen have been pushed; the next decoder begins anew.
 *
 * Errors leave libpng by longjmp into guarded(), which owns nothing. */
#include "decode_priv.h"

#include <errno.h>
#include <setjmp.h>
#include <string.h>

#include <libdeflate.h>
#include <png.h>

#include "error_priv.h"
#include "exif_priv.h"
#include "fit_priv.h"
#include "png_header_priv.h"
#include "png_inflate_priv.h"
#include "png_rows_priv.h"

#define CHUNK_FRAME 12 /* length, name and checksum */

/* Larger chunks behind the pixels are left to libpng. */
#define TRAILER_BYTES_MAX ((size_t)8 * 1024 * 1024)

/* Chosen so that all buffers of a usual picture fit into a second-level cache together. */
#define INPUT_BYTES    ((size_t)32 * 1024)
#define PIECE_BYTES    ((size_t)96 * 1024)
#define STRIP_BYTES    ((size_t)128 * 1024)
#define STRIP_ROWS_MAX 16
#define STRIP_ROWS_MIN 4

/* Filters are undone in so many rows at once. Rows wait for each other if they are not longer than
 * this. */
#define ROWS_AT_ONCE      4
#define WAITING_ROW_BYTES ((size_t)64 * 1024)

struct fast_job {
    const struct img_decode_job *decode;
    png_structp png; /* owned */
    png_infop info;  /* owned */
    size_t offset;   /* of the next byte to read */
    bool no_memory;
    bool interlaced;
    struct img_raster raster;
    struct img_png_expansion expansion;
    bool expands;
    unsigned pixel_bytes; /* as the filters see it: at least 1 */
    size_t row_bytes;     /* as stored, without the filter's byte */
    uint64_t raw_bytes;   /* of all rows, with the filters' bytes */

    /* The stream. */
    size_t chunk_left; /* bytes of this IDAT still to be read, from offset on */
    uint32_t chunk_sum;
    uint8_t *input;
    struct img_inflate inflate;
    uint32_t adler;
    uint64_t produced;

    /* The window: history, then what has been inflated and not yet used. */
    uint8_t *window;
    uint8_t *window_limit;
    uint8_t *from; /* the next row */
    uint8_t *to;   /* the end of what is there */

    /* The strip: the row above it, then rows unfiltered; and the rows expanded, if they are. */
    uint8_t *strip;
    uint8_t *expanded;
    size_t stride_bytes;
    size_t expanded_stride_bytes;
    uint32_t strip_rows; /* room for so many */
    uint32_t strip_used;
    uint32_t rows_done;
    bool rows_wait;
};

static void heed_error(png_structp png, png_const_charp message) __attribute__((noreturn));
static void heed_error(png_structp png, png_const_charp message)
{
    struct fast_job *job = png_get_error_ptr(png);
    job->no_memory = strstr(message, "memory") != NULL;
    png_longjmp(png, 1);
}

/* A side chunk with a wrong checksum is passed over, but for the one that makes pixels
 * transparent. */
static void heed_warning(png_structp png, png_const_charp message)
{
    if (strncmp(message, "tRNS", 4) == 0)
        png_error(png, message);
}

static void read_bytes(png_structp png, png_bytep to, size_t count)
{
    struct fast_job *job = png_get_io_ptr(png);
    if (count > job->decode->size_bytes - job->offset)
        png_error(png, "the data ends early");
    memcpy(to, job->decode->data + job->offset, count);
    job->offset += count;
}

static int guarded(struct fast_job *job, int (*step)(struct fast_job *job))
{
    if (setjmp(png_jmpbuf(job->png)))
        return job->no_memory ? -ENOMEM : -EAGAIN;
    return step(job);
}

/* ---- The header: under guarded() ---- */

static void palette_fill(struct fast_job *job, unsigned depth, unsigned colour_type)
{
    struct img_png_expansion *expansion = &job->expansion;
    png_colorp colours = NULL;
    png_bytep alphas = NULL;
    int colour_count = 0, alpha_count = 0;
    if (colour_type != PNG_COLOR_TYPE_PALETTE) { /* grays of few bits */
        const unsigned mask = (1u << depth) - 1;
        for (unsigned i = 0; i <= mask; i++) {
            expansion->palette[i][0] = (uint8_t)(i * 255 / mask);
            expansion->palette[i][1] = i == (expansion->key[0] & mask) ? 0 : 255;
        }
        return;
    }
    expansion->has_palette = true;
    png_get_PLTE(job->png, job->info, &colours, &colour_count);
    if (expansion->adds_alpha)
        png_get_tRNS(job->png, job->info, &alphas, &alpha_count, NULL);
    for (int i = 0; i < 256; i++) { /* numbers past the palette are black */
        if (i < colour_count)
            memcpy(expansion->palette[i],
                   (uint8_t[]){colours[i].red, colours[i].green, colours[i].blue}, 3);
        expansion->palette[i][3] = i < alpha_count ? alphas[i] : 255;
    }
}

static void expansion_fill(struct fast_job *job, unsigned depth, unsigned colour_type)
{
    struct img_png_expansion *expansion = &job->expansion;
    expansion->width_px = job->raster.width_px;
    expansion->depth_bits = depth;
    expansion->channels = png_get_channels(job->png, job->info);
    expansion->adds_alpha =
        img_layout_has_alpha(job->raster.layout) && !(colour_type & PNG_COLOR_MASK_ALPHA);
    png_color_16p key = NULL;
    if (expansion->adds_alpha && colour_type != PNG_COLOR_TYPE_PALETTE) {
        png_get_tRNS(job->png, job->info, NULL, NULL, &key);
        const bool is_gray = colour_type == PNG_COLOR_TYPE_GRAY;
        expansion->key[0] = is_gray ? key->gray : key->red;
        expansion->key[1] = key->green;
        expansion->key[2] = key->blue;
    }
    if (depth < 8 || colour_type == PNG_COLOR_TYPE_PALETTE)
        palette_fill(job, depth, colour_type);
}

static int header_read(struct fast_job *job)
{
    png_structp png = job->png;
    struct img_raster *raster = &job->raster;
    png_set_read_fn(png, job, read_bytes);
    img_png_header_read(png, job->info, false, raster);

    const unsigned colour_type = png_get_color_type(png, job->info);
    const unsigned depth = png_get_bit_depth(png, job->info);
    job->interlaced = png_get_interlace_type(png, job->info) != PNG_INTERLACE_NONE;
    const unsigned pixel_bits = depth * png_get_channels(png, job->info);
    job->pixel_bytes = pixel_bits < 8 ? 1 : pixel_bits / 8;
    job->row_bytes = (size_t)(((uint64_t)raster->width_px * pixel_bits + 7) / 8);
    job->raw_bytes = (uint64_t)raster->height_px * (job->row_bytes + 1);
    expansion_fill(job, depth, colour_type);
    job->expands = img_png_expands(&job->expansion);
    return 0;
}

/* ---- The chunks ---- */

static bool is_named(const uint8_t *chunk, const char *name)
{
    return memcmp(chunk + 4, name, 4) == 0;
}

static bool may_stand_behind(const uint8_t *chunk)
{
    return is_named(chunk, "tEXt") || is_named(chunk, "zTXt") || is_named(chunk, "iTXt") ||
           is_named(chunk, "tIME") || is_named(chunk, "eXIf") || is_named(chunk, "fcTL") ||
           is_named(chunk, "fdAT");
}

/* Is the file laid out regularly, from the first chunk to the last? Notes the orientation. The
 * chunks before the pixels are libpng's business. */
static bool layout_is_regular(struct fast_job *job)
{
    const struct img_decode_job *decode = job->decode;
    enum { BEFORE, PIXELS, BEHIND } place = BEFORE;
    bool has_exif = false;
    size_t at = PNG_SIGNATURE_BYTES;
    job->raster.orientation = 1;
    while (decode->size_bytes - at >= CHUNK_FRAME) {
        const uint8_t *chunk = decode->data + at;
        const uint32_t length = png_get_uint_32(chunk);
        if (length > decode->size_bytes - at - CHUNK_FRAME)
            return false;
        at += (size_t)length + CHUNK_FRAME;
        if (is_named(chunk, "IEND"))
            return place != BEFORE && length == 0 && at == decode->size_bytes &&
                   libdeflate_crc32(0, chunk + 4, 4) == png_get_uint_32(chunk + 8);
        if (is_named(chunk, "IDAT")) {
            if (place == BEHIND || (length > PNG_CHUNK_BYTES_MAX && length > job->raw_bytes))
                return false;
            place = PIXELS;
            continue;
        }
        if (place != BEFORE) {
            if (!may_stand_behind(chunk) || length > TRAILER_BYTES_MAX)
                return false;
            place = BEHIND;
        }
        if (is_named(chunk, "eXIf") && !has_exif) {
            has_exif = true;
            job->raster.orientation = img_exif_orientation(chunk + 8, length);
        }
    }
    return false;
}

/* An IDAT whose name and length libpng or this function has just passed. */
static void chunk_enter(struct fast_job *job)
{
    const uint8_t *name = job->decode->data + job->offset - 4;
    job->chunk_left = png_get_uint_32(name - 4);
    job->chunk_sum = libdeflate_crc32(0, name, 4);
}

/* Behind the contents of an IDAT. ret_more: there is another one. */
static bool chunk_leave(struct fast_job *job, bool *ret_more)
{
    const uint8_t *sum = job->decode->data + job->offset;
    if (png_get_uint_32(sum) != job->chunk_sum)
        return false;
    job->offset += 4;
    *ret_more = is_named(sum + 4, "IDAT"); /* if not, at least an IEND follows */
    if (*ret_more) {
        job->offset += 8;
        chunk_enter(job);
    }
    return true;
}

/* Fill the input up. */
static int input_fill(struct fast_job *job)
{
    struct img_inflate *inflate = &job->inflate;
    size_t have = (size_t)(inflate->in_end - inflate->in);
    if (img_decode_cancelled(job->decode))
        return img_fail(job->decode->error, -ECANCELED, "cancelled");
    memmove(job->input, inflate->in, have);
    while (have < INPUT_BYTES && !inflate->in_is_last) {
        size_t count = INPUT_BYTES - have;
        if (count > job->chunk_left)
            count = job->chunk_left;
        memcpy(job->input + have, job->decode->data + job->offset, count);
        job->chunk_sum = libdeflate_crc32(job->chunk_sum, job->input + have, count);
        have += count;
        job->offset += count;
        job->chunk_left -= count;
        if (job->chunk_left > 0)
            continue;
        bool more;
        if (!chunk_leave(job, &more))
            return -EAGAIN;
        inflate->in_is_last = !more;
    }
    inflate->in = job->input;
    inflate->in_end = job->input + have;
    memset(job->input + have, 0, IMG_INFLATE_IN_SLACK);
    return 0;
}

/* ---- Rows ---- */

static int strip_hand_on(struct fast_job *job)
{
    struct img_sink *sink = job->decode->sink;
    const uint8_t *rows = job->strip + job->stride_bytes;
    const uint32_t count = job->strip_used;
    if (count == 0)
        return 0;
    if (job->expands) {
        for (uint32_t i = 0; i < count; i++)
            img_png_expand(&job->expansion, job->expanded + i * job->expanded_stride_bytes,
                           rows + i * job->stride_bytes);
        rows = job->expanded;
    }
    job->strip_used = 0;
    int r = sink->rows(sink, rows, job->expands ? job->expanded_stride_bytes : job->stride_bytes,
                       count);
    /* The last row is the one above the next strip. */
    memcpy(job->strip, job->strip + count * job->stride_bytes, job->row_bytes);
    return r;
}

/* How many of the next rows can be unfiltered at once. */
static uint32_t rows_at_once(const struct fast_job *job)
{
    const size_t filtered_bytes = job->row_bytes + 1;
    const uint8_t filter = job->from[0];
    uint32_t room = job->strip_rows - job->strip_used;
    if (room > job->raster.height_px - job->rows_done)
        room = job->raster.height_px - job->rows_done;
    if ((filter != IMG_PNG_PAETH && filter != IMG_PNG_AVERAGE) ||
        (job->pixel_bytes != 3 && job->pixel_bytes != 4))
        return 1;
    uint32_t count = 1;
    while (count < ROWS_AT_ONCE && count < room &&
           (size_t)(job->to - job->from) >= (count + 1) * filtered_bytes &&
           job->from[count * filtered_bytes] == filter)
        count++;
    return count == 3 ? 2 : count;
}

static bool rows_unfilter(struct fast_job *job, uint32_t count)
{
    uint8_t *const above = job->strip + job->strip_used * job->stride_bytes;
    uint8_t *rows[ROWS_AT_ONCE];
    const uint8_t *filtered[ROWS_AT_ONCE];
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = above + (i + 1) * job->stride_bytes;
        filtered[i] = job->from + i * (job->row_bytes + 1) + 1;
    }
    if (count == 1)
        return img_png_unfilter(job->from[0], rows[0], filtered[0], above, job->row_bytes,
                                job->pixel_bytes);
    if (count == 2)
        img_png_unfilter_two(job->from[0], rows, filtered, above, job->row_bytes, job->pixel_bytes);
    else
        img_png_unfilter_four(job->from[0], rows, filtered, above, job->row_bytes,
                              job->pixel_bytes);
    return true;
}

/* Use the rows that are whole. */
static int rows_take(struct fast_job *job)
{
    const size_t filtered_bytes = job->row_bytes + 1;
    while (job->rows_done < job->raster.height_px) {
        const bool waits = job->rows_wait && job->raster.height_px - job->rows_done >= ROWS_AT_ONCE;
        if ((size_t)(job->to - job->from) < filtered_bytes * (waits ? ROWS_AT_ONCE : 1))
            return 0;
        const uint32_t count = rows_at_once(job);
        if (!rows_unfilter(job, count))
            return -EAGAIN;
        job->from += count * filtered_bytes;
        job->strip_used += count;
        job->rows_done += count;
        if (job->strip_used == job->strip_rows) {
            int r = strip_hand_on(job);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

/* Make room behind what distances may still reach and what has not been used. */
static void window_slide(struct fast_job *job)
{
    const size_t have = (size_t)(job->to - job->window);
    size_t keep = (size_t)(job->to - job->from);
    if (keep < IMG_INFLATE_HISTORY_BYTES)
        keep = IMG_INFLATE_HISTORY_BYTES;
    if (keep >= have)
        return;
    memmove(job->window, job->to - keep, keep);
    job->from -= have - keep;
    job->to -= have - keep;
}

/* The first two bytes of the stream. A window that is smaller than both the usual one and the
 * picture would have to be heeded. */
static bool stream_is_usual(struct fast_job *job)
{
    struct img_inflate *inflate = &job->inflate;
    if (inflate->in_end - inflate->in < 2)
        return false;
    const unsigned method = inflate->in[0], flags = inflate->in[1];
    inflate->in += 2;
    return (method & 15) == 8 && method >> 4 <= 7 && (method << 8 | flags) % 31 == 0 &&
           !(flags & 0x20) &&
           (method >> 4 == 7 || job->raw_bytes <= UINT64_C(256) << (method >> 4));
}

/* Nothing may be left but the checksum, and it must be right. */
static int stream_end(struct fast_job *job)
{
    struct img_inflate *inflate = &job->inflate;
    int r = strip_hand_on(job);
    if (r == 0)
        r = input_fill(job);
    if (r == 0 && (!inflate->in_is_last || inflate->in_end - inflate->in != 4 ||
                   png_get_uint_32(inflate->in) != job->adler || job->produced != job->raw_bytes))
        r = -EAGAIN;
    return r;
}

static int stream_read(struct fast_job *job)
{
    struct img_inflate *inflate = &job->inflate;
    img_inflate_begin(inflate);
    inflate->in = inflate->in_end = job->input;
    inflate->in_is_last = false;
    chunk_enter(job);
    int r = input_fill(job);
    if (r == 0 && !stream_is_usual(job))
        r = -EAGAIN;
    while (r == 0 && inflate->state != IMG_INFLATE_END) {
        if (!inflate->in_is_last && inflate->in_end - inflate->in < IMG_INFLATE_IN_BYTES_MIN)
            r = input_fill(job);
        if (job->to >= job->window_limit)
            window_slide(job);
        uint8_t *end = job->to;
        if (r == 0 && img_inflate_run(inflate, job->window, job->to, job->window_limit, &end) < 0)
            r = -EAGAIN;
        const size_t count = (size_t)(end - job->to);
        job->adler = libdeflate_adler32(job->adler, job->to, count);
        job->produced += count;
        job->to = end;
        if (r == 0 && job->produced > job->raw_bytes)
            r = -EAGAIN;
        if (r == 0)
            r = rows_take(job);
    }
    return r == 0 ? stream_end(job) : r;
}

/* ---- The whole ---- */

static size_t round_up(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* All memory is one piece. No overflow: no side is longer than IMG_SIDE_PX_MAX. */
static int buffers_set(struct fast_job *job)
{
    struct img_buffer *buffer = job->decode->strip;
    const size_t row_bytes = job->row_bytes;
    const size_t expanded_bytes = (size_t)job->raster.width_px *
                                  img_layout_channels(job->raster.layout) *
                                  (job->raster.depth_bits / 8);
    job->stride_bytes = round_up(row_bytes + IMG_PNG_ROW_SLACK);
    job->expanded_stride_bytes = job->expands ? round_up(expanded_bytes) : 0;
    size_t rows = STRIP_BYTES / (job->stride_bytes + job->expanded_stride_bytes);
    rows = rows > STRIP_ROWS_MAX ? STRIP_ROWS_MAX : rows < STRIP_ROWS_MIN ? STRIP_ROWS_MIN : rows;
    job->strip_rows = (uint32_t)rows / ROWS_AT_ONCE * ROWS_AT_ONCE;

    job->rows_wait = row_bytes <= WAITING_ROW_BYTES;
    size_t kept = (row_bytes + 1) * (job->rows_wait ? ROWS_AT_ONCE : 1);
    kept = kept > IMG_INFLATE_HISTORY_BYTES ? kept : IMG_INFLATE_HISTORY_BYTES;
    const size_t piece = 2 * (row_bytes + 1) > PIECE_BYTES ? 2 * (row_bytes + 1) : PIECE_BYTES;
    const size_t input_bytes = round_up(INPUT_BYTES + IMG_INFLATE_IN_SLACK);
    const size_t window_bytes = round_up(kept + piece + IMG_INFLATE_OUT_SLACK);
    const size_t strip_bytes = job->stride_bytes * (job->strip_rows + 1);
    const size_t all_bytes =
        input_bytes + window_bytes + strip_bytes + job->expanded_stride_bytes * job->strip_rows;
    if (img_buffer_need(buffer, all_bytes) < 0)
        return -ENOMEM;
    job->input = buffer->data;
    job->window = job->from = job->to = job->input + input_bytes;
    job->window_limit = job->window + kept + piece;
    job->strip = job->window + window_bytes;
    job->expanded = job->strip + strip_bytes;
    memset(job->strip, 0, job->stride_bytes);
    return 0;
}

/* Is it worth a try? Whoever says no has no need of words. */
static bool is_within_limits(const struct fast_job *job)
{
    const struct img_decode_job *decode = job->decode;
    const struct img_size size = {job->raster.width_px, job->raster.height_px};
    struct img_error ignored;
    return img_fit_check(size, decode->options, &ignored) == 0 &&
           img_memory_check(0, decode->size_bytes, decode->options, &ignored) == 0 &&
           job->raw_bytes / PNG_DEFLATE_RATIO_MAX <= decode->size_bytes;
}

static int decode_all(struct fast_job *job)
{
    int r = guarded(job, header_read);
    if (r < 0)
        return r;
    if (job->interlaced || !is_within_limits(job) || !layout_is_regular(job))
        return -EAGAIN;
    r = buffers_set(job);
    if (r == 0)
        r = job->decode->sink->begin(job->decode->sink, &job->raster);
    return r == 0 ? stream_read(job) : r;
}

int img_decode_png_fast(const struct img_decode_job *decode)
{
    if (decode->fail_on != IMG_FAIL_ON_ERROR || decode->size_bytes < PNG_SIGNATURE_BYTES)
        return -EAGAIN;
    struct fast_job job = {.decode = decode, .adler = 1};
    job.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, heed_error, heed_warning);
    if (job.png)
        job.info = png_create_info_struct(job.png);
    int r = job.info ? decode_all(&job) : -ENOMEM;
    if (job.png)
        png_destroy_read_struct(&job.png, &job.info, NULL);
    return r == -ENOMEM ? img_fail(decode->error, r, "out of memory") : r;
}
