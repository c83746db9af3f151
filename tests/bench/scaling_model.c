/* scaling_model.c: how fast a pool is, by its costs.
 *
 * The model. A pool of W workers on C cores runs n tasks of length t. For each task the thread that
 * submits works for s, the supervisor's thread for d, and a worker for w besides the task. Nothing
 * goes on faster than the busiest of them, so the time a task is at least
 *
 *     submitter    s                     one thread
 *     supervisor   d                     one thread (threads: what they do under the pool's lock)
 *     workers      (t + g) ceil(n/W)/n   W at a time; g is a worker's gap between two tasks
 *     cores        (s + d + w + t) / C   everybody's processor time (of a task that waits, not t
 *                                        but what its wait costs)
 *
 * The larger of the last two is what workers can do. It, s and d get into each other's way: (sum of
 * each to the power k) to the power 1/k. With k = 1 that is Amdahl's law, s + d being the serial
 * share of s + d + w + t; with k without end, each runs beside the others unhindered. Two pools
 * share s and d between them.
 *
 * The costs are not derived from the times that the model is to explain: they are processor times,
 * each measured by its own clock. Each is a line, by least squares:
 *
 *     cost = fixed + doubling log2(W) + bell t / (t + BELL_S)
 *
 * By doublings of W, because the more workers there are, the less of each the caches hold (that the
 * supervisor looks at every worker is little beside that). The bell, because whoever waits for a
 * task or for a result is rung only if it has gone to sleep, and while tasks are shorter than what
 * a bell costs it finds the next before it can; the gap is for the same reason g times the same
 * share. A cell weighs as the square of how busy its thread was in it: a supervisor that has
 * nothing else to do is woken for every single result, which is dear, but limits nothing. Only g
 * and k are fitted to the times, by trying (g for each way of handing tasks over, k once for a
 * backend): they make the sum of the squared logarithms of (model / measured) least. */
#include "scaling_model.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "bench.h"

#define BELL_S    5e-6 /* about: a system call that wakes somebody on another core */
#define FEATURES  3
#define CELLS_MIN 6

/* What is tried. */
#define GAP_STEP_S    1e-6
#define GAP_STEPS     30
#define SHARPNESS_MIN 1.5
#define SHARPNESS_MAX 10

/* ---- Lines ---------------------------------------------------------------------------------- */

struct equations {
    double left[FEATURES][FEATURES], right[FEATURES];
};

static double bell_share(double length_s)
{
    return length_s / (length_s + BELL_S);
}

static void features_of(double workers, double length_s, double *ret_features)
{
    ret_features[0] = 1;
    ret_features[1] = log2(workers);
    ret_features[2] = bell_share(length_s);
}

static void add_value(struct equations *equations, double workers, double length_s, double value,
                      double weight)
{
    double features[FEATURES];
    features_of(workers, length_s, features);
    for (unsigned i = 0; i < FEATURES; i++) {
        for (unsigned k = 0; k < FEATURES; k++)
            equations->left[i][k] += weight * features[i] * features[k];
        equations->right[i] += weight * features[i] * value;
    }
}

/* Gauss, with those features that are in use.  Returns false without a single solution. */
static bool solve(struct equations equations, const bool *used, double *ret_x)
{
    for (unsigned i = 0; i < FEATURES; i++) {
        for (unsigned k = 0; k < FEATURES; k++)
            if (!used[i] || !used[k])
                equations.left[i][k] = i == k;
        equations.right[i] = used[i] ? equations.right[i] : 0;
    }
    for (unsigned i = 0; i < FEATURES; i++) { /* it is symmetric and has no negative eigenvalue */
        const double pivot = equations.left[i][i];
        if (!(pivot > 1e-12))
            return false;
        for (unsigned row = 0; row < FEATURES; row++) {
            const double times = equations.left[row][i] / pivot;
            for (unsigned k = 0; row != i && k < FEATURES; k++)
                equations.left[row][k] -= times * equations.left[i][k];
            equations.right[row] -= row != i ? times * equations.right[i] : 0;
        }
    }
    for (unsigned i = 0; i < FEATURES; i++)
        ret_x[i] = equations.right[i] / equations.left[i][i];
    return true;
}

