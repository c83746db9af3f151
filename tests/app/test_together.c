/* test_together.c: several runs on one tree at the same moment, some of which are killed. */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "album.h"
#include "app/clock_priv.h"
#include "app/ledger_priv.h"
#include "files.h"
#include "isolate.h"
#include "pictures.h"
#include "program.h"

#define RUNS_MAX 3
#define BAD      3

static const struct program_setup ordinary;
static const char *const args[] = {"in", "-o", "out", "--json", NULL};

static void start_all(struct program *programs, int count)
{
    for (int i = 0; i < count; i++)
        programs[i] = program_start(&ordinary, args);
}

/* What one run says of itself adds up, and agrees with its exit code. program_events() compares
 * the lines with the summary. */
static void check_run(const struct program_result *result)
{
    expect_exit(result, 1);
    const double made = summary_of(result, "made") + summary_of(result, "up_to_date");
    const double failed = summary_of(result, "failed"), skipped = summary_of(result, "skipped");
    assert_true(summary_of(result, "inputs") == made + skipped + failed);
    assert_true(made == 36);
    assert_true(failed == BAD);
    assert_true(summary_of(result, "errors/not-an-image") == BAD);
    assert_true(skipped == 1);
}

static void run_alone(void)
{
    struct program program = program_start(&ordinary, args);
    const struct program_result result = program_wait(&program);
    check_run(&result);
}

static void make_input(void)
{
    make_album();
    for (int i = 0; i < BAD; i++)
        write_text(scratch("in/bad%d.jpg", i), "no picture");
    write_text(scratch("in/notes"), "text");
}

/* The ledger names what failed and nothing else; a thumbnail for everything else, and no more. */
static void check_output(void)
{
    size_t length;
    assert_int_equal(check_outputs(scratch("out")), 36);
    const char *ledger = read_file(scratch("out/%s", LEDGER_NAME), &length);
    for (int i = 0; i < BAD; i++)
        assert_non_null(strstr(ledger, scratch("in/bad%d.jpg", i)));
    assert_null(strstr(ledger, "notes"));
    assert_null(strstr(ledger, ".png"));
    struct program_result result = program_run("in", "-o", "out", "--json", "--retry-failed", NULL);
    expect_exit(&result, 1); /* it can be read, and is believed */
    assert_true(summary_of(&result, "failed") == BAD);
    assert_true(summary_of(&result, "made") == 0);
}

static void runs_on_one_tree_do_each_other_no_harm(void **state)
{
    (void)state;
    struct program programs[RUNS_MAX];
    make_input();
    const uint64_t before = tree_hash(scratch("in"), NULL);
    for (int count = 2; count <= RUNS_MAX; count++) {
        start_all(programs, count);
        for (int i = 0; i < count; i++) {
            const struct program_result result = program_wait(&programs[i]);
            check_run(&result);
        }
        assert_int_equal(check_outputs(scratch("out")), 36);
        run_alone();
        check_output();
        assert_int_equal(tree_hash(scratch("in"), NULL), before);
    }
}

static int remove_thumbs(const char *path)
{
    int left = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_type == DT_REG)
            left += unlink(scratch("out/%s", entry->d_name));
    closedir(dir);
    return left;
}

/* Of three runs, two are ended at moments that go on from round to round, one of them gently. The
 * third one is not disturbed, and removes nothing of those that live. */
static void killed_runs_do_the_living_no_harm(void **state)
{
    (void)state;
    struct program programs[RUNS_MAX];
    make_input();
    const uint64_t before = tree_hash(scratch("in"), NULL);
    for (int round = 0; round < 12; round++) {
        start_all(programs, RUNS_MAX);
        poll(NULL, 0, round * 5);
        kill(programs[0].pid, SIGKILL);
        kill(programs[1].pid, SIGINT);
        struct program_result result = program_wait(&programs[0]);
        assert_true(result.signal == SIGKILL || result.exit_code == 1);
        result = program_wait(&programs[1]);
        /* Before it listens, a signal ends it as it ends any program. */
        assert_true(result.signal == SIGINT || result.exit_code == 128 + SIGINT ||
                    result.exit_code == 1);
        if (result.exit_code == 128 + SIGINT && result.out_bytes > 0)
            assert_true(summary_of(&result, "made") + summary_of(&result, "unfinished") <= 41);
        result = program_wait(&programs[2]);
        check_run(&result);
        program_left_no_process();
        run_alone(); /* it cleans up after the killed ones */
        check_output();
        assert_int_equal(tree_hash(scratch("in"), NULL), before);
        assert_int_equal(remove_thumbs(scratch("out")), 0);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST_LONG(runs_on_one_tree_do_each_other_no_harm, 60000),
        TEST_LONG(killed_runs_do_the_living_no_harm, 120000),
    };
    return test_run("thumbpool together", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
