/* test_one.c: the command "one" of the built program, from outside. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "album.h"
#include "files.h"
#include "isolate.h"
#include "pictures.h"
#include "program.h"

static void expect_size(const char *path, uint32_t width_px, uint32_t height_px, bool is_png)
{
    uint32_t width, height;
    bool png;
    check_picture(path, &width, &height, &png);
    assert_int_equal(width, width_px);
    assert_int_equal(height, height_px);
    assert_int_equal(png, is_png);
}

/* The program failed with that code and said so, and "out" has nothing but `entries`. */
static void expect_failure(const struct program_result *result, int exit_code, const char *words,
                           int entries)
{
    expect_exit(result, exit_code);
    if (!strstr(result->err, words))
        fail_msg("not '%s': %s", words, result->err);
    assert_int_equal(count_entries(scratch("out")), entries);
}

static void make_input(void)
{
    make_folder(scratch("in"));
    make_folder(scratch("out"));
    make_jpeg(scratch("in/a.jpg"), 600, 400, 1);
}

static void the_name_of_the_output_says_its_format(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool is_png;
    } rows[] = {{"a.png", true}, {"a.jpg", false}, {"b.JPEG", false}, {"plain", true},
                {"x.tmp", true}, {".jpg", true},   {"-v", true}};
    make_input();
    const uint64_t before = tree_hash(scratch("in"), NULL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *path = scratch("out/%s", rows[i].name);
        struct program_result result = program_run("one", "in/a.jpg", path, NULL);
        expect_exit(&result, 0);
        assert_string_equal(result.out, "");
        assert_string_equal(result.err, "");
        expect_size(path, 256, 171, rows[i].is_png);
    }
    /* No ledger, no leftovers, no folder of thumbnails. */
    assert_int_equal(count_entries(scratch("out")), sizeof(rows) / sizeof(rows[0]));
    assert_int_equal(tree_hash(scratch("in"), NULL), before);
}

static void options_are_obeyed(void **state)
{
    (void)state;
    make_input();
    struct program_result result =
        program_run("one", "-s", "100x50", "in/a.jpg", "out/a.png", "-f", "jpeg", "-v", NULL);
    expect_exit(&result, 0);
    expect_size(scratch("out/a.png"), 75, 50, false);
    assert_non_null(strstr(result.out, "out/a.png"));
    result = program_run("one", "-q", "5", "in/a.jpg", "out/5.jpg", NULL);
    expect_exit(&result, 0);
    result = program_run("one", "-q", "95", "--sync", "--", "in/a.jpg", "out/95.jpg", NULL);
    expect_exit(&result, 0);
    size_t small, large;
    read_file(scratch("out/5.jpg"), &small);
    read_file(scratch("out/95.jpg"), &large);
    assert_true(small < large);
    result = program_run("one", "--max-pixels", "1000", "in/a.jpg", "out/no.jpg", NULL);
    expect_failure(&result, 1, "in/a.jpg: ", 3);
}

static void all_backends_make_the_same_bytes(void **state)
{
    (void)state;
    static const char *const backends[] = {"process", "thread", "serial"};
    make_input();
    for (size_t i = 0; i < 3; i++) {
        struct program_result result = program_run("one", "--backend", backends[i], "in/a.jpg",
                                                   scratch("out/%s.png", backends[i]), NULL);
        expect_exit(&result, 0);
        assert_true(same_files(scratch("out/process.png"), scratch("out/%s.png", backends[i])));
    }
    assert_int_equal(count_entries(scratch("out")), 3);
}

static void json_tells_of_the_one_file(void **state)
{
    (void)state;
    size_t count;
    make_input();
    struct program_result result = program_run("one", "--json", "in/a.jpg", "out/a.png", NULL);
    expect_exit(&result, 0);
    struct json_value *file = program_file(&result, "in/a.jpg");
    assert_string_equal(json_get(file, "status")->string, "made");
    program_events(&result, &count);
    assert_int_equal(count, 3);
    result = program_run("one", "--json", "in/none.jpg", "out/a.png", NULL);
    expect_exit(&result, 1);
    file = program_file(&result, "in/none.jpg");
    assert_string_equal(json_get(file, "status")->string, "failed");
    assert_string_equal(json_get(file, "error")->string, "unreadable");
}

static void an_older_output_gives_way_only_to_a_whole_new_one(void **state)
{
    (void)state;
    make_input();
    write_text(scratch("out/a.png"), "an older one");
    write_text(scratch("in/broken.jpg"), "\xff\xd8\xff\xe0 and no more");
    struct program_result result = program_run("one", "in/broken.jpg", "out/a.png", NULL);
    expect_failure(&result, 1, "in/broken.jpg: ", 1);
    assert_string_equal(read_file(scratch("out/a.png"), NULL), "an older one");
    result = program_run("one", "in/a.jpg", "out/a.png", NULL);
    expect_exit(&result, 0);
    expect_size(scratch("out/a.png"), 256, 171, true);
    assert_int_equal(count_entries(scratch("out")), 1);
}

