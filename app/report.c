/* report.c: see report_priv.h. */
#include "report_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock_priv.h"
#include "console_priv.h"
#include "escape_priv.h"
#include "json_priv.h"
#include "progress_priv.h"

#define COLOR_RED   "\x1b[31m"
#define COLOR_GREEN "\x1b[32m"
#define COLOR_RESET "\x1b[0m"

#define ROOTS_NAMED_MAX 3

struct report {
    const struct options *options;
    const struct inputs *inputs;
    struct report_counts counts;
    struct console console;
    struct progress progress;
    bool color_out, color_err;
    bool *root_used;
    int64_t start_us;
    struct text line; /* reused */
};

static bool use_color(enum when when, int fd)
{
    const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");
    if (when != WHEN_AUTO)
        return when == WHEN_ALWAYS;
    if ((no_color && no_color[0] != '\0') || !terminal || strcmp(terminal, "dumb") == 0)
        return false;
    return isatty(fd);
}

static bool use_bar(const struct options *options)
{
    const char *terminal = getenv("TERM");
    if (options->dry_run || options->progress == WHEN_NEVER)
        return false;
    if (options->progress == WHEN_ALWAYS)
        return true;
    return isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
}

int report_create(const struct options *options, const struct inputs *inputs,
                  struct report **ret_report)
{
    struct report *report = calloc(1, sizeof(*report));
    if (!report)
        return -ENOMEM;
    report->options = options;
    report->inputs = inputs;
    report->root_used = calloc(inputs->root_count + 1, sizeof(*report->root_used));
    if (!report->root_used) {
        free(report);
        return -ENOMEM;
    }
    report->color_out = use_color(options->color, STDOUT_FILENO);
    report->color_err = use_color(options->color, STDERR_FILENO);
    report->progress.enabled = use_bar(options);
    report->start_us = clock_us();
    *ret_report = report;
    return 0;
}

struct report *report_free(struct report *report)
{
    if (!report)
        return NULL;
    progress_done(&report->progress);
    text_done(&report->line);
    free(report->root_used);
    free(report);
    return NULL;
}

/* ---- Lines --------------------------------------------------------------------------------- */

static struct text *line_begin(struct report *report)
{
    text_cut(&report->line, 0);
    return &report->line;
}

/* A line that memory was short for is left out rather than cut: it might mislead a machine. */
static void line_end(struct report *report, bool to_err)
{
    text_puts(&report->line, "\n");
    if (text_failed(&report->line))
        return;
    progress_erase(&report->progress);
    if (to_err)
        console_err(&report->line);
    else
        console_out(&report->console, &report->line);
}

static void add_shown(struct text *line, const char *path)
{
    escape_name(line, path, strlen(path));
}

static struct text *file_begin(struct report *report, const char *path, const char *status)
{
    struct text *json = line_begin(report);
    json_open(json, NULL, '{');
    json_string(json, "event", "file");
    json_name(json, "path", path);
    json_string(json, "status", status);
    return json;
}

static void file_end(struct report *report)
{
    json_close(&report->line, '}');
    line_end(report, false);
}

void report_start(struct report *report, unsigned workers, const char *confinement)
{
    report->start_us = clock_us();
    struct text *json = line_begin(report);
    if (!report->options->json) {
        if (!confinement)
            return;
        text_printf(&report->line, "%u worker%s, each confined by: %s", workers,
                    workers == 1 ? "" : "s", confinement);
        line_end(report, false);
        return;
    }
    json_open(json, NULL, '{');
    json_string(json, "event", "start");
    json_null(json, "inputs");
    json_uint(json, "workers", workers);
    json_string(json, "backend", options_backend_name(report->options->backend));
    if (confinement)
        json_string(json, "sandbox", confinement);
    if (report->options->dry_run)
        json_bool(json, "dry_run", true);
    json_close(json, '}');
    line_end(report, false);
}

void report_input(struct report *report)
{
    report->counts.inputs++;
}

