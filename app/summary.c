/* summary.c: see summary_priv.h. */
#include "summary_priv.h"

#include <inttypes.h>
#include <string.h>

#include "escape_priv.h"
#include "json_priv.h"

#define ROOTS_NAMED_MAX 3

static uint64_t unfinished(const struct report_counts *counts)
{
    const uint64_t settled =
        counts->made + counts->up_to_date + counts->planned + counts->skipped + counts->failed;
    return counts->inputs > settled ? counts->inputs - settled : 0;
}

void summary_json(const struct summary *summary, struct text *json)
{
    const struct report_counts *counts = summary->counts;
    json_open(json, NULL, '{');
    json_string(json, "event", "summary");
    json_uint(json, "made", counts->made);
    json_uint(json, "up_to_date", counts->up_to_date);
    json_uint(json, "skipped", counts->skipped);
    json_uint(json, "failed", counts->failed);
    json_thousandths(json, "seconds", summary->elapsed_ms, 3);
    json_uint(json, "inputs", counts->inputs);
    causes_json(summary->causes, json);
    if (counts->partial > 0)
        json_uint(json, "partial", counts->partial);
    if (summary->peak_bytes >= 0)
        json_uint(json, "worker_memory_peak", (uint64_t)summary->peak_bytes);
    if (summary->options->dry_run)
        json_uint(json, "planned", counts->planned);
    if (summary->options->prune)
        json_uint(json, "pruned", counts->pruned);
    if (unfinished(counts) > 0)
        json_uint(json, "unfinished", unfinished(counts));
    if (summary->signal)
        json_uint(json, "signal", (uint64_t)summary->signal);
    json_close(json, '}');
}

/* "; thumbnails in a/thumbs, b/thumbs" */
static void add_roots(const struct summary *summary, struct text *line)
{
    const struct inputs *inputs = summary->inputs;
    size_t used = 0, named = 0;
    for (size_t i = 0; i < inputs->root_count; i++)
        used += summary->root_used[i];
    if (used == 0)
        return;
    text_puts(line, "; thumbnails in ");
    if (used > ROOTS_NAMED_MAX) {
        text_printf(line, "%zu folders", used);
        return;
    }
    for (size_t i = 0; i < inputs->root_count; i++) {
        const char *path = inputs->roots[i].path;
        if (!summary->root_used[i])
            continue;
        text_puts(line, named++ > 0 ? ", " : "");
        escape_name(line, path, strlen(path));
    }
}

static void add_count(struct text *line, uint64_t count, const char *words, const char *color)
{
    if (count > 0)
        text_printf(line, ", %s%" PRIu64 " %s%s", color, count, words, color[0] ? COLOR_RESET : "");
}

static void add_time(const struct summary *summary, struct text *line)
{
    const uint64_t tried = summary->counts->made + summary->counts->failed;
    const uint64_t elapsed_ms = summary->elapsed_ms;
    if (elapsed_ms >= 95)
        text_printf(line, " in %" PRIu64 ".%" PRIu64 " s", (elapsed_ms + 50) / 1000,
                    (elapsed_ms + 50) / 100 % 10);
    else
        text_printf(line, " in 0.%02" PRIu64 " s", (elapsed_ms + 5) / 10);
    if (tried == 0)
        return;
    const uint64_t rate_tenths = tried * 10000 / (elapsed_ms > 0 ? elapsed_ms : 1);
    if (rate_tenths >= 100)
        text_printf(line, ", %" PRIu64 " files/s", (rate_tenths + 5) / 10);
    else
        text_printf(line, ", %" PRIu64 ".%" PRIu64 " files/s", rate_tenths / 10, rate_tenths % 10);
}

void summary_text(const struct summary *summary, struct text *line)
{
    const struct report_counts *counts = summary->counts;
    const bool dry_run = summary->options->dry_run;
    if (dry_run)
        text_printf(line, "%" PRIu64 " would be made", counts->planned);
    else
        text_printf(line, "%s%" PRIu64 " made%s", summary->color ? COLOR_GREEN : "", counts->made,
                    summary->color ? COLOR_RESET : "");
    add_count(line, counts->partial, "of them partial", "");
    add_count(line, counts->up_to_date, "up to date", "");
    add_count(line, counts->skipped, "skipped", "");
    add_count(line, counts->failed, "failed", summary->color ? COLOR_RED : "");
    add_count(line, unfinished(counts), "not finished", "");
    add_count(line, counts->pruned, dry_run ? "would be removed" : "removed", "");
    add_time(summary, line);
    if (summary->options->verbose && summary->peak_bytes >= 0)
        text_printf(line, ", worker memory up to %" PRId64 " MB",
                    (summary->peak_bytes + 999999) / 1000000);
    add_roots(summary, line);
    if (summary->signal)
        text_printf(line, "; ended by signal %d (%s)", summary->signal, strsignal(summary->signal));
}
