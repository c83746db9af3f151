/* Built twice: as it is, and with LINKS_REFUSED, as on a file system where a file without a name
 * cannot get one. */
#include "app/commit_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "isolate.h"

/* ---- System calls that the tests watch ----------------------------------------------------- */

static struct {
    unsigned syncs;
    unsigned fail_sync;      /* number of the one that fails; 0: none */
    const char *rival, *to;  /* linked just before a name is given that must be free; NULL: no */
    unsigned names;          /* given that way */
    bool links_refused;      /* as where links are not for everybody */
    bool renames_are_simple; /* as on a file system that does not know those that replace nothing */
    bool modes_are_fixed;    /* as on FAT */
    mode_t born;             /* what the file might when it was made */
} watched = {
#ifdef LINKS_REFUSED
    .links_refused = true
#endif
};

ssize_t __real_write(int fd, const void *data, size_t size_bytes);
ssize_t __wrap_write(int fd, const void *data, size_t size_bytes);
ssize_t __wrap_write(int fd, const void *data, size_t size_bytes)
{
    struct stat st;
    if (fstat(fd, &st) == 0)
        watched.born = st.st_mode & 07777;
    return __real_write(fd, data, size_bytes);
}

int __real_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode)
{
    if (!watched.modes_are_fixed)
        return __real_fchmod(fd, mode);
    errno = EPERM;
    return -1;
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    if (++watched.syncs != watched.fail_sync)
        return __real_fsync(fd);
    errno = EIO;
    return -1;
}

static void let_a_rival_in(void)
{
    watched.names++;
    if (watched.rival)
        assert_int_equal(link(watched.rival, watched.to), 0);
    watched.rival = NULL;
}

int __real_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    if (watched.links_refused) {
        errno = EPERM;
        return -1;
    }
    let_a_rival_in();
    int r = __real_linkat(from_fd, from, to_fd, to, flags);
    if (r < 0 && errno == ENOENT && (flags & AT_EMPTY_PATH))
        watched.names--; /* refused by an older kernel: it is tried in another way */
    return r;
}

int __real_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags);
int __wrap_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags);
int __wrap_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    if (watched.renames_are_simple) {
        watched.names++;
        errno = EINVAL;
        return -1;
    }
    let_a_rival_in();
    return __real_renameat2(from_fd, from, to_fd, to, flags);
}

/* Commits below "out" for the PATHs "in" and "named.png". */
struct fixture {
    struct inputs *inputs;
    struct inode_set read_folders, roots;
    struct commit *commit;
    struct text message;
};

static void fixture_init_with(struct fixture *fixture, bool sync)
{
    static const char *paths[] = {"in", "named.png"};
    struct options options = {.output = "out", .paths = paths, .path_count = 2};
    *fixture = (struct fixture){0};
    make_folder(scratch("in"));
    write_text(scratch("in/source"), "the source");
    write_text(scratch("named.png"), "another source");
    assert_int_equal(chdir(test_scratch()), 0);
    assert_int_equal(inputs_create(&options, &fixture->inputs, &fixture->message), 0);
    assert_int_equal(inputs_register(fixture->inputs, &fixture->read_folders), 0);
    assert_int_equal(commit_create(fixture->inputs, &fixture->read_folders, &fixture->roots, sync,
                                   true, &fixture->commit),
                     0);
}

static void fixture_init(struct fixture *fixture)
{
    fixture_init_with(fixture, false);
}

static void fixture_done(struct fixture *fixture)
{
    commit_free(fixture->commit);
    inputs_free(fixture->inputs);
    inode_set_done(&fixture->read_folders);
    inode_set_done(&fixture->roots);
    text_done(&fixture->message);
}

/* source: whose thumbnail it is. */
static int commit_it(struct fixture *fixture, const char *folder, const char *name,
                     const char *data, const char *source)
{
    struct stat st;
    assert_int_equal(stat(source, &st), 0);
    const struct commit_request request = {.folder = folder,
                                           .name = name,
                                           .source_device = st.st_dev,
                                           .source_inode = st.st_ino,
                                           .source_mode = st.st_mode,
                                           .source_group = st.st_gid,
                                           .data = data,
                                           .size_bytes = strlen(data)};
    text_cut(&fixture->message, 0);
    return commit_file(fixture->commit, &request, &fixture->message);
}

static int put(struct fixture *fixture, const char *folder, const char *name, const char *data)
{
    return commit_it(fixture, folder, name, data, "in/source");
}

