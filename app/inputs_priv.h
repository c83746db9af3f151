/* inputs_priv.h: the PATHs of the command line and of --files-from, and where the thumbnails of
 * each belong.
 *
 * Every PATH has an output root, a folder, and a prefix below it. Roots that are the same folder
 * by other names are one root here. Nothing is created yet: that is for commit.
 *
 * The PATHs of --files-from may be a million. Before the run each is looked at once, for what must
 * be known beforehand: the roots, and which files are sources. That costs 16 bytes a file. While
 * the run goes on, a walk borrows one after the other as a `struct input` that lasts until the
 * next.
 *
 * A file that is named twice, by one name in one folder, is an input each time, but tried once.
 * Other names of it, hard links and symbolic links, are files like others. A file that is named,
 * and that a folder PATH has too, is tried as named, and left out there if its thumbnail would go
 * to the same place. */
#ifndef APP_INPUTS_PRIV_H
#define APP_INPUTS_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "inode_set_priv.h"
#include "options_priv.h"
#include "text_priv.h"

#define THUMBS_NAME "thumbs"

enum input_kind { INPUT_FOLDER, INPUT_FILE, INPUT_OTHER, INPUT_MISSING };

struct input {
    char *path; /* owned; without slashes at the end */
    char *real; /* owned: the same from the root folder on; NULL: it cannot be told */
    enum input_kind kind;
    mode_t mode; /* of INPUT_OTHER: what it is */
    int error;   /* of INPUT_MISSING: negative errno */
    dev_t device;
    ino_t inode;
    char *base;         /* owned: the last name of path */
    size_t root;        /* index into inputs.roots; of folders and files only */
    const char *prefix; /* folder below the root: "" or base; borrowed */
};

struct output_root {
    char *path;        /* owned: how it is opened when given by --output, and always shown */
    char *parent_path; /* owned: the folder that "thumbs" is made in; NULL: given by --output */
    dev_t parent_device;
    ino_t parent_inode;
    bool has_folder; /* a folder PATH has it */
    bool has_file;
};

/** So many walks may go through the inputs at the same time. */
#define INPUTS_WALKS 2

struct inputs_listed;

struct inputs {
    struct input *list; /* those of the command line, and then a place for each walk: the PATH of
                         * --files-from that it is at */
    size_t count;       /* of the command line */
    struct output_root *roots;
    size_t root_count;
    bool several;                 /* PATHs are more than one */
    struct inode_set named;       /* all files that are PATHs */
    struct inode_set named_again; /* of them: those that are PATHs several times */
    struct inputs_listed *listed; /* owned; of --files-from, and what walks need */

    /* Private to inputs_roots.c. */
    size_t root_capacity;
    uint32_t *root_slots;
    size_t root_slot_count;
};

/** Look at each PATH once.
 *  ret_inputs: owned; release with inputs_free(). reterr_message: as for options_parse().
 *  A signal that is caught meanwhile ends it early, with what is known by then.
 *  Returns 0, -EINVAL (usage: equal base names below one --output, a list that cannot be read) or
 *  -ENOMEM. */
int inputs_create(const struct options *options, struct inputs **ret_inputs,
                  struct text *reterr_message);

struct inputs *inputs_free(struct inputs *inputs);

/** Add every folder PATH to folders. Returns 0 or -ENOMEM. */
int inputs_register(const struct inputs *inputs, struct inode_set *folders);

/** Add the roots that exist already. Returns 0 or -ENOMEM. */
int inputs_register_roots(const struct inputs *inputs, struct inode_set *roots);

/** The next PATH of --files-from, for a walk (from 0, below INPUTS_WALKS): it is put into its place
 *  in list, list[count + walk].
 *  at: where the walk is, 0 in the beginning; it is moved on.
 *  Returns 1, 0 at the end, or -ENOMEM (it can be asked again). */
int inputs_lend(const struct inputs *inputs, unsigned walk, size_t *at);

/** Has the walk asked this about the same name of the same file already? Where memory is short for
 *  the answer it is no. */
bool inputs_met_before(const struct inputs *inputs, unsigned walk, const struct input *input);

/** Is a file directly in a folder PATH a PATH itself, whose thumbnail would go to the same place?
 */
bool inputs_name_in_folder(const struct inputs *inputs, dev_t device, ino_t inode,
                           const char *name);

/** Is that path, from the root folder on, below a folder of --files-from? */
bool inputs_list_covers(const struct inputs *inputs, const char *path);

/** Is that file a PATH, of the command line or of --files-from? */
bool inputs_name_file(const struct inputs *inputs, dev_t device, ino_t inode);

#endif
