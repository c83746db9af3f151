/* report_listener_priv.h: what a report is told about signals (signals_priv.h). */
#ifndef APP_REPORT_LISTENER_PRIV_H
#define APP_REPORT_LISTENER_PRIV_H

#include "report_priv.h"
#include "signals_priv.h"

/** A listener that passes everything on to a report, as soon as there is one.
 *  told: NULL until then; borrowed for as long as the listener is in use. */
struct signals_listener report_listener(struct report *_Atomic *told, int exit_base);

#endif
