/* test_which_files.c: which files a run of the built program tries, option by option, and the odd
 * names, links and trees that it meets. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "album.h"
#include "app/text_priv.h"
#include "files.h"
#include "isolate.h"
#include "pictures.h"
#include "program.h"

static void make_tiny(const char *path)
{
    make_jpeg(path, 30, 20, 1);
}

/* What became of a file: "made", or why it was skipped; "" if it was not met. */
static const char *outcome_of(const struct program_result *result, const char *path)
{
    size_t count;
    struct json_value **events = program_events(result, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(string_of(events[i], "path"), path) != 0)
            continue;
        const char *status = string_of(events[i], "status");
        return strcmp(status, "skipped") == 0 ? string_of(events[i], "why") : status;
    }
    return "";
}

/* ---- --include, --exclude ------------------------------------------------------------------- */

static void make_years(void)
{
    make_folder(scratch("in/2020/raw"));
    make_folder(scratch("in/2021"));
    make_tiny(scratch("in/2020/a.jpg"));
    make_tiny(scratch("in/2020/raw/b.jpg"));
    make_tiny(scratch("in/2021/c.jpg"));
    make_png(scratch("in/2021/d.png"), 30, 20, false, 1);
    make_tiny(scratch("in/e.jpg"));
}

static void excluded_files_are_skipped_and_excluded_folders_not_met(void **state)
{
    (void)state;
    make_years();
    struct program_result result =
        program_run("in", "--json", "-E", "raw/", "--exclude=*.png", "-E", "/e.*", NULL);
    expect_exit(&result, 0);
    assert_true(summary_of(&result, "made") == 2);
    assert_true(summary_of(&result, "skipped") == 2);
    assert_string_equal(outcome_of(&result, "in/2021/d.png"), "excluded");
    assert_string_equal(outcome_of(&result, "in/e.jpg"), "excluded");
    assert_string_equal(outcome_of(&result, "in/2020/raw/b.jpg"), "");
    assert_false(file_exists(scratch("in/thumbs/2020/raw")));
    result = program_run("in", "--json", "-o", "out", "-E", "*.jpg", "-E", "!c.jpg", "-E",
                         "/thumbs", NULL);
    expect_exit(&result, 0);
    assert_string_equal(outcome_of(&result, "in/2021/c.jpg"), "made");
    assert_true(summary_of(&result, "made") == 2);
}

static void only_included_files_are_tried(void **state)
{
    (void)state;
    make_years();
    write_text(scratch("in/2020/notes.txt"), "notes");
    struct program_result result =
        program_run("in", "--json", "-i", "/2020/", "--include", "*.png", "-E", "raw", NULL);
    expect_exit(&result, 0);
    assert_string_equal(outcome_of(&result, "in/2020/a.jpg"), "made");
    assert_string_equal(outcome_of(&result, "in/2021/d.png"), "made");
    assert_string_equal(outcome_of(&result, "in/2021/c.jpg"), "not included");
    assert_string_equal(outcome_of(&result, "in/2020/notes.txt"), "not a picture");
    assert_true(summary_of(&result, "made") == 2);
    /* What is named is asked for, whatever the patterns say. */
    result = program_run("in/e.jpg", "in/2021", "--json", "-o", "out", "-E", "*", NULL);
    expect_exit(&result, 0);
    assert_string_equal(outcome_of(&result, "in/e.jpg"), "made");
    assert_true(summary_of(&result, "made") == 1);
    result = program_run("in", "-i", "", NULL);
    expect_exit(&result, 2);
}

static void a_rehearsal_leaves_the_same_out(void **state)
{
    (void)state;
    make_years();
    struct program_result result = program_run("in", "--json", "-n", "-i", "**/raw/**", NULL);
    expect_exit(&result, 0);
    assert_true(summary_of(&result, "planned") == 1);
    assert_string_equal(outcome_of(&result, "in/e.jpg"), "not included");
}

