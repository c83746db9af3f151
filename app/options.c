/* options.c: see options_priv.h. */
#include "options_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "escape_priv.h"
#include "nearest_priv.h"
#include "option_rows_priv.h"

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
    const char *names[OPTION_ROWS_MAX + 1] = {NULL};
    char wanted[64];
    for (size_t i = 0; i < option_row_count; i++)
        names[i] = option_rows[i].name;
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
    for (size_t i = 0; i < option_row_count && !near; i++)
        if (option_rows[i].letter && option_rows[i].letter == other_case)
            near = &option_rows[i];
    for (size_t i = 0; i < option_row_count && !near; i++)
        if (option_rows[i].name[0] == *at || option_rows[i].name[0] == other_case)
            near = &option_rows[i];
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
    if (!row->apply) {
        *(bool *)((char *)parser->options + row->flag) = true;
        return 0;
    }
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
    for (size_t i = 0; i < option_row_count; i++) {
        if (length == 0 || strncmp(option_rows[i].name, word, length) != 0)
            continue;
        if (option_rows[i].name[length] == '\0') {
            row = &option_rows[i];
            other = NULL;
            break;
        }
        other = row ? row : other;
        row = &option_rows[i];
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
        for (size_t i = 0; i < option_row_count && !row; i++)
            if (option_rows[i].letter == *at)
                row = &option_rows[i];
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
                              .timeout_ms = 30 * 1000,
                              .pixels_max = UINT64_C(512) * 1000 * 1000,
                              .memory_bytes = (uint64_t)1 << 30,
                              .fail_on = IMG_FAIL_ON_ERROR};
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
    for (size_t i = 0; i < option_row_count; i++)
        help_row(text, &option_rows[i]);
    text_puts(text,
              "\n'--' ends the options. A thumbnail keeps its picture's name where that already "
              "says\nthe format (a.jpg), else the format is added (a.png.jpg).\n\n"
              "Exit status: 0 all made; 1 some files failed, the others were made; 2 usage;\n"
              "3 the run could not go on; 128+N ended by signal N.\n");
}
