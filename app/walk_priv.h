/* walk_priv.h: every file below the PATHs, one at a time.
 *
 * What --include and --exclude leave out is an input that is skipped; a folder that they leave out
 * is not entered. So is a file that has its turn as a PATH of its own (inputs_priv.h says when).
 *
 * Folders are read through held descriptors, never by paths put together; a folder's files come
 * first, then its subfolders, both in bytewise order. Memory is bounded by one listing a level,
 * descriptors by WALK_HELD_MAX plus one for each symbolic link on the way down. */
#ifndef APP_WALK_PRIV_H
#define APP_WALK_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "glob_priv.h"
#include "inode_set_priv.h"
#include "inputs_priv.h"

struct walk;

struct walk_options {
    bool hidden;
    bool follow;
    unsigned max_depth;              /* 0: no limit */
    size_t held_max;                 /* descriptors kept open; 0: WALK_HELD_MAX */
    unsigned number;                 /* of those that go through the same inputs: from 0 */
    struct globs *globs;             /* what is left out; borrowed; NULL: nothing */
    const struct inode_set *outputs; /* folders that are not entered; may grow while walking */
    struct inode_set *read_folders;  /* gets every folder entered; NULL: not wanted */
};

#define WALK_HELD_MAX 32

enum walk_kind {
    WALK_FILE,    /* seems to be a regular file: open it to know */
    WALK_SKIPPED, /* an input that is not looked into: why */
    WALK_FAILED   /* a folder or PATH that cannot be read: error */
};

/** One input. Its strings and dir_fd are borrowed until the next walk_next(). */
struct walk_entry {
    enum walk_kind kind;
    size_t input; /* index of its PATH in inputs.list; what is there lasts as long as this */
    int dir_fd;   /* WALK_FILE: open open_name below it */
    const char *open_name;
    const char *folder; /* below the PATH: "" or "a/b"; may be long */
    const char *name;   /* in folder; "" when the PATH itself is meant */
    bool named;         /* it is a PATH itself */
    bool through_link;  /* open it through a symbolic link */
    const char *why;    /* WALK_SKIPPED: static storage */
    int error;          /* WALK_FAILED: negative errno */
};

/** options, inputs: borrowed until walk_free(). ret_walk: owned. Returns 0 or -ENOMEM. */
int walk_create(const struct walk_options *options, const struct inputs *inputs,
                struct walk **ret_walk);

struct walk *walk_free(struct walk *walk);

/** The next input.
 *  last_try: descriptors or memory may be short for the moment because others hold them. false:
 *  say so (-EAGAIN) and change nothing; true: the folder counts as unreadable.
 *  Returns 1 with an entry, 0 at the end, -EAGAIN, or with last_try -ENOMEM: no more can be had. */
int walk_next(struct walk *walk, bool last_try, struct walk_entry *ret_entry);

/** Give the entry back that walk_next() returned last: it comes again. */
void walk_unget(struct walk *walk);

/** Give back what descriptors can be found again later. */
void walk_relieve(struct walk *walk);

/** Note that the last entry is being tried; ask whether the file of that name (length bytes) in
 *  the last entry's folder is. Always false for named entries. */
void walk_mark_tried(struct walk *walk);
bool walk_sibling_tried(const struct walk *walk, const char *name, size_t length);

/** Few words for what a mode is that is no regular file: static storage. */
const char *walk_describe_mode(mode_t mode);

/** Is this a lack of descriptors or memory, which others may give back, or a mere interruption? */
bool walk_error_passes(int error);

#endif
