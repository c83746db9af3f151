/* bench_chart.c: see bench_chart_priv.h and bench_priv.h.
 *
 * Plain SVG 1.1 with a style of its own: no script, no font, no file from anywhere. What a mark
 * stands for shows when the pointer rests on it. Colours are told apart without red and green, and
 * the two series by the shapes of their marks too. */
#include "bench_chart_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "escape_priv.h"

#define PLOT_LEFT   56
#define PLOT_RIGHT  736
#define PLOT_TOP    74
#define PLOT_HEIGHT 270
#define ROW_HEIGHT  26
#define NAMES_WIDTH 118
#define SUMS_WIDTH  70
#define TICK_APART  26 /* of numbers below the axis */
#define ASIDE       6  /* the series stand beside each other */

/* Bytes of the command line that fit; the page has it whole. */
#define COMMAND_SHOWN 100

const char bench_chart_style[] =
    ".c{font:13px system-ui,sans-serif;fill:#1c2024}"
    ".c .t{font-size:17px;font-weight:600}"
    ".c .s{fill:#5b6470}"
    ".c .n{font-size:12px}"
    ".c .p{fill:#fff}"
    ".c .g{stroke:#dde2e8;fill:none}"
    ".c .a{stroke:#8b949e;fill:none}"
    ".c .i{stroke:#8b949e;stroke-width:1.5;stroke-dasharray:6 5;fill:none}"
    ".c .l{fill:none;stroke-width:2.5}"
    ".c .e{stroke-width:1.5}"
    ".c .kt{stroke:#0a66c2}.c .ft{fill:#0a66c2}"
    ".c .kp{stroke:#c8500a}.c .fp{fill:#c8500a}"
    ".c .ko{stroke:#6a737d}.c .fo{fill:#6a737d}"
    ".c .s0{fill:#9aa7b5}.c .s1{fill:#0a66c2}.c .s2{fill:#0f9d8f}"
    ".c .s3{fill:#e0a100}.c .s4{fill:#8250c8}.c .s5{fill:#d1477a}"
    "@media(prefers-color-scheme:dark){"
    ".c{fill:#e6e9ec}"
    ".c .s{fill:#a4adb8}"
    ".c .p{fill:#14171a}"
    ".c .g{stroke:#30363d}"
    ".c .a,.c .i{stroke:#7d8590}"
    ".c .kt{stroke:#6cb2ff}.c .ft{fill:#6cb2ff}"
    ".c .kp{stroke:#ff9d5c}.c .fp{fill:#ff9d5c}"
    ".c .ko{stroke:#a4adb8}.c .fo{fill:#a4adb8}"
    ".c .s0{fill:#75828f}.c .s1{fill:#58a6ff}.c .s2{fill:#2fc4b2}"
    ".c .s3{fill:#f2c14e}.c .s4{fill:#b68cff}.c .s5{fill:#ff7eb0}"
    "}";

void bench_escape(struct text *text, const char *string)
{
    for (const char *at = string; *at; at++) {
        if (*at == '&')
            text_puts(text, "&amp;");
        else if (*at == '<')
            text_puts(text, "&lt;");
        else if (*at == '>')
            text_puts(text, "&gt;");
        else if (*at == '"')
            text_puts(text, "&quot;");
        else if (strncmp(at, "\xef\xbf\xbe", 3) == 0 || strncmp(at, "\xef\xbf\xbf", 3) == 0)
            at += 2; /* XML has no such characters, by whatever name */
        else
            text_add(text, at, 1);
    }
}

/* ---- Marks ---------------------------------------------------------------------------------- */

/* Where things are. */
struct plot {
    double left, right, top, bottom;
    double origin; /* of the numbers of workers: at the left, or so much to the right of it that
                    * the marks of one worker stay off the axis */
    double x_most, y_most;
};

static double x_of(const struct plot *plot, double workers)
{
    return plot->origin + (plot->right - plot->origin) * workers / plot->x_most;
}

