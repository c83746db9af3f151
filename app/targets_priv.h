/* targets_priv.h: the files that thumbnails are going to be: those that need not be made again, and
 * those that must not be replaced.
 *
 * Before a source is opened, the one or two places that its thumbnail may get are looked at. If one
 * has a thumbnail that is stamped with the source's very state and the same settings, nothing is
 * left to do: that costs a look at the source, and opening, reading and closing the thumbnail.
 *
 * Else, by --overwrite:
 *   changed  a thumbnail of that source is replaced, and one of a source that is no more; what is
 *            no thumbnail of ours, or belongs to another source, has the name for good: a collision
 *   never    nothing is replaced
 *   always   any thumbnail of ours is, whatever it was made from
 * What is no thumbnail of ours is not replaced in any case: it may be a photo, and a source of this
 * run that a link has not led to yet.
 *
 * Names are claimed here too (claims_priv.h). */
#ifndef APP_TARGETS_PRIV_H
#define APP_TARGETS_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "commit_priv.h"
#include "inputs_priv.h"
#include "jobs_priv.h"
#include "options_priv.h"
#include "origins_priv.h"
#include "plan_priv.h"
#include "text_priv.h"
#include "walk_priv.h"

struct targets;

enum target_verdict {
    TARGET_MAKE,
    TARGET_KEPT,     /* --overwrite=never, and there is something */
    TARGET_COLLISION /* another has the name */
};

/** options, inputs, commit: borrowed until targets_free(). Returns 0 or -ENOMEM. */
int targets_create(const struct options *options, const struct inputs *inputs,
                   struct commit *commit, struct targets **ret_targets);

struct targets *targets_free(struct targets *targets);

/** Begin with a file that the walk met. Returns 0 or -ENOMEM. */
int targets_begin(struct targets *targets, const struct walk_entry *entry);

/** Is its thumbnail there, and up to date?  plan: begun, or made.
 *  ret_output: the thumbnail's path below the output root, borrowed from plan.
 *  Returns 1, 0, or -ENOMEM. */
int targets_look(struct targets *targets, const struct walk_entry *entry, const struct plan *plan,
                 const char **ret_output);

/** May the thumbnail of a plan whose verdict is PLAN_TRY be made? Claims its name, if that is
 * known. words: gets the reason if not, safe to show. Nothing is decided that only the decoder
 * knows. Returns 0 with a verdict, or -ENOMEM. */
int targets_settle(struct targets *targets, const struct walk_entry *entry, const struct plan *plan,
                   enum target_verdict *ret_verdict, struct text *words);

/** The folder and the stamp for a job of the file: borrowed until the next targets_begin(). The
 *  stamp is NULL if there is no memory for it. */
const char *targets_origin(const struct targets *targets);
const char *targets_stamp(struct targets *targets, const struct plan *plan);

/** The source is going to be read: bring what is known of its state up to date. It may take a
 *  moment, for a source that was written only just now. */
void targets_hand_out(struct job *job);

/** For struct commit_request. A job without a note replaces whatever is there: it was told to. */
struct target_guard {
    struct targets *targets;
    const struct job *job;
};
int targets_may_replace(void *guard, int dir_fd, const char *name, struct text *reason);
bool targets_is_own(void *guard, int dir_fd, const char *name);

/** Is the source itself a thumbnail that was made from a file of one of the PATHs, say by a run
 * with another --output?  plan: with the verdict PLAN_TRY, of the file that was begun with. */
bool targets_is_output(struct targets *targets, const struct plan *plan);

/** What the thumbnails of this run are stamped with. */
struct origins *targets_origins(struct targets *targets);

/** Cut a path below a root in two. folder: gets the first part. Returns the name, borrowed. */
const char *target_split(const char *path, struct text *folder);

#endif
