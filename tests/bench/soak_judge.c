/* soak_judge.c: does a subject grow?
 *
 * The first fifth of a run warms up: workers start, heaps take their shape, decoders are loaded.
 * The rest is cut into spans of equal time, and each gives its floor: the value below which a tenth
 * of its samples lie. That is what is left while no large picture is worked on; what leaked is in
 * it, what a picture needs for a moment is not. Of processes and descriptors, which only dip while
 * files are short, it is the median. A line is put through these by Theil and Sen: the median of
 * the slopes between any two. Its interval is Sen's, from how often later is more (Kendall);
 * nothing is assumed about how the values are distributed, and a heap that once takes a step does
 * not make a slope.
 *
 * Flat is what surely has not grown by more than a bound over the whole period: the upper end of
 * the interval lies below it. (That a slope is not surely above zero would be easy to say: of a
 * short or noisy run it is always true.) The interval alone would pass a step close to the end, so
 * the floors of the first and the last fifth of the period may not differ by more either. */
#include "bench.h"
#include "soak.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WARM_UP     0.2
#define SPANS_MAX   30
#define SPANS_MIN   12
#define KENDALL_95  1.96
#define FLOOR_SHARE 0.1 /* of memory */
#define BOUND_KIB   1024
#define BOUND_SHARE 0.02 /* of what it has at the start, where that is more */

/* Processes stay as many as they are. Descriptors come and go with the files that are under way;
 * what leaks one for each file, failed one or folder leaks hundreds. */
#define BOUND_PROCESSES   2
#define BOUND_DESCRIPTORS 16

struct spans {
    double at_s[SPANS_MAX];
    double values[SPANS_MAX];
    size_t count;
};

double soak_value(const struct soak_sample *sample, enum soak_subject subject)
{
    switch (subject) {
    case SOAK_HOST:
        return sample->host_kib;
    case SOAK_WORKERS:
        return sample->workers_kib;
    case SOAK_PROCESSES:
        return sample->processes;
    default:
        return sample->descriptors;
    }
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The floor of a subject over samples [from, until).  Returns 0 or -ENOMEM. */
static int floor_of(const struct soak_series *series, enum soak_subject subject, size_t from,
                    size_t until, double *ret_floor)
{
    const size_t count = until - from;
    double *values = calloc(count, sizeof(*values));
    if (!values)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        values[i] = soak_value(&series->samples[from + i], subject);
    qsort(values, count, sizeof(*values), compare);
    const bool is_memory = subject == SOAK_HOST || subject == SOAK_WORKERS;
    *ret_floor = values[(size_t)((is_memory ? FLOOR_SHARE : 0.5) * (double)(count - 1))];
    free(values);
    return 0;
}

/* Theil and Sen. */
static void fit(const struct spans *spans, double from_s, double period_s, struct soak_trend *trend)
{
    double slopes[SPANS_MAX * (SPANS_MAX - 1) / 2], starts[SPANS_MAX];
    size_t count = 0;

    assert(spans->count >= SPANS_MIN);
    for (size_t i = 0; i < spans->count; i++)
        for (size_t k = i + 1; k < spans->count; k++)
            slopes[count++] =
                (spans->values[k] - spans->values[i]) / (spans->at_s[k] - spans->at_s[i]);
    /* cppcheck-suppress uninitvar -- twelve spans at least have 66 slopes */
    qsort(slopes, count, sizeof(*slopes), compare);
    const double n = (double)spans->count, pairs = (double)count;
    const double spread = KENDALL_95 * sqrt(n * (n - 1) * (2 * n + 5) / 18);
    const double low = fmax(0, floor((pairs - spread) / 2));
    const double high = fmin(pairs - 1, ceil((pairs + spread) / 2));
    const double slope = (slopes[(count - 1) / 2] + slopes[count / 2]) / 2;
    for (size_t i = 0; i < spans->count; i++)
        starts[i] = spans->values[i] - slope * (spans->at_s[i] - from_s);
    trend->start = bench_median(starts, spans->count);
    trend->grown = slope * period_s;
    trend->low = slopes[(size_t)low] * period_s;
    trend->high = slopes[(size_t)high] * period_s;
}

static double bound_of(enum soak_subject subject, double start)
{
    if (subject == SOAK_PROCESSES)
        return BOUND_PROCESSES;
    if (subject == SOAK_DESCRIPTORS)
        return BOUND_DESCRIPTORS;
    return fmax(BOUND_KIB, BOUND_SHARE * start);
}

/* Samples from `first` on. */
static int trend_of(const struct soak_series *series, size_t first, enum soak_subject subject,
                    struct soak_trend *trend)
{
    const struct soak_sample *samples = series->samples;
    const size_t count = series->count - first, fifth = count / 5;
    struct spans spans = {.count = count < SPANS_MAX ? count : SPANS_MAX};
    double early = 0, late = 0;

    int r = 0;
    for (size_t i = 0; r == 0 && i < spans.count; i++) {
        const size_t from = first + count * i / spans.count;
        const size_t until = first + count * (i + 1) / spans.count;
        spans.at_s[i] = (samples[from].at_s + samples[until - 1].at_s) / 2;
        r = floor_of(series, subject, from, until, &spans.values[i]);
    }
    if (r == 0)
        r = floor_of(series, subject, first, first + fifth, &early);
    if (r == 0)
        r = floor_of(series, subject, series->count - fifth, series->count, &late);
    if (r < 0)
        return r;
    fit(&spans, samples[first].at_s, samples[series->count - 1].at_s - samples[first].at_s, trend);
    for (size_t i = first; i < series->count; i++)
        trend->is_there |= soak_value(&samples[i], subject) > 0;
    trend->rise = late - early;
    trend->bound = bound_of(subject, trend->start);
    trend->is_flat = trend->high <= trend->bound && trend->rise <= trend->bound;
    return 0;
}

int soak_judge(const struct soak_series *series, struct soak_verdict *ret_verdict)
{
    struct soak_verdict verdict;
    size_t first = 0;

    memset(&verdict, 0, sizeof(verdict));
    if (series->count == 0)
        return -ENODATA;
    verdict.until_s = series->samples[series->count - 1].at_s;
    while (series->samples[first].at_s < WARM_UP * verdict.until_s)
        first++;
    if (series->count - first < SPANS_MIN)
        return -ENODATA;
    verdict.from_s = series->samples[first].at_s;
    verdict.files = series->samples[series->count - 1].files - series->samples[first].files;
    verdict.is_flat = true;
    for (int i = 0; i < SOAK_SUBJECT_COUNT; i++) {
        int r = trend_of(series, first, (enum soak_subject)i, &verdict.trends[i]);
        if (r < 0)
            return r;
        verdict.is_flat &= verdict.trends[i].is_flat;
    }
    *ret_verdict = verdict;
    return 0;
}
