#include "queue_priv.h"

void pool_job_list_append(struct job_list *list, struct job *job)
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

void pool_job_list_prepend(struct job_list *list, struct job *job)
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

void pool_job_list_remove(struct job_list *list, struct job *job)
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

static unsigned level_of(const struct job *job)
{
    return (unsigned)(job->priority - POOL_PRIORITY_MIN);
}

void pool_job_queue_append(struct job_queue *queue, struct job *job)
{
    const unsigned level = level_of(job);
    pool_job_list_append(&queue->levels[level], job);
    queue->filled |= UINT32_C(1) << level;
    queue->count++;
}

void pool_job_queue_prepend(struct job_queue *queue, struct job *job)
{
    const unsigned level = level_of(job);
    pool_job_list_prepend(&queue->levels[level], job);
    queue->filled |= UINT32_C(1) << level;
    queue->count++;
}

void pool_job_queue_remove(struct job_queue *queue, struct job *job)
{
    const unsigned level = level_of(job);
    pool_job_list_remove(&queue->levels[level], job);
    if (queue->levels[level].count == 0)
        queue->filled &= ~(UINT32_C(1) << level);
    queue->count--;
}

struct job *pool_job_queue_first(const struct job_queue *queue)
{
    if (queue->filled == 0)
        return NULL;
    return queue->levels[31 - __builtin_clz(queue->filled)].first;
}
