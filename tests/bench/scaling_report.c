/* scaling_report.c: see scaling_report.h. */
#include "scaling_report.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "scaling_chart.h"

#define FAR_CORES 64U

/* Clocks are read one after the other, and a little before and after the batch. */
#define SLACK   1.10
#define SLACK_S 3e-3

/* Workers of the cells that a model is fitted to, when it is to foretell the rest. */
#define NEAR_WORKERS_MAX 16

static const char *const backend_names[] = {"process", "thread", "serial"};
static const char *const kind_names[SCALING_KINDS] = {"compute", "wait"};
static const char *const mode_names[SCALING_MODES] = {"one by one", "chunks of 16", "map's chunks",
                                                      "pictures"};

/* ---- Words for numbers ---------------------------------------------------------------------- */

struct words {
    char text[24];
};

static struct words rate_words(double per_s)
{
    struct words words;
    if (per_s >= 999.5e3)
        snprintf(words.text, sizeof(words.text), "%.2fM", per_s / 1e6);
    else if (per_s >= 99.95e3)
        snprintf(words.text, sizeof(words.text), "%.0fk", per_s / 1e3);
    else if (per_s >= 999.5)
        snprintf(words.text, sizeof(words.text), "%.1fk", per_s / 1e3);
    else
        snprintf(words.text, sizeof(words.text), "%.0f", per_s);
    return words;
}

static struct words length_words(double length_s)
{
    struct words words;
    if (length_s < 999.5e-6)
        snprintf(words.text, sizeof(words.text), "%.3g us", length_s * 1e6);
    else
        snprintf(words.text, sizeof(words.text), "%.3g ms", length_s * 1e3);
    return words;
}

/* ---- What was measured ---------------------------------------------------------------------- */

static struct scaling_set set_of(const struct scaling_report *report, enum pool_backend backend,
                                 enum scaling_mode mode)
{
    return (struct scaling_set){.cells = report->cells,
                                .count = report->count,
                                .backend = backend,
                                .mode = mode,
                                .cores = report->cores,
                                .plain = report->plain,
                                .lengths_us = report->lengths_us,
                                .length_count = report->length_count};
}

/* How much of the time each was at work; the busiest is what holds the others up. */
struct load {
    double workers, supervisor, submitter, cores;
};

static struct load load_of(const struct scaling_report *report, const struct scaling_cell *cell)
{
    const struct scaling_set set = set_of(report, cell->backend, cell->mode);
    const struct scaling_case it = scaling_case_of(&set, cell);
    const struct scaling_costs *costs = &cell->costs;
    const double wall = costs->wall;
    return (struct load){
        .workers = it.wall / (it.workers * wall),
        .supervisor = costs->supervisor / (it.pools * wall),
        .submitter = costs->submitter / (it.pools * wall),
        .cores = (costs->supervisor + costs->submitter + costs->workers) / (report->cores * wall),
    };
}

/* The busiest, in one letter. */
static char letter_of(const struct load *load)
{
    const double most =
        fmax(fmax(load->workers, load->supervisor), fmax(load->submitter, load->cores));
    if (most < 0.6)
        return '.';
    if (load->workers == most)
        return 'w';
    if (load->supervisor == most)
        return 's';
    return load->submitter == most ? 'm' : 'c';
}

bool scaling_report_adds_up(const struct scaling_report *report, const struct scaling_cell *cell)
{
    const struct load load = load_of(report, cell);
    const double slack = SLACK + SLACK_S / (cell->costs.wall * (double)cell->tasks);
    /* Cores are counted by what this process may use of them in the long run; for the moment it may
     * have had more. */
    const double all = load.cores * report->cores;
    const bool good = cell->costs.wall > 0 && load.supervisor <= slack && load.submitter <= slack &&
                      (report->processors == 0 || all <= report->processors * slack);
    if (!good)
        fprintf(stderr,
                "pool_scaling: %s, %s, %u workers, %u us: %.3f us a task, but the supervisor was "
                "at work %.2f of it, the submitter %.2f, all cores %.2f\n",
                backend_names[cell->backend], mode_names[cell->mode], cell->workers,
                cell->length_us, cell->costs.wall * 1e6, load.supervisor, load.submitter,
                load.cores);
    return good;
}

