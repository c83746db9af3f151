#include <string.h>

#include <imaging/imaging.h>

#include "isolate.h"

struct signature {
    const char *label;
    const char *bytes;
    size_t size;
    enum img_format format;
};

#define ROW(label, literal, format)                                                                \
    {                                                                                              \
        label, literal, sizeof(literal) - 1, format                                                \
    }
#define BMP_HEAD(size) "BM\x36\0\0\0\0\0\0\0\x36\0\0\0" size "\0\0\0\1\0\0\0\1\0\0\0"

static const struct signature signatures[] = {
    ROW("JPEG with JFIF", "\xff\xd8\xff\xe0\0\x10JFIF", IMG_FORMAT_JPEG),
    ROW("JPEG with EXIF",
        "\xff\xd8\xff\xe1\x12\x34"
        "Exif",
        IMG_FORMAT_JPEG),
    ROW("JPEG without application segment", "\xff\xd8\xff\xdb", IMG_FORMAT_JPEG),
    ROW("two bytes of a JPEG", "\xff\xd8", IMG_FORMAT_UNKNOWN),
    ROW("PNG", "\x89PNG\r\n\x1a\n", IMG_FORMAT_PNG),
    ROW("PNG after a text transfer", "\x89PNG\n\x1a\n\0", IMG_FORMAT_UNKNOWN),
    ROW("lossy WebP", "RIFF\x10\0\0\0WEBPVP8 ", IMG_FORMAT_WEBP),
    ROW("lossless WebP", "RIFF\x10\0\0\0WEBPVP8L", IMG_FORMAT_WEBP),
    ROW("extended WebP", "RIFF\x10\0\0\0WEBPVP8X", IMG_FORMAT_WEBP),
    ROW("RIFF of another kind", "RIFF\x10\0\0\0WAVEfmt ", IMG_FORMAT_UNKNOWN),
    ROW("WebP cut in its signature", "RIFF\x10\0\0\0WEBPVP8", IMG_FORMAT_UNKNOWN),
    ROW("GIF 87", "GIF87a\1\0", IMG_FORMAT_GIF),
    ROW("GIF 89", "GIF89a\1\0", IMG_FORMAT_GIF),
    ROW("GIF of no year", "GIF88a\1\0", IMG_FORMAT_UNKNOWN),
    ROW("little-endian TIFF", "II*\0\x08\0\0\0", IMG_FORMAT_TIFF),
    ROW("big-endian TIFF", "MM\0*\0\0\0\x08", IMG_FORMAT_TIFF),
    ROW("little-endian BigTIFF", "II+\0\x08\0\0\0", IMG_FORMAT_TIFF),
    ROW("big-endian BigTIFF", "MM\0+\0\x08\0\0", IMG_FORMAT_TIFF),
    ROW("TIFF in the wrong byte order", "II\0*\0\0\0\x08", IMG_FORMAT_UNKNOWN),
    ROW("HEIC",
        "\0\0\0\x18"
        "ftypheic\0\0\0\0mif1heic",
        IMG_FORMAT_HEIF),
    ROW("HEIF by its general brand",
        "\0\0\0\x18"
        "ftypmif1\0\0\0\0mif1heic",
        IMG_FORMAT_HEIF),
    ROW("AVIF",
        "\0\0\0\x1c"
        "ftypavif\0\0\0\0avifmif1miaf",
        IMG_FORMAT_AVIF),
    ROW("AVIF behind a general brand",
        "\0\0\0\x1c"
        "ftypmif1\0\0\0\0mif1avifmiaf",
        IMG_FORMAT_AVIF),
    ROW("AVIF sequence",
        "\0\0\0\x18"
        "ftypavis\0\0\0\0avismsf1",
        IMG_FORMAT_AVIF),
    ROW("HEIC that lists AVIF too",
        "\0\0\0\x18"
        "ftypheic\0\0\0\0heicavif",
        IMG_FORMAT_HEIF),
    ROW("brand beyond the box",
        "\0\0\0\x14"
        "ftypisom\0\0\0\0isomheic",
        IMG_FORMAT_UNKNOWN),
    ROW("MP4",
        "\0\0\0\x18"
        "ftypmp42\0\0\0\0isommp42",
        IMG_FORMAT_UNKNOWN),
    ROW("bare JPEG XL", "\xff\x0a\xf8\x07", IMG_FORMAT_JXL),
    ROW("JPEG XL container", "\0\0\0\x0cJXL \r\n\x87\n", IMG_FORMAT_JXL),
    ROW("BMP of Windows 3", BMP_HEAD("\x28"), IMG_FORMAT_BMP),
    ROW("BMP of OS/2", BMP_HEAD("\x0c"), IMG_FORMAT_BMP),
    ROW("BMP version 5", BMP_HEAD("\x7c"), IMG_FORMAT_BMP),
    ROW("BMP with a header of no known size", BMP_HEAD("\x29"), IMG_FORMAT_UNKNOWN),
    ROW("text that starts as a BMP does", "BMW and other makers of cars, a list",
        IMG_FORMAT_UNKNOWN),
    ROW("nothing", "", IMG_FORMAT_UNKNOWN),
    ROW("text", "Hello", IMG_FORMAT_UNKNOWN),
};

