/* listing.c: see listing_priv.h. */
#include "listing_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "signals_priv.h"

#define READ_BYTES ((size_t)32 << 10)
#define NAME_MASK  ((UINT64_C(1) << 56) - 1) /* more memory than that no machine has */

static bool is_dots(const char *name)
{
    return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

static unsigned char type_of(mode_t mode)
{
    return (unsigned char)IFTODT(mode);
}

/* Find out what the kernel's listing left open. A name that went away keeps its unknown type:
 * opening it will tell. */
static void settle_type(int dir_fd, const char *name, bool follow, struct listing_entry *entry)
{
    struct stat st;
    if (entry->type == DT_UNKNOWN && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        entry->type = type_of(st.st_mode) & 15U;
    if (entry->type == DT_LNK && follow) {
        entry->link = true;
        if (fstatat(dir_fd, name, &st, 0) == 0)
            entry->type = type_of(st.st_mode) & 15U;
    }
}

static int listing_add(struct listing *listing, int dir_fd, bool follow,
                       const struct dirent64 *found)
{
    const size_t size = strlen(found->d_name) + 1;
    if (listing->count == listing->capacity) {
        const size_t capacity = listing->capacity ? listing->capacity * 2 : 64;
        struct listing_entry *entries =
            reallocarray(listing->entries, capacity, sizeof(*listing->entries));
        if (!entries)
            return -ENOMEM;
        listing->entries = entries;
        listing->capacity = capacity;
    }
    if (size > listing->names_size - listing->names_used) {
        const size_t bigger = listing->names_size ? listing->names_size * 2 : 1024;
        char *names = realloc(listing->names, bigger);
        if (!names)
            return -ENOMEM;
        listing->names = names;
        listing->names_size = bigger;
    }
    struct listing_entry *entry = &listing->entries[listing->count++];
    *entry = (struct listing_entry){.name = listing->names_used & NAME_MASK,
                                    .type = found->d_type & 15U};
    memcpy(listing->names + listing->names_used, found->d_name, size);
    listing->names_used += size;
    settle_type(dir_fd, found->d_name, follow, entry);
    return 0;
}

static int compare_entries(const void *left, const void *right, void *names)
{
    const struct listing_entry *a = left, *b = right;
    return strcmp((const char *)names + a->name, (const char *)names + b->name);
}

int listing_read(int dir_fd, bool follow, struct listing *ret_listing)
{
    struct listing listing = {0};
    int r = 0;
    char *buffer = malloc(READ_BYTES);
    if (!buffer)
        return -ENOMEM;
    for (;;) {
        ssize_t got = getdents64(dir_fd, buffer, READ_BYTES);
        if (got < 0)
            r = -errno;
        else if (signals_caught() != 0) /* nobody wants to wait for the rest of a large folder */
            r = -EINTR;
        if (got <= 0 || r < 0)
            break;
        for (ssize_t at = 0; at < got && r == 0;) {
            const struct dirent64 *found = (const struct dirent64 *)(void *)(buffer + at);
            at += found->d_reclen;
            if (!is_dots(found->d_name))
                r = listing_add(&listing, dir_fd, follow, found);
        }
        if (r < 0)
            break;
    }
    free(buffer);
    if (r < 0) {
        listing_done(&listing);
        return r;
    }
    if (listing.count > 0)
        qsort_r(listing.entries, listing.count, sizeof(*listing.entries), compare_entries,
                listing.names);
    *ret_listing = listing;
    return 0;
}

void listing_done(struct listing *listing)
{
    free(listing->entries);
    free(listing->names);
    *listing = (struct listing){0};
}

const char *listing_name(const struct listing *listing, size_t index)
{
    return listing->names + listing->entries[index].name;
}

struct listing_entry *listing_find(const struct listing *listing, const char *name, size_t length)
{
    size_t low = 0, high = listing->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const char *candidate = listing_name(listing, middle);
        int order = strncmp(candidate, name, length);
        if (order == 0 && candidate[length] != '\0')
            order = 1;
        if (order == 0)
            return &listing->entries[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