/* ---- --files-from, --null ------------------------------------------------------------------- */

static void paths_come_from_a_file(void **state)
{
    (void)state;
    make_years();
    make_tiny(scratch("in/.hidden"));
    write_text(scratch("list"), "in/2020/a.jpg\n\nin/2021\nin/nothing.jpg\nin/.hidden\n");
    struct program_result result = program_run("--files-from", "list", "in/e.jpg", "--json", NULL);
    expect_exit(&result, 1);
    assert_true(summary_of(&result, "made") == 5);
    assert_string_equal(error_of(&result, "in/nothing.jpg"), "unreadable");
    assert_true(file_exists(scratch("in/2020/thumbs/a.jpg")));
    assert_true(file_exists(scratch("in/2021/thumbs/d.png.jpg")));
    assert_true(file_exists(scratch("in/thumbs/e.jpg")));
    assert_true(file_exists(scratch("in/thumbs/.hidden.jpg")));
    result = program_run("--files-from=list", "--json", "-o", "out", NULL);
    expect_exit(&result, 1);
    assert_true(file_exists(scratch("out/a.jpg")));
    assert_true(file_exists(scratch("out/2021/c.jpg")));
    write_text(scratch("list"), "\n\n");
    result = program_run("--files-from=list", "--json", NULL);
    expect_exit(&result, 0);
    assert_true(summary_of(&result, "inputs") == 0);
}

static void paths_come_from_standard_input_and_end_in_nul(void **state)
{
    (void)state;
    const struct program_setup setup = {.in_path = scratch("list")};
    make_folder(scratch("in"));
    make_tiny(scratch("in/a\nb.jpg"));
    make_tiny(scratch("in/\xff.jpg"));
    make_tiny(scratch("in/ c .jpg"));
    write_file(scratch("list"), "in/a\nb.jpg\0in/\xff.jpg\0\0in/ c .jpg", 31);
    struct program_result result =
        program_run_with(&setup, "--files-from", "-", "-0", "--json", NULL);
    expect_exit(&result, 0);
    assert_true(summary_of(&result, "made") == 3);
    assert_true(file_exists(scratch("in/thumbs/a\nb.jpg")));
    assert_true(file_exists(scratch("in/thumbs/\xff.jpg")));
    assert_true(file_exists(scratch("in/thumbs/ c .jpg")));
    result = program_run_with(&setup, "--files-from=-", NULL);
    expect_exit(&result, 2);
    assert_string_equal(result.out, "");
    assert_non_null(strstr(result.err, "standard input: line 2 has a NUL byte"));
    result = program_run("--files-from", "nothing", NULL);
    expect_exit(&result, 2);
    assert_string_equal(result.err,
                        "thumbpool: --files-from: nothing: No such file or directory\n");
}

static void what_is_named_twice_is_made_once(void **state)
{
    (void)state;
    make_folder(scratch("in"));
    make_tiny(scratch("in/a.jpg"));
    make_tiny(scratch("in/b.jpg"));
    assert_int_equal(link(scratch("in/a.jpg"), scratch("in/hard.jpg")), 0);
    write_text(scratch("list"), "in/a.jpg\nin/hard.jpg\n./in/a.jpg\nin/a.jpg");
    struct program_result result = program_run("--files-from=list", "in", "--json", NULL);
    expect_exit(&result, 0);
    assert_true(summary_of(&result, "made") == 3);
    assert_true(summary_of(&result, "skipped") == 4); /* two in the list, two in the folder */
    assert_string_equal(outcome_of(&result, "./in/a.jpg"), "met before");
    assert_int_equal(check_outputs(scratch("in/thumbs")), 3);
    /* Two files of one name below one output: the second fails, the first is made. */
    make_folder(scratch("other"));
    make_jpeg(scratch("other/a.jpg"), 30, 20, 7);
    write_text(scratch("list"), "in/a.jpg\nother/a.jpg\n");
    result = program_run("--files-from=list", "-o", "out", "--json", NULL);
    expect_exit(&result, 1);
    assert_string_equal(error_of(&result, "other/a.jpg"), "collision");
    assert_string_equal(outcome_of(&result, "in/a.jpg"), "made");
}

