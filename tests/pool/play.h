/* play.h: scenes in which a user of an object of ipc.h is killed in the middle of a call: at every
 * instruction of it, one after the other (stepping.h). After each kill the object must be whole,
 * and whoever waits for it must be served, without help by anybody who comes later.
 *
 * A scene is played again and again: a child does the operation, stepped through up to the n-th
 * instruction; threads of this process wait for the object; the child is killed; the check says
 * what must hold, whether the operation had taken effect or not. A wait that is not served is a
 * hang, which the runner ends. */
#ifndef TESTS_POOL_PLAY_H
#define TESTS_POOL_PLAY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <pool/ipc.h>

#include "stepping.h"

enum { WAITERS = 2 };

struct play;
struct scene;

/* A thread that waits for the object meanwhile. */
struct waiter {
    struct scene *scene;
    int (*wait)(struct scene *scene);
    pthread_t thread;
    atomic_int tid, ended;
    int result;
};

/* Those of the objects that a play makes; they are freed after the check. */
struct scene {
    const struct play *play;
    struct pool_queue *queue;
    struct pool_lock *lock;
    struct pool_semaphore *semaphore;
    struct pool_event *event;
    struct waiter waiters[WAITERS];
    int told;    /* what the operation returned, for plays that want to know */
    int wakings; /* of the child, by this process */
    bool barged; /* this process has what the child was to get, or gave */
};

struct play {
    void (*prepare)(struct scene *scene);
    void (*before)(void *scene);    /* in the child, not stepped through; or NULL */
    void (*operation)(void *scene); /* in the child */
    /* Threads that wait while the child is stepped through, if it is not to be woken. */
    int (*wait)(struct scene *scene);
    int waiters;
    /* Do what the child sleeps for; false: there is nothing more to be done. Or NULL. */
    bool (*wake)(struct scene *scene);
    /* What happens while the child stands there, before it is killed; or NULL. */
    void (*meanwhile)(struct scene *scene);
    bool lives; /* it is not killed there, but goes on to the end */
    void (*check)(struct scene *scene);
};

/** Play it with a kill at every instruction; with a sanitizer, which makes ten times as many, at
 *  some of them, others in each run. Asserts; skips the test where stepping is not allowed. */
void play_all(const struct play *play);

/** Start one more waiter; it sleeps, or has ended, when this returns. Asserts. */
void start_waiter(struct scene *scene, int index, int (*wait)(struct scene *scene));

/** Wait for its end. */
int waiter_result(struct scene *scene, int index);

#endif
