/* path_list_priv.h: the paths of --files-from, held as the bytes they came in and nothing else.
 *
 * Each path ends in a newline, or with --null in a NUL; the last one need not end. Empty ones are
 * passed over. Nothing else means anything: no quotes, no comments, no blanks at either end. */
#ifndef APP_PATH_LIST_PRIV_H
#define APP_PATH_LIST_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "text_priv.h"

struct path_list;

/** Read a whole list, which may come from a pipe and slowly.
 *  file: "-" is standard input (a file of that name is "./-").
 *  A signal of signals_priv.h that is caught meanwhile ends it: the list is empty then.
 *  ret_list: owned.  reterr_message: on -EINVAL and on what the system says, one line for the user,
 *  safe to show.
 *  Returns 0, -ENOMEM, -EINVAL (a NUL in a list of lines), or the system's word. */
int path_list_read(const char *file, bool null, struct path_list **ret_list,
                   struct text *reterr_message);

struct path_list *path_list_free(struct path_list *list);

/** The next path.
 *  list: NULL is empty.  at: where to look on, 0 in the beginning; it is moved on.
 *  Returns a string, borrowed from the list, or NULL at the end. */
const char *path_list_next(const struct path_list *list, size_t *at);

#endif