static double y_of(const struct plot *plot, double speedup)
{
    const double y = plot->bottom - (plot->bottom - plot->top) * speedup / plot->y_most;
    return y > plot->top ? y : plot->top;
}

void bench_chart_line(struct text *svg, const char *class, double x1, double y1, double x2,
                      double y2)
{
    text_printf(svg, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
                class, x1, y1, x2, y2);
}

void bench_chart_words(struct text *svg, const char *class, double x, double y, const char *anchor,
                       const char *words)
{
    text_printf(svg, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", class, x, y,
                anchor);
    bench_escape(svg, words);
    text_puts(svg, "</text>\n");
}

static char letter_of(enum bench_kind kind)
{
    return (char)(kind == BENCH_THREAD ? 't' : kind == BENCH_PROCESS ? 'p' : 'o');
}

/* A disc, a square, a diamond, a triangle. */
static void add_mark(struct text *svg, enum bench_kind kind, double x, double y)
{
    const char letter = letter_of(kind);
    if (kind == BENCH_THREAD)
        text_printf(svg, "<circle class=\"f%c\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>", letter, x, y);
    else if (kind == BENCH_PROCESS)
        text_printf(svg, "<rect class=\"f%c\" x=\"%.1f\" y=\"%.1f\" width=\"10\" height=\"10\"/>",
                    letter, x - 5, y - 5);
    else if (kind == BENCH_LOOP)
        text_printf(svg, "<path class=\"f%c\" d=\"M%.1f %.1fl6 6l-6 6l-6 -6z\"/>", letter, x,
                    y - 6);
    else
        text_printf(svg, "<path class=\"f%c\" d=\"M%.1f %.1fl6 11h-12z\"/>", letter, x, y - 6);
}

/* ---- Speed-up against workers --------------------------------------------------------------- */

static struct plot plot_of(const struct bench *bench, double top)
{
    struct plot plot = {.left = PLOT_LEFT,
                        .right = PLOT_RIGHT,
                        .top = top + PLOT_TOP,
                        .bottom = top + PLOT_TOP + PLOT_HEIGHT,
                        .x_most = 1,
                        .y_most = 1};
    for (size_t i = 0; i < bench->config_count; i++) {
        plot.x_most = fmax(plot.x_most, bench->configs[i].workers);
        plot.y_most = fmax(plot.y_most, bench->figures[i].speedup.interval.high);
    }
    plot.y_most = fmax(plot.y_most, fmin(plot.x_most, bench->machine.cpus));
    plot.y_most *= 1.08;
    plot.x_most *= 1.06;
    plot.origin = plot.left + fmax(0, 6 * ASIDE - (plot.right - plot.left) / plot.x_most);
    return plot;
}

/* 1, 2 or 5 times a power of ten, so that there are few lines. */
static double step_of(double most)
{
    const double power = pow(10, floor(log10(most / 4)));
    const double times = most / 4 / power;
    return power * (times <= 1 ? 1 : times <= 2 ? 2 : times <= 5 ? 5 : 10);
}

static void add_axes(const struct bench *bench, const struct plot *plot, struct text *svg)
{
    const double step = step_of(plot->y_most);
    char number[32];
    double last = -TICK_APART;
    unsigned drawn = 0;
    for (unsigned i = 0; i * step <= plot->y_most; i++) {
        const double y = i * step;
        bench_chart_line(svg, y > 0 ? "g" : "a", plot->left, y_of(plot, y), plot->right,
                         y_of(plot, y));
        snprintf(number, sizeof(number), "%.*f", step < 1 ? 1 : 0, y);
        bench_chart_words(svg, "n s", plot->left - 8, y_of(plot, y) + 4, "end", number);
    }
    for (unsigned workers = 1; workers <= POOL_WORKERS_MAX; workers++) {
        bool is_one = workers == 1;
        for (size_t i = 0; i < bench->config_count; i++)
            is_one |= bench->configs[i].workers == workers;
        const double x = x_of(plot, workers);
        if (!is_one || workers == drawn || x - last < TICK_APART)
            continue;
        snprintf(number, sizeof(number), "%u", workers);
        bench_chart_line(svg, "a", x, plot->bottom, x, plot->bottom + 5);
        bench_chart_words(svg, "n s", x, plot->bottom + 19, "middle", number);
        last = x;
    }
    bench_chart_words(svg, "n s", (plot->left + plot->right) / 2, plot->bottom + 38, "middle",
                      "workers");
}

