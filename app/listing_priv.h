/* listing_priv.h: the names in one folder, sorted bytewise. */
#ifndef APP_LISTING_PRIV_H
#define APP_LISTING_PRIV_H

#include <stdbool.h>
#include <stddef.h>

struct listing_entry {
    size_t name;        /* where it starts in listing.names */
    unsigned char type; /* DT_...: of what a followed link leads to */
    bool link;          /* a symbolic link that is followed */
    bool tried;         /* for the planner: this file is being made a thumbnail of */
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
 *  Returns 0 or a negative errno value. */
int listing_read(int dir_fd, bool follow, struct listing *ret_listing);

void listing_done(struct listing *listing);

const char *listing_name(const struct listing *listing, size_t index);

/** The entry of that name (length bytes), or NULL. Borrowed. */
struct listing_entry *listing_find(const struct listing *listing, const char *name, size_t length);

#endif
