/* nearest_priv.h: "did you mean": the word that is the fewest slips of typing away. */
#ifndef APP_NEAREST_PRIV_H
#define APP_NEAREST_PRIV_H

#include <stddef.h>

/** The index of the word nearest to typed: letters inserted, dropped, exchanged or swapped with
 *  their neighbour count one each, and so does all that a word and its part differ in (depth,
 *  max-depth); of equals, the one with the longest common beginning.
 *  words: at least one, then NULL. Only the first 63 bytes of each count. */
size_t nearest_word(const char *typed, const char *const *words);

#endif
