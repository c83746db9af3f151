/* forecast_priv.h: how many files there will be to try, for the bar.
 *
 * The walk that feeds the workers is only a little ahead of them, so a second walk reads the
 * folders' names a few milliseconds at a time and counts those with a picture's extension; no file
 * is opened. Their sizes are asked for too, until that has made it cost FORECAST_SIZES_MS: then
 * they stay unknown. It stops for good when it has cost FORECAST_LIMIT_MS: then no total is shown.
 */
#ifndef APP_FORECAST_PRIV_H
#define APP_FORECAST_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "inputs_priv.h"
#include "walk_priv.h"

struct forecast;

#define FORECAST_STEP_MS  2
#define FORECAST_SIZES_MS 2000
#define FORECAST_LIMIT_MS 3000

/** options, inputs: borrowed until forecast_free(). ret_forecast: owned. Returns 0 or -ENOMEM. */
int forecast_create(const struct walk_options *options, const struct inputs *inputs,
                    struct forecast **ret_forecast);

struct forecast *forecast_free(struct forecast *forecast);

/** Count on for a moment. forecast: NULL does nothing. */
void forecast_step(struct forecast *forecast);

/** The number of files, or 0 while it is not known. */
uint64_t forecast_total(const struct forecast *forecast);

/** The bytes of all of them, or 0 while that is not known. */
uint64_t forecast_bytes(const struct forecast *forecast);

/** Is this entry of the walk one that is counted? */
bool forecast_counts(const struct walk_entry *entry);

#endif
