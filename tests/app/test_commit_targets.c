/* test_commit_targets.c: what commit says and does where a name is taken already, and on a file
 * system that folds case. */
#include "app/commit_priv.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "isolate.h"

/* ---- A file system that folds case --------------------------------------------------------- */

static bool folds; /* names that end in .jpg, of any case */

static const char *fold(const char *name, char *buffer, size_t size_bytes)
{
    const size_t length = strlen(name);
    if (!folds || length < 4 || length >= size_bytes || strcasecmp(name + length - 4, ".jpg") != 0)
        return name;
    for (size_t i = 0; i <= length; i++)
        buffer[i] = (char)tolower((unsigned char)name[i]);
    return buffer;
}

int __real_fstatat(int dir_fd, const char *name, struct stat *st, int flags);
int __wrap_fstatat(int dir_fd, const char *name, struct stat *st, int flags);
int __wrap_fstatat(int dir_fd, const char *name, struct stat *st, int flags)
{
    char folded[256];
    return __real_fstatat(dir_fd, fold(name, folded, sizeof(folded)), st, flags);
}

int __real_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags);
int __wrap_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags);
int __wrap_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    char folded[256];
    return __real_renameat2(from_fd, from, to_fd, fold(to, folded, sizeof(folded)), flags);
}

int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    char folded[256];
    return __real_renameat(from_fd, from, to_fd, fold(to, folded, sizeof(folded)));
}

int __real_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    char folded[256];
    return __real_linkat(from_fd, from, to_fd, fold(to, folded, sizeof(folded)), flags);
}

/* ---- Commits below "out" for the PATH "in" ------------------------------------------------- */

struct fixture {
    struct inputs *inputs;
    struct inode_set read_folders, roots;
    struct commit *commit;
    struct text message;
};

static void fixture_init(struct fixture *fixture)
{
    static const char *paths[] = {"in"};
    struct options options = {.output = "out", .paths = paths, .path_count = 1};
    *fixture = (struct fixture){0};
    make_folder(scratch("in"));
    write_text(scratch("in/source"), "the source");
    assert_int_equal(chdir(test_scratch()), 0);
    assert_int_equal(inputs_create(&options, &fixture->inputs, &fixture->message), 0);
    assert_int_equal(inputs_register(fixture->inputs, &fixture->read_folders), 0);
    assert_int_equal(commit_create(fixture->inputs, &fixture->read_folders, &fixture->roots, false,
                                   true, &fixture->commit),
                     0);
}

static void fixture_done(struct fixture *fixture)
{
    commit_free(fixture->commit);
    inputs_free(fixture->inputs);
    inode_set_done(&fixture->read_folders);
    inode_set_done(&fixture->roots);
    text_done(&fixture->message);
}

struct answer {
    int code;
    unsigned asked;
};

static int answer(void *data, int dir_fd, const char *name, struct text *reason)
{
    struct answer *given = data;
    struct stat st;
    given->asked++;
    assert_int_equal(fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    if (given->code < 0)
        text_puts(reason, "because");
    return given->code;
}

static struct commit_request request_for(const char *folder, const char *name, struct answer *given)
{
    struct stat st;
    assert_int_equal(stat("in/source", &st), 0);
    return (struct commit_request){.folder = folder,
                                   .name = name,
                                   .source_device = st.st_dev,
                                   .source_inode = st.st_ino,
                                   .source_mode = st.st_mode,
                                   .source_group = st.st_gid,
                                   .data = "new",
                                   .size_bytes = 3,
                                   .may_replace = given ? answer : NULL,
                                   .callback_data = given};
}

static void who_asks_decides_what_is_replaced(void **state)
{
    (void)state;
    static const int codes[] = {-EEXIST, -EALREADY, 0};
    struct fixture fixture;
    fixture_init(&fixture);
    make_folder(scratch("out/f"));
    write_text(scratch("out/f/x.jpg"), "old");
    assert_int_equal(symlink("x.jpg", scratch("out/f/link.jpg")), 0);
    for (size_t i = 0; i < 3; i++) {
        struct answer given = {.code = codes[i]};
        const struct commit_request file = request_for("f", "x.jpg", &given);
        const struct commit_request link = request_for("f", "link.jpg", &given);
        text_cut(&fixture.message, 0);
        assert_int_equal(commit_check(fixture.commit, &file, true, &fixture.message), codes[i]);
        assert_string_equal(text_string(&fixture.message),
                            codes[i] < 0 ? "out/f/x.jpg: because" : "");
        assert_string_equal(read_file("out/f/x.jpg", NULL), "old");
        text_cut(&fixture.message, 0);
        assert_int_equal(commit_check(fixture.commit, &link, true, &fixture.message), codes[i]);
        text_cut(&fixture.message, 0);
        assert_int_equal(commit_file(fixture.commit, &file, &fixture.message), codes[i]);
        assert_string_equal(read_file("out/f/x.jpg", NULL), codes[i] < 0 ? "old" : "new");
        assert_int_equal(given.asked, 3);
    }
    /* Nobody is asked about what is not there, nor about what is never replaced. */
    struct answer given = {.code = 0};
    const struct commit_request fresh = request_for("f", "y.jpg", &given);
    const struct commit_request again = request_for("f", "x.jpg", &given);
    assert_int_equal(commit_file(fixture.commit, &fresh, &fixture.message), 0);
    assert_int_equal(commit_file(fixture.commit, &again, &fixture.message), -EEXIST);
    assert_int_equal(given.asked, 0);
    fixture_done(&fixture);
}

static void a_look_makes_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    const struct commit_request request = request_for("a/b", "x.jpg", NULL);
    assert_int_equal(commit_check(fixture.commit, &request, true, &fixture.message), 0);
    assert_int_equal(commit_find(fixture.commit, 0, "a/b", true), -ENOENT);
    assert_false(file_exists("out"));
    assert_int_equal(commit_file(fixture.commit, &request, &fixture.message), 0);
    const int fd = commit_find(fixture.commit, 0, "a/b", true);
    struct stat st, same;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(stat("out/a/b", &same), 0);
    assert_int_equal(st.st_ino, same.st_ino);
    /* Whatever stands in the way of a look shows when it is written. */
    write_text("out/file", "");
    const struct commit_request below = request_for("file", "x.jpg", NULL);
    assert_int_equal(commit_check(fixture.commit, &below, true, &fixture.message), 0);
    assert_string_equal(text_string(&fixture.message), "");
    assert_int_equal(commit_file(fixture.commit, &below, &fixture.message), -EEXIST);
    fixture_done(&fixture);
}

