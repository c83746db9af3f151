/* targets.c: see targets_priv.h. */
#include "targets_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "claims_priv.h"
#include "escape_priv.h"
#include "stamp_priv.h"

/* The clock that stamps files ticks at least every 10 ms. */
#define SETTLE_NS       5000000
#define SETTLE_ATTEMPTS 4

#define HAS_NAME "a file has the name already"

struct targets {
    const struct options *options;
    const struct inputs *inputs;
    struct commit *commit;
    struct origins *origins;
    struct claims claims;
    bool claims_needed;
    struct origin own;         /* of the file that was begun with */
    size_t root;               /* its output root */
    struct text folder, stamp; /* reused */
    uint8_t buffer[IMG_NOTE_PROBE_BYTES];
};

int targets_create(const struct options *options, const struct inputs *inputs,
                   struct commit *commit, struct targets **ret_targets)
{
    struct targets *targets = calloc(1, sizeof(*targets));
    if (!targets)
        return -ENOMEM;
    targets->options = options;
    targets->inputs = inputs;
    targets->commit = commit;
    targets->claims_needed = options->name || options->files_from || options->path_count > 1;
    int r = origins_create(inputs, stamp_settings(options), &targets->origins);
    if (r < 0) {
        targets_free(targets);
        return r;
    }
    *ret_targets = targets;
    return 0;
}

struct targets *targets_free(struct targets *targets)
{
    if (!targets)
        return NULL;
    origins_free(targets->origins);
    claims_done(&targets->claims);
    text_done(&targets->folder);
    text_done(&targets->stamp);
    free(targets);
    return NULL;
}

struct origins *targets_origins(struct targets *targets)
{
    return targets->origins;
}

const char *target_split(const char *path, struct text *folder)
{
    const char *slash = strrchr(path, '/');
    text_cut(folder, 0);
    if (slash)
        text_add(folder, path, (size_t)(slash - path));
    return slash ? slash + 1 : path;
}

static bool in_thumbs(const struct targets *targets, size_t root)
{
    return targets->inputs->roots[root].parent_path != NULL;
}

int targets_begin(struct targets *targets, const struct walk_entry *entry)
{
    struct stat st;
    int r = 0;
    /* What a link leads to may lie anywhere, in an output folder too, and stays whatever becomes of
     * it as a source: made, up to date or skipped. */
    if (entry->through_link && !entry->named &&
        fstatat(entry->dir_fd, entry->open_name, &st, 0) == 0)
        r = commit_protect(targets->commit, &st);
    if (r < 0)
        return r;
    targets->root = targets->inputs->list[entry->input].root;
    return origins_of(targets->origins, entry, &targets->own);
}

const char *targets_origin(const struct targets *targets)
{
    return targets->own.folder;
}

const char *targets_stamp(struct targets *targets, const struct plan *plan)
{
    stamp_set_state(&targets->own.stamp, &plan->st);
    text_cut(&targets->stamp, 0);
    stamp_write(&targets->stamp, &targets->own.stamp);
    return text_failed(&targets->stamp) ? NULL : text_string(&targets->stamp);
}

/* ---- Looks --------------------------------------------------------------------------------- */

/* The file of that name, if there is one that can be read. Returns a descriptor, or a negative
 * errno value. */