static void the_input_is_never_the_output(void **state)
{
    (void)state;
    make_input();
    assert_int_equal(link(scratch("in/a.jpg"), scratch("in/hard.jpg")), 0);
    assert_int_equal(symlink("a.jpg", scratch("in/soft.jpg")), 0);
    assert_int_equal(symlink("in", scratch("alias")), 0);
    static const char *const outputs[] = {"in/a.jpg",    "in/hard.jpg", "in/soft.jpg",
                                          "alias/a.jpg", "./in//a.jpg", "in/../in/hard.jpg"};
    const uint64_t before = tree_hash(scratch("in"), NULL);
    for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++) {
        struct program_result result = program_run("one", "in/a.jpg", outputs[i], NULL);
        expect_failure(&result, 1, "in/a.jpg: ", 0);
        result = program_run("one", "in/soft.jpg", outputs[i], NULL);
        expect_failure(&result, 1, "in/soft.jpg: ", 0);
        if (tree_hash(scratch("in"), NULL) != before)
            fail_msg("%s has changed something", outputs[i]);
    }
    /* A link to the picture is fine as the input. */
    struct program_result result = program_run("one", "in/soft.jpg", "out/a.png", NULL);
    expect_exit(&result, 0);
    expect_size(scratch("out/a.png"), 256, 171, true);
}

static void what_is_no_file_is_not_replaced(void **state)
{
    (void)state;
    make_input();
    make_folder(scratch("out/folder"));
    write_text(scratch("out/other"), "other");
    assert_int_equal(symlink("other", scratch("out/link")), 0);
    assert_int_equal(symlink("nowhere", scratch("out/dangling")), 0);
    assert_int_equal(mkfifo(scratch("out/fifo"), 0600), 0);
    const uint64_t before = tree_hash(scratch("out"), NULL);
    static const char *const outputs[] = {"out/folder", "out/link", "out/dangling", "out/fifo"};
    for (size_t i = 0; i < 4; i++) {
        struct program_result result = program_run("one", "in/a.jpg", outputs[i], NULL);
        expect_failure(&result, 1, outputs[i], 5);
        assert_int_equal(tree_hash(scratch("out"), NULL), before);
    }
}

static void the_folder_of_the_output_must_exist(void **state)
{
    (void)state;
    make_input();
    struct program_result result = program_run("one", "in/a.jpg", "out/no\x1b/a.png", NULL);
    expect_failure(&result, 3, "out/no\\x1b/: No such file or directory", 0);
    result = program_run("one", "in/a.jpg", "in/a.jpg/b.png", NULL);
    expect_failure(&result, 3, "Not a directory", 0);
    const struct program_setup nobody = {.as_nobody = true};
    assert_int_equal(chmod(scratch("out"), 0555), 0);
    result = program_run_with(&nobody, "one", "in/a.jpg", "out/a.png", NULL);
    expect_failure(&result, 3, "Permission denied", 0);
    assert_int_equal(chmod(scratch("out"), 0755), 0);
}

static void an_input_that_is_no_picture_fails(void **state)
{
    (void)state;
    make_input();
    write_text(scratch("in/text.jpg"), "only words");
    write_text(scratch("in/empty.png"), "");
    assert_int_equal(mkfifo(scratch("in/fifo.jpg"), 0600), 0);
    static const char *const inputs[] = {"in/text.jpg", "in/empty.png", "in/fifo.jpg",
                                         "in",          "in/none.jpg",  "/dev/null"};
    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        struct program_result result = program_run("one", inputs[i], "out/a.png", NULL);
        expect_failure(&result, 1, inputs[i], 0);
    }
}

