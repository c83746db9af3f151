/* jobs_priv.h: the files that are being worked on, in the order in which the walk met them.
 *
 * Two jobs that may end in one output name are rivals. Results come in any order, but rivals are
 * settled in theirs: the later one's result is held until the earlier one is settled. So who gets
 * the name does not depend on the number of workers. */
#ifndef APP_JOBS_PRIV_H
#define APP_JOBS_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include <imaging/imaging.h>
#include <pool/pool.h>

#include "plan_priv.h"

struct job {
    struct job *earlier, *later;
    char *shown;     /* the source's path as it is reported */
    size_t root;     /* output root */
    char *jpeg_path; /* below it; NULL: cannot end as a JPEG */
    char *png_path;
    uint64_t keys[2]; /* of the places it may end in; 0: none */
    dev_t device;
    ino_t inode;
    mode_t mode;
    gid_t group;
    char *source; /* its path from the root folder on: what the ledger knows it by */
    char *origin; /* the folder that its stamp speaks of */
    char *note;   /* the stamp that its thumbnail gets */
    struct timespec mtime;
    int64_t mtime_ns;
    uint64_t source_bytes;
    int fd;                     /* owned; -1: a pool has taken it */
    struct job *next_waiting;   /* for its lane */
    uint64_t due;               /* as lanes count: not to be overtaken any more */
    bool is_picture;            /* else a worker reads no more than its beginning */
    uint64_t ahead_bytes;       /* that the kernel was asked to read */
    struct pool_future *future; /* owned; set while the result is held */
};

/** What a job is called; borrowed. */
struct job_names {
    const char *shown;
    const char *source;
    const char *origin;
    const char *note;
};

/** All zero is an empty list. */
struct jobs {
    struct job *first, *last;
    size_t count;
    size_t held; /* of them: with a result that is held */
};

/** Add a job for a plan whose verdict is PLAN_TRY.
 *  plan: its descriptor is taken.  shown, source, origin, note: copied.
 *  ret_job: borrowed; it lives in the list until jobs_remove().  Returns 0 or -ENOMEM. */
int jobs_add(struct jobs *jobs, struct plan *plan, size_t root, const struct job_names *names,
             struct job **ret_job);

void jobs_remove(struct jobs *jobs, struct job *job);
void jobs_remove_all(struct jobs *jobs);

/** Is an earlier rival of the job still in the list? */
bool jobs_has_rival(const struct job *job);

/** Hold a job's result. future: take. */
void jobs_hold(struct jobs *jobs, struct job *job, struct pool_future *future);

/** A held job that has no earlier rival any more, or NULL. */
struct job *jobs_released(const struct jobs *jobs);

/** Where the thumbnail belongs when it comes out in that format; NULL if that cannot be. */
const char *job_path(const struct job *job, enum img_format format);

#endif
