/* album.h: what the tests of the built program have in common: pictures to work on, and looks at
 * what a run said and made. */
#ifndef TESTS_APP_ALBUM_H
#define TESTS_APP_ALBUM_H

#include <stdint.h>

#include "program.h"

/** A time limit, longer where the machine or the build is slow. */
int64_t scaled(int64_t limit_ms);

/** A folder of pictures of several kinds, below "in". */
void make_album(void);

/** So many pictures below "in" that take a decoder a while. */
void make_many_slow(unsigned count);

/** A number of the summary line of a --json run; 0 if it has none of that name. */
double summary_of(const struct program_result *result, const char *key);

/** Wait until a run has put so many thumbnails into "in/thumbs", or for some time. */
void wait_for_thumbs(int least);

/** A string of an event; "" if it has none at that path. */
const char *string_of(const struct json_value *event, const char *path);

/** The slug of a file that failed in a --json run; "" if it did not. */
const char *error_of(const struct program_result *result, const char *path_end);

/** Every file below path is a whole picture, and none is a temporary one.  Returns how many. */
int check_outputs(const char *path);

#endif
