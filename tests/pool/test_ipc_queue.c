/* Queues between processes: order, room, closing, unfinished messages. What kills do to them is in
 * test_ipc_kills.c. */
#include "isolate.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <pool/ipc.h>

#include "fault.h"
#include "forks.h"

static struct pool_queue *queue_of(size_t items_max, size_t bytes_max)
{
    const struct pool_queue_options options = {.items_max = items_max, .bytes_max = bytes_max};
    struct pool_queue *queue = NULL;
    assert_int_equal(pool_queue_create(&options, &queue), 0);
    return queue;
}

static void put_number(struct pool_queue *queue, int number)
{
    assert_int_equal(pool_queue_put(queue, &number, sizeof(number), -1), 0);
}

/* The next message, which must be an int; or the error. */
static int get_number(struct pool_queue *queue, int timeout_ms)
{
    struct pool_message message = POOL_MESSAGE_INIT;
    int number = -EBADMSG, r = pool_queue_get(queue, timeout_ms, &message);
    if (r == 0 && message.size_bytes == sizeof(number))
        memcpy(&number, message.data, sizeof(number));
    pool_message_done(&message);
    return r < 0 ? r : number;
}

/* ---- Order and sizes ------------------------------------------------------------------------ */

static void messages_come_out_in_the_order_in_which_they_went_in(void **state)
{
    (void)state;
    struct pool_queue *queue;
    assert_int_equal(pool_queue_create(NULL, &queue), 0);
    assert_int_equal(pool_queue_size(queue), 0);
    for (int i = 0; i < 1000; i++) {
        put_number(queue, i);
        assert_int_equal(pool_queue_size(queue), i + 1);
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(get_number(queue, 0), i);
    assert_int_equal(get_number(queue, 0), -ETIMEDOUT);
    pool_queue_free(queue);
}

static void a_message_may_be_empty(void **state)
{
    (void)state;
    struct pool_message message = POOL_MESSAGE_INIT;
    struct pool_queue *queue = queue_of(0, 64);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 8; i++)
            assert_int_equal(pool_queue_put(queue, i % 2 ? "x" : NULL, 0, 0), 0);
        assert_int_equal(pool_queue_size(queue), 8);
        assert_true(pool_queue_full(queue, 0));
        assert_int_equal(pool_queue_put(queue, NULL, 0, 0), -ETIMEDOUT);
        for (int i = 0; i < 8; i++) {
            message.size_bytes = 99;
            assert_int_equal(pool_queue_get(queue, 0, &message), 0);
            assert_int_equal(message.size_bytes, 0);
        }
    }
    pool_message_done(&message);
    pool_queue_free(queue);
}

/* ---- Against a model ------------------------------------------------------------------------ */

enum { MODEL_MAX = 4096 };

struct model {
    size_t sizes[MODEL_MAX]; /* of the messages in the queue, numbered first, first + 1, ... */
    unsigned first, next;
    size_t used_bytes;
};

static size_t record_of(size_t size)
{
    return 8 + (size + 7) / 8 * 8;
}

static uint8_t pattern(unsigned number, size_t at)
{
    return (uint8_t)(number * 7 + at * 31 + (at >> 8));
}

static void model_put(struct pool_queue *queue, struct model *model, size_t items_max,
                      size_t bytes_max, size_t size)
{
    uint8_t data[MODEL_MAX];
    const size_t items = model->next - model->first;
    const bool full =
        (items_max && items >= items_max) || model->used_bytes + record_of(size) > bytes_max;
    for (size_t i = 0; i < size; i++)
        data[i] = pattern(model->next, i);
    assert_int_equal(pool_queue_full(queue, size), full);
    assert_int_equal(pool_queue_put(queue, data, size, 0), full ? -ETIMEDOUT : 0);
    if (full)
        return;
    model->sizes[model->next++ % MODEL_MAX] = size;
    model->used_bytes += record_of(size);
}

static void model_get(struct pool_queue *queue, struct model *model, struct pool_message *message)
{
    if (model->first == model->next) {
        assert_int_equal(pool_queue_get(queue, 0, message), -ETIMEDOUT);
        return;
    }
    const size_t size = model->sizes[model->first % MODEL_MAX];
    assert_int_equal(pool_queue_get(queue, 0, message), 0);
    assert_int_equal(message->size_bytes, size);
    for (size_t i = 0; i < size; i++)
        if (((uint8_t *)message->data)[i] != pattern(model->first, i))
            fail_msg("message %u of %zu bytes differs at %zu", model->first, size, i);
    model->used_bytes -= record_of(size);
    model->first++;
}