static const struct scaling_cell *find_cell(const struct scaling_report *report,
                                            enum pool_backend backend, enum scaling_kind kind,
                                            enum scaling_mode mode, unsigned pools,
                                            unsigned workers, unsigned length_us)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct scaling_cell *cell = &report->cells[i];
        if (cell->backend == backend && cell->kind == kind && cell->mode == mode &&
            cell->pools == pools && cell->workers == workers && cell->length_us == length_us &&
            cell->rounds > 0)
            return cell;
    }
    return NULL;
}

static void print_row(const struct scaling_report *report, enum pool_backend backend,
                      enum scaling_kind kind, enum scaling_mode mode, unsigned length_us, FILE *out)
{
    bool any = false;
    for (size_t i = 0; i < report->worker_count; i++)
        any =
            any || find_cell(report, backend, kind, mode, 1, report->workers[i], length_us) != NULL;
    if (!any)
        return;
    fprintf(out, "%-7s %-12s %7s", kind_names[kind], mode_names[mode],
            length_words(length_us * 1e-6).text);
    for (size_t i = 0; i < report->worker_count; i++) {
        const struct scaling_cell *cell =
            find_cell(report, backend, kind, mode, 1, report->workers[i], length_us);
        if (cell) {
            const struct load load = load_of(report, cell);
            fprintf(out, " %6s %c", rate_words(1 / cell->costs.wall).text, letter_of(&load));
        } else {
            fputs("        -", out);
        }
    }
    fputc('\n', out);
}

static void print_rates(const struct scaling_report *report, enum pool_backend backend, FILE *out)
{
    fprintf(out, "\n%s backend: tasks a second, and what holds them up\n%-28s",
            backend_names[backend], "tasks        handed  workers");
    for (size_t i = 0; i < report->worker_count; i++)
        fprintf(out, " %6u  ", report->workers[i]);
    fputc('\n', out);
    for (unsigned kind = 0; kind < SCALING_KINDS; kind++)
        for (unsigned mode = 0; mode < SCALING_MODES; mode++)
            for (size_t i = 0; i < report->length_count; i++)
                print_row(report, backend, kind, mode, report->lengths_us[i], out);
}

static void print_serial(const struct scaling_report *report, FILE *out)
{
    fputs("\nwithout a pool, and the serial backend (us a task)\n", out);
    for (size_t i = 0; i < report->length_count; i++) {
        const struct scaling_plain *plain = &report->plain[i * SCALING_KINDS];
        const struct scaling_cell *cell = find_cell(report, POOL_BACKEND_SERIAL, SCALING_SPIN,
                                                    SCALING_ONE, 1, 1, report->lengths_us[i]);
        fprintf(out, "%7s: computes %.2f; waits %.2f, with %.2f of processor time",
                length_words(report->lengths_us[i] * 1e-6).text,
                plain[SCALING_SPIN].processor * 1e6, plain[SCALING_WAIT].wall * 1e6,
                plain[SCALING_WAIT].processor * 1e6);
        if (cell)
            fprintf(out, "; computes in the serial backend %.2f", cell->costs.submitter * 1e6);
        fputc('\n', out);
    }
}

/* ---- The models ----------------------------------------------------------------------------- */

static bool is_single(const struct scaling_cell *cell)
{
    return cell->pools == 1;
}

static bool is_near(const struct scaling_cell *cell)
{
    return cell->pools == 1 && cell->workers <= NEAR_WORKERS_MAX;
}

static bool is_far(const struct scaling_cell *cell)
{
    return cell->pools == 1 && cell->workers > NEAR_WORKERS_MAX;
}

static bool is_odd_power(const struct scaling_cell *cell)
{
    return cell->pools == 1 && __builtin_ctz(cell->workers) % 2 == 1;
}

