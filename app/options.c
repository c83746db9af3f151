/* options.c: see options_priv.h. */
#include "options_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench_options_priv.h"
#include "escape_priv.h"
#include "nearest_priv.h"
#include "one_priv.h"
#include "option_rows_priv.h"

/* ---- Parsing ------------------------------------------------------------------------------- */

struct parser {
    struct options *options;
    struct text *message;
    enum option_commands command;
    char **argv;
    int argc;
    int at;
};

static bool is_for(const struct parser *parser, const struct option_row *row)
{
    return (row->commands & parser->command) != 0;
}

/* --help or --version: the rest of the line does not matter. */
static bool is_answered(const struct options *options)
{
    return options->action == OPTIONS_HELP || options->action == OPTIONS_VERSION;
}

/* The option exists, but this command has no use for it. */
static int misplaced(struct parser *parser, const struct option_row *row)
{
    if (parser->command == FOR_ONE)
        text_printf(parser->message,
                    "--%s: not for 'thumbpool one', which makes one thumbnail, OUTPUT", row->name);
    else if (parser->command == FOR_BENCH)
        text_printf(parser->message, "--%s: not for 'thumbpool bench', which chooses it itself",
                    row->name);
    else
        text_printf(parser->message, "--%s: only for 'thumbpool bench'", row->name);
    return -EINVAL;
}

static int unknown_long(struct parser *parser, const char *name, size_t length)
{
    const char *names[OPTION_ROWS_MAX + 1] = {NULL};
    char wanted[64];
    size_t count = 0;
    for (size_t i = 0; i < option_row_count; i++)
        if (is_for(parser, &option_rows[i]))
            names[count++] = option_rows[i].name;
    const size_t kept = length < sizeof(wanted) - 1 ? length : sizeof(wanted) - 1;
    memcpy(wanted, name, kept);
    wanted[kept] = '\0';
    text_puts(parser->message, "unknown option '--");
    escape_name(parser->message, name, length);
    text_printf(parser->message, "'; the nearest is '--%s'", names[nearest_word(wanted, names)]);
    return -EINVAL;
}

/* The option of that letter in the other case; else the first one whose name begins with it. */
static const struct option_row *nearest_letter(const struct parser *parser, char letter)
{
    const char other_case = (char)(letter ^ 0x20);
    for (size_t i = 0; i < option_row_count; i++)
        if (is_for(parser, &option_rows[i]) && option_rows[i].letter == other_case)
            return &option_rows[i];
    for (size_t i = 0; i < option_row_count; i++)
        if (is_for(parser, &option_rows[i]) &&
            (option_rows[i].name[0] == letter || option_rows[i].name[0] == other_case))
            return &option_rows[i];
    return NULL;
}

static int unknown_short(struct parser *parser, const char *at)
{
    uint32_t character;
    size_t length = utf8_decode((const unsigned char *)at, strlen(at), &character);
    const struct option_row *near = nearest_letter(parser, *at);
    text_puts(parser->message, "unknown option '-");
    escape_name(parser->message, at, length > 0 ? length : 1);
    if (near && near->letter)
        text_printf(parser->message, "'; the nearest is '-%c, --%s'", near->letter, near->name);
    else
        text_printf(parser->message, "'; the nearest is '--%s'", near ? near->name : "help");
    return -EINVAL;
}

/* Do what the row says; value: NULL if it takes none. */
static int apply_value(struct options *options, const struct option_row *row, const char *value,
                       struct text *why)
{
    char *member = (char *)options + row->member;
    if (row->apply)
        return row->apply(options, value, why);
    if (row->takes == TAKES_NOTHING) {
        *(bool *)member = true;
        return 0;
    }
    return option_word_find(row->words, value, (int *)(void *)member, why);
}

static int apply_row(struct parser *parser, const struct option_row *row, const char *value)
{
    struct text why = TEXT_INIT;
    int r = apply_value(parser->options, row, value, &why);
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

/* The rows for these commands that the word may mean: all of a name, or the beginning of one or of
 * several, of which two are told. Returns how many. */
static unsigned find_long(const char *word, size_t length, enum option_commands commands,
                          const struct option_row **ret_row, const struct option_row **ret_other)
{
    unsigned count = 0;
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        if (length == 0 || !(row->commands & commands) || strncmp(row->name, word, length) != 0)
            continue;
        *ret_other = *ret_row;
        *ret_row = row;
        if (row->name[length] == '\0')
            return 1;
        count++;
    }
    return count;
}

/* --name, --name=value, --name value; name may be cut short where it stays unambiguous. */
static int parse_long(struct parser *parser, const char *word)
{
    const size_t length = strcspn(word, "=");
    const struct option_row *row = NULL, *other = NULL;
    const unsigned count = find_long(word, length, parser->command, &row, &other);
    if (count == 0 && find_long(word, length, FOR_ALL, &row, &other) > 0)
        return misplaced(parser, row);
    if (count == 0)
        return unknown_long(parser, word, length);
    if (count > 1) {
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
        for (size_t i = 0; i < option_row_count && !(row && is_for(parser, row)); i++)
            if (option_rows[i].letter == *at)
                row = &option_rows[i];
        if (!row)
            return unknown_short(parser, at);
        if (!is_for(parser, row))
            return misplaced(parser, row);
        if (row->argument)
            return at[1] ? apply_row(parser, row, at + 1) : apply_with_next(parser, row);
        int r = apply_row(parser, row, NULL);
        if (r < 0 || is_answered(parser->options))
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
        if (r == 0 && is_answered(parser->options))
            return 0;
    }
    if (r == 0 && parser->command == FOR_ONE)
        return one_settle_options(parser->options, parser->message);
    if (r == 0 && parser->command == FOR_BENCH)
        return bench_settle_options(parser->options, parser->message);
    if (r == 0 && parser->options->path_count == 0 && !parser->options->files_from) {
        text_puts(parser->message, "no PATH given; try 'thumbpool --help'");
        r = -EINVAL;
    }
    return r;
}

int options_parse(int argc, char **argv, struct options *ret_options, struct text *reterr_message)
{
    const bool one = argc > 1 && strcmp(argv[1], ONE_COMMAND) == 0;
    const bool bench = argc > 1 && strcmp(argv[1], BENCH_COMMAND) == 0;
    const enum options_action command = one ? OPTIONS_ONE : bench ? OPTIONS_BENCH : OPTIONS_RUN;
    struct options options = {.action = command,
                              .command = command,
                              .box_width_px = 256,
                              .box_height_px = 256,
                              .format = one ? ONE_FORMAT_BY_NAME : IMG_FORMAT_UNKNOWN,
                              .quality = 80,
                              .background = {255, 255, 255},
                              .backend = POOL_BACKEND_PROCESS,
                              .timeout_ms = 30 * 1000,
                              .pixels_max = UINT64_C(512) * 1000 * 1000,
                              .memory_bytes = (uint64_t)1 << 30,
                              .fail_on = IMG_FAIL_ON_ERROR,
                              .words = argv};
    options.paths = calloc((size_t)(argc > 0 ? argc : 0) + 1, sizeof(*options.paths));
    if (!options.paths)
        return -ENOMEM;
    struct parser parser = {.options = &options,
                            .message = reterr_message,
                            .command = one     ? FOR_ONE
                                       : bench ? FOR_BENCH
                                               : FOR_RUN,
                            .argv = argv,
                            .argc = argc,
                            .at = one || bench ? 2 : 1};
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
    free(options->globs);
    free(options->paths);
    options->globs = NULL;
    options->glob_count = 0;
    options->paths = NULL;
    options->path_count = 0;
}
