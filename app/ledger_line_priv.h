/* ledger_line_priv.h: one line of the ledger. */
#ifndef APP_LEDGER_LINE_PRIV_H
#define APP_LEDGER_LINE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text_priv.h"

/* The first line: what the file is, and its version. */
#define LEDGER_HEADER "thumbpool-failed 1\n"

#define LEDGER_SLUG_BYTES 32
#define LEDGER_DEATHS_MAX 9999
#define LEDGER_RUN_MAX    (UINT64_C(1) << 48)

/** What a line says of a path. All zero: nothing is known of it any more. */
struct ledger_record {
    int64_t mtime_ns;
    uint64_t size_bytes;
    uint64_t run; /* works on it: 1..LEDGER_RUN_MAX; 0: none */
    unsigned deaths;
    char slug[LEDGER_SLUG_BYTES]; /* "": it has not failed */
};

/** Small letters and hyphens, a letter first, below LEDGER_SLUG_BYTES? */
bool ledger_slug_valid(const char *slug, size_t length);

/** Append "mtime size deaths slug run path" with tabs between and a line feed behind. */
void ledger_line_write(struct text *text, const struct ledger_record *record, const char *path,
                       size_t length);

/** Read a line without its line feed. Whoever can write to the folder can have written it.
 *  line: is changed; *ret_path, which is not terminated, lies within.
 *  Returns false if it makes no sense. */
bool ledger_line_read(char *line, size_t length, struct ledger_record *ret_record, char **ret_path,
                      size_t *ret_length);

#endif
