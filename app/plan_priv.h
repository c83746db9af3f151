/* plan_priv.h: what is to be done with a file that the walk met: try it or not, and what its
 * thumbnail is called. Nothing here depends on what others in the run do, but for two files of one
 * folder that want one name. */
#ifndef APP_PLAN_PRIV_H
#define APP_PLAN_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include <imaging/imaging.h>

#include "inputs_priv.h"
#include "name_template_priv.h"
#include "options_priv.h"
#include "text_priv.h"
#include "walk_priv.h"

enum plan_verdict {
    PLAN_TRY,     /* fd is open, the candidates are set */
    PLAN_SKIPPED, /* why */
    PLAN_FAILED   /* slug and message: unreadable, no name comes of the template, or it is taken */
};

/** The one or two places below the output root that a thumbnail may get: "a/b/c.jpg". With --format
 *  auto only the finished thumbnail settles it. */
struct plan_names {
    struct text jpeg; /* empty: it will not be a JPEG */
    struct text png;
};

struct plan {
    enum plan_verdict verdict;
    int fd;                 /* PLAN_TRY: owned, -1 otherwise */
    struct stat st;         /* of fd; zero if it could not be looked at, or need not be */
    enum img_format format; /* PLAN_TRY: what its first bytes look like */
    const char *why;        /* PLAN_SKIPPED: static storage */
    const char *slug;       /* PLAN_FAILED: static storage */
    struct text message;
    struct plan_names names;
    struct text bad_name; /* why no name comes of the template; else empty */
    const char *name;     /* of the source; borrowed from the entry or the PATH */
    bool may_be_picture;  /* by its name, or because it was named */
};

/** Prepare, and release; a plan is used for one entry after the other. */
void plan_init(struct plan *plan);
void plan_done(struct plan *plan);

/** Begin with one WALK_FILE entry: forget the one before, and set the names. Nothing is opened.
 *  source: as from failures_path(), borrowed for the call.  Returns 0 or -ENOMEM. */
int plan_begin(struct plan *plan, const struct walk_entry *entry, const struct inputs *inputs,
               const struct options *options, const char *source);

/** Decide about the entry of plan_begin().
 *  last_try: as for walk_next().
 *  Returns 0 with a verdict, -EAGAIN (only without last_try), or -ENOMEM. */
int plan_make(struct plan *plan, struct walk *walk, const struct walk_entry *entry,
              const struct options *options, bool last_try);

/** The one name that the thumbnail will have, or NULL while that depends on its pixels. Borrowed.
 */
const char *plan_only_name(const struct plan *plan);

/** A time of change as the ledger knows it. Beyond the year 2262 it begins anew. */
static inline int64_t plan_time_ns(const struct timespec *time)
{
    return (int64_t)((uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_nsec);
}

static inline int64_t plan_mtime_ns(const struct plan *plan)
{
    return plan_time_ns(&plan->st.st_mtim);
}

/** The default name of a thumbnail: the source's if its extension says the format already, else
 *  the source's name plus the format's extension. format: JPEG or PNG. */
void plan_name(struct text *text, const char *name, enum img_format format);

/** Append where a thumbnail in that format (JPEG or PNG) belongs, below the output root.
 *  why: gets words for the user, safe to show, if nothing comes of the template. */
void plan_place(const struct options *options, const struct name_parts *parts,
                enum img_format format, struct text *path, struct text *why);

/** The source's name as it is shown: PATH, folder and name. */
void plan_shown(struct text *text, const struct inputs *inputs, const struct walk_entry *entry);

/** What the first bytes of an open file look like; UNKNOWN too if it cannot be read. */
enum img_format plan_probe(int fd);

/** The part of name after its last dot, or "" (also for ".name"). Borrowed from name. */
const char *plan_extension(const char *name);

#endif
