/* report.c: see report_priv.h. */
#include "report_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "causes_priv.h"
#include "clock_priv.h"
#include "console_priv.h"
#include "escape_priv.h"
#include "json_priv.h"
#include "measured_priv.h"
#include "pace_priv.h"
#include "progress_priv.h"
#include "summary_priv.h"

/* A stop does not wait longer for a run that is in the middle of writing. */
#define STOP_WAITS_NS 100000000

/* I: fixed after create. L: lock, which is a leaf. */
struct report {
    const struct options *options; /* I */
    const struct inputs *inputs;   /* I */
    bool color_out, color_err;     /* I */
    pthread_mutex_t lock;
    bool has_lock; /* I */
    /* All else: L */
    struct report_counts counts;
    struct causes causes;
    struct console console;
    struct progress progress;
    struct pace pace;
    bool *root_used;
    bool stopping; /* the lock is held for a stop */
    int64_t start_us;
    int64_t stopped_us; /* in all */
    struct text line;   /* reused */
};

static bool terminal_is_dumb(void)
{
    const char *terminal = getenv("TERM");
    return !terminal || strcmp(terminal, "dumb") == 0;
}

static bool use_color(enum when when, int fd)
{
    const char *no_color = getenv("NO_COLOR");
    if (when != WHEN_AUTO)
        return when == WHEN_ALWAYS;
    if ((no_color && no_color[0] != '\0') || terminal_is_dumb())
        return false;
    return isatty(fd);
}

static bool use_bar(const struct options *options)
{
    if (options->dry_run || options->progress == WHEN_NEVER)
        return false;
    if (options->progress == WHEN_ALWAYS)
        return true;
    if (options->quiet)
        return false;
    return isatty(STDERR_FILENO) && !terminal_is_dumb();
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
    report->has_lock = pthread_mutex_init(&report->lock, NULL) == 0;
    if (!report->root_used || !report->has_lock) {
        report_free(report);
        return -ENOMEM;
    }
    report->color_out = use_color(options->color, STDOUT_FILENO);
    report->color_err = use_color(options->color, STDERR_FILENO);
    report->progress.enabled = use_bar(options);
    report->progress.plain = terminal_is_dumb();
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
    causes_done(&report->causes);
    if (report->has_lock)
        pthread_mutex_destroy(&report->lock);
    free(report->root_used);
    free(report);
    return NULL;
}

static void report_lock(struct report *report)
{
    pthread_mutex_lock(&report->lock);
}

