/* bench_options_priv.h: the command line of the command "bench". */
#ifndef APP_BENCH_OPTIONS_PRIV_H
#define APP_BENCH_OPTIONS_PRIV_H

#include "options_priv.h"
#include "text_priv.h"

#define BENCH_COMMAND "bench"

/** What the rows of the table do (option_rows_priv.h). */
int bench_apply_runs(struct options *options, const char *value, struct text *why);
int bench_apply_warmup(struct options *options, const char *value, struct text *why);
int bench_apply_workers(struct options *options, const char *value, struct text *why);
int bench_apply_backends(struct options *options, const char *value, struct text *why);
int bench_apply_html(struct options *options, const char *value, struct text *why);
int bench_apply_svg(struct options *options, const char *value, struct text *why);

/** Fill in what the words after "bench" have left open, when all have been read.
 *  reterr_message: as for options_parse().  Returns 0 or -EINVAL. */
int bench_settle_options(struct options *options, struct text *reterr_message);

#endif
