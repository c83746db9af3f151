/* bench.c: the command "bench": see bench_priv.h.
 *
 * Every measurement has an empty folder of its own for what it makes, below a temporary one, and
 * the folder is removed, outside of the measured time, before the next. The sources are only read.
 * It also has a process of its own (bench_child_priv.h).
 */
#include "bench_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench_child_priv.h"
#include "bench_example_priv.h"
#include "bench_folder_priv.h"
#include "bench_loop_priv.h"
#include "bench_machine_priv.h"
#include "clock_priv.h"
#include "console_priv.h"
#include "escape_priv.h"
#include "inputs_priv.h"
#include "measured_priv.h"
#include "run_priv.h"
#include "signals_priv.h"

#define OUTPUT "made"

/* Of the order of the configurations in a round. */
#define SEED UINT64_C(0x7468756d62706f6f)

struct work {
    struct bench bench;
    struct options options; /* of the job; owns nothing */
    struct bench_folder folder;
    const struct bench_config *measured; /* just now */
    const char *python;                  /* NULL: there is none that serves */
    struct text pictures;                /* of the example */
    const char *path; /* the one PATH that takes the place of the command line's, or NULL */
    struct text output;
    struct text line;
    bool has_bar;
    int exit_code; /* of what went wrong, and has been said; 0: nothing */
};

static void say(struct work *work, const char *what, const char *words)
{
    text_cut(&work->line, 0);
    text_printf(&work->line, "%sthumbpool: bench: %s%s%s\n", work->has_bar ? "\r\x1b[K" : "", what,
                what[0] && words[0] ? ": " : "", words);
    console_err(&work->line);
}

static void say_of(struct work *work, const char *path, const char *words)
{
    struct text shown = TEXT_INIT;
    escape_name(&shown, path, strlen(path));
    say(work, text_string(&shown), words);
    text_done(&shown);
}

/* ---- One measurement ------------------------------------------------------------------------ */

static void take_measured(const struct measured *measured, struct bench_sample *sample)
{
    sample->made = measured->counts.made;
    sample->failed = measured->counts.failed;
    sample->skipped = measured->counts.skipped;
    sample->source_bytes = measured->source_bytes;
    sample->source_pixels = measured->source_pixels;
    sample->worker_peak_bytes = measured->worker_peak_bytes;
    sample->stage_s[BENCH_READ] = (double)measured->read_us / 1e6;
    sample->stage_s[BENCH_DECODE] = (double)measured->decode_us / 1e6;
    sample->stage_s[BENCH_RESAMPLE] = (double)measured->resample_us / 1e6;
    sample->stage_s[BENCH_ENCODE] = (double)measured->encode_us / 1e6;
    sample->stage_s[BENCH_WRITE] = (double)measured->write_us / 1e6;
}

/* The program's own run. Returns 0, or -ECANCELED when it could not go on and that has been said.
 */
static int measure_run(struct work *work, const struct bench_config *config,
                       struct bench_sample *sample)
{
    static const enum pool_backend backends[] = {[BENCH_SERIAL] = POOL_BACKEND_SERIAL,
                                                 [BENCH_THREAD] = POOL_BACKEND_THREAD,
                                                 [BENCH_PROCESS] = POOL_BACKEND_PROCESS};
    struct measured measured = MEASURED_INIT;
    struct options options = work->options;
    options.backend = backends[config->kind];
    options.jobs = config->workers;
    options.measured = &measured;
    const int exit_code = run_paths(&options);
    take_measured(&measured, sample);
    const bool fatal = exit_code > EXIT_SOME_FAILED;
    if (fatal && measured.fatal.length > 0)
        say(work, "", text_string(&measured.fatal));
    measured_done(&measured);
    return fatal ? -ECANCELED : 0;
}

static int measure_python(struct work *work, const struct bench_config *config,
                          struct bench_sample *sample)
{
    int r = bench_python(work->python, work->options.paths[0], work->options.output, &work->options,
                         config->workers);
    if (r == -EIO) /* then it has made less */
        r = 0;
    const int64_t count = bench_folder_count(&work->folder, OUTPUT);
    sample->made = count > 0 ? (uint64_t)count : 0;
    return r;
}

/* In a process of its own. Returns 0, -ECANCELED when the cause has been said, or another negative
 * errno value. */
