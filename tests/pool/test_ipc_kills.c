/* Queues, when a user is killed in the middle of a call (play.h). */
#include "isolate.h"

#include <errno.h>
#include <poll.h>

#include <pool/ipc.h>

#include "play.h"

enum { RING_BYTES = 128, ITEM_BYTES = 40 };

static void make_queue(struct scene *scene, size_t items_max)
{
    const struct pool_queue_options options = {.items_max = items_max, .bytes_max = RING_BYTES};
    assert_int_equal(pool_queue_create(&options, &scene->queue), 0);
}

static int put(struct scene *scene, int number, int timeout_ms)
{
    int item[ITEM_BYTES / sizeof(int)];
    for (size_t i = 0; i < ITEM_BYTES / sizeof(int); i++)
        item[i] = number + (int)i;
    return pool_queue_put(scene->queue, item, sizeof(item), timeout_ms);
}

/* The next message's number, or the error. */
static int get_into(struct scene *scene, struct pool_message *message, int timeout_ms)
{
    int number = -1, r = pool_queue_get(scene->queue, timeout_ms, message);
    if (r == 0 && message->size_bytes == ITEM_BYTES) {
        const int *item = message->data;
        number = item[0];
        for (size_t i = 0; i < ITEM_BYTES / sizeof(int); i++)
            if (item[i] != number + (int)i)
                number = -2;
    }
    return r < 0 ? r : number;
}

static int get(struct scene *scene, int timeout_ms)
{
    struct pool_message message = POOL_MESSAGE_INIT;
    int number = get_into(scene, &message, timeout_ms);
    pool_message_done(&message);
    return number;
}

static int wait_get(struct scene *scene)
{
    return get(scene, -1);
}

static int wait_put(struct scene *scene)
{
    return put(scene, 500, -1);
}

/* What lies in the queue is to be gone, because somebody sleeps for it. */
static void wait_until_empty(struct scene *scene)
{
    while (pool_queue_size(scene->queue) > 0)
        poll(NULL, 0, 1);
}

static void wait_until_it_has(struct scene *scene, size_t items)
{
    while (pool_queue_size(scene->queue) < items)
        poll(NULL, 0, 1);
}

static void put_100(void *scene)
{
    put(scene, 100, -1);
}

/* The child has memory for it: malloc() is not what is looked at here. */
static uint64_t room[ITEM_BYTES];

static void get_one(void *scene)
{
    struct pool_message message = {.data = room, .room_bytes = sizeof(room)};
    pool_queue_get(((struct scene *)scene)->queue, -1, &message);
}

/* One message is there, at such a place that the next one is cut by the ring's end. */
static void prepare_one_of_two(struct scene *scene)
{
    make_queue(scene, 0);
    assert_int_equal(put(scene, 0, 0), 0);
    assert_int_equal(put(scene, 1, 0), 0);
    assert_int_equal(get(scene, 0), 0);
}

static void check_put_or_not(struct scene *scene)
{
    const size_t size = pool_queue_size(scene->queue);
    assert_in_range(size, 1, 2);
    assert_int_equal(put(scene, 300, 0), size == 1 ? 0 : -ETIMEDOUT);
    assert_int_equal(get(scene, 0), 1);
    if (size == 2)
        assert_int_equal(put(scene, 300, 0), 0);
    if (size == 2)
        assert_int_equal(get(scene, 0), 100);
    assert_int_equal(get(scene, 0), 300);
    assert_int_equal(get(scene, 0), -ETIMEDOUT);
}

static void a_put_killed_anywhere_is_in_the_queue_whole_or_not_at_all(void **state)
{
    (void)state;
    play_all(&(struct play){
        .prepare = prepare_one_of_two, .operation = put_100, .check = check_put_or_not});
}

static void prepare_empty(struct scene *scene)
{
    make_queue(scene, 0);
}

static void check_getter_served(struct scene *scene)
{
    wait_until_empty(scene);
    assert_int_equal(put(scene, 200, -1), 0);
    const int first = waiter_result(scene, 0);
    assert_true(first == 100 || first == 200);
    if (first == 100)
        assert_int_equal(get(scene, 0), 200);
    assert_int_equal(get(scene, 0), -ETIMEDOUT);
}

static void a_put_killed_anywhere_has_woken_the_getter_if_it_was_put(void **state)
{
    (void)state;
    play_all(&(struct play){.prepare = prepare_empty,
                            .operation = put_100,
                            .wait = wait_get,
                            .waiters = 1,
                            .check = check_getter_served});
}

static void prepare_two(struct scene *scene)
{
    prepare_one_of_two(scene);
    assert_int_equal(put(scene, 2, 0), 0);
}

static void check_got_or_not(struct scene *scene)
{
    const size_t size = pool_queue_size(scene->queue);
    assert_in_range(size, 1, 2);
    if (size == 2)
        assert_int_equal(get(scene, 0), 1);
    assert_int_equal(put(scene, 300, 0), 0);
    assert_int_equal(get(scene, 0), 2);
    assert_int_equal(get(scene, 0), 300);
    assert_int_equal(get(scene, 0), -ETIMEDOUT);
}

