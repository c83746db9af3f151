/* report_listener.c: see report_listener_priv.h. All of it runs on the thread that waits for
 * signals. */
#include "report_listener_priv.h"

#include <stdatomic.h>

static struct report *report_of(void *data)
{
    return atomic_load((struct report * _Atomic *)data);
}

static void before_stop(void *data)
{
    struct report *report = report_of(data);
    if (report)
        report_before_stop(report);
}

static void after_stop(void *data, int64_t stopped_us)
{
    struct report *report = report_of(data);
    if (report)
        report_after_stop(report, stopped_us);
}

static void last_words(void *data, int signal_number)
{
    struct report *report = report_of(data);
    if (report)
        report_last_words(report, signal_number);
}

struct signals_listener report_listener(struct report *_Atomic *told, int exit_base)
{
    return (struct signals_listener){.before_stop = before_stop,
                                     .after_stop = after_stop,
                                     .last_words = last_words,
                                     .data = told,
                                     .exit_base = exit_base};
}
