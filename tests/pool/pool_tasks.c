#include "pool_tasks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <pool/wire_priv.h>

#include "isolate.h"

static int64_t int_field(struct pool_call *call, size_t index)
{
    int64_t value = 0;
    struct pool_bytes field = pool_call_field(call, index);
    if (field.size_bytes == sizeof(value))
        memcpy(&value, field.data, sizeof(value));
    return value;
}

static int task_square(struct pool_call *call)
{
    int64_t value = int_field(call, 0);
    value *= value;
    return pool_call_write(call, &value, sizeof(value));
}

static int task_echo(struct pool_call *call)
{
    for (size_t i = 0; i < pool_call_field_count(call); i++) {
        struct pool_bytes field = pool_call_field(call, i);
        if ((uintptr_t)field.data % 16 != 0)
            return pool_call_fail(call, -EFAULT, "field %zu is not aligned", i);
        pool_call_write(call, field.data, field.size_bytes);
    }
    return 0;
}

static int task_count(struct pool_call *call)
{
    uint64_t counts[2] = {pool_call_field_count(call), pool_call_fd_count(call)};
    if (pool_call_field(call, counts[0]).data || pool_call_fd(call, counts[1]) != -EBADF)
        return pool_call_fail(call, -ERANGE, "there is something out of range");
    return pool_call_write(call, counts, sizeof(counts));
}

static int task_pid(struct pool_call *call)
{
    pid_t pid = getpid();
    return pool_call_write(call, &pid, sizeof(pid));
}

static int task_sleep(struct pool_call *call)
{
    poll(NULL, 0, (int)int_field(call, 0));
    return 0;
}

static int task_write_late(struct pool_call *call)
{
    int64_t value = int_field(call, 0);
    poll(NULL, 0, (int)value);
    return pool_call_write(call, &value, sizeof(value));
}

static int task_hold(struct pool_call *call)
{
    char byte;
    ssize_t got;
    do
        got = read(pool_call_fd(call, 0), &byte, 1);
    while (got > 0 || (got < 0 && errno == EINTR));
    return got < 0 ? -errno : 0;
}

static int task_fail(struct pool_call *call)
{
    struct pool_bytes words = pool_call_field(call, 1);
    return pool_call_fail(call, (int)int_field(call, 0), "%.*s", (int)words.size_bytes,
                          (const char *)words.data);
}

static int task_silent_fail(struct pool_call *call)
{
    return (int)int_field(call, 0);
}

static int task_die(struct pool_call *call)
{
    int64_t how = int_field(call, 0);
    if (how <= 0)
        _exit((int)-how);
    signal((int)how, SIG_DFL); /* sanitizers catch some, and report them */
    raise((int)how);
    return 0;
}

static int task_stubborn(struct pool_call *call)
{
    signal(SIGTERM, SIG_IGN);
    return task_sleep(call);
}

static __attribute__((noinline)) int eat_stack(volatile char *below, int depth)
{
    volatile char frame[4096];
    frame[0] = below ? below[0] : 1;
    return depth > 0 ? eat_stack(frame, depth - 1) + frame[0] : frame[0];
}

static int task_overflow(struct pool_call *call)
{
    (void)call;
    signal(SIGSEGV, SIG_DFL);
    return eat_stack(NULL, 1 << 20) > 0 ? -EINVAL : 0;
}

