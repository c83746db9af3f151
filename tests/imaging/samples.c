#include "samples.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <lcms2.h>
#include <png.h>

#include "isolate.h"

/* ---- Pictures ---- */

struct sample sample_new(uint32_t width, uint32_t height, unsigned channels, unsigned depth)
{
    struct sample sample = {width, height, channels, depth, NULL};
    sample.samples = calloc((size_t)width * height * channels, sizeof(*sample.samples));
    assert_non_null(sample.samples);
    return sample;
}

void sample_free(struct sample *sample)
{
    free(sample->samples);
    *sample = (struct sample){0};
}

uint16_t *sample_at(const struct sample *sample, uint32_t x, uint32_t y)
{
    return sample->samples + ((size_t)y * sample->width + x) * sample->channels;
}

struct sample sample_photo(uint32_t width, uint32_t height, unsigned channels, unsigned depth)
{
    struct sample sample = sample_new(width, height, channels, depth);
    const double full = depth == 16 ? 65535 : 255;
    uint32_t grain = 12345;
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++)
            for (unsigned c = 0; c < channels; c++) {
                grain = grain * 1664525 + 1013904223;
                double value = 0.5 + 0.25 * sin(x * (0.05 + 0.02 * c) + y * 0.011) +
                               0.15 * cos(y * (0.07 - 0.01 * c)) + 0.1 * (double)x / width +
                               0.06 * ((grain >> 16) / 65535.0 - 0.5);
                value = value < 0 ? 0 : value > 1 ? 1 : value;
                sample_at(&sample, x, y)[c] = (uint16_t)(value * full + 0.5);
            }
    return sample;
}

struct sample sample_quarters(uint32_t width, uint32_t height)
{
    static const uint16_t colours[4][3] = {
        {230, 20, 20}, {20, 200, 20}, {20, 20, 230}, {240, 240, 240}};
    struct sample sample = sample_new(width, height, 3, 8);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++)
            memcpy(sample_at(&sample, x, y), colours[(y >= height / 2) * 2 + (x >= width / 2)],
                   sizeof(colours[0]));
    return sample;
}

/* EXIF's words for where row 0 and column 0 are: 1 top left, 2 top right, 3 bottom right,
 * 4 bottom left, 5 left top, 6 right top, 7 right bottom, 8 left bottom. */
struct sample sample_stored_as(const struct sample *upright, int orientation)
{
    const uint32_t w = upright->width, h = upright->height;
    const bool swaps = orientation >= 5;
    struct sample stored =
        sample_new(swaps ? h : w, swaps ? w : h, upright->channels, upright->depth);
    for (uint32_t y = 0; y < h; y++)
        for (uint32_t x = 0; x < w; x++) {
            uint32_t row = 0, column = 0;
            switch (orientation) {
            case 1:
                row = y, column = x;
                break;
            case 2:
                row = y, column = w - 1 - x;
                break;
            case 3:
                row = h - 1 - y, column = w - 1 - x;
                break;
            case 4:
                row = h - 1 - y, column = x;
                break;
            case 5:
                row = x, column = y;
                break;
            case 6:
                row = w - 1 - x, column = y;
                break;
            case 7:
                row = w - 1 - x, column = h - 1 - y;
                break;
            case 8:
                row = x, column = h - 1 - y;
                break;
            default:
                fail_msg("orientation %d", orientation);
            }
            memcpy(sample_at(&stored, column, row), sample_at(upright, x, y),
                   upright->channels * sizeof(uint16_t));
        }
    return stored;
}

static bool same_shape(const struct sample *a, const struct sample *b)
{
    return a->width == b->width && a->height == b->height && a->channels == b->channels &&
           a->depth == b->depth;
}

unsigned sample_difference(const struct sample *a, const struct sample *b)
{
    if (!same_shape(a, b))
        return 99999;
    unsigned most = 0;
    for (size_t i = 0; i < (size_t)a->width * a->height * a->channels; i++) {
        const unsigned difference = (unsigned)abs(a->samples[i] - b->samples[i]);
        most = difference > most ? difference : most;
    }
    return most;
}

double sample_psnr(const struct sample *a, const struct sample *b)
{
    if (!same_shape(a, b))
        return 0;
    const size_t count = (size_t)a->width * a->height * a->channels;
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += pow((double)a->samples[i] - b->samples[i], 2);
    return sum > 0 ? 10 * log10(255 * 255 * (double)count / sum) : 99;
}

