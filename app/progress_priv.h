/* progress_priv.h: the bar on standard error.
 *
 * It is one line of plain ASCII, so that a byte is a column in every locale and font. Many
 * terminals wrap what is on the screen anew when they become narrower: what began as one line is
 * several then. So the cursor goes back to the first column after each drawing. From there
 * everything can be cleared, however many lines it has become, and whatever stands above stays. A
 * window may also have become narrower than is known yet; so that the line is cut there rather
 * than wrapped, wrapping is switched off for the line, and on again in the same write. No other
 * mode of the terminal is changed, and every erasure switches it on too. */
#ifndef APP_PROGRESS_PRIV_H
#define APP_PROGRESS_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text_priv.h"

/** What a bar shows. */
struct progress_state {
    uint64_t done;  /* files settled */
    uint64_t total; /* of files to try; 0: not known */
    uint64_t failed;
    uint64_t rate_tenths; /* files, in 10 seconds */
    uint64_t rate_bytes;  /* in a second */
    int64_t left_s;       /* -1: not known */
};

struct progress {
    bool enabled;
    bool plain;       /* the terminal knows no escape sequences */
    bool visible;     /* there is something to be erased */
    int64_t drawn_ms; /* when, on the monotonic clock */
    size_t columns;   /* of what was drawn */
    struct text line;
};

/** One line of at most width - 1 columns, without control characters: the bar if the total is
 *  known and there is room for it, then as many of the numbers as fit, in short forms where the
 *  long ones do not. */
void progress_line(struct text *text, const struct progress_state *state, int width);

/** Is it time to draw? A tenth of a second after the last drawing. */
bool progress_is_due(const struct progress *progress, int64_t now_ms);

/** Draw, unless the program is in the background of its terminal. */
void progress_draw(struct progress *progress, const struct progress_state *state, int64_t now_ms);

/** Take the bar away, before a message and at the end. */
void progress_erase(struct progress *progress);

void progress_done(struct progress *progress);

#endif
