/* test_names.c: the built program, --name, and sources that want one name. */
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "album.h"
#include "files.h"
#include "isolate.h"
#include "pictures.h"
#include "program.h"

static const char *status_of(const struct program_result *result, const char *path_end)
{
    return string_of(program_file(result, path_end), "status");
}

static const char *message_of(const struct program_result *result, const char *path_end)
{
    return string_of(program_file(result, path_end), "message");
}

/* ---- --name -------------------------------------------------------------------------------- */

static void thumbnails_lie_where_the_template_says(void **state)
{
    (void)state;
    static const struct {
        const char *template, *a, *b;
    } rows[] = {
        {"{dir}/{name}", "sub/a.jpg", "sub/b c.png"},
        {"{name}", "a.jpg", "b c.png"},
        {"t/{dir}/x/{stem}-{size}.{ext}", "t/sub/x/a-100x90.jpg", "t/sub/x/b c-100x90.png"},
        {"{ext}/{name}", "jpg/a.jpg", "png/b c.png"},
        {"{dir}-{{{stem}}}", "sub-{a}.jpg", "sub-{b c}.png"},
    };
    make_folder(scratch("in/sub"));
    make_jpeg(scratch("in/sub/a.jpg"), 300, 200, 1);
    make_png(scratch("in/sub/b c.png"), 300, 200, true, 2);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *out = scratch("out%zu", i);
        for (unsigned again = 0; again < 2; again++) {
            struct program_result result = program_run("in", "-o", out, "--name", rows[i].template,
                                                       "-s100x90", "--json", NULL);
            expect_exit(&result, 0);
            assert_true(summary_of(&result, again ? "up_to_date" : "made") == 2);
            assert_true(file_exists(scratch("out%zu/%s", i, rows[i].a)));
            assert_true(file_exists(scratch("out%zu/%s", i, rows[i].b)));
        }
        assert_int_equal(check_outputs(out), 2);
    }
    /* The hash is that of the whole path, and no other picture's. */
    struct program_result result = program_run("in", "--name", "{hash}", "--json", NULL);
    expect_exit(&result, 0);
    assert_int_equal(check_outputs(scratch("in/thumbs")), 2);
    result = program_run("in", "--name", "{hash}", "-n", NULL);
    assert_non_null(strstr(result.out, "2 up to date"));
}

static void a_template_that_makes_no_sense_is_wrong_usage(void **state)
{
    (void)state;
    static const char *const templates[] = {"{nmae}", "{", "", "/{name}", "../{name}", "{dir}/"};
    make_folder(scratch("in"));
    make_jpeg(scratch("in/a.jpg"), 30, 20, 1);
    for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++) {
        struct program_result result = program_run("in", "--name", templates[i], NULL);
        expect_exit(&result, 2);
        assert_non_null(strstr(result.err, "--name: "));
        assert_false(file_exists(scratch("in/thumbs")));
    }
    /* What only one file shows costs that file. */
    make_folder(scratch("in/sub"));
    make_jpeg(scratch("in/sub/b.jpg"), 30, 20, 1);
    for (unsigned dry = 0; dry < 2; dry++) {
        struct program_result result =
            program_run("in", "--name", "{dir}", "--json", dry ? "-v" : "-n", NULL);
        expect_exit(&result, 1);
        assert_string_equal(error_of(&result, "in/a.jpg"), "bad-name");
        assert_string_equal(status_of(&result, "sub/b.jpg"), dry ? "made" : "planned");
    }
    assert_true(file_exists(scratch("in/thumbs/sub.jpg")));
}

