/* listing_priv.h: the names in one folder, sorted bytewise. */
#ifndef APP_LISTING_PRIV_H
#define APP_LISTING_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Small: folders may have a million of them. */
struct listing_entry {
    uint64_t name : 56; /* where it starts in listing.names */
    uint64_t type : 4;  /* DT_...: of what a followed link leads to */
    uint64_t link : 1;  /* a symbolic link that is followed */
    uint64_t tried : 1; /* for the planner: this file is being made a thumbnail of */
};

struct listing {
    struct listing_entry *entries;
    size_t count;
    size_t capacity;
    char *names; /* each terminated */
    size_t names_used;
    size_t names_size;
};

/** Read a folder from its start; "." and ".." are left out.
 *  dir_fd: borrowed for the call.  follow: links are given the type of what they lead to; a link
 *  to nothing stays DT_LNK.  ret_listing: release with listing_done().
 *  Returns 0 or a negative errno value: -EINTR when the run is being ended by a signal. */
int listing_read(int dir_fd, bool follow, struct listing *ret_listing);

void listing_done(struct listing *listing);

const char *listing_name(const struct listing *listing, size_t index);

/** The entry of that name (length bytes), or NULL. Borrowed. */
struct listing_entry *listing_find(const struct listing *listing, const char *name, size_t length);

#endif
