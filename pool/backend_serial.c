/* backend_serial.c: no worker at all. A task runs in the thread that submits it, before submit
 * returns; several threads take turns, in no promised order. A task may submit to its own pool:
 * that nested task runs at once, inside the outer one.
 *
 * It is the yardstick for the other backends, and the debugger's friend. */
#include <errno.h>
#include <stdlib.h>

#include "call_priv.h"
#include "pool_priv.h"

/* Guarded by the pool's lock, but for local: the thread whose turn it is. */
struct serial {
    struct call_local local;
    bool busy;       /* somebody's turn */
    pthread_t owner; /* whose, when busy */
};

static int serial_start(struct pool *pool, const char *worker_program)
{
    (void)worker_program;
    struct serial *serial = calloc(1, sizeof(*serial));
    if (!serial)
        return -ENOMEM;
    pool->backend_data = serial;
    return 0;
}

static void serial_submitted(struct pool *pool, struct job *job)
{
    struct serial *serial = pool->backend_data;
    struct outcome outcome;

    pthread_mutex_lock(&pool->lock);
    const bool nested = serial->busy && pthread_equal(serial->owner, pthread_self());
    while (serial->busy && !nested)
        pthread_cond_wait(&pool->has_work, &pool->lock);
    serial->busy = true;
    serial->owner = pthread_self();
    const bool mine = pool_take_job_locked(pool, job);
    pthread_mutex_unlock(&pool->lock);

    if (mine) {
        call_run_job(job, &serial->local, &outcome);
        pool_finish(pool, job, &outcome);
    }
    if (nested)
        return;
    pthread_mutex_lock(&pool->lock);
    serial->busy = false;
    pthread_cond_broadcast(&pool->has_work);
    pthread_mutex_unlock(&pool->lock);
}

static void serial_state_changed(struct pool *pool)
{
    (void)pool; /* nobody sleeps here but submitters, whom the pool itself wakes */
}

static void serial_stop(struct pool *pool)
{
    struct serial *serial = pool->backend_data;
    call_local_done(&serial->local);
    free(serial);
}

const struct backend backend_serial = {
    .start = serial_start,
    .submitted = serial_submitted,
    .state_changed = serial_state_changed,
    .stop = serial_stop,
    .unbounded = 1,
};
