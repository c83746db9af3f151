/* bench_table.c: the figures for a terminal, and as CSV; see bench_priv.h.
 *
 * Three widths: the narrow table has the time, the speed-up and a bar; the usual one more columns;
 * and a second table has what the pools cost, where there is room for it. */
#include "bench_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define WIDTH_USUAL 72
#define WIDTH_MOST  120
#define BAR_LEAST   6
#define BAR_MOST    40

#define BOLD  "\x1b[1m"
#define DIM   "\x1b[2m"
#define GREEN "\x1b[32m"
#define BLUE  "\x1b[34m"
#define RESET "\x1b[0m"

static const char *color(const struct bench_look *look, const char *code)
{
    return look->color ? code : "";
}

/* Eighths of a column where the terminal has them. */
static void add_bar(struct text *text, const struct bench_look *look, double share, unsigned width)
{
    static const char *const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const double columns = fmin(fmax(share, 0), 1) * width;
    const unsigned whole = (unsigned)columns;
    const unsigned eighths = (unsigned)((columns - whole) * 8);
    for (unsigned i = 0; i < whole; i++)
        text_puts(text, look->blocks ? "█" : "#");
    if (look->blocks)
        text_puts(text, parts[eighths]);
}

/* Three digits that matter. */
static void add_number(struct text *text, double value, int width)
{
    text_printf(text, "%*.*f", width, value < 1 ? 3 : value < 10 ? 2 : value < 100 ? 1 : 0, value);
}

static void add_name(struct text *text, const struct bench_config *config)
{
    static const char *const names[] = {"plain loop", "serial", "thread", "process", "Python"};
    text_printf(text, "%-10s", names[config->kind]);
    if (config->kind == BENCH_LOOP || config->kind == BENCH_SERIAL)
        text_puts(text, "   -");
    else
        text_printf(text, "%4u", config->workers);
}

/* ---- Words that may have to be broken ------------------------------------------------------- */

