/* Queues with several users: putters and getters, those who wait, closing, unfinished messages. */
#include "isolate.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include <pool/ipc.h>

#include "forks.h"
#include "queue_numbers.h"

struct scene {
    struct pool_queue *queue;
    atomic_int done, go;
    atomic_long sum;
};

static struct scene *scene_open(size_t items_max, size_t bytes_max)
{
    struct scene *scene = shared_memory(sizeof(*scene));
    scene->queue = queue_of(items_max, bytes_max);
    return scene;
}

/* ---- Several -------------------------------------------------------------------------------- */

enum { PUTTERS = 3, GETTERS = 3, MESSAGES = 4000 };

struct numbered {
    int putter, number;
    char filler[24];
};

/* One of several putters, as processes or threads; `data` says which scene, chance which one. */
static void *put_numbered(void *data)
{
    struct scene *scene = data;
    struct numbered message = {.putter = atomic_fetch_add(&scene->go, 1)};
    for (message.number = 0; message.number < MESSAGES; message.number++) {
        const size_t size = 8 + (size_t)(message.number % 25);
        EXPECT(pool_queue_put(scene->queue, &message, size, -1) == 0);
    }
    return NULL;
}

/* Get until the queue is closed and empty; each putter's numbers rise. */
static void *get_numbered(void *data)
{
    struct scene *scene = data;
    struct pool_message message = POOL_MESSAGE_INIT;
    struct numbered got;
    int last[PUTTERS], r;
    memset(last, -1, sizeof(last));
    while ((r = pool_queue_get(scene->queue, -1, &message)) == 0) {
        memcpy(&got, message.data, 8);
        EXPECT(got.putter >= 0 && got.putter < PUTTERS && got.number > last[got.putter]);
        EXPECT(message.size_bytes == 8 + (size_t)(got.number % 25));
        last[got.putter] = got.number;
        atomic_fetch_add(&scene->sum, got.number);
        atomic_fetch_add(&scene->done, 1);
        EXPECT(pool_queue_task_done(scene->queue) == 0);
    }
    EXPECT(r == -ESHUTDOWN);
    pool_message_done(&message);
    return NULL;
}

static void check_sums(struct scene *scene)
{
    assert_int_equal(atomic_load(&scene->done), PUTTERS * MESSAGES);
    assert_int_equal(atomic_load(&scene->sum), (long)PUTTERS * MESSAGES * (MESSAGES - 1) / 2);
    assert_int_equal(pool_queue_size(scene->queue), 0);
    assert_int_equal(pool_queue_join(scene->queue, 0), 0);
}

static int put_in_a_process(void *data)
{
    put_numbered(data);
    return 0;
}

static int get_in_a_process(void *data)
{
    get_numbered(data);
    return 0;
}

static void each_message_goes_to_one_of_several_processes(void **state)
{
    (void)state;
    static const struct {
        size_t items_max, bytes_max;
    } rows[] = {{0, 0}, {1, 0}, {0, 64}, {7, 4096}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        pid_t putters[PUTTERS], getters[GETTERS];
        struct scene *scene = scene_open(rows[i].items_max, rows[i].bytes_max);
        print_message("%zu items, %zu bytes\n", rows[i].items_max, rows[i].bytes_max);
        for (int k = 0; k < GETTERS; k++)
            getters[k] = fork_run(get_in_a_process, scene);
        for (int k = 0; k < PUTTERS; k++)
            putters[k] = fork_run(put_in_a_process, scene);
        for (int k = 0; k < PUTTERS; k++)
            assert_int_equal(fork_wait(putters[k]), 0);
        assert_int_equal(pool_queue_join(scene->queue, -1), 0);
        pool_queue_close(scene->queue);
        for (int k = 0; k < GETTERS; k++)
            assert_int_equal(fork_wait(getters[k]), 0);
        check_sums(scene);
        pool_queue_free(scene->queue);
    }
}

