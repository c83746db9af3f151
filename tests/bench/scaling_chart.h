/* scaling_chart.h: the figures as a picture. */
#ifndef SCALING_CHART_H
#define SCALING_CHART_H

#include "scaling_model.h"

/** Write SVG: above, tasks a second against workers, measured (marks) and by the model (lines), of
 *  tasks that wait 1 ms; below, how well far_cores cores would be used, against the task's length.
 */
void scaling_chart_write(FILE *out, const struct scaling_fitted *fitted, size_t count,
                         unsigned far_cores);

#endif