static void made_json(struct report *report, const char *path, const struct report_thumbnail *made)
{
    struct text *json = file_begin(report, path, "made");
    json_open(json, "outputs", '[');
    json_open(json, NULL, '{');
    json_name(json, "path", made->output);
    json_uint(json, "width", made->width_px);
    json_uint(json, "height", made->height_px);
    json_uint(json, "bytes", made->size_bytes);
    json_string(json, "format", made->format);
    json_close(json, '}');
    json_close(json, ']');
    json_string(json, "format", made->source_format);
    json_uint(json, "width", made->source_width_px);
    json_uint(json, "height", made->source_height_px);
    json_uint(json, "bytes", made->source_bytes);
    json_string(json, "decoder", made->decoder);
    if (made->damage[0]) {
        json_bool(json, "partial", true);
        json_string(json, "damage", made->damage);
    }
    if (made->worker_pid > 0)
        json_uint(json, "pid", (uint64_t)made->worker_pid);
    json_open(json, "ms", '{');
    json_thousandths(json, "read", made->read_us, 1);
    json_thousandths(json, "decode", made->decode_us, 1);
    json_thousandths(json, "resample", made->resample_us, 1);
    json_thousandths(json, "encode", made->encode_us, 1);
    json_thousandths(json, "write", made->write_us, 1);
    json_close(json, '}');
    file_end(report);
}

void report_made(struct report *report, const char *path, const struct report_thumbnail *made)
{
    report->counts.made++;
    report->counts.partial += made->damage[0] != '\0';
    report->counts.source_bytes += made->source_bytes;
    report->root_used[made->root] = true;
    if (report->options->json) {
        made_json(report, path, made);
    } else if (report->options->verbose) {
        struct text *line = line_begin(report);
        text_puts(line, "made ");
        add_shown(line, made->output);
        text_printf(line, " (%" PRIu32 "x%" PRIu32 ", %zu bytes) from ", made->width_px,
                    made->height_px, made->size_bytes);
        add_shown(line, path);
        if (made->damage[0])
            text_printf(line, "; partial: %s", made->damage);
        line_end(report, false);
    }
}

void report_up_to_date(struct report *report, const char *path, const char *output)
{
    report->counts.up_to_date++;
    if (report->options->json) {
        struct text *json = file_begin(report, path, "up_to_date");
        json_open(json, "outputs", '[');
        json_open(json, NULL, '{');
        json_name(json, "path", output);
        json_close(json, '}');
        json_close(json, ']');
        file_end(report);
    } else if (report->options->verbose) {
        struct text *line = line_begin(report);
        text_puts(line, "up to date ");
        add_shown(line, output);
        text_puts(line, " from ");
        add_shown(line, path);
        line_end(report, false);
    }
}

void report_skipped(struct report *report, const char *path, const char *why)
{
    report->counts.skipped++;
    if (report->options->json) {
        json_string(file_begin(report, path, "skipped"), "why", why);
        file_end(report);
    } else if (report->options->verbose) {
        struct text *line = line_begin(report);
        text_puts(line, "skipped ");
        add_shown(line, path);
        text_printf(line, ": %s", why);
        line_end(report, false);
    }
}

static void failed_json(struct report *report, const char *path,
                        const struct report_failure *failure)
{
    struct text message = TEXT_INIT;
    add_shown(&message, path);
    text_printf(&message, ": %s", failure->words);
    struct text *json = file_begin(report, path, "failed");
    json_string(json, "error", failure->slug);
    json_string(json, "message", text_string(&message));
    if (failure->worker_pid > 0)
        json_uint(json, "pid", (uint64_t)failure->worker_pid);
    if (failure->signal > 0)
        json_uint(json, "signal", (uint64_t)failure->signal);
    if (text_failed(&message))
        json->failed = true;
    text_done(&message);
    file_end(report);
}

void report_failed(struct report *report, const char *path, const struct report_failure *failure)
{
    report->counts.failed++;
    report->counts.source_bytes += failure->source_bytes;
    if (report->options->json) {
        failed_json(report, path, failure);
        return;
    }
    struct text *line = line_begin(report);
    text_printf(line, "thumbpool: %s", report->color_err ? COLOR_RED : "");
    add_shown(line, path);
    text_printf(line, "%s: %s", report->color_err ? COLOR_RESET : "", failure->words);
    line_end(report, true);
}