static void add_ideal(const struct bench *bench, const struct plot *plot, struct text *svg)
{
    const double most = plot->x_most / 1.06, cpus = bench->machine.cpus;
    const double bend = fmin(most, cpus);
    text_printf(svg, "<polyline class=\"i\" points=\"%.1f,%.1f %.1f,%.1f", x_of(plot, 0),
                y_of(plot, 0), x_of(plot, bend), y_of(plot, bend));
    if (most > cpus)
        text_printf(svg, " %.1f,%.1f", x_of(plot, plot->x_most), y_of(plot, bend));
    text_puts(svg, "\"><title>one CPU for each worker, as far as there are CPUs</title>"
                   "</polyline>\n");
}

static double aside(enum bench_kind kind)
{
    return kind == BENCH_THREAD    ? -ASIDE
           : kind == BENCH_PROCESS ? ASIDE
           : kind == BENCH_LOOP    ? -4 * ASIDE
                                   : 0;
}

static void add_point(const struct bench *bench, size_t which, const struct plot *plot,
                      struct text *svg)
{
    const struct bench_config *config = &bench->configs[which];
    const struct estimate *speedup = &bench->figures[which].speedup;
    const double x = x_of(plot, config->workers) + aside(config->kind);
    const double low = y_of(plot, speedup->interval.low), high = y_of(plot, speedup->interval.high);
    struct text name = TEXT_INIT;
    char class[8];
    snprintf(class, sizeof(class), "e k%c", letter_of(config->kind));
    bench_config_name(&name, config);
    text_puts(svg, "<g><title>");
    bench_escape(svg, text_string(&name));
    text_printf(svg, ": %.2f times serial, %.2f to %.2f</title>", speedup->value,
                speedup->interval.low, speedup->interval.high);
    bench_chart_line(svg, class, x, low, x, high);
    bench_chart_line(svg, class, x - 4, low, x + 4, low);
    bench_chart_line(svg, class, x - 4, high, x + 4, high);
    add_mark(svg, config->kind, x, y_of(plot, speedup->value));
    text_puts(svg, "</g>\n");
    svg->failed |= text_failed(&name);
    text_done(&name);
}

static bool has_point(const struct bench *bench, size_t which)
{
    return bench->figures[which].compared && bench->figures[which].speedup.value > 0 &&
           bench->configs[which].kind != BENCH_SERIAL;
}

/* In the order of workers, whatever that of the command line was. */
static void add_series(const struct bench *bench, enum bench_kind kind, const struct plot *plot,
                       struct text *svg)
{
    bool any = false;
    text_printf(svg, "<polyline class=\"l k%c\" points=\"", letter_of(kind));
    for (unsigned workers = 1; workers <= POOL_WORKERS_MAX; workers++) {
        const int which = bench_find(bench, kind, workers);
        if (which < 0 || !has_point(bench, (size_t)which))
            continue;
        text_printf(svg, "%s%.1f,%.1f", any ? " " : "", x_of(plot, workers) + aside(kind),
                    y_of(plot, bench->figures[which].speedup.value));
        any = true;
    }
    text_puts(svg, "\"/>\n");
    for (size_t i = 0; i < bench->config_count; i++)
        if (bench->configs[i].kind == kind && has_point(bench, i))
            add_point(bench, i, plot, svg);
}

