/* claims_priv.h: the names that thumbnails of this run are going to have, 16 bytes each.
 *
 * Where thumbnails of several folders can meet (several PATHs, --name, --files-from), the second
 * source of a name is found here before anything is done for it. A name is claimed when the source
 * is met, and stays so: who gets it depends on the order of the sources alone. */
#ifndef APP_CLAIMS_PRIV_H
#define APP_CLAIMS_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "digest_priv.h"

/** Open addressing with linear steps, at most three quarters full. All zero is an empty set. */
struct claims {
    struct digest *slots; /* all zero: free */
    size_t capacity;      /* a power of two, or 0 */
    size_t count;
};

void claims_done(struct claims *claims);

/** Claim the path below an output root.
 *  Returns 1 if nobody had it, 0 if another source has it, or -ENOMEM. */
int claims_add(struct claims *claims, size_t root, const char *path);

/** Has anybody claimed it? Returns 1, 0, or -ENOMEM. */
int claims_has(const struct claims *claims, size_t root, const char *path);

#endif
