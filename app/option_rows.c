/* option_rows.c: see option_rows_priv.h. */
#include "option_rows_priv.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "bench_options_priv.h"
#include "escape_priv.h"
#include "name_template_priv.h"
#include "nearest_priv.h"

#define BOX_MAX_PX      65535
#define TIMEOUT_MAX_SEC 86400

/* Less would not hold a worker with the libraries for the rarer formats. */
#define MEMORY_MIN_BYTES ((uint64_t)64 << 20)
#define MEMORY_MAX_BYTES ((uint64_t)1 << 50)

/* ---- Values -------------------------------------------------------------------------------- */

/* Digits only: no sign, no blanks, no overflow. Returns where it stopped, NULL if no number. */
static const char *read_number(const char *at, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (*at < '0' || *at > '9')
        return NULL;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            return NULL;
    *ret_value = value;
    return at;
}

static int apply_number(const char *value, uint64_t least, uint64_t most, uint64_t *ret_number,
                        struct text *why)
{
    uint64_t number;
    const char *end = read_number(value, &number);
    if (!end || *end != '\0' || number < least || number > most) {
        text_printf(why, "a number from %llu to %llu is needed, not '", (unsigned long long)least,
                    (unsigned long long)most);
        escape_name(why, value, strlen(value));
        text_puts(why, "'");
        return -EINVAL;
    }
    *ret_number = number;
    return 0;
}

int option_word_find(const struct option_word *words, const char *value, int *ret_value,
                     struct text *why)
{
    const char *names[OPTION_WORDS_MAX + 1] = {NULL};
    for (size_t i = 0; words[i].word; i++) {
        names[i] = words[i].word;
        if (strcmp(value, words[i].word) == 0) {
            *ret_value = words[i].value;
            return 0;
        }
    }
    text_puts(why, "'");
    escape_name(why, value, strlen(value));
    text_puts(why, "' is none of ");
    for (size_t i = 0; names[i]; i++)
        text_printf(why, "%s%s", i == 0 ? "" : ", ", names[i]);
    text_printf(why, "; the nearest is '%s'", names[nearest_word(value, names)]);
    return -EINVAL;
}

static int apply_output(struct options *options, const char *value, struct text *why)
{
    if (value[0] == '\0') {
        text_puts(why, "an empty name is no folder");
        return -EINVAL;
    }
    options->output = value;
    return 0;
}

static int apply_size(struct options *options, const char *value, struct text *why)
{
    uint64_t width = 0, height = 0;
    if (options->size_given) {
        text_puts(why, "given twice; one size can be made in a run");
        return -EINVAL;
    }
    const char *end = read_number(value, &width);
    height = width;
    if (end && *end == 'x')
        end = read_number(end + 1, &height);
    if (!end || *end != '\0' || width < 1 || width > BOX_MAX_PX || height < 1 ||
        height > BOX_MAX_PX) {
        text_puts(why, "N or WxH is needed, each from 1 to 65535, not '");
        escape_name(why, value, strlen(value));
        text_puts(why, "'");
        return -EINVAL;
    }
    options->box_width_px = (uint32_t)width;
    options->box_height_px = (uint32_t)height;
    options->size_given = true;
    return 0;
}

static int apply_quality(struct options *options, const char *value, struct text *why)
{
    uint64_t number;
    int r = apply_number(value, 1, 100, &number, why);
    if (r == 0)
        options->quality = (int)number;
    return r;
}

static int apply_jobs(struct options *options, const char *value, struct text *why)
{
    uint64_t number;
    int r = apply_number(value, 1, POOL_WORKERS_MAX, &number, why);
    if (r == 0)
        options->jobs = (unsigned)number;
    return r;
}

static int apply_max_depth(struct options *options, const char *value, struct text *why)
{
    uint64_t number;
    int r = apply_number(value, 1, UINT_MAX, &number, why);
    if (r == 0)
        options->max_depth = (unsigned)number;
    return r;
}

