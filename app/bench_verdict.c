/* bench_verdict.c: what the figures say, in words; see bench_priv.h.
 *
 * A difference is only told as one where the whole interval lies on one side; all else is noise,
 * and called so. One round has no interval, and that of a few is not sure enough: of these there is
 * no verdict on differences, only what was measured. */
#include "bench_priv.h"

#include <math.h>
#include <string.h>

#include "bench_example_priv.h"

/* Rounds that differ by more than this (quartiles) are told to be noisy. */
#define NOISE_MUCH 0.10

typedef void (*verdict_fn)(const struct bench *bench, struct text *text);

static double percent(double ratio)
{
    const double value = (ratio - 1) * 100;
    return fabs(value) < 0.05 ? 0 : value; /* not "-0.0" */
}

/* "(1.85 to 1.95)" */
static void add_interval(const struct bench *bench, struct text *text,
                         const struct estimate *estimate)
{
    if (bench->rounds > 1)
        text_printf(text, " (%.2f to %.2f)", estimate->interval.low, estimate->interval.high);
}

static void add_percents(const struct bench *bench, struct text *text,
                         const struct estimate *estimate)
{
    if (bench->rounds > 1)
        text_printf(text, " (%.1f to %.1f %%)", percent(estimate->interval.low),
                    percent(estimate->interval.high));
}

static bool has_verdicts(const struct bench *bench)
{
    return bench->rounds >= BENCH_ROUNDS_LEAST;
}

static bool is_difference(const struct bench *bench, const struct estimate *estimate)
{
    return has_verdicts(bench) && (estimate->interval.low > 1 || estimate->interval.high < 1);
}

/* How a differs from b in the time that it takes, as the end of a sentence. */
static void add_comparison(const struct bench *bench, struct text *text, size_t a, size_t b)
{
    const struct estimate ratio = bench_compare(bench, a, b);
    if (is_difference(bench, &ratio) || !has_verdicts(bench)) {
        text_puts(text, "takes ");
        if (!has_verdicts(bench))
            text_printf(text, "in %zu round%s ", bench->rounds, bench->rounds == 1 ? "" : "s");
        text_printf(text, "%.1f %% %s time than ", fabs(percent(ratio.value)),
                    ratio.value < 1 ? "less" : "more");
        bench_config_name(text, &bench->configs[b]);
    } else {
        text_puts(text, "and ");
        bench_config_name(text, &bench->configs[b]);
        text_puts(text, " differ by less than the noise");
    }
    add_percents(bench, text, &ratio);
    text_puts(text, ".");
}

static bool both_compared(const struct bench *bench, int a, int b)
{
    return a >= 0 && b >= 0 && bench->figures[a].compared && bench->figures[b].compared;
}

static void serial_and_loop(const struct bench *bench, struct text *text)
{
    const int loop = bench_find(bench, BENCH_LOOP, 1), serial = bench_find(bench, BENCH_SERIAL, 1);
    if (!both_compared(bench, loop, serial))
        return;
    text_puts(text, "serial ");
    add_comparison(bench, text, (size_t)serial, (size_t)loop);
}

/* The fastest pool of a kind. */
static int best_of(const struct bench *bench, enum bench_kind kind)
{
    int best = -1;
    for (size_t i = 0; i < bench->config_count; i++) {
        const struct bench_figures *figures = &bench->figures[i];
        if (bench->configs[i].kind == kind && figures->compared && figures->speedup.value > 0 &&
            (best < 0 || figures->speedup.value > bench->figures[best].speedup.value))
            best = (int)i;
    }
    return best;
}

static void gain_of(const struct bench *bench, struct text *text, enum bench_kind kind)
{
    const int best = best_of(bench, kind);
    if (best < 0)
        return;
    const struct bench_figures *figures = &bench->figures[best];
    bench_config_name(text, &bench->configs[best]);
    if (has_verdicts(bench) && !is_difference(bench, &figures->speedup))
        text_printf(text, " is not faster than serial beyond the noise: %.2f times as fast",
                    figures->speedup.value);
    else
        text_printf(text, " is %.2f times as fast as serial", figures->speedup.value);
    add_interval(bench, text, &figures->speedup);
    if (bench->configs[best].workers > 1)
        text_printf(text, ", %.2f for each worker", figures->efficiency.value);
    text_puts(text, ".");
}

static void gain_of_threads(const struct bench *bench, struct text *text)
{
    gain_of(bench, text, BENCH_THREAD);
}

static void gain_of_processes(const struct bench *bench, struct text *text)
{
    gain_of(bench, text, BENCH_PROCESS);
}

/* With as many workers as there are CPUs; else with the most. */
static unsigned workers_to_compare(const struct bench *bench)
{
    unsigned most = 0;
    for (size_t i = 0; i < bench->config_count; i++) {
        const struct bench_config *config = &bench->configs[i];
        if (config->kind != BENCH_PROCESS)
            continue;
        if (config->workers == bench->machine.cpus)
            return config->workers;
        most = config->workers > most ? config->workers : most;
    }
    return most;
}

