/* inode_set_priv.h: a set of files, known by device and inode; 16 bytes each. */
#ifndef APP_INODE_SET_PRIV_H
#define APP_INODE_SET_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct inode_key {
    uint64_t device;
    uint64_t inode; /* 0 marks a free slot: no file system hands it out */
};

/** Open addressing with linear steps; at most three quarters full. */
struct inode_set {
    struct inode_key *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

#define INODE_SET_INIT                                                                             \
    {                                                                                              \
        .slots = NULL, .capacity = 0, .count = 0                                                   \
    }

void inode_set_done(struct inode_set *set);

/** Returns 1 if it was added, 0 if it was there already, or -ENOMEM. */
int inode_set_add(struct inode_set *set, dev_t device, ino_t inode);

/** Make room for one more, which can then be added without fail. Returns 0 or -ENOMEM. */
int inode_set_reserve(struct inode_set *set);

/** set: NULL is an empty one. */
bool inode_set_has(const struct inode_set *set, dev_t device, ino_t inode);

#endif
