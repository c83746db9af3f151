/* version.c: see version_priv.h. */
#include "version_priv.h"

#include <stdlib.h>

#include <imaging/imaging.h>

void version_describe(struct text *text)
{
    text_printf(text, "thumbpool %s\n", THUMBPOOL_VERSION);
    const size_t length = img_libraries_describe(NULL, 0);
    char *libraries = malloc(length + 1);
    if (libraries) {
        img_libraries_describe(libraries, length + 1);
        text_puts(text, libraries);
    }
    text->failed |= !libraries;
    free(libraries);
}