static void a_template_cannot_lead_to_a_source(void **state)
{
    (void)state;
    make_folder(scratch("in"));
    make_png(scratch("in/a.png"), 30, 20, false, 1);
    make_jpeg(scratch("in/a.jpg"), 30, 20, 2);
    make_jpeg(scratch("in/c.jpg"), 30, 20, 3);
    const uint64_t before = tree_hash(scratch("in"), NULL);
    static const char *const modes[] = {"changed", "never", "always"};
    for (size_t i = 0; i < 3; i++) {
        struct program_result result = program_run("in", "-o", "in", "--name", "{stem}.jpg",
                                                   "--json", "--overwrite", modes[i], NULL);
        assert_true(summary_of(&result, "made") == 0);
        unlink(scratch("in/.thumbpool-failed"));
        assert_int_equal(tree_hash(scratch("in"), NULL), before);
    }
}

/* ---- Collisions ---------------------------------------------------------------------------- */

static void sources_of_several_folders_meet_before_work_is_done(void **state)
{
    (void)state;
    static const char *const jobs[] = {"-j1", "-j4"};
    for (unsigned i = 0; i < 3; i++) {
        make_folder(scratch("in/%u", i));
        make_jpeg(scratch("in/%u/a.jpg", i), 700 - 300 * i, 400, i);
        make_jpeg(scratch("in/%u/only%u.jpg", i, i), 30, 20, i);
    }
    for (size_t j = 0; j < 2; j++) {
        struct program_result result =
            program_run("in", "-o", scratch("out%zu", j), "--name={name}", "--json", jobs[j], NULL);
        expect_exit(&result, 1);
        assert_string_equal(status_of(&result, "0/a.jpg"), "made");
        assert_string_equal(error_of(&result, "1/a.jpg"), "collision");
        assert_string_equal(error_of(&result, "2/a.jpg"), "collision");
        assert_non_null(strstr(message_of(&result, "2/a.jpg"), "/a.jpg: the thumbnail of another"));
        assert_true(summary_of(&result, "made") == 4);
        result = program_run("in", "-o", scratch("out%zu", j), "--name={name}", "--json", NULL);
        assert_true(summary_of(&result, "up_to_date") == 4);
        assert_true(summary_of(&result, "failed") == 2);
    }
    struct program_result result =
        program_run("in", "-o", "new", "--name={name}", "--json", "-n", NULL);
    expect_exit(&result, 1);
    assert_true(summary_of(&result, "planned") == 4);
    assert_true(summary_of(&result, "failed") == 2);
}

static void formats_that_only_the_decoder_knows_meet_in_the_end(void **state)
{
    (void)state;
    make_folder(scratch("in/x"));
    make_folder(scratch("in/y"));
    make_png(scratch("in/x/a.png"), 900, 900, false, 1);
    make_png(scratch("in/y/a.png"), 30, 20, false, 2);
    make_png(scratch("in/y/b.png"), 30, 20, true, 3);
    for (unsigned again = 0; again < 2; again++) {
        struct program_result result =
            program_run("in", "-o", "out", "--name={name}", "--json", "-j4", NULL);
        expect_exit(&result, 1);
        assert_string_equal(error_of(&result, "y/a.png"), "collision");
        assert_string_equal(status_of(&result, "x/a.png"), again ? "up_to_date" : "made");
        assert_string_equal(status_of(&result, "y/b.png"), again ? "up_to_date" : "made");
    }
}

static void files_of_one_name_meet_in_one_folder(void **state)
{
    (void)state;
    make_folder(scratch("x"));
    make_folder(scratch("y"));
    make_jpeg(scratch("x/a.jpg"), 30, 20, 1);
    make_jpeg(scratch("y/b.jpg"), 30, 20, 2);
    make_jpeg(scratch("y/c.jpg"), 30, 20, 2);
    for (unsigned again = 0; again < 2; again++) {
        struct program_result result =
            program_run("x", "y/b.jpg", "y", "-o", "out", "--name={size}/{stem}", "--json", NULL);
        /* y/b.jpg is one picture by two PATHs: it has one thumbnail, and one outcome of that. */
        assert_true(summary_of(&result, again ? "up_to_date" : "made") == 3);
        assert_string_equal(status_of(&result, "x/a.jpg"), again ? "up_to_date" : "made");
        assert_string_equal(status_of(&result, "y/c.jpg"), again ? "up_to_date" : "made");
        assert_true(summary_of(&result, "inputs") == 4);
    }
    assert_int_equal(check_outputs(scratch("out/256")), 3);
}

