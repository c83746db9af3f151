/* The command "bench" of the built program, from outside. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "album.h"
#include "files.h"
#include "isolate.h"
#include "pictures.h"
#include "program.h"

#define PICTURES 4

static void make_inputs(void)
{
    make_folder(scratch("in/sub"));
    make_folder(scratch("work"));
    make_jpeg(scratch("in/a.jpg"), 300, 200, 1);
    make_jpeg(scratch("in/sub/b.jpg"), 200, 300, 2);
    make_jpeg(scratch("in/sub/c.JPG"), 120, 80, 3);
    make_png(scratch("in/d.png"), 100, 100, false, 4);
    write_text(scratch("in/notes.txt"), "no picture");
}

/* Its own words, and the folder that it works in. */
static struct program_result bench(const char *const *words)
{
    const struct program_setup setup = {.env = (const char *const[]){"TERM=dumb", NULL}};
    const char *args[PROGRAM_ARGS_MAX] = {"bench", "-o", scratch("work"), "--no-sandbox"};
    size_t count = 4;
    for (size_t i = 0; words[i]; i++)
        args[count++] = words[i];
    args[count] = NULL;
    struct program program = program_start(&setup, args);
    return program_wait(&program);
}
#define BENCH(...) bench((const char *const[]){__VA_ARGS__, NULL})

static struct json_value *json_of(const struct program_result *result)
{
    struct json_value *json = json_read(result->out, result->out_bytes);
    if (!json)
        fail_msg("no JSON: %s", result->out);
    return json;
}

static void every_configuration_makes_the_same(void **state)
{
    (void)state;
    static const char *const wanted[] = {"loop 1",   "serial 1",  "thread 1",
                                         "thread 3", "process 1", "process 3"};
    char name[32];
    size_t i = 0;
    make_inputs();
    const uint64_t before = tree_hash(scratch("in"), NULL);
    struct program_result result = BENCH("--runs", "2", "--workers", "1,3", "--json", "in");
    expect_exit(&result, 0);
    struct json_value *json = json_of(&result);
    assert_true(json_get(json, "job/made")->number == PICTURES);
    assert_true(json_get(json, "job/skipped")->number == 1);
    for (struct json_value *config = json_get(json, "configurations")->child; config;
         config = config->next) {
        assert_true(i < sizeof(wanted) / sizeof(wanted[0]));
        snprintf(name, sizeof(name), "%s %.0f", json_get(config, "backend")->string,
                 json_get(config, "workers")->number);
        assert_string_equal(name, wanted[i++]);
        assert_true(json_get(config, "compared")->boolean);
        assert_int_equal(json_count(json_get(config, "samples")), 2);
        assert_true(json_get(config, "wall_ms/median")->number > 0);
        assert_true(json_get(config, "stages_ms_per_file/decode")->number > 0);
    }
    assert_int_equal(i, sizeof(wanted) / sizeof(wanted[0]));
    assert_int_equal(tree_hash(scratch("in"), NULL), before);
    assert_int_equal(count_entries(scratch("work")), 0);
    program_left_no_process();
}

static void the_job_is_that_of_the_options(void **state)
{
    (void)state;
    make_inputs();
    struct program_result result =
        BENCH("--runs", "1", "--warmup", "0", "--workers", "1", "--backends", "thread", "--json",
              "-E", "sub/", "-s", "32", "--cold", "in");
    expect_exit(&result, 0);
    struct json_value *json = json_of(&result);
    assert_true(json_get(json, "job/made")->number == 2);
    assert_int_equal(json_count(json_get(json, "configurations")), 3);
    assert_non_null(strstr(json_get(json, "job/thumbnails")->string, "32x32"));
    assert_true(json_get(json, "cold")->boolean);
    result =
        BENCH("--runs", "1", "--warmup", "0", "--workers", "1", "--json", "in/a.jpg", "in/sub");
    expect_exit(&result, 0);
    assert_true(json_get(json_of(&result), "job/made")->number == 3);
}

static void thumbnails_that_are_there_are_no_pictures(void **state)
{
    (void)state;
    make_inputs();
    struct program_result result = program_run("--no-sandbox", "in", NULL);
    expect_exit(&result, 0);
    assert_true(file_exists(scratch("in/thumbs/a.jpg")));
    result = BENCH("--runs", "1", "--warmup", "0", "--workers", "1", "--backends", "serial",
                   "--json", "in", NULL);
    expect_exit(&result, 0);
    assert_null(strstr(result.out, "\"compared\":false"));
    assert_non_null(strstr(result.out, "\"made\":4"));
    assert_null(strstr(result.out, "\"made\":8"));
}