static int open_target(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Is the thumbnail of that path up to date? Then no other source gets its name. */
static int look_at(struct targets *targets, const char *path)
{
    enum img_format format;
    struct stamp found;
    struct stat st;
    const char *name = target_split(path, &targets->folder);
    if (text_failed(&targets->folder))
        return -ENOMEM;
    int dir_fd = commit_find(targets->commit, targets->root, text_string(&targets->folder),
                             !targets->options->dry_run);
    int fd = dir_fd < 0 ? dir_fd : open_target(dir_fd, name);
    if (fd < 0)
        return 0;
    int r = 0;
    struct text other = TEXT_INIT;
    if (stamp_read(fd, targets->buffer, &found, &format) == 0 &&
        origins_relate(targets->origins, &targets->own, in_thumbs(targets, targets->root), &found,
                       &other) == RELATION_SAME_STATE &&
        fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && stamp_is_whole(fd, &st, format))
        r = commit_keep(targets->commit, &st) < 0 ? -ENOMEM : 1;
    text_done(&other);
    close(fd);
    return r;
}

/* Has a source of this run claimed the name? */
static int is_claimed(const struct targets *targets, const char *path)
{
    return targets->claims_needed ? claims_has(&targets->claims, targets->root, path) : 0;
}

int targets_look(struct targets *targets, const struct walk_entry *entry, const struct plan *plan,
                 const char **ret_output)
{
    const struct text *const paths[] = {&plan->names.jpeg, &plan->names.png};
    struct stat st;
    if (targets->options->overwrite == OVERWRITE_ALWAYS || plan->bad_name.length > 0)
        return 0;
    if (plan->fd >= 0)
        st = plan->st;
    else if (fstatat(entry->dir_fd, entry->open_name, &st,
                     entry->through_link ? 0 : AT_SYMLINK_NOFOLLOW) < 0 ||
             !S_ISREG(st.st_mode))
        return 0;
    stamp_set_state(&targets->own.stamp, &st);
    for (size_t i = 0; i < 2; i++) {
        int r = paths[i]->length > 0 ? is_claimed(targets, text_string(paths[i])) : 1;
        if (r == 0)
            r = look_at(targets, text_string(paths[i]));
        else if (r > 0) /* what is there may have been made a moment ago, or not yet */
            continue;
        if (r > 0 && targets->claims_needed)
            r = claims_add(&targets->claims, targets->root, text_string(paths[i])) < 0 ? -ENOMEM
                                                                                       : 1;
        if (r != 0) {
            *ret_output = text_string(paths[i]);
            return r;
        }
    }
    return 0;
}

/* ---- What may be replaced ------------------------------------------------------------------ */

static void say_of_another(const char *other, struct text *reason)
{
    text_puts(reason, "it is the thumbnail of '");
    escape_name(reason, other, strlen(other));
    text_puts(reason, "', which is still there");
}

/* The stamp of what has the name of a target. Returns 0; -ENOENT: there is nothing, or an empty
 * file, as a power failure leaves, which nobody misses; a lack of descriptors, in which case who
 * asks comes again; or -ENOMSG: it is somebody else's. */
static int read_target(struct targets *targets, int dir_fd, const char *name,
                       struct stamp *ret_stamp)
{
    enum img_format format;
    struct stat st;
    int fd = open_target(dir_fd, name);
    if (fd < 0)
        return fd == -ENOENT || walk_error_passes(fd) ? fd : -ENOMSG;
    int r = stamp_read(fd, targets->buffer, ret_stamp, &format);
    if (r < 0)
        r = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0 ? -ENOENT : -ENOMSG;
    close(fd);
    return r;
}

/* --overwrite=changed: is what has that stamp the source's own, or that of a source which is no
 * more? Returns 0 or -EEXIST. */
static int judge_stamp(struct targets *targets, const struct origin *own, size_t root,
                       const struct stamp *found, struct text *reason)
{
    static const char remedy[] = "; --overwrite=always replaces it";
    struct text other = TEXT_INIT;
    int r = 0;
    switch (origins_relate(targets->origins, own, in_thumbs(targets, root), found, &other)) {
    case RELATION_SAME_STATE:
    case RELATION_SAME_SOURCE:
    case RELATION_GONE:
        break;
    case RELATION_THERE:
        say_of_another(text_string(&other), reason);
        text_puts(reason, remedy);
        r = -EEXIST;
        break;
    case RELATION_UNKNOWN:
        text_printf(reason, "it is the thumbnail of a picture in another folder%s", remedy);
        r = -EEXIST;
        break;
    }
    text_done(&other);
    return r;
}

/* What has the name of a target: may it be replaced? As for struct commit_request. */
static int judge(struct targets *targets, const struct origin *own, size_t root, int dir_fd,
                 const char *name, struct text *reason)
{
    struct stamp found;
    if (targets->options->overwrite == OVERWRITE_NEVER) {
        text_puts(reason, HAS_NAME);
        return -EALREADY;
    }
    int r = read_target(targets, dir_fd, name, &found);
    if (r == -ENOENT)
        return 0;
    if (r == -ENOMSG) {
        text_puts(reason, "a file that is no thumbnail of thumbpool's has the name: it may be a "
                          "photo, and stays");
        return -EEXIST;
    }
    if (r < 0) {
        text_puts(reason, strerror(-r));
        return r;
    }
    return targets->options->overwrite == OVERWRITE_ALWAYS
               ? 0
               : judge_stamp(targets, own, root, &found, reason);
}

/* The source that a job is for. Returns 0 or -ENOMSG. */
static int own_of_job(const struct job *job, struct origin *ret_own)
{
    ret_own->folder = job->origin;
    return stamp_parse(job->note, strlen(job->note), &ret_own->stamp);
}

int targets_may_replace(void *guard, int dir_fd, const char *name, struct text *reason)
{
    struct targets *targets = ((const struct target_guard *)guard)->targets;
    const struct job *job = ((const struct target_guard *)guard)->job;
    struct origin own;
    if (job->note[0] == '\0')
        return 0;
    if (own_of_job(job, &own) < 0) {
        text_puts(reason, HAS_NAME);
        return -EEXIST;
    }
    return judge(targets, &own, job->root, dir_fd, name, reason);
}

/* Is what has the name a thumbnail of that very source? */
static bool is_of(struct targets *targets, const struct origin *own, size_t root, int dir_fd,
                  const char *name)
{
    struct stamp found;
    struct text other = TEXT_INIT;
    if (read_target(targets, dir_fd, name, &found) < 0)
        return false;
    const enum relation relation =
        origins_relate(targets->origins, own, in_thumbs(targets, root), &found, &other);
    text_done(&other);
    return relation == RELATION_SAME_STATE || relation == RELATION_SAME_SOURCE;
}

bool targets_is_own(void *guard, int dir_fd, const char *name)
{
    struct targets *targets = ((const struct target_guard *)guard)->targets;
    const struct job *job = ((const struct target_guard *)guard)->job;
    struct origin own;
    return own_of_job(job, &own) == 0 && is_of(targets, &own, job->root, dir_fd, name);
}

bool targets_is_output(struct targets *targets, const struct plan *plan)
{
    enum img_format format;
    struct stamp found;
    return (plan->format == IMG_FORMAT_JPEG || plan->format == IMG_FORMAT_PNG) &&
           stamp_read(plan->fd, targets->buffer, &found, &format) == 0 &&
           (found.root == targets->own.stamp.root || origins_knows(targets->origins, found.root));
}

static bool own_is_own(void *data, int dir_fd, const char *name)
{
    struct targets *targets = data;
    return is_of(targets, &targets->own, targets->root, dir_fd, name);
}

static int own_may_replace(void *data, int dir_fd, const char *name, struct text *reason)
{
    struct targets *targets = data;
    return judge(targets, &targets->own, targets->root, dir_fd, name, reason);
}

static void say_output(const struct targets *targets, const char *path, const char *words,
                       struct text *line)
{
    struct text output = TEXT_INIT;
    text_puts(&output, targets->inputs->roots[targets->root].path);
    text_join(&output, path);
    escape_name(line, text_string(&output), output.length);
    text_printf(line, ": %s", words);
    if (text_failed(&output))
        line->failed = true;
    text_done(&output);
}

/* --overwrite=never: whatever has the name stays, but that two sources of this run meet is told as
 * ever. Returns 0 or -EALREADY. */
static int keep_any(struct targets *targets, const char *path, struct text *words)
{
    struct stat st;
    const char *name = target_split(path, &targets->folder);
    int dir_fd = commit_find(targets->commit, targets->root, text_string(&targets->folder),
                             !targets->options->dry_run);
    if (dir_fd < 0 || fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        commit_has(targets->commit, &st))
        return 0;
    say_output(targets, path, HAS_NAME, words);
    return -EALREADY;
}

/* What is known already of one name that the thumbnail may get. Returns 0, or -EEXIST or -EALREADY
 * with a reason. */
static int check_name(struct targets *targets, const struct plan *plan, const char *path,
                      struct text *words)
{
    const char *name = target_split(path, &targets->folder);
    const struct commit_request request = {.root = targets->root,
                                           .folder = text_string(&targets->folder),
                                           .name = name,
                                           .source_device = plan->st.st_dev,
                                           .source_inode = plan->st.st_ino,
                                           .may_replace = own_may_replace,
                                           .is_own = own_is_own,
                                           .callback_data = targets};
    if (text_failed(&targets->folder))
        return -ENOMEM;
    return commit_check(targets->commit, &request, !targets->options->dry_run, words);
}

/* The same of all names. A collision of one of two names is left to the thumbnail itself. */
static int check_names(struct targets *targets, const struct plan *plan, struct text *words)
{
    const struct text *const paths[] = {&plan->names.jpeg, &plan->names.png};
    const char *only = plan_only_name(plan);
    int r = 0;
    switch (targets->options->overwrite) {
    case OVERWRITE_CHANGED:
    case OVERWRITE_ALWAYS:
        r = only ? check_name(targets, plan, only, words) : 0;
        break;
    case OVERWRITE_NEVER:
        for (size_t i = 0; i < 2 && r == 0; i++)
            if (only ? only == paths[i]->data : paths[i]->length > 0)
                r = keep_any(targets, paths[i]->data, words);
        break;
    }
    return r;
}

int targets_settle(struct targets *targets, const struct walk_entry *entry, const struct plan *plan,
                   enum target_verdict *ret_verdict, struct text *words)
{
    const char *only = plan_only_name(plan);
    enum target_verdict verdict = TARGET_MAKE;
    int r = 0;
    /* It may lead elsewhere than a moment ago. */
    if (entry->through_link && !entry->named)
        r = commit_protect(targets->commit, &plan->st);
    stamp_set_state(&targets->own.stamp, &plan->st);
    if (r == 0 && only)
        r = is_claimed(targets, only);
    if (r > 0) {
        say_output(targets, only, "the thumbnail of another source of this run has the name",
                   words);
        r = -EEXIST;
    }
    if (r == 0)
        r = check_names(targets, plan, words);
    /* Not before: who cannot have the name does not keep it from its owner. */
    if (r == 0 && only && targets->claims_needed)
        r = claims_add(&targets->claims, targets->root, only);
    if (r == -EEXIST)
        verdict = TARGET_COLLISION;
    else if (r == -EALREADY)
        verdict = TARGET_KEPT;
    else if (r < 0)
        return r;
    *ret_verdict = verdict;
    return text_failed(words) ? -ENOMEM : 0;
}

/* ---- Handing out --------------------------------------------------------------------------- */

/* A source whose time of change is the clock's present tick could change again within it. One from
 * the future, or of a file system with coarse times, is not waited for. */
static void set_settled_state(struct stamp *stamp, const struct stat *st)
{
    const struct timespec moment = {.tv_nsec = SETTLE_NS};
    struct timespec now;
    stamp_set_state(stamp, st);
    for (int i = 0; i < SETTLE_ATTEMPTS && !stamp->settled && st->st_mtim.tv_nsec != 0; i++) {
        if (clock_gettime(CLOCK_REALTIME, &now) < 0 || st->st_mtim.tv_sec > now.tv_sec ||
            (st->st_mtim.tv_sec == now.tv_sec && st->st_mtim.tv_nsec > now.tv_nsec))
            return;
        nanosleep(&moment, NULL);
        stamp_set_state(stamp, st);
    }
}

void targets_hand_out(struct job *job)
{
    struct text line = TEXT_INIT;
    struct stamp stamp;
    struct stat st;
    if (fstat(job->fd, &st) < 0 || stamp_parse(job->note, strlen(job->note), &stamp) < 0)
        return; /* as it was */
    set_settled_state(&stamp, &st);
    stamp_write(&line, &stamp);
    if (text_failed(&line)) {
        text_done(&line);
        return; /* if it has changed, the worker will refuse it */
    }
    free(job->note);
    job->note = line.data;
    job->mtime = st.st_mtim;
    job->mtime_ns = plan_time_ns(&st.st_mtim);
    job->source_bytes = (uint64_t)st.st_size;
}
