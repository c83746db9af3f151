/* What a bench makes of measurements: these are made up, so every figure is known. */
#include "app/bench_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isolate.h"
#include "json_check.h"

#define ROUNDS 5

static const struct {
    enum bench_kind kind;
    unsigned workers;
    double seconds;
} made_up[] = {{BENCH_LOOP, 1, 9.9},    {BENCH_SERIAL, 1, 10},    {BENCH_THREAD, 1, 10},
               {BENCH_THREAD, 2, 5.05}, {BENCH_PROCESS, 1, 10.4}, {BENCH_PROCESS, 2, 5.2},
               {BENCH_PROCESS, 4, 5.8}};

/* The machine's own slowness in each round, and what is left to chance. */
static double seconds_of(size_t config, size_t round)
{
    static const double slow[ROUNDS] = {1, 1.02, 0.99, 1.4, 1.01},
                        chance[ROUNDS] = {1, 1.001, 0.999, 1.002, 0.998};
    return made_up[config].seconds * slow[round] * chance[(round + config) % ROUNDS];
}

static struct options options;

static void fill(struct bench *bench)
{
    memset(bench, 0, sizeof(*bench));
    options.bench.warmup = 1;
    bench->options = &options;
    bench->rounds = ROUNDS;
    bench->machine.cpus = 2;
    text_puts(&bench->machine.cpu, "A <fast> & \"quiet\" one");
    text_puts(&bench->machine.system, "Linux");
    text_puts(&bench->machine.libraries, "thumbpool 1\nlibjpeg 2\n");
    text_puts(&bench->machine.command, "thumbpool bench 'a & b'");
    text_puts(&bench->machine.job, "256x256, inside, auto, quality 80");
    strcpy(bench->machine.date, "2026-01-02T03:04:05Z");
    bench->config_count = sizeof(made_up) / sizeof(made_up[0]);
    for (size_t i = 0; i < bench->config_count; i++) {
        struct bench_config *config = &bench->configs[i];
        config->kind = made_up[i].kind;
        config->workers = made_up[i].workers;
        config->samples = calloc(ROUNDS, sizeof(*config->samples));
        assert_non_null(config->samples);
        for (size_t round = 0; round < ROUNDS; round++) {
            struct bench_sample *sample = &config->samples[round];
            sample->wall_s = seconds_of(i, round);
            sample->cpu_s = sample->wall_s * config->workers;
            sample->made = 1000;
            sample->source_bytes = 50000000;
            sample->source_pixels = 300000000;
            sample->stage_s[BENCH_DECODE] = 8;
            sample->stage_s[BENCH_WRITE] = 0.5;
            sample->host_peak_bytes = 40000000;
            sample->worker_peak_bytes = config->kind == BENCH_PROCESS ? 20000000 : -1;
        }
    }
}

static void done(struct bench *bench)
{
    text_done(&bench->machine.cpu);
    text_done(&bench->machine.system);
    text_done(&bench->machine.libraries);
    text_done(&bench->machine.command);
    text_done(&bench->machine.job);
    for (size_t i = 0; i < bench->config_count; i++)
        free(bench->configs[i].samples);
}

static bool near(double got, double wanted, double share)
{
    return fabs(got - wanted) <= fabs(wanted) * share;
}

static void figures_are_those_of_the_measurements(void **state)
{
    (void)state;
    struct bench bench;
    fill(&bench);
    bench_analyse(&bench);
    const struct bench_figures *process = &bench.figures[5], *serial = &bench.figures[1];
    assert_true(near(serial->wall_s.median, 10.1, 0.01));
    assert_true(near(serial->files_per_s, 1000 / serial->wall_s.median, 1e-6));
    assert_true(near(serial->bytes_per_s, 5e7 / serial->wall_s.median, 1e-6));
    assert_true(near(serial->pixels_per_s, 3e8 / serial->wall_s.median, 1e-6));
    assert_true(near(serial->speedup.value, 1, 1e-9));
    /* The slow round is in both, so the ratio does not have it. */
    assert_true(near(process->speedup.value, 10 / 5.2, 0.004));
    assert_true(process->speedup.interval.low > 1.9 && process->speedup.interval.high < 1.95);
    assert_true(near(process->efficiency.value, 10 / 5.2 / 2, 0.004));
    assert_true(near(process->overhead_us.value, 2 * 5200 - 9900, 0.15));
    assert_true(process->compared && process->steady);
    assert_int_equal(process->worker_peak_bytes, 20000000);
    assert_int_equal(serial->worker_peak_bytes, -1);
    done(&bench);
}

