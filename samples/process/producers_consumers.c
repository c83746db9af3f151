/* producers_consumers: document 003, section 2 (Queue), and Python's JoinableQueue. Two processes
 * make work, three do it; the queue holds ten tasks at most, so those who make it wait for those
 * who do it.
 *
 *     q = JoinableQueue(10)
 *     ...                       # consumers: q.get() ... q.task_done()
 *     q.join()                  # until everything is done
 *
 * When all is done the queue is closed, and that is how the consumers learn that they may go home.
 *
 *     $ producers_consumers
 *     200 tasks put, 200 done, sum 39800
 *     never more than 10 in the queue: yes
 *     consumers: 3, each ended with exit code 0
 */
#include <pool/ipc.h>
#include <pool/process.h>
#include <stdatomic.h>

#include "sample.h"

enum { PRODUCERS = 2, CONSUMERS = 3, TASKS_EACH = 100, ITEMS_MAX = 10 };

/* In shared memory: what the consumers found. Atomic, so that no lock is needed. */
struct tally {
    atomic_int done, sum, too_many;
};

struct arguments {
    struct pool_queue *queue;
    struct pool_shared *shared;
};

static struct arguments open_arguments(struct pool_call *call)
{
    struct arguments arguments;
    must(pool_queue_open(pool_call_fd(call, 0), &arguments.queue), "queue");
    must(pool_shared_open(pool_call_fd(call, 1), &arguments.shared), "tally");
    return arguments;
}

static void close_arguments(struct arguments *arguments)
{
    pool_queue_free(arguments->queue);
    pool_shared_free(arguments->shared);
}

static int produce(struct pool_call *call)
{
    struct arguments arguments = open_arguments(call);
    const int first = int_of(pool_call_field(call, 0)) * TASKS_EACH;
    for (int i = first * 2; i < (first + TASKS_EACH) * 2; i += 2)
        must(pool_queue_put(arguments.queue, &i, sizeof(i), -1), "put");
    close_arguments(&arguments);
    return 0;
}

static int consume(struct pool_call *call)
{
    struct arguments arguments = open_arguments(call);
    struct tally *tally = POOL_SHARED(arguments.shared, struct tally);
    struct pool_message message = POOL_MESSAGE_INIT;
    int r;
    while ((r = pool_queue_get(arguments.queue, -1, &message)) == 0) {
        tally->sum += int_of((struct pool_bytes){message.data, message.size_bytes});
        tally->done++;
        tally->too_many += pool_queue_size(arguments.queue) > ITEMS_MAX;
        must(pool_queue_task_done(arguments.queue), "task_done");
    }
    pool_message_done(&message);
    close_arguments(&arguments);
    return r == -ESHUTDOWN ? 0 : r;
}

static const struct pool_task list[] = {{"produce", produce}, {"consume", consume}};
static const struct pool_tasks tasks = {list, 2};

static struct pool_process *start(const char *target, int number, const struct arguments *arguments)
{
    struct pool_process *process;
    const struct pool_bytes field = bytes_of(&number);
    const int fds[] = {must(pool_queue_share(arguments->queue), "share"),
                       must(pool_shared_share(arguments->shared), "share")};
    const struct pool_item item = {.fields = &field, .field_count = 1, .fds = fds, .fd_count = 2};
    must(pool_process_create(target, &item, NULL, &process), "create");
    must(pool_process_start(process), "start");
    return process;
}

static int end_of(struct pool_process *process)
{
    int code = -1;
    must(pool_process_join(process, -1), "join");
    must(pool_process_exitcode(process, &code), "exitcode");
    pool_process_free(process);
    return code;
}

int main(int argc, char **argv)
{
    struct pool_process *producers[PRODUCERS], *consumers[CONSUMERS];
    const struct pool_queue_options options = {.items_max = ITEMS_MAX};
    struct arguments arguments;
    int well = 0;

    must(pool_main(argc, argv, &tasks), "pool_main");
    must(pool_queue_create(&options, &arguments.queue), "queue");
    must(pool_shared_create(sizeof(struct tally), &arguments.shared), "tally");
    for (int i = 0; i < CONSUMERS; i++)
        consumers[i] = start("consume", i, &arguments);
    for (int i = 0; i < PRODUCERS; i++)
        producers[i] = start("produce", i, &arguments);
    for (int i = 0; i < PRODUCERS; i++)
        end_of(producers[i]);
    must(pool_queue_join(arguments.queue, -1), "join");
    pool_queue_close(arguments.queue);
    for (int i = 0; i < CONSUMERS; i++)
        well += end_of(consumers[i]) == 0;

    const struct tally *tally = POOL_SHARED(arguments.shared, struct tally);
    printf("%d tasks put, %d done, sum %d\n", PRODUCERS * TASKS_EACH, tally->done, tally->sum);
    printf("never more than %d in the queue: %s\n", ITEMS_MAX, tally->too_many ? "no" : "yes");
    printf("consumers: %d, each ended with exit code 0\n", well);
    close_arguments(&arguments);
    return 0;
}
