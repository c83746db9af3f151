#include "scenario_support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STAGE_VARIABLE "SCENARIO_STAGE"

/* ---- Sizes, chance and time ---------------------------------------------------------------- */

static int scale_of(const char *name)
{
    const char *text = getenv(name);
    long scale = text ? strtol(text, NULL, 10) : 1;
    return scale >= 1 && scale <= 100 ? (int)scale : 1;
}

bool scenario_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#else
    return false;
#endif
}

int scenario_size(int count, int least)
{
    int size = count * scale_of("SCENARIO_SCALE");
    if (scenario_sanitized())
        size /= 5;
    return size > least ? size : least;
}

unsigned scenario_seed(void)
{
    static unsigned calls;
    const char *text = getenv("SCENARIO_SEED");
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    unsigned seed = (unsigned)now.tv_nsec ^ (unsigned)getpid() << 10 ^ ++calls;
    if (text)
        seed = (unsigned)strtoul(text, NULL, 10);
    printf("SCENARIO_SEED=%u\n", seed);
    return seed;
}

unsigned scenario_random(unsigned *seed, unsigned below)
{
    return (unsigned)rand_r(seed) % below;
}

int64_t scenario_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void scenario_sleep_us(int64_t us)
{
    struct timespec left = {us / 1000000, us % 1000000 * 1000};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
        continue;
}

/* ---- The stage ----------------------------------------------------------------------------- */

static struct stage *the_stage;
static pthread_once_t stage_once = PTHREAD_ONCE_INIT;

static void stage_map(void)
{
    const char *path = getenv(STAGE_VARIABLE);
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *memory = mmap(NULL, sizeof(struct stage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (memory != MAP_FAILED)
        the_stage = memory;
}

struct stage *stage_get(void)
{
    pthread_once(&stage_once, stage_map);
    return the_stage;
}

struct stage *stage_open(void)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/stage", test_scratch());
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, sizeof(struct stage)), 0);
    close(fd);
    assert_int_equal(setenv(STAGE_VARIABLE, path, 1), 0);
    struct stage *stage = stage_get();
    assert_non_null(stage);
    assert_int_equal(sem_init(&stage->started, 1, 0), 0);
    assert_int_equal(sem_init(&stage->go, 1, 0), 0);
    assert_int_equal(sem_init(&stage->over, 1, 0), 0);
    return stage;
}

void stage_wait(sem_t *sem, int times)
{
    while (times > 0)
        times -= sem_wait(sem) == 0; /* it may be interrupted; the runner sees to hangs */
}

void stage_post(sem_t *sem, int times)
{
    while (times-- > 0)
        sem_post(sem);
}

/* ---- Tasks --------------------------------------------------------------------------------- */

struct order order_of(struct pool_call *call)
{
    struct order order = {.index = -1};
    struct pool_bytes field = pool_call_field(call, 0);
    if (field.size_bytes == sizeof(order))
        memcpy(&order, field.data, sizeof(order));
    return order;
}

void order_note(const struct order *order)
{
    struct stage *stage = stage_get();
    if (stage && order->index >= 0 && order->index < STAGE_ITEMS)
        atomic_fetch_add(&stage->runs[order->index], 1);
}

static struct order begin(struct pool_call *call)
{
    struct order order = order_of(call);
    order_note(&order);
    return order;
}

static int write_index(struct pool_call *call, const struct order *order)
{
    return pool_call_write(call, &order->index, sizeof(order->index));
}

int scenario_square(struct pool_call *call)
{
    const struct order order = begin(call);
    const int64_t square = order.a * order.a;
    return pool_call_write(call, &square, sizeof(square));
}

int scenario_pid(struct pool_call *call)
{
    const pid_t pid = getpid();
    begin(call);
    return pool_call_write(call, &pid, sizeof(pid));
}

int scenario_work(struct pool_call *call)
{
    const struct order order = begin(call);
    scenario_sleep_us(order.a);
    return write_index(call, &order);
}

int scenario_echo(struct pool_call *call)
{
    begin(call);
    const struct pool_bytes field = pool_call_field(call, 1);
    return pool_call_write(call, field.data, field.size_bytes);
}

uint8_t scenario_pattern(int64_t index, size_t offset)
{
    return (uint8_t)((size_t)index * 7 + offset * 31 + (offset >> 8));
}

bool scenario_is_pattern(int64_t index, struct pool_bytes value, size_t size_bytes)
{
    if (value.size_bytes != size_bytes)
        return false;
    for (size_t i = 0; i < size_bytes; i++)
        if (((const uint8_t *)value.data)[i] != scenario_pattern(index, i))
            return false;
    return true;
}

static int write_pattern(struct pool_call *call, const struct order *order)
{
    const size_t size_bytes = (size_t)order->b;
    uint8_t *bytes = malloc(size_bytes ? size_bytes : 1);
    if (!bytes)
        return -ENOMEM;
    for (size_t i = 0; i < size_bytes; i++)
        bytes[i] = scenario_pattern(order->index, i);
    int r = pool_call_write(call, bytes, size_bytes);
    free(bytes);
    return r;
}

