/* prune.c: see prune_priv.h. */
#include "prune_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "escape_priv.h"
#include "listing_priv.h"
#include "outdir_priv.h"
#include "plan_priv.h"
#include "signals_priv.h"
#include "stamp_priv.h"

/* The analyzer of gcc 12 takes memory for lost that an array in an opaque struct leads to. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* A folder that sources count from, and where their thumbnails go. */
struct place {
    size_t root;
    uint64_t hash;
    bool single; /* only what lies directly in it: its files were named */
    const char *prefix;
    char *folder; /* owned: real path */
    dev_t device; /* as it was when the run began; */
    ino_t inode;  /* 0: not known */
};

struct pruner {
    const struct prune *prune;
    struct place *places; /* sorted by root, then hash; no two alike */
    size_t place_count;
    const struct place *open; /* whose folder is open */
    int open_fd;
    size_t root;                           /* that is being pruned */
    struct text path;                      /* below it, of the folder that is being looked at */
    struct text source, expected, message; /* reused */
    bool broken;                           /* this root is left as it is from now on */
    bool out_of_memory;
    uint8_t buffer[IMG_NOTE_PROBE_BYTES];
};

/* ---- Places -------------------------------------------------------------------------------- */

static int compare_places(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    if (a->root != b->root)
        return a->root < b->root ? -1 : 1;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    if (a->single != b->single)
        return a->single ? 1 : -1;
    return strcmp(a->prefix, b->prefix);
}

/* Is there nothing in it at all? So it is where something is not mounted. */
static bool is_empty_folder(const char *path)
{
    DIR *folder = opendir(path);
    int names = 0;
    if (!folder)
        return false;
    while (names <= 2 && readdir(folder))
        names++;
    closedir(folder);
    return names <= 2;
}

static void warn(struct pruner *pruner, const char *path, const char *words)
{
    struct text *message = &pruner->message;
    text_cut(message, 0);
    escape_name(message, path, strlen(path));
    text_printf(message, ": %s", words);
    report_warning(pruner->prune->report, text_string(message));
}

/* May thumbnails of that PATH be removed? */
static bool is_usable(struct pruner *pruner, size_t index)
{
    const struct input *input = &pruner->prune->inputs->list[index];
    if (input->kind != INPUT_FOLDER)
        return input->kind == INPUT_FILE;
    if (pruner->prune->unread[index]) {
        warn(pruner, input->path,
             "a folder could not be read, so none of its thumbnails is "
             "removed");
        return false;
    }
    if (is_empty_folder(input->path)) {
        warn(pruner, input->path,
             "it is empty, as if something were not mounted, so none of its "
             "thumbnails is removed");
        return false;
    }
    return true;
}

static int add_place(struct pruner *pruner, const struct input *input)
{
    struct place *place = &pruner->places[pruner->place_count];
    const char *folder;
    int r = origins_folder(pruner->prune->origins, input, &folder, &place->hash);
    if (r < 0)
        return r;
    place->root = input->root;
    place->prefix = input->prefix;
    place->single = input->kind == INPUT_FILE;
    if (pruner->place_count > 0 && compare_places(place - 1, place) == 0)
        return 0; /* another file of one folder */
    if (!place->single) {
        place->device = input->device;
        place->inode = input->inode;
    }
    place->folder = strdup(folder);
    if (!place->folder)
        return -ENOMEM;
    pruner->place_count++;
    return 0;
}

static int collect_places(struct pruner *pruner)
{
    const struct inputs *inputs = pruner->prune->inputs;
    pruner->places = calloc(inputs->count + 1, sizeof(*pruner->places));
    int r = pruner->places ? 0 : -ENOMEM;
    for (size_t i = 0; i < inputs->count && r == 0; i++)
        if (is_usable(pruner, i))
            r = add_place(pruner, &inputs->list[i]);
    if (r < 0)
        return r;
    qsort(pruner->places, pruner->place_count, sizeof(*pruner->places), compare_places);
    size_t kept = 0;
    for (size_t i = 0; i < pruner->place_count; i++) {
        if (kept > 0 && compare_places(&pruner->places[kept - 1], &pruner->places[i]) == 0)
            free(pruner->places[i].folder);
        else
            pruner->places[kept++] = pruner->places[i];
    }
    pruner->place_count = kept;
    return 0;
}

static void close_place(struct pruner *pruner)
{
    if (pruner->open_fd >= 0)
        close(pruner->open_fd);
    pruner->open_fd = -1;
    pruner->open = NULL;
}

