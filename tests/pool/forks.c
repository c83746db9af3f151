#include "forks.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "isolate.h"

pid_t fork_run(int (*run)(void *data), void *data)
{
    const pid_t parent = getpid();
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* a test that fails leaves nobody behind */
        if (getppid() != parent)
            _exit(99);
        int status = run(data);
        fflush(NULL);
        _exit(status);
    }
    return pid;
}

int fork_wait(pid_t pid)
{
    int status;
    pid_t got;
    do
        got = waitpid(pid, &status, 0);
    while (got < 0 && errno == EINTR);
    assert_int_equal(got, pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void *shared_memory(size_t size_bytes)
{
    void *memory =
        mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    return memory;
}

int open_fds(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count - 3; /* ".", ".." and the folder's own */
}

void leave_fds(int spare)
{
    struct rlimit limit;
    int lowest_free = dup(STDERR_FILENO);
    assert_true(lowest_free >= 0);
    close(lowest_free);
    /* The limit is on the number, so holes below the lowest free one do not exist. */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = (rlim_t)lowest_free + (rlim_t)spare;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

void wait_for_count(const _Atomic int *number, int least)
{
    while (atomic_load(number) < least)
        poll(NULL, 0, 1);
}

static bool all_threads_sleep(pid_t pid)
{
    char path[300];
    bool all = true;
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        char line[512] = "";
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", (int)pid, entry->d_name);
        FILE *file = fopen(path, "re");
        if (!file)
            continue;
        const char *end = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
        all = all && end && end[1] == ' ' && end[2] == 'S';
        fclose(file);
    }
    if (dir)
        closedir(dir);
    return all;
}

void wait_until_asleep(pid_t pid)
{
    while (!all_threads_sleep(pid))
        poll(NULL, 0, 1);
}

unsigned test_seed(void)
{
    const char *text = getenv("TEST_SEED");
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const unsigned seed =
        text ? (unsigned)strtoul(text, NULL, 10) : (unsigned)now.tv_nsec ^ (unsigned)getpid() << 10;
    printf("TEST_SEED=%u\n", seed);
    return seed;
}
