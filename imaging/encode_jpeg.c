/* encode_jpeg.c: baseline JPEG, 4:2:0, through libjpeg-turbo.
 *
 * Standard Huffman tables: computing better ones costs more time than a small picture gains.
 * Errors leave libjpeg by longjmp into guarded(), which owns nothing. */
#include "encode_priv.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

#include "error_priv.h"

#define FIRST_BYTES ((size_t)32 * 1024)

struct jpeg_writer {
    const struct img_picture *picture; /* NULL: planes */
    const struct img_planes *planes;
    struct img_buffer *strip; /* of padded rows of planes */
    const struct img_options *options;
    struct img_buffer *output;
    size_t size_bytes; /* of the finished file */
    struct img_error *error;
    struct jpeg_compress_struct cinfo; /* owned */
    struct jpeg_error_mgr errors;
    struct jpeg_destination_mgr destination;
    jmp_buf landing;
    int code;
};

/* ---- Where libjpeg calls us ---- */

static void leave(j_common_ptr cinfo) __attribute__((noreturn));
static void leave(j_common_ptr cinfo)
{
    struct jpeg_writer *writer = cinfo->client_data;
    char text[JMSG_LENGTH_MAX] = "";
    writer->errors.format_message(cinfo, text);
    const int message = writer->errors.msg_code;
    writer->code = message == JERR_IMAGE_TOO_BIG   ? -EFBIG
                   : message == JERR_OUT_OF_MEMORY ? -ENOMEM
                                                   : -EINVAL;
    img_fail(writer->error, writer->code, "JPEG output: %s", text);
    longjmp(writer->landing, 1);
}

static void ignore_message(j_common_ptr cinfo, int level)
{
    (void)cinfo, (void)level;
}

static void print_nothing(j_common_ptr cinfo)
{
    (void)cinfo;
}

static void destination_point(struct jpeg_writer *writer, size_t used)
{
    writer->destination.next_output_byte = writer->output->data + used;
    writer->destination.free_in_buffer = writer->output->capacity_bytes - used;
}

static void output_start(j_compress_ptr cinfo)
{
    struct jpeg_writer *writer = cinfo->client_data;
    if (img_buffer_grow(writer->output, FIRST_BYTES) < 0)
        ERREXIT1(cinfo, JERR_OUT_OF_MEMORY, 0);
    destination_point(writer, 0);
}

static boolean output_grow(j_compress_ptr cinfo)
{
    struct jpeg_writer *writer = cinfo->client_data;
    const size_t used = writer->output->capacity_bytes; /* by contract the buffer is full */
    if (img_buffer_grow(writer->output, used + 1) < 0)
        ERREXIT1(cinfo, JERR_OUT_OF_MEMORY, 0);
    destination_point(writer, used);
    return TRUE;
}

static void output_end(j_compress_ptr cinfo)
{
    struct jpeg_writer *writer = cinfo->client_data;
    writer->size_bytes = writer->output->capacity_bytes - writer->destination.free_in_buffer;
}

/* ---- The work ---- */

/* raw: the rows will come in planes. The note is written behind what jpeg_start_compress() writes,
 * the JFIF segment. */
static void writer_start(struct jpeg_writer *writer, struct img_size size, J_COLOR_SPACE space,
                         bool raw)
{
    const struct img_options *options = writer->options;
    struct jpeg_compress_struct *cinfo = &writer->cinfo;
    jpeg_create_compress(cinfo);
    writer->destination.init_destination = output_start;
    writer->destination.empty_output_buffer = output_grow;
    writer->destination.term_destination = output_end;
    cinfo->dest = &writer->destination;
    cinfo->image_width = size.width_px;
    cinfo->image_height = size.height_px;
    cinfo->input_components = space == JCS_GRAYSCALE ? 1 : 3;
    cinfo->in_color_space = space;
    jpeg_set_defaults(cinfo);
    jpeg_set_quality(cinfo, options->quality, TRUE);
    cinfo->optimize_coding = FALSE;
    cinfo->raw_data_in = raw;
    jpeg_start_compress(cinfo, TRUE);
    if (options->note_bytes > 0)
        jpeg_write_marker(cinfo, JPEG_COM, (const JOCTET *)options->note,
                          (unsigned)options->note_bytes);
}

static int picture_write(struct jpeg_writer *writer)
{
    const struct img_picture *picture = writer->picture;
    struct jpeg_compress_struct *cinfo = &writer->cinfo;
    writer_start(writer, (struct img_size){picture->width_px, picture->height_px},
                 picture->layout == IMG_LAYOUT_GRAY ? JCS_GRAYSCALE : JCS_RGB, false);
    const size_t stride = img_picture_stride(picture);
    while (cinfo->next_scanline < cinfo->image_height) {
        JSAMPROW row = picture->pixels + cinfo->next_scanline * stride;
        jpeg_write_scanlines(cinfo, &row, 1);
    }
    jpeg_finish_compress(cinfo);
    return 0;
}

