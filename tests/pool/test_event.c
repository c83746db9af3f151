/* Events between processes. */
#include "isolate.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include <pool/ipc.h>

#include "forks.h"

struct scene {
    struct pool_event *event;
    atomic_int seen, go;
    int plain;
};

static struct scene *scene_open(void)
{
    struct scene *scene = shared_memory(sizeof(*scene));
    assert_int_equal(pool_event_create(&scene->event), 0);
    return scene;
}

static void an_event_is_set_and_cleared(void **state)
{
    (void)state;
    struct pool_event *event;
    assert_int_equal(pool_event_create(&event), 0);
    assert_false(pool_event_is_set(event));
    for (int i = 0; i < 5; i++) {
        pool_event_clear(event); /* it is not set: nothing happens */
        assert_false(pool_event_is_set(event));
        assert_int_equal(pool_event_wait(event, 0), -ETIMEDOUT);
        assert_int_equal(pool_event_wait(event, 1), -ETIMEDOUT);
        pool_event_set(event);
        assert_true(pool_event_is_set(event));
        pool_event_set(event); /* twice is as good as once */
        assert_true(pool_event_is_set(event));
        for (int timeout_ms = -1; timeout_ms <= 1; timeout_ms++)
            assert_int_equal(pool_event_wait(event, timeout_ms), 0);
        pool_event_clear(event);
        assert_false(pool_event_is_set(event));
    }
    pool_event_free(event);
}

static int wait_for_event(void *data)
{
    struct scene *scene = data;
    EXPECT(pool_event_wait(scene->event, -1) == 0);
    atomic_fetch_add(&scene->seen, 1);
    return 0;
}

enum { WAITERS = 4 };

static void one_set_lets_all_waiters_go(void **state)
{
    (void)state;
    pid_t waiters[WAITERS];
    struct scene *scene = scene_open();
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < WAITERS; i++) {
            waiters[i] = fork_run(wait_for_event, scene);
            if (round % 2 == 0)
                wait_until_asleep(waiters[i]);
        }
        pool_event_set(scene->event);
        for (int i = 0; i < WAITERS; i++)
            assert_int_equal(fork_wait(waiters[i]), 0);
        pool_event_clear(scene->event);
    }
    pool_event_free(scene->event);
}

static void a_set_that_is_cleared_at_once_lets_all_waiters_go(void **state)
{
    (void)state;
    pid_t waiters[WAITERS];
    struct scene *scene = scene_open();
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = fork_run(wait_for_event, scene);
        wait_until_asleep(waiters[i]);
    }
    pool_event_set(scene->event);
    pool_event_clear(scene->event);
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(fork_wait(waiters[i]), 0);
    assert_false(pool_event_is_set(scene->event));
    assert_int_equal(pool_event_wait(scene->event, 0), -ETIMEDOUT); /* who comes later waits */
    pool_event_free(scene->event);
}

static void waiters_that_are_killed_cost_the_others_nothing(void **state)
{
    (void)state;
    pid_t waiters[WAITERS];
    struct scene *scene = scene_open();
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = fork_run(wait_for_event, scene);
        wait_until_asleep(waiters[i]);
    }
    for (int i = 0; i < WAITERS; i += 2) {
        kill(waiters[i], SIGKILL);
        assert_int_equal(fork_wait(waiters[i]), -SIGKILL);
    }
    pool_event_set(scene->event);
    for (int i = 1; i < WAITERS; i += 2)
        assert_int_equal(fork_wait(waiters[i]), 0);
    pool_event_free(scene->event);
}

/* Set and cleared by several at a time, the event still wakes whoever waits. */
static void *set_and_clear(void *data)
{
    struct scene *scene = data;
    while (atomic_load(&scene->go) == 0) {
        pool_event_set(scene->event);
        pool_event_clear(scene->event);
    }
    return NULL;
}

static void several_who_set_and_clear_do_not_confuse_it(void **state)
{
    (void)state;
    enum { SETTERS = 2, WAITS = 2000 };
    pthread_t setters[SETTERS];
    struct scene *scene = scene_open();
    for (int i = 0; i < SETTERS; i++)
        assert_int_equal(pthread_create(&setters[i], NULL, set_and_clear, scene), 0);
    for (int i = 0; i < WAITS; i++)
        assert_int_equal(pool_event_wait(scene->event, -1), 0);
    atomic_store(&scene->go, 1);
    for (int i = 0; i < SETTERS; i++)
        assert_int_equal(pthread_join(setters[i], NULL), 0);
    assert_false(pool_event_is_set(scene->event));
    pool_event_set(scene->event);
    assert_true(pool_event_is_set(scene->event));
    pool_event_free(scene->event);
}

static void *write_and_set(void *data)
{
    struct scene *scene = data;
    scene->plain = 77; /* ThreadSanitizer watches */
    pool_event_set(scene->event);
    return NULL;
}

static void what_was_done_before_a_set_is_seen_after_the_wait(void **state)
{
    (void)state;
    pthread_t thread;
    struct scene scene = {0};
    assert_int_equal(pool_event_create(&scene.event), 0);
    assert_int_equal(pthread_create(&thread, NULL, write_and_set, &scene), 0);
    assert_int_equal(pool_event_wait(scene.event, -1), 0);
    assert_int_equal(scene.plain, 77);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pool_event_free(scene.event);
}

static const struct test_case tests[] = {
    TEST(an_event_is_set_and_cleared),
    TEST(one_set_lets_all_waiters_go),
    TEST(a_set_that_is_cleared_at_once_lets_all_waiters_go),
    TEST(waiters_that_are_killed_cost_the_others_nothing),
    TEST(several_who_set_and_clear_do_not_confuse_it),
    TEST(what_was_done_before_a_set_is_seen_after_the_wait),
};

int main(int argc, char **argv)
{
    return test_run("event", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
