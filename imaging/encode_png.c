/* encode_png.c: PNG of eight bits a sample: small pictures in one go, large ones through libpng,
 * row by row, so that they are not held twice.
 *
 * Errors leave libpng by longjmp into guarded(), which owns nothing. */
#include "encode_priv.h"

#include <errno.h>
#include <setjmp.h>
#include <string.h>

#include <png.h>

#include "error_priv.h"
#include "note_priv.h"
#include "png_write_priv.h"

/* Between speed and size: the levels above cost up to twice the time for a few percent. */
#define ZLIB_LEVEL 3

struct png_writer {
    const struct img_picture *picture;
    const struct img_options *options;
    struct img_buffer *output;
    size_t size_bytes;
    struct img_error *error;
    png_structp png; /* owned */
    png_infop info;  /* owned */
    bool no_memory;
    int code;
};

static void heed_error(png_structp png, png_const_charp message) __attribute__((noreturn));
static void heed_error(png_structp png, png_const_charp message)
{
    struct png_writer *writer = png_get_error_ptr(png);
    writer->code = writer->no_memory || strstr(message, "memory") ? -ENOMEM : -EFBIG;
    img_fail(writer->error, writer->code, "PNG output: %s", message);
    png_longjmp(png, 1);
}

static void ignore_warning(png_structp png, png_const_charp message)
{
    (void)png, (void)message;
}

static void output_write(png_structp png, png_bytep bytes, size_t count)
{
    struct png_writer *writer = png_get_io_ptr(png);
    if (img_buffer_grow(writer->output, writer->size_bytes + count) < 0) {
        writer->no_memory = true;
        png_error(png, "out of memory");
    }
    memcpy(writer->output->data + writer->size_bytes, bytes, count);
    writer->size_bytes += count;
}

static void output_flush(png_structp png)
{
    (void)png;
}

static int colour_type(enum img_layout layout)
{
    switch (layout) {
    case IMG_LAYOUT_GRAY:
        return PNG_COLOR_TYPE_GRAY;
    case IMG_LAYOUT_GRAY_ALPHA:
        return PNG_COLOR_TYPE_GRAY_ALPHA;
    case IMG_LAYOUT_RGB_ALPHA:
        return PNG_COLOR_TYPE_RGB_ALPHA;
    case IMG_LAYOUT_RGB:
    case IMG_LAYOUT_CMYK:
        break;
    }
    return PNG_COLOR_TYPE_RGB;
}

static void note_write(const struct png_writer *writer)
{
    const struct img_options *options = writer->options;
    if (options->note_bytes == 0)
        return;
    png_write_chunk_start(writer->png, (png_const_bytep) "tEXt",
                          (png_uint_32)(IMG_NOTE_KEYWORD_BYTES + options->note_bytes));
    png_write_chunk_data(writer->png, (png_const_bytep)IMG_NOTE_KEYWORD, IMG_NOTE_KEYWORD_BYTES);
    png_write_chunk_data(writer->png, (png_const_bytep)options->note, options->note_bytes);
    png_write_chunk_end(writer->png);
}

static int picture_write(struct png_writer *writer)
{
    const struct img_picture *picture = writer->picture;
    png_structp png = writer->png;
    png_set_write_fn(png, writer, output_write, output_flush);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_compression_level(png, ZLIB_LEVEL);
    png_set_IHDR(png, writer->info, picture->width_px, picture->height_px, 8,
                 colour_type(picture->layout), PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, writer->info);
    note_write(writer);
    const size_t stride = img_picture_stride(picture);
    for (uint32_t y = 0; y < picture->height_px; y++)
        png_write_row(png, picture->pixels + y * stride);
    png_write_end(png, NULL);
    return 0;
}

static int guarded(struct png_writer *writer, int (*step)(struct png_writer *writer))
{
    if (setjmp(png_jmpbuf(writer->png)))
        return writer->code;
    return step(writer);
}

static int large_encode(const struct img_picture *picture, const struct img_options *options,
                        struct img_buffer *output, size_t *ret_size_bytes, struct img_error *error)
{
    struct png_writer writer = {
        .picture = picture, .options = options, .output = output, .error = error};
    writer.png =
        png_create_write_struct(PNG_LIBPNG_VER_STRING, &writer, heed_error, ignore_warning);
    if (writer.png)
        writer.info = png_create_info_struct(writer.png);
    int r =
        writer.info ? guarded(&writer, picture_write) : img_fail(error, -ENOMEM, "out of memory");
    if (writer.png)
        png_destroy_write_struct(&writer.png, &writer.info);
    if (r == 0)
        *ret_size_bytes = writer.size_bytes;
    return r;
}

int img_encode_png(const struct img_picture *picture, const struct img_options *options,
                   struct img_buffer *output, size_t *ret_size_bytes, struct img_error *error)
{
    if (!img_png_write_takes(picture))
        return large_encode(picture, options, output, ret_size_bytes, error);
    int r = img_png_write(picture, options, output, ret_size_bytes);
    return r < 0 ? img_fail(error, r, "out of memory") : r;
}
