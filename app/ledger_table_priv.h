/* ledger_table_priv.h: what the ledger holds in memory, found by path. */
#ifndef APP_LEDGER_TABLE_PRIV_H
#define APP_LEDGER_TABLE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger_line_priv.h"

struct ledger_item {
    struct ledger_item *next;            /* in its bucket */
    struct ledger_item *earlier, *later; /* among those that are not written yet */
    uint64_t hash;
    struct ledger_record record;
    bool on_disk; /* the file has a line of it */
    bool unsaved; /* but that is not the last word */
    bool met;     /* in this run: it exists */
    size_t length;
    char path[]; /* not terminated */
};

/** Chained; the hash is keyed, since who writes the file chooses the paths.
 *  All zero is fine for ledger_table_done(). */
struct ledger_table {
    struct ledger_item **buckets;
    unsigned bits; /* of the number of buckets */
    size_t count;
    uint64_t secret[2];
    struct ledger_item *unsaved, *unsaved_last; /* in the order of ledger_table_mark() */
};

/** Returns 0, -ENOMEM, or the system's word if it has no random bytes. */
int ledger_table_init(struct ledger_table *table);

void ledger_table_done(struct ledger_table *table);

/** NULL if there is none. */
struct ledger_item *ledger_table_find(const struct ledger_table *table, const char *path,
                                      size_t length);

/** Find it, or add it with nothing known.  Returns 0 or -ENOMEM. */
int ledger_table_get(struct ledger_table *table, const char *path, size_t length,
                     struct ledger_item **ret_item);

void ledger_table_remove(struct ledger_table *table, struct ledger_item *item);

/** The item after this one, in no order; NULL: the first.  NULL after the last. Items that were
 *  passed may be removed; while some are added, nothing holds. */
struct ledger_item *ledger_table_next(const struct ledger_table *table,
                                      const struct ledger_item *item);

/** It differs from the file now. */
void ledger_table_mark(struct ledger_table *table, struct ledger_item *item);

/** It does not, or not any more. */
void ledger_table_unmark(struct ledger_table *table, struct ledger_item *item);

#endif
