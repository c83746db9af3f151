/* walk.c: see walk_priv.h.
 *
 * The way down is a stack of levels, one for each folder that is open. A level keeps its whole
 * listing but not always its descriptor: on deep trees the upper ones are let go and found again
 * through ".." of the folder below, checked by device and inode. A folder that was entered by a
 * symbolic link has another parent behind its "..", so the level above it is pinned. */
#include "walk_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "listing_priv.h"
#include "text_priv.h"

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

struct level {
    int fd; /* -1: let go */
    dev_t device;
    ino_t inode;
    bool pinned;
    bool in_folders; /* the files are done */
    size_t included; /* what globs_judge() said of it */
    size_t next;     /* in listing */
    size_t last;     /* index of the entry returned last */
    size_t folder_length;
    struct listing listing;
};

struct walk {
    const struct walk_options *options;
    const struct inputs *inputs;
    size_t input;   /* the PATH being walked, or the next one when there is no level; behind those
                     * of the command line it stays where the walk's listed ones come */
    size_t list_at; /* in --files-from */
    bool lent;      /* there is one to walk */
    bool settled;   /* it has been asked whether it was met before */
    size_t last_input;    /* of the last entry */
    bool last_named;      /* the last entry was a PATH itself */
    struct inode_set met; /* folders that were PATHs */
    struct level *levels;
    size_t depth; /* levels in use */
    size_t capacity;
    struct text folder; /* of the deepest level */
};

bool walk_error_passes(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -EINTR;
}

const char *walk_describe_mode(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFIFO:
        return "FIFO";
    case S_IFSOCK:
        return "socket";
    case S_IFCHR:
    case S_IFBLK:
        return "device";
    case S_IFLNK:
        return "symbolic link";
    case S_IFDIR:
        return "folder";
    default:
        return "no regular file";
    }
}

int walk_create(const struct walk_options *options, const struct inputs *inputs,
                struct walk **ret_walk)
{
    struct walk *walk = calloc(1, sizeof(*walk));
    if (!walk)
        return -ENOMEM;
    walk->options = options;
    walk->inputs = inputs;
    walk->input = inputs->count > 0 ? 0 : options->number;
    *ret_walk = walk;
    return 0;
}

static void level_done(struct level *level)
{
    if (level->fd >= 0)
        close(level->fd);
    level->fd = -1;
    listing_done(&level->listing);
}

struct walk *walk_free(struct walk *walk)
{
    if (!walk)
        return NULL;
    while (walk->depth > 0)
        level_done(&walk->levels[--walk->depth]);
    free(walk->levels);
    text_done(&walk->folder);
    inode_set_done(&walk->met);
    free(walk);
    return NULL;
}

/* Let upper folders go while more than that many are open. The deepest one stays. */
static void let_go(struct walk *walk, size_t most)
{
    size_t held = 0;
    for (size_t i = 0; i < walk->depth; i++)
        held += walk->levels[i].fd >= 0 && !walk->levels[i].pinned;
    for (size_t i = 0; i + 1 < walk->depth && held > most; i++) {
        if (walk->levels[i].fd < 0 || walk->levels[i].pinned)
            continue;
        close(walk->levels[i].fd);
        walk->levels[i].fd = -1;
        held--;
    }
}

/* Make the folder behind fd (take) the deepest level. On failure fd is still the caller's. */
static int push(struct walk *walk, int fd, const struct stat *st, size_t included)
{
    struct level level = {
        .fd = fd, .device = st->st_dev, .inode = st->st_ino, .included = included};
    if (walk->depth == walk->capacity) {
        const size_t capacity = walk->capacity ? walk->capacity * 2 : 16;
        struct level *levels = reallocarray(walk->levels, capacity, sizeof(*levels));
        if (!levels)
            return -ENOMEM;
        walk->levels = levels;
        walk->capacity = capacity;
    }
    int r = listing_read(fd, walk->options->follow, &level.listing);
    if (r == 0 && walk->options->read_folders)
        r = inode_set_add(walk->options->read_folders, st->st_dev, st->st_ino);
    if (r < 0) {
        listing_done(&level.listing);
        return r;
    }
    level.folder_length = walk->folder.length;
    walk->levels[walk->depth++] = level;
    let_go(walk, walk->options->held_max ? walk->options->held_max : WALK_HELD_MAX);
    return 0;
}

