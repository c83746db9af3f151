/* monitor: document 000, sections 4.3 and 6.3: watching a pool at work, which the document leaves
 * to psutil and "regular monitoring".
 *
 *     for child in psutil.Process().children():
 *         print(child.pid, child.status(), child.cpu_times(), child.memory_info().rss)
 *
 * psutil sees processes; pool_worker_stats() knows what they are doing as well. Here both it and
 * pool_stats() are asked every 100 ms (on a terminal, the table is drawn in place). Instead of
 * asking, one can be told: options.on_stats is called with a struct pool_stats every
 * options.stats_interval_ms, and options.log, used below, with each event.
 *
 * There is work for three workers: two downloads, which go on until their other end is closed, at
 * the fourth table; twenty short computations; and one task whose worker is killed, as the kernel
 * does when memory runs out. Another worker takes its place, under a new number.
 *
 *     $ monitor
 *     workers   3 of 3, 3 busy, 1 restarted
 *     tasks     15 queued, 3 running, 4 done, 1 failed; 50.1 a second
 *     worker      pid  state     task           for s  tasks   cpu s     MB
 *          0     4712  busy      download       0.101      1    0.00    1.6
 *          1     4713  busy      download       0.101      1    0.00    1.6
 *          3     4715  busy      compute        0.014      5    0.08    1.6
 *     event     worker process 4714 was killed by signal 9 (Killed)
 *     ...
 *     end       22 done, 1 failed, 0 cancelled; 4 workers started, 1 died */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "sample.h"

enum { WORKERS = 3, DOWNLOADS = 2, COMPUTATIONS = 20, DOWNLOAD_TABLES = 4, REFRESH_MS = SECOND_MS };
enum { TASKS = DOWNLOADS + 1 + COMPUTATIONS, ROWS_MAX = 2 * WORKERS };

/* ---- The work ------------------------------------------------------------------------------ */

static int download(struct pool_call *call)
{
    char buffer[256];
    ssize_t got;
    while ((got = read(pool_call_fd(call, 0), buffer, sizeof(buffer))) > 0)
        continue;
    return got < 0 ? -errno : 0;
}

static int compute(struct pool_call *call)
{
    uint64_t x = 1;
    for (int i = 0; i < 20000000; i++)
        x = x * 6364136223846793005 + 1442695040888963407;
    return pool_call_write(call, &x, sizeof(x));
}

static int run_out_of_memory(struct pool_call *call)
{
    (void)call;
    raise(SIGKILL);
    return 0;
}

static const struct pool_task list[] = {
    {"download", download}, {"compute", compute}, {"out_of_memory", run_out_of_memory}};
static const struct pool_tasks tasks = {list, 3};

/* ---- The watching -------------------------------------------------------------------------- */

/* L: lock. */
struct monitor {
    bool in_place; /* draw over the last table */
    int lines;     /* of the last table */
    pthread_mutex_t lock;
    char event[256]; /* L: the last one that was bad news */
};

/* Runs in a thread of the pool's. */
static void note_event(const struct pool_log_event *event, void *data)
{
    struct monitor *monitor = data;
    if (event->kind == POOL_LOG_WORKER_STARTED || event->kind == POOL_LOG_WORKER_ENDED)
        return;
    pthread_mutex_lock(&monitor->lock);
    snprintf(monitor->event, sizeof(monitor->event), "%s", event->message);
    pthread_mutex_unlock(&monitor->lock);
}

/* A number that is not known is negative. */
static void print_number(int width, int digits, double number)
{
    if (number >= 0)
        printf(" %*.*f", width, digits, number);
    else
        printf(" %*s", width, "-");
}

