/* bench_example_priv.h: the documents' example: 6000 pictures to 75x75, and beside it the Python
 * program that they give for it, written anew. */
#ifndef APP_BENCH_EXAMPLE_PRIV_H
#define APP_BENCH_EXAMPLE_PRIV_H

#include <stdint.h>

#include "options_priv.h"
#include "text_priv.h"

#define BENCH_EXAMPLE_COUNT 6000

/** What the documents report for their program on their machine, in seconds. */
#define BENCH_EXAMPLE_REPORTED_S 27.9

/** Make the pictures, in a new folder below parent.
 *  folder: gets its path.  reterr_message: what is missing, safe to show.
 *  Returns 0, -ENOENT when the program that makes them is not there, -EINTR after a signal, or
 *  another negative errno value. */
int bench_example_pictures(const char *parent, struct text *folder, struct text *reterr_message);

/** The Python that has Pillow: the one that PATH leads to, or the system's own; NULL: neither has.
 *  Static storage. */
const char *bench_python_find(void);

/** Make thumbnails of every picture directly in folder into output, with so many processes.
 *  python: as from bench_python_find().
 *  Returns 0, -EINTR after a signal, -EIO when the program failed, or another negative errno value.
 */
int bench_python(const char *python, const char *folder, const char *output,
                 const struct options *options, unsigned workers);

#endif
