/* progress.c: see progress_priv.h. */
#include "progress_priv.h"

#include <inttypes.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "console_priv.h"

#define REDRAW_MS     100
#define WIDTH_UNKNOWN 80
#define WIDTH_MAX     500
#define BAR_LEAST     10
#define BAR_MOST      40

#define WRAP_OFF   "\x1b[?7l"
#define WRAP_ON    "\x1b[?7h"
#define CLEAR_REST "\x1b[J" /* of the screen */

/* In the order in which they are shown. */
enum part { PART_DONE, PART_FAILED, PART_RATE, PART_LEFT, PART_BYTES, PART_COUNT };

struct parts {
    struct text text[PART_COUNT];
    bool shown[PART_COUNT];
};

/* Asked each time: the window may have been resized since. */
static int terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        return WIDTH_UNKNOWN;
    return size.ws_col < WIDTH_MAX ? size.ws_col : WIDTH_MAX;
}

/* Of a job that was sent to the background the terminal belongs to somebody else. */
static bool is_in_background(void)
{
    const pid_t foreground = tcgetpgrp(STDERR_FILENO);
    return foreground > 0 && foreground != getpgrp();
}

/* ---- The line ------------------------------------------------------------------------------ */

/* Rounded up, and coarser the longer it is: it is an estimate. */
static void add_left(struct text *text, int64_t left_s, bool brief)
{
    const char *minutes = brief ? " left" : " min left";
    if (left_s <= 10)
        text_printf(text, "%" PRId64 " s left", left_s);
    else if (left_s <= 55)
        text_printf(text, "%" PRId64 " s left", (left_s + 4) / 5 * 5);
    else if (left_s <= 590) {
        const int64_t shown_s = (left_s + 9) / 10 * 10;
        text_printf(text, "%" PRId64 ":%02" PRId64 "%s", shown_s / 60, shown_s % 60, minutes);
    } else if (left_s <= 59 * 60)
        text_printf(text, "%" PRId64 " min left", (left_s + 59) / 60);
    else {
        const int64_t shown_min = (left_s + 299) / 300 * 5;
        text_printf(text, "%" PRId64 " h %02" PRId64 "%s", shown_min / 60, shown_min % 60, minutes);
    }
}

static void add_rate(struct text *text, uint64_t tenths, bool brief)
{
    const char *unit = brief ? "/s" : " files/s";
    if (tenths >= 100)
        text_printf(text, "%" PRIu64 "%s", (tenths + 5) / 10, unit);
    else
        text_printf(text, "%" PRIu64 ".%" PRIu64 "%s", tenths / 10, tenths % 10, unit);
}

/* How far it is, in at most width columns. */
static void add_done(struct text *text, const struct progress_state *state, size_t width,
                     bool brief)
{
    text_printf(text, "%" PRIu64, state->done);
    if (state->total == 0)
        return;
    text_printf(text, brief ? "/%" PRIu64 : " of %" PRIu64, state->total);
    if (!brief || text->length <= width)
        return;
    text_cut(text, 0);
    const double share = (double)state->done / (double)state->total;
    text_printf(text, "%u%%", share < 1 ? (unsigned)(share * 100) : 100);
}

static void parts_make(struct parts *parts, const struct progress_state *state, size_t width,
                       bool brief)
{
    for (int i = 0; i < PART_COUNT; i++)
        text_cut(&parts->text[i], 0);
    add_done(&parts->text[PART_DONE], state, width, brief);
    if (state->failed > 0)
        text_printf(&parts->text[PART_FAILED], "%" PRIu64 " failed", state->failed);
    add_rate(&parts->text[PART_RATE], state->rate_tenths, brief);
    if (state->left_s >= 0)
        add_left(&parts->text[PART_LEFT], state->left_s, brief);
    text_printf(&parts->text[PART_BYTES], "%" PRIu64 " MB/s", state->rate_bytes / 1000000);
}

/* Choose, the most important first, what has room; all of it is ASCII, so bytes are columns.
 * Returns whether nothing important was left out. */
