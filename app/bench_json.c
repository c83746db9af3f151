/* bench_json.c: the figures and the measurements for programs; see bench_priv.h. */
#include "bench_priv.h"

#include <string.h>

#include "json_priv.h"

static void add_spread_ms(struct text *json, const char *key, const struct bench_spread *spread)
{
    json_open(json, key, '{');
    json_number(json, "median", spread->median * 1000, 3);
    json_number(json, "low", spread->low * 1000, 3);
    json_number(json, "high", spread->high * 1000, 3);
    json_close(json, '}');
}

/* null: it is not known. Of one round there is no interval. */
static void add_estimate(const struct bench *bench, struct text *json, const char *key,
                         const struct estimate *estimate, bool known)
{
    if (!known) {
        json_null(json, key);
        return;
    }
    json_open(json, key, '{');
    json_number(json, "value", estimate->value, 4);
    if (bench->rounds > 1) {
        json_number(json, "low", estimate->interval.low, 4);
        json_number(json, "high", estimate->interval.high, 4);
    }
    json_close(json, '}');
}

static void add_bytes(struct text *json, const char *key, int64_t bytes)
{
    if (bytes < 0)
        json_null(json, key);
    else
        json_uint(json, key, (uint64_t)bytes);
}

static void add_machine(const struct bench *bench, struct text *json)
{
    const struct bench_machine *machine = &bench->machine;
    json_open(json, "machine", '{');
    json_string(json, "cpu", text_string(&machine->cpu));
    json_uint(json, "cpus", machine->cpus);
    json_uint(json, "memory_bytes", machine->memory_bytes);
    json_string(json, "system", text_string(&machine->system));
    json_close(json, '}');
    json_open(json, "versions", '[');
    for (const char *line = text_string(&machine->libraries); *line;) {
        struct text one = TEXT_INIT;
        const size_t length = strcspn(line, "\n");
        text_add(&one, line, length);
        json_string(json, NULL, text_string(&one));
        json->failed |= text_failed(&one);
        text_done(&one);
        line += length + (line[length] == '\n');
    }
    json_close(json, ']');
}

static void add_samples(const struct bench *bench, const struct bench_config *config,
                        struct text *json)
{
    json_open(json, "samples", '[');
    for (size_t round = 0; round < bench->rounds; round++) {
        const struct bench_sample *sample = &config->samples[round];
        json_open(json, NULL, '{');
        json_uint(json, "round", round + 1);
        json_number(json, "wall_ms", sample->wall_s * 1000, 3);
        json_number(json, "cpu_ms", sample->cpu_s * 1000, 3);
        json_uint(json, "made", sample->made);
        json_uint(json, "failed", sample->failed);
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void add_config(const struct bench *bench, size_t which, struct text *json)
{
    const struct bench_config *config = &bench->configs[which];
    const struct bench_figures *figures = &bench->figures[which];
    const bool has_speedup = figures->compared && figures->speedup.value > 0;
    json_open(json, NULL, '{');
    json_string(json, "backend", bench_kind_name(config->kind));
    json_uint(json, "workers", config->workers);
    json_bool(json, "compared", figures->compared);
    add_spread_ms(json, "wall_ms", &figures->wall_s);
    add_spread_ms(json, "cpu_ms", &figures->cpu_s);
    json_number(json, "files_per_s", figures->files_per_s, 3);
    json_number(json, "megabytes_per_s", figures->bytes_per_s / 1e6, 3);
    json_number(json, "megapixels_per_s", figures->pixels_per_s / 1e6, 3);
    add_estimate(bench, json, "speedup", &figures->speedup, has_speedup);
    add_estimate(bench, json, "efficiency", &figures->efficiency, has_speedup);
    add_estimate(bench, json, "overhead_us_per_file", &figures->overhead_us, figures->compared);
    add_bytes(json, "host_memory_peak", figures->host_peak_bytes);
    add_bytes(json, "worker_memory_peak", figures->worker_peak_bytes);
    if (figures->has_stages) {
        json_open(json, "stages_ms_per_file", '{');
        for (enum bench_stage stage = BENCH_READ; stage < BENCH_STAGE_COUNT; stage++)
            json_number(json, bench_stage_name(stage), figures->stage_ms[stage], 4);
        json_close(json, '}');
    } else {
        json_null(json, "stages_ms_per_file");
    }
    add_samples(bench, config, json);
    json_close(json, '}');
}

static void add_job(const struct bench *bench, struct text *json)
{
    const struct bench_sample *sample = &bench->configs[0].samples[0];
    json_open(json, "job", '{');
    json_string(json, "thumbnails", text_string(&bench->machine.job));
    json_uint(json, "made", sample->made);
    json_uint(json, "failed", sample->failed);
    json_uint(json, "skipped", sample->skipped);
    json_uint(json, "source_bytes", sample->source_bytes);
    json_uint(json, "source_pixels", sample->source_pixels);
    json_close(json, '}');
}

void bench_json(const struct bench *bench, struct text *json)
{
    struct text verdict = TEXT_INIT;
    json_open(json, NULL, '{');
    json_string(json, "event", "bench");
    json_uint(json, "version", 1);
    json_string(json, "date", bench->machine.date);
    json_string(json, "command", text_string(&bench->machine.command));
    add_machine(bench, json);
    add_job(bench, json);
    json_uint(json, "rounds", bench->rounds);
    json_uint(json, "warmup", bench->options->bench.warmup);
    json_bool(json, "cold", bench->options->bench.cold);
    json_number(json, "confidence", bench_confidence(bench), 4);
    json_open(json, "configurations", '[');
    for (size_t i = 0; i < bench->config_count; i++)
        add_config(bench, i, json);
    json_close(json, ']');
    json_open(json, "verdicts", '[');
    for (size_t i = 0; bench_verdict(bench, i, &verdict); i++)
        json_string(json, NULL, text_string(&verdict));
    json_close(json, ']');
    json_close(json, '}');
    text_puts(json, "\n");
    json->failed |= text_failed(&verdict);
    text_done(&verdict);
}
