#include "app/outdir_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "files.h"
#include "isolate.h"

/* Output folders for one PATH, "in". */
struct fixture {
    struct inputs *inputs;
    struct inode_set read_folders, roots;
    struct outdirs *outdirs;
    struct text message;
};

static void fixture_init(struct fixture *fixture, const char *output)
{
    static const char *paths[] = {"in"};
    struct options options = {.output = output, .paths = paths, .path_count = 1};
    *fixture = (struct fixture){0};
    make_folder(scratch("in"));
    assert_int_equal(chdir(test_scratch()), 0);
    assert_int_equal(inputs_create(&options, &fixture->inputs, &fixture->message), 0);
    assert_int_equal(outdirs_create(fixture->inputs, &fixture->read_folders, &fixture->roots, false,
                                    &fixture->outdirs),
                     0);
}

static void fixture_done(struct fixture *fixture)
{
    outdirs_free(fixture->outdirs);
    inputs_free(fixture->inputs);
    inode_set_done(&fixture->read_folders);
    inode_set_done(&fixture->roots);
    text_done(&fixture->message);
}

static int open_dir(struct fixture *fixture, const char *folder, struct outdir *outdir)
{
    text_cut(&fixture->message, 0);
    return outdirs_open(fixture->outdirs, 0, folder, outdir, &fixture->message);
}

static void folders_are_made_when_they_are_needed(void **state)
{
    (void)state;
    struct fixture fixture;
    struct outdir outdir;
    struct stat st;
    fixture_init(&fixture, NULL);
    assert_false(file_exists("in/thumbs"));
    assert_int_equal(open_dir(&fixture, "a/b", &outdir), 0);
    assert_int_equal(stat("in/thumbs/a/b", &st), 0);
    assert_true(st.st_dev == outdir.device && st.st_ino == outdir.inode);
    assert_int_equal(fixture.roots.count, 1);
    assert_int_equal(stat("in/thumbs", &st), 0);
    assert_true(inode_set_has(&fixture.roots, st.st_dev, st.st_ino));
    fixture_done(&fixture);

    fixture_init(&fixture, "new/deep/out");
    assert_int_equal(open_dir(&fixture, "", &outdir), 0);
    assert_int_equal(stat("new/deep/out", &st), 0);
    assert_true(st.st_ino == outdir.inode);
    fixture_done(&fixture);
    assert_null(outdirs_free(NULL));
}

static void many_folders_take_few_descriptors(void **state)
{
    (void)state;
    struct fixture fixture;
    struct outdir outdir, again;
    fixture_init(&fixture, "out");
    const int before = count_entries("/proc/self/fd");
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 50; i++) {
            char folder[16] = "f00";
            folder[1] = (char)('0' + i / 10);
            folder[2] = (char)('0' + i % 10);
            assert_int_equal(open_dir(&fixture, folder, &outdir), 0);
            assert_int_equal(open_dir(&fixture, folder, &again), 0);
            assert_int_equal(outdir.fd, again.fd);
        }
    }
    assert_true(count_entries("/proc/self/fd") <= before + 8);
    assert_int_equal(count_entries("out"), 50);
    fixture_done(&fixture);
}

static void links_lead_nowhere(void **state)
{
    (void)state;
    struct fixture fixture;
    struct outdir outdir;
    make_folder(scratch("outside"));
    make_folder(scratch("out"));
    fixture_init(&fixture, "out");
    assert_int_equal(symlink("../outside", "out/link"), 0);
    write_text("out/file", "");
    assert_int_equal(open_dir(&fixture, "link", &outdir), -EEXIST);
    assert_non_null(strstr(text_string(&fixture.message), "out/link"));
    assert_int_equal(open_dir(&fixture, "link/below", &outdir), -EEXIST);
    assert_int_equal(open_dir(&fixture, "file/below", &outdir), -EEXIST);
    assert_non_null(strstr(text_string(&fixture.message), "out/file"));
    assert_int_equal(count_entries("outside"), 0);
    fixture_done(&fixture);

    /* The default root is made in a folder that somebody else may have filled. */
    fixture_init(&fixture, NULL);
    assert_int_equal(symlink("../outside", "in/thumbs"), 0);
    assert_int_equal(open_dir(&fixture, "", &outdir), -ENOTDIR);
    assert_int_equal(count_entries("outside"), 0);
    fixture_done(&fixture);

    /* But a DIR that was given may be a link: the user said so. */
    assert_int_equal(symlink("outside", "given"), 0);
    fixture_init(&fixture, "given");
    assert_int_equal(open_dir(&fixture, "a", &outdir), 0);
    assert_true(file_exists("outside/a"));
    fixture_done(&fixture);
}

static void a_folder_that_was_exchanged_is_not_used(void **state)
{
    (void)state;
    struct fixture fixture;
    struct outdir outdir;
    make_folder(scratch("outside"));
    fixture_init(&fixture, NULL);
    assert_int_equal(rename("in", "moved"), 0);
    assert_int_equal(symlink("outside", "in"), 0);
    assert_int_equal(open_dir(&fixture, "", &outdir), -ESTALE);
    assert_int_equal(count_entries("outside"), 0);
    fixture_done(&fixture);
}

static void folders_that_are_read_are_marked(void **state)
{
    (void)state;
    struct fixture fixture;
    struct outdir outdir;
    struct stat st;
    make_folder(scratch("out/a/b"));
    make_folder(scratch("out/c"));
    fixture_init(&fixture, "out");
    assert_int_equal(stat("out/a", &st), 0);
    assert_int_equal(inode_set_add(&fixture.read_folders, st.st_dev, st.st_ino), 1);
    assert_int_equal(open_dir(&fixture, "", &outdir), 0);
    assert_false(outdir.is_read);
    assert_int_equal(open_dir(&fixture, "a/b", &outdir), 0);
    assert_true(outdir.is_read); /* it will be walked, if it has not been */
    assert_int_equal(open_dir(&fixture, "c", &outdir), 0);
    assert_false(outdir.is_read);
    fixture_done(&fixture);
}

