#include "buffer_priv.h"

#include <errno.h>
#include <stdlib.h>

#define GROW_BYTES_MIN ((size_t)16 * 1024)

int img_buffer_need(struct img_buffer *buffer, size_t size_bytes)
{
    if (size_bytes <= buffer->capacity_bytes)
        return 0;
    uint8_t *data = malloc(size_bytes);
    if (!data)
        return -ENOMEM;
    free(buffer->data);
    buffer->data = data;
    buffer->capacity_bytes = size_bytes;
    return 0;
}

int img_buffer_grow(struct img_buffer *buffer, size_t size_bytes)
{
    if (size_bytes <= buffer->capacity_bytes)
        return 0;
    size_t capacity =
        buffer->capacity_bytes < GROW_BYTES_MIN ? GROW_BYTES_MIN : buffer->capacity_bytes;
    while (capacity < size_bytes)
        if (__builtin_mul_overflow(capacity, 2, &capacity))
            return -ENOMEM;
    uint8_t *data = realloc(buffer->data, capacity);
    if (!data)
        return -ENOMEM;
    buffer->data = data;
    buffer->capacity_bytes = capacity;
    return 0;
}

void img_buffer_trim(struct img_buffer *buffer, size_t keep_bytes)
{
    if (buffer->capacity_bytes > keep_bytes)
        img_buffer_done(buffer);
}

void img_buffer_done(struct img_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct img_buffer){0};
}
