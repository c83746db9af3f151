/* text_priv.h: a growing string, for lines and paths of any length.
 *
 * A failed allocation is remembered, not reported each time: append freely, then ask
 * text_failed() once. data is always terminated. */
#ifndef APP_TEXT_PRIV_H
#define APP_TEXT_PRIV_H

#include <stdbool.h>
#include <stddef.h>

struct text {
    char *data; /* NULL until something is appended; use text_string() to read */
    size_t length;
    size_t capacity;
    bool failed;
};

#define TEXT_INIT                                                                                  \
    {                                                                                              \
        .data = NULL, .length = 0, .capacity = 0, .failed = false                                  \
    }

/** Release the memory; the text is empty and usable again. */
void text_done(struct text *text);

/** Make it shorter; length: at most the current one. 0 forgets an earlier failure too. */
void text_cut(struct text *text, size_t length);

void text_add(struct text *text, const void *bytes, size_t size_bytes);
void text_puts(struct text *text, const char *string);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** The terminated string; borrowed until the text changes, never NULL. */
const char *text_string(const struct text *text);

/** Was memory missing for an append since the text was last emptied? */
bool text_failed(const struct text *text);

/** Append path to what is there, with one slash between. An empty path adds nothing, and a text
 *  that is exactly "." gives way: paths below the current folder are shown without "./". */
void text_join(struct text *text, const char *path);

#endif
