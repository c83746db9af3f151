/* test_prune.c: --prune of the built program: what is removed, and above all what is not. */
#include <fcntl.h>
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

static void make_some(void)
{
    make_folder(scratch("in/sub/deep"));
    make_folder(scratch("in/gone/empty"));
    make_jpeg(scratch("in/a.jpg"), 300, 200, 1);
    make_png(scratch("in/b.png"), 300, 200, true, 2);
    make_jpeg(scratch("in/sub/deep/c.jpg"), 300, 200, 3);
    make_jpeg(scratch("in/sub/d.jpg"), 300, 200, 4);
    make_jpeg(scratch("in/gone/e.jpg"), 300, 200, 5);
}

static unsigned pruned_events(const struct program_result *result, const char *path)
{
    size_t count;
    unsigned found = 0;
    struct json_value **events = program_events(result, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(string_of(events[i], "event"), "pruned") == 0)
            found += !path || strcmp(string_of(events[i], "path"), path) == 0;
    return found;
}

static void thumbnails_go_with_their_pictures(void **state)
{
    (void)state;
    static const char *const roots[] = {"in/thumbs", "out"};
    for (size_t i = 0; i < 2; i++) {
        const char *option = i ? "--output=out" : "--output=in/thumbs";
        make_some();
        struct program_result result =
            i ? program_run("in", option, NULL) : program_run("in", NULL);
        expect_exit(&result, 0);
        write_text(scratch("%s/sub/mine.txt", roots[i]), "somebody's");
        assert_int_equal(unlink(scratch("in/b.png")), 0);
        assert_int_equal(unlink(scratch("in/sub/deep/c.jpg")), 0);
        assert_int_equal(unlink(scratch("in/sub/d.jpg")), 0);
        assert_int_equal(unlink(scratch("in/gone/e.jpg")), 0);
        assert_int_equal(rmdir(scratch("in/gone/empty")), 0);
        assert_int_equal(rmdir(scratch("in/gone")), 0);
        const uint64_t before = tree_hash(scratch("in"), NULL);
        result = program_run("in", option, "--prune", "--json", "-n", NULL);
        expect_exit(&result, 0);
        assert_int_equal(pruned_events(&result, NULL), 4);
        assert_int_equal(tree_hash(scratch("in"), NULL), before);
        result = program_run("in", option, "--json", NULL); /* not asked for */
        assert_true(file_exists(scratch("%s/b.png", roots[i])));
        result = program_run("in", option, "--prune", "--json", NULL);
        expect_exit(&result, 0);
        assert_int_equal(pruned_events(&result, NULL), 4);
        assert_int_equal(pruned_events(&result, i ? "out/gone/e.jpg" : "in/thumbs/gone/e.jpg"), 1);
        assert_true(summary_of(&result, "pruned") == 4);
        assert_true(summary_of(&result, "up_to_date") == 1);
        assert_int_equal(count_entries(scratch("%s", roots[i])), 2); /* a.jpg, sub */
        assert_int_equal(count_entries(scratch("%s/sub", roots[i])), 1);
        assert_string_equal(read_file(scratch("%s/sub/mine.txt", roots[i]), NULL), "somebody's");
        result = program_run("in", option, "--prune", "-v", NULL);
        expect_exit(&result, 0);
        assert_null(strstr(result.out, "removed"));
        assert_int_equal(rename(scratch("in"), scratch("was-%zu", i)), 0);
    }
}

static void what_is_left_out_stays(void **state)
{
    (void)state;
    make_some();
    make_jpeg(scratch("in/.hidden.jpg"), 30, 20, 6);
    struct program_result result = program_run("in", "-o", "out", "-H", NULL);
    expect_exit(&result, 0);
    const uint64_t before = tree_hash(scratch("out"), NULL);
    result = program_run("in", "-o", "out", "--max-depth=1", "--prune", "--json", NULL);
    expect_exit(&result, 0);
    assert_int_equal(pruned_events(&result, NULL), 0);
    assert_int_equal(tree_hash(scratch("out"), NULL), before);
    /* A picture that is none any more has a thumbnail still: it is there. */
    write_text(scratch("in/a.jpg"), "text");
    result = program_run("in", "-o", "out", "--prune", "--json", NULL);
    expect_exit(&result, 1);
    assert_int_equal(pruned_events(&result, NULL), 0);
}