static void a_thumbnail_gets_its_name_and_nothing_else_is_left(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    assert_int_equal(put(&fixture, "a/b", "x.jpg", "bytes"), 0);
    assert_string_equal(read_file("out/a/b/x.jpg", NULL), "bytes");
    assert_int_equal(count_entries("out/a/b"), 1);
    assert_int_equal(put(&fixture, "", "y.jpg", ""), 0);
    assert_int_equal(count_entries("out"), 2);
    fixture_done(&fixture);
    /* The next run replaces it. */
    fixture_init(&fixture);
    assert_int_equal(put(&fixture, "a/b", "x.jpg", "new"), 0);
    assert_string_equal(read_file("out/a/b/x.jpg", NULL), "new");
    assert_int_equal(count_entries("out/a/b"), 1);
    fixture_done(&fixture);
    assert_null(commit_free(NULL));
}

static void modes_are_never_wider_than_the_sources(void **state)
{
    (void)state;
    static const mode_t sources[] = {0777, 0644, 0640, 0600, 0400, 0444, 0};
    static const mode_t masks[] = {0, 0022, 0077, 0027};
    for (size_t m = 0; m < sizeof(masks) / sizeof(masks[0]); m++) {
        struct fixture fixture;
        umask(masks[m]);
        fixture_init(&fixture);
        for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
            struct stat st;
            assert_int_equal(chmod("in/source", sources[i]), 0);
            char name[] = "0.jpg";
            name[0] = (char)('0' + i);
            assert_int_equal(put(&fixture, "m", name, "x"), 0);
            assert_int_equal(stat(scratch("out/m/%s", name), &st), 0);
            assert_int_equal(st.st_mode & 07777, sources[i] & 0666 & ~masks[m]);
            /* Nor before it is finished, but for its owner, who writes it. */
            assert_int_equal(watched.born & ~st.st_mode & ~(mode_t)0600 & 07777, 0);
            assert_int_equal(watched.born & 0600, 0600 & ~masks[m]);
        }
        assert_int_equal(chmod("in/source", 0644), 0);
        fixture_done(&fixture);
        assert_int_equal(umask(0), masks[m]);
        for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
            assert_int_equal(unlink(scratch("out/m/%zu.jpg", i)), 0);
    }
}

static void another_group_gets_the_rights_of_everybody(void **state)
{
    (void)state;
    static const struct {
        mode_t source, made;
    } rows[] = {{0640, 0600}, {0644, 0644}, {0664, 0644}, {0660, 0600}, {0604, 0604}};
    struct fixture fixture;
    struct stat st;
    umask(0);
    fixture_init(&fixture);
    if (chown("in/source", (uid_t)-1, getegid() + 1) < 0) { /* no right to */
        fixture_done(&fixture);
        skip();
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char name[] = "0.jpg";
        name[0] = (char)('0' + i);
        assert_int_equal(chmod("in/source", rows[i].source), 0);
        assert_int_equal(put(&fixture, "", name, "x"), 0);
        assert_int_equal(stat(scratch("out/%s", name), &st), 0);
        assert_int_equal(st.st_mode & 07777, rows[i].made);
        assert_int_equal(watched.born, 0600 | rows[i].made);
    }
    fixture_done(&fixture);
}

static void a_mode_that_cannot_be_changed_will_do_if_it_is_narrow(void **state)
{
    (void)state;
    static const mode_t sources[] = {0400, 0444, 0777};
    struct fixture fixture;
    struct stat st;
    umask(0);
    fixture_init(&fixture);
    watched.modes_are_fixed = true;
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        char name[] = "0.jpg";
        name[0] = (char)('0' + i);
        assert_int_equal(chmod("in/source", sources[i]), 0);
        assert_int_equal(put(&fixture, "", name, "x"), 0);
        assert_int_equal(stat(scratch("out/%s", name), &st), 0);
        assert_int_equal(st.st_mode & 0066 & ~sources[i], 0);
    }
    fixture_done(&fixture);
}

static void one_name_is_given_once_in_a_run(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    assert_int_equal(put(&fixture, "", "x.jpg", "first"), 0);
    assert_int_equal(put(&fixture, "", "x.jpg", "second"), -EEXIST);
    assert_non_null(strstr(text_string(&fixture.message), "out/x.jpg"));
    assert_string_equal(read_file("out/x.jpg", NULL), "first");
    /* By whatever way it is reached: here a hard link stands for a name that differs in case. */
    assert_int_equal(link("out/x.jpg", "out/X.JPG"), 0);
    assert_int_equal(put(&fixture, "", "X.JPG", "second"), -EEXIST);
    assert_string_equal(read_file("out/x.jpg", NULL), "first");
    fixture_done(&fixture);
}

