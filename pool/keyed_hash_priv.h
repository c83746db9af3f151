/* keyed_hash_priv.h: a hash that nobody can foresee without its secret; private to pool. */
#ifndef POOL_KEYED_HASH_PRIV_H
#define POOL_KEYED_HASH_PRIV_H

#include <stddef.h>
#include <stdint.h>

struct hash_secret {
    uint64_t words[2];
};

/** Draw a secret from the system.  Returns 0 or -errno. */
int pool_hash_secret_draw(struct hash_secret *ret_secret);

/** SipHash-1-3, as Python uses it for its dicts: whoever chooses the keys cannot make many of them
 *  fall into one place. */
uint64_t pool_keyed_hash(const struct hash_secret *secret, const void *data, size_t size_bytes);

#endif
