/* bench_analysis.c: from measurements to figures; see bench_priv.h. */
#include "bench_priv.h"

#include <assert.h>
#include <math.h>

typedef double (*value_fn)(const struct bench_config *config, const struct bench_sample *sample);

static double wall_of(const struct bench_config *config, const struct bench_sample *sample)
{
    (void)config;
    return sample->wall_s;
}

static double cpu_of(const struct bench_config *config, const struct bench_sample *sample)
{
    (void)config;
    return sample->cpu_s;
}

static double files_of(const struct bench_sample *sample)
{
    const uint64_t files = sample->made + sample->failed;
    return files > 0 ? (double)files : 1;
}

static double cpu_us_per_file(const struct bench_config *config, const struct bench_sample *sample)
{
    (void)config;
    return sample->cpu_s * 1e6 / files_of(sample);
}

static void values_of(const struct bench *bench, size_t which, value_fn value, double *values)
{
    const struct bench_config *config = &bench->configs[which];
    for (size_t round = 0; round < bench->rounds; round++)
        values[round] = value(config, &config->samples[round]);
}

static struct bench_spread spread_of(const struct bench *bench, size_t which, value_fn value)
{
    double values[STATISTICS_VALUES_MAX];
    values_of(bench, which, value, values);
    return (struct bench_spread){statistics_median(values, bench->rounds),
                                 statistics_quantile(values, bench->rounds, 0.25),
                                 statistics_quantile(values, bench->rounds, 0.75)};
}

double bench_confidence(const struct bench *bench)
{
    return fmin(BENCH_CONFIDENCE, 1 - ldexp(2, -(int)bench->rounds));
}

double bench_noise(const struct bench_figures *figures)
{
    const struct bench_spread *wall = &figures->wall_s;
    return wall->median > 0 ? (wall->high - wall->low) / wall->median : 0;
}

struct estimate bench_compare(const struct bench *bench, size_t a, size_t b)
{
    double above[STATISTICS_VALUES_MAX], below[STATISTICS_VALUES_MAX];
    values_of(bench, a, wall_of, above);
    values_of(bench, b, wall_of, below);
    return statistics_ratio(above, below, bench->rounds, BENCH_CONFIDENCE);
}

static struct estimate overhead_us(const struct bench *bench, size_t which, size_t loop)
{
    double above[STATISTICS_VALUES_MAX], below[STATISTICS_VALUES_MAX];
    values_of(bench, which, cpu_us_per_file, above);
    values_of(bench, loop, cpu_us_per_file, below);
    return statistics_difference(above, below, bench->rounds, BENCH_CONFIDENCE);
}

static struct estimate scaled(struct estimate estimate, double by)
{
    return (struct estimate){estimate.value * by,
                             {estimate.interval.low * by, estimate.interval.high * by}};
}

/* Where one thread does it all, the rest is what the stages leave of its time; of several workers,
 * who do not write, what they have beside their own four. Those that were stopped by others'
 * turns on the processors have that time in their stages. */
static double rest_of(const struct bench_config *config, const struct bench_sample *sample)
{
    const bool one_thread = config->kind == BENCH_LOOP || config->kind == BENCH_SERIAL;
    double rest = sample->wall_s * config->workers;
    for (enum bench_stage stage = BENCH_READ; stage < BENCH_REST; stage++)
        if (stage != BENCH_WRITE || one_thread)
            rest -= sample->stage_s[stage];
    return rest > 0 ? rest : 0;
}

static void analyse_stages(struct bench *bench, size_t which)
{
    const struct bench_config *config = &bench->configs[which];
    struct bench_figures *figures = &bench->figures[which];
    double values[STATISTICS_VALUES_MAX];
    for (enum bench_stage stage = BENCH_READ; stage < BENCH_STAGE_COUNT; stage++) {
        for (size_t round = 0; round < bench->rounds; round++) {
            const struct bench_sample *sample = &config->samples[round];
            const double seconds =
                stage == BENCH_REST ? rest_of(config, sample) : sample->stage_s[stage];
            values[round] = seconds * 1000 / files_of(sample);
        }
        figures->stage_ms[stage] = statistics_median(values, bench->rounds);
    }
    figures->has_stages = config->kind != BENCH_PYTHON;
}

