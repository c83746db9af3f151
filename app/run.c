/* run.c: walk, plan, pool, commit and report joined.
 *
 * All of it happens in one thread. The pool whose turn it is (lanes_priv.h) pulls files through
 * source_next() as it has room for them, and the main loop takes results as they come. A run ends
 * early for two reasons: a signal, or a cause that stops every further file (`fatal`, already
 * reported). */
#include "run_priv.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <pool/pool.h>

#include "clock_priv.h"
#include "commit_priv.h"
#include "console_priv.h"
#include "escape_priv.h"
#include "failures_priv.h"
#include "forecast_priv.h"
#include "inode_set_priv.h"
#include "inputs_priv.h"
#include "intake_priv.h"
#include "jobs_priv.h"
#include "lanes_priv.h"
#include "outcome_priv.h"
#include "plan_priv.h"
#include "prune_priv.h"
#include "report_listener_priv.h"
#include "report_priv.h"
#include "signals_priv.h"
#include "targets_priv.h"
#include "thumb_task_priv.h"
#include "thumb_worker_priv.h"
#include "walk_priv.h"

#define TICK_MS 100

#define PULLED_MAX 4 /* for each file that is handed out */

/* Results are not taken while files are looked for. Where there is none to be tried for so long,
 * among a hundred thousand others or on a slow disk, what has been handed out is waited for. The
 * next entry is always looked at, so pictures that follow each other are found at any speed. */
#define SEARCH_MS 20

/* Beyond twice the deadline, for what is not the file's. */
#define CPU_SLACK_SEC 10

/* A second in all. */
#define RELIEF_NS       10000000
#define RELIEF_ATTEMPTS 100

#define DESCRIPTORS_FEW 256 /* below this the walks hold fewer folders open */

struct run {
    const struct options *options;
    struct inputs *inputs;
    struct inode_set read_folders;
    struct inode_set output_roots;
    struct walk_options walk_options;
    struct walk *walk;
    struct intake intake;
    struct forecast *forecast; /* NULL without a bar */
    struct jobs jobs;
    struct lanes *lanes;
    enum lane lane; /* whose turn it is */
    struct outcome outcome;
    struct report *report;
    struct report *_Atomic told; /* the same, for the thread that waits for signals */
    uint64_t passed;             /* files that the forecast counts, but were skipped */
    int64_t peak_bytes;          /* of a worker's memory; -1: not known */
    unsigned relieved;           /* how often in a row descriptors were looked for in vain */
    bool walk_ended;
    bool starved; /* a commit waits for descriptors: nothing new until what is in flight is done */
    bool fatal;

    /* NULL without --include and --exclude. */
    struct globs *globs;

    /* For one more file, while others are being worked on. */
    int64_t search_until_ms;

    /* The item being handed to the pool. */
    struct thumb_request request;
    struct pool_bytes fields[2]; /* the request, the stamp */
    int fd;
};

static bool run_is_over(const struct run *run)
{
    return run->fatal || run->outcome.fatal || signals_caught() != 0;
}

static void run_fatal(struct run *run, const char *what, int error)
{
    struct text words = TEXT_INIT;
    text_printf(&words, "%s: %s", what, strerror(-error));
    report_fatal(run->report, text_string(&words));
    text_done(&words);
    run->fatal = true;
}

/* Descriptors are short though nothing is in flight: give back our own, and give others a moment
 * to do so. Returns false when that was of no use many times in a row. */
static bool relieve(struct run *run)
{
    const struct timespec moment = {.tv_nsec = RELIEF_NS};
    if (run->relieved >= RELIEF_ATTEMPTS)
        return false;
    run->relieved++;
    walk_relieve(run->walk);
    commit_relieve(run->outcome.commit);
    nanosleep(&moment, NULL);
    return true;
}

/* ---- Files in ------------------------------------------------------------------------------ */

static void tick(struct run *run)
{
    if (!run->forecast)
        return;
    forecast_step(run->forecast);
    const struct report_ahead ahead = {.files = forecast_total(run->forecast),
                                       .bytes = forecast_bytes(run->forecast),
                                       .passed = run->passed,
                                       .working = run->jobs.count > 0};
    report_tick(run->report, &ahead);
}