static void sources_are_never_replaced(void **state)
{
    (void)state;
    struct fixture fixture;
    struct stat st;
    fixture_init(&fixture);
    make_folder(scratch("out/read/sub"));
    assert_int_equal(link("in/source", "out/own"), 0);
    assert_int_equal(link("named.png", "out/named"), 0);
    write_text("out/read/file", "a source");
    write_text("out/read/sub/file", "a source that is walked later");
    write_text("out/late", "a source by then");
    const uint64_t before = tree_hash("out", NULL);
    assert_int_equal(stat("out/read", &st), 0);
    assert_int_equal(inode_set_add(&fixture.read_folders, st.st_dev, st.st_ino), 1);

    assert_int_equal(put(&fixture, "", "own", "x"), -EEXIST);
    assert_non_null(strstr(text_string(&fixture.message), "own source"));
    assert_int_equal(put(&fixture, "", "named", "x"), -EEXIST);
    assert_int_equal(put(&fixture, "read", "file", "x"), -EEXIST);
    assert_int_equal(put(&fixture, "read/sub", "file", "x"), -EEXIST);
    /* A folder that turns out to be read after it was opened for writing. */
    assert_int_equal(stat("out", &st), 0);
    assert_int_equal(inode_set_add(&fixture.read_folders, st.st_dev, st.st_ino), 1);
    assert_int_equal(put(&fixture, "", "late", "x"), -EEXIST);
    assert_int_equal(tree_hash("out", NULL), before);
    /* A new name in a folder that is read takes nothing from anybody. */
    assert_int_equal(put(&fixture, "read", "new", "x"), 0);
    fixture_done(&fixture);
}

static void only_files_are_replaced(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    make_folder(scratch("out/folder"));
    assert_int_equal(mkfifo("out/fifo", 0600), 0);
    assert_int_equal(symlink("../precious", "out/link"), 0);
    write_text("precious", "untouched");
    assert_int_equal(put(&fixture, "", "folder", "x"), -EEXIST);
    assert_int_equal(put(&fixture, "", "fifo", "x"), -EEXIST);
    /* A link gives way itself; what it leads to stays. */
    assert_int_equal(put(&fixture, "", "link", "thumbnail"), 0);
    assert_string_equal(read_file("precious", NULL), "untouched");
    assert_string_equal(read_file("out/link", NULL), "thumbnail");
    assert_int_equal(count_entries("out"), 3);
    fixture_done(&fixture);
}

static void names_too_long_fail_alone(void **state)
{
    (void)state;
    struct fixture fixture;
    char name[300];
    memset(name, 'x', 259);
    name[259] = '\0';
    fixture_init(&fixture);
    assert_int_equal(put(&fixture, "", name, "x"), -ENAMETOOLONG);
    assert_int_equal(put(&fixture, "", name + 4, "x"), 0); /* 255 bytes: just fits */
    fixture_done(&fixture);
}

static void a_folder_removed_meanwhile_is_made_again(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    assert_int_equal(put(&fixture, "a", "x.jpg", "x"), 0);
    assert_int_equal(unlink("out/a/x.jpg"), 0);
    assert_int_equal(rmdir("out/a"), 0);
    assert_int_equal(put(&fixture, "a", "y.jpg", "y"), 0);
    assert_string_equal(read_file("out/a/y.jpg", NULL), "y");
    fixture_done(&fixture);
}

static void a_write_that_fails_leaves_no_trace(void **state)
{
    (void)state;
    struct fixture fixture;
    const struct rlimit little = {.rlim_cur = 1000, .rlim_max = RLIM_INFINITY};
    char *data = keep(calloc(1, 5001));
    memset(data, 'x', 5000);
    fixture_init(&fixture);
    assert_int_equal(put(&fixture, "", "old.jpg", "old"), 0);
    fixture_done(&fixture);
    fixture_init(&fixture);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    assert_int_equal(put(&fixture, "", "old.jpg", data), -EFBIG);
    assert_non_null(strstr(text_string(&fixture.message), "File too large"));
    assert_int_equal(put(&fixture, "", "new.jpg", data), -EFBIG);
    assert_string_equal(read_file("out/old.jpg", NULL), "old");
    assert_int_equal(count_entries("out"), 1);
    fixture_done(&fixture);
}

