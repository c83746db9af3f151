/* blob_priv.h: bytes with one owner, on the heap or in a mapped memfd; private to pool.
 *
 * What is larger than WIRE_INLINE_MAX travels between processes as a sealed memfd: the sender
 * writes it once, the receiver maps it. The seals matter to the receiver: without F_SEAL_SHRINK a
 * hostile sender could cut the file and raise SIGBUS here, without F_SEAL_WRITE it could change
 * the bytes after they were checked. */
#ifndef POOL_BLOB_PRIV_H
#define POOL_BLOB_PRIV_H

#include <stdbool.h>
#include <stddef.h>

struct iovec;

struct blob {
    void *data; /* owned: from malloc, or mmap when mapped */
    size_t size_bytes;
    bool mapped;
};

/** Release the bytes and make the blob empty. */
void pool_blob_done(struct blob *blob);

/** Write the parts one after the other into a new sealed memfd.
 *  ret_fd: owned, close-on-exec.  Returns 0 or -errno. */
int pool_blob_to_memfd(const struct iovec *parts, int part_count, int *ret_fd);

/** Map a memfd that a peer sent: size_bytes of it, read-only, after checking seals and size.
 *  fd: borrowed; the mapping outlives it.  Returns 0, -EBADMSG when it is not sealed or not of
 *  that size, or -errno. */
int pool_blob_from_memfd(int fd, size_t size_bytes, struct blob *ret_blob);

#endif
