/* prune_priv.h: --prune: thumbnails of ours whose source is gone.
 *
 * A file in an output root is removed only if all of this is so:
 *   - it is a regular file with a stamp (stamp_priv.h), and no source of this run;
 *   - the stamp's origin is that of a PATH of this run whose thumbnails go into this root, or the
 *     root is the "thumbs" inside that PATH;
 *   - it lies exactly where this run would put that source's thumbnail;
 *   - the system says that there is no such source: that it cannot look is not enough;
 *   - it is still the same file, and the source still missing, right before it is removed.
 * So a stamp that lies can cost no other file than its own. Output folders are entered through
 * held descriptors, never through links; those that become empty by this are removed too, but for
 * the root. A source that was only left out of this run is there, and so its thumbnail stays. */
#ifndef APP_PRUNE_PRIV_H
#define APP_PRUNE_PRIV_H

#include <stdbool.h>

#include "commit_priv.h"
#include "inputs_priv.h"
#include "options_priv.h"
#include "origins_priv.h"
#include "report_priv.h"

struct prune {
    const struct options *options;
    const struct inputs *inputs;
    struct commit *commit;
    struct origins *origins;
    struct report *report;
    const bool
        *unread; /* by PATH: a folder in it, or itself, could not be read: it is left alone */
};

/** Remove them, or say what would be removed (--dry-run). The run has met all its sources.
 *  Returns 0 or -ENOMEM. */
int prune_outputs(const struct prune *prune);

#endif
