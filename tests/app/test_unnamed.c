#include "app/unnamed_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "files.h"
#include "isolate.h"

/* ---- System calls that the tests watch ----------------------------------------------------- */

static struct {
    atomic_uint by_caller, ahead; /* files opened without a name */
    atomic_int error;             /* that opening them gives; 0: none */
    pid_t caller;
    int refusal;       /* what linking a descriptor as such gives; 0: what the kernel says */
    unsigned refused;  /* so often */
    unsigned by_paths; /* links made by a path */
} watched;

int __real_openat(int dir_fd, const char *path, int flags, ...);
int __wrap_openat(int dir_fd, const char *path, int flags, ...);
int __wrap_openat(int dir_fd, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if ((flags & O_TMPFILE) == O_TMPFILE) {
        atomic_fetch_add(gettid() == watched.caller ? &watched.by_caller : &watched.ahead, 1U);
        const int error = atomic_load(&watched.error);
        if (error) {
            errno = error;
            return -1;
        }
    }
    return __real_openat(dir_fd, path, flags, mode);
}

int __real_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    if ((flags & AT_EMPTY_PATH) && watched.refusal) {
        watched.refused++;
        errno = watched.refusal;
        return -1;
    }
    const int r = __real_linkat(from_fd, from, to_fd, to, flags);
    watched.by_paths += r == 0 && !(flags & AT_EMPTY_PATH);
    return r;
}

struct fixture {
    struct unnamed *unnamed;
    struct outdir folders[2];
};

static void fixture_init_with(struct fixture *fixture, bool ahead)
{
    static const char *const names[] = {"a", "b"};
    watched.caller = gettid();
    umask(022);
    assert_int_equal(chdir(test_scratch()), 0);
    assert_int_equal(unnamed_create(ahead, &fixture->unnamed), 0);
    for (size_t i = 0; i < 2; i++) {
        struct stat st;
        make_folder(scratch("%s", names[i]));
        struct outdir *folder = &fixture->folders[i];
        folder->fd = open(scratch("%s", names[i]), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(folder->fd >= 0);
        assert_int_equal(fstat(folder->fd, &st), 0);
        folder->device = st.st_dev;
        folder->inode = st.st_ino;
    }
}

static void fixture_init(struct fixture *fixture)
{
    fixture_init_with(fixture, true);
}

/* The runner sees to it that no descriptor and no thread is left. */
static void fixture_done(struct fixture *fixture)
{
    assert_null(unnamed_free(fixture->unnamed));
    close(fixture->folders[0].fd);
    close(fixture->folders[1].fd);
}

static void make(struct fixture *fixture, size_t folder, unsigned number, mode_t mode)
{
    char name[16];
    snprintf(name, sizeof(name), "%u", number);
    int fd = unnamed_open(fixture->unnamed, &fixture->folders[folder], mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, name, strlen(name)), strlen(name));
    assert_int_equal(unnamed_link(fixture->unnamed, fd, &fixture->folders[folder], name), 0);
    close(fd);
}

static bool comes_true(atomic_uint *count, unsigned least)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    for (int i = 0; i < 10000 && atomic_load(count) < least; i++)
        nanosleep(&moment, NULL);
    return atomic_load(count) >= least;
}

/* ---- Tests --------------------------------------------------------------------------------- */

