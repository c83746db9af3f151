/* The documents' pools, run from outside: what they print is what a reader is told they do.
 *
 * A sample whose order depends on sleeps shows it on a machine that has time for it. What holds
 * always is checked in every run; what usually happens has to happen in one run of many. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "isolate.h"
#include "sample_run.h"

#define TRIES      20
#define TRIES_MS   120000
#define COUNT(all) (sizeof(all) / sizeof((all)[0]))

static void expect(const struct sample_output *output, const char *const *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sample_expect_line(output, i, lines[i]);
    assert_int_equal(output->line_count, count);
}

static void apply_gives_one_result_and_map_a_list_in_order(void **state)
{
    (void)state;
    static const char *const lines[] = {"25", "[1, 4, 9, 16, 25]"};
    const struct sample_output output = sample_ok(SAMPLE("squares"), NULL);
    expect(&output, lines, COUNT(lines));
}

static void imap_unordered_yields_what_ends_first(void **state)
{
    (void)state;
    static const char *const usual[] = {"apply_async: not ready yet", "apply_async: 2",
                                        "imap_unordered: 1",          "imap_unordered: 2",
                                        "imap_unordered: 3",          "imap_unordered: 4",
                                        "imap_unordered: 5",          "starmap: [1, 2, 3, 4, 5]"};
    bool seen = false;
    for (int i = 0; i < TRIES && !seen; i++) {
        const struct sample_output output = sample_ok(SAMPLE("apply_async"), NULL);
        assert_int_equal(output.line_count, COUNT(usual));
        seen = true;
        for (size_t k = 0; k < COUNT(usual); k++)
            seen = seen && strcmp(output.lines[k], usual[k]) == 0;
        sample_expect_line(&output, 1, usual[1]);
        for (size_t k = 2; k < 7; k++) /* each once, in whatever order */
            assert_int_equal(sample_count(&output, usual[k]), 1);
        sample_expect_line(&output, 7, usual[7]);
    }
    assert_true(seen);
}

static void results_can_be_asked_for_after_close_and_join_and_even_after_terminate(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "get: [1, 4, 9, 16, 25]",
        "get after close and join: [1, 4, 9, 16, 25]",
        "submit after close: refused with ESHUTDOWN",
        "submit after terminate: refused with ESHUTDOWN",
        "after terminate: 8 tasks, all done, 0 with a result, 8 cancelled",
    };
    const struct sample_output output = sample_ok(SAMPLE("map_async"), NULL);
    expect(&output, lines, COUNT(lines));
}

static void a_timeout_ends_the_wait_and_a_deadline_or_terminate_the_task(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "get: 100",
        "get: timed out after 1 second",
        "map: [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]",
        "next: 0",
        "next: 1",
        "next: 4",
        "deadline: stopped, ran longer than 100 ms",
        "get again: timed out, it still sleeps",
        "terminate: cancelled",
    };
    const struct sample_output output = sample_ok(SAMPLE("timeouts"), NULL);
    expect(&output, lines, COUNT(lines));
}

/* Ten tasks that began and ended once each, on so many workers, of which each ran one at a time;
 * and join waited for all.  Returns how many workers there were. */
static size_t check_ten_tasks(const struct sample_output *output, size_t workers)
{
    long pids[10] = {0}; /* of those that run */
    bool ended[10] = {false};
    size_t running = 0;
    assert_int_equal(output->line_count, 21);
    for (size_t i = 0; i < 20; i++) {
        unsigned task;
        long pid;
        double seconds;
        if (sscanf(output->lines[i], "Run task %u (%ld)...", &task, &pid) == 2) {
            assert_true(task < 10 && !ended[task] && pids[task] == 0);
            for (size_t k = 0; k < 10; k++)
                assert_int_not_equal(pids[k], pid);
            pids[task] = pid;
            assert_true(++running <= workers);
        } else {
            assert_int_equal(sscanf(output->lines[i], "Task %u runs %lf seconds.", &task, &seconds),
                             2);
            assert_true(task < 10 && pids[task] != 0 && seconds >= 0);
            ended[task] = true;
            pids[task] = 0;
            running--;
        }
    }
    assert_int_equal(running, 0);
    sample_expect_line(output, 20, "The end");
    const size_t distinct = sample_distinct(output, "(");
    assert_true(distinct >= 1 && distinct <= workers);
    return distinct;
}

