/* isolate.c: see isolate.h.
 *
 * The parent stays single-threaded, so a plain fork gives every test the same clean start. The
 * child's output goes to an unlinked file that the parent copies out on failure. The child checks
 * itself for what it left behind, because only it can see its own descriptors; being a subreaper
 * (PR_SET_CHILD_SUBREAPER), it inherits every orphan of the test and finds it by waitpid. */
#include "isolate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_PASSED = 0, EXIT_FAILED = 1, EXIT_LEFTOVERS = 3 };

static char scratch_path[64];

const char *test_scratch(void)
{
    return scratch_path;
}

int test_time_scale(void)
{
    const char *text = getenv("TEST_TIME_SCALE");
    long scale = text ? strtol(text, NULL, 10) : 1;
    return scale >= 1 && scale <= 1000 ? (int)scale : 1;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int count_entries(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir)
        return -1;
    int count = 0;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void scratch_remove(void)
{
    /* Tests lock folders on purpose; open them again so that they can be emptied. */
    chmod(scratch_path, 0700);
    nftw(scratch_path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Give ended descendants a moment to be reaped; what still runs after it is a leak. */
static bool processes_are_left(void)
{
    const int64_t until_ms = now_ms() + 200 * test_time_scale();
    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);
        if (pid < 0)
            return errno != ECHILD;
        if (pid > 0) /* nobody had reaped it */
            return true;
        if (now_ms() > until_ms)
            return true;
        poll(NULL, 0, 5);
    }
}

static bool threads_are_left(int before)
{
    const int64_t until_ms = now_ms() + 200 * test_time_scale();
    while (count_entries("/proc/self/task") > before) {
#if defined(__SANITIZE_THREAD__)
        return false; /* the sanitizer keeps a thread of its own */
#endif
        if (now_ms() > until_ms)
            return true;
        poll(NULL, 0, 5);
    }
    return false;
}

static int run_in_child(const char *group, const struct test_case *test)
{
    const int descriptors = count_entries("/proc/self/fd");
    const int threads = count_entries("/proc/self/task"); /* an emulator has one of its own */
    const struct CMUnitTest unit = {test->name, test->run, NULL, NULL, NULL};
    if (_cmocka_run_group_tests(group, &unit, 1, NULL, NULL) != 0)
        return EXIT_FAILED;

    int status = EXIT_PASSED;
    int now = count_entries("/proc/self/fd");
    if (now != descriptors) {
        fprintf(stderr, "left behind: %d open descriptors more than before\n", now - descriptors);
        status = EXIT_LEFTOVERS;
    }
    if (processes_are_left()) {
        fprintf(stderr, "left behind: a process that nobody reaped\n");
        status = EXIT_LEFTOVERS;
    }
    if (threads_are_left(threads)) {
        fprintf(stderr, "left behind: a thread\n");
        status = EXIT_LEFTOVERS;
    }
    return status;
}

static void show_output(int fd)
{
    char buffer[4096];
    ssize_t got;
    lseek(fd, 0, SEEK_SET);
    while ((got = read(fd, buffer, sizeof(buffer))) > 0)
        fwrite(buffer, 1, (size_t)got, stdout);
}

/* Wait for the child, at most limit_ms. Returns false when the limit passed. */
static bool wait_for(pid_t pid, int64_t limit_ms, int *ret_status)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd wait = {.fd = pidfd, .events = POLLIN};
    bool ended = true;
    const int64_t until_ms = now_ms() + limit_ms;
    for (;;) {
        int64_t left_ms = until_ms - now_ms();
        int r = left_ms > 0 ? poll(&wait, 1, (int)left_ms) : 0;
        if (r < 0 && errno == EINTR)
            continue;
        ended = r > 0;
        break;
    }
    if (!ended)
        kill(-pid, SIGKILL);
    if (waitpid(pid, ret_status, 0) < 0)
        *ret_status = 0x7f00;
    kill(-pid, SIGKILL); /* whatever the test left in its process group */
    close(pidfd);
    return ended;
}

static bool run_one(const char *group, const struct test_case *test)
{
    const int limit_ms = (test->limit_ms ? test->limit_ms : TEST_LIMIT_MS) * test_time_scale();
    snprintf(scratch_path, sizeof(scratch_path), "/tmp/thumbpool-test-XXXXXX");
    FILE *output = tmpfile();
    if (!output || !mkdtemp(scratch_path)) {
        perror("cannot prepare a test");
        return false;
    }
    fcntl(fileno(output), F_SETFD, FD_CLOEXEC);
    fflush(stdout);
    const int64_t start_ms = now_ms();
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        dup2(fileno(output), STDOUT_FILENO);
        dup2(fileno(output), STDERR_FILENO);
        int status = run_in_child(group, test);
        fflush(NULL);
        exit(status); /* not _exit: leak checkers report at exit */
    }
    int status = 0;
    bool passed = false;
    if (pid < 0) {
        perror("fork");
    } else if (!wait_for(pid, limit_ms, &status)) {
        printf("not ok  %s: no end after %d ms\n", test->name, limit_ms);
    } else if (WIFSIGNALED(status)) {
        printf("not ok  %s: killed by signal %d (%s)\n", test->name, WTERMSIG(status),
               strsignal(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) != 0) {
        printf("not ok  %s: %s\n", test->name,
               WEXITSTATUS(status) == EXIT_LEFTOVERS ? "left something behind" : "failed");
    } else {
        printf("ok      %s (%lld ms)\n", test->name, (long long)(now_ms() - start_ms));
        passed = true;
    }
    if (!passed)
        show_output(fileno(output));
    fclose(output);
    scratch_remove();
    return passed;
}

/* Is the name one of the words of TEST_LEAVE_OUT? */
static bool is_left_out(const char *name)
{
    const char *text = getenv("TEST_LEAVE_OUT");
    const size_t length = strlen(name);
    for (const char *at = text; at && (at = strstr(at, name)); at += length)
        if ((at == text || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

static bool wanted(const char *name, int argc, char **argv)
{
    if (argc < 2)
        return true;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return false;
}

int test_run(const char *group, const struct test_case *tests, size_t count, int argc, char **argv)
{
    size_t passed = 0, failed = 0, left_out = 0;
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < count; i++)
            puts(tests[i].name);
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (!wanted(tests[i].name, argc, argv))
            continue;
        if (is_left_out(tests[i].name)) {
            printf("left out  %s\n", tests[i].name);
            left_out++;
        } else if (run_one(group, &tests[i]))
            passed++;
        else
            failed++;
    }
    printf("%s: %zu passed, %zu failed\n", group, passed, failed);
    if (left_out > 0)
        printf("%s: %zu left out\n", group, left_out);
    if (passed + failed + left_out == 0) {
        fprintf(stderr, "%s: no test of that name\n", group);
        return 2;
    }
    return failed == 0 ? 0 : 1;
}
