/* Queues between processes: order, sizes, room. Several users of one are in test_ipc_queue_users.c,
 * and what kills do to them in test_ipc_kills.c. */
#include "isolate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <pool/ipc.h>

#include "fault.h"
#include "queue_numbers.h"

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

static const struct test_case tests[] = {
    TEST(messages_come_out_in_the_order_in_which_they_went_in),
    TEST(a_message_may_be_empty),
    TEST(whatever_the_sizes_what_goes_in_comes_out),
    TEST_LONG(more_bytes_pass_than_its_positions_can_count, 60000),
    TEST(more_messages_pass_than_it_can_count),
    TEST(memory_is_rounded_up_to_a_power_of_two),
    TEST(a_full_queue_is_waited_for_so_long),
    TEST(without_memory_for_it_a_message_stays_in_the_queue),
};

int main(int argc, char **argv)
{
    fault_is_host();
    return test_run("ipc_queue", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