static int task_read(struct pool_call *call)
{
    char buffer[4096];
    ssize_t got;
    int fd = pool_call_fd(call, 0);
    if (fd < 0 || (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0)
        return pool_call_fail(call, -EBADF, "the descriptor is not close-on-exec");
    while ((got = read(fd, buffer, sizeof(buffer))) > 0)
        pool_call_write(call, buffer, (size_t)got);
    return got < 0 ? -errno : 0;
}

uint8_t pattern_at(size_t offset)
{
    return (uint8_t)(offset * 31 + (offset >> 8));
}

static int task_blow_up(struct pool_call *call)
{
    size_t size_bytes = (size_t)int_field(call, 0);
    uint8_t *bytes = malloc(size_bytes);
    if (!bytes)
        return -ENOMEM;
    for (size_t i = 0; i < size_bytes; i++)
        bytes[i] = pattern_at(i);
    int r = pool_call_write(call, bytes, size_bytes);
    free(bytes);
    return r;
}

static int task_obedient(struct pool_call *call)
{
    while (!pool_call_cancelled(call))
        poll(NULL, 0, 1);
    return pool_call_fail(call, -EINTR, "told to stop");
}

static int task_local(struct pool_call *call)
{
    int64_t *count = pool_call_local(call);
    if (!count) {
        count = calloc(1, sizeof(*count));
        if (!count)
            return -ENOMEM;
        pool_call_set_local(call, count, free);
    }
    ++*count;
    return pool_call_write(call, count, sizeof(*count));
}

static int task_orphan(struct pool_call *call)
{
    if (fork() == 0) {
        poll(NULL, 0, (int)int_field(call, 0));
        _exit(0);
    }
    raise(SIGKILL);
    return 0;
}

static int task_die_once(struct pool_call *call)
{
    struct pool_bytes path = pool_call_field(call, 0);
    char text[256];
    snprintf(text, sizeof(text), "%.*s", (int)path.size_bytes, (const char *)path.data);
    int fd = open(text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        _exit(1);
    return 0;
}

static int task_prepare(struct pool_call *call)
{
    int64_t *count = malloc(sizeof(*count));
    if (!count)
        return -ENOMEM;
    *count = int_field(call, 0);
    pool_call_set_local(call, count, free);
    return *count < 0 ? pool_call_fail(call, (int)*count, "not prepared") : 0;
}

static int task_eat(struct pool_call *call)
{
    static char *eaten; /* until the worker ends */
    const size_t size_bytes = (size_t)int_field(call, 0);
    free(eaten);
    eaten = malloc(size_bytes);
    if (!eaten)
        return -ENOMEM;
    memset(eaten, 1, size_bytes);
    const pid_t pid = getpid();
    return pool_call_write(call, &pid, sizeof(pid));
}

static int task_nest(struct pool_call *call)
{
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool;
    struct pool_future *future;
    struct pool_bytes value;
    int64_t depth = 0;
    options.workers = 1;
    int r = pool_create(&options, &pool);
    if (r == 0) {
        r = pool_apply(pool, "nest", NULL, NULL, &future);
        if (r == 0 && pool_future_result(future, 0, &value) == 0) {
            memcpy(&depth, value.data, sizeof(depth));
            depth++;
        }
        pool_future_free(future);
        pool_free(pool);
    } else if (r != -ELOOP) {
        return r;
    }
    return pool_call_write(call, &depth, sizeof(depth));
}

static int task_mark_late(struct pool_call *call)
{
    struct pool_bytes path = pool_call_field(call, 1);
    char text[256];
    task_sleep(call);
    snprintf(text, sizeof(text), "%.*s", (int)path.size_bytes, (const char *)path.data);
    int fd = open(text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : close(fd);
}

/* The worker's own socket: the library keeps it at descriptor 3. */
enum { WORKER_SOCKET = 3 };

static int task_closer(struct pool_call *call)
{
    (void)call;
    close(WORKER_SOCKET);
    pause();
    return 0;
}

static int task_liar(struct pool_call *call)
{
    (void)call;
    char nonsense[300];
    memset(nonsense, 0x5a, sizeof(nonsense));
    send(WORKER_SOCKET, nonsense, sizeof(nonsense), MSG_NOSIGNAL);
    pause();
    return 0;
}

static int task_smuggler(struct pool_call *call)
{
    int fds[8];
    (void)call;
    for (int i = 0; i < 8; i++)
        fds[i] = STDERR_FILENO;
    pool_wire_send(WORKER_SOCKET, NULL, 0, fds, 8);
    pause();
    return 0;
}

static int task_again(struct pool_call *call)
{
    const struct wire_control ready = {.type = WIRE_READY};
    const struct iovec part = {(void *)&ready, sizeof(ready)};
    (void)call;
    pool_wire_send(WORKER_SOCKET, &part, 1, NULL, 0);
    pause();
    return 0;
}

static int task_resident(struct pool_call *call)
{
    long long total_pages, resident_pages;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return -errno;
    const int count = fscanf(file, "%lld %lld", &total_pages, &resident_pages);
    fclose(file);
    if (count != 2)
        return -EIO;
    const int64_t resident_bytes = resident_pages * sysconf(_SC_PAGESIZE);
    return pool_call_write(call, &resident_bytes, sizeof(resident_bytes));
}

/* Resident pages from the kernel, not from an allocator that keeps some; MAP_FAILED: none. */
static void *grow(size_t size_bytes)
{
    return mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
}

static int swell(size_t size_bytes, int for_ms)
{
    void *pages = size_bytes > 0 ? grow(size_bytes) : NULL;
    if (pages == MAP_FAILED)
        return -errno;
    if (pages) {
        poll(NULL, 0, for_ms);
        munmap(pages, size_bytes);
    }
    return 0;
}

static int task_keep(struct pool_call *call)
{
    return grow((size_t)int_field(call, 0)) == MAP_FAILED ? -errno : 0;
}

static int task_swell(struct pool_call *call)
{
    return swell((size_t)int_field(call, 0), (int)int_field(call, 1));
}

static int task_swell_hold(struct pool_call *call)
{
    const size_t size_bytes = (size_t)int_field(call, 0);
    void *pages = grow(size_bytes);
    if (pages == MAP_FAILED)
        return -errno;
    const int r = task_hold(call);
    munmap(pages, size_bytes);
    return r;
}

static int task_swell_late(struct pool_call *call)
{
    sigset_t set;
    int number;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigwait(&set, &number);
    return swell((size_t)int_field(call, 0), -1);
}

struct wire_page *worker_page(void)
{
    char line[512];
    struct wire_page *page = NULL;
    FILE *file = fopen("/proc/self/maps", "re");
    while (file && !page && fgets(line, sizeof(line), file)) {
        uintptr_t start;
        if (strstr(line, "pool-page") && sscanf(line, "%" SCNxPTR, &start) == 1)
            page = (struct wire_page *)start;
    }
    if (file)
        fclose(file);
    return page;
}

static int task_hide(struct pool_call *call)
{
    struct wire_page *page = worker_page();
    const size_t size_bytes = (size_t)int_field(call, 0);
    for (unsigned i = 0; page && i < PAGE_SLOTS; i++)
        atomic_store(&page->slots[i].word, slot_word(NUMBER_MASK, SLOT_EMPTY));
    return page ? swell(size_bytes, -1) : -ENOENT;
}

static const struct pool_task list[] = {
    {"square", task_square},
    {"echo", task_echo},
    {"count", task_count},
    {"pid", task_pid},
    {"sleep", task_sleep},
    {"write_late", task_write_late},
    {"hold", task_hold},
    {"fail", task_fail},
    {"silent_fail", task_silent_fail},
    {"die", task_die},
    {"stubborn", task_stubborn},
    {"overflow", task_overflow},
    {"read", task_read},
    {"blow_up", task_blow_up},
    {"obedient", task_obedient},
    {"local", task_local},
    {"orphan", task_orphan},
    {"closer", task_closer},
    {"liar", task_liar},
    {"smuggler", task_smuggler},
    {"again", task_again},
    {"die_once", task_die_once},
    {"prepare", task_prepare},
    {"eat", task_eat},
    {"nest", task_nest},
    {"mark_late", task_mark_late},
    {"resident", task_resident},
    {"keep", task_keep},
    {"swell", task_swell},
    {"swell_hold", task_swell_hold},
    {"swell_late", task_swell_late},
    {"hide", task_hide},
};
const struct pool_tasks pool_test_tasks = {list, sizeof(list) / sizeof(list[0])};

const enum pool_backend all_backends[3] = {POOL_BACKEND_SERIAL, POOL_BACKEND_THREAD,
                                           POOL_BACKEND_PROCESS};
const enum pool_backend backends_with_workers[2] = {POOL_BACKEND_THREAD, POOL_BACKEND_PROCESS};

struct pool *pool_with(const struct pool_options *options)
{
    struct pool *pool = NULL;
    assert_int_equal(pool_create(options, &pool), 0);
    assert_non_null(pool);
    return pool;
}

struct pool *pool_of(enum pool_backend backend, unsigned workers)
{
    const struct pool_options options = {.backend = backend, .workers = workers};
    return pool_with(&options);
}

struct pool_future *submit_int_deadline(struct pool *pool, const char *task, int64_t value,
                                        int deadline_ms)
{
    const struct pool_bytes field = {&value, sizeof(value)};
    const struct pool_item item = {.fields = &field, .field_count = 1};
    struct pool_submit_options options = POOL_SUBMIT_INIT;
    struct pool_future *future = NULL;
    options.deadline_ms = deadline_ms;
    assert_int_equal(pool_submit(pool, task, &item, &options, &future), 0);
    return future;
}

struct pool_future *submit_int(struct pool *pool, const char *task, int64_t value)
{
    return submit_int_deadline(pool, task, value, 0);
}

struct gate gate_open(void)
{
    struct gate gate;
    assert_int_equal(pipe2(gate.ends, O_CLOEXEC), 0);
    return gate;
}

struct pool_future *gate_submit(struct gate *gate, struct pool *pool,
                                const struct pool_submit_options *options)
{
    const int fd = fcntl(gate->ends[0], F_DUPFD_CLOEXEC, 0);
    const struct pool_item item = {.fds = &fd, .fd_count = 1};
    struct pool_future *future = NULL;
    assert_true(fd >= 0);
    assert_int_equal(pool_submit(pool, "hold", &item, options, &future), 0);
    return future;
}

void gate_release(struct gate *gate)
{
    close(gate->ends[1]);
    close(gate->ends[0]);
}

void wait_until_running(struct pool_future *future)
{
    while (!pool_future_running(future)) {
        assert_false(pool_future_done(future));
        poll(NULL, 0, 1);
    }
}

int64_t int_of(struct pool_future *future)
{
    struct pool_bytes value;
    int64_t number = -1;
    assert_int_equal(pool_future_result(future, 0, &value), 0);
    assert_int_equal(value.size_bytes, sizeof(number));
    memcpy(&number, value.data, sizeof(number));
    return number;
}

int64_t take_int(struct pool_future *future)
{
    pool_future_result(future, -1, NULL);
    const int64_t number = int_of(future);
    pool_future_free(future);
    return number;
}

int take_code(struct pool_future *future)
{
    int r = pool_future_result(future, -1, NULL);
    pool_future_free(future);
    return r;
}