static bool parts_choose(struct parts *parts, size_t width)
{
    static const enum part order[] = {PART_DONE, PART_FAILED, PART_LEFT, PART_RATE, PART_BYTES};
    size_t used = 0;
    bool all = true;
    for (int i = 0; i < PART_COUNT; i++) {
        const struct text *text = &parts->text[order[i]];
        const size_t needed = text->length + (used > 0 ? 2 : 0);
        const bool fits = text->length > 0 && needed <= width - used;
        parts->shown[order[i]] = fits;
        used += fits ? needed : 0;
        all = all && (fits || text->length == 0 || order[i] == PART_RATE || order[i] == PART_BYTES);
    }
    return all;
}

static void add_numbers(struct text *line, const struct progress_state *state, size_t width)
{
    struct parts parts = {.shown = {false}};
    parts_make(&parts, state, width, false);
    if (!parts_choose(&parts, width)) {
        parts_make(&parts, state, width, true);
        parts_choose(&parts, width);
    }
    for (int i = 0; i < PART_COUNT; i++) {
        if (parts.shown[i]) {
            text_add(line, "  ", line->length > 0 ? 2 : 0);
            text_add(line, parts.text[i].data, parts.text[i].length);
        }
        text_done(&parts.text[i]);
    }
}

void progress_line(struct text *text, const struct progress_state *state, int width)
{
    struct text numbers = TEXT_INIT;
    const size_t room = width > 1 ? (size_t)width - 1 : 0;
    add_numbers(&numbers, state, room);
    size_t bar = room > numbers.length + 4 ? room - numbers.length - 4 : 0;
    if (state->total > 0 && bar >= BAR_LEAST) {
        if (bar > BAR_MOST)
            bar = BAR_MOST;
        const uint64_t done = state->done < state->total ? state->done : state->total;
        const size_t filled = (size_t)((double)done / (double)state->total * (double)bar);
        text_puts(text, "[");
        for (size_t i = 0; i < bar; i++)
            text_puts(text, i < filled ? "#" : "-");
        text_puts(text, "]  ");
    }
    text_add(text, numbers.data, numbers.length);
    text_done(&numbers);
}

/* ---- On the screen ------------------------------------------------------------------------- */

/* Append what takes away all that is drawn, however it has been wrapped since. */
static void add_erasure(struct progress *progress)
{
    struct text *line = &progress->line;
    if (!progress->plain) {
        text_puts(line, "\r" WRAP_ON CLEAR_REST);
        return;
    }
    text_puts(line, "\r");
    for (size_t i = 0; i < progress->columns; i++)
        text_puts(line, " ");
    text_puts(line, "\r");
}

bool progress_is_due(const struct progress *progress, int64_t now_ms)
{
    return progress->enabled && !(progress->visible && now_ms - progress->drawn_ms < REDRAW_MS);
}

void progress_draw(struct progress *progress, const struct progress_state *state, int64_t now_ms)
{
    struct text *line = &progress->line;
    if (!progress_is_due(progress, now_ms) || is_in_background())
        return;
    text_cut(line, 0);
    if (progress->plain && progress->visible)
        add_erasure(progress);
    text_puts(line, progress->plain ? "\r" : "\r" WRAP_OFF);
    const size_t before = line->length;
    progress_line(line, state, terminal_width());
    progress->columns = line->length - before;
    text_puts(line, progress->plain ? "\r" : CLEAR_REST WRAP_ON "\r");
    if (!text_failed(line))
        console_err(line);
    progress->visible = true;
    progress->drawn_ms = now_ms;
}

void progress_erase(struct progress *progress)
{
    if (!progress->visible)
        return;
    text_cut(&progress->line, 0);
    add_erasure(progress);
    console_err(&progress->line);
    progress->visible = false;
    progress->columns = 0;
}

void progress_done(struct progress *progress)
{
    progress_erase(progress);
    text_done(&progress->line);
}