void walk_relieve(struct walk *walk)
{
    let_go(walk, 0);
}

/* Find a parent that was let go, through ".." of the folder below it. Returns its descriptor or a
 * negative errno value. */
static int find_again(const struct level *level, const struct level *parent)
{
    struct stat st;
    if (level->fd < 0) /* itself not found again */
        return -ESTALE;
    int fd = openat(level->fd, "..", FOLDER_FLAGS);
    if (fd < 0)
        return -errno;
    int r = fd;
    if (fstat(fd, &st) < 0)
        r = -errno;
    else if (st.st_dev != parent->device || st.st_ino != parent->inode)
        r = -ESTALE;
    if (r < 0)
        close(fd);
    return r;
}

/* Leave the deepest folder. Returns 0, -EAGAIN (and nothing has changed), or why its parent is
 * not found again. */
static int pop(struct walk *walk, bool last_try)
{
    struct level *level = &walk->levels[walk->depth - 1];
    struct level *parent = walk->depth > 1 ? level - 1 : NULL;
    int r = 0;
    if (parent && parent->fd < 0) {
        r = find_again(level, parent);
        if (walk_error_passes(r) && !last_try)
            return -EAGAIN;
        if (r >= 0)
            parent->fd = r;
    }
    level_done(level);
    walk->depth--;
    text_cut(&walk->folder, parent ? parent->folder_length : 0);
    return r < 0 ? r : 0;
}

static struct walk_entry entry_of(const struct walk *walk, enum walk_kind kind)
{
    return (struct walk_entry){.kind = kind,
                               .input = walk->input,
                               .dir_fd = -1,
                               .open_name = "",
                               .folder = text_string(&walk->folder),
                               .name = ""};
}

/* ---- PATHs --------------------------------------------------------------------------------- */

/* Done with the PATH. */
static void leave_input(struct walk *walk)
{
    const size_t count = walk->inputs->count;
    walk->settled = false;
    walk->lent = false;
    if (walk->input < count && ++walk->input == count)
        walk->input += walk->options->number;
}

/* Enter a folder PATH. Returns 1 with an entry when that fails. */
static int enter_input(struct walk *walk, bool last_try, struct walk_entry *ret_entry)
{
    const struct input *input = &walk->inputs->list[walk->input];
    struct stat st;
    int fd = open(input->path, FOLDER_FLAGS);
    int r = fd < 0 || fstat(fd, &st) < 0 ? -errno : push(walk, fd, &st, 0);
    if (r == 0)
        return 0;
    if (fd >= 0)
        close(fd);
    if (walk_error_passes(r) && !last_try)
        return -EAGAIN;
    *ret_entry = entry_of(walk, WALK_FAILED);
    ret_entry->named = true;
    ret_entry->error = r;
    leave_input(walk);
    return 1;
}

/* Have a PATH that is to be walked. Returns 1, 0 if there are no more, or -ENOMEM. */
static int next_input(struct walk *walk)
{
    if (walk->input < walk->inputs->count || walk->lent)
        return 1;
    int r = inputs_lend(walk->inputs, walk->options->number, &walk->list_at);
    walk->lent = r > 0;
    return r;
}

/* Asked once for each PATH, however often it is come back to. Below --output a folder has a place
 * of its own for each of its names. */
static bool input_has_been_met(struct walk *walk, const struct input *input)
{
    const struct inputs *inputs = walk->inputs;
    if (walk->settled)
        return false;
    walk->settled = true;
    if (input->kind == INPUT_FILE)
        return inputs_met_before(inputs, walk->options->number, input);
    return input->kind == INPUT_FOLDER && inputs->roots[input->root].parent_path &&
           inode_set_add(&walk->met, input->device, input->inode) == 0;
}