static void failures_are_said_and_compared(void **state)
{
    (void)state;
    make_inputs();
    write_text(scratch("in/broken.jpg"), "only words");
    struct program_result result = BENCH("--runs", "1", "--workers", "2", "--json", "in");
    expect_exit(&result, 1);
    struct json_value *json = json_of(&result);
    assert_true(json_get(json, "job/failed")->number == 1);
    for (struct json_value *config = json_get(json, "configurations")->child; config;
         config = config->next) {
        assert_true(json_get(config, "compared")->boolean);
        assert_true(json_get(json_get(config, "samples")->child, "failed")->number == 1);
    }
    assert_non_null(strstr(result.out, "1 of 5 files fail"));
    assert_string_equal(result.err, "");
    assert_int_equal(count_entries(scratch("work")), 0);
}

static void the_table_goes_to_a_pipe_as_plain_text(void **state)
{
    (void)state;
    make_inputs();
    struct program_result result = BENCH("--runs", "2", "--workers", "2", "in");
    expect_exit(&result, 0);
    assert_string_equal(result.err, "");
    assert_null(strchr(result.out, '\x1b'));
    assert_non_null(strstr(result.out, "plain loop"));
    assert_non_null(strstr(result.out, "process      2"));
    result = BENCH("--runs", "1", "--workers", "2", "--csv", "in");
    expect_exit(&result, 0);
    assert_int_equal(strncmp(result.out, "backend,workers,round,", 22), 0);
    result = BENCH("--runs", "1", "--workers", "2", "--quiet", "in");
    expect_exit(&result, 0);
    assert_string_equal(result.out, "");
}

static void files_are_written_whole_and_no_picture_is_replaced(void **state)
{
    (void)state;
    make_inputs();
    write_text(scratch("in/disguised"), "");
    make_jpeg(scratch("in/disguised"), 30, 30, 9);
    make_folder(scratch("pages"));
    assert_int_equal(symlink("../in/notes.txt", scratch("pages/link.html")), 0);
    write_text(scratch("pages/old.html"), "an older one");
    const uint64_t before = tree_hash(scratch("in"), NULL);
    static const char *const refused[] = {"in/a.jpg", "in/new.jpg", "in/disguised", "in",
                                          "pages/link.html"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct program_result result = BENCH("--runs", "1", "--html", refused[i], "in");
        expect_exit(&result, 2);
        assert_non_null(strstr(result.err, "not written"));
        result = BENCH("--runs", "1", "--svg", refused[i], "in");
        expect_exit(&result, 2);
        assert_int_equal(tree_hash(scratch("in"), NULL), before);
    }
    struct program_result result = BENCH("--runs", "1", "--workers", "1", "--html",
                                         "pages/old.html", "--svg", "pages/new.svg", "in");
    expect_exit(&result, 0);
    assert_int_equal(strncmp(read_file(scratch("pages/old.html"), NULL), "<!DOCTYPE html>", 15), 0);
    assert_int_equal(strncmp(read_file(scratch("pages/new.svg"), NULL), "<?xml ", 6), 0);
    result = BENCH("--runs", "1", "--workers", "1", "--html", "none/x.html", "in");
    expect_exit(&result, 3);
    assert_non_null(strstr(result.out, "plain loop")); /* what was measured is not lost */
    assert_int_equal(tree_hash(scratch("in"), NULL), before);
    assert_int_equal(count_entries(scratch("pages")), 3);
}

static void a_list_that_can_be_read_once_only_is_refused(void **state)
{
    (void)state;
    make_inputs();
    write_text(scratch("list"), "in/a.jpg\nin/d.png\n");
    assert_int_equal(mkfifo(scratch("pipe"), 0600), 0);
    struct program_result result = BENCH("--runs", "1", "--files-from", "pipe");
    expect_exit(&result, 2);
    assert_non_null(strstr(result.err, "read once only"));
    result = BENCH("--runs", "1", "--workers", "1", "--json", "--files-from", "list");
    expect_exit(&result, 0);
    assert_true(json_get(json_of(&result), "job/made")->number == 2);
}

static void cold_is_not_said_of_what_stays_in_memory(void **state)
{
    (void)state;
    struct statfs system;
    make_inputs();
    assert_int_equal(statfs(scratch("in"), &system), 0);
    if (system.f_type != TMPFS_MAGIC)
        skip();
    struct program_result result = BENCH("--runs", "1", "--workers", "1", "--cold", "in");
    expect_exit(&result, 0);
    assert_non_null(strstr(result.out, "Not cold"));
}

