/* vips_files.h: files of the formats that come through libvips, written by libvips. */
#ifndef TESTS_IMAGING_VIPS_FILES_H
#define TESTS_IMAGING_VIPS_FILES_H

#include <vips/vips.h>

#include "samples.h"

struct vips_make {
    VipsInterpretation read_as;    /* 0: by the channels */
    VipsInterpretation convert_to; /* 0: as it is */
    int orientation;               /* 0: none */
    int page_height;               /* 0: one page */
    struct bytes icc;              /* borrowed; size 0: none */
};

/** Write a picture in the format of a suffix, which may have options: ".webp[lossless]".
 *  The result is owned: free(). Size 0: this machine's libvips cannot write it. */
struct bytes vips_file_made(const struct sample *sample, const char *suffix,
                            const struct vips_make *make);

/** The same with nothing special. */
struct bytes vips_file_of(const struct sample *sample, const char *suffix);

/** First in main() of a program that makes files: the program is started anew for each. */
void vips_files_main(int argc, char **argv);

/** libvips keeps the threads that a loader has used, for a while; a test must leave none. */
void vips_leave(void);

#endif
