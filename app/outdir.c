/* outdir.c: see outdir_priv.h. */
#include "outdir_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "escape_priv.h"
#include "listing_priv.h"

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

/* A temporary file lives for milliseconds. */
#define OLD_SEC 3600

/* No Linux counts processes further (2^22), so it never overflows. */
#define PID_LARGEST 100000000L

/* Results come a little out of order, so that some folders are in use side by side. */
#define OPEN_MAX_COUNT 8

struct open_folder {
    struct outdir outdir; /* fd -1: unused */
    size_t root;
    char *folder;
    unsigned long used; /* the larger, the later */
};

struct outdirs {
    const struct inputs *inputs;
    const struct inode_set *read_folders;
    struct inode_set *roots;
    bool sync;
    struct inode_set cleaned; /* folders whose leftovers are gone */
    struct open_folder open[OPEN_MAX_COUNT];
    unsigned long clock;
    char *missing; /* the folder that was looked for last and is not there; NULL: none */
    size_t missing_root;
};

int outdirs_create(const struct inputs *inputs, const struct inode_set *read_folders,
                   struct inode_set *roots, bool sync, struct outdirs **ret_outdirs)
{
    struct outdirs *outdirs = calloc(1, sizeof(*outdirs));
    if (!outdirs)
        return -ENOMEM;
    outdirs->inputs = inputs;
    outdirs->read_folders = read_folders;
    outdirs->roots = roots;
    outdirs->sync = sync;
    for (size_t i = 0; i < OPEN_MAX_COUNT; i++)
        outdirs->open[i].outdir.fd = -1;
    *ret_outdirs = outdirs;
    return 0;
}

static void open_folder_done(struct open_folder *open)
{
    if (open->outdir.fd >= 0)
        close(open->outdir.fd);
    open->outdir.fd = -1;
    free(open->folder);
    open->folder = NULL;
}

void outdirs_forget(struct outdirs *outdirs)
{
    for (size_t i = 0; i < OPEN_MAX_COUNT; i++)
        open_folder_done(&outdirs->open[i]);
}

struct outdirs *outdirs_free(struct outdirs *outdirs)
{
    if (!outdirs)
        return NULL;
    outdirs_forget(outdirs);
    free(outdirs->missing);
    inode_set_done(&outdirs->cleaned);
    free(outdirs);
    return NULL;
}

/* ---- Leftovers ----------------------------------------------------------------------------- */

/* The process in ".thumbpool-<pid>-<n>.tmp", 0 if the name is not exactly that. */
static pid_t leftover_owner(const char *name)
{
    const char *at = name + strlen(TEMPORARY_PREFIX);
    long pid = 0;
    if (strncmp(name, TEMPORARY_PREFIX, strlen(TEMPORARY_PREFIX)) != 0)
        return 0;
    for (; *at >= '0' && *at <= '9' && pid < PID_LARGEST; at++)
        pid = pid * 10 + (*at - '0');
    if (*at != '-' || at[1] < '0' || at[1] > '9')
        return 0;
    at++;
    at += strspn(at, "0123456789");
    return strcmp(at, TEMPORARY_SUFFIX) == 0 ? (pid_t)pid : 0;
}

/* Its process lives: but is it the one that wrote the file? Numbers are used again, in containers
 * soon. One of our own number is not ours, as we have none while we look; another's is old. */
static bool is_of_an_earlier_life(pid_t owner, const struct stat *st)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return owner == getpid() || now.tv_sec - st->st_mtim.tv_sec > OLD_SEC;
}

/* Remove a temporary file whose run is no more. Processes may be numbered differently where the
 * folder is shared, so the file must be unlocked in any case: its writer holds a lock on it. */
static void remove_leftover(int dir_fd, const char *name)
{
    const pid_t owner = leftover_owner(name);
    struct stat st;
    if (owner <= 0)
        return;
    const bool lives = kill(owner, 0) == 0 || errno != ESRCH;
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        (!lives || is_of_an_earlier_life(owner, &st)) && flock(fd, LOCK_EX | LOCK_NB) == 0)
        unlinkat(dir_fd, name, 0);
    close(fd);
}

/* Leftovers do no harm, so a folder that cannot be listed is left as it is. */
static int remove_leftovers(struct outdirs *outdirs, const struct outdir *outdir)
{
    struct listing listing;
    int r = inode_set_add(&outdirs->cleaned, outdir->device, outdir->inode);
    if (r <= 0)
        return r;
    if (listing_read(outdir->fd, false, &listing) < 0)
        return 0;
    for (size_t i = 0; i < listing.count; i++)
        remove_leftover(outdir->fd, listing_name(&listing, i));
    listing_done(&listing);
    return 0;
}

