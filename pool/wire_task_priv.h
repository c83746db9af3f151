/* wire_task_priv.h: both ends of the messages that carry a call (TASK, START) and of those that
 * carry how it ended (RESULT, READY); private to pool. The protocol stands in wire_priv.h. */
#ifndef POOL_WIRE_TASK_PRIV_H
#define POOL_WIRE_TASK_PRIV_H

#include "call_priv.h"
#include "outcome_priv.h"
#include "wire_priv.h"

/* ---- The call ------------------------------------------------------------------------------ */

/** Send a call: head, then the payload, in the same message or in a memfd (head->in_memfd says so
 *  then).
 *  payload: packed fields.  fds: borrowed, at most POOL_FDS_MAX.
 *  Returns as pool_wire_send(), or -errno. */
int pool_wire_send_task(int socket_fd, struct wire_task *head, const void *payload, const int *fds,
                        size_t fd_count);

/** A call that was received. Zeroed before first use. */
struct wire_body {
    bool full;         /* there is one */
    size_t size_bytes; /* of the whole message */
    struct wire_fds fds;
    _Alignas(JOB_ALIGN) uint8_t message[sizeof(struct wire_task) + WIRE_INLINE_MAX];
};

/** Its head. */
const struct wire_task *pool_wire_body_head(const struct wire_body *body);

/** Drop what is in it and wait for the next message.
 *  Returns 1 (with a call, or with none: a bell), 0 at end of file, -EBADMSG, or -errno. */
int pool_wire_receive_body(int socket_fd, struct wire_body *body);

/** Run the task that spec names with the payload and descriptors of a call.
 *  ret_outcome: filled in every case, as by pool_call_run(). */
void pool_wire_run_body(const struct wire_body *body, struct call_spec *spec,
                        struct outcome *ret_outcome);

/** Close its descriptors and empty it. */
void pool_wire_body_done(struct wire_body *body);

/* ---- How it ended -------------------------------------------------------------------------- */

/** Send an outcome; a value that is too large goes into a memfd. Waits while too many descriptors
 *  are under way.
 *  type: WIRE_RESULT or WIRE_READY.  Returns as pool_wire_send(). */
int pool_wire_send_outcome(int socket_fd, uint32_t type, uint32_t number, uint64_t ran_ns,
                           const struct outcome *outcome);

/** Might a sound worker say this? */
bool pool_wire_code_is_sound(int32_t code, uint64_t value_bytes);

/** Words that a worker sent, as a string of ours; NULL for none. */
char *pool_wire_copy_words(const uint8_t *bytes, size_t size_bytes);

/** Read such a message. Its sender is not trusted.
 *  ret_outcome: its value is owned by the caller.  Returns 0 or -EBADMSG. */
int pool_wire_read_outcome(const void *message, size_t size_bytes, const struct wire_fds *fds,
                           struct wire_result *ret_head, struct outcome *ret_outcome);

#endif
