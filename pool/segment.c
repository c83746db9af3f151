/* segment.c: see segment_priv.h. */
#include "segment_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define SEALS      (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define MAGIC      UINT32_C(0x74706970)
#define VERSION    1
#define LINE_BYTES 64

/* At the beginning of the head. Processes of one machine, but not always of one build. */
struct segment_head {
    uint32_t magic;
    uint16_t version;
    uint16_t kind;
    uint32_t pointer_bytes;
    uint32_t page_bytes;
    uint64_t payload_bytes;
};

/* ---- Mapping -------------------------------------------------------------------------------- */

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static bool map_part(uint8_t *where, size_t size_bytes, int fd, off_t offset)
{
    return mmap(where, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, offset) !=
           MAP_FAILED;
}

/* Needs fd, page_bytes and payload_bytes. */
static int map(struct segment *segment)
{
    const size_t page = segment->page_bytes;
    uint8_t *memory = mmap(NULL, 2 * page + segment->payload_bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return -errno;
    if (!map_part(memory, page, segment->fd, 0) ||
        (segment->payload_bytes > 0 &&
         !map_part(memory + 2 * page, segment->payload_bytes, segment->fd, (off_t)page))) {
        int r = -errno;
        munmap(memory, 2 * page + segment->payload_bytes);
        return r;
    }
    segment->memory = memory;
    return 0;
}

void pool_segment_done(struct segment *segment)
{
    if (segment->memory)
        munmap(segment->memory, 2 * segment->page_bytes + segment->payload_bytes);
    if (segment->fd >= 0)
        close(segment->fd);
    *segment = (struct segment){.fd = -1};
}

/* ---- Making --------------------------------------------------------------------------------- */

/* What no machine of this size could ever hold is refused before the kernel tries. */
static bool is_absurd(size_t size_bytes)
{
    struct sysinfo info;
    if (size_bytes > (size_t)PTRDIFF_MAX / 2 || sysinfo(&info) < 0)
        return true;
    return size_bytes / info.mem_unit > info.totalram + info.totalswap;
}

static int reserve(int fd, size_t size_bytes)
{
    int r;
    do
        r = posix_fallocate(fd, 0, (off_t)size_bytes);
    while (r == EINTR);
    return r == ENOSPC ? -ENOMEM : -r;
}

static int create(struct segment *segment, enum segment_kind kind)
{
    const struct segment_head head = {.magic = MAGIC,
                                      .version = VERSION,
                                      .kind = (uint16_t)kind,
                                      .pointer_bytes = sizeof(void *),
                                      .page_bytes = (uint32_t)segment->page_bytes,
                                      .payload_bytes = segment->payload_bytes};
    if (is_absurd(segment->payload_bytes))
        return -ENOMEM;
    segment->fd = memfd_create("pool-ipc", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (segment->fd < 0)
        return -errno;
    int r = reserve(segment->fd, segment->page_bytes + segment->payload_bytes);
    if (r < 0)
        return r;
    if (fcntl(segment->fd, F_ADD_SEALS, SEALS) < 0)
        return -errno;
    r = map(segment);
    if (r == 0)
        memcpy(segment->memory, &head, sizeof(head));
    return r;
}

int pool_segment_create(enum segment_kind kind, size_t payload_bytes, struct segment *ret_segment)
{
    struct segment segment = {.fd = -1, .page_bytes = page_size(), .payload_bytes = payload_bytes};
    int r = pool_turn_supported();
    if (r == 0)
        r = create(&segment, kind);
    if (r < 0)
        pool_segment_done(&segment);
    else
        *ret_segment = segment;
    return r;
}

/* ---- Passing on ----------------------------------------------------------------------------- */

int pool_segment_share(const struct segment *segment)
{
    int fd = fcntl(segment->fd, F_DUPFD_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

/* Is it memory of a fixed size, all of which is there?  Notes the size. */
static int check_file(int fd, struct segment *segment)
{
    struct stat st;
    const int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0)
        return errno == EINVAL ? -EBADMSG : -errno;
    if ((seals & SEALS) != SEALS)
        return -EBADMSG;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size < (off_t)segment->page_bytes || st.st_blocks * 512 < st.st_size)
        return -EBADMSG;
    segment->payload_bytes = (size_t)st.st_size - segment->page_bytes;
    return 0;
}

static int open_segment(int fd, enum segment_kind kind, struct segment *segment)
{
    struct segment_head head;
    int r = check_file(fd, segment);
    if (r < 0)
        return r;
    segment->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (segment->fd < 0)
        return -errno;
    r = map(segment);
    if (r < 0)
        return r == -EPERM ? -EBADMSG : r; /* sealed against writing */
    memcpy(&head, segment->memory, sizeof(head));
    if (head.magic != MAGIC || head.version != VERSION || head.kind != kind ||
        head.pointer_bytes != sizeof(void *) || head.page_bytes != segment->page_bytes ||
        head.payload_bytes != segment->payload_bytes)
        return -EBADMSG;
    return 0;
}

int pool_segment_open(int fd, enum segment_kind kind, struct segment *ret_segment)
{
    struct segment segment = {.fd = -1, .page_bytes = page_size()};
    int r = pool_turn_supported();
    if (r == 0)
        r = open_segment(fd, kind, &segment);
    if (r < 0)
        pool_segment_done(&segment);
    else
        *ret_segment = segment;
    return r;
}

/* ---- Its parts ------------------------------------------------------------------------------ */

void *pool_segment_words(const struct segment *segment)
{
    _Static_assert(sizeof(struct segment_head) <= LINE_BYTES, "the head fits in one line");
    return segment->memory + LINE_BYTES;
}

struct turn *pool_segment_turn(const struct segment *segment)
{
    const size_t node = segment->page_bytes + TURN_NODE_BYTES;
    return (struct turn *)(void *)(segment->memory + node - TURN_NODE_OFFSET);
}

void *pool_segment_payload(const struct segment *segment)
{
    return segment->memory + 2 * segment->page_bytes;
}
