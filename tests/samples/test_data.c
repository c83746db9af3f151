/* The samples on large data and its cutting into tasks: what they print. */
#include "sample_run.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pool/pool.h>

#include "isolate.h"

/* ---- word_count ---------------------------------------------------------------------------- */

static struct sample_output count_words_of(const char *text, size_t size)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/text", test_scratch());
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return sample_ok(SAMPLE("word_count"), path, NULL);
}

static void words_are_counted_across_all_cuts(void **state)
{
    (void)state;
    /* Shorter than a few parts for each CPU: every cut goes through a word or beside one. */
    static const char text[] = "One two, two. THREE three\nThree four four-Four\tfour";
    const struct sample_output output = count_words_of(text, strlen(text));
    sample_expect_line(&output, 1, "       4 four");
    sample_expect_line(&output, 2, "       3 three");
    sample_expect_line(&output, 3, "       2 two");
    sample_expect_line(&output, 4, "       1 one");
    sample_expect_line(&output, 5, "10 words, 4 of them different");
    sample_expect_line(&output, 6, "same as a single pass: yes");
}

static void a_word_longer_than_a_part_is_one_word(void **state)
{
    (void)state;
    enum { SIZE = 100000 };
    char *text = malloc(SIZE);
    assert_non_null(text);
    memset(text, 'x', SIZE);
    struct sample_output output = count_words_of(text, SIZE);
    assert_int_equal(sample_count(&output, "1 words, 1 of them different"), 1);
    assert_int_equal(sample_count(&output, "same as a single pass: yes"), 1);
    text[SIZE / 2] = ' ';
    text[SIZE - 1] = '\n';
    output = count_words_of(text, SIZE);
    assert_int_equal(sample_count(&output, "2 words, 2 of them different"), 1);
    free(text);
}

static void a_file_without_words_has_none(void **state)
{
    (void)state;
    struct sample_output output = count_words_of("", 0);
    assert_int_equal(sample_count(&output, "0 words, 0 of them different"), 1);
    assert_int_equal(sample_count(&output, "(the document: ValueError)"), 1);
    output = count_words_of(" 12 .. 3\n", 9);
    assert_int_equal(sample_count(&output, "0 words, 0 of them different"), 1);
}

static void a_file_that_is_not_there_is_told(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof(path), "%s/missing", test_scratch());
    const struct sample_output output = sample_run(SAMPLE("word_count"), path, NULL);
    assert_int_equal(output.exit_code, 1);
    assert_int_equal(sample_count(&output, "missing: No such file or directory"), 1);
}

static int count_files(const char *folder)
{
    struct dirent **entries;
    const int count = scandir(folder, &entries, NULL, NULL);
    assert_true(count >= 0);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    return count - 2; /* "." and ".." */
}

static void the_large_text_gives_the_same_words_in_parts(void **state)
{
    (void)state;
    static const char *const words[] = {"the", "of",   "and", "to", "in",
                                        "a",   "that", "is",  "it", "was"};
    setenv("TMPDIR", test_scratch(), 1);
    const struct sample_output output = sample_ok(SAMPLE("word_count"), NULL);
    unsigned long last = ~0UL, size = 0, parts = 0, workers = 0;
    assert_int_equal(
        sscanf(output.lines[0], "%lu bytes in %lu parts for %lu workers", &size, &parts, &workers),
        3);
    assert_true(size >= 24 << 20);
    assert_int_equal(workers, pool_cpu_count());
    assert_int_equal(parts, 4 * workers);
    for (size_t i = 0; i < 10; i++) {
        char word[32];
        unsigned long count = 0;
        assert_int_equal(sscanf(output.lines[1 + i], "%lu %31s", &count, word), 2);
        assert_string_equal(word, words[i]);
        assert_true(count < last);
        last = count;
    }
    assert_int_equal(sample_count(&output, "same as a single pass: yes"), 1);
    sample_find(&output, "times as fast");
    assert_int_equal(count_files(test_scratch()), 1); /* what the sample printed */
}

/* ---- split_tasks, granularity -------------------------------------------------------------- */

static void split_tasks_shows_what_the_document_loses(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "10 items in 3 parts",
        "  document:   0-2 3-5 6-8 (1 lost)",
        "  pool_split: 0-3 4-6 7-9",
        "12 items in 4 parts",
        "  document:   0-2 3-5 6-8 9-11",
        "  pool_split: 0-2 3-5 6-8 9-11",
        "3 items in 5 parts",
        "  document:   0-0 1-1 2-2 3-3 4-4 (2 that do not exist)",
        "  pool_split: 0-0 1-1 2-2 none none",
        "1003 items in 4 parts",
        "  document:   0-249 250-499 500-749 750-999 (3 lost)",
        "  pool_split: 0-250 251-501 502-752 753-1002",
        "sum of 0 .. 1002 in 4 tasks",
        "  document:   499500",
        "  pool_split: 502503",
        "  one loop:   502503",
    };
    const struct sample_output output = sample_ok(SAMPLE("split_tasks"), NULL);
    const size_t count = sizeof(lines) / sizeof(lines[0]);
    for (size_t i = 0; i < count; i++)
        sample_expect_line(&output, i, lines[i]);
    assert_int_equal(output.line_count, count);
}

