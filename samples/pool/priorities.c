/* priorities: document 000, section 2.2, says that a pool runs tasks by the order of their
 * submission and by their priority. Python's pools have no priority; this one has:
 *
 *     pool.apply_async(errand, ("tidy up",), priority=-5)     # would be
 *
 * One worker is held by a task that waits for a gate to open, while five others are submitted.
 * It prints
 *
 *     submitted: tidy up, priority -5
 *     submitted: write a letter, priority 0
 *     submitted: call back, priority 7
 *     submitted: read a letter, priority 0
 *     submitted: see to the alarm, priority 15
 *     done: see to the alarm
 *     done: call back
 *     done: write a letter
 *     done: read a letter
 *     done: tidy up
 *
 * The highest comes first, and equals come in the order in which they were submitted. What already
 * runs is not interrupted. */
#include <fcntl.h>
#include <unistd.h>

#include "sample.h"

/* The gate is a pipe; the task has one end, and reads until the caller closes the other. */
static int hold(struct pool_call *call)
{
    char byte;
    return read(pool_call_fd(call, 0), &byte, 1) < 0 ? -errno : 0;
}

static int errand(struct pool_call *call)
{
    const char *what = pool_call_field(call, 0).data;
    say("done: %s", what);
    return 0;
}

static const struct pool_task list[] = {{"hold", hold}, {"errand", errand}};
static const struct pool_tasks tasks = {list, 2};

/* Returns the end that opens the gate when it is closed. */
static int hold_the_worker(struct pool *pool)
{
    int gate[2];
    must(pipe2(gate, O_CLOEXEC) < 0 ? -errno : 0, "pipe");
    const struct pool_item item = {.fds = &gate[0], .fd_count = 1}; /* it is the pool's now */
    struct pool_submit_options options = POOL_SUBMIT_INIT;
    options.priority = POOL_PRIORITY_MAX; /* nothing overtakes it */
    must(pool_submit(pool, "hold", &item, &options, NULL), "submit");
    return gate[1];
}

static void submit(struct pool *pool, const char *what, int priority)
{
    const struct pool_bytes field = {what, strlen(what) + 1};
    const struct pool_item item = {.fields = &field, .field_count = 1};
    struct pool_submit_options options = POOL_SUBMIT_INIT;
    options.priority = priority;
    say("submitted: %s, priority %d", what, priority);
    must(pool_submit(pool, "errand", &item, &options, NULL), "submit");
}

int main(int argc, char **argv)
{
    must(pool_main(argc, argv, &tasks), "pool_main");

    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool;
    options.workers = 1;
    must(pool_create(&options, &pool), "pool");
    const int gate = hold_the_worker(pool);
    submit(pool, "tidy up", -5);
    submit(pool, "write a letter", 0);
    submit(pool, "call back", 7);
    submit(pool, "read a letter", 0);
    submit(pool, "see to the alarm", POOL_PRIORITY_MAX);
    close(gate);
    pool_close(pool);
    must(pool_join(pool, -1), "join");
    pool_free(pool);
    return 0;
}
