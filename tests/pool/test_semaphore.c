/* Semaphores between processes. */
#include "isolate.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include <pool/ipc.h>

#include "forks.h"

struct scene {
    struct pool_semaphore *semaphore;
    atomic_int inside, inside_max, taken, go;
    int plain; /* handed over by a permit */
};

static struct scene *scene_open(unsigned value, unsigned max)
{
    struct scene *scene = shared_memory(sizeof(*scene));
    assert_int_equal(pool_semaphore_create(value, max, &scene->semaphore), 0);
    return scene;
}

static void permits_are_taken_until_there_is_none(void **state)
{
    (void)state;
    struct pool_semaphore *semaphore;
    assert_int_equal(pool_semaphore_create(3, 0, &semaphore), 0);
    for (unsigned left = 3; left > 0; left--) {
        assert_int_equal(pool_semaphore_value(semaphore), left);
        assert_int_equal(pool_semaphore_acquire(semaphore, (int)left - 2), 0);
    }
    assert_int_equal(pool_semaphore_value(semaphore), 0);
    assert_int_equal(pool_semaphore_acquire(semaphore, 0), -ETIMEDOUT);
    assert_int_equal(pool_semaphore_acquire(semaphore, 1), -ETIMEDOUT);
    assert_int_equal(pool_semaphore_acquire(semaphore, 20), -ETIMEDOUT);
    assert_int_equal(pool_semaphore_value(semaphore), 0);
    assert_int_equal(pool_semaphore_release(semaphore), 0); /* somebody may have slept there */
    assert_int_equal(pool_semaphore_value(semaphore), 1);
    assert_int_equal(pool_semaphore_release(semaphore), 0);
    assert_int_equal(pool_semaphore_value(semaphore), 2);
    pool_semaphore_free(semaphore);
}

static void no_more_permits_are_given_than_the_limit(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        unsigned value, max;
        int code;
    } rows[] = {
        {"none of one", 0, 1, 0},
        {"one of one", 1, 1, 0},
        {"two of one", 2, 1, -EINVAL},
        {"as many as there may be", INT_MAX, 0, 0},
        {"as many as there may be, said", INT_MAX, INT_MAX, 0},
        {"one more than there may be", (unsigned)INT_MAX + 1, 0, -EINVAL},
        {"a limit that is too high", 0, (unsigned)INT_MAX + 1, -EINVAL},
        {"no limit that is a number", 0, UINT_MAX, -EINVAL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pool_semaphore *semaphore = NULL;
        const unsigned max = rows[i].max ? rows[i].max : INT_MAX;
        print_message("%s\n", rows[i].label);
        assert_int_equal(pool_semaphore_create(rows[i].value, rows[i].max, &semaphore),
                         rows[i].code);
        if (rows[i].code < 0) {
            assert_null(semaphore);
            continue;
        }
        assert_int_equal(pool_semaphore_value(semaphore), rows[i].value);
        assert_int_equal(pool_semaphore_release(semaphore), rows[i].value == max ? -EOVERFLOW : 0);
        if (rows[i].value < max && max == 1)
            assert_int_equal(pool_semaphore_release(semaphore), -EOVERFLOW);
        pool_semaphore_free(semaphore);
    }
}

static void the_limit_goes_with_the_semaphore(void **state)
{
    (void)state;
    struct pool_semaphore *semaphore, *same;
    assert_int_equal(pool_semaphore_create(1, 2, &semaphore), 0);
    int fd = pool_semaphore_share(semaphore);
    assert_int_equal(pool_semaphore_open(fd, &same), 0);
    close(fd);
    assert_int_equal(pool_semaphore_release(same), 0);
    assert_int_equal(pool_semaphore_release(same), -EOVERFLOW);
    assert_int_equal(pool_semaphore_value(semaphore), 2);
    pool_semaphore_free(semaphore);
    pool_semaphore_free(same);
}

/* ---- Several -------------------------------------------------------------------------------- */

static int take_one(void *data)
{
    struct scene *scene = data;
    EXPECT(pool_semaphore_acquire(scene->semaphore, -1) == 0);
    atomic_fetch_add(&scene->taken, 1);
    return 0;
}

