/* scaling_model.h: how fast a pool is, by its costs. scaling_model.c has the model itself. */
#ifndef SCALING_MODEL_H
#define SCALING_MODEL_H

#include "scaling.h"

/** A cost a task in seconds, as it depends on the number of workers and on the task's length. */
struct scaling_line {
    double fixed, doubling, bell;
};

/** One backend, one way of handing tasks over. */
struct scaling_model {
    struct scaling_line supervisor; /* d */
    struct scaling_line submitter;  /* s */
    struct scaling_line worker;     /* w: at tasks that compute, without the task itself */
    struct scaling_line waiting;    /* processor time of a worker at a task that waits, all of it */
    double gap;                     /* of a worker, between two tasks */
    double sharpness;               /* how little the bounds disturb each other; 1: they add up */
};

/** What to fit to, or to compare with: the cells of one backend and mode, and what each task's
 *  length is without a pool. */
struct scaling_set {
    const struct scaling_cell *cells;
    size_t count;
    enum pool_backend backend;
    enum scaling_mode mode;
    unsigned cores;
    const struct scaling_plain *plain; /* by length's index, then kind */
    const unsigned *lengths_us;
    size_t length_count;
};

/** Is this cell to be used? */
typedef bool (*scaling_choice_fn)(const struct scaling_cell *cell);

/** A model and what it was fitted to. sharpness 0: there were too few cells. */
struct scaling_fitted {
    struct scaling_set set;
    struct scaling_model model;
};

/** Fit a model to the chosen cells of each set. All sets are of one backend, and how much its parts
 *  disturb each other does not depend on how tasks are handed over: they share the sharpness.
 *  Returns how many models there are. */
size_t scaling_models_fit(struct scaling_fitted *fitted, size_t count, scaling_choice_fn choice);

/** What would be: so many tasks, by so many workers on so many cores. */
struct scaling_case {
    enum scaling_kind kind;
    double wall, processor; /* of a task without a pool, in seconds */
    unsigned workers, cores, pools;
    double tasks; /* of the batch; 0: without end */
};

/** Seconds a task. */
double scaling_model_wall(const struct scaling_model *model, const struct scaling_case *it);
double scaling_line_at(const struct scaling_line *line, double workers, double length_s);

/** How far the model is off the chosen cells' wall times. */
struct scaling_errors {
    size_t count;
    double median, worst;            /* as a share of what was measured */
    const struct scaling_cell *cell; /* the worst */
};
int scaling_model_errors(const struct scaling_set *set, const struct scaling_model *model,
                         scaling_choice_fn choice, struct scaling_errors *ret_errors);

/** The case that a cell was. */
struct scaling_case scaling_case_of(const struct scaling_set *set, const struct scaling_cell *cell);

#endif