/* ---- EXIF and ICC ---- */

struct bytes exif_bytes(int orientation, bool big_endian)
{
    static const uint8_t little[] = {'I', 'I', '*', 0, 8, 0, 0, 0, 1, 0, 0x12, 0x01, 3,
                                     0,   1,   0,   0, 0, 0, 0, 0, 0, 0, 0,    0,    0};
    static const uint8_t big[] = {'M', 'M', 0, '*', 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0,
                                  3,   0,   0, 0,   1, 0, 0, 0, 0, 0, 0,    0,    0};
    struct bytes exif = {malloc(sizeof(little)), sizeof(little)};
    assert_non_null(exif.data);
    memcpy(exif.data, big_endian ? big : little, exif.size);
    exif.data[big_endian ? 19 : 18] = (uint8_t)orientation;
    return exif;
}

static struct bytes icc_save(cmsHPROFILE profile)
{
    struct bytes icc = {NULL, 0};
    cmsUInt32Number size = 0;
    assert_non_null(profile);
    assert_true(cmsSaveProfileToMem(profile, NULL, &size));
    icc.data = malloc(size);
    assert_non_null(icc.data);
    assert_true(cmsSaveProfileToMem(profile, icc.data, &size));
    icc.size = size;
    cmsCloseProfile(profile);
    return icc;
}

static struct bytes icc_of_primaries(const cmsCIExyYTRIPLE *primaries)
{
    static const cmsFloat64Number srgb[5] = {2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045};
    const cmsCIExyY d65 = {0.3127, 0.3290, 1};
    cmsToneCurve *curve = cmsBuildParametricToneCurve(NULL, 4, srgb);
    cmsToneCurve *curves[3] = {curve, curve, curve};
    cmsHPROFILE profile = cmsCreateRGBProfile(&d65, primaries, curves);
    cmsFreeToneCurve(curve);
    return icc_save(profile);
}

struct bytes icc_swapped(void)
{
    return icc_of_primaries(&(cmsCIExyYTRIPLE){{0.30, 0.60, 1}, {0.15, 0.06, 1}, {0.64, 0.33, 1}});
}

struct bytes icc_display_p3(void)
{
    return icc_of_primaries(
        &(cmsCIExyYTRIPLE){{0.680, 0.320, 1}, {0.265, 0.690, 1}, {0.150, 0.060, 1}});
}

struct bytes icc_srgb(void)
{
    return icc_save(cmsCreate_sRGBProfile());
}

struct bytes icc_gray(double gamma)
{
    cmsToneCurve *curve = cmsBuildGamma(NULL, gamma);
    cmsHPROFILE profile = cmsCreateGrayProfile(cmsD50_xyY(), curve);
    cmsFreeToneCurve(curve);
    return icc_save(profile);
}

/* ---- JPEG; libjpeg's own error handler ends the test ---- */

static void exif_write(struct jpeg_compress_struct *cinfo, int orientation)
{
    struct bytes tiff = exif_bytes(orientation, orientation % 2 == 0);
    uint8_t segment[64] = "Exif\0";
    memcpy(segment + 6, tiff.data, tiff.size);
    jpeg_write_marker(cinfo, JPEG_APP0 + 1, segment, (unsigned)(6 + tiff.size));
    free(tiff.data);
}