static void a_folder_that_is_named_twice_is_walked_once(void **state)
{
    (void)state;
    static const char *const formats[] = {"jpeg", "auto"};
    make_folder(scratch("in/sub"));
    make_tiny(scratch("in/a.jpg"));
    make_png(scratch("in/sub/b.png"), 30, 20, false, 1);
    assert_int_equal(symlink("in", scratch("link")), 0);
    write_text(scratch("list"), "in\nlink\nin/sub/..");
    for (size_t i = 0; i < 2; i++) {
        struct program_result result =
            program_run("in", "./in", "link", "--json", "--format", formats[i], NULL);
        expect_exit(&result, 0);
        assert_true(summary_of(&result, "made") == 2);
        assert_true(summary_of(&result, "skipped") == 2);
        assert_string_equal(outcome_of(&result, "link"), "met before");
        result = program_run("in", "--files-from=list", "--json", "--format", formats[i], NULL);
        expect_exit(&result, 0);
        assert_true(summary_of(&result, "up_to_date") == 2);
        assert_true(summary_of(&result, "skipped") == 3);
    }
    /* Below --output each name has a place of its own. */
    struct program_result result = program_run("in", "link", "-o", "out", "--json", NULL);
    expect_exit(&result, 0);
    assert_true(summary_of(&result, "made") == 4);
    assert_int_equal(check_outputs(scratch("out")), 4);
}

static void a_listed_source_is_never_replaced(void **state)
{
    (void)state;
    make_folder(scratch("in"));
    make_folder(scratch("out"));
    make_jpeg(scratch("in/a.jpg"), 30, 20, 1);
    make_jpeg(scratch("out/a.jpg"), 40, 20, 2);
    make_jpeg(scratch("in/b.jpg"), 30, 20, 3);
    make_jpeg(scratch("last.jpg"), 30, 20, 4);
    assert_int_equal(link(scratch("last.jpg"), scratch("out/b.jpg")), 0);
    const uint64_t before = tree_hash(test_scratch(), ".said");
    write_text(scratch("list"), "in/a.jpg\nin/b.jpg\nout/a.jpg\nlast.jpg\n");
    struct program_result result =
        program_run("--files-from=list", "-o", "out", "--overwrite=always", "--json", NULL);
    expect_exit(&result, 1);
    assert_string_equal(error_of(&result, "in/a.jpg"), "collision");
    assert_string_equal(error_of(&result, "in/b.jpg"), "collision");
    assert_string_equal(error_of(&result, "out/a.jpg"), "collision");
    assert_int_equal(unlink(scratch("out/last.jpg")), 0);
    assert_int_equal(unlink(scratch("list")), 0);
    unlink(scratch("out/.thumbpool-failed"));
    assert_int_equal(tree_hash(test_scratch(), ".said"), before);
}

/* ---- --hidden, --follow, --max-depth --------------------------------------------------------- */

static void hidden_files_are_tried_when_asked_for(void **state)
{
    (void)state;
    make_folder(scratch("in/.folder"));
    make_tiny(scratch("in/.folder/a.jpg"));
    make_tiny(scratch("in/.b.jpg"));
    struct program_result result = program_run("in", "--json", NULL);
    expect_exit(&result, 0);
    assert_true(summary_of(&result, "inputs") == 1);
    assert_string_equal(outcome_of(&result, "in/.b.jpg"), "hidden");
    result = program_run("in", "--json", "--hidden", NULL);
    expect_exit(&result, 0);
    assert_true(summary_of(&result, "made") == 2);
    assert_true(file_exists(scratch("in/thumbs/.folder/a.jpg")));
}

