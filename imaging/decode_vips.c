/* decode_vips.c: all formats but JPEG and PNG, through libvips.
 *
 * The loader is the one that our own probe names, never one that libvips picks, so content cannot
 * call for a loader that nobody meant to use. The picture is pulled a strip at a time on the
 * calling thread; some loaders decode ahead on a thread of libvips, which stays idle for a few
 * seconds afterwards. A process that has come here must not fork and decode in the child. */
#include "decode_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "error_priv.h"
#include "fit_priv.h"
#include "frames_priv.h"
#include "vips_library_priv.h"

#define STRIP_BYTES ((size_t)1024 * 1024)

struct vips_job {
    const struct img_decode_job *decode;
    const struct img_vips *vips;
    VipsImage *image;   /* owned */
    VipsRegion *region; /* owned */
};

static uint32_t read_le32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* ---- Errors ---- */

/* libvips has words and no codes; these are the words of its loaders and their libraries. */
static int classify(const char *text)
{
    static const struct {
        const char *words;
        int code;
    } table[] = {
        {"read error at", -EPIPE},
        {"out of memory", -ENOMEM},
        {"unable to allocate", -ENOMEM},
        {"truncated", -EPIPE},
        {"premature", -EPIPE},
        {"unexpected end", -EPIPE},
        {"end of file", -EPIPE},
        {"not enough data", -EPIPE},
        {"eof", -EPIPE},
        {"insufficient image data", -EPIPE},
        {"accessing tiff directory", -EPIPE},
        {"can not read tiff directory", -EPIPE},
        {"end of stream", -EPIPE},
        {"security limit", -EFBIG},
        {"too large", -EFBIG},
        {"too big", -EFBIG},
        {"exceed", -EFBIG},
        {"resources exhausted", -EFBIG},
        {"unsupported", -ENOTSUP},
        {"not supported", -ENOTSUP},
        {"not a whole number of bytes", -ENOTSUP},
        {"not implemented", -ENOTSUP},
        {"not configured", -ENOTSUP},
        {"no decode delegate", -ENOTSUP},
        {"no decoding plugin", -ENOTSUP},
        {"not authorized", -ENOTSUP},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcasestr(text, table[i].words))
            return table[i].code;
    return -EBADMSG;
}

/* libvips notes attempts that did not matter, one a line, before what did. */
static const char *noise_skip(const char *text)
{
    static const char noise[] = "source: bad seek";
    const char *at = text;
    while (strncmp(at, noise, sizeof(noise) - 1) == 0) {
        const char *end = strchr(at, '\n');
        if (!end || !end[1])
            return text;
        at = end + 1;
    }
    return at;
}

/* The boxes of HEIF, AVIF and JPEG XL follow one another up to the end of the file. */
static bool boxes_are_cut(const uint8_t *data, size_t size_bytes)
{
    size_t at = 0;
    while (size_bytes - at >= 16) {
        uint64_t length = 0;
        const unsigned field = data[at + 3] == 1 && !data[at] && !data[at + 1] && !data[at + 2]
                                   ? 8 /* 1: a length of 64 bits follows the name */
                                   : 0;
        for (unsigned i = 0; i < (field ? 8 : 4); i++)
            length = length << 8 | data[at + field + i];
        if (length < 8) /* 0: to the end of the file; anything else is nonsense */
            return false;
        if (length > size_bytes - at)
            return true;
        at += length;
    }
    return false;
}

/* Does the file say that it is longer than it is? Asked only where the loader has failed, mostly
 * without telling damage from an early end: in sound files such fields are wrong now and then. */
static bool is_cut(const struct img_decode_job *decode)
{
    const uint8_t *data = decode->data; /* the probe has seen the fields */
    switch (decode->format) {
    case IMG_FORMAT_WEBP:
        return 8 + (uint64_t)read_le32(data + 4) > decode->size_bytes;
    case IMG_FORMAT_BMP:
        return read_le32(data + 2) > decode->size_bytes;
    case IMG_FORMAT_HEIF:
    case IMG_FORMAT_AVIF:
        return boxes_are_cut(data, decode->size_bytes);
    case IMG_FORMAT_JXL:
        return data[0] == 0 && boxes_are_cut(data, decode->size_bytes);
    default:
        return false;
    }
}