static void five_processes_do_ten_tasks_in_turn(void **state)
{
    (void)state;
    size_t workers = 0;
    for (int i = 0; i < TRIES && workers < 5; i++) {
        const struct sample_output output = sample_ok(SAMPLE("ten_tasks"), NULL);
        workers = check_ten_tasks(&output, 5);
    }
    assert_int_equal(workers, 5);
}

static void four_processes_do_them_as_well(void **state)
{
    (void)state;
    size_t workers = 0;
    for (int i = 0; i < TRIES && workers < 4; i++) {
        const struct sample_output output = sample_ok(SAMPLE("ten_tasks"), "--workers", "4", NULL);
        workers = check_ten_tasks(&output, 4);
    }
    assert_int_equal(workers, 4);
}

static void ten_tasks_refuses_numbers_of_workers_that_are_none(void **state)
{
    (void)state;
    static const char *const numbers[] = {"0", "-1", "four", "4x", "", "1025"};
    for (size_t i = 0; i < COUNT(numbers); i++) {
        const struct sample_output output =
            sample_run(SAMPLE("ten_tasks"), "--workers", numbers[i], NULL);
        assert_int_equal(output.exit_code, 2);
        sample_find(&output, "usage: ");
    }
}

static void the_highest_priority_runs_first_and_equals_in_their_order(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "submitted: tidy up, priority -5",
        "submitted: write a letter, priority 0",
        "submitted: call back, priority 7",
        "submitted: read a letter, priority 0",
        "submitted: see to the alarm, priority 15",
        "done: see to the alarm",
        "done: call back",
        "done: write a letter",
        "done: read a letter",
        "done: tidy up",
    };
    const struct sample_output output = sample_ok(SAMPLE("priorities"), NULL);
    expect(&output, lines, COUNT(lines));
}

static void a_pool_grows_with_its_work_and_its_limit_and_shrinks_without(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "made with one that stays:           1 worker",
        "eight tasks, two workers at most:   2 workers",
        "the limit raised to six:            6 workers",
        "lowered to three, eight more tasks: 3 workers",
        "nothing to do:                      1 worker",
    };
    const struct sample_output output = sample_ok(SAMPLE("grow_and_shrink"), NULL);
    expect(&output, lines, COUNT(lines));
}

static void four_workers_are_a_limit_that_is_reached_and_never_passed(void **state)
{
    (void)state;
    int most = 0, processes = 0;
    for (int i = 0; i < TRIES && !(most == 4 && processes == 4); i++) {
        const struct sample_output output = sample_ok(SAMPLE("limits"), NULL);
        assert_int_equal(output.line_count, 2);
        assert_int_equal(sscanf(output.lines[0],
                                "workers = 4: 12 tasks, at most %d at once, in %d processes", &most,
                                &processes),
                         2);
        assert_true(most >= 1 && most <= 4);
        assert_true(processes >= most && processes <= 4);
    }
    assert_int_equal(most, 4);
    assert_int_equal(processes, 4);
}

static void a_process_is_replaced_when_it_has_run_its_number_of_tasks(void **state)
{
    (void)state;
    int most = 0, processes = 0;
    const struct sample_output output = sample_ok(SAMPLE("limits"), NULL);
    assert_int_equal(sscanf(output.lines[1],
                            "max_tasks = 5: 40 tasks, at most %d in a process, in %d processes",
                            &most, &processes),
                     2);
    assert_true(most >= 1 && most <= 5);
    assert_true(processes >= 8 && processes <= 40);
}

