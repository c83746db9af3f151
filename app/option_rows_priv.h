/* option_rows_priv.h: the table of the command line's options: what each is called, takes, means
 * and does. Private to options.c, which parses with it and prints --help from it. */
#ifndef APP_OPTION_ROWS_PRIV_H
#define APP_OPTION_ROWS_PRIV_H

#include <stddef.h>

#include "options_priv.h"

/* One option. apply sets it from value (NULL for an option without argument); when the value
 * makes no sense it says why, in words that follow "--name: ", and returns -EINVAL. */
struct option_row {
    char letter; /* 0: none */
    const char *name;
    const char *argument; /* NULL: takes none */
    const char *help;     /* lines end in \n, the last one does not */
    int (*apply)(struct options *options, const char *value, struct text *why);
    size_t flag; /* without apply: the offset of a bool in struct options that is set */
};

/** There are no more than so many. */
#define OPTION_ROWS_MAX 64

extern const struct option_row option_rows[];
extern const size_t option_row_count;

#endif
