/* word_table.h: how often each word occurs; part of the sample word_count. */
#ifndef SAMPLES_WORD_TABLE_H
#define SAMPLES_WORD_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct word {
    char *text; /* in small letters, without an end mark; NULL: a free slot */
    size_t length;
    uint64_t count, hash;
};

/** A hash table with open addressing. All zeroes is an empty one. */
struct word_table {
    struct word *slots;
    size_t room, used; /* slots; those that hold a word */
    uint64_t total;    /* all counts together */
};

/** A letter of ASCII, or a byte of one that is longer in UTF-8. */
static inline bool is_letter(char c)
{
    const unsigned char byte = (unsigned char)c;
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte >= 0x80;
}

/** So many more of a word.  Returns 0 or -ENOMEM. */
int word_table_add(struct word_table *table, const char *text, size_t length, uint64_t count);

/** All words that begin in text[first] .. text[end - 1]; the last may go on beyond that, and what
 *  goes on from before first is none. So parts of a text give together what the whole gives.
 *  size: of the text.  Returns 0 or -ENOMEM. */
int word_table_count(struct word_table *table, const char *text, size_t size, size_t first,
                     size_t end);

bool word_table_equal(const struct word_table *a, const struct word_table *b);

/** Put the words into order, the most frequent first, equal ones by the alphabet. No word can be
 *  added any more. */
void word_table_sort(struct word_table *table);

void word_table_done(struct word_table *table);

#endif