/* One step of the walk. Returns 1 with a file to try, 0 to go on, or as intake_consider(). */
static int step(struct run *run, size_t *ret_input)
{
    struct walk_entry entry;
    int r = walk_next(run->walk, false, &entry);
    run->walk_ended = r == 0;
    if (r <= 0 || run_is_over(run)) /* a folder may count as unreadable because of the signal */
        return r < 0 ? r : 0;
    const uint64_t skipped = report_counts(run->report)->skipped;
    r = intake_consider(&run->intake, &entry);
    if (report_counts(run->report)->skipped > skipped)
        run->passed += forecast_counts(&entry);
    if (r == 0)
        tick(run);
    if (r >= 0)
        run->relieved = 0;
    *ret_input = entry.input;
    return r;
}

/* The next file to try. Returns 1; 0 at the end of the walk (walk_ended), at the end of the run,
 * when the search takes too long, and when descriptors are short until some work is done; or a
 * negative errno value. */
static int next_to_try(struct run *run, size_t *ret_input)
{
    int r = 0;
    while (r == 0 && !run->walk_ended && !run->starved && !run_is_over(run)) {
        r = step(run, ret_input);
        const bool may_wait = r == -EAGAIN || (r == 0 && clock_ms() > run->search_until_ms);
        if (may_wait && run->jobs.count > run->jobs.held)
            return 0; /* there are some in flight */
        if (r == -EAGAIN)
            r = relieve(run) ? 0 : -EMFILE;
    }
    return r;
}

/* Meet one more file to try, and have it wait for its lane. Returns as next_to_try(). */
static int pull(struct run *run)
{
    struct job *job = NULL;
    size_t input = 0;
    int r = next_to_try(run, &input);
    if (r <= 0)
        return r;
    const size_t root = run->inputs->list[input].root;
    const enum lane lane = lanes_of(run->lanes, run->intake.plan.format);
    const struct job_names names = {.shown = text_string(&run->intake.shown),
                                    .source = text_string(&run->intake.source),
                                    .origin = targets_origin(run->outcome.targets),
                                    .note = targets_stamp(run->outcome.targets, &run->intake.plan)};
    r = names.note ? jobs_add(&run->jobs, &run->intake.plan, root, &names, &job) : -ENOMEM;
    if (r < 0)
        return r;
    job->is_picture = run->intake.plan.format != IMG_FORMAT_UNKNOWN;
    lanes_wait(run->lanes, lane, job);
    if (lane != run->lane)
        lanes_expect(run->lanes, lane);
    return 1;
}

static enum lane other(enum lane lane)
{
    return lane == LANE_NARROW ? LANE_WIDE : LANE_NARROW;
}

/* A pool_source_fn, for the lane whose turn it is. It ends, for this turn, when too many wait for
 * the other one. Files that wait become more by and by: the first ones are not to wait until many
 * have been opened. */
static int source_next(void *data, struct pool_item *ret_item)
{
    struct run *run = data;
    int r = 1;
    if (report_counts(run->report)->made > 0) /* until then the turn's time counts */
        run->search_until_ms = clock_ms() + SEARCH_MS;
    for (int pulled = 0; r > 0 && !run_is_over(run); pulled++) {
        const bool searched = pulled >= PULLED_MAX || clock_ms() > run->search_until_ms;
        const bool enough = searched && lanes_waiting(run->lanes, run->lane) > 0;
        if (enough || !lanes_wants_more(run->lanes, run->lane) ||
            lanes_is_full(run->lanes, other(run->lane)))
            break;
        r = pull(run);
    }
    if (r < 0)
        run_fatal(run, "cannot go on", r);
    struct job *job = run_is_over(run) ? NULL : lanes_next(run->lanes, run->lane);
    if (!job)
        return 0;
    targets_hand_out(job);
    failures_begin(run->outcome.failures, job->root, job->source, job->mtime_ns, job->source_bytes);
    if (job->is_picture)
        lanes_read_ahead(run->lanes, job);
    run->fd = job->fd;
    job->fd = -1; /* the pool takes it */
    run->request.has_state = true;
    run->request.mtime_sec = job->mtime.tv_sec;
    run->request.mtime_nsec = (uint32_t)job->mtime.tv_nsec;
    run->request.source_bytes = job->source_bytes;
    run->fields[0] = (struct pool_bytes){&run->request, sizeof(run->request)};
    run->fields[1] = (struct pool_bytes){job->note, strlen(job->note)};
    *ret_item = (struct pool_item){
        .fields = run->fields, .field_count = 2, .fds = &run->fd, .fd_count = 1, .user = job};
    return 1;
}

