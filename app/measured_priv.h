/* measured_priv.h: a run that is measured: its report says nothing, and sums up here.
 *
 * This is all that sets a measured run apart from any other; what is timed is the program's own
 * work. */
#ifndef APP_MEASURED_PRIV_H
#define APP_MEASURED_PRIV_H

#include <stdint.h>

#include "report_priv.h"

struct measured {
    struct report_counts counts;
    uint64_t source_pixels; /* of what was made */
    uint64_t source_bytes;  /* of what was made */
    uint64_t read_us;       /* over all files */
    uint64_t decode_us;
    uint64_t resample_us;
    uint64_t encode_us;
    uint64_t write_us;
    int64_t worker_peak_bytes; /* -1: not known */
    struct text fatal;         /* why the run could not go on; empty: it could */
};

#define MEASURED_INIT                                                                              \
    {                                                                                              \
        .worker_peak_bytes = -1, .fatal = TEXT_INIT                                                \
    }

void measured_done(struct measured *measured);

/** What the report hands on: a thumbnail, a cause, the end. */
void measured_made(struct measured *measured, const struct report_thumbnail *made);
void measured_fatal(struct measured *measured, const char *words);
void measured_end(struct measured *measured, const struct report_counts *counts,
                  int64_t peak_bytes);

#endif
