/* commit_priv.h: thumbnails to their final names, whole or not at all.
 *
 * Each is written to a file without a name, and linked; where that cannot be had, or where it is to
 * replace something, to a temporary file in its own folder, and renamed. Under a final name there
 * is never anything but a whole thumbnail. Sources are never a target, whatever leads to them. */
#ifndef APP_COMMIT_PRIV_H
#define APP_COMMIT_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "inode_set_priv.h"
#include "inputs_priv.h"
#include "text_priv.h"

struct commit;

struct commit_request {
    size_t root;        /* index of the output root */
    const char *folder; /* below it */
    const char *name;   /* final name */
    dev_t source_device;
    ino_t source_inode;
    mode_t source_mode;
    gid_t source_group;
    const void *data;
    size_t size_bytes;
    /* Asked about a file or link that has the name, when nothing else forbids to replace it: 0, or
     * -EEXIST, -EALREADY or what commit_file() is to return, with the reason, safe to show. NULL:
     * any may be replaced. */
    int (*may_replace)(void *data, int dir_fd, const char *name, struct text *reason);
    /* Asked about a file that has the name and seems to have been made in this run: is it of this
     * very source? Then another run has been here: a thumbnail that it replaced has gone, and the
     * number of its inode serves again. NULL: no. */
    bool (*is_own)(void *data, int dir_fd, const char *name);
    void *callback_data; /* of both */
};

/** inputs: borrowed until commit_free().  read_folders: folders whose files are sources (grows
 *  while the run walks on), borrowed likewise.  output_roots: gets the roots as they are opened.
 *  sync: what is committed, and the folders made for it, outlast a power failure too.
 *  ahead: a thread may open files before they are needed (unnamed_priv.h).
 *  Reads the process's umask, which means setting it for a moment: no other thread may make files
 *  meanwhile.
 *  ret_commit: owned.  Returns 0 or -ENOMEM. */
int commit_create(const struct inputs *inputs, const struct inode_set *read_folders,
                  struct inode_set *output_roots, bool sync, bool ahead,
                  struct commit **ret_commit);

struct commit *commit_free(struct commit *commit);

/** Give back descriptors that are only held for later use. */
void commit_relieve(struct commit *commit);

/** The output root itself, made if it is missing.
 *  reterr_message: as for commit_file().
 *  Returns its descriptor, borrowed until the next call here, or as commit_file(). */
int commit_root(struct commit *commit, size_t root, struct text *reterr_message);

/** Put one thumbnail in its place, replacing an older one.
 *  request: borrowed for the call.  reterr_message: on failure the cause, safe to show.
 *  Returns 0, or
 *    -EEXIST        the name belongs to a source, to another thumbnail of this run, or to
 *                   something that is no file: this file fails
 *    -ENAMETOOLONG  the file system refuses the name: this file fails
 *    -EALREADY      may_replace() has said so
 *    another negative errno value: nothing more can be written. */
int commit_file(struct commit *commit, const struct commit_request *request,
                struct text *reterr_message);

/** What commit_file() would say now to a request, as far as names go: data is not looked at, and
 *  nothing is made.  clean: as for outdirs_find().
 *  Returns 0 if it would be written, or -EEXIST or -EALREADY with the reason. */
int commit_check(struct commit *commit, const struct commit_request *request, bool clean,
                 struct text *reterr_message);

/** The output folder, if it is there: nothing is made.  clean: as for outdirs_find().
 *  Returns its descriptor, borrowed until the next call here, or a negative errno value. */
int commit_find(struct commit *commit, size_t root, const char *folder, bool clean);

/** A thumbnail that is there stays as it is: no other source of this run gets its name.
 *  Returns 0 or -ENOMEM. */
int commit_keep(struct commit *commit, const struct stat *st);

/** A source that lies anywhere, an output folder perhaps: it is never replaced from now on.
 *  Returns 0 or -ENOMEM. */
int commit_protect(struct commit *commit, const struct stat *st);

/** Is it a thumbnail that this run has made or keeps; a source that was named or is protected; a
 *  folder that the run reads sources from? */
bool commit_has(const struct commit *commit, const struct stat *st);
bool commit_is_source(const struct commit *commit, const struct stat *st);
bool commit_is_read(const struct commit *commit, const struct stat *st);

#endif
