/* message_priv.h: filling a struct pool_message; private to pool. */
#ifndef POOL_MESSAGE_PRIV_H
#define POOL_MESSAGE_PRIV_H

#include "ipc.h"

/** Begin a new message of so many bytes in place of the last one: closes descriptors that are left
 *  of it, makes room, sets size_bytes. What data holds is then for the caller to fill.
 *  Returns 0, or -ENOMEM with the message as it was. */
int pool_message_reserve(struct pool_message *message, size_t size_bytes);

/** Make room for so many bytes, to be read into before it is known whether anything comes: what the
 *  message holds stays as it is.  Returns 0 or -ENOMEM. */
int pool_message_make_room(struct pool_message *message, size_t room_bytes);

#endif
