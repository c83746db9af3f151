/* scaling_chart.c: see scaling_chart.h. Plain SVG with a style of its own, in the colours of the
 * charts of `thumbpool bench`: the backend has the colour, the way of handing over the dashes. */
#include "scaling_chart.h"

#include <math.h>

#define WIDTH  760
#define HEIGHT 860
#define LEFT   64
#define RIGHT  736
#define PANEL  280

static const char style[] =
    "svg{font:13px system-ui,sans-serif;fill:#1c2024;background:#fff}"
    ".t{font-size:17px;font-weight:600}.s{fill:#5b6470}"
    ".g{stroke:#dde2e8;fill:none}.l{fill:none;stroke-width:2.5}"
    ".m0{stroke:#c8500a}.f0{fill:#c8500a}.m1{stroke:#0a66c2}.f1{fill:#0a66c2}"
    "@media(prefers-color-scheme:dark){svg{fill:#e6e9ec;background:#14171a}.s{fill:#a4adb8}"
    ".g{stroke:#30363d}.m0{stroke:#ff9d5c}.f0{fill:#ff9d5c}.m1{stroke:#6cb2ff}.f1{fill:#6cb2ff}}";

static const char *const backend_names[] = {"processes", "threads"};
static const char *const mode_names[SCALING_MODES] = {"one by one", "chunks of 16", "map's chunks",
                                                      "pictures"};
static const char *const dashes[SCALING_MODES] = {"none", "9 4", "2 3", "6 3 2 3"};

/* A plot; both axes go from low to high, x and perhaps y by powers. */
struct panel {
    double top, x_low, x_high, y_low, y_high;
    bool log_y;
};

static double x_of(const struct panel *panel, double x)
{
    return LEFT + (RIGHT - LEFT) * log(x / panel->x_low) / log(panel->x_high / panel->x_low);
}

static double y_of(const struct panel *panel, double y)
{
    const double share = panel->log_y ? log(y / panel->y_low) / log(panel->y_high / panel->y_low)
                                      : (y - panel->y_low) / (panel->y_high - panel->y_low);
    return panel->top + PANEL * (1 - fmin(fmax(share, 0), 1));
}

static void write_x(FILE *out, const struct panel *panel, double x, const char *words)
{
    fprintf(out,
            "<path class=\"g\" d=\"M%.1f %.1fv%d\"/><text class=\"s\" x=\"%.1f\" y=\"%.1f\" "
            "text-anchor=\"middle\">%s</text>\n",
            x_of(panel, x), panel->top, PANEL, x_of(panel, x), panel->top + PANEL + 18, words);
}

static void write_y(FILE *out, const struct panel *panel, double y, const char *words)
{
    fprintf(out,
            "<path class=\"g\" d=\"M%d %.1fH%d\"/><text class=\"s\" x=\"%d\" y=\"%.1f\" "
            "text-anchor=\"end\">%s</text>\n",
            LEFT, y_of(panel, y), RIGHT, LEFT - 8, y_of(panel, y) + 4, words);
}

static void write_title(FILE *out, const struct panel *panel, const char *words)
{
    fprintf(out, "<text class=\"t\" x=\"%d\" y=\"%.1f\">%s</text>\n", LEFT, panel->top - 18, words);
}

static bool is_shown(const struct scaling_fitted *fitted)
{
    return fitted->model.sharpness > 0 && fitted->set.mode != SCALING_DEFAULT;
}

static void begin_line(FILE *out, const struct scaling_fitted *fitted)
{
    fprintf(out, "<path class=\"l m%d\" stroke-dasharray=\"%s\" d=\"", (int)fitted->set.backend,
            dashes[fitted->set.mode]);
}

/* ---- The panels ----------------------------------------------------------------------------- */