static void analyse_counts(const struct bench *bench, size_t which, size_t reference,
                           struct bench_figures *figures)
{
    const struct bench_sample *samples = bench->configs[which].samples;
    const struct bench_sample *wanted = bench->configs[reference].samples;
    figures->compared = true;
    figures->steady = true;
    figures->host_peak_bytes = -1;
    figures->worker_peak_bytes = -1;
    for (size_t round = 0; round < bench->rounds; round++) {
        const struct bench_sample *sample = &samples[round];
        figures->compared &= sample->made > 0 && sample->made == wanted[round].made;
        figures->steady &= sample->made == samples[0].made;
        if (sample->host_peak_bytes > figures->host_peak_bytes)
            figures->host_peak_bytes = sample->host_peak_bytes;
        if (sample->worker_peak_bytes > figures->worker_peak_bytes)
            figures->worker_peak_bytes = sample->worker_peak_bytes;
    }
}

static void analyse_one(struct bench *bench, size_t which, size_t loop)
{
    struct bench_figures *figures = &bench->figures[which];
    const struct bench_sample *sample = &bench->configs[which].samples[0], *sources = sample;
    *figures = (struct bench_figures){.wall_s = spread_of(bench, which, wall_of),
                                      .cpu_s = spread_of(bench, which, cpu_of)};
    analyse_counts(bench, which, loop, figures);
    analyse_stages(bench, which);
    figures->files_per_s = (double)(sample->made + sample->failed) / figures->wall_s.median;
    if (figures->compared) /* so they are the same, also where nobody counts them */
        sources = &bench->configs[loop].samples[0];
    figures->bytes_per_s = (double)sources->source_bytes / figures->wall_s.median;
    figures->pixels_per_s = (double)sources->source_pixels / figures->wall_s.median;
    figures->overhead_us = overhead_us(bench, which, loop);
}

void bench_analyse(struct bench *bench)
{
    const int loop = bench_find(bench, BENCH_LOOP, 1), serial = bench_find(bench, BENCH_SERIAL, 1);
    assert(loop >= 0 && serial >= 0 && bench->rounds >= 1);
    for (size_t i = 0; i < bench->config_count; i++)
        analyse_one(bench, i, (size_t)loop);
    for (size_t i = 0; i < bench->config_count; i++) {
        struct bench_figures *figures = &bench->figures[i];
        if (!figures->compared || !bench->figures[serial].compared)
            continue;
        figures->speedup = bench_compare(bench, (size_t)serial, i);
        figures->efficiency = scaled(figures->speedup, 1.0 / bench->configs[i].workers);
    }
}

/* ---- Names ---------------------------------------------------------------------------------- */

const char *bench_kind_name(enum bench_kind kind)
{
    static const char *const names[] = {"loop", "serial", "thread", "process", "python"};
    return names[kind];
}

const char *bench_stage_name(enum bench_stage stage)
{
    static const char *const names[] = {"read",   "decode", "resample",
                                        "encode", "write",  "dispatch"};
    return names[stage];
}

void bench_config_name(struct text *text, const struct bench_config *config)
{
    if (config->kind == BENCH_LOOP)
        text_puts(text, "plain loop");
    else if (config->kind == BENCH_SERIAL)
        text_puts(text, "serial");
    else
        text_printf(text, "%s with %u worker%s",
                    config->kind == BENCH_PYTHON ? "Python" : bench_kind_name(config->kind),
                    config->workers, config->workers == 1 ? "" : "s");
}

int bench_find(const struct bench *bench, enum bench_kind kind, unsigned workers)
{
    for (size_t i = 0; i < bench->config_count; i++)
        if (bench->configs[i].kind == kind && bench->configs[i].workers == workers)
            return (int)i;
    return -1;
}