/* ---- Results out --------------------------------------------------------------------------- */

/* Settle what is held for nobody. When descriptors are short it stays held until all that is in
 * flight is done. */
static void settle_released(struct run *run)
{
    struct job *job;
    while (!run_is_over(run) && (job = jobs_released(&run->jobs))) {
        const bool alone = run->jobs.count == run->jobs.held;
        const bool last_try = alone && run->relieved >= RELIEF_ATTEMPTS;
        run->starved = outcome_settle(&run->outcome, job, last_try) < 0;
        if (run->starved && !alone)
            return;
        if (run->starved) {
            relieve(run);
            continue;
        }
        run->relieved = 0;
        jobs_remove(&run->jobs, job);
    }
}

/* A result has come: settle it and what waited for it. future: take. */
static void take_result(struct run *run, struct pool *pool, struct pool_future *future)
{
    struct job *job = pool_future_user(future);
    struct pool_error error;
    /* Then it failed for no reason of its own: no worker comes up. */
    if (pool_future_result(future, 0, NULL) < 0 && pool_broken(pool, &error) == 1) {
        pool_future_free(future);
        outcome_break(&run->outcome, &error);
        return;
    }
    if (!job) { /* no source of ours fails like that */
        pool_future_free(future);
        run_fatal(run, "cannot go on", -EPROTO);
        return;
    }
    lanes_has_read(run->lanes, job);
    jobs_hold(&run->jobs, job, future);
    /* What has failed takes no name from anybody, so it need not wait. */
    if (pool_future_result(future, 0, NULL) < 0) {
        outcome_settle(&run->outcome, job, true);
        jobs_remove(&run->jobs, job);
    }
    settle_released(run);
}

/* The turn of one lane: one pool_imap_unordered() over its files, until there are none for it or
 * the run ends. */
static void take_turn(struct run *run)
{
    struct pool_imap_options options = POOL_IMAP_INIT;
    struct pool *pool = NULL;
    struct pool_iter *iter = NULL;
    options.window = lanes_window(run->lanes);
    options.submit.deadline_ms = run->options->timeout_ms;
    options.submit.retries = FAILURES_RETRIES;
    int r = lanes_pool(run->lanes, run->lane, &pool);
    if (r < 0) {
        run_fatal(run, "cannot start the workers", r);
        return;
    }
    run->search_until_ms = clock_ms() + SEARCH_MS; /* after the workers' start */
    r = pool_imap_unordered(pool, THUMB_TASK, source_next, run, &options, &iter);
    if (r < 0) {
        run_fatal(run, "cannot go on", r);
        return;
    }
    while (!run_is_over(run)) {
        struct pool_future *future;
        r = pool_iter_next(iter, TICK_MS, &future);
        if (r == 0)
            break;
        if (r == 1)
            take_result(run, pool, future);
        else if (r != -ETIMEDOUT)
            run_fatal(run, "cannot go on", r);
        tick(run);
    }
    if (run_is_over(run))
        lanes_terminate(run->lanes);
    pool_iter_free(iter);
}

static void take_turns(struct run *run)
{
    while (!run_is_over(run)) {
        if (lanes_waiting(run->lanes, LANE_NARROW) + lanes_waiting(run->lanes, LANE_WIDE) == 0) {
            if (run->walk_ended)
                return;
            int r = pull(run);
            if (r < 0)
                run_fatal(run, "cannot go on", r);
            continue;
        }
        if (lanes_waiting(run->lanes, run->lane) == 0)
            run->lane = other(run->lane);
        take_turn(run);
    }
}

