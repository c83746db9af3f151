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

/** What came of one picture. */
struct thumb_outcome {
    int code;                /* 0, or the error */
    struct img_error error;  /* where code is not 0 */
    struct img_error damage; /* where code is 0: of struct img_thumbnail */
    struct sample sample;    /* where code is 0; sample_free() */
};

/** Try to make a thumbnail. Checks that failures and labels have words. */
struct thumb_outcome thumb_try(struct bytes file, const struct img_options *options);

/** How many rows of the thumbnail, from the top on, are as in the other, give or take; an alpha
 *  channel that only one has does not count. */
uint32_t thumb_rows_alike(const struct sample *a, const struct sample *b, int tolerance);

/** Milliseconds of processor time used so far. */
long cpu_ms(void);

/** Every cut of the file must fail; step: distance of the cuts. */
void check_all_cuts_fail(struct bytes file, size_t step);

/** The corners' colours, for sample_quarters(): are they upright? */
bool quarters_are_upright(const struct sample *thumb);

#endif
