/* outdir_priv.h: the folders that thumbnails go into, made when the first one needs them.
 *
 * Below the output root every component is made and opened by its own name, never through a
 * symbolic link, so nothing lands outside the root whatever the tree looks like meanwhile. (One
 * openat2() with RESOLVE_BENEATH for a whole path would save nothing: each component is looked at
 * anyway, since the run may read from it; and it ends at PATH_MAX.) The folders used last stay
 * open. */
#ifndef APP_OUTDIR_PRIV_H
#define APP_OUTDIR_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "inode_set_priv.h"
#include "inputs_priv.h"
#include "text_priv.h"

struct outdirs;

struct outdir {
    int fd; /* borrowed until the next outdirs_open() or outdirs_forget() */
    dev_t device;
    ino_t inode;
    bool is_read; /* the run reads sources from it, or from a folder above it */
};

/** inputs, read_folders: borrowed until outdirs_free(). roots: gets every root that is opened.
 *  sync: folders made are to outlast a power failure.  Returns 0 or -ENOMEM. */
int outdirs_create(const struct inputs *inputs, const struct inode_set *read_folders,
                   struct inode_set *roots, bool sync, struct outdirs **ret_outdirs);

struct outdirs *outdirs_free(struct outdirs *outdirs);

/** Open the folder below a root, making what is missing; what killed runs left on the way to it and
 *  in it is removed.
 *  folder: "" or "a/b".  reterr_message: on failure the cause, with the path, safe to show.
 *  Returns 0, -EEXIST if something that is no folder stands in its way, -ENAMETOOLONG, or another
 *  negative errno value. */
int outdirs_open(struct outdirs *outdirs, size_t root, const char *folder,
                 struct outdir *ret_outdir, struct text *reterr_message);

/** Open the folder below a root if it is there: nothing is made. A folder that was missing a moment
 *  ago is not looked for again until outdirs_open() has opened another one.
 *  clean: what killed runs left is removed, as by outdirs_open().
 *  Returns 0, -ENOENT, or as outdirs_open(). */
int outdirs_find(struct outdirs *outdirs, size_t root, const char *folder, bool clean,
                 struct outdir *ret_outdir);

/** Open a root that exists already; nothing is made.  Returns a descriptor, which is the caller's,
 *  or a negative errno value. */
int outdirs_open_existing(const struct output_root *root);

/** Close all of them: the next use opens and makes them again. */
void outdirs_forget(struct outdirs *outdirs);

/** The beginning and end of the names of temporary files; between them: the process, "-", a
 *  number. */
#define TEMPORARY_PREFIX ".thumbpool-"
#define TEMPORARY_SUFFIX ".tmp"

#endif