static void add_wrapped(struct text *text, const char *words, unsigned width, unsigned indent)
{
    unsigned column = 0;
    for (const char *at = words; *at;) {
        const unsigned length = (unsigned)strcspn(at, " ");
        if (column > 0 && column + 1 + length > width) {
            text_printf(text, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > 0) {
            text_puts(text, " ");
            column++;
        }
        text_add(text, at, length);
        column += length;
        at += length;
        at += strspn(at, " ");
    }
    text_puts(text, "\n");
}

static void add_head(const struct bench *bench, const struct bench_look *look, unsigned width,
                     struct text *text)
{
    const struct bench_sample *sample = &bench->configs[0].samples[0];
    struct text line = TEXT_INIT;
    text_printf(&line, "%llu pictures, %.1f MB, %.1f megapixels, to %s",
                (unsigned long long)sample->made, (double)sample->source_bytes / 1e6,
                (double)sample->source_pixels / 1e6, text_string(&bench->machine.job));
    text_puts(text, color(look, BOLD));
    add_wrapped(text, text_string(&line), width, 0);
    text_puts(text, color(look, RESET));
    text_cut(&line, 0);
    text_printf(&line, "%s, %u CPU%s, %s; %zu round%s%s", text_string(&bench->machine.cpu),
                bench->machine.cpus, bench->machine.cpus == 1 ? "" : "s",
                text_string(&bench->machine.system), bench->rounds, bench->rounds == 1 ? "" : "s",
                bench->options->bench.cold ? ", --cold" : "");
    add_wrapped(text, text_string(&line), width, 0);
    text->failed |= text_failed(&line);
    text_done(&line);
}

/* ---- The first table: time ------------------------------------------------------------------ */

static void add_speedup(struct text *text, const struct bench *bench,
                        const struct bench_figures *figures, bool with_interval)
{
    const bool known = figures->compared && figures->speedup.value > 0;
    if (known)
        text_printf(text, " %6.2f", figures->speedup.value);
    else
        text_puts(text, "      -");
    if (!with_interval)
        return;
    if (known && bench->rounds > 1)
        text_printf(text, " %5.2f-%-5.2f", figures->speedup.interval.low,
                    figures->speedup.interval.high);
    else
        text_printf(text, "%12s", "");
}

static double most_speedup(const struct bench *bench)
{
    double most = 1;
    for (size_t i = 0; i < bench->config_count; i++)
        most = fmax(most, bench->figures[i].speedup.value);
    return most;
}

static void add_times(const struct bench *bench, const struct bench_look *look, unsigned width,
                      struct text *text)
{
    const bool usual = width >= WIDTH_USUAL;
    const unsigned used = usual ? 67 : 31;
    const unsigned bar = width < used + BAR_LEAST  ? 0
                         : width - used > BAR_MOST ? BAR_MOST
                                                   : width - used;
    const double most = most_speedup(bench);
    char surety[16] = "";
    if (usual && bench->rounds > 1)
        snprintf(surety, sizeof(surety), "      %2.0f %%", bench_confidence(bench) * 100);
    text_printf(text, "%s%-14s %7s%s%s%s%s\n", color(look, BOLD), "workers", "seconds",
                usual ? "   +/- file/s  MB/s Mpx/s" : "", " faster", surety, color(look, RESET));
    for (size_t i = 0; i < bench->config_count; i++) {
        const struct bench_figures *figures = &bench->figures[i];
        const enum bench_kind kind = bench->configs[i].kind;
        add_name(text, &bench->configs[i]);
        text_puts(text, " ");
        add_number(text, figures->wall_s.median, 7);
        if (usual) {
            text_printf(text, " %4.1f%%", bench_noise(figures) * 50);
            add_number(text, figures->files_per_s, 7);
            add_number(text, figures->bytes_per_s / 1e6, 6);
            add_number(text, figures->pixels_per_s / 1e6, 6);
        }
        add_speedup(text, bench, figures, usual);
        if (bar > 0) {
            text_printf(text, " %s",
                        color(look, kind == BENCH_PROCESS  ? GREEN
                                    : kind == BENCH_THREAD ? BLUE
                                                           : DIM));
            add_bar(text, look, figures->speedup.value / most, bar - 1);
            text_puts(text, color(look, RESET));
        }
        text_puts(text, "\n");
    }
}

/* ---- The second: cost ----------------------------------------------------------------------- */

static void add_memory(struct text *text, int64_t bytes)
{
    if (bytes < 0)
        text_printf(text, " %9s", "-");
    else
        text_printf(text, " %6.1f MB", (double)bytes / 1e6);
}

static void add_costs(const struct bench *bench, const struct bench_look *look, struct text *text)
{
    text_printf(text, "%s%-14s %8s %10s %12s %9s %9s%s\n", color(look, BOLD), "workers", "CPU s",
                "efficiency", "us per file", "host", "worker", color(look, RESET));
    for (size_t i = 0; i < bench->config_count; i++) {
        const struct bench_figures *figures = &bench->figures[i];
        add_name(text, &bench->configs[i]);
        text_puts(text, " ");
        add_number(text, figures->cpu_s.median, 8);
        if (figures->compared && figures->speedup.value > 0)
            text_printf(text, " %9.0f%%", figures->efficiency.value * 100);
        else
            text_printf(text, " %10s", "-");
        if (figures->compared && bench->configs[i].kind != BENCH_LOOP)
            text_printf(text, " %+12.0f", figures->overhead_us.value);
        else
            text_printf(text, " %12s", "-");
        add_memory(text, figures->host_peak_bytes);
        add_memory(text, figures->worker_peak_bytes);
        text_puts(text, "\n");
    }
}

void bench_table(const struct bench *bench, const struct bench_look *look, struct text *text)
{
    const unsigned width = look->width > WIDTH_MOST ? WIDTH_MOST : look->width;
    struct text verdict = TEXT_INIT;
    add_head(bench, look, width, text);
    text_puts(text, "\n");
    add_times(bench, look, width, text);
    text_puts(text, "\n");
    if (width >= WIDTH_USUAL) {
        add_costs(bench, look, text);
        add_wrapped(
            text,
            "faster: times serial. efficiency: that for each worker. us per file: processor "
            "time beyond the plain loop's.",
            width, 0);
        text_puts(text, "\n");
    }
    for (size_t i = 0; bench_verdict(bench, i, &verdict); i++) {
        text_puts(text, "* ");
        add_wrapped(text, text_string(&verdict), width - 2, 2);
    }
    text->failed |= text_failed(&verdict);
    text_done(&verdict);
}

/* ---- CSV ------------------------------------------------------------------------------------ */

static void add_bytes(struct text *text, int64_t bytes)
{
    text_puts(text, ",");
    if (bytes >= 0)
        text_printf(text, "%lld", (long long)bytes);
}

void bench_csv(const struct bench *bench, struct text *text)
{
    text_puts(text, "backend,workers,round,wall_s,cpu_s,made,failed,skipped,source_bytes,"
                    "source_pixels,read_s,decode_s,resample_s,encode_s,write_s,host_peak_bytes,"
                    "worker_peak_bytes\n");
    for (size_t i = 0; i < bench->config_count; i++) {
        const struct bench_config *config = &bench->configs[i];
        for (size_t round = 0; round < bench->rounds; round++) {
            const struct bench_sample *sample = &config->samples[round];
            text_printf(text, "%s,%u,%zu,%.6f,%.6f,%llu,%llu,%llu,%llu,%llu",
                        bench_kind_name(config->kind), config->workers, round + 1, sample->wall_s,
                        sample->cpu_s, (unsigned long long)sample->made,
                        (unsigned long long)sample->failed, (unsigned long long)sample->skipped,
                        (unsigned long long)sample->source_bytes,
                        (unsigned long long)sample->source_pixels);
            for (enum bench_stage stage = BENCH_READ; stage < BENCH_REST; stage++)
                text_printf(text, ",%.6f", sample->stage_s[stage]);
            add_bytes(text, sample->host_peak_bytes);
            add_bytes(text, sample->worker_peak_bytes);
            text_puts(text, "\n");
        }
    }
}
