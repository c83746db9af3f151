/* soak_chart.c: a soak as a picture and as a table.
 *
 * Plain SVG without a script, in the colours of `thumbpool bench`, light and dark. The memory axis
 * begins at nought, so that flat looks flat and growth as large as it is; the warm-up is shaded,
 * and the lines that were judged lie over the samples. */
#include "soak.h"

#include <math.h>
#include <stdio.h>

#include <app/bench_chart_priv.h>

#define PLOT_LEFT    56
#define PLOT_RIGHT   696
#define PLOT_TOP     84
#define PLOT_HEIGHT  220
#define CHART_HEIGHT (PLOT_TOP + PLOT_HEIGHT + 60)
#define SECONDS_MIN  0.001 /* so that nothing is divided by nought */

static const char style[] = ".c .w{fill:#8b949e;opacity:.13}"
                            ".c .d{fill:none;stroke-width:1.3;opacity:.75}"
                            ".c .j{fill:none;stroke-width:2.5}";

struct plot {
    double top, bottom;
    double seconds, mib, files; /* at the ends of the axes */
};

static double x_of(const struct plot *plot, double at_s)
{
    return PLOT_LEFT + (PLOT_RIGHT - PLOT_LEFT) * at_s / plot->seconds;
}

static double y_of(const struct plot *plot, double share)
{
    return plot->bottom - (plot->bottom - plot->top) * share;
}

static double value_of(const struct soak_sample *sample, enum soak_subject subject)
{
    return soak_value(sample, subject) / 1024; /* MiB */
}

/* 1, 2 or 5 times a power of ten, so that there are four to ten lines. */
static double step_of(double most)
{
    const double power = pow(10, floor(log10(most / 4)));
    const double times = most / 4 / power;
    return power * (times < 2 ? 1 : times < 5 ? 2 : 5);
}

static struct plot plot_of(const struct soak_run *run, double top)
{
    struct plot plot = {.top = top + PLOT_TOP,
                        .bottom = top + PLOT_TOP + PLOT_HEIGHT,
                        .seconds = SECONDS_MIN,
                        .mib = 0.1,
                        .files = 1};
    for (size_t i = 0; i < run->series.count; i++) {
        const struct soak_sample *sample = &run->series.samples[i];
        plot.seconds = fmax(plot.seconds, sample->at_s);
        plot.mib =
            fmax(plot.mib, fmax(value_of(sample, SOAK_HOST), value_of(sample, SOAK_WORKERS)));
        plot.files = fmax(plot.files, sample->files);
    }
    plot.mib *= 1.08;
    plot.files *= 1.08;
    return plot;
}

static void add_axes(const struct plot *plot, struct text *svg)
{
    const double mib_step = step_of(plot->mib), files_step = step_of(plot->files);
    const double time_step = step_of(plot->seconds);
    char number[32];

    for (unsigned i = 0; i * mib_step <= plot->mib; i++) {
        const double mib = i * mib_step;
        const double y = y_of(plot, mib / plot->mib);
        bench_chart_line(svg, mib > 0 ? "g" : "a", PLOT_LEFT, y, PLOT_RIGHT, y);
        snprintf(number, sizeof(number), "%.*f", mib_step < 1 ? 1 : 0, mib);
        bench_chart_words(svg, "n s", PLOT_LEFT - 8, y + 4, "end", number);
    }
    for (unsigned i = 0; i * files_step <= plot->files; i++) {
        const double files = i * files_step;
        const double y = y_of(plot, files / plot->files);
        snprintf(number, sizeof(number), "%.0f", files);
        bench_chart_line(svg, "a", PLOT_RIGHT, y, PLOT_RIGHT + 5, y);
        bench_chart_words(svg, "n s", PLOT_RIGHT + 9, y + 4, "start", number);
    }
    for (unsigned i = 0; i * time_step <= plot->seconds; i++) {
        const double at_s = i * time_step;
        const double x = x_of(plot, at_s);
        bench_chart_line(svg, "a", x, plot->bottom, x, plot->bottom + 5);
        snprintf(number, sizeof(number), "%.*f", time_step < 1 ? 1 : 0, at_s);
        bench_chart_words(svg, "n s", x, plot->bottom + 19, "middle", number);
    }
    bench_chart_words(svg, "n s", (PLOT_LEFT + PLOT_RIGHT) / 2.0, plot->bottom + 38, "middle",
                      "seconds");
    bench_chart_words(svg, "n s", PLOT_LEFT - 8, plot->top - 12, "end", "MiB");
    bench_chart_words(svg, "n s", PLOT_RIGHT + 9, plot->top - 12, "start", "files");
}

/* The samples of a subject, and the line through them. */
static void add_memory(const struct soak_run *run, const struct plot *plot,
                       enum soak_subject subject, struct text *svg)
{
    const struct soak_trend *trend = &run->verdict.trends[subject];
    const char letter = subject == SOAK_HOST ? 'p' : 't';

