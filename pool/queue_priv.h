/* queue_priv.h: lists of jobs, and the queue that orders them by priority; private to pool. No
 * locks: whoever owns one guards it. */
#ifndef POOL_QUEUE_PRIV_H
#define POOL_QUEUE_PRIV_H

#include "job_priv.h"

/** A list of jobs, first in, first out. */
struct job_list {
    struct job *first, *last;
    size_t count;
};

void pool_job_list_append(struct job_list *list, struct job *job);
void pool_job_list_prepend(struct job_list *list, struct job *job);
void pool_job_list_remove(struct job_list *list, struct job *job);

#define PRIORITY_LEVELS (POOL_PRIORITY_MAX - POOL_PRIORITY_MIN + 1)

/** Jobs in the order in which they are due: higher priority first, then first in, first out. */
struct job_queue {
    struct job_list levels[PRIORITY_LEVELS];
    uint32_t filled; /* bit i: levels[i] is not empty */
    size_t count;
};
_Static_assert(PRIORITY_LEVELS <= 32, "a bit for each level");

void pool_job_queue_append(struct job_queue *queue, struct job *job);
void pool_job_queue_prepend(struct job_queue *queue, struct job *job);
void pool_job_queue_remove(struct job_queue *queue, struct job *job);

/** The next job, or NULL. It stays in the queue. */
struct job *pool_job_queue_first(const struct job_queue *queue);

#endif
