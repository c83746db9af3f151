/* pipe: document 001, section 4. A process and its parent talk, each in its turn:
 *
 *     conn1, conn2 = Pipe()
 *     p = Process(target=fun1, args=(conn2,))
 *     p.start()
 *     print(conn1.recv())
 *     conn1.send("hello child")
 *     p.join()
 *
 *     $ pipe
 *     the main process receives: hello main process
 *     the main process sends
 *     the child receives: hello child
 *     the end
 */
#include <pool/ipc.h>
#include <pool/process.h>

#include "sample.h"

static void send_text(struct pool_pipe *pipe, const char *text)
{
    must(pool_pipe_send(pipe, text, strlen(text), NULL, 0, -1), "send");
}

static void print_next(struct pool_pipe *pipe, const char *who)
{
    struct pool_message message = POOL_MESSAGE_INIT;
    must(pool_pipe_receive(pipe, -1, &message), "receive");
    printf("%s receives: %.*s\n", who, (int)message.size_bytes, (const char *)message.data);
    pool_message_done(&message);
}

/* Descriptor: its end of the pipe. */
static int fun1(struct pool_call *call)
{
    struct pool_pipe *pipe;
    must(pool_pipe_open(pool_call_fd(call, 0), &pipe), "pipe");
    send_text(pipe, "hello main process");
    print_next(pipe, "the child");
    pool_pipe_free(pipe);
    return 0;
}

static const struct pool_task list[] = {{"fun1", fun1}};
static const struct pool_tasks tasks = {list, 1};

int main(int argc, char **argv)
{
    struct pool_pipe *ours, *theirs;
    struct pool_process *process;

    must(pool_main(argc, argv, &tasks), "pool_main");
    must(pool_pipe_create(&ours, &theirs), "pipe");
    const int fd = must(pool_pipe_share(theirs), "share");
    const struct pool_item args = {.fds = &fd, .fd_count = 1};
    must(pool_process_create("fun1", &args, NULL, &process), "create");
    must(pool_process_start(process), "start");
    pool_pipe_free(theirs); /* so that the child's end is the only one */

    print_next(ours, "the main process");
    printf("the main process sends\n");
    fflush(stdout);
    send_text(ours, "hello child");
    must(pool_process_join(process, -1), "join");
    printf("the end\n");
    pool_process_free(process);
    pool_pipe_free(ours);
    return 0;
}