static void add_legend(const struct bench *bench, double top, struct text *svg)
{
    static const struct {
        enum bench_kind kind;
        const char *words;
        double width;
    } items[] = {{BENCH_THREAD, "threads", 92},
                 {BENCH_PROCESS, "processes", 106},
                 {BENCH_LOOP, "plain loop", 104},
                 {BENCH_PYTHON, "Python", 84}};
    double x = PLOT_LEFT + 6;
    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
        bool any = false;
        for (size_t k = 0; k < bench->config_count; k++)
            any |= bench->configs[k].kind == items[i].kind && has_point(bench, k);
        if (!any)
            continue;
        add_mark(svg, items[i].kind, x, top + 50);
        bench_chart_words(svg, "n", x + 12, top + 54, "start", items[i].words);
        x += items[i].width;
    }
    bench_chart_line(svg, "i", x - 6, top + 50, x + 22, top + 50);
    bench_chart_words(svg, "n", x + 30, top + 54, "start", "one CPU for each worker");
}

double bench_chart_speedup(const struct bench *bench, double top, struct text *svg)
{
    const struct plot plot = plot_of(bench, top);
    bench_chart_words(svg, "t", 16, top + 24, "start", "Times as fast as serial");
    add_legend(bench, top, svg);
    add_axes(bench, &plot, svg);
    add_ideal(bench, &plot, svg);
    for (size_t i = 0; i < bench->config_count; i++)
        if ((bench->configs[i].kind == BENCH_LOOP || bench->configs[i].kind == BENCH_PYTHON) &&
            has_point(bench, i))
            add_point(bench, i, &plot, svg);
    add_series(bench, BENCH_THREAD, &plot, svg);
    add_series(bench, BENCH_PROCESS, &plot, svg);
    return PLOT_TOP + PLOT_HEIGHT + 52;
}

/* ---- Time for each stage -------------------------------------------------------------------- */

static double sum_of(const struct bench_figures *figures)
{
    double sum = 0;
    for (enum bench_stage stage = BENCH_READ; stage < BENCH_STAGE_COUNT; stage++)
        sum += figures->stage_ms[stage];
    return sum;
}

static void add_row(const struct bench *bench, size_t which, double y, double scale,
                    struct text *svg)
{
    static const char *const kinds[] = {"plain loop", "serial", "thread", "process", "Python"};
    const struct bench_config *config = &bench->configs[which];
    const struct bench_figures *figures = &bench->figures[which];
    char words[64];
    double x = 16 + NAMES_WIDTH;
    if (config->kind == BENCH_LOOP || config->kind == BENCH_SERIAL)
        snprintf(words, sizeof(words), "%s", kinds[config->kind]);
    else
        snprintf(words, sizeof(words), "%s × %u", kinds[config->kind], config->workers);
    bench_chart_words(svg, "n", x - 10, y + 13, "end", words);
    for (enum bench_stage stage = BENCH_READ; stage < BENCH_STAGE_COUNT; stage++) {
        const double width = figures->stage_ms[stage] * scale;
        text_printf(svg,
                    "<rect class=\"s%d\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"18\">"
                    "<title>%s: %.3f ms for each file</title></rect>\n",
                    (int)stage, x, y, width, bench_stage_name(stage), figures->stage_ms[stage]);
        x += width;
    }
    snprintf(words, sizeof(words), "%.*f ms",
             sum_of(figures) < 10    ? 2
             : sum_of(figures) < 100 ? 1
                                     : 0,
             sum_of(figures));
    bench_chart_words(svg, "n s", x + 8, y + 13, "start", words);
}

