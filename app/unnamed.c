/* unnamed.c: see unnamed_priv.h.
 *
 * The files that are ready are of one folder and one mode; they and the thread's work are guarded
 * by the lock. While the thread opens a file, outside the lock, it is `busy`, and the folder's
 * descriptor stays as it is. It wakes when half of what is wanted is used up, not for every file.
 * The caller never waits for it: what is not ready the caller opens itself. */
#include "unnamed_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* So many files in a row make it likely that more follow. */
#define ROW_LEAST 32

#define READY_MAX 8

struct unnamed {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* work for the thread, or busy no more */
    pthread_t thread;
    bool has_thread;
    bool no_thread; /* none is wanted, or none can be started */
    bool stop;
    bool busy;
    int folder_fd; /* our own; -1: nothing is to be made ahead */
    dev_t device;  /* of the folder used last */
    ino_t inode;
    mode_t mode;
    unsigned row; /* so many files were opened there one after the other */
    int ready[READY_MAX];
    size_t ready_count;
    bool by_path; /* the caller's only: a descriptor cannot be linked as such */
};

int unnamed_create(bool ahead, struct unnamed **ret_unnamed)
{
    struct unnamed *unnamed = calloc(1, sizeof(*unnamed));
    if (!unnamed)
        return -ENOMEM;
    pthread_mutex_init(&unnamed->lock, NULL);
    pthread_cond_init(&unnamed->changed, NULL);
    unnamed->folder_fd = -1;
    unnamed->no_thread = !ahead;
    *ret_unnamed = unnamed;
    return 0;
}

/* With the lock. */
static void forget_locked(struct unnamed *unnamed)
{
    while (unnamed->busy)
        pthread_cond_wait(&unnamed->changed, &unnamed->lock);
    while (unnamed->ready_count > 0)
        close(unnamed->ready[--unnamed->ready_count]);
    if (unnamed->folder_fd >= 0)
        close(unnamed->folder_fd);
    unnamed->folder_fd = -1;
    unnamed->row = 0;
}

void unnamed_forget(struct unnamed *unnamed)
{
    pthread_mutex_lock(&unnamed->lock);
    forget_locked(unnamed);
    pthread_mutex_unlock(&unnamed->lock);
}

struct unnamed *unnamed_free(struct unnamed *unnamed)
{
    if (!unnamed)
        return NULL;
    pthread_mutex_lock(&unnamed->lock);
    forget_locked(unnamed);
    unnamed->stop = true;
    pthread_cond_broadcast(&unnamed->changed);
    pthread_mutex_unlock(&unnamed->lock);
    if (unnamed->has_thread)
        pthread_join(unnamed->thread, NULL);
    pthread_cond_destroy(&unnamed->changed);
    pthread_mutex_destroy(&unnamed->lock);
    free(unnamed);
    return NULL;
}

