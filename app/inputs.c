/* inputs.c: see inputs_priv.h. */
#include "inputs_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "escape_priv.h"
#include "inputs_parts_priv.h"

int inputs_note(struct inputs *inputs, const struct input *input)
{
    if (!input_has_place(input))
        return 0;
    struct output_root *root = &inputs->roots[input->root];
    root->has_folder |= input->kind == INPUT_FOLDER;
    root->has_file |= input->kind == INPUT_FILE;
    if (input->kind == INPUT_FOLDER)
        return 0;
    int r = inode_set_add(&inputs->named, input->device, input->inode);
    if (r == 0)
        r = inode_set_add(&inputs->named_again, input->device, input->inode);
    return r < 0 ? r : 0;
}

/* No --output: each PATH has its own root. */
static int place_beside(struct inputs *inputs)
{
    for (size_t i = 0; i < inputs->count; i++) {
        struct input *input = &inputs->list[i];
        if (!input_has_place(input))
            continue;
        char *parent_path = input_parent(input);
        int r = parent_path ? inputs_thumbs_root(inputs, parent_path, true, &input->root) : -ENOMEM;
        free(parent_path);
        if (r == -ENOMEM)
            return r;
        if (r < 0) { /* it went away since it was looked at */
            input->kind = INPUT_MISSING;
            input->error = r;
        }
    }
    return 0;
}

/* What has a name below --output. */
struct named {
    const char *base;
    const char *path;
    size_t at; /* in the order of the PATHs */
};

static int compare_bases(const void *left, const void *right)
{
    const struct named *a = left, *b = right;
    const int order = strcmp(a->base, b->base);
    return order != 0 ? order : a->at < b->at ? -1 : 1;
}

/* Two PATHs of one base name would meet below --output. Of --files-from this concerns the folders:
 * files that meet are told one by one when it comes to them. */
static int refuse_equal_bases(const struct inputs *inputs, struct text *message)
{
    const struct listed_folders *folders = inputs_listed_folders(inputs);
    struct named *sorted = calloc(inputs->count + folders->count + 1, sizeof(*sorted));
    size_t count = 0;
    int r = 0;
    if (!sorted)
        return -ENOMEM;
    for (size_t i = 0; i < inputs->count; i++) {
        const struct input *input = &inputs->list[i];
        if (input_has_place(input))
            sorted[count++] = (struct named){input->base, input->path, i};
    }
    for (size_t i = 0; i < folders->count; i++)
        sorted[count++] =
            (struct named){folders->list[i].base, folders->list[i].real, inputs->count + i};
    qsort(sorted, count, sizeof(*sorted), compare_bases);
    for (size_t i = 1; i < count && r == 0; i++) {
        if (strcmp(sorted[i - 1].base, sorted[i].base) != 0)
            continue;
        text_puts(message, "--output: '");
        escape_name(message, sorted[i - 1].path, strlen(sorted[i - 1].path));
        text_puts(message, "' and '");
        escape_name(message, sorted[i].path, strlen(sorted[i].path));
        text_puts(message, "' have the same name and would meet there");
        r = -EINVAL;
    }
    free(sorted);
    return r;
}

static int place_below(struct inputs *inputs, const char *output)
{
    int r = inputs_add_given_root(inputs, output);
    for (size_t i = 0; r == 0 && inputs->several && i < inputs->count; i++)
        if (inputs->list[i].kind == INPUT_FOLDER)
            inputs->list[i].prefix = inputs->list[i].base;
    return r;
}

/* Look at all PATHs and find their places. */
static int find_places(struct inputs *inputs, const struct options *options, struct text *message)
{
    bool is_link;
    int r = 0;
    for (size_t i = 0; i < options->path_count && r == 0; i++) {
        inputs->count = i + 1;
        r = input_look_at(options->paths[i], &inputs->list[i], &is_link);
        if (r == 0)
            r = input_find_real(&inputs->list[i]);
    }
    inputs->several = options->path_count + inputs_listed_count(inputs) > 1;
    if (r == 0)
        r = options->output ? place_below(inputs, options->output) : place_beside(inputs);
    for (size_t i = 0; i < inputs->count && r == 0; i++)
        r = inputs_note(inputs, &inputs->list[i]);
    if (r == 0)
        r = inputs_listed_note(inputs);
    if (r == 0)
        r = options->output ? refuse_equal_bases(inputs, message) : inputs_note_places(inputs);
    return r;
}

int inputs_create(const struct options *options, struct inputs **ret_inputs,
                  struct text *reterr_message)
{
    struct inputs *inputs = calloc(1, sizeof(*inputs));
    if (!inputs)
        return -ENOMEM;
    inputs->list = calloc(options->path_count + INPUTS_WALKS, sizeof(*inputs->list));
    int r = inputs->list ? inputs_listed_read(inputs, options, reterr_message) : -ENOMEM;
    if (r < 0 && r != -ENOMEM)
        r = -EINVAL; /* the list is not what the user thinks it is */
    if (r == 0)
        r = find_places(inputs, options, reterr_message);
    if (r < 0) {
        inputs_free(inputs);
        return r;
    }
    *ret_inputs = inputs;
    return 0;
}

struct inputs *inputs_free(struct inputs *inputs)
{
    if (!inputs)
        return NULL;
    for (size_t i = 0; inputs->list && i < inputs->count; i++)
        input_done(&inputs->list[i]);
    inputs_listed_done(inputs);
    inputs_roots_done(inputs);
    inode_set_done(&inputs->named);
    inode_set_done(&inputs->named_again);
    free(inputs->list);
    free(inputs);
    return NULL;
}

int inputs_register(const struct inputs *inputs, struct inode_set *folders)
{
    for (size_t i = 0; i < inputs->count; i++) {
        const struct input *input = &inputs->list[i];
        if (input->kind == INPUT_FOLDER && inode_set_add(folders, input->device, input->inode) < 0)
            return -ENOMEM;
    }
    const struct listed_folders *listed = inputs_listed_folders(inputs);
    for (size_t i = 0; i < listed->count; i++)
        if (inode_set_add(folders, listed->list[i].device, listed->list[i].inode) < 0)
            return -ENOMEM;
    return 0;
}

int inputs_register_roots(const struct inputs *inputs, struct inode_set *roots)
{
    struct stat st;
    for (size_t i = 0; i < inputs->root_count; i++) {
        const struct output_root *root = &inputs->roots[i];
        /* A "thumbs" that is a link is refused when it comes to writing; it is no root. */
        int r = root->parent_path ? lstat(root->path, &st) : stat(root->path, &st);
        if (r < 0 || !S_ISDIR(st.st_mode))
            continue;
        r = inode_set_add(roots, st.st_dev, st.st_ino);
        if (r < 0)
            return r;
    }
    return 0;
}

bool inputs_name_file(const struct inputs *inputs, dev_t device, ino_t inode)
{
    return inode_set_has(&inputs->named, device, inode);
}
