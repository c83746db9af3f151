/* soak_fake.c: programs whose memory is known, to try the verdict on.
 *
 * A fake has one worker process, as the program that is measured has some, and moves a step on for
 * every byte on standard input: one comes with each sample. Memory is mapped and written to, so
 * that no heap hides how much it is. Every fake, the flat one too, has a saw-tooth in it: pages
 * that come and go with every other step. */
#include "soak.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS       40U /* of which the verdict takes 32 */
#define STEP_LATE   30
#define LEAK_BYTES  ((size_t)64 * 1024) /* 2 MiB in these 32: twice the bound */
#define SMALL_BYTES ((size_t)4 * 1024)  /* an eighth of the bound: a sanitizer may add to it */
#define TOOTH_BYTES ((size_t)128 * 1024)

/* Lose so many bytes.  Returns them, or NULL. */
static void *lose(size_t size_bytes)
{
    void *pages =
        mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return NULL;
    memset(pages, 1, size_bytes);
    return pages;
}

/* What is lost at a step in the process that leaks. */
static bool leak(const char *kind, unsigned step)
{
    if (strcmp(kind, "host") == 0 || strcmp(kind, "worker") == 0)
        return lose(LEAK_BYTES) != NULL;
    if (strcmp(kind, "small") == 0)
        return lose(SMALL_BYTES) != NULL;
    if (strcmp(kind, "late") == 0)
        return step != STEP_LATE || lose(STEPS * LEAK_BYTES) != NULL;
    if (strcmp(kind, "descriptor") == 0)
        return open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0;
    if (strcmp(kind, "process") == 0) {
        siginfo_t info;
        const pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        /* It has ended, and shares no page any more, but nobody reaps it. */
        return pid > 0 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0;
    }
    return strcmp(kind, "flat") == 0;
}

/* The worker: a step for every byte, and one back. It ends with the host, which has the pipes. */
static int work(const char *kind, int in_fd, int out_fd)
{
    char byte;
    for (unsigned step = 0; read(in_fd, &byte, 1) == 1; step++) {
        if (strcmp(kind, "worker") == 0 && !leak(kind, step))
            return 1;
        if (write(out_fd, &byte, 1) != 1)
            return 1;
    }
    return 0;
}

static int go_steps(const char *kind, int to_worker, int from_worker)
{
    void *tooth = NULL;
    char byte;
    for (unsigned step = 0; step < STEPS && read(STDIN_FILENO, &byte, 1) == 1; step++) {
        if (tooth && munmap(tooth, TOOTH_BYTES) < 0)
            return 1;
        tooth = step % 2 == 0 ? lose(TOOTH_BYTES) : NULL;
        if (strcmp(kind, "worker") != 0 && !leak(kind, step))
            return 1;
        if (write(to_worker, "", 1) != 1 || read(from_worker, &byte, 1) != 1)
            return 1;
        printf("{\"event\":\"file\",\"step\":%u}\n", step);
        if (fflush(stdout) == EOF)
            return 1;
    }
    printf("{\"event\":\"summary\",\"made\":%u,\"failed\":0}\n", STEPS);
    return 0;
}

int soak_fake(const char *kind)
{
    int down[2], up[2];

    if (pipe2(down, O_CLOEXEC) < 0 || pipe2(up, O_CLOEXEC) < 0) /* the end closes them */
        return 1;
    const pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        return 1;
    if (pid == 0) {
        close(down[1]);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
            _exit(1);
        _exit(work(kind, down[0], up[1]));
    }
    int exit_code = go_steps(kind, down[1], up[0]);
    if (kill(pid, SIGKILL) < 0 || waitpid(pid, NULL, 0) < 0)
        exit_code = 1;
    return exit_code;
}