/* Neither more workers nor bells make a task cheaper: what would be below 0 is left out. */
static struct scaling_line line_of(const struct equations *equations)
{
    bool used[FEATURES] = {true, true, true};
    double x[FEATURES] = {0};
    for (unsigned left_out = 0; left_out < FEATURES; left_out++) {
        unsigned lowest = 0;
        if (!solve(*equations, used, x)) {
            used[FEATURES - 1 - left_out] = false;
            x[0] = x[1] = x[2] = 0;
            continue;
        }
        for (unsigned i = 1; i < FEATURES; i++)
            lowest = x[i] < x[lowest] ? i : lowest;
        if (x[lowest] >= 0)
            break;
        used[lowest] = false;
    }
    return (struct scaling_line){fmax(x[0], 0), fmax(x[1], 0), fmax(x[2], 0)};
}

double scaling_line_at(const struct scaling_line *line, double workers, double length_s)
{
    double features[FEATURES];
    features_of(workers, length_s, features);
    return line->fixed * features[0] + line->doubling * features[1] + line->bell * features[2];
}

/* ---- The model ------------------------------------------------------------------------------ */

/* A wait of no length is none. */
static bool waits(const struct scaling_case *it)
{
    return it->kind == SCALING_WAIT && it->wall > 1e-6;
}

double scaling_model_wall(const struct scaling_model *model, const struct scaling_case *it)
{
    const double pools = it->pools, workers = it->workers, each = workers / pools;
    const double submitter = scaling_line_at(&model->submitter, each, it->wall);
    const double supervisor = scaling_line_at(&model->supervisor, each, it->wall);
    const double turns = it->tasks > 0 ? ceil(it->tasks / workers) / it->tasks : 1 / workers;
    const double own = waits(it) ? scaling_line_at(&model->waiting, each, it->wall)
                                 : scaling_line_at(&model->worker, each, it->wall) + it->processor;
    const double at_work = (it->wall + model->gap * bell_share(it->wall)) * turns;
    const double at_cores = (submitter + supervisor + own) / it->cores;
    const double bounds[] = {submitter / pools, supervisor / pools, fmax(at_work, at_cores)};
    const double highest = fmax(fmax(bounds[0], bounds[1]), bounds[2]);
    double sum = 0;
    for (size_t i = 0; highest > 0 && i < sizeof(bounds) / sizeof(bounds[0]); i++)
        sum += pow(bounds[i] / highest, model->sharpness);
    return highest * pow(sum, 1 / model->sharpness);
}

struct scaling_case scaling_case_of(const struct scaling_set *set, const struct scaling_cell *cell)
{
    struct scaling_case it = {.kind = cell->kind,
                              .workers = cell->workers,
                              .cores = set->cores,
                              .pools = cell->pools,
                              .tasks = (double)cell->tasks};
    for (size_t i = 0; i < set->length_count; i++)
        if (set->lengths_us[i] == cell->length_us) {
            const struct scaling_plain *plain = &set->plain[i * SCALING_KINDS + cell->kind];
            it.wall = cell->kind == SCALING_SPIN ? plain->processor : plain->wall;
            it.processor = plain->processor;
        }
    return it;
}

/* The next cell of the set, from *at on. */
static const struct scaling_cell *next_cell(const struct scaling_set *set, scaling_choice_fn choice,
                                            size_t *at)
{
    while (*at < set->count) {
        const struct scaling_cell *cell = &set->cells[(*at)++];
        if (cell->backend == set->backend && cell->mode == set->mode && cell->rounds > 0 &&
            (!choice || choice(cell)))
            return cell;
    }
    return NULL;
}

/* ---- Fitting -------------------------------------------------------------------------------- */

/* What stands in a line of its own for threads, which have no supervisor: the time that a task of
 * no length takes, whoever spends it. It is more than what they do under the lock. */
static bool is_lock_time(const struct scaling_cell *cell)
{
    return cell->backend == POOL_BACKEND_THREAD && cell->length_us == 0 && cell->workers > 1 &&
           cell->mode != SCALING_PICTURE;
}

static double square(double x)
{
    return x * x;
}

