/* thumb_task.c: see thumb_task_priv.h. Runs in the workers, but for the last section. */
#include "thumb_task_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock_priv.h"
#include "signals_priv.h"
#include "thumb_worker_priv.h"

/* The analyzer of gcc 12 takes memory for lost that only an opaque pointer leads to, as
 * pool_call_local() does. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* A buffer that one large file needed is given back after it. */
#define BUFFER_KEPT_BYTES ((size_t)64 << 20)

/* Most files come with the first read, end and all. */
#define FIRST_READ_BYTES ((size_t)256 << 10)

/* A grant of processor time serves the files that are begun within this time: what they take off it
 * is little beside what the host grants beyond its deadline. */
#define GRANT_SERVES_MS 1000

/* A file is read again once when it changes under our hands: it is often just being copied. */
#define READ_ATTEMPTS 2
#define CHANGED       "changed\tit changed while it was read"

/* The stop flag counts too: a serial task runs in the thread that would terminate the pool. Worker
 * processes are stopped from outside: only the host knows for how long they stood still with it. */
static bool thumb_cancelled(void *data)
{
    const struct thumb_worker *worker = pool_call_local(data);
    if (worker && worker->confined)
        return false;
    return pool_call_cancelled(data) || signals_caught() != 0;
}

static uint32_t since_us(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const int64_t us =
        ((int64_t)now.tv_sec - start->tv_sec) * 1000000 + (now.tv_nsec - start->tv_nsec) / 1000;
    return us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static int fail_read(struct pool_call *call, int error)
{
    return pool_call_fail(call, -error, "unreadable\t%s", strerror(error));
}

/* Read on from *filled bytes, until there are `enough` or the file ends; what fits into `room` is
 * taken along. Returns 0 or a negative errno value. */
static int read_more(struct pool_call *call, uint8_t *buffer, size_t enough, size_t room,
                     size_t *filled)
{
    const int fd = pool_call_fd(call, 0);
    while (*filled < enough) {
        if (thumb_cancelled(call))
            return -ECANCELED;
        ssize_t got = pread(fd, buffer + *filled, room - *filled, (off_t)*filled);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        *filled += (size_t)got;
    }
    return 0;
}

static bool same_state(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Is it still what the host has looked at? */
static bool is_expected(const struct thumb_request *request, const struct stat *st)
{
    return !request->has_state || (st->st_mtim.tv_sec == request->mtime_sec &&
                                   st->st_mtim.tv_nsec == (long)request->mtime_nsec &&
                                   (uint64_t)st->st_size == request->source_bytes);
}

/* Room for so many bytes; those that were there are lost when it grows. */
static bool reserve(struct thumb_worker *worker, size_t size_bytes)
{
    if (size_bytes > worker->capacity) {
        free(worker->buffer); /* first: its bytes are not needed, and both may not fit */
        worker->buffer = malloc(size_bytes);
        worker->capacity = worker->buffer ? size_bytes : 0;
    }
    return size_bytes <= worker->capacity;
}

static int fail_reading(struct pool_call *call, int error)
{
    if (error == -ECANCELED)
        return pool_call_fail(call, error, "cancelled\tcancelled");
    return fail_read(call, -error);
}

/* Read the rest, and a byte beyond it: a file that has become longer shows. */
static int read_rest(struct pool_call *call, struct thumb_worker *worker, size_t size_bytes,
                     size_t *filled)
{
    if (size_bytes + 1 > worker->capacity)
        *filled = 0;
    if (!reserve(worker, size_bytes + 1))
        return pool_call_fail(call, -ENOMEM, "out-of-memory\tno memory for %zu bytes of file",
                              size_bytes);
    int r = read_more(call, worker->buffer, size_bytes, size_bytes + 1, filled);
    return r < 0 ? fail_reading(call, r) : 0;
}

/* Read all of it once; of what does not begin like a picture, however long it is, only the
 * beginning. Returns 0 with what was read, 1 if it changed meanwhile, or a failure that is already
 * explained. */
static int read_once(struct pool_call *call, struct thumb_worker *worker,
                     const struct thumb_request *request, size_t *ret_size_bytes)
{
    const uint64_t most_bytes = thumb_source_bytes_max(request->memory_bytes);
    const int fd = pool_call_fd(call, 0);
    struct stat before, after;
    size_t filled = 0;
    if (fstat(fd, &before) < 0)
        return fail_read(call, errno);
    if (!is_expected(request, &before))
        return 1;
    const uint64_t size_bytes = before.st_size > 0 ? (uint64_t)before.st_size : 0;
    if (!reserve(worker, FIRST_READ_BYTES))
        return pool_call_fail(call, -ENOMEM, "out-of-memory\tno memory for a file's beginning");
    /* The size may be wrong, so a size of 0 is no reason not to look. */
    const size_t room = size_bytes < FIRST_READ_BYTES - IMG_PROBE_BYTES
                            ? (size_t)size_bytes + IMG_PROBE_BYTES
                            : FIRST_READ_BYTES;
    int r = read_more(call, worker->buffer, IMG_PROBE_BYTES, room, &filled);
    if (r < 0)
        return fail_reading(call, r);
    *ret_size_bytes = filled;
    if (img_format_probe(worker->buffer, filled) == IMG_FORMAT_UNKNOWN)
        return 0;
    if (size_bytes > most_bytes)
        return pool_call_fail(call, -EFBIG,
                              "too-large\tthe file has %llu bytes, more than the limit of %llu",
                              (unsigned long long)size_bytes, (unsigned long long)most_bytes);
    r = read_rest(call, worker, (size_t)size_bytes, &filled);
    if (r < 0)
        return r;
    if (fstat(fd, &after) < 0)
        return fail_read(call, errno);
    *ret_size_bytes = (size_t)size_bytes;
    return filled == size_bytes && same_state(&before, &after) ? 0 : 1;
}

/* Read the source into the worker's buffer. Returns 0 with its size, or a failure that is already
 * explained. */
static int read_source(struct pool_call *call, struct thumb_worker *worker,
                       const struct thumb_request *request, size_t *ret_size_bytes)
{
    int r = 1;
    for (int attempt = 0; attempt < READ_ATTEMPTS && r > 0; attempt++)
        r = read_once(call, worker, request, ret_size_bytes);
    return r > 0 ? pool_call_fail(call, -ESTALE, CHANGED) : r;
}

static int write_reply(struct pool_call *call, const struct img_thumbnail *thumbnail,
                       uint32_t read_us)
{
    struct thumb_reply reply = {.format = (uint32_t)thumbnail->format,
                                .width_px = thumbnail->width_px,
                                .height_px = thumbnail->height_px,
                                .source_format = (uint32_t)thumbnail->source_format,
                                .source_width_px = thumbnail->source_width_px,
                                .source_height_px = thumbnail->source_height_px,
                                .read_us = read_us,
                                .decode_us = thumbnail->decode_us,
                                .resample_us = thumbnail->resample_us,
                                .encode_us = thumbnail->encode_us};
    snprintf(reply.decoder, sizeof(reply.decoder), "%s", thumbnail->decoder);
    if (thumbnail->damage.code < 0)
        snprintf(reply.damage, sizeof(reply.damage), "%s", thumbnail->damage.message);
    int r = pool_call_write(call, &reply, sizeof(reply));
    if (r == 0)
        r = pool_call_write(call, thumbnail->data, thumbnail->size_bytes);
    return r < 0 ? pool_call_fail(call, r, "out-of-memory\tno memory for the thumbnail") : 0;
}

/* Is this the kind of worker for such files? */
static bool worker_is_fit(const struct thumb_worker *worker, enum img_format format)
{
    return !(worker->confined && worker->kind == SANDBOX_NARROW && thumb_format_is_wide(format));
}

static int make_thumbnail(struct pool_call *call, struct thumb_worker *worker,
                          const struct thumb_request *request)
{
    struct img_options options = IMG_OPTIONS_INIT;
    struct img_thumbnail thumbnail;
    struct img_error error;
    struct timespec start;
    const struct pool_bytes note = pool_call_field(call, 1); /* nothing if there is no such field */
    size_t size_bytes = 0;
    clock_gettime(CLOCK_MONOTONIC, &start);
    int r = read_source(call, worker, request, &size_bytes);
    if (r < 0)
        return r;
    /* The host looks at the content before it chooses a worker, so this is another content. */
    if (!worker_is_fit(worker, img_format_probe(worker->buffer, size_bytes)))
        return pool_call_fail(call, -ESTALE, CHANGED);
    const uint32_t read_us = since_us(&start);
    options.box_width_px = request->box_width_px;
    options.box_height_px = request->box_height_px;
    options.fit = (enum img_fit)request->fit;
    options.enlarge = request->enlarge != 0;
    memcpy(options.background, request->background, sizeof(options.background));
    options.format = (enum img_format)request->format;
    options.quality = request->quality;
    options.pixels_max = request->pixels_max;
    options.memory_bytes = request->memory_bytes;
    options.fail_on = (enum img_fail_on)request->fail_on;
    options.fast = request->fast != 0;
    options.note = note.data;
    options.note_bytes = note.size_bytes;
    options.cancelled = thumb_cancelled;
    options.cancel_data = call;
    r = img_thumbnail(worker->context, worker->buffer, size_bytes, &options, &thumbnail, &error);
    if (r < 0)
        return pool_call_fail(call, r, "%s\t%s", img_error_name(r), error.message);
    return write_reply(call, &thumbnail, read_us);
}

static int grant_cpu(struct thumb_worker *worker, unsigned seconds)
{
    const int64_t now_ms = clock_ms();
    if (worker->has_grant && worker->granted_seconds == seconds &&
        now_ms - worker->granted_ms < GRANT_SERVES_MS)
        return 0;
    int r = sandbox_grant_cpu(seconds);
    worker->has_grant = r == 0;
    worker->granted_seconds = seconds;
    worker->granted_ms = now_ms;
    return r;
}

int thumb_task_run(struct pool_call *call)
{
    struct thumb_worker *worker;
    struct thumb_request request;
    const struct pool_bytes field = pool_call_field(call, 0);
    if (field.size_bytes != sizeof(request) || pool_call_fd_count(call) != 1)
        return pool_call_fail(call, -EINVAL, "failed\tthe request is malformed");
    memcpy(&request, field.data, sizeof(request));
    int r = thumb_worker_of(call, &worker);
    if (r < 0)
        return pool_call_fail(call, r, "out-of-memory\tno memory for a worker");
    if (worker->confined && grant_cpu(worker, request.cpu_seconds) < 0)
        return pool_call_fail(call, -EPERM, "failed\tno processor time for a worker");
    r = make_thumbnail(call, worker, &request);
    if (worker->capacity > BUFFER_KEPT_BYTES) {
        free(worker->buffer);
        worker->buffer = NULL;
        worker->capacity = 0;
    }
    return r;
}

/* ---- In the host --------------------------------------------------------------------------- */

bool thumb_format_is_wide(enum img_format format)
{
    return format != IMG_FORMAT_JPEG && format != IMG_FORMAT_PNG && format != IMG_FORMAT_UNKNOWN;
}

static uint32_t read_be(const uint8_t *at, unsigned count)
{
    uint32_t value = 0;
    while (count-- > 0)
        value = value << 8 | *at++;
    return value;
}

/* What the header of a thumbnail says its size is: a worker is not to pass on a bomb. Returns false
 * where no encoder of ours has written it. */
static bool image_size(const struct pool_bytes *image, enum img_format format,
                       uint32_t *ret_width_px, uint32_t *ret_height_px)
{
    const uint8_t *data = image->data;
    size_t at = 2;
    if (format == IMG_FORMAT_PNG) { /* the first chunk's */
        if (image->size_bytes < 33 || memcmp(data + 12, "IHDR", 4) != 0)
            return false;
        *ret_width_px = read_be(data + 16, 4);
        *ret_height_px = read_be(data + 20, 4);
        return true;
    }
    while (image->size_bytes - at >= 9 && data[at] == 0xff) {
        const bool frame = data[at + 1] >= 0xc0 && data[at + 1] <= 0xc2;
        const size_t length = read_be(data + at + 2, 2);
        if (frame) {
            *ret_height_px = read_be(data + at + 5, 2);
            *ret_width_px = read_be(data + at + 7, 2);
            return true;
        }
        if (length < 2 || length + 2 > image->size_bytes - at)
            return false;
        at += 2 + length;
    }
    return false;
}

/* Can a picture of the size that is claimed have become a thumbnail of this one? */
static bool size_is_possible(const struct thumb_request *request, const struct thumb_reply *reply)
{
    const bool fills_width = reply->width_px == request->box_width_px;
    const bool fills_height = reply->height_px == request->box_height_px;
    if (reply->width_px < 1 || reply->width_px > request->box_width_px || reply->height_px < 1 ||
        reply->height_px > request->box_height_px || reply->source_width_px < 1 ||
        reply->source_height_px < 1)
        return false;
    if (request->fit == IMG_FIT_PAD || (request->fit == IMG_FIT_COVER && request->enlarge))
        return fills_width && fills_height;
    if (request->enlarge)
        return fills_width || fills_height;
    return reply->width_px <= reply->source_width_px && reply->height_px <= reply->source_height_px;
}

/* A terminated string that can be shown as it is? */
static bool is_printable(const char *string, size_t size_bytes)
{
    const char *end = memchr(string, '\0', size_bytes);
    for (const char *at = string; end && at < end; at++)
        if (*at < ' ' || *at > '~')
            return false;
    return end != NULL;
}

int thumb_reply_check(const struct thumb_request *request, struct pool_bytes value,
                      struct thumb_reply *ret_reply, struct pool_bytes *ret_image)
{
    struct thumb_reply reply;
    if (value.size_bytes <= sizeof(reply))
        return -EPROTO;
    memcpy(&reply, value.data, sizeof(reply));
    const struct pool_bytes image = {(const uint8_t *)value.data + sizeof(reply),
                                     value.size_bytes - sizeof(reply)};
    if (reply.format != IMG_FORMAT_JPEG && reply.format != IMG_FORMAT_PNG)
        return -EPROTO;
    if (request->format != IMG_FORMAT_UNKNOWN && request->format != reply.format)
        return -EPROTO;
    uint32_t width_px, height_px;
    if (image.size_bytes > thumb_image_bytes_max(request->box_width_px, request->box_height_px) ||
        img_format_probe(image.data, image.size_bytes) != (enum img_format)reply.format ||
        !image_size(&image, (enum img_format)reply.format, &width_px, &height_px) ||
        width_px != reply.width_px || height_px != reply.height_px)
        return -EPROTO;
    if (!size_is_possible(request, &reply))
        return -EPROTO;
    if (reply.source_format == IMG_FORMAT_UNKNOWN || reply.source_format >= IMG_FORMAT_COUNT)
        return -EPROTO;
    if (!is_printable(reply.decoder, sizeof(reply.decoder)) ||
        !is_printable(reply.damage, sizeof(reply.damage)))
        return -EPROTO;
    if (reply.damage[0] && request->fail_on >= IMG_FAIL_ON_ERROR)
        return -EPROTO;
    *ret_reply = reply;
    *ret_image = image;
    return 0;
}

bool thumb_note_is(struct pool_bytes image, struct pool_bytes note)
{
    const char *found = NULL;
    int r = img_note_find(image.data, image.size_bytes, &found);
    if (r < 0)
        return note.size_bytes == 0;
    return (size_t)r == note.size_bytes && memcmp(found, note.data, note.size_bytes) == 0;
}

const char *thumb_failure_words(const char *message, char *slug, size_t slug_size)
{
    const char *tab = strchr(message, '\t');
    const size_t length = tab ? (size_t)(tab - message) : 0;
    if (length == 0 || length >= slug_size || message[0] == '-' ||
        strspn(message, "abcdefghijklmnopqrstuvwxyz-") != length) {
        strncpy(slug, "failed", slug_size - 1);
        slug[slug_size - 1] = '\0';
        return message;
    }
    memcpy(slug, message, length);
    slug[length] = '\0';
    return tab + 1;
}
