/* probe.c: what a file is, from its first bytes, and what a name's extension promises. */
#include "imaging.h"

#include <string.h>
#include <strings.h>

static bool has_bytes(const uint8_t *data, size_t size_bytes, size_t offset, const char *bytes,
                      size_t count)
{
    return offset <= size_bytes && size_bytes - offset >= count &&
           memcmp(data + offset, bytes, count) == 0;
}

#define HAS(offset, literal) has_bytes(data, size_bytes, offset, literal, sizeof(literal) - 1)

static uint32_t read_le32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint32_t read_be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool is_webp(const uint8_t *data, size_t size_bytes)
{
    return HAS(0, "RIFF") && HAS(8, "WEBPVP8") && size_bytes > 15 && strchr(" LX", data[15]) &&
           data[15] != '\0';
}

static bool is_tiff(const uint8_t *data, size_t size_bytes)
{
    return HAS(0, "II*\0") || HAS(0, "MM\0*") || HAS(0, "II+\0\x08\0\0\0") ||
           HAS(0, "MM\0+\0\x08\0\0");
}

static bool is_jxl(const uint8_t *data, size_t size_bytes)
{
    return HAS(0, "\xff\x0a") || HAS(0, "\0\0\0\x0cJXL \r\n\x87\n");
}

/* "BM" alone starts many a text: the header that follows has one of few sizes. */
static bool is_bmp(const uint8_t *data, size_t size_bytes)
{
    static const uint8_t header_sizes[] = {12, 16, 40, 52, 56, 64, 108, 124};
    if (!HAS(0, "BM") || size_bytes < 26)
        return false;
    const uint32_t header_size = read_le32(data + 14);
    for (size_t i = 0; i < sizeof(header_sizes); i++)
        if (header_size == header_sizes[i])
            return true;
    return false;
}

/* The brands of an ISO media file: the major one and those it is compatible with. AVIF's own
 * brand decides before the general ones, which AVIF and HEIC files share. */
static enum img_format probe_ftyp(const uint8_t *data, size_t size_bytes)
{
    static const char heif_brands[][5] = {"heic", "heix", "heim", "heis", "hevc",
                                          "hevx", "hevm", "hevs", "mif1", "msf1"};
    if (!HAS(4, "ftyp") || size_bytes < 16)
        return IMG_FORMAT_UNKNOWN;
    size_t end = read_be32(data);
    if (end < 16)
        return IMG_FORMAT_UNKNOWN;
    if (end > size_bytes)
        end = size_bytes;
    if (end > IMG_PROBE_BYTES)
        end = IMG_PROBE_BYTES;
    bool heif = false;
    bool avif = false;
    for (size_t at = 8; at + 4 <= end; at += at == 8 ? 8 : 4) { /* after the major: its version */
        avif = avif || HAS(at, "avif") || HAS(at, "avis");
        for (size_t i = 0; i < sizeof(heif_brands) / sizeof(heif_brands[0]); i++)
            heif = heif || memcmp(data + at, heif_brands[i], 4) == 0;
        if (at == 8 && heif && memcmp(data + at + 1, "if1", 3) != 0 &&
            memcmp(data + at + 1, "sf1", 3) != 0)
            return IMG_FORMAT_HEIF; /* a codec's own brand comes first */
    }
    if (avif)
        return IMG_FORMAT_AVIF;
    return heif ? IMG_FORMAT_HEIF : IMG_FORMAT_UNKNOWN;
}

enum img_format img_format_probe(const uint8_t *data, size_t size_bytes)
{
    if (HAS(0, "\xff\xd8\xff"))
        return IMG_FORMAT_JPEG;
    if (HAS(0, "\x89PNG\r\n\x1a\n"))
        return IMG_FORMAT_PNG;
    if (is_webp(data, size_bytes))
        return IMG_FORMAT_WEBP;
    if (HAS(0, "GIF87a") || HAS(0, "GIF89a"))
        return IMG_FORMAT_GIF;
    if (is_tiff(data, size_bytes))
        return IMG_FORMAT_TIFF;
    if (is_jxl(data, size_bytes))
        return IMG_FORMAT_JXL;
    if (is_bmp(data, size_bytes))
        return IMG_FORMAT_BMP;
    return probe_ftyp(data, size_bytes);
}