static void a_folder_without_pictures_compares_nothing(void **state)
{
    (void)state;
    make_folder(scratch("work"));
    make_folder(scratch("empty"));
    struct program_result result = BENCH("--runs", "1", "--workers", "1", "empty");
    expect_exit(&result, 3);
    assert_non_null(strstr(result.err, "nothing to compare"));
    result = BENCH("--runs", "1", "--workers", "1", "missing");
    expect_exit(&result, 1);
    assert_int_equal(count_entries(scratch("work")), 0);
}

static void the_temporary_folder_is_in_tmpdir_and_must_be_possible(void **state)
{
    (void)state;
    make_inputs();
    char value[512];
    const char *const environment[] = {value, NULL};
    const struct program_setup setup = {.env = environment};
    snprintf(value, sizeof(value), "TMPDIR=%s", scratch("nowhere"));
    struct program_result result =
        program_run_with(&setup, "bench", "--runs", "1", "--workers", "1", "in", NULL);
    expect_exit(&result, 3);
    assert_non_null(strstr(result.err, "No such file or directory"));
    snprintf(value, sizeof(value), "TMPDIR=%s", scratch("work"));
    result = program_run_with(&setup, "bench", "--runs", "1", "--workers", "1", "--no-sandbox",
                              "in", NULL);
    expect_exit(&result, 0);
    assert_int_equal(count_entries(scratch("work")), 0);
    assert_false(file_exists(scratch("in/thumbs")));
}

/* Wait until there is something in the folder. */
static void wait_for_entry(const char *path)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    while (count_entries(path) <= 0)
        nanosleep(&moment, NULL);
}

static void a_signal_ends_it_and_leaves_nothing(void **state)
{
    (void)state;
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    static const char *const kinds[] = {"thread", "process", "process"};
    make_inputs();
    make_many_slow(3);
    const uint64_t before = tree_hash(scratch("in"), NULL);
    for (size_t i = 0; i < 3; i++) {
        const struct program_setup ordinary = {.folder = NULL};
        const char *const args[] = {
            "bench",     "-o", scratch("work"), "--no-sandbox", "--runs", "1000",
            "--workers", "2",  "--backends",    kinds[i],       "in",     NULL};
        struct program program = program_start(&ordinary, args);
        wait_for_entry(scratch("work"));
        assert_int_equal(kill(program.pid, signals[i]), 0);
        struct program_result result = program_wait(&program);
        expect_exit(&result, 128 + signals[i]);
        assert_non_null(strstr(result.err, "ended by a signal"));
        assert_string_equal(result.out, "");
        assert_int_equal(count_entries(scratch("work")), 0);
        assert_int_equal(tree_hash(scratch("in"), NULL), before);
        program_left_no_process();
    }
}

/* A child of that process; 0: it has none. */
static pid_t child_of(pid_t parent)
{
    pid_t found = 0;
    DIR *processes = opendir("/proc");
    assert_non_null(processes);
    for (struct dirent *entry; found == 0 && (entry = readdir(processes));) {
        char path[300], text[512];
        int parent_of_it = 0;
        snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
        const int fd = entry->d_name[0] >= '1' && entry->d_name[0] <= '9'
                           ? open(path, O_RDONLY | O_CLOEXEC)
                           : -1;
        const ssize_t got = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
        if (fd >= 0)
            close(fd);
        text[got > 0 ? got : 0] = '\0';
        const char *after_name = strrchr(text, ')');
        if (after_name && sscanf(after_name, ") %*c %d", &parent_of_it) == 1 &&
            parent_of_it == parent)
            found = (pid_t)strtol(entry->d_name, NULL, 10);
    }
    closedir(processes);
    return found;
}