static int measure_in_child(void *data, struct bench_sample *sample)
{
    struct work *work = data;
    const struct bench_config *config = work->measured;
    uint64_t warm = 0;
    int r = 0;
    *sample = (struct bench_sample){.host_peak_bytes = -1, .worker_peak_bytes = -1};
    if (work->options.bench.cold)
        r = bench_drop_pages(&work->options, &warm);
    const double cpu_s = bench_cpu_s();
    const int64_t start_us = clock_us();
    if (r == 0 && config->kind == BENCH_LOOP)
        r = bench_loop(&work->options, sample);
    else if (r == 0 && config->kind == BENCH_PYTHON)
        r = measure_python(work, config, sample);
    else if (r == 0)
        r = measure_run(work, config, sample);
    sample->warm = warm;
    sample->wall_s = (double)(clock_us() - start_us) / 1e6;
    sample->cpu_s = bench_cpu_s() - cpu_s;
    if (config->kind != BENCH_PYTHON)
        sample->host_peak_bytes = bench_peak_bytes();
    if (config->kind == BENCH_LOOP || config->kind == BENCH_SERIAL || config->kind == BENCH_THREAD)
        sample->worker_peak_bytes = -1; /* the host has it all */
    return r;
}

/* Returns as above, or -EINTR after a signal. */
static int measure(struct work *work, const struct bench_config *config,
                   struct bench_sample *sample)
{
    struct text words = TEXT_INIT;
    int r = bench_folder_add(&work->folder, OUTPUT);
    if (r == -ESTALE) {
        say_of(work, text_string(&work->folder.path), "it has been moved or replaced");
        work->exit_code = EXIT_CANNOT_GO_ON;
    }
    if (r < 0)
        return r;
    work->measured = config;
    const int64_t start_us = clock_us();
    r = bench_child_run(measure_in_child, work, sample, &words);
    if (words.length > 0) {
        struct text name = TEXT_INIT;
        sample->wall_s = (double)(clock_us() - start_us) / 1e6;
        bench_config_name(&name, config);
        say(work, text_string(&name), text_string(&words));
        text_done(&name);
    }
    text_done(&words);
    if (r == -ECANCELED && work->exit_code == 0)
        work->exit_code = EXIT_CANNOT_GO_ON;
    const int dropped = bench_folder_drop(&work->folder, OUTPUT);
    if (signals_caught())
        r = -EINTR;
    return r < 0 ? r : dropped;
}

/* ---- Rounds --------------------------------------------------------------------------------- */

static void show_progress(struct work *work, size_t round, const struct bench_config *config)
{
    const struct options_bench *bench = &work->options.bench;
    if (!work->has_bar)
        return;
    text_cut(&work->line, 0);
    if (round < bench->warmup)
        text_puts(&work->line, "\r\x1b[Kwarming up: ");
    else
        text_printf(&work->line, "\r\x1b[Kround %zu of %u: ", round - bench->warmup + 1,
                    bench->runs);
    bench_config_name(&work->line, config);
    console_err(&work->line);
}

static void show_sample(struct work *work, const struct bench_config *config,
                        const struct bench_sample *sample)
{
    if (!work->options.verbose)
        return;
    text_cut(&work->line, 0);
    text_puts(&work->line, work->has_bar ? "\r\x1b[K" : "");
    bench_config_name(&work->line, config);
    text_printf(&work->line, ": %.3f s, %.3f s of processor time, %llu made, %llu failed\n",
                sample->wall_s, sample->cpu_s, (unsigned long long)sample->made,
                (unsigned long long)sample->failed);
    console_err(&work->line);
}

/* One round, in an order of its own. sample: where the round's are in each configuration. */
static int measure_round(struct work *work, size_t round, size_t sample)
{
    struct bench *bench = &work->bench;
    size_t order[BENCH_CONFIGS_MAX];
    int r = 0;
    statistics_shuffle(&bench->seed, order, bench->config_count);
    for (size_t i = 0; r == 0 && i < bench->config_count; i++) {
        struct bench_config *config = &bench->configs[order[i]];
        show_progress(work, round, config);
        r = measure(work, config, &config->samples[sample]);
        if (r == 0)
            show_sample(work, config, &config->samples[sample]);
    }
    return r;
}

