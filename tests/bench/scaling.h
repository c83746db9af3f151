/* scaling.h: what the files of pool_scaling share. pool_scaling.c says what is measured and how,
 * scaling_model.c what is made of it. Nothing here is kept between two calls but in what is passed;
 * all of it runs in the main thread. */
#ifndef SCALING_H
#define SCALING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <pool/pool.h>

/** What a task does for its length: compute, by its own processor's clock; or wait, without a
 *  processor. */
enum scaling_kind { SCALING_SPIN, SCALING_WAIT, SCALING_KINDS };

/** How tasks are handed over. */
enum scaling_mode {
    SCALING_ONE,     /* pool_map(), one by one */
    SCALING_CHUNK,   /* pool_map(), in chunks of SCALING_CHUNKSIZE */
    SCALING_DEFAULT, /* pool_map(), in the chunks that it makes itself */
    SCALING_PICTURE, /* pool_imap_unordered(), one by one; each takes an open descriptor along and
                        brings back SCALING_PICTURE_BYTES: what a thumbnail's task does */
    SCALING_MODES
};
#define SCALING_CHUNKSIZE     16
#define SCALING_PICTURE_BYTES 4096

#define SCALING_ROUNDS_MAX 25

/** Seconds a task. The processor time of a thread is apart from all others'. */
struct scaling_costs {
    double wall;       /* of the whole batch, a task of it */
    double supervisor; /* processor time of the supervisors' threads; threads have none */
    double submitter;  /* of the thread that submits and reads the results */
    double workers;    /* of all workers, the tasks' own included */
};

/** What to measure, and what came out. */
struct scaling_cell {
    enum pool_backend backend;
    enum scaling_kind kind;
    enum scaling_mode mode;
    unsigned pools;   /* side by side: each has so many of the workers, and a thread that submits */
    unsigned workers; /* in all */
    unsigned length_us;
    size_t tasks; /* of a batch */
    unsigned rounds;
    struct scaling_costs rounds_costs[SCALING_ROUNDS_MAX];
    struct scaling_costs costs; /* the median of each */
};

/** The same batch without a pool: a plain loop in one thread. */
struct scaling_plain {
    double wall, processor; /* seconds a task */
};

/* ---- scaling_cell.c ------------------------------------------------------------------------ */

extern const struct pool_tasks scaling_tasks;

/** Pools that stand ready, all their workers started. */
struct scaling_pools;

/** Open pools with so many workers in all, and wait until they are ready.
 *  ret_workers: how many there are: fewer, where the machine cannot have more.
 *  ret_start_s: how long it took.  Returns 0 or -errno. */
int scaling_pools_open(enum pool_backend backend, unsigned pools, unsigned workers,
                       struct scaling_pools **ret_pools, unsigned *ret_workers,
                       double *ret_start_s);
struct scaling_pools *scaling_pools_close(struct scaling_pools *pools);

/** Run the cell's batch once, and check that its results are those of its tasks.
 *  Returns 0 or -errno. */
int scaling_cell_run(const struct scaling_cell *cell, struct scaling_pools *pools,
                     struct scaling_costs *ret_costs);

/** How long a task takes without a pool. */
int scaling_plain_run(enum scaling_kind kind, unsigned length_us, double for_s,
                      struct scaling_plain *ret_plain);

/* ---- scaling_csv.c ------------------------------------------------------------------------- */

/** Write what was measured, a line a cell, after the plain loop's lines.
 *  plain: by length's index, then kind. */
void scaling_csv_write(FILE *out, const struct scaling_cell *cells, size_t count, unsigned cores,
                       const struct scaling_plain *plain, const unsigned *lengths_us,
                       size_t length_count);

/** Read it again. What is not measured today stands in no cell.
 *  room: of cells.  Returns how many cells, -ENOSPC or -EBADMSG. */
int scaling_csv_read(FILE *in, struct scaling_cell *cells, size_t room, unsigned *ret_cores,
                     struct scaling_plain *plain, const unsigned *lengths_us, size_t length_count);

#endif