struct bytes jpeg_bytes(const struct sample *sample, const struct jpeg_make *make)
{
    static const J_COLOR_SPACE spaces[] = {JCS_UNKNOWN, JCS_GRAYSCALE, JCS_UNKNOWN, JCS_RGB,
                                           JCS_CMYK};
    struct jpeg_compress_struct cinfo;
    struct jpeg_error_mgr errors;
    unsigned char *data = NULL;
    unsigned long size = 0;
    cinfo.err = jpeg_std_error(&errors);
    jpeg_create_compress(&cinfo);
    jpeg_mem_dest(&cinfo, &data, &size);
    cinfo.image_width = sample->width;
    cinfo.image_height = sample->height;
    cinfo.input_components = (int)sample->channels;
    cinfo.in_color_space = spaces[sample->channels];
    jpeg_set_defaults(&cinfo);
    jpeg_set_quality(&cinfo, make->quality ? make->quality : 95, TRUE);
    cinfo.comp_info[0].h_samp_factor = make->luma_h ? make->luma_h : 1;
    cinfo.comp_info[0].v_samp_factor = make->luma_v ? make->luma_v : 1;
    cinfo.restart_in_rows = (int)make->restart_rows;
    if (make->progressive)
        jpeg_simple_progression(&cinfo);
    jpeg_scan_info scans[4] = {{0}};
    for (int i = 0; i < cinfo.num_components; i++)
        scans[i] = (jpeg_scan_info){1, {i}, 0, 63, 0, 0};
    if (make->separate_scans)
        cinfo.scan_info = scans, cinfo.num_scans = cinfo.num_components;
    jpeg_start_compress(&cinfo, TRUE);
    if (make->orientation)
        exif_write(&cinfo, make->orientation);
    if (make->icc.size)
        jpeg_write_icc_profile(&cinfo, make->icc.data, (unsigned)make->icc.size);
    if (make->comment)
        jpeg_write_marker(&cinfo, JPEG_COM, (const JOCTET *)make->comment,
                          (unsigned)strlen(make->comment));
    uint8_t *row = malloc((size_t)sample->width * sample->channels);
    assert_non_null(row);
    for (uint32_t y = 0; y < sample->height; y++) {
        for (size_t i = 0; i < (size_t)sample->width * sample->channels; i++) {
            const uint8_t value = (uint8_t)sample_at(sample, 0, y)[i];
            row[i] = sample->channels == 4 ? (uint8_t)(255 - value) : value;
        }
        jpeg_write_scanlines(&cinfo, &row, 1);
    }
    jpeg_finish_compress(&cinfo);
    jpeg_destroy_compress(&cinfo);
    free(row);
    return (struct bytes){data, size};
}

static struct sample jpeg_decode(const uint8_t *data, size_t size)
{
    struct jpeg_decompress_struct cinfo;
    struct jpeg_error_mgr errors;
    cinfo.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&cinfo);
    jpeg_mem_src(&cinfo, data, size);
    jpeg_read_header(&cinfo, TRUE);
    jpeg_start_decompress(&cinfo);
    struct sample sample =
        sample_new(cinfo.output_width, cinfo.output_height, (unsigned)cinfo.output_components, 8);
    uint8_t *row = malloc((size_t)sample.width * sample.channels);
    assert_non_null(row);
    for (uint32_t y = 0; y < sample.height; y++) {
        jpeg_read_scanlines(&cinfo, &row, 1);
        for (size_t i = 0; i < (size_t)sample.width * sample.channels; i++)
            sample_at(&sample, 0, y)[i] = row[i];
    }
    jpeg_finish_decompress(&cinfo);
    assert_int_equal(errors.num_warnings, 0);
    jpeg_destroy_decompress(&cinfo);
    free(row);
    return sample;
}

/* ---- PNG; libpng's own error handler ends the test ---- */

static void bytes_append(png_structp png, png_bytep data, size_t count)
{
    struct bytes *bytes = png_get_io_ptr(png);
    bytes->data = realloc(bytes->data, bytes->size + count);
    assert_non_null(bytes->data);
    memcpy(bytes->data + bytes->size, data, count);
    bytes->size += count;
}

static void nothing_flush(png_structp png)
{
    (void)png;
}

static void orientation_set(png_structp png, png_infop info, int orientation)
{
    struct bytes exif = exif_bytes(orientation, true);
    png_set_eXIf_1(png, info, (png_uint_32)exif.size, exif.data);
    free(exif.data);
}

static void rows_write(png_structp png, const struct sample *sample)
{
    const size_t row_samples = (size_t)sample->width * sample->channels;
    uint8_t *whole = malloc(row_samples * 2 * sample->height);
    png_bytepp rows = calloc(sample->height, sizeof(*rows));
    assert_non_null(whole);
    assert_non_null(rows);
    for (uint32_t y = 0; y < sample->height; y++) {
        rows[y] = whole + y * row_samples * 2;
        for (size_t i = 0; i < row_samples; i++) {
            const uint16_t value = sample_at(sample, 0, y)[i];
            if (sample->depth == 16)
                rows[y][i * 2] = (uint8_t)(value >> 8), rows[y][i * 2 + 1] = (uint8_t)value;
            else
                rows[y][i] = (uint8_t)value;
        }
    }
    png_write_image(png, rows);
    free(rows);
    free(whole);
}