static void each_message_goes_to_one_of_several_threads(void **state)
{
    (void)state;
    static const size_t bytes[] = {0, 64, 4096};
    for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
        pthread_t putters[PUTTERS], getters[GETTERS];
        struct scene *scene = scene_open(0, bytes[i]);
        print_message("%zu bytes\n", bytes[i]);
        for (int k = 0; k < GETTERS; k++)
            assert_int_equal(pthread_create(&getters[k], NULL, get_numbered, scene), 0);
        for (int k = 0; k < PUTTERS; k++)
            assert_int_equal(pthread_create(&putters[k], NULL, put_numbered, scene), 0);
        for (int k = 0; k < PUTTERS; k++)
            assert_int_equal(pthread_join(putters[k], NULL), 0);
        pool_queue_close(scene->queue);
        for (int k = 0; k < GETTERS; k++)
            assert_int_equal(pthread_join(getters[k], NULL), 0);
        check_sums(scene);
        pool_queue_free(scene->queue);
    }
}

/* Neither full nor empty for a moment: who does not want to wait does not have to, however many
 * others are in the middle of a call. */
static void *put_and_get_without_waiting(void *data)
{
    struct scene *scene = data;
    struct pool_message message = POOL_MESSAGE_INIT;
    for (int i = 0; i < MESSAGES; i++) {
        EXPECT(pool_queue_put(scene->queue, &i, sizeof(i), 0) == 0);
        EXPECT(pool_queue_get(scene->queue, 0, &message) == 0);
    }
    pool_message_done(&message);
    return NULL;
}

static int put_and_get_in_threads(void *data)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        EXPECT(pthread_create(&threads[i], NULL, put_and_get_without_waiting, data) == 0);
    for (int i = 0; i < 2; i++)
        EXPECT(pthread_join(threads[i], NULL) == 0);
    return 0;
}

static void others_in_the_middle_of_a_call_do_not_make_a_queue_look_full_or_empty(void **state)
{
    (void)state;
    enum { PROCESSES = 3 };
    pid_t children[PROCESSES];
    struct scene *scene = scene_open(0, 0);
    for (int i = 0; i < 2 * PROCESSES; i++)
        put_number(scene->queue, i);
    for (int i = 0; i < PROCESSES; i++)
        children[i] = fork_run(put_and_get_in_threads, scene);
    for (int i = 0; i < PROCESSES; i++)
        assert_int_equal(fork_wait(children[i]), 0);
    assert_int_equal(pool_queue_size(scene->queue), 2 * PROCESSES);
    pool_queue_free(scene->queue);
}

/* ---- Waiters -------------------------------------------------------------------------------- */

static int get_one(void *data)
{
    struct scene *scene = data;
    struct pool_message message = POOL_MESSAGE_INIT;
    int r = pool_queue_get(scene->queue, -1, &message);
    pool_message_done(&message);
    atomic_fetch_add(&scene->done, 1);
    return -r;
}

static int put_one(void *data)
{
    struct scene *scene = data;
    int r = pool_queue_put(scene->queue, "abcd", 4, -1);
    atomic_fetch_add(&scene->done, 1);
    return -r;
}

enum { WAITERS = 4 };

static void start_waiters(struct scene *scene, int (*run)(void *data), pid_t *ret_waiters)
{
    for (int i = 0; i < WAITERS; i++) {
        ret_waiters[i] = fork_run(run, scene);
        wait_until_asleep(ret_waiters[i]);
    }
}

static void each_message_wakes_one_getter(void **state)
{
    (void)state;
    pid_t getters[WAITERS];
    struct scene *scene = scene_open(0, 0);
    start_waiters(scene, get_one, getters);
    for (int i = 1; i <= WAITERS; i++) {
        put_number(scene->queue, i);
        wait_for_count(&scene->done, i);
        assert_int_equal(atomic_load(&scene->done), i);
    }
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(fork_wait(getters[i]), 0);
    pool_queue_free(scene->queue);
}

