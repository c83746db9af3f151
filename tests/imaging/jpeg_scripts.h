/* jpeg_scripts.h: progressive JPEGs whose scans come in odd orders. */
#ifndef TESTS_IMAGING_JPEG_SCRIPTS_H
#define TESTS_IMAGING_JPEG_SCRIPTS_H

#include "jpeg_maker.h"

/** Which scans a file has. */
struct jpeg_script {
    const char *label;
    const jpeg_scan_info *scans; /* up to one without components */
};

/** The first JPEG_SCRIPTS_COMPLETE have all of DC, the others leave some of it out. */
#define JPEG_SCRIPTS          8
#define JPEG_SCRIPTS_COMPLETE 6
extern const struct jpeg_script jpeg_scripts[JPEG_SCRIPTS];

/** Some of them by name. */
#define JPEG_SCRIPT_USUAL      (&jpeg_scripts[0]) /* ten scans, as libjpeg has them */
#define JPEG_SCRIPT_BIT_BY_BIT (&jpeg_scripts[5])

/** The recipe with these scans, or with those of them that gray has. The result is owned: free().
 */
struct bytes jpeg_scripted(const struct jpeg_recipe *recipe, const struct jpeg_script *script);

/** The offset of the SOS marker of a scan; number: from 0 on. */
size_t jpeg_scan_at(struct bytes jpeg, unsigned number);

#endif
