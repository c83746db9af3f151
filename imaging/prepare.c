/* prepare.c: everything that decoders read from the disk, read before they are confined.
 *
 * What opens something at its first use, found by tracing the decoding of every format:
 *   ImageMagick  its configuration, every coder module and their libraries, at the first picture;
 *                the texts of its messages, at the first failure
 *   glibc        the time zone, by way of lcms2, which dates the profiles that it makes; the number
 *                of processors and the overcommit setting, when malloc makes a further arena
 *   libvips      its modules, when it is initialised
 * The other loaders' libraries are linked to those and open nothing later. */
#include "imaging.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "error_priv.h"
#include "vips_library_priv.h"

/* Process-wide, as libvips is: what the first call came to, code 0 or an error. */
static bool tried;
static struct img_error outcome;

/* Variables are the only way to reach ImageMagick behind libvips. They are read at its first use
 * and change nothing for other libraries. */
static int environment_set(uint64_t memory_bytes)
{
    static const struct {
        const char *name;
        const char *value; /* NULL: memory_bytes */
    } table[] = {
        {"VIPS_NOVECTOR", "1"},
        {"VIPS_DISC_THRESHOLD", "1000000g"}, /* pixels of so many bytes would go to a file */
        {"MAGICK_THREAD_LIMIT", "1"},
        {"MAGICK_DISK_LIMIT", "0"},
        {"MAGICK_MEMORY_LIMIT", NULL},
        {"MAGICK_MAP_LIMIT", NULL},
    };
    char bytes[24];
    snprintf(bytes, sizeof(bytes), "%" PRIu64, memory_bytes);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (!table[i].value && memory_bytes == 0)
            continue;
        if (setenv(table[i].name, table[i].value ? table[i].value : bytes, 1) != 0)
            return -errno;
    }
    return 0;
}

/* A BMP of two by two pixels through ImageMagick; then a cut one, for the messages. The results
 * do not matter: this libvips may have no loader for BMP. */
static int bmp_warm_up(void)
{
    static const uint8_t bmp[] = {
        'B', 'M', 70, 0, 0,  0, 0, 0, 0, 0, 54, 0, 0, 0,        /* the file: 70 bytes */
        40,  0,   0,  0, 2,  0, 0, 0, 2, 0, 0,  0, 1, 0, 24, 0, /* 2 x 2 pixels of 24 bits */
        0,   0,   0,  0, 16, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0,  0, /* not compressed */
        0,   0,   0,  0, 0,  0, 0, 0,                           /* no palette */
        1,   2,   3,  4, 5,  6, 0, 0, 7, 8, 9,  1, 2, 3, 0,  0, /* two rows of 8 bytes */
    };
    const struct img_options options = IMG_OPTIONS_INIT;
    struct img_thumbnail thumbnail;
    struct img_context *context = NULL;
    int r = img_context_create(&context);
    if (r < 0)
        return r;
    img_thumbnail(context, bmp, sizeof(bmp), &options, &thumbnail, NULL);
    img_thumbnail(context, bmp, sizeof(bmp) - 9, &options, &thumbnail, NULL);
    img_context_free(context);
    return 0;
}

/* error: its code stays 0 if all goes well. */
static int prepare(uint64_t memory_bytes, struct img_error *error)
{
    if (img_vips_is_loaded())
        return img_fail(error, -EALREADY, "libvips is in use in this process already");
    int r = environment_set(memory_bytes);
    if (r < 0)
        return img_fail(error, r, "out of memory");
    tzset();
#ifdef M_ARENA_MAX
    mallopt(M_ARENA_MAX, 1);
#endif
    const struct img_vips *vips = img_vips_load();
    if (vips->error[0])
        return img_fail(error, -ENOTSUP, "%s", vips->error);
    vips->vips_vector_set_enabled(FALSE);
    r = bmp_warm_up();
    return r < 0 ? img_fail(error, r, "out of memory") : 0;
}

int img_libraries_prepare(uint64_t memory_bytes, struct img_error *reterr_error)
{
    if (!tried)
        prepare(memory_bytes, &outcome);
    tried = true;
    if (outcome.code < 0 && reterr_error)
        *reterr_error = outcome;
    return outcome.code;
}
