#include "process_tasks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int created_too_early;
static int after_epilogue_fd = -1;

static int number_of(struct pool_call *call)
{
    int number = 0;
    const struct pool_bytes field = pool_call_field(call, 0);
    if (field.size_bytes == sizeof(number))
        memcpy(&number, field.data, sizeof(number));
    return number;
}

static int wait_for_end_of_file(int fd)
{
    char byte;
    ssize_t got;
    do
        got = read(fd, &byte, 1);
    while (got > 0 || (got < 0 && errno == EINTR));
    return got < 0 ? -errno : 0;
}

static int write_byte(int fd, int byte)
{
    const char text = (char)byte;
    return write(fd, &text, 1) == 1 ? 0 : -errno;
}

/* ---- Targets ------------------------------------------------------------------------------- */

static int task_give(struct pool_call *call)
{
    return number_of(call);
}

static int task_fail(struct pool_call *call)
{
    return pool_call_fail(call, number_of(call), "it was number %d", number_of(call));
}

static int task_leave(struct pool_call *call)
{
    exit(number_of(call));
}

static int task_die(struct pool_call *call)
{
    const int number = number_of(call);
    if (number == 0) {
        signal(SIGABRT, SIG_DFL); /* sanitizers catch it, and report it */
        abort();
    }
    signal(number, SIG_DFL);
    raise(number);
    return 0;
}

static int task_hold(struct pool_call *call)
{
    return wait_for_end_of_file(pool_call_fd(call, 0));
}

static int count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;
    if (!dir)
        return -1;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count - 3; /* ".", ".." and the folder's own */
}

static int task_tell(struct pool_call *call)
{
    static const int signals[3] = {SIGINT, SIGHUP, SIGPIPE};
    struct told told;
    struct sigaction action;
    char byte;
    memset(&told, 0, sizeof(told));
    told.pid = getpid();
    told.parent = getppid();
    prctl(PR_GET_NAME, told.name, 0, 0, 0);
    for (int i = 0; i < 3; i++)
        told.handles_default[i] =
            sigaction(signals[i], NULL, &action) == 0 && action.sa_handler == SIG_DFL;
    told.open_descriptors = count_descriptors();
    told.stdin_is_empty = read(STDIN_FILENO, &byte, 1) == 0;
    return write(pool_call_fd(call, 0), &told, sizeof(told)) == sizeof(told) ? 0 : -errno;
}

static int task_sum(struct pool_call *call)
{
    const struct pool_bytes bytes = pool_call_field(call, 1);
    const unsigned char *each = bytes.data;
    uint64_t sums[2] = {0, bytes.size_bytes};
    for (size_t i = 0; i < bytes.size_bytes; i++)
        sums[0] += each[i];
    return write(pool_call_fd(call, 0), sums, sizeof(sums)) == sizeof(sums) ? 0 : -errno;
}

static int task_stubborn(struct pool_call *call)
{
    signal(SIGTERM, SIG_IGN);
    int r = write_byte(pool_call_fd(call, 0), 's');
    return r < 0 ? r : wait_for_end_of_file(pool_call_fd(call, 1));
}

static int polite_fd;

static void say_goodbye(int number)
{
    (void)number;
    write_byte(polite_fd, 't');
    _exit(0);
}

static int task_polite(struct pool_call *call)
{
    const struct sigaction action = {.sa_handler = say_goodbye};
    polite_fd = pool_call_fd(call, 0);
    if (sigaction(SIGTERM, &action, NULL) < 0)
        return -errno;
    int r = write_byte(polite_fd, 'p');
    return r < 0 ? r : wait_for_end_of_file(pool_call_fd(call, 1));
}

static int task_copy(struct pool_call *call)
{
    char bytes[4096];
    ssize_t got;
    while ((got = read(pool_call_fd(call, 0), bytes, sizeof(bytes))) > 0)
        if (write(pool_call_fd(call, 1), bytes, (size_t)got) != got)
            return -EIO;
    return got < 0 ? -errno : 0;
}

static int task_mark(struct pool_call *call)
{
    int r = wait_for_end_of_file(pool_call_fd(call, 0));
    return r < 0 ? r : write_byte(pool_call_fd(call, 1), number_of(call));
}

static int task_mark_twice(struct pool_call *call)
{
    int r = write_byte(pool_call_fd(call, 1), number_of(call));
    return r < 0 ? r : task_mark(call);
}