int scenario_blow_up(struct pool_call *call)
{
    const struct order order = begin(call);
    return write_pattern(call, &order);
}

int scenario_hold(struct pool_call *call)
{
    const struct order order = begin(call);
    struct stage *stage = stage_get();
    sem_post(&stage->started);
    stage_wait(&stage->go, 1);
    return write_index(call, &order);
}

int scenario_stubborn(struct pool_call *call)
{
    begin(call);
    signal(SIGTERM, SIG_IGN);
    sem_post(&stage_get()->started);
    for (;;)
        pause();
}

int scenario_obedient(struct pool_call *call)
{
    begin(call);
    sem_post(&stage_get()->started);
    while (!pool_call_cancelled(call))
        scenario_sleep_us(500);
    return pool_call_fail(call, -EINTR, "told to stop");
}

int scenario_fail(struct pool_call *call)
{
    const struct order order = begin(call);
    return pool_call_fail(call, (int)order.a, "told to fail");
}

static void die(int signal_number)
{
    signal(signal_number, SIG_DFL); /* sanitizers catch some, and report them */
    raise(signal_number);
}

int scenario_die(struct pool_call *call)
{
    const struct order order = begin(call);
    if (order.a <= 0)
        _exit((int)-order.a);
    die((int)order.a);
    return 0;
}

int scenario_fuse(struct pool_call *call)
{
    const struct order order = begin(call);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    const struct itimerspec when = {.it_value = {0, (long)order.a * 1000 + 1}};
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0 ||
        timer_settime(timer, 0, &when, NULL) < 0)
        return pool_call_fail(call, -errno, "no fuse");
    return write_pattern(call, &order);
}

int scenario_init(struct pool_call *call)
{
    struct stage *stage = stage_get();
    atomic_fetch_add(&stage->inits, 1);
    const int how = atomic_load(&stage->fail);
    if (how == 2)
        die(SIGKILL);
    return how == 1 ? pool_call_fail(call, -EIO, "no such licence") : 0;
}

/* ---- The ledger ---------------------------------------------------------------------------- */

void ledger_init(struct ledger *ledger, size_t room)
{
    *ledger = (struct ledger){.room = room};
    ledger->entries = calloc(room, sizeof(ledger->entries[0]));
    assert_non_null(ledger->entries);
}

static void count_call(struct pool_future *future, void *data)
{
    struct ledger_entry *entry = data;
    (void)future;
    atomic_fetch_add(&entry->calls, 1);
}

int ledger_enter(struct ledger *ledger, struct pool_future *future, int64_t index)
{
    if (ledger->count == ledger->room)
        return -ENOSPC;
    struct ledger_entry *entry = &ledger->entries[ledger->count++];
    entry->future = future;
    entry->index = index;
    return pool_future_add_done_callback(future, count_call, entry);
}

int ledger_submit(struct ledger *ledger, struct pool *pool, const char *task,
                  const struct order *order, const struct pool_bytes *payload,
                  const struct pool_submit_options *options)
{
    struct pool_bytes fields[2] = {{order, sizeof(*order)}};
    struct pool_item item = {.fields = fields, .field_count = 1};
    struct pool_future *future;
    if (payload)
        fields[item.field_count++] = *payload;
    if (ledger->count == ledger->room)
        return -ENOSPC;
    int r = pool_submit(pool, task, &item, options, &future);
    return r < 0 ? r : ledger_enter(ledger, future, order->index);
}

void ledger_add(struct ledger *ledger, struct pool *pool, const char *task, int64_t a, int64_t b)
{
    const struct order order = {.index = (int64_t)ledger->count, .a = a, .b = b};
    assert_int_equal(ledger_submit(ledger, pool, task, &order, NULL, NULL), 0);
}

void ledger_settle(struct ledger *ledger)
{
    for (size_t i = 0; i < ledger->count; i++) {
        struct ledger_entry *entry = &ledger->entries[i];
        entry->code = pool_future_result(entry->future, -1, NULL);
        assert_true(pool_future_done(entry->future));
    }
}

size_t ledger_count(const struct ledger *ledger, int code)
{
    size_t count = 0;
    for (size_t i = 0; i < ledger->count; i++)
        count += ledger->entries[i].code == code;
    return count;
}

void ledger_check_stats(const struct ledger *ledger, struct pool *pool)
{
    struct pool_stats stats;
    const size_t done = ledger_count(ledger, 0), cancelled = ledger_count(ledger, -ECANCELED);
    assert_int_equal(pool_stats(pool, &stats), 0);
    printf("%zu futures: %zu with a result, %zu cancelled; %llu workers started, %llu died, "
           "%llu requeued, %llu retried\n",
           ledger->count, done, cancelled, (unsigned long long)stats.started,
           (unsigned long long)stats.died, (unsigned long long)stats.requeued,
           (unsigned long long)stats.retried);
    assert_int_equal(stats.submitted, ledger->count);
    assert_int_equal(stats.done, done);
    assert_int_equal(stats.cancelled, cancelled);
    assert_int_equal(stats.failed, ledger->count - done - cancelled);
    assert_int_equal(stats.queued, 0);
    assert_int_equal(stats.running, 0);
    assert_true(stats.died <= stats.started);
}

