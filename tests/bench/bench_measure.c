/* bench_measure.c: the clock, medians, and the two ways of taking a sample. */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

double bench_now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail: the clock exists, the address is good */
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

int bench_rate(double rate_s, bench_batch_fn batch, void *data, size_t count, double *ret_per_s)
{
    size_t total = 0;
    double passed_s = 0;
    double start_s = bench_now_s();

    do {
        int r = batch(data, count);
        if (r < 0)
            return r;
        total += count;
        passed_s = bench_now_s() - start_s;
    } while (passed_s < rate_s);
    *ret_per_s = (double)total / passed_s;
    return 0;
}

int bench_trip(size_t trips, bench_trip_fn trip, void *data, double *ret_median_s)
{
    double *times_s = calloc(trips, sizeof(*times_s));
    int r = times_s ? 0 : -ENOMEM;

    for (size_t i = 0; r == 0 && i < trips; i++) {
        double start_s = bench_now_s();
        r = trip(data);
        times_s[i] = bench_now_s() - start_s;
    }
    if (r == 0)
        *ret_median_s = bench_median(times_s, trips);
    free(times_s);
    return r;
}

uint64_t bench_values_sum(size_t count)
{
    uint64_t n = count;
    return n * BENCH_VALUE_BASE + (n % 2 == 0 ? n / 2 * (n - 1) : (n - 1) / 2 * n);
}

void bench_print(const char *name, double value)
{
    int decimals = value < 1 ? 6 : value < 1000 ? 3 : 0;
    printf("%s %.*f\n", name, decimals, value);
}