static void what_the_stages_leave_is_the_rest(void **state)
{
    (void)state;
    struct bench bench;
    fill(&bench);
    bench_analyse(&bench);
    /* One thread writes too; two workers do not. */
    assert_true(near(bench.figures[1].stage_ms[BENCH_DECODE], 8, 1e-9));
    assert_true(
        near(bench.figures[1].stage_ms[BENCH_REST], bench.figures[1].wall_s.median - 8.5, 1e-6));
    assert_true(
        near(bench.figures[5].stage_ms[BENCH_REST], 2 * bench.figures[5].wall_s.median - 8, 1e-6));
    done(&bench);
}

static bool has_verdict(const struct bench *bench, const char *words)
{
    struct text verdict = TEXT_INIT;
    bool found = false;
    for (size_t i = 0; !found && bench_verdict(bench, i, &verdict); i++)
        found = strstr(text_string(&verdict), words) != NULL;
    text_done(&verdict);
    return found;
}

static void verdicts_tell_differences_from_noise(void **state)
{
    (void)state;
    struct bench bench;
    fill(&bench);
    bench_analyse(&bench);
    assert_true(has_verdict(&bench, "serial takes 1.1 % more time than plain loop"));
    assert_true(
        has_verdict(&bench, "process with 2 workers is 1.92 times as fast as serial (1.92"));
    assert_true(has_verdict(&bench, "More workers than CPUs (4 for 2) take 11."));
    for (size_t round = 0; round < ROUNDS; round++) /* now with much chance */
        bench.configs[5].samples[round].wall_s = 5.05 * (0.8 + 0.1 * (double)round);
    bench_analyse(&bench);
    assert_true(has_verdict(&bench, "process with 2 workers and thread with 2 workers differ by "
                                    "less than the noise"));
    assert_true(has_verdict(&bench, "The machine was not quiet"));
    bench.rounds = 1;
    bench_analyse(&bench);
    assert_true(has_verdict(&bench, "One round says nothing of the noise"));
    assert_false(has_verdict(&bench, "less than the noise"));
    done(&bench);
}

static void few_rounds_tell_no_difference(void **state)
{
    (void)state;
    static const double sure[] = {0, 0, 0.5, 0.75, 0.875, 0.9375, 0.95, 0.95};
    struct bench bench;
    fill(&bench);
    for (size_t rounds = 2; rounds < BENCH_ROUNDS_LEAST; rounds++) {
        bench.rounds = rounds;
        bench_analyse(&bench);
        assert_true(has_verdict(&bench, "serial takes in "));
        assert_true(has_verdict(&bench, "rounds are too few to tell differences from noise"));
        assert_false(has_verdict(&bench, "differ by less"));
        assert_false(has_verdict(&bench, "More workers than CPUs"));
    }
    for (bench.rounds = 1; bench.rounds < 8; bench.rounds++)
        assert_true(near(bench_confidence(&bench), sure[bench.rounds], 1e-12));
    bench.rounds = ROUNDS;
    bench_analyse(&bench);
    assert_false(has_verdict(&bench, "too few"));
    done(&bench);
}

static void what_stayed_in_memory_is_told(void **state)
{
    (void)state;
    struct bench bench;
    fill(&bench);
    bench_analyse(&bench);
    assert_false(has_verdict(&bench, "Not cold"));
    bench.configs[3].samples[1].warm = 12;
    assert_true(has_verdict(&bench, "Not cold: the kernel kept up to 12 files"));
    done(&bench);
}

static void who_made_less_is_not_compared(void **state)
{
    (void)state;
    struct bench bench;
    fill(&bench);
    bench.configs[5].samples[3].made = 999;
    for (size_t i = 0; i < bench.config_count; i++)
        for (size_t round = 0; round < ROUNDS; round++)
            bench.configs[i].samples[round].failed = 3;
    bench_analyse(&bench);
    assert_false(bench.figures[5].compared);
    assert_true(bench.figures[4].compared);
    assert_true(bench.figures[5].speedup.value == 0);
    assert_true(has_verdict(&bench, "Not compared: process with 2 workers made 1000 of 1000, and "
                                    "not always as many."));
    assert_false(has_verdict(&bench, "process with 2 workers is"));
    assert_true(has_verdict(&bench, "3 of 1003 files fail"));
    done(&bench);
}