static void each_message_that_goes_makes_room_for_one_putter(void **state)
{
    (void)state;
    pid_t putters[WAITERS];
    struct scene *scene = scene_open(1, 0);
    put_number(scene->queue, 0);
    start_waiters(scene, put_one, putters);
    for (int i = 1; i <= WAITERS; i++) {
        assert_true(get_number(scene->queue, -1) >= 0);
        wait_for_count(&scene->done, i);
        assert_int_equal(atomic_load(&scene->done), i);
        assert_int_equal(pool_queue_size(scene->queue), 1);
    }
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(fork_wait(putters[i]), 0);
    pool_queue_free(scene->queue);
}

enum { LARGE = 100 };

static int put_a_large_one(void *data)
{
    struct scene *scene = data;
    char large[LARGE] = "large";
    EXPECT(pool_queue_put(scene->queue, large, LARGE, -1) == 0);
    return 0;
}

static void a_large_message_is_not_overtaken_by_small_ones(void **state)
{
    (void)state;
    struct pool_message message = POOL_MESSAGE_INIT;
    struct scene *scene = scene_open(0, 128);
    put_number(scene->queue, 1);
    put_number(scene->queue, 2);
    pid_t putter = fork_run(put_a_large_one, scene);
    wait_until_asleep(putter);
    assert_false(pool_queue_full(scene->queue, 4)); /* there is room for a small one, but ... */
    assert_int_equal(pool_queue_put(scene->queue, "abcd", 4, 0), -ETIMEDOUT);
    assert_int_equal(pool_queue_put(scene->queue, "abcd", 4, 10), -ETIMEDOUT);
    assert_int_equal(get_number(scene->queue, 0), 1);
    assert_int_equal(get_number(scene->queue, 0), 2);
    assert_int_equal(pool_queue_get(scene->queue, -1, &message), 0);
    assert_int_equal(message.size_bytes, LARGE);
    assert_int_equal(fork_wait(putter), 0);
    assert_int_equal(pool_queue_put(scene->queue, "abcd", 4, 0), 0);
    pool_message_done(&message);
    pool_queue_free(scene->queue);
}

/* Kill all waiters but the last, the one who has the turn first. */
static void check_dead_waiters(struct scene *scene, int (*run)(void *data))
{
    pid_t waiters[WAITERS];
    start_waiters(scene, run, waiters);
    for (int i = 0; i < WAITERS - 1; i++) {
        kill(waiters[i], SIGKILL);
        assert_int_equal(fork_wait(waiters[i]), -SIGKILL);
    }
    assert_int_equal(atomic_load(&scene->done), 0);
    if (run == get_one)
        put_number(scene->queue, 1);
    else
        assert_true(get_number(scene->queue, -1) >= 0);
    assert_int_equal(fork_wait(waiters[WAITERS - 1]), 0);
    pool_queue_free(scene->queue);
}

static void getters_that_are_killed_while_they_wait_cost_no_message(void **state)
{
    (void)state;
    check_dead_waiters(scene_open(0, 0), get_one);
}

static void putters_that_are_killed_while_they_wait_cost_no_room(void **state)
{
    (void)state;
    struct scene *scene = scene_open(1, 0);
    put_number(scene->queue, 0);
    check_dead_waiters(scene, put_one);
}

static void a_getter_that_is_stopped_holds_up_others_for_their_timeouts_only(void **state)
{
    (void)state;
    struct scene *scene = scene_open(0, 0);
    pid_t getter = fork_run(get_one, scene);
    wait_until_asleep(getter);
    kill(getter, SIGSTOP);
    assert_int_equal(get_number(scene->queue, 0), -ETIMEDOUT);
    assert_int_equal(get_number(scene->queue, 10), -ETIMEDOUT);
    put_number(scene->queue, 1); /* which is the other one's */
    assert_int_equal(get_number(scene->queue, 10), -ETIMEDOUT);
    kill(getter, SIGCONT);
    assert_int_equal(fork_wait(getter), 0);
    put_number(scene->queue, 2);
    assert_int_equal(get_number(scene->queue, -1), 2);
    pool_queue_free(scene->queue);
}

/* ---- Closing -------------------------------------------------------------------------------- */

