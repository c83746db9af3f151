/* encode_jpeg.c: baseline JPEG, 4:2:0, through libjpeg-turbo.
 *
 * Standard Huffman tables: computing better ones costs more time than a small picture gains.
 * Errors leave libjpeg by longjmp into guarded(), which owns nothing. */
#include "encode_priv.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

#include <jerror.h>

#include "error_priv.h"

#define FIRST_BYTES ((size_t)32 * 1024)

struct jpeg_writer {
    const struct img_picture *picture;
    int quality;
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

static int picture_write(struct jpeg_writer *writer)
{
    const struct img_picture *picture = writer->picture;
    struct jpeg_compress_struct *cinfo = &writer->cinfo;
    const bool gray = picture->layout == IMG_LAYOUT_GRAY;
    jpeg_create_compress(cinfo);
    writer->destination.init_destination = output_start;
    writer->destination.empty_output_buffer = output_grow;
    writer->destination.term_destination = output_end;
    cinfo->dest = &writer->destination;
    cinfo->image_width = picture->width_px;
    cinfo->image_height = picture->height_px;
    cinfo->input_components = gray ? 1 : 3;
    cinfo->in_color_space = gray ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(cinfo);
    jpeg_set_quality(cinfo, writer->quality, TRUE);
    cinfo->optimize_coding = FALSE;
    jpeg_start_compress(cinfo, TRUE);
    const size_t stride = img_picture_stride(picture);
    while (cinfo->next_scanline < cinfo->image_height) {
        JSAMPROW row = picture->pixels + cinfo->next_scanline * stride;
        jpeg_write_scanlines(cinfo, &row, 1);
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

int img_encode_jpeg(const struct img_picture *picture, int quality, struct img_buffer *output,
                    size_t *ret_size_bytes, struct img_error *error)
{
    struct jpeg_writer writer = {
        .picture = picture, .quality = quality, .output = output, .error = error};
    writer.cinfo.err = jpeg_std_error(&writer.errors);
    writer.cinfo.client_data = &writer;
    writer.errors.error_exit = leave;
    writer.errors.emit_message = ignore_message;
    writer.errors.output_message = print_nothing;
    int r = guarded(&writer, picture_write);
    jpeg_destroy_compress(&writer.cinfo);
    if (r == 0)
        *ret_size_bytes = writer.size_bytes;
    return r;
}