static void each_permit_lets_one_waiter_go(void **state)
{
    (void)state;
    enum { WAITERS = 4 };
    pid_t waiters[WAITERS];
    struct scene *scene = scene_open(0, 0);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = fork_run(take_one, scene);
        wait_until_asleep(waiters[i]);
    }
    for (int i = 1; i <= WAITERS; i++) {
        assert_int_equal(pool_semaphore_release(scene->semaphore), 0);
        wait_for_count(&scene->taken, i);
        assert_int_equal(atomic_load(&scene->taken), i);
        assert_int_equal(pool_semaphore_value(scene->semaphore), 0);
    }
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(fork_wait(waiters[i]), 0);
    pool_semaphore_free(scene->semaphore);
}

static void permits_that_come_at_once_serve_all_waiters(void **state)
{
    (void)state;
    enum { WAITERS = 4 };
    pid_t waiters[WAITERS];
    struct scene *scene = scene_open(0, 0);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < WAITERS; i++) {
            waiters[i] = fork_run(take_one, scene);
            if (round % 2 == 0)
                wait_until_asleep(waiters[i]);
        }
        for (int i = 0; i < WAITERS; i++)
            assert_int_equal(pool_semaphore_release(scene->semaphore), 0);
        for (int i = 0; i < WAITERS; i++)
            assert_int_equal(fork_wait(waiters[i]), 0);
        assert_int_equal(pool_semaphore_value(scene->semaphore), 0);
    }
    pool_semaphore_free(scene->semaphore);
}

static void a_waiter_that_is_killed_takes_no_permit(void **state)
{
    (void)state;
    struct scene *scene = scene_open(0, 0);
    pid_t dead = fork_run(take_one, scene);
    wait_until_asleep(dead);
    pid_t alive = fork_run(take_one, scene);
    wait_until_asleep(alive);
    kill(dead, SIGKILL); /* while it has the turn */
    assert_int_equal(fork_wait(dead), -SIGKILL);
    assert_int_equal(pool_semaphore_release(scene->semaphore), 0);
    assert_int_equal(fork_wait(alive), 0);
    assert_int_equal(pool_semaphore_value(scene->semaphore), 0);
    pool_semaphore_free(scene->semaphore);
}

static void a_wait_that_ends_leaves_its_place_to_the_next(void **state)
{
    (void)state;
    struct scene *scene = scene_open(0, 0);
    pid_t waiter = fork_run(take_one, scene);
    wait_until_asleep(waiter); /* it has the turn; this process lines up behind it */
    assert_int_equal(pool_semaphore_acquire(scene->semaphore, 30), -ETIMEDOUT);
    assert_int_equal(pool_semaphore_release(scene->semaphore), 0);
    assert_int_equal(fork_wait(waiter), 0);
    pool_semaphore_free(scene->semaphore);
}

enum { PROCESSES = 3, THREADS = 2, ROUNDS = 3000, PERMITS = 2 };

static void *take_and_give(void *data)
{
    struct scene *scene = data;
    for (int i = 0; i < ROUNDS; i++) {
        const int timeout_ms = i % 3 == 0 ? 0 : i % 3 == 1 ? 1 : -1;
        int r = pool_semaphore_acquire(scene->semaphore, timeout_ms);
        EXPECT(r == 0 || (timeout_ms >= 0 && r == -ETIMEDOUT));
        if (r < 0)
            continue;
        const int now = atomic_fetch_add(&scene->inside, 1) + 1;
        EXPECT(now <= PERMITS);
        if (now > atomic_load(&scene->inside_max))
            atomic_store(&scene->inside_max, now);
        if (i % 8 == 0)
            sched_yield(); /* so that others come meanwhile */
        atomic_fetch_sub(&scene->inside, 1);
        EXPECT(pool_semaphore_release(scene->semaphore) == 0);
    }
    return NULL;
}

static int take_and_give_in_threads(void *data)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        EXPECT(pthread_create(&threads[i], NULL, take_and_give, data) == 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT(pthread_join(threads[i], NULL) == 0);
    return 0;
}