static void a_closed_queue_is_emptied_and_takes_nothing(void **state)
{
    (void)state;
    struct pool_queue *queue = queue_of(2, 0);
    put_number(queue, 1);
    put_number(queue, 2);
    pool_queue_close(queue);
    pool_queue_close(queue); /* twice is fine */
    for (int timeout_ms = -1; timeout_ms <= 1; timeout_ms++)
        assert_int_equal(pool_queue_put(queue, "abcd", 4, timeout_ms), -ESHUTDOWN);
    assert_int_equal(pool_queue_size(queue), 2);
    assert_int_equal(get_number(queue, -1), 1);
    assert_int_equal(pool_queue_put(queue, "abcd", 4, -1), -ESHUTDOWN);
    assert_int_equal(get_number(queue, 0), 2);
    for (int timeout_ms = -1; timeout_ms <= 1; timeout_ms++)
        assert_int_equal(get_number(queue, timeout_ms), -ESHUTDOWN);
    pool_queue_free(queue);
}

static void closing_ends_all_waits(void **state)
{
    (void)state;
    pid_t getters[WAITERS], putters[WAITERS];
    struct scene *empty = scene_open(0, 0), *full = scene_open(1, 0);
    put_number(full->queue, 1);
    start_waiters(empty, get_one, getters);
    start_waiters(full, put_one, putters);
    pool_queue_close(empty->queue);
    pool_queue_close(full->queue);
    for (int i = 0; i < WAITERS; i++) {
        assert_int_equal(fork_wait(getters[i]), ESHUTDOWN);
        assert_int_equal(fork_wait(putters[i]), ESHUTDOWN);
    }
    assert_int_equal(get_number(full->queue, -1), 1);
    assert_int_equal(get_number(full->queue, -1), -ESHUTDOWN);
    pool_queue_free(empty->queue);
    pool_queue_free(full->queue);
}

/* Threads put until the queue is closed: what they were told is in comes out. */
static void *put_until_closed(void *data)
{
    struct scene *scene = data;
    int r;
    while ((r = pool_queue_put(scene->queue, "abcd", 4, -1)) == 0)
        atomic_fetch_add(&scene->sum, 1);
    EXPECT(r == -ESHUTDOWN);
    return NULL;
}

static void *get_until_closed(void *data)
{
    struct scene *scene = data;
    struct pool_message message = POOL_MESSAGE_INIT;
    int r;
    while ((r = pool_queue_get(scene->queue, -1, &message)) == 0)
        atomic_fetch_add(&scene->done, 1);
    EXPECT(r == -ESHUTDOWN);
    pool_message_done(&message);
    return NULL;
}

static void no_put_that_succeeded_is_lost_by_closing(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        pthread_t threads[2 * WAITERS];
        struct scene *scene = scene_open(round % 3 == 0 ? 1 : 0, round % 3 == 1 ? 64 : 4096);
        for (int i = 0; i < 2 * WAITERS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL,
                                            i % 2 ? put_until_closed : get_until_closed, scene),
                             0);
        while (atomic_load(&scene->done) < round)
            sched_yield();
        pool_queue_close(scene->queue);
        for (int i = 0; i < 2 * WAITERS; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(atomic_load(&scene->done), atomic_load(&scene->sum));
        assert_int_equal(pool_queue_size(scene->queue), 0);
        pool_queue_free(scene->queue);
    }
}

/* ---- Unfinished ----------------------------------------------------------------------------- */