static void a_get_killed_anywhere_takes_one_message_or_none(void **state)
{
    (void)state;
    play_all(
        &(struct play){.prepare = prepare_two, .operation = get_one, .check = check_got_or_not});
}

static void check_putter_served(struct scene *scene)
{
    wait_until_it_has(scene, 2);
    const int first = get(scene, 0);
    assert_true(first == 1 || first == 2);
    if (first == 1)
        assert_int_equal(get(scene, 0), 2);
    assert_int_equal(waiter_result(scene, 0), 0);
    assert_int_equal(get(scene, 0), 500);
    assert_int_equal(get(scene, 0), -ETIMEDOUT);
}

static void a_get_killed_anywhere_has_woken_the_putter_if_there_is_room(void **state)
{
    (void)state;
    play_all(&(struct play){.prepare = prepare_two,
                            .operation = get_one,
                            .wait = wait_put,
                            .waiters = 1,
                            .check = check_putter_served});
}

/* ---- Those who sleep in a queue, and are killed after they were woken -------------------------
 */

static bool wake_getter(struct scene *scene)
{
    if (scene->wakings++ > 0)
        return false;
    start_waiter(scene, 0, wait_get); /* it lines up behind the child */
    assert_int_equal(put(scene, 200, 0), 0);
    return true;
}

static void check_next_getter_served(struct scene *scene)
{
    if (scene->wakings == 0)
        start_waiter(scene, 0, wait_get); /* the child was killed before it slept */
    wait_until_empty(scene);
    assert_int_equal(put(scene, 300, -1), 0);
    const int first = waiter_result(scene, 0);
    assert_true(first == 300 || (first == 200 && scene->wakings > 0));
    if (first == 200)
        assert_int_equal(get(scene, 0), 300);
    assert_int_equal(get(scene, 0), -ETIMEDOUT);
}

static void a_waiting_getter_killed_anywhere_leaves_its_place_to_the_next(void **state)
{
    (void)state;
    play_all(&(struct play){.prepare = prepare_empty,
                            .operation = get_one,
                            .wake = wake_getter,
                            .check = check_next_getter_served});
}

static bool wake_putter(struct scene *scene)
{
    if (scene->wakings++ > 0)
        return false;
    start_waiter(scene, 0, wait_put);
    assert_int_equal(get(scene, 0), 1);
    return true;
}

static void check_next_putter_served(struct scene *scene)
{
    if (scene->wakings == 0) {
        start_waiter(scene, 0, wait_put);
        assert_int_equal(get(scene, 0), 1);
    }
    wait_until_it_has(scene, 2);
    assert_int_equal(get(scene, 0), 2);
    const int next = get(scene, 0);
    assert_true(next == 500 || (next == 100 && scene->wakings > 0));
    assert_int_equal(waiter_result(scene, 0), 0);
    if (next == 100)
        assert_int_equal(get(scene, 0), 500);
    assert_int_equal(get(scene, 0), -ETIMEDOUT);
}

static void a_waiting_putter_killed_anywhere_leaves_its_place_to_the_next(void **state)
{
    (void)state;
    play_all(&(struct play){.prepare = prepare_two,
                            .operation = put_100,
                            .wake = wake_putter,
                            .check = check_next_putter_served});
}

/* ---- Closing, and unfinished messages ---------------------------------------------------------
 */

static void close_it(void *scene)
{
    pool_queue_close(((struct scene *)scene)->queue);
}

static void check_closed_for_getters(struct scene *scene)
{
    int r = put(scene, 300, 0);
    assert_true(r == 0 || r == -ESHUTDOWN);
    assert_int_equal(waiter_result(scene, 0), r == 0 ? 300 : -ESHUTDOWN);
    pool_queue_close(scene->queue);
    assert_int_equal(put(scene, 300, 0), -ESHUTDOWN);
    assert_int_equal(get(scene, -1), -ESHUTDOWN);
}

static void a_close_killed_anywhere_closes_for_all_or_for_none_of_the_getters(void **state)
{
    (void)state;
    play_all(&(struct play){.prepare = prepare_empty,
                            .operation = close_it,
                            .wait = wait_get,
                            .waiters = 1,
                            .check = check_closed_for_getters});
}

static void check_closed_for_putters(struct scene *scene)
{
    int r = put(scene, 300, 0);
    assert_true(r == -ETIMEDOUT || r == -ESHUTDOWN);
    assert_int_equal(get(scene, 0), 1);
    assert_int_equal(waiter_result(scene, 0), r == -ETIMEDOUT ? 0 : -ESHUTDOWN);
    assert_int_equal(get(scene, 0), 2);
    assert_int_equal(get(scene, 0), r == -ETIMEDOUT ? 500 : -ESHUTDOWN);
}

static void a_close_killed_anywhere_closes_for_all_or_for_none_of_the_putters(void **state)
{
    (void)state;
    play_all(&(struct play){.prepare = prepare_two,
                            .operation = close_it,
                            .wait = wait_put,
                            .waiters = 1,
                            .check = check_closed_for_putters});
}

