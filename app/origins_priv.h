/* origins_priv.h: which source a thumbnail is of, and whether that is still there.
 *
 * A source is known by an origin, the folder that its stamp counts from, and its path below that:
 * for what lies in a folder PATH that folder, for a file PATH the folder that the file is in. So a
 * picture is the same one whether its folder was named or itself.
 *
 * A stamp only has a hash of its origin. It is resolved if it is that of a PATH of this run, or of
 * a folder that the source in question lies in. What lies in a "thumbs" of a tree is of that tree,
 * whatever the hash says: so a tree can be moved or copied with its thumbnails. */
#ifndef APP_ORIGINS_PRIV_H
#define APP_ORIGINS_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inputs_priv.h"
#include "stamp_priv.h"
#include "text_priv.h"
#include "walk_priv.h"

struct origins;

/** What is known of one source: where it counts from, and what its thumbnail is stamped. */
struct origin {
    const char *folder; /* real path */
    struct stamp stamp; /* without a state */
};

/** inputs: borrowed until origins_free().  settings: as from stamp_settings().
 *  Returns 0 or -ENOMEM. */
int origins_create(const struct inputs *inputs, uint64_t settings, struct origins **ret_origins);

struct origins *origins_free(struct origins *origins);

/** The origin of a file that the walk met: borrowed until the next call. Returns 0 or -ENOMEM. */
int origins_of(struct origins *origins, const struct walk_entry *entry, struct origin *ret_origin);

/** The folder that a PATH's files count from: as origins_of(). */
int origins_folder(struct origins *origins, const struct input *input, const char **ret_folder,
                   uint64_t *ret_hash);

/** Do files of this run count from the folder with that hash? */
bool origins_knows(const struct origins *origins, uint64_t hash);

/** What a stamped file is to a source. */
enum relation {
    RELATION_SAME_STATE,  /* made from it, as it is, by the same settings */
    RELATION_SAME_SOURCE, /* made from it */
    RELATION_GONE,        /* made from another one that is no more */
    RELATION_THERE,       /* made from another one that is there */
    RELATION_UNKNOWN      /* made from another one; who knows where that is */
};

/** own: the source's, with its state.  in_thumbs: the file lies in a "thumbs" root.
 *  other: gets the path of the other source, where that is known; not escaped. */
enum relation origins_relate(struct origins *origins, const struct origin *own, bool in_thumbs,
                             const struct stamp *found, struct text *other);

/** Is nothing there by that name? Only if the system says so: not where it could not look.
 *  folder_fd: that path is below; AT_FDCWD if it is a whole one.  Returns whether it is gone. */
bool origins_is_gone(int folder_fd, const char *path);

#endif
