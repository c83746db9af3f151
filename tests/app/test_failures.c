/* test_failures.c: what the built program remembers of files that fail, how it treats damage and
 * limits, and what it does where workers cannot be confined. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "album.h"
#include "app/failures_priv.h"
#include "app/ledger_priv.h"
#include "files.h"
#include "isolate.h"
#include "pictures.h"
#include "program.h"

#define LEDGER "in/thumbs/" LEDGER_NAME

static const struct program_setup ordinary;

static void touch(const char *path, time_t seconds)
{
    const struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* ---- Poison -------------------------------------------------------------------------------- */

/* A run in which so many workers die over the slow file, one after the other. */
static struct program_result run_and_kill(unsigned kills, const char *option)
{
    const char *const args[] = {"in", "--json", "-j1", option, NULL};
    struct program program = program_start(&ordinary, args);
    pid_t worker = 0;
    for (unsigned i = 0; i < kills; i++) {
        worker = program_busy_worker(program.pid, worker);
        assert_true(worker > 0);
        assert_int_equal(kill(worker, SIGKILL), 0);
    }
    return program_wait(&program);
}

static void a_file_that_kills_its_workers_is_tried_four_times_at_most(void **state)
{
    (void)state;
    make_folder(scratch("in"));
    make_slow_jpeg(scratch("in/0-slow.jpg"), 5000, 5000, 1);
    make_jpeg(scratch("in/good.jpg"), 300, 200, 2);
    struct program_result result = run_and_kill(2, NULL);
    expect_exit(&result, 1);
    const struct json_value *failed = program_file(&result, "0-slow.jpg");
    assert_string_equal(string_of(failed, "error"), "worker-died");
    assert_non_null(strstr(string_of(failed, "message"), "killed by signal 9"));
    assert_true(json_get(failed, "signal")->number == 9);
    assert_true(summary_of(&result, "made") == 1);
    result = run_and_kill(2, NULL);
    assert_string_equal(error_of(&result, "0-slow.jpg"), "worker-died");
    /* Now nobody touches it. */
    result = program_run("in", "--json", "-j1", NULL);
    expect_exit(&result, 1);
    assert_string_equal(error_of(&result, "0-slow.jpg"), "quarantined");
    assert_true(summary_of(&result, "up_to_date") == 1);
    /* But who asks for it gets it. */
    result = program_run("in", "--json", "--retry-failed", NULL);
    expect_exit(&result, 0);
    assert_true(summary_of(&result, "made") == 1);
    assert_true(summary_of(&result, "skipped") == 1);
    assert_false(file_exists(scratch(LEDGER)));
    result = program_run("in", "--json", NULL);
    expect_exit(&result, 0);
}

static void a_file_that_has_changed_begins_anew(void **state)
{
    (void)state;
    make_folder(scratch("in"));
    make_slow_jpeg(scratch("in/0-slow.jpg"), 5000, 5000, 1);
    for (unsigned i = 0; i < 2; i++) {
        struct program_result result = run_and_kill(2, NULL);
        expect_exit(&result, 1);
    }
    struct program_result result = program_run("in", "--json", NULL);
    assert_string_equal(error_of(&result, "0-slow.jpg"), "quarantined");
    touch(scratch("in/0-slow.jpg"), 1000000000);
    result = program_run("in", NULL);
    expect_exit(&result, 0);
    assert_false(file_exists(scratch(LEDGER)));
}

static unsigned times_named(const char *path, const char *name)
{
    unsigned count = 0;
    if (!file_exists(path))
        return 0;
    for (const char *at = read_file(path, NULL); (at = strstr(at, name)); at++)
        count++;
    return count;
}

/* And the one before it, which was made, is not blamed. */
static void a_file_that_takes_the_program_along_is_remembered(void **state)
{
    (void)state;
    static const char *const args[] = {"in", "--json", "--backend", "serial", "--overwrite=always",
                                       NULL};
    make_folder(scratch("in"));
    make_jpeg(scratch("in/0-early.jpg"), 300, 200, 2);
    make_slow_jpeg(scratch("in/0-slow.jpg"), 5000, 5000, 1);
    make_jpeg(scratch("in/good.jpg"), 300, 200, 2);
    for (unsigned i = 0; i < FAILURES_DEATHS_MAX - FAILURES_RETRIES; i++) {
        /* It has begun the picture once it has noted so, behind what earlier runs have left. */
        const unsigned before = times_named(scratch(LEDGER), "0-slow.jpg");
        struct program program = program_start(&ordinary, args);
        while (times_named(scratch(LEDGER), "0-slow.jpg") <= before)
            usleep(2000);
        usleep(20000); /* into the picture */
        assert_int_equal(kill(program.pid, SIGKILL), 0);
        struct program_result result = program_wait(&program);
        assert_int_equal(result.signal, SIGKILL);
    }
    struct program_result result =
        program_run("in", "--json", "--backend", "serial", "--overwrite=always", NULL);
    expect_exit(&result, 1);
    assert_string_equal(error_of(&result, "0-slow.jpg"), "quarantined");
    assert_true(summary_of(&result, "made") == 2);
}

