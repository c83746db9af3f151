#include "word_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 1024 }; /* a power of two, as are all that follow */

static char lower(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return c;
}

static bool is_same(const struct word *word, const char *text, size_t length)
{
    if (word->length != length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (word->text[i] != lower(text[i]))
            return false;
    return true;
}

/* The word's slot, or the free one where it belongs. */
static struct word *find(const struct word_table *table, uint64_t hash, const char *text,
                         size_t length)
{
    size_t at = hash & (table->room - 1);
    while (table->slots[at].text &&
           (table->slots[at].hash != hash || !is_same(&table->slots[at], text, length)))
        at = (at + 1) & (table->room - 1);
    return &table->slots[at];
}

static int grow(struct word_table *table)
{
    struct word_table grown = {.room = table->room ? 2 * table->room : ROOM_FIRST};
    grown.slots = calloc(grown.room, sizeof(grown.slots[0]));
    if (!grown.slots)
        return -ENOMEM;
    for (size_t i = 0; i < table->room; i++) {
        const struct word *word = &table->slots[i];
        if (word->text)
            *find(&grown, word->hash, word->text, word->length) = *word;
    }
    free(table->slots);
    table->slots = grown.slots;
    table->room = grown.room;
    return 0;
}

int word_table_add(struct word_table *table, const char *text, size_t length, uint64_t count)
{
    uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */
    if (2 * table->used >= table->room && grow(table) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)lower(text[i])) * 0x100000001b3;
    hash ^= hash >> 32;
    struct word *word = find(table, hash, text, length);
    if (!word->text) {
        char *copy = malloc(length + 1);
        if (!copy)
            return -ENOMEM;
        for (size_t i = 0; i < length; i++)
            copy[i] = lower(text[i]);
        *word = (struct word){.text = copy, .length = length, .hash = hash};
        table->used++;
    }
    word->count += count;
    table->total += count;
    return 0;
}

int word_table_count(struct word_table *table, const char *text, size_t size, size_t first,
                     size_t end)
{
    size_t at = first;
    if (at > 0 && is_letter(text[at - 1])) /* this word is the part's before */
        while (at < end && is_letter(text[at]))
            at++;
    while (at < end) {
        const size_t start = at;
        while (at < size && is_letter(text[at]))
            at++;
        if (at > start && word_table_add(table, text + start, at - start, 1) < 0)
            return -ENOMEM;
        at++;
    }
    return 0;
}

bool word_table_equal(const struct word_table *a, const struct word_table *b)
{
    if (a->used != b->used || a->total != b->total)
        return false;
    for (size_t i = 0; i < a->room; i++) {
        const struct word *word = &a->slots[i];
        if (word->text && find(b, word->hash, word->text, word->length)->count != word->count)
            return false;
    }
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct word *x = a, *y = b;
    const size_t shorter = x->length < y->length ? x->length : y->length;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    const int order = shorter > 0 ? memcmp(x->text, y->text, shorter) : 0;
    return order != 0 ? order : (x->length > y->length) - (x->length < y->length);
}

void word_table_sort(struct word_table *table)
{
    if (table->used > 0)
        qsort(table->slots, table->room, sizeof(table->slots[0]), compare);
}

void word_table_done(struct word_table *table)
{
    for (size_t i = 0; i < table->room; i++)
        free(table->slots[i].text);
    free(table->slots);
    *table = (struct word_table){0};
}
