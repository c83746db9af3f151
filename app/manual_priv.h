/* manual_priv.h: the manual page, from the table of options and a page without them. */
#ifndef APP_MANUAL_PRIV_H
#define APP_MANUAL_PRIV_H

#include "text_priv.h"

/** Append all options in roff, as the section OPTIONS has them. */
void manual_options(struct text *text);

/** Append the page.
 *  page: thumbpool.1.in: a line that is exactly @OPTIONS@ gives way to the options, @VERSION@ and
 *  @DATE@ anywhere to version and date.  */
void manual_page(struct text *text, const char *page, const char *version, const char *date);

#endif