static bool is_even_power(const struct scaling_cell *cell)
{
    return cell->pools == 1 && __builtin_ctz(cell->workers) % 2 == 0;
}

static bool is_two_pools(const struct scaling_cell *cell)
{
    return cell->pools == 2;
}

/* Fit to some cells, and ask for others. */
static const struct {
    scaling_choice_fn fitted, foretold;
} checks[] = {{is_single, is_single},
              {is_near, is_far},
              {is_even_power, is_odd_power},
              {is_single, is_two_pools}};
#define CHECKS (sizeof(checks) / sizeof(checks[0]))

struct judged {
    struct scaling_fitted fitted[SCALING_MODES];
    struct scaling_errors errors[SCALING_MODES][CHECKS]; /* count 0: nothing to compare with */
};

/* Fit a backend's models to all cells of one pool, and judge them by each check. */
static void judge(const struct scaling_report *report, enum pool_backend backend,
                  struct judged *ret_judged)
{
    struct scaling_fitted fitted[SCALING_MODES];
    *ret_judged = (struct judged){0};
    for (unsigned mode = 0; mode < SCALING_MODES; mode++)
        fitted[mode].set = ret_judged->fitted[mode].set = set_of(report, backend, mode);
    scaling_models_fit(ret_judged->fitted, SCALING_MODES, is_single);
    for (size_t check = 0; check < CHECKS; check++) {
        scaling_models_fit(fitted, SCALING_MODES, checks[check].fitted);
        for (unsigned mode = 0; mode < SCALING_MODES; mode++)
            if (fitted[mode].model.sharpness > 0)
                scaling_model_errors(&fitted[mode].set, &fitted[mode].model, checks[check].foretold,
                                     &ret_judged->errors[mode][check]);
    }
}

static void print_model(const struct scaling_fitted *fitted, const struct scaling_errors *errors,
                        FILE *out)
{
    static const double workers[] = {2, 16, 64, 256};
    const double long_s = 1e-3;
    const struct scaling_model *model = &fitted->model;
    fprintf(out, "%-7s %-12s %5.2f ", backend_names[fitted->set.backend],
            mode_names[fitted->set.mode], scaling_line_at(&model->submitter, 16, long_s) * 1e6);
    for (size_t i = 0; i < sizeof(workers) / sizeof(workers[0]); i++)
        fprintf(out, " %5.2f", scaling_line_at(&model->supervisor, workers[i], long_s) * 1e6);
    fprintf(out, "  %5.2f  %4.0f %4.1f ", scaling_line_at(&model->worker, 16, long_s) * 1e6,
            model->gap * 1e6, model->sharpness);
    for (size_t check = 0; check < CHECKS; check++)
        if (errors[check].count > 0)
            fprintf(out, "  %3.0f %% %4.0f %%", errors[check].median * 100,
                    errors[check].worst * 100);
        else
            fprintf(out, " %12s", "-");
    fputc('\n', out);
}

static void print_worst(const struct scaling_fitted *fitted, const struct scaling_errors *errors,
                        FILE *out)
{
    const struct scaling_cell *cell = errors->cell;
    if (!cell)
        return;
    const struct scaling_case it = scaling_case_of(&fitted->set, cell);
    fprintf(out, "worst of A, %s, %s: %u workers %s %s: %.2f us a task, not %.2f\n",
            backend_names[cell->backend], mode_names[cell->mode], cell->workers,
            kind_names[cell->kind], length_words(cell->length_us * 1e-6).text,
            cell->costs.wall * 1e6, scaling_model_wall(&fitted->model, &it) * 1e6);
}

