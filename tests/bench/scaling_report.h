/* scaling_report.h: what pool_scaling prints. */
#ifndef SCALING_REPORT_H
#define SCALING_REPORT_H

#include "scaling.h"
#include "scaling_model.h"

/** All that was measured. */
struct scaling_report {
    const struct scaling_cell *cells;
    size_t count;
    unsigned cores;
    unsigned processors; /* of this machine, where all was measured on it; 0: not known */
    const struct scaling_plain *plain; /* by length's index, then kind */
    const unsigned *lengths_us;
    size_t length_count;
    const unsigned *workers;
    size_t worker_count;
};

/** What was measured, the models and what they say of other machines.
 *  Returns 0, or -ERANGE if the figures do not add up. */
int scaling_report_print(const struct scaling_report *report, FILE *out);

/** The same as a picture, SVG. */
void scaling_report_chart(const struct scaling_report *report, FILE *out);

/** Do a cell's figures add up: has nobody used more processor time than there was?  Prints about
 *  one that does not. */
bool scaling_report_adds_up(const struct scaling_report *report, const struct scaling_cell *cell);

#endif
