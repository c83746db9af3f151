/* ledger_file_priv.h: the ledger's file, and what others may do with it meanwhile.
 *
 * Who writes holds a lock on the file, and makes sure under the lock that the file still has its
 * name: another run may have renamed a new one over it. So no line is ever lost in an old one. */
#ifndef APP_LEDGER_FILE_PRIV_H
#define APP_LEDGER_FILE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ledger_file {
    int fd;             /* -1: none */
    bool writable;      /* fd is */
    bool impatient;     /* somebody does not let go of the lock: do not wait for it again */
    uint64_t size;      /* read or written up to here, whole lines; 0: nothing yet */
    uint64_t full_size; /* what was there when last looked at; behind size: half a line */
};

#define LEDGER_FILE_INIT                                                                           \
    {                                                                                              \
        .fd = -1, .writable = false, .impatient = false, .size = 0, .full_size = 0                 \
    }

/** A file that is written to take the place of the ledger's. */
struct ledger_draft {
    struct ledger_file file;
    char name[64];
};

/** Close it; it is as after LEDGER_FILE_INIT, but as impatient as before. */
void ledger_file_close(struct ledger_file *file);

/** Open it for reading, and for writing if that may be. The lock is not taken.
 *  Returns 0, -ENOENT, -EEXIST, -EFBIG, or the system's word. */
int ledger_file_open(struct ledger_file *file, int dir_fd);

/** Lock the file of that name, opening it if that is another than the open one: size is 0 then.
 *  create: make it if there is none.  Returns as ledger_file_open(), or -EBUSY. */
int ledger_file_lock(struct ledger_file *file, int dir_fd, bool create);

void ledger_file_unlock(struct ledger_file *file);

/** Hand on each whole line from size on, without its line feed, and move size behind it.
 *  take: may change the line; not called for the header.  Stops when it returns less than 0.
 *  Returns 0, -ENOTSUP if the file does not begin with the header, -EFBIG, -ENOMEM, what take
 *  returned, or the system's word. */
int ledger_file_read(struct ledger_file *file,
                     int (*take)(void *context, char *line, size_t length), void *context);

/** Write whole lines behind size; half a line that a killed run left there goes. The lock is held.
 *  On failure the file is as it was.  Returns 0, -EFBIG, or the system's word. */
int ledger_file_append(struct ledger_file *file, const void *lines, size_t size_bytes);

/** Take the file's name away. The lock is held.  Returns 0 or the system's word. */
int ledger_file_remove(int dir_fd);

/** Begin a draft; what is appended to draft->file is seen by nobody yet.
 *  Returns 0 or the system's word; ledger_draft_end() is due after 0 only. */
int ledger_draft_begin(struct ledger_draft *draft, int dir_fd);

/** error: 0, or why it is given up.  After 0 file, whose lock is held, is the draft, locked too.
 *  After a failure it is as before, and nothing is left of the draft.
 *  Returns 0, error, or the system's word. */
int ledger_draft_end(struct ledger_draft *draft, int dir_fd, struct ledger_file *file, int error);

#endif