static int measure_all(struct work *work)
{
    struct bench *bench = &work->bench;
    const struct options_bench *wanted = &work->options.bench;
    int r = 0;
    for (size_t round = 0; r == 0 && round < wanted->warmup + wanted->runs; round++) {
        const bool counts = round >= wanted->warmup;
        r = measure_round(work, round, counts ? round - wanted->warmup : 0);
        if (r == 0 && counts)
            bench->rounds++;
    }
    if (work->has_bar) {
        text_cut(&work->line, 0);
        text_puts(&work->line, "\r\x1b[K");
        console_err(&work->line);
    }
    return r;
}

/* ---- Before --------------------------------------------------------------------------------- */

static int add_config(struct work *work, enum bench_kind kind, unsigned workers)
{
    struct bench *bench = &work->bench;
    struct bench_config *config = &bench->configs[bench->config_count++];
    config->kind = kind;
    config->workers = workers;
    config->samples = calloc(work->options.bench.runs, sizeof(*config->samples));
    /* work_done() frees it. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    return config->samples ? 0 : -ENOMEM;
}

/* 1, 2, 4 and so on, up to twice the CPUs; for the example as many as there are CPUs. */
static void choose_workers(struct options_bench *wanted, unsigned cpus)
{
    if (wanted->worker_count > 0)
        return;
    if (wanted->example) {
        wanted->workers[wanted->worker_count++] = cpus;
        return;
    }
    for (unsigned workers = 1; workers <= 2 * cpus && workers <= POOL_WORKERS_MAX &&
                               wanted->worker_count < OPTIONS_WORKERS_MAX;
         workers *= 2)
        wanted->workers[wanted->worker_count++] = workers;
}

static int choose_configs(struct work *work)
{
    struct options_bench *wanted = &work->options.bench;
    choose_workers(wanted, work->bench.machine.cpus);
    int r = add_config(work, BENCH_LOOP, 1);
    if (r == 0)
        r = add_config(work, BENCH_SERIAL, 1);
    for (size_t i = 0; r == 0 && !wanted->without_threads && i < wanted->worker_count; i++)
        r = add_config(work, BENCH_THREAD, wanted->workers[i]);
    for (size_t i = 0; r == 0 && !wanted->without_processes && i < wanted->worker_count; i++)
        r = add_config(work, BENCH_PROCESS, wanted->workers[i]);
    if (r < 0 || !wanted->example)
        return r;
    work->python = bench_python_find();
    if (work->python)
        return add_config(work, BENCH_PYTHON, work->bench.machine.cpus);
    say(work, "", "python3 with Pillow is not installed: its program is left out");
    return 0;
}

/* Returns 0, -ECANCELED when the cause has been said, or another negative errno value. */
static int check_files(struct work *work)
{
    const char *const files[] = {work->options.bench.html, work->options.bench.svg};
    struct text message = TEXT_INIT;
    struct inputs *inputs = NULL;
    int r = inputs_create(&work->options, &inputs, &message);
    for (size_t i = 0; r == 0 && i < 2; i++)
        if (files[i])
            r = bench_file_check(files[i], inputs, &message);
    if (r == -EINVAL || r == -EEXIST) {
        say(work, "", text_string(&message));
        work->exit_code = EXIT_USAGE;
        r = -ECANCELED;
    }
    inputs_free(inputs);
    text_done(&message);
    return r;
}

static int make_example(struct work *work)
{
    struct text message = TEXT_INIT;
    say(work, "", "making 6000 pictures of 0.2 MB each");
    int r = bench_example_pictures(text_string(&work->folder.path), &work->pictures, &message);
    if (r == -ENOENT) {
        say(work, "", text_string(&message));
        work->exit_code = EXIT_CANNOT_GO_ON;
        r = -ECANCELED;
    }
    work->path = text_string(&work->pictures);
    work->options.paths = &work->path;
    work->options.path_count = 1;
    text_done(&message);
    return r;
}

static bool terminal_is_dumb(void)
{
    const char *terminal = getenv("TERM");
    return !terminal || strcmp(terminal, "dumb") == 0;
}

static int prepare(struct work *work, const struct options *options)
{
    struct options *job = &work->options;
    *job = *options;
    work->bench.options = job;
    work->bench.seed = SEED;
    work->has_bar =
        options->progress == WHEN_ALWAYS || (options->progress == WHEN_AUTO && !options->quiet &&
                                             !terminal_is_dumb() && isatty(STDERR_FILENO));
    int r = bench_machine_look(options, &work->bench.machine);
    if (r == 0)
        r = bench_folder_make(options->output, &work->folder);
    if (r < 0)
        return r;
    text_printf(&work->output, "%s/" OUTPUT, text_string(&work->folder.path));
    if (text_failed(&work->output))
        return -ENOMEM;
    job->output = text_string(&work->output);
    if (job->bench.example && job->path_count == 0)
        r = make_example(work);
    if (r == 0)
        r = check_files(work);
    return r < 0 ? r : choose_configs(work);
}

/* ---- After ---------------------------------------------------------------------------------- */

static unsigned terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        return 80;
    return size.ws_col;
}

