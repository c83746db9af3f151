/* one_priv.h: the command "one": one thumbnail, to exactly one file. */
#ifndef APP_ONE_PRIV_H
#define APP_ONE_PRIV_H

#include "options_priv.h"
#include "text_priv.h"

#define ONE_COMMAND "one"

/** options.format until one_settle_options(): nothing was said, so OUTPUT's name decides. */
#define ONE_FORMAT_BY_NAME IMG_FORMAT_COUNT

/** What the words after "one" mean, when all have been read: INPUT, OUTPUT, and the format that
 *  OUTPUT's extension asks for if --format did not.
 *  reterr_message: as for options_parse().  Returns 0 or -EINVAL. */
int one_settle_options(struct options *options, struct text *reterr_message);

/** Make the thumbnail.  options: as from options_parse(), of OPTIONS_ONE.
 *  Returns the program's exit code. */
int one_make(const struct options *options);

#endif
