/* pace_priv.h: how fast a run gets on, and how long the rest will take.
 *
 * Speeds are means over the last while: what happened PACE_MEMORY_MS ago counts about a third of
 * what happens now. Time left is asked of what was worked on alone, and of the time in which there
 * was work: files that were up to date went by in no time, but say nothing about the next one, so
 * the estimate errs on the long side. Bytes are what it goes by, where their sum is known: pictures
 * differ more in size than decoders do in speed. The end is kept as a moment, which new estimates
 * only pull at, so that what is shown counts down rather than jumps.
 *
 * Nothing here asks for the time: the caller says it. */
#ifndef APP_PACE_PRIV_H
#define APP_PACE_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_MEMORY_MS 15000

/** A mean speed: amount and time, both fading. */
struct pace_mean {
    double amount, time_ms;
};

/** All zero is a beginning. */
struct pace {
    bool begun;
    int64_t now_ms;
    uint64_t files, worked_files, worked_bytes; /* as of then */
    struct pace_mean all_files, all_bytes;      /* in all of the time */
    struct pace_mean files_of_work, bytes_of_work;
    int64_t end_ms; /* estimated; 0: not yet */
    int64_t estimated_ms;
};

/** Where a run is. The numbers only grow. */
struct pace_state {
    uint64_t files;        /* settled */
    uint64_t worked_files; /* of them: not just found to be up to date, or skipped */
    uint64_t worked_bytes; /* of those */
    bool working;          /* some file is being worked on */
};

/** What is left, as far as it is known: 0 files is unknown, or none. */
struct pace_rest {
    uint64_t files;
    uint64_t bytes; /* 0: not known */
};

/** Time has passed. now_ms: on a clock that leaves out what the program was stopped for. */
void pace_step(struct pace *pace, const struct pace_state *state, const struct pace_rest *rest,
               int64_t now_ms);

/** In tenths a second, and in a second. */
uint64_t pace_file_tenths(const struct pace *pace);
uint64_t pace_bytes(const struct pace *pace);

/** Seconds left, at least 1; -1: it cannot be told yet. */
int64_t pace_left_s(const struct pace *pace);

#endif