/* The place's folder, if it is still the one that was walked. Returns a descriptor, borrowed, or
 * -1. */
static int open_place(struct pruner *pruner, const struct place *place)
{
    struct stat st;
    if (pruner->open == place)
        return pruner->open_fd;
    close_place(pruner);
    pruner->open = place;
    pruner->open_fd = open(place->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (pruner->open_fd < 0)
        return -1;
    if (place->inode != 0 && (fstat(pruner->open_fd, &st) < 0 || st.st_dev != place->device ||
                              st.st_ino != place->inode)) {
        close(pruner->open_fd);
        pruner->open_fd = -1;
    }
    return pruner->open_fd;
}

/* The first place of a root with that hash or a larger one. */
static size_t first_place(const struct pruner *pruner, size_t root, uint64_t hash)
{
    size_t low = 0, high = pruner->place_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const struct place *place = &pruner->places[middle];
        if (place->root < root || (place->root == root && place->hash < hash))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- One thumbnail ------------------------------------------------------------------------- */

/* Would this run put the thumbnail of the place's source where the file is? */
static bool is_where_it_belongs(struct pruner *pruner, const struct place *place,
                                enum img_format format, const char *path)
{
    const struct options *options = pruner->prune->options;
    const char *source = text_string(&pruner->source);
    const char *slash = strrchr(source, '/');
    struct text dir = TEXT_INIT, whole = TEXT_INIT, why = TEXT_INIT;
    if (slash && place->single)
        return false;
    text_puts(&dir, place->prefix);
    if (slash) {
        if (dir.length > 0)
            text_puts(&dir, "/");
        text_add(&dir, source, (size_t)(slash - source));
    }
    text_puts(&whole, place->folder);
    text_join(&whole, source);
    const struct name_parts parts = {.dir = text_string(&dir),
                                     .name = slash ? slash + 1 : source,
                                     .source = text_string(&whole),
                                     .box_width_px = options->box_width_px,
                                     .box_height_px = options->box_height_px};
    text_cut(&pruner->expected, 0);
    plan_place(options, &parts, format, &pruner->expected, &why);
    const bool failed = text_failed(&dir) || text_failed(&whole) || text_failed(&pruner->expected);
    const bool same = why.length == 0 && strcmp(text_string(&pruner->expected), path) == 0;
    text_done(&dir);
    text_done(&whole);
    text_done(&why);
    return same && !failed;
}

/* The place whose source, which is gone, a stamp speaks of; NULL if there is none. */
static const struct place *place_of(struct pruner *pruner, const struct stamp *stamp,
                                    enum img_format format, const char *path)
{
    const bool in_thumbs = pruner->prune->inputs->roots[pruner->root].parent_path != NULL;
    size_t i = first_place(pruner, pruner->root, in_thumbs ? 0 : stamp->root);
    for (; i < pruner->place_count; i++) {
        const struct place *place = &pruner->places[i];
        if (place->root != pruner->root || (!in_thumbs && place->hash != stamp->root))
            return NULL;
        if (!is_where_it_belongs(pruner, place, format, path))
            continue;
        const int fd = open_place(pruner, place);
        if (fd >= 0 && origins_is_gone(fd, text_string(&pruner->source)))
            return place;
    }
    return NULL;
}

static bool is_same_file(int dir_fd, const char *name, const struct stat *before)
{
    struct stat st;
    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == before->st_dev &&
           st.st_ino == before->st_ino && S_ISREG(st.st_mode) && st.st_size == before->st_size &&
           st.st_ctim.tv_sec == before->st_ctim.tv_sec &&
           st.st_ctim.tv_nsec == before->st_ctim.tv_nsec;
}

/* Remove the file, and say so. path: below the root.  Returns whether it was. */
static bool remove_file(struct pruner *pruner, int dir_fd, const char *name, const char *path,
                        const struct place *place, const struct stat *st)
{
    const bool would = pruner->prune->options->dry_run;
    struct text shown = TEXT_INIT;
    text_puts(&shown, pruner->prune->inputs->roots[pruner->root].path);
    text_join(&shown, path);
    bool removed = !text_failed(&shown);
    if (removed && !would) {
        const int fd = open_place(pruner, place);
        removed = fd >= 0 && origins_is_gone(fd, text_string(&pruner->source)) &&
                  is_same_file(dir_fd, name, st);
        if (removed && unlinkat(dir_fd, name, 0) < 0) {
            removed = false;
            pruner->broken = errno != ENOENT;
            if (pruner->broken)
                warn(pruner, text_string(&shown), strerror(errno));
        }
    }
    if (removed)
        report_pruned(pruner->prune->report, text_string(&shown), would);
    text_done(&shown);
    return removed;
}

/* Look at one file. Returns whether it was removed. */
static bool prune_file(struct pruner *pruner, int dir_fd, const char *name)
{
    const enum img_format extension = img_format_from_extension(plan_extension(name));
    const struct commit *commit = pruner->prune->commit;
    enum img_format format;
    struct stamp stamp;
    struct stat st;
    if ((extension != IMG_FORMAT_JPEG && extension != IMG_FORMAT_PNG) ||
        fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
        commit_has(commit, &st) || commit_is_source(commit, &st))
        return false;
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return false;
    text_cut(&pruner->source, 0);
    bool removed = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
                   stamp_read(fd, pruner->buffer, &stamp, &format) == 0 &&
                   stamp_decode(&pruner->source, &stamp);
    close(fd);
    if (!removed)
        return false;
    struct text path = TEXT_INIT;
    text_puts(&path, text_string(&pruner->path));
    text_join(&path, name);
    const struct place *place = place_of(pruner, &stamp, format, text_string(&path));
    removed = place && !text_failed(&path) &&
              remove_file(pruner, dir_fd, name, text_string(&path), place, &st);
    text_done(&path);
    return removed;
}

/* ---- Folders ------------------------------------------------------------------------------- */

static bool prune_folder(struct pruner *pruner, int fd);

/* A folder inside another. Returns whether anything in it was removed. */
static bool prune_subfolder(struct pruner *pruner, int parent_fd, const char *name)
{
    const size_t length = pruner->path.length;
    struct stat before, now;
    int fd = openat(parent_fd, name, FOLDER_FLAGS);
    if (fd < 0)
        return false;
    text_join(&pruner->path, name);
    bool removed =
        !text_failed(&pruner->path) && fstat(fd, &before) == 0 && prune_folder(pruner, fd);
    pruner->out_of_memory |= text_failed(&pruner->path);
    close(fd);
    text_cut(&pruner->path, length);
    /* What is not empty stays. */
    if (removed && !pruner->prune->options->dry_run &&
        fstatat(parent_fd, name, &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_dev == before.st_dev &&
        now.st_ino == before.st_ino)
        unlinkat(parent_fd, name, AT_REMOVEDIR);
    return removed;
}

/* fd: borrowed. Returns whether anything was removed. */
static bool prune_folder(struct pruner *pruner, int fd)
{
    struct listing listing;
    struct stat st;
    bool removed = false;
    if (fstat(fd, &st) < 0 || listing_read(fd, false, &listing) < 0)
        return false;
    const bool is_read = commit_is_read(pruner->prune->commit, &st); /* its files are sources */
    for (size_t i = 0; i < listing.count; i++) {
        const char *name = listing_name(&listing, i);
        const unsigned char type = listing.entries[i].type;
        if (pruner->broken || pruner->out_of_memory || signals_caught() != 0)
            break;
        if (type == DT_DIR)
            removed |= prune_subfolder(pruner, fd, name);
        else if (type == DT_REG && !is_read)
            removed |= prune_file(pruner, fd, name);
    }
    listing_done(&listing);
    return removed;
}

int prune_outputs(const struct prune *prune)
{
    struct pruner *pruner = calloc(1, sizeof(*pruner));
    if (!pruner)
        return -ENOMEM;
    pruner->prune = prune;
    pruner->open_fd = -1;
    int r = collect_places(pruner);
    for (size_t i = 0; i < prune->inputs->root_count && r == 0; i++) {
        const size_t first = first_place(pruner, i, 0);
        if (first == pruner->place_count || pruner->places[first].root != i)
            continue;
        const int fd = outdirs_open_existing(&prune->inputs->roots[i]);
        if (fd < 0) /* there are no thumbnails */
            continue;
        pruner->root = i;
        pruner->broken = false;
        prune_folder(pruner, fd);
        close(fd);
    }
    if (r == 0 && pruner->out_of_memory)
        r = -ENOMEM;
    close_place(pruner);
    for (size_t i = 0; i < pruner->place_count; i++)
        free(pruner->places[i].folder);
    free(pruner->places);
    text_done(&pruner->path);
    text_done(&pruner->source);
    text_done(&pruner->expected);
    text_done(&pruner->message);
    free(pruner);
    return r;
}