static void what_is_kept_or_protected_is_not_replaced(void **state)
{
    (void)state;
    struct fixture fixture;
    struct stat kept, source;
    fixture_init(&fixture);
    make_folder(scratch("out"));
    write_text(scratch("out/kept.jpg"), "kept");
    write_text(scratch("out/source.jpg"), "a source that a link leads to");
    assert_int_equal(stat("out/kept.jpg", &kept), 0);
    assert_int_equal(stat("out/source.jpg", &source), 0);
    assert_int_equal(commit_keep(fixture.commit, &kept), 0);
    assert_int_equal(commit_keep(fixture.commit, &kept), 0);
    assert_int_equal(commit_protect(fixture.commit, &source), 0);
    assert_true(commit_has(fixture.commit, &kept));
    assert_false(commit_has(fixture.commit, &source));
    assert_true(commit_is_source(fixture.commit, &source));
    assert_false(commit_is_source(fixture.commit, &kept));
    const struct commit_request first = request_for("", "kept.jpg", NULL);
    const struct commit_request second = request_for("", "source.jpg", NULL);
    assert_int_equal(commit_file(fixture.commit, &first, &fixture.message), -EEXIST);
    assert_int_equal(commit_file(fixture.commit, &second, &fixture.message), -EEXIST);
    assert_string_equal(read_file("out/kept.jpg", NULL), "kept");
    struct stat in;
    assert_int_equal(stat("in", &in), 0);
    assert_true(commit_is_read(fixture.commit, &in));
    fixture_done(&fixture);
}

static void where_case_is_folded_two_names_are_one(void **state)
{
    (void)state;
    struct fixture fixture;
    struct stat st;
    fixture_init(&fixture);
    folds = true;
    const struct commit_request lower = request_for("", "a.jpg", NULL);
    const struct commit_request upper = request_for("", "A.JPG", NULL);
    assert_int_equal(commit_file(fixture.commit, &upper, &fixture.message), 0);
    assert_int_equal(commit_file(fixture.commit, &lower, &fixture.message), -EEXIST);
    assert_non_null(strstr(text_string(&fixture.message), "from another file already"));
    assert_int_equal(count_entries("out"), 1);
    /* The next run: one of them is there, and stays. */
    fixture_done(&fixture);
    fixture_init(&fixture);
    assert_int_equal(stat("out/a.jpg", &st), 0);
    assert_int_equal(commit_keep(fixture.commit, &st), 0);
    assert_int_equal(commit_file(fixture.commit, &upper, &fixture.message), -EEXIST);
    /* The case twin of a source is its source. */
    write_text("out/b.jpg", "a source");
    assert_int_equal(stat("out/b.jpg", &st), 0);
    struct commit_request twin = request_for("", "B.JPG", NULL);
    twin.source_device = st.st_dev;
    twin.source_inode = st.st_ino;
    assert_int_equal(commit_file(fixture.commit, &twin, &fixture.message), -EEXIST);
    assert_string_equal(read_file("out/b.jpg", NULL), "a source");
    fixture_done(&fixture);
}

static bool own(void *data, int dir_fd, const char *name)
{
    struct answer *given = data;
    struct stat st;
    assert_int_equal(fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    return given->code == 0;
}

/* A hard link stands for an inode number that serves again. */
static void what_another_run_made_of_the_same_source_is_no_collision(void **state)
{
    (void)state;
    struct fixture fixture;
    struct answer given = {.code = 0};
    fixture_init(&fixture);
    struct commit_request request = request_for("", "x.jpg", &given);
    assert_int_equal(commit_file(fixture.commit, &request, &fixture.message), 0);
    assert_int_equal(link("out/x.jpg", "out/y.jpg"), 0);
    request.name = "y.jpg";
    assert_int_equal(commit_file(fixture.commit, &request, &fixture.message), -EEXIST);
    request.is_own = own;
    given.code = -EEXIST;
    assert_int_equal(commit_file(fixture.commit, &request, &fixture.message), -EEXIST);
    given.code = 0;
    assert_int_equal(commit_file(fixture.commit, &request, &fixture.message), 0);
    assert_string_equal(read_file("out/y.jpg", NULL), "new");
    fixture_done(&fixture);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(who_asks_decides_what_is_replaced),
        TEST(a_look_makes_nothing),
        TEST(what_is_kept_or_protected_is_not_replaced),
        TEST(where_case_is_folded_two_names_are_one),
        TEST(what_another_run_made_of_the_same_source_is_no_collision),
    };
    return test_run("app commit targets", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
