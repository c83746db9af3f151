/* text.c: see text_priv.h. */
#include "text_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_FIRST_BYTES 128

void text_done(struct text *text)
{
    free(text->data);
    *text = (struct text)TEXT_INIT;
}

void text_cut(struct text *text, size_t length)
{
    if (length == 0)
        text->failed = false;
    if (length < text->length) {
        text->length = length;
        text->data[length] = '\0';
    }
}

/* Room for size_bytes more and the terminator. */
static bool text_reserve(struct text *text, size_t size_bytes)
{
    size_t needed, capacity = text->capacity ? text->capacity : TEXT_FIRST_BYTES;
    if (text->failed)
        return false;
    if (__builtin_add_overflow(text->length, size_bytes, &needed) ||
        __builtin_add_overflow(needed, (size_t)1, &needed)) {
        text->failed = true;
        return false;
    }
    if (needed <= text->capacity)
        return true;
    while (capacity < needed)
        if (__builtin_mul_overflow(capacity, (size_t)2, &capacity))
            capacity = needed;
    char *data = realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void text_add(struct text *text, const void *bytes, size_t size_bytes)
{
    if (!text_reserve(text, size_bytes))
        return;
    if (size_bytes > 0)
        memcpy(text->data + text->length, bytes, size_bytes);
    text->length += size_bytes;
    text->data[text->length] = '\0';
}

void text_puts(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    if (length < 0) {
        text->failed = true;
    } else if (text_reserve(text, (size_t)length)) {
        vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
    va_end(args);
}

const char *text_string(const struct text *text)
{
    return text->data ? text->data : "";
}

bool text_failed(const struct text *text)
{
    return text->failed;
}

void text_join(struct text *text, const char *path)
{
    if (path[0] == '\0')
        return;
    if (text->length == 1 && text->data[0] == '.')
        text_cut(text, 0);
    else if (text->length > 0 && text->data[text->length - 1] != '/')
        text_puts(text, "/");
    text_puts(text, path);
}
