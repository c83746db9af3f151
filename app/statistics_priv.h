/* statistics_priv.h: what a few measured values say, and how sure that is.
 *
 * Times on a shared machine have long tails and no known distribution, so nothing here assumes one:
 * medians instead of means, quantiles instead of deviations, and intervals by the bootstrap, which
 * draws the rounds again and again from those that were measured.
 *
 * Two things are compared round by round: what was measured in one round was measured one soon
 * after the other, so a slow minute of the machine is in both, and leaves their ratio alone. The
 * middle of these ratios is taken, of their logarithms, so that "a over b" is always one over "b
 * over a".
 * No function keeps or prints anything; all may run in any thread. */
#ifndef APP_STATISTICS_PRIV_H
#define APP_STATISTICS_PRIV_H

#include <stddef.h>
#include <stdint.h>

/** Most values that a function here takes at once. */
#define STATISTICS_VALUES_MAX 1000

struct interval {
    double low;
    double high;
};

/** A middle, and the interval that surely has it. */
struct estimate {
    double value;
    struct interval interval;
};

/** The value below which `share` (0 to 1) of the values lie, interpolated between neighbours.
 *  values: borrowed, unsorted; count: 1 to STATISTICS_VALUES_MAX.  0.5 gives the median. */
double statistics_quantile(const double *values, size_t count, double share);

static inline double statistics_median(const double *values, size_t count)
{
    return statistics_quantile(values, count, 0.5);
}

/** The middle of above[i] / below[i], with the interval that holds it with that confidence (0 to 1,
 *  such as 0.95): the percentile bootstrap over rounds.
 *  above[i], below[i]: positive, measured in round i.  count: 1 to STATISTICS_VALUES_MAX; of one
 *  round the interval is the value itself, and says nothing.
 *  The same values give the same estimate, always. */
struct estimate statistics_ratio(const double *above, const double *below, size_t count,
                                 double confidence);

/** The same of the difference above[i] - below[i]. */
struct estimate statistics_difference(const double *above, const double *below, size_t count,
                                      double confidence);

/** Draw a number below count, the same sequence everywhere.  state: not 0 at first.
 *  count: 1 to 2^32. */
size_t statistics_draw(uint64_t *state, size_t count);

/** Put numbers 0 to count - 1 into an order drawn from state. */
void statistics_shuffle(uint64_t *state, size_t *numbers, size_t count);

#endif