static void only_what_lies_in_its_place_is_removed(void **state)
{
    (void)state;
    size_t size_bytes;
    make_some();
    make_folder(scratch("other"));
    make_jpeg(scratch("other/x.jpg"), 30, 20, 6);
    make_jpeg(scratch("other/y.jpg"), 30, 20, 6);
    struct program_result result = program_run("in", "-o", "out", NULL);
    expect_exit(&result, 0);
    result = program_run("other", "-o", "out", NULL);
    expect_exit(&result, 0);
    assert_int_equal(unlink(scratch("in/a.jpg")), 0);
    assert_int_equal(unlink(scratch("in/sub/d.jpg")), 0);
    assert_int_equal(unlink(scratch("other/x.jpg")), 0);
    /* A copy elsewhere, another name, a thumbnail of a PATH that is not asked for, a link. */
    const char *bytes = read_file(scratch("out/a.jpg"), &size_bytes);
    write_file(scratch("out/copy.jpg"), bytes, size_bytes);
    write_file(scratch("out/sub/a.jpg"), bytes, size_bytes);
    write_file(scratch("out/a.jpeg"), bytes, size_bytes);
    make_folder(scratch("aside"));
    write_file(scratch("aside/d.jpg"), read_file(scratch("out/sub/d.jpg"), &size_bytes),
               size_bytes);
    assert_int_equal(unlink(scratch("out/sub/d.jpg")), 0);
    assert_int_equal(symlink("../../aside/d.jpg", scratch("out/sub/d.jpg")), 0);
    result = program_run("in", "-o", "out", "--prune", "--json", NULL);
    expect_exit(&result, 0);
    assert_int_equal(pruned_events(&result, NULL), 1);
    assert_int_equal(pruned_events(&result, "out/a.jpg"), 1);
    assert_true(file_exists(scratch("out/copy.jpg")));
    assert_true(file_exists(scratch("out/sub/a.jpg")));
    assert_true(file_exists(scratch("out/a.jpeg")));
    assert_true(file_exists(scratch("out/sub/d.jpg")));
    assert_true(file_exists(scratch("aside/d.jpg")));
    assert_true(file_exists(scratch("out/x.jpg")));
    /* A folder that is a link is not entered. */
    assert_int_equal(unlink(scratch("in/sub/deep/c.jpg")), 0);
    assert_int_equal(rename(scratch("out/sub/deep"), scratch("aside/deep")), 0);
    assert_int_equal(symlink("../../aside/deep", scratch("out/sub/deep")), 0);
    result = program_run("in", "-o", "out", "--prune", "--json", NULL);
    assert_int_equal(pruned_events(&result, NULL), 0);
    assert_true(file_exists(scratch("aside/deep/c.jpg")));
    result = program_run("other", "-o", "out", "--prune", "--json", NULL);
    assert_int_equal(pruned_events(&result, "out/x.jpg"), 1);
    assert_int_equal(pruned_events(&result, NULL), 1);
}

static void a_stamp_that_lies_costs_no_other_file(void **state)
{
    (void)state;
    size_t size_bytes;
    make_folder(scratch("in"));
    make_folder(scratch("out"));
    make_jpeg(scratch("in/gone.jpg"), 30, 20, 1);
    make_jpeg(scratch("in/here.jpg"), 30, 20, 2);
    struct program_result result = program_run("in", "-o", "out", NULL);
    expect_exit(&result, 0);
    assert_int_equal(unlink(scratch("in/gone.jpg")), 0);
    char *bytes = read_file(scratch("out/gone.jpg"), &size_bytes);
    char *stamp = memmem(bytes, size_bytes, "thumbpool/1 ", 12);
    assert_non_null(stamp);
    const size_t length = strcspn(stamp, "\xff");
    for (size_t i = 0; i < length; i++) {
        char *lie = keep(malloc(size_bytes));
        memcpy(lie, bytes, size_bytes);
        lie[stamp - bytes + (ptrdiff_t)i] ^= 1;
        write_file(scratch("out/gone.jpg"), lie, size_bytes);
        result = program_run("in", "-o", "out", "--prune", "--quiet", NULL);
        expect_exit(&result, 0);
        assert_true(file_exists(scratch("out/here.jpg")));
        assert_true(file_exists(scratch("in/here.jpg")));
    }
    /* The honest one. */
    write_file(scratch("out/gone.jpg"), bytes, size_bytes);
    result = program_run("in", "-o", "out", "--prune", "--json", NULL);
    assert_int_equal(pruned_events(&result, "out/gone.jpg"), 1);
}

