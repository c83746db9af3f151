/* inputs_look.c: a look at one PATH (see inputs_parts_priv.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "inputs_parts_priv.h"

char *inputs_trim(const char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    return strndup(path, length);
}

/* The last name of path; "." and ".." are looked up. Empty for the root folder. */
static char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    if (strcmp(base, ".") != 0 && strcmp(base, "..") != 0)
        return strdup(base);
    char *real = realpath(path, NULL);
    if (!real)
        return errno == ENOMEM ? NULL : strdup(base);
    slash = strrchr(real, '/');
    char *copy = strdup(slash ? slash + 1 : real);
    free(real);
    return copy;
}

size_t inputs_parent_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return !slash ? 0 : slash == path ? 1 : (size_t)(slash - path);
}

int input_look_at(const char *path, struct input *input, bool *ret_is_link)
{
    struct stat st;
    *input = (struct input){.prefix = ""};
    *ret_is_link = false;
    input->path = inputs_trim(path);
    input->base = input->path ? base_name(input->path) : NULL;
    if (!input->path || !input->base)
        return -ENOMEM;
    /* As given, not trimmed: "file/" is an error that the user should see. */
    int r = lstat(path, &st);
    *ret_is_link = r == 0 && S_ISLNK(st.st_mode);
    if (*ret_is_link)
        r = stat(path, &st);
    if (r < 0) {
        input->kind = INPUT_MISSING;
        input->error = -errno;
        return 0;
    }
    input->mode = st.st_mode;
    input->device = st.st_dev;
    input->inode = st.st_ino;
    input->kind = S_ISDIR(st.st_mode)   ? INPUT_FOLDER
                  : S_ISREG(st.st_mode) ? INPUT_FILE
                                        : INPUT_OTHER;
    return 0;
}

int input_find_real(struct input *input)
{
    if (input->kind == INPUT_MISSING)
        return 0;
    input->real = realpath(input->path, NULL);
    return !input->real && errno == ENOMEM ? -ENOMEM : 0;
}

void input_done(struct input *input)
{
    free(input->path);
    free(input->real);
    free(input->base);
    *input = (struct input){.prefix = ""};
}

bool input_has_place(const struct input *input)
{
    return input->kind == INPUT_FOLDER || input->kind == INPUT_FILE;
}

char *input_parent(const struct input *input)
{
    const size_t length = inputs_parent_length(input->path);
    if (input->kind == INPUT_FOLDER)
        return strdup(input->path);
    return length > 0 ? strndup(input->path, length) : strdup(".");
}

int output_root_fill(struct output_root *root, const char *parent_path, const struct stat *st)
{
    struct text path = TEXT_INIT;
    text_puts(&path, parent_path);
    text_join(&path, THUMBS_NAME);
    *root = (struct output_root){.path = path.data,
                                 .parent_path = strdup(parent_path),
                                 .parent_device = st->st_dev,
                                 .parent_inode = st->st_ino};
    if (root->parent_path && !text_failed(&path))
        return 0;
    free(root->path);
    free(root->parent_path);
    return -ENOMEM;
}

int listed_folder_fill(struct listed_folder *folder, const struct input *input)
{
    *folder = (struct listed_folder){.real = strdup(input->real ? input->real : input->path),
                                     .base = strdup(input->base),
                                     .device = input->device,
                                     .inode = input->inode};
    if (folder->real && folder->base)
        return 0;
    free(folder->real);
    free(folder->base);
    return -ENOMEM;
}
