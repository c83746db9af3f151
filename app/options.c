/* options.c: see options_priv.h. */
#include "options_priv.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "escape_priv.h"
#include "nearest_priv.h"

#define BOX_MAX_PX      65535
#define TIMEOUT_MAX_SEC 86400

/* One option. apply sets it from value (NULL for an option without argument); when the value
 * makes no sense it says why, in words that follow "--name: ", and returns -EINVAL. */
struct option_row {
    char letter; /* 0: none */
    const char *name;
    const char *argument; /* NULL: takes none */
    const char *help;     /* lines end in \n, the last one does not */
    int (*apply)(struct options *options, const char *value, struct text *why);
};

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

static int apply_hidden(struct options *options, const char *value, struct text *why)
{
    (void)value, (void)why;
    options->hidden = true;
    return 0;
}

static int apply_follow(struct options *options, const char *value, struct text *why)
{
    (void)value, (void)why;
    options->follow = true;
    return 0;
}

static int apply_dry_run(struct options *options, const char *value, struct text *why)
{
    (void)value, (void)why;
    options->dry_run = true;
    return 0;
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

static int apply_json(struct options *options, const char *value, struct text *why)
{
    (void)value, (void)why;
    options->json = true;
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

static int apply_quiet(struct options *options, const char *value, struct text *why)
{
    (void)value, (void)why;
    options->quiet = true;
    return 0;
}

static int apply_verbose(struct options *options, const char *value, struct text *why)
{
    (void)value, (void)why;
    options->verbose = true;
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

static const struct option_row rows[] = {
    {'o', "output", "DIR",
     "where the thumbnails go: one folder PATH lies directly below\n"
     "DIR, several lie each below DIR/its name; files directly in DIR\n"
     "(default: thumbs inside each folder PATH, thumbs beside a file)",
     apply_output},
    {'s', "size", "N or WxH", "box that a thumbnail fits into, in pixels (default: 256)",
     apply_size},
    {'f', "format", "FORMAT",
     "auto, jpeg, png; auto: png where transparency is used, else\njpeg (default: auto)",
     apply_format},
    {'q', "quality", "N", "quality of JPEG, 1 to 100 (default: 80)", apply_quality},
    {'j', "jobs", "N", "workers (default: the CPUs this process may use)", apply_jobs},
    {0, "backend", "WHERE",
     "process, thread, serial; thread and serial are for files you\n"
     "trust: a crash ends the run (default: process)",
     apply_backend},
    {0, "max-depth", "N", "how many levels of folders to read; 1: no subfolders", apply_max_depth},
    {'H', "hidden", NULL, "hidden files and folders too", apply_hidden},
    {'L', "follow", NULL, "follow symbolic links", apply_follow},
    {'n', "dry-run", NULL, "print what would be done, touch nothing", apply_dry_run},
    {0, "overwrite", "WHICH", "always: make every thumbnail anew (default: always)",
     apply_overwrite},
    {0, "timeout", "SECS", "limit for each file while it is worked on; 0: none (default: 30)",
     apply_timeout},
    {0, "json", NULL, "one JSON object a line on standard output", apply_json},
    {0, "progress", "WHEN", "auto, always, never: a bar on standard error (default: auto)",
     apply_progress},
    {0, "color", "WHEN", "auto, always, never (default: auto; NO_COLOR is respected)", apply_color},
    {0, "quiet", NULL, "no summary at the end", apply_quiet},
    {'v', "verbose", NULL, "a line for each file", apply_verbose},
    {'h', "help", NULL, "this text", apply_help},
    {0, "version", NULL, "the version, and the libraries and decoders in use", apply_version},
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

/* ---- Parsing ------------------------------------------------------------------------------- */

struct parser {
    struct options *options;
    struct text *message;
    char **argv;
    int argc;
    int at;
};

static int unknown_long(struct parser *parser, const char *name, size_t length)
{
    const char *names[ROW_COUNT + 1] = {NULL};
    char wanted[64];
    for (size_t i = 0; i < ROW_COUNT; i++)
        names[i] = rows[i].name;
    const size_t kept = length < sizeof(wanted) - 1 ? length : sizeof(wanted) - 1;
    memcpy(wanted, name, kept);
    wanted[kept] = '\0';
    text_puts(parser->message, "unknown option '--");
    escape_name(parser->message, name, length);
    text_printf(parser->message, "'; the nearest is '--%s'", names[nearest_word(wanted, names)]);
    return -EINVAL;
}

static int unknown_short(struct parser *parser, const char *at)
{
    uint32_t character;
    size_t length = utf8_decode((const unsigned char *)at, strlen(at), &character);
    const char other_case = (char)(*at ^ 0x20);
    const struct option_row *near = NULL;
    for (size_t i = 0; i < ROW_COUNT && !near; i++)
        if (rows[i].letter && rows[i].letter == other_case)
            near = &rows[i];
    for (size_t i = 0; i < ROW_COUNT && !near; i++)
        if (rows[i].name[0] == *at || rows[i].name[0] == other_case)
            near = &rows[i];
    text_puts(parser->message, "unknown option '-");
    escape_name(parser->message, at, length > 0 ? length : 1);
    if (near && near->letter)
        text_printf(parser->message, "'; the nearest is '-%c, --%s'", near->letter, near->name);
    else
        text_printf(parser->message, "'; the nearest is '--%s'", near ? near->name : "help");
    return -EINVAL;
}

static int apply_row(struct parser *parser, const struct option_row *row, const char *value)
{
    struct text why = TEXT_INIT;
    int r = row->apply(parser->options, value, &why);
    if (r < 0)
        text_printf(parser->message, "--%s: %s", row->name, text_string(&why));
    if (text_failed(&why))
        r = -ENOMEM;
    text_done(&why);
    return r;
}

/* The argument of an option is the next word. */
static int apply_with_next(struct parser *parser, const struct option_row *row)
{
    if (parser->at + 1 >= parser->argc) {
        text_printf(parser->message, "--%s: needs an argument, %s", row->name, row->argument);
        return -EINVAL;
    }
    return apply_row(parser, row, parser->argv[++parser->at]);
}

/* --name, --name=value, --name value; name may be cut short where it stays unambiguous. */
static int parse_long(struct parser *parser, const char *word)
{
    const size_t length = strcspn(word, "=");
    const struct option_row *row = NULL, *other = NULL;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (length == 0 || strncmp(rows[i].name, word, length) != 0)
            continue;
        if (rows[i].name[length] == '\0') {
            row = &rows[i];
            other = NULL;
            break;
        }
        other = row ? row : other;
        row = &rows[i];
    }
    if (!row)
        return unknown_long(parser, word, length);
    if (other) {
        text_puts(parser->message, "option '--");
        escape_name(parser->message, word, length);
        text_printf(parser->message, "' may mean '--%s' or '--%s'", other->name, row->name);
        return -EINVAL;
    }
    const char *value = word[length] == '=' ? word + length + 1 : NULL;
    if (value && !row->argument) {
        text_printf(parser->message, "--%s: takes no argument", row->name);
        return -EINVAL;
    }
    return value || !row->argument ? apply_row(parser, row, value) : apply_with_next(parser, row);
}

/* -vH, -s100, -s 100, -vs100 */
static int parse_short(struct parser *parser, const char *letters)
{
    for (const char *at = letters; *at; at++) {
        const struct option_row *row = NULL;
        for (size_t i = 0; i < ROW_COUNT && !row; i++)
            if (rows[i].letter == *at)
                row = &rows[i];
        if (!row)
            return unknown_short(parser, at);
        if (row->argument)
            return at[1] ? apply_row(parser, row, at + 1) : apply_with_next(parser, row);
        int r = apply_row(parser, row, NULL);
        if (r < 0 || parser->options->action != OPTIONS_RUN)
            return r;
    }
    return 0;
}

static int add_path(struct options *options, const char *path, struct text *message)
{
    if (path[0] == '\0') {
        text_puts(message, "an empty PATH");
        return -EINVAL;
    }
    options->paths[options->path_count++] = path;
    return 0;
}

static int parse_all(struct parser *parser)
{
    bool options_ended = false;
    int r = 0;
    for (; r == 0 && parser->at < parser->argc; parser->at++) {
        const char *word = parser->argv[parser->at];
        if (options_ended || word[0] != '-' || word[1] == '\0')
            r = add_path(parser->options, word, parser->message);
        else if (strcmp(word, "--") == 0)
            options_ended = true;
        else
            r = word[1] == '-' ? parse_long(parser, word + 2) : parse_short(parser, word + 1);
        if (r == 0 && parser->options->action != OPTIONS_RUN)
            return 0;
    }
    if (r == 0 && parser->options->path_count == 0) {
        text_puts(parser->message, "no PATH given; try 'thumbpool --help'");
        r = -EINVAL;
    }
    return r;
}

int options_parse(int argc, char **argv, struct options *ret_options, struct text *reterr_message)
{
    struct options options = {.action = OPTIONS_RUN,
                              .box_width_px = 256,
                              .box_height_px = 256,
                              .format = IMG_FORMAT_UNKNOWN,
                              .quality = 80,
                              .backend = POOL_BACKEND_PROCESS,
                              .timeout_ms = 30 * 1000};
    options.paths = calloc((size_t)(argc > 0 ? argc : 0) + 1, sizeof(*options.paths));
    if (!options.paths)
        return -ENOMEM;
    struct parser parser = {&options, reterr_message, argv, argc, 1};
    int r = parse_all(&parser);
    if (r < 0) {
        options_done(&options);
        return r;
    }
    *ret_options = options;
    return 0;
}

void options_done(struct options *options)
{
    free(options->paths);
    options->paths = NULL;
    options->path_count = 0;
}

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

/* ---- Help ---------------------------------------------------------------------------------- */

#define HELP_COLUMN 28

static void help_row(struct text *text, const struct option_row *row)
{
    const size_t start = text->length;
    if (row->letter)
        text_printf(text, "  -%c, --%s", row->letter, row->name);
    else
        text_printf(text, "      --%s", row->name);
    if (row->argument)
        text_printf(text, "=%s", row->argument);
    const size_t used = text->length - start;
    text_printf(text, "%*s", used < HELP_COLUMN ? (int)(HELP_COLUMN - used) : 2, "");
    for (const char *line = row->help; *line;) {
        const size_t length = strcspn(line, "\n");
        text_add(text, line, length);
        text_puts(text, "\n");
        line += length + (line[length] == '\n');
        if (*line)
            text_printf(text, "%*s", HELP_COLUMN, "");
    }
}

void options_help(struct text *text)
{
    text_puts(text, "Usage: thumbpool [OPTIONS] PATH...\n"
                    "Make thumbnails of the pictures that PATH... are, or have in them.\n\n");
    for (size_t i = 0; i < ROW_COUNT; i++)
        help_row(text, &rows[i]);
    text_puts(text,
              "\n'--' ends the options. A thumbnail keeps its picture's name where that already "
              "says\nthe format (a.jpg), else the format is added (a.png.jpg).\n\n"
              "Exit status: 0 all made; 1 some files failed, the others were made; 2 usage;\n"
              "3 the run could not go on; 128+N ended by signal N.\n");
}
