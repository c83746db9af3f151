/* bench_page.c: the page of a bench; see bench_priv.h. One file: no script, nothing from elsewhere.
 */
#include "bench_chart_priv.h"

#include <stdio.h>
#include <string.h>

static const char page_style[] =
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "background:#fff;color:#1c2024}"
    "h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2.2rem 0 .6rem}"
    "p,ul{margin:.5rem 0}ul{padding-left:1.2rem}li::first-letter{text-transform:uppercase}"
    ".q{color:#5b6470}"
    ".w{overflow-x:auto}"
    "svg{width:100%;min-width:38rem;height:auto;margin-top:1.2rem}"
    "table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums;"
    "white-space:nowrap;width:100%}"
    "th,td{padding:.3rem .55rem;text-align:right;border-bottom:1px solid #dde2e8}"
    "th:first-child,td:first-child{text-align:left}"
    "thead th{color:#5b6470;font-weight:600}"
    "code,pre{font:13px ui-monospace,monospace}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f4f6f8;padding:.7rem .9rem;"
    "border-radius:6px}"
    "@media(prefers-color-scheme:dark){"
    "body{background:#14171a;color:#e6e9ec}.q,thead th{color:#a4adb8}"
    "th,td{border-color:#30363d}pre{background:#1e2329}"
    "}";

static void add_verdicts(const struct bench *bench, struct text *html)
{
    struct text verdict = TEXT_INIT;
    text_puts(html, "<ul>\n");
    for (size_t i = 0; bench_verdict(bench, i, &verdict); i++) {
        text_puts(html, "<li>");
        bench_escape(html, text_string(&verdict));
        text_puts(html, "</li>\n");
    }
    text_puts(html, "</ul>\n");
    html->failed |= text_failed(&verdict);
    text_done(&verdict);
}

static void add_cell(struct text *html, bool known, int decimals, double value, const char *unit)
{
    if (known)
        text_printf(html, "<td>%.*f%s</td>", decimals, value, unit);
    else
        text_puts(html, "<td>–</td>");
}

static int decimals_of(double value)
{
    return value < 10 ? 2 : value < 100 ? 1 : 0;
}

static void add_row(const struct bench *bench, size_t which, struct text *html)
{
    const struct bench_config *config = &bench->configs[which];
    const struct bench_figures *figures = &bench->figures[which];
    const bool has_speedup = figures->compared && figures->speedup.value > 0;
    struct text name = TEXT_INIT;
    bench_config_name(&name, config);
    text_puts(html, "<tr><td>");
    bench_escape(html, text_string(&name));
    text_printf(html, "</td><td>%.3f</td><td>%.3f–%.3f</td><td>%.3f</td>", figures->wall_s.median,
                figures->wall_s.low, figures->wall_s.high, figures->cpu_s.median);
    add_cell(html, true, decimals_of(figures->files_per_s), figures->files_per_s, "");
    add_cell(html, true, decimals_of(figures->bytes_per_s / 1e6), figures->bytes_per_s / 1e6, "");
    add_cell(html, true, decimals_of(figures->pixels_per_s / 1e6), figures->pixels_per_s / 1e6, "");
    add_cell(html, has_speedup, 2, figures->speedup.value, "");
    if (has_speedup && bench->rounds > 1)
        text_printf(html, "<td>%.2f–%.2f</td>", figures->speedup.interval.low,
                    figures->speedup.interval.high);
    else
        text_puts(html, "<td>–</td>");
    add_cell(html, has_speedup, 0, figures->efficiency.value * 100, " %");
    add_cell(html, figures->compared && config->kind != BENCH_LOOP, 0, figures->overhead_us.value,
             "");
    add_cell(html, figures->host_peak_bytes >= 0, 1, (double)figures->host_peak_bytes / 1e6, "");
    add_cell(html, figures->worker_peak_bytes >= 0, 1, (double)figures->worker_peak_bytes / 1e6,
             "");
    text_puts(html, "</tr>\n");
    html->failed |= text_failed(&name);
    text_done(&name);
}

