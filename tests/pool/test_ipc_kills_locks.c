/* Locks, semaphores and events, when a user is killed in the middle of a call (play.h). */
#include "isolate.h"

#include <errno.h>
#include <poll.h>

#include <pool/ipc.h>

#include "play.h"

/* ---- Lock ------------------------------------------------------------------------------------ */

static void prepare_lock(struct scene *scene)
{
    assert_int_equal(pool_lock_create(&scene->lock), 0);
}

static void acquire(void *scene)
{
    pool_lock_acquire(((struct scene *)scene)->lock, -1);
}

static void release(void *scene)
{
    pool_lock_release(((struct scene *)scene)->lock);
}

static void acquire_and_release(void *scene)
{
    acquire(scene);
    release(scene);
}

static int wait_acquire(struct scene *scene)
{
    int r = pool_lock_acquire(scene->lock, -1);
    pool_lock_release(scene->lock);
    return r;
}

static void check_lock_free(struct scene *scene)
{
    int r = pool_lock_acquire(scene->lock, 0);
    assert_true(r == 0 || r == -EOWNERDEAD);
    assert_int_equal(pool_lock_release(scene->lock), 0);
    assert_int_equal(pool_lock_acquire(scene->lock, 0), 0);
    assert_int_equal(pool_lock_release(scene->lock), 0);
}

static void a_holder_killed_anywhere_leaves_the_lock_to_the_next(void **state)
{
    (void)state;
    play_all(&(struct play){
        .prepare = prepare_lock, .operation = acquire_and_release, .check = check_lock_free});
}

static void check_waiters_served(struct scene *scene)
{
    int told = 0;
    for (int i = 0; i < WAITERS; i++) {
        int r = waiter_result(scene, i);
        assert_true(r == 0 || r == -EOWNERDEAD);
        told += r != 0;
    }
    assert_true(told <= 1);
    check_lock_free(scene);
}

static void a_release_killed_anywhere_leaves_the_lock_to_those_who_wait(void **state)
{
    (void)state;
    play_all(&(struct play){.prepare = prepare_lock,
                            .before = acquire,
                            .operation = release,
                            .wait = wait_acquire,
                            .waiters = WAITERS,
                            .check = check_waiters_served});
}

/* Not only those who wait may get the lock: while the child stands in the middle of giving it, this
 * process takes it as soon as it is free, and so comes between. Those who sleep must not be
 * forgotten over it. */
static void come_between(struct scene *scene)
{
    scene->barged = pool_lock_acquire(scene->lock, 0) == 0;
}

static void check_came_between(struct scene *scene)
{
    if (scene->barged)
        assert_int_equal(pool_lock_release(scene->lock), 0);
    check_waiters_served(scene);
}

static void another_who_takes_a_lock_that_is_being_given_does_not_hide_those_who_wait(void **state)
{
    (void)state;
    play_all(&(struct play){.prepare = prepare_lock,
                            .before = acquire,
                            .operation = release,
                            .wait = wait_acquire,
                            .waiters = WAITERS,
                            .meanwhile = come_between,
                            .check = check_came_between});
}

static void prepare_held_lock(struct scene *scene)
{
    prepare_lock(scene);
    assert_int_equal(pool_lock_acquire(scene->lock, 0), 0);
}

/* Give the child the lock, and take it again before it can, which is nearly always possible. */
static bool wake_and_barge(struct scene *scene)
{
    if (scene->wakings++ > 0)
        return false; /* it sleeps again */
    for (int i = 0; i < WAITERS; i++)
        start_waiter(scene, i, wait_acquire);
    assert_int_equal(pool_lock_release(scene->lock), 0);
    scene->barged = pool_lock_acquire(scene->lock, 0) == 0;
    return true;
}

static void check_after_barging(struct scene *scene)
{
    if (scene->wakings == 0)
        for (int i = 0; i < WAITERS; i++)
            start_waiter(scene, i, wait_acquire);
    if (scene->wakings == 0 || scene->barged)
        assert_int_equal(pool_lock_release(scene->lock), 0);
    check_waiters_served(scene);
}

static void
a_waiter_killed_anywhere_after_it_was_woken_does_not_take_others_wake_ups_along(void **state)
{
    (void)state;
    play_all(&(struct play){.prepare = prepare_held_lock,
                            .operation = acquire,
                            .wake = wake_and_barge,
                            .check = check_after_barging});
}

