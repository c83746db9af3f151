/* thumb_check.h: one picture through img_thumbnail(), and what must hold whatever it is. */
#ifndef TESTS_FUZZ_THUMB_CHECK_H
#define TESTS_FUZZ_THUMB_CHECK_H

#include <imaging/imaging.h>

/** Pictures that claim more are refused, so that no execution takes long. */
#define FUZZ_PIXELS_MAX 300000

/** Options of all kinds, as a number chooses; the level is the usual one. */
struct img_options fuzz_options(uint64_t choice);

/** Make the thumbnail at levels of damage that the number chooses. */
void fuzz_thumbnail_check(const uint8_t *data, size_t size, const struct img_options *options,
                          uint64_t choice);

#endif
