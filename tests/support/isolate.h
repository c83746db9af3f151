/* isolate.h: runs each cmocka test in a process of its own.
 *
 * A test program ends its main with
 *
 *     static const struct test_case tests[] = {TEST(queue_keeps_its_order), ...};
 *     return test_run("queue", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
 *
 * Every test runs in a forked child that is the leader of its own process group and the reaper of
 * its descendants. A test fails when an assertion fails, when it crashes or exits, when its time
 * limit passes, or when it returns leaving behind an open descriptor, a process (an orphaned
 * grandchild too) or a thread. Files go into test_scratch(), which the runner removes. What a test
 * prints is shown only when it fails.
 *
 * Arguments: none runs all; "--list" prints the names; NAME... runs those.
 * Environment: TEST_TIME_SCALE multiplies every time limit (sanitizers, valgrind, slow machines);
 * TEST_LEAVE_OUT names tests, with blanks between, that are not run, and says so (emulators).
 */
#ifndef TESTS_SUPPORT_ISOLATE_H
#define TESTS_SUPPORT_ISOLATE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TEST_LIMIT_MS 20000

struct test_case {
    const char *name; /* reads as a sentence */
    void (*run)(void **state);
    int limit_ms; /* 0: TEST_LIMIT_MS */
};

#define TEST(function)                                                                             \
    {                                                                                              \
#function, function, 0                                                                     \
    }
#define TEST_LONG(function, limit)                                                                 \
    {                                                                                              \
#function, function, limit                                                                 \
    }

/** Run tests as the arguments ask. Returns the program's exit code: 0 if all passed. */
int test_run(const char *group, const struct test_case *tests, size_t count, int argc, char **argv);

/** The path of an empty folder that belongs to the running test alone; the runner removes it with
 *  all that is in it. Static storage. */
const char *test_scratch(void);

/** TEST_TIME_SCALE, at least 1. */
int test_time_scale(void);

#endif
