/* bench_chart_priv.h: the charts of a bench, as SVG that also stands inside of a page. */
#ifndef APP_BENCH_CHART_PRIV_H
#define APP_BENCH_CHART_PRIV_H

#include "bench_priv.h"

/** Pixels across, as drawn; they scale. */
#define BENCH_CHART_WIDTH 760

/** The rules that give the charts their colours, light and dark, for a <style>. */
extern const char bench_chart_style[];

/** Speed-up against workers, and time for each stage: elements for an <svg>, drawn from `top` on.
 *  Each returns the height that it takes. */
double bench_chart_speedup(const struct bench *bench, double top, struct text *svg);
double bench_chart_stages(const struct bench *bench, double top, struct text *svg);

/** The same alone, as an <svg> for a page, which has the style. */
void bench_chart_inline(const struct bench *bench,
                        double (*chart)(const struct bench *bench, double top, struct text *svg),
                        const char *title, struct text *html);

/** A line, and words whose `anchor` ("start", "middle", "end") is at x, y.
 *  class: of the style above. */
void bench_chart_line(struct text *svg, const char *class, double x1, double y1, double x2,
                      double y2);
void bench_chart_words(struct text *svg, const char *class, double x, double y, const char *anchor,
                       const char *words);

#endif
