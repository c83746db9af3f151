/* outcome.c: see outcome_priv.h. */
#include "outcome_priv.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "clock_priv.h"
#include "escape_priv.h"
#include "signals_priv.h"

int outcome_init(struct outcome *outcome, const struct inputs *inputs,
                 const struct inode_set *read_folders, struct inode_set *output_roots,
                 struct report *report, int timeout_ms)
{
    outcome->inputs = inputs;
    outcome->report = report;
    outcome->timeout_ms = timeout_ms;
    return commit_create(inputs, read_folders, output_roots, &outcome->commit);
}

void outcome_done(struct outcome *outcome)
{
    outcome->commit = commit_free(outcome->commit);
}

/* ---- Failures ------------------------------------------------------------------------------ */

/* The pool itself is at its end: no file is to blame. */
static void settle_broken_pool(struct outcome *outcome, const struct pool_error *error)
{
    struct text words = TEXT_INIT;
    text_puts(&words, "the workers cannot go on: ");
    escape_name(&words, error->message, strlen(error->message));
    report_fatal(outcome->report, text_string(&words));
    text_done(&words);
    outcome->fatal = true;
}

static void settle_failure(struct outcome *outcome, const struct job *job,
                           const struct pool_error *error)
{
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
        failure.slug = "timeout";
        text_printf(&words, "not done after %d.%03d s", outcome->timeout_ms / 1000,
                    outcome->timeout_ms % 1000);
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
    report_failed(outcome->report, job->shown, &failure);
    text_done(&words);
}

/* ---- Thumbnails ---------------------------------------------------------------------------- */

static void report_commit_failure(struct outcome *outcome, const struct job *job, int error,
                                  const char *words)
{
    const bool files_own = error == -EEXIST || error == -ENAMETOOLONG;
    const struct report_failure failure = {.slug = error == -EEXIST ? "collision"
                                                   : files_own      ? "bad-name"
                                                                    : "output",
                                           .words = words,
                                           .source_bytes = job->source_bytes};
    report_failed(outcome->report, job->shown, &failure);
    if (files_own)
        return;
    struct text fatal = TEXT_INIT;
    text_printf(&fatal, "cannot write the thumbnails: %s", words);
    report_fatal(outcome->report, text_string(&fatal));
    text_done(&fatal);
    outcome->fatal = true;
}

static int settle_result(struct outcome *outcome, const struct job *job, struct pool_bytes value,
                         pid_t worker_pid, bool last_try)
{
    struct thumb_reply reply;
    struct pool_bytes image;
    struct text output = TEXT_INIT, words = TEXT_INIT;
    const char *name = NULL;
    int r = thumb_reply_check(outcome->request, value, &reply, &image);
    if (r == 0)
        name = job_name(job, (enum img_format)reply.format);
    if (r < 0 || !name) {
        const struct report_failure failure = {.slug = "failed",
                                               .words = "its worker gave an answer that makes no "
                                                        "sense",
                                               .source_bytes = job->source_bytes,
                                               .worker_pid = worker_pid};
        report_failed(outcome->report, job->shown, &failure);
        return 0;
    }
    const struct commit_request request = {.root = job->root,
                                           .folder = job->folder,
                                           .name = name,
                                           .source_device = job->device,
                                           .source_inode = job->inode,
                                           .source_mode = job->mode,
                                           .data = image.data,
                                           .size_bytes = image.size_bytes};
    const int64_t start_us = clock_us();
    r = commit_file(outcome->commit, &request, &words);
    const int64_t write_us = clock_us() - start_us;
    text_puts(&output, outcome->inputs->roots[job->root].path);
    text_join(&output, job->folder);
    text_join(&output, name);
    const bool again = !last_try && (r == -EMFILE || r == -ENFILE);
    if (r < 0 && !again) {
        report_commit_failure(outcome, job, r, text_string(&words));
    } else if (r == 0) {
        const struct report_thumbnail made = {
            .output = text_string(&output),
            .root = job->root,
            .width_px = reply.width_px,
            .height_px = reply.height_px,
            .size_bytes = image.size_bytes,
            .format = img_format_name((enum img_format)reply.format),
            .source_format = img_format_name((enum img_format)reply.source_format),
            .source_width_px = reply.source_width_px,
            .source_height_px = reply.source_height_px,
            .source_bytes = job->source_bytes,
            .decoder = reply.decoder,
            .worker_pid = worker_pid,
            .read_us = reply.read_us,
            .decode_us = reply.decode_us,
            .resample_us = reply.resample_us,
            .encode_us = reply.encode_us,
            .write_us = write_us < UINT32_MAX ? (uint32_t)write_us : UINT32_MAX};
        report_made(outcome->report, job->shown, &made);
    }
    text_done(&output);
    text_done(&words);
    return again ? -EAGAIN : 0;
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
    if (known == 0 && (r == -EREMOTEIO || r == -ETIME || r == -EOWNERDEAD))
        settle_failure(outcome, job, &error);
    else
        settle_broken_pool(outcome, &error);
    return 0;
}
