/* The documents' executors, run from outside: what they print is what a reader is told they do.
 *
 * As in test_pool.c: what holds always is checked in every run; what happens on a machine that has
 * time for it has to happen in one run of many. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "isolate.h"
#include "sample_run.h"

#define TRIES      20
#define TRIES_MS   120000
#define COUNT(all) (sizeof(all) / sizeof((all)[0]))

static bool is_all(const struct sample_output *output, const char *const *lines, size_t count)
{
    bool same = output->line_count == count;
    for (size_t i = 0; same && i < count; i++)
        same = strcmp(output->lines[i], lines[i]) == 0;
    return same;
}

static void a_map_is_iterated_in_the_order_of_its_items(void **state)
{
    (void)state;
    const struct sample_output output = sample_ok(SAMPLE("executor_map"), NULL);
    assert_int_equal(output.line_count, 12);
    sample_expect_line(&output, 0, "list: [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]");
    for (unsigned i = 0; i < 10; i++) {
        char line[16];
        snprintf(line, sizeof(line), "%u", i * i);
        sample_expect_line(&output, 1 + i, line);
    }
    sample_expect_line(&output, 11, "submit: 25");
}

/* Fails unless the line is: before, the place of the error, after.  Returns the line number there.
 */
static int place_of_error(const struct sample_output *output, size_t index, const char *before)
{
    char line[256];
    int place = 0;
    assert_true(index < output->line_count);
    const char *at = strstr(output->lines[index], "executor_errors.c:");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "executor_errors.c:%d", &place), 1);
    snprintf(line, sizeof(line), "%s, at executor_errors.c:%d, in another process", before, place);
    sample_expect_line(output, index, line);
    return place;
}

static void an_error_in_a_task_reaches_the_caller_and_costs_the_others_nothing(void **state)
{
    (void)state;
    const struct sample_output output = sample_ok(SAMPLE("executor_errors"), NULL);
    assert_int_equal(output.line_count, 7);
    sample_expect_line(&output, 0, "submit: Divide by zero");
    const int zero = place_of_error(&output, 1, "submit: task divide failed with EDOM: 10 / 0");
    sample_expect_line(&output, 2, "map: 10 / 5 = 2");
    assert_int_equal(place_of_error(&output, 3, "map: task divide failed with EDOM: 20 / 0"), zero);
    sample_expect_line(&output, 4, "map: 30 / 3 = 10");
    assert_true(place_of_error(&output, 5, "map: task divide failed with ERANGE: INT_MIN / -1") >
                zero);
    sample_expect_line(&output, 6, "map: 50 / 2 = 25");
}

static void callbacks_come_in_order_and_a_late_one_at_once(void **state)
{
    (void)state;
    static const char *const usual[] = {
        "first: the result is 25, in a thread of the pool's",
        "second: the result is 25, in a thread of the pool's",
        "third: the result is 25, in a thread of the pool's",
        "late: the result is 25, in the main thread",
        "error: division is not for this task, in a thread of the pool's",
    };
    static const char *const labels[] = {"first: the result is 25, ", "second: the result is 25, ",
                                         "third: the result is 25, "};
    bool seen = false;
    for (int i = 0; i < TRIES && !seen; i++) {
        const struct sample_output output = sample_ok(SAMPLE("done_callbacks"), NULL);
        assert_int_equal(output.line_count, COUNT(usual));
        for (size_t k = 0; k < COUNT(labels); k++)
            assert_int_equal(sample_find(&output, labels[k]), k);
        sample_expect_line(&output, 3, usual[3]);
        assert_int_equal(sample_find(&output, "error: division is not for this task, "), 4);
        seen = is_all(&output, usual, COUNT(usual)); /* unless the task was done already */
    }
    assert_true(seen);
}

/* Ten tasks, each once, on four workers at most; none ran in another's thread.  Returns the index
 * of the line "main". */
static size_t check_shutdown(const struct sample_output *output)
{
    assert_int_equal(output->line_count, 11);
    for (int i = 1; i <= 10; i++) {
        char name[32];
        snprintf(name, sizeof(name), "name: child %d,", i);
        assert_int_equal(sample_count(output, name), 1);
    }
    assert_true(sample_distinct(output, ", thread: ") <= 4);
    const size_t at = sample_find(output, "main");
    sample_expect_line(output, at, "main");
    return at;
}

