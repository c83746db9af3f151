/* intake.c: see intake_priv.h. */
#include "intake_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "failures_priv.h"
#include "report_priv.h"
#include "targets_priv.h"

int intake_init(struct intake *intake, const struct options *options, const struct inputs *inputs,
                struct walk *walk, struct outcome *outcome)
{
    intake->options = options;
    intake->inputs = inputs;
    intake->walk = walk;
    intake->outcome = outcome;
    plan_init(&intake->plan);
    intake->unread = calloc(inputs->count + 1, sizeof(*intake->unread));
    return intake->unread ? 0 : -ENOMEM;
}

void intake_done(struct intake *intake)
{
    if (intake->unread) /* else it has met nothing */
        plan_done(&intake->plan);
    text_done(&intake->shown);
    text_done(&intake->source);
    text_done(&intake->words);
    free(intake->unread);
}

/* A file is not tried because of what earlier runs have met: say so. */
static bool is_settled_by_the_past(struct intake *intake, const struct walk_entry *entry)
{
    const char *path = text_string(&intake->shown);
    const struct report_failure failure = {
        .slug = "quarantined",
        .words = "it has taken its workers along too often; --retry-failed tries it all the same",
        .source_bytes = (uint64_t)intake->plan.st.st_size};
    switch (failures_judge(intake->outcome->failures, intake->inputs->list[entry->input].root,
                           text_string(&intake->source), &intake->plan.st)) {
    case FAILURES_QUARANTINED:
        report_failed(intake->outcome->report, path, &failure);
        return true;
    case FAILURES_NOT_LISTED:
        report_skipped(intake->outcome->report, path, "it did not fail last time");
        return true;
    case FAILURES_TRY:
        break;
    }
    return false;
}

/* Remember, or forget, a source that is settled without work. slug: NULL: it did not fail. */
static void remember(struct intake *intake, const struct walk_entry *entry, const char *slug)
{
    const size_t root = intake->inputs->list[entry->input].root;
    const char *source = text_string(&intake->source);
    const int64_t mtime_ns = plan_mtime_ns(&intake->plan);
    const uint64_t size_bytes = (uint64_t)intake->plan.st.st_size;
    if (intake->options->dry_run)
        return;
    if (slug)
        failures_note(intake->outcome->failures, root, source, mtime_ns, size_bytes, slug, 0);
    else
        failures_settle(intake->outcome->failures, root, source, mtime_ns, size_bytes);
}

static void settle_skipped(struct intake *intake, const struct walk_entry *entry, const char *why)
{
    report_skipped(intake->outcome->report, text_string(&intake->shown), why);
    remember(intake, entry, NULL);
}

static void settle_failed(struct intake *intake, const struct walk_entry *entry, const char *slug,
                          const char *words)
{
    const struct report_failure failure = {.slug = slug, .words = words};
    report_failed(intake->outcome->report, text_string(&intake->shown), &failure);
    remember(intake, entry, slug);
}

static void settle_up_to_date(struct intake *intake, const struct walk_entry *entry,
                              const char *output)
{
    const size_t root = intake->inputs->list[entry->input].root;
    text_cut(&intake->words, 0);
    text_puts(&intake->words, intake->inputs->roots[root].path);
    text_join(&intake->words, output);
    report_up_to_date(intake->outcome->report, text_string(&intake->shown),
                      text_string(&intake->words));
    remember(intake, entry, NULL);
}

/* Plan what to do with a file. ret_output: its thumbnail, if that is up to date: then there is no
 * verdict.  Returns as plan_make(). */
static int plan_file(struct intake *intake, const struct walk_entry *entry, const char **ret_output)
{
    struct targets *targets = intake->outcome->targets;
    const bool looks = !intake->options->retry_failed;
    struct plan *plan = &intake->plan;
    int r = plan_begin(plan, entry, intake->inputs, intake->options, text_string(&intake->source));
    if (r == 0)
        r = targets_begin(targets, entry);
    /* What is no picture by its name is opened first: most of it is none. */
    if (r == 0 && looks && plan->may_be_picture)
        r = targets_look(targets, entry, plan, ret_output);
    if (r == 0) {
        r = plan_make(plan, intake->walk, entry, intake->options, false);
        /* Who names a thumbnail, or links to one, wants it. */
        if (r == 0 && plan->verdict == PLAN_TRY && !entry->named && !entry->through_link &&
            targets_is_output(targets, plan)) {
            plan->verdict = PLAN_SKIPPED;
            plan->why = "a thumbnail of a picture of this run";
        }
        if (r == 0 && looks && !plan->may_be_picture && plan->verdict == PLAN_TRY)
            r = targets_look(targets, entry, plan, ret_output);
    }
    if (r > 0)
        walk_mark_tried(intake->walk);
    return r < 0 ? r : 0;
}

/* A file that could be tried: does what is there stand against it? Returns 1 if not, 0 with its
 * outcome, or -ENOMEM. */
static int settle_target(struct intake *intake, const struct walk_entry *entry)
{
    enum target_verdict verdict;
    text_cut(&intake->words, 0);
    int r =
        targets_settle(intake->outcome->targets, entry, &intake->plan, &verdict, &intake->words);
    if (r < 0)
        return r;
    if (verdict == TARGET_KEPT)
        settle_skipped(intake, entry, text_string(&intake->words));
    else if (verdict == TARGET_COLLISION)
        settle_failed(intake, entry, "collision", text_string(&intake->words));
    return verdict == TARGET_MAKE;
}

int intake_consider(struct intake *intake, const struct walk_entry *entry)
{
    const char *output = NULL;
    int r = 0;
    text_cut(&intake->shown, 0);
    text_cut(&intake->source, 0);
    plan_shown(&intake->shown, intake->inputs, entry);
    failures_path(&intake->source, intake->inputs, entry);
    if (text_failed(&intake->shown) || text_failed(&intake->source))
        r = -ENOMEM;
    else if (entry->kind == WALK_FILE)
        r = plan_file(intake, entry, &output);
    if (r == -EAGAIN)
        walk_unget(intake->walk);
    if (r < 0)
        return r;
    report_input(intake->outcome->report);
    if (entry->kind == WALK_SKIPPED) {
        report_skipped(intake->outcome->report, text_string(&intake->shown), entry->why);
    } else if (entry->kind == WALK_FAILED) {
        const struct report_failure failure = {.slug = "unreadable",
                                               .words = strerror(-entry->error)};
        intake->unread[entry->input] = true;
        report_failed(intake->outcome->report, text_string(&intake->shown), &failure);
    } else if (output) {
        settle_up_to_date(intake, entry, output);
    } else if (intake->plan.verdict == PLAN_SKIPPED) {
        settle_skipped(intake, entry, intake->plan.why);
    } else if (intake->plan.verdict == PLAN_FAILED) {
        settle_failed(intake, entry, intake->plan.slug, text_string(&intake->plan.message));
    } else {
        return is_settled_by_the_past(intake, entry) ? 0 : settle_target(intake, entry);
    }
    return 0;
}
