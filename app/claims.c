/* claims.c: see claims_priv.h. */
#include "claims_priv.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "text_priv.h"

#define FIRST_CAPACITY 64

void claims_done(struct claims *claims)
{
    free(claims->slots);
    *claims = (struct claims){0};
}

static bool is_free(const struct digest *slot)
{
    static const struct digest none;
    return memcmp(slot, &none, sizeof(none)) == 0;
}

/* The slot that holds the claim, or the free one where it belongs. capacity > 0. */
static struct digest *slot_of(const struct claims *claims, const struct digest *claim)
{
    size_t at = (size_t)digest_short(*claim) & (claims->capacity - 1);
    while (!is_free(&claims->slots[at]) && memcmp(&claims->slots[at], claim, sizeof(*claim)) != 0)
        at = (at + 1) & (claims->capacity - 1);
    return &claims->slots[at];
}

static int claims_grow(struct claims *claims)
{
    struct claims bigger = {.capacity = FIRST_CAPACITY, .count = claims->count};
    if (claims->capacity && __builtin_mul_overflow(claims->capacity, (size_t)2, &bigger.capacity))
        return -ENOMEM;
    bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
    if (!bigger.slots)
        return -ENOMEM;
    for (size_t i = 0; i < claims->capacity; i++)
        if (!is_free(&claims->slots[i]))
            *slot_of(&bigger, &claims->slots[i]) = claims->slots[i];
    free(claims->slots);
    *claims = bigger;
    return 0;
}

static int find_claim(size_t root, const char *path, struct digest *ret_claim)
{
    struct text key = TEXT_INIT;
    text_printf(&key, "%zu/%s", root, path);
    *ret_claim = digest_of(text_string(&key), key.length);
    int r = text_failed(&key) ? -ENOMEM : 0;
    text_done(&key);
    return r;
}

int claims_add(struct claims *claims, size_t root, const char *path)
{
    struct digest claim;
    int r = find_claim(root, path, &claim);
    if (r == 0 && claims->count + claims->count / 3 + 1 >= claims->capacity)
        r = claims_grow(claims);
    if (r < 0)
        return r;
    struct digest *slot = slot_of(claims, &claim);
    if (!is_free(slot))
        return 0;
    *slot = claim;
    claims->count++;
    return 1;
}

int claims_has(const struct claims *claims, size_t root, const char *path)
{
    struct digest claim;
    int r = find_claim(root, path, &claim);
    if (r < 0)
        return r;
    return claims->capacity > 0 && !is_free(slot_of(claims, &claim));
}
