/* photo_write.c: a picture as a JPEG or PNG file, its EXIF and its ICC profile.
 *
 * libjpeg and libpng report errors by a jump. Each is confined to one function that owns nothing
 * (jpeg_guarded, png_guarded), so that no jump can skip a release. */
#include "photo_priv.h"

#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <lcms2.h>
#include <png.h>

#define JPEG_QUALITY   92
#define PNG_ZLIB_LEVEL 3 /* level 6 takes three times as long for files 2 % smaller */

/* --- Colour --- */

/* Display P3: the primaries of DCI-P3 with the white point and the curve of sRGB. */
static cmsHPROFILE display_p3_create(void)
{
    static const cmsCIExyY white = {0.3127, 0.3290, 1};
    static const cmsCIExyYTRIPLE primaries = {
        {0.680, 0.320, 1}, {0.265, 0.690, 1}, {0.150, 0.060, 1}};
    static const cmsFloat64Number srgb[5] = {2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045};
    cmsToneCurve *curve = cmsBuildParametricToneCurve(NULL, 4, srgb);
    if (!curve)
        return NULL;
    cmsToneCurve *const curves[3] = {curve, curve, curve};
    cmsHPROFILE profile = cmsCreateRGBProfile(&white, &primaries, curves);
    cmsFreeToneCurve(curve);
    return profile;
}

int photo_to_display_p3(struct photo *photo)
{
    cmsHPROFILE from = cmsCreate_sRGBProfile(), to = display_p3_create();
    cmsHTRANSFORM transform = NULL;
    if (from && to)
        transform =
            cmsCreateTransform(from, TYPE_RGB_8, to, TYPE_RGB_8, INTENT_RELATIVE_COLORIMETRIC, 0);
    const int r = transform ? 0 : -ENOMEM;
    for (int y = 0; transform && y < photo->height_px; y++) {
        uint8_t *row = photo->pixels + 3 * (size_t)photo->width_px * (size_t)y;
        cmsDoTransform(transform, row, row, (cmsUInt32Number)photo->width_px);
    }
    if (transform)
        cmsDeleteTransform(transform);
    if (to)
        cmsCloseProfile(to);
    if (from)
        cmsCloseProfile(from);
    return r;
}

/* The profile as bytes, owned by the caller (free). */
static int display_p3_save(uint8_t **ret_icc, size_t *ret_bytes)
{
    cmsHPROFILE profile = display_p3_create();
    cmsUInt32Number bytes = 0;
    uint8_t *icc = NULL;
    int r = -ENOMEM;
    if (!profile || !cmsSaveProfileToMem(profile, NULL, &bytes) || bytes < 128)
        goto out;
    icc = malloc(bytes);
    if (!icc || !cmsSaveProfileToMem(profile, icc, &bytes))
        goto out;
    /* Bytes 24..35 of the header say when it was made: now. Set a date that does not change. */
    static const uint8_t date[12] = {2024 >> 8, 2024 & 0xff, 0, 1, 0, 1};
    memcpy(icc + 24, date, sizeof(date));
    *ret_icc = icc;
    *ret_bytes = bytes;
    icc = NULL;
    r = 0;
out:
    free(icc);
    if (profile)
        cmsCloseProfile(profile);
    return r;
}

/* --- EXIF --- */

struct exif {
    uint8_t data[256];
    size_t used; /* bytes */
};

static void exif_u16(struct exif *exif, unsigned value)
{
    exif->data[exif->used++] = (uint8_t)value;
    exif->data[exif->used++] = (uint8_t)(value >> 8);
}

static void exif_u32(struct exif *exif, unsigned value)
{
    exif_u16(exif, value & 0xffff);
    exif_u16(exif, value >> 16);
}

/* type: 2 text, 3 16-bit, 4 32-bit, 7 bytes. value: the value, left-justified in four bytes, or
 * where it lies. */
static void exif_entry(struct exif *exif, unsigned tag, unsigned type, unsigned count,
                       unsigned value)
{
    exif_u16(exif, tag);
    exif_u16(exif, type);
    exif_u32(exif, count);
    exif_u32(exif, value);
}

/* The APP1 segment of a camera, little-endian: IFD0 with orientation and date, and the EXIF IFD it
 * points to. Offsets count from the TIFF header, six bytes in. */
static void exif_build(const struct photo *photo, int orientation, struct exif *exif)
{
    static const char date[20] = "2025:06:21 10:30:00";
    enum { IFD0 = 8, IFD0_ENTRIES = 4, EXIF_ENTRIES = 5 };
    const unsigned exif_ifd = IFD0 + 2 + 12 * IFD0_ENTRIES + 4;
    const unsigned texts = exif_ifd + 2 + 12 * EXIF_ENTRIES + 4;

    exif->used = 0;
    memcpy(exif->data, "Exif\0\0II*\0", 10);
    exif->used = 10;
    exif_u32(exif, IFD0);
    exif_u16(exif, IFD0_ENTRIES); /* in ascending order of tags, as TIFF wants it */
    exif_entry(exif, 0x0112, 3, 1, (unsigned)orientation);
    exif_entry(exif, 0x0132, 2, sizeof(date), texts); /* DateTime */
    exif_entry(exif, 0x0213, 3, 1, 1);                /* YCbCrPositioning: centred */
    exif_entry(exif, 0x8769, 4, 1, exif_ifd);
    exif_u32(exif, 0); /* no IFD1, hence no preview inside */
    exif_u16(exif, EXIF_ENTRIES);
    exif_entry(exif, 0x9000, 7, 4, 0x32333230);                /* version "0232" */
    exif_entry(exif, 0x9003, 2, sizeof(date), texts);          /* DateTimeOriginal */
    exif_entry(exif, 0xa001, 3, 1, 1);                         /* ColorSpace: sRGB */
    exif_entry(exif, 0xa002, 4, 1, (unsigned)photo->width_px); /* as stored */
    exif_entry(exif, 0xa003, 4, 1, (unsigned)photo->height_px);
    exif_u32(exif, 0);
    memcpy(exif->data + exif->used, date, sizeof(date));
    exif->used += sizeof(date);
}