static void shutdown_waits_for_ten_tasks_on_four_processes(void **state)
{
    (void)state;
    size_t pids = 0;
    for (int i = 0; i < TRIES && pids < 4; i++) {
        const struct sample_output output =
            sample_ok(SAMPLE("executor_shutdown"), "wait", "process", NULL);
        assert_int_equal(check_shutdown(&output), 10);
        pids = sample_distinct(&output, ", pid: ");
        assert_true(pids >= 1 && pids <= 4);
        assert_int_equal(sample_distinct(&output, ", thread: "), pids);
    }
    assert_int_equal(pids, 4);
}

static void shutdown_waits_for_ten_tasks_on_four_threads_of_one_process(void **state)
{
    (void)state;
    size_t threads = 0;
    for (int i = 0; i < TRIES && threads < 4; i++) {
        const struct sample_output output =
            sample_ok(SAMPLE("executor_shutdown"), "wait", "thread", NULL);
        assert_int_equal(check_shutdown(&output), 10);
        assert_int_equal(sample_distinct(&output, ", pid: "), 1);
        threads = sample_distinct(&output, ", thread: ");
    }
    assert_int_equal(threads, 4);
}

/* The program's end waits in the place of shutdown. */
static void check_nowait(const char *backend)
{
    bool seen = false;
    for (int i = 0; i < TRIES && !seen; i++) {
        const struct sample_output output =
            sample_ok(SAMPLE("executor_shutdown"), "nowait", backend, NULL);
        seen = check_shutdown(&output) < 10; /* some had not even begun */
    }
    assert_true(seen);
}

static void all_ten_run_in_processes_though_nobody_waits_for_them(void **state)
{
    (void)state;
    check_nowait("process");
}

static void all_ten_run_in_threads_though_nobody_waits_for_them(void **state)
{
    (void)state;
    check_nowait("thread");
}

static void executor_shutdown_refuses_words_that_it_does_not_know(void **state)
{
    (void)state;
    const struct sample_output first = sample_run(SAMPLE("executor_shutdown"), "waits", NULL);
    const struct sample_output second =
        sample_run(SAMPLE("executor_shutdown"), "wait", "fiber", NULL);
    assert_int_equal(first.exit_code, 2);
    assert_int_equal(second.exit_code, 2);
}

static void wait_returns_when_it_was_asked_to_and_as_completed_goes_by_the_end(void **state)
{
    (void)state;
    static const char *const usual[] = {
        "as_completed: slept for 1",
        "as_completed: slept for 2",
        "as_completed: slept for 3",
        "FIRST_COMPLETED: quick is done, endless is not",
        "FIRST_EXCEPTION: quick is done, endless is not, failing is done",
        "ALL_COMPLETED: timed out after 1 second",
        "as_completed: quick",
        "as_completed: failing",
        "as_completed: timed out after 1 second",
        "ALL_COMPLETED: quick is done, endless is done, failing is done",
    };
    bool seen = false;
    for (int i = 0; i < TRIES && !seen; i++) {
        const struct sample_output output = sample_ok(SAMPLE("futures_wait"), NULL);
        assert_int_equal(output.line_count, COUNT(usual));
        for (size_t k = 0; k < 3; k++) /* each once, in whatever order */
            assert_true(sample_find(&output, usual[k]) < 3);
        for (size_t k = 3; k < COUNT(usual); k++)
            sample_expect_line(&output, k, usual[k]);
        seen = is_all(&output, usual, COUNT(usual));
    }
    assert_true(seen);
}

static const struct test_case tests[] = {
    TEST(a_map_is_iterated_in_the_order_of_its_items),
    TEST(an_error_in_a_task_reaches_the_caller_and_costs_the_others_nothing),
    TEST_LONG(callbacks_come_in_order_and_a_late_one_at_once, TRIES_MS),
    TEST_LONG(shutdown_waits_for_ten_tasks_on_four_processes, TRIES_MS),
    TEST_LONG(shutdown_waits_for_ten_tasks_on_four_threads_of_one_process, TRIES_MS),
    TEST_LONG(all_ten_run_in_processes_though_nobody_waits_for_them, TRIES_MS),
    TEST_LONG(all_ten_run_in_threads_though_nobody_waits_for_them, TRIES_MS),
    TEST(executor_shutdown_refuses_words_that_it_does_not_know),
    TEST_LONG(wait_returns_when_it_was_asked_to_and_as_completed_goes_by_the_end, TRIES_MS),
};

int main(int argc, char **argv)
{
    return test_run("samples executor", tests, COUNT(tests), argc, argv);
}
