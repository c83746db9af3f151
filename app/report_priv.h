/* report_priv.h: what became of every input, said to people or to machines.
 *
 * The report is the ledger too: it counts inputs and outcomes, and the exit code comes from it.
 * Paths are raw bytes here; words are safe to show already.
 *
 * Thread safety: one thread makes a run's report. Others may only do what is said to be for any
 * thread: a lock keeps them from what that thread is in the middle of. */
#ifndef APP_REPORT_PRIV_H
#define APP_REPORT_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "inputs_priv.h"
#include "options_priv.h"

struct report;

#define COLOR_RED   "\x1b[31m"
#define COLOR_GREEN "\x1b[32m"
#define COLOR_RESET "\x1b[0m"

struct report_counts {
    uint64_t inputs; /* met by the walk */
    uint64_t made;
    uint64_t up_to_date;
    uint64_t planned; /* with --dry-run */
    uint64_t skipped;
    uint64_t failed;
    uint64_t partial;      /* of those made */
    uint64_t pruned;       /* thumbnails, no inputs; with --dry-run those that would be removed */
    uint64_t source_bytes; /* of the files made and failed */
};

struct report_thumbnail {
    const char *output;
    size_t root; /* index of the output root that it is in */
    uint32_t width_px;
    uint32_t height_px;
    size_t size_bytes;
    const char *format; /* of the output, as img_format_name() */
    const char *source_format;
    uint32_t source_width_px;
    uint32_t source_height_px;
    uint64_t source_bytes;
    const char *decoder;
    const char *damage; /* what is wrong with a partial picture; "": it is whole */
    pid_t worker_pid;   /* 0: none */
    uint32_t read_us;
    uint32_t decode_us;
    uint32_t resample_us;
    uint32_t encode_us;
    uint32_t write_us;
};

struct report_failure {
    const char *slug;
    const char *words;
    uint64_t source_bytes;
    pid_t worker_pid; /* 0: none */
    int signal;       /* that ended the worker; 0: none */
};

/** options, inputs: borrowed until report_free(). ret_report: owned. Returns 0 or -ENOMEM. */
int report_create(const struct options *options, const struct inputs *inputs,
                  struct report **ret_report);

struct report *report_free(struct report *report);

/** The run begins, with that many workers. confinement: what confines them, or NULL: not told. */
void report_start(struct report *report, unsigned workers, const char *confinement);

/** One more input has been met; exactly one of the outcomes below follows. */
void report_input(struct report *report);

void report_made(struct report *report, const char *path, const struct report_thumbnail *made);

/** Its thumbnail, output, is there already, made from the same state by the same settings. */
void report_up_to_date(struct report *report, const char *path, const char *output);

void report_skipped(struct report *report, const char *path, const char *why);
void report_failed(struct report *report, const char *path, const struct report_failure *failure);

/** --dry-run: it would be made. or_output: the other name it may get; NULL: none. */
void report_planned(struct report *report, const char *path, const char *output,
                    const char *or_output);

/** A thumbnail of ours whose source is gone has been removed.  would: it would be (--dry-run). */
void report_pruned(struct report *report, const char *output, bool would);

/** Something that no file has suffered from. */
void report_warning(struct report *report, const char *words);

/** The run cannot go on: why. */
void report_fatal(struct report *report, const char *words);

/** What a bar is told beside what has been reported. */
struct report_ahead {
    uint64_t files;  /* to be tried in all, 0: not known */
    uint64_t bytes;  /* of these, 0: not known */
    uint64_t passed; /* of these: reported as skipped, and so never worked on */
    bool working;    /* some file is being worked on */
};

/** Redraw the bar if it is time. */
void report_tick(struct report *report, const struct report_ahead *ahead);
bool report_has_bar(const struct report *report);

/** The program is going to be stopped, and is going on: the bar is taken away, and nothing is
 *  reported meanwhile. stopped_us: how long it was.  Thread safety: any thread, the same for both.
 */
void report_before_stop(struct report *report);
void report_after_stop(struct report *report, int64_t stopped_us);

/** The end. signal: what ended the run early, 0: nothing. peak_bytes: the most memory that a
 *  worker had; -1: not known. */
void report_summary(struct report *report, int signal, int64_t peak_bytes);

/** The same for a run that will never come to its end by itself; does nothing where it would have
 * to wait. Nothing more is ever reported.  Thread safety: any thread. */
void report_last_words(struct report *report, int signal);

const struct report_counts *report_counts(const struct report *report);

/** Why standard output took no more: negative errno (-EPIPE: the reader has gone), 0: it did. */
int report_output_error(const struct report *report);

#endif
