/* run_priv.h: one run of the program over its PATHs. */
#ifndef APP_RUN_PRIV_H
#define APP_RUN_PRIV_H

#include "options_priv.h"
#include "thumb_task_priv.h"

#define EXIT_SOME_FAILED  1
#define EXIT_USAGE        2
#define EXIT_CANNOT_GO_ON 3
#define EXIT_SIGNAL_BASE  128

/** Make the thumbnails, or say what would be made.  options: as from options_parse().
 *  Returns the program's exit code. */
int run_paths(const struct options *options);

/** What the options ask of a worker, for every file alike. */
struct thumb_request run_request(const struct options *options);

#endif
