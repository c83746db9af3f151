/* test_reruns.c: the built program run again: what is up to date, what is made anew, what has the
 * name for good; and names by --name. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "album.h"
#include "files.h"
#include "isolate.h"
#include "pictures.h"
#include "program.h"

/* Far enough back that no file system takes it for now. */
#define LONG_AGO 1500000000

static void set_time(const char *path, time_t seconds, long nanoseconds)
{
    const struct timespec times[2] = {{.tv_sec = seconds, .tv_nsec = nanoseconds},
                                      {.tv_sec = seconds, .tv_nsec = nanoseconds}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static const char *status_of(const struct program_result *result, const char *path_end)
{
    return string_of(program_file(result, path_end), "status");
}

static void expect_counts(const struct program_result *result, int made, int up_to_date,
                          int skipped, int failed)
{
    const char *out = result->out;
    if (summary_of(result, "made") != made || summary_of(result, "up_to_date") != up_to_date ||
        summary_of(result, "skipped") != skipped || summary_of(result, "failed") != failed)
        fail_msg("not %d made, %d up to date, %d skipped, %d failed:\n%s", made, up_to_date,
                 skipped, failed, out);
}

static void make_three(void)
{
    make_folder(scratch("in/sub"));
    make_jpeg(scratch("in/a.jpg"), 300, 200, 1);
    make_png(scratch("in/b.png"), 300, 200, true, 2);
    make_png(scratch("in/sub/c d.png"), 300, 200, false, 3);
}

/* ---- What is up to date -------------------------------------------------------------------- */

static void a_second_run_does_nothing_and_starts_nobody(void **state)
{
    (void)state;
    make_three();
    struct program_result result = program_run("in", "--json", NULL);
    expect_exit(&result, 0);
    expect_counts(&result, 3, 0, 0, 0);
    const uint64_t before = tree_hash(scratch("in"), NULL);
    result = program_run("in", "--json", NULL);
    expect_exit(&result, 0);
    expect_counts(&result, 0, 3, 0, 0);
    const struct json_value *event = program_file(&result, "in/b.png");
    assert_string_equal(string_of(event, "status"), "up_to_date");
    assert_int_equal(json_count(json_get(event, "outputs")), 1);
    assert_string_equal(string_of(json_get(event, "outputs")->child, "path"), "in/thumbs/b.png");
    event = program_file(&result, "c d.png");
    assert_string_equal(string_of(json_get(event, "outputs")->child, "path"),
                        "in/thumbs/sub/c d.png.jpg");
    result = program_run("in", "-n", NULL);
    expect_exit(&result, 0);
    assert_non_null(strstr(result.out, "0 would be made, 3 up to date"));
    assert_int_equal(tree_hash(scratch("in"), NULL), before);
}

static void ten_thousand_pictures_are_passed_over_without_a_worker(void **state)
{
    (void)state;
    size_t size_bytes;
    make_folder(scratch("in"));
    make_jpeg(scratch("one.jpg"), 10, 8, 1);
    const char *bytes = read_file(scratch("one.jpg"), &size_bytes);
    for (unsigned folder = 0; folder < 10; folder++) {
        make_folder(scratch("in/%u", folder));
        for (unsigned i = 0; i < 1000; i++) {
            char path[256];
            snprintf(path, sizeof(path), "%s/in/%u/%03u.jpg", test_scratch(), folder, i);
            write_file(path, bytes, size_bytes);
        }
    }
    struct program_result result = program_run("in", "--quiet", NULL);
    expect_exit(&result, 0);
    /* A worker that came up would find nothing to confine itself with, and end the run. */
    const struct program_setup setup = {.deny_confinement = true};
    result = program_run_with(&setup, "in", "--json", NULL);
    expect_exit(&result, 0);
    expect_counts(&result, 0, 10000, 0, 0);
    assert_true(json_get(program_file(&result, "in/7/123.jpg"), "pid") == NULL);
    set_time(scratch("in/7/123.jpg"), LONG_AGO, 1);
    result = program_run("in", "--json", NULL);
    expect_counts(&result, 1, 9999, 0, 0);
    assert_string_equal(status_of(&result, "in/7/123.jpg"), "made");
}

static void what_has_changed_is_made_anew(void **state)
{
    (void)state;
    size_t size_bytes;
    make_three();
    set_time(scratch("in/a.jpg"), LONG_AGO, 5);
    struct program_result result = program_run("in", "--json", NULL);
    expect_counts(&result, 3, 0, 0, 0);
    /* Only its time of change, to the nanosecond. */
    set_time(scratch("in/a.jpg"), LONG_AGO, 6);
    result = program_run("in", "--json", NULL);
    expect_counts(&result, 1, 2, 0, 0);
    assert_string_equal(status_of(&result, "in/a.jpg"), "made");
    result = program_run("in", "--json", NULL);
    expect_counts(&result, 0, 3, 0, 0);
    /* Another content of another size, with the same time. */
    make_jpeg(scratch("other.jpg"), 310, 200, 9);
    const char *bytes = read_file(scratch("other.jpg"), &size_bytes);
    write_file(scratch("in/a.jpg"), bytes, size_bytes);
    set_time(scratch("in/a.jpg"), LONG_AGO, 6);
    result = program_run("in", "--json", NULL);
    expect_counts(&result, 1, 2, 0, 0);
    /* It need not be a picture any more. */
    write_text(scratch("in/a.jpg"), "text");
    result = program_run("in", "--json", NULL);
    expect_counts(&result, 0, 2, 0, 1);
}

static void other_settings_make_all_anew(void **state)
{
    (void)state;
    static const char *const settings[] = {
        "--size=200",        "--size=200x256", "--fit=pad", "--background=red",
        "--enlarge",         "--quality=79",   "--fast",    "--fail-on=truncated",
        "--fail-on=warning", "--fail-on=none",
    };
    make_folder(scratch("in"));
    make_jpeg(scratch("in/a.jpg"), 300, 200, 1);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        struct program_result result = program_run("in", "--json", NULL);
        expect_counts(&result, 1, 0, 0, 0);
        result = program_run("in", "--json", settings[i], NULL);
        expect_counts(&result, 1, 0, 0, 0);
        result = program_run("in", "--json", settings[i], NULL);
        expect_counts(&result, 0, 1, 0, 0);
    }
    /* What does not shape the thumbnail does not count. */
    struct program_result result = program_run("in", "--json", NULL);
    result = program_run("in", "--json", "--memory=2G", "--timeout=7", "-j1", "--max-pixels=100000",
                         "--backend=serial", "--sync", NULL);
    expect_counts(&result, 0, 1, 0, 0);
}

static void a_time_in_the_future_is_never_trusted(void **state)
{
    (void)state;
    make_three();
    set_time(scratch("in/a.jpg"), time(NULL) + 3600, 123);
    set_time(scratch("in/b.png"), (time_t)12000000000, 0); /* the year 2350 */
    for (unsigned i = 0; i < 2; i++) {
        struct program_result result = program_run("in", "--json", NULL);
        expect_exit(&result, 0);
        assert_string_equal(status_of(&result, "in/a.jpg"), "made");
        assert_string_equal(status_of(&result, "in/b.png"), "made");
    }
    set_time(scratch("in/a.jpg"), LONG_AGO, 0);
    set_time(scratch("in/b.png"), -5, 999999999); /* before 1970 */
    struct program_result result = program_run("in", "--json", NULL);
    expect_counts(&result, 2, 1, 0, 0);
    result = program_run("in", "--json", NULL);
    expect_counts(&result, 0, 3, 0, 0);
}

/* In the same tick of the clock, with the same size: nothing but the content tells. */
static void a_picture_that_changes_right_after_it_was_read_is_noticed(void **state)
{
    (void)state;
    size_t size_bytes[2], longest;
    char *bytes[2];
    make_folder(scratch("in"));
    make_folder(scratch("out"));
    for (unsigned i = 0; i < 2; i++) {
        make_jpeg(scratch("%u.jpg", i), 64, 48, i * 7);
        bytes[i] = read_file(scratch("%u.jpg", i), &size_bytes[i]);
    }
    longest = size_bytes[0] > size_bytes[1] ? size_bytes[0] : size_bytes[1];
    for (unsigned i = 0; i < 2; i++) { /* what follows the end does no harm */
        char *padded = keep(calloc(1, longest));
        memcpy(padded, bytes[i], size_bytes[i]);
        bytes[i] = padded;
    }
    for (unsigned attempt = 0; attempt < 20; attempt++) {
        const char *const args[] = {"in", "-o", "out", "--json", NULL};
        write_file(scratch("in/a.jpg"), bytes[0], longest);
        struct program_result result = program_run("in", "-o", "out", "--json", NULL);
        expect_exit(&result, 0);
        write_file(scratch("in/a.jpg"), bytes[1], longest);
        struct program program = program_start(&(struct program_setup){0}, args);
        result = program_wait(&program);
        expect_exit(&result, 0);
        expect_counts(&result, 1, 0, 0, 0);
    }
}

static void a_thumbnail_without_its_end_is_made_again(void **state)
{
    (void)state;
    static const char *const outputs[] = {"in/thumbs/a.jpg", "in/thumbs/b.png"};
    make_three();
    struct program_result result = program_run("in", "--json", NULL);
    expect_counts(&result, 3, 0, 0, 0);
    for (size_t i = 0; i < 2; i++) {
        struct stat st;
        assert_int_equal(stat(scratch("%s", outputs[i]), &st), 0);
        assert_int_equal(truncate(scratch("%s", outputs[i]), st.st_size - 1), 0);
    }
    result = program_run("in", "--json", NULL);
    expect_counts(&result, 2, 1, 0, 0);
    result = program_run("in", "--json", NULL);
    expect_counts(&result, 0, 3, 0, 0);
    assert_int_equal(check_outputs(scratch("in/thumbs")), 3);
}

static void failures_are_tried_again_and_settled(void **state)
{
    (void)state;
    make_three();
    write_text(scratch("in/bad.jpg"), "no picture");
    for (unsigned i = 0; i < 2; i++) {
        struct program_result result = program_run("in", "--json", NULL);
        expect_exit(&result, 1);
        expect_counts(&result, i ? 0 : 3, i ? 3 : 0, 0, 1);
        assert_true(file_exists(scratch("in/thumbs/.thumbpool-failed")));
    }
    struct program_result result = program_run("in", "--json", "--retry-failed", NULL);
    expect_exit(&result, 1);
    expect_counts(&result, 0, 0, 3, 1);
    make_jpeg(scratch("in/bad.jpg"), 30, 20, 1);
    result = program_run("in", "--json", "--retry-failed", NULL);
    expect_counts(&result, 1, 0, 3, 0);
    assert_false(file_exists(scratch("in/thumbs/.thumbpool-failed")));
    /* What fails for its time, but has a thumbnail already, is settled by that. */
    result = program_run("in", "--json", NULL);
    expect_counts(&result, 0, 4, 0, 0);
}

static void a_partial_picture_is_up_to_date_where_it_is_tolerated(void **state)
{
    (void)state;
    size_t size_bytes;
    make_folder(scratch("in"));
    make_jpeg(scratch("whole.jpg"), 300, 200, 1);
    const char *bytes = read_file(scratch("whole.jpg"), &size_bytes);
    write_file(scratch("in/cut.jpg"), bytes, size_bytes * 2 / 3);
    struct program_result result = program_run("in", "--json", "--fail-on=none", NULL);
    expect_counts(&result, 1, 0, 0, 0);
    result = program_run("in", "--json", "--fail-on=none", NULL);
    expect_counts(&result, 0, 1, 0, 0);
    result = program_run("in", "--json", NULL);
    expect_counts(&result, 0, 0, 0, 1);
}

/* ---- What is there ------------------------------------------------------------------------- */

static void a_file_of_somebody_else_is_not_replaced(void **state)
{
    (void)state;
    make_three();
    struct program_result result = program_run("in", "--json", NULL);
    write_text(scratch("in/thumbs/a.jpg"), "my own");
    assert_int_equal(unlink(scratch("in/thumbs/b.png")), 0);
    make_jpeg(scratch("photo.jpg"), 50, 40, 8);
    assert_int_equal(symlink("../../photo.jpg", scratch("in/thumbs/b.png")), 0);
    const uint64_t photo = tree_hash(scratch("photo.jpg"), NULL);
    for (unsigned i = 0; i < 2; i++) {
        result = program_run("in", "--json", i ? "-n" : "-v", NULL);
        expect_exit(&result, 1);
        expect_counts(&result, 0, 1, 0, i ? 1 : 2); /* b's format is only known when it is made */
        assert_string_equal(error_of(&result, "in/a.jpg"), "collision");
        assert_non_null(
            strstr(string_of(program_file(&result, "in/a.jpg"), "message"), "a photo, and stays"));
    }
    assert_string_equal(read_file(scratch("in/thumbs/a.jpg"), NULL), "my own");
    result = program_run("in", "--json", "--overwrite=never", NULL);
    expect_exit(&result, 0);
    expect_counts(&result, 0, 1, 2, 0);
    assert_string_equal(read_file(scratch("in/thumbs/a.jpg"), NULL), "my own");
    /* Not even then: it may be a photo. */
    result = program_run("in", "--json", "--overwrite=always", NULL);
    expect_exit(&result, 1);
    expect_counts(&result, 1, 0, 0, 2);
    assert_string_equal(read_file(scratch("in/thumbs/a.jpg"), NULL), "my own");
    assert_int_equal(tree_hash(scratch("photo.jpg"), NULL), photo);
    /* An empty file is nobody's. */
    write_text(scratch("in/thumbs/a.jpg"), "");
    assert_int_equal(unlink(scratch("in/thumbs/b.png")), 0);
    result = program_run("in", "--json", NULL);
    expect_exit(&result, 0);
    expect_counts(&result, 2, 1, 0, 0);
    assert_int_equal(check_outputs(scratch("in/thumbs")), 3);
}

static void overwrite_never_keeps_older_thumbnails(void **state)
{
    (void)state;
    make_three();
    struct program_result result = program_run("in", "--json", NULL);
    set_time(scratch("in/a.jpg"), LONG_AGO, 0);
    set_time(scratch("in/b.png"), LONG_AGO, 0);
    make_jpeg(scratch("in/new.jpg"), 30, 20, 1);
    const uint64_t before = tree_hash(scratch("in/thumbs/a.jpg"), NULL);
    result = program_run("in", "--json", "--overwrite", "never", NULL);
    expect_exit(&result, 0);
    expect_counts(&result, 1, 1, 2, 0);
    assert_non_null(strstr(string_of(program_file(&result, "in/a.jpg"), "why"), "already"));
    assert_int_equal(tree_hash(scratch("in/thumbs/a.jpg"), NULL), before);
    result = program_run("in", "--json", NULL);
    expect_counts(&result, 2, 2, 0, 0);
}

static void a_thumbnail_of_another_picture_stays_while_that_is_there(void **state)
{
    (void)state;
    make_folder(scratch("in/x"));
    make_folder(scratch("in/y"));
    make_jpeg(scratch("in/x/a.jpg"), 300, 200, 1);
    struct program_result result =
        program_run("in", "-o", "out", "--name", "{name}", "--json", NULL);
    expect_counts(&result, 1, 0, 0, 0);
    make_jpeg(scratch("in/y/a.jpg"), 200, 300, 2);
    make_folder(scratch("in/0"));
    make_jpeg(scratch("in/0/a.jpg"), 100, 300, 2); /* met before the one whose thumbnail it is */
    for (unsigned i = 0; i < 2; i++) {
        result = program_run("in", "-o", "out", "--name", "{name}", "--json", NULL);
        expect_exit(&result, 1);
        expect_counts(&result, i ? 1 : 0, i ? 0 : 1, 0, 2);
        assert_string_equal(error_of(&result, "0/a.jpg"), "collision");
        assert_string_equal(error_of(&result, "y/a.jpg"), "collision");
        assert_non_null(strstr(string_of(program_file(&result, "0/a.jpg"), "message"),
                               "in/x/a.jpg', which is still there"));
        set_time(scratch("in/x/a.jpg"), LONG_AGO, 0); /* it keeps its name then too */
    }
    /* It is gone: who comes first gets the name. */
    assert_int_equal(unlink(scratch("in/x/a.jpg")), 0);
    result = program_run("in", "-o", "out", "--name", "{name}", "--json", NULL);
    expect_counts(&result, 1, 0, 0, 1);
    assert_string_equal(status_of(&result, "0/a.jpg"), "made");
    /* Of another tree nothing is known: it stays. */
    make_folder(scratch("else"));
    make_jpeg(scratch("else/a.jpg"), 300, 100, 3);
    result = program_run("else", "-o", "out", "--json", NULL);
    expect_exit(&result, 1);
    assert_non_null(strstr(string_of(program_file(&result, "else/a.jpg"), "message"),
                           "another folder; --overwrite=always"));
}

static void a_picture_is_the_same_by_whatever_path_it_is_named(void **state)
{
    (void)state;
    make_three();
    const struct program_setup inside = {.folder = scratch("in/sub")};
    struct program_result result = program_run("in", "-o", "out", "--json", NULL);
    expect_counts(&result, 3, 0, 0, 0);
    result = program_run(scratch("in/."), "-o", "./out", "--json", NULL);
    expect_counts(&result, 0, 3, 0, 0);
    result = program_run_with(&inside, "..", "-o", "../../out", "--json", NULL);
    expect_counts(&result, 0, 3, 0, 0);
    result = program_run("in/a.jpg", "in/b.png", "-o", "out", "--json", NULL);
    expect_counts(&result, 0, 2, 0, 0);
    assert_int_equal(symlink("in", scratch("link")), 0);
    result = program_run("link", "-o", "out", "--json", NULL);
    expect_counts(&result, 0, 3, 0, 0);
    /* And a folder in it, or the one around it, into the right place. */
    result = program_run("in/sub", "-o", "out/sub", "--json", NULL);
    expect_counts(&result, 0, 1, 0, 0);
}

static void a_tree_is_moved_with_its_thumbnails(void **state)
{
    (void)state;
    make_three();
    struct program_result result = program_run("in", "--json", NULL);
    assert_int_equal(rename(scratch("in"), scratch("new")), 0);
    result = program_run("new", "--json", NULL);
    expect_counts(&result, 0, 3, 0, 0);
    /* Thumbnails elsewhere only know that it was another folder. What looks like the same picture
     * is made anew; what does not is left alone. */
    result = program_run("new", "-o", "out", "--json", NULL);
    assert_int_equal(rename(scratch("new"), scratch("newer")), 0);
    set_time(scratch("newer/a.jpg"), LONG_AGO, 0);
    result = program_run("newer", "-o", "out", "--json", NULL);
    expect_exit(&result, 1);
    assert_string_equal(error_of(&result, "newer/a.jpg"), "collision");
    assert_string_equal(status_of(&result, "newer/b.png"), "made");
}

static void a_stamp_that_makes_no_sense_is_none(void **state)
{
    (void)state;
    size_t size_bytes;
    make_folder(scratch("in"));
    make_jpeg(scratch("in/a.jpg"), 300, 200, 1);
    struct program_result result = program_run("in", "-o", "out", "--json", NULL);
    char *bytes = read_file(scratch("out/a.jpg"), &size_bytes);
    char *stamp = memmem(bytes, size_bytes, "thumbpool/1 mtime=", 18);
    assert_non_null(stamp);
    const size_t length = strcspn(stamp, "\xff");
    for (size_t i = 0; i < length; i++) {
        const char kept = stamp[i];
        stamp[i] = kept == '7' ? '8' : '7';
        write_file(scratch("out/a.jpg"), bytes, size_bytes);
        result = program_run("in", "-o", "out", "--json", "--backend=serial", NULL);
        if (strcmp(status_of(&result, "in/a.jpg"), "up_to_date") == 0)
            fail_msg("taken for up to date with %zu changed: %.*s", i, (int)length, stamp);
        /* What is no stamp any more is a file of somebody else's. */
        if (result.exit_code != 0)
            assert_string_equal(error_of(&result, "in/a.jpg"), "collision");
        stamp[i] = kept;
    }
}

static void thumbnails_of_a_folder_are_no_sources_of_it(void **state)
{
    (void)state;
    make_three();
    struct program_result result = program_run("in", "--json", NULL);
    expect_counts(&result, 3, 0, 0, 0);
    /* "in/thumbs" is not this run's output, but it is a run's over the same folder. */
    result = program_run("in", "-o", "out", "--json", NULL);
    expect_exit(&result, 0);
    expect_counts(&result, 3, 0, 3, 0);
    assert_string_equal(status_of(&result, "in/thumbs/a.jpg"), "skipped");
    /* The output is one of several PATHs. */
    make_folder(scratch("two"));
    make_jpeg(scratch("two/d.jpg"), 30, 20, 4);
    result = program_run("in", "two", "-o", "two", "--json", NULL);
    expect_counts(&result, 4, 0, 3, 0);
    result = program_run("in", "two", "-o", "two", "--json", NULL);
    expect_counts(&result, 0, 4, 7, 0);
    assert_string_equal(status_of(&result, "two/in/a.jpg"), "skipped");
    /* Who names them wants them. */
    result = program_run("in/thumbs", "-o", "other", "-s", "50", "--json", NULL);
    expect_counts(&result, 3, 0, 0, 0);
    result = program_run("in/thumbs/a.jpg", "-o", "single", "-s", "50", "--json", NULL);
    expect_counts(&result, 1, 0, 0, 0);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(a_second_run_does_nothing_and_starts_nobody),
        TEST_LONG(ten_thousand_pictures_are_passed_over_without_a_worker, 120000),
        TEST(what_has_changed_is_made_anew),
        TEST_LONG(other_settings_make_all_anew, 60000),
        TEST(a_time_in_the_future_is_never_trusted),
        TEST_LONG(a_picture_that_changes_right_after_it_was_read_is_noticed, 60000),
        TEST(a_thumbnail_without_its_end_is_made_again),
        TEST(failures_are_tried_again_and_settled),
        TEST(a_partial_picture_is_up_to_date_where_it_is_tolerated),
        TEST(a_file_of_somebody_else_is_not_replaced),
        TEST(overwrite_never_keeps_older_thumbnails),
        TEST(a_thumbnail_of_another_picture_stays_while_that_is_there),
        TEST(a_picture_is_the_same_by_whatever_path_it_is_named),
        TEST(a_tree_is_moved_with_its_thumbnails),
        TEST(thumbnails_of_a_folder_are_no_sources_of_it),
        TEST_LONG(a_stamp_that_makes_no_sense_is_none, 60000),
    };
    return test_run("reruns", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
