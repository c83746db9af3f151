/* buffer_priv.h: memory that is kept from picture to picture. Private to imaging. */
#ifndef IMAGING_BUFFER_PRIV_H
#define IMAGING_BUFFER_PRIV_H

#include <stddef.h>
#include <stdint.h>

/** A zeroed buffer is empty and valid. */
struct img_buffer {
    uint8_t *data; /* owned */
    size_t capacity_bytes;
};

/** Make room for size_bytes; what was in the buffer is lost. Returns 0 or -ENOMEM. */
int img_buffer_need(struct img_buffer *buffer, size_t size_bytes);

/** Make room for at least size_bytes and keep what is there. Returns 0 or -ENOMEM; on failure the
 *  buffer is as before. */
int img_buffer_grow(struct img_buffer *buffer, size_t size_bytes);

/** Give back the memory if it is more than keep_bytes. */
void img_buffer_trim(struct img_buffer *buffer, size_t keep_bytes);

/** Release the memory; the buffer is empty and valid afterwards. */
void img_buffer_done(struct img_buffer *buffer);

#endif
