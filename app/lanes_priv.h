/* lanes_priv.h: the pools of a run, and which of them works on a file.
 *
 * With worker processes there are two: the narrow lane for JPEG and PNG, whose workers never load
 * libvips, and the wide one for everything else (thumb_worker_priv.h). A pool is started when the
 * first file for it is met. Threads and the serial backend have one lane for all.
 *
 * The lanes take turns: one works at a time, on all processors, while files for the other wait,
 * open, up to a number; then they change places. Two pools side by side would run twice as many
 * workers as there are processors, with twice the memory.
 *
 * Some files of the lane that works wait too: the largest goes first, so that what is left for the
 * end of the run is small, and no worker works on alone for long. Those that have been handed out,
 * some for each worker, the kernel reads already, up to a number of bytes for all. */
#ifndef APP_LANES_PRIV_H
#define APP_LANES_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <imaging/imaging.h>
#include <pool/pool.h>

#include "jobs_priv.h"
#include "options_priv.h"

enum lane { LANE_NARROW, LANE_WIDE, LANE_COUNT };

struct lanes;

/** options: borrowed until lanes_free(). ret_lanes: owned. Returns 0 or -ENOMEM. */
int lanes_create(const struct options *options, struct lanes **ret_lanes);

/** Wait for the workers to leave, and free. Every iteration must be freed; waiting jobs are only
 *  forgotten.  NULL is fine. Returns NULL. */
struct lanes *lanes_free(struct lanes *lanes);

/** How many workers a lane has at most. */
unsigned lanes_workers(const struct lanes *lanes);

/** How many files may be in a lane's hands at a time. */
size_t lanes_window(const struct lanes *lanes);

/** The lane for content of that format. */
enum lane lanes_of(const struct lanes *lanes, enum img_format format);

/** The lane's pool, started if it was not.  ret_pool: borrowed until lanes_free().
 *  Returns 0, or as pool_create(). */
int lanes_pool(struct lanes *lanes, enum lane lane, struct pool **ret_pool);

/** Have the lane's workers come up already, since there is work for them soon. That it fails shows
 *  later. */
void lanes_expect(struct lanes *lanes, enum lane lane);

/** Have the kernel begin to read the file of a job that is handed out, where it is not in memory
 *  and a worker comes to it later, as far as there is room; and give the room back when its
 *  result has come. */
void lanes_read_ahead(struct lanes *lanes, struct job *job);
void lanes_has_read(struct lanes *lanes, struct job *job);

/** A job that waits for its lane's turn: it is still the list's, its descriptor stays in it. */
void lanes_wait(struct lanes *lanes, enum lane lane, struct job *job);

/** The job that is to be worked on next, or NULL: the largest, where there are several workers. It
 *  does not overtake an earlier rival, nor one that has been overtaken many times. */
struct job *lanes_next(struct lanes *lanes, enum lane lane);

/** Is there room for one more file to wait for the lane that works? Always when none does. */
bool lanes_wants_more(const struct lanes *lanes, enum lane lane);

size_t lanes_waiting(const struct lanes *lanes, enum lane lane);
bool lanes_is_full(const struct lanes *lanes, enum lane lane);

/** Stop all workers: what they work on ends with -ECANCELED. */
void lanes_terminate(struct lanes *lanes);

/** Let the workers leave, and wait for it.
 *  Returns the most memory that one of them ever had resident, in bytes; -1: not known. */
int64_t lanes_end(struct lanes *lanes);

#endif
