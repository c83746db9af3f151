/* name_template.c: see name_template_priv.h. */
#include "name_template_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "digest_priv.h"
#include "escape_priv.h"
#include "nearest_priv.h"
#include "plan_priv.h"

enum field { FIELD_DIR, FIELD_NAME, FIELD_STEM, FIELD_EXT, FIELD_SIZE, FIELD_HASH };

static const char *const field_names[] = {"dir", "name", "stem", "ext", "size", "hash", NULL};

/* One piece of a template: a field, or bytes that stand for themselves. */
struct piece {
    int field; /* enum field, or -1 */
    const char *bytes;
    size_t size_bytes;
};

static int unknown_field(const char *name, size_t length, struct text *why)
{
    char wanted[64];
    const size_t kept = length < sizeof(wanted) - 1 ? length : sizeof(wanted) - 1;
    memcpy(wanted, name, kept);
    wanted[kept] = '\0';
    text_puts(why, "'{");
    escape_name(why, name, length);
    text_printf(why, "}' is no field; the nearest is '{%s}'",
                field_names[nearest_word(wanted, field_names)]);
    return -EINVAL;
}

/* The field whose "{" is at *at. */
static int read_field(const char **at, struct piece *ret_piece, struct text *why)
{
    const char *name = *at + 1;
    const size_t length = strcspn(name, "{}");
    if (name[length] != '}') {
        text_puts(why, "a '{' has no '}'; '{{' stands for a brace itself");
        return -EINVAL;
    }
    for (int i = 0; field_names[i]; i++) {
        if (strlen(field_names[i]) == length && memcmp(field_names[i], name, length) == 0) {
            *ret_piece = (struct piece){.field = i};
            *at = name + length + 1;
            return 1;
        }
    }
    return unknown_field(name, length, why);
}

/* The next piece. Returns 1, 0 at the end, or -EINVAL with a reason. */
static int next_piece(const char **at, struct piece *ret_piece, struct text *why)
{
    const char *start = *at;
    if (*start == '\0')
        return 0;
    if (*start == '{' && start[1] != '{')
        return read_field(at, ret_piece, why);
    if (*start == '}' && start[1] != '}') {
        text_puts(why, "a '}' has no '{'; '}}' stands for a brace itself");
        return -EINVAL;
    }
    const bool brace = *start == '{' || *start == '}';
    const size_t length = brace ? 1 : strcspn(start, "{}");
    *ret_piece = (struct piece){.field = -1, .bytes = start, .size_bytes = length};
    *at = start + length + brace;
    return 1;
}

/* Append the components of raw that are not empty. */
static int add_components(struct text *path, const char *raw, struct text *why)
{
    const size_t start = path->length;
    for (const char *at = raw; *at;) {
        const size_t length = strcspn(at, "/");
        if (at[0] == '.' && (length == 1 || (length == 2 && at[1] == '.'))) {
            text_printf(why, "'%.*s' is no folder or name below the output folder", (int)length,
                        at);
            return -EINVAL;
        }
        if (length > 0 && path->length > start)
            text_puts(path, "/");
        text_add(path, at, length);
        at += length + (at[length] == '/');
    }
    if (path->length > start)
        return 0;
    text_puts(why, "the name that comes out is empty");
    return -EINVAL;
}

int name_template_check(const char *template, struct text *why)
{
    struct text raw = TEXT_INIT, path = TEXT_INIT;
    struct piece piece;
    int r;
    for (const char *at = template; (r = next_piece(&at, &piece, why)) == 1;) {
        if (piece.field < 0)
            text_add(&raw, piece.bytes, piece.size_bytes);
        else
            text_puts(&raw, "?"); /* something */
    }
    if (r == 0 && text_string(&raw)[0] == '/') {
        text_puts(why, "a path below the output folder is needed, not one from the root folder on");
        r = -EINVAL;
    }
    if (r == 0)
        r = add_components(&path, text_string(&raw), why);
    const size_t length = raw.length;
    if (r == 0 && length > 0 && text_string(&raw)[length - 1] == '/') {
        text_puts(why, "a name is needed after the last slash");
        r = -EINVAL;
    }
    text_done(&raw);
    text_done(&path);
    return r;
}

static int add_field(struct text *raw, enum field field, const struct name_parts *parts,
                     enum img_format format, struct text *why)
{
    const char *extension = plan_extension(parts->name);
    switch (field) {
    case FIELD_DIR:
        text_puts(raw, parts->dir);
        break;
    case FIELD_NAME:
        text_puts(raw, parts->name);
        break;
    case FIELD_STEM:
        text_add(raw, parts->name,
                 extension[0] ? (size_t)(extension - parts->name) - 1 : strlen(parts->name));
        break;
    case FIELD_EXT:
        if (img_format_from_extension(extension) != format)
            extension = format == IMG_FORMAT_PNG ? "png" : "jpg";
        text_puts(raw, extension);
        break;
    case FIELD_SIZE:
        text_printf(raw, "%" PRIu32, parts->box_width_px);
        if (parts->box_height_px != parts->box_width_px)
            text_printf(raw, "x%" PRIu32, parts->box_height_px);
        break;
    case FIELD_HASH:
        if (parts->source[0] == '\0') {
            text_puts(why, "its path from the root folder on, for {hash}, is not known");
            return -EINVAL;
        }
        text_printf(raw, "%016" PRIx64,
                    digest_short(digest_of(parts->source, strlen(parts->source))));
        break;
    }
    return 0;
}

int name_template_apply(const char *template, const struct name_parts *parts,
                        enum img_format format, struct text *path, struct text *why)
{
    struct text raw = TEXT_INIT, folded = TEXT_INIT;
    struct piece piece;
    int r;
    for (const char *at = template; (r = next_piece(&at, &piece, why)) == 1;) {
        if (piece.field < 0)
            text_add(&raw, piece.bytes, piece.size_bytes);
        else if ((r = add_field(&raw, (enum field)piece.field, parts, format, why)) < 0)
            break;
    }
    /* Only what the extension makes a name of is one: "." is not, "..jpg" is. */
    const bool failed = text_failed(&raw);
    if (r == 0) {
        const char *slash = strrchr(text_string(&raw), '/');
        const char *last = slash ? slash + 1 : text_string(&raw);
        if (last[0] != '\0')
            plan_name(&folded, last, format);
        text_cut(&raw, raw.length - strlen(last));
        text_puts(&raw, text_string(&folded));
        r = add_components(path, text_string(&raw), why);
    }
    if (failed || text_failed(&raw) || text_failed(&folded))
        path->failed = true;
    text_done(&raw);
    text_done(&folded);
    return r;
}