static size_t fit_costs(const struct scaling_set *set, scaling_choice_fn choice,
                        struct scaling_model *model)
{
    struct equations supervisor = {0}, submitter = {0}, worker = {0}, waiting = {0};
    const struct scaling_cell *cell;
    size_t at = 0, count = 0;
    while ((cell = next_cell(set, choice, &at))) {
        const struct scaling_case it = scaling_case_of(set, cell);
        const struct scaling_costs *costs = &cell->costs;
        const double each = (double)it.workers / it.pools, wall = costs->wall;
        const double all = costs->supervisor + costs->submitter + costs->workers;
        const double busy = square(all / (it.cores * wall));
        count++;
        /* Where processes that compute take turns on a core, the turns are what they cost. */
        if (it.kind == SCALING_SPIN && it.workers > it.cores)
            continue;
        if (set->backend == POOL_BACKEND_PROCESS)
            add_value(&supervisor, each, it.wall, costs->supervisor,
                      square(costs->supervisor / wall));
        else if (is_lock_time(cell))
            add_value(&supervisor, each, it.wall, wall, 1);
        add_value(&submitter, each, it.wall, costs->submitter, square(costs->submitter / wall));
        if (waits(&it))
            add_value(&waiting, each, it.wall, costs->workers, busy);
        else
            add_value(&worker, each, it.wall, fmax(costs->workers - it.processor, 0), busy);
    }
    model->supervisor = line_of(&supervisor);
    model->submitter = line_of(&submitter);
    model->worker = line_of(&worker);
    model->waiting = line_of(&waiting);
    return count;
}

static double badness(const struct scaling_set *set, const struct scaling_model *model,
                      scaling_choice_fn choice)
{
    const struct scaling_cell *cell;
    double sum = 0;
    size_t at = 0;
    while ((cell = next_cell(set, choice, &at))) {
        const struct scaling_case it = scaling_case_of(set, cell);
        const double off = log(scaling_model_wall(model, &it) / cell->costs.wall);
        sum += off * off;
    }
    return sum;
}

/* The gap with which this sharpness fits best.  Returns how badly. */
static double fit_gap(const struct scaling_set *set, scaling_choice_fn choice, double sharpness,
                      struct scaling_model *model)
{
    double least = INFINITY, best = 0;
    model->sharpness = sharpness;
    for (unsigned i = 0; i <= GAP_STEPS; i++) {
        model->gap = i * GAP_STEP_S;
        const double bad = badness(set, model, choice);
        if (bad < least) {
            least = bad;
            best = model->gap;
        }
    }
    model->gap = best;
    return least;
}

size_t scaling_models_fit(struct scaling_fitted *fitted, size_t count, scaling_choice_fn choice)
{
    double least = INFINITY, best = 0;
    size_t enough = 0;
    for (size_t i = 0; i < count; i++) {
        struct scaling_model *model = &fitted[i].model;
        *model = (struct scaling_model){0};
        model->sharpness = fit_costs(&fitted[i].set, choice, model) >= CELLS_MIN;
        enough += model->sharpness > 0;
    }
    for (double sharpness = SHARPNESS_MIN; enough && sharpness <= SHARPNESS_MAX; sharpness += 0.5) {
        double bad = 0;
        for (size_t i = 0; i < count; i++)
            if (fitted[i].model.sharpness > 0)
                bad += fit_gap(&fitted[i].set, choice, sharpness, &fitted[i].model);
        if (bad < least) {
            least = bad;
            best = sharpness;
        }
    }
    for (size_t i = 0; i < count; i++)
        if (fitted[i].model.sharpness > 0)
            fit_gap(&fitted[i].set, choice, best, &fitted[i].model);
    return enough;
}

int scaling_model_errors(const struct scaling_set *set, const struct scaling_model *model,
                         scaling_choice_fn choice, struct scaling_errors *ret_errors)
{
    const struct scaling_cell *cell;
    double *errors = calloc(set->count ? set->count : 1, sizeof(*errors));
    size_t at = 0;
    if (!errors)
        return -ENOMEM;
    *ret_errors = (struct scaling_errors){0};
    while ((cell = next_cell(set, choice, &at))) {
        const struct scaling_case it = scaling_case_of(set, cell);
        const double error = fabs(scaling_model_wall(model, &it) / cell->costs.wall - 1);
        errors[ret_errors->count++] = error;
        if (error >= ret_errors->worst) {
            ret_errors->worst = error;
            ret_errors->cell = cell;
        }
    }
    if (ret_errors->count > 0)
        ret_errors->median = bench_median(errors, ret_errors->count);
    free(errors);
    return ret_errors->count > 0 ? 0 : -ENODATA;
}
