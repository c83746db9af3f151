/* plan.c: see plan_priv.h. */
#include "plan_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "escape_priv.h"

void plan_init(struct plan *plan)
{
    *plan = (struct plan){.fd = -1};
}

static void plan_clear(struct plan *plan)
{
    if (plan->fd >= 0)
        close(plan->fd);
    plan->fd = -1;
    memset(&plan->st, 0, sizeof(plan->st));
    plan->why = NULL;
    plan->slug = NULL;
    plan->format = IMG_FORMAT_UNKNOWN;
    text_cut(&plan->message, 0);
    text_cut(&plan->bad_name, 0);
    text_cut(&plan->names.jpeg, 0);
    text_cut(&plan->names.png, 0);
}

void plan_done(struct plan *plan)
{
    plan_clear(plan);
    text_done(&plan->message);
    text_done(&plan->bad_name);
    text_done(&plan->names.jpeg);
    text_done(&plan->names.png);
}

const char *plan_extension(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && dot != name ? dot + 1 : "";
}

static const char *extension_of(enum img_format format)
{
    return format == IMG_FORMAT_PNG ? ".png" : ".jpg";
}

void plan_name(struct text *text, const char *name, enum img_format format)
{
    text_puts(text, name);
    if (img_format_from_extension(plan_extension(name)) != format)
        text_puts(text, extension_of(format));
}

void plan_shown(struct text *text, const struct inputs *inputs, const struct walk_entry *entry)
{
    text_puts(text, inputs->list[entry->input].path);
    text_join(text, entry->folder);
    text_join(text, entry->name);
}

static int plan_fail(struct plan *plan, const char *slug, const char *message)
{
    plan->verdict = PLAN_FAILED;
    plan->slug = slug;
    text_puts(&plan->message, message);
    return 0;
}

static int plan_skip(struct plan *plan, const char *why)
{
    plan->verdict = PLAN_SKIPPED;
    plan->why = why;
    return 0;
}

/* Has it content, and is that of no kind that is known? Asked of files that do not seem to be
 * pictures, and mostly the only thing that is. What is no regular file cannot be read like this, so
 * nothing is lost in a FIFO that came between. */
static bool is_something_else(int fd)
{
    uint8_t bytes[IMG_PROBE_BYTES];
    const ssize_t got = pread(fd, bytes, sizeof(bytes), 0);
    return got == (ssize_t)sizeof(bytes) &&
           img_format_probe(bytes, (size_t)got) == IMG_FORMAT_UNKNOWN;
}

/* Open the file and make sure that it is one. Returns 1 if there is more to decide, 0 with a
 * verdict, or -EAGAIN. */
static int plan_open(struct plan *plan, const struct walk_entry *entry, bool may_be_picture,
                     bool last_try)
{
    const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    int fd =
        openat(entry->dir_fd, entry->open_name, flags | (entry->through_link ? 0 : O_NOFOLLOW));
    if (fd < 0) {
        const int error = -errno;
        if (walk_error_passes(error) && !last_try)
            return -EAGAIN;
        if (error == -ELOOP && !entry->through_link)
            return plan_skip(plan, "symbolic link");
        if (error == -ENXIO) /* a socket, or a FIFO that nobody holds */
            return plan_skip(plan, "no regular file");
        if (!may_be_picture)
            return plan_skip(plan, "not readable, and no picture by its name");
        return plan_fail(plan, "unreadable", strerror(-error));
    }
    plan->fd = fd;
    if (!may_be_picture && is_something_else(fd))
        return plan_skip(plan, "not a picture");
    if (fstat(fd, &plan->st) < 0) {
        memset(&plan->st, 0, sizeof(plan->st));
        return plan_fail(plan, "unreadable", strerror(errno));
    }
    if (!S_ISREG(plan->st.st_mode))
        return plan_skip(plan, walk_describe_mode(plan->st.st_mode));
    return 1;
}

enum img_format plan_probe(int fd)
{
    uint8_t bytes[IMG_PROBE_BYTES];
    size_t filled = 0;
    while (filled < sizeof(bytes)) {
        ssize_t got = pread(fd, bytes + filled, sizeof(bytes) - filled, (off_t)filled);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        filled += (size_t)got;
    }
    return filled > 0 ? img_format_probe(bytes, filled) : IMG_FORMAT_UNKNOWN;
}

