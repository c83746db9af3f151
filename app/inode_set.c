/* inode_set.c: see inode_set_priv.h. */
#include "inode_set_priv.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_CAPACITY 64

void inode_set_done(struct inode_set *set)
{
    free(set->slots);
    *set = (struct inode_set)INODE_SET_INIT;
}

/* The slot that holds the key, or the free one where it belongs. capacity > 0. */
static struct inode_key *slot_of(const struct inode_set *set, uint64_t device, uint64_t inode)
{
    uint64_t hash = (inode ^ device << 32 ^ device >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(hash ^ hash >> 32) & (set->capacity - 1);
    while (set->slots[at].inode != 0 &&
           (set->slots[at].inode != inode || set->slots[at].device != device))
        at = (at + 1) & (set->capacity - 1);
    return &set->slots[at];
}

static int inode_set_grow(struct inode_set *set)
{
    struct inode_set bigger = {.capacity = FIRST_CAPACITY, .count = set->count};
    if (set->capacity && __builtin_mul_overflow(set->capacity, (size_t)2, &bigger.capacity))
        return -ENOMEM;
    bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
    if (!bigger.slots)
        return -ENOMEM;
    for (size_t i = 0; i < set->capacity; i++)
        if (set->slots[i].inode != 0)
            *slot_of(&bigger, set->slots[i].device, set->slots[i].inode) = set->slots[i];
    free(set->slots);
    *set = bigger;
    return 0;
}

int inode_set_reserve(struct inode_set *set)
{
    return set->count + set->count / 3 + 1 >= set->capacity ? inode_set_grow(set) : 0;
}

int inode_set_add(struct inode_set *set, dev_t device, ino_t inode)
{
    int r = inode_set_reserve(set);
    if (r < 0)
        return r;
    struct inode_key *slot = slot_of(set, device, inode);
    if (slot->inode != 0)
        return 0;
    slot->device = device;
    slot->inode = inode;
    set->count++;
    return 1;
}

bool inode_set_has(const struct inode_set *set, dev_t device, ino_t inode)
{
    return set && set->capacity > 0 && slot_of(set, device, inode)->inode != 0;
}
