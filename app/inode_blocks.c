/* inode_blocks.c: see inode_blocks_priv.h. */
#include "inode_blocks_priv.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_CAPACITY 64
#define BLOCK_BITS     6 /* 64 numbers */

static uint64_t bit_of(uint64_t inode)
{
    return UINT64_C(1) << (inode & ((1 << BLOCK_BITS) - 1));
}

void inode_blocks_done(struct inode_blocks *blocks)
{
    free(blocks->slots);
    *blocks = (struct inode_blocks){.slots = NULL};
}

/* The slot of a block, or the free one where it belongs. capacity > 0. */
static struct inode_block *slot_of(const struct inode_blocks *blocks, uint64_t device,
                                   uint64_t first)
{
    uint64_t hash = (first ^ device << 32 ^ device >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(hash ^ hash >> 32) & (blocks->capacity - 1);
    while (blocks->slots[at].has != 0 &&
           (blocks->slots[at].first != first || blocks->slots[at].device != device))
        at = (at + 1) & (blocks->capacity - 1);
    return &blocks->slots[at];
}

static int inode_blocks_grow(struct inode_blocks *blocks)
{
    struct inode_blocks bigger = {.capacity = FIRST_CAPACITY, .count = blocks->count};
    if (blocks->capacity && __builtin_mul_overflow(blocks->capacity, (size_t)2, &bigger.capacity))
        return -ENOMEM;
    bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
    if (!bigger.slots)
        return -ENOMEM;
    for (size_t i = 0; i < blocks->capacity; i++)
        if (blocks->slots[i].has != 0)
            *slot_of(&bigger, blocks->slots[i].device, blocks->slots[i].first) = blocks->slots[i];
    free(blocks->slots);
    *blocks = bigger;
    return 0;
}

int inode_blocks_reserve(struct inode_blocks *blocks)
{
    return blocks->count + blocks->count / 3 + 1 >= blocks->capacity ? inode_blocks_grow(blocks)
                                                                     : 0;
}

int inode_blocks_add(struct inode_blocks *blocks, dev_t device, ino_t inode)
{
    const uint64_t bit = bit_of(inode);
    int r = inode_blocks_reserve(blocks);
    if (r < 0)
        return r;
    struct inode_block *slot = slot_of(blocks, device, inode >> BLOCK_BITS);
    if ((slot->has & bit) != 0)
        return 0;
    blocks->count += slot->has == 0;
    slot->device = device;
    slot->first = inode >> BLOCK_BITS;
    slot->has |= bit;
    return 1;
}

bool inode_blocks_has(const struct inode_blocks *blocks, dev_t device, ino_t inode)
{
    return blocks->capacity > 0 &&
           (slot_of(blocks, device, inode >> BLOCK_BITS)->has & bit_of(inode)) != 0;
}