static void sources_are_never_removed(void **state)
{
    (void)state;
    size_t size_bytes;
    make_folder(scratch("in"));
    make_jpeg(scratch("in/keep.jpg"), 30, 20, 1);
    make_png(scratch("in/gone.png"), 30, 20, false, 2);
    /* Thumbnails among the sources are sources too. */
    struct program_result result = program_run("in", "-o", "in", "--json", NULL);
    assert_true(file_exists(scratch("in/gone.png.jpg")));
    assert_int_equal(unlink(scratch("in/gone.png")), 0);
    result = program_run("in", "-o", "in", "--prune", "--json", NULL);
    assert_int_equal(pruned_events(&result, NULL), 0);
    assert_true(file_exists(scratch("in/gone.png.jpg")));
    /* So are those that a link leads to, and those that are named. */
    make_folder(scratch("from"));
    make_folder(scratch("out"));
    make_jpeg(scratch("from/keep.jpg"), 30, 20, 1);
    make_jpeg(scratch("from/x.jpg"), 30, 20, 3);
    make_jpeg(scratch("from/y.jpg"), 30, 20, 3);
    result = program_run("from", "-o", "out", "--json", NULL);
    expect_exit(&result, 0);
    read_file(scratch("out/x.jpg"), &size_bytes);
    assert_int_equal(unlink(scratch("from/x.jpg")), 0);
    assert_int_equal(unlink(scratch("from/y.jpg")), 0);
    assert_int_equal(symlink("../out/x.jpg", scratch("from/link.jpg")), 0);
    result = program_run("from", "out/y.jpg", "-L", "-o", "elsewhere", "--prune", "--json", NULL);
    assert_int_equal(pruned_events(&result, NULL), 0);
    result = program_run("from", "-L", "-o", "out", "--prune", "--json", NULL);
    assert_int_equal(pruned_events(&result, "out/y.jpg"), 1);
    assert_int_equal(pruned_events(&result, NULL), 1);
    assert_true(file_exists(scratch("out/x.jpg")));
}

static void nothing_is_removed_when_the_look_was_not_complete(void **state)
{
    (void)state;
    const struct program_setup nobody = {.as_nobody = true};
    make_some();
    assert_int_equal(chmod(test_scratch(), 0777), 0);
    struct program_result result = program_run_with(&nobody, "in", "-o", "out", NULL);
    expect_exit(&result, 0);
    assert_int_equal(unlink(scratch("in/a.jpg")), 0);
    /* A folder that cannot be read. */
    if (geteuid() == 0) {
        assert_int_equal(chmod(scratch("in/sub"), 0), 0);
        result = program_run_with(&nobody, "in", "-o", "out", "--prune", "--json", NULL);
        expect_exit(&result, 1);
        assert_int_equal(pruned_events(&result, NULL), 0);
        assert_non_null(strstr(result.err, "could not be read"));
        assert_int_equal(chmod(scratch("in/sub"), 0755), 0);
    }
    /* A PATH that is missing, or empty as where nothing is mounted. */
    assert_int_equal(rename(scratch("in"), scratch("aside")), 0);
    result = program_run_with(&nobody, "in", "-o", "out", "--prune", "--json", NULL);
    expect_exit(&result, 1);
    assert_int_equal(pruned_events(&result, NULL), 0);
    make_folder(scratch("in"));
    result = program_run_with(&nobody, "in", "-o", "out", "--prune", "--json", NULL);
    expect_exit(&result, 0);
    assert_int_equal(pruned_events(&result, NULL), 0);
    assert_non_null(strstr(result.err, "it is empty"));
    assert_int_equal(rmdir(scratch("in")), 0);
    assert_int_equal(rename(scratch("aside"), scratch("in")), 0);
    result = program_run_with(&nobody, "in", "-o", "out", "--prune", "--json", NULL);
    expect_exit(&result, 0);
    assert_int_equal(pruned_events(&result, "out/a.jpg"), 1);
}

