/* decode_png.c: PNG through libpng, row by row, with 16 bits kept.
 *
 * Errors leave libpng by longjmp. It lands in guarded(), which owns nothing: all that must be
 * released hangs on struct png_job and is released by img_decode_png() alone. */
#include "decode_priv.h"

#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "error_priv.h"
#include "exif_priv.h"
#include "fit_priv.h"
#include "png_header_priv.h"

#define STRIP_ROWS 8

/* So many bytes libpng asks for at a time where a file may end early: with its usual thousands, the
 * last part of a cut file would never be seen. */
#define LAX_READ_BYTES 16

struct png_job {
    const struct img_decode_job *decode;
    png_structp png; /* owned */
    png_infop info;  /* owned */
    size_t offset;   /* of the next byte to read */
    bool ended;      /* libpng asked for more than there is */
    int code;
    bool lax; /* some damage is tolerated */
    uint32_t rows_done;
    uint32_t rows_pushed;
    uint64_t pass_rows; /* of an interlaced file: read, in all passes */
    struct img_raster raster;
    size_t stride_bytes;
    uint8_t *whole; /* owned; the picture of an interlaced file */
};

static struct png_job *job_of(png_structp png)
{
    return png_get_error_ptr(png);
}

static void heed_error(png_structp png, png_const_charp message) __attribute__((noreturn));
static void heed_error(png_structp png, png_const_charp message)
{
    struct png_job *job = job_of(png);
    if (job->ended && job->rows_done > 0)
        job->code = img_fail(job->decode->error, -EPIPE, "the data ends early, after row %u of %u",
                             job->rows_done, job->raster.height_px);
    else if (job->ended)
        job->code = img_fail(job->decode->error, -EPIPE, "the data ends early");
    else if (strstr(message, "memory"))
        job->code = img_fail(job->decode->error, -ENOMEM, "%s", message);
    else
        job->code = img_fail(job->decode->error, -EBADMSG, "%s", message);
    png_longjmp(png, 1);
}

/* A side chunk with a wrong checksum is passed over, as a picture without it is still right; not
 * so the one that makes pixels transparent. At the strictest level nothing is passed over. */
static void heed_warning(png_structp png, png_const_charp message)
{
    const struct png_job *job = job_of(png);
    if (job->decode->fail_on >= IMG_FAIL_ON_WARNING ||
        (!job->lax && strncmp(message, "tRNS", 4) == 0 && strstr(message, "CRC")))
        png_error(png, message);
}

static void read_bytes(png_structp png, png_bytep to, size_t count)
{
    struct png_job *job = png_get_io_ptr(png);
    if (count > job->decode->size_bytes - job->offset) {
        job->ended = true;
        png_error(png, "the data ends early");
    }
    memcpy(to, job->decode->data + job->offset, count);
    job->offset += count;
}

static int guarded(struct png_job *job, int (*step)(struct png_job *job))
{
    if (setjmp(png_jmpbuf(job->png)))
        return job->code;
    return step(job);
}

/* ---- Steps: each runs under guarded() ---- */

static void laxity_set(png_structp png)
{
    png_set_compression_buffer_size(png, LAX_READ_BYTES);
#ifdef PNG_IGNORE_ADLER32
    png_set_option(png, PNG_IGNORE_ADLER32, PNG_OPTION_ON); /* it would cost the last row */
#endif
}

static int header_read(struct png_job *job)
{
    png_set_read_fn(job->png, job, read_bytes);
    if (job->lax)
        laxity_set(job->png);
    img_png_header_read(job->png, job->info, job->lax, &job->raster);
    return 0;
}

