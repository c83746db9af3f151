/* png_header.c: see png_header_priv.h. Everything here may leave by longjmp, and owns nothing. */
#include "png_header_priv.h"

#define CHUNKS_KEPT_MAX 64

/* Chunks that say nothing about the pixels are passed over unread. */
static void chunks_ignore(png_structp png)
{
    static const uint8_t names[] = "tEXt\0zTXt\0iTXt\0sPLT\0hIST\0bKGD\0pHYs\0oFFs\0sCAL\0"
                                   "tIME\0pCAL\0sBIT\0eXIf\0";
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, names, (sizeof(names) - 1) / 5);
}

static enum img_layout layout_of(int colour_type, bool has_transparency)
{
    const bool alpha = (colour_type & PNG_COLOR_MASK_ALPHA) != 0 || has_transparency;
    if (colour_type & PNG_COLOR_MASK_COLOR)
        return alpha ? IMG_LAYOUT_RGB_ALPHA : IMG_LAYOUT_RGB;
    return alpha ? IMG_LAYOUT_GRAY_ALPHA : IMG_LAYOUT_GRAY;
}

/* A tRNS chunk that stands before a palette is void: libpng then says that it is there, and of no
 * colours. */
static bool has_transparency(png_structp png, png_infop info)
{
    int count = 0;
    return png_get_tRNS(png, info, NULL, &count, NULL) != 0 && count > 0;
}

static void profile_note(png_structp png, png_infop info, struct img_raster *raster)
{
    png_charp name;
    int method;
    png_bytep profile;
    png_uint_32 size;
    if (png_get_valid(png, info, PNG_INFO_sRGB) ||
        !png_get_iCCP(png, info, &name, &method, &profile, &size))
        return;
    raster->icc = profile;
    raster->icc_bytes = size;
}

void img_png_header_read(png_structp png, png_infop info, bool lax, struct img_raster *raster)
{
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* ours are checked afterwards */
    png_set_chunk_malloc_max(png, PNG_CHUNK_BYTES_MAX);
    png_set_chunk_cache_max(png, CHUNKS_KEPT_MAX);
    png_set_crc_action(png, lax ? PNG_CRC_QUIET_USE : PNG_CRC_ERROR_QUIT, PNG_CRC_WARN_DISCARD);
    chunks_ignore(png);
    png_read_info(png, info);

    raster->source_width_px = raster->width_px = png_get_image_width(png, info);
    raster->source_height_px = raster->height_px = png_get_image_height(png, info);
    raster->area_width_px = raster->width_px;
    raster->area_height_px = raster->height_px;
    raster->layout = layout_of(png_get_color_type(png, info), has_transparency(png, info));
    raster->depth_bits = png_get_bit_depth(png, info) == 16 ? 16 : 8;
    profile_note(png, info, raster);
}
