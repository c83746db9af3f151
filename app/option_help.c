/* option_help.c: --help, from the table of options. */
#include <string.h>

#include "one_priv.h"
#include "option_rows_priv.h"

#define HELP_COLUMN 28
#define HELP_WIDTH  80

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

static void help_rows(struct text *text, enum option_commands command)
{
    for (size_t i = 0; i < option_row_count; i++)
        if (option_rows[i].commands & command)
            help_row(text, &option_rows[i]);
}

/* Which of the options are not for "one", or for "bench". */
static void help_exceptions(struct text *text, const char *command, enum option_commands which)
{
    size_t line_start = text->length;
    const char *separator = "";
    text_printf(text, "%s takes all of these but ", command);
    for (size_t i = 0; i < option_row_count; i++) {
        if ((option_rows[i].commands & which) || !(option_rows[i].commands & FOR_RUN))
            continue;
        text_puts(text, separator);
        if (text->length - line_start + strlen(option_rows[i].name) + 4 > HELP_WIDTH) {
            text_puts(text, "\n");
            line_start = text->length;
        } else if (separator[0]) {
            text_puts(text, " ");
        }
        text_printf(text, "--%s", option_rows[i].name);
        separator = ",";
    }
    text_puts(text, ".\n");
}

static void help_run(struct text *text)
{
    text_puts(text, "Usage: thumbpool [OPTIONS] PATH...\n"
                    "       thumbpool one [OPTIONS] INPUT OUTPUT\n"
                    "       thumbpool bench [OPTIONS] PATH...\n"
                    "Make thumbnails of the pictures that PATH... are, or have in them; or one of "
                    "INPUT,\nto exactly OUTPUT; or measure how fast that goes.\n\n");
    help_rows(text, FOR_RUN);
    text_puts(text, "\n");
    help_exceptions(text, "one", FOR_ONE);
    help_exceptions(text, "bench", FOR_BENCH);
    text_puts(text,
              "\n'--' ends the options. A thumbnail keeps its picture's name where that already "
              "says\nthe format (a.jpg), else the format is added (a.png.jpg). A folder called one "
              "or bench\nis given as ./one. 'thumbpool bench --help' tells of bench.\n");
}

static void help_one(struct text *text)
{
    text_puts(text, "Usage: thumbpool one [OPTIONS] INPUT OUTPUT\n"
                    "Make one thumbnail of the picture INPUT, to exactly OUTPUT. Its folder must "
                    "exist;\na file of that name is replaced.\n\n");
    help_rows(text, FOR_ONE);
    text_puts(text, "\nWithout --format, OUTPUT's extension decides: .jpg and .jpeg are JPEG, .png "
                    "is PNG,\nand what is no picture's extension is PNG, as desktops expect it.\n");
}

static void help_bench(struct text *text)
{
    text_puts(text, "Usage: thumbpool bench [OPTIONS] PATH...\n"
                    "       thumbpool bench --example [OPTIONS] [PATH]\n"
                    "Put the same pictures through a plain loop, the serial backend, and threads "
                    "and\nprocesses with several numbers of workers, round by round, and compare. "
                    "What is\nmade goes into a temporary folder.\n\n");
    help_rows(text, FOR_BENCH);
}

void options_help(struct text *text, enum options_action command)
{
    if (command == OPTIONS_ONE)
        help_one(text);
    else if (command == OPTIONS_BENCH)
        help_bench(text);
    else
        help_run(text);
    text_printf(text,
                "\nExit status: 0 %s; 2 usage;\n"
                "3 the run could not go on; 128+N ended by signal N.\n",
                command == OPTIONS_ONE ? "made; 1 failed"
                                       : "all made; 1 some files failed, the others were made");
}