static void print_models(const struct judged *judged, FILE *out)
{
    fputs(
        "\nthe model: us of processor time a task, for tasks of 1 ms, of the submitter (s), the\n"
        "supervisor (d, with so many workers; threads: the lock) and a worker (w); how far its\n"
        "times are off those measured, in the median and at worst:\n"
        "A of all cells that it was fitted to; B of 32 to 256 workers, fitted to 1 to 16;\n"
        "C of 2, 8, 32 and 128 workers, fitted to 1, 4, 16, 64 and 256; D of two pools, fitted to "
        "one\n",
        out);
    fprintf(out, "%-20s %5s  %5s %5s %5s %5s  %5s  %4s %4s %13s %12s %12s %12s\n", "", "s", "d 2",
            "d 16", "d 64", "d 256", "w", "g", "k", "A", "B", "C", "D");
    for (unsigned backend = 0; backend < 2; backend++)
        for (unsigned mode = 0; mode < SCALING_MODES; mode++)
            if (judged[backend].fitted[mode].model.sharpness > 0)
                print_model(&judged[backend].fitted[mode], judged[backend].errors[mode], out);
    for (unsigned backend = 0; backend < 2; backend++)
        for (unsigned mode = 0; mode < SCALING_MODES; mode++)
            print_worst(&judged[backend].fitted[mode], &judged[backend].errors[mode][0], out);
}

/* ---- Other machines ------------------------------------------------------------------------- */

static double far_wall(const struct scaling_model *model, double length_s, unsigned cores,
                       unsigned pools)
{
    const struct scaling_case it = {.kind = SCALING_SPIN,
                                    .wall = length_s,
                                    .processor = length_s,
                                    .workers = cores,
                                    .cores = cores,
                                    .pools = pools};
    return scaling_model_wall(model, &it);
}

static double far_efficiency(const struct scaling_model *model, double length_s, unsigned cores,
                             unsigned pools)
{
    return length_s / (cores * far_wall(model, length_s, cores, pools));
}

