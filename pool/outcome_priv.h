/* outcome_priv.h: how a task ended; private to pool. */
#ifndef POOL_OUTCOME_PRIV_H
#define POOL_OUTCOME_PRIV_H

#include <stdint.h>
#include <sys/types.h>

#include "blob_priv.h"
#include "task.h"

#define MESSAGE_BYTES 501 /* with its terminator */
#define WHERE_BYTES   128 /* with its terminator */

/** A value of up to so many bytes is kept in place: most results are a number or two, and should
 *  cost no allocation. */
#define OUTCOME_SMALL_BYTES 32

struct outcome {
    int code;          /* 0, or as pool_future_result() returns it */
    int task_code;     /* with -EREMOTEIO */
    struct blob value; /* owned; with code 0, if larger than OUTCOME_SMALL_BYTES */
    uint32_t small_bytes;
    _Alignas(16) uint8_t small[OUTCOME_SMALL_BYTES];
    char *message; /* owned; NULL: the code's own text */
    char *where;   /* owned; NULL: not known */
    pid_t worker_pid;
    int signal;
    int exit_status;
    unsigned deaths;
    bool quarantined;
    bool over_memory;
};

#define OUTCOME_INIT                                                                               \
    {                                                                                              \
        .exit_status = -1                                                                          \
    }

/** An outcome of this code and no more words than its own. */
struct outcome pool_outcome_of(int code);

/** Say why. Without memory for the words, the code's own must do. */
void pool_outcome_say(struct outcome *outcome, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Every failure has words: the code's own if nobody gave others. */
void pool_outcome_give_words(struct outcome *outcome);

/** How its process ended, as waitpid() says: in `signal` and `exit_status`; and for people, as the
 *  end of a sentence.  wait_status: NULL if nobody knows. */
void pool_outcome_set_end(struct outcome *outcome, int wait_status);
void pool_outcome_describe_end(const int *wait_status, char *text, size_t size_bytes);

/** Copy a value in.  Returns 0 or -ENOMEM. */
int pool_outcome_set_value(struct outcome *outcome, const void *data, size_t size_bytes);

/** The value, wherever it is. Borrowed: valid until the outcome moves. */
struct pool_bytes pool_outcome_value(const struct outcome *outcome);

/** It was moved elsewhere, bytes and all: it owns nothing any more. */
void pool_outcome_moved(struct outcome *outcome);

/** Release what it owns. */
void pool_outcome_done(struct outcome *outcome);

#endif
