/* completion_priv.h: what shells complete on the command line, from the table of options. */
#ifndef APP_COMPLETION_PRIV_H
#define APP_COMPLETION_PRIV_H

#include "text_priv.h"

/** Append the whole file that the shell reads. */
void completion_bash(struct text *text);
void completion_zsh(struct text *text);
void completion_fish(struct text *text);

#endif
