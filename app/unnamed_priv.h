/* unnamed_priv.h: files without a name (O_TMPFILE), for thumbnails whose names are free.
 *
 * Such a file is written in full and then linked to its name, which fails where something has got
 * the name meanwhile; a run that is killed before leaves nothing behind at all.
 *
 * A file system may have to search long for a free inode: ext4 without a journal passes over every
 * inode of the folder's group that was freed in the last minutes, up to a millisecond a file. So
 * where many files come into one folder one after the other, a thread has the next ones ready. */
#ifndef APP_UNNAMED_PRIV_H
#define APP_UNNAMED_PRIV_H

#include <stdbool.h>
#include <sys/types.h>

#include "outdir_priv.h"

struct unnamed;

/** ahead: a thread may have files ready.
 *  ret_unnamed: owned. Returns 0 or -ENOMEM. */
int unnamed_create(bool ahead, struct unnamed **ret_unnamed);

/** NULL is fine. Returns NULL. */
struct unnamed *unnamed_free(struct unnamed *unnamed);

/** Open a new file for writing.
 *  folder: where its name will be; borrowed for the call.  mode: its rights, as for open().
 *  Returns a descriptor, which is the caller's, or a negative errno value; -EOPNOTSUPP: there are
 *  no such files here, whatever the file system said in detail. */
int unnamed_open(struct unnamed *unnamed, const struct outdir *folder, mode_t mode);

/** Give a file that unnamed_open() has opened its name, one at a time. Nothing is ever replaced.
 *  Returns 0 or a negative errno value: -EEXIST: the name is taken; -EOPNOTSUPP: no link can be
 *  made here, so that the file is of no use. */
int unnamed_link(struct unnamed *unnamed, int fd, const struct outdir *folder, const char *name);

/** Close the files that are ready, and the folder they are in. */
void unnamed_forget(struct unnamed *unnamed);

#endif