static void depth_counts_the_folders_from_the_path_on(void **state)
{
    (void)state;
    static const char *const depths[] = {"1", "2", "3", "4"};
    make_folder(scratch("in/1/2"));
    make_tiny(scratch("in/a.jpg"));
    make_tiny(scratch("in/1/b.jpg"));
    make_tiny(scratch("in/1/2/c.jpg"));
    for (int i = 0; i < 4; i++) {
        struct program_result result =
            program_run("in", "--json", "-n", "--max-depth", depths[i], NULL);
        expect_exit(&result, 0);
        assert_true(summary_of(&result, "planned") == (i < 3 ? i + 1 : 3));
    }
    struct program_result result = program_run("in", "--max-depth", "0", NULL);
    expect_exit(&result, 2);
}

static void links_are_followed_when_asked_for_and_never_in_circles(void **state)
{
    (void)state;
    make_folder(scratch("in/one"));
    make_folder(scratch("in/two"));
    make_folder(scratch("in/thumbs"));
    make_folder(scratch("aside"));
    make_tiny(scratch("in/one/a.jpg"));
    make_tiny(scratch("in/two/b.jpg"));
    make_tiny(scratch("aside/c.jpg"));
    assert_int_equal(symlink("self", scratch("in/self")), 0);
    assert_int_equal(symlink(".", scratch("in/here")), 0);
    assert_int_equal(symlink("..", scratch("in/one/up")), 0);
    assert_int_equal(symlink("../two", scratch("in/one/other")), 0); /* and the other way round */
    assert_int_equal(symlink("../one", scratch("in/two/other")), 0);
    assert_int_equal(symlink("thumbs", scratch("in/output")), 0);
    assert_int_equal(symlink("nothing.jpg", scratch("in/broken.jpg")), 0);
    assert_int_equal(symlink("../aside/c.jpg", scratch("in/c1.jpg")), 0);
    assert_int_equal(symlink("../aside/c.jpg", scratch("in/c2.jpg")), 0);
    struct program_result result = program_run("in", "--json", NULL);
    expect_exit(&result, 0);
    assert_true(summary_of(&result, "made") == 2);
    assert_string_equal(outcome_of(&result, "in/c1.jpg"), "symbolic link");
    for (int round = 0; round < 2; round++) { /* the second one has thumbnails to fall into */
        result = program_run("in", "--json", "-L", "--overwrite=always", NULL);
        expect_exit(&result, 0);
        assert_string_equal(outcome_of(&result, "in/c1.jpg"), "made"); /* a file by two names */
        assert_string_equal(outcome_of(&result, "in/c2.jpg"), "made");
        assert_string_equal(outcome_of(&result, "in/broken.jpg"), "broken symbolic link");
        assert_string_equal(outcome_of(&result, "in/self"), "broken symbolic link");
        assert_string_equal(outcome_of(&result, "in/here"), "symbolic link loop");
        assert_string_equal(outcome_of(&result, "in/one/up"), "symbolic link loop");
        assert_string_equal(outcome_of(&result, "in/one/other/b.jpg"), "made");
        assert_string_equal(outcome_of(&result, "in/one/other/other"), "symbolic link loop");
        assert_string_equal(outcome_of(&result, "in/two/other/a.jpg"), "made");
        assert_string_equal(outcome_of(&result, "in/output/c1.jpg"), "");
        assert_true(summary_of(&result, "made") == 6);
    }
}

/* ---- Odd names and trees ----------------------------------------------------------------------
 */

