/* signals_priv.h: SIGINT, SIGTERM and SIGHUP ask the program to end, SIGTSTP asks it to stop.
 *
 * Before and after a run the handler sets a flag, nothing else. During a run (signals_watch_begin
 * to signals_watch_end) a thread of its own waits for signals, so that they are noticed whatever
 * the run waits for: a folder on a slow disk, a reader of standard output that does not read, a
 * file system that does not answer. It sets the same flag, and breaks the run's system calls off
 * again and again, with SIGURG, which nobody else sends or minds; so a signal that comes just
 * before a call that blocks is not lost. A run that has not ended SIGNALS_PATIENCE_MS later never
 * will by itself: the program then says its last words and ends.
 *
 * The flag and the watch are the program's only mutable globals. */
#ifndef APP_SIGNALS_PRIV_H
#define APP_SIGNALS_PRIV_H

#include <stdint.h>

#define SIGNALS_PATIENCE_MS 900

/** What a run has done about signals, on the thread that waits for them. */
struct signals_listener {
    /* Around the time in which the program is stopped. stopped_us: how long that was. */
    void (*before_stop)(void *data);
    void (*after_stop)(void *data, int64_t stopped_us);

    /* The program ends now, in the middle of whatever it waits for; must not wait itself. */
    void (*last_words)(void *data, int signal_number);
    void *data;
    int exit_base; /* the program's exit code is then this and the signal's number */
};

/** Catch the three signals, but for those that were ignored when the program started, and ignore
 *  SIGPIPE. Without a watch, a second one of the same kind ends the program at once. Returns 0 or a
 *  negative errno value. */
int signals_install(void);

/** The signal that came, or 0.  Thread safety: any thread. */
int signals_caught(void);

/** Begin to wait for signals; those of the calling thread, and of threads that it starts, are
 *  blocked from now on. One watch at a time. Where no thread can be had, the handler goes on.
 *  listener: borrowed until signals_watch_end(), which the same thread calls. */
void signals_watch_begin(const struct signals_listener *listener);
void signals_watch_end(void);

#endif