/* Another file of this folder that comes first and is tried wants the same name: x and x.jpg,
 * where x is no JPEG by its extension. Only known here when the format is. */
static int plan_settle_rivals(struct plan *plan, struct walk *walk, const char *name,
                              enum img_format format)
{
    const char *suffix = extension_of(format);
    const size_t length = strlen(name), suffix_length = strlen(suffix);
    if (format == IMG_FORMAT_UNKNOWN || length <= suffix_length ||
        strcmp(name + length - suffix_length, suffix) != 0 ||
        !walk_sibling_tried(walk, name, length - suffix_length))
        return 0;
    struct text rival = TEXT_INIT;
    text_add(&rival, name, length - suffix_length);
    if (img_format_from_extension(plan_extension(text_string(&rival))) != format) {
        plan->verdict = PLAN_FAILED;
        plan->slug = "collision";
        text_puts(&plan->message, "its thumbnail has the same name as that of '");
        escape_name(&plan->message, rival.data, rival.length);
        text_puts(&plan->message, "'");
    }
    int r = text_failed(&rival) ? -ENOMEM : 0;
    text_done(&rival);
    return r;
}

void plan_place(const struct options *options, const struct name_parts *parts,
                enum img_format format, struct text *path, struct text *why)
{
    struct text name = TEXT_INIT;
    if (options->name) {
        name_template_apply(options->name, parts, format, path, why);
        return;
    }
    plan_name(&name, parts->name, format);
    text_puts(path, parts->dir);
    text_join(path, text_string(&name));
    if (text_failed(&name))
        path->failed = true;
    text_done(&name);
}

int plan_begin(struct plan *plan, const struct walk_entry *entry, const struct inputs *inputs,
               const struct options *options, const char *source)
{
    const struct input *input = &inputs->list[entry->input];
    struct text dir = TEXT_INIT;
    plan_clear(plan);
    plan->name = entry->named ? input->base : entry->name;
    plan->may_be_picture =
        entry->named || img_format_from_extension(plan_extension(plan->name)) != IMG_FORMAT_UNKNOWN;
    text_puts(&dir, input->prefix);
    text_join(&dir, entry->folder);
    const struct name_parts parts = {.dir = text_string(&dir),
                                     .name = plan->name,
                                     .source = source,
                                     .box_width_px = options->box_width_px,
                                     .box_height_px = options->box_height_px};
    if (options->format != IMG_FORMAT_PNG)
        plan_place(options, &parts, IMG_FORMAT_JPEG, &plan->names.jpeg, &plan->bad_name);
    if (options->format != IMG_FORMAT_JPEG && plan->bad_name.length == 0)
        plan_place(options, &parts, IMG_FORMAT_PNG, &plan->names.png, &plan->bad_name);
    const bool failed = text_failed(&dir) || text_failed(&plan->names.jpeg) ||
                        text_failed(&plan->names.png) || text_failed(&plan->bad_name);
    text_done(&dir);
    return failed ? -ENOMEM : 0;
}

int plan_make(struct plan *plan, struct walk *walk, const struct walk_entry *entry,
              const struct options *options, bool last_try)
{
    int r = plan_open(plan, entry, plan->may_be_picture, last_try);
    if (r <= 0)
        return r;
    const bool is_empty = !plan->may_be_picture && plan->st.st_size == 0;
    plan->format = is_empty ? IMG_FORMAT_UNKNOWN : plan_probe(plan->fd);
    if (!plan->may_be_picture && plan->format == IMG_FORMAT_UNKNOWN)
        return plan_skip(plan, plan->st.st_size == 0 ? "empty" : "not a picture");
    plan->verdict = PLAN_TRY;
    walk_mark_tried(walk);
    if (plan->bad_name.length > 0)
        plan_fail(plan, "bad-name", text_string(&plan->bad_name));
    else if (!options->name)
        r = plan_settle_rivals(plan, walk, plan->name, options->format);
    else
        r = 0;
    return text_failed(&plan->message) ? -ENOMEM : r < 0 ? r : 0;
}

const char *plan_only_name(const struct plan *plan)
{
    if (plan->names.png.length == 0 || plan->format == IMG_FORMAT_JPEG) /* it has no transparency */
        return plan->names.jpeg.length > 0 ? text_string(&plan->names.jpeg)
                                           : text_string(&plan->names.png);
    return plan->names.jpeg.length == 0 ? text_string(&plan->names.png) : NULL;
}