/* The error buffer belongs to the process: with several threads in libvips at once, a message may
 * carry a line of another picture's. */
static int fail_with_vips_error(const struct vips_job *job)
{
    char *text = job->vips->vips_error_buffer_copy(); /* and clear it */
    const char *message = text && *text ? noise_skip(text) : "libvips gives no reason";
    const bool cut = is_cut(job->decode);
    int r = img_fail(job->decode->error, cut ? -EPIPE : classify(message), "%s%s",
                     cut ? "the data ends early: " : "", message);
    (job->vips->g_free)(text);
    return r;
}

/* ---- Opening ---- */

static int frames_refuse(const struct img_decode_job *decode)
{
    return img_fail(decode->error, -EFBIG, "more than %" PRIu32 " frames or pages",
                    decode->options->frames_max);
}

/* What must be held whole: at least the pixels as they come out, with their alpha. ImageMagick has
 * 16 bits a sample. TIFF comes by the row. */
static int memory_check(const struct img_decode_job *decode, struct img_size size)
{
    const uint64_t pixels = (uint64_t)size.width_px * size.height_px; /* below 2^40 */
    uint64_t whole_bytes = pixels * 4;
    if (decode->format == IMG_FORMAT_TIFF)
        whole_bytes = 0;
    else if (decode->format == IMG_FORMAT_BMP)
        whole_bytes = pixels * 8;
    return img_memory_check(whole_bytes, decode->size_bytes, decode->options, decode->error);
}

/* The BMP loader decodes while it opens, so its header is looked at here first. */
static int bmp_header_check(const struct img_decode_job *decode)
{
    const uint8_t *data = decode->data; /* the probe has seen 26 bytes */
    struct img_size size;
    if (data[14] == 12) {
        size.width_px = data[18] | (uint32_t)data[19] << 8;
        size.height_px = data[20] | (uint32_t)data[21] << 8;
    } else {
        const int32_t height = (int32_t)read_le32(data + 22); /* below 0: from the top down */
        size.width_px = read_le32(data + 18);
        size.height_px = height < 0 ? 0u - (uint32_t)height : (uint32_t)height;
    }
    int r = img_fit_check(size, decode->options, decode->error);
    return r == 0 ? memory_check(decode, size) : r;
}

static VipsFailOn fail_on_of(enum img_fail_on fail_on)
{
    switch (fail_on) {
    case IMG_FAIL_ON_NONE:
        return VIPS_FAIL_ON_NONE;
    case IMG_FAIL_ON_TRUNCATED:
        return VIPS_FAIL_ON_TRUNCATED;
    case IMG_FAIL_ON_ERROR:
        break;
    case IMG_FAIL_ON_WARNING:
        return VIPS_FAIL_ON_WARNING;
    }
    return VIPS_FAIL_ON_ERROR;
}

/* What the opened file claims, before its pixels are decoded. */
static int claims_check(const struct vips_job *job)
{
    const struct img_decode_job *decode = job->decode;
    const struct img_size size = {(uint32_t)job->image->Xsize, (uint32_t)job->image->Ysize};
    int frames = 0;
    if (job->vips->vips_image_get_typeof(job->image, VIPS_META_N_PAGES) != 0 &&
        job->vips->vips_image_get_int(job->image, VIPS_META_N_PAGES, &frames) == 0 && frames > 0 &&
        (unsigned)frames > decode->options->frames_max)
        return frames_refuse(decode);
    int r = img_fit_check(size, decode->options, decode->error);
    return r == 0 ? memory_check(decode, size) : r;
}

