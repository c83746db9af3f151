/* Locks between processes, and what becomes of them when their holder dies. */
#include "isolate.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pool/ipc.h>

#include "forks.h"

/* What children are told, in memory that all see. */
struct scene {
    struct pool_lock *lock, *second;
    atomic_int held, go, turns;
    atomic_int inside, inside_max;
    long counter; /* what the lock protects */
    int code;
};

static struct scene *scene_open(void)
{
    struct scene *scene = shared_memory(sizeof(*scene));
    assert_int_equal(pool_lock_create(&scene->lock), 0);
    assert_int_equal(pool_lock_create(&scene->second), 0);
    return scene;
}

static void scene_close(struct scene *scene)
{
    pool_lock_free(scene->lock);
    pool_lock_free(scene->second);
}

/* ---- One at a time -------------------------------------------------------------------------- */

static void a_lock_is_taken_and_given_back(void **state)
{
    (void)state;
    struct pool_lock *lock;
    assert_int_equal(pool_lock_create(&lock), 0);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(pool_lock_acquire(lock, i % 3 - 1), 0);
        assert_int_equal(pool_lock_release(lock), 0);
    }
    pool_lock_free(lock);
}

static void who_holds_a_lock_is_told_so_when_it_asks_again(void **state)
{
    (void)state;
    struct pool_lock *lock, *same;
    assert_int_equal(pool_lock_create(&lock), 0);
    int fd = pool_lock_share(lock);
    assert_int_equal(pool_lock_open(fd, &same), 0);
    close(fd);
    assert_int_equal(pool_lock_acquire(lock, -1), 0);
    assert_int_equal(pool_lock_acquire(lock, -1), -EDEADLK);
    assert_int_equal(pool_lock_acquire(lock, 0), -EDEADLK);
    assert_int_equal(pool_lock_acquire(same, 10), -EDEADLK); /* another object of it */
    assert_int_equal(pool_lock_release(lock), 0);
    assert_int_equal(pool_lock_acquire(same, 0), 0);
    assert_int_equal(pool_lock_release(same), 0);
    pool_lock_free(lock);
    pool_lock_free(same);
}

static void *release_in_a_thread(void *data)
{
    struct scene *scene = data;
    scene->code = pool_lock_release(scene->lock);
    return NULL;
}

static int release_in_a_child(void *data)
{
    struct scene *scene = data;
    return -pool_lock_release(scene->lock);
}

