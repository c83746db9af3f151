#include "vips_library_priv.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define LIBRARY_NAME "libvips.so.42"

/* Process-wide by nature: see vips_library_priv.h. */
static pthread_once_t load_once = PTHREAD_ONCE_INIT;
static struct img_vips library;
static _Atomic bool loaded;

/* libvips reports what it merely doubts by GLib's log, which would print it. This handler is for
 * its log domain alone; a host that logs through GLib keeps all of its own. */
static void log_nothing(const gchar *domain, GLogLevelFlags level, const gchar *message,
                        gpointer data)
{
    (void)domain, (void)level, (void)message, (void)data;
}

static void error_set(const char *what, const char *detail)
{
    snprintf(library.error, sizeof(library.error), "%s%s%s", what, detail ? ": " : "",
             detail ? detail : "");
    for (char *at = library.error; *at; at++)
        if (*at == '\n')
            *at = ' ';
}

/* POSIX gives functions as void *; a copy of the bytes is the conversion that C allows. */
static bool symbol_find(const char *name, void *function, size_t size_bytes)
{
    void *symbol = dlsym(library.handle, name);
    if (!symbol) {
        error_set("libvips is too old: it lacks", name);
        return false;
    }
    memcpy(function, &symbol, size_bytes);
    return true;
}

#define FIND_FUNCTION(function)                                                                    \
    if (!symbol_find(#function, &library.function, sizeof(library.function)))                      \
        return;

/* Every loader blocked, and those of our formats let in again. */
static void loaders_choose(void)
{
    library.vips_operation_block_set("VipsForeignLoad", TRUE);
    for (int format = IMG_FORMAT_UNKNOWN + 1; format < IMG_FORMAT_COUNT; format++) {
        const char *loader = img_vips_loader_name((enum img_format)format);
        const GType type = loader ? library.vips_type_find("VipsForeignLoad", loader) : 0;
        if (type)
            library.vips_operation_block_set(library.g_type_name(type), FALSE);
    }
}

static void library_load(void)
{
    loaded = true;
    library.handle = dlopen(LIBRARY_NAME, RTLD_NOW | RTLD_LOCAL);
    if (!library.handle) {
        error_set("libvips is not available", dlerror());
        return;
    }
    IMG_VIPS_FUNCTIONS(FIND_FUNCTION)
    library.g_log_set_handler("VIPS", G_LOG_LEVEL_MASK | G_LOG_FLAG_FATAL | G_LOG_FLAG_RECURSION,
                              log_nothing, NULL);
    if (library.vips_init("thumbnails") != 0) {
        char *text = library.vips_error_buffer_copy();
        error_set("libvips does not start", text);
        (library.g_free)(text);
        return;
    }
    library.vips_concurrency_set(1); /* the caller brings the threads */
    library.vips_cache_set_max(0);   /* no picture comes twice */
    loaders_choose();
}

const struct img_vips *img_vips_load(void)
{
    pthread_once(&load_once, library_load);
    return &library;
}

bool img_vips_is_loaded(void)
{
    return loaded;
}

const char *img_vips_loader_name(enum img_format format)
{
    static const char *const names[IMG_FORMAT_COUNT] = {
        [IMG_FORMAT_WEBP] = "webpload_buffer",  [IMG_FORMAT_GIF] = "gifload_buffer",
        [IMG_FORMAT_TIFF] = "tiffload_buffer",  [IMG_FORMAT_HEIF] = "heifload_buffer",
        [IMG_FORMAT_AVIF] = "heifload_buffer",  [IMG_FORMAT_JXL] = "jxlload_buffer",
        [IMG_FORMAT_BMP] = "magickload_buffer",
    };
    return (unsigned)format < IMG_FORMAT_COUNT ? names[format] : NULL;
}

bool img_vips_has_loader(const struct img_vips *vips, const char *loader_name)
{
    return vips->vips_type_find("VipsForeignLoad", loader_name) != 0;
}
