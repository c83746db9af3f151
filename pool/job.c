#include "job_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "future_priv.h"
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
    for (size_t i = 0; i < item->field_count; i++) {
        size_t size_bytes = item->fields[i].size_bytes;
        head[1 + i] = size_bytes;
        if (size_bytes > 0)
            memcpy(payload + offset, item->fields[i].data, size_bytes);
        offset += aligned(size_bytes);
    }
}

int job_fields_read(const void *payload, size_t payload_bytes, struct job_fields *ret_fields)
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

struct pool_bytes job_fields_at(const struct job_fields *fields, size_t index)
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

int job_create(const struct pool_task *task, uint32_t task_index, const struct pool_item *item,
               const struct pool_submit_options *options, struct pool_future *future,
               struct job **ret_job)
{
    int r = item_check(item);
    if (r < 0)
        return r;
    struct job *job = calloc(1, sizeof(*job));
    if (!job)
        return -ENOMEM;
    job->task = task;
    job->task_index = task_index;
    job->deadline_ns = options->deadline_ms * NS_PER_MS;
    job->payload_bytes = packed_size(item);
    r = -ENOMEM;
    if (job->payload_bytes == 0)
        goto out;
    job->payload = calloc(1, job->payload_bytes);
    if (!job->payload)
        goto out;
    if (item->fd_count > 0) {
        job->fds = malloc(item->fd_count * sizeof(job->fds[0]));
        if (!job->fds)
            goto out;
        memcpy(job->fds, item->fds, item->fd_count * sizeof(job->fds[0]));
        job->fd_count = item->fd_count;
    }
    pack(item, job->payload);
    job->future = future_ref(future);
    *ret_job = job;
    job = NULL;
    r = 0;
out:
    job_free(job);
    return r;
}

void job_take_fds(struct job *job)
{
    job->owns_fds = true;
}

struct job *job_free(struct job *job)
{
    if (!job)
        return NULL;
    for (size_t i = 0; job->owns_fds && i < job->fd_count; i++)
        close(job->fds[i]);
    free(job->fds);
    free(job->payload);
    pool_future_free(job->future);
    free(job);
    return NULL;
}

/* ---- Lists --------------------------------------------------------------------------------- */

void job_list_append(struct job_list *list, struct job *job)
{
    job->prev = list->last;
    job->next = NULL;
    if (list->last)
        list->last->next = job;
    else
        list->first = job;
    list->last = job;
    list->count++;
}

void job_list_prepend(struct job_list *list, struct job *job)
{
    job->prev = NULL;
    job->next = list->first;
    if (list->first)
        list->first->prev = job;
    else
        list->last = job;
    list->first = job;
    list->count++;
}

void job_list_remove(struct job_list *list, struct job *job)
{
    if (job->prev)
        job->prev->next = job->next;
    else
        list->first = job->next;
    if (job->next)
        job->next->prev = job->prev;
    else
        list->last = job->prev;
    job->prev = job->next = NULL;
    list->count--;
}
