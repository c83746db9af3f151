/* ten_tasks: documents 001 (section 5, five workers) and 004 (four). Ten tasks that sleep for a
 * random time go to a pool that is smaller:
 *
 *     pool = Pool(5)
 *     for i in range(10):
 *         pool.apply_async(func=fun1, args=(i,))
 *     pool.close()
 *     pool.join()
 *
 * Usage: ten_tasks [--workers N]. The tasks themselves print, as they begin and as they end:
 *
 *     Run task 0 (37476)...
 *     Run task 1 (37477)...
 *     Task 0 runs 0.03 seconds.
 *     Run task 2 (37476)...
 *     ...
 *     Task 9 runs 0.29 seconds.
 *     The end
 *
 * Five processes do the ten tasks. The last line comes last, because join waits. */
#include <time.h>
#include <unistd.h>

#include "sample.h"

/* Its fields: the number of the task, and how long it is to sleep. The caller draws that, because
 * rand() starts with the same number in every process. */
static int fun1(struct pool_call *call)
{
    const int name = int_of(pool_call_field(call, 0));
    say("Run task %d (%d)...", name, (int)getpid());
    const double start_s = now_s();
    sleep_ms(int_of(pool_call_field(call, 1)));
    say("Task %d runs %.2f seconds.", name, now_s() - start_s);
    return 0;
}

static const struct pool_task list[] = {{"fun1", fun1}};
static const struct pool_tasks tasks = {list, 1};

static unsigned workers_wanted(int argc, char **argv)
{
    char *end;
    if (argc == 1)
        return 5;
    if (argc == 3 && strcmp(argv[1], "--workers") == 0) {
        const long workers = strtol(argv[2], &end, 10);
        if (end != argv[2] && *end == '\0' && workers >= 1 && workers <= POOL_WORKERS_MAX)
            return (unsigned)workers;
    }
    fprintf(stderr, "usage: ten_tasks [--workers N]\n");
    exit(2);
}

int main(int argc, char **argv)
{
    must(pool_main(argc, argv, &tasks), "pool_main");

    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool;
    options.workers = workers_wanted(argc, argv);
    must(pool_create(&options, &pool), "pool");
    srand((unsigned)time(NULL));
    for (int i = 0; i < 10; i++) {
        const int sleep = rand() % (3 * SECOND_MS);
        const struct pool_bytes fields[] = {bytes_of(&i), bytes_of(&sleep)};
        const struct pool_item item = {.fields = fields, .field_count = 2};
        must(pool_submit(pool, "fun1", &item, NULL, NULL), "apply_async");
    }
    pool_close(pool); /* no more tasks: join needs that */
    must(pool_join(pool, -1), "join");
    say("The end");
    pool_free(pool);
    return 0;
}
