/* bench_child_priv.h: one measurement in a process of its own.
 *
 * So each begins with the same heap, whatever was measured before, and its memory is its own; and a
 * picture that takes the plain loop along, which decodes without a sandbox, does not take the
 * comparison along, nor leave its files behind. */
#ifndef APP_BENCH_CHILD_PRIV_H
#define APP_BENCH_CHILD_PRIV_H

#include "bench_priv.h"

/** Called in the child. Returns 0, -ECANCELED when the cause has been said, or another negative
 *  errno value. */
typedef int (*bench_child_fn)(void *data, struct bench_sample *ret_sample);

/** Fork, run and wait. A signal that asks the program to end is handed on to the child.
 *  ret_sample: what it has measured; if it died of something, one in which nothing was made.
 *  words: set if it died: what of.
 *  Returns what run() has returned; 0 if the child died; or a negative errno value.
 *  The calling process has one thread. */
int bench_child_run(bench_child_fn run, void *data, struct bench_sample *ret_sample,
                    struct text *words);

#endif
