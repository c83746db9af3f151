/* version_priv.h: what this program is, and what it runs on. */
#ifndef APP_VERSION_PRIV_H
#define APP_VERSION_PRIV_H

#include "text_priv.h"

/** Append lines: the program's version, and those of the libraries, which are loaded for it. */
void version_describe(struct text *text);

#endif