static void content_decides_the_format(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
        const struct signature *row = &signatures[i];
        const enum img_format format = img_format_probe((const uint8_t *)row->bytes, row->size);
        if (format != row->format)
            fail_msg("%s: %s", row->label, img_format_name(format));
    }
}

static void every_cut_of_a_signature_is_read_within_its_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++)
        for (size_t size = 0; size <= signatures[i].size; size++) {
            uint8_t *exact = test_malloc(size + 1); /* cmocka guards both ends */
            memcpy(exact, signatures[i].bytes, size);
            img_format_probe(exact, size);
            img_content_describe(exact, size);
            test_free(exact);
        }
}

static void extensions_name_formats_in_any_case(void **state)
{
    (void)state;
    static const struct {
        const char *extension;
        enum img_format format;
    } rows[] = {
        {"jpg", IMG_FORMAT_JPEG},     {"JPG", IMG_FORMAT_JPEG},   {"JpEg", IMG_FORMAT_JPEG},
        {"jpe", IMG_FORMAT_JPEG},     {"jfif", IMG_FORMAT_JPEG},  {"mpo", IMG_FORMAT_JPEG},
        {"png", IMG_FORMAT_PNG},      {"webp", IMG_FORMAT_WEBP},  {"gif", IMG_FORMAT_GIF},
        {"tif", IMG_FORMAT_TIFF},     {"tiff", IMG_FORMAT_TIFF},  {"heic", IMG_FORMAT_HEIF},
        {"heif", IMG_FORMAT_HEIF},    {"hif", IMG_FORMAT_HEIF},   {"avif", IMG_FORMAT_AVIF},
        {"jxl", IMG_FORMAT_JXL},      {"bmp", IMG_FORMAT_BMP},    {"txt", IMG_FORMAT_UNKNOWN},
        {"", IMG_FORMAT_UNKNOWN},     {"jp", IMG_FORMAT_UNKNOWN}, {"jpgx", IMG_FORMAT_UNKNOWN},
        {".jpg", IMG_FORMAT_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (img_format_from_extension(rows[i].extension) != rows[i].format)
            fail_msg("%s", rows[i].extension);
}

static void every_format_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int a = 0; a < IMG_FORMAT_COUNT; a++)
        for (int b = 0; b < a; b++)
            assert_string_not_equal(img_format_name((enum img_format)a),
                                    img_format_name((enum img_format)b));
    assert_string_equal(img_format_name(IMG_FORMAT_COUNT), "unknown");
}

static void foreign_content_is_described(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *words;
    } rows[] = {
        {"", 0, "empty"},
        {"%PDF-1.7", 8, "PDF"},
        {"  \n<!DOCTYPE html>", 18, "HTML"},
        {"\xef\xbb\xbf<html>", 9, "HTML"},
        {"<svg xmlns=", 11, "SVG"},
        {"<?xml version", 13, "XML"},
        {"PK\3\4....", 8, "archive"},
        {"\0\0\0\x18"
         "ftypmp42",
         12, "video"},
        {"Dear all,\n", 10, "text"},
        {"Gr\xc3\xbc\xc3\x9f"
         "e",
         7, "text"},
        {"\0\1\2\3", 4, "data"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(img_content_describe((const uint8_t *)rows[i].bytes, rows[i].size),
                            rows[i].words);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(content_decides_the_format),
        TEST(every_cut_of_a_signature_is_read_within_its_bytes),
        TEST(extensions_name_formats_in_any_case),
        TEST(every_format_has_a_name_of_its_own),
        TEST(foreign_content_is_described),
    };
    return test_run("probe", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