static size_t columns_of(const char *line, size_t length)
{
    size_t columns = 0;
    for (size_t i = 0; i < length; i++)
        columns += (line[i] & 0xc0) != 0x80;
    return columns;
}

static void the_table_fits_into_the_terminal(void **state)
{
    (void)state;
    static const unsigned widths[] = {40, 60, 72, 80, 100, 200};
    struct bench bench;
    fill(&bench);
    bench_analyse(&bench);
    for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
        for (int blocks = 0; blocks < 2; blocks++) {
            const struct bench_look look = {.width = widths[i], .blocks = blocks};
            struct text text = TEXT_INIT;
            bench_table(&bench, &look, &text);
            assert_false(text_failed(&text));
            assert_non_null(strstr(text.data, "process      2"));
            assert_null(strchr(text.data, '\x1b'));
            for (const char *line = text.data; *line; line += strcspn(line, "\n") + 1)
                if (columns_of(line, strcspn(line, "\n")) > widths[i])
                    fail_msg("%u columns: %.*s", widths[i], (int)strcspn(line, "\n"), line);
            text_done(&text);
        }
    }
    done(&bench);
}

static void colours_come_only_when_asked_for_and_end(void **state)
{
    (void)state;
    const struct bench_look look = {.width = 80, .color = true, .blocks = true};
    struct bench bench;
    struct text text = TEXT_INIT;
    fill(&bench);
    bench_analyse(&bench);
    bench_table(&bench, &look, &text);
    size_t begun = 0, ended = 0;
    for (const char *at = text.data; (at = strstr(at, "\x1b[")); at += 2)
        *(strncmp(at, "\x1b[0m", 4) == 0 ? &ended : &begun) += 1;
    assert_true(begun > 5);
    assert_int_equal(begun, ended);
    text_done(&text);
    done(&bench);
}

static void json_has_the_figures(void **state)
{
    (void)state;
    struct bench bench;
    struct text text = TEXT_INIT;
    fill(&bench);
    bench.configs[3].samples[0].made = 1;
    bench_analyse(&bench);
    bench_json(&bench, &text);
    struct json_value *json = json_read(text.data, text.length);
    assert_non_null(json);
    assert_string_equal(json_get(json, "event")->string, "bench");
    assert_string_equal(json_get(json, "machine/cpu")->string, "A <fast> & \"quiet\" one");
    assert_true(json_get(json, "job/made")->number == 1000);
    struct json_value *configs = json_get(json, "configurations");
    assert_int_equal(json_count(configs), bench.config_count);
    struct json_value *process = configs->child;
    for (int i = 0; i < 5; i++)
        process = process->next;
    assert_string_equal(json_get(process, "backend")->string, "process");
    assert_true(near(json_get(process, "speedup/value")->number, 10 / 5.2, 0.004));
    assert_true(json_get(process, "speedup/low")->number <=
                json_get(process, "speedup/value")->number);
    assert_true(near(json_get(process, "stages_ms_per_file/decode")->number, 8, 1e-9));
    assert_int_equal(json_count(json_get(process, "samples")), ROUNDS);
    struct json_value *thread = configs->child->next->next->next;
    assert_false(json_get(thread, "compared")->boolean);
    assert_int_equal(json_get(thread, "speedup")->type, JSON_NULL);
    assert_true(json_count(json_get(json, "verdicts")) >= 4);
    text_done(&text);
    done(&bench);
}

static void csv_has_a_line_for_each_measurement(void **state)
{
    (void)state;
    struct bench bench;
    struct text text = TEXT_INIT;
    size_t lines = 0;
    fill(&bench);
    bench_csv(&bench, &text);
    for (const char *line = text.data; *line; line += strcspn(line, "\n") + 1) {
        size_t commas = 0;
        for (const char *at = line; *at != '\n'; at++)
            commas += *at == ',';
        assert_int_equal(commas, 16);
        lines++;
    }
    assert_int_equal(lines, 1 + bench.config_count * ROUNDS);
    assert_non_null(strstr(text.data, "\nprocess,2,1,"));
    text_done(&text);
    done(&bench);
}

