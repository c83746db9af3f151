/* inputs_listed.c: the PATHs of --files-from, lent to walks one at a time (see inputs_priv.h).
 *
 * They are gone through several times: once before the run, to know the roots and the sources, and
 * then by each walk. Lists mostly have the files of a folder one after the other, so a walk
 * remembers what it has found out about the folder of the last one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "inputs_parts_priv.h"
#include "path_list_priv.h"
#include "signals_priv.h"

struct lender {
    struct text parent;      /* as it is written in the list; empty: none yet */
    struct text real_parent; /* empty: it cannot be told */
    size_t root;
    int error;            /* why there is no root */
    struct inode_set met; /* names of files that are named several times */
};

struct inputs_listed {
    struct path_list *list; /* NULL: there is none */
    bool given_root;
    size_t count;
    struct lender lenders[INPUTS_WALKS];
    struct listed_folders folders;
    struct inode_set places; /* names of files in folder PATHs that are named themselves */
};

/* A name in a folder, as 16 bytes in an inode_set. Those that only seem to be the same would have
 * to agree in all of them. */
static int place_add(struct inode_set *set, uint64_t device, uint64_t inode, const char *name,
                     bool only_look)
{
    uint64_t a = (device ^ UINT64_C(0xcbf29ce484222325)) * UINT64_C(0x9e3779b97f4a7c15);
    uint64_t b = (inode ^ UINT64_C(0x84222325cbf29ce4)) * UINT64_C(0xc2b2ae3d27d4eb4f);
    a ^= b >> 29;
    for (; *name; name++) {
        a = (a ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
        b = (b + (unsigned char)*name) * UINT64_C(0xff51afd7ed558ccd);
        b ^= b >> 32;
    }
    b = b != 0 ? b : 1; /* 0 marks a free slot */
    return only_look ? inode_set_has(set, (dev_t)a, (ino_t)b)
                     : inode_set_add(set, (dev_t)a, (ino_t)b);
}

/* ---- Lending ------------------------------------------------------------------------------- */

/* Find out about the folder that a file is in, unless it is the one of the last file. */
static int find_parent(struct inputs *inputs, struct lender *lender, const char *path, bool add)
{
    const size_t length = inputs_parent_length(path);
    const char *parent = length > 0 ? path : ".";
    const size_t parent_length = length > 0 ? length : 1;
    int r = 0;
    if (lender->parent.length == parent_length &&
        memcmp(lender->parent.data, parent, parent_length) == 0)
        return 0;
    text_cut(&lender->parent, 0);
    text_cut(&lender->real_parent, 0);
    text_add(&lender->parent, parent, parent_length);
    char *real = text_failed(&lender->parent) ? NULL : realpath(lender->parent.data, NULL);
    text_puts(&lender->real_parent, real ? real : "");
    free(real);
    if (text_failed(&lender->parent) || text_failed(&lender->real_parent))
        r = -ENOMEM;
    else if (!inputs->listed->given_root)
        r = inputs_thumbs_root(inputs, lender->parent.data, add, &lender->root);
    if (r == -ENOMEM)
        text_cut(&lender->parent, 0); /* to be asked again */
    lender->error = r;
    return r == -ENOMEM ? r : 0;
}

/* The place of a folder. */
static int place_folder(struct inputs *inputs, struct input *input, bool add)
{
    if (inputs->listed->given_root) {
        input->prefix = inputs->several ? input->base : "";
        return 0;
    }
    return inputs_thumbs_root(inputs, input->path, add, &input->root);
}

/* The place of a file, and its path from the root folder on. */
static int place_file(struct inputs *inputs, struct lender *lender, struct input *input,
                      bool is_link, bool add)
{
    struct text real = TEXT_INIT;
    int r = find_parent(inputs, lender, input->path, add);
    if (r < 0)
        return r;
    input->root = lender->root;
    if (is_link || lender->real_parent.length == 0) {
        r = input_find_real(input);
        return r < 0 ? r : lender->error;
    }
    text_puts(&real, lender->real_parent.data);
    text_join(&real, input->base);
    if (text_failed(&real)) {
        text_done(&real);
        return -ENOMEM;
    }
    input->real = real.data;
    return lender->error;
}

/* Look at one PATH of the list and put it into the walk's place. */
static int lend(struct inputs *inputs, unsigned walk, const char *path, bool add)
{
    struct input *input = &inputs->list[inputs->count + walk];
    bool is_link;
    input_done(input);
    int r = input_look_at(path, input, &is_link);
    if (r == 0 && input->kind == INPUT_FILE)
        r = place_file(inputs, &inputs->listed->lenders[walk], input, is_link, add);
    else if (r == 0)
        r = input_find_real(input);
    if (r == 0 && input->kind == INPUT_FOLDER)
        r = place_folder(inputs, input, add);
    if (r == 0 || r == -ENOMEM)
        return r;
    input->kind = INPUT_MISSING; /* it went away since it was looked at */
    input->error = r;
    return 0;
}

int inputs_lend(const struct inputs *inputs, unsigned walk, size_t *at)
{
    size_t next = *at;
    const char *path = path_list_next(inputs->listed->list, &next);
    if (!path)
        return 0;
    /* The place is the walk's own, and nothing is added: no other walk sees a change. */
    int r = lend((struct inputs *)inputs, walk, path, false);
    if (r < 0)
        return r;
    *at = next;
    return 1;
}

/* ---- Before the run ------------------------------------------------------------------------ */

int inputs_listed_read(struct inputs *inputs, const struct options *options,
                       struct text *reterr_message)
{
    struct inputs_listed *listed = calloc(1, sizeof(*listed));
    int r = 0;
    if (!listed)
        return -ENOMEM;
    inputs->listed = listed;
    listed->given_root = options->output != NULL;
    if (options->files_from)
        r = path_list_read(options->files_from, options->null, &listed->list, reterr_message);
    size_t at = 0;
    while (r == 0 && path_list_next(listed->list, &at))
        listed->count++;
    return r;
}

/* The next PATH, in the first walk's place. Returns 1, 0 at the end, or -ENOMEM. */
static int next_known(struct inputs *inputs, size_t *at, bool add)
{
    const char *path = signals_caught() ? NULL : path_list_next(inputs->listed->list, at);
    if (!path)
        return 0;
    int r = lend(inputs, 0, path, add);
    return r < 0 ? r : 1;
}

int inputs_listed_note(struct inputs *inputs)
{
    const struct input *input = &inputs->list[inputs->count];
    size_t at = 0;
    int r;
    while ((r = next_known(inputs, &at, true)) == 1) {
        r = inputs_note(inputs, input);
        if (r == 0 && input->kind == INPUT_FOLDER)
            r = listed_folders_add(&inputs->listed->folders, input);
        if (r < 0)
            return r;
    }
    return r;
}

size_t inputs_listed_count(const struct inputs *inputs)
{
    return inputs->listed->count;
}

const struct listed_folders *inputs_listed_folders(const struct inputs *inputs)
{
    return &inputs->listed->folders;
}

static int note_place(struct inputs *inputs, const struct input *input)
{
    if (input->kind != INPUT_FILE || !inputs->roots[input->root].has_folder)
        return 0;
    const struct output_root *root = &inputs->roots[input->root];
    int r = place_add(&inputs->listed->places, root->parent_device, root->parent_inode, input->base,
                      false);
    return r < 0 ? r : 0;
}

int inputs_note_places(struct inputs *inputs)
{
    bool any = false;
    for (size_t i = 0; i < inputs->root_count; i++)
        any |= inputs->roots[i].has_folder && inputs->roots[i].has_file;
    int r = 0;
    for (size_t i = 0; any && r == 0 && i < inputs->count; i++)
        r = note_place(inputs, &inputs->list[i]);
    for (size_t at = 0; any && r == 0 && (r = next_known(inputs, &at, false)) == 1;)
        r = note_place(inputs, &inputs->list[inputs->count]);
    return r;
}

void inputs_listed_done(struct inputs *inputs)
{
    struct inputs_listed *listed = inputs->listed;
    if (!listed)
        return;
    for (unsigned i = 0; i < INPUTS_WALKS; i++) {
        input_done(&inputs->list[inputs->count + i]);
        text_done(&listed->lenders[i].parent);
        text_done(&listed->lenders[i].real_parent);
        inode_set_done(&listed->lenders[i].met);
    }
    listed_folders_done(&listed->folders);
    inode_set_done(&listed->places);
    path_list_free(listed->list);
    free(listed);
    inputs->listed = NULL;
}

/* ---- What is named several times ------------------------------------------------------------ */

bool inputs_met_before(const struct inputs *inputs, unsigned walk, const struct input *input)
{
    struct stat st;
    if (!inode_set_has(&inputs->named_again, input->device, input->inode))
        return false;
    char *parent = input_parent(input);
    const bool known = parent && stat(parent, &st) == 0;
    free(parent);
    return known && place_add(&inputs->listed->lenders[walk].met, st.st_dev, st.st_ino, input->base,
                              false) == 0;
}

bool inputs_name_in_folder(const struct inputs *inputs, dev_t device, ino_t inode, const char *name)
{
    return inputs->listed->places.count > 0 &&
           place_add(&inputs->listed->places, device, inode, name, true) == 1;
}

bool inputs_list_covers(const struct inputs *inputs, const char *path)
{
    const struct listed_folders *folders = &inputs->listed->folders;
    for (size_t i = 0; i < folders->count && signals_caught() == 0; i++) {
        const char *real = folders->list[i].real;
        const size_t length = strlen(real);
        if (strncmp(path, real, length) == 0 &&
            (path[length] == '/' || path[length] == '\0' || length == 1))
            return true;
    }
    return false;
}
