/* failures_priv.h: the run's memory of sources that failed: one ledger (ledger_priv.h) for each
 * output root, opened when it is first needed.
 *
 * A source that took workers along too often, in this run and earlier ones, is not tried again.
 * Where a crash would take the program itself along (threads, serial), each source is noted before
 * it is worked on. With worker processes that would only blame those that happened to be in flight
 * when somebody killed the program: there a death is noted when it happens.
 *
 * That a ledger cannot be written is told once and stops nothing: thumbnails matter more. */
#ifndef APP_FAILURES_PRIV_H
#define APP_FAILURES_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "commit_priv.h"
#include "inputs_priv.h"
#include "options_priv.h"
#include "report_priv.h"
#include "text_priv.h"
#include "walk_priv.h"

struct failures;

/** A file whose worker dies is tried once more in the same run: it may have been anybody's fault.
 */
#define FAILURES_RETRIES 1

/** In all runs together, a file takes no more workers along than that. */
#define FAILURES_DEATHS_MAX 4

/** Is a source to be tried? */
enum failures_verdict {
    FAILURES_TRY,
    FAILURES_QUARANTINED, /* it took its worker along too often */
    FAILURES_NOT_LISTED   /* --retry-failed, and it did not fail last time */
};

/** options, inputs, commit, report: borrowed until failures_free(). Returns 0 or -ENOMEM. */
int failures_create(const struct options *options, const struct inputs *inputs,
                    struct commit *commit, struct report *report, struct failures **ret_failures);

struct failures *failures_free(struct failures *failures);

/** The path that a source is remembered by, appended to path: empty if it has none. */
void failures_path(struct text *path, const struct inputs *inputs, const struct walk_entry *entry);

/** What to do with a source. st: as it is now. path: as from failures_path(). */
enum failures_verdict failures_judge(struct failures *failures, size_t root, const char *path,
                                     const struct stat *st);

/** It is going to be worked on; it failed, taking so many workers along; it was made, or need not
 *  be.  path: "" does nothing.  mtime_ns, size_bytes: 0 where the source could not be looked at. */
void failures_begin(struct failures *failures, size_t root, const char *path, int64_t mtime_ns,
                    uint64_t size_bytes);
void failures_note(struct failures *failures, size_t root, const char *path, int64_t mtime_ns,
                   uint64_t size_bytes, const char *slug, unsigned deaths);
void failures_settle(struct failures *failures, size_t root, const char *path, int64_t mtime_ns,
                     uint64_t size_bytes);

/** The end of a run. complete: it met all its sources. */
void failures_close(struct failures *failures, bool complete);

#endif
