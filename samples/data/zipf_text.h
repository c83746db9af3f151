/* zipf_text.h: a large text to count; part of the sample word_count. */
#ifndef SAMPLES_ZIPF_TEXT_H
#define SAMPLES_ZIPF_TEXT_H

#include <stddef.h>

/** A file of at least so many bytes, always the same ones, written with few words often and many
 *  rarely: as in a natural language, the n-th most frequent word occurs about 1/n times as often as
 *  the first (Zipf's law). It lies in TMPDIR, or /tmp, and has no name any more, so that nothing is
 *  left however the program ends.
 *  Returns its descriptor, which the caller closes, or a negative errno value. */
int zipf_text_make(size_t size_bytes);

#endif