const char *img_format_name(enum img_format format)
{
    static const char *const names[IMG_FORMAT_COUNT] = {
        [IMG_FORMAT_UNKNOWN] = "unknown", [IMG_FORMAT_JPEG] = "jpeg", [IMG_FORMAT_PNG] = "png",
        [IMG_FORMAT_WEBP] = "webp",       [IMG_FORMAT_GIF] = "gif",   [IMG_FORMAT_TIFF] = "tiff",
        [IMG_FORMAT_HEIF] = "heif",       [IMG_FORMAT_AVIF] = "avif", [IMG_FORMAT_JXL] = "jxl",
        [IMG_FORMAT_BMP] = "bmp",
    };
    const unsigned index = (unsigned)format;
    return index < IMG_FORMAT_COUNT ? names[index] : names[IMG_FORMAT_UNKNOWN];
}

enum img_format img_format_from_extension(const char *extension)
{
    static const struct {
        const char *extension;
        enum img_format format;
    } table[] = {
        {"jpg", IMG_FORMAT_JPEG},  {"jpeg", IMG_FORMAT_JPEG}, {"jpe", IMG_FORMAT_JPEG},
        {"jfif", IMG_FORMAT_JPEG}, {"mpo", IMG_FORMAT_JPEG},  {"png", IMG_FORMAT_PNG},
        {"webp", IMG_FORMAT_WEBP}, {"gif", IMG_FORMAT_GIF},   {"tif", IMG_FORMAT_TIFF},
        {"tiff", IMG_FORMAT_TIFF}, {"heic", IMG_FORMAT_HEIF}, {"heif", IMG_FORMAT_HEIF},
        {"hif", IMG_FORMAT_HEIF},  {"avif", IMG_FORMAT_AVIF}, {"jxl", IMG_FORMAT_JXL},
        {"bmp", IMG_FORMAT_BMP},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcasecmp(extension, table[i].extension) == 0)
            return table[i].format;
    return IMG_FORMAT_UNKNOWN;
}

static bool starts_with_tag(const uint8_t *data, size_t size_bytes, const char *tag)
{
    const size_t count = strlen(tag);
    return size_bytes >= count && strncasecmp((const char *)data, tag, count) == 0;
}

static bool is_text(const uint8_t *data, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes && i < IMG_PROBE_BYTES; i++) {
        const uint8_t c = data[i];
        if ((c < 0x20 && !(c >= '\t' && c <= '\r')) || c == 0x7f)
            return false;
    }
    return true;
}

static const char *describe_markup(const uint8_t *data, size_t size_bytes)
{
    if (HAS(0, "\xef\xbb\xbf"))
        data += 3, size_bytes -= 3;
    while (size_bytes > 0 && (data[0] == ' ' || (data[0] >= '\t' && data[0] <= '\r')))
        data++, size_bytes--;
    if (starts_with_tag(data, size_bytes, "<!doctype html") ||
        starts_with_tag(data, size_bytes, "<html"))
        return "HTML";
    if (starts_with_tag(data, size_bytes, "<svg"))
        return "SVG";
    if (starts_with_tag(data, size_bytes, "<?xml"))
        return "XML";
    return NULL;
}

const char *img_content_describe(const uint8_t *data, size_t size_bytes)
{
    if (size_bytes == 0)
        return "empty";
    if (HAS(0, "%PDF-"))
        return "PDF";
    if (HAS(0, "PK\x03\x04") || HAS(0, "\x1f\x8b") || HAS(0, "7z\xbc\xaf") || HAS(0, "Rar!"))
        return "archive";
    if (HAS(4, "ftyp") || HAS(8, "AVI ") || HAS(0, "\x1a\x45\xdf\xa3"))
        return "video";
    if (HAS(0, "\x7f"
               "ELF") ||
        HAS(0, "MZ"))
        return "program";
    const char *markup = describe_markup(data, size_bytes);
    if (markup)
        return markup;
    return is_text(data, size_bytes) ? "text" : "data";
}
