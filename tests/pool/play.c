#include "play.h"

#include <sched.h>
#include <unistd.h>

#include "forks.h"
#include "isolate.h"

#if defined(__SANITIZE_THREAD__)
#define KILLS_MAX 16
#elif defined(__SANITIZE_ADDRESS__)
#define KILLS_MAX 60
#else
#define KILLS_MAX 100000
#endif
#define STEPS_MAX 100000000

static void *waiter_run(void *data)
{
    struct waiter *waiter = data;
    atomic_store(&waiter->tid, gettid());
    waiter->result = waiter->wait(waiter->scene);
    atomic_store(&waiter->ended, 1);
    return NULL;
}

void start_waiter(struct scene *scene, int index, int (*wait)(struct scene *scene))
{
    struct waiter *waiter = &scene->waiters[index];
    *waiter = (struct waiter){.scene = scene, .wait = wait};
    assert_int_equal(pthread_create(&waiter->thread, NULL, waiter_run, waiter), 0);
    while (!atomic_load(&waiter->ended) &&
           (atomic_load(&waiter->tid) == 0 || !thread_sleeps(atomic_load(&waiter->tid))))
        sched_yield();
}

int waiter_result(struct scene *scene, int index)
{
    assert_int_equal(pthread_join(scene->waiters[index].thread, NULL), 0);
    return scene->waiters[index].result;
}

/* In the child: what is done once in a process, such as asking for the thread's id, is done here,
 * so that it is not stepped through in each play. */
static void begin(void *data)
{
    const struct scene *scene = data;
    struct pool_lock *lock;
    if (pool_lock_create(&lock) == 0) {
        pool_lock_acquire(lock, 0);
        pool_lock_release(lock);
        pool_lock_free(lock);
    }
    if (scene->play->before)
        scene->play->before(data);
}

static void scene_done(struct scene *scene)
{
    pool_queue_free(scene->queue);
    pool_lock_free(scene->lock);
    pool_semaphore_free(scene->semaphore);
    pool_event_free(scene->event);
}

/* Play it once, with a kill at the n-th instruction, or where the operation ends or sleeps without
 * help.  Returns how many instructions there were. */
static long play_once(const struct play *play, struct scene *scene, long n)
{
    struct stepped child;
    *scene = (struct scene){.play = play};
    play->prepare(scene);
    if (!step_start(&child, begin, play->operation, scene)) {
        print_message("this machine does not let a process be stepped through\n");
        scene_done(scene);
        skip();
    }
    child.sleeps = play->wake != NULL;
    for (int i = 0; i < play->waiters; i++)
        start_waiter(scene, i, play->wait);
    if (n > 0)
        while (step_to(&child, n) == STEP_ASLEEP && play->wake && play->wake(scene))
            continue;
    if (play->meanwhile)
        play->meanwhile(scene);
    const long steps = step_count(&child);
    if (play->lives)
        assert_int_equal(step_to(&child, STEPS_MAX), STEP_ENDED);
    step_kill(&child);
    play->check(scene);
    scene_done(scene);
    return steps;
}

void play_all(const struct play *play)
{
    struct scene *scene = shared_memory(sizeof(*scene));
    const long steps = play_once(play, scene, STEPS_MAX);
    const long stride = steps / KILLS_MAX + 1, first = (long)getpid() % stride;
    int kills = 1;
    for (long n = first; n <= steps; n += stride, kills++)
        play_once(play, scene, n);
    print_message("%ld steps, %d kills\n", steps, kills);
    assert_true(steps > 10 && steps < STEPS_MAX);
}