static void never_more_are_inside_than_there_are_permits(void **state)
{
    (void)state;
    pid_t children[PROCESSES];
    struct scene *scene = scene_open(PERMITS, PERMITS);
    for (int i = 0; i < PROCESSES; i++)
        children[i] = fork_run(take_and_give_in_threads, scene);
    for (int i = 0; i < PROCESSES; i++)
        assert_int_equal(fork_wait(children[i]), 0);
    assert_in_range(atomic_load(&scene->inside_max), 1, PERMITS);
    assert_int_equal(pool_semaphore_value(scene->semaphore), PERMITS);
    assert_int_equal(pool_semaphore_release(scene->semaphore), -EOVERFLOW);
    pool_semaphore_free(scene->semaphore);
}

/* Both sides of a hand-over through plain memory, which ThreadSanitizer watches. */
struct relay {
    struct pool_semaphore *full, *empty;
    int plain;
};

static void *hand_over(void *data)
{
    struct relay *relay = data;
    for (int i = 1; i <= ROUNDS; i++) {
        EXPECT(pool_semaphore_acquire(relay->empty, -1) == 0);
        relay->plain = i;
        EXPECT(pool_semaphore_release(relay->full) == 0);
    }
    return NULL;
}

static void what_was_done_before_a_release_is_seen_after_the_acquire(void **state)
{
    (void)state;
    pthread_t thread;
    struct relay relay = {0};
    assert_int_equal(pool_semaphore_create(0, 1, &relay.full), 0);
    assert_int_equal(pool_semaphore_create(1, 1, &relay.empty), 0);
    assert_int_equal(pthread_create(&thread, NULL, hand_over, &relay), 0);
    for (int i = 1; i <= ROUNDS; i++) {
        assert_int_equal(pool_semaphore_acquire(relay.full, -1), 0);
        assert_int_equal(relay.plain, i);
        assert_int_equal(pool_semaphore_release(relay.empty), 0);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    pool_semaphore_free(relay.full);
    pool_semaphore_free(relay.empty);
}

/* Givers that find a sleeper, all at once: not one permit too many, and none too few. */
static void *give_until_told(void *data)
{
    struct scene *scene = data;
    while (atomic_load(&scene->go) == 0) {
        int r = pool_semaphore_release(scene->semaphore);
        EXPECT(r == 0 || r == -EOVERFLOW);
        if (r == 0)
            atomic_fetch_add(&scene->inside, 1); /* given */
        EXPECT(pool_semaphore_value(scene->semaphore) <= 1);
    }
    return NULL;
}

static void several_givers_never_give_more_than_the_limit(void **state)
{
    (void)state;
    enum { GIVERS = 3, TAKEN = 3000 };
    pthread_t givers[GIVERS];
    struct scene *scene = scene_open(0, 1);
    for (int i = 0; i < GIVERS; i++)
        assert_int_equal(pthread_create(&givers[i], NULL, give_until_told, scene), 0);
    for (int i = 0; i < TAKEN; i++)
        assert_int_equal(pool_semaphore_acquire(scene->semaphore, -1), 0);
    atomic_store(&scene->go, 1);
    for (int i = 0; i < GIVERS; i++)
        assert_int_equal(pthread_join(givers[i], NULL), 0);
    assert_int_equal(atomic_load(&scene->inside),
                     TAKEN + (int)pool_semaphore_value(scene->semaphore));
    pool_semaphore_free(scene->semaphore);
}

static const struct test_case tests[] = {
    TEST(permits_are_taken_until_there_is_none),
    TEST(no_more_permits_are_given_than_the_limit),
    TEST(the_limit_goes_with_the_semaphore),
    TEST(each_permit_lets_one_waiter_go),
    TEST(permits_that_come_at_once_serve_all_waiters),
    TEST(a_waiter_that_is_killed_takes_no_permit),
    TEST(a_wait_that_ends_leaves_its_place_to_the_next),
    TEST(never_more_are_inside_than_there_are_permits),
    TEST(what_was_done_before_a_release_is_seen_after_the_acquire),
    TEST(several_givers_never_give_more_than_the_limit),
};

int main(int argc, char **argv)
{
    return test_run("semaphore", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