/* --- JPEG --- */

struct jpeg_job {
    struct jpeg_compress_struct cinfo;
    struct jpeg_error_mgr errors;
    jmp_buf jump;
    const struct photo *photo;
    const struct photo_format *format;
    FILE *file;
    const uint8_t *icc; /* NULL: none */
    size_t icc_bytes;
};

static void jpeg_failed(j_common_ptr cinfo)
{
    struct jpeg_job *job = cinfo->client_data;
    cinfo->err->output_message(cinfo);
    longjmp(job->jump, 1);
}

static void jpeg_configure(struct jpeg_job *job)
{
    struct jpeg_compress_struct *cinfo = &job->cinfo;
    cinfo->image_width = (JDIMENSION)job->photo->width_px;
    cinfo->image_height = (JDIMENSION)job->photo->height_px;
    cinfo->input_components = 3;
    cinfo->in_color_space = JCS_RGB;
    jpeg_set_defaults(cinfo);
    jpeg_set_quality(cinfo, JPEG_QUALITY, TRUE);
    cinfo->comp_info[0].h_samp_factor = job->format->sampling == PHOTO_444 ? 1 : 2;
    cinfo->comp_info[0].v_samp_factor = job->format->sampling == PHOTO_420 ? 2 : 1;
    if (job->format->restart_markers)
        cinfo->restart_in_rows = 1;
    if (job->format->progressive)
        jpeg_simple_progression(cinfo);
    /* Cameras write EXIF where JFIF would be: both want to be the first segment. */
    cinfo->write_JFIF_header = job->format->orientation == 0;
}

static void jpeg_encode(struct jpeg_job *job)
{
    jpeg_create_compress(&job->cinfo);
    jpeg_stdio_dest(&job->cinfo, job->file);
    jpeg_configure(job);
    jpeg_start_compress(&job->cinfo, TRUE);
    if (job->format->orientation != 0) {
        struct exif exif;
        exif_build(job->photo, job->format->orientation, &exif);
        jpeg_write_marker(&job->cinfo, JPEG_APP0 + 1, exif.data, (unsigned)exif.used);
    }
    if (job->icc)
        jpeg_write_icc_profile(&job->cinfo, job->icc, (unsigned)job->icc_bytes);
    const size_t stride = 3 * (size_t)job->photo->width_px;
    while (job->cinfo.next_scanline < job->cinfo.image_height) {
        JSAMPROW row = job->photo->pixels + stride * job->cinfo.next_scanline;
        jpeg_write_scanlines(&job->cinfo, &row, 1);
    }
    jpeg_finish_compress(&job->cinfo);
}

static int jpeg_guarded(struct jpeg_job *job)
{
    if (setjmp(job->jump))
        return -EIO;
    jpeg_encode(job);
    return 0;
}

static int write_jpeg(const struct photo *photo, const struct photo_format *format, FILE *file)
{
    struct jpeg_job job = {.photo = photo, .format = format, .file = file};
    uint8_t *icc = NULL;
    int r = format->display_p3 ? display_p3_save(&icc, &job.icc_bytes) : 0;
    if (r < 0)
        return r;
    job.icc = icc;
    job.cinfo.err = jpeg_std_error(&job.errors);
    job.cinfo.client_data = &job; /* create keeps err and client_data */
    job.errors.error_exit = jpeg_failed;
    r = jpeg_guarded(&job);
    jpeg_destroy_compress(&job.cinfo);
    free(icc);
    return r;
}

/* --- PNG --- */

static void png_encode(png_structp png, png_infop info, const struct photo *photo, FILE *file)
{
    png_init_io(png, file);
    png_set_compression_level(png, PNG_ZLIB_LEVEL);
    png_set_IHDR(png, info, (png_uint_32)photo->width_px, (png_uint_32)photo->height_px, 8,
                 photo->channels == 4 ? PNG_COLOR_TYPE_RGB_ALPHA : PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    const size_t stride = (size_t)photo->channels * (size_t)photo->width_px;
    for (int y = 0; y < photo->height_px; y++)
        png_write_row(png, photo->pixels + stride * (size_t)y);
    png_write_end(png, info);
}

static int png_guarded(png_structp png, png_infop info, const struct photo *photo, FILE *file)
{
    if (setjmp(png_jmpbuf(png)))
        return -EIO;
    png_encode(png, info, photo, file);
    return 0;
}

static int write_png(const struct photo *photo, FILE *file)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    const int r = info ? png_guarded(png, info, photo, file) : -ENOMEM;
    png_destroy_write_struct(&png, &info);
    return r;
}

int photo_write(const struct photo *photo, const struct photo_format *format, FILE *file)
{
    return format->png ? write_png(photo, file) : write_jpeg(photo, format, file);
}
