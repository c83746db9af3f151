/* manual.c: see manual_priv.h. */
#include "manual_priv.h"

#include <ctype.h>
#include <string.h>

#include "option_rows_priv.h"

/* No longer lines in the source of the page. */
#define FILL_WIDTH 76

/* A byte as roff must have it to show just this byte. */
static void add_byte(struct text *text, char byte)
{
    switch (byte) {
    case '\\':
        text_puts(text, "\\e");
        break;
    case '-': /* without this it is a hyphen, which nobody can paste into a shell */
        text_puts(text, "\\-");
        break;
    case '\'':
        text_puts(text, "\\(aq");
        break;
    default:
        text_add(text, &byte, 1);
    }
}

static void add_word(struct text *text, const char *word, size_t length)
{
    for (size_t i = 0; i < length; i++)
        add_byte(text, word[i]);
}

/* Words, filled into lines, as a sentence. A line never begins with what roff would take for a
 * request. */
static void add_filled(struct text *text, const char *words)
{
    size_t line_start = text->length;
    for (const char *at = words; *at;) {
        const size_t length = strcspn(at, " \n");
        const bool is_first = text->length == line_start;
        if (!is_first && text->length - line_start + length + 1 > FILL_WIDTH) {
            text_puts(text, "\n");
            line_start = text->length;
        } else if (!is_first) {
            text_puts(text, " ");
        }
        if (text->length == line_start && (*at == '.' || *at == '\''))
            text_puts(text, "\\&");
        if (at == words) {
            const char capital = (char)toupper((unsigned char)*at);
            add_byte(text, capital);
            add_word(text, at + 1, length - 1);
        } else {
            add_word(text, at, length);
        }
        at += length;
        at += strspn(at, " \n");
    }
    text_puts(text, ".\n");
}

static void add_option(struct text *text, const struct option_row *row)
{
    text_puts(text, ".TP\n");
    if (row->letter)
        text_printf(text, "\\fB\\-%c\\fR, ", row->letter);
    text_puts(text, "\\fB\\-\\-");
    add_word(text, row->name, strlen(row->name));
    text_puts(text, "\\fR");
    if (row->argument)
        text_printf(text, "=\\fI%s\\fR", row->argument);
    text_puts(text, "\n");
    add_filled(text, row->help);
    if (row->commands == FOR_BENCH)
        text_puts(text, "Only for \\fBbench\\fR.\n");
    else if (row->commands == FOR_RUN)
        text_puts(text, "Not for \\fBone\\fR and \\fBbench\\fR.\n");
    else if (!(row->commands & FOR_ONE))
        text_puts(text, "Not for \\fBone\\fR.\n");
    else if (!(row->commands & FOR_BENCH))
        text_puts(text, "Not for \\fBbench\\fR.\n");
}

void manual_options(struct text *text)
{
    for (size_t i = 0; i < option_row_count; i++)
        add_option(text, &option_rows[i]);
}

static bool begins_with(const char *at, const char *word)
{
    return strncmp(at, word, strlen(word)) == 0;
}

void manual_page(struct text *text, const char *page, const char *version, const char *date)
{
    static const char options_mark[] = "@OPTIONS@\n", version_mark[] = "@VERSION@",
                      date_mark[] = "@DATE@";
    for (const char *at = page; *at;) {
        if (begins_with(at, options_mark) && (at == page || at[-1] == '\n')) {
            manual_options(text);
            at += strlen(options_mark);
        } else if (begins_with(at, version_mark)) {
            text_puts(text, version);
            at += strlen(version_mark);
        } else if (begins_with(at, date_mark)) {
            text_puts(text, date);
            at += strlen(date_mark);
        } else {
            const size_t length = 1 + strcspn(at + 1, "@");
            text_add(text, at, length);
            at += length;
        }
    }
}
