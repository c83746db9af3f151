/* digest_priv.h: SHA-256, as much of it as is needed: names and settings told apart. */
#ifndef APP_DIGEST_PRIV_H
#define APP_DIGEST_PRIV_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES 16

/** The first half of a SHA-256: no two things in the world have the same. */
struct digest {
    uint8_t bytes[DIGEST_BYTES];
};

struct digest digest_of(const void *bytes, size_t size_bytes);

/** Its first eight bytes, as they are written: the first 16 of its hexadecimal digits. */
uint64_t digest_short(struct digest digest);

#endif
