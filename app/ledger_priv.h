/* ledger_priv.h: which sources failed, remembered from run to run.
 *
 * One file at an output root. A source that kills whoever works on it would otherwise be tried
 * again after each restart, for ever; and failures are what a user wants to try again. What is
 * remembered holds for one version of a source: its time of change and its size.
 *
 * The file is a log: each change is appended with one write, the last line of a path wins, and the
 * end of a run writes anew what is left, or removes the file. Several runs may use one at once. */
#ifndef APP_LEDGER_PRIV_H
#define APP_LEDGER_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#define LEDGER_NAME ".thumbpool-failed"

/* The failure of a source that a program was working on when it died. */
#define LEDGER_SLUG_PROGRAM_DIED "program-died"

struct ledger; /* one output root's; one thread uses it */

struct ledger_source {
    const char *path; /* absolute, any bytes, any length */
    int64_t mtime_ns;
    uint64_t size_bytes;
};

struct ledger_entry {
    unsigned deaths;
    const char *slug; /* of the last failure */
};

/* dir_fd below: the output root, opened for reading, borrowed for the call; -1: there is none yet.
 *
 * Functions that write return 0 or a negative errno value:
 *   -ENOENT    dir_fd is -1
 *   -EINVAL    a path that is not absolute, or no slug: nothing has changed
 *   -ENOMEM    nothing has changed, or it is remembered, but not written
 *   -EEXIST    something else has the name: no regular file, or one with several names
 *   -ENOTSUP   a file of that name is not of this format and version: it is left as it is
 *   -EFBIG     the file is or would be larger than LEDGER_BYTES_MAX
 *   -EBUSY     somebody has kept the file locked for seconds
 *   another    the system's word (-EROFS, -EACCES, -ENOSPC ...)
 * But for -EINVAL and -ENOMEM the change is remembered in memory, and written with the next that
 * can be. */
#define LEDGER_BYTES_MAX (INT64_C(64) * 1024 * 1024)

/** Read what earlier runs have left. Nothing is written and nobody waited for. A file that is
 *  missing or cannot be used is an empty ledger; a line that makes no sense is passed over.
 *  ret_ledger: owned.  Returns 0, -ENOMEM, or the system's word if it has no random bytes. */
int ledger_open(int dir_fd, struct ledger **ret_ledger);

/** Why the file could not be used when it was opened: 0, or one of the values above. */
int ledger_problem(const struct ledger *ledger);

/** Forget the memory. What was begun and has no end yet counts as if the program had died. */
struct ledger *ledger_free(struct ledger *ledger);

/** What is known of a source; NULL if nothing, or if it has changed since: it begins anew.
 *  The entry is borrowed until the next call. */
const struct ledger_entry *ledger_find(struct ledger *ledger, const struct ledger_source *source);

/** Did the source fail when it was last tried, be it changed since? What has been repaired is
 *  worth another attempt too. */
bool ledger_lists(struct ledger *ledger, const char *path);

/** Has any source failed? */
bool ledger_knows_any(const struct ledger *ledger);

/** Note that a source is worked on where a crash takes the whole program along. It is with the
 *  kernel when this returns, so a kill cannot undo it. If the program dies before the source
 *  fails or settles, the next ledger_open() counts one death more. */
int ledger_begin(struct ledger *ledger, int dir_fd, const struct ledger_source *source);

/** Note a failure.  slug: small letters and hyphens, below 32 bytes.  deaths: how many workers it
 *  took along, or was stopped in, this time. */
int ledger_fail(struct ledger *ledger, int dir_fd, const struct ledger_source *source,
                const char *slug, unsigned deaths);

/** Forget a source: it was made. Nothing is written if nothing was known. */
int ledger_settle(struct ledger *ledger, int dir_fd, const struct ledger_source *source);

/** Write what is remembered and has not been written. */
int ledger_write(struct ledger *ledger, int dir_fd);

/** Which paths this run is about: ledger_close() looks for no others. The file may name any path,
 *  and looking for one can wake an automounter, or hang.  is_ours: called by ledger_close() only;
 *  it may also say no to end the search.  data: handed through. Without this, all are looked for.
 */
void ledger_limit(struct ledger *ledger, bool (*is_ours)(const char *path, void *data), void *data);

/** End of the run: what was begun by it and has no end is as before; the file is written anew with
 *  what is left, or removed if nothing is. Nothing is written if nothing has changed.
 *  complete: the run went through all its sources, so others are looked for, and forgotten if they
 *  do not exist any more.
 *  Returns as above: an error only if the file lacks something. It may be called again. */
int ledger_close(struct ledger *ledger, int dir_fd, bool complete);

#endif
