/* inputs_priv.h: the PATHs of the command line, and where the thumbnails of each belong.
 *
 * Every PATH has an output root, a folder, and a prefix below it. Roots that are the same folder
 * by other names are one root here. Nothing is created yet: that is for commit. */
#ifndef APP_INPUTS_PRIV_H
#define APP_INPUTS_PRIV_H

#include <stdbool.h>
#include <stddef.h>
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
};

struct inputs {
    struct input *list;
    size_t count;
    struct output_root *roots;
    size_t root_count;
};

/** Look at each PATH once.
 *  ret_inputs: owned; release with inputs_free(). reterr_message: as for options_parse().
 *  Returns 0, -EINVAL (usage: equal base names below one --output) or -ENOMEM. */
int inputs_create(const struct options *options, struct inputs **ret_inputs,
                  struct text *reterr_message);

struct inputs *inputs_free(struct inputs *inputs);

/** Add every folder PATH to folders and every file PATH to files. Returns 0 or -ENOMEM. */
int inputs_register(const struct inputs *inputs, struct inode_set *folders,
                    struct inode_set *files);

/** Add the roots that exist already. Returns 0 or -ENOMEM. */
int inputs_register_roots(const struct inputs *inputs, struct inode_set *roots);

#endif