/* The number of a process that is no more. */
static pid_t dead_process(void)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return pid;
}

static void leftovers_of_killed_runs_are_removed_and_nothing_else(void **state)
{
    (void)state;
    struct fixture fixture;
    struct outdir outdir;
    const int dead = (int)dead_process();
    make_folder(scratch("out"));
    const char *const gone[] = {scratch("out/.thumbpool-%d-0.tmp", dead),
                                scratch("out/.thumbpool-%d-123456.tmp", dead),
                                /* of a run that had our number before us */
                                scratch("out/.thumbpool-%d-0.tmp", (int)getpid()),
                                /* too old to be of a process that lives */
                                scratch("out/.thumbpool-%d-2.tmp", (int)getppid())};
    const char *const stays[] = {
        scratch("out/.thumbpool-%d-1.tmp", (int)getppid()),
        scratch("out/.thumbpool-%d-0.tmp.jpg", dead),
        scratch("out/.thumbpool-%d-.tmp", dead),
        scratch("out/.thumbpool--%d-0.tmp", dead),
        scratch("out/.thumbpool-%dx-0.tmp", dead),
        scratch("out/.thumbpool-0-0.tmp"),
        scratch("out/.thumbpool-99999999999999999999-0.tmp"),
        scratch("out/thumbpool-%d-0.tmp", dead),
        scratch("out/.thumbpool-failed"),
    };
    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
        write_text(gone[i], "half a thumbnail");
    const struct timespec hours_ago[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    assert_int_equal(utimensat(AT_FDCWD, gone[3], hours_ago, 0), 0);
    for (size_t i = 0; i < sizeof(stays) / sizeof(stays[0]); i++)
        write_text(stays[i], "");
    const char *locked = scratch("out/.thumbpool-%d-7.tmp", dead);
    write_text(locked, "of a run that numbers processes otherwise");
    const int fd = open(locked, O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_SH), 0);
    const char *link = scratch("out/.thumbpool-%d-8.tmp", dead);
    write_text(scratch("precious"), "");
    assert_int_equal(symlink("../precious", link), 0);

    fixture_init(&fixture, "out");
    assert_int_equal(open_dir(&fixture, "below", &outdir), 0); /* on the way to it too */
    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
        assert_false(file_exists(gone[i]));
    for (size_t i = 0; i < sizeof(stays) / sizeof(stays[0]); i++)
        assert_true(file_exists(stays[i]));
    assert_true(file_exists(locked));
    assert_true(file_exists(scratch("precious")));
    close(fd);
    fixture_done(&fixture);
}

static void a_look_for_a_folder_makes_none(void **state)
{
    (void)state;
    struct fixture fixture;
    struct outdir outdir, found;
    fixture_init(&fixture, "out");
    assert_int_equal(outdirs_find(fixture.outdirs, 0, "a/b", true, &found), -ENOENT);
    assert_int_equal(outdirs_find(fixture.outdirs, 0, "", true, &found), -ENOENT);
    assert_false(file_exists("out"));
    assert_int_equal(outdirs_find(fixture.outdirs, 0, "a/b", true, &found), -ENOENT);
    /* Made meanwhile: it is not looked for again at once, but found when another was opened. */
    assert_int_equal(open_dir(&fixture, "a/b", &outdir), 0);
    assert_int_equal(outdirs_find(fixture.outdirs, 0, "a/b", true, &found), 0);
    assert_int_equal(found.fd, outdir.fd);
    outdirs_forget(fixture.outdirs);
    assert_int_equal(outdirs_find(fixture.outdirs, 0, "a", true, &found), 0);
    assert_int_equal(outdirs_find(fixture.outdirs, 0, "a/b/c", true, &found), -ENOENT);
    assert_int_equal(outdirs_find(fixture.outdirs, 0, "a/b", true, &found), 0);
    assert_true(found.inode == outdir.inode);
    /* Never through a link. */
    make_folder(scratch("aside"));
    assert_int_equal(symlink("../aside", "out/link"), 0);
    assert_int_equal(outdirs_find(fixture.outdirs, 0, "link", true, &found), -EEXIST);
    /* Leftovers go when that is wanted. */
    write_text("out/.thumbpool-4194303-1.tmp", "of a process that cannot be");
    outdirs_forget(fixture.outdirs);
    fixture_done(&fixture);
    fixture_init(&fixture, "out");
    assert_int_equal(outdirs_find(fixture.outdirs, 0, "", false, &found), 0);
    assert_true(file_exists("out/.thumbpool-4194303-1.tmp"));
    outdirs_forget(fixture.outdirs);
    assert_int_equal(outdirs_find(fixture.outdirs, 0, "", true, &found), 0);
    assert_false(file_exists("out/.thumbpool-4194303-1.tmp"));
    fixture_done(&fixture);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(folders_are_made_when_they_are_needed),
        TEST(many_folders_take_few_descriptors),
        TEST(links_lead_nowhere),
        TEST(a_folder_that_was_exchanged_is_not_used),
        TEST(folders_that_are_read_are_marked),
        TEST(a_look_for_a_folder_makes_none),
        TEST(leftovers_of_killed_runs_are_removed_and_nothing_else),
    };
    return test_run("app outdir", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