static void whatever_the_sizes_what_goes_in_comes_out(void **state)
{
    (void)state;
    static const struct {
        size_t items_max, bytes_max, size_max;
    } rows[] = {{0, 64, 56},    {0, 128, 40},     {3, 128, 24},    {0, 1024, 1016}, {0, 1024, 30},
                {5, 4096, 900}, {100, 4096, 300}, {0, 4096, 4088}, {1, 4096, 4000}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned seed = (unsigned)i + 1;
        struct model model = {0};
        struct pool_message message = POOL_MESSAGE_INIT;
        struct pool_queue *queue = queue_of(rows[i].items_max, rows[i].bytes_max);
        print_message("%zu items, %zu bytes\n", rows[i].items_max, rows[i].bytes_max);
        for (int k = 0; k < 10000; k++) {
            const bool filling = k / 50 % 2 == 0; /* full for a while, empty for a while */
            if (rand_r(&seed) % 4 < (filling ? 3 : 1))
                model_put(queue, &model, rows[i].items_max, rows[i].bytes_max,
                          (size_t)rand_r(&seed) % (rows[i].size_max + 1));
            else
                model_get(queue, &model, &message);
            assert_int_equal(pool_queue_size(queue), model.next - model.first);
        }
        pool_message_done(&message);
        pool_queue_free(queue);
    }
}

static void more_bytes_pass_than_its_positions_can_count(void **state)
{
    (void)state;
    enum { BYTES = 60000 };
#if defined(__SANITIZE_THREAD__)
    const uint64_t enough = UINT64_C(1) << 28; /* it would take half a minute */
#else
    const uint64_t enough = UINT64_C(1) << 32;
#endif
    struct pool_message message = POOL_MESSAGE_INIT;
    struct pool_queue *queue = queue_of(0, 1 << 18);
    uint8_t *data = malloc(BYTES);
    uint64_t passed = 0;
    for (unsigned i = 0; passed <= enough + 4 * BYTES; i++, passed += 2 * BYTES) {
        memcpy(data, &i, sizeof(i));
        memset(data + BYTES - 100, (int)i, 100);
        assert_int_equal(pool_queue_put(queue, data, BYTES, 0), 0);
        assert_int_equal(pool_queue_put(queue, data, BYTES - i % 1000, 0), 0);
        assert_int_equal(pool_queue_get(queue, 0, &message), 0);
        assert_int_equal(message.size_bytes, BYTES);
        assert_memory_equal(message.data, data, sizeof(i));
        assert_memory_equal((uint8_t *)message.data + BYTES - 100, data + BYTES - 100, 100);
        assert_int_equal(pool_queue_get(queue, 0, &message), 0);
        assert_int_equal(message.size_bytes, BYTES - i % 1000);
    }
    free(data);
    pool_message_done(&message);
    pool_queue_free(queue);
}

/* Move all three of a queue's counts, each two now, to shortly before their end. They are found by
 * what they do: words that go from one value to another with one operation. */
static uint32_t *find_count(uint32_t *words, const uint32_t *before, uint32_t from, uint32_t to)
{
    uint32_t *found = NULL;
    for (int i = 0; i < 1024; i++)
        if (before[i] == from && words[i] == to) {
            assert_null(found);
            found = &words[i];
        }
    assert_non_null(found);
    return found;
}

