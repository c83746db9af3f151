/* inode_blocks_priv.h: a set of very many files, known by device and inode.
 *
 * For files that were made one after the other: file systems hand out neighbouring numbers, so one
 * slot of 24 bytes serves 64 of these. A file whose number is far from all others costs a slot of
 * its own; few such files, and what is no inode, are better kept in an inode_set. */
#ifndef APP_INODE_BLOCKS_PRIV_H
#define APP_INODE_BLOCKS_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct inode_block {
    uint64_t device;
    uint64_t first; /* of 64 numbers, by 64 */
    uint64_t has;   /* a bit for each of them; 0 marks a free slot */
};

/** Open addressing with linear steps, at most three quarters full. All zero is an empty set. */
struct inode_blocks {
    struct inode_block *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;    /* of slots in use */
};

void inode_blocks_done(struct inode_blocks *blocks);

/** Returns 1 if it was added, 0 if it was there already, or -ENOMEM. */
int inode_blocks_add(struct inode_blocks *blocks, dev_t device, ino_t inode);

/** Make room for one more, which can then be added without fail. Returns 0 or -ENOMEM. */
int inode_blocks_reserve(struct inode_blocks *blocks);

bool inode_blocks_has(const struct inode_blocks *blocks, dev_t device, ino_t inode);

#endif