static void only_its_holder_can_release_a_lock(void **state)
{
    (void)state;
    pthread_t thread;
    struct scene *scene = scene_open();
    assert_int_equal(pool_lock_release(scene->lock), -EPERM);
    assert_int_equal(pool_lock_acquire(scene->lock, 0), 0);
    assert_int_equal(pthread_create(&thread, NULL, release_in_a_thread, scene), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(scene->code, -EPERM);
    assert_int_equal(fork_wait(fork_run(release_in_a_child, scene)), EPERM);
    assert_int_equal(pool_lock_acquire(scene->lock, 0), -EDEADLK); /* it is still held */
    assert_int_equal(pool_lock_release(scene->lock), 0);
    assert_int_equal(pool_lock_release(scene->lock), -EPERM);
    scene_close(scene);
}

/* In a child: hold the lock until it is told to go on. */
static int hold(void *data)
{
    struct scene *scene = data;
    EXPECT(pool_lock_acquire(scene->lock, -1) == 0);
    atomic_store(&scene->held, 1);
    wait_for_count(&scene->go, 1);
    EXPECT(pool_lock_release(scene->lock) == 0);
    return 0;
}

static void a_lock_that_another_process_holds_is_waited_for_so_long(void **state)
{
    (void)state;
    static const int timeouts_ms[] = {0, 1, 30};
    struct scene *scene = scene_open();
    pid_t child = fork_run(hold, scene);
    wait_for_count(&scene->held, 1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pool_lock_acquire(scene->lock, timeouts_ms[i]), -ETIMEDOUT);
    atomic_store(&scene->go, 1);
    assert_int_equal(pool_lock_acquire(scene->lock, -1), 0);
    assert_int_equal(pool_lock_release(scene->lock), 0);
    assert_int_equal(fork_wait(child), 0);
    scene_close(scene);
}

static void count_inside(struct scene *scene)
{
    const int now = atomic_fetch_add(&scene->inside, 1) + 1;
    if (now > atomic_load(&scene->inside_max))
        atomic_store(&scene->inside_max, now);
    scene->counter++;
    if (scene->counter % 8 == 0)
        sched_yield(); /* so that others come while it is held */
    atomic_fetch_sub(&scene->inside, 1);
}

enum { TURNS = 4000, PROCESSES = 3, THREADS = 2 };

static void *take_many_turns(void *data)
{
    struct scene *scene = data;
    for (int i = 0; i < TURNS; i++) {
        const int timeout_ms = i % 3 == 0 ? 0 : i % 3 == 1 ? 1 : -1;
        int r = pool_lock_acquire(scene->lock, timeout_ms);
        EXPECT(r == 0 || (timeout_ms >= 0 && r == -ETIMEDOUT));
        if (r < 0)
            continue;
        count_inside(scene);
        EXPECT(pool_lock_release(scene->lock) == 0);
        atomic_fetch_add(&scene->turns, 1);
    }
    return NULL;
}

static int take_turns_in_threads(void *data)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        EXPECT(pthread_create(&threads[i], NULL, take_many_turns, data) == 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT(pthread_join(threads[i], NULL) == 0);
    return 0;
}

static void threads_of_several_processes_hold_a_lock_one_at_a_time(void **state)
{
    (void)state;
    pid_t children[PROCESSES];
    struct scene *scene = scene_open();
    for (int i = 0; i < PROCESSES; i++)
        children[i] = fork_run(take_turns_in_threads, scene);
    for (int i = 0; i < PROCESSES; i++)
        assert_int_equal(fork_wait(children[i]), 0);
    assert_int_equal(atomic_load(&scene->inside_max), 1);
    assert_int_equal(scene->counter, atomic_load(&scene->turns));
    assert_true(scene->counter >= PROCESSES * THREADS * (TURNS / 3)); /* those that wait on */
    scene_close(scene);
}

static void what_one_thread_writes_under_a_lock_the_next_one_reads(void **state)
{
    (void)state;
    /* Plain memory: a race that the lock does not prevent is seen by ThreadSanitizer. */
    struct scene *scene = scene_open();
    assert_int_equal(take_turns_in_threads(scene), 0);
    assert_int_equal(pool_lock_acquire(scene->lock, 0), 0);
    assert_int_equal(scene->counter, atomic_load(&scene->turns));
    assert_int_equal(pool_lock_release(scene->lock), 0);
    scene_close(scene);
}

/* ---- Holders that die ----------------------------------------------------------------------- */

static int die_with_it(void *data)
{
    struct scene *scene = data;
    EXPECT(pool_lock_acquire(scene->lock, -1) == 0);
    EXPECT(pool_lock_acquire(scene->second, -1) == 0);
    atomic_store(&scene->held, 1);
    wait_for_count(&scene->go, 1);
    kill(getpid(), SIGKILL);
    return 0;
}

static void the_next_holder_is_told_that_the_last_one_died(void **state)
{
    (void)state;
    struct scene *scene = scene_open();
    pid_t child = fork_run(die_with_it, scene);
    atomic_store(&scene->go, 1);
    assert_int_equal(fork_wait(child), -SIGKILL);
    /* Both locks that it held; and it is told once. */
    assert_int_equal(pool_lock_acquire(scene->second, 0), -EOWNERDEAD);
    assert_int_equal(pool_lock_acquire(scene->lock, 0), -EOWNERDEAD);
    assert_int_equal(pool_lock_acquire(scene->lock, 0), -EDEADLK); /* it is held */
    assert_int_equal(pool_lock_release(scene->lock), 0);
    assert_int_equal(pool_lock_release(scene->second), 0);
    assert_int_equal(pool_lock_acquire(scene->lock, 0), 0);
    assert_int_equal(pool_lock_release(scene->lock), 0);
    scene_close(scene);
}

static void who_waits_gets_the_lock_of_a_holder_that_dies(void **state)
{
    (void)state;
    struct scene *scene = scene_open();
    pid_t child = fork_run(die_with_it, scene);
    wait_for_count(&scene->held, 1);
    assert_int_equal(pool_lock_acquire(scene->lock, 0), -ETIMEDOUT);
    atomic_store(&scene->go, 1); /* before or after this process sleeps */
    assert_int_equal(pool_lock_acquire(scene->lock, -1), -EOWNERDEAD);
    assert_int_equal(pool_lock_release(scene->lock), 0);
    assert_int_equal(fork_wait(child), -SIGKILL);
    scene_close(scene);
}

static int take_and_tell(void *data)
{
    struct scene *scene = data;
    int r = pool_lock_acquire(scene->lock, -1);
    EXPECT(r == 0 || r == -EOWNERDEAD);
    atomic_fetch_add(&scene->turns, 1);
    EXPECT(pool_lock_release(scene->lock) == 0);
    return r == 0 ? 0 : 1;
}

static void a_dead_holder_leaves_the_lock_to_all_who_wait_one_after_the_other(void **state)
{
    (void)state;
    pid_t waiters[PROCESSES];
    int told = 0;
    struct scene *scene = scene_open();
    pid_t holder = fork_run(hold, scene);
    wait_for_count(&scene->held, 1);
    for (int i = 0; i < PROCESSES; i++) {
        waiters[i] = fork_run(take_and_tell, scene);
        wait_until_asleep(waiters[i]);
    }
    kill(holder, SIGKILL);
    for (int i = 0; i < PROCESSES; i++)
        told += fork_wait(waiters[i]);
    assert_int_equal(told, 1);
    assert_int_equal(fork_wait(holder), -SIGKILL);
    scene_close(scene);
}

static void a_waiter_that_is_killed_is_passed_over(void **state)
{
    (void)state;
    pid_t waiters[PROCESSES];
    struct scene *scene = scene_open();
    pid_t holder = fork_run(hold, scene);
    wait_for_count(&scene->held, 1);
    for (int i = 0; i < PROCESSES; i++) {
        waiters[i] = fork_run(take_and_tell, scene);
        wait_until_asleep(waiters[i]);
    }
    kill(waiters[0], SIGKILL);
    assert_int_equal(fork_wait(waiters[0]), -SIGKILL);
    atomic_store(&scene->go, 1);
    for (int i = 1; i < PROCESSES; i++)
        assert_int_equal(fork_wait(waiters[i]), 0); /* its holder did not die */
    assert_int_equal(fork_wait(holder), 0);
    scene_close(scene);
}

static void *end_with_it(void *data)
{
    struct scene *scene = data;
    scene->code = pool_lock_acquire(scene->lock, -1);
    return NULL;
}

static void a_thread_that_ends_with_a_lock_counts_as_dead(void **state)
{
    (void)state;
    pthread_t thread;
    struct scene *scene = scene_open();
    assert_int_equal(pthread_create(&thread, NULL, end_with_it, scene), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(scene->code, 0);
    assert_int_equal(pool_lock_acquire(scene->lock, 0), -EOWNERDEAD);
    assert_int_equal(pool_lock_release(scene->lock), 0);
    scene_close(scene);
}

static int end_without_it(void *data)
{
    (void)data;
    return 0;
}

static void a_forked_child_has_none_of_its_parents_locks(void **state)
{
    (void)state;
    struct scene *scene = scene_open();
    assert_int_equal(pool_lock_acquire(scene->lock, 0), 0);
    assert_int_equal(fork_wait(fork_run(end_without_it, scene)), 0);
    pid_t waiter = fork_run(take_and_tell, scene); /* the end of a child has changed nothing */
    wait_until_asleep(waiter);
    assert_int_equal(atomic_load(&scene->turns), 0);
    assert_int_equal(pool_lock_release(scene->lock), 0);
    assert_int_equal(fork_wait(waiter), 0);
    scene_close(scene);
}

/* ---- Beside the C library's own ------------------------------------------------------------- */

enum { OURS = 4, THEIRS = 4 };

/* In a child: take locks and robust mutexes, let go of them in any order, and die with the rest.
 * All are entries of one list of the thread's. */
struct mixture {
    struct pool_lock *locks[OURS];
    pthread_mutex_t mutexes[THEIRS];
    unsigned seed;
    bool held[OURS + THEIRS];
};

static int mix_and_die(void *data)
{
    struct mixture *mixture = data;
    for (int i = 0; i < 500; i++) {
        const int which = rand_r(&mixture->seed) % (OURS + THEIRS);
        int r;
        if (which < OURS)
            r = mixture->held[which] ? pool_lock_release(mixture->locks[which])
                                     : pool_lock_acquire(mixture->locks[which], 0);
        else
            r = mixture->held[which] ? pthread_mutex_unlock(&mixture->mutexes[which - OURS])
                                     : pthread_mutex_lock(&mixture->mutexes[which - OURS]);
        EXPECT(r == 0);
        mixture->held[which] = !mixture->held[which];
    }
    kill(getpid(), SIGKILL);
    return 0;
}

static void mixture_open(struct mixture *mixture)
{
    pthread_mutexattr_t attr;
    assert_int_equal(pthread_mutexattr_init(&attr), 0);
    assert_int_equal(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
    assert_int_equal(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST), 0);
    for (int i = 0; i < OURS; i++)
        assert_int_equal(pool_lock_create(&mixture->locks[i]), 0);
    for (int i = 0; i < THEIRS; i++)
        assert_int_equal(pthread_mutex_init(&mixture->mutexes[i], &attr), 0);
    pthread_mutexattr_destroy(&attr);
}

static void locks_and_robust_mutexes_share_a_threads_list(void **state)
{
    (void)state;
    struct mixture *mixture = shared_memory(sizeof(*mixture));
    mixture_open(mixture);
    for (unsigned round = 0; round < 20; round++) {
        memset(mixture->held, 0, sizeof(mixture->held));
        mixture->seed = round;
        assert_int_equal(fork_wait(fork_run(mix_and_die, mixture)), -SIGKILL);
        for (int i = 0; i < OURS; i++) {
            assert_int_equal(pool_lock_acquire(mixture->locks[i], 0),
                             mixture->held[i] ? -EOWNERDEAD : 0);
            assert_int_equal(pool_lock_release(mixture->locks[i]), 0);
        }
        for (int i = 0; i < THEIRS; i++) {
            int r = pthread_mutex_trylock(&mixture->mutexes[i]);
            assert_int_equal(r, mixture->held[OURS + i] ? EOWNERDEAD : 0);
            if (r == EOWNERDEAD)
                assert_int_equal(pthread_mutex_consistent(&mixture->mutexes[i]), 0);
            assert_int_equal(pthread_mutex_unlock(&mixture->mutexes[i]), 0);
        }
    }
    for (int i = 0; i < OURS; i++)
        pool_lock_free(mixture->locks[i]);
}

static const struct test_case tests[] = {
    TEST(a_lock_is_taken_and_given_back),
    TEST(who_holds_a_lock_is_told_so_when_it_asks_again),
    TEST(only_its_holder_can_release_a_lock),
    TEST(a_lock_that_another_process_holds_is_waited_for_so_long),
    TEST(threads_of_several_processes_hold_a_lock_one_at_a_time),
    TEST(what_one_thread_writes_under_a_lock_the_next_one_reads),
    TEST(the_next_holder_is_told_that_the_last_one_died),
    TEST(who_waits_gets_the_lock_of_a_holder_that_dies),
    TEST(a_dead_holder_leaves_the_lock_to_all_who_wait_one_after_the_other),
    TEST(a_waiter_that_is_killed_is_passed_over),
    TEST(a_thread_that_ends_with_a_lock_counts_as_dead),
    TEST(a_forked_child_has_none_of_its_parents_locks),
    TEST(locks_and_robust_mutexes_share_a_threads_list),
};

int main(int argc, char **argv)
{
    return test_run("lock", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
