/* option_rows_priv.h: the table of the command line's options: what each is called, takes, means
 * and does. Everything that speaks of options is made from it, so that nothing can disagree:
 * parsing (options.c), --help (option_help.c), the manual page (manual.c) and what shells complete
 * (completion.c). */
#ifndef APP_OPTION_ROWS_PRIV_H
#define APP_OPTION_ROWS_PRIV_H

#include <stddef.h>

#include "options_priv.h"

/** Which commands know an option. */
enum option_commands {
    FOR_RUN = 1,
    FOR_ONE = 2,
    FOR_BENCH = 4,
    FOR_RUN_ONE = FOR_RUN | FOR_ONE,
    FOR_RUN_BENCH = FOR_RUN | FOR_BENCH,
    FOR_ALL = FOR_RUN | FOR_ONE | FOR_BENCH
};

/** What an argument is: what a shell offers for it. */
enum option_takes {
    TAKES_NOTHING,
    TAKES_TEXT,   /* anything; words, where there are some, are examples */
    TAKES_NUMBER, /* nothing that could be offered */
    TAKES_GLOB,   /* a pattern; the option may be given again */
    TAKES_FOLDER,
    TAKES_FILE,
    TAKES_WORD /* exactly one of words */
};

/** A word that an option takes, and what it stands for. */
struct option_word {
    const char *word; /* NULL ends a list */
    int value;
};

/* One option. What it does is one of three things:
 *   apply    sets it from value (NULL for an option without argument); when the value makes no
 * sense it says why, in words that follow "--name: ", and returns -EINVAL. TAKES_WORD without
 * apply: the int (or enum) at the offset `member` in struct options becomes the word's value.
 *   TAKES_NOTHING without apply: the bool at the offset `member` becomes true. */
struct option_row {
    char letter; /* 0: none */
    const char *name;
    const char *argument; /* as it is shown; NULL: takes none */
    enum option_takes takes;
    enum option_commands commands;
    const struct option_word *words; /* NULL: none */
    /* Lines of --help: they end in \n, the last one does not. What comes before the first ':', ';'
     * or bracket is what a shell says about the option. */
    const char *help;
    int (*apply)(struct options *options, const char *value, struct text *why);
    size_t member;
};

/** There are no more than so many. */
#define OPTION_ROWS_MAX 64

extern const struct option_row option_rows[];
extern const size_t option_row_count;

/** No list of words is longer. */
#define OPTION_WORDS_MAX 16

/** The value of a word of the list.
 *  why: for a word that is not in it, the list and the nearest.  Returns 0 or -EINVAL. */
int option_word_find(const struct option_word *words, const char *value, int *ret_value,
                     struct text *why);

/** Say in short, in one line, what the option is for: for shells. */
void option_brief(struct text *text, const struct option_row *row);

#endif
