/* soak_tree.c: a tree of as many files as wanted, from a few dozen pictures.
 *
 * make_photos makes them in three sizes, every kind it knows in each: JPEG baseline and
 * progressive, turned by EXIF, with a colour profile, PNG opaque and not. TIFF comes along, which
 * workers of another kind read, through libvips. All else are hard links, in folders of
 * FOLDER_FILES. Every hundredth file is bad: cut short, empty, or text, in turn. */
#include "soak.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_FILES 200
#define BAD_EVERY    100
#define BAD_KINDS    3
#define TIFF_COUNT   2
#define TIFF_EVERY   8 /* so often that their workers warm up in time */
#define PICTURES_MAX 256

static const char *const sizes[] = {"160x120", "480x360", "1280x960"};

struct soak_tree {
    struct text root, source, output;
    char *pictures[PICTURES_MAX];
    size_t picture_count;
    char *bad[BAD_KINDS];
    size_t files; /* links made */
};

static int complain(int r, const char *path)
{
    fprintf(stderr, "thumbpool_soak: %s: %s\n", path, strerror(-r));
    return r;
}

static int write_file(const char *path, const void *data, size_t size_bytes)
{
    int r = 0;

    FILE *file = fopen(path, "wxe");
    if (!file)
        return complain(-errno, path);
    if (fwrite(data, 1, size_bytes, file) != size_bytes)
        r = -EIO;
    if (fclose(file) < 0 && r == 0)
        r = -errno;
    return r < 0 ? complain(r, path) : 0;
}

/* A name below the root; owned, NULL without memory. */
static char *name_below(const struct soak_tree *tree, const char *name)
{
    char *path;
    return asprintf(&path, "%s/%s", text_string(&tree->root), name) < 0 ? NULL : path;
}

/* ---- Pictures ------------------------------------------------------------------------------- */

/* Little-endian, uncompressed, one strip: a picture of 8 bits RGB that costs 30 lines. */
static size_t make_tiff(uint8_t *bytes, uint32_t width, uint32_t height, uint32_t seed)
{
    enum { LONG = 4, SHORT = 3, TAGS = 9, DATA = 8 + 2 + 12 * TAGS + 4 + 6 };
    const uint32_t size = width * height * 3, bits = DATA - 6;
    const uint32_t tags[TAGS][4] = {
        {256, LONG, 1, width}, {257, LONG, 1, height}, {258, SHORT, 3, bits},
        {259, SHORT, 1, 1},    {262, SHORT, 1, 2},     {273, LONG, 1, DATA},
        {277, SHORT, 1, 3},    {278, LONG, 1, height}, {279, LONG, 1, size}};
    uint8_t *at = bytes;

    memcpy(at, "II*\0\10\0\0\0", 8);
    at += 8;
    *at++ = TAGS;
    *at++ = 0;
    for (size_t i = 0; i < TAGS; i++)
        for (size_t k = 0; k < 4; k++)
            for (size_t byte = 0; byte < (k < 2 ? 2 : 4); byte++)
                *at++ = (uint8_t)(tags[i][k] >> 8 * byte);
    memcpy(at, "\0\0\0\0\10\0\10\0\10\0", 10); /* no other picture; the bits */
    at += 10;
    for (uint32_t i = 0; i < size; i++)
        *at++ = (uint8_t)((i / 3 % width + i / 3 / width * (1 + i % 3) + seed) >> 2);
    return (size_t)(at - bytes);
}

static int add_picture(struct soak_tree *tree, char *path)
{
    if (!path || tree->picture_count == PICTURES_MAX) {
        free(path);
        return path ? -E2BIG : -ENOMEM;
    }
    tree->pictures[tree->picture_count++] = path;
    return 0;
}

static int add_tiffs(struct soak_tree *tree)
{
    const uint32_t width = 640, height = 480;
    int r = 0;

    uint8_t *bytes = malloc(width * height * 3 + 4096);
    if (!bytes)
        return complain(-ENOMEM, "a picture");
    for (uint32_t i = 0; r == 0 && i < TIFF_COUNT; i++) {
        char name[32];
        snprintf(name, sizeof(name), "%u.tif", i);
        r = add_picture(tree, name_below(tree, name));
        if (r == 0)
            r = write_file(tree->pictures[tree->picture_count - 1], bytes,
                           make_tiff(bytes, width, height, i * 100));
    }
    free(bytes);
    return r;
}

static int by_name(const FTSENT **left, const FTSENT **right)
{
    return strcmp((*left)->fts_name, (*right)->fts_name);
}

/* Take all files of a folder that make_photos has made. */
static int add_folder(struct soak_tree *tree, char *folder)
{
    char *const roots[] = {folder, NULL};
    FTSENT *entry;
    int r = 0;

    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    if (!walk)
        return complain(-errno, folder);
    while (r == 0 && (entry = fts_read(walk)))
        if (entry->fts_info == FTS_F)
            r = add_picture(tree, strdup(entry->fts_path));
    fts_close(walk);
    return r < 0 ? complain(r, folder) : 0;
}

static int add_photos(struct soak_tree *tree, const char *maker)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char *folder = name_below(tree, sizes[i]);
        if (!folder)
            return complain(-ENOMEM, sizes[i]);
        char *const words[] = {(char *)maker,
                               (char *)"--count",
                               (char *)"24",
                               (char *)"--size",
                               (char *)sizes[i],
                               folder,
                               NULL};
        r = soak_call(words);
        r = r < 0 ? complain(r, maker) : add_folder(tree, folder);
        free(folder);
    }
    return r;
}

