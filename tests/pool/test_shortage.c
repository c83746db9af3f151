/* Workers that cannot be started. The test program is its own worker program, so fork() can be
 * wrapped at link time in the zygote too; what it does is told by an environment variable:
 *   fail    never succeeds        fail_thrice   succeeds from the fourth time on
 *   die     the child exits at once, before it is ready */
#include "isolate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pool_tasks.h"

#define HOW "POOL_TEST_FORK"

/* The names are the linker's (--wrap=fork). NOLINTNEXTLINE(bugprone-reserved-identifier) */
pid_t __real_fork(void);
pid_t __wrap_fork(void);

pid_t __wrap_fork(void)
{
    static int times;
    const char *how = getenv(HOW);
    times++;
    if (how && (strcmp(how, "fail") == 0 || (strcmp(how, "fail_thrice") == 0 && times <= 3))) {
        errno = EAGAIN;
        return -1;
    }
    pid_t pid = __real_fork();
    if (pid == 0 && how && strcmp(how, "die") == 0)
        _exit(9);
    return pid;
}

/* The zygote inherits the environment; this process must not be touched by it. */
static struct pool *pool_whose_fork_does(const char *how)
{
    setenv(HOW, how, 1);
    struct pool *pool = pool_of(POOL_BACKEND_PROCESS, 2);
    unsetenv(HOW);
    return pool;
}

static void a_fork_that_fails_for_a_while_delays_work_but_loses_none(void **state)
{
    (void)state;
    struct pool *pool = pool_whose_fork_does("fail_thrice");
    struct pool_future *futures[10];
    for (int i = 0; i < 10; i++)
        futures[i] = submit_int(pool, "square", i);
    for (int i = 0; i < 10; i++)
        assert_int_equal(take_int(futures[i]), i * i);
    pool_free(pool);
}

static void a_fork_that_always_fails_breaks_the_pool_with_its_error(void **state)
{
    (void)state;
    struct pool *pool = pool_whose_fork_does("fail");
    struct pool_future *futures[5];
    struct pool_error error;
    const struct pool_item item = {0};
    for (int i = 0; i < 5; i++)
        futures[i] = submit_int(pool, "square", i);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(pool_future_result(futures[i], -1, NULL), -ENOMEM);
        assert_int_equal(pool_future_error(futures[i], &error), 0);
        assert_non_null(strstr(error.message, "cannot start a worker process"));
        pool_future_free(futures[i]);
    }
    assert_int_equal(pool_submit(pool, "square", &item, NULL, NULL), -ENOMEM);
    pool_free(pool);
}

static void workers_that_die_before_they_are_ready_break_the_pool(void **state)
{
    (void)state;
    struct pool *pool = pool_whose_fork_does("die");
    struct pool_future *future = submit_int(pool, "square", 1);
    struct pool_error error;
    const struct pool_item item = {0};
    assert_int_equal(pool_future_result(future, -1, NULL), -EOWNERDEAD);
    assert_int_equal(pool_future_error(future, &error), 0);
    assert_non_null(strstr(error.message, "died before they were ready"));
    assert_non_null(strstr(error.message, "exited with status 9"));
    pool_future_free(future);
    assert_int_equal(pool_submit(pool, "square", &item, NULL, NULL), -EOWNERDEAD);
    pool_free(pool);
}

static const struct test_case tests[] = {
    TEST(a_fork_that_fails_for_a_while_delays_work_but_loses_none),
    TEST(a_fork_that_always_fails_breaks_the_pool_with_its_error),
    TEST(workers_that_die_before_they_are_ready_break_the_pool),
};

int main(int argc, char **argv)
{
    if (pool_main(argc, argv, &pool_test_tasks) < 0)
        return 2;
    return test_run("shortage", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
