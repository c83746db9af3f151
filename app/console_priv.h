/* console_priv.h: lines to standard output and standard error, each written whole. */
#ifndef APP_CONSOLE_PRIV_H
#define APP_CONSOLE_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "text_priv.h"

struct console {
    int out_error; /* why standard output takes no more: negative errno, 0 while it does */
};

/** Write a text to standard output. Once that has failed, or a signal has come while the reader
 *  did not read, texts are dropped. */
void console_out(struct console *console, const struct text *text);

/** Write a text to standard error; failures are nobody's concern. */
void console_err(const struct text *text);

/** One line on standard error, "thumbpool: words", where there is no report yet, or none any more.
 *  words: safe to show. */
void console_complain(const char *words);

/** Would a short text be taken at once by both? */
bool console_has_room(void);

/** Make sure that descriptors 0, 1 and 2 are open, so that no file of ours takes their place.
 *  Returns 0 or a negative errno value. */
int console_open_missing(void);

#endif