static int image_open(struct vips_job *job)
{
    const struct img_decode_job *decode = job->decode;
    const struct img_vips *vips = job->vips;
    const char *loader = img_vips_loader_name(decode->format);
    if (!loader || !img_vips_has_loader(vips, loader))
        return img_fail(decode->error, -ENOTSUP, "libvips has no loader for %s",
                        img_format_name(decode->format));
    VipsBlob *blob = vips->vips_blob_new(NULL, decode->data, decode->size_bytes);
    /* The loader of WebP hands over whole pictures, large ones in a file unless told not to. */
    const gboolean memory = decode->format == IMG_FORMAT_WEBP;
    int failed = vips->vips_call(loader, blob, &job->image, "access", VIPS_ACCESS_SEQUENTIAL,
                                 "memory", memory, "fail_on", fail_on_of(decode->fail_on), NULL);
    vips->vips_area_unref((VipsArea *)blob);
    if (failed || !job->image)
        return fail_with_vips_error(job);
    return claims_check(job);
}

/* ---- Bringing it to a layout of ours ---- */

/* Replace the job's image by what an operation made of it. */
static int image_replace(struct vips_job *job, int failed, VipsImage *made)
{
    if (failed || !made)
        return fail_with_vips_error(job);
    job->vips->g_object_unref(job->image);
    job->image = made;
    return 0;
}

static int bands_keep(struct vips_job *job, int count)
{
    VipsImage *made = NULL;
    if (job->image->Bands <= count)
        return 0;
    int failed = job->vips->vips_extract_band(job->image, &made, 0, "n", count, NULL);
    return image_replace(job, failed, made);
}

/* Samples that are integers of 8 or 16 bits in gray, RGB or CMYK are taken as they are. */
static bool is_plain(const VipsImage *image)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): img_fail() never returns 0. */
    if (image->Coding != VIPS_CODING_NONE ||
        (image->BandFmt != VIPS_FORMAT_UCHAR && image->BandFmt != VIPS_FORMAT_USHORT))
        return false;
    switch (image->Type) {
    case VIPS_INTERPRETATION_MULTIBAND:
    case VIPS_INTERPRETATION_B_W:
    case VIPS_INTERPRETATION_GREY16:
    case VIPS_INTERPRETATION_RGB:
    case VIPS_INTERPRETATION_sRGB:
    case VIPS_INTERPRETATION_RGB16:
    case VIPS_INTERPRETATION_CMYK:
        return true;
    default:
        return false;
    }
}

static int plain_make(struct vips_job *job)
{
    const struct img_vips *vips = job->vips;
    VipsImage *made = NULL;
    if (is_plain(job->image))
        return 0;
    const bool gray = job->image->Bands <= 2;
    int failed = vips->vips_colourspace(
        job->image, &made, gray ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB, NULL);
    int r = image_replace(job, failed, made);
    if (r < 0 || job->image->BandFmt == VIPS_FORMAT_UCHAR)
        return r;
    made = NULL;
    failed = vips->vips_cast(job->image, &made, VIPS_FORMAT_UCHAR, NULL);
    return image_replace(job, failed, made);
}

static int layout_settle(struct vips_job *job, enum img_layout *ret_layout)
{
    int r = plain_make(job);
    if (r < 0)
        return r;
    const int bands = job->image->Bands;
    if (job->image->Type == VIPS_INTERPRETATION_CMYK && bands >= 4) {
        *ret_layout = IMG_LAYOUT_CMYK;
        return bands_keep(job, 4);
    }
    const bool alpha = job->vips->vips_image_hasalpha(job->image) != 0;
    if (bands >= 3) {
        *ret_layout = bands >= 4 && alpha ? IMG_LAYOUT_RGB_ALPHA : IMG_LAYOUT_RGB;
        return bands_keep(job, *ret_layout == IMG_LAYOUT_RGB ? 3 : 4);
    }
    *ret_layout = bands == 2 ? IMG_LAYOUT_GRAY_ALPHA : IMG_LAYOUT_GRAY;
    return 0;
}

