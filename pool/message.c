#include "message_priv.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define ROOM_MIN 64

static void close_fds(struct pool_message *message)
{
    for (size_t i = 0; i < message->fd_count; i++)
        if (message->fds[i] >= 0)
            close(message->fds[i]);
    message->fd_count = 0;
}

void pool_message_done(struct pool_message *message)
{
    close_fds(message);
    free(message->data);
    *message = (struct pool_message)POOL_MESSAGE_INIT;
}

int pool_message_make_room(struct pool_message *message, size_t room_bytes)
{
    if (room_bytes <= message->room_bytes)
        return 0;
    size_t room = message->room_bytes < ROOM_MIN ? ROOM_MIN : message->room_bytes;
    /* At least twice what there was, so that messages that grow little by little cost little. */
    if (room < SIZE_MAX / 2)
        room *= 2;
    if (room < room_bytes)
        room = room_bytes;
    void *grown = realloc(message->data, room);
    if (!grown && room > room_bytes) {
        room = room_bytes;
        grown = realloc(message->data, room);
    }
    if (!grown)
        return -ENOMEM;
    message->data = grown;
    message->room_bytes = room;
    return 0;
}

int pool_message_reserve(struct pool_message *message, size_t size_bytes)
{
    int r = pool_message_make_room(message, size_bytes);
    if (r < 0)
        return r;
    close_fds(message);
    message->size_bytes = size_bytes;
    return 0;
}
