/* thumbs.h: thumbnails as the tests look at them. */
#ifndef TESTS_IMAGING_THUMBS_H
#define TESTS_IMAGING_THUMBS_H

#include <imaging/imaging.h>

#include "samples.h"

/** Options for a square box and a PNG, which shows every pixel as it is. */
struct img_options thumb_options(uint32_t box);

/** Make a thumbnail in a context of its own and decode it; the test ends if that fails. */
struct sample thumb_of(struct bytes file, const struct img_options *options);

/** Only the result: 0 or the error; error may be NULL. Checks that a failure has words. */
int thumb_result(struct bytes file, const struct img_options *options, struct img_error *error);

/** Milliseconds of processor time used so far. */
long cpu_ms(void);

/** Every cut of the file must fail; step: distance of the cuts. */
void check_all_cuts_fail(struct bytes file, size_t step);

/** The corners' colours, for sample_quarters(): are they upright? */
bool quarters_are_upright(const struct sample *thumb);

#endif
