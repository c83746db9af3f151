/* ledger_file.c: see ledger_file_priv.h. */
#include "ledger_file_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock_priv.h"
#include "ledger_line_priv.h"
#include "ledger_priv.h"
#include "outdir_priv.h"

/* Others hold the lock for the writing of one file at most. */
#define LOCK_WAIT_MS 5000
#define NAP_MAX_US   20000

/* Each time another run has to put a new file in place just then. */
#define OPEN_ATTEMPTS 100

#define READ_BYTES ((size_t)64 * 1024)

#define FILE_FLAGS  (O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
#define WRITE_FLAGS (O_RDWR | O_APPEND)

void ledger_file_close(struct ledger_file *file)
{
    const bool impatient = file->impatient;
    if (file->fd >= 0)
        close(file->fd);
    *file = (struct ledger_file)LEDGER_FILE_INIT;
    file->impatient = impatient;
}

/* ---- Opening ------------------------------------------------------------------------------- */

/* One with a second name may be a source; what is appended would appear there. */
static int check_file(const struct stat *st)
{
    if (!S_ISREG(st->st_mode) || st->st_nlink > 1)
        return -EEXIST;
    return st->st_size > LEDGER_BYTES_MAX ? -EFBIG : 0;
}

/* flags: how. The type is looked at before, because opening a device can move things. */
static int file_open(struct ledger_file *file, int dir_fd, int flags)
{
    struct stat st;
    ledger_file_close(file);
    if (fstatat(dir_fd, LEDGER_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        int r = check_file(&st);
        if (r < 0)
            return r;
    } else if (errno != ENOENT) {
        return -errno;
    }
    int fd = openat(dir_fd, LEDGER_NAME, flags | FILE_FLAGS, 0600);
    if (fd < 0)
        return errno == ELOOP || errno == EISDIR || errno == ENXIO ? -EEXIST : -errno;
    int r = fstat(fd, &st) < 0 ? -errno : check_file(&st);
    if (r < 0) {
        close(fd);
        return r;
    }
    file->fd = fd;
    file->writable = (flags & O_ACCMODE) == O_RDWR;
    file->full_size = (uint64_t)st.st_size;
    return 0;
}

int ledger_file_open(struct ledger_file *file, int dir_fd)
{
    int r = file_open(file, dir_fd, WRITE_FLAGS);
    if (r == -EACCES || r == -EPERM || r == -EROFS)
        r = file_open(file, dir_fd, O_RDONLY);
    return r;
}

/* ---- Locking ------------------------------------------------------------------------------- */

/* Not for ever: whoever holds it may be stopped, or mean no good. */
static int wait_for_lock(struct ledger_file *file)
{
    const int64_t until_ms = clock_ms() + (file->impatient ? 0 : LOCK_WAIT_MS);
    for (long nap_us = 100;; nap_us = nap_us < NAP_MAX_US ? nap_us * 2 : nap_us) {
        const struct timespec nap = {.tv_nsec = nap_us * 1000};
        if (flock(file->fd, LOCK_EX | LOCK_NB) == 0)
            break;
        if (errno != EWOULDBLOCK && errno != EINTR)
            break; /* file systems without locks do without */
        if (clock_ms() >= until_ms) {
            file->impatient = true;
            return -EBUSY;
        }
        nanosleep(&nap, NULL);
    }
    file->impatient = false;
    return 0;
}

/* Said aloud, since a process that was forked meanwhile may hold the descriptor too. */
void ledger_file_unlock(struct ledger_file *file)
{
    if (file->fd >= 0)
        flock(file->fd, LOCK_UN);
}

/* Does the open file still have its name? Returns 1, 0, or a negative value. */
static int is_current(struct ledger_file *file, int dir_fd)
{
    struct stat st, named;
    if (fstat(file->fd, &st) < 0)
        return -errno;
    if (fstatat(dir_fd, LEDGER_NAME, &named, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (st.st_dev != named.st_dev || st.st_ino != named.st_ino)
        return 0;
    file->full_size = (uint64_t)st.st_size;
    if (file->full_size < file->size)
        file->size = 0; /* somebody has cut it: nothing that is known of it holds */
    int r = check_file(&st);
    return r < 0 ? r : 1;
}

int ledger_file_lock(struct ledger_file *file, int dir_fd, bool create)
{
    const int flags = WRITE_FLAGS | (create ? O_CREAT : 0);
    for (int attempt = 0; attempt < OPEN_ATTEMPTS; attempt++) {
        int r = file->writable ? 0 : file_open(file, dir_fd, flags);
        if (r == 0)
            r = wait_for_lock(file);
        if (r < 0)
            return r;
        r = is_current(file, dir_fd);
        if (r > 0)
            return 0;
        ledger_file_unlock(file);
        if (r < 0)
            return r;
        ledger_file_close(file);
    }
    return -EBUSY;
}

/* ---- Reading ------------------------------------------------------------------------------- */

static int read_at(int fd, void *buffer, size_t size_bytes, uint64_t offset, size_t *ret_got)
{
    ssize_t got;
    do
        got = pread(fd, buffer, size_bytes, (off_t)offset);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    *ret_got = (size_t)got;
    return 0;
}

/* Half a header is as good as an empty file: whoever made it was stopped. */
static int read_header(struct ledger_file *file)
{
    const size_t length = strlen(LEDGER_HEADER);
    char header[sizeof(LEDGER_HEADER)];
    size_t got = 0;
    int r = read_at(file->fd, header, length, 0, &got);
    if (r < 0)
        return r;
    if (memcmp(header, LEDGER_HEADER, got) != 0)
        return -ENOTSUP;
    if (got == length)
        file->size = length;
    return 0;
}

/* Hand on the whole lines. Returns 0 or what take returned; *used grows in both cases. */
static int take_lines(char *buffer, size_t filled, size_t *used,
                      int (*take)(void *context, char *line, size_t length), void *context)
{
    char *feed;
    int r = 0;
    while (r >= 0 && (feed = memchr(buffer + *used, '\n', filled - *used)) != NULL) {
        char *line = buffer + *used;
        r = take(context, line, (size_t)(feed - line));
        if (r >= 0)
            *used = (size_t)(feed - buffer) + 1;
    }
    return r < 0 ? r : 0;
}

int ledger_file_read(struct ledger_file *file,
                     int (*take)(void *context, char *line, size_t length), void *context)
{
    size_t capacity = READ_BYTES, filled = 0, got = 0;
    if (file->full_size <= file->size)
        return 0;
    int r = file->size == 0 ? read_header(file) : 0;
    if (r < 0 || file->size == 0)
        return r;
    char *buffer = malloc(capacity);
    r = buffer ? 0 : -ENOMEM;
    while (r == 0) {
        r = read_at(file->fd, buffer + filled, capacity - filled, file->size + filled, &got);
        if (r < 0 || got == 0)
            break;
        size_t used = 0;
        filled += got;
        r = take_lines(buffer, filled, &used, take, context);
        file->size += used;
        filled -= used;
        memmove(buffer, buffer + used, filled);
        if (r == 0 && file->size + filled > LEDGER_BYTES_MAX)
            r = -EFBIG;
        if (r == 0 && filled == capacity) { /* a long line */
            char *bigger = realloc(buffer, capacity * 2);
            r = bigger ? 0 : -ENOMEM;
            buffer = bigger ? bigger : buffer;
            capacity *= 2;
        }
    }
    free(buffer);
    return r;
}

/* ---- Writing ------------------------------------------------------------------------------- */

int ledger_file_append(struct ledger_file *file, const void *lines, size_t size_bytes)
{
    const char *at = lines;
    size_t left = size_bytes;
    if (size_bytes > LEDGER_BYTES_MAX || file->size + size_bytes > LEDGER_BYTES_MAX)
        return -EFBIG;
    if (file->full_size != file->size && ftruncate(file->fd, (off_t)file->size) < 0)
        return -errno;
    file->full_size = file->size;
    while (left > 0) {
        ssize_t written = write(file->fd, at, left);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            const int error = -errno;
            if (left < size_bytes && ftruncate(file->fd, (off_t)file->size) < 0)
                file->full_size = file->size + size_bytes - left; /* for the next to cut */
            return error;
        }
        at += written;
        left -= (size_t)written;
    }
    file->size += size_bytes;
    file->full_size = file->size;
    return 0;
}

int ledger_file_remove(int dir_fd)
{
    return unlinkat(dir_fd, LEDGER_NAME, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int ledger_draft_begin(struct ledger_draft *draft, int dir_fd)
{
    draft->file = (struct ledger_file)LEDGER_FILE_INIT;
    for (unsigned number = 0;; number++) {
        snprintf(draft->name, sizeof(draft->name), TEMPORARY_PREFIX "%ld-%u" TEMPORARY_SUFFIX,
                 (long)getpid(), number);
        int fd = openat(dir_fd, draft->name, WRITE_FLAGS | O_CREAT | O_EXCL | FILE_FLAGS, 0600);
        if (fd < 0 && errno == EEXIST) /* a thumbnail's, or left by an earlier process */
            continue;
        if (fd < 0)
            return -errno;
        /* Whoever clears up knows by the lock that we live; and under its final name the file is
         * nobody else's before we let go. */
        flock(fd, LOCK_EX | LOCK_NB);
        draft->file.fd = fd;
        draft->file.writable = true;
        return 0;
    }
}

int ledger_draft_end(struct ledger_draft *draft, int dir_fd, struct ledger_file *file, int error)
{
    int r = error;
    if (r == 0 && renameat(dir_fd, draft->name, dir_fd, LEDGER_NAME) < 0)
        r = -errno;
    if (r < 0) {
        unlinkat(dir_fd, draft->name, 0);
        ledger_file_close(&draft->file);
        return r;
    }
    ledger_file_unlock(file);
    ledger_file_close(file);
    *file = draft->file;
    return 0;
}