void ledger_done(struct ledger *ledger)
{
    for (size_t i = 0; i < ledger->count; i++) {
        struct ledger_entry *entry = &ledger->entries[i];
        assert_true(pool_future_done(entry->future));
        assert_int_equal(pool_future_result(entry->future, 0, NULL), entry->code);
        if (atomic_load(&entry->calls) != 1)
            fail_msg("future %zu (%s, code %d) had %d callbacks", i,
                     pool_future_task(entry->future), entry->code, atomic_load(&entry->calls));
        pool_future_free(entry->future);
    }
    free(ledger->entries);
    *ledger = (struct ledger){0};
}

void ledger_finish(struct ledger *ledger, struct pool *pool)
{
    ledger_settle(ledger);
    pool_close(pool);
    assert_int_equal(pool_join(pool, -1), 0);
    ledger_check_stats(ledger, pool);
    assert_null(pool_free(pool));
    ledger_done(ledger);
}

/* ---- Pools and processes ------------------------------------------------------------------- */

struct pool *scenario_pool(const struct pool_options *options)
{
    struct pool *pool = NULL;
    assert_int_equal(pool_create(options, &pool), 0);
    assert_non_null(pool);
    return pool;
}

struct pool *scenario_pool_of(enum pool_backend backend, unsigned workers)
{
    struct pool_options options = POOL_OPTIONS_INIT;
    options.backend = backend;
    options.workers = workers;
    return scenario_pool(&options);
}

struct pool_future *scenario_submit(struct pool *pool, const char *task, int64_t a, int64_t b)
{
    const struct order order = {.index = STAGE_ITEMS - 1, .a = a, .b = b};
    const struct pool_bytes field = {&order, sizeof(order)};
    const struct pool_item item = {.fields = &field, .field_count = 1};
    struct pool_future *future = NULL;
    assert_int_equal(pool_submit(pool, task, &item, NULL, &future), 0);
    return future;
}

int scenario_take(struct pool_future *future)
{
    int r = pool_future_result(future, -1, NULL);
    assert_true(pool_future_done(future));
    pool_future_free(future);
    return r;
}

void scenario_check_alive(struct pool *pool)
{
    struct pool_future *future = scenario_submit(pool, "square", 12, 0);
    struct pool_bytes value;
    int64_t square = 0;
    assert_int_equal(pool_future_result(future, -1, &value), 0);
    assert_int_equal(value.size_bytes, sizeof(square));
    memcpy(&square, value.data, sizeof(square));
    assert_int_equal(square, 144);
    pool_future_free(future);
}

int scenario_workers(struct pool *pool, pid_t *ret_pids, int room)
{
    static struct pool_worker_stats workers[512];
    int count = pool_worker_stats(pool, workers, sizeof(workers) / sizeof(workers[0]));
    int known = 0;
    for (int i = 0; i < count && known < room; i++)
        if (workers[i].pid > 0)
            ret_pids[known++] = workers[i].pid;
    return known;
}

void scenario_know_workers(struct pool *pool, pid_t *ret_pids, int count)
{
    while (scenario_workers(pool, ret_pids, count) < count)
        scenario_sleep_us(200);
}

pid_t scenario_any_worker(struct pool *pool, unsigned *seed)
{
    pid_t pids[64];
    int count = scenario_workers(pool, pids, 64);
    return count > 0 ? pids[scenario_random(seed, (unsigned)count)] : 0;
}

pid_t scenario_parent_of(pid_t pid)
{
    char path[64], text[512];
    pid_t parent = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t got = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (got <= 0)
        return 0;
    text[got] = '\0';
    char *end = strrchr(text, ')');
    return end && sscanf(end + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

int scenario_processes(void)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    int count = 0;
    while (waitpid(-1, NULL, WNOHANG) > 0) /* orphans come to the test, which reaps for its own */
        continue;
    while ((entry = readdir(dir))) {
        const pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        count += pid > 0 && pid != getpid() && getpgid(pid) == getpgrp();
    }
    closedir(dir);
    return count;
}

int scenario_processes_after(int limit_ms)
{
    const int64_t until_ms = scenario_now_ms() + limit_ms * test_time_scale();
    int left;
    while ((left = scenario_processes()) > 0 && scenario_now_ms() < until_ms)
        scenario_sleep_us(2000);
    return left;
}

int scenario_entries(const char *path)
{
    DIR *dir = opendir(path);
    int count = 0;
    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count;
}

int64_t scenario_rss_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long pages = 0;
    if (!file || fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}
