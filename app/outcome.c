/* outcome.c: see outcome_priv.h. */
#include "outcome_priv.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "clock_priv.h"
#include "escape_priv.h"
#include "signals_priv.h"

int outcome_init(struct outcome *outcome, const struct options *options,
                 const struct inputs *inputs, const struct inode_set *read_folders,
                 struct inode_set *output_roots, struct report *report)
{
    outcome->inputs = inputs;
    outcome->report = report;
    outcome->timeout_ms = options->timeout_ms;
    /* "serial" means it: one thread does all the work. */
    const bool ahead = options->backend != POOL_BACKEND_SERIAL;
    int r =
        commit_create(inputs, read_folders, output_roots, options->sync, ahead, &outcome->commit);
    if (r == 0)
        r = failures_create(options, inputs, outcome->commit, report, &outcome->failures);
    if (r == 0)
        r = targets_create(options, inputs, outcome->commit, &outcome->targets);
    return r;
}

void outcome_done(struct outcome *outcome)
{
    outcome->targets = targets_free(outcome->targets);
    outcome->failures = failures_free(outcome->failures);
    outcome->commit = commit_free(outcome->commit);
}

/* ---- Failures ------------------------------------------------------------------------------ */

/* The pool itself is at its end: no file is to blame. */
void outcome_break(struct outcome *outcome, const struct pool_error *error)
{
    struct text words = TEXT_INIT;
    text_puts(&words, "the workers cannot go on: ");
    escape_name(&words, error->message, strlen(error->message));
    report_fatal(outcome->report, text_string(&words));
    text_done(&words);
    outcome->fatal = true;
}

/* The file failed: say so, and remember it. deaths: of its workers. */
static void report_and_note(struct outcome *outcome, const struct job *job,
                            const struct report_failure *failure, unsigned deaths)
{
    report_failed(outcome->report, job->shown, failure);
    failures_note(outcome->failures, job->root, job->source, job->mtime_ns, job->source_bytes,
                  failure->slug, deaths);
}

static void settle_failure(struct outcome *outcome, const struct job *job,
                           const struct pool_error *error)
{
    unsigned deaths = error->deaths;
    char slug[32] = "failed";
    struct text words = TEXT_INIT;
    struct report_failure failure = {.slug = slug, .source_bytes = job->source_bytes};
    failure.worker_pid = error->worker_pid;
    switch (error->code) {
    case -EREMOTEIO: {
        const char *said = thumb_failure_words(error->message, slug, sizeof(slug));
        escape_name(&words, said, strlen(said));
        break;
    }
    case -ETIME:
        deaths++;
        failure.slug = "timeout";
        text_printf(&words, "not done after %d.%03d s", outcome->timeout_ms / 1000,
                    outcome->timeout_ms % 1000);
        break;
    case -ENOMEM:
        deaths++;
        failure.slug = "out-of-memory";
        text_puts(&words, "its worker ");
        escape_name(&words, error->message, strlen(error->message));
        break;
    default: /* -EOWNERDEAD */
        failure.slug = "worker-died";
        failure.signal = error->signal;
        if (error->signal)
            text_printf(&words, "its worker (process %ld) was killed by signal %d (%s)",
                        (long)error->worker_pid, error->signal, strsignal(error->signal));
        else
            text_printf(&words, "its worker (process %ld) ended with exit status %d",
                        (long)error->worker_pid, error->exit_status);
        break;
    }
    failure.words = text_string(&words);
    report_and_note(outcome, job, &failure, deaths);
    text_done(&words);
}

/* ---- Thumbnails ---------------------------------------------------------------------------- */

static void report_commit_failure(struct outcome *outcome, const struct job *job, int error,
                                  const char *words)
{
    const bool files_own = error == -EEXIST || error == -ENAMETOOLONG;
    if (error == -EALREADY) {
        report_skipped(outcome->report, job->shown, words);
        failures_settle(outcome->failures, job->root, job->source, job->mtime_ns,
                        job->source_bytes);
        return;
    }
    const struct report_failure failure = {.slug = error == -EEXIST ? "collision"
                                                   : files_own      ? "bad-name"
                                                                    : "output",
                                           .words = words,
                                           .source_bytes = job->source_bytes};
    if (files_own) {
        report_and_note(outcome, job, &failure, 0);
        return;
    }
    report_failed(outcome->report, job->shown, &failure); /* not for its own sake */
    struct text fatal = TEXT_INIT;
    text_printf(&fatal, "cannot write the thumbnails: %s", words);
    report_fatal(outcome->report, text_string(&fatal));
    text_done(&fatal);
    outcome->fatal = true;
}

