/* nearest.c: see nearest_priv.h. */
#include "nearest_priv.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define WORD_MAX 63

/* Shorter ones are parts by chance. */
#define PART_MIN      3
#define WORD_PART_MIN 4

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Optimal string alignment distance, by the usual table of prefixes. */
static unsigned distance(const char *a, const char *b)
{
    unsigned table[WORD_MAX + 1][WORD_MAX + 1];
    const size_t a_length = strnlen(a, WORD_MAX), b_length = strnlen(b, WORD_MAX);
    for (size_t i = 0; i <= a_length; i++) {
        for (size_t j = 0; j <= b_length; j++) {
            if (i == 0 || j == 0) {
                table[i][j] = (unsigned)(i + j);
                continue;
            }
            const unsigned exchange = table[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            unsigned best = least(least(table[i - 1][j], table[i][j - 1]) + 1, exchange);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = least(best, table[i - 2][j - 2] + 1);
            table[i][j] = best;
        }
    }
    return table[a_length][b_length];
}

static size_t common_beginning(const char *a, const char *b)
{
    size_t length = 0;
    while (a[length] && a[length] == b[length])
        length++;
    return length;
}

/* Half of a word of two, or a word with something added, is meant as that word. */
static bool is_part(const char *whole, const char *part, size_t least_length)
{
    return strlen(part) >= least_length && strstr(whole, part);
}

static unsigned slips_between(const char *typed, const char *word)
{
    const unsigned slips = distance(typed, word);
    const bool part = is_part(word, typed, PART_MIN) || is_part(typed, word, WORD_PART_MIN);
    return part ? least(slips, 1) : slips;
}

size_t nearest_word(const char *typed, const char *const *words)
{
    size_t best = 0, best_beginning = 0;
    unsigned best_distance = UINT32_MAX;
    for (size_t i = 0; words[i]; i++) {
        const unsigned slips = slips_between(typed, words[i]);
        const size_t beginning = common_beginning(typed, words[i]);
        if (slips < best_distance || (slips == best_distance && beginning > best_beginning)) {
            best = i;
            best_distance = slips;
            best_beginning = beginning;
        }
    }
    return best;
}
