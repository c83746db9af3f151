/* failures.c: see failures_priv.h. */
#include "failures_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "escape_priv.h"
#include "ledger_priv.h"
#include "outdir_priv.h"
#include "plan_priv.h"
#include "signals_priv.h"

struct failures {
    const struct options *options;
    const struct inputs *inputs;
    struct commit *commit;
    struct report *report;
    struct ledger **ledgers; /* by root; owned; NULL: not needed yet */
    bool told;               /* that one cannot be written */
    bool late;               /* the ledger has yet to be told of one that was settled */
};

int failures_create(const struct options *options, const struct inputs *inputs,
                    struct commit *commit, struct report *report, struct failures **ret_failures)
{
    struct failures *failures = calloc(1, sizeof(*failures));
    if (!failures)
        return -ENOMEM;
    failures->options = options;
    failures->inputs = inputs;
    failures->commit = commit;
    failures->report = report;
    failures->ledgers = calloc(inputs->root_count + 1, sizeof(struct ledger *));
    if (!failures->ledgers) {
        free(failures);
        return -ENOMEM;
    }
    *ret_failures = failures;
    return 0;
}

struct failures *failures_free(struct failures *failures)
{
    if (!failures)
        return NULL;
    for (size_t i = 0; i < failures->inputs->root_count; i++)
        ledger_free(failures->ledgers[i]);
    free(failures->ledgers);
    free(failures);
    return NULL;
}

void failures_path(struct text *path, const struct inputs *inputs, const struct walk_entry *entry)
{
    const struct input *input = &inputs->list[entry->input];
    if (!input->real)
        return;
    text_puts(path, input->real);
    text_join(path, entry->folder);
    text_join(path, entry->name);
}

/* Is it below one of the run's PATHs? While the run is being ended, nothing is looked for. */
static bool is_ours(const char *path, void *data)
{
    const struct inputs *inputs = ((const struct failures *)data)->inputs;
    for (size_t i = 0; i < inputs->count && signals_caught() == 0; i++) {
        const char *real = inputs->list[i].real;
        const size_t length = real ? strlen(real) : 0;
        if (length > 0 && strncmp(path, real, length) == 0 &&
            (path[length] == '/' || path[length] == '\0' || length == 1))
            return true;
    }
    return inputs_list_covers(inputs, path);
}

/* The root's ledger, read at its first use; NULL if there is no memory for it. */
static struct ledger *ledger_of(struct failures *failures, size_t root)
{
    if (!failures->ledgers[root]) {
        const int fd = outdirs_open_existing(&failures->inputs->roots[root]);
        if (ledger_open(fd, &failures->ledgers[root]) < 0)
            failures->ledgers[root] = NULL;
        else
            ledger_limit(failures->ledgers[root], is_ours, failures);
        if (fd >= 0)
            close(fd);
    }
    return failures->ledgers[root];
}

/* error: of a write; negative errno. */
static void tell_once(struct failures *failures, size_t root, int error)
{
    const char *path = failures->inputs->roots[root].path;
    struct text words = TEXT_INIT;
    if (error == 0 || failures->told)
        return;
    failures->told = true;
    text_puts(&words, "cannot remember what failed: ");
    escape_name(&words, path, strlen(path));
    text_printf(&words, "/%s: %s", LEDGER_NAME, strerror(-error));
    report_warning(failures->report, text_string(&words));
    text_done(&words);
}

/* The output root, made if it is missing: -1 if it cannot be. Borrowed. */
static int folder_of(struct failures *failures, size_t root)
{
    struct text message = TEXT_INIT;
    int fd = commit_root(failures->commit, root, &message);
    text_done(&message); /* a thumbnail would meet the same trouble, and say so */
    return fd < 0 ? -1 : fd;
}

enum failures_verdict failures_judge(struct failures *failures, size_t root, const char *path,
                                     const struct stat *st)
{
    const struct ledger_source source = {path, plan_time_ns(&st->st_mtim), (uint64_t)st->st_size};
    struct ledger *ledger = path[0] ? ledger_of(failures, root) : NULL;
    if (failures->options->retry_failed)
        return ledger && ledger_lists(ledger, path) ? FAILURES_TRY : FAILURES_NOT_LISTED;
    const struct ledger_entry *entry = ledger ? ledger_find(ledger, &source) : NULL;
    const unsigned deaths = entry ? entry->deaths : 0;
    return deaths + 1 + FAILURES_RETRIES > FAILURES_DEATHS_MAX ? FAILURES_QUARANTINED
                                                               : FAILURES_TRY;
}

void failures_begin(struct failures *failures, size_t root, const char *path, int64_t mtime_ns,
                    uint64_t size_bytes)
{
    const struct ledger_source source = {path, mtime_ns, size_bytes};
    struct ledger *ledger = path[0] ? ledger_of(failures, root) : NULL;
    if (ledger && failures->options->backend != POOL_BACKEND_PROCESS) {
        failures->late = false; /* it is told with this */
        tell_once(failures, root, ledger_begin(ledger, folder_of(failures, root), &source));
    }
}

void failures_note(struct failures *failures, size_t root, const char *path, int64_t mtime_ns,
                   uint64_t size_bytes, const char *slug, unsigned deaths)
{
    const struct ledger_source source = {path, mtime_ns, size_bytes};
    struct ledger *ledger = path[0] ? ledger_of(failures, root) : NULL;
    /* Of a source that could not be looked at, what is known stays. */
    const bool unseen = mtime_ns == 0 && size_bytes == 0;
    if (ledger && !(unseen && ledger_lists(ledger, path)))
        tell_once(failures, root,
                  ledger_fail(ledger, folder_of(failures, root), &source, slug, deaths));
}

void failures_settle(struct failures *failures, size_t root, const char *path, int64_t mtime_ns,
                     uint64_t size_bytes)
{
    const struct ledger_source source = {path, mtime_ns, size_bytes};
    struct ledger *ledger = path[0] ? ledger_of(failures, root) : NULL;
    /* Where one thread does it all, the next thing is most often that another source is begun in
     * the same ledger, or the end: one write has both. When others are settled without work, there
     * may be many, and a kill meanwhile would be laid to this one: so it is written with the next.
     */
    if (ledger && failures->options->backend == POOL_BACKEND_SERIAL &&
        failures->inputs->root_count == 1) {
        const bool later = ledger_settle(ledger, -1, &source) == -ENOENT;
        if (failures->late)
            tell_once(failures, root, ledger_write(ledger, folder_of(failures, root)));
        failures->late = later && !failures->late;
    } else if (ledger &&
               (ledger_knows_any(ledger) || failures->options->backend == POOL_BACKEND_THREAD))
        tell_once(failures, root, ledger_settle(ledger, folder_of(failures, root), &source));
}

void failures_close(struct failures *failures, bool complete)
{
    for (size_t i = 0; i < failures->inputs->root_count; i++) {
        if (!failures->ledgers[i])
            continue;
        /* Not commit_root(), which would make a folder where there is nothing to be written. */
        const int fd = outdirs_open_existing(&failures->inputs->roots[i]);
        const int r = ledger_close(failures->ledgers[i], fd, complete);
        tell_once(failures, i, r == -ENOENT ? 0 : r);
        if (fd >= 0)
            close(fd);
    }
}