static void a_file_has_no_name_until_it_gets_one(void **state)
{
    (void)state;
    struct fixture fixture;
    struct stat st;
    fixture_init(&fixture);
    int fd = unnamed_open(fixture.unnamed, &fixture.folders[0], 0640);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(write(fd, "bytes", 5), 5);
    assert_int_equal(count_entries("a"), 0);
    assert_int_equal(unnamed_link(fixture.unnamed, fd, &fixture.folders[0], "x"), 0);
    assert_string_equal(read_file("a/x", NULL), "bytes");
    assert_int_equal(stat(scratch("a/x"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_nlink, 1);
    close(fd);
    fd = unnamed_open(fixture.unnamed, &fixture.folders[0], 0640);
    assert_true(fd >= 0);
    close(fd); /* as if the run had been killed */
    assert_int_equal(count_entries("a"), 1);
    fixture_done(&fixture);
}

static void a_name_that_is_taken_stays_what_it_is(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    write_text(scratch("a/x"), "somebody else's");
    assert_int_equal(symlink("nowhere", scratch("a/link")), 0);
    int fd = unnamed_open(fixture.unnamed, &fixture.folders[0], 0600);
    assert_true(fd >= 0);
    assert_int_equal(unnamed_link(fixture.unnamed, fd, &fixture.folders[0], "x"), -EEXIST);
    assert_int_equal(unnamed_link(fixture.unnamed, fd, &fixture.folders[0], "link"), -EEXIST);
    assert_string_equal(read_file("a/x", NULL), "somebody else's");
    assert_int_equal(unnamed_link(fixture.unnamed, fd, &fixture.folders[0], "y"), 0);
    close(fd);
    fixture_done(&fixture);
}

static void a_folder_that_is_gone_is_told_from_missing_support(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    int fd = unnamed_open(fixture.unnamed, &fixture.folders[0], 0600);
    assert_true(fd >= 0);
    assert_int_equal(rmdir(scratch("a")), 0);
    assert_int_equal(unnamed_link(fixture.unnamed, fd, &fixture.folders[0], "x"), -ENOENT);
    close(fd);
    fixture_done(&fixture);
}

/* As a kernel before 6.10 does with everybody but root. */
static void where_a_descriptor_cannot_be_linked_its_path_is(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    watched.refusal = ENOENT;
    for (unsigned i = 0; i < 3; i++)
        make(&fixture, 0, i, 0644);
    assert_int_equal(watched.refused, 1); /* asked once */
    assert_int_equal(watched.by_paths, 3);
    assert_string_equal(read_file("a/2", NULL), "2");
    int fd = unnamed_open(fixture.unnamed, &fixture.folders[0], 0600);
    assert_true(fd >= 0);
    assert_int_equal(unnamed_link(fixture.unnamed, fd, &fixture.folders[0], "2"), -EEXIST);
    assert_int_equal(rmdir(scratch("b")), 0);
    assert_int_equal(unnamed_link(fixture.unnamed, fd, &fixture.folders[1], "x"), -ENOENT);
    close(fd);
    fixture_done(&fixture);
}

static void file_systems_that_have_none_are_told_by_one_error(void **state)
{
    (void)state;
    static const int errors[] = {EOPNOTSUPP, EISDIR, EINVAL};
    struct fixture fixture;
    fixture_init(&fixture);
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        watched.error = errors[i];
        assert_int_equal(unnamed_open(fixture.unnamed, &fixture.folders[0], 0600), -EOPNOTSUPP);
    }
    watched.error = EMFILE;
    assert_int_equal(unnamed_open(fixture.unnamed, &fixture.folders[0], 0600), -EMFILE);
    fixture_done(&fixture);
}

static void many_in_a_row_are_made_ahead(void **state)
{
    (void)state;
    struct fixture fixture;
    struct stat st;
    fixture_init(&fixture);
    for (unsigned i = 0; i < 20; i++)
        make(&fixture, 0, i, 0644);
    assert_int_equal(watched.ahead, 0); /* they may have been all */
    unsigned made = 20;
    while (made < 33)
        make(&fixture, 0, made++, 0644);
    /* The 32nd has set the thread to work. Of what it makes no more were taken than there came
     * files since; when it is at one more than what is needed, that one is ready. */
    const unsigned by_caller = watched.by_caller;
    for (; made < 36; made++) {
        assert_true(comes_true(&watched.ahead, made - 30));
        make(&fixture, 0, made, 0644);
    }
    assert_int_equal(watched.by_caller, by_caller);
    for (unsigned i = 0; i < made; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%u", i);
        assert_string_equal(read_file(scratch("a/%u", i), NULL), text);
        assert_int_equal(stat(scratch("a/%u", i), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0644);
    }
    fixture_done(&fixture);
    assert_int_equal(count_entries("a"), made);
}

static void where_it_is_not_wanted_nothing_is_made_ahead(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init_with(&fixture, false);
    for (unsigned i = 0; i < 60; i++)
        make(&fixture, 0, i, 0644);
    fixture_done(&fixture); /* waits for a thread, were there one */
    assert_int_equal(watched.ahead, 0);
    assert_int_equal(watched.by_caller, 60);
    assert_int_equal(count_entries("a"), 60);
}

static void what_is_ready_serves_one_folder_and_one_mode(void **state)
{
    (void)state;
    struct fixture fixture;
    struct stat st;
    fixture_init(&fixture);
    for (unsigned i = 0; i < 60; i++)
        make(&fixture, 0, i, 0644);
    assert_true(comes_true(&watched.ahead, 8));
    make(&fixture, 1, 0, 0644);
    make(&fixture, 1, 1, 0600);
    assert_int_equal(count_entries("b"), 2);
    assert_int_equal(stat(scratch("b/0"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_int_equal(stat(scratch("b/1"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    unnamed_forget(fixture.unnamed);
    for (unsigned i = 60; i < 130; i++)
        make(&fixture, 0, i, 0644);
    assert_int_equal(count_entries("a"), 130);
    fixture_done(&fixture);
}

static void an_error_ahead_is_met_by_the_caller(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    for (unsigned i = 0; i < 31; i++)
        make(&fixture, 0, i, 0644);
    watched.error = ENOSPC;
    assert_int_equal(unnamed_open(fixture.unnamed, &fixture.folders[0], 0644), -ENOSPC);
    assert_true(comes_true(&watched.ahead, 1));
    assert_int_equal(unnamed_open(fixture.unnamed, &fixture.folders[0], 0644), -ENOSPC);
    watched.error = 0;
    make(&fixture, 0, 31, 0644); /* room again */
    fixture_done(&fixture);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(a_file_has_no_name_until_it_gets_one),
        TEST(a_name_that_is_taken_stays_what_it_is),
        TEST(a_folder_that_is_gone_is_told_from_missing_support),
        TEST(where_a_descriptor_cannot_be_linked_its_path_is),
        TEST(file_systems_that_have_none_are_told_by_one_error),
        TEST(many_in_a_row_are_made_ahead),
        TEST(where_it_is_not_wanted_nothing_is_made_ahead),
        TEST(what_is_ready_serves_one_folder_and_one_mode),
        TEST(an_error_ahead_is_met_by_the_caller),
    };
    return test_run("app unnamed", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