/* Every element that is opened is closed, in its order; that is all that is asked of it here. */
static void assert_well_formed(const char *text)
{
    char open[32][16];
    size_t depth = 0;
    for (const char *at = text; (at = strchr(at, '<')); at++) {
        const char *end = strchr(at, '>');
        assert_non_null(end);
        if (at[1] == '?' || at[1] == '!')
            continue;
        const bool closes = at[1] == '/';
        const char *name = at + (closes ? 2 : 1);
        const size_t length = strcspn(name, " />\n");
        assert_true(length > 0 && length < 16);
        if (closes) {
            assert_true(depth > 0);
            depth--;
            assert_true(strlen(open[depth]) == length && strncmp(open[depth], name, length) == 0);
        } else if (end[-1] != '/') {
            assert_true(depth < 32);
            snprintf(open[depth++], 16, "%.*s", (int)length, name);
        }
    }
    assert_int_equal(depth, 0);
}

static void the_picture_and_the_page_are_whole(void **state)
{
    (void)state;
    struct bench bench;
    fill(&bench);
    bench_analyse(&bench);
    for (size_t rounds = 1; rounds <= ROUNDS; rounds += ROUNDS - 1) {
        void (*const writers[])(const struct bench *, struct text *) = {bench_svg, bench_page};
        bench.rounds = rounds;
        bench_analyse(&bench);
        for (size_t i = 0; i < 2; i++) {
            struct text text = TEXT_INIT;
            writers[i](&bench, &text);
            assert_false(text_failed(&text));
            assert_well_formed(text.data);
            assert_non_null(strstr(text.data, "A &lt;fast&gt; &amp; &quot;quiet&quot; one"));
            assert_non_null(strstr(text.data, "thumbpool bench 'a &amp; b'"));
            assert_non_null(strstr(text.data, "prefers-color-scheme:dark"));
            assert_null(strstr(text.data, "<script"));
            assert_null(strstr(text.data, "nan"));
            assert_null(strstr(text.data, "inf\""));
            text_done(&text);
        }
    }
    done(&bench);
}

static void no_text_has_what_xml_has_not(void **state)
{
    (void)state;
    struct text text = TEXT_INIT;
    bench_escape(&text, "a\xef\xbf\xbe<\xef\xbf\xbf\xef\xbf\xbd\"");
    assert_string_equal(text.data, "a&lt;\xef\xbf\xbd&quot;");
    text_done(&text);
}

/* Of the numbers that follow these words, wherever they are. */
static double least_after(const char *text, const char *words)
{
    double least = 1e9;
    for (const char *at = text; (at = strstr(at, words));) {
        at += strlen(words);
        least = fmin(least, strtod(at, NULL));
    }
    return least;
}

static void many_workers_leave_the_axis_and_the_edge_free(void **state)
{
    (void)state;
    struct bench bench;
    struct text text = TEXT_INIT;
    fill(&bench);
    char words[32];
    double sum_ms = 0;
    bench.configs[6].workers = 1024;
    bench_analyse(&bench);
    bench_svg(&bench, &text);
    /* The axis is at 56; in the legend, marks are at 62. */
    assert_true(least_after(text.data, "<path class=\"fo\" d=\"M") >= 62);
    assert_true(least_after(text.data, " cx=\"") >= 62);
    for (enum bench_stage stage = BENCH_READ; stage < BENCH_STAGE_COUNT; stage++)
        sum_ms += bench.figures[6].stage_ms[stage];
    snprintf(words, sizeof(words), ">%.0f ms<", sum_ms);
    assert_non_null(strstr(text.data, words));
    text_done(&text);
    done(&bench);
}

static void nothing_comparable_still_makes_a_page(void **state)
{
    (void)state;
    struct bench bench;
    struct text text = TEXT_INIT;
    fill(&bench);
    for (size_t i = 1; i < bench.config_count; i++)
        bench.configs[i].samples[0].made = 0;
    bench_analyse(&bench);
    bench_page(&bench, &text);
    assert_well_formed(text.data);
    assert_true(has_verdict(&bench, "Not compared: serial made 0 of 1000"));
    text_done(&text);
    done(&bench);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(figures_are_those_of_the_measurements),
        TEST(what_the_stages_leave_is_the_rest),
        TEST(verdicts_tell_differences_from_noise),
        TEST(few_rounds_tell_no_difference),
        TEST(what_stayed_in_memory_is_told),
        TEST(who_made_less_is_not_compared),
        TEST(no_text_has_what_xml_has_not),
        TEST(many_workers_leave_the_axis_and_the_edge_free),
        TEST(the_table_fits_into_the_terminal),
        TEST(colours_come_only_when_asked_for_and_end),
        TEST(json_has_the_figures),
        TEST(csv_has_a_line_for_each_measurement),
        TEST(the_picture_and_the_page_are_whole),
        TEST(nothing_comparable_still_makes_a_page),
    };
    return test_run("app bench", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
