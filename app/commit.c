/* commit.c: see commit_priv.h.
 *
 * The thumbnails made or kept in this run are remembered by device and inode, less than a byte
 * each where these are neighbours. A target that exists and is one of them has been given to
 * another source, by whatever name it was reached: the same one, one that differs in case, a folder
 * that is mounted twice. */
#include "commit_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "escape_priv.h"
#include "inode_blocks_priv.h"
#include "outdir_priv.h"
#include "unnamed_priv.h"

#define TEMPORARY_NAME_BYTES 64

/* A name that is taken between the look at it and the rename is looked at again, so often. */
#define NAME_ATTEMPTS 3

struct commit {
    const struct inputs *inputs;
    const struct inode_set *read_folders;
    struct inode_set guarded; /* sources that links have led to */
    struct inode_blocks made;
    struct outdirs *outdirs;
    struct unnamed *unnamed; /* NULL: they are of no use here */
    bool sync;
    mode_t allowed; /* what the umask leaves of 0666 */
    pid_t pid;
    uint64_t next; /* number of the next temporary file */
};

int commit_create(const struct inputs *inputs, const struct inode_set *read_folders,
                  struct inode_set *output_roots, bool sync, bool ahead, struct commit **ret_commit)
{
    struct commit *commit = calloc(1, sizeof(*commit));
    if (!commit)
        return -ENOMEM;
    const mode_t mask = umask(0077);
    umask(mask);
    commit->allowed = 0666 & ~mask;
    commit->pid = getpid();
    commit->inputs = inputs;
    commit->sync = sync;
    commit->read_folders = read_folders;
    int r = outdirs_create(inputs, read_folders, output_roots, sync, &commit->outdirs);
    if (r == 0)
        r = unnamed_create(ahead, &commit->unnamed);
    if (r < 0) {
        commit_free(commit);
        return r;
    }
    *ret_commit = commit;
    return 0;
}

struct commit *commit_free(struct commit *commit)
{
    if (!commit)
        return NULL;
    unnamed_free(commit->unnamed);
    outdirs_free(commit->outdirs);
    inode_set_done(&commit->guarded);
    inode_blocks_done(&commit->made);
    free(commit);
    return NULL;
}

/* "path of the target: words" */
static void explain(const struct commit *commit, const struct commit_request *request,
                    const char *words, struct text *message)
{
    struct text path = TEXT_INIT;
    text_puts(&path, commit->inputs->roots[request->root].path);
    text_join(&path, request->folder);
    text_join(&path, request->name);
    escape_name(message, text_string(&path), path.length);
    text_printf(message, ": %s", words);
    text_done(&path);
}

/* Returns 1, or what may_replace() says against it. */
static int ask_to_replace(const struct commit *commit, const struct commit_request *request,
                          int dir_fd, struct text *message)
{
    struct text reason = TEXT_INIT;
    int r = 0;
    if (request->may_replace)
        r = request->may_replace(request->callback_data, dir_fd, request->name, &reason);
    if (r < 0)
        explain(commit, request, text_string(&reason), message);
    text_done(&reason);
    return r < 0 ? r : 1;
}

/* May the target be made? Returns 0 if nothing has its name, 1 if what has it may be replaced, or
 * -EEXIST or -EALREADY with the reason. */
static int check_target(const struct commit *commit, const struct commit_request *request,
                        const struct outdir *outdir, struct text *message)
{
    struct stat st;
    const char *reason = NULL;
    if (fstatat(outdir->fd, request->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno == ENOENT)
            return 0;
        const int error = -errno;
        explain(commit, request, strerror(-error), message);
        return error;
    }
    if (st.st_dev == request->source_device && st.st_ino == request->source_inode)
        reason = "the thumbnail would replace its own source";
    else if (inputs_name_file(commit->inputs, st.st_dev, st.st_ino))
        reason = "the thumbnail would replace a source";
    else if (inode_set_has(&commit->guarded, st.st_dev, st.st_ino))
        reason = "the thumbnail would replace a source that a link leads to";
    else if (inode_blocks_has(&commit->made, st.st_dev, st.st_ino) &&
             !(request->is_own &&
               request->is_own(request->callback_data, outdir->fd, request->name)))
        reason = "this run has made it from another file already";
    else if (S_ISDIR(st.st_mode))
        reason = "there is a folder of that name";
    else if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
        reason = "there is something of that name that is no file";
    else if (outdir->is_read || inode_set_has(commit->read_folders, outdir->device, outdir->inode))
        reason = "a file of that name is among the sources of this run";
    if (reason) {
        explain(commit, request, reason, message);
        return -EEXIST;
    }
    return ask_to_replace(commit, request, outdir->fd, message);
}

