/* causes_priv.h: what failed for the same cause, counted, for the end of a run.
 *
 * Every failure is counted, few are named: memory does not grow with what fails. A cause is the
 * slug of a failure. Slugs may come from a worker in somebody else's hands, so there is an end to
 * how many are told apart. */
#ifndef APP_CAUSES_PRIV_H
#define APP_CAUSES_PRIV_H

#include <stdint.h>

#include "text_priv.h"

#define CAUSES_MAX         24 /* all others together are one more */
#define CAUSES_NAMED_MAX   3  /* files of each */
#define CAUSES_SLUG_BYTES  32
#define CAUSES_GROUPED_MIN 6 /* fewer failures can be seen at a glance */

struct cause {
    char slug[CAUSES_SLUG_BYTES];
    uint64_t count;
    char *names[CAUSES_NAMED_MAX]; /* owned; of the first ones */
};

/** All zero is none. */
struct causes {
    struct cause list[CAUSES_MAX + 1];
    unsigned used;
    uint64_t count;
};

/** One more has failed. slug, path: copied. A name that memory is short for is left out. */
void causes_add(struct causes *causes, const char *slug, const char *path);

void causes_done(struct causes *causes);

/** For people: "12 failed: 7 truncated, 5 timeout", then a line for each cause with the first
 *  names, the commonest first. Nothing when there are few failures.
 *  color, reset: around the causes; "": none. */
void causes_text(struct causes *causes, struct text *text, const char *color, const char *reset);

/** For machines: a member "errors" with the count of each; nothing when nothing failed. */
void causes_json(struct causes *causes, struct text *json);

#endif