static void more_messages_pass_than_it_can_count(void **state)
{
    (void)state;
    uint32_t before[3][1024], *counts[3];
    struct pool_queue *queue = queue_of(0, 256);
    int fd = pool_queue_share(queue);
    uint32_t *words = mmap(NULL, sizeof(before[0]), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(words != MAP_FAILED);
    for (int i = 0; i < 2; i++) {
        memcpy(before[0], words, sizeof(before[0]));
        put_number(queue, 1);
        memcpy(before[1], words, sizeof(before[0]));
        assert_int_equal(get_number(queue, 0), 1);
        memcpy(before[2], words, sizeof(before[0]));
        assert_int_equal(pool_queue_task_done(queue), 0);
    }
    counts[2] = find_count(words, before[2], 4, 8);
    *counts[2] = 0;
    counts[1] = find_count(words, before[1], 4, 8);
    *counts[1] = 0;
    counts[0] = find_count(words, before[0], 4, 8);
    for (int i = 0; i < 3; i++)
        *counts[i] = UINT32_MAX - 15;
    munmap(words, sizeof(before[0]));
    close(fd);
    for (int i = 0; i < 20; i++) {
        put_number(queue, i);
        put_number(queue, -i);
        assert_int_equal(pool_queue_size(queue), 2);
        assert_int_equal(get_number(queue, 0), i);
        assert_int_equal(pool_queue_join(queue, 0), -ETIMEDOUT);
        assert_int_equal(pool_queue_task_done(queue), 0);
        assert_int_equal(get_number(queue, 0), -i);
        assert_int_equal(pool_queue_task_done(queue), 0);
        assert_int_equal(pool_queue_join(queue, 0), 0);
        assert_int_equal(pool_queue_task_done(queue), -EINVAL);
        assert_int_equal(get_number(queue, 0), -ETIMEDOUT);
    }
    pool_queue_free(queue);
}

/* ---- Room ----------------------------------------------------------------------------------- */

static void memory_is_rounded_up_to_a_power_of_two(void **state)
{
    (void)state;
    static const struct {
        size_t bytes_max, size_max; /* of a message in it */
    } rows[] = {{1, 56},     {64, 56},     {65, 120},
                {128, 120},  {5000, 8184}, {0, POOL_QUEUE_BYTES_DEFAULT - 8},
                {8192, 8184}};
    uint8_t *data = calloc(1, POOL_QUEUE_BYTES_DEFAULT);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pool_queue *queue = queue_of(0, rows[i].bytes_max);
        print_message("%zu bytes\n", rows[i].bytes_max);
        assert_int_equal(pool_queue_put(queue, data, rows[i].size_max + 1, -1), -EMSGSIZE);
        assert_int_equal(pool_queue_put(queue, data, SIZE_MAX, 0), -EMSGSIZE);
        assert_true(pool_queue_full(queue, rows[i].size_max + 1));
        assert_true(pool_queue_full(queue, SIZE_MAX));
        assert_false(pool_queue_full(queue, rows[i].size_max));
        assert_int_equal(pool_queue_put(queue, data, rows[i].size_max, -1), 0);
        assert_true(pool_queue_full(queue, 0));
        pool_queue_free(queue);
    }
    free(data);
}

static void a_full_queue_is_waited_for_so_long(void **state)
{
    (void)state;
    static const int timeouts_ms[] = {0, 1, 30};
    struct pool_queue *queue = queue_of(2, 0);
    put_number(queue, 1);
    assert_false(pool_queue_full(queue, 4));
    put_number(queue, 2);
    assert_true(pool_queue_full(queue, 4));
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pool_queue_put(queue, "abcd", 4, timeouts_ms[i]), -ETIMEDOUT);
    assert_int_equal(pool_queue_size(queue), 2);
    for (int i = 1; i <= 2; i++)
        assert_int_equal(get_number(queue, 0), i);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(get_number(queue, timeouts_ms[i]), -ETIMEDOUT);
    pool_queue_free(queue);
}

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

static void without_memory_for_it_a_message_stays_in_the_queue(void **state)
{
    (void)state;
    char data[1000] = "a message";
    struct pool_message message = POOL_MESSAGE_INIT;
    struct pool_queue *queue = queue_of(0, 0);
    assert_int_equal(pool_queue_put(queue, data, sizeof(data), 0), 0);
    put_number(queue, 7);
    fault_arm(FAULT_REALLOC, 0, 100);
    int r = pool_queue_get(queue, -1, &message);
    assert_true(fault_disarm());
    assert_int_equal(r, -ENOMEM);
    assert_int_equal(pool_queue_size(queue), 2);
    assert_int_equal(pool_queue_get(queue, -1, &message), 0);
    assert_int_equal(message.size_bytes, sizeof(data));
    assert_memory_equal(message.data, data, sizeof(data));
    assert_int_equal(get_number(queue, 0), 7);
    pool_message_done(&message);
    pool_queue_free(queue);
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
    TEST(messages_come_out_in_the_order_in_which_they_went_in),
    TEST(a_message_may_be_empty),
    TEST(whatever_the_sizes_what_goes_in_comes_out),
    TEST_LONG(more_bytes_pass_than_its_positions_can_count, 60000),
    TEST(more_messages_pass_than_it_can_count),
    TEST(memory_is_rounded_up_to_a_power_of_two),
    TEST(a_full_queue_is_waited_for_so_long),
    TEST(a_large_message_is_not_overtaken_by_small_ones),
    TEST(without_memory_for_it_a_message_stays_in_the_queue),
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
    fault_is_host();
    return test_run("ipc_queue", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
