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

/* Asked each time: the window may have been resized since. */
static int terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        return WIDTH_UNKNOWN;
    return size.ws_col < WIDTH_MAX ? size.ws_col : WIDTH_MAX;
}

/* Append part if it fits into width columns; all of it is ASCII, so bytes are columns. */
static void add_if_fits(struct text *line, const struct text *part, size_t width)
{
    const size_t gap = line->length > 0 ? 2 : 0;
    if (line->length + gap + part->length > width)
        return;
    text_add(line, "  ", gap);
    text_add(line, part->data, part->length);
}

static void add_numbers(struct text *line, const struct progress_state *state, size_t width)
{
    struct text part = TEXT_INIT;
    const uint64_t elapsed_ms = state->elapsed_ms > 0 ? (uint64_t)state->elapsed_ms : 1;
    const uint64_t rate_tenths = state->done * 10000 / elapsed_ms;

    text_printf(&part, "%" PRIu64, state->done);
    if (state->total > 0)
        text_printf(&part, " of %" PRIu64, state->total);
    add_if_fits(line, &part, width);
    if (state->failed > 0) {
        text_cut(&part, 0);
        text_printf(&part, "%" PRIu64 " failed", state->failed);
        add_if_fits(line, &part, width);
    }
    text_cut(&part, 0);
    if (rate_tenths >= 100)
        text_printf(&part, "%" PRIu64 " files/s", rate_tenths / 10);
    else
        text_printf(&part, "%" PRIu64 ".%" PRIu64 " files/s", rate_tenths / 10, rate_tenths % 10);
    add_if_fits(line, &part, width);
    if (state->total > state->done && state->done > 0) {
        const uint64_t left_s = (state->total - state->done) * elapsed_ms / state->done / 1000 + 1;
        text_cut(&part, 0);
        if (left_s < 60)
            text_printf(&part, "%" PRIu64 " s left", left_s);
        else
            text_printf(&part, "%" PRIu64 ":%02" PRIu64 " min left", left_s / 60, left_s % 60);
        add_if_fits(line, &part, width);
    }
    text_cut(&part, 0);
    text_printf(&part, "%" PRIu64 " MB/s", state->source_bytes / elapsed_ms / 1000);
    add_if_fits(line, &part, width);
    text_done(&part);
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
        const size_t filled = (size_t)(done * bar / state->total);
        text_puts(text, "[");
        for (size_t i = 0; i < bar; i++)
            text_puts(text, i < filled ? "#" : "-");
        text_puts(text, "]  ");
    }
    text_add(text, numbers.data, numbers.length);
    text_done(&numbers);
}

void progress_draw(struct progress *progress, const struct progress_state *state, int64_t now_ms)
{
    if (!progress->enabled || (progress->visible && now_ms - progress->drawn_ms < REDRAW_MS))
        return;
    text_cut(&progress->line, 0);
    text_puts(&progress->line, "\r");
    progress_line(&progress->line, state, terminal_width());
    text_puts(&progress->line, "\x1b[K");
    console_err(&progress->line);
    progress->visible = true;
    progress->drawn_ms = now_ms;
}

void progress_erase(struct progress *progress)
{
    if (!progress->visible)
        return;
    text_cut(&progress->line, 0);
    text_puts(&progress->line, "\r\x1b[K");
    console_err(&progress->line);
    progress->visible = false;
}

void progress_done(struct progress *progress)
{
    progress_erase(progress);
    text_done(&progress->line);
}
