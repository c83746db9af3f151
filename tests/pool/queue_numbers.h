/* queue_numbers.h: queues of numbers, as the tests of queues have them. */
#ifndef TESTS_POOL_QUEUE_NUMBERS_H
#define TESTS_POOL_QUEUE_NUMBERS_H

#include <errno.h>
#include <string.h>

#include <pool/ipc.h>

#include "isolate.h"

static inline struct pool_queue *queue_of(size_t items_max, size_t bytes_max)
{
    const struct pool_queue_options options = {.items_max = items_max, .bytes_max = bytes_max};
    struct pool_queue *queue = NULL;
    assert_int_equal(pool_queue_create(&options, &queue), 0);
    return queue;
}

static inline void put_number(struct pool_queue *queue, int number)
{
    assert_int_equal(pool_queue_put(queue, &number, sizeof(number), -1), 0);
}

/** The next message, which must be an int; or the error. */
static inline int get_number(struct pool_queue *queue, int timeout_ms)
{
    struct pool_message message = POOL_MESSAGE_INIT;
    int number = -EBADMSG, r = pool_queue_get(queue, timeout_ms, &message);
    if (r == 0 && message.size_bytes == sizeof(number))
        memcpy(&number, message.data, sizeof(number));
    pool_message_done(&message);
    return r < 0 ? r : number;
}

#endif
