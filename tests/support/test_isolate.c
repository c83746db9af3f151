/* The harness itself: each way to fail must be seen as a failure. The table must_fail is run by a
 * test of its own, in which every one of them has to come out red. */
#include "isolate.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void an_assertion_fails(void **state)
{
    (void)state;
    assert_int_equal(1, 2);
}

static void the_test_crashes(void **state)
{
    (void)state;
    signal(SIGSEGV, SIG_DFL);
    raise(SIGKILL);
}

static void the_test_exits(void **state)
{
    (void)state;
    _exit(7);
}

static void the_test_hangs(void **state)
{
    (void)state;
    for (;;)
        pause();
}

static void a_descriptor_is_left_open(void **state)
{
    (void)state;
    assert_true(open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0);
}

static void a_child_is_left_running(void **state)
{
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        for (;;)
            pause();
}

static void an_orphaned_grandchild_is_left_running(void **state)
{
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (fork() == 0)
            for (;;)
                pause();
        _exit(0);
    }
}

static void a_child_is_left_unreaped(void **state)
{
    (void)state;
    if (fork() == 0)
        _exit(0);
}

static const struct test_case must_fail[] = {
    TEST(an_assertion_fails),
    TEST(the_test_crashes),
    TEST(the_test_exits),
    TEST_LONG(the_test_hangs, 100),
    TEST(a_descriptor_is_left_open),
    TEST(a_child_is_left_running),
    TEST(an_orphaned_grandchild_is_left_running),
    TEST(a_child_is_left_unreaped),
};
enum { MUST_FAIL = sizeof(must_fail) / sizeof(must_fail[0]) };

static void every_kind_of_failure_is_seen(void **state)
{
    (void)state;
    for (size_t i = 0; i < MUST_FAIL; i++) {
        char name[] = "test_isolate";
        char *argv[] = {name, NULL};
        printf("expecting a failure: %s\n", must_fail[i].name);
        assert_int_equal(test_run("must fail", &must_fail[i], 1, 1, argv), 1);
    }
    while (waitpid(-1, NULL, 0) > 0) /* this test inherits what those left running; it was killed */
        continue;
}

static void a_test_that_does_nothing_wrong(void **state)
{
    (void)state;
    assert_true(strlen(test_scratch()) > 0);
}

static void a_good_test_passes(void **state)
{
    (void)state;
    static const struct test_case good = TEST(a_test_that_does_nothing_wrong);
    char name[] = "test_isolate";
    char *argv[] = {name, NULL};
    assert_int_equal(test_run("must pass", &good, 1, 1, argv), 0);
}

static void a_test_that_is_left_out_is_not_run(void **state)
{
    (void)state;
    char name[] = "test_isolate";
    char *argv[] = {name, NULL};
    setenv("TEST_LEAVE_OUT", "another the_test_exits", 1);
    assert_int_equal(test_run("left out", &must_fail[2], 1, 1, argv), 0);
    setenv("TEST_LEAVE_OUT", "another the_test_exits_late not_the_test_exits", 1);
    assert_int_equal(test_run("must fail", &must_fail[2], 1, 1, argv), 1);
}

static char nested_scratch[64];

static void a_test_that_fills_its_scratch_folder(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof(path), "%s/folder", test_scratch());
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/folder/file", test_scratch());
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void the_scratch_folder_is_removed_with_its_contents(void **state)
{
    (void)state;
    static const struct test_case filler = TEST(a_test_that_fills_its_scratch_folder);
    char name[] = "test_isolate";
    char *argv[] = {name, NULL};
    assert_int_equal(test_run("filler", &filler, 1, 1, argv), 0);
    snprintf(nested_scratch, sizeof(nested_scratch), "%s", test_scratch());
    assert_int_equal(access(nested_scratch, F_OK), -1);
}

static const struct test_case tests[] = {
    TEST(every_kind_of_failure_is_seen),
    TEST(a_good_test_passes),
    TEST(a_test_that_is_left_out_is_not_run),
    TEST(the_scratch_folder_is_removed_with_its_contents),
};

int main(int argc, char **argv)
{
    return test_run("isolate", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