static void join_waits_until_all_is_done(void **state)
{
    (void)state;
    struct pool_queue *queue = queue_of(0, 0);
    assert_int_equal(pool_queue_join(queue, -1), 0); /* nothing was put */
    assert_int_equal(pool_queue_task_done(queue), -EINVAL);
    put_number(queue, 1);
    put_number(queue, 2);
    assert_int_equal(pool_queue_join(queue, 0), -ETIMEDOUT);
    assert_int_equal(get_number(queue, 0), 1);
    assert_int_equal(get_number(queue, 0), 2);
    assert_int_equal(pool_queue_join(queue, 1), -ETIMEDOUT); /* got is not done */
    assert_int_equal(pool_queue_task_done(queue), 0);
    assert_int_equal(pool_queue_join(queue, 20), -ETIMEDOUT);
    assert_int_equal(pool_queue_task_done(queue), 0);
    assert_int_equal(pool_queue_join(queue, 0), 0);
    assert_int_equal(pool_queue_join(queue, -1), 0);
    assert_int_equal(pool_queue_task_done(queue), -EINVAL);
    put_number(queue, 3);
    assert_int_equal(pool_queue_join(queue, 0), -ETIMEDOUT);
    pool_queue_free(queue);
}

static int join_queue(void *data)
{
    struct scene *scene = data;
    int r = pool_queue_join(scene->queue, -1);
    atomic_fetch_add(&scene->done, 1);
    return -r;
}

static void the_last_task_done_wakes_all_who_join(void **state)
{
    (void)state;
    enum { UNFINISHED = 3 };
    pid_t waiters[WAITERS];
    struct scene *scene = scene_open(0, 0);
    for (int i = 0; i < UNFINISHED; i++)
        put_number(scene->queue, i);
    start_waiters(scene, join_queue, waiters);
    for (int i = 0; i < UNFINISHED; i++) {
        assert_int_equal(atomic_load(&scene->done), 0);
        assert_int_equal(pool_queue_task_done(scene->queue), 0);
        if (i == 0) { /* one more meanwhile */
            put_number(scene->queue, UNFINISHED);
            assert_int_equal(pool_queue_task_done(scene->queue), 0);
        }
    }
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(fork_wait(waiters[i]), 0);
    pool_queue_free(scene->queue);
}

/* Each says it for every message; together too often. */
static void *say_done(void *data)
{
    struct scene *scene = data;
    for (int i = 0; i < MESSAGES; i++) {
        int r = pool_queue_task_done(scene->queue);
        EXPECT(r == 0 || r == -EINVAL);
        if (r == 0)
            atomic_fetch_add(&scene->done, 1);
        if (i % 100 == 0)
            EXPECT(pool_queue_join(scene->queue, 0) <= 0);
    }
    EXPECT(pool_queue_join(scene->queue, -1) == 0);
    return NULL;
}

static void task_done_is_counted_once_for_each_message(void **state)
{
    (void)state;
    pthread_t threads[WAITERS];
    struct scene *scene = scene_open(0, 0);
    for (int i = 0; i < MESSAGES; i++)
        put_number(scene->queue, i);
    pid_t joiner = fork_run(join_queue, scene);
    wait_until_asleep(joiner);
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, say_done, scene), 0);
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(fork_wait(joiner), 0);
    assert_int_equal(atomic_load(&scene->done), MESSAGES + 1); /* the joiner, too */
    pool_queue_free(scene->queue);
}

static const struct test_case tests[] = {
    TEST(a_large_message_is_not_overtaken_by_small_ones),
    TEST_LONG(each_message_goes_to_one_of_several_processes, 60000),
    TEST_LONG(each_message_goes_to_one_of_several_threads, 60000),
    TEST(others_in_the_middle_of_a_call_do_not_make_a_queue_look_full_or_empty),
    TEST(each_message_wakes_one_getter),
    TEST(each_message_that_goes_makes_room_for_one_putter),
    TEST(getters_that_are_killed_while_they_wait_cost_no_message),
    TEST(putters_that_are_killed_while_they_wait_cost_no_room),
    TEST(a_getter_that_is_stopped_holds_up_others_for_their_timeouts_only),
    TEST(a_closed_queue_is_emptied_and_takes_nothing),
    TEST(closing_ends_all_waits),
    TEST_LONG(no_put_that_succeeded_is_lost_by_closing, 60000),
    TEST(join_waits_until_all_is_done),
    TEST(the_last_task_done_wakes_all_who_join),
    TEST(task_done_is_counted_once_for_each_message),
};

int main(int argc, char **argv)
{
    return test_run("ipc_queue_users", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