static bool wake_with_the_lock(struct scene *scene)
{
    if (scene->wakings++ > 0)
        return false;
    for (int i = 0; i < WAITERS; i++)
        start_waiter(scene, i, wait_acquire);
    assert_int_equal(pool_lock_release(scene->lock), 0);
    return true;
}

static void check_after_waking(struct scene *scene)
{
    if (scene->wakings == 0)
        check_after_barging(scene);
    else
        check_waiters_served(scene);
}

static void a_waiter_killed_anywhere_leaves_the_lock_to_the_next(void **state)
{
    (void)state;
    play_all(&(struct play){.prepare = prepare_held_lock,
                            .operation = acquire_and_release,
                            .wake = wake_with_the_lock,
                            .check = check_after_waking});
}

/* ---- Semaphore ------------------------------------------------------------------------------- */

static void prepare_one_permit(struct scene *scene)
{
    assert_int_equal(pool_semaphore_create(1, 2, &scene->semaphore), 0);
}

static void prepare_no_permit(struct scene *scene)
{
    assert_int_equal(pool_semaphore_create(0, 2, &scene->semaphore), 0);
}

static void take_permit(void *scene)
{
    pool_semaphore_acquire(((struct scene *)scene)->semaphore, -1);
}

static void give_permit(void *scene)
{
    pool_semaphore_release(((struct scene *)scene)->semaphore);
}

static int wait_permit(struct scene *scene)
{
    return pool_semaphore_acquire(scene->semaphore, -1);
}

/* Whatever has become of the permits, the semaphore counts on from there. */
static void check_counts(struct scene *scene)
{
    unsigned value = pool_semaphore_value(scene->semaphore);
    assert_in_range(value, 0, 2);
    for (; value > 0; value--)
        assert_int_equal(pool_semaphore_acquire(scene->semaphore, 0), 0);
    assert_int_equal(pool_semaphore_acquire(scene->semaphore, 0), -ETIMEDOUT);
    for (; value < 2; value++)
        assert_int_equal(pool_semaphore_release(scene->semaphore), 0);
    assert_int_equal(pool_semaphore_release(scene->semaphore), -EOVERFLOW);
}

static void who_is_killed_anywhere_has_taken_a_permit_or_not(void **state)
{
    (void)state;
    play_all(&(struct play){
        .prepare = prepare_one_permit, .operation = take_permit, .check = check_counts});
}

static void who_is_killed_anywhere_has_given_a_permit_or_not(void **state)
{
    (void)state;
    play_all(&(struct play){
        .prepare = prepare_one_permit, .operation = give_permit, .check = check_counts});
}

static void wait_until_taken(struct scene *scene)
{
    while (pool_semaphore_value(scene->semaphore) > 0)
        poll(NULL, 0, 1);
}

static void check_takers_served(struct scene *scene)
{
    wait_until_taken(scene); /* if it was given, somebody has it without more ado */
    assert_int_equal(pool_semaphore_release(scene->semaphore), 0);
    wait_until_taken(scene);
    pool_semaphore_release(scene->semaphore); /* for the second one, if the child gave nothing */
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(waiter_result(scene, i), 0);
    check_counts(scene);
}

static void a_permit_given_by_who_is_killed_anywhere_wakes_a_taker(void **state)
{
    (void)state;
    play_all(&(struct play){.prepare = prepare_no_permit,
                            .operation = give_permit,
                            .wait = wait_permit,
                            .waiters = WAITERS,
                            .check = check_takers_served});
}

/* Two give at the same time, and both find somebody asleep. */
static int give_too(struct scene *scene)
{
    return pool_semaphore_release(scene->semaphore);
}

static void give_meanwhile(struct scene *scene)
{
    start_waiter(scene, 1, give_too); /* it may have to wait for the child */
}

static void check_both_given(struct scene *scene)
{
    assert_int_equal(waiter_result(scene, 0), 0);
    assert_int_equal(waiter_result(scene, 1), 0);
    assert_int_equal(pool_semaphore_value(scene->semaphore), 1);
    check_counts(scene);
}

static void a_permit_that_is_given_while_another_is_is_not_lost(void **state)
{
    (void)state;
    play_all(&(struct play){.prepare = prepare_no_permit,
                            .operation = give_permit,
                            .wait = wait_permit,
                            .waiters = 1,
                            .meanwhile = give_meanwhile,
                            .lives = true,
                            .check = check_both_given});
}