/* What confines the workers, asked of one of them. Returns 0 or a negative errno value. */
static int ask_confinement(struct run *run, char *words, size_t size_bytes)
{
    struct pool *pool = NULL;
    struct pool_future *future = NULL;
    struct pool_bytes value;
    struct pool_error error;
    struct sandbox_state state;
    int r = lanes_pool(run->lanes, LANE_NARROW, &pool);
    if (r == 0)
        r = pool_apply(pool, THUMB_CONFINEMENT, NULL, NULL, &future);
    if (r < 0) {
        run_fatal(run, "cannot start the workers", r);
        return r;
    }
    r = pool_future_result(future, 0, &value);
    if (r == 0 && value.size_bytes == sizeof(state)) {
        memcpy(&state, value.data, sizeof(state));
        thumb_confinement_describe(&state, words, size_bytes);
    } else if (r < 0 && pool_future_error(future, &error) == 0) {
        outcome_break(&run->outcome, &error);
    }
    pool_future_free(future);
    return r;
}

static struct thumb_request request_of(const struct options *options)
{
    struct thumb_request request;
    memset(&request, 0, sizeof(request));
    request.box_width_px = options->box_width_px;
    request.box_height_px = options->box_height_px;
    request.fit = (uint32_t)options->fit;
    request.enlarge = options->enlarge;
    memcpy(request.background, options->background, sizeof(options->background));
    request.format = (uint32_t)options->format;
    request.quality = options->quality;
    request.pixels_max = options->pixels_max;
    request.memory_bytes = options->memory_bytes;
    request.fail_on = (uint32_t)options->fail_on;
    request.fast = options->fast;
    if (options->timeout_ms > 0) /* some decoders use several threads */
        request.cpu_seconds =
            (CPU_SLACK_SEC + 2 * (unsigned)options->timeout_ms / 1000) * pool_cpu_count();
    return request;
}

/* --prune, when the run has met all its sources. */
static void prune(struct run *run)
{
    const struct prune prune = {.options = run->options,
                                .inputs = run->inputs,
                                .commit = run->outcome.commit,
                                .origins = targets_origins(run->outcome.targets),
                                .report = run->report,
                                .unread = run->intake.unread};
    if (!run->options->prune || !run->walk_ended || run_is_over(run))
        return;
    int r = prune_outputs(&prune);
    if (r < 0)
        run_fatal(run, "cannot go on", r);
}

static void work(struct run *run)
{
    const struct options *options = run->options;
    char confinement[200] = "";
    int r = lanes_create(options, &run->lanes);
    if (r < 0) {
        run_fatal(run, "cannot start the workers", r);
        return;
    }
    run->request = request_of(options);
    run->outcome.request = &run->request;
    if (options->verbose && options->backend == POOL_BACKEND_PROCESS)
        ask_confinement(run, confinement, sizeof(confinement));
    report_start(run->report, lanes_workers(run->lanes), confinement[0] ? confinement : NULL);
    take_turns(run);
    assert(run->jobs.count == 0 || run_is_over(run));
    jobs_remove_all(&run->jobs);
    run->peak_bytes = lanes_end(run->lanes);
    prune(run);
    failures_close(run->outcome.failures, !run_is_over(run));
}

static void rehearse(struct run *run)
{
    struct text output = TEXT_INIT, other = TEXT_INIT;
    size_t input = 0;
    report_start(run->report, 0, NULL);
    int r;
    while ((r = next_to_try(run, &input)) == 1) {
        const char *root_path = run->inputs->roots[run->inputs->list[input].root].path;
        const struct plan_names *names = &run->intake.plan.names;
        const char *only = plan_only_name(&run->intake.plan);
        text_cut(&output, 0);
        text_puts(&output, root_path);
        text_cut(&other, 0);
        text_puts(&other, root_path);
        text_join(&output, only ? only : text_string(&names->jpeg));
        text_join(&other, text_string(&names->png));
        report_planned(run->report, text_string(&run->intake.shown), text_string(&output),
                       only ? NULL : text_string(&other));
    }
    if (r < 0)
        run_fatal(run, "cannot go on", r);
    prune(run);
    text_done(&output);
    text_done(&other);
}