static void names_may_be_as_long_as_the_system_allows(void **state)
{
    (void)state;
    char name[NAME_MAX + 1];
    memset(name, 'n', NAME_MAX);
    name[NAME_MAX] = '\0';
    make_folder(scratch("in/%s", name));
    make_tiny(scratch("in/%s/a.jpg", name));
    memcpy(name + NAME_MAX - 4, ".jpg", 4);
    make_tiny(scratch("in/%s", name));
    memcpy(name + NAME_MAX - 4, ".png", 4);
    make_png(scratch("in/%s", name), 30, 20, false, 1); /* with .jpg behind it, it is too long */
    struct program_result result = program_run("in", "--json", NULL);
    expect_exit(&result, 1);
    assert_true(summary_of(&result, "made") == 2);
    assert_true(summary_of(&result, "failed") == 1);
    assert_string_equal(error_of(&result, ".png"), "bad-name");
    assert_int_equal(check_outputs(scratch("in/thumbs")), 2);
}

static void paths_may_be_longer_than_the_system_allows_at_once(void **state)
{
    (void)state;
    enum { DEPTH = 80 };
    static const char name[] = "a-folder-of-a-name-that-is-long-enough-for-PATH_MAX-to-be-passed";
    _Static_assert(DEPTH * sizeof(name) > PATH_MAX, "deep enough");
    make_tiny(scratch("a.jpg"));
    make_folder(scratch("in"));
    assert_int_equal(chdir(scratch("in")), 0);
    for (int i = 0; i < DEPTH; i++) {
        assert_int_equal(mkdir(name, 0755), 0);
        assert_int_equal(chdir(name), 0);
    }
    assert_int_equal(link(scratch("a.jpg"), "deep.jpg"), 0);
    struct program_result result = program_run("in", "--json", "-o", "out", NULL);
    expect_exit(&result, 0);
    assert_true(summary_of(&result, "made") == 1);
    assert_int_equal(chdir(scratch("out")), 0);
    for (int i = 0; i < DEPTH; i++)
        assert_int_equal(chdir(name), 0);
    assert_true(file_exists("deep.jpg"));
    /* Such a path cannot be named as a whole, and that is said. */
    struct text list = TEXT_INIT;
    text_puts(&list, "in");
    for (int i = 0; i < DEPTH; i++)
        text_join(&list, name);
    text_puts(&list, "/deep.jpg\na.jpg\n");
    assert_int_equal(chdir(test_scratch()), 0);
    write_text(scratch("list"), text_string(&list));
    text_done(&list);
    result = program_run("--files-from=list", "--json", "-o", "out2", NULL);
    expect_exit(&result, 1);
    assert_string_equal(error_of(&result, "deep.jpg"), "unreadable");
    assert_true(summary_of(&result, "made") == 1);
}

static void a_source_is_no_output_by_any_link(void **state)
{
    (void)state;
    make_folder(scratch("in"));
    make_folder(scratch("out"));
    make_tiny(scratch("in/hard.jpg"));
    make_tiny(scratch("in/soft.jpg"));
    make_tiny(scratch("in/free.jpg"));
    assert_int_equal(link(scratch("in/hard.jpg"), scratch("out/hard.jpg")), 0);
    assert_int_equal(symlink("../in/soft.jpg", scratch("out/soft.jpg")), 0);
    assert_int_equal(symlink("in", scratch("link")), 0);
    const uint64_t before = tree_hash(scratch("in"), NULL);
    struct program_result result =
        program_run("in", "-o", "out", "--overwrite=always", "--json", NULL);
    assert_string_equal(error_of(&result, "hard.jpg"), "collision");
    assert_string_equal(outcome_of(&result, "in/free.jpg"), "made");
    assert_int_equal(tree_hash(scratch("in"), NULL), before);
    result = program_run("in", "-o", "link", "--overwrite=always", "--json", NULL);
    expect_exit(&result, 1);
    assert_true(summary_of(&result, "made") == 0);
    unlink(scratch("in/.thumbpool-failed"));
    assert_int_equal(tree_hash(scratch("in"), NULL), before);
}

/* ---- Large trees ------------------------------------------------------------------------------
 */