struct bytes png_bytes(const struct sample *sample, const struct png_make *make)
{
    static const int types[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA,
                                PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
    struct bytes bytes = {NULL, 0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_set_write_fn(png, &bytes, bytes_append, nothing_flush);
    png_set_compression_level(png, 1);
    png_set_IHDR(png, info, sample->width, sample->height, (int)sample->depth,
                 types[sample->channels], make->interlaced ? PNG_INTERLACE_ADAM7 : 0, 0, 0);
    if (make->icc.size)
        png_set_iCCP(png, info, "test", 0, make->icc.data, (png_uint_32)make->icc.size);
    if (make->transparent_key) {
        const uint16_t *key = sample_at(sample, 0, 0);
        const bool rgb = sample->channels == 3;
        png_color_16 colour = {.red = rgb ? key[0] : 0,
                               .green = rgb ? key[1] : 0,
                               .blue = rgb ? key[2] : 0,
                               .gray = key[0]};
        png_set_tRNS(png, info, NULL, 0, &colour);
    }
    if (make->orientation && !make->exif_at_end)
        orientation_set(png, info, make->orientation);
    png_write_info(png, info);
    rows_write(png, sample);
    if (make->orientation && make->exif_at_end)
        orientation_set(png, info, make->orientation);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    return bytes;
}

struct bytes png_palette_bytes(uint32_t width, uint32_t height, int bits, unsigned colours,
                               const uint8_t *palette, const uint8_t *alpha)
{
    struct bytes bytes = {NULL, 0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_set_write_fn(png, &bytes, bytes_append, nothing_flush);
    png_set_IHDR(png, info, width, height, bits, PNG_COLOR_TYPE_PALETTE, 0, 0, 0);
    png_set_PLTE(png, info, (png_const_colorp)(const void *)palette, (int)colours);
    if (alpha)
        png_set_tRNS(png, info, alpha, (int)colours, NULL);
    png_write_info(png, info);
    png_set_packing(png);
    uint8_t *row = malloc(width);
    assert_non_null(row);
    unsigned at = 0;
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++)
            row[x] = (uint8_t)(at++ % colours);
        png_write_row(png, row);
    }
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    free(row);
    return bytes;
}

static struct sample png_decode(const uint8_t *data, size_t size)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_memory(&image, data, size));
    const unsigned channels = PNG_IMAGE_PIXEL_CHANNELS(image.format);
    uint8_t *pixels = malloc(PNG_IMAGE_SIZE(image));
    assert_non_null(pixels);
    assert_true(png_image_finish_read(&image, NULL, pixels, 0, NULL));
    struct sample sample = sample_new(image.width, image.height, channels, 8);
    for (size_t i = 0; i < (size_t)image.width * image.height * channels; i++)
        sample.samples[i] = pixels[i];
    free(pixels);
    return sample;
}

/* ---- The rest ---- */

struct bytes bmp_bytes(const struct sample *sample)
{
    const size_t stride = ((size_t)sample->width * 3 + 3) / 4 * 4;
    struct bytes bmp = {NULL, 54 + stride * sample->height};
    bmp.data = calloc(bmp.size, 1);
    assert_non_null(bmp.data);
    memcpy(bmp.data, "BM", 2);
    const struct {
        size_t at;
        uint32_t value;
    } fields[] = {{2, (uint32_t)bmp.size}, {10, 54}, {14, 40}, {18, sample->width},
                  {22, sample->height},    {26, 1},  {28, 24}};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        for (unsigned byte = 0; byte < 4; byte++)
            bmp.data[fields[i].at + byte] |= (uint8_t)(fields[i].value >> (8 * byte));
    for (uint32_t y = 0; y < sample->height; y++)
        for (uint32_t x = 0; x < sample->width; x++)
            for (unsigned c = 0; c < 3; c++)
                bmp.data[54 + (sample->height - 1 - y) * stride + x * 3 + 2 - c] =
                    (uint8_t)sample_at(sample, x, y)[c];
    return bmp;
}

struct sample sample_decode(const uint8_t *data, size_t size)
{
    assert_true(size > 2);
    return data[0] == 0xff ? jpeg_decode(data, size) : png_decode(data, size);
}

bool bytes_contain(const uint8_t *data, size_t size, const char *needle, size_t needle_size)
{
    return memmem(data, size, needle, needle_size) != NULL;
}
