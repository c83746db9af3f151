/* ledgers.h: what the tests of the ledger share. Every function fails the running test when
 * something goes wrong that is not its result. */
#ifndef TESTS_APP_LEDGERS_H
#define TESTS_APP_LEDGERS_H

#include <stdbool.h>

#include "app/ledger_priv.h"

/* So often a source dies here. */
#define POISON_DEATHS 3

/** The output root, made if it is missing. Close it. */
int open_root(void);

/** The path of the ledger in it. */
const char *ledger_path(void);

/** Its contents. */
const char *ledger_text(void);
int ledger_lines(void);

struct ledger *open_ledger(int dir_fd);

/** Close the run and forget it: the end of a good run. */
void end_ledger(struct ledger *ledger, int dir_fd, bool complete);

/** A source that is the same each time, except for its path. */
struct ledger_source source_of(const char *path);

int fail_it(struct ledger *ledger, int dir_fd, const char *path, const char *slug, unsigned deaths);

/** Is it known with this slug and number of deaths?  slug: NULL: not known at all. */
bool knows(struct ledger *ledger, const char *path, const char *slug, unsigned deaths);

#endif