static struct bench_look look_of(const struct options *options)
{
    const char *no_color = getenv("NO_COLOR"), *locale = getenv("LC_ALL");
    const bool dumb = terminal_is_dumb();
    struct bench_look look = {.width = terminal_width(), .color = options->color == WHEN_ALWAYS};
    if (options->color == WHEN_AUTO && !dumb && !(no_color && no_color[0]))
        look.color = isatty(STDOUT_FILENO) == 1;
    if (!locale || !locale[0])
        locale = getenv("LC_CTYPE");
    if (!locale || !locale[0])
        locale = getenv("LANG");
    look.blocks = locale && (strstr(locale, "UTF-8") || strstr(locale, "utf8")) && !dumb;
    return look;
}

static int write_out(struct work *work)
{
    const struct bench *bench = &work->bench;
    const struct options *options = &work->options;
    const struct bench_look look = look_of(options);
    struct console console = {0};
    struct text text = TEXT_INIT;
    if (options->json)
        bench_json(bench, &text);
    else if (options->bench.csv)
        bench_csv(bench, &text);
    else if (!options->quiet)
        bench_table(bench, &look, &text);
    if (text_failed(&text))
        console.out_error = -ENOMEM;
    console_out(&console, &text);
    text_done(&text);
    return console.out_error;
}

static int write_file(struct work *work, const char *path,
                      void (*write)(const struct bench *bench, struct text *text))
{
    struct text text = TEXT_INIT;
    if (!path)
        return 0;
    write(&work->bench, &text);
    int r = text_failed(&text) ? -ENOMEM : bench_file_write(path, &text);
    if (r < 0) {
        say_of(work, path, strerror(-r));
        work->exit_code = EXIT_CANNOT_GO_ON;
    }
    text_done(&text);
    return r < 0 ? -ECANCELED : 0;
}

static int show(struct work *work)
{
    const struct bench_sample *loop = &work->bench.configs[0].samples[0];
    if (loop->made == 0) {
        say(work, "", "no thumbnail was made, so there is nothing to compare");
        work->exit_code = loop->failed > 0 ? EXIT_SOME_FAILED : EXIT_CANNOT_GO_ON;
        return -ECANCELED;
    }
    bench_analyse(&work->bench);
    int r = bench_machine_look_at_libraries(&work->bench.machine);
    /* What is made while it runs may have changed meanwhile: look again. */
    if (r < 0)
        return r;
    /* Whatever becomes of the files, what was measured is shown. */
    r = check_files(work);
    if (r == 0)
        r = write_file(work, work->options.bench.html, bench_page);
    if (r == 0)
        r = write_file(work, work->options.bench.svg, bench_svg);
    const int shown = write_out(work);
    r = r < 0 ? r : shown;
    if (r == 0 && loop->failed > 0)
        work->exit_code = EXIT_SOME_FAILED;
    return r;
}

static void work_done(struct work *work)
{
    bench_folder_remove(&work->folder);
    for (size_t i = 0; i < work->bench.config_count; i++)
        free(work->bench.configs[i].samples);
    bench_machine_done(&work->bench.machine);
    text_done(&work->pictures);
    text_done(&work->output);
    text_done(&work->line);
}

int bench_run(const struct options *options)
{
    struct work work = {.folder = {.fd = -1}};
    int r = prepare(&work, options);
    if (r == 0)
        r = measure_all(&work);
    if (r == 0)
        r = show(&work);
    int exit_code = work.exit_code;
    if (signals_caught()) {
        exit_code = EXIT_SIGNAL_BASE + signals_caught();
        say(&work, "ended by a signal", strsignal(signals_caught()));
    } else if (r == -EPIPE) {
        exit_code = EXIT_SIGNAL_BASE + SIGPIPE;
    } else if (r < 0 && exit_code == 0) {
        exit_code = EXIT_CANNOT_GO_ON;
        say(&work, "cannot go on", strerror(-r));
    }
    work_done(&work);
    return exit_code;
}
