/* signals.c: see signals_priv.h. */
#include "signals_priv.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include "clock_priv.h"

#define WATCH_STACK_BYTES ((size_t)256 << 10)

/* Between two attempts to break a system call off. */
#define NUDGE_MS 50

static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
#define ENDING_COUNT (sizeof(ending) / sizeof(ending[0]))

/* Lock-free, so that both the handler and the threads of a thread pool may use it. */
static _Atomic int caught;

/* Fixed while the thread lives, but for `closing`. */
static struct {
    const struct signals_listener *listener; /* NULL: there is no watch */
    pthread_t run, thread;
    sigset_t waited, before;
    _Atomic bool closing;
} watch;

static void on_signal(int number)
{
    caught = number;
}

static void on_nudge(int number)
{
    (void)number;
}

static bool is_ignored(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

int signals_install(void)
{
    struct sigaction action = {.sa_handler = SIG_IGN};
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGPIPE, &action, NULL) < 0)
        return -errno;
    action.sa_handler = on_nudge; /* and no SA_RESTART, here and below: a blocked call must end */
    if (sigaction(SIGURG, &action, NULL) < 0)
        return -errno;
    action.sa_handler = on_signal;
    action.sa_flags = (int)SA_RESETHAND;
    for (size_t i = 0; i < ENDING_COUNT; i++)
        if (!is_ignored(ending[i]) && sigaction(ending[i], &action, NULL) < 0)
            return -errno;
    return 0;
}

int signals_caught(void)
{
    return caught;
}

/* ---- The watch ----------------------------------------------------------------------------- */

/* Let SIGTSTP do what it does by itself: the whole process stands still in here. Where nobody could
 * wake it up again (its process group is an orphan) the kernel does not stop it. */
static void stop(void)
{
    const struct signals_listener *listener = watch.listener;
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGTSTP);
    listener->before_stop(listener->data);
    const int64_t start_us = clock_us();
    raise(SIGTSTP); /* to this thread: it waits until it is no longer blocked */
    pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    pthread_sigmask(SIG_BLOCK, &one, NULL);
    listener->after_stop(listener->data, clock_us() - start_us);
}

/* The next signal; 0 when it is time to look after the run. */
static int next_signal(bool patient)
{
    const struct timespec while_ending = {.tv_nsec = NUDGE_MS * 1000000L};
    const int number = patient ? sigwaitinfo(&watch.waited, NULL)
                               : sigtimedwait(&watch.waited, NULL, &while_ending);
    return number > 0 ? number : 0;
}

static void *watch_main(void *data)
{
    const struct signals_listener *listener = watch.listener;
    int64_t caught_ms = 0;
    (void)data;
    for (;;) {
        const int number = next_signal(caught == 0);
        if (watch.closing)
            return NULL;
        if (number == SIGTSTP)
            stop();
        else if (number != 0 && number != SIGURG && caught == 0)
            caught = number;
        if (caught == 0)
            continue;
        if (caught_ms == 0)
            caught_ms = clock_ms();
        pthread_kill(watch.run, SIGURG);
        if (clock_ms() - caught_ms < SIGNALS_PATIENCE_MS)
            continue;
        listener->last_words(listener->data, caught);
        _exit(listener->exit_base + caught);
    }
}

/* With every signal blocked, before and after. */
static int start_thread(void)
{
    pthread_attr_t attr;
    int r = pthread_attr_init(&attr);
    if (r != 0)
        return -r;
    r = pthread_attr_setstacksize(&attr, WATCH_STACK_BYTES);
    if (r == 0)
        r = pthread_create(&watch.thread, &attr, watch_main, NULL);
    pthread_attr_destroy(&attr);
    if (r == 0)
        pthread_setname_np(watch.thread, "signals");
    return -r;
}

void signals_watch_begin(const struct signals_listener *listener)
{
    sigset_t all, blocked;
    sigfillset(&all);
    watch.closing = false;
    watch.run = pthread_self();
    watch.listener = listener;
    sigemptyset(&watch.waited);
    for (size_t i = 0; i < ENDING_COUNT; i++)
        if (!is_ignored(ending[i]))
            sigaddset(&watch.waited, ending[i]);
    if (!is_ignored(SIGTSTP))
        sigaddset(&watch.waited, SIGTSTP);
    blocked = watch.waited;
    sigaddset(&watch.waited, SIGURG); /* to this thread only: "closing" */
    if (pthread_sigmask(SIG_SETMASK, &all, &watch.before) != 0) {
        watch.listener = NULL;
        return;
    }
    const int r = start_thread();
    pthread_sigmask(SIG_SETMASK, &watch.before, NULL);
    if (r == 0)
        pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    else
        watch.listener = NULL;
}

void signals_watch_end(void)
{
    if (!watch.listener)
        return;
    watch.closing = true;
    pthread_kill(watch.thread, SIGURG);
    pthread_join(watch.thread, NULL);
    pthread_sigmask(SIG_SETMASK, &watch.before, NULL);
    watch.listener = NULL;
}
