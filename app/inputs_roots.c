/* inputs_roots.c: see inputs_parts_priv.h.
 *
 * root_slots is a table with open addressing: the number of a root from 1, or 0 for a free slot. It
 * is at most half full. */
#include "inputs_parts_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FIRST_ROOTS 16

/* Where the root of that folder is, or belongs. There is a free slot. */
static size_t slot_of(const struct inputs *inputs, dev_t device, ino_t inode)
{
    const size_t mask = inputs->root_slot_count - 1;
    const uint64_t hash = ((uint64_t)inode ^ (uint64_t)device << 32) * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(hash ^ hash >> 32) & mask;
    for (; inputs->root_slots[at] != 0; at = (at + 1) & mask) {
        const struct output_root *root = &inputs->roots[inputs->root_slots[at] - 1];
        if (root->parent_device == device && root->parent_inode == inode)
            break;
    }
    return at;
}

/* Make room for one more root. */
static int reserve(struct inputs *inputs)
{
    if (inputs->root_count < inputs->root_capacity)
        return 0;
    const size_t capacity = inputs->root_capacity ? inputs->root_capacity * 2 : FIRST_ROOTS;
    if (capacity > UINT32_MAX / 2)
        return -ENOMEM;
    struct output_root *roots = reallocarray(inputs->roots, capacity, sizeof(*roots));
    if (!roots)
        return -ENOMEM;
    inputs->roots = roots;
    uint32_t *slots = calloc(capacity * 2, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    free(inputs->root_slots);
    inputs->root_slots = slots;
    inputs->root_slot_count = capacity * 2;
    inputs->root_capacity = capacity;
    for (size_t i = 0; i < inputs->root_count; i++)
        slots[slot_of(inputs, roots[i].parent_device, roots[i].parent_inode)] = (uint32_t)i + 1;
    return 0;
}

int inputs_add_given_root(struct inputs *inputs, const char *path)
{
    char *copy = inputs_trim(path);
    if (!copy || reserve(inputs) < 0) {
        free(copy);
        return -ENOMEM;
    }
    inputs->roots[inputs->root_count++] = (struct output_root){.path = copy};
    return 0;
}

static int add_thumbs_root(struct inputs *inputs, const char *parent_path, const struct stat *st,
                           size_t *ret_root)
{
    const size_t root = inputs->root_count;
    if (reserve(inputs) < 0 || output_root_fill(&inputs->roots[root], parent_path, st) < 0)
        return -ENOMEM;
    inputs->root_slots[slot_of(inputs, st->st_dev, st->st_ino)] = (uint32_t)root + 1;
    inputs->root_count++;
    *ret_root = root;
    return 0;
}

int inputs_thumbs_root(struct inputs *inputs, const char *parent_path, bool add, size_t *ret_root)
{
    struct stat st;
    if (stat(parent_path, &st) < 0)
        return -errno;
    if (inputs->root_slot_count > 0) {
        const uint32_t number = inputs->root_slots[slot_of(inputs, st.st_dev, st.st_ino)];
        if (number > 0) {
            *ret_root = number - 1;
            return 0;
        }
    }
    return add ? add_thumbs_root(inputs, parent_path, &st, ret_root) : -ESTALE;
}

void inputs_roots_done(struct inputs *inputs)
{
    for (size_t i = 0; i < inputs->root_count; i++) {
        free(inputs->roots[i].path);
        free(inputs->roots[i].parent_path);
    }
    free(inputs->roots);
    free(inputs->root_slots);
}

/* ---- Folders of --files-from ---------------------------------------------------------------- */

int listed_folders_add(struct listed_folders *folders, const struct input *input)
{
    if (folders->count == folders->capacity) {
        const size_t capacity = folders->capacity ? folders->capacity * 2 : FIRST_ROOTS;
        struct listed_folder *list = reallocarray(folders->list, capacity, sizeof(*list));
        if (!list)
            return -ENOMEM;
        folders->list = list;
        folders->capacity = capacity;
    }
    if (listed_folder_fill(&folders->list[folders->count], input) < 0)
        return -ENOMEM;
    folders->count++;
    return 0;
}

void listed_folders_done(struct listed_folders *folders)
{
    for (size_t i = 0; i < folders->count; i++) {
        free(folders->list[i].real);
        free(folders->list[i].base);
    }
    free(folders->list);
}
