/* thumb_task.c: see thumb_task_priv.h. Runs in the workers, but for the last two functions. */
#include "thumb_task_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "signals_priv.h"

/* The analyzer of gcc 12 takes memory for lost that only an opaque pointer leads to, as
 * pool_call_local() does. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* A buffer that one large file needed is given back after it. */
#define BUFFER_KEPT_BYTES ((size_t)64 << 20)

/* A file is read again once when it changes under our hands: it is often just being copied. */
#define READ_ATTEMPTS 2

/* What a worker keeps from task to task. */
struct thumb_worker {
    struct img_context *context;
    uint8_t *buffer;
    size_t capacity;
};

static void worker_release(void *value)
{
    struct thumb_worker *worker = value;
    if (!worker)
        return;
    img_context_free(worker->context);
    free(worker->buffer);
    free(worker);
}

static int worker_of(struct pool_call *call, struct thumb_worker **ret_worker)
{
    struct thumb_worker *worker = pool_call_local(call);
    if (!worker) {
        worker = calloc(1, sizeof(*worker));
        if (!worker)
            return -ENOMEM;
        int r = img_context_create(&worker->context);
        if (r < 0) {
            worker_release(worker);
            return r;
        }
        pool_call_set_local(call, worker, worker_release);
    }
    *ret_worker = worker;
    return 0;
}

/* The stop flag counts too: a serial task runs in the thread that would terminate the pool. */
static bool thumb_cancelled(void *data)
{
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

/* Read size_bytes and see that the file ends there. Returns 0, 1 if it is shorter or longer, or
 * a negative errno value. */
static int read_exactly(struct pool_call *call, int fd, uint8_t *buffer, size_t size_bytes)
{
    size_t filled = 0;
    for (;;) {
        uint8_t beyond;
        const bool full = filled == size_bytes;
        if (thumb_cancelled(call))
            return -ECANCELED;
        ssize_t got = full ? pread(fd, &beyond, 1, (off_t)filled)
                           : pread(fd, buffer + filled, size_bytes - filled, (off_t)filled);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (full || got == 0)
            return full && got == 0 ? 0 : 1;
        filled += (size_t)got;
    }
}

static bool same_state(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool reserve(struct thumb_worker *worker, size_t size_bytes)
{
    if (size_bytes > worker->capacity) {
        free(worker->buffer); /* first: its bytes are not needed, and both may not fit */
        worker->buffer = malloc(size_bytes);
        worker->capacity = worker->buffer ? size_bytes : 0;
    }
    return size_bytes <= worker->capacity;
}

/* Read the whole source into the worker's buffer. Returns 0 with its size, or a failure that is
 * already explained. */
static int read_source(struct pool_call *call, struct thumb_worker *worker, size_t *ret_size_bytes)
{
    const int fd = pool_call_fd(call, 0);
    for (int attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
        struct stat before, after;
        if (fstat(fd, &before) < 0)
            return fail_read(call, errno);
        if (before.st_size < 0 || (uint64_t)before.st_size > THUMB_SOURCE_MAX_BYTES)
            return pool_call_fail(call, -EFBIG,
                                  "too-large\tthe file has %lld bytes, more than 1 GiB",
                                  (long long)before.st_size);
        const size_t size_bytes = (size_t)before.st_size;
        if (!reserve(worker, size_bytes))
            return pool_call_fail(call, -ENOMEM, "out-of-memory\tno memory for %zu bytes of file",
                                  size_bytes);
        int r = read_exactly(call, fd, worker->buffer, size_bytes);
        if (r == -ECANCELED)
            return pool_call_fail(call, r, "cancelled\tcancelled");
        if (r < 0)
            return fail_read(call, -r);
        if (fstat(fd, &after) < 0)
            return fail_read(call, errno);
        if (r == 0 && same_state(&before, &after)) {
            *ret_size_bytes = size_bytes;
            return 0;
        }
    }
    return pool_call_fail(call, -ESTALE, "changed\tit changed while it was read");
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
    strncpy(reply.decoder, thumbnail->decoder, sizeof(reply.decoder) - 1);
    int r = pool_call_write(call, &reply, sizeof(reply));
    if (r == 0)
        r = pool_call_write(call, thumbnail->data, thumbnail->size_bytes);
    return r < 0 ? pool_call_fail(call, r, "out-of-memory\tno memory for the thumbnail") : 0;
}

static int make_thumbnail(struct pool_call *call, struct thumb_worker *worker,
                          const struct thumb_request *request)
{
    struct img_options options = IMG_OPTIONS_INIT;
    struct img_thumbnail thumbnail;
    struct img_error error;
    struct timespec start;
    size_t size_bytes = 0;
    clock_gettime(CLOCK_MONOTONIC, &start);
    int r = read_source(call, worker, &size_bytes);
    if (r < 0)
        return r;
    const uint32_t read_us = since_us(&start);
    options.box_width_px = request->box_width_px;
    options.box_height_px = request->box_height_px;
    options.format = (enum img_format)request->format;
    options.quality = request->quality;
    options.cancelled = thumb_cancelled;
    options.cancel_data = call;
    r = img_thumbnail(worker->context, worker->buffer, size_bytes, &options, &thumbnail, &error);
    if (r < 0)
        return pool_call_fail(call, r, "%s\t%s", img_error_name(r), error.message);
    return write_reply(call, &thumbnail, read_us);
}

int thumb_task_run(struct pool_call *call)
{
    struct thumb_worker *worker;
    struct thumb_request request;
    const struct pool_bytes field = pool_call_field(call, 0);
    if (field.size_bytes != sizeof(request) || pool_call_fd_count(call) != 1)
        return pool_call_fail(call, -EINVAL, "failed\tthe request is malformed");
    memcpy(&request, field.data, sizeof(request));
    int r = worker_of(call, &worker);
    if (r < 0)
        return pool_call_fail(call, r, "out-of-memory\tno memory for a worker");
    r = make_thumbnail(call, worker, &request);
    if (worker->capacity > BUFFER_KEPT_BYTES) {
        free(worker->buffer);
        worker->buffer = NULL;
        worker->capacity = 0;
    }
    return r;
}

/* ---- In the host --------------------------------------------------------------------------- */

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
    if (img_format_probe(image.data, image.size_bytes) != (enum img_format)reply.format)
        return -EPROTO;
    if (reply.width_px < 1 || reply.width_px > request->box_width_px || reply.height_px < 1 ||
        reply.height_px > request->box_height_px)
        return -EPROTO;
    if (reply.source_format == IMG_FORMAT_UNKNOWN || reply.source_format >= IMG_FORMAT_COUNT)
        return -EPROTO;
    if (!memchr(reply.decoder, '\0', sizeof(reply.decoder)))
        return -EPROTO;
    for (const char *at = reply.decoder; *at; at++)
        if (*at < ' ' || *at > '~')
            return -EPROTO;
    *ret_reply = reply;
    *ret_image = image;
    return 0;
}

const char *thumb_failure_words(const char *message, char *slug, size_t slug_size)
{
    const char *tab = strchr(message, '\t');
    const size_t length = tab ? (size_t)(tab - message) : 0;
    if (length == 0 || length >= slug_size ||
        strspn(message, "abcdefghijklmnopqrstuvwxyz-") != length) {
        strncpy(slug, "failed", slug_size - 1);
        slug[slug_size - 1] = '\0';
        return message;
    }
    memcpy(slug, message, length);
    slug[length] = '\0';
    return tab + 1;
}