static void the_mode_is_no_wider_than_the_inputs(void **state)
{
    (void)state;
    struct stat st;
    make_input();
    assert_int_equal(chmod(scratch("in/a.jpg"), 0600), 0);
    struct program_result result = program_run("one", "in/a.jpg", "out/a.png", NULL);
    expect_exit(&result, 0);
    assert_int_equal(stat(scratch("out/a.png"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void odd_names_are_taken_as_they_are(void **state)
{
    (void)state;
    make_input();
    assert_int_equal(rename(scratch("in/a.jpg"), scratch("in/-\n\xff*.jpg")), 0);
    const char *output = scratch("out/%%o \x1b'\"$(x).png");
    struct program_result result = program_run("one", "in/-\n\xff*.jpg", output, NULL);
    expect_exit(&result, 0);
    expect_size(output, 256, 171, true);
}

static void mistakes_on_the_command_line_touch_nothing(void **state)
{
    (void)state;
    make_input();
    struct program_result result = program_run("one", "in/a.jpg", NULL);
    expect_failure(&result, 2, "INPUT and OUTPUT", 0);
    result = program_run("one", "-o", "out", "in/a.jpg", "out/a.png", NULL);
    expect_failure(&result, 2, "--output", 0);
    result = program_run("one", "in/a.jpg", "out/a.webp", NULL);
    expect_failure(&result, 2, ".webp", 0);
    result = program_run("one", "in/a.jpg", "out/", NULL);
    expect_failure(&result, 2, "'out/'", 0);
    result = program_run("one", "--help", NULL);
    expect_exit(&result, 0);
    assert_non_null(strstr(result.out, "thumbpool one"));
    assert_null(strstr(result.out, "--prune"));
}

static void a_folder_called_one_is_given_with_its_place(void **state)
{
    (void)state;
    make_folder(scratch("one"));
    make_jpeg(scratch("one/a.jpg"), 600, 400, 1);
    struct program_result result = program_run("./one", NULL);
    expect_exit(&result, 0);
    expect_size(scratch("one/thumbs/a.jpg"), 256, 171, false);
    result = program_run("one", NULL);
    expect_exit(&result, 2);
    assert_non_null(strstr(result.err, "./one"));
}

static void without_confinement_nothing_is_made(void **state)
{
    (void)state;
    const struct program_setup setup = {.deny_confinement = true};
    make_input();
    struct program_result result = program_run_with(&setup, "one", "in/a.jpg", "out/a.png", NULL);
    expect_failure(&result, 3, "--no-sandbox", 0);
    result = program_run_with(&setup, "one", "--no-sandbox", "in/a.jpg", "out/a.png", NULL);
    expect_exit(&result, 0);
}

static void a_time_limit_and_a_signal_end_it(void **state)
{
    (void)state;
    make_input();
    make_slow_jpeg(scratch("in/slow.jpg"), 6000, 6000, 1);
    struct program_result result =
        program_run("one", "--timeout", "0.05", "in/slow.jpg", "out/a.png", NULL);
    expect_failure(&result, 1, "in/slow.jpg: not done", 0);
    static const char *const args[] = {"one", "in/slow.jpg", "out/a.png", NULL};
    const struct program_setup ordinary = {.folder = NULL};
    struct program program = program_start(&ordinary, args);
    assert_true(program_busy_worker(program.pid, 0) > 0);
    assert_int_equal(kill(program.pid, SIGTERM), 0);
    result = program_wait(&program);
    expect_exit(&result, 128 + SIGTERM);
    assert_int_equal(count_entries(scratch("out")), 0);
    program_left_no_process();
}

static void a_killed_worker_is_replaced_once(void **state)
{
    (void)state;
    static const char *const args[] = {"one", "in/slow.jpg", "out/a.png", NULL};
    const struct program_setup ordinary = {.folder = NULL};
    make_input();
    make_slow_jpeg(scratch("in/slow.jpg"), 4000, 4000, 1);
    struct program program = program_start(&ordinary, args);
    const pid_t worker = program_busy_worker(program.pid, 0);
    assert_true(worker > 0);
    assert_int_equal(kill(worker, SIGKILL), 0);
    struct program_result result = program_wait(&program);
    expect_exit(&result, 0);
    expect_size(scratch("out/a.png"), 256, 256, true);
}

static void a_full_disk_leaves_nothing(void **state)
{
    (void)state;
    const struct program_setup setup = {.file_limit = 1000};
    make_input();
    write_text(scratch("out/a.png"), "an older one");
    /* Threads: the limit is below what a worker process shares with its host. */
    struct program_result result =
        program_run_with(&setup, "one", "--backend", "thread", "in/a.jpg", "out/a.png", NULL);
    expect_failure(&result, 3, "out/a.png: File too large", 1);
    assert_string_equal(read_file(scratch("out/a.png"), NULL), "an older one");
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(the_name_of_the_output_says_its_format),
        TEST(options_are_obeyed),
        TEST(all_backends_make_the_same_bytes),
        TEST(json_tells_of_the_one_file),
        TEST(an_older_output_gives_way_only_to_a_whole_new_one),
        TEST(the_input_is_never_the_output),
        TEST(what_is_no_file_is_not_replaced),
        TEST(the_folder_of_the_output_must_exist),
        TEST(an_input_that_is_no_picture_fails),
        TEST(the_mode_is_no_wider_than_the_inputs),
        TEST(odd_names_are_taken_as_they_are),
        TEST(mistakes_on_the_command_line_touch_nothing),
        TEST(a_folder_called_one_is_given_with_its_place),
        TEST(without_confinement_nothing_is_made),
        TEST_LONG(a_time_limit_and_a_signal_end_it, 60000),
        TEST_LONG(a_killed_worker_is_replaced_once, 60000),
        TEST(a_full_disk_leaves_nothing),
    };
    return test_run("thumbpool one", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
