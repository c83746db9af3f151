/* The samples on processes and what they share: each is run, and what it prints is checked. */
#include "sample_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isolate.h"

static void a_target_function_runs_in_five_processes(void **state)
{
    (void)state;
    const struct sample_output output = sample_ok(SAMPLE("process_function"), NULL);
    assert_int_equal(sample_count(&output, "testing Python in process "), 5);
    assert_int_equal(sample_distinct(&output, "in process "), 5);
    assert_int_equal(output.line_count, 6);
    sample_expect_line(&output, 5, "the end"); /* after all of them */
}

static void a_struct_carries_its_run_and_its_fields_into_five_processes(void **state)
{
    (void)state;
    const struct sample_output output = sample_ok(SAMPLE("process_struct"), NULL);
    assert_int_equal(sample_count(&output, "testing Python number "), 5);
    assert_int_equal(sample_distinct(&output, "number "), 5);
    assert_int_equal(sample_distinct(&output, "in process "), 5);
    sample_expect_line(&output, 5, "the end");
}

static void a_process_can_be_watched_and_stopped(void **state)
{
    (void)state;
    const struct sample_output output = sample_ok(SAMPLE("process_control"), NULL);
    static const char *const lines[] = {
        "sleeper: pid 0, alive no",
        "sleeper: started, has a pid, alive yes",
        "sleeper: join with a timeout: Connection timed out",
        "sleeper: terminated, alive no, exit code -15",
        "failing: exit code 1: cannot sleep for -1 seconds",
        "counting: exit code 3",
        "backup is a daemon: it does not keep the program from ending",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        sample_expect_line(&output, i, lines[i]);
    assert_int_equal(output.line_count, sizeof(lines) / sizeof(lines[0]));
}

static void four_processes_count_what_one_counts(void **state)
{
    (void)state;
    const struct sample_output output = sample_ok(SAMPLE("cpu_bound"), NULL);
    sample_expect_line(&output, 0, "primes below 400000: 33860");
    assert_int_equal(sample_find(&output, "one after the other: 33860, 4 processes take "), 1);
}

static void a_queue_brings_a_message_from_each_of_three_processes(void **state)
{
    (void)state;
    const struct sample_output output = sample_ok(SAMPLE("queue"), NULL);
    const size_t main_begins = sample_find(&output, "the main process gets");
    assert_int_equal(main_begins, 3);
    for (int i = 0; i < 3; i++) {
        char line[64];
        snprintf(line, sizeof(line), "process %d begins to put", i);
        assert_true(sample_find(&output, line) < main_begins);
        snprintf(line, sizeof(line), "%d by Queue", i);
        assert_true(sample_find(&output, line) > main_begins);
    }
    sample_expect_line(&output, 7, "the end");
}

static void consumers_do_all_that_producers_make_through_a_small_queue(void **state)
{
    (void)state;
    const struct sample_output output = sample_ok(SAMPLE("producers_consumers"), NULL);
    sample_expect_line(&output, 0, "200 tasks put, 200 done, sum 39800");
    sample_expect_line(&output, 1, "never more than 10 in the queue: yes");
    sample_expect_line(&output, 2, "consumers: 3, each ended with exit code 0");
}

static void both_ends_of_a_pipe_speak_in_turn(void **state)
{
    (void)state;
    const struct sample_output output = sample_ok(SAMPLE("pipe"), NULL);
    sample_expect_line(&output, 0, "the main process receives: hello main process");
    sample_expect_line(&output, 1, "the main process sends");
    sample_expect_line(&output, 2, "the child receives: hello child");
    sample_expect_line(&output, 3, "the end");
}

/* The dict: in whatever order the processes came, eleven keys with their values. */
static void check_dict(const struct sample_output *output)
{
    const char *dict = output->lines[0];
    assert_int_equal(dict[0], '{');
    assert_non_null(strstr(dict, "'2': 'b'"));
    for (int i = 0; i < 10; i++) {
        char entry[16];
        snprintf(entry, sizeof(entry), "%d: 'a'", i);
        assert_non_null(strstr(dict, entry));
    }
    size_t commas = 0;
    for (const char *c = dict; *c; c++)
        commas += *c == ',';
    assert_int_equal(commas, 10);
}

static void ten_processes_change_one_dict_and_one_list(void **state)
{
    (void)state;
    const struct sample_output output = sample_ok(SAMPLE("manager"), NULL);
    assert_int_equal(output.line_count, 2);
    check_dict(&output);
    const char *list = output.lines[1];
    int times[10] = {0}, count = 0;
    assert_memory_equal(list, "[0, 1, 2, 3, 4, ", 16);
    for (const char *at = list; *at && *at != ']'; count++) {
        char *end;
        const long number = strtol(at + 1, &end, 10);
        assert_in_range(number, 0, 9);
        times[number]++;
        at = end;
    }
    assert_int_equal(count, 15);
    for (int i = 0; i < 10; i++)
        assert_int_equal(times[i], i < 5 ? 2 : 1);
}

static void a_lock_keeps_a_sum_and_a_semaphore_keeps_a_limit(void **state)
{
    (void)state;
    const struct sample_output output = sample_ok(SAMPLE("lock_and_semaphore"), NULL);
    sample_expect_line(&output, 0, "4 processes added 1 10000 times each: 40000");
    sample_find(&output, "6 processes went through, at most ");
    assert_true(strcmp(output.lines[1], "6 processes went through, at most 2 at a time") == 0 ||
                strcmp(output.lines[1], "6 processes went through, at most 1 at a time") == 0);
    sample_expect_line(&output, 2, "a holder was killed; the lock says: Owner died");
}

static const struct test_case tests[] = {
    TEST(a_target_function_runs_in_five_processes),
    TEST(a_struct_carries_its_run_and_its_fields_into_five_processes),
    TEST(a_process_can_be_watched_and_stopped),
    TEST(four_processes_count_what_one_counts),
    TEST(a_queue_brings_a_message_from_each_of_three_processes),
    TEST(consumers_do_all_that_producers_make_through_a_small_queue),
    TEST(both_ends_of_a_pipe_speak_in_turn),
    TEST(ten_processes_change_one_dict_and_one_list),
    TEST(a_lock_keeps_a_sum_and_a_semaphore_keeps_a_limit),
};

int main(int argc, char **argv)
{
    return test_run("samples process", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