static int expansion_set(struct png_job *job)
{
    png_structp png = job->png;
    png_set_expand(png);
    png_set_interlace_handling(png); /* of libpng: it gives all passes whole rows */
    if (job->raster.depth_bits == 16 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
        png_set_swap(png);
    png_read_update_info(png, job->info);
    if (png_get_rowbytes(png, job->info) != job->stride_bytes)
        return img_fail(job->decode->error, -EBADMSG, "rows of an unexpected size");
    return 0;
}

static int rows_hand_on(struct png_job *job, const uint8_t *rows, uint32_t count)
{
    struct img_sink *sink = job->decode->sink;
    job->rows_pushed += count;
    return sink->rows(sink, rows, job->stride_bytes, count);
}

static int interlaced_push(struct png_job *job)
{
    /* The second of libpng's two ways spreads the pixels of a pass over those still to come. */
    for (int pass = 0; pass < PNG_INTERLACE_ADAM7_PASSES; pass++)
        for (uint32_t y = 0; y < job->raster.height_px; y++) {
            uint8_t *row = job->whole + y * job->stride_bytes;
            png_read_row(job->png, job->lax ? NULL : row, job->lax ? row : NULL);
            job->pass_rows++;
        }
    png_read_end(job->png, NULL);
    return rows_hand_on(job, job->whole, job->raster.height_px);
}

static int rows_push(struct png_job *job)
{
    const struct img_buffer *strip = job->decode->strip;
    while (job->rows_done < job->raster.height_px) {
        uint32_t count = job->raster.height_px - job->rows_done;
        if (count > STRIP_ROWS)
            count = STRIP_ROWS;
        for (uint32_t i = 0; i < count; i++) {
            png_read_row(job->png, strip->data + i * job->stride_bytes, NULL);
            job->rows_done++;
        }
        int r = rows_hand_on(job, strip->data, count);
        if (r < 0)
            return r;
    }
    png_read_end(job->png, NULL);
    return 0;
}

/* ---- Between the steps ---- */

/* The eXIf chunk may stand behind the pixels, where libpng would find it too late. */
static int exif_orientation(const uint8_t *data, size_t size_bytes)
{
    size_t at = PNG_SIGNATURE_BYTES;
    while (size_bytes - at >= 12) {
        const uint32_t length = png_get_uint_32(data + at);
        if (length > size_bytes - at - 12)
            return 1;
        if (memcmp(data + at + 4, "eXIf", 4) == 0)
            return img_exif_orientation(data + at + 8, length);
        at += (size_t)length + 12;
    }
    return 1;
}

/* Is the checksum of the first chunk right, which says how large the picture is? A lax decoding
 * tolerates wrong checksums, but not this one. */
static bool size_is_sound(const struct img_decode_job *decode)
{
    const uint8_t *chunk = decode->data + PNG_SIGNATURE_BYTES + 4; /* its name, then 13 bytes */
    uint32_t sum = UINT32_MAX;
    if (decode->size_bytes < PNG_SIGNATURE_BYTES + 4 + 4 + 13 + 4)
        return false;
    for (int i = 0; i < 4 + 13; i++) {
        sum ^= chunk[i];
        for (int bit = 0; bit < 8; bit++)
            sum = sum >> 1 ^ (sum & 1 ? UINT32_C(0xedb88320) : 0);
    }
    return ~sum == png_get_uint_32(chunk + 4 + 13);
}

static int interlaced_allocate(struct png_job *job)
{
    const struct img_decode_job *decode = job->decode;
    size_t size_bytes;
    if (__builtin_mul_overflow(job->stride_bytes, (size_t)job->raster.height_px, &size_bytes))
        size_bytes = SIZE_MAX;
    int r = img_memory_check(size_bytes, decode->size_bytes, decode->options, decode->error);
    if (r < 0)
        return r;
    job->whole = malloc(size_bytes);
    if (!job->whole)
        return img_fail(decode->error, -ENOMEM, "out of memory");
    if (job->lax) /* what no pass may reach */
        memset(job->whole, img_layout_filler(job->raster.layout), size_bytes);
    return 0;
}

static int strip_allocate(struct png_job *job)
{
    const struct img_decode_job *decode = job->decode;
    int r = img_memory_check(0, decode->size_bytes, decode->options, decode->error);
    if (r == 0 && img_buffer_need(decode->strip, job->stride_bytes * STRIP_ROWS) < 0)
        r = img_fail(decode->error, -ENOMEM, "out of memory");
    return r;
}

/* Nothing here leaves by longjmp. */
static int decode_prepare(struct png_job *job, bool interlaced)
{
    const struct img_decode_job *decode = job->decode;
    struct img_raster *raster = &job->raster;
    int r = img_fit_check((struct img_size){raster->width_px, raster->height_px}, decode->options,
                          decode->error);
    if (r < 0)
        return r;
    const unsigned stored_bits =
        png_get_bit_depth(job->png, job->info) * (unsigned)png_get_channels(job->png, job->info);
    const uint64_t stored_bytes =
        ((uint64_t)raster->width_px * stored_bits + 7) / 8 * raster->height_px;
    /* A lax decoding of rows may do with less; one that holds the whole picture may not. */
    if (stored_bytes / PNG_DEFLATE_RATIO_MAX > decode->size_bytes && (interlaced || !job->lax))
        return img_fail(decode->error, -EPIPE, "the data is too short for its %u x %u pixels",
                        raster->width_px, raster->height_px);

    job->stride_bytes =
        (size_t)raster->width_px * img_layout_channels(raster->layout) * (raster->depth_bits / 8);
    raster->orientation = exif_orientation(decode->data, decode->size_bytes);
    r = interlaced ? interlaced_allocate(job) : strip_allocate(job);
    if (r < 0)
        return r;
    return decode->sink->begin(decode->sink, raster);
}

/* The rows that were read when a lax decoding came to its end; its error stays. */
static void remnant_push(struct png_job *job, bool interlaced)
{
    const struct img_buffer *strip = job->decode->strip;
    if (interlaced && job->pass_rows > 0 && job->rows_pushed == 0)
        rows_hand_on(job, job->whole, job->raster.height_px);
    else if (!interlaced && job->rows_done > job->rows_pushed)
        rows_hand_on(job, strip->data, job->rows_done - job->rows_pushed);
}

static int decode_all(struct png_job *job)
{
    if (job->lax && !size_is_sound(job->decode))
        return img_fail(job->decode->error, -EBADMSG, "IHDR: CRC error");
    int r = guarded(job, header_read);
    if (r < 0)
        return r;
    const bool interlaced = png_get_interlace_type(job->png, job->info) != PNG_INTERLACE_NONE;
    r = decode_prepare(job, interlaced);
    if (r == 0)
        r = guarded(job, expansion_set);
    if (r == 0)
        r = guarded(job, interlaced ? interlaced_push : rows_push);
    if (img_fail_on_tolerates(job->decode->fail_on, r))
        remnant_push(job, interlaced);
    return r;
}

int img_decode_png(const struct img_decode_job *decode)
{
    if (decode->size_bytes >= 16 && memcmp(decode->data + 12, "CgBI", 4) == 0)
        return img_fail(decode->error, -ENOTSUP, "a PNG in Apple's CgBI variant");

    struct png_job job = {.decode = decode,
                          .lax = img_fail_on_tolerates(decode->fail_on, -EBADMSG)};
    job.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, heed_error, heed_warning);
    if (job.png)
        job.info = png_create_info_struct(job.png);
    int r = job.info ? decode_all(&job) : img_fail(decode->error, -ENOMEM, "out of memory");
    if (job.png)
        png_destroy_read_struct(&job.png, &job.info, NULL);
    free(job.whole);
    return r;
}