static void report_success(struct outcome *outcome, const struct job *job,
                           const struct thumb_reply *reply, const char *output, size_t size_bytes,
                           pid_t worker_pid, int64_t write_us)
{
    const struct report_thumbnail made = {
        .output = output,
        .root = job->root,
        .width_px = reply->width_px,
        .height_px = reply->height_px,
        .size_bytes = size_bytes,
        .format = img_format_name((enum img_format)reply->format),
        .source_format = img_format_name((enum img_format)reply->source_format),
        .source_width_px = reply->source_width_px,
        .source_height_px = reply->source_height_px,
        .source_bytes = job->source_bytes,
        .decoder = reply->decoder,
        .damage = reply->damage,
        .worker_pid = worker_pid,
        .read_us = reply->read_us,
        .decode_us = reply->decode_us,
        .resample_us = reply->resample_us,
        .encode_us = reply->encode_us,
        .write_us = write_us < UINT32_MAX ? (uint32_t)write_us : UINT32_MAX};
    report_made(outcome->report, job->shown, &made);
    failures_settle(outcome->failures, job->root, job->source, job->mtime_ns, job->source_bytes);
}

static void settle_nonsense(struct outcome *outcome, const struct job *job, pid_t worker_pid)
{
    const struct report_failure failure = {.slug = "failed",
                                           .words = "its worker gave an answer that makes no sense",
                                           .source_bytes = job->source_bytes,
                                           .worker_pid = worker_pid};
    report_and_note(outcome, job, &failure, 1);
}

/* Put the thumbnail in its place and report it. Returns 0, or -EAGAIN as outcome_settle(). */
static int settle_thumbnail(struct outcome *outcome, const struct job *job,
                            const struct thumb_reply *reply, struct pool_bytes image,
                            pid_t worker_pid, bool last_try)
{
    struct text output = TEXT_INIT, folder = TEXT_INIT, words = TEXT_INIT;
    const char *path = job_path(job, (enum img_format)reply->format);
    const char *name = target_split(path, &folder);
    struct target_guard guard = {outcome->targets, job};
    const struct commit_request request = {.root = job->root,
                                           .folder = text_string(&folder),
                                           .name = name,
                                           .source_device = job->device,
                                           .source_inode = job->inode,
                                           .source_mode = job->mode,
                                           .source_group = job->group,
                                           .data = image.data,
                                           .size_bytes = image.size_bytes,
                                           .may_replace = targets_may_replace,
                                           .is_own = targets_is_own,
                                           .callback_data = &guard};
    const int64_t start_us = clock_us();
    int r = text_failed(&folder) ? -ENOMEM : commit_file(outcome->commit, &request, &words);
    const int64_t write_us = clock_us() - start_us;
    const bool again = !last_try && (r == -EMFILE || r == -ENFILE);
    if (r < 0 && !again) {
        report_commit_failure(outcome, job, r, text_string(&words));
    } else if (r == 0) {
        text_puts(&output, outcome->inputs->roots[job->root].path);
        text_join(&output, path);
        report_success(outcome, job, reply, text_string(&output), image.size_bytes, worker_pid,
                       write_us);
    }
    text_done(&output);
    text_done(&folder);
    text_done(&words);
    return again ? -EAGAIN : 0;
}

static int settle_result(struct outcome *outcome, const struct job *job, struct pool_bytes value,
                         pid_t worker_pid, bool last_try)
{
    const struct pool_bytes note = {job->note, strlen(job->note)};
    struct thumb_reply reply;
    struct pool_bytes image;
    if (thumb_reply_check(outcome->request, value, &reply, &image) < 0 ||
        !job_path(job, (enum img_format)reply.format) || !thumb_note_is(image, note)) {
        settle_nonsense(outcome, job, worker_pid);
        return 0;
    }
    return settle_thumbnail(outcome, job, &reply, image, worker_pid, last_try);
}

/* Is the run being ended? A signal to the whole process group reaches the workers and us in any
 * order, so a worker that died of such a one gives ours a moment to come. */
static bool run_is_ending(int code, const struct pool_error *error)
{
    const struct timespec moment = {.tv_nsec = 50000000};
    if (code == -EOWNERDEAD && signals_caught() == 0 &&
        (error->signal == SIGTERM || error->signal == SIGINT || error->signal == SIGHUP))
        nanosleep(&moment, NULL);
    return code == -ECANCELED || signals_caught() != 0;
}

int outcome_settle(struct outcome *outcome, struct job *job, bool last_try)
{
    struct pool_bytes value;
    struct pool_error error = {.message = ""};
    int r = pool_future_result(job->future, 0, &value);
    int known = pool_future_error(job->future, &error);
    if (r == 0)
        return settle_result(outcome, job, value, known == 0 ? error.worker_pid : 0, last_try);
    if (run_is_ending(r, &error)) /* who was stopped with us has no outcome of its own */
        return 0;
    if (known == 0 && (r == -EREMOTEIO || r == -ETIME || r == -EOWNERDEAD || error.over_memory))
        settle_failure(outcome, job, &error);
    else
        outcome_break(outcome, &error);
    return 0;
}