static int task_print(struct pool_call *call)
{
    printf("printed %d", number_of(call));
    return 0;
}

static int task_run(struct pool_call *call)
{
    struct runner self;
    int r = pool_process_self(call, &self, sizeof(self));
    if (r < 0)
        return r;
    if (self.runnable.run || self.runnable.size_bytes != sizeof(self))
        return pool_call_fail(call, -EINVAL, "that is not what was sent");
    int fd = open(self.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    r = write_byte(fd, self.byte);
    close(fd);
    return r;
}

/* Another process of this one's own, or NULL. fds stay the caller's. */
static struct pool_process *start_inside(const char *target, int number, const int *fds,
                                         size_t fd_count, bool daemon)
{
    int copies[POOL_FDS_MAX];
    struct pool_process *process;
    const struct pool_bytes field = {&number, sizeof(number)};
    const struct pool_item item = {
        .fields = &field, .field_count = 1, .fds = copies, .fd_count = fd_count};
    const struct pool_process_options options = {.daemon = daemon};
    for (size_t i = 0; i < fd_count; i++)
        copies[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
    if (pool_process_create(target, &item, &options, &process) < 0)
        return NULL;
    if (pool_process_start(process) == 0)
        return process;
    pool_process_free(process);
    return NULL;
}

/* fds: what the daemon holds, what the other waits for, and writes its mark to. */
static int task_host(struct pool_call *call)
{
    const int fds[] = {pool_call_fd(call, 0), pool_call_fd(call, 1), pool_call_fd(call, 2)};
    struct pool_process *daemon = start_inside("hold", 0, (int[]){fds[1], fds[0]}, 2, true);
    struct pool_process *other = start_inside("mark", 'o', fds + 1, 2, false);
    if (!daemon || !other)
        return -ECHILD;
    pool_process_free(daemon); /* of the object only */
    pool_process_free(other);
    if (number_of(call) < 0)
        return 0;
    for (int i = 0; i < 3; i++) /* as a return would */
        close(fds[i]);
    exit(number_of(call));
}

static int task_square(struct pool_call *call)
{
    const int square = number_of(call) * number_of(call);
    return pool_call_write(call, &square, sizeof(square));
}

static int task_pool(struct pool_call *call)
{
    const int number = number_of(call);
    const struct pool_bytes field = {&number, sizeof(number)};
    const struct pool_item item = {.fields = &field, .field_count = 1};
    struct pool_options options = POOL_OPTIONS_INIT;
    struct pool *pool;
    struct pool_future *future = NULL;
    struct pool_bytes value;
    int square = 0, other = 0;
    options.workers = 1;
    int r = pool_create(&options, &pool);
    if (r < 0)
        return r;
    struct pool_process *process =
        number > 1 ? start_inside("pool", number - 1, NULL, 0, false) : NULL;
    r = pool_apply(pool, "square", &item, NULL, &future);
    if (r == 0 && pool_future_result(future, 0, &value) == 0)
        memcpy(&square, value.data, sizeof(square));
    pool_future_free(future);
    pool_free(pool);
    if (process) {
        pool_process_join(process, -1);
        pool_process_exitcode(process, &other);
        pool_process_free(process);
    }
    return square + other;
}

static int task_nest(struct pool_call *call)
{
    struct pool_process *process;
    int code = 0;
    int r = pool_process_create("nest", NULL, NULL, &process);
    if (r < 0)
        return r;
    r = pool_process_start(process);
    if (r == 0) {
        pool_process_join(process, -1);
        pool_process_exitcode(process, &code);
        code++;
    }
    pool_process_free(process);
    pool_call_write(call, &code, sizeof(code)); /* for a pool */
    return r == 0 || r == -ELOOP ? code : r;
}

static const struct pool_task list[] = {
    {"give", task_give},     {"fail", task_fail},     {"silent", task_give},
    {"leave", task_leave},   {"die", task_die},       {"hold", task_hold},
    {"tell", task_tell},     {"sum", task_sum},       {"stubborn", task_stubborn},
    {"copy", task_copy},     {"mark", task_mark},     {"mark_twice", task_mark_twice},
    {"print", task_print},   {"run", task_run},       {"host", task_host},
    {"polite", task_polite}, {"square", task_square}, {"pool", task_pool},
    {"nest", task_nest},
};
static const struct pool_tasks tasks = {list, sizeof(list) / sizeof(list[0])};

/* ---- The test program ---------------------------------------------------------------------- */

/* Registered before pool_main() is called, so it runs after the library's epilogue. */
static void after_epilogue(void)
{
    if (after_epilogue_fd >= 0)
        write_byte(after_epilogue_fd, 'e');
}

int process_test_main(const char *group, const struct test_case *tests, size_t count, int argc,
                      char **argv)
{
    struct pool_process *process;
    created_too_early = pool_process_create("give", NULL, NULL, &process);
    if (atexit(after_epilogue) != 0 || pool_main(argc, argv, &tasks) < 0)
        return 2;
    return test_run(group, tests, count, argc, argv);
}

void become_program(int after_fd)
{
    char *argv[] = {(char *)"program", NULL};
    after_epilogue_fd = after_fd;
    if (pool_main(1, argv, &tasks) < 0)
        _exit(99);
}

struct channel channel_open(void)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    return (struct channel){ends[0], ends[1]};
}

void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void channel_close(struct channel *channel)
{
    close_end(&channel->read_fd);
    close_end(&channel->write_fd);
}

struct shared shared_open(void)
{
    return (struct shared){channel_open(), channel_open(), channel_open()};
}

void shared_close(struct shared *shared)
{
    channel_close(&shared->gate);
    channel_close(&shared->daemon);
    channel_close(&shared->marks);
}

void shared_leave_to_program(struct shared *shared)
{
    close_end(&shared->gate.read_fd);
    close_end(&shared->daemon.write_fd);
    close_end(&shared->marks.write_fd);
}

int read_byte(int fd)
{
    unsigned char byte;
    ssize_t got;
    do
        got = read(fd, &byte, 1);
    while (got < 0 && errno == EINTR);
    return got == 1 ? byte : -1;
}

static struct pool_process *make_any(const char *target, int number, const int *fds,
                                     size_t fd_count, bool daemon)
{
    int copies[POOL_FDS_MAX];
    struct pool_process *process = NULL;
    const struct pool_bytes field = {&number, sizeof(number)};
    const struct pool_item item = {
        .fields = &field, .field_count = 1, .fds = copies, .fd_count = fd_count};
    const struct pool_process_options options = {.daemon = daemon};
    for (size_t i = 0; i < fd_count; i++) {
        copies[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
        assert_true(copies[i] >= 0);
    }
    assert_int_equal(pool_process_create(target, &item, &options, &process), 0);
    return process;
}

struct pool_process *make(const char *target, int number, const int *fds, size_t fd_count)
{
    return make_any(target, number, fds, fd_count, false);
}

struct pool_process *make_daemon(const char *target, int number, const int *fds, size_t fd_count)
{
    return make_any(target, number, fds, fd_count, true);
}

struct pool_process *start(const char *target, int number, const int *fds, size_t fd_count)
{
    struct pool_process *process = make(target, number, fds, fd_count);
    assert_int_equal(pool_process_start(process), 0);
    return process;
}

struct pool_process *start_daemon(const char *target, int number, const int *fds, size_t fd_count)
{
    struct pool_process *process = make_daemon(target, number, fds, fd_count);
    assert_int_equal(pool_process_start(process), 0);
    return process;
}

int take_code(struct pool_process *process)
{
    int code = 1000;
    assert_int_equal(pool_process_join(process, -1), 0);
    assert_int_equal(pool_process_exitcode(process, &code), 0);
    pool_process_free(process);
    return code;
}

void ask_a_process(struct told *ret_told)
{
    struct channel channel = channel_open();
    struct pool_process *process = start("tell", 0, &channel.write_fd, 1);
    assert_int_equal(read(channel.read_fd, ret_told, sizeof(*ret_told)), sizeof(*ret_told));
    assert_int_equal(pool_process_pid(process), ret_told->pid);
    assert_int_equal(take_code(process), 0);
    channel_close(&channel);
}

pid_t parent_of(pid_t pid)
{
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return -1;
    size_t got = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[got] = '\0';
    const char *behind_name = strrchr(text, ')');
    int parent = -1;
    if (!behind_name || sscanf(behind_name + 1, " %*c %d", &parent) != 1)
        return -1;
    return parent;
}

void reap_orphans(void)
{
    while (waitpid(-1, NULL, 0) > 0)
        continue;
}
