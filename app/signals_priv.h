/* signals_priv.h: SIGINT, SIGTERM and SIGHUP ask the program to end; nothing else is done in
 * the handler. The flag is the program's only mutable global. */
#ifndef APP_SIGNALS_PRIV_H
#define APP_SIGNALS_PRIV_H

/** Catch the three signals, but for those that were ignored when the program started, and ignore
 *  SIGPIPE. A second one of the same kind ends the program at once. Returns 0 or a negative errno
 *  value. */
int signals_install(void);

/** The signal that came, or 0.  Thread safety: any thread. */
int signals_caught(void);

#endif