double bench_chart_stages(const struct bench *bench, double top, struct text *svg)
{
    double most = 0, x = 16 + NAMES_WIDTH, y = top + 66;
    for (size_t i = 0; i < bench->config_count; i++)
        if (bench->figures[i].has_stages)
            most = fmax(most, sum_of(&bench->figures[i]));
    const double room = BENCH_CHART_WIDTH - 16 - NAMES_WIDTH - SUMS_WIDTH;
    bench_chart_words(svg, "t", 16, top + 24, "start", "Workers’ time for each file");
    for (enum bench_stage stage = BENCH_READ; stage < BENCH_STAGE_COUNT; stage++) {
        const char *name = bench_stage_name(stage);
        text_printf(svg, "<rect class=\"s%d\" x=\"%.1f\" y=\"%.1f\" width=\"12\" height=\"12\"/>\n",
                    (int)stage, x, top + 40);
        bench_chart_words(svg, "n", x + 18, top + 51, "start", name);
        x += 44 + 7 * (double)strlen(name);
    }
    for (size_t i = 0; i < bench->config_count; i++) {
        if (!bench->figures[i].has_stages)
            continue;
        add_row(bench, i, y, most > 0 ? room / most : 0, svg);
        y += ROW_HEIGHT;
    }
    bench_chart_words(
        svg, "n s", 16, y + 18, "start",
        "dispatch: what the workers’ time has beside these. write: in the host, for pools. "
        "With more workers than");
    bench_chart_words(svg, "n s", 16, y + 35, "start",
                      "CPUs, stages hold the time in which others had the CPU.");
    return y + 48 - top;
}

/* ---- Pictures ------------------------------------------------------------------------------- */

void bench_chart_inline(const struct bench *bench,
                        double (*chart)(const struct bench *bench, double top, struct text *svg),
                        const char *title, struct text *html)
{
    struct text body = TEXT_INIT;
    const double height = chart(bench, 0, &body);
    text_printf(html,
                "<svg class=\"c\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %.0f\" "
                "role=\"img\">\n<title>%s</title>\n",
                BENCH_CHART_WIDTH, height, title);
    text_puts(html, text_string(&body));
    text_puts(html, "</svg>\n");
    html->failed |= text_failed(&body);
    text_done(&body);
}

/* What is needed to know where the picture comes from, in small lines. */
static double add_origin(const struct bench *bench, double top, struct text *svg)
{
    const struct bench_machine *machine = &bench->machine;
    struct text line = TEXT_INIT;
    const size_t version_length = strcspn(text_string(&machine->libraries), "\n");
    text_printf(&line, "%.*s, %s: %s, %u CPU%s, %s", (int)version_length,
                text_string(&machine->libraries), machine->date, text_string(&machine->cpu),
                machine->cpus, machine->cpus == 1 ? "" : "s", text_string(&machine->system));
    bench_chart_words(svg, "n s", 16, top + 14, "start", text_string(&line));
    text_cut(&line, 0);
    text_printf(&line, "%llu pictures to %s; %zu round%s",
                (unsigned long long)bench->configs[0].samples[0].made, text_string(&machine->job),
                bench->rounds, bench->rounds == 1 ? "" : "s");
    bench_chart_words(svg, "n s", 16, top + 32, "start", text_string(&line));
    text_cut(&line, 0);
    const char *command = text_string(&machine->command);
    size_t shown = strlen(command) < COMMAND_SHOWN ? strlen(command) : COMMAND_SHOWN;
    while (shown > 0 && !utf8_valid(command, shown)) /* cut within a character */
        shown--;
    text_printf(&line, "%.*s%s", (int)shown, command, command[shown] ? " ..." : "");
    bench_chart_words(svg, "n s", 16, top + 50, "start", text_string(&line));
    svg->failed |= text_failed(&line);
    text_done(&line);
    return 66;
}

void bench_svg(const struct bench *bench, struct text *svg)
{
    struct text body = TEXT_INIT;
    double height = 8;
    height += bench_chart_speedup(bench, height, &body);
    height += bench_chart_stages(bench, height, &body);
    height += add_origin(bench, height, &body);
    text_printf(svg,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                "<svg class=\"c\" xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
                "height=\"%.0f\" viewBox=\"0 0 %d %.0f\" role=\"img\">\n"
                "<title>thumbpool bench</title>\n<style>%s</style>\n"
                "<rect class=\"p\" width=\"100%%\" height=\"100%%\"/>\n",
                BENCH_CHART_WIDTH, height, BENCH_CHART_WIDTH, height, bench_chart_style);
    text_puts(svg, text_string(&body));
    text_puts(svg, "</svg>\n");
    svg->failed |= text_failed(&body);
    text_done(&body);
}
