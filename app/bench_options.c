/* bench_options.c: see bench_options_priv.h. */
#include "bench_options_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "escape_priv.h"

_Static_assert(POOL_WORKERS_MAX == 1024, "as it is told");

#define RUNS_DEFAULT    7
#define RUNS_OF_EXAMPLE 5
#define RUNS_MAX        1000 /* STATISTICS_VALUES_MAX */
#define EXAMPLE_PX      75
#define SERIAL_WORD     "serial"
#define THREAD_WORD     "thread"
#define PROCESS_WORD    "process"

/* Digits up to one of `ends`. Returns where they end, NULL for what is no such number. */
static const char *number(const char *at, const char *ends, unsigned least, unsigned most,
                          unsigned *ret_number)
{
    unsigned value = 0;
    const size_t length = strspn(at, "0123456789");
    if (length < 1 || length > 6 || !strchr(ends, at[length]))
        return NULL;
    for (size_t i = 0; i < length; i++)
        value = value * 10 + (unsigned)(at[i] - '0');
    if (value < least || value > most)
        return NULL;
    *ret_number = value;
    return at + length;
}

static int refuse(struct text *why, const char *wanted, const char *value)
{
    text_printf(why, "%s needed, not '", wanted);
    escape_name(why, value, strlen(value));
    text_puts(why, "'");
    return -EINVAL;
}

int bench_apply_runs(struct options *options, const char *value, struct text *why)
{
    if (!number(value, "", 1, RUNS_MAX, &options->bench.runs))
        return refuse(why, "a number from 1 to 1000 is", value);
    return 0;
}

int bench_apply_warmup(struct options *options, const char *value, struct text *why)
{
    if (!number(value, "", 0, RUNS_MAX, &options->bench.warmup))
        return refuse(why, "a number from 0 to 1000 is", value);
    options->bench.has_warmup = true;
    return 0;
}

int bench_apply_workers(struct options *options, const char *value, struct text *why)
{
    struct options_bench *bench = &options->bench;
    const char *at = value;
    bench->worker_count = 0;
    while (bench->worker_count < OPTIONS_WORKERS_MAX) {
        unsigned workers;
        at = number(at, ",", 1, POOL_WORKERS_MAX, &workers);
        if (!at)
            break;
        for (size_t i = 0; i < bench->worker_count; i++)
            if (bench->workers[i] == workers)
                return refuse(why, "each number once is", value);
        bench->workers[bench->worker_count++] = workers;
        if (*at++ == '\0')
            return 0;
    }
    return refuse(why, "up to 16 numbers from 1 to 1024, such as 1,2,4, are", value);
}

static bool is_word(const char *at, size_t length, const char *word)
{
    return length == strlen(word) && strncmp(at, word, length) == 0;
}

/* Serial is measured whatever is said: all others are compared with it. */
int bench_apply_backends(struct options *options, const char *value, struct text *why)
{
    bool threads = false, processes = false;
    for (const char *at = value;; at++) {
        const size_t length = strcspn(at, ",");
        if (is_word(at, length, THREAD_WORD))
            threads = true;
        else if (is_word(at, length, PROCESS_WORD))
            processes = true;
        else if (!is_word(at, length, SERIAL_WORD))
            return refuse(why, "serial, thread or process, with commas between, are", value);
        at += length;
        if (*at == '\0')
            break;
    }
    options->bench.without_threads = !threads;
    options->bench.without_processes = !processes;
    return 0;
}

static int apply_file(const char **member, const char *value, struct text *why)
{
    if (value[0] == '\0') {
        text_puts(why, "an empty name is no file");
        return -EINVAL;
    }
    *member = value;
    return 0;
}

int bench_apply_html(struct options *options, const char *value, struct text *why)
{
    return apply_file(&options->bench.html, value, why);
}

int bench_apply_svg(struct options *options, const char *value, struct text *why)
{
    return apply_file(&options->bench.svg, value, why);
}

/* Each measurement reads the list. One that is not there is found later, and told of. */
static bool is_read_again(const char *path)
{
    struct stat st;
    return strcmp(path, "-") != 0 && (stat(path, &st) < 0 || S_ISREG(st.st_mode));
}

int bench_settle_options(struct options *options, struct text *reterr_message)
{
    struct options_bench *bench = &options->bench;
    const char *mistake = NULL;
    if (options->path_count == 0 && !options->files_from && !bench->example)
        mistake = "no PATH given; try 'thumbpool bench --help'";
    else if (options->files_from && !is_read_again(options->files_from))
        mistake = "--files-from: standard input or a pipe can be read once only; name a file";
    else if (bench->example && (options->path_count > 1 || options->files_from))
        mistake = "--example: takes one PATH, a folder of pictures, or none";
    else if (bench->html && bench->svg && strcmp(bench->html, bench->svg) == 0)
        mistake = "--svg: not the file of --html";
    else if (options->json && bench->csv)
        mistake = "--csv: not together with --json";
    if (mistake) {
        text_printf(reterr_message, "bench: %s", mistake);
        return -EINVAL;
    }
    if (bench->example && !options->size_given) {
        options->box_width_px = EXAMPLE_PX;
        options->box_height_px = EXAMPLE_PX;
        options->size_given = true;
    }
    if (bench->runs == 0)
        bench->runs = bench->example ? RUNS_OF_EXAMPLE : RUNS_DEFAULT;
    if (!bench->has_warmup)
        bench->warmup = 1;
    options->overwrite = OVERWRITE_ALWAYS;
    return 0;
}
