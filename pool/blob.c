#include "blob_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

void pool_blob_done(struct blob *blob)
{
    if (blob->mapped)
        munmap(blob->data, blob->size_bytes);
    else
        free(blob->data);
    *blob = (struct blob){0};
}

static int write_all(int fd, const void *data, size_t size_bytes)
{
    const uint8_t *next = data;
    while (size_bytes > 0) {
        ssize_t wrote = write(fd, next, size_bytes);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return -errno;
        next += wrote;
        size_bytes -= (size_t)wrote;
    }
    return 0;
}

int pool_blob_to_memfd(const struct iovec *parts, int part_count, int *ret_fd)
{
    int fd = memfd_create("pool-payload", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    int r = 0;
    for (int i = 0; i < part_count && r == 0; i++)
        r = write_all(fd, parts[i].iov_base, parts[i].iov_len);
    if (r == 0 && fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) < 0)
        r = -errno;
    if (r < 0) {
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

int pool_blob_from_memfd(int fd, size_t size_bytes, struct blob *ret_blob)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS)
        return -EBADMSG;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (size_bytes == 0 || st.st_size < 0 || (uintmax_t)st.st_size != size_bytes)
        return -EBADMSG;
    if ((uintmax_t)st.st_blocks * 512 < size_bytes) /* holes: reading would cost us the memory */
        return -EBADMSG;
    void *data = mmap(NULL, size_bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED)
        return -errno;
    *ret_blob = (struct blob){.data = data, .size_bytes = size_bytes, .mapped = true};
    return 0;
}