static void add_table(const struct bench *bench, struct text *html)
{
    char surety[16] = "interval";
    if (bench->rounds > 1)
        snprintf(surety, sizeof(surety), "%.0f %%", bench_confidence(bench) * 100);
    text_printf(html,
                "<div class=\"w\"><table>\n<thead><tr><th>configuration</th><th>seconds</th>"
                "<th>quartiles</th><th>CPU s</th><th>files/s</th><th>MB/s</th><th>Mpx/s</th>"
                "<th>× serial</th><th>%s</th><th>efficiency</th><th>µs per file</th>"
                "<th>host MB</th><th>worker MB</th></tr></thead>\n<tbody>\n",
                surety);
    for (size_t i = 0; i < bench->config_count; i++)
        add_row(bench, i, html);
    text_puts(html, "</tbody>\n</table></div>\n");
}

static void add_head(const struct bench *bench, struct text *html)
{
    const struct bench_sample *sample = &bench->configs[0].samples[0];
    const struct bench_machine *machine = &bench->machine;
    text_printf(html,
                "<h1>thumbpool bench</h1>\n<p class=\"q\">%s · %llu pictures, %.1f MB, %.1f "
                "megapixels, to %s · %zu round%s after %u of warming up%s</p>\n<p class=\"q\">",
                machine->date, (unsigned long long)sample->made, (double)sample->source_bytes / 1e6,
                (double)sample->source_pixels / 1e6, text_string(&machine->job), bench->rounds,
                bench->rounds == 1 ? "" : "s", bench->options->bench.warmup,
                bench->options->bench.cold ? " · --cold" : "");
    bench_escape(html, text_string(&machine->cpu));
    text_printf(html, " · %u CPU%s · %.1f GB · ", machine->cpus, machine->cpus == 1 ? "" : "s",
                (double)machine->memory_bytes / 1e9);
    bench_escape(html, text_string(&machine->system));
    text_puts(html, "</p>\n");
}

static void add_method(const struct bench *bench, struct text *html)
{
    text_puts(
        html,
        "<h2>What was measured</h2>\n"
        "<p>Each configuration does the whole job in every round: it finds the files, reads, "
        "decodes, resamples and encodes them, and writes the thumbnails into an empty folder. Each "
        "round has an order of its own. The plain loop is one thread that reads a file, makes its "
        "thumbnail and writes it; all others are the program as it is.</p>\n"
        "<p>Times are medians. A ratio is the middle of the rounds’ own ratios, with the interval "
        "that holds it with the confidence at the head of its column, by the bootstrap. CPU s is "
        "the processor time of the "
        "host and its workers; efficiency is the speed-up for each worker; µs per file is the "
        "processor time for each file beyond the plain loop’s. Memory is the most that was "
        "resident.</p>\n");
    text_puts(html, "<h2>To repeat it</h2>\n<pre>");
    bench_escape(html, text_string(&bench->machine.command));
    text_puts(html, "</pre>\n<pre>");
    bench_escape(html, text_string(&bench->machine.libraries));
    text_puts(html, "</pre>\n");
}

void bench_page(const struct bench *bench, struct text *html)
{
    text_printf(html,
                "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"/>\n"
                "<title>thumbpool bench</title>\n<style>%s%s</style>\n</head>\n<body>\n",
                page_style, bench_chart_style);
    add_head(bench, html);
    add_verdicts(bench, html);
    text_puts(html, "<div class=\"w\">\n");
    bench_chart_inline(bench, bench_chart_speedup, "Times as fast as serial, against workers",
                       html);
    bench_chart_inline(bench, bench_chart_stages, "Workers’ time for each file, by stage", html);
    text_puts(html, "</div>\n");
    text_puts(html, "<h2>Figures</h2>\n");
    add_table(bench, html);
    add_method(bench, html);
    text_puts(html, "</body>\n</html>\n");
}
