/* signals.c: see signals_priv.h. */
#include "signals_priv.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>

/* Lock-free, so that both the handler and the threads of a thread pool may use it. */
static _Atomic int caught;

static void on_signal(int number)
{
    caught = number;
}

int signals_install(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = SIG_IGN};
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGPIPE, &action, NULL) < 0)
        return -errno;
    action.sa_handler = on_signal;
    action.sa_flags = (int)SA_RESETHAND; /* and no SA_RESTART: a blocked write must end */
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct sigaction before;
        if (sigaction(numbers[i], NULL, &before) < 0)
            return -errno;
        if (before.sa_handler != SIG_IGN && sigaction(numbers[i], &action, NULL) < 0)
            return -errno;
    }
    return 0;
}

int signals_caught(void)
{
    return caught;
}
