/* soak.h: what the files of thumbpool_soak share. soak.c says what is measured, and how it is
 * judged. */
#ifndef SOAK_H
#define SOAK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <app/text_priv.h>

/* ---- soak_look.c: a process and what it has started, as the kernel tells ---------------------
 */

/** One moment of a run. */
struct soak_sample {
    double at_s;        /* since the program was started */
    double host_kib;    /* its own pages, and its share of those that it has in common */
    double workers_kib; /* the same of all its descendants together */
    double processes;   /* descendants, dead ones that nobody has waited for too */
    double descriptors; /* that the host has open */
    double files;       /* that it has reported */
};

/** Fill in all but time and files.  host: a child of the caller, running.
 *  Returns 0, -ESRCH if it has just ended, or another negative errno value. */
int soak_look(pid_t host, struct soak_sample *ret_sample);

struct soak_series {
    struct soak_sample *samples;
    size_t count, room;
};

/** Returns 0 or -ENOMEM. */
int soak_series_add(struct soak_series *series, const struct soak_sample *sample);

/* ---- soak_judge.c: is it flat? -------------------------------------------------------------- */

enum soak_subject { SOAK_HOST, SOAK_WORKERS, SOAK_PROCESSES, SOAK_DESCRIPTORS, SOAK_SUBJECT_COUNT };

/** The line through one subject. Memory in KiB, others in pieces. */
struct soak_trend {
    double start;           /* of the line, at the end of the warm-up */
    double grown;           /* over the period judged */
    double low, high;       /* grown is between these, at 95 % */
    double rise;            /* of the floor, from the first fifth of the period to the last */
    double bound;           /* what high and rise may be at most */
    bool is_there, is_flat; /* is_there: it was ever above 0 */
};

struct soak_verdict {
    double from_s, until_s; /* the period judged */
    double files;           /* reported in it */
    struct soak_trend trends[SOAK_SUBJECT_COUNT];
    bool is_flat; /* all of them are */
};

/** The subject's value in a sample. */
double soak_value(const struct soak_sample *sample, enum soak_subject subject);

/** Returns 0, -ENODATA if there are too few samples, or -ENOMEM. */
int soak_judge(const struct soak_series *series, struct soak_verdict *ret_verdict);

/* ---- soak_tree.c: what the program gets to do ----------------------------------------------- */

struct soak_tree;

/** Make a folder of its own in folder, and the pictures in it, by make_photos.
 *  Returns 0 or a negative errno value; what went wrong is told on standard error. */
int soak_tree_create(const char *folder, const char *maker, struct soak_tree **ret_tree);

/** Add links until there are so many files.  Returns as above. */
int soak_tree_grow(struct soak_tree *tree, size_t files);

/** The folder of the files, and one that does not exist, for thumbnails; borrowed. */
const char *soak_tree_source(const struct soak_tree *tree);
const char *soak_tree_output(const struct soak_tree *tree);

/** Remove the thumbnails.  Returns as above. */
int soak_tree_clear(struct soak_tree *tree);

/** Remove everything.  tree: may be NULL.  Returns NULL. */
struct soak_tree *soak_tree_free(struct soak_tree *tree);

/* ---- soak_run.c: one run of a program ------------------------------------------------------- */

#define SOAK_FAKE "THUMBPOOL_SOAK_FAKE" /* environment: be the fake of that kind */

struct soak_run {
    const char *name; /* the backend's, or the fake's */
    struct soak_series series;
    struct soak_verdict verdict;
    double took_s;
    size_t files, made, failed; /* files: reported so far; the others by the summary */
    int exit_code;              /* -1: by a signal */
};

/** How to start it. */
struct soak_start {
    char *const *words;
    const char *fake; /* of which kind it is to be; NULL: no fake */
    int signals_fd;   /* tells of signals that end the run */
    int interval_ms;  /* between two samples */
};

/** Start a program, look at it until it has ended, and count what it reports on standard output.
 *  run: with a name; takes the rest.
 *  Returns 0, -EINTR for a signal, or another negative errno value; the program has ended. */
int soak_run(const struct soak_start *start, struct soak_run *run);

/** Run a program that says little, and wait.  Returns 0, -EIO if it failed, or the system's word.
 */
int soak_call(char *const *words);

/* ---- soak_fake.c: programs that are known to leak, or not ----------------------------------- */

/** Be one, for as many samples as standard input tells of.  Returns the exit code. */
int soak_fake(const char *kind);

/* ---- soak_chart.c --------------------------------------------------------------------------- */

/** Memory and files against time, a chart a run. */
void soak_svg(const struct soak_run *runs, size_t count, const char *about, struct text *svg);

/** All samples, a line each. */
void soak_csv(const struct soak_run *runs, size_t count, struct text *csv);

#endif