/* Rows of one plane for one row of MCUs: whole blocks, the last sample and the last row repeated
 * as often as it takes. */
static void plane_rows_pad(const struct img_planes *planes, unsigned plane, uint32_t first_row,
                           uint32_t count, uint8_t *to, size_t stride, JSAMPROW *rows)
{
    const struct img_size size = img_planes_size(planes, plane);
    const uint8_t *from = img_planes_at(planes, plane);
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = to + i * stride;
        const uint32_t row = first_row + i;
        if (row >= size.height_px) {
            rows[i] = rows[i - 1]; /* the first row of MCUs' rows is always in the picture */
            continue;
        }
        memcpy(rows[i], from + (size_t)row * size.width_px, size.width_px);
        memset(rows[i] + size.width_px, rows[i][size.width_px - 1], stride - size.width_px);
    }
}

static size_t blocks_wide(uint32_t width_px)
{
    return ((size_t)width_px + DCTSIZE - 1) / DCTSIZE * DCTSIZE;
}

static size_t planes_strip_bytes(const struct img_planes *planes)
{
    return blocks_wide(planes->luma.width_px) * 2 * DCTSIZE +
           blocks_wide(planes->chroma.width_px) * 2 * DCTSIZE;
}

static int planes_write(struct jpeg_writer *writer)
{
    const struct img_planes *planes = writer->planes;
    struct jpeg_compress_struct *cinfo = &writer->cinfo;
    writer_start(writer, planes->luma, JCS_YCbCr, true);

    const size_t luma_stride = blocks_wide(planes->luma.width_px);
    const size_t chroma_stride = blocks_wide(planes->chroma.width_px);
    uint8_t *chroma = writer->strip->data + luma_stride * 2 * DCTSIZE;
    JSAMPROW rows[3][2 * DCTSIZE];
    JSAMPARRAY arrays[3] = {rows[0], rows[1], rows[2]};
    while (cinfo->next_scanline < cinfo->image_height) {
        const uint32_t row = cinfo->next_scanline;
        plane_rows_pad(planes, 0, row, 2 * DCTSIZE, writer->strip->data, luma_stride, rows[0]);
        plane_rows_pad(planes, 1, row / 2, DCTSIZE, chroma, chroma_stride, rows[1]);
        plane_rows_pad(planes, 2, row / 2, DCTSIZE, chroma + chroma_stride * DCTSIZE, chroma_stride,
                       rows[2]);
        jpeg_write_raw_data(cinfo, arrays, 2 * DCTSIZE);
    }
    jpeg_finish_compress(cinfo);
    return 0;
}

static int guarded(struct jpeg_writer *writer, int (*step)(struct jpeg_writer *writer))
{
    if (setjmp(writer->landing))
        return writer->code;
    return step(writer);
}

static int jpeg_write(struct jpeg_writer *writer, int (*step)(struct jpeg_writer *writer),
                      size_t *ret_size_bytes)
{
    writer->cinfo.err = jpeg_std_error(&writer->errors);
    writer->cinfo.client_data = writer;
    writer->errors.error_exit = leave;
    writer->errors.emit_message = ignore_message;
    writer->errors.output_message = print_nothing;
    int r = guarded(writer, step);
    jpeg_destroy_compress(&writer->cinfo);
    if (r == 0)
        *ret_size_bytes = writer->size_bytes;
    return r;
}

int img_encode_jpeg(const struct img_picture *picture, const struct img_options *options,
                    struct img_buffer *output, size_t *ret_size_bytes, struct img_error *error)
{
    struct jpeg_writer writer = {
        .picture = picture, .options = options, .output = output, .error = error};
    return jpeg_write(&writer, picture_write, ret_size_bytes);
}

int img_encode_jpeg_planes(const struct img_planes *planes, const struct img_options *options,
                           struct img_buffer *output, size_t *ret_size_bytes,
                           struct img_error *error)
{
    struct img_buffer strip = {0};
    struct jpeg_writer writer = {
        .planes = planes, .strip = &strip, .options = options, .output = output, .error = error};
    if (img_buffer_need(&strip, planes_strip_bytes(planes)) < 0)
        return img_fail(error, -ENOMEM, "out of memory");
    int r = jpeg_write(&writer, planes_write, ret_size_bytes);
    img_buffer_done(&strip);
    return r;
}