/* What happens first: a folder is opened (true), or a thumbnail gets its name (false). */
static bool folder_was_opened_first(int notify, int folder)
{
    union {
        struct inotify_event event;
        char bytes[8192];
    } buffer;
    const ssize_t got = read(notify, &buffer, sizeof(buffer));
    for (ssize_t at = 0; at < got;) {
        const struct inotify_event *event = (const void *)(buffer.bytes + at);
        at += (ssize_t)(sizeof(*event) + event->len);
        if (event->wd == folder)
            return true;
        if (event->len > 0 && strcmp(event->name, "a.jpg") == 0)
            return false;
    }
    fail_msg("neither the folder nor the thumbnail was heard of");
    return false;
}

static void watch(int *ret_notify, int *ret_folder)
{
    *ret_notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    assert_true(*ret_notify >= 0);
    *ret_folder = inotify_add_watch(*ret_notify, scratch("in/zzz"), IN_OPEN | IN_ONLYDIR);
    assert_true(*ret_folder >= 0);
    assert_true(inotify_add_watch(*ret_notify, scratch("out"), IN_CREATE | IN_MOVED_TO) >= 0);
}

/* One picture, and then more files that are none than can be looked at while it is made. */
static void the_first_thumbnail_does_not_wait_for_the_rest_of_the_tree(void **state)
{
    (void)state;
    int notify, folder;
    make_folder(scratch("in/d"));
    make_folder(scratch("in/zzz"));
    make_folder(scratch("out"));
    make_tiny(scratch("in/a.jpg"));
    for (int i = 0; i < 500; i++)
        write_text(scratch("in/d/%d.txt", i), "");
    for (int i = 0; i < 150; i++)
        assert_int_equal(symlink("d", scratch("in/l%03d", i)), 0);
    watch(&notify, &folder);
    struct program_result result = program_run("in", "-o", "out", "-L", "--json", NULL);
    expect_exit(&result, 0);
    assert_true(summary_of(&result, "skipped") == 151 * 500);
    assert_false(folder_was_opened_first(notify, folder));
    close(notify);
}

/* Pictures only: no more folders are read than there is room for files in flight. */
static void folders_are_read_when_their_pictures_are_due(void **state)
{
    (void)state;
    int notify, folder;
    make_folder(scratch("in/zzz"));
    make_folder(scratch("out"));
    make_tiny(scratch("in/a.jpg"));
    make_tiny(scratch("in/zzz/z.jpg"));
    for (int i = 0; i < 600; i++) {
        make_folder(scratch("in/%03d", i));
        assert_int_equal(link(scratch("in/a.jpg"), scratch("in/%03d/b.jpg", i)), 0);
    }
    watch(&notify, &folder);
    struct program_result result = program_run("in", "-o", "out", "-j2", "--json", NULL);
    expect_exit(&result, 0);
    assert_true(summary_of(&result, "made") == 602);
    assert_false(folder_was_opened_first(notify, folder));
    close(notify);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(excluded_files_are_skipped_and_excluded_folders_not_met),
        TEST(only_included_files_are_tried),
        TEST(a_rehearsal_leaves_the_same_out),
        TEST(paths_come_from_a_file),
        TEST(paths_come_from_standard_input_and_end_in_nul),
        TEST(what_is_named_twice_is_made_once),
        TEST(a_folder_that_is_named_twice_is_walked_once),
        TEST(a_listed_source_is_never_replaced),
        TEST(hidden_files_are_tried_when_asked_for),
        TEST(depth_counts_the_folders_from_the_path_on),
        TEST(links_are_followed_when_asked_for_and_never_in_circles),
        TEST(names_may_be_as_long_as_the_system_allows),
        TEST(paths_may_be_longer_than_the_system_allows_at_once),
        TEST(a_source_is_no_output_by_any_link),
        TEST(the_first_thumbnail_does_not_wait_for_the_rest_of_the_tree),
        TEST_LONG(folders_are_read_when_their_pictures_are_due, 60000),
    };
    return test_run("thumbpool, which files", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
