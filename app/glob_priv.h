/* glob_priv.h: which files --include and --exclude leave in, by patterns as in .gitignore.
 *
 * A pattern is matched against the path below its PATH:
 *     name        without a slash (but for one at its end): a file or folder of that name anywhere
 *     a/b, /name  with one: the path from the PATH on, as a whole
 *     name/       folders only
 *     *  ?  [a-z] any bytes, one byte, one of a set; never a slash.  [!a] or [^a]: one that is not
 *                 in it.  [[:digit:]] and its like: as in the C locale
 *     **         between slashes, or at an end: any number of folders; elsewhere the same as *
 *     \x          x itself, also where x has a meaning
 *     !pattern    takes back what an earlier pattern said
 * A # has no meaning and blanks at the end are kept: these are words of a command line, not lines
 * of a file. What cannot be understood (a [ that is never closed, a \ at the end) matches nothing.
 * It all works on bytes, whatever they mean.
 *
 * Excludes: the last pattern that matches a file or folder decides about it. What is in an excluded
 * folder is out of reach: the folder is not entered, so no pattern takes its files back in.
 * Includes: with at least one, a file is left out unless the last of them that matches it, or a
 * folder above it, is no "!" pattern. (Folders are entered all the same: nobody can tell whether
 * something in them will match.) Excludes win over includes.
 *
 * Files that are named themselves, on the command line or by --files-from, are asked for more
 * clearly than a pattern could: they are not judged at all, as with ripgrep and fd. Nor is a folder
 * PATH itself, only what is in it. */
#ifndef APP_GLOB_PRIV_H
#define APP_GLOB_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options_priv.h"

struct globs;

enum globs_verdict { GLOBS_LEFT_IN, GLOBS_EXCLUDED, GLOBS_NOT_INCLUDED };

/** Read the patterns, in the order of the command line.
 *  list: borrowed for the call.  ret_globs: owned; NULL if there are none, which lets all in.
 *  Returns 0 or -ENOMEM. */
int globs_create(const struct options_glob *list, size_t count, struct globs **ret_globs);

struct globs *globs_free(struct globs *globs);

/** Judge what is at folder/name below a PATH.
 *  globs: NULL leaves all in.  folder: "" or "a/b".  is_folder: one that is to be entered; it is
 *  never GLOBS_NOT_INCLUDED.  included: of the folder it is in, as it came from here for that one;
 * 0 for a PATH.  ret_included: for what lies below; NULL: not wanted. It takes time in proportion
 * to the length of the patterns times that of the path, at most. */
enum globs_verdict globs_judge(struct globs *globs, const char *folder, const char *name,
                               bool is_folder, size_t included, size_t *ret_included);

/** Few words for why something is left out: static storage; NULL for GLOBS_LEFT_IN. */
const char *globs_why(enum globs_verdict verdict);

/** How many steps all matching has taken so far: a measure that does not depend on the machine. */
uint64_t globs_steps(const struct globs *globs);

#endif
