/* one.c: see one_priv.h.
 *
 * It is a run with one file, of the same parts: its worker is confined and limited like any other,
 * the thumbnail goes to its place by commit, and the report tells what became of it. OUTPUT's
 * folder is the output root, and OUTPUT's name stands for both names that a thumbnail may get. What
 * differs: nothing is walked, the folder is never made, and no ledger remembers a failure there. */
#include "one_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <imaging/imaging.h>
#include <pool/pool.h>

#include "console_priv.h"
#include "escape_priv.h"
#include "failures_priv.h"
#include "inode_set_priv.h"
#include "inputs_priv.h"
#include "jobs_priv.h"
#include "lanes_priv.h"
#include "outcome_priv.h"
#include "plan_priv.h"
#include "report_priv.h"
#include "run_priv.h"
#include "signals_priv.h"
#include "thumb_task_priv.h"
#include "walk_priv.h"

#define TICK_MS 100

struct one {
    struct options options; /* those of a run with this one PATH; owns nothing */
    const char *input;
    const char *output;
    char *folder; /* owned: of OUTPUT */
    char *name;   /* owned: of OUTPUT in it */
    struct inputs *inputs;
    struct inode_set read_folders; /* none */
    struct inode_set output_roots;
    struct report *report;
    struct outcome outcome;
    struct lanes *lanes;
    struct thumb_request request;
    struct job job; /* its strings are others' */
    bool fatal;
};

/* ---- The command line ---------------------------------------------------------------------- */

static const char *name_in(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* OUTPUT's name says the format. What is no picture's extension, or none, says PNG: desktops ask
 * for thumbnails by such names. A format that is not written would be a lie. */
static int format_by_name(const char *output, enum img_format *ret_format, struct text *message)
{
    const char *extension = plan_extension(name_in(output));
    const enum img_format format = img_format_from_extension(extension);
    if (format != IMG_FORMAT_UNKNOWN && format != IMG_FORMAT_JPEG && format != IMG_FORMAT_PNG) {
        text_puts(message, "one: cannot write '.");
        escape_name(message, extension, strlen(extension));
        text_puts(message, "'; name OUTPUT .jpg or .png, or say --format");
        return -EINVAL;
    }
    *ret_format = format == IMG_FORMAT_UNKNOWN ? IMG_FORMAT_PNG : format;
    return 0;
}

int one_settle_options(struct options *options, struct text *reterr_message)
{
    if (options->path_count != 2) {
        text_printf(reterr_message,
                    "one: INPUT and OUTPUT are needed, not %zu word%s; a folder called one is "
                    "given as ./one",
                    options->path_count, options->path_count == 1 ? "" : "s");
        return -EINVAL;
    }
    const char *name = name_in(options->paths[1]);
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        text_puts(reterr_message, "one: OUTPUT is a file's name, not a folder's: '");
        escape_name(reterr_message, options->paths[1], strlen(options->paths[1]));
        text_puts(reterr_message, "'");
        return -EINVAL;
    }
    options->overwrite = OVERWRITE_ALWAYS;
    options->jobs = 1;
    if (options->format == ONE_FORMAT_BY_NAME)
        return format_by_name(options->paths[1], &options->format, reterr_message);
    return 0;
}

/* ---- The work ------------------------------------------------------------------------------ */

/* folder: NULL where it is not about OUTPUT's. */
static void one_fatal(struct one *one, const char *what, const char *folder, int error)
{
    struct text words = TEXT_INIT;
    text_puts(&words, what);
    if (folder)
        escape_name(&words, folder, strlen(folder));
    text_printf(&words, ": %s", strerror(-error));
    report_fatal(one->report, text_string(&words));
    text_done(&words);
    one->fatal = true;
}

static void one_failed(struct one *one, const char *slug, const char *words)
{
    const struct report_failure failure = {
        .slug = slug, .words = words, .source_bytes = one->job.source_bytes};
    report_failed(one->report, one->input, &failure);
}

/* May OUTPUT be made, as far as that shows without trying? Otherwise that has been said. */
static bool output_is_possible(struct one *one)
{
    struct stat st;
    struct text words = TEXT_INIT;
    if (stat(one->folder, &st) < 0) {
        one_fatal(one, "the folder of OUTPUT, ", one->folder, -errno);
        return false;
    }
    if (!S_ISDIR(st.st_mode)) {
        one_fatal(one, "the folder of OUTPUT, ", one->folder, -ENOTDIR);
        return false;
    }
    /* A link is not followed: it may lead to a source. Nor is it replaced: somebody set it. */
    if (lstat(one->output, &st) < 0 || !S_ISLNK(st.st_mode))
        return true;
    escape_name(&words, one->output, strlen(one->output));
    text_puts(&words, ": there is a symbolic link of that name");
    one_failed(one, "collision", text_string(&words));
    text_done(&words);
    return false;
}