static void a_measurement_that_is_killed_takes_nothing_along(void **state)
{
    (void)state;
    static const char *const kinds[] = {"serial", "process"};
    const struct timespec moment = {.tv_nsec = 1000000};
    make_inputs();
    make_many_slow(5);
    const uint64_t before = tree_hash(scratch("in"), NULL);
    for (size_t i = 0; i < 2; i++) {
        const struct program_setup ordinary = {.folder = NULL};
        const char *const args[] = {
            "bench", "-o",         scratch("work"), "--no-sandbox", "--runs", "1",      "--warmup",
            "0",     "--backends", kinds[i],        "--workers",    "2",      "--json", "in",
            NULL};
        struct program program = program_start(&ordinary, args);
        pid_t child;
        while ((child = child_of(program.pid)) == 0)
            nanosleep(&moment, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        struct program_result result = program_wait(&program);
        assert_non_null(strstr(result.err, "ended by a signal: Killed"));
        /* If it was the plain loop, there is nothing to compare the others with. */
        assert_true(result.exit_code == 0 || result.exit_code == 3);
        if (result.exit_code == 0)
            assert_non_null(strstr(result.out, "\"compared\":false"));
        assert_int_equal(count_entries(scratch("work")), 0);
        assert_int_equal(tree_hash(scratch("in"), NULL), before);
        program_left_no_process();
    }
}

/* A python3 that tells its number when it is to do the work, and then takes long. */
static void make_slow_python(void)
{
    write_text(scratch("bin/python3"), "#!/bin/sh\n"
                                       "case $2 in import\\ multiprocessing*) exit 0;; esac\n"
                                       "echo $$ >begun.new && mv begun.new begun\n"
                                       "exec sleep 600\n");
    assert_int_equal(chmod(scratch("bin/python3"), 0700), 0);
}

static void the_python_program_does_not_outlive_its_measurement(void **state)
{
    (void)state;
    const struct timespec moment = {.tv_nsec = 1000000};
    char path[4096];
    make_inputs();
    make_folder(scratch("bin"));
    make_slow_python();
    snprintf(path, sizeof(path), "PATH=%s:%s", scratch("bin"), getenv("PATH"));
    const struct program_setup setup = {.env = (const char *const[]){path, NULL}};
    const char *const args[] = {
        "bench",     "-o", scratch("work"), "--no-sandbox", "--runs", "1", "--warmup", "0",
        "--workers", "1",  "--json",        "--example",    "in",     NULL};
    struct program program = program_start(&setup, args);
    while (!file_exists(scratch("begun")) && !program_has_ended(&program))
        nanosleep(&moment, NULL);
    const pid_t child = child_of(program.pid);
    assert_true(child > 0);
    assert_int_equal(kill(child, SIGKILL), 0);
    struct program_result result = program_wait(&program);
    expect_exit(&result, 0);
    assert_non_null(strstr(result.err, "Python with"));
    assert_non_null(strstr(result.err, "Killed"));
    assert_int_equal(count_entries(scratch("work")), 0);
    program_left_no_process();
}

static void the_example_takes_pictures_that_are_there(void **state)
{
    (void)state;
    make_folder(scratch("work"));
    make_folder(scratch("flat"));
    make_jpeg(scratch("flat/a.jpeg"), 300, 200, 1);
    make_jpeg(scratch("flat/b.jpeg"), 300, 200, 2);
    struct program_result result = BENCH("--example", "--runs", "1", "--warmup", "0", "flat");
    expect_exit(&result, 0);
    assert_non_null(strstr(result.out, "75x75"));
    assert_non_null(strstr(result.out, "27.9 s"));
    assert_true(strstr(result.out, "Python") || strstr(result.err, "Pillow is not installed"));
    assert_int_equal(count_entries(scratch("work")), 0);
}

static void help_names_its_options(void **state)
{
    (void)state;
    struct program_result result = program_run("bench", "--help", NULL);
    expect_exit(&result, 0);
    assert_non_null(strstr(result.out, "thumbpool bench"));
    assert_non_null(strstr(result.out, "--workers"));
    assert_null(strstr(result.out, "--prune"));
    result = program_run("--help", NULL);
    expect_exit(&result, 0);
    assert_null(strstr(result.out, "--warmup"));
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST_LONG(every_configuration_makes_the_same, 60000),
        TEST(the_job_is_that_of_the_options),
        TEST_LONG(thumbnails_that_are_there_are_no_pictures, 60000),
        TEST(failures_are_said_and_compared),
        TEST(the_table_goes_to_a_pipe_as_plain_text),
        TEST_LONG(files_are_written_whole_and_no_picture_is_replaced, 60000),
        TEST(a_list_that_can_be_read_once_only_is_refused),
        TEST(cold_is_not_said_of_what_stays_in_memory),
        TEST(a_folder_without_pictures_compares_nothing),
        TEST(the_temporary_folder_is_in_tmpdir_and_must_be_possible),
        TEST_LONG(a_signal_ends_it_and_leaves_nothing, 60000),
        TEST_LONG(a_measurement_that_is_killed_takes_nothing_along, 60000),
        TEST_LONG(the_python_program_does_not_outlive_its_measurement, 60000),
        TEST_LONG(the_example_takes_pictures_that_are_there, 60000),
        TEST(help_names_its_options),
    };
    return test_run("thumbpool bench", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