static int draw_workers(struct pool *pool)
{
    static const char *const states[] = {[POOL_WORKER_STARTING] = "starting",
                                         [POOL_WORKER_IDLE] = "idle",
                                         [POOL_WORKER_BUSY] = "busy",
                                         [POOL_WORKER_ENDING] = "ending"};
    struct pool_worker_stats workers[ROWS_MAX];
    int count = must(pool_worker_stats(pool, workers, ROWS_MAX), "workers");
    if (count > ROWS_MAX)
        count = ROWS_MAX;
    printf("worker      pid  state     task           for s  tasks   cpu s     MB\n");
    for (int i = 0; i < count; i++) {
        const struct pool_worker_stats *w = &workers[i];
        printf("%6u %8d  %-8s  %-13s %6.3f %6llu", w->id, w->pid, states[w->state],
               w->task ? w->task : "-", (double)w->task_age_ms / 1e3, (unsigned long long)w->tasks);
        print_number(7, 2, w->cpu_ms < 0 ? -1 : (double)w->cpu_ms / 1e3);
        print_number(6, 1, w->rss_bytes < 0 ? -1 : (double)w->rss_bytes / 1e6);
        printf("\n");
    }
    return 1 + count;
}

static void draw(struct monitor *monitor, struct pool *pool)
{
    struct pool_stats stats;
    must(pool_stats(pool, &stats), "stats");
    if (!monitor->in_place && monitor->lines > 0)
        printf("\n");
    else if (monitor->lines > 0)
        printf("\033[%dA\033[J", monitor->lines); /* so many lines up, and erase what follows */
    printf("workers   %u of %u, %u busy, %llu restarted\n", stats.workers, stats.workers_max,
           stats.busy, (unsigned long long)(stats.died + stats.recycled));
    printf("tasks     %zu queued, %zu running, %llu done, %llu failed; %.1f a second\n",
           stats.queued, stats.running, (unsigned long long)stats.done,
           (unsigned long long)stats.failed, stats.tasks_per_s);
    monitor->lines = 2 + draw_workers(pool);
    pthread_mutex_lock(&monitor->lock);
    monitor->lines += monitor->event[0] != '\0';
    if (monitor->event[0])
        printf("event     %s\n", monitor->event);
    pthread_mutex_unlock(&monitor->lock);
    fflush(stdout);
}

/* Submit all work. The downloads go on until ret_gate is closed. */
static void submit_all(struct pool *pool, struct pool_future *futures[TASKS], int *ret_gate)
{
    int ends[2], count = 0;
    must(pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0, "pipe");
    for (int i = 0; i < DOWNLOADS; i++) {
        const int fd = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
        const struct pool_item item = {.fds = &fd, .fd_count = 1};
        must(pool_submit(pool, "download", &item, NULL, &futures[count++]), "submit");
    }
    must(pool_submit(pool, "out_of_memory", NULL, NULL, &futures[count++]), "submit");
    while (count < TASKS)
        must(pool_submit(pool, "compute", NULL, NULL, &futures[count++]), "submit");
    close(ends[0]);
    *ret_gate = ends[1];
}

int main(int argc, char **argv)
{
    struct monitor monitor = {.in_place = isatty(STDOUT_FILENO), .lock = PTHREAD_MUTEX_INITIALIZER};
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool_future *futures[TASKS];
    struct pool_stats stats;
    struct pool *pool;
    int gate;

    must(pool_main(argc, argv, &tasks), "pool_main");
    options.workers = options.workers_min = WORKERS;
    options.tasks = &tasks;
    options.log = note_event;
    options.log_data = &monitor;
    must(pool_create(&options, &pool), "pool");
    submit_all(pool, futures, &gate);
    while (!pool_future_running(futures[0]))
        sleep_ms(1);
    bool over = false;
    for (int tables = 1; !over; tables++) {
        sleep_ms(REFRESH_MS);
        over = pool_wait(futures, TASKS, POOL_ALL_COMPLETED, 0) != -ETIMEDOUT;
        draw(&monitor, pool);
        if (tables == DOWNLOAD_TABLES)
            close(gate);
    }

    for (int i = 0; i < TASKS; i++)
        pool_future_free(futures[i]);
    pool_close(pool);
    must(pool_join(pool, -1), "join");
    must(pool_stats(pool, &stats), "stats");
    printf("end       %llu done, %llu failed, %llu cancelled; %llu workers started, %llu died\n",
           (unsigned long long)stats.done, (unsigned long long)stats.failed,
           (unsigned long long)stats.cancelled, (unsigned long long)stats.started,
           (unsigned long long)stats.died);
    pool_free(pool);
    return EXIT_SUCCESS;
}