/* HEIF, AVIF and JPEG XL turn while they decode; what their EXIF says has been done. */
static int orientation_left(const struct vips_job *job)
{
    switch (job->decode->format) {
    case IMG_FORMAT_HEIF:
    case IMG_FORMAT_AVIF:
    case IMG_FORMAT_JXL:
        return 1;
    default:
        return job->vips->vips_image_get_orientation(job->image);
    }
}

/* ---- Pulling the rows ---- */

static int rows_push(struct vips_job *job, size_t row_bytes)
{
    const struct img_decode_job *decode = job->decode;
    const int height = job->image->Ysize;
    const size_t fitting = STRIP_BYTES / row_bytes;
    int strip = fitting < 16 ? 16 : fitting > 256 ? 256 : (int)fitting;
    if (img_fail_on_tolerates(decode->fail_on, -EBADMSG))
        strip = 1; /* no good row is lost with the bad one that follows */
    job->region = job->vips->vips_region_new(job->image);
    if (!job->region)
        return fail_with_vips_error(job);
    for (int y = 0; y < height; y += strip) {
        if (img_decode_cancelled(decode))
            return img_fail(decode->error, -ECANCELED, "cancelled");
        const int count = height - y < strip ? height - y : strip;
        const VipsRect rect = {0, y, job->image->Xsize, count};
        if (job->vips->vips_region_prepare(job->region, &rect) != 0)
            return fail_with_vips_error(job);
        const VipsRegion *region = job->region; /* whole rows: from the first column on */
        const uint8_t *rows = region->data + (ptrdiff_t)(y - region->valid.top) * region->bpl;
        int r = decode->sink->rows(decode->sink, rows, (size_t)region->bpl, (uint32_t)count);
        if (r < 0)
            return r;
    }
    return 0;
}

static int image_decode(struct vips_job *job)
{
    const struct img_vips *vips = job->vips;
    struct img_raster raster = {.depth_bits = 8};
    int r = image_open(job);
    if (r < 0)
        return r;
    raster.orientation = orientation_left(job);
    const bool converted = !is_plain(job->image); /* a profile would describe other numbers */
    r = layout_settle(job, &raster.layout);
    if (r < 0)
        return r;
    raster.source_width_px = raster.width_px = (uint32_t)job->image->Xsize;
    raster.source_height_px = raster.height_px = (uint32_t)job->image->Ysize;
    raster.area_width_px = raster.width_px;
    raster.area_height_px = raster.height_px;
    if (job->image->BandFmt == VIPS_FORMAT_USHORT)
        raster.depth_bits = 16;
    const void *icc = NULL;
    if (!converted && vips->vips_image_get_typeof(job->image, VIPS_META_ICC_NAME) != 0 &&
        vips->vips_image_get_blob(job->image, VIPS_META_ICC_NAME, &icc, &raster.icc_bytes) == 0)
        raster.icc = icc;
    r = job->decode->sink->begin(job->decode->sink, &raster);
    if (r < 0)
        return r;
    return rows_push(job, (size_t)raster.width_px * img_layout_channels(raster.layout) *
                              (raster.depth_bits / 8));
}

int img_decode_vips(const struct img_decode_job *decode)
{
    if (decode->format == IMG_FORMAT_BMP) {
        int r = bmp_header_check(decode);
        if (r < 0)
            return r;
    }
    if (img_frames_exceed(decode->format, decode->data, decode->size_bytes,
                          decode->options->frames_max))
        return frames_refuse(decode);
    const struct img_vips *vips = img_vips_load();
    if (vips->error[0])
        return img_fail(decode->error, -ENOTSUP, "%s needs libvips; %s",
                        img_format_name(decode->format), vips->error);

    struct vips_job job = {.decode = decode, .vips = vips};
    int r = image_decode(&job);
    if (job.region)
        vips->g_object_unref(job.region);
    if (job.image)
        vips->g_object_unref(job.image);
    return r;
}
