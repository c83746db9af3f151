/* queue: document 001, section 4. Three processes put a message into a queue, the main process gets
 * them:
 *
 *     q = Queue()
 *     for i in range(3):
 *         p = Process(target=fun1, args=(q, i,))
 *         p.start()
 *     ...
 *     print(q.get())
 *
 *     $ queue
 *     process 0 begins to put
 *     process 1 begins to put
 *     process 2 begins to put
 *     the main process gets
 *     0 by Queue
 *     1 by Queue
 *     2 by Queue
 *     the end
 */
#include <pool/ipc.h>
#include <pool/process.h>

#include "sample.h"

enum { PROCESSES = 3 };

/* Field: which process.  Descriptor: the queue. */
static int fun1(struct pool_call *call)
{
    const int number = int_of(pool_call_field(call, 0));
    struct pool_queue *queue;
    char text[64];
    must(pool_queue_open(pool_call_fd(call, 0), &queue), "queue");
    printf("process %d begins to put\n", number);
    const int size = snprintf(text, sizeof(text), "%d by Queue", number);
    int r = pool_queue_put(queue, text, (size_t)size, -1);
    pool_queue_free(queue);
    return r;
}

static const struct pool_task list[] = {{"fun1", fun1}};
static const struct pool_tasks tasks = {list, 1};

int main(int argc, char **argv)
{
    struct pool_process *processes[PROCESSES];
    struct pool_message message = POOL_MESSAGE_INIT;
    struct pool_queue *queue;

    must(pool_main(argc, argv, &tasks), "pool_main");
    must(pool_queue_create(NULL, &queue), "queue");
    for (int i = 0; i < PROCESSES; i++) {
        const struct pool_bytes field = bytes_of(&i);
        const int fd = must(pool_queue_share(queue), "share"); /* the queue itself is an argument */
        const struct pool_item args = {
            .fields = &field, .field_count = 1, .fds = &fd, .fd_count = 1};
        must(pool_process_create("fun1", &args, NULL, &processes[i]), "create");
        must(pool_process_start(processes[i]), "start");
    }
    for (int i = 0; i < PROCESSES; i++) {
        must(pool_process_join(processes[i], -1), "join");
        pool_process_free(processes[i]);
    }
    printf("the main process gets\n");
    for (int i = 0; i < PROCESSES; i++) {
        must(pool_queue_get(queue, -1, &message), "get");
        printf("%.*s\n", (int)message.size_bytes, (const char *)message.data);
    }
    printf("the end\n");
    pool_message_done(&message);
    pool_queue_free(queue);
    return 0;
}