static int step_input(struct walk *walk, bool last_try, struct walk_entry *ret_entry)
{
    const struct input *input = &walk->inputs->list[walk->input];
    const bool met = input_has_been_met(walk, input);
    text_cut(&walk->folder, 0);
    if (input->kind == INPUT_FOLDER && !met)
        return enter_input(walk, last_try, ret_entry);
    *ret_entry = entry_of(walk, WALK_FILE);
    ret_entry->named = true;
    ret_entry->dir_fd = AT_FDCWD;
    ret_entry->open_name = input->path;
    ret_entry->through_link = true;
    if (input->kind == INPUT_MISSING) {
        ret_entry->kind = WALK_FAILED;
        ret_entry->error = input->error;
    } else if (input->kind == INPUT_OTHER) {
        ret_entry->kind = WALK_SKIPPED;
        ret_entry->why = walk_describe_mode(input->mode);
    } else if (met) {
        ret_entry->kind = WALK_SKIPPED;
        ret_entry->why = "met before";
    }
    walk->last_input = walk->input;
    walk->last_named = true;
    leave_input(walk);
    return 1;
}

/* ---- Folders ------------------------------------------------------------------------------- */

/* The same folder further up: a link leads back, and would do so for ever. */
static bool is_ancestor(const struct walk *walk, const struct stat *st)
{
    for (size_t i = 0; i < walk->depth; i++)
        if (walk->levels[i].device == st->st_dev && walk->levels[i].inode == st->st_ino)
            return true;
    return false;
}

/* Is the folder one of our output roots, or, when a link led to it, inside one? */
static bool is_output(const struct walk *walk, int fd, const struct stat *st, bool through_link)
{
    const struct inode_set *outputs = walk->options->outputs;
    if (inode_set_has(outputs, st->st_dev, st->st_ino))
        return true;
    if (!through_link || !outputs || outputs->count == 0)
        return false;
    struct stat above = *st;
    int at = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    bool found = false;
    while (at >= 0 && !found) {
        const struct stat below = above;
        int up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        close(at);
        at = up;
        if (up < 0 || fstat(up, &above) < 0 ||
            (above.st_dev == below.st_dev && above.st_ino == below.st_ino))
            break;
        found = inode_set_has(outputs, above.st_dev, above.st_ino);
    }
    if (at >= 0)
        close(at);
    return found;
}

/* Enter the subfolder at level->next. Returns 0 when it was entered or needs no word, 1 with an
 * entry about it, or -EAGAIN. Moves on unless -EAGAIN. */
static int enter_folder(struct walk *walk, bool last_try, struct walk_entry *ret_entry)
{
    struct level *level = &walk->levels[walk->depth - 1];
    const struct listing_entry *entry = &level->listing.entries[level->next];
    const char *name = listing_name(&level->listing, level->next);
    const size_t folder_length = level->folder_length;
    const bool link = entry->link;
    struct stat st;
    size_t included = 0;
    int r = 0;
    if (globs_judge(walk->options->globs, text_string(&walk->folder), name, true, level->included,
                    &included) != GLOBS_LEFT_IN) {
        level->next++;
        return 0;
    }
    *ret_entry = entry_of(walk, WALK_FAILED);
    ret_entry->name = name;
    int fd = openat(level->fd, name, FOLDER_FLAGS | (link ? 0 : O_NOFOLLOW));
    if (fd < 0 || fstat(fd, &st) < 0) {
        r = -errno;
    } else if (is_output(walk, fd, &st, link)) {
        r = 0;
    } else if (walk->options->follow && is_ancestor(walk, &st)) {
        ret_entry->kind = WALK_SKIPPED;
        ret_entry->why = "symbolic link loop";
        r = 1;
    } else {
        const size_t depth = walk->depth;
        level->pinned = link; /* before push(), which lets folders go */
        text_join(&walk->folder, name);
        r = text_failed(&walk->folder) ? -ENOMEM : push(walk, fd, &st, included);
        if (r == 0) {
            walk->levels[depth - 1].next++; /* push() may have moved the levels */
            return 0;
        }
        level = &walk->levels[depth - 1];
        walk->folder.failed = false;
        text_cut(&walk->folder, folder_length);
        ret_entry->folder = text_string(&walk->folder);
    }
    if (fd >= 0)
        close(fd);
    if (walk_error_passes(r) && !last_try)
        return -EAGAIN;
    level->next++;
    if (r >= 0)
        return r;
    ret_entry->error = r;
    return 1;
}