static void threads_and_processes(const struct bench *bench, struct text *text)
{
    const unsigned workers = workers_to_compare(bench);
    const int threads = bench_find(bench, BENCH_THREAD, workers),
              processes = bench_find(bench, BENCH_PROCESS, workers);
    if (!both_compared(bench, threads, processes))
        return;
    bench_config_name(text, &bench->configs[processes]);
    text_puts(text, " ");
    add_comparison(bench, text, (size_t)processes, (size_t)threads);
}

/* More workers than CPUs. */
static void too_many(const struct bench *bench, struct text *text)
{
    int most = -1;
    for (size_t i = 0; i < bench->config_count; i++)
        if (bench->configs[i].kind == BENCH_PROCESS &&
            bench->configs[i].workers > bench->machine.cpus &&
            (most < 0 || bench->configs[i].workers > bench->configs[most].workers))
            most = (int)i;
    const int fit = bench_find(bench, BENCH_PROCESS, bench->machine.cpus);
    if (!both_compared(bench, most, fit) || !has_verdicts(bench))
        return;
    const struct estimate ratio = bench_compare(bench, (size_t)most, (size_t)fit);
    text_printf(text, "More workers than CPUs (%u for %u) ", bench->configs[most].workers,
                bench->machine.cpus);
    if (!is_difference(bench, &ratio))
        text_puts(text, "make no difference beyond the noise");
    else
        text_printf(text, "take %.1f %% %s time", fabs(percent(ratio.value)),
                    ratio.value > 1 ? "more" : "less");
    add_percents(bench, text, &ratio);
    text_puts(text, ".");
}

static void against_python(const struct bench *bench, struct text *text)
{
    const int best = best_of(bench, BENCH_PROCESS), python = best_of(bench, BENCH_PYTHON);
    if (!both_compared(bench, best, python))
        return;
    const struct estimate ratio = bench_compare(bench, (size_t)python, (size_t)best);
    bench_config_name(text, &bench->configs[best]);
    text_printf(text, " is %.1f times as fast as ", ratio.value);
    bench_config_name(text, &bench->configs[python]);
    if (bench->rounds > 1)
        text_printf(text, " (%.1f to %.1f)", ratio.interval.low, ratio.interval.high);
    text_puts(text, ".");
}

static void the_documents(const struct bench *bench, struct text *text)
{
    if (bench->options->bench.example)
        text_printf(
            text,
            "The documents report %.1f s for theirs, with %d pictures on another machine: not "
            "compared.",
            BENCH_EXAMPLE_REPORTED_S, BENCH_EXAMPLE_COUNT);
}

static void the_failed(const struct bench *bench, struct text *text)
{
    const int loop = bench_find(bench, BENCH_LOOP, 1);
    const struct bench_sample *sample = &bench->configs[loop].samples[0];
    if (sample->failed == 0)
        return;
    text_printf(text, "%llu of %llu files fail with the plain loop.",
                (unsigned long long)sample->failed,
                (unsigned long long)sample->failed + sample->made);
}

static void the_left_out(const struct bench *bench, struct text *text)
{
    const int loop = bench_find(bench, BENCH_LOOP, 1);
    for (size_t i = 0; i < bench->config_count; i++) {
        if (bench->figures[i].compared)
            continue;
        text_puts(text, text->length > 0 ? "; " : "Not compared: ");
        bench_config_name(text, &bench->configs[i]);
        text_printf(text, " made %llu of %llu",
                    (unsigned long long)bench->configs[i].samples[0].made,
                    (unsigned long long)bench->configs[loop].samples[0].made);
        if (!bench->figures[i].steady)
            text_puts(text, ", and not always as many");
    }
    if (text->length > 0)
        text_puts(text, ".");
}

static void the_warm(const struct bench *bench, struct text *text)
{
    uint64_t most = 0;
    for (size_t i = 0; i < bench->config_count; i++)
        for (size_t round = 0; round < bench->rounds; round++)
            if (bench->configs[i].samples[round].warm > most)
                most = bench->configs[i].samples[round].warm;
    if (most > 0)
        text_printf(text,
                    "Not cold: the kernel kept up to %llu files in memory, for all that "
                    "--cold does.",
                    (unsigned long long)most);
}

static void the_noise(const struct bench *bench, struct text *text)
{
    double worst = 0;
    for (size_t i = 0; i < bench->config_count; i++)
        worst = fmax(worst, bench_noise(&bench->figures[i]));
    if (bench->rounds == 1)
        text_puts(text, "One round says nothing of the noise; more --runs do.");
    else if (!has_verdicts(bench))
        text_printf(text,
                    "%zu rounds are too few to tell differences from noise: their intervals are "
                    "%.0f %% sure; more --runs say more.",
                    bench->rounds, bench_confidence(bench) * 100);
    else if (worst > NOISE_MUCH)
        text_printf(text,
                    "The machine was not quiet: the middle half of one configuration's rounds "
                    "spreads over %.0f %%.",
                    worst * 100);
}

bool bench_verdict(const struct bench *bench, size_t number, struct text *text)
{
    static const verdict_fn verdicts[] = {
        serial_and_loop, gain_of_threads, gain_of_processes, threads_and_processes,
        too_many,        against_python,  the_documents,     the_failed,
        the_left_out,    the_warm,        the_noise};
    for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
        text_cut(text, 0);
        verdicts[i](bench, text);
        if (text->length > 0 && number-- == 0)
            return true;
    }
    text_cut(text, 0);
    return false;
}
