/* stamp_priv.h: what made a thumbnail, as it is kept inside it.
 *
 * One line of printable ASCII, the note of struct img_options:
 *
 *   thumbpool/1 mtime=1700000000.123456789 size=123456 settings=<16 hex> root=<16 hex>
 * source=a/b.jpg
 *
 * mtime and size: the state of the source that was read. "mtime=-": that state cannot be told from
 *   a later one, since the source had only just been written, or says that it was in the future.
 * settings: a fingerprint of all that shapes the thumbnail.
 * root: of the real path of the folder that the source is looked for below; not the path itself,
 *   which is nobody's business who gets the thumbnail.
 * source: the path below it, with %XX for what is not printable ASCII, for blanks and for "%". A
 *   longer one than a note has room for is only known by a hash: "hash=<32 hex>" takes its place.
 *
 * A note may be anybody's invention: what it says is believed only where a lie costs no more than
 * the thumbnail that it is in. */
#ifndef APP_STAMP_PRIV_H
#define APP_STAMP_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <imaging/imaging.h>

#include "options_priv.h"
#include "text_priv.h"

/** Raise it when the same picture with the same options becomes another thumbnail: all are then
 *  made anew. */
#define STAMP_ALGORITHM 1

struct stamp {
    bool settled; /* the state is not to be mistaken for a later one */
    int64_t mtime_sec;
    uint32_t mtime_nsec;
    uint64_t size_bytes;
    uint64_t settings;
    uint64_t root;
    bool hashed;        /* source is a hash */
    const char *source; /* as it is written; borrowed */
    size_t source_bytes;
};

/** The fingerprint of the options that change pixels or bytes. */
uint64_t stamp_settings(const struct options *options);

/** Set the state of a source. It is settled if whatever is written to the source from now on gives
 *  it another time of change. */
void stamp_set_state(struct stamp *stamp, const struct stat *st);

/** Append a path below the root as it is written. Returns whether it is a hash. */
bool stamp_encode(struct text *text, const char *path);

/** Append the path that is written there. Returns false if that is no path that stamp_encode()
 *  could have written: a hash, an absolute one, one with empty components, "." or "..". */
bool stamp_decode(struct text *path, const struct stamp *stamp);

/** Append the line. */
void stamp_write(struct text *line, const struct stamp *stamp);

/** Read a line. ret_stamp: its source is borrowed from note. Returns 0, or -ENOMSG if it is none.
 */
int stamp_parse(const char *note, size_t note_bytes, struct stamp *ret_stamp);

/** Read the stamp of an open file, which may be anything.
 *  buffer: of IMG_NOTE_PROBE_BYTES; ret_stamp borrows from it.  ret_format: of the file.
 *  Returns 0, or -ENOMSG if it has none. */
int stamp_read(int fd, uint8_t *buffer, struct stamp *ret_stamp, enum img_format *ret_format);

/** Has a stamped file the end of a thumbnail? One that was copied in part, or was not wholly on the
 *  disk when the power failed, has not.  st: of the file. */
bool stamp_is_whole(int fd, const struct stat *st, enum img_format format);

/** One source; one state of one source, by the same settings? Never if that is not settled. */
bool stamp_same_source(const struct stamp *a, const struct stamp *b);
bool stamp_same_state(const struct stamp *a, const struct stamp *b);

#endif