void report_planned(struct report *report, const char *path, const char *output,
                    const char *or_output)
{
    report->counts.planned++;
    if (report->options->json) {
        struct text *json = file_begin(report, path, "planned");
        for (const char *at = output; at; at = at == output ? or_output : NULL) {
            json_open(json, at == output ? "outputs" : "or", '[');
            json_open(json, NULL, '{');
            json_name(json, "path", at);
            json_close(json, '}');
            json_close(json, ']');
        }
        file_end(report);
        return;
    }
    struct text *line = line_begin(report);
    text_puts(line, "would make ");
    add_shown(line, output);
    if (or_output) {
        text_puts(line, " (or, with transparency, ");
        add_shown(line, or_output);
        text_puts(line, ")");
    }
    text_puts(line, " from ");
    add_shown(line, path);
    line_end(report, false);
}

void report_pruned(struct report *report, const char *output, bool would)
{
    report->counts.pruned++;
    struct text *line = line_begin(report);
    if (report->options->json) {
        json_open(line, NULL, '{');
        json_string(line, "event", "pruned");
        json_name(line, "path", output);
        if (would)
            json_bool(line, "dry_run", true);
        json_close(line, '}');
        line_end(report, false);
    } else if (would || report->options->verbose) {
        text_puts(line, would ? "would remove " : "removed ");
        add_shown(line, output);
        line_end(report, false);
    }
}

static void say_aside(struct report *report, const char *event, const char *words)
{
    if (report->options->json) {
        struct text *json = line_begin(report);
        json_open(json, NULL, '{');
        json_string(json, "event", event);
        json_string(json, "message", words);
        json_close(json, '}');
        line_end(report, false);
    }
    text_printf(line_begin(report), "thumbpool: %s", words);
    line_end(report, true);
}

void report_warning(struct report *report, const char *words)
{
    say_aside(report, "warning", words);
}

void report_fatal(struct report *report, const char *words)
{
    say_aside(report, "error", words);
}

/* ---- The bar ------------------------------------------------------------------------------- */

bool report_has_bar(const struct report *report)
{
    return report->progress.enabled;
}

void report_tick(struct report *report, uint64_t total)
{
    if (!report->progress.enabled)
        return;
    const int64_t now_us = clock_us();
    const uint64_t done = report->counts.made + report->counts.failed;
    const struct progress_state state = {.done = done,
                                         /* Pictures without an extension were not counted. */
                                         .total = total > 0 && total < done ? done : total,
                                         .failed = report->counts.failed,
                                         .source_bytes = report->counts.source_bytes,
                                         .elapsed_ms = (now_us - report->start_us) / 1000};
    progress_draw(&report->progress, &state, now_us / 1000);
}

/* ---- The end ------------------------------------------------------------------------------- */

static uint64_t unfinished(const struct report_counts *counts)
{
    const uint64_t settled =
        counts->made + counts->up_to_date + counts->planned + counts->skipped + counts->failed;
    return counts->inputs > settled ? counts->inputs - settled : 0;
}

static void summary_json(struct report *report, uint64_t elapsed_ms, int signal, int64_t peak_bytes)
{
    const struct report_counts *counts = &report->counts;
    struct text *json = line_begin(report);
    json_open(json, NULL, '{');
    json_string(json, "event", "summary");
    json_uint(json, "made", counts->made);
    json_uint(json, "up_to_date", counts->up_to_date);
    json_uint(json, "skipped", counts->skipped);
    json_uint(json, "failed", counts->failed);
    json_thousandths(json, "seconds", elapsed_ms, 3);
    json_uint(json, "inputs", counts->inputs);
    if (counts->partial > 0)
        json_uint(json, "partial", counts->partial);
    if (peak_bytes >= 0)
        json_uint(json, "worker_memory_peak", (uint64_t)peak_bytes);
    if (report->options->dry_run)
        json_uint(json, "planned", counts->planned);
    if (report->options->prune)
        json_uint(json, "pruned", counts->pruned);
    if (unfinished(counts) > 0)
        json_uint(json, "unfinished", unfinished(counts));
    if (signal)
        json_uint(json, "signal", (uint64_t)signal);
    json_close(json, '}');
    line_end(report, false);
}