static void a_killed_worker_fails_its_own_task_only_and_is_replaced(void **state)
{
    (void)state;
    const struct sample_output output = sample_ok(SAMPLE("log_callback"), NULL);
    int started[2] = {0}, died = 0, ended = 0, failed = 0;
    assert_int_equal(output.line_count, 9);
    assert_int_equal(sscanf(output.lines[0], "log event=started pid=%d", &started[0]), 1);
    assert_int_equal(sscanf(output.lines[1], "log event=died pid=%d signal=9", &died), 1);
    assert_int_equal(sscanf(output.lines[2], "log event=started pid=%d", &started[1]), 1);
    assert_int_equal(sscanf(output.lines[3], "log event=ended pid=%d", &ended), 1);
    sample_expect_line(&output, 4, "1: 1");
    sample_expect_line(&output, 5, "2: 4");
    assert_int_equal(sscanf(output.lines[6], "3: failed, its worker died: pid %d, ", &failed), 1);
    assert_non_null(strstr(output.lines[6], ", signal 9 (Killed)"));
    sample_expect_line(&output, 7, "4: 16");
    sample_expect_line(&output, 8, "5: 25");
    assert_int_equal(failed, died);
    assert_int_not_equal(ended, died);
    assert_int_equal(started[0], died);
    assert_int_equal(started[1], ended);
}

static void processes_have_a_global_each_and_threads_share_one(void **state)
{
    (void)state;
    size_t processes = 0;
    for (int i = 0; i < TRIES && processes < 2; i++) {
        const struct sample_output output = sample_ok(SAMPLE("globals"), NULL);
        const size_t last = output.line_count - 1;
        int sum = 0;
        sample_expect_line(&output, 0, "processes: the caller's counter is 100");
        for (size_t k = 1; k < last; k++) {
            int pid, counter;
            assert_int_equal(
                sscanf(output.lines[k], "processes: process %d has counted to %d", &pid, &counter),
                2);
            sum += counter;
        }
        assert_int_equal(sum, 10); /* each from 0, and together all */
        sample_expect_line(&output, last, "threads: the caller's counter is 110");
        processes = sample_distinct(&output, "process ");
        assert_int_equal(processes, last - 1);
        assert_true(processes >= 1 && processes <= 2);
    }
    assert_int_equal(processes, 2);
}

/* Which chunksize is faster is the machine's business; that both give every result is checked by
 * the sample itself. */
static void a_pool_has_as_many_workers_as_cpus_whatever_the_chunksize(void **state)
{
    (void)state;
    const struct sample_output output = sample_ok(SAMPLE("chunksize"), NULL);
    unsigned cpus = 0, workers = 0, chunk = 0;
    double one = 0, many = 0;
    assert_int_equal(output.line_count, 3);
    assert_int_equal(sscanf(output.lines[0], "%u CPUs, %u workers, 20000 tasks", &cpus, &workers),
                     2);
    assert_true(cpus >= 1);
    assert_int_equal(workers, cpus);
    assert_int_equal(sscanf(output.lines[1], "chunksize 1: %lf tasks/s", &one), 1);
    assert_int_equal(
        sscanf(output.lines[2], "chunksize by default, %u: %lf tasks/s", &chunk, &many), 2);
    assert_true(one > 0 && many > 0);
    assert_int_equal(chunk, (20000 + 4 * workers - 1) / (4 * workers));
}

static const struct test_case tests[] = {
    TEST(apply_gives_one_result_and_map_a_list_in_order),
    TEST_LONG(imap_unordered_yields_what_ends_first, TRIES_MS),
    TEST(results_can_be_asked_for_after_close_and_join_and_even_after_terminate),
    TEST(a_timeout_ends_the_wait_and_a_deadline_or_terminate_the_task),
    TEST_LONG(five_processes_do_ten_tasks_in_turn, TRIES_MS),
    TEST_LONG(four_processes_do_them_as_well, TRIES_MS),
    TEST(ten_tasks_refuses_numbers_of_workers_that_are_none),
    TEST(the_highest_priority_runs_first_and_equals_in_their_order),
    TEST(a_pool_grows_with_its_work_and_its_limit_and_shrinks_without),
    TEST_LONG(four_workers_are_a_limit_that_is_reached_and_never_passed, TRIES_MS),
    TEST(a_process_is_replaced_when_it_has_run_its_number_of_tasks),
    TEST(a_killed_worker_fails_its_own_task_only_and_is_replaced),
    TEST_LONG(processes_have_a_global_each_and_threads_share_one, TRIES_MS),
    TEST(a_pool_has_as_many_workers_as_cpus_whatever_the_chunksize),
};

int main(int argc, char **argv)
{
    return test_run("samples pool", tests, COUNT(tests), argc, argv);
}
