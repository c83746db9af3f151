/* summary_priv.h: the end of a run in one line. */
#ifndef APP_SUMMARY_PRIV_H
#define APP_SUMMARY_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "causes_priv.h"
#include "report_priv.h"
#include "text_priv.h"

struct summary {
    const struct options *options;
    const struct inputs *inputs;
    const struct report_counts *counts;
    const bool *root_used; /* by index of the root */
    struct causes *causes;
    uint64_t elapsed_ms;
    int signal;         /* that ended the run early; 0: none */
    int64_t peak_bytes; /* of a worker's memory; -1: not known */
    bool color;
};

/** The JSON object; the words. Without the newline. */
void summary_json(const struct summary *summary, struct text *json);
void summary_text(const struct summary *summary, struct text *line);

#endif