/* ---- Names that differ in case ------------------------------------------------------------- */

static bool folds_case(const char *folder)
{
    write_text(scratch("%s/Probe", folder), "");
    const bool folds = file_exists(scratch("%s/pROBE", folder));
    assert_int_equal(unlink(scratch("%s/Probe", folder)), 0);
    return folds;
}

static bool set_folding(const char *folder)
{
    int fd = open(scratch("%s", folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int flags = 0;
    assert_true(fd >= 0);
    const bool done =
        ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 &&
        (flags |= 0x40000000 /* FS_CASEFOLD_FL */, ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0);
    close(fd);
    return done;
}

/* Make a file system in "image" and mount it. */
static bool mount_image(const char *maker)
{
    char command[1024];
    write_text(scratch("image"), "");
    assert_int_equal(truncate(scratch("image"), 48 << 20), 0);
    snprintf(command, sizeof(command),
             "PATH=$PATH:/sbin:/usr/sbin; exec 2>&1; %s '%s/image' && mount -o loop '%s/image' "
             "'%s/disk'",
             maker, test_scratch(), test_scratch(), test_scratch());
    return system(command) == 0;
}

/* Have "disk/f" be a folder that takes A and a for one name. */
static bool make_folding(void)
{
    static const char *const makers[] = {NULL, "mke2fs -q -t ext4 -O casefold -E encoding=utf8",
                                         "mkfs.vfat"};
    make_folder(scratch("disk"));
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return false;
    for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
        if (makers[i] ? !mount_image(makers[i])
                      : mount("tmpfs", scratch("disk"), "tmpfs", 0, "size=10m,casefold") < 0)
            continue;
        make_folder(scratch("disk/f"));
        set_folding("disk/f"); /* where it is a folder's own affair */
        if (folds_case("disk/f"))
            return true;
        assert_int_equal(umount(scratch("disk")), 0);
    }
    return false;
}

static void on_a_disk_that_folds_case_two_names_are_one(void **state)
{
    (void)state;
    make_folder(scratch("in"));
    make_jpeg(scratch("in/A.JPG"), 300, 200, 1);
    make_jpeg(scratch("in/a.jpg"), 200, 300, 2);
    make_jpeg(scratch("in/b.jpg"), 300, 300, 3);
    if (!make_folding()) {
        print_message("no file system that folds case can be mounted here\n");
        skip();
    }
    for (unsigned run = 0; run < 3; run++) {
        struct program_result result = program_run("in", "-o", "disk/f", "--json",
                                                   run == 2 ? "--overwrite=always" : "-v", NULL);
        expect_exit(&result, 1);
        const bool upper = strcmp(status_of(&result, "in/A.JPG"), "failed") == 0;
        assert_string_equal(error_of(&result, upper ? "in/A.JPG" : "in/a.jpg"), "collision");
        assert_string_not_equal(status_of(&result, upper ? "in/a.jpg" : "in/A.JPG"), "failed");
        assert_true(summary_of(&result, run == 1 ? "up_to_date" : "made") == 2);
        assert_int_equal(check_outputs(scratch("disk/f")), 2);
    }
    /* The case twin of a source is no place for a thumbnail. */
    make_folder(scratch("disk/f/photos"));
    make_jpeg(scratch("disk/f/photos/X.JPG"), 300, 200, 1);
    make_png(scratch("disk/f/photos/x.png"), 300, 200, false, 2);
    const uint64_t before = tree_hash(scratch("disk/f/photos"), ".thumbpool-failed");
    struct program_result result = program_run("disk/f/photos", "-o", "disk/f/PHOTOS", "--json",
                                               "--name={stem}.jpg", "--overwrite=always", NULL);
    expect_exit(&result, 1);
    assert_true(summary_of(&result, "failed") == 2);
    assert_int_equal(tree_hash(scratch("disk/f/photos"), ".thumbpool-failed"), before);
    assert_int_equal(umount(scratch("disk")), 0);
}

/* A second name of the thumbnail stands for a name that differs in case. */
static void a_name_that_leads_to_anothers_thumbnail_is_taken(void **state)
{
    (void)state;
    make_folder(scratch("in"));
    make_jpeg(scratch("in/a.jpg"), 200, 300, 2);
    struct program_result result = program_run("in", "-o", "out", "--json", NULL);
    expect_exit(&result, 0);
    make_jpeg(scratch("in/A.JPG"), 300, 200, 1);
    assert_int_equal(link(scratch("out/a.jpg"), scratch("out/A.JPG")), 0);
    for (unsigned run = 0; run < 2; run++) {
        result = program_run("in", "-o", "out", "--json", NULL);
        expect_exit(&result, 1);
        assert_string_equal(error_of(&result, "in/A.JPG"), "collision");
        assert_string_equal(status_of(&result, "in/a.jpg"), "up_to_date");
    }
    assert_true(same_files(scratch("out/a.jpg"), scratch("out/A.JPG")));
}

/* A link may lead to a picture in the output folder, and be met long after that has been reached.
 */
static void what_a_link_met_later_leads_to_is_not_replaced(void **state)
{
    enum { BETWEEN = 600 }; /* more than wait to be worked on */
    (void)state;
    static const char *const folders[] = {"one", "two", "three"};
    for (size_t i = 0; i < 3; i++) { /* whichever the walk meets last */
        make_folder(scratch("in/%s", folders[i]));
        make_folder(scratch("out/%s", folders[i]));
        make_jpeg(scratch("in/%s/x.jpg", folders[i]), 30, 20, (unsigned)i);
        make_jpeg(scratch("out/%s/x.jpg", folders[i]), 40, 50, (unsigned)i + 3);
        for (size_t k = 0; k < 3; k++)
            if (k != i)
                assert_int_equal(symlink(scratch("out/%s/x.jpg", folders[k]),
                                         scratch("in/%s/to-%s.jpg", folders[i], folders[k])),
                                 0);
        for (unsigned k = 0; k < BETWEEN; k++)
            assert_int_equal(link(scratch("in/one/x.jpg"), scratch("in/%s/%u.jpg", folders[i], k)),
                             0);
    }
    struct stat before[3], after;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(stat(scratch("out/%s/x.jpg", folders[i]), &before[i]), 0);
    struct program_result result =
        program_run("in", "-o", "out", "-L", "--overwrite=always", "--quiet", NULL);
    expect_exit(&result, 1);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(stat(scratch("out/%s/x.jpg", folders[i]), &after), 0);
        assert_int_equal(after.st_ino, before[i].st_ino);
        assert_int_equal(after.st_size, before[i].st_size);
    }
    /* Thumbnails are replaced as ever. */
    result = program_run("in/one/x.jpg", "-L", "--json", NULL);
    expect_exit(&result, 0);
    result = program_run("in/one/x.jpg", "-L", "--json", "--overwrite=always", NULL);
    expect_exit(&result, 0);
    assert_true(summary_of(&result, "made") == 1);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(thumbnails_lie_where_the_template_says),
        TEST(a_template_that_makes_no_sense_is_wrong_usage),
        TEST(a_template_cannot_lead_to_a_source),
        TEST(sources_of_several_folders_meet_before_work_is_done),
        TEST(formats_that_only_the_decoder_knows_meet_in_the_end),
        TEST(files_of_one_name_meet_in_one_folder),
        TEST(on_a_disk_that_folds_case_two_names_are_one),
        TEST(a_name_that_leads_to_anothers_thumbnail_is_taken),
        TEST(what_a_link_met_later_leads_to_is_not_replaced),
    };
    return test_run("names", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