/* ---- Failures ------------------------------------------------------------------------------ */

static void only_what_failed_is_tried_again_on_request(void **state)
{
    (void)state;
    make_album();
    write_text(scratch("in/bad.jpg"), "bad");
    write_text(scratch("in/2020/worse.png"), "worse");
    struct program_result result = program_run("in", "--json", NULL);
    expect_exit(&result, 1);
    assert_true(summary_of(&result, "failed") == 2);
    assert_true(file_exists(scratch(LEDGER)));
    struct stat st;
    assert_int_equal(stat(scratch(LEDGER), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600); /* it names files that others need not know */
    /* One is repaired. */
    make_jpeg(scratch("in/bad.jpg"), 300, 200, 2);
    result = program_run("in", "--json", "--retry-failed", NULL);
    expect_exit(&result, 1);
    assert_true(summary_of(&result, "made") == 1);
    assert_true(summary_of(&result, "failed") == 1);
    assert_string_equal(string_of(program_file(&result, "in/p00.jpg"), "why"),
                        "it did not fail last time");
    /* The other one is removed: there is nothing left to remember. */
    assert_int_equal(unlink(scratch("in/2020/worse.png")), 0);
    result = program_run("in", "--json", NULL);
    expect_exit(&result, 0);
    assert_false(file_exists(scratch(LEDGER)));
}

/* A file that was named was tried; in its folder it is none to try. */
static void what_need_not_be_tried_is_not_remembered(void **state)
{
    (void)state;
    make_album();
    write_text(scratch("in/notes.txt"), "text");
    struct program_result result = program_run("in/notes.txt", NULL);
    expect_exit(&result, 1);
    assert_true(file_exists(scratch(LEDGER)));
    result = program_run("in", NULL);
    expect_exit(&result, 0);
    assert_false(file_exists(scratch(LEDGER)));
}

static void a_failure_to_open_does_not_pardon_a_killer(void **state)
{
    (void)state;
    const struct program_setup nobody = {.as_nobody = true};
    make_folder(scratch("in"));
    make_slow_jpeg(scratch("in/0-slow.jpg"), 5000, 5000, 1);
    for (unsigned i = 0; i < 2; i++) {
        struct program_result result = run_and_kill(2, NULL);
        expect_exit(&result, 1);
    }
    /* By somebody who cannot read it, nor what is remembered: the ledger stays as it is. */
    assert_int_equal(chmod(scratch("in/0-slow.jpg"), 0), 0);
    struct program_result result = program_run_with(&nobody, "in", "--json", NULL);
    assert_true(result.exit_code == 1 || result.exit_code == 3);
    assert_int_equal(chmod(scratch("in/0-slow.jpg"), 0644), 0);
    result = program_run("in", "--json", NULL);
    assert_string_equal(error_of(&result, "0-slow.jpg"), "quarantined");
}

static void a_clean_run_leaves_no_ledger(void **state)
{
    (void)state;
    static const char *const backends[] = {"serial", "thread", "process"};
    make_album();
    for (size_t b = 0; b < 3; b++) {
        struct program_result result = program_run("in", "--backend", backends[b], NULL);
        expect_exit(&result, 0);
        assert_false(file_exists(scratch(LEDGER)));
    }
}

static void a_ledger_that_cannot_be_written_is_told_and_stops_nothing(void **state)
{
    (void)state;
    make_album();
    write_text(scratch("in/bad.jpg"), "bad");
    make_folder(scratch(LEDGER)); /* a folder has its name */
    struct program_result result = program_run("in", NULL);
    expect_exit(&result, 1);
    assert_non_null(strstr(result.err, "cannot remember what failed: in/thumbs/.thumbpool-failed"));
    assert_non_null(strstr(result.out, "36 made, "));
}

/* ---- Damage and limits --------------------------------------------------------------------- */

static void a_cut_picture_fails_unless_a_part_is_wanted(void **state)
{
    (void)state;
    size_t size_bytes;
    unsigned partial = 0;
    make_folder(scratch("in"));
    make_jpeg(scratch("whole.jpg"), 640, 480, 1);
    const char *whole = read_file(scratch("whole.jpg"), &size_bytes);
    for (unsigned percent = 0; percent < 100; percent++)
        write_file(scratch("in/%02u.jpg", percent), whole, size_bytes * percent / 100);
    struct program_result result = program_run("in", "--json", NULL);
    expect_exit(&result, 1);
    assert_true(summary_of(&result, "failed") == 100);
    assert_int_equal(check_outputs(scratch("in/thumbs")), 0);
    result = program_run("in", "--json", "--fail-on", "truncated", NULL);
    assert_true(summary_of(&result, "failed") == 100);
    result = program_run("in", "--json", "--fail-on", "none", NULL);
    expect_exit(&result, 1);
    for (unsigned percent = 0; percent < 100; percent++) {
        const struct json_value *event =
            program_file(&result, scratch("in/%02u.jpg", percent) + strlen(test_scratch()) + 1);
        if (strcmp(string_of(event, "status"), "made") != 0)
            continue;
        partial++;
        assert_int_equal(json_get(event, "partial")->type, JSON_BOOL);
        assert_non_null(strstr(string_of(event, "damage"), "ends early"));
    }
    assert_true(partial > 80); /* the rest has no whole header */
    assert_true(summary_of(&result, "partial") == partial);
    assert_int_equal(check_outputs(scratch("in/thumbs")), (int)partial);
    result = program_run("in/50.jpg", "-v", "--fail-on=none", "--overwrite=always", NULL);
    expect_exit(&result, 0);
    assert_non_null(strstr(result.out, "; partial: "));
    assert_non_null(strstr(result.out, "1 made, 1 of them partial"));
}

static void pictures_beyond_the_limits_are_refused_by_their_headers(void **state)
{
    (void)state;
    make_folder(scratch("in"));
    make_jpeg(scratch("in/large.jpg"), 640, 480, 1);
    make_png(scratch("in/large.png"), 640, 480, false, 2);
    make_jpeg(scratch("in/small.jpg"), 640, 479, 3);
    struct program_result result = program_run("in", "--json", "--max-pixels", "307199", NULL);
    expect_exit(&result, 1);
    assert_string_equal(error_of(&result, "large.jpg"), "too-large");
    assert_string_equal(error_of(&result, "large.png"), "too-large");
    assert_true(summary_of(&result, "made") == 1);
}

/* ---- Confinement --------------------------------------------------------------------------- */

static void where_workers_cannot_be_confined_nothing_is_done_unless_told(void **state)
{
    (void)state;
    const struct program_setup setup = {.deny_confinement = true};
    make_album();
    struct program_result result = program_run_with(&setup, "in", NULL);
    expect_exit(&result, 3);
    assert_non_null(strstr(result.err, "cannot be confined here"));
    assert_non_null(strstr(result.err, "--no-sandbox"));
    assert_false(file_exists(scratch("in/thumbs/p00.jpg")));
    result = program_run_with(&setup, "in", "-v", NULL);
    expect_exit(&result, 3);
    result = program_run_with(&setup, "in", "-v", "--no-sandbox", NULL);
    expect_exit(&result, 0);
    assert_non_null(strstr(result.out, "no seccomp: Operation not permitted"));
    assert_int_equal(check_outputs(scratch("in/thumbs")), 36);
}

static void what_confines_the_workers_is_told_on_request(void **state)
{
    (void)state;
    make_album();
    struct program_result result = program_run("in", "-v", "-j2", NULL);
    expect_exit(&result, 0);
    assert_non_null(strstr(result.out, "2 workers, each confined by: seccomp; "));
    result = program_run("in", "-v", "--json", NULL);
    size_t count;
    struct json_value **events = program_events(&result, &count);
    assert_non_null(strstr(string_of(events[0], "sandbox"), "seccomp; "));
    assert_true(summary_of(&result, "worker_memory_peak") > 1000000);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST_LONG(a_file_that_kills_its_workers_is_tried_four_times_at_most, 60000),
        TEST_LONG(a_file_that_has_changed_begins_anew, 60000),
        TEST_LONG(a_file_that_takes_the_program_along_is_remembered, 60000),
        TEST(only_what_failed_is_tried_again_on_request),
        TEST(what_need_not_be_tried_is_not_remembered),
        TEST_LONG(a_failure_to_open_does_not_pardon_a_killer, 60000),
        TEST(a_clean_run_leaves_no_ledger),
        TEST(a_ledger_that_cannot_be_written_is_told_and_stops_nothing),
        TEST(a_cut_picture_fails_unless_a_part_is_wanted),
        TEST(pictures_beyond_the_limits_are_refused_by_their_headers),
        TEST(where_workers_cannot_be_confined_nothing_is_done_unless_told),
        TEST(what_confines_the_workers_is_told_on_request),
    };
    return test_run("failures", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
