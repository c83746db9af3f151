/* inputs_parts_priv.h: what inputs.c, inputs_listed.c, inputs_look.c and inputs_roots.c share;
 * private to them. */
#ifndef APP_INPUTS_PARTS_PRIV_H
#define APP_INPUTS_PARTS_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "inputs_priv.h"

/** A folder of --files-from. */
struct listed_folder {
    char *real; /* owned */
    char *base; /* owned */
    dev_t device;
    ino_t inode;
};

/** A copy of path without the slashes at its end; "/" stays. NULL without memory. */
char *inputs_trim(const char *path);

/** Look at one PATH, but for its root, its prefix and its `real`.
 *  input: its strings are the caller's to release, also on failure.  Returns 0 or -ENOMEM. */
int input_look_at(const char *path, struct input *input, bool *ret_is_link);

/** Find out its `real`.  Returns 0 or -ENOMEM. */
int input_find_real(struct input *input);

void input_done(struct input *input);

/** It has an output root: a folder or a file. */
bool input_has_place(const struct input *input);

/** How much of path is the folder that it is in; 0: the current one. */
size_t inputs_parent_length(const char *path);

/** The folder that a "thumbs" for this PATH goes into. Owned; NULL without memory. */
char *input_parent(const struct input *input);

/** Take down the root "thumbs" in a folder, and a folder of --files-from.
 *  On failure there is nothing to release.  Returns 0 or -ENOMEM. */
int output_root_fill(struct output_root *root, const char *parent_path, const struct stat *st);
int listed_folder_fill(struct listed_folder *folder, const struct input *input);

/** A PATH is known now: what is named, and what has a root. Returns 0 or -ENOMEM. */
int inputs_note(struct inputs *inputs, const struct input *input);

/* ---- Roots (inputs_roots.c) ---- */

/** Add the root of --output, which is the only one then. Returns 0 or -ENOMEM. */
int inputs_add_given_root(struct inputs *inputs, const char *path);

/** The root "thumbs" in a folder.
 *  add: make it known if it is not; else that is -ESTALE: it was another folder a while ago.
 *  Returns 0, -ENOMEM, or why the folder cannot be looked at. */
int inputs_thumbs_root(struct inputs *inputs, const char *parent_path, bool add, size_t *ret_root);

void inputs_roots_done(struct inputs *inputs);

/* ---- The PATHs of --files-from (inputs_listed.c) ---- */

/** The folders among them. All zero is empty. */
struct listed_folders {
    struct listed_folder *list;
    size_t count;
    size_t capacity;
};

/** Returns 0 or -ENOMEM. */
int listed_folders_add(struct listed_folders *folders, const struct input *input);

void listed_folders_done(struct listed_folders *folders);

/** Prepare for walks, and read the list if there is one. inputs->list has its places already.
 *  Returns 0, -ENOMEM, or another negative errno value with reterr_message. */
int inputs_listed_read(struct inputs *inputs, const struct options *options,
                       struct text *reterr_message);

/** Look at each PATH of it once. Returns 0 or -ENOMEM. */
int inputs_listed_note(struct inputs *inputs);

size_t inputs_listed_count(const struct inputs *inputs);

/** Borrowed. */
const struct listed_folders *inputs_listed_folders(const struct inputs *inputs);

/** Note which files are named, and met in a folder PATH too. Returns 0 or -ENOMEM. */
int inputs_note_places(struct inputs *inputs);

void inputs_listed_done(struct inputs *inputs);

#endif