/* A row of granularity's first table: so many parts, and what the largest has to have. */
static void check_parts(const struct sample_output *output, size_t line, unsigned parts,
                        double largest)
{
    unsigned seen_parts = 0;
    double seen_largest = 0, busiest = 0, time_s = 0;
    assert_int_equal(sscanf(output->lines[line], "%u %lf %% %lf %% %lf s", &seen_parts,
                            &seen_largest, &busiest, &time_s),
                     4);
    assert_int_equal(seen_parts, parts);
    assert_true(seen_largest > largest - 0.051 && seen_largest < largest + 0.051);
    /* The busiest worker has the largest part and half of all at least; at most it has all. */
    assert_true(busiest > seen_largest - 0.051 && busiest >= 50 && busiest <= 100);
    assert_true(time_s > 0);
}

static void granularity_shows_the_largest_part_of_each_cut(void **state)
{
    (void)state;
    const struct sample_output output = sample_ok(SAMPLE("granularity"), NULL);
    const double all = 256 * 257 / 2.0;
    double one_s = 0, chunks_s = 0;
    sample_expect_line(&output, 0, "256 items, item i costs i + 1, 2 workers");
    check_parts(&output, 2, 2, 100 * (129 + 256) * 128 / 2.0 / all);
    check_parts(&output, 3, 8, 100 * (225 + 256) * 32 / 2.0 / all);
    check_parts(&output, 4, 256, 100 * 256 / all);
    sample_expect_line(&output, 5, "same result each time: yes");
    sample_expect_line(&output, 6, "50000 items of no cost, 2 workers");
    assert_int_equal(sscanf(output.lines[7], "chunksize 1 %lf s", &one_s), 1);
    assert_int_equal(sscanf(output.lines[8], "chunksize 64 %lf s", &chunks_s), 1);
    assert_true(one_s > 0 && chunks_s > 0);
}

/* ---- workers_table, threads_in_workers ----------------------------------------------------- */

static void workers_table_has_a_row_for_each_number_of_workers(void **state)
{
    (void)state;
    const struct sample_output output = sample_ok(SAMPLE("workers_table"), NULL);
    const unsigned cpus = pool_cpu_count();
    double serial_s = 0;
    unsigned seen_cpus = 0;
    size_t line = 3;
    assert_int_equal(sscanf(output.lines[0], "%u CPUs; 24 CPU-bound tasks", &seen_cpus), 1);
    assert_int_equal(seen_cpus, cpus);
    assert_int_equal(sscanf(output.lines[2], " serial %lf s 1.00 100 %%", &serial_s), 1);
    assert_true(serial_s > 0);
    for (unsigned workers = 1; workers <= 4 || workers <= 2 * cpus; workers *= 2, line++) {
        unsigned seen_workers = 0;
        double time_s = 0, speed_up = 0, efficiency = 0;
        assert_int_equal(sscanf(output.lines[line], "%u %lf s %lf %lf %%", &seen_workers, &time_s,
                                &speed_up, &efficiency),
                         4);
        assert_int_equal(seen_workers, workers);
        /* The columns agree with each other, as far as the times are printed. */
        assert_true(speed_up > serial_s / (time_s + 0.001) * 0.95 &&
                    speed_up < (serial_s + 0.001) / (time_s - 0.001) * 1.05);
        assert_true(efficiency > 100 * speed_up / workers - 2 &&
                    efficiency < 100 * speed_up / workers + 2);
    }
    sample_expect_line(&output, line, "same result each time: yes");
    assert_int_equal(output.line_count, line + 1);
}

static void tasks_in_worker_processes_run_threads_of_their_own(void **state)
{
    (void)state;
    static const char *const ends[] = {
        "): 9592 primes below 100000", "): 17984 primes below 200000",
        "): 25997 primes below 300000", "): 33860 primes below 400000"};
    const struct sample_output output = sample_ok(SAMPLE("threads_in_workers"), NULL);
    char last[64];
    for (size_t i = 0; i < 4; i++) {
        char start[16];
        snprintf(start, sizeof(start), "task %zu: pid=", i);
        assert_ptr_equal(strstr(output.lines[i], start), output.lines[i]);
        assert_non_null(strstr(output.lines[i], " ran 3 threads (tid="));
        assert_non_null(strstr(output.lines[i], ends[i]));
    }
    const size_t processes = sample_distinct(&output, "pid=");
    assert_true(processes >= 1 && processes <= 2); /* one may have been quick enough for all */
    assert_int_equal(sample_distinct(&output, "tid="), 12);
    snprintf(last, sizeof(last), "4 tasks, 12 threads, %zu processes", processes);
    sample_expect_line(&output, 4, last);
}

static const struct test_case tests[] = {
    TEST(words_are_counted_across_all_cuts),
    TEST(a_word_longer_than_a_part_is_one_word),
    TEST(a_file_without_words_has_none),
    TEST(a_file_that_is_not_there_is_told),
    TEST(the_large_text_gives_the_same_words_in_parts),
    TEST(split_tasks_shows_what_the_document_loses),
    TEST(granularity_shows_the_largest_part_of_each_cut),
    TEST(workers_table_has_a_row_for_each_number_of_workers),
    TEST(tasks_in_worker_processes_run_threads_of_their_own),
};

int main(int argc, char **argv)
{
    return test_run("samples data", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
