/* Values and arrays in memory that several processes see. */
#include "isolate.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <pool/ipc.h>

#include "forks.h"

static void shared_memory_is_zeroed_aligned_and_of_its_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 7, 8, 63, 64, 65, 4095, 4096, 4097, 1000000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct pool_shared *shared;
        assert_int_equal(pool_shared_create(sizes[i], &shared), 0);
        assert_int_equal(pool_shared_size(shared), sizes[i]);
        uint8_t *data = pool_shared_data(shared);
        assert_int_equal((uintptr_t)data % 64, 0);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(data[k], 0);
        memset(data, 0xff, sizes[i]);
        assert_int_equal(pool_shared_acquire(shared, 0), 0); /* which is beside it, not in it */
        assert_int_equal(pool_shared_release(shared), 0);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(data[k], 0xff);
        pool_shared_free(shared);
    }
}

static void shared_memory_of_no_size_is_refused(void **state)
{
    (void)state;
    struct pool_shared *shared = NULL;
    assert_int_equal(pool_shared_create(0, &shared), -EINVAL);
    assert_null(shared);
}

static void the_size_goes_with_the_memory(void **state)
{
    (void)state;
    struct pool_shared *array, *same;
    assert_int_equal(pool_shared_create(10 * sizeof(double), &array), 0);
    POOL_SHARED(array, double)[9] = 2.5;
    int fd = pool_shared_share(array);
    assert_int_equal(pool_shared_open(fd, &same), 0);
    close(fd);
    assert_int_equal(pool_shared_size(same), 10 * sizeof(double));
    assert_ptr_not_equal(pool_shared_data(same), pool_shared_data(array));
    assert_true(POOL_SHARED(same, double)[9] == 2.5);
    POOL_SHARED(same, double)[0] = -1;
    assert_true(POOL_SHARED(array, double)[0] == -1);
    pool_shared_free(array);
    pool_shared_free(same);
}

enum { PROCESSES = 4, ADDITIONS = 5000 };

static int add_under_the_lock(void *data)
{
    struct pool_shared *counter = data;
    for (int i = 0; i < ADDITIONS; i++) {
        EXPECT(pool_shared_acquire(counter, -1) == 0);
        *POOL_SHARED(counter, int64_t) += 1;
        EXPECT(pool_shared_release(counter) == 0);
    }
    return 0;
}

static void a_value_is_changed_under_its_lock(void **state)
{
    (void)state;
    pid_t children[PROCESSES];
    struct pool_shared *counter;
    assert_int_equal(pool_shared_create(sizeof(int64_t), &counter), 0);
    for (int i = 0; i < PROCESSES; i++)
        children[i] = fork_run(add_under_the_lock, counter);
    for (int i = 0; i < PROCESSES; i++)
        assert_int_equal(fork_wait(children[i]), 0);
    assert_int_equal(*POOL_SHARED(counter, int64_t), PROCESSES * ADDITIONS);
    pool_shared_free(counter);
}

static int add_atomically(void *data)
{
    _Atomic int64_t *numbers = POOL_SHARED(data, _Atomic int64_t);
    for (int i = 0; i < ADDITIONS; i++)
        atomic_fetch_add(&numbers[i % 10], 1);
    return 0;
}

static void atomic_types_need_no_lock(void **state)
{
    (void)state;
    pid_t children[PROCESSES];
    struct pool_shared *array;
    assert_int_equal(pool_shared_create(10 * sizeof(_Atomic int64_t), &array), 0);
    for (int i = 0; i < PROCESSES; i++)
        children[i] = fork_run(add_atomically, array);
    for (int i = 0; i < PROCESSES; i++)
        assert_int_equal(fork_wait(children[i]), 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(atomic_load(&POOL_SHARED(array, _Atomic int64_t)[i]),
                         PROCESSES * ADDITIONS / 10);
    pool_shared_free(array);
}

static int die_in_the_middle(void *data)
{
    struct pool_shared *pair = data;
    EXPECT(pool_shared_acquire(pair, -1) == 0);
    POOL_SHARED(pair, int)[0] = 1;
    kill(getpid(), SIGKILL);
    return 0;
}

static void the_next_one_is_told_that_a_value_may_be_half_changed(void **state)
{
    (void)state;
    struct pool_shared *pair;
    assert_int_equal(pool_shared_create(2 * sizeof(int), &pair), 0);
    assert_int_equal(fork_wait(fork_run(die_in_the_middle, pair)), -SIGKILL);
    assert_int_equal(pool_shared_acquire(pair, 0), -EOWNERDEAD);
    assert_int_equal(pool_shared_acquire(pair, 0), -EDEADLK);
    assert_int_equal(POOL_SHARED(pair, int)[0], 1);
    assert_int_equal(POOL_SHARED(pair, int)[1], 0);
    assert_int_equal(pool_shared_release(pair), 0);
    assert_int_equal(pool_shared_release(pair), -EPERM);
    assert_int_equal(pool_shared_acquire(pair, 0), 0);
    assert_int_equal(pool_shared_release(pair), 0);
    pool_shared_free(pair);
}

static const struct test_case tests[] = {
    TEST(shared_memory_is_zeroed_aligned_and_of_its_size),
    TEST(shared_memory_of_no_size_is_refused),
    TEST(the_size_goes_with_the_memory),
    TEST(a_value_is_changed_under_its_lock),
    TEST(atomic_types_need_no_lock),
    TEST(the_next_one_is_told_that_a_value_may_be_half_changed),
};

int main(int argc, char **argv)
{
    return test_run("shared", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