static void report_unlock(struct report *report)
{
    pthread_mutex_unlock(&report->lock);
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
    if (text_failed(&report->line) || report->options->measured)
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

static void start_json(struct report *report, unsigned workers, const char *confinement)
{
    struct text *json = line_begin(report);
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

void report_start(struct report *report, unsigned workers, const char *confinement)
{
    report_lock(report);
    report->start_us = clock_us();
    if (report->options->json) {
        start_json(report, workers, confinement);
    } else if (confinement) {
        text_printf(line_begin(report), "%u worker%s, each confined by: %s", workers,
                    workers == 1 ? "" : "s", confinement);
        line_end(report, false);
    }
    report_unlock(report);
}

void report_input(struct report *report)
{
    report_lock(report);
    report->counts.inputs++;
    report_unlock(report);
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
    report_lock(report);
    report->counts.made++;
    report->counts.partial += made->damage[0] != '\0';
    report->counts.source_bytes += made->source_bytes;
    report->root_used[made->root] = true;
    if (report->options->measured)
        measured_made(report->options->measured, made);
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
    report_unlock(report);
}

void report_up_to_date(struct report *report, const char *path, const char *output)
{
    report_lock(report);
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
    report_unlock(report);
}

void report_skipped(struct report *report, const char *path, const char *why)
{
    report_lock(report);
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
    report_unlock(report);
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
    report_lock(report);
    report->counts.failed++;
    report->counts.source_bytes += failure->source_bytes;
    causes_add(&report->causes, failure->slug, path);
    if (report->options->json) {
        failed_json(report, path, failure);
    } else {
        struct text *line = line_begin(report);
        text_printf(line, "thumbpool: %s", report->color_err ? COLOR_RED : "");
        add_shown(line, path);
        text_printf(line, "%s: %s", report->color_err ? COLOR_RESET : "", failure->words);
        line_end(report, true);
    }
    report_unlock(report);
}

static void planned_json(struct report *report, const char *path, const char *output,
                         const char *or_output)
{
    struct text *json = file_begin(report, path, "planned");
    for (const char *at = output; at; at = at == output ? or_output : NULL) {
        json_open(json, at == output ? "outputs" : "or", '[');
        json_open(json, NULL, '{');
        json_name(json, "path", at);
        json_close(json, '}');
        json_close(json, ']');
    }
    file_end(report);
}

static void planned_text(struct report *report, const char *path, const char *output,
                         const char *or_output)
{
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

void report_planned(struct report *report, const char *path, const char *output,
                    const char *or_output)
{
    report_lock(report);
    report->counts.planned++;
    if (report->options->json)
        planned_json(report, path, output, or_output);
    else
        planned_text(report, path, output, or_output);
    report_unlock(report);
}

void report_pruned(struct report *report, const char *output, bool would)
{
    report_lock(report);
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
    report_unlock(report);
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
    report_lock(report);
    say_aside(report, "warning", words);
    report_unlock(report);
}

void report_fatal(struct report *report, const char *words)
{
    report_lock(report);
    if (report->options->measured)
        measured_fatal(report->options->measured, words);
    say_aside(report, "error", words);
    report_unlock(report);
}

/* ---- The bar ------------------------------------------------------------------------------- */

bool report_has_bar(const struct report *report)
{
    return report->progress.enabled;
}

/* What is left to do. Of a file that was up to date only the mean size is known. */
static struct pace_rest rest_of(const struct report *report, const struct report_ahead *ahead,
                                uint64_t done)
{
    const struct report_counts *counts = &report->counts;
    struct pace_rest rest = {.files = ahead->files > done ? ahead->files - done : 0};
    if (rest.files == 0 || ahead->bytes == 0)
        return rest;
    const uint64_t spared = (counts->up_to_date + ahead->passed) * (ahead->bytes / ahead->files);
    const uint64_t gone = counts->source_bytes + spared;
    rest.bytes = ahead->bytes > gone ? ahead->bytes - gone : 1;
    return rest;
}

static void draw(struct report *report, const struct report_ahead *ahead, int64_t now_ms)
{
    const struct report_counts *counts = &report->counts;
    const uint64_t worked = counts->made + counts->failed;
    const uint64_t done = worked + counts->up_to_date + ahead->passed;
    const struct pace_state at = {.files = done,
                                  .worked_files = worked,
                                  .worked_bytes = counts->source_bytes,
                                  .working = ahead->working};
    const struct pace_rest rest = rest_of(report, ahead, done);
    pace_step(&report->pace, &at, &rest, now_ms - report->stopped_us / 1000);
    const struct progress_state state = {
        .done = done,
        /* Pictures without an extension were not counted. */
        .total = ahead->files > 0 && ahead->files < done ? done : ahead->files,
        .failed = counts->failed,
        .rate_tenths = pace_file_tenths(&report->pace),
        .rate_bytes = pace_bytes(&report->pace),
        .left_s = pace_left_s(&report->pace)};
    progress_draw(&report->progress, &state, now_ms);
}

void report_tick(struct report *report, const struct report_ahead *ahead)
{
    report_lock(report);
    const int64_t now_ms = clock_ms();
    if (progress_is_due(&report->progress, now_ms))
        draw(report, ahead, now_ms);
    report_unlock(report);
}

void report_before_stop(struct report *report)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += STOP_WAITS_NS;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    report->stopping = pthread_mutex_timedlock(&report->lock, &until) == 0;
    if (report->stopping)
        progress_erase(&report->progress);
}

void report_after_stop(struct report *report, int64_t stopped_us)
{
    if (!report->stopping)
        return;
    report->stopped_us += stopped_us;
    report->stopping = false;
    report_unlock(report);
}

/* ---- The end ------------------------------------------------------------------------------- */

/* The causes of what failed, each failure having been told already when it happened. */
static void say_causes(struct report *report)
{
    struct text *line = line_begin(report);
    text_puts(line, "thumbpool: ");
    const size_t before = line->length;
    causes_text(&report->causes, line, report->color_err ? COLOR_RED : "",
                report->color_err ? COLOR_RESET : "");
    if (line->length > before)
        line_end(report, true);
}

static void say_summary(struct report *report, int signal, int64_t peak_bytes)
{
    const struct summary summary = {.options = report->options,
                                    .inputs = report->inputs,
                                    .counts = &report->counts,
                                    .root_used = report->root_used,
                                    .causes = &report->causes,
                                    .elapsed_ms =
                                        (uint64_t)((clock_us() - report->start_us) / 1000),
                                    .signal = signal,
                                    .peak_bytes = peak_bytes,
                                    .color = report->color_out};
    report->progress.enabled = false;
    progress_erase(&report->progress);
    if (!report->options->json)
        say_causes(report);
    if (report->options->json)
        summary_json(&summary, line_begin(report));
    else if (!report->options->quiet)
        summary_text(&summary, line_begin(report));
    else
        return;
    line_end(report, false);
}

void report_summary(struct report *report, int signal, int64_t peak_bytes)
{
    report_lock(report);
    if (report->options->measured)
        measured_end(report->options->measured, &report->counts, peak_bytes);
    say_summary(report, signal, peak_bytes);
    report_unlock(report);
}

void report_last_words(struct report *report, int signal)
{
    if (pthread_mutex_trylock(&report->lock) != 0)
        return;
    if (console_has_room())
        say_summary(report, signal, -1);
    /* The lock is kept: whoever comes now waits for the end. */
}

const struct report_counts *report_counts(const struct report *report)
{
    return &report->counts;
}

int report_output_error(const struct report *report)
{
    return report->console.out_error;
}
