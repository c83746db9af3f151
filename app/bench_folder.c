/* bench_folder.c: see bench_folder_priv.h.
 *
 * The folder is ours by the way it came to be: mkdtemp makes a new one that nobody else may enter.
 * It is held open, and what is removed is found below that descriptor and nowhere else, so that no
 * rename or link leads a removal astray. */
#include "bench_folder_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <imaging/imaging.h>

#include "escape_priv.h"
#include "plan_priv.h"

#define NAME "thumbpool-bench-XXXXXX"

int bench_folder_make(const char *parent, struct bench_folder *ret_folder)
{
    struct bench_folder folder = {.path = TEXT_INIT, .fd = -1};
    const char *from_environment = getenv("TMPDIR");
    if (!parent)
        parent = from_environment && from_environment[0] ? from_environment : "/tmp";
    text_puts(&folder.path, parent);
    text_join(&folder.path, NAME);
    int r = text_failed(&folder.path) ? -ENOMEM : 0;
    if (r == 0 && !mkdtemp(folder.path.data))
        r = -errno;
    if (r < 0) {
        text_done(&folder.path);
        return r;
    }
    folder.fd = open(folder.path.data, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder.fd < 0) {
        r = -errno;
        rmdir(folder.path.data);
        text_done(&folder.path);
        return r;
    }
    *ret_folder = folder;
    return 0;
}

/* Runs go by its path: where that leads elsewhere by now, they would make their thumbnails there,
 * and nobody would remove them. */
static bool is_in_place(const struct bench_folder *folder)
{
    struct stat ours, there;
    return fstat(folder->fd, &ours) == 0 && lstat(text_string(&folder->path), &there) == 0 &&
           ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

int bench_folder_add(const struct bench_folder *folder, const char *name)
{
    if (!is_in_place(folder))
        return -ESTALE;
    return mkdirat(folder->fd, name, 0700) < 0 ? -errno : 0;
}

static DIR *open_folder(int parent_fd, const char *name)
{
    const int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (fd >= 0 && !dir) {
        const int error = errno;
        close(fd);
        errno = error;
    }
    return dir;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Empty and remove a folder of ours. Folders in it come directly into ours, under a number, so that
 * however deep they were, no more than one is open at a time. What is no folder is unlinked, a link
 * too. */
static int remove_one(int own_fd, const char *name, size_t *moved)
{
    char number[32];
    int r = 0;
    DIR *dir = open_folder(own_fd, name);
    if (!dir)
        return -errno;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (is_dots(entry->d_name) || unlinkat(dirfd(dir), entry->d_name, 0) == 0)
            continue;
        if (errno != EISDIR && errno != EPERM) {
            r = -errno;
        } else if (unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) < 0) {
            snprintf(number, sizeof(number), "%zu", (*moved)++);
            if (renameat(dirfd(dir), entry->d_name, own_fd, number) < 0)
                r = -errno;
        }
    }
    closedir(dir);
    if (unlinkat(own_fd, name, AT_REMOVEDIR) < 0 && r == 0)
        r = -errno;
    return r;
}

int bench_folder_drop(const struct bench_folder *folder, const char *name)
{
    char number[32];
    size_t moved = 0;
    int r = remove_one(folder->fd, name, &moved);
    for (size_t i = 0; i < moved; i++) {
        snprintf(number, sizeof(number), "%zu", i);
        const int removed = remove_one(folder->fd, number, &moved);
        r = r < 0 ? r : removed;
    }
    return r;
}

void bench_folder_remove(struct bench_folder *folder)
{
    if (folder->path.length == 0)
        return;
    DIR *dir = open_folder(folder->fd, ".");
    for (const struct dirent *entry; dir && (entry = readdir(dir));)
        if (!is_dots(entry->d_name) && unlinkat(folder->fd, entry->d_name, 0) < 0)
            bench_folder_drop(folder, entry->d_name);
    if (dir)
        closedir(dir);
    close(folder->fd);
    rmdir(folder->path.data); /* whatever has that name by now: only if it is empty */
    text_done(&folder->path);
    folder->fd = -1;
}

int64_t bench_folder_count(const struct bench_folder *folder, const char *name)
{
    int64_t count = 0;
    DIR *dir = open_folder(folder->fd, name);
    if (!dir)
        return -1;
    for (const struct dirent *entry; (entry = readdir(dir));)
        count += !is_dots(entry->d_name);
    closedir(dir);
    return count;
}

/* ---- Files that are asked for --------------------------------------------------------------- */

static int refuse(struct text *message, const char *path, const char *why)
{
    escape_name(message, path, strlen(path));
    text_printf(message, ": not written: %s", why);
    return -EEXIST;
}

int bench_file_check(const char *path, const struct inputs *inputs, struct text *reterr_message)
{
    struct stat st;
    if (img_format_from_extension(plan_extension(path)) != IMG_FORMAT_UNKNOWN)
        return refuse(reterr_message, path, "that is a picture's name");
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0) /* whatever it is: unreadable, a socket, a device without its driver */
        return refuse(reterr_message, path,
                      errno == ELOOP ? "it is a symbolic link" : strerror(errno));
    const bool is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    const bool is_named = is_file && inputs_name_file(inputs, st.st_dev, st.st_ino);
    const bool is_picture = is_file && plan_probe(fd) != IMG_FORMAT_UNKNOWN;
    close(fd);
    if (!is_file)
        return refuse(reterr_message, path, "it is no file");
    if (is_named)
        return refuse(reterr_message, path, "it is one of the files to be read");
    if (is_picture)
        return refuse(reterr_message, path, "it is a picture");
    return 0;
}

int bench_file_make(const char *path, const void *data, size_t size_bytes, mode_t mode)
{
    const char *at = data;
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return -errno;
    int r = 0;
    while (r == 0 && size_bytes > 0) {
        const ssize_t wrote = write(fd, at, size_bytes);
        if (wrote < 0 && errno != EINTR)
            r = -errno;
        if (wrote > 0) {
            at += wrote;
            size_bytes -= (size_t)wrote;
        }
    }
    if (close(fd) < 0 && r == 0)
        r = -errno;
    if (r < 0)
        unlink(path);
    return r;
}

int bench_file_write(const char *path, const struct text *text)
{
    struct text temporary = TEXT_INIT;
    text_printf(&temporary, "%s.%ld~", path, (long)getpid());
    int r = text_failed(&temporary) ? -ENOMEM : 0;
    if (r == 0)
        r = bench_file_make(temporary.data, text->data, text->length, 0666);
    if (r == 0 && rename(temporary.data, path) < 0) {
        r = -errno;
        unlink(temporary.data);
    }
    text_done(&temporary);
    return r;
}