/* The shortest task at which so many cores are used for at least that share; 0: longer than any. */
static double shortest_s(const struct scaling_model *model, unsigned cores, unsigned pools,
                         double share)
{
    double low = 1e-7, high = 10;
    if (far_efficiency(model, high, cores, pools) < share)
        return 0;
    for (int i = 0; i < 60; i++) {
        const double middle = sqrt(low * high);
        if (far_efficiency(model, middle, cores, pools) < share)
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* The most cores that are used for at least that share; 0: none. */
static unsigned most_cores(const struct scaling_model *model, double length_s, double share)
{
    unsigned cores = POOL_WORKERS_MAX;
    while (cores > 0 && far_efficiency(model, length_s, cores, 1) < share)
        cores--;
    return cores;
}

static void print_far(const struct scaling_fitted *fitted, FILE *out)
{
    const struct scaling_model *model = &fitted->model;
    static const double lengths_s[] = {10e-6, 100e-6, 400e-6, 1e-3, 6e-3, 10e-3};
    fprintf(out, "%-7s %-12s", backend_names[fitted->set.backend], mode_names[fitted->set.mode]);
    for (size_t i = 0; i < sizeof(lengths_s) / sizeof(lengths_s[0]); i++) {
        const double efficiency = far_efficiency(model, lengths_s[i], FAR_CORES, 1);
        fprintf(out, "  %4.1f %3.0f %%", FAR_CORES * efficiency, efficiency * 100);
    }
    for (unsigned pools = 1; pools <= 2; pools++) {
        const double shortest = shortest_s(model, FAR_CORES, pools, 0.9);
        fprintf(out, "  %7s", shortest > 0 ? length_words(shortest).text : "-");
    }
    /* However short the task: one thread does this for each. */
    const double supervisor = scaling_line_at(&model->supervisor, FAR_CORES, 400e-6);
    const double submitter = scaling_line_at(&model->submitter, FAR_CORES, 400e-6);
    fprintf(out, " %6s", supervisor > 0 ? rate_words(1 / supervisor).text : "-");
    fprintf(out, " %6s", submitter > 0 ? rate_words(1 / submitter).text : "-");
    fprintf(out, "  %4u %4u\n", most_cores(model, 400e-6, 0.9), most_cores(model, 6e-3, 0.9));
}

static void print_far_all(const struct judged *judged, FILE *out)
{
    fprintf(
        out,
        "\n%u cores, by the model: speed-up and use of the cores; the shortest task that uses "
        "90 %% of them,\nwith one pool and with two; tasks a second at which the supervisor and "
        "the submitter are full;\ncores that one pool keeps 90 %% busy with tasks of 0.4 and "
        "of 6 ms\n",
        FAR_CORES);
    fprintf(out, "%-20s %11s %11s %11s %11s %11s %11s  %7s  %7s %6s %6s  %4s %4s\n", "", "10 us",
            "100 us", "400 us", "1 ms", "6 ms", "10 ms", "1 pool", "2 pools", "sup.", "sub.", "0.4",
            "6");
    for (unsigned backend = 0; backend < 2; backend++)
        for (unsigned mode = 0; mode < SCALING_MODES; mode++)
            if (judged[backend].fitted[mode].model.sharpness > 0)
                print_far(&judged[backend].fitted[mode], out);
}

/* ---- Two pools ------------------------------------------------------------------------------ */

static void print_two_pools(const struct scaling_report *report, FILE *out)
{
    bool any = false;
    for (size_t i = 0; i < report->count; i++) {
        const struct scaling_cell *two = &report->cells[i];
        const struct scaling_cell *one = two->pools == 2
                                             ? find_cell(report, two->backend, two->kind, two->mode,
                                                         1, two->workers, two->length_us)
                                             : NULL;
        if (!one || two->rounds == 0)
            continue;
        if (!any)
            fputs("\ntwo process pools side by side, each with half of the workers, against one\n"
                  "handed       length  workers  tasks/s: one    two  ratio"
                  "  busiest supervisor: one   two   all cores: one   two\n",
                  out);
        any = true;
        const struct load before = load_of(report, one), after = load_of(report, two);
        fprintf(out, "%-12s %6s  %7u  %12s %6s  %5.2f  %22.0f%% %4.0f%%  %13.0f%% %4.0f%%\n",
                mode_names[two->mode], length_words(two->length_us * 1e-6).text, two->workers,
                rate_words(1 / one->costs.wall).text, rate_words(1 / two->costs.wall).text,
                one->costs.wall / two->costs.wall, before.supervisor * 100, after.supervisor * 100,
                before.cores * 100, after.cores * 100);
    }
}

/* ---- All of it ------------------------------------------------------------------------------ */

int scaling_report_print(const struct scaling_report *report, FILE *out)
{
    struct judged judged[2]; /* by backend */
    bool good = true;
    for (size_t i = 0; i < report->count; i++)
        good =
            (report->cells[i].rounds == 0 || scaling_report_adds_up(report, &report->cells[i])) &&
            good;
    judge(report, POOL_BACKEND_PROCESS, &judged[POOL_BACKEND_PROCESS]);
    judge(report, POOL_BACKEND_THREAD, &judged[POOL_BACKEND_THREAD]);
    print_serial(report, out);
    print_rates(report, POOL_BACKEND_PROCESS, out);
    print_rates(report, POOL_BACKEND_THREAD, out);
    fputs(
        "w: all workers are at their tasks, which is the best there is; s: the supervisor, m: the\n"
        "thread that submits, c: all cores; .: none of them is busy for 60 % of the time\n",
        out);
    print_two_pools(report, out);
    print_models(judged, out);
    print_far_all(judged, out);
    return good ? 0 : -ERANGE;
}

void scaling_report_chart(const struct scaling_report *report, FILE *out)
{
    struct scaling_fitted fitted[2 * SCALING_MODES];
    for (unsigned i = 0; i < 2 * SCALING_MODES; i++)
        fitted[i].set = set_of(report, i / SCALING_MODES, i % SCALING_MODES);
    scaling_models_fit(fitted, SCALING_MODES, is_single);
    scaling_models_fit(fitted + SCALING_MODES, SCALING_MODES, is_single);
    scaling_chart_write(out, fitted, sizeof(fitted) / sizeof(fitted[0]), FAR_CORES);
}
