/* digest.c: see digest_priv.h. */
#include "digest_priv.h"

#include <nettle/sha2.h>

struct digest digest_of(const void *bytes, size_t size_bytes)
{
    struct sha256_ctx context;
    struct digest digest;
    sha256_init(&context);
    sha256_update(&context, size_bytes, bytes);
    sha256_digest(&context, sizeof(digest.bytes), digest.bytes);
    return digest;
}

uint64_t digest_short(struct digest digest)
{
    uint64_t value = 0;
    for (size_t i = 0; i < 8; i++)
        value = value << 8 | digest.bytes[i];
    return value;
}
