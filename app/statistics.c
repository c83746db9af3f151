/* statistics.c: see statistics_priv.h. */
#include "statistics_priv.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RESAMPLES 4000
#define SEED      UINT64_C(0x9e3779b97f4a7c15)

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile_of_sorted(const double *sorted, size_t count, double share)
{
    const double at = share * (double)(count - 1);
    const size_t below = (size_t)at;
    const double rest = at - (double)below;
    return below + 1 < count ? sorted[below] + rest * (sorted[below + 1] - sorted[below])
                             : sorted[count - 1];
}

double statistics_quantile(const double *values, size_t count, double share)
{
    double sorted[STATISTICS_VALUES_MAX];
    assert(count >= 1 && count <= STATISTICS_VALUES_MAX && share >= 0 && share <= 1);
    memcpy(sorted, values, count * sizeof(*values));
    qsort(sorted, count, sizeof(*sorted), compare);
    return quantile_of_sorted(sorted, count, share);
}

/* xorshift64*: good enough to draw rounds, and the same everywhere. */
size_t statistics_draw(uint64_t *state, size_t count)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    const uint64_t number = (*state * UINT64_C(0x2545f4914f6cdd1d)) >> 32;
    return (size_t)(number * count >> 32);
}

void statistics_shuffle(uint64_t *state, size_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const size_t other = statistics_draw(state, i + 1);
        numbers[i] = numbers[other];
        numbers[other] = i;
    }
}

/* The median of the values, and the percentile bootstrap of it. */
static struct estimate estimate_of(const double *values, size_t count, double confidence)
{
    double medians[RESAMPLES], drawn[STATISTICS_VALUES_MAX];
    uint64_t state = SEED;
    assert(confidence > 0 && confidence < 1);
    for (size_t i = 0; i < RESAMPLES; i++) {
        for (size_t k = 0; k < count; k++)
            drawn[k] = values[statistics_draw(&state, count)];
        medians[i] = statistics_median(drawn, count);
    }
    qsort(medians, RESAMPLES, sizeof(*medians), compare);
    return (struct estimate){statistics_median(values, count),
                             {quantile_of_sorted(medians, RESAMPLES, (1 - confidence) / 2),
                              quantile_of_sorted(medians, RESAMPLES, (1 + confidence) / 2)}};
}

struct estimate statistics_ratio(const double *above, const double *below, size_t count,
                                 double confidence)
{
    double logarithms[STATISTICS_VALUES_MAX];
    assert(count >= 1 && count <= STATISTICS_VALUES_MAX);
    for (size_t i = 0; i < count; i++) {
        assert(above[i] > 0 && below[i] > 0);
        logarithms[i] = log(above[i] / below[i]);
    }
    const struct estimate estimate = estimate_of(logarithms, count, confidence);
    return (struct estimate){exp(estimate.value),
                             {exp(estimate.interval.low), exp(estimate.interval.high)}};
}

struct estimate statistics_difference(const double *above, const double *below, size_t count,
                                      double confidence)
{
    double differences[STATISTICS_VALUES_MAX];
    assert(count >= 1 && count <= STATISTICS_VALUES_MAX);
    for (size_t i = 0; i < count; i++)
        differences[i] = above[i] - below[i];
    return estimate_of(differences, count, confidence);
}
