/* describe.c: which libraries do the work, for bug reports and for a user who misses a format. */
#include <stdarg.h>
#include <stdio.h>

#include <jpeglib.h>
#include <lcms2.h>
#include <libdeflate.h>
#include <png.h>

#include "imaging.h"
#include "vips_library_priv.h"

#define STRING_OF_(x) #x
#define STRING_OF(x)  STRING_OF_(x)

struct text {
    char *buffer;
    size_t size_bytes;
    size_t length; /* of the whole text, whether it fits or not */
};

static void text_add(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void text_add(struct text *text, const char *format, ...)
{
    const bool fits = text->length < text->size_bytes;
    va_list arguments;
    va_start(arguments, format);
    int added = vsnprintf(fits ? text->buffer + text->length : NULL,
                          fits ? text->size_bytes - text->length : 0, format, arguments);
    va_end(arguments);
    if (added > 0)
        text->length += (size_t)added;
}

static void vips_describe(struct text *text)
{
    const struct img_vips *vips = img_vips_load();
    if (vips->error[0]) {
        text_add(text, "libvips: %s\n", vips->error);
        return;
    }
    text_add(text, "libvips %s (", vips->vips_version_string());
    const char *separator = "";
    for (int format = IMG_FORMAT_UNKNOWN + 1; format < IMG_FORMAT_COUNT; format++) {
        const char *loader = img_vips_loader_name((enum img_format)format);
        if (!loader || !img_vips_has_loader(vips, loader))
            continue;
        text_add(text, "%s%s", separator, img_format_name((enum img_format)format));
        separator = " ";
    }
    text_add(text, ")\n");
}

size_t img_libraries_describe(char *buffer, size_t size_bytes)
{
    struct text text = {.buffer = buffer, .size_bytes = size_bytes};
    const int lcms = cmsGetEncodedCMMversion();
    text_add(&text, "libjpeg-turbo %s\n", STRING_OF(LIBJPEG_TURBO_VERSION));
    text_add(&text, "libpng %s\n", png_get_libpng_ver(NULL));
    text_add(&text, "libdeflate %s\n", LIBDEFLATE_VERSION_STRING);
    text_add(&text, "lcms2 %d.%d\n", lcms / 1000, lcms % 1000 / 10);
    vips_describe(&text);
    return text.length;
}