static void write_measured(FILE *out, const struct panel *panel,
                           const struct scaling_fitted *fitted)
{
    const struct scaling_set *set = &fitted->set;
    bool first = true;
    begin_line(out, fitted);
    for (size_t i = 0; i < set->count; i++) {
        const struct scaling_cell *cell = &set->cells[i];
        if (cell->backend != set->backend || cell->mode != set->mode || cell->pools != 1 ||
            cell->rounds == 0 || cell->kind != SCALING_WAIT || cell->length_us != 1000)
            continue;
        const struct scaling_case it = scaling_case_of(set, cell);
        fprintf(out, "%c%.1f %.1f", first ? 'M' : 'L', x_of(panel, cell->workers),
                y_of(panel, 1 / scaling_model_wall(&fitted->model, &it)));
        first = false;
    }
    fputs("\"/>\n", out);
    for (size_t i = 0; i < set->count; i++) {
        const struct scaling_cell *cell = &set->cells[i];
        if (cell->backend == set->backend && cell->mode == set->mode && cell->pools == 1 &&
            cell->rounds > 0 && cell->kind == SCALING_WAIT && cell->length_us == 1000)
            fprintf(out,
                    "<circle class=\"f%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"><title>%s, %s: %u "
                    "workers, %.0f tasks/s</title></circle>\n",
                    (int)set->backend, x_of(panel, cell->workers),
                    y_of(panel, 1 / cell->costs.wall), backend_names[set->backend],
                    mode_names[set->mode], cell->workers, 1 / cell->costs.wall);
    }
}

static void write_rates(FILE *out, const struct scaling_fitted *fitted, size_t count)
{
    const struct panel panel = {60, 1, 256, 500, 300e3, true};
    char words[16];
    write_title(out, &panel, "Tasks a second, of tasks that wait 1 ms: measured, and the model");
    for (unsigned workers = 1; workers <= 256; workers *= 2) {
        snprintf(words, sizeof(words), "%u", workers);
        write_x(out, &panel, workers, words);
    }
    write_y(out, &panel, 1e3, "1k");
    write_y(out, &panel, 1e4, "10k");
    write_y(out, &panel, 1e5, "100k");
    for (size_t i = 0; i < count; i++)
        if (is_shown(&fitted[i]))
            write_measured(out, &panel, &fitted[i]);
}

static void write_use(FILE *out, const struct scaling_fitted *fitted, size_t count,
                      unsigned far_cores)
{
    const struct panel panel = {420, 10e-6, 10e-3, 0, 1, false};
    char title[80];
    snprintf(title, sizeof(title), "Use of %u cores against a task's length, by the model",
             far_cores);
    write_title(out, &panel, title);
    write_x(out, &panel, 10e-6, "10 us");
    write_x(out, &panel, 100e-6, "100 us");
    write_x(out, &panel, 400e-6, "0.4 ms");
    write_x(out, &panel, 1e-3, "1 ms");
    write_x(out, &panel, 6e-3, "6 ms");
    write_y(out, &panel, 0, "0 %");
    write_y(out, &panel, 0.5, "50 %");
    write_y(out, &panel, 0.9, "90 %");
    for (size_t i = 0; i < count; i++) {
        if (!is_shown(&fitted[i]))
            continue;
        begin_line(out, &fitted[i]);
        for (unsigned k = 0; k <= 60; k++) {
            const double length_s = 10e-6 * pow(10, k / 20.0);
            const struct scaling_case it = {.kind = SCALING_SPIN,
                                            .wall = length_s,
                                            .processor = length_s,
                                            .workers = far_cores,
                                            .cores = far_cores,
                                            .pools = 1};
            fprintf(
                out, "%c%.1f %.1f", k ? 'L' : 'M', x_of(&panel, length_s),
                y_of(&panel, length_s / (far_cores * scaling_model_wall(&fitted[i].model, &it))));
        }
        fputs("\"/>\n", out);
    }
}

void scaling_chart_write(FILE *out, const struct scaling_fitted *fitted, size_t count,
                         unsigned far_cores)
{
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\"><style>%s</style>\n",
            WIDTH, HEIGHT, style);
    write_rates(out, fitted, count);
    write_use(out, fitted, count, far_cores);
    double x = LEFT, y = 760;
    for (size_t i = 0; i < count; i++) {
        if (!is_shown(&fitted[i]))
            continue;
        fprintf(out,
                "<path class=\"l m%d\" stroke-dasharray=\"%s\" d=\"M%.1f %.1fh44\"/>"
                "<text x=\"%.1f\" y=\"%.1f\">%s, %s</text>\n",
                (int)fitted[i].set.backend, dashes[fitted[i].set.mode], x, y, x + 52, y + 4,
                backend_names[fitted[i].set.backend], mode_names[fitted[i].set.mode]);
        x = x > LEFT ? LEFT : LEFT + 340;
        y += x > LEFT ? 0 : 26;
    }
    fputs("</svg>\n", out);
}
