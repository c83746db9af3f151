#include "dict_store_priv.h"

#include <stdlib.h>
#include <string.h>

/* What a slot holds: one of these, or an entry's number and 2. */
enum { SLOT_FREE, SLOT_REMOVED, SLOT_FIRST };

#define SLOTS_MIN 8
#define SLOTS_MAX ((size_t)1 << 31)
#define NOWHERE   SIZE_MAX

/* Arrays that are used so little (one part in so many) are made smaller. */
#define SPARSE ((size_t)8)

static size_t room_of(size_t slot_count)
{
    return slot_count / 3 * 2;
}

void pool_dict_store_init(struct dict_store *store, struct store_budget *budget,
                          const struct hash_secret *secret)
{
    *store = (struct dict_store){.budget = budget, .secret = *secret};
}

static void entry_done(struct dict_store *store, struct dict_entry *entry)
{
    store_budget_give(store->budget,
                      DICT_STORE_OVERHEAD + entry->key.size_bytes + entry->value.size_bytes);
    free(entry->key.data);
    free(entry->value.data);
    *entry = (struct dict_entry){.present = false};
}

void pool_dict_store_done(struct dict_store *store)
{
    for (size_t i = 0; i < store->entry_count; i++)
        if (store->entries[i].present)
            entry_done(store, &store->entries[i]);
    free(store->entries);
    free(store->slots);
    const struct hash_secret secret = store->secret;
    pool_dict_store_init(store, store->budget, &secret);
}

/* ---- The index ----------------------------------------------------------------------------- */

/* The slot that leads to the key, or NOWHERE. */
static size_t find_slot(const struct dict_store *store, struct pool_bytes key, uint64_t hash)
{
    if (store->slot_count == 0)
        return NOWHERE;
    const size_t mask = store->slot_count - 1;
    for (size_t at = hash & mask; store->slots[at] != SLOT_FREE; at = (at + 1) & mask) {
        if (store->slots[at] == SLOT_REMOVED)
            continue;
        const struct dict_entry *entry = &store->entries[store->slots[at] - SLOT_FIRST];
        if (entry->hash == hash && entry->key.size_bytes == key.size_bytes &&
            (key.size_bytes == 0 || memcmp(entry->key.data, key.data, key.size_bytes) == 0))
            return at;
    }
    return NOWHERE;
}

/* Lead a slot to entry number `number`, whose key is not there yet. */
static void link_entry(uint32_t *slots, size_t slot_count, uint64_t hash, size_t number)
{
    size_t at = hash & (slot_count - 1);
    while (slots[at] >= SLOT_FIRST)
        at = (at + 1) & (slot_count - 1);
    slots[at] = (uint32_t)number + SLOT_FIRST;
}

/* New arrays without holes, with room for half as many entries again as there are, and one more.
 * Returns 0, or -ENOMEM with all as it was. */
static int rebuild(struct dict_store *store)
{
    size_t slot_count = SLOTS_MIN, entry_count = 0;
    while (room_of(slot_count) < store->size + store->size / 2 + 1) {
        if (slot_count == SLOTS_MAX)
            return -ENOMEM;
        slot_count *= 2;
    }
    uint32_t *slots = calloc(slot_count, sizeof(slots[0]));
    struct dict_entry *entries = calloc(room_of(slot_count), sizeof(entries[0]));
    if (!slots || !entries) {
        free(slots);
        free(entries);
        return -ENOMEM;
    }
    for (size_t i = 0; i < store->entry_count; i++) {
        if (!store->entries[i].present)
            continue;
        entries[entry_count] = store->entries[i];
        link_entry(slots, slot_count, entries[entry_count].hash, entry_count);
        entry_count++;
    }
    free(store->slots);
    free(store->entries);
    store->slots = slots;
    store->slot_count = slot_count;
    store->entries = entries;
    store->entry_count = entry_count;
    store->entry_room = room_of(slot_count);
    return 0;
}

/* ---- Entries ------------------------------------------------------------------------------- */

static uint64_t hash_of(const struct dict_store *store, struct pool_bytes key)
{
    return pool_keyed_hash(&store->secret, key.data, key.size_bytes);
}

bool pool_dict_store_get(const struct dict_store *store, struct pool_bytes key,
                         struct pool_bytes *ret_value)
{
    const size_t at = find_slot(store, key, hash_of(store, key));
    if (at == NOWHERE)
        return false;
    if (ret_value)
        *ret_value = store_bytes(&store->entries[store->slots[at] - SLOT_FIRST].value);
    return true;
}

static int append(struct dict_store *store, struct pool_bytes key, uint64_t hash,
                  struct pool_bytes value)
{
    struct dict_entry entry = {.hash = hash, .present = true};
    size_t cost;
    if (__builtin_add_overflow(key.size_bytes, value.size_bytes, &cost) ||
        __builtin_add_overflow(cost, DICT_STORE_OVERHEAD, &cost))
        return -ENOSPC;
    int r = store_budget_take(store->budget, cost);
    if (r < 0)
        return r;
    if (store->entry_count == store->entry_room)
        r = rebuild(store);
    if (r == 0)
        r = pool_store_value_copy(key, &entry.key);
    if (r == 0)
        r = pool_store_value_copy(value, &entry.value);
    if (r < 0) {
        free(entry.key.data);
        store_budget_give(store->budget, cost);
        return r;
    }
    store->entries[store->entry_count] = entry;
    link_entry(store->slots, store->slot_count, hash, store->entry_count);
    store->entry_count++;
    store->size++;
    return 0;
}

int pool_dict_store_set(struct dict_store *store, struct pool_bytes key, struct pool_bytes value)
{
    const uint64_t hash = hash_of(store, key);
    const size_t at = find_slot(store, key, hash);
    if (at == NOWHERE)
        return append(store, key, hash, value);
    return pool_store_value_change(&store->entries[store->slots[at] - SLOT_FIRST].value, value,
                                   store->budget);
}

bool pool_dict_store_remove(struct dict_store *store, struct pool_bytes key)
{
    const size_t at = find_slot(store, key, hash_of(store, key));
    if (at == NOWHERE)
        return false;
    entry_done(store, &store->entries[store->slots[at] - SLOT_FIRST]);
    store->slots[at] = SLOT_REMOVED;
    store->size--;
    if (store->slot_count > SLOTS_MIN && store->size < store->entry_room / SPARSE)
        rebuild(store); /* without the memory for it, all stays as large as it is */
    return true;
}

bool pool_dict_store_next(const struct dict_store *store, size_t *cursor,
                          struct pool_bytes *ret_key, struct pool_bytes *ret_value)
{
    size_t at = *cursor;
    while (at < store->entry_count && !store->entries[at].present)
        at++;
    if (at == store->entry_count)
        return false;
    *ret_key = store_bytes(&store->entries[at].key);
    *ret_value = store_bytes(&store->entries[at].value);
    *cursor = at + 1;
    return true;
}
