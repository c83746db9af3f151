#include "app/pace_priv.h"

#include "isolate.h"

#define TICK_MS 100

/* A run that is played: what it has done, and what is left. */
struct play {
    struct pace pace;
    struct pace_state at;
    struct pace_rest rest;
    int64_t now_ms;
    double owed; /* of a file */
};

/* For so long, files of that size come to be done at that speed; worked on, or only looked at. */
static void go_on(struct play *play, int64_t ms, double files_per_s, uint64_t bytes, bool worked)
{
    play->at.working = worked;
    for (int64_t end_ms = play->now_ms + ms; play->now_ms < end_ms;) {
        play->now_ms += TICK_MS;
        play->owed += files_per_s * TICK_MS / 1000;
        while (play->owed >= 1) {
            play->owed--;
            play->at.files++;
            play->rest.files--;
            play->rest.bytes -= play->rest.bytes > 0 ? bytes : 0;
            play->at.worked_files += worked;
            play->at.worked_bytes += worked ? bytes : 0;
        }
        pace_step(&play->pace, &play->at, &play->rest, play->now_ms);
    }
}

static void assert_between(int64_t value, int64_t least, int64_t most)
{
    if (value < least || value > most)
        fail_msg("%lld is not in %lld..%lld", (long long)value, (long long)least, (long long)most);
}

static void an_even_run_is_foretold(void **state)
{
    (void)state;
    struct play play = {.rest = {10000, 10000 * 1000}, .now_ms = 5000};
    go_on(&play, 20000, 50, 1000, true);
    assert_between(pace_left_s(&play.pace), 178, 182);
    assert_between((int64_t)pace_file_tenths(&play.pace), 498, 502);
    assert_between((int64_t)pace_bytes(&play.pace), 49800, 50200);
}

static void nothing_is_foretold_at_once_or_without_a_total(void **state)
{
    (void)state;
    struct play play = {.rest = {10000, 0}, .now_ms = 5000};
    assert_int_equal(pace_left_s(&play.pace), -1);
    assert_int_equal(pace_file_tenths(&play.pace), 0);
    go_on(&play, 1500, 50, 0, true);
    assert_int_equal(pace_left_s(&play.pace), -1);
    go_on(&play, 1500, 50, 0, true);
    assert_between(pace_left_s(&play.pace), 185, 205);
    play.rest.files = 0; /* it is not known any more */
    go_on(&play, 100, 0, 0, true);
    assert_int_equal(pace_left_s(&play.pace), -1);
}

/* By files alone 5 s would be left. */
static void large_files_at_the_end_are_counted_by_bytes(void **state)
{
    (void)state;
    struct play play = {.rest = {2500, 2000 * 1000 + 500 * 10000}, .now_ms = 1};
    go_on(&play, 20000, 100, 1000, true);
    assert_between(pace_left_s(&play.pace), 45, 55);
}

/* A fast beginning, as of files that the kernel still had in memory. */
static void what_counts_is_the_last_while(void **state)
{
    (void)state;
    struct play play = {.rest = {100000, 0}, .now_ms = 1};
    go_on(&play, 20000, 1000, 0, true);
    assert_between(pace_left_s(&play.pace), 75, 85);
    go_on(&play, 120000, 10, 0, true);
    /* 78,800 are left: at the mean of the whole run that would be 8 minutes. */
    assert_between(pace_left_s(&play.pace), 5000, 8500);
}

static void what_was_up_to_date_does_not_make_the_rest_look_near(void **state)
{
    (void)state;
    struct play play = {.rest = {101000, 101000 * 1000}, .now_ms = 1};
    go_on(&play, 3000, 30000, 1000, false); /* 90,000 at once */
    assert_int_equal(pace_left_s(&play.pace), -1);
    go_on(&play, 10000, 10, 1000, true);
    assert_between(pace_left_s(&play.pace), 1000, 1200); /* 10,900 at 10/s */
    go_on(&play, 100, 50000, 1000, false);
    go_on(&play, 3000, 10, 1000, true);
    assert_between(pace_left_s(&play.pace), 500, 1100);
}

/* Files of very different sizes, in turns: what is shown counts down. */
static void the_estimate_is_steady(void **state)
{
    (void)state;
    struct play play = {.rest = {20000, UINT64_C(20000) * 5500}, .now_ms = 1};
    int64_t before = 0;
    go_on(&play, 10000, 100, 5500, true);
    before = pace_left_s(&play.pace);
    for (int turn = 0; turn < 30; turn++) {
        const bool small = turn % 2 == 0;
        for (int tick = 0; tick < 10; tick++) {
            go_on(&play, TICK_MS, small ? 180 : 20, 5500, true);
            const int64_t left = pace_left_s(&play.pace);
            assert_between(left, before - 6, before + 5);
            before = left;
        }
    }
    assert_between(before, 140, 185);
}

static void time_that_does_not_pass_changes_nothing(void **state)
{
    (void)state;
    struct play play = {.rest = {10000, 0}, .now_ms = 5000};
    go_on(&play, 10000, 50, 0, true);
    const int64_t left = pace_left_s(&play.pace);
    const uint64_t tenths = pace_file_tenths(&play.pace);
    play.at.files += 100;
    pace_step(&play.pace, &play.at, &play.rest, play.now_ms); /* as after a stop */
    pace_step(&play.pace, &play.at, &play.rest, play.now_ms - 1000);
    assert_int_equal(pace_left_s(&play.pace), left);
    assert_int_equal(pace_file_tenths(&play.pace), tenths);
}

static void a_run_without_end_is_cut_short(void **state)
{
    (void)state;
    struct play play = {.rest = {UINT64_MAX, UINT64_MAX}, .now_ms = 5000};
    go_on(&play, 100000, 0.1, 1, true);
    assert_between(pace_left_s(&play.pace), 3500 * 1000, 3601 * 1000);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(an_even_run_is_foretold),
        TEST(nothing_is_foretold_at_once_or_without_a_total),
        TEST(large_files_at_the_end_are_counted_by_bytes),
        TEST(what_counts_is_the_last_while),
        TEST(what_was_up_to_date_does_not_make_the_rest_look_near),
        TEST(the_estimate_is_steady),
        TEST(time_that_does_not_pass_changes_nothing),
        TEST(a_run_without_end_is_cut_short),
    };
    return test_run("app pace", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