/* Open INPUT. Returns false when that cannot be, and has been said. */
static bool open_input(struct one *one)
{
    struct stat st;
    struct text words = TEXT_INIT;
    one->job.fd = open(one->input, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (one->job.fd < 0 || fstat(one->job.fd, &st) < 0) {
        one_failed(one, "unreadable", strerror(errno));
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        text_printf(&words, "not a file: %s", walk_describe_mode(st.st_mode));
        one_failed(one, "unreadable", text_string(&words));
        text_done(&words);
        return false;
    }
    one->job.device = st.st_dev;
    one->job.inode = st.st_ino;
    one->job.mode = st.st_mode;
    one->job.group = st.st_gid;
    one->job.source_bytes = (uint64_t)st.st_size;
    one->job.mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    return true;
}

/* Hand the file to the lane for its content. Returns the future in the job, or a negative errno. */
static int submit(struct one *one, struct pool **ret_pool)
{
    struct pool_submit_options options = POOL_SUBMIT_INIT;
    const struct pool_bytes field = {&one->request, sizeof(one->request)};
    struct pool_item item = {
        .fields = &field, .field_count = 1, .fds = &one->job.fd, .fd_count = 1};
    const enum lane lane = lanes_of(one->lanes, plan_probe(one->job.fd));
    options.deadline_ms = one->options.timeout_ms;
    options.retries = FAILURES_RETRIES;
    int r = lanes_pool(one->lanes, lane, ret_pool);
    if (r == 0)
        r = pool_submit(*ret_pool, THUMB_TASK, &item, &options, &one->job.future);
    if (r == 0)
        one->job.fd = -1; /* the pool takes it */
    return r;
}

static void work(struct one *one)
{
    struct pool *pool = NULL;
    struct pool_error error;
    int r = lanes_create(&one->options, &one->lanes);
    if (r == 0)
        r = submit(one, &pool);
    if (r < 0) {
        one_fatal(one, "cannot start a worker", NULL, r);
        return;
    }
    do
        r = pool_future_result(one->job.future, TICK_MS, NULL);
    while (r == -ETIMEDOUT && signals_caught() == 0);
    if (signals_caught() != 0)
        lanes_terminate(one->lanes);
    else if (r < 0 && pool_broken(pool, &error) == 1) /* no fault of the file's */
        outcome_break(&one->outcome, &error);
    else
        outcome_settle(&one->outcome, &one->job, true);
}

/* ---- Before and after ---------------------------------------------------------------------- */

static int one_prepare(struct one *one, const struct options *options, struct text *message)
{
    one->options = *options;
    one->options.paths = &one->input;
    one->options.path_count = 1;
    one->options.progress = WHEN_NEVER;
    one->options.quiet = true; /* the exit code says it all */
    one->input = options->paths[0];
    one->output = options->paths[1];
    const char *name = name_in(one->output);
    const size_t length = (size_t)(name - one->output);
    one->folder = length > 0 ? strndup(one->output, length) : strdup(".");
    one->name = strdup(name);
    if (!one->folder || !one->name)
        return -ENOMEM;
    one->options.output = one->folder;
    int r = inputs_create(&one->options, &one->inputs, message);
    if (r == 0)
        r = report_create(&one->options, one->inputs, &one->report);
    if (r == 0)
        r = outcome_init(&one->outcome, &one->options, one->inputs, &one->read_folders,
                         &one->output_roots, one->report);
    static char none[] = "";
    one->request = run_request(&one->options);
    one->outcome.request = &one->request;
    one->job = (struct job){.shown = one->inputs ? one->inputs->list[0].path : NULL,
                            .jpeg_path = one->name,
                            .png_path = one->name,
                            .source = none, /* so that no ledger has it */
                            .origin = none,
                            .note = none, /* it is the user's, and no run's to replace */
                            .fd = -1};
    return r;
}

static void one_done(struct one *one)
{
    if (one->job.fd >= 0)
        close(one->job.fd);
    pool_future_free(one->job.future);
    lanes_free(one->lanes);
    outcome_done(&one->outcome);
    report_free(one->report);
    inode_set_done(&one->read_folders);
    inode_set_done(&one->output_roots);
    inputs_free(one->inputs);
    free(one->folder);
    free(one->name);
}

static int exit_code_of(const struct one *one, int signal_number)
{
    const int out_error = report_output_error(one->report);
    if (signal_number)
        return EXIT_SIGNAL_BASE + signal_number;
    if (one->fatal || one->outcome.fatal)
        return EXIT_CANNOT_GO_ON;
    if (out_error == -EPIPE)
        return EXIT_SIGNAL_BASE + SIGPIPE;
    if (out_error < 0)
        return EXIT_CANNOT_GO_ON;
    return report_counts(one->report)->made == 1 ? 0 : EXIT_SOME_FAILED;
}

int one_make(const struct options *options)
{
    struct one one = {.job = {.fd = -1}};
    struct text message = TEXT_INIT;
    int exit_code = EXIT_CANNOT_GO_ON;
    int r = one_prepare(&one, options, &message);
    if (r < 0) {
        console_complain(strerror(-r));
        goto out;
    }
    report_start(one.report, 1, NULL);
    report_input(one.report);
    if (output_is_possible(&one) && open_input(&one))
        work(&one);
    const int signal_number = signals_caught();
    report_summary(one.report, signal_number, -1);
    exit_code = exit_code_of(&one, signal_number);
    const int out_error = report_output_error(one.report);
    if (out_error < 0 && out_error != -EPIPE && out_error != -EINTR)
        one_fatal(&one, "cannot write to standard output", NULL, out_error);
out:
    one_done(&one);
    text_done(&message);
    return exit_code;
}
