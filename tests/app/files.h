/* files.h: what the tests of the program do with files. Every function fails the running test when
 * something goes wrong, so there is nothing to check for the caller. */
#ifndef TESTS_APP_FILES_H
#define TESTS_APP_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A path below test_scratch(), as printf would make it. Valid until the test ends. */
char *scratch(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Remember memory until the test program ends; returns it. */
void *keep(void *memory);

void make_folder(const char *path); /* with its parents */
void write_file(const char *path, const void *data, size_t size_bytes);
void write_text(const char *path, const char *text);

/** The whole file, terminated; valid until the test ends. */
char *read_file(const char *path, size_t *ret_size_bytes);
bool file_exists(const char *path); /* a dangling link exists too */
bool same_files(const char *left, const char *right);

/** The number of entries in a folder, hidden ones too; -1 if there is none. */
int count_entries(const char *path);

/** A fingerprint of everything below path: names, types, modes, sizes, times of change, contents.
 *  but_not: a name directly in path that is left out; NULL: none. */
uint64_t tree_hash(const char *path, const char *but_not);

/** The names below path with their contents only, so that two trees can be compared. */
uint64_t tree_contents_hash(const char *path);

#endif