static bool wake_taker(struct scene *scene)
{
    if (scene->wakings++ > 0)
        return false;
    start_waiter(scene, 0, wait_permit);
    assert_int_equal(pool_semaphore_release(scene->semaphore), 0);
    return true;
}

static void check_next_taker_served(struct scene *scene)
{
    if (scene->wakings == 0)
        start_waiter(scene, 0, wait_permit);
    wait_until_taken(scene);
    assert_int_equal(pool_semaphore_release(scene->semaphore), 0);
    assert_int_equal(waiter_result(scene, 0), 0);
    check_counts(scene);
}

static void a_taker_killed_anywhere_leaves_its_place_to_the_next(void **state)
{
    (void)state;
    play_all(&(struct play){.prepare = prepare_no_permit,
                            .operation = take_permit,
                            .wake = wake_taker,
                            .check = check_next_taker_served});
}

/* ---- Event ----------------------------------------------------------------------------------- */

static void prepare_event(struct scene *scene)
{
    assert_int_equal(pool_event_create(&scene->event), 0);
}

static void set_event(void *scene)
{
    pool_event_set(((struct scene *)scene)->event);
}

static void set_and_clear_event(void *scene)
{
    set_event(scene);
    pool_event_clear(((struct scene *)scene)->event);
}

static void wait_for_event(void *scene)
{
    pool_event_wait(((struct scene *)scene)->event, -1);
}

static int wait_event(struct scene *scene)
{
    return pool_event_wait(scene->event, -1);
}

static void check_event(struct scene *scene)
{
    if (!pool_event_is_set(scene->event))
        pool_event_set(scene->event); /* it was not set, or is cleared again */
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(waiter_result(scene, i), 0);
    pool_event_clear(scene->event);
    assert_int_equal(pool_event_wait(scene->event, 0), -ETIMEDOUT);
}

static void a_set_killed_anywhere_has_woken_all_if_it_is_set(void **state)
{
    (void)state;
    play_all(&(struct play){.prepare = prepare_event,
                            .operation = set_and_clear_event,
                            .wait = wait_event,
                            .waiters = WAITERS,
                            .check = check_event});
}

static bool wake_by_event(struct scene *scene)
{
    if (scene->wakings++ > 0)
        return false;
    for (int i = 0; i < WAITERS; i++)
        start_waiter(scene, i, wait_event);
    pool_event_set(scene->event);
    return true;
}

static void check_event_after_waking(struct scene *scene)
{
    if (scene->wakings == 0)
        for (int i = 0; i < WAITERS; i++)
            start_waiter(scene, i, wait_event);
    check_event(scene);
}

static void a_waiter_for_an_event_killed_anywhere_costs_the_others_nothing(void **state)
{
    (void)state;
    play_all(&(struct play){.prepare = prepare_event,
                            .operation = wait_for_event,
                            .wake = wake_by_event,
                            .check = check_event_after_waking});
}

#define LIMIT_MS   120000
#define PLAY(name) TEST_LONG(name, LIMIT_MS)

static const struct test_case tests[] = {
    PLAY(a_holder_killed_anywhere_leaves_the_lock_to_the_next),
    PLAY(a_release_killed_anywhere_leaves_the_lock_to_those_who_wait),
    PLAY(another_who_takes_a_lock_that_is_being_given_does_not_hide_those_who_wait),
    PLAY(a_waiter_killed_anywhere_after_it_was_woken_does_not_take_others_wake_ups_along),
    PLAY(a_waiter_killed_anywhere_leaves_the_lock_to_the_next),
    PLAY(who_is_killed_anywhere_has_taken_a_permit_or_not),
    PLAY(who_is_killed_anywhere_has_given_a_permit_or_not),
    PLAY(a_permit_given_by_who_is_killed_anywhere_wakes_a_taker),
    PLAY(a_permit_that_is_given_while_another_is_is_not_lost),
    PLAY(a_taker_killed_anywhere_leaves_its_place_to_the_next),
    PLAY(a_set_killed_anywhere_has_woken_all_if_it_is_set),
    PLAY(a_waiter_for_an_event_killed_anywhere_costs_the_others_nothing),
};

int main(int argc, char **argv)
{
    return test_run("ipc_kills_locks", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