/* The subfolders of the deepest level, one step. */
static int step_folders(struct walk *walk, bool last_try, struct walk_entry *ret_entry)
{
    struct level *level = &walk->levels[walk->depth - 1];
    const unsigned max_depth = walk->options->max_depth;
    while (level->next < level->listing.count) {
        const struct listing_entry *entry = &level->listing.entries[level->next];
        const char *name = listing_name(&level->listing, level->next);
        if (level->fd >= 0 && entry->type == DT_DIR && (name[0] != '.' || walk->options->hidden) &&
            (max_depth == 0 || walk->depth < max_depth))
            return enter_folder(walk, last_try, ret_entry);
        level->next++;
    }
    int r = pop(walk, last_try);
    if (r == -EAGAIN)
        return r;
    if (walk->depth == 0)
        leave_input(walk);
    if (r < 0) { /* what is left of the parent's subfolders is out of reach */
        *ret_entry = entry_of(walk, WALK_FAILED);
        ret_entry->error = r;
        return 1;
    }
    return 0;
}

/* Why an entry that is not a folder is not even opened; NULL if it is. */
static const char *why_skipped(const struct walk *walk, const struct listing_entry *entry,
                               const char *name)
{
    const struct level *level = &walk->levels[walk->depth - 1];
    if (name[0] == '.' && !walk->options->hidden)
        return "hidden";
    if (entry->type == DT_LNK)
        return entry->link ? "broken symbolic link" : "symbolic link";
    if (entry->type != DT_REG && entry->type != DT_UNKNOWN)
        return walk_describe_mode(DTTOIF(entry->type));
    if (walk->depth == 1 && inputs_name_in_folder(walk->inputs, level->device, level->inode, name))
        return "named itself";
    return globs_why(globs_judge(walk->options->globs, text_string(&walk->folder), name, false,
                                 level->included, NULL));
}

static int step_level(struct walk *walk, bool last_try, struct walk_entry *ret_entry)
{
    struct level *level = &walk->levels[walk->depth - 1];
    if (level->in_folders)
        return step_folders(walk, last_try, ret_entry);
    while (level->next < level->listing.count) {
        const struct listing_entry *entry = &level->listing.entries[level->next];
        level->last = level->next++;
        if (entry->type == DT_DIR)
            continue;
        *ret_entry = entry_of(walk, WALK_FILE);
        ret_entry->name = listing_name(&level->listing, level->last);
        ret_entry->open_name = ret_entry->name;
        ret_entry->dir_fd = level->fd;
        ret_entry->through_link = entry->link;
        ret_entry->why = why_skipped(walk, entry, ret_entry->name);
        if (ret_entry->why)
            ret_entry->kind = WALK_SKIPPED;
        return 1;
    }
    level->in_folders = true;
    level->next = 0;
    return 0;
}

/* ---- The iterator -------------------------------------------------------------------------- */

int walk_next(struct walk *walk, bool last_try, struct walk_entry *ret_entry)
{
    int r = 0;
    walk->last_named = false;
    while (r == 0) {
        if (walk->depth > 0)
            r = step_level(walk, last_try, ret_entry);
        else if ((r = next_input(walk)) == 1)
            r = step_input(walk, last_try, ret_entry);
        else
            return r < 0 && !last_try ? -EAGAIN : r;
    }
    return r;
}

void walk_unget(struct walk *walk)
{
    if (walk->last_named) {
        walk->input = walk->last_input;
        walk->lent = walk->input >= walk->inputs->count;
        walk->settled = true;
    } else if (walk->depth > 0) {
        walk->levels[walk->depth - 1].next = walk->levels[walk->depth - 1].last;
    }
}

void walk_mark_tried(struct walk *walk)
{
    if (walk->last_named || walk->depth == 0)
        return;
    struct level *level = &walk->levels[walk->depth - 1];
    level->listing.entries[level->last].tried = true;
}

bool walk_sibling_tried(const struct walk *walk, const char *name, size_t length)
{
    if (walk->last_named || walk->depth == 0)
        return false;
    const struct level *level = &walk->levels[walk->depth - 1];
    const struct listing_entry *entry = listing_find(&level->listing, name, length);
    return entry && entry->tried;
}
