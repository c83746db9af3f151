/* outcome_priv.h: from a finished future to a committed thumbnail or a named failure. */
#ifndef APP_OUTCOME_PRIV_H
#define APP_OUTCOME_PRIV_H

#include <stdbool.h>

#include "commit_priv.h"
#include "failures_priv.h"
#include "inode_set_priv.h"
#include "inputs_priv.h"
#include "jobs_priv.h"
#include "report_priv.h"
#include "targets_priv.h"
#include "thumb_task_priv.h"

/** All zero is fine for outcome_done(). */
struct outcome {
    const struct inputs *inputs;
    struct report *report;
    struct commit *commit;               /* owned */
    struct failures *failures;           /* owned */
    struct targets *targets;             /* owned */
    const struct thumb_request *request; /* what every task was asked; set before the first one */
    int timeout_ms;
    bool fatal; /* no further file can be made, and that has been reported */
};

/** inputs, read_folders, output_roots: as for commit_create(). options, report: borrowed.
 *  Returns 0 or -ENOMEM. */
int outcome_init(struct outcome *outcome, const struct options *options,
                 const struct inputs *inputs, const struct inode_set *read_folders,
                 struct inode_set *output_roots, struct report *report);

void outcome_done(struct outcome *outcome);

/** The workers cannot go on: say why, and end the run. */
void outcome_break(struct outcome *outcome, const struct pool_error *error);

/** Commit and report a job whose future is held. A job that was only stopped because the run ends
 *  is not reported: it has no outcome.
 *  last_try: there is nothing in flight whose descriptors could be waited for.
 *  Returns 0, or -EAGAIN (only without last_try): descriptors are short, nothing has changed. */
int outcome_settle(struct outcome *outcome, struct job *job, bool last_try);

#endif
