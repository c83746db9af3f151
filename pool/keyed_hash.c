/* keyed_hash.c: SipHash (Aumasson and Bernstein, 2012) with one round a word and three at the end.
 */
#include "keyed_hash_priv.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

struct state {
    uint64_t a, b, c, d;
};

int pool_hash_secret_draw(struct hash_secret *ret_secret)
{
    struct hash_secret secret;
    ssize_t got;
    do /* so few bytes come whole or not at all */
        got = getrandom(&secret, sizeof(secret), 0);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof(secret))
        return got < 0 ? -errno : -EIO;
    *ret_secret = secret;
    return 0;
}

static inline uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static inline void mix(struct state *state)
{
    state->a += state->b;
    state->c += state->d;
    state->b = rotate(state->b, 13) ^ state->a;
    state->d = rotate(state->d, 16) ^ state->c;
    state->a = rotate(state->a, 32);
    state->c += state->b;
    state->a += state->d;
    state->b = rotate(state->b, 17) ^ state->c;
    state->d = rotate(state->d, 21) ^ state->a;
    state->c = rotate(state->c, 32);
}

static inline void take_word(struct state *state, uint64_t word)
{
    state->d ^= word;
    mix(state);
    state->a ^= word;
}

uint64_t pool_keyed_hash(const struct hash_secret *secret, const void *data, size_t size_bytes)
{
    /* The constants spell "somepseudorandomlygeneratedbytes". */
    struct state state = {secret->words[0] ^ UINT64_C(0x736f6d6570736575),
                          secret->words[1] ^ UINT64_C(0x646f72616e646f6d),
                          secret->words[0] ^ UINT64_C(0x6c7967656e657261),
                          secret->words[1] ^ UINT64_C(0x7465646279746573)};
    const uint8_t *next = data;
    uint64_t word;
    size_t left = size_bytes;
    for (; left >= sizeof(word); left -= sizeof(word), next += sizeof(word)) {
        memcpy(&word, next, sizeof(word));
        take_word(&state, le64toh(word));
    }
    word = 0;
    if (left > 0)
        memcpy(&word, next, left);
    take_word(&state, le64toh(word) | (uint64_t)size_bytes << 56);
    state.c ^= 0xff;
    for (int i = 0; i < 3; i++)
        mix(&state);
    return state.a ^ state.b ^ state.c ^ state.d;
}