static void a_folder_without_permission_ends_it(void **state)
{
    (void)state;
    struct fixture fixture;
    if (geteuid() == 0)
        skip();
    make_folder(scratch("out/locked"));
    assert_int_equal(chmod(scratch("out/locked"), 0500), 0);
    fixture_init(&fixture);
    assert_int_equal(put(&fixture, "locked", "x.jpg", "x"), -EACCES);
    assert_int_equal(put(&fixture, "locked/below", "x.jpg", "x"), -EACCES);
    fixture_done(&fixture);
}

/* A source that gets a thumbnail's name at the last moment. */
static void a_name_taken_at_the_last_moment_is_looked_at_again(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    assert_int_equal(put(&fixture, "", "first.jpg", "x"), 0);
    watched.rival = "named.png";
    watched.to = "out/x.jpg";
    assert_int_equal(put(&fixture, "", "x.jpg", "thumbnail"), -EEXIST);
    assert_null(watched.rival);
    assert_string_equal(read_file("out/x.jpg", NULL), "another source");
    assert_int_equal(count_entries("out"), 2);
    /* What may be replaced is. */
    write_text("harmless", "old thumbnail");
    watched.rival = "harmless";
    watched.to = "out/y.jpg";
    assert_int_equal(put(&fixture, "", "y.jpg", "thumbnail"), 0);
    assert_string_equal(read_file("out/y.jpg", NULL), "thumbnail");
    assert_string_equal(read_file("harmless", NULL), "old thumbnail");
    assert_int_equal(watched.names, 3);
    fixture_done(&fixture);
}

static void file_systems_without_such_renames_do_too(void **state)
{
    (void)state;
    struct fixture fixture;
    watched.links_refused = true;
    watched.renames_are_simple = true;
    fixture_init(&fixture);
    assert_int_equal(put(&fixture, "", "x.jpg", "first"), 0);
    assert_int_equal(watched.names, 1);
    assert_string_equal(read_file("out/x.jpg", NULL), "first");
    assert_int_equal(count_entries("out"), 1);
    fixture_done(&fixture);
}

static void with_sync_files_and_folders_are_synced_in_time(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    assert_int_equal(put(&fixture, "a", "x.jpg", "x"), 0);
    assert_int_equal(watched.syncs, 0);
    fixture_done(&fixture);
    fixture_init_with(&fixture, true);
    assert_int_equal(put(&fixture, "a", "first.jpg", "x"),
                     0); /* maybe written twice: see commit.c */
    watched.syncs = 0;
    assert_int_equal(put(&fixture, "a", "y.jpg", "x"), 0);
    assert_int_equal(watched.syncs, 2); /* the file, and its folder */
    assert_int_equal(put(&fixture, "b/c", "y.jpg", "x"), 0);
    assert_int_equal(watched.syncs, 6); /* and those that have got new folders */
    fixture_done(&fixture);
    watched.syncs = 0;
}

static void a_sync_that_fails_is_not_asked_again(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init_with(&fixture, true);
    watched.fail_sync = 3; /* "out" and "out/a" have been made before */
    assert_int_equal(put(&fixture, "a", "x.jpg", "x"), -EIO);
    assert_int_equal(watched.syncs, 3);
    assert_int_equal(count_entries("out/a"), 0); /* neither the name nor the temporary file */
    watched.fail_sync = 1;
    watched.syncs = 0;
    assert_int_equal(put(&fixture, "new", "x.jpg", "x"), -EIO);
    fixture_done(&fixture);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(a_thumbnail_gets_its_name_and_nothing_else_is_left),
        TEST(modes_are_never_wider_than_the_sources),
        TEST(another_group_gets_the_rights_of_everybody),
        TEST(a_mode_that_cannot_be_changed_will_do_if_it_is_narrow),
        TEST(one_name_is_given_once_in_a_run),
        TEST(sources_are_never_replaced),
        TEST(only_files_are_replaced),
        TEST(names_too_long_fail_alone),
        TEST(a_folder_removed_meanwhile_is_made_again),
        TEST(a_write_that_fails_leaves_no_trace),
        TEST(a_folder_without_permission_ends_it),
        TEST(a_name_taken_at_the_last_moment_is_looked_at_again),
        TEST(file_systems_without_such_renames_do_too),
        TEST(with_sync_files_and_folders_are_synced_in_time),
        TEST(a_sync_that_fails_is_not_asked_again),
    };
    return test_run("app commit", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
