/* bench_folder_priv.h: the temporary folder that has all that a bench makes, and the files that it
 * is asked for. */
#ifndef APP_BENCH_FOLDER_PRIV_H
#define APP_BENCH_FOLDER_PRIV_H

#include "inputs_priv.h"
#include "text_priv.h"

struct bench_folder {
    struct text path; /* empty: there is none */
    int fd;
};

/** Make a folder of a new name, for nobody else.  parent: NULL: $TMPDIR, else /tmp.
 *  ret_folder: release with bench_folder_remove().  Returns 0 or a negative errno value. */
int bench_folder_make(const char *parent, struct bench_folder *ret_folder);

/** Make, or remove with all that is in it, a folder in it, whose name is no number.
 *  Returns 0, -ESTALE (nothing is made: the folder has been moved), or another negative errno
 *  value. */
int bench_folder_add(const struct bench_folder *folder, const char *name);
int bench_folder_drop(const struct bench_folder *folder, const char *name);

/** Remove it with all that is in it: no link is followed out of it. A folder that was never made is
 *  fine. */
void bench_folder_remove(struct bench_folder *folder);

/** How many files are directly in a folder of it; -1: it cannot be read. */
int64_t bench_folder_count(const struct bench_folder *folder, const char *name);

/** May FILE be written?  inputs: what is measured.
 *  reterr_message: why not, safe to show.  Returns 0 or -EEXIST: it is one of the files to be read,
 *  a picture by its content, no regular file, or cannot be read, so that nobody knows. */
int bench_file_check(const char *path, const struct inputs *inputs, struct text *reterr_message);

/** Make a new file, whole or not at all.  mode: as for open().
 *  Returns 0 or a negative errno value: -EEXIST if something has the name. */
int bench_file_make(const char *path, const void *data, size_t size_bytes, mode_t mode);

/** Write a file whole or not at all, in place of one of that name that bench_file_check() allows.
 *  Returns 0 or a negative errno value. */
int bench_file_write(const char *path, const struct text *text);

#endif
