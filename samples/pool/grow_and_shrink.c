/* grow_and_shrink: document 000, section 2.2, says that the number of a pool's processes can be
 * adjusted as it is needed. Python's pools keep the number they were made with; this one adapts:
 *
 *     pool = multiprocessing.Pool(2)     # two, always
 *
 * Workers start when work waits for them, up to a limit that may be changed, and those above
 * workers_min leave when they were idle for idle_ms. A surplus worker finishes what it has begun,
 * and it may have begun its next task before the supervisor has heard of a lower limit. The tasks
 * wait for a gate, so each step lasts until the pool has come to rest. It prints
 *
 *     made with one that stays:           1 worker
 *     eight tasks, two workers at most:   2 workers
 *     the limit raised to six:            6 workers
 *     lowered to three, eight more tasks: 3 workers
 *     nothing to do:                      1 worker
 */
#include <fcntl.h>
#include <unistd.h>

#include "sample.h"

struct gate {
    int waiting_end, opening_end;
};

static struct gate gate_make(void)
{
    int ends[2];
    must(pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0, "pipe");
    return (struct gate){ends[0], ends[1]};
}

static void gate_open(struct gate *gate)
{
    close(gate->opening_end); /* whoever reads from the other end now returns */
    close(gate->waiting_end);
}

static int wait_at_gate(struct pool_call *call)
{
    char byte;
    return read(pool_call_fd(call, 0), &byte, 1) < 0 ? -errno : 0;
}

static const struct pool_task list[] = {{"wait_at_gate", wait_at_gate}};
static const struct pool_tasks tasks = {list, 1};

static void submit_eight(struct pool *pool, const struct gate *gate)
{
    for (int i = 0; i < 8; i++) {
        const int fd = fcntl(gate->waiting_end, F_DUPFD_CLOEXEC, 0); /* the pool will close it */
        const struct pool_item item = {.fds = &fd, .fd_count = 1};
        must(fd < 0 ? -errno : 0, "dup");
        must(pool_submit(pool, "wait_at_gate", &item, NULL, NULL), "submit");
    }
}

/* Workers come and go in their own time: wait until there are as many as there should be. Returns
 * how many there are. */
static unsigned settle(struct pool *pool, unsigned least, unsigned most)
{
    struct pool_stats stats;
    must(pool_stats(pool, &stats), "stats");
    for (int tries = 0; (stats.workers < least || stats.workers > most) && tries < 4000; tries++) {
        sleep_ms(5);
        must(pool_stats(pool, &stats), "stats");
    }
    return stats.workers;
}

static void show(struct pool *pool, const char *when, unsigned expected)
{
    const unsigned workers = settle(pool, expected, expected);
    printf("%-35s %u worker%s\n", when, workers, workers == 1 ? "" : "s");
}

int main(int argc, char **argv)
{
    must(pool_main(argc, argv, &tasks), "pool_main");

    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool;
    options.workers = 2;
    options.workers_min = 1;
    options.idle_ms = SECOND_MS;
    must(pool_create(&options, &pool), "pool");
    show(pool, "made with one that stays:", 1);

    struct gate first = gate_make(), second = gate_make();
    submit_eight(pool, &first);
    show(pool, "eight tasks, two workers at most:", 2);

    must(pool_resize(pool, 6), "resize");
    show(pool, "the limit raised to six:", 6);

    must(pool_resize(pool, 3), "resize"); /* the surplus ones leave when they have finished */
    gate_open(&first);
    settle(pool, 1, 3);
    submit_eight(pool, &second);
    show(pool, "lowered to three, eight more tasks:", 3);

    gate_open(&second);
    show(pool, "nothing to do:", 1);
    pool_free(pool);
    return 0;
}
