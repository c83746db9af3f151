/* inputs.c: see inputs_priv.h. */
#include "inputs_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "escape_priv.h"

/* A copy of path without the slashes at its end; "/" stays. */
static char *copy_trimmed(const char *path)
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

static int look_at(const char *path, struct input *input)
{
    struct stat st;
    input->path = copy_trimmed(path);
    input->base = input->path ? base_name(input->path) : NULL;
    if (!input->path || !input->base)
        return -ENOMEM;
    input->prefix = "";
    /* As given, not trimmed: "file/" is an error that the user should see. */
    if (stat(path, &st) < 0) {
        input->kind = INPUT_MISSING;
        input->error = -errno;
        return 0;
    }
    input->real = realpath(path, NULL);
    if (!input->real && errno == ENOMEM)
        return -ENOMEM;
    input->mode = st.st_mode;
    input->device = st.st_dev;
    input->inode = st.st_ino;
    input->kind = S_ISDIR(st.st_mode)   ? INPUT_FOLDER
                  : S_ISREG(st.st_mode) ? INPUT_FILE
                                        : INPUT_OTHER;
    return 0;
}

static bool has_place(const struct input *input)
{
    return input->kind == INPUT_FOLDER || input->kind == INPUT_FILE;
}

/* The folder that a "thumbs" for this PATH goes into. */
static char *parent_of(const struct input *input)
{
    const char *slash = strrchr(input->path, '/');
    if (input->kind == INPUT_FOLDER)
        return strdup(input->path);
    if (!slash)
        return strdup(".");
    return strndup(input->path, slash == input->path ? 1 : (size_t)(slash - input->path));
}

/* The root "thumbs" in parent_path (take), shared with earlier PATHs of the same folder. */
static int add_thumbs_root(struct inputs *inputs, char *parent_path, size_t *ret_root)
{
    struct stat st;
    struct text path = TEXT_INIT;
    int r = 0;
    if (stat(parent_path, &st) < 0) {
        r = -errno;
        goto out;
    }
    for (size_t i = inputs->root_count; i-- > 0;) {
        if (inputs->roots[i].parent_device == st.st_dev &&
            inputs->roots[i].parent_inode == st.st_ino) {
            *ret_root = i;
            goto out;
        }
    }
    text_puts(&path, parent_path);
    text_join(&path, THUMBS_NAME);
    if (text_failed(&path)) {
        r = -ENOMEM;
        goto out;
    }
    *ret_root = inputs->root_count;
    inputs->roots[inputs->root_count++] = (struct output_root){.path = path.data,
                                                               .parent_path = parent_path,
                                                               .parent_device = st.st_dev,
                                                               .parent_inode = st.st_ino};
    return 0;
out:
    text_done(&path);
    free(parent_path);
    return r;
}

/* No --output: each PATH has its own root. */
static int place_beside(struct inputs *inputs)
{
    for (size_t i = 0; i < inputs->count; i++) {
        struct input *input = &inputs->list[i];
        if (!has_place(input))
            continue;
        char *parent_path = parent_of(input);
        int r = parent_path ? add_thumbs_root(inputs, parent_path, &input->root) : -ENOMEM;
        if (r == -ENOMEM)
            return r;
        if (r < 0) { /* it went away since it was looked at */
            input->kind = INPUT_MISSING;
            input->error = r;
        }
    }
    return 0;
}

static int compare_bases(const void *left, const void *right)
{
    const struct input *const *a = left, *const *b = right;
    return strcmp((*a)->base, (*b)->base);
}

/* Two PATHs of one base name would meet below --output. */
static int refuse_equal_bases(const struct inputs *inputs, struct text *message)
{
    const struct input **sorted = calloc(inputs->count + 1, sizeof(const struct input *));
    size_t count = 0;
    int r = 0;
    if (!sorted)
        return -ENOMEM;
    for (size_t i = 0; i < inputs->count; i++)
        if (has_place(&inputs->list[i]))
            sorted[count++] = &inputs->list[i];
    qsort(sorted, count, sizeof(const struct input *), compare_bases);
    for (size_t i = 1; i < count && r == 0; i++) {
        if (strcmp(sorted[i - 1]->base, sorted[i]->base) != 0)
            continue;
        const bool in_order = sorted[i - 1] < sorted[i]; /* both point into one array */
        const char *first = sorted[in_order ? i - 1 : i]->path;
        const char *second = sorted[in_order ? i : i - 1]->path;
        text_puts(message, "--output: '");
        escape_name(message, first, strlen(first));
        text_puts(message, "' and '");
        escape_name(message, second, strlen(second));
        text_puts(message, "' have the same name and would meet there");
        r = -EINVAL;
    }
    free(sorted);
    return r;
}

static int place_below(struct inputs *inputs, const char *output, struct text *message)
{
    inputs->roots[0].path = copy_trimmed(output);
    if (!inputs->roots[0].path)
        return -ENOMEM;
    inputs->root_count = 1;
    if (inputs->count > 1)
        for (size_t i = 0; i < inputs->count; i++)
            if (inputs->list[i].kind == INPUT_FOLDER)
                inputs->list[i].prefix = inputs->list[i].base;
    return refuse_equal_bases(inputs, message);
}

int inputs_create(const struct options *options, struct inputs **ret_inputs,
                  struct text *reterr_message)
{
    struct inputs *inputs = calloc(1, sizeof(*inputs));
    if (!inputs)
        return -ENOMEM;
    int r = 0;
    inputs->list = calloc(options->path_count, sizeof(*inputs->list));
    inputs->roots = calloc(options->path_count, sizeof(*inputs->roots));
    if (!inputs->list || !inputs->roots)
        r = -ENOMEM;
    for (size_t i = 0; i < options->path_count && r == 0; i++) {
        inputs->count = i + 1;
        r = look_at(options->paths[i], &inputs->list[i]);
    }
    if (r == 0)
        r = options->output ? place_below(inputs, options->output, reterr_message)
                            : place_beside(inputs);
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
    for (size_t i = 0; i < inputs->count; i++) {
        free(inputs->list[i].path);
        free(inputs->list[i].real);
        free(inputs->list[i].base);
    }
    for (size_t i = 0; i < inputs->root_count; i++) {
        free(inputs->roots[i].path);
        free(inputs->roots[i].parent_path);
    }
    free(inputs->list);
    free(inputs->roots);
    free(inputs);
    return NULL;
}

int inputs_register(const struct inputs *inputs, struct inode_set *folders, struct inode_set *files)
{
    for (size_t i = 0; i < inputs->count; i++) {
        const struct input *input = &inputs->list[i];
        int r = 0;
        if (input->kind == INPUT_FOLDER)
            r = inode_set_add(folders, input->device, input->inode);
        else if (input->kind == INPUT_FILE)
            r = inode_set_add(files, input->device, input->inode);
        if (r < 0)
            return r;
    }
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