static void a_run_that_is_ended_removes_nothing(void **state)
{
    (void)state;
    static const char *const args[] = {"in", "--json", "--prune", "-j1", NULL};
    make_folder(scratch("in"));
    make_jpeg(scratch("in/gone.jpg"), 30, 20, 1);
    struct program_result result = program_run("in", NULL);
    expect_exit(&result, 0);
    assert_int_equal(unlink(scratch("in/gone.jpg")), 0);
    make_many_slow(50);
    struct program program = program_start(&(struct program_setup){0}, args);
    assert_true(program_busy_worker(program.pid, 0) > 0);
    assert_int_equal(kill(program.pid, SIGINT), 0);
    result = program_wait(&program);
    expect_exit(&result, 128 + SIGINT);
    assert_int_equal(pruned_events(&result, NULL), 0);
    assert_true(file_exists(scratch("in/thumbs/gone.jpg")));
}

static void a_link_that_leads_nowhere_hides_pictures(void **state)
{
    (void)state;
    make_folder(scratch("in"));
    make_folder(scratch("disk"));
    make_jpeg(scratch("in/a.jpg"), 30, 20, 1);
    make_jpeg(scratch("disk/b.jpg"), 30, 20, 1);
    assert_int_equal(symlink("../disk", scratch("in/disk")), 0);
    struct program_result result = program_run("in", "-L", "-o", "out", NULL);
    expect_exit(&result, 0);
    assert_int_equal(rename(scratch("disk"), scratch("unmounted")), 0);
    result = program_run("in", "-L", "-o", "out", "--prune", "--json", NULL);
    assert_int_equal(pruned_events(&result, NULL), 0);
    assert_int_equal(unlink(scratch("in/disk")), 0);
    result = program_run("in", "-L", "-o", "out", "--prune", "--json", NULL);
    assert_int_equal(pruned_events(&result, "out/disk/b.jpg"), 1);
    assert_false(file_exists(scratch("out/disk")));
}

static void several_paths_and_names_are_kept_apart(void **state)
{
    (void)state;
    make_folder(scratch("x/in"));
    make_folder(scratch("y/out"));
    make_jpeg(scratch("x/in/a.jpg"), 30, 20, 1);
    make_jpeg(scratch("x/in/k.jpg"), 30, 20, 1);
    make_jpeg(scratch("y/out/a.jpg"), 30, 20, 2);
    make_jpeg(scratch("y/out/k.jpg"), 30, 20, 1);
    struct program_result result =
        program_run("x/in", "y/out", "-o", "t", "--name={dir}/{size}/{stem}-{hash}", "-s50", NULL);
    expect_exit(&result, 0);
    assert_int_equal(count_entries(scratch("t/in/50")), 2);
    assert_int_equal(unlink(scratch("x/in/a.jpg")), 0);
    /* Another template, or another size, would have put it elsewhere. */
    result = program_run("x/in", "y/out", "-o", "t", "--json", "--prune", NULL);
    assert_int_equal(pruned_events(&result, NULL), 0);
    result = program_run("x/in", "-o", "t", "--json", "--name={dir}/{size}/{stem}-{hash}", "-s50",
                         "--prune", NULL);
    assert_int_equal(pruned_events(&result, NULL), 0);
    result = program_run("x/in", "y/out", "-o", "t", "--json", "--name={dir}/{size}/{stem}-{hash}",
                         "-s50", "--prune", NULL);
    assert_int_equal(pruned_events(&result, NULL), 1);
    assert_int_equal(count_entries(scratch("t/in/50")), 1);
    assert_int_equal(count_entries(scratch("t/out/50")), 2);
    /* Files by name count from their folder. */
    result = program_run("y/out/a.jpg", "y/out/k.jpg", "-o", "f", NULL);
    assert_int_equal(unlink(scratch("y/out/a.jpg")), 0);
    result = program_run("y/out/k.jpg", "-o", "f", "--prune", "--json", NULL);
    assert_int_equal(pruned_events(&result, "f/a.jpg"), 1);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(thumbnails_go_with_their_pictures),
        TEST(what_is_left_out_stays),
        TEST(only_what_lies_in_its_place_is_removed),
        TEST_LONG(a_stamp_that_lies_costs_no_other_file, 60000),
        TEST(sources_are_never_removed),
        TEST(nothing_is_removed_when_the_look_was_not_complete),
        TEST(a_run_that_is_ended_removes_nothing),
        TEST(a_link_that_leads_nowhere_hides_pictures),
        TEST(several_paths_and_names_are_kept_apart),
    };
    return test_run("prune", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
