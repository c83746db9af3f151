/* Processes when something fails: each call in turn, here and in the zygote (scenarios/fault.h). */
#include "process_tasks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"

static const enum fault here[] = {FAULT_MALLOC,     FAULT_CALLOC,       FAULT_STRDUP,
                                  FAULT_SOCKETPAIR, FAULT_MEMFD_CREATE, FAULT_POSIX_SPAWN,
                                  FAULT_SENDMSG};
static const enum fault there[] = {FAULT_MALLOC,       FAULT_CALLOC, FAULT_REALLOC, FAULT_STRDUP,
                                   FAULT_MEMFD_CREATE, FAULT_MMAP,   FAULT_FORK,    FAULT_SENDMSG};

/* Make a process that fails with a number, and has more to carry than a message takes. */
static int create(struct pool_process **ret_process, const int *fd)
{
    static char large[100000];
    static const int number = -EDOM;
    const struct pool_bytes fields[] = {{&number, sizeof(number)}, {large, sizeof(large)}};
    const struct pool_item item = {.fields = fields, .field_count = 2, .fds = fd, .fd_count = 1};
    return pool_process_create("fail", &item, NULL, ret_process);
}

/* Start it and see it end as it should. */
static int run(struct pool_process *process)
{
    struct pool_error error;
    int code = 0;
    int r = pool_process_start(process);
    if (r < 0)
        return r;
    assert_int_equal(pool_process_join(process, -1), 0);
    assert_int_equal(pool_process_exitcode(process, &code), 0);
    assert_int_equal(code, 1);
    assert_int_equal(pool_process_error(process, &error), 0);
    assert_int_equal(error.code, -EREMOTEIO);
    assert_int_equal(error.task_code, -EDOM);
    assert_int_equal(pool_process_start(process), -EALREADY);
    return 0;
}

/* Returns whether the fault came to pass. */
static bool run_with(enum fault fault, int nth)
{
    struct pool_process *process = NULL;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    fault_arm(fault, nth, 1);
    int r = create(&process, &fd);
    const int created = r;
    if (r == 0)
        r = run(process);
    const bool fired = fault_disarm();
    if (r < 0) {
        printf("%s number %d: %d\n", fault_name(fault), nth, r);
        assert_true(fired);
        assert_int_equal(r, -fault_errno(fault));
    }
    if (created < 0) {
        assert_null(process);
        assert_int_equal(close(fd), 0); /* it was not taken */
        return true;
    }
    if (r < 0)
        assert_int_equal(run(process), 0); /* it can be tried again */
    pool_process_free(process);
    return fired;
}

static void whatever_fails_is_told_and_can_be_tried_again(void **state)
{
    (void)state;
    fault_is_host();
    for (int with_zygote = 0; with_zygote < 2; with_zygote++) {
        struct pool_process *keeper = with_zygote ? start("give", 0, NULL, 0) : NULL;
        for (size_t i = 0; i < sizeof(here) / sizeof(here[0]); i++) {
            int nth = 0;
            while (run_with(here[i], nth))
                nth++;
            /* With a zygote there, none is started; nothing else is without a fault here. */
            assert_true(nth > 0 || (with_zygote && here[i] == FAULT_POSIX_SPAWN));
        }
        if (keeper)
            assert_int_equal(take_code(keeper), 0);
    }
}

/* A process that cannot begin has ended; one that cannot tell how it ended has an exit code. */
static void whatever_fails_over_there_ends_that_process_at_most(void **state)
{
    (void)state;
    fault_is_host();
    for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++)
        for (int nth = 0; nth < 6; nth++) {
            struct pool_process *process = NULL;
            int code = -1, fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
            assert_int_equal(create(&process, &fd), 0);
            fault_remote_arm(there[i], nth, 1);
            int r = pool_process_start(process);
            fault_remote_disarm();
            if (r == 0) {
                assert_int_equal(pool_process_join(process, -1), 0);
                assert_int_equal(pool_process_exitcode(process, &code), 0);
                assert_true(code > 0);
            }
            printf("%s number %d: %d, exit code %d\n", fault_name(there[i]), nth, r, code);
            pool_process_free(process);
        }
}

static const struct test_case tests[] = {
    TEST_LONG(whatever_fails_is_told_and_can_be_tried_again, 60000),
    TEST_LONG(whatever_fails_over_there_ends_that_process_at_most, 60000),
};

int main(int argc, char **argv)
{
    return process_test_main("process_faults", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