static int open_one(int folder_fd, mode_t mode)
{
    struct stat st;
    int fd = openat(folder_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
    if (fd >= 0)
        return fd;
    switch (errno) {
    case EISDIR: /* a kernel or a file system that has never heard of the flag */
    case EINVAL:
        return -EOPNOTSUPP;
    case EPERM: /* ext4's word for a folder that has been removed */
        return fstat(folder_fd, &st) == 0 && st.st_nlink == 0 ? -ENOENT : -EPERM;
    default:
        return -errno;
    }
}

/* ---- Ahead --------------------------------------------------------------------------------- */

/* What fails here is left to the caller, who meets the error when it matters. */
static void make_one(struct unnamed *unnamed)
{
    const int folder_fd = unnamed->folder_fd;
    const mode_t mode = unnamed->mode;
    unnamed->busy = true;
    pthread_mutex_unlock(&unnamed->lock);
    int fd = open_one(folder_fd, mode);
    pthread_mutex_lock(&unnamed->lock);
    unnamed->busy = false;
    if (fd >= 0) {
        unnamed->ready[unnamed->ready_count++] = fd;
    } else {
        close(unnamed->folder_fd);
        unnamed->folder_fd = -1;
    }
    pthread_cond_broadcast(&unnamed->changed);
}

static void *work(void *data)
{
    struct unnamed *unnamed = data;
    pthread_mutex_lock(&unnamed->lock);
    while (!unnamed->stop) {
        if (unnamed->folder_fd >= 0 && unnamed->ready_count <= READY_MAX / 2)
            while (unnamed->folder_fd >= 0 && unnamed->ready_count < READY_MAX && !unnamed->stop)
                make_one(unnamed);
        else
            pthread_cond_wait(&unnamed->changed, &unnamed->lock);
    }
    pthread_mutex_unlock(&unnamed->lock);
    return NULL;
}

/* No signal is for this thread. With the lock. */
static void start_thread(struct unnamed *unnamed)
{
    sigset_t all, before;
    sigfillset(&all);
    if (unnamed->has_thread || unnamed->no_thread)
        return;
    if (pthread_sigmask(SIG_SETMASK, &all, &before) == 0) {
        unnamed->has_thread = pthread_create(&unnamed->thread, NULL, work, unnamed) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    unnamed->no_thread = !unnamed->has_thread;
}

/* One more file for the folder: take one that is ready, if there is one. Returns it, or -1. */
static int take(struct unnamed *unnamed, const struct outdir *folder, mode_t mode)
{
    int fd = -1;
    pthread_mutex_lock(&unnamed->lock);
    if (unnamed->device != folder->device || unnamed->inode != folder->inode ||
        unnamed->mode != mode) {
        forget_locked(unnamed);
        unnamed->device = folder->device;
        unnamed->inode = folder->inode;
        unnamed->mode = mode;
    }
    if (unnamed->ready_count > 0)
        fd = unnamed->ready[--unnamed->ready_count];
    if (unnamed->row < ROW_LEAST && ++unnamed->row == ROW_LEAST) {
        start_thread(unnamed);
        if (unnamed->has_thread)
            unnamed->folder_fd = fcntl(folder->fd, F_DUPFD_CLOEXEC, 3);
    }
    if (unnamed->folder_fd >= 0 && unnamed->ready_count <= READY_MAX / 2 && !unnamed->busy)
        pthread_cond_broadcast(&unnamed->changed);
    pthread_mutex_unlock(&unnamed->lock);
    return fd;
}

int unnamed_open(struct unnamed *unnamed, const struct outdir *folder, mode_t mode)
{
    int fd = take(unnamed, folder, mode);
    return fd >= 0 ? fd : open_one(folder->fd, mode);
}

/* ---- The name ------------------------------------------------------------------------------ */

/* By its name in /proc, which everybody may, where /proc is mounted. */
static int link_by_path(int fd, const struct outdir *folder, const char *name)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, path, folder->fd, name, AT_SYMLINK_FOLLOW) == 0)
        return 0;
    switch (errno) {
    case EPERM: /* links are not for everybody here */
    case EACCES:
    case EXDEV:
    case EINVAL:
    case EMLINK:
        return -EOPNOTSUPP;
    case ENOENT: /* no folder any more, or no /proc */
        return access(path, F_OK) == 0 ? -ENOENT : -EOPNOTSUPP;
    default:
        return -errno;
    }
}

/* By the descriptor itself, in a third of the time; before Linux 6.10 that was for privileged
 * processes only, and a refusal looked like a folder that is gone. So the path has the last word,
 * and once that has been needed it is asked at once. */
int unnamed_link(struct unnamed *unnamed, int fd, const struct outdir *folder, const char *name)
{
    if (!unnamed->by_path) {
        if (linkat(fd, "", folder->fd, name, AT_EMPTY_PATH) == 0)
            return 0;
        if (errno == EEXIST)
            return -EEXIST;
    }
    int r = link_by_path(fd, folder, name);
    if (r == 0)
        unnamed->by_path = true;
    return r;
}
