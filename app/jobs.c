/* jobs.c: see jobs_priv.h. The list has the pool's window and what waits, some
 * hundred files at most, so it is simply searched. */
#include "jobs_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void job_free(struct job *job)
{
    if (!job)
        return;
    if (job->fd >= 0)
        close(job->fd);
    pool_future_free(job->future);
    free(job->shown);
    free(job->source);
    free(job->origin);
    free(job->note);
    free(job->jpeg_path);
    free(job->png_path);
    free(job);
}

/* FNV-1a. Two places with one key only wait for each other without need. */
static uint64_t key_of(size_t root, const char *path)
{
    if (!path)
        return 0;
    uint64_t key = (UINT64_C(0xcbf29ce484222325) ^ root) * UINT64_C(0x100000001b3);
    for (; *path; path++)
        key = (key ^ (unsigned char)*path) * UINT64_C(0x100000001b3);
    return key != 0 ? key : 1;
}

static char *copy_unless_empty(const struct text *text, bool *failed)
{
    if (text->length == 0)
        return NULL;
    char *copy = strdup(text->data);
    *failed |= !copy;
    return copy;
}

int jobs_add(struct jobs *jobs, struct plan *plan, size_t root, const struct job_names *names,
             struct job **ret_job)
{
    struct job *job = calloc(1, sizeof(*job));
    bool failed = false;
    if (!job)
        return -ENOMEM;
    job->fd = -1;
    job->shown = strdup(names->shown);
    job->source = strdup(names->source);
    job->origin = strdup(names->origin);
    job->note = strdup(names->note);
    job->jpeg_path = copy_unless_empty(&plan->names.jpeg, &failed);
    job->png_path = copy_unless_empty(&plan->names.png, &failed);
    if (failed || !job->shown || !job->source || !job->origin || !job->note) {
        job_free(job);
        return -ENOMEM;
    }
    job->root = root;
    job->keys[0] = key_of(root, job->jpeg_path);
    job->keys[1] = key_of(root, job->png_path);
    job->device = plan->st.st_dev;
    job->inode = plan->st.st_ino;
    job->mode = plan->st.st_mode;
    job->mtime = plan->st.st_mtim;
    job->mtime_ns = plan_mtime_ns(plan);
    job->group = plan->st.st_gid;
    job->source_bytes = (uint64_t)plan->st.st_size;
    job->fd = plan->fd;
    plan->fd = -1;
    job->earlier = jobs->last;
    *(jobs->last ? &jobs->last->later : &jobs->first) = job;
    jobs->last = job;
    jobs->count++;
    *ret_job = job;
    return 0;
}

void jobs_remove(struct jobs *jobs, struct job *job)
{
    *(job->earlier ? &job->earlier->later : &jobs->first) = job->later;
    *(job->later ? &job->later->earlier : &jobs->last) = job->earlier;
    jobs->count--;
    jobs->held -= job->future != NULL;
    job_free(job);
}

void jobs_remove_all(struct jobs *jobs)
{
    for (struct job *job = jobs->first, *next; job; job = next) {
        next = job->later;
        job_free(job);
    }
    *jobs = (struct jobs){0};
}

static bool may_meet(const struct job *a, const struct job *b)
{
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            if (a->keys[i] != 0 && a->keys[i] == b->keys[j])
                return true;
    return false;
}

bool jobs_has_rival(const struct job *job)
{
    for (const struct job *other = job->earlier; other; other = other->earlier)
        if (may_meet(other, job))
            return true;
    return false;
}

void jobs_hold(struct jobs *jobs, struct job *job, struct pool_future *future)
{
    job->future = future;
    jobs->held++;
}

struct job *jobs_released(const struct jobs *jobs)
{
    if (jobs->held == 0)
        return NULL;
    for (struct job *job = jobs->first; job; job = job->later)
        if (job->future && !jobs_has_rival(job))
            return job;
    return NULL;
}

const char *job_path(const struct job *job, enum img_format format)
{
    if (format == IMG_FORMAT_JPEG)
        return job->jpeg_path;
    return format == IMG_FORMAT_PNG ? job->png_path : NULL;
}
