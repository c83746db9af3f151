/* event_loop: document 000, sections 2.3 and 5.3: an event loop hands work that would block it to a
 * pool, and goes on meanwhile.
 *
 *     loop = asyncio.get_event_loop()
 *     executor = ProcessPoolExecutor(max_workers=multiprocessing.cpu_count())
 *     result = loop.run_in_executor(executor, async_task)
 *
 * (The document's lines cannot work: async_task is a coroutine, which no process can run, and
 * nobody awaits the result. A plain function, and `await`, is what is meant.)
 *
 * The loop here is libuv's. Tasks are submitted with `notify`; pool_completion_fd() is a descriptor
 * that is readable when some are done, and pool_completions() fetches their futures. With other
 * loops it is the same:
 *
 *     epoll  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, pool_completion_fd(pool), &(... EPOLLIN ...));
 *     GLib   g_unix_fd_add(pool_completion_fd(pool), G_IO_IN, on_completions, data);
 *
 * The proof that nothing blocks the loop: each "read" task sits in a blocking read() until the
 * loop's own timer writes to the other end, at the second, fourth and sixth tick. A loop that
 * waited for its tasks would never get there.
 *
 *     $ event_loop
 *     fib(30) = 832040, by process 4715
 *     tick 1
 *     tick 2
 *     read 1: "written at tick 2", by process 4712
 *     tick 3
 *     ...
 *     4 results, all in the loop's thread */
#include <fcntl.h>
#include <unistd.h>
#include <uv.h>

#include "sample.h"

enum { READS = 3, TICK_MS = SECOND_MS / 5, TEXT_BYTES = 64 };

/* ---- In the workers ------------------------------------------------------------------------ */

/* What a task gives back. */
struct answer {
    pid_t pid;
    int number;
    char text[TEXT_BYTES];
};

static int read_slowly(struct pool_call *call)
{
    struct answer answer = {.pid = getpid()};
    const ssize_t got = read(pool_call_fd(call, 0), answer.text, TEXT_BYTES - 1);
    if (got < 0)
        return -errno;
    return pool_call_write(call, &answer, sizeof(answer));
}

static int fib(int n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static int compute(struct pool_call *call)
{
    struct answer answer = {.pid = getpid()};
    answer.number = fib(int_of(pool_call_field(call, 0)));
    return pool_call_write(call, &answer, sizeof(answer));
}

static const struct pool_task list[] = {{"compute", compute}, {"read", read_slowly}};
static const struct pool_tasks tasks = {list, 2};

/* ---- In the loop --------------------------------------------------------------------------- */

struct program {
    uv_loop_t loop;
    uv_timer_t timer;
    uv_poll_t completions;
    struct pool *pool;
    int ticks, running, results;
    int write_fds[READS];
};

/* What belongs to a submitted task, by its item's user pointer. */
struct request {
    void (*then)(const struct request *request, const struct answer *answer);
    int number;
};

/* loop.run_in_executor(executor, task): `then` of the request is called in the loop's thread. */
static void run_in_executor(struct program *program, const char *task, struct pool_item item,
                            struct request *request)
{
    /* A full queue would make the loop wait: better an error. */
    static const struct pool_submit_options options = {.notify = true, .nonblocking = true};
    item.user = request;
    must(pool_submit(program->pool, task, &item, &options, NULL), "submit");
    program->running++;
}

static void on_completions(uv_poll_t *handle, int status, int events)
{
    struct program *program = handle->data;
    struct pool_future *futures[8];
    int count;
    (void)events;
    must(status, "poll");
    while ((count = must(pool_completions(program->pool, futures, 8), "completions")) > 0)
        for (int i = 0; i < count; i++) {
            const struct request *request = pool_future_user(futures[i]);
            struct answer answer;
            struct pool_bytes value;
            must(pool_future_result(futures[i], 0, &value), "task");
            memcpy(&answer, value.data, sizeof(answer));
            request->then(request, &answer);
            pool_future_free(futures[i]);
            program->results++;
            program->running--;
        }
    if (program->running == 0) { /* without handles the loop ends */
        uv_close((uv_handle_t *)&program->completions, NULL);
        uv_close((uv_handle_t *)&program->timer, NULL);
    }
}

/* The loop's other business: each second tick, one of the readers gets something to read. */
static void on_tick(uv_timer_t *handle)
{
    struct program *program = handle->data;
    printf("tick %d\n", ++program->ticks);
    if (program->ticks % 2 == 0 && program->ticks / 2 <= READS) {
        const int fd = program->write_fds[program->ticks / 2 - 1];
        must(dprintf(fd, "written at tick %d", program->ticks) < 0 ? -errno : 0, "write");
        close(fd);
    }
}

static void show_read(const struct request *request, const struct answer *answer)
{
    printf("read %d: \"%s\", by process %d\n", request->number, answer->text, answer->pid);
}

static void show_fib(const struct request *request, const struct answer *answer)
{
    printf("fib(%d) = %d, by process %d\n", request->number, answer->number, answer->pid);
}

int main(int argc, char **argv)
{
    struct pool_options options = POOL_OPTIONS_INIT;
    struct program program = {0};
    struct request reads[READS], computing = {show_fib, 30};

    must(pool_main(argc, argv, &tasks), "pool_main");
    options.workers = READS + 1; /* the readers only wait: more workers than CPUs are fine */
    options.tasks = &tasks;
    must(pool_create(&options, &program.pool), "pool");
    must(uv_loop_init(&program.loop), "loop");
    must(uv_timer_init(&program.loop, &program.timer), "timer");
    must(uv_poll_init(&program.loop, &program.completions, pool_completion_fd(program.pool)), "fd");
    program.timer.data = program.completions.data = &program;

    for (int i = 0; i < READS; i++) {
        int ends[2];
        must(pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0, "pipe");
        program.write_fds[i] = ends[1];
        reads[i] = (struct request){show_read, i + 1};
        run_in_executor(&program, "read", (struct pool_item){.fds = &ends[0], .fd_count = 1},
                        &reads[i]);
    }
    const struct pool_bytes n = bytes_of(&computing.number);
    run_in_executor(&program, "compute", (struct pool_item){.fields = &n, .field_count = 1},
                    &computing);

    must(uv_poll_start(&program.completions, UV_READABLE, on_completions), "poll");
    must(uv_timer_start(&program.timer, on_tick, TICK_MS, TICK_MS), "timer");
    uv_run(&program.loop, UV_RUN_DEFAULT);
    printf("%d results, all in the loop's thread\n", program.results);
    must(uv_loop_close(&program.loop), "loop");
    pool_free(program.pool);
    return EXIT_SUCCESS;
}