static int hex_digit(char c)
{
    const char lower = (char)(c | 0x20);
    return c >= '0' && c <= '9' ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* #rgb or #rrggbb */
static bool read_hex_colour(const char *value, uint8_t rgb[3])
{
    const size_t digits = strlen(value + 1);
    const size_t each = digits / 3;
    if (value[0] != '#' || (digits != 3 && digits != 6))
        return false;
    for (size_t i = 0; i < 3; i++) {
        const int high = hex_digit(value[1 + i * each]), low = hex_digit(value[i * each + each]);
        if (high < 0 || low < 0)
            return false;
        rgb[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

/* As 0xRRGGBB. */
static const struct option_word colour_words[] = {
    {"white", 0xffffff}, {"black", 0},         {"gray", 0x808080},
    {"grey", 0x808080},  {"red", 0xff0000},    {"green", 0x008000},
    {"blue", 0x0000ff},  {"yellow", 0xffff00}, {NULL, 0}};

static int apply_background(struct options *options, const char *value, struct text *why)
{
    for (const struct option_word *colour = colour_words; colour->word; colour++) {
        if (strcmp(value, colour->word) == 0) {
            for (int i = 0; i < 3; i++)
                options->background[i] = (uint8_t)(colour->value >> (16 - 8 * i));
            return 0;
        }
    }
    if (read_hex_colour(value, options->background))
        return 0;
    text_puts(why,
              "#rrggbb, #rgb, white, black, gray, red, green, blue or yellow is needed, not '");
    escape_name(why, value, strlen(value));
    text_puts(why, "'");
    return -EINVAL;
}

static int apply_name(struct options *options, const char *value, struct text *why)
{
    int r = name_template_check(value, why);
    if (r == 0)
        options->name = value;
    return r;
}

static int add_glob(struct options *options, const char *pattern, bool include, struct text *why)
{
    if (pattern[0] == '\0') {
        text_puts(why, "an empty pattern matches nothing");
        return -EINVAL;
    }
    struct options_glob *globs =
        reallocarray(options->globs, options->glob_count + 1, sizeof(*globs));
    if (!globs)
        return -ENOMEM;
    options->globs = globs;
    globs[options->glob_count++] = (struct options_glob){pattern, include};
    return 0;
}

static int apply_include(struct options *options, const char *value, struct text *why)
{
    return add_glob(options, value, true, why);
}

static int apply_exclude(struct options *options, const char *value, struct text *why)
{
    return add_glob(options, value, false, why);
}

static int apply_files_from(struct options *options, const char *value, struct text *why)
{
    if (value[0] == '\0') {
        text_puts(why, "an empty name is no file");
        return -EINVAL;
    }
    if (options->files_from) {
        text_puts(why, "given twice; one list can be read in a run");
        return -EINVAL;
    }
    options->files_from = value;
    return 0;
}

static int apply_timeout(struct options *options, const char *value, struct text *why)
{
    uint64_t whole, thousandths = 0, scale = 100;
    const char *at = read_number(value, &whole);
    if (at && *at == '.' && at[1] >= '0' && at[1] <= '9')
        for (at++; *at >= '0' && *at <= '9' && scale > 0; at++, scale /= 10)
            thousandths += (uint64_t)(*at - '0') * scale;
    if (!at || *at != '\0' || whole > TIMEOUT_MAX_SEC ||
        whole * 1000 + thousandths > (uint64_t)TIMEOUT_MAX_SEC * 1000) {
        text_printf(why, "seconds from 0 (no limit) to %d are needed, such as 30 or 0.5, not '",
                    TIMEOUT_MAX_SEC);
        escape_name(why, value, strlen(value));
        text_puts(why, "'");
        return -EINVAL;
    }
    options->timeout_ms = (int)(whole * 1000 + thousandths);
    return 0;
}

static int apply_max_pixels(struct options *options, const char *value, struct text *why)
{
    return apply_number(value, 1, UINT64_MAX, &options->pixels_max, why);
}

/* Bytes, or with K, M, G, T so many times 1024. */
static int apply_memory(struct options *options, const char *value, struct text *why)
{
    static const char letters[] = "KMGT";
    uint64_t number;
    const char *end = read_number(value, &number);
    const char upper = end ? (char)(*end & ~0x20) : '\0';
    const char *letter = upper ? strchr(letters, upper) : NULL;
    const unsigned shift = letter ? 10 * (unsigned)(letter - letters + 1) : 0;
    if (!end || (*end && !letter) || (letter && end[1]) || number > MEMORY_MAX_BYTES >> shift ||
        (number > 0 && number << shift < MEMORY_MIN_BYTES)) {
        text_printf(why,
                    "bytes such as 512M or 2G are needed, at least %dM, or 0 for no limit, "
                    "not '",
                    (int)(MEMORY_MIN_BYTES >> 20));
        escape_name(why, value, strlen(value));
        text_puts(why, "'");
        return -EINVAL;
    }
    options->memory_bytes = number << shift;
    return 0;
}

static int apply_help(struct options *options, const char *value, struct text *why)
{
    (void)value, (void)why;
    options->action = OPTIONS_HELP;
    return 0;
}

static int apply_version(struct options *options, const char *value, struct text *why)
{
    (void)value, (void)why;
    options->action = OPTIONS_VERSION;
    return 0;
}

/* ---- The table ----------------------------------------------------------------------------- */

static const struct option_word fit_words[] = {
    {"inside", IMG_FIT_INSIDE}, {"cover", IMG_FIT_COVER}, {"pad", IMG_FIT_PAD}, {NULL, 0}};
static const struct option_word format_words[] = {
    {"auto", IMG_FORMAT_UNKNOWN}, {"jpeg", IMG_FORMAT_JPEG}, {"png", IMG_FORMAT_PNG}, {NULL, 0}};
static const struct option_word backend_words[] = {{"process", POOL_BACKEND_PROCESS},
                                                   {"thread", POOL_BACKEND_THREAD},
                                                   {"serial", POOL_BACKEND_SERIAL},
                                                   {NULL, 0}};
static const struct option_word overwrite_words[] = {{"changed", OVERWRITE_CHANGED},
                                                     {"never", OVERWRITE_NEVER},
                                                     {"always", OVERWRITE_ALWAYS},
                                                     {NULL, 0}};
static const struct option_word fail_on_words[] = {{"none", IMG_FAIL_ON_NONE},
                                                   {"truncated", IMG_FAIL_ON_TRUNCATED},
                                                   {"error", IMG_FAIL_ON_ERROR},
                                                   {"warning", IMG_FAIL_ON_WARNING},
                                                   {NULL, 0}};
static const struct option_word when_words[] = {
    {"auto", WHEN_AUTO}, {"always", WHEN_ALWAYS}, {"never", WHEN_NEVER}, {NULL, 0}};

/* Where a word goes must be as large as an int, and where a flag goes a bool. */
#define MEMBER(name, type)                                                                         \
    (offsetof(struct options, name) +                                                              \
     0 * sizeof(char[sizeof(((struct options *)0)->name) == sizeof(type) ? 1 : -1]))
#define WORD(name) MEMBER(name, int)
#define FLAG(name) MEMBER(name, bool)

const struct option_row option_rows[] = {
    {'o', "output", "DIR", TAKES_FOLDER, FOR_RUN, NULL,
     "where the thumbnails go: one folder PATH lies directly below\n"
     "DIR, several lie each below DIR/its name; files directly in DIR\n"
     "(default: thumbs inside each folder PATH, thumbs beside a file)",
     apply_output, 0},
    {'s', "size", "N or WxH", TAKES_NUMBER, FOR_ALL, NULL,
     "box that a thumbnail fits into, in pixels (default: 256)", apply_size, 0},
    {0, "fit", "HOW", TAKES_WORD, FOR_ALL, fit_words,
     "how it gets into the box: inside, as large as fits; cover, fill\n"
     "it and crop; pad, fill it up with --background (default: inside)",
     NULL, WORD(fit)},
    {0, "background", "COLOUR", TAKES_TEXT, FOR_ALL, colour_words,
     "colour for pad, and under transparency where the output has\n"
     "none: #rrggbb or a name (default: white)",
     apply_background, 0},
    {0, "enlarge", NULL, TAKES_NOTHING, FOR_ALL, NULL, "thumbnails larger than the picture too",
     NULL, FLAG(enlarge)},
    {'f', "format", "FORMAT", TAKES_WORD, FOR_ALL, format_words,
     "format of the thumbnails: auto, jpeg, png; auto: png where\n"
     "transparency is used, else jpeg (default: auto)",
     NULL, WORD(format)},
    {'q', "quality", "N", TAKES_NUMBER, FOR_ALL, NULL, "quality of JPEG, 1 to 100 (default: 80)",
     apply_quality, 0},
    {'j', "jobs", "N", TAKES_NUMBER, FOR_RUN, NULL,
     "workers (default: the CPUs this process may use)", apply_jobs, 0},
    {0, "backend", "WHERE", TAKES_WORD, FOR_RUN_ONE, backend_words,
     "where the work runs: process, thread, serial; thread and serial\n"
     "are for files you trust: a crash ends the run\n(default: process)",
     NULL, WORD(backend)},
    {'i', "include", "GLOB", TAKES_GLOB, FOR_RUN_BENCH, NULL,
     "only pictures that match, as in .gitignore; repeatable", apply_include, 0},
    {'E', "exclude", "GLOB", TAKES_GLOB, FOR_RUN_BENCH, NULL,
     "not what matches, as in .gitignore; repeatable", apply_exclude, 0},
    {0, "files-from", "FILE", TAKES_FILE, FOR_RUN_BENCH, NULL,
     "read PATHs from FILE, one a line; -: standard input", apply_files_from, 0},
    {'0', "null", NULL, TAKES_NOTHING, FOR_RUN_BENCH, NULL, "the paths of --files-from end in NUL",
     NULL, FLAG(null)},
    {0, "max-depth", "N", TAKES_NUMBER, FOR_RUN_BENCH, NULL,
     "how many levels of folders to read; 1: no subfolders", apply_max_depth, 0},
    {'H', "hidden", NULL, TAKES_NOTHING, FOR_RUN_BENCH, NULL, "hidden files and folders too", NULL,
     FLAG(hidden)},
    {'L', "follow", NULL, TAKES_NOTHING, FOR_RUN_BENCH, NULL, "follow symbolic links", NULL,
     FLAG(follow)},
    {'n', "dry-run", NULL, TAKES_NOTHING, FOR_RUN, NULL, "print what would be done, touch nothing",
     NULL, FLAG(dry_run)},
    {0, "overwrite", "WHICH", TAKES_WORD, FOR_RUN, overwrite_words,
     "which thumbnails are made anew: changed, those of another state\n"
     "of their picture or by other settings; never; always\n(default: changed)",
     NULL, WORD(overwrite)},
    {0, "name", "TEMPLATE", TAKES_TEXT, FOR_RUN, NULL,
     "name below DIR, from {dir} {name} {stem} {ext} {size} {hash}\n(default: {dir}/{name})",
     apply_name, 0},
    {0, "prune", NULL, TAKES_NOTHING, FOR_RUN, NULL, "also remove thumbnails whose picture is gone",
     NULL, FLAG(prune)},
    {0, "timeout", "SECS", TAKES_NUMBER, FOR_ALL, NULL,
     "limit for each file while it is worked on; 0: none (default: 30)", apply_timeout, 0},
    {0, "max-pixels", "N", TAKES_NUMBER, FOR_ALL, NULL,
     "refuse pictures of more pixels (default: 512000000)", apply_max_pixels, 0},
    {0, "memory", "SIZE", TAKES_NUMBER, FOR_ALL, NULL,
     "limit for each worker, such as 512M or 2G; a file that needs\n"
     "more fails; 0: none (default: 1G)",
     apply_memory, 0},
    {0, "fail-on", "DAMAGE", TAKES_WORD, FOR_ALL, fail_on_words,
     "from which damage on a picture fails: none, truncated, error,\n"
     "warning; a tolerated one is labelled partial (default: error)",
     NULL, WORD(fail_on)},
    {0, "fast", NULL, TAKES_NOTHING, FOR_ALL, NULL,
     "may stop reading a progressive JPEG after what the thumbnail\n"
     "needs; damage further on goes unseen",
     NULL, FLAG(fast)},
    {0, "retry-failed", NULL, TAKES_NOTHING, FOR_RUN, NULL,
     "only what failed last time, whatever it did then", NULL, FLAG(retry_failed)},
    {0, "no-sandbox", NULL, TAKES_NOTHING, FOR_ALL, NULL,
     "go on where the kernel cannot confine the workers", NULL, FLAG(no_sandbox)},
    {0, "sync", NULL, TAKES_NOTHING, FOR_RUN_ONE, NULL, "durable against power loss too: slower",
     NULL, FLAG(sync)},
    {0, "json", NULL, TAKES_NOTHING, FOR_ALL, NULL, "one JSON object a line on standard output",
     NULL, FLAG(json)},
    {0, "progress", "WHEN", TAKES_WORD, FOR_RUN_BENCH, when_words,
     "a bar on standard error: auto, always, never (default: auto)", NULL, WORD(progress)},
    {0, "color", "WHEN", TAKES_WORD, FOR_ALL, when_words,
     "when to use colours: auto, always, never (default: auto;\nNO_COLOR is respected)", NULL,
     WORD(color)},
    {0, "quiet", NULL, TAKES_NOTHING, FOR_ALL, NULL, "no summary at the end", NULL, FLAG(quiet)},
    {'v', "verbose", NULL, TAKES_NOTHING, FOR_ALL, NULL, "a line for each file", NULL,
     FLAG(verbose)},
    {'o', "output", "DIR", TAKES_FOLDER, FOR_BENCH, NULL,
     "where the temporary folder is made; it has all that is made, and\n"
     "is removed at the end (default: $TMPDIR, or /tmp)",
     apply_output, 0},
    {0, "runs", "N", TAKES_NUMBER, FOR_BENCH, NULL,
     "rounds that are measured (default: 7; 5 with --example)", bench_apply_runs, 0},
    {0, "warmup", "N", TAKES_NUMBER, FOR_BENCH, NULL,
     "rounds before them that are not (default: 1)", bench_apply_warmup, 0},
    {0, "workers", "N,N...", TAKES_NUMBER, FOR_BENCH, NULL,
     "numbers of workers to try (default: 1,2,4... up to twice the\nCPUs)", bench_apply_workers, 0},
    {0, "backends", "LIST", TAKES_TEXT, FOR_BENCH, NULL,
     "serial, thread, process (default: all; serial always)", bench_apply_backends, 0},
    {0, "cold", NULL, TAKES_NOTHING, FOR_BENCH, NULL,
     "drop the pictures' pages from memory before each measurement", NULL, FLAG(bench.cold)},
    {0, "example", NULL, TAKES_NOTHING, FOR_BENCH, NULL,
     "6000 pictures to 75x75, made for it unless there is a PATH; with\n"
     "a Python program beside it where python3 has Pillow",
     NULL, FLAG(bench.example)},
    {0, "csv", NULL, TAKES_NOTHING, FOR_BENCH, NULL,
     "a line for each measurement on standard output", NULL, FLAG(bench.csv)},
    {0, "html", "FILE", TAKES_FILE, FOR_BENCH, NULL, "write a page with charts", bench_apply_html,
     0},
    {0, "svg", "FILE", TAKES_FILE, FOR_BENCH, NULL, "write the charts as a picture",
     bench_apply_svg, 0},
    {'h', "help", NULL, TAKES_NOTHING, FOR_ALL, NULL, "this help", apply_help, 0},
    {0, "version", NULL, TAKES_NOTHING, FOR_ALL, NULL,
     "the version, and the libraries and decoders in use", apply_version, 0},
};

const size_t option_row_count = sizeof(option_rows) / sizeof(option_rows[0]);
_Static_assert(sizeof(option_rows) / sizeof(option_rows[0]) <= OPTION_ROWS_MAX, "room for names");
_Static_assert(sizeof(colour_words) / sizeof(colour_words[0]) <= OPTION_WORDS_MAX + 1, "room");

void option_brief(struct text *text, const struct option_row *row)
{
    const char *at = row->help;
    for (; *at && *at != ':' && *at != ';'; at++) {
        if (isspace((unsigned char)*at) && at[1] == '(')
            break;
        text_add(text, *at == '\n' ? " " : at, 1);
    }
}

/* ---- Names ---------------------------------------------------------------------------------- */

const char *options_backend_name(enum pool_backend backend)
{
    for (const struct option_word *word = backend_words; word->word; word++)
        if (word->value == (int)backend)
            return word->word;
    return "unknown";
}