static void put_and_tell(void *data)
{
    struct scene *scene = data;
    scene->told = put(scene, 100, -1);
}

static void close_meanwhile(struct scene *scene)
{
    pool_queue_close(scene->queue);
    if (!scene->waiters[0].scene)
        start_waiter(scene, 0, wait_get);
}

static void check_told_the_truth(struct scene *scene)
{
    assert_true(scene->told == 0 || scene->told == -ESHUTDOWN);
    assert_int_equal(waiter_result(scene, 0), scene->told == 0 ? 100 : -ESHUTDOWN);
    assert_int_equal(get(scene, -1), -ESHUTDOWN);
}

static void a_put_that_was_under_way_when_the_queue_was_closed_is_got_if_it_succeeds(void **state)
{
    (void)state;
    play_all(&(struct play){.prepare = prepare_empty,
                            .operation = put_and_tell,
                            .wait = wait_get,
                            .waiters = 1,
                            .meanwhile = close_meanwhile,
                            .lives = true,
                            .check = check_told_the_truth});
    play_all(&(struct play){.prepare = prepare_empty,
                            .operation = put_and_tell,
                            .meanwhile = close_meanwhile,
                            .lives = true,
                            .check = check_told_the_truth});
}

static int wait_join(struct scene *scene)
{
    return pool_queue_join(scene->queue, -1);
}

static void say_done(void *scene)
{
    pool_queue_task_done(((struct scene *)scene)->queue);
}

static void prepare_unfinished(struct scene *scene)
{
    prepare_one_of_two(scene);
    assert_int_equal(pool_queue_task_done(scene->queue), 0);
}

static void check_joined(struct scene *scene)
{
    int r = pool_queue_task_done(scene->queue);
    assert_true(r == 0 || r == -EINVAL); /* which wakes nobody */
    assert_int_equal(waiter_result(scene, 0), 0);
    assert_int_equal(pool_queue_task_done(scene->queue), -EINVAL);
}

static void a_task_done_killed_anywhere_has_woken_who_joins_if_it_was_counted(void **state)
{
    (void)state;
    play_all(&(struct play){.prepare = prepare_unfinished,
                            .operation = say_done,
                            .wait = wait_join,
                            .waiters = 1,
                            .check = check_joined});
}

/* Two say it at the same time of the same message, the last one, while somebody is asleep in join.
 */
static void say_done_and_tell(void *data)
{
    struct scene *scene = data;
    scene->told = pool_queue_task_done(scene->queue);
}

static int say_done_too(struct scene *scene)
{
    return pool_queue_task_done(scene->queue);
}

static void say_done_meanwhile(struct scene *scene)
{
    start_waiter(scene, 1, say_done_too); /* it may have to wait for the child */
}

static void check_done_once(struct scene *scene)
{
    const int other = waiter_result(scene, 1);
    assert_int_equal(waiter_result(scene, 0), 0);
    assert_int_equal(scene->told < other ? scene->told : other, -EINVAL);
    assert_int_equal(scene->told < other ? other : scene->told, 0);
    assert_int_equal(put(scene, 300, 0), 0);
    assert_int_equal(pool_queue_join(scene->queue, 0), -ETIMEDOUT);
    assert_int_equal(pool_queue_task_done(scene->queue), 0);
    assert_int_equal(pool_queue_join(scene->queue, 0), 0);
}

static void a_task_done_that_two_say_of_the_same_message_is_counted_once(void **state)
{
    (void)state;
    play_all(&(struct play){.prepare = prepare_unfinished,
                            .operation = say_done_and_tell,
                            .wait = wait_join,
                            .waiters = 1,
                            .meanwhile = say_done_meanwhile,
                            .lives = true,
                            .check = check_done_once});
}

#define LIMIT_MS   120000
#define PLAY(name) TEST_LONG(name, LIMIT_MS)

static const struct test_case tests[] = {
    PLAY(a_put_killed_anywhere_is_in_the_queue_whole_or_not_at_all),
    PLAY(a_put_killed_anywhere_has_woken_the_getter_if_it_was_put),
    PLAY(a_get_killed_anywhere_takes_one_message_or_none),
    PLAY(a_get_killed_anywhere_has_woken_the_putter_if_there_is_room),
    PLAY(a_waiting_getter_killed_anywhere_leaves_its_place_to_the_next),
    PLAY(a_waiting_putter_killed_anywhere_leaves_its_place_to_the_next),
    PLAY(a_close_killed_anywhere_closes_for_all_or_for_none_of_the_getters),
    PLAY(a_close_killed_anywhere_closes_for_all_or_for_none_of_the_putters),
    PLAY(a_put_that_was_under_way_when_the_queue_was_closed_is_got_if_it_succeeds),
    PLAY(a_task_done_killed_anywhere_has_woken_who_joins_if_it_was_counted),
    PLAY(a_task_done_that_two_say_of_the_same_message_is_counted_once),
};

int main(int argc, char **argv)
{
    return test_run("ipc_kills", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