/* Cut short, empty, and text. */
static int add_bad(struct soak_tree *tree)
{
    static const char text[] = "no picture, whatever its name says\n";
    static const char *const names[BAD_KINDS] = {"cut.jpg", "empty.jpg", "text.jpg"};
    uint8_t start[3000];
    size_t size = 0;
    int r = 0;

    for (size_t i = 0; size < sizeof(start) && i < tree->picture_count; i++) {
        const char *end = strrchr(tree->pictures[i], '.');
        FILE *file = end && strcmp(end, ".jpg") == 0 ? fopen(tree->pictures[i], "re") : NULL;
        if (!file)
            continue;
        size = fread(start, 1, sizeof(start), file);
        fclose(file);
    }
    for (size_t i = 0; r == 0 && i < BAD_KINDS; i++) {
        tree->bad[i] = name_below(tree, names[i]);
        if (!tree->bad[i])
            return complain(-ENOMEM, names[i]);
        r = write_file(tree->bad[i], i == 0 ? (const void *)start : text,
                       i == 0   ? size
                       : i == 1 ? 0
                                : sizeof(text) - 1);
    }
    return r;
}

/* ---- The tree ------------------------------------------------------------------------------- */

int soak_tree_create(const char *folder, const char *maker, struct soak_tree **ret_tree)
{
    int r = -ENOMEM;

    struct soak_tree *tree = calloc(1, sizeof(*tree));
    if (!tree)
        return complain(r, folder);
    text_printf(&tree->root, "%s/thumbpool-soak.XXXXXX", folder);
    if (text_failed(&tree->root)) {
        complain(r, folder);
    } else if (!mkdtemp(tree->root.data)) {
        r = complain(-errno, folder);
        text_cut(&tree->root, 0); /* nothing to remove */
    } else {
        text_printf(&tree->source, "%s/photos", text_string(&tree->root));
        text_printf(&tree->output, "%s/thumbs", text_string(&tree->root));
        r = text_failed(&tree->source) || text_failed(&tree->output) ? complain(-ENOMEM, folder)
                                                                     : 0;
    }
    if (r == 0 && mkdir(text_string(&tree->source), 0700) < 0)
        r = complain(-errno, text_string(&tree->source));
    if (r == 0)
        r = add_photos(tree, maker);
    if (r == 0)
        r = add_tiffs(tree);
    if (r == 0)
        r = add_bad(tree);
    if (r < 0)
        soak_tree_free(tree);
    else
        *ret_tree = tree;
    return r;
}

/* One more link; a new folder where one begins. */
static int add_link(struct soak_tree *tree)
{
    const size_t number = tree->files;
    const bool is_bad = number % BAD_EVERY == BAD_EVERY - 1;
    const size_t photos = tree->picture_count - TIFF_COUNT;
    const size_t which = number % TIFF_EVERY == TIFF_EVERY - 1
                             ? photos + number / TIFF_EVERY % TIFF_COUNT
                             : number % photos;
    const char *from = is_bad ? tree->bad[number / BAD_EVERY % BAD_KINDS] : tree->pictures[which];
    const char *end = strrchr(from, '.');
    struct text to = TEXT_INIT;

    text_printf(&to, "%s/%05zu", text_string(&tree->source), number / FOLDER_FILES);
    int r = text_failed(&to) ? -ENOMEM : 0;
    if (r == 0 && number % FOLDER_FILES == 0 && mkdir(text_string(&to), 0700) < 0)
        r = -errno;
    text_printf(&to, "/%07zu%s", number, end ? end : "");
    if (r == 0 && text_failed(&to))
        r = -ENOMEM;
    if (r == 0 && link(from, text_string(&to)) < 0)
        r = -errno;
    if (r < 0)
        complain(r, text_string(&to));
    else
        tree->files++;
    text_done(&to);
    return r;
}

int soak_tree_grow(struct soak_tree *tree, size_t files)
{
    int r = 0;
    while (r == 0 && tree->files < files)
        r = add_link(tree);
    return r;
}

const char *soak_tree_source(const struct soak_tree *tree)
{
    return text_string(&tree->source);
}

const char *soak_tree_output(const struct soak_tree *tree)
{
    return text_string(&tree->output);
}

/* Remove a folder that we have made, with what is in it. */
static int remove_all(const struct text *path)
{
    char *const roots[] = {path->data, NULL};
    FTSENT *entry;
    int r = 0;

    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (!walk)
        return complain(-errno, text_string(path));
    while (r == 0 && (entry = fts_read(walk))) {
        if (entry->fts_info == FTS_D || (entry->fts_info == FTS_NS && entry->fts_errno == ENOENT))
            continue;
        if (remove(entry->fts_accpath) < 0)
            r = complain(-errno, entry->fts_path);
    }
    fts_close(walk);
    return r;
}

int soak_tree_clear(struct soak_tree *tree)
{
    return remove_all(&tree->output);
}

struct soak_tree *soak_tree_free(struct soak_tree *tree)
{
    if (!tree)
        return NULL;
    if (tree->root.length > 0)
        remove_all(&tree->root);
    for (size_t i = 0; i < tree->picture_count; i++)
        free(tree->pictures[i]);
    for (size_t i = 0; i < BAD_KINDS; i++)
        free(tree->bad[i]);
    text_done(&tree->root);
    text_done(&tree->source);
    text_done(&tree->output);
    free(tree);
    return NULL;
}
