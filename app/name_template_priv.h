/* name_template_priv.h: --name: where a thumbnail lies below its output root.
 *
 * A template is a path with fields in braces; "{{" and "}}" stand for a brace. Slashes, also those
 * that a field brings, make folders; empty components vanish.
 *
 *   {dir}   the source's folder below its PATH, with the folder that several PATHs each have
 *   {name}  the source's name
 *   {stem}  the same without its extension
 *   {ext}   the source's extension if it says the thumbnail's format, else jpg or png; no dot
 *   {size}  the box: 256, or 100x75
 *   {hash}  the first 16 hexadecimal digits of the SHA-256 of the source's path from the root
 *           folder on
 *
 * What comes out gets the thumbnail's extension if it does not end in one. */
#ifndef APP_NAME_TEMPLATE_PRIV_H
#define APP_NAME_TEMPLATE_PRIV_H

#include <stdint.h>

#include <imaging/imaging.h>

#include "text_priv.h"

/** What the fields are made of; borrowed. */
struct name_parts {
    const char *dir; /* may be empty */
    const char *name;
    const char *source; /* from the root folder on; empty: not known */
    uint32_t box_width_px;
    uint32_t box_height_px;
};

/** Can anything come of it?  why: on failure words for the user, safe to show.
 *  Returns 0, or -EINVAL: an unknown field, a brace too many, or what it always gives is absolute,
 *  leads out of the output root, or has no name at its end. */
int name_template_check(const char *template, struct text *why);

/** Append the path of a thumbnail in that format (JPEG or PNG).
 *  template: checked.  why: on failure words for the user, safe to show.
 *  Returns 0, or -EINVAL if nothing, or what is not below the output root, comes out. */
int name_template_apply(const char *template, const struct name_parts *parts,
                        enum img_format format, struct text *path, struct text *why);

#endif
