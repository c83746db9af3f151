/* plan_priv.h: what is to be done with a file that the walk met: try it or not, and what its
 * thumbnail is called. Nothing here depends on what others in the run do, but for two files of one
 * folder that want one name. */
#ifndef APP_PLAN_PRIV_H
#define APP_PLAN_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <imaging/imaging.h>

#include "inputs_priv.h"
#include "text_priv.h"
#include "walk_priv.h"

enum plan_verdict {
    PLAN_TRY,     /* fd is open, the candidates are set */
    PLAN_SKIPPED, /* why */
    PLAN_FAILED   /* slug and message: unreadable, or the name is taken */
};

/** The one or two names that a thumbnail may get. With --format auto only the finished thumbnail
 *  settles it. */
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
    struct text folder; /* below the output root */
    struct plan_names names;
};

/** Prepare, and release; a plan is used for one entry after the other. */
void plan_init(struct plan *plan);
void plan_done(struct plan *plan);

/** Decide about one WALK_FILE entry.
 *  format: as asked for; IMG_FORMAT_UNKNOWN is auto.
 *  last_try: as for walk_next().
 *  Returns 0 with a verdict, -EAGAIN (only without last_try), or -ENOMEM. */
int plan_make(struct plan *plan, struct walk *walk, const struct walk_entry *entry,
              const struct inputs *inputs, enum img_format format, bool last_try);

static inline int64_t plan_mtime_ns(const struct plan *plan)
{
    return (int64_t)plan->st.st_mtim.tv_sec * 1000000000 + plan->st.st_mtim.tv_nsec;
}

/** The default name of a thumbnail: the source's if its extension says the format already, else
 *  the source's name plus the format's extension. format: JPEG or PNG. */
void plan_name(struct text *text, const char *name, enum img_format format);

/** The source's name as it is shown: PATH, folder and name. */
void plan_shown(struct text *text, const struct inputs *inputs, const struct walk_entry *entry);

/** What the first bytes of an open file look like; UNKNOWN too if it cannot be read. */
enum img_format plan_probe(int fd);

/** The part of name after its last dot, or "" (also for ".name"). Borrowed from name. */
const char *plan_extension(const char *name);

#endif
