/* bench_loop_priv.h: the plain loop that all else is compared with: one file after the other is
 * read, made a thumbnail of and written, in one thread, with no pool, no confinement and no care
 * for what is there already. */
#ifndef APP_BENCH_LOOP_PRIV_H
#define APP_BENCH_LOOP_PRIV_H

#include "bench_priv.h"

/** Do the job of a run.  options: with an output folder, which must be there, empty, and nobody
 *  else's.  ret_sample: counts and stages; its times are the caller's.
 *  Returns 0, -EINTR after a signal, or another negative errno value. */
int bench_loop(const struct options *options, struct bench_sample *ret_sample);

/** Have the kernel forget what it has in memory of the files.
 *  ret_warm: how many it keeps, as a file system that is memory does.
 *  Returns as bench_loop(). */
int bench_drop_pages(const struct options *options, uint64_t *ret_warm);

#endif