static int write_all(int fd, const void *data, size_t size_bytes)
{
    const uint8_t *at = data;
    while (size_bytes > 0) {
        ssize_t written = write(fd, at, size_bytes);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        at += written;
        size_bytes -= (size_t)written;
    }
    return 0;
}

/* Make the temporary file; the lock on it says that its writer lives. mode: what it may have
 * already, beside its owner's rights while it is written. */
static int open_temporary(struct commit *commit, int dir_fd, mode_t mode, char *name)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    for (;;) {
        snprintf(name, TEMPORARY_NAME_BYTES, TEMPORARY_PREFIX "%ld-%llu" TEMPORARY_SUFFIX,
                 (long)commit->pid, (unsigned long long)commit->next++);
        int fd = openat(dir_fd, name, flags, 0600 | mode);
        if (fd < 0 && errno == EEXIST) /* left by an earlier process of our number */
            continue;
        if (fd < 0)
            return -errno;
        flock(fd, LOCK_SH | LOCK_NB); /* file systems without locks do without */
        return fd;
    }
}

/* Give the temporary file its final name. Where nothing had that name a moment ago, nothing that
 * got it since is replaced. */
static int rename_to(const struct outdir *outdir, const char *temporary, const char *name,
                     bool replace)
{
    int r = replace ? -EINVAL : 0;
    if (!replace && renameat2(outdir->fd, temporary, outdir->fd, name, RENAME_NOREPLACE) < 0)
        r = -errno;
    /* Not every file system knows the flag. */
    if (r == -EINVAL || r == -ENOSYS)
        r = renameat(outdir->fd, temporary, outdir->fd, name) < 0 ? -errno : 0;
    return r;
}

/* Never wider than the source's. Another group than the source's has the rights of everybody. */
static mode_t mode_for(const struct commit *commit, const struct commit_request *request,
                       bool same_group)
{
    mode_t mode = commit->allowed & request->source_mode & 0777;
    if (!same_group)
        mode &= ~(mode_t)0070 | (mode & 0007) << 3;
    return mode;
}

/* FAT has one mode for all its files, and refuses to change it. That must do where others than the
 * owner may no more than with the source. */
static bool is_narrow_enough(mode_t mode, mode_t source_mode)
{
    return errno == EPERM && (mode & 0066 & ~source_mode) == 0;
}

/* Write the file, all but its name. */
static int fill(const struct commit *commit, const struct commit_request *request, int fd,
                struct stat *ret_st)
{
    mode_t mode = 0;
    int r = write_all(fd, request->data, request->size_bytes);
    if (r == 0 && fstat(fd, ret_st) < 0)
        r = -errno;
    if (r == 0)
        mode = mode_for(commit, request, ret_st->st_gid == request->source_group);
    if (r == 0 && (ret_st->st_mode & 07777) != mode && fchmod(fd, mode) < 0)
        r = is_narrow_enough(ret_st->st_mode, request->source_mode) ? 0 : -errno;
    if (r == 0 && commit->sync && fsync(fd) < 0)
        r = -errno; /* never asked again: the second answer would be a lie */
    return r;
}

/* Some file systems only say at the closing that bytes were lost: hear it before there is a name.
 * EINTR: closed all the same on Linux. */
static int close_heard(int fd)
{
    return close(fd) < 0 && errno != EINTR ? -errno : 0;
}

/* A file without a name, and then the name. Returns as put_in_place(), or -EOPNOTSUPP: that cannot
 * be had here, and nothing has happened. */
static int put_unnamed(struct commit *commit, const struct commit_request *request,
                       const struct outdir *outdir, struct stat *ret_st)
{
    int fd = unnamed_open(commit->unnamed, outdir, 0600 | mode_for(commit, request, false));
    if (fd < 0)
        return fd;
    int r = fill(commit, request, fd, ret_st);
    if (r == 0) {
        int again = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        r = again < 0 ? -errno : close_heard(again);
    }
    if (r == 0)
        r = unnamed_link(commit->unnamed, fd, outdir, request->name);
    close(fd);
    return r;
}

/* A temporary file, and a rename. Returns as put_in_place(). */
static int put_renamed(struct commit *commit, const struct commit_request *request,
                       const struct outdir *outdir, bool replace, struct stat *ret_st)
{
    char temporary[TEMPORARY_NAME_BYTES];
    int fd = open_temporary(commit, outdir->fd, mode_for(commit, request, false), temporary);
    if (fd < 0)
        return fd;
    int r = fill(commit, request, fd, ret_st);
    const int closed = close_heard(fd);
    if (r == 0)
        r = closed;
    if (r == 0)
        r = rename_to(outdir, temporary, request->name, replace);
    if (r < 0)
        unlinkat(outdir->fd, temporary, 0);
    return r;
}

