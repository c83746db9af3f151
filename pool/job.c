#include "job_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sync_priv.h"

/* ---- Packing ------------------------------------------------------------------------------- */

static size_t aligned(size_t size_bytes)
{
    return (size_bytes + JOB_ALIGN - 1) / JOB_ALIGN * JOB_ALIGN;
}

/* The packed size, or 0 on overflow. */
static size_t packed_size(const struct pool_item *item)
{
    size_t total = aligned(sizeof(uint64_t) * (1 + item->field_count));
    for (size_t i = 0; i < item->field_count; i++) {
        size_t field = item->fields[i].size_bytes;
        if (field > SIZE_MAX - JOB_ALIGN || __builtin_add_overflow(total, aligned(field), &total))
            return 0;
    }
    return total;
}

static void pack(const struct pool_item *item, uint8_t *payload)
{
    uint64_t *head = (void *)payload;
    head[0] = item->field_count;
    size_t offset = aligned(sizeof(uint64_t) * (1 + item->field_count));
    if (item->field_count % 2 == 0) /* the head is padded too */
        head[1 + item->field_count] = 0;
    for (size_t i = 0; i < item->field_count; i++) {
        size_t size_bytes = item->fields[i].size_bytes;
        head[1 + i] = size_bytes;
        if (size_bytes > 0)
            memcpy(payload + offset, item->fields[i].data, size_bytes);
        /* What lies between fields goes to another process: not what malloc left there. */
        memset(payload + offset + size_bytes, 0, aligned(size_bytes) - size_bytes);
        offset += aligned(size_bytes);
    }
}

int pool_job_fields_read(const void *payload, size_t payload_bytes, struct job_fields *ret_fields)
{
    const uint64_t *head = payload;
    if (payload_bytes < sizeof(uint64_t) || head[0] > POOL_FIELDS_MAX)
        return -EBADMSG;
    size_t count = (size_t)head[0];
    size_t offset = aligned(sizeof(uint64_t) * (1 + count));
    if (offset > payload_bytes)
        return -EBADMSG;
    for (size_t i = 0; i < count; i++) {
        uint64_t size_bytes = head[1 + i];
        if (size_bytes > payload_bytes - offset ||
            aligned((size_t)size_bytes) > payload_bytes - offset)
            return -EBADMSG;
        offset += aligned((size_t)size_bytes);
    }
    *ret_fields = (struct job_fields){.payload = payload, .count = count};
    return 0;
}

struct pool_bytes pool_job_fields_at(const struct job_fields *fields, size_t index)
{
    if (index >= fields->count)
        return (struct pool_bytes){0};
    const uint64_t *head = (const void *)fields->payload;
    size_t offset = aligned(sizeof(uint64_t) * (1 + fields->count));
    for (size_t i = 0; i < index; i++)
        offset += aligned((size_t)head[1 + i]);
    return (struct pool_bytes){.data = fields->payload + offset,
                               .size_bytes = (size_t)head[1 + index]};
}

/* ---- Jobs ---------------------------------------------------------------------------------- */

static int item_check(const struct pool_item *item)
{
    if (item->field_count > POOL_FIELDS_MAX || item->fd_count > POOL_FDS_MAX)
        return -EINVAL;
    for (size_t i = 0; i < item->field_count; i++)
        if (item->fields[i].size_bytes > 0 && !item->fields[i].data)
            return -EINVAL;
    for (size_t i = 0; i < item->fd_count; i++) {
        if (fcntl(item->fds[i], F_GETFD) < 0)
            return -EINVAL;
        for (size_t k = 0; k < i; k++)
            if (item->fds[k] == item->fds[i]) /* it could be closed but once */
                return -EINVAL;
    }
    return 0;
}

int pool_job_pack_fields(const struct pool_item *item, uint8_t *small, void **ret_payload,
                         size_t *ret_payload_bytes)
{
    int r = item_check(item);
    if (r < 0)
        return r;
    const size_t size_bytes = packed_size(item);
    if (size_bytes == 0)
        return -ENOMEM;
    void *payload = small;
    if (!small || size_bytes > JOB_SMALL_BYTES) {
        payload = malloc(size_bytes);
        if (!payload)
            return -ENOMEM;
    }
    pack(item, payload);
    *ret_payload = payload;
    *ret_payload_bytes = size_bytes;
    return 0;
}

int pool_job_pack(struct job *job, const struct pool_task *task, uint32_t task_index,
                  const struct pool_item *item, const struct pool_submit_options *options)
{
    void *payload;
    size_t payload_bytes;
    int *fds = NULL;
    int r = pool_job_pack_fields(item, job->small, &payload, &payload_bytes);
    if (r < 0)
        return r;
    if (item->fd_count > 0) {
        fds = malloc(item->fd_count * sizeof(fds[0]));
        if (!fds) {
            if (payload != job->small)
                free(payload);
            return -ENOMEM;
        }
        memcpy(fds, item->fds, item->fd_count * sizeof(fds[0]));
    }
    job->task = task;
    job->task_index = task_index;
    job->deadline_ns = options->deadline_ms * NS_PER_MS;
    job->priority = options->priority;
    job->retries = options->retries;
    job->notify = options->notify;
    job->payload = payload;
    job->payload_bytes = payload_bytes;
    job->fds = fds;
    job->fd_count = item->fd_count;
    return 0;
}

void pool_job_take_fds(struct job *job)
{
    job->owns_fds = true;
}

void pool_job_let_go(struct job *job)
{
    for (size_t i = 0; job->owns_fds && i < job->fd_count; i++)
        close(job->fds[i]);
    job->owns_fds = false;
    free(job->fds);
    job->fds = NULL;
    job->fd_count = 0;
    if (job->payload != job->small)
        free(job->payload);
    job->payload = NULL;
    job->payload_bytes = 0;
}

void pool_job_done(struct job *job)
{
    pool_job_let_go(job);
    pool_outcome_done(&job->outcome);
}
