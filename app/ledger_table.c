/* ledger_table.c: see ledger_table_priv.h. */
#include "ledger_table_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FIRST_BITS 6

/* A Mersenne prime, so that its remainder is a shift and an addition. */
#define PRIME ((UINT64_C(1) << 61) - 1)

__extension__ typedef unsigned __int128 uint128;

static uint64_t reduce(uint128 number)
{
    const uint64_t sum = (uint64_t)(number & PRIME) + (uint64_t)(number >> 61);
    return sum >= PRIME ? sum - PRIME : sum;
}

/* The path as a polynomial at a secret point: two paths of n bytes agree for n / 7 of 2^61 points
 * at most, whatever they are. The length leads, so that zeros at the end count. */
static uint64_t hash_of(const struct ledger_table *table, const char *path, size_t length)
{
    uint64_t hash = length;
    while (length > 0) {
        uint64_t word = 0;
        const size_t part = length < 7 ? length : 7; /* as many as fit below the prime */
        memcpy(&word, path, part);
        hash = reduce((uint128)hash * table->secret[0] + reduce(word));
        path += part;
        length -= part;
    }
    return hash;
}

/* The second secret, an odd one, spreads the hash over the upper bits. */
static size_t bucket_of(const struct ledger_table *table, uint64_t hash)
{
    return (size_t)(hash * table->secret[1] >> (64 - table->bits));
}

static size_t bucket_count(const struct ledger_table *table)
{
    return table->buckets ? (size_t)1 << table->bits : 0;
}

int ledger_table_init(struct ledger_table *table)
{
    uint64_t secret[2];
    ssize_t got;
    do /* so few bytes come whole or not at all */
        got = getrandom(secret, sizeof(secret), 0);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof(secret))
        return got < 0 ? -errno : -EIO;
    *table = (struct ledger_table){.bits = FIRST_BITS,
                                   .secret = {secret[0] % (PRIME - 1) + 1, secret[1] | 1}};
    table->buckets = calloc((size_t)1 << FIRST_BITS, sizeof(struct ledger_item *));
    return table->buckets ? 0 : -ENOMEM;
}

void ledger_table_done(struct ledger_table *table)
{
    struct ledger_item *next;
    for (size_t i = 0; i < bucket_count(table); i++) {
        for (struct ledger_item *item = table->buckets[i]; item; item = next) {
            next = item->next;
            free(item);
        }
    }
    free(table->buckets);
    *table = (struct ledger_table){0};
}

static struct ledger_item *find_hashed(const struct ledger_table *table, uint64_t hash,
                                       const char *path, size_t length)
{
    struct ledger_item *item = table->buckets[bucket_of(table, hash)];
    while (item &&
           (item->hash != hash || item->length != length || memcmp(item->path, path, length) != 0))
        item = item->next;
    return item;
}

struct ledger_item *ledger_table_find(const struct ledger_table *table, const char *path,
                                      size_t length)
{
    return find_hashed(table, hash_of(table, path, length), path, length);
}

static int table_grow(struct ledger_table *table)
{
    struct ledger_table bigger = *table;
    struct ledger_item *next;
    bigger.bits++;
    bigger.buckets = calloc((size_t)1 << bigger.bits, sizeof(*bigger.buckets));
    if (!bigger.buckets)
        return -ENOMEM;
    for (size_t i = 0; i < bucket_count(table); i++) {
        for (struct ledger_item *item = table->buckets[i]; item; item = next) {
            struct ledger_item **bucket = &bigger.buckets[bucket_of(&bigger, item->hash)];
            next = item->next;
            item->next = *bucket;
            *bucket = item;
        }
    }
    free(table->buckets);
    *table = bigger;
    return 0;
}

int ledger_table_get(struct ledger_table *table, const char *path, size_t length,
                     struct ledger_item **ret_item)
{
    const uint64_t hash = hash_of(table, path, length);
    struct ledger_item *item = find_hashed(table, hash, path, length);
    size_t size;
    if (!item) {
        if (table->count >= bucket_count(table)) {
            int r = table_grow(table);
            if (r < 0)
                return r;
        }
        if (__builtin_add_overflow(sizeof(*item), length, &size))
            return -ENOMEM;
        item = calloc(1, size);
        if (!item)
            return -ENOMEM;
        struct ledger_item **bucket = &table->buckets[bucket_of(table, hash)];
        item->hash = hash;
        item->length = length;
        memcpy(item->path, path, length);
        item->next = *bucket;
        *bucket = item;
        table->count++;
    }
    *ret_item = item;
    return 0;
}

void ledger_table_remove(struct ledger_table *table, struct ledger_item *item)
{
    struct ledger_item **at = &table->buckets[bucket_of(table, item->hash)];
    while (*at != item)
        at = &(*at)->next;
    *at = item->next;
    ledger_table_unmark(table, item);
    table->count--;
    free(item);
}

struct ledger_item *ledger_table_next(const struct ledger_table *table,
                                      const struct ledger_item *item)
{
    if (item && item->next)
        return item->next;
    for (size_t i = item ? bucket_of(table, item->hash) + 1 : 0; i < bucket_count(table); i++)
        if (table->buckets[i])
            return table->buckets[i];
    return NULL;
}

void ledger_table_mark(struct ledger_table *table, struct ledger_item *item)
{
    if (item->unsaved)
        return;
    item->unsaved = true;
    item->earlier = table->unsaved_last;
    item->later = NULL;
    *(table->unsaved_last ? &table->unsaved_last->later : &table->unsaved) = item;
    table->unsaved_last = item;
}

void ledger_table_unmark(struct ledger_table *table, struct ledger_item *item)
{
    if (!item->unsaved)
        return;
    item->unsaved = false;
    *(item->earlier ? &item->earlier->later : &table->unsaved) = item->later;
    *(item->later ? &item->later->earlier : &table->unsaved_last) = item->earlier;
}
