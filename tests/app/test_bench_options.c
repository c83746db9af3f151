#include "app/bench_options_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "isolate.h"

/* Words are separated by single spaces. */
static int parse(const char *line, struct options *ret_options, struct text *message)
{
    static char words[1024];
    static char *argv[64];
    int argc = 0;
    snprintf(words, sizeof(words), "thumbpool %s", line);
    char *save = NULL;
    for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    argv[argc] = NULL;
    return options_parse(argc, argv, ret_options, message);
}

static struct options parse_good(const char *line)
{
    struct options options;
    struct text message = TEXT_INIT;
    if (parse(line, &options, &message) != 0)
        fail_msg("%s: %s", line, text_string(&message));
    return options;
}

static void defaults_are_as_documented(void **state)
{
    (void)state;
    struct options options = parse_good("bench photos");
    assert_int_equal(options.action, OPTIONS_BENCH);
    assert_int_equal(options.command, OPTIONS_BENCH);
    assert_int_equal(options.bench.runs, 7);
    assert_int_equal(options.bench.warmup, 1);
    assert_int_equal(options.bench.worker_count, 0);
    assert_false(options.bench.cold || options.bench.csv || options.bench.example ||
                 options.bench.without_threads || options.bench.without_processes);
    assert_int_equal(options.overwrite, OVERWRITE_ALWAYS);
    assert_int_equal(options.box_width_px, 256);
    assert_string_equal(options.words[1], "bench");
    assert_null(options.measured);
    options_done(&options);
}

static void every_option_is_read(void **state)
{
    (void)state;
    struct options options = parse_good(
        "bench -o dir --runs 7 --warmup=0 --workers 4,1,16 --backends process --cold --html a.html "
        "--svg b.svg --csv -s 100x50 --fit cover -q 90 --fast -H -L --max-depth 2 -i *.jpg p q");
    const struct options_bench *bench = &options.bench;
    assert_string_equal(options.output, "dir");
    assert_int_equal(bench->runs, 7);
    assert_int_equal(bench->warmup, 0);
    assert_int_equal(bench->worker_count, 3);
    assert_int_equal(bench->workers[0], 4);
    assert_int_equal(bench->workers[2], 16);
    assert_true(bench->without_threads && !bench->without_processes && bench->cold && bench->csv);
    assert_string_equal(bench->html, "a.html");
    assert_string_equal(bench->svg, "b.svg");
    assert_int_equal(options.box_height_px, 50);
    assert_true(options.fast && options.hidden && options.follow);
    assert_int_equal(options.glob_count, 1);
    assert_int_equal(options.path_count, 2);
    options_done(&options);
}

static void the_example_is_of_75_pixels_unless_told_otherwise(void **state)
{
    (void)state;
    struct options options = parse_good("bench --example");
    assert_int_equal(options.box_width_px, 75);
    assert_int_equal(options.box_height_px, 75);
    assert_int_equal(options.bench.runs, 5);
    assert_int_equal(options.path_count, 0);
    options_done(&options);
    options = parse_good("bench --example -s 100 --runs 1 photos");
    assert_int_equal(options.box_width_px, 100);
    assert_int_equal(options.bench.runs, 1);
    options_done(&options);
}

static void mistakes_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *words;
    } rows[] = {{"bench", "no PATH"},
                {"bench --runs 0 p", "--runs: a number from 1 to 1000"},
                {"bench --runs 5x p", "not '5x'"},
                {"bench --warmup -1 p", "--warmup"},
                {"bench --workers 0 p", "--workers"},
                {"bench --workers 1,,2 p", "--workers"},
                {"bench --workers 1,2, p", "--workers"},
                {"bench --workers 2,2 p", "each number once"},
                {"bench --workers 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17 p", "up to 16"},
                {"bench --workers 9999 p", "1 to 1024"},
                {"bench --backends fiber p", "serial, thread or process"},
                {"bench --backends thread, p", "serial, thread or process"},
                {"bench --html= p", "no file"},
                {"bench --json --csv p", "--csv: not together with --json"},
                {"bench --files-from - ", "read once only"},
                {"bench --html page --svg page x", "--svg: not the file of --html"},
                {"bench --example a b", "one PATH"},
                {"bench --jobs 2 p", "not for 'thumbpool bench'"},
                {"bench -j2 p", "not for 'thumbpool bench'"},
                {"bench --prune p", "not for 'thumbpool bench'"},
                {"bench --rnus 2 p", "the nearest is '--runs'"},
                {"--runs 2 p", "only for 'thumbpool bench'"},
                {"one --svg a b c", "not for 'thumbpool one'"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct options options;
        struct text message = TEXT_INIT;
        assert_int_equal(parse(rows[i].line, &options, &message), -EINVAL);
        if (!strstr(text_string(&message), rows[i].words))
            fail_msg("%s: not '%s' but '%s'", rows[i].line, rows[i].words, text_string(&message));
        text_done(&message);
    }
}

static void a_folder_called_bench_is_given_with_its_place(void **state)
{
    (void)state;
    struct options options = parse_good("./bench");
    assert_int_equal(options.action, OPTIONS_RUN);
    options_done(&options);
    options = parse_good("photos bench");
    assert_int_equal(options.action, OPTIONS_RUN);
    assert_int_equal(options.path_count, 2);
    options_done(&options);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(defaults_are_as_documented),
        TEST(every_option_is_read),
        TEST(the_example_is_of_75_pixels_unless_told_otherwise),
        TEST(mistakes_are_explained),
        TEST(a_folder_called_bench_is_given_with_its_place),
    };
    return test_run("app bench options", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