/* ---- Opening ------------------------------------------------------------------------------- */

/* Have a new folder's name outlast a power failure. */
static int sync_folder(int fd)
{
    return fsync(fd) < 0 && errno != EINVAL ? -errno : 0; /* EINVAL: nothing to sync there */
}

static int sync_parent_of(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int up = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = up < 0 ? -errno : sync_folder(up);
    close(fd);
    if (up >= 0)
        close(up);
    return r;
}

/* Make path and what is missing above it, as `mkdir -p` does. */
static int make_with_parents(const char *path, bool sync)
{
    char *copy = strdup(path);
    int r = 0;
    if (!copy)
        return -ENOMEM;
    for (char *at = copy + 1; r == 0; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        const char kept = *at;
        *at = '\0';
        if (mkdir(copy, 0777) == 0)
            r = sync ? sync_parent_of(copy) : 0;
        else if (errno != EEXIST)
            r = -errno;
        *at = kept;
        if (kept == '\0')
            break;
    }
    free(copy);
    return r;
}

/* Open the root that was given by --output. */
static int open_given_root(const struct output_root *root, bool sync)
{
    int fd = open(root->path, FOLDER_FLAGS);
    if (fd < 0 && errno == ENOENT) {
        int r = make_with_parents(root->path, sync);
        if (r < 0)
            return r;
        fd = open(root->path, FOLDER_FLAGS);
    }
    return fd < 0 ? -errno : fd;
}

enum making { MAKE_NEVER, MAKE, MAKE_AND_SYNC };

/* Open, and make if it is missing and asked for, one folder inside another. */
static int open_component(int parent_fd, const char *name, enum making making)
{
    int fd = openat(parent_fd, name, FOLDER_FLAGS | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT && making != MAKE_NEVER) {
        if (mkdirat(parent_fd, name, 0777) < 0 && errno != EEXIST)
            return -errno;
        int r = making == MAKE_AND_SYNC ? sync_folder(parent_fd) : 0;
        if (r < 0)
            return r;
        fd = openat(parent_fd, name, FOLDER_FLAGS | O_NOFOLLOW);
    }
    return fd < 0 ? -errno : fd;
}

/* Open the root "thumbs" inside the folder that was looked at when the run began. */
static int open_thumbs_root(const struct output_root *root, enum making making)
{
    struct stat st;
    const int kind = making == MAKE_AND_SYNC ? O_RDONLY : O_PATH; /* the latter needs no right */
    int parent_fd = open(root->parent_path, kind | O_DIRECTORY | O_CLOEXEC);
    if (parent_fd < 0)
        return -errno;
    int r = 0;
    if (fstat(parent_fd, &st) < 0)
        r = -errno;
    else if (st.st_dev != root->parent_device || st.st_ino != root->parent_inode)
        r = -ESTALE;
    else
        r = open_component(parent_fd, THUMBS_NAME, making);
    close(parent_fd);
    return r;
}

int outdirs_open_existing(const struct output_root *root)
{
    if (root->parent_path)
        return open_thumbs_root(root, MAKE_NEVER);
    int fd = open(root->path, FOLDER_FLAGS);
    return fd < 0 ? -errno : fd;
}

static void explain(struct text *message, const struct output_root *root, const char *folder,
                    int error)
{
    struct text path = TEXT_INIT;
    text_puts(&path, root->path);
    text_join(&path, folder);
    escape_name(message, path.data, path.length);
    text_done(&path);
    if (error == -ENOTDIR || error == -ELOOP)
        text_puts(message, " is no folder, or a symbolic link");
    else
        text_printf(message, ": %s", strerror(-error));
}

static enum making making_of(const struct outdirs *outdirs)
{
    return outdirs->sync ? MAKE_AND_SYNC : MAKE;
}

/* How a folder is opened. */
struct manner {
    enum making making;
    bool clean; /* of leftovers, on the way too */
};

/* Step down from outdir->fd (consume) to folder. On failure *ret_length is how much of folder
 * was reached. */
static int descend(struct outdirs *outdirs, const char *folder, struct manner manner,
                   struct outdir *outdir, size_t *ret_length)
{
    char name[NAME_MAX + 1];
    const char *at = folder;
    struct stat st;
    for (;;) {
        if (fstat(outdir->fd, &st) < 0)
            break;
        outdir->device = st.st_dev;
        outdir->inode = st.st_ino;
        outdir->is_read |= inode_set_has(outdirs->read_folders, st.st_dev, st.st_ino);
        if (manner.clean && remove_leftovers(outdirs, outdir) < 0) {
            errno = ENOMEM;
            break;
        }
        if (*at == '\0')
            return 0;
        const size_t length = strcspn(at, "/");
        *ret_length = (size_t)(at - folder) + length;
        if (length >= sizeof(name)) {
            errno = ENAMETOOLONG;
            break;
        }
        memcpy(name, at, length);
        name[length] = '\0';
        int fd = open_component(outdir->fd, name, manner.making);
        if (fd < 0) {
            errno = -fd;
            break;
        }
        close(outdir->fd);
        outdir->fd = fd;
        at += length + (at[length] == '/');
    }
    int r = -errno;
    close(outdir->fd);
    outdir->fd = -1;
    return r;
}