/* Write it and give it its name. On failure nothing is left; 1: the name has been taken
 * meanwhile. */
static int put_in_place(struct commit *commit, const struct commit_request *request,
                        const struct outdir *outdir, bool replace)
{
    struct stat st = {0};
    int r = inode_blocks_reserve(&commit->made);
    if (r < 0)
        return r;
    r = -EOPNOTSUPP;
    if (!replace && commit->unnamed) {
        r = put_unnamed(commit, request, outdir, &st);
        if (r == -EOPNOTSUPP)
            commit->unnamed = unnamed_free(commit->unnamed);
    }
    if (r == -EOPNOTSUPP)
        r = put_renamed(commit, request, outdir, replace, &st);
    if (r < 0)
        return r == -EEXIST ? 1 : r;
    /* Not before: the inode of a file that is removed may soon be another's. */
    inode_blocks_add(&commit->made, st.st_dev, st.st_ino);
    return commit->sync && fsync(outdir->fd) < 0 && errno != EINVAL ? -errno : 0;
}

static int commit_once(struct commit *commit, const struct commit_request *request,
                       struct text *message)
{
    struct outdir outdir;
    int r = outdirs_open(commit->outdirs, request->root, request->folder, &outdir, message);
    if (r < 0)
        return r;
    for (int attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
        r = check_target(commit, request, &outdir, message);
        if (r < 0)
            return r;
        r = put_in_place(commit, request, &outdir, r > 0);
        if (r <= 0)
            break;
        r = -EEXIST; /* somebody else makes files of this name all the time */
    }
    if (r == -EISDIR || r == -ENOTEMPTY) /* a folder came between */
        r = -EEXIST;
    if (r < 0)
        explain(commit, request, strerror(-r), message);
    return r;
}

int commit_root(struct commit *commit, size_t root, struct text *reterr_message)
{
    struct outdir outdir;
    int r = outdirs_open(commit->outdirs, root, "", &outdir, reterr_message);
    return r < 0 ? r : outdir.fd;
}

void commit_relieve(struct commit *commit)
{
    if (commit->unnamed)
        unnamed_forget(commit->unnamed);
    outdirs_forget(commit->outdirs);
}

int commit_file(struct commit *commit, const struct commit_request *request,
                struct text *reterr_message)
{
    const size_t length = reterr_message->length;
    int r = commit_once(commit, request, reterr_message);
    /* The folder was removed since it was opened: make it again. Or descriptors are short: folders
     * that are open for later use can give theirs back. */
    if (r == -ENOENT || r == -EMFILE || r == -ENFILE) {
        commit_relieve(commit);
        text_cut(reterr_message, length);
        r = commit_once(commit, request, reterr_message);
    }
    return r == -EINVAL || r == -EILSEQ ? -ENAMETOOLONG : r;
}

/* ---- Looks without writing ----------------------------------------------------------------- */

int commit_check(struct commit *commit, const struct commit_request *request, bool clean,
                 struct text *reterr_message)
{
    const size_t length = reterr_message->length;
    struct outdir outdir;
    int r = outdirs_find(commit->outdirs, request->root, request->folder, clean, &outdir);
    r = r < 0 ? 0 : check_target(commit, request, &outdir, reterr_message);
    if (r == -EEXIST || r == -EALREADY)
        return r;
    text_cut(reterr_message, length); /* what else is wrong will show when it is written */
    return 0;
}

int commit_find(struct commit *commit, size_t root, const char *folder, bool clean)
{
    struct outdir outdir;
    int r = outdirs_find(commit->outdirs, root, folder, clean, &outdir);
    return r < 0 ? r : outdir.fd;
}

int commit_keep(struct commit *commit, const struct stat *st)
{
    int r = inode_blocks_add(&commit->made, st->st_dev, st->st_ino);
    return r < 0 ? r : 0;
}

int commit_protect(struct commit *commit, const struct stat *st)
{
    int r = inode_set_add(&commit->guarded, st->st_dev, st->st_ino);
    return r < 0 ? r : 0;
}

bool commit_has(const struct commit *commit, const struct stat *st)
{
    return inode_blocks_has(&commit->made, st->st_dev, st->st_ino);
}

bool commit_is_source(const struct commit *commit, const struct stat *st)
{
    return inputs_name_file(commit->inputs, st->st_dev, st->st_ino) ||
           inode_set_has(&commit->guarded, st->st_dev, st->st_ino);
}

bool commit_is_read(const struct commit *commit, const struct stat *st)
{
    return inode_set_has(commit->read_folders, st->st_dev, st->st_ino);
}
