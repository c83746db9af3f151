/* intake_priv.h: what the walk meets, one entry after the other: settled at once, or to be tried.
 *
 * Most of what a second run meets is settled here: what is no picture, what is up to date, what
 * cannot be read, what another has the name of. Only what is to be tried goes on to the pool. */
#ifndef APP_INTAKE_PRIV_H
#define APP_INTAKE_PRIV_H

#include <stdbool.h>

#include "inputs_priv.h"
#include "options_priv.h"
#include "outcome_priv.h"
#include "plan_priv.h"
#include "text_priv.h"
#include "walk_priv.h"

/** All zero is fine for intake_done(). */
struct intake {
    const struct options *options;
    const struct inputs *inputs;
    struct walk *walk;
    struct outcome *outcome; /* whose failures, targets and report are used */
    bool *unread;            /* by PATH: a folder in it, or itself, could not be read */

    /* Of the entry considered last. */
    struct plan plan;
    struct text shown;
    struct text source; /* what the failures know it by */

    struct text words; /* reused */
};

/** options, inputs, walk, outcome: borrowed until intake_done(); outcome: set up already.
 *  Returns 0 or -ENOMEM. */
int intake_init(struct intake *intake, const struct options *options, const struct inputs *inputs,
                struct walk *walk, struct outcome *outcome);

void intake_done(struct intake *intake);

/** Settle an entry that the walk has just returned without work, if that can be: then it is
 *  reported.
 *  Returns 1 if it is to be tried (the plan says how), 0 if not, -EAGAIN to come again when others
 *  have given descriptors back (the walk will return it once more), or -ENOMEM. */
int intake_consider(struct intake *intake, const struct walk_entry *entry);

#endif