static int open_root(const struct outdirs *outdirs, const struct output_root *root,
                     struct manner manner)
{
    if (manner.making == MAKE_NEVER)
        return outdirs_open_existing(root);
    return root->parent_path ? open_thumbs_root(root, manner.making)
                             : open_given_root(root, outdirs->sync);
}

static int open_new(struct outdirs *outdirs, size_t index, const char *folder, struct manner manner,
                    struct outdir *ret_outdir, struct text *message)
{
    const struct output_root *root = &outdirs->inputs->roots[index];
    struct outdir outdir = {.is_read = false};
    struct stat st;
    outdir.fd = open_root(outdirs, root, manner);
    if (outdir.fd < 0) {
        explain(message, root, "", outdir.fd);
        return outdir.fd;
    }
    int r =
        fstat(outdir.fd, &st) < 0 ? -errno : inode_set_add(outdirs->roots, st.st_dev, st.st_ino);
    if (r < 0) {
        explain(message, root, "", r);
        close(outdir.fd);
        return r;
    }
    size_t length = 0;
    r = descend(outdirs, folder, manner, &outdir, &length);
    if (r < 0) {
        char *reached = strndup(folder, length);
        explain(message, root, reached ? reached : "", r);
        free(reached);
        return r == -ENOTDIR || r == -ELOOP ? -EEXIST : r;
    }
    *ret_outdir = outdir;
    return 0;
}

/* The slot that has the folder open, else the one that is to have it. */
static struct open_folder *slot_for(struct outdirs *outdirs, size_t root, const char *folder,
                                    bool *ret_is_open)
{
    struct open_folder *oldest = &outdirs->open[0];
    for (size_t i = 0; i < OPEN_MAX_COUNT; i++) {
        struct open_folder *open = &outdirs->open[i];
        if (open->outdir.fd >= 0 && open->root == root && strcmp(open->folder, folder) == 0) {
            *ret_is_open = true;
            return open;
        }
        if (open->outdir.fd < 0 || (oldest->outdir.fd >= 0 && open->used < oldest->used))
            oldest = open;
    }
    *ret_is_open = false;
    return oldest;
}

static void forget_missing(struct outdirs *outdirs)
{
    free(outdirs->missing);
    outdirs->missing = NULL;
}

static int open_as(struct outdirs *outdirs, size_t root, const char *folder, struct manner manner,
                   struct outdir *ret_outdir, struct text *message)
{
    bool is_open;
    struct open_folder *slot = slot_for(outdirs, root, folder, &is_open);
    if (!is_open) {
        struct outdir outdir;
        char *copy = strdup(folder);
        if (!copy) {
            text_puts(message, strerror(ENOMEM));
            return -ENOMEM;
        }
        /* First: a folder more than are to be open would be one too many where they are short. */
        if (manner.making != MAKE_NEVER)
            open_folder_done(slot);
        int r = open_new(outdirs, root, folder, manner, &outdir, message);
        if (r < 0) {
            free(copy);
            return r;
        }
        open_folder_done(slot);
        *slot = (struct open_folder){.outdir = outdir, .root = root, .folder = copy};
        forget_missing(outdirs);
    }
    slot->used = ++outdirs->clock;
    *ret_outdir = slot->outdir;
    return 0;
}

int outdirs_open(struct outdirs *outdirs, size_t root, const char *folder,
                 struct outdir *ret_outdir, struct text *reterr_message)
{
    const struct manner manner = {making_of(outdirs), true};
    return open_as(outdirs, root, folder, manner, ret_outdir, reterr_message);
}

int outdirs_find(struct outdirs *outdirs, size_t root, const char *folder, bool clean,
                 struct outdir *ret_outdir)
{
    const struct manner manner = {MAKE_NEVER, clean};
    struct text unheard = TEXT_INIT;
    if (outdirs->missing && outdirs->missing_root == root && strcmp(outdirs->missing, folder) == 0)
        return -ENOENT;
    int r = open_as(outdirs, root, folder, manner, ret_outdir, &unheard);
    if (r == -ENOENT) {
        forget_missing(outdirs);
        outdirs->missing = strdup(folder); /* without memory it is looked for again */
        outdirs->missing_root = root;
    }
    text_done(&unheard);
    return r;
}
