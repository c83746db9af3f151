/* stepping.c: see stepping.h.
 *
 * On x86-64 the child steps itself: with the trap flag set it gets a SIGTRAP after each
 * instruction, whose handler counts, and stops the process at the right one. That is a hundred
 * times as fast as ptrace, which changes processes twice a step, and what other machines have to
 * take. (After a system call, the next instruction is done, too, before the trap.) The handler is
 * installed without the C library, since sanitizers would put their own before it, and it must run
 * in the middle of theirs. */
#include "stepping.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "forks.h"
#include "isolate.h"

#define STATUS_FORBIDDEN 98
#define LOOKS            50 /* at a child that takes its time, before it is suspected of sleeping */

struct step_page {
    _Atomic long done;  /* steps */
    _Atomic long place; /* to stand at */
    atomic_int ended;
    pid_t pid;
};

#if defined(__x86_64__) && !defined(STEP_BY_PTRACE)
#define STEPS_ITSELF true
#define TRAP_FLAG    0x100ULL
#define SA_RESTORER  0x04000000UL

static struct step_page *step_page;

struct kernel_sigaction {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    unsigned long mask;
};

void step_restorer(void);
__asm__(".text\nstep_restorer:\n mov $15, %eax\n syscall\n"); /* rt_sigreturn */

#define BARE __attribute__((no_sanitize("address", "thread", "undefined")))

BARE static long bare_kill(pid_t pid, int signal_number)
{
    long r = SYS_kill;
    __asm__ volatile("syscall"
                     : "+a"(r)
                     : "D"((long)pid), "S"((long)signal_number)
                     : "rcx", "r11", "memory");
    return r;
}

BARE static void on_step(int number)
{
    volatile long *done = (volatile long *)&step_page->done;
    volatile long *place = (volatile long *)&step_page->place;
    (void)number;
    *done = *done + 1;
    if (*done == *place)
        bare_kill(step_page->pid, SIGSTOP);
}

static bool prepare_steps(struct step_page *page)
{
    const struct kernel_sigaction action = {
        .handler = on_step, .flags = SA_RESTORER | SA_NODEFER, .restorer = step_restorer};
    step_page = page;
    return syscall(SYS_rt_sigaction, SIGTRAP, &action, NULL, sizeof(action.mask)) == 0;
}

static void begin_steps(void)
{
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | TRAP_FLAG);
}

static void end_steps(void)
{
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~TRAP_FLAG);
}
#else
#define STEPS_ITSELF false

static bool prepare_steps(struct step_page *page)
{
    (void)page;
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}

static void begin_steps(void)
{
}

static void end_steps(void)
{
}
#endif

static void run_child(struct step_page *page, void (*before)(void *data),
                      void (*operation)(void *data), void *data)
{
    page->pid = getpid();
    if (before)
        before(data);
    if (!prepare_steps(page))
        _exit(STATUS_FORBIDDEN);
    raise(SIGSTOP);
    begin_steps();
    operation(data);
    end_steps();
    atomic_store(&page->ended, 1);
    for (;;)
        raise(SIGSTOP);
}

bool step_start(struct stepped *child, void (*before)(void *data), void (*operation)(void *data),
                void *data)
{
    static struct step_page *page; /* a test's process has one */
    int status;
    const pid_t parent = getpid();
    if (!page)
        page = shared_memory(sizeof(*page));
    memset(page, 0, sizeof(*page));
    *child = (struct stepped){.pid = fork(), .page = page};
    assert_true(child->pid >= 0);
    if (child->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (getppid() == parent)
            run_child(page, before, operation, data);
        _exit(STATUS_FORBIDDEN);
    }
    assert_int_equal(waitpid(child->pid, &status, WUNTRACED), child->pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_FORBIDDEN)
        return false;
    assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    return true;
}

long step_count(const struct stepped *child)
{
    return atomic_load(&child->page->done);
}

bool thread_sleeps(pid_t tid)
{
    char path[64], line[512] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)tid);
    FILE *file = fopen(path, "re");
    const char *end = file && fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
    if (file)
        fclose(file);
    return end && end[1] == ' ' && end[2] == 'S';
}

/* Wait until it stands, sleeps or has ended. */
static enum step_place watch(struct stepped *child)
{
    int status;
    pid_t got;
    child->asleep = false;
    if (child->sleeps) {
        for (int i = 0; (got = waitpid(child->pid, &status, WUNTRACED | WNOHANG)) == 0; i++) {
            child->asleep = i >= LOOKS && thread_sleeps(child->pid);
            if (child->asleep)
                return STEP_ASLEEP;
            if (i >= LOOKS)
                poll(NULL, 0, 1);
            else
                sched_yield();
        }
    } else {
        do
            got = waitpid(child->pid, &status, WUNTRACED);
        while (got < 0 && errno == EINTR);
    }
    assert_int_equal(got, child->pid);
    if (!WIFSTOPPED(status))
        fail_msg("the child is not stopped by a step: status %x", (unsigned)status);
    return atomic_load(&child->page->ended) ? STEP_ENDED : STEP_THERE;
}

enum step_place step_to(struct stepped *child, long steps)
{
    if (STEPS_ITSELF) {
        atomic_store(&child->page->place, steps);
        if (!child->asleep)
            assert_int_equal(kill(child->pid, SIGCONT), 0);
        return watch(child);
    }
    for (;;) {
        if (!child->asleep)
            assert_int_equal(ptrace(PTRACE_SINGLESTEP, child->pid, NULL, NULL), 0);
        const enum step_place place = watch(child);
        if (place != STEP_THERE || atomic_fetch_add(&child->page->done, 1) + 1 == steps)
            return place;
    }
}

void step_kill(struct stepped *child)
{
    int status;
    pid_t got;
    assert_int_equal(kill(child->pid, SIGKILL), 0);
    do
        got = waitpid(child->pid, &status, 0);
    while ((got < 0 && errno == EINTR) || (got == child->pid && WIFSTOPPED(status)));
    assert_int_equal(got, child->pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