/* ---- Before and after ---------------------------------------------------------------------- */

/* More open files let more be in flight. Returns whether few are possible all the same. */
static bool raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return false;
    if (limit.rlim_cur < limit.rlim_max) {
        const rlim_t before = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
            limit.rlim_cur = before;
    }
    return limit.rlim_cur < DESCRIPTORS_FEW;
}

static int run_prepare(struct run *run)
{
    const struct options *options = run->options;
    int r = globs_create(options->globs, options->glob_count, &run->globs);
    if (r < 0)
        return r;
    run->walk_options = (struct walk_options){.hidden = options->hidden,
                                              .follow = options->follow,
                                              .max_depth = options->max_depth,
                                              .held_max = raise_descriptor_limit() ? 4 : 0,
                                              .globs = run->globs,
                                              .outputs = &run->output_roots,
                                              .read_folders = &run->read_folders};
    r = inputs_register(run->inputs, &run->read_folders);
    if (r == 0)
        r = inputs_register_roots(run->inputs, &run->output_roots);
    if (r == 0)
        r = report_create(options, run->inputs, &run->report);
    if (r == 0)
        atomic_store(&run->told, run->report);
    if (r == 0)
        r = walk_create(&run->walk_options, run->inputs, &run->walk);
    if (r == 0)
        r = outcome_init(&run->outcome, options, run->inputs, &run->read_folders,
                         &run->output_roots, run->report);
    if (r == 0)
        r = intake_init(&run->intake, options, run->inputs, run->walk, &run->outcome);
    if (r == 0 && report_has_bar(run->report))
        r = forecast_create(&run->walk_options, run->inputs, &run->forecast);
    return r;
}

static void run_done(struct run *run)
{
    lanes_free(run->lanes);
    forecast_free(run->forecast);
    intake_done(&run->intake);
    outcome_done(&run->outcome);
    walk_free(run->walk);
    globs_free(run->globs);
    report_free(run->report);
    inode_set_done(&run->read_folders);
    inode_set_done(&run->output_roots);
    inputs_free(run->inputs);
}

static int exit_code_of(const struct run *run, int signal_number)
{
    const struct report_counts *counts = report_counts(run->report);
    const int out_error = report_output_error(run->report);
    if (signal_number)
        return EXIT_SIGNAL_BASE + signal_number;
    assert(run->fatal || run->outcome.fatal ||
           counts->inputs == counts->made + counts->up_to_date + counts->planned + counts->skipped +
                                 counts->failed);
    if (run->fatal || run->outcome.fatal)
        return EXIT_CANNOT_GO_ON;
    if (out_error == -EPIPE)
        return EXIT_SIGNAL_BASE + SIGPIPE;
    if (out_error < 0)
        return EXIT_CANNOT_GO_ON;
    return counts->failed > 0 ? EXIT_SOME_FAILED : 0;
}

int run_paths(const struct options *options)
{
    struct run run = {.options = options, .fd = -1, .peak_bytes = -1};
    const struct signals_listener listener = report_listener(&run.told, EXIT_SIGNAL_BASE);
    struct text message = TEXT_INIT;
    signals_watch_begin(&listener);
    int exit_code = EXIT_CANNOT_GO_ON;
    int r = inputs_create(options, &run.inputs, &message);
    if (r == -EINVAL) {
        console_complain(text_string(&message));
        exit_code = EXIT_USAGE;
        goto out;
    }
    if (r == 0)
        r = run_prepare(&run);
    if (r < 0) {
        console_complain(strerror(-r));
        goto out;
    }
    if (options->dry_run)
        rehearse(&run);
    else
        work(&run);
    const int signal_number = signals_caught();
    report_summary(run.report, signal_number, run.peak_bytes);
    exit_code = exit_code_of(&run, signal_number);
    const int out_error = report_output_error(run.report);
    if (out_error < 0 && out_error != -EPIPE && out_error != -EINTR)
        run_fatal(&run, "cannot write to standard output", out_error);
out:
    signals_watch_end();
    run_done(&run);
    text_done(&message);
    return exit_code;
}

struct thumb_request run_request(const struct options *options)
{
    return request_of(options);
}