    text_printf(svg, "<polyline class=\"d k%c\" points=\"", letter);
    for (size_t i = 0; i < run->series.count; i++) {
        const struct soak_sample *sample = &run->series.samples[i];
        text_printf(svg, "%s%.1f,%.1f", i > 0 ? " " : "", x_of(plot, sample->at_s),
                    y_of(plot, value_of(sample, subject) / plot->mib));
    }
    text_puts(svg, "\"/>\n");
    text_printf(svg, "<g><title>%s: %+.0f KiB in %.1f s, %.0f to %.0f</title>",
                subject == SOAK_HOST ? "host" : "workers", trend->grown,
                run->verdict.until_s - run->verdict.from_s, trend->low, trend->high);
    text_printf(svg, "<path class=\"j k%c\" d=\"M%.1f %.1fL%.1f %.1f\"/></g>\n", letter,
                x_of(plot, run->verdict.from_s), y_of(plot, trend->start / 1024 / plot->mib),
                x_of(plot, run->verdict.until_s),
                y_of(plot, (trend->start + trend->grown) / 1024 / plot->mib));
}

static void add_files(const struct soak_run *run, const struct plot *plot, struct text *svg)
{
    text_puts(svg, "<polyline class=\"i\" points=\"");
    for (size_t i = 0; i < run->series.count; i++) {
        const struct soak_sample *sample = &run->series.samples[i];
        text_printf(svg, "%s%.1f,%.1f", i > 0 ? " " : "", x_of(plot, sample->at_s),
                    y_of(plot, sample->files / plot->files));
    }
    text_puts(svg, "\"><title>files reported, on the right axis</title></polyline>\n");
}

static void add_legend(bool has_workers, double y, struct text *svg)
{
    double x = PLOT_LEFT;
    if (has_workers) {
        bench_chart_line(svg, "j kt", x, y, x + 24, y);
        bench_chart_words(svg, "n", x + 32, y + 4, "start", "workers’ memory");
        x += 148;
    }
    bench_chart_line(svg, "j kp", x, y, x + 24, y);
    bench_chart_words(svg, "n", x + 32, y + 4, "start", has_workers ? "host’s memory" : "memory");
    x += has_workers ? 136 : 96;
    bench_chart_line(svg, "i", x, y, x + 24, y);
    bench_chart_words(svg, "n", x + 32, y + 4, "start", "files reported (right)");
    x += 170;
    text_printf(svg, "<rect class=\"w\" x=\"%.1f\" y=\"%.1f\" width=\"24\" height=\"12\"/>\n", x,
                y - 6);
    bench_chart_words(svg, "n", x + 32, y + 4, "start", "warm-up, not judged");
}

static void add_run(const struct soak_run *run, double top, struct text *svg)
{
    const struct plot plot = plot_of(run, top);
    const struct soak_trend *workers = &run->verdict.trends[SOAK_WORKERS];
    const struct soak_trend *host = &run->verdict.trends[SOAK_HOST];
    struct text words = TEXT_INIT;

    text_printf(&words, "%s: %s", run->name, run->verdict.is_flat ? "flat" : "NOT FLAT");
    bench_chart_words(svg, "t", 16, top + 24, "start", text_string(&words));
    text_cut(&words, 0);
    text_printf(&words, "In %.1f s and %.0f files the host grew by %.0f KiB (%.0f to %.0f)",
                run->verdict.until_s - run->verdict.from_s, run->verdict.files, host->grown,
                host->low, host->high);
    if (workers->is_there)
        text_printf(&words, ", the workers by %.0f KiB (%.0f to %.0f)", workers->grown,
                    workers->low, workers->high);
    text_puts(&words, ".");
    bench_chart_words(svg, "n s", 16, top + 44, "start", text_string(&words));
    text_printf(svg, "<rect class=\"w\" x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"%d\"/>\n",
                PLOT_LEFT, plot.top, x_of(&plot, run->verdict.from_s) - PLOT_LEFT, PLOT_HEIGHT);
    add_axes(&plot, svg);
    add_files(run, &plot, svg);
    if (workers->is_there)
        add_memory(run, &plot, SOAK_WORKERS, svg);
    add_memory(run, &plot, SOAK_HOST, svg);
    add_legend(workers->is_there, top + 62, svg);
    svg->failed |= text_failed(&words);
    text_done(&words);
}

void soak_svg(const struct soak_run *runs, size_t count, const char *about, struct text *svg)
{
    const double height = 8 + (double)count * CHART_HEIGHT + 28;

    text_printf(svg,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                "<svg class=\"c\" xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
                "height=\"%.0f\" viewBox=\"0 0 %d %.0f\" role=\"img\">\n"
                "<title>thumbpool soak: memory against time</title>\n<style>%s%s</style>\n"
                "<rect class=\"p\" width=\"100%%\" height=\"100%%\"/>\n",
                BENCH_CHART_WIDTH, height, BENCH_CHART_WIDTH, height, bench_chart_style, style);
    for (size_t i = 0; i < count; i++)
        add_run(&runs[i], 8 + (double)i * CHART_HEIGHT, svg);
    bench_chart_words(svg, "n s", 16, height - 14, "start", about);
    text_puts(svg, "</svg>\n");
}

void soak_csv(const struct soak_run *runs, size_t count, struct text *csv)
{
    text_puts(csv, "run,seconds,files,host_kib,workers_kib,processes,descriptors\n");
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < runs[i].series.count; k++) {
            const struct soak_sample *sample = &runs[i].series.samples[k];
            text_printf(csv, "%s,%.3f,%.0f,%.0f,%.0f,%.0f,%.0f\n", runs[i].name, sample->at_s,
                        sample->files, sample->host_kib, sample->workers_kib, sample->processes,
                        sample->descriptors);
        }
}
