/* option_rows.c: see option_rows_priv.h. */
#include "option_rows_priv.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "escape_priv.h"
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

/* Which of the words is it? The list ends with NULL. Returns its index or -EINVAL. */
static int apply_word(const char *value, const char *const *words, struct text *why)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(value, words[i]) == 0)
            return i;
    text_puts(why, "'");
    escape_name(why, value, strlen(value));
    text_puts(why, "' is none of ");
    for (int i = 0; words[i]; i++)
        text_printf(why, "%s%s", i == 0 ? "" : ", ", words[i]);
    text_printf(why, "; the nearest is '%s'", words[nearest_word(value, words)]);
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

static int apply_format(struct options *options, const char *value, struct text *why)
{
    static const char *const words[] = {"auto", "jpeg", "png", NULL};
    static const enum img_format formats[] = {IMG_FORMAT_UNKNOWN, IMG_FORMAT_JPEG, IMG_FORMAT_PNG};
    int i = apply_word(value, words, why);
    if (i < 0)
        return i;
    options->format = formats[i];
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

static const char *const backend_words[] = {"process", "thread", "serial", NULL};

static int apply_backend(struct options *options, const char *value, struct text *why)
{
    static const enum pool_backend backends[] = {POOL_BACKEND_PROCESS, POOL_BACKEND_THREAD,
                                                 POOL_BACKEND_SERIAL};
    int i = apply_word(value, backend_words, why);
    if (i < 0)
        return i;
    options->backend = backends[i];
    return 0;
}

static int apply_max_depth(struct options *options, const char *value, struct text *why)
{
    uint64_t number;
    int r = apply_number(value, 1, UINT_MAX, &number, why);
    if (r == 0)
        options->max_depth = (unsigned)number;
    return r;
}

static int apply_overwrite(struct options *options, const char *value, struct text *why)
{
    static const char *const words[] = {"always", NULL};
    (void)options;
    int i = apply_word(value, words, why);
    return i < 0 ? i : 0;
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

static int apply_fail_on(struct options *options, const char *value, struct text *why)
{
    static const char *const words[] = {"none", "truncated", "error", "warning", NULL};
    static const enum img_fail_on levels[] = {IMG_FAIL_ON_NONE, IMG_FAIL_ON_TRUNCATED,
                                              IMG_FAIL_ON_ERROR, IMG_FAIL_ON_WARNING};
    int i = apply_word(value, words, why);
    if (i < 0)
        return i;
    options->fail_on = levels[i];
    return 0;
}

static int apply_when(const char *value, enum when *ret_when, struct text *why)
{
    static const char *const words[] = {"auto", "always", "never", NULL};
    static const enum when whens[] = {WHEN_AUTO, WHEN_ALWAYS, WHEN_NEVER};
    int i = apply_word(value, words, why);
    if (i < 0)
        return i;
    *ret_when = whens[i];
    return 0;
}

static int apply_progress(struct options *options, const char *value, struct text *why)
{
    return apply_when(value, &options->progress, why);
}

static int apply_color(struct options *options, const char *value, struct text *why)
{
    return apply_when(value, &options->color, why);
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

#define FLAG(member) offsetof(struct options, member)

const struct option_row option_rows[] = {
    {'o', "output", "DIR",
     "where the thumbnails go: one folder PATH lies directly below\n"
     "DIR, several lie each below DIR/its name; files directly in DIR\n"
     "(default: thumbs inside each folder PATH, thumbs beside a file)",
     apply_output, 0},
    {'s', "size", "N or WxH", "box that a thumbnail fits into, in pixels (default: 256)",
     apply_size, 0},
    {'f', "format", "FORMAT",
     "auto, jpeg, png; auto: png where transparency is used, else\njpeg (default: auto)",
     apply_format, 0},
    {'q', "quality", "N", "quality of JPEG, 1 to 100 (default: 80)", apply_quality, 0},
    {'j', "jobs", "N", "workers (default: the CPUs this process may use)", apply_jobs, 0},
    {0, "backend", "WHERE",
     "process, thread, serial; thread and serial are for files you\n"
     "trust: a crash ends the run (default: process)",
     apply_backend, 0},
    {0, "max-depth", "N", "how many levels of folders to read; 1: no subfolders", apply_max_depth,
     0},
    {'H', "hidden", NULL, "hidden files and folders too", NULL, FLAG(hidden)},
    {'L', "follow", NULL, "follow symbolic links", NULL, FLAG(follow)},
    {'n', "dry-run", NULL, "print what would be done, touch nothing", NULL, FLAG(dry_run)},
    {0, "overwrite", "WHICH", "always: make every thumbnail anew (default: always)",
     apply_overwrite, 0},
    {0, "timeout", "SECS", "limit for each file while it is worked on; 0: none (default: 30)",
     apply_timeout, 0},
    {0, "max-pixels", "N", "refuse pictures of more pixels (default: 512000000)", apply_max_pixels,
     0},
    {0, "memory", "SIZE",
     "limit for each worker, such as 512M or 2G; a file that needs\n"
     "more fails; 0: none (default: 1G)",
     apply_memory, 0},
    {0, "fail-on", "DAMAGE",
     "none, truncated, error, warning: from which damage on a\n"
     "picture fails; a tolerated one is labelled partial\n(default: error)",
     apply_fail_on, 0},
    {0, "fast", NULL,
     "may stop reading a progressive JPEG after what the thumbnail\n"
     "needs; damage further on goes unseen",
     NULL, FLAG(fast)},
    {0, "retry-failed", NULL, "only what failed last time, whatever it did then", NULL,
     FLAG(retry_failed)},
    {0, "no-sandbox", NULL, "go on where the kernel cannot confine the workers", NULL,
     FLAG(no_sandbox)},
    {0, "sync", NULL, "durable against power loss too: slower", NULL, FLAG(sync)},
    {0, "json", NULL, "one JSON object a line on standard output", NULL, FLAG(json)},
    {0, "progress", "WHEN", "auto, always, never: a bar on standard error (default: auto)",
     apply_progress, 0},
    {0, "color", "WHEN", "auto, always, never (default: auto; NO_COLOR is respected)", apply_color,
     0},
    {0, "quiet", NULL, "no summary at the end", NULL, FLAG(quiet)},
    {'v', "verbose", NULL, "a line for each file", NULL, FLAG(verbose)},
    {'h', "help", NULL, "this text", apply_help, 0},
    {0, "version", NULL, "the version, and the libraries and decoders in use", apply_version, 0},
};

const size_t option_row_count = sizeof(option_rows) / sizeof(option_rows[0]);
_Static_assert(sizeof(option_rows) / sizeof(option_rows[0]) <= OPTION_ROWS_MAX, "room for names");

/* ---- Names ---------------------------------------------------------------------------------- */

const char *options_backend_name(enum pool_backend backend)
{
    switch (backend) {
    case POOL_BACKEND_PROCESS:
        return backend_words[0];
    case POOL_BACKEND_THREAD:
        return backend_words[1];
    case POOL_BACKEND_SERIAL:
        return backend_words[2];
    }
    return "unknown";
}
