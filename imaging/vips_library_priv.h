/* vips_library_priv.h: libvips, loaded when it is first needed. Private to imaging.
 *
 * This is the library's one process-wide state. It cannot be otherwise: libvips initialises the
 * process, not an object. It is loaded and initialised once, never unloaded, and not in a process
 * that meets only JPEG and PNG, unless that process asks for it by img_libraries_prepare().
 *
 * libvips can read far more than pictures. All its loaders are blocked, and then those let in that
 * the formats of img_format call for. A block is the process's, so it is set once and not for each
 * picture: two threads may be decoding different formats. */
#ifndef IMAGING_VIPS_LIBRARY_PRIV_H
#define IMAGING_VIPS_LIBRARY_PRIV_H

#include <vips/vips.h>

#include <vips/vector.h>

#include "imaging.h"

/* The functions used, which the loaded library has by these names. */
#define IMG_VIPS_FUNCTIONS(X)                                                                      \
    X(vips_init)                                                                                   \
    X(vips_version_string)                                                                         \
    X(vips_concurrency_set)                                                                        \
    X(vips_cache_set_max)                                                                          \
    X(vips_error_buffer_copy)                                                                      \
    X(vips_type_find)                                                                              \
    X(vips_operation_block_set)                                                                    \
    X(vips_vector_set_enabled)                                                                     \
    X(vips_call)                                                                                   \
    X(vips_blob_new)                                                                               \
    X(vips_area_unref)                                                                             \
    X(vips_region_new)                                                                             \
    X(vips_region_prepare)                                                                         \
    X(vips_image_get_typeof)                                                                       \
    X(vips_image_get_blob)                                                                         \
    X(vips_image_get_int)                                                                          \
    X(vips_image_get_orientation)                                                                  \
    X(vips_image_hasalpha)                                                                         \
    X(vips_extract_band)                                                                           \
    X(vips_colourspace)                                                                            \
    X(vips_cast)                                                                                   \
    X(g_log_set_handler)                                                                           \
    X(g_type_name)                                                                                 \
    X(g_object_unref)                                                                              \
    X(g_free)

/* NOLINTNEXTLINE(bugprone-macro-parentheses): it is a name to declare. */
#define IMG_VIPS_DECLARE(function) __typeof__(function) *function;

struct img_vips {
    void *handle;    /* of dlopen; never closed */
    char error[120]; /* why it is not available; empty if it is */
    IMG_VIPS_FUNCTIONS(IMG_VIPS_DECLARE)
};

/** Load libvips, or find that it has been loaded. Any thread.
 *  Returns static storage; look at error before using it. */
const struct img_vips *img_vips_load(void);

/** Has this process called img_vips_load() before, with or without success? */
bool img_vips_is_loaded(void);

/** The name of the libvips operation that loads a format from memory; NULL: there is none. */
const char *img_vips_loader_name(enum img_format format);

/** Has this libvips been built with that operation? vips: loaded without error. */
bool img_vips_has_loader(const struct img_vips *vips, const char *loader_name);

#endif
