/* progress_priv.h: the bar on standard error. */
#ifndef APP_PROGRESS_PRIV_H
#define APP_PROGRESS_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text_priv.h"

/** What a bar shows. */
struct progress_state {
    uint64_t done;  /* files tried and settled */
    uint64_t total; /* of files to try; 0: not known */
    uint64_t failed;
    uint64_t source_bytes; /* read so far */
    int64_t elapsed_ms;
};

struct progress {
    bool enabled;
    bool visible;
    int64_t drawn_ms; /* when, on the monotonic clock */
    struct text line;
};

/** One line of at most width - 1 columns, without control characters: the bar if the total is
 *  known and there is room for it, then as many of the numbers as fit. */
void progress_line(struct text *text, const struct progress_state *state, int width);

/** Draw if the last drawing is a tenth of a second old. */
void progress_draw(struct progress *progress, const struct progress_state *state, int64_t now_ms);

/** Take the bar away, before a message and at the end. */
void progress_erase(struct progress *progress);

void progress_done(struct progress *progress);

#endif
