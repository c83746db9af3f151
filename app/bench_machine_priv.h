/* bench_machine_priv.h: where a bench runs, and on what. */
#ifndef APP_BENCH_MACHINE_PRIV_H
#define APP_BENCH_MACHINE_PRIV_H

#include "bench_priv.h"

/** Look at the machine. What cannot be told stays empty.  ret_machine: release with
 *  bench_machine_done().  Returns 0 or -ENOMEM. */
int bench_machine_look(const struct options *options, struct bench_machine *ret_machine);

/** Fill in the versions of the libraries, for which they are loaded: to be called when all has been
 *  measured, or their memory is taken for that of the work.  Returns 0 or -ENOMEM. */
int bench_machine_look_at_libraries(struct bench_machine *machine);

void bench_machine_done(struct bench_machine *machine);

/** Processor time of this process and of all its children that are gone, in seconds. */
double bench_cpu_s(void);

/** The most memory that this process ever had resident, in bytes; -1: not known. */
int64_t bench_peak_bytes(void);

#endif