/* "; thumbnails in a/thumbs, b/thumbs" */
static void add_roots(struct report *report, struct text *line)
{
    size_t used = 0, named = 0;
    for (size_t i = 0; i < report->inputs->root_count; i++)
        used += report->root_used[i];
    if (used == 0)
        return;
    text_puts(line, "; thumbnails in ");
    if (used > ROOTS_NAMED_MAX) {
        text_printf(line, "%zu folders", used);
        return;
    }
    for (size_t i = 0; i < report->inputs->root_count; i++) {
        if (!report->root_used[i])
            continue;
        text_puts(line, named++ > 0 ? ", " : "");
        add_shown(line, report->inputs->roots[i].path);
    }
}

static void add_count(struct text *line, uint64_t count, const char *words, const char *color)
{
    if (count > 0)
        text_printf(line, ", %s%" PRIu64 " %s%s", color, count, words, color[0] ? COLOR_RESET : "");
}

static void summary_text(struct report *report, uint64_t elapsed_ms, int signal, int64_t peak_bytes)
{
    const struct report_counts *counts = &report->counts;
    const uint64_t tried = counts->made + counts->failed;
    struct text *line = line_begin(report);
    if (report->options->dry_run)
        text_printf(line, "%" PRIu64 " would be made", counts->planned);
    else
        text_printf(line, "%s%" PRIu64 " made%s", report->color_out ? COLOR_GREEN : "",
                    counts->made, report->color_out ? COLOR_RESET : "");
    add_count(line, counts->partial, "of them partial", "");
    add_count(line, counts->up_to_date, "up to date", "");
    add_count(line, counts->skipped, "skipped", "");
    add_count(line, counts->failed, "failed", report->color_out ? COLOR_RED : "");
    add_count(line, unfinished(counts), "not finished", "");
    add_count(line, counts->pruned, report->options->dry_run ? "would be removed" : "removed", "");
    if (elapsed_ms >= 95)
        text_printf(line, " in %" PRIu64 ".%" PRIu64 " s", (elapsed_ms + 50) / 1000,
                    (elapsed_ms + 50) / 100 % 10);
    else
        text_printf(line, " in 0.%02" PRIu64 " s", (elapsed_ms + 5) / 10);
    if (tried > 0) {
        const uint64_t rate_tenths = tried * 10000 / (elapsed_ms > 0 ? elapsed_ms : 1);
        if (rate_tenths >= 100)
            text_printf(line, ", %" PRIu64 " files/s", (rate_tenths + 5) / 10);
        else
            text_printf(line, ", %" PRIu64 ".%" PRIu64 " files/s", rate_tenths / 10,
                        rate_tenths % 10);
    }
    if (report->options->verbose && peak_bytes >= 0)
        text_printf(line, ", worker memory up to %" PRId64 " MB", (peak_bytes + 999999) / 1000000);
    add_roots(report, line);
    if (signal)
        text_printf(line, "; ended by signal %d (%s)", signal, strsignal(signal));
    line_end(report, false);
}

void report_summary(struct report *report, int signal, int64_t peak_bytes)
{
    const uint64_t elapsed_ms = (uint64_t)((clock_us() - report->start_us) / 1000);
    report->progress.enabled = false;
    progress_erase(&report->progress);
    if (report->options->json)
        summary_json(report, elapsed_ms, signal, peak_bytes);
    else if (!report->options->quiet)
        summary_text(report, elapsed_ms, signal, peak_bytes);
}

const struct report_counts *report_counts(const struct report *report)
{
    return &report->counts;
}

int report_output_error(const struct report *report)
{
    return report->console.out_error;
}
