#include "app/walk_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/plan_priv.h"
#include "files.h"
#include "isolate.h"
#include "walks.h"

/* A whole walk as one line a file: "F path" (to be opened), "S path: why" or "X path: cause". */
static char *walk_all(const struct walk_options *options, const char *const *paths)
{
    const char *copy[8] = {NULL};
    struct options asked = {.paths = copy};
    struct inputs *inputs = NULL;
    struct walk *walk = NULL;
    struct walk_entry entry;
    struct text message = TEXT_INIT, lines = TEXT_INIT, shown = TEXT_INIT;
    for (; paths[asked.path_count]; asked.path_count++)
        copy[asked.path_count] = paths[asked.path_count];
    assert_int_equal(inputs_create(&asked, &inputs, &message), 0);
    assert_int_equal(walk_create(options, inputs, &walk), 0);
    int r;
    while ((r = walk_next(walk, true, &entry)) == 1) {
        text_cut(&shown, 0);
        plan_shown(&shown, inputs, &entry);
        text_printf(&lines, "%c %s",
                    entry.kind == WALK_FILE      ? 'F'
                    : entry.kind == WALK_SKIPPED ? 'S'
                                                 : 'X',
                    text_string(&shown));
        if (entry.kind == WALK_SKIPPED)
            text_printf(&lines, ": %s", entry.why);
        if (entry.kind == WALK_FAILED)
            text_printf(&lines, ": %s", strerror(-entry.error));
        text_puts(&lines, "\n");
        if (entry.kind == WALK_FILE) { /* it can be opened where it is said to be */
            int fd = openat(entry.dir_fd, entry.open_name, O_RDONLY | O_CLOEXEC);
            assert_true(fd >= 0);
            close(fd);
        }
    }
    assert_int_equal(r, 0);
    walk_free(walk);
    inputs_free(inputs);
    text_done(&message);
    text_done(&shown);
    if (!lines.data)
        text_puts(&lines, "");
    return keep(lines.data);
}

static char *walk_here(struct walk_options options)
{
    static const char *const here[] = {"in", NULL};
    assert_int_equal(chdir(test_scratch()), 0);
    return walk_all(&options, here);
}

static void files_come_first_and_all_in_bytewise_order(void **state)
{
    (void)state;
    make_folder(scratch("in/b/deep"));
    make_folder(scratch("in/a"));
    make_folder(scratch("in/empty"));
    write_text(scratch("in/z"), "");
    write_text(scratch("in/B"), "");
    write_text(scratch("in/b/1"), "");
    write_text(scratch("in/b/deep/2"), "");
    write_text(scratch("in/a/3"), "");
    assert_string_equal(walk_here((struct walk_options){0}),
                        "F in/B\nF in/z\nF in/a/3\nF in/b/1\nF in/b/deep/2\n");
    assert_string_equal(walk_here((struct walk_options){.max_depth = 1}), "F in/B\nF in/z\n");
    assert_string_equal(walk_here((struct walk_options){.max_depth = 2}),
                        "F in/B\nF in/z\nF in/a/3\nF in/b/1\n");
}

static void several_paths_are_walked_in_their_order(void **state)
{
    (void)state;
    make_folder(scratch("in/b"));
    make_folder(scratch("in/a"));
    write_text(scratch("in/b/1"), "");
    write_text(scratch("in/a/2"), "");
    assert_int_equal(chdir(scratch("in")), 0);
    static const char *const paths[] = {"b", "nothing", "a/2", ".", NULL};
    const struct walk_options options = {.hidden = false};
    assert_string_equal(walk_all(&options, paths), "F b/1\nX nothing: No such file or directory\n"
                                                   "F a/2\nF a/2\nF b/1\n");
}

static void hidden_entries_are_left_alone_unless_wanted(void **state)
{
    (void)state;
    make_folder(scratch("in/.secret"));
    write_text(scratch("in/.a"), "");
    write_text(scratch("in/.secret/b"), "");
    assert_string_equal(walk_here((struct walk_options){0}), "S in/.a: hidden\n");
    assert_string_equal(walk_here((struct walk_options){.hidden = true}),
                        "F in/.a\nF in/.secret/b\n");
}

static void what_is_no_regular_file_is_skipped(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    make_folder(scratch("in/folder"));
    assert_int_equal(chdir(scratch("in")), 0);
    strcpy(address.sun_path, "socket");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(symlink("folder", "link"), 0);
    assert_int_equal(symlink("nothing", "broken"), 0);
    assert_string_equal(walk_here((struct walk_options){0}),
                        "S in/broken: symbolic link\nS in/fifo: FIFO\nS in/link: symbolic link\n"
                        "S in/socket: socket\n");
    assert_string_equal(walk_here((struct walk_options){.follow = true}),
                        "S in/broken: broken symbolic link\nS in/fifo: FIFO\n"
                        "S in/socket: socket\n");
}

static void followed_links_do_not_lead_in_circles(void **state)
{
    (void)state;
    make_folder(scratch("in/a/b"));
    make_folder(scratch("aside/below"));
    write_text(scratch("in/a/b/file"), "");
    write_text(scratch("aside/below/file"), "");
    assert_int_equal(symlink("..", scratch("in/a/b/up")), 0);
    assert_int_equal(symlink("../../..", scratch("in/a/b/top")), 0);
    assert_int_equal(symlink(".", scratch("in/self")), 0);
    assert_int_equal(symlink("../aside", scratch("in/aside")), 0);
    assert_int_equal(symlink("a/b/file", scratch("in/file")), 0);
    assert_int_equal(symlink("loop", scratch("in/loop")), 0);
    const char *lines = walk_here((struct walk_options){.follow = true, .held_max = 1});
    assert_non_null(strstr(lines, "F in/file\n"));
    assert_non_null(strstr(lines, "S in/loop: broken symbolic link\n"));
    assert_non_null(strstr(lines, "F in/a/b/file\n"));
    assert_non_null(strstr(lines, "S in/a/b/up: symbolic link loop\n"));
    assert_non_null(strstr(lines, "S in/self: symbolic link loop\n"));
    assert_non_null(strstr(lines, "F in/aside/below/file\n"));
    assert_true(strlen(lines) < 2000);
}

static void output_roots_are_not_entered(void **state)
{
    (void)state;
    struct stat st;
    struct inode_set outputs = INODE_SET_INIT;
    make_folder(scratch("in/thumbs/deep"));
    make_folder(scratch("in/z"));
    write_text(scratch("in/thumbs/deep/file"), "");
    write_text(scratch("in/z/file"), "");
    assert_int_equal(symlink("thumbs/deep", scratch("in/into")), 0);
    assert_int_equal(stat(scratch("in/thumbs"), &st), 0);
    assert_int_equal(inode_set_add(&outputs, st.st_dev, st.st_ino), 1);
    assert_string_equal(walk_here((struct walk_options){.outputs = &outputs}),
                        "S in/into: symbolic link\nF in/z/file\n");
    assert_string_equal(walk_here((struct walk_options){.outputs = &outputs, .follow = true}),
                        "F in/z/file\n");
    /* But a PATH of the command line is what the user asked for. */
    static const char *const named[] = {"in/thumbs", NULL};
    const struct walk_options options = {.outputs = &outputs};
    assert_string_equal(walk_all(&options, named), "F in/thumbs/deep/file\n");
    inode_set_done(&outputs);
}

static void folders_read_are_registered(void **state)
{
    (void)state;
    struct stat st;
    struct inode_set folders = INODE_SET_INIT;
    make_folder(scratch("in/a/b"));
    make_folder(scratch("in/.c"));
    walk_here((struct walk_options){.read_folders = &folders});
    assert_int_equal(folders.count, 3);
    assert_int_equal(stat(scratch("in/a/b"), &st), 0);
    assert_true(inode_set_has(&folders, st.st_dev, st.st_ino));
    inode_set_done(&folders);
}

static void an_unreadable_folder_is_a_failed_input(void **state)
{
    (void)state;
    if (geteuid() == 0)
        skip();
    make_folder(scratch("in/locked"));
    write_text(scratch("in/z"), "");
    assert_int_equal(chmod(scratch("in/locked"), 0), 0);
    assert_string_equal(walk_here((struct walk_options){0}),
                        "F in/z\nX in/locked: Permission denied\n");
    assert_int_equal(chmod(scratch("in/locked"), 0700), 0);
}

/* Deeper than PATH_MAX and than descriptors allow. */
static void very_deep_trees_are_walked_with_few_descriptors(void **state)
{
    (void)state;
    enum { DEPTH = 300 };
    const struct rlimit few = {.rlim_cur = 24, .rlim_max = 24};
    const char *name = "a-name-of-some-length-so-that-the-path-gets-longer-than-PATH_MAX";
    make_folder(scratch("in"));
    assert_int_equal(chdir(scratch("in")), 0);
    for (int i = 0; i < DEPTH; i++) {
        assert_int_equal(mkdir(name, 0700), 0);
        assert_int_equal(mkdir("z-after", 0700), 0);
        write_text("z-after/file", "");
        assert_int_equal(chdir(name), 0);
    }
    write_text("bottom", "");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    const char *lines = walk_here((struct walk_options){.held_max = 4});
    int files = 0, failed = 0;
    for (const char *at = lines; *at; at += strcspn(at, "\n") + 1) {
        files += *at == 'F';
        failed += *at == 'X';
    }
    assert_int_equal(failed, 0);
    assert_int_equal(files, DEPTH + 1);
}

static void a_walk_short_of_descriptors_waits_when_told_to(void **state)
{
    (void)state;
    struct walk_options options = {.hidden = false};
    struct walk *walk = NULL;
    struct walk_entry entry;
    struct rlimit before;
    make_folder(scratch("in/a"));
    write_text(scratch("in/a/file"), "");
    struct inputs *inputs = inputs_of("in");
    assert_int_equal(walk_create(&options, inputs, &walk), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(walk_next(walk, false, &entry), -EAGAIN);
    assert_int_equal(walk_next(walk, false, &entry), -EAGAIN);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(walk_next(walk, false, &entry), 1);
    assert_string_equal(entry.name, "file");
    walk_unget(walk);
    assert_int_equal(walk_next(walk, false, &entry), 1);
    assert_string_equal(entry.name, "file");
    assert_int_equal(walk_next(walk, false, &entry), 0);
    assert_int_equal(walk_next(walk, false, &entry), 0);
    walk_free(walk);

    assert_int_equal(walk_create(&options, inputs, &walk), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(walk_next(walk, true, &entry), 1);
    assert_int_equal(entry.kind, WALK_FAILED);
    assert_int_equal(entry.error, -EMFILE);
    assert_int_equal(walk_next(walk, true, &entry), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    walk_free(walk);
    inputs_free(inputs);
}

static void a_folder_moved_during_the_walk_does_not_lead_outside(void **state)
{
    (void)state;
    struct walk_options options = {.held_max = 1};
    struct walk *walk = NULL;
    struct walk_entry entry;
    make_folder(scratch("in/a/b/c"));
    make_folder(scratch("outside/b2"));
    write_text(scratch("in/a/b/c/file"), "");
    make_folder(scratch("in/a/z"));
    write_text(scratch("in/a/z/file"), "");
    make_folder(scratch("outside/z")); /* of the same name as one that is still to come */
    write_text(scratch("outside/z/secret"), "");
    struct inputs *inputs = inputs_of("in");
    assert_int_equal(walk_create(&options, inputs, &walk), 0);
    assert_int_equal(walk_next(walk, true, &entry), 1);
    assert_string_equal(entry.folder, "a/b/c");
    assert_int_equal(rename("in/a/b", "outside/b"), 0); /* its ".." is another folder now */
    int failed = 0;
    while (walk_next(walk, true, &entry) == 1) {
        assert_int_equal(entry.kind, WALK_FAILED);
        failed++;
    }
    assert_true(failed > 0);
    walk_free(walk);
    inputs_free(inputs);
}

static void many_folders_need_few_descriptors(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) { /* each is given back after its walk */
        make_folder(scratch("in/%03d/below", i));
        write_text(scratch("in/%03d/below/file", i), "");
    }
    const struct rlimit few = {.rlim_cur = 20, .rlim_max = 20};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    int files = 0;
    for (const char *at = walk_here((struct walk_options){0}); *at; at += strcspn(at, "\n") + 1)
        files += *at == 'F';
    assert_int_equal(files, 200);
}

static void siblings_tried_are_remembered_in_their_folder_only(void **state)
{
    (void)state;
    const struct walk_options options = {.hidden = false};
    struct walk *walk = NULL;
    struct walk_entry entry;
    make_folder(scratch("in/sub"));
    write_text(scratch("in/a"), "");
    write_text(scratch("in/b"), "");
    write_text(scratch("in/sub/c"), "");
    struct inputs *inputs = inputs_of("in");
    assert_int_equal(walk_create(&options, inputs, &walk), 0);
    assert_int_equal(walk_next(walk, true, &entry), 1);
    walk_mark_tried(walk);
    assert_int_equal(walk_next(walk, true, &entry), 1);
    assert_true(walk_sibling_tried(walk, "axx", 1));
    assert_false(walk_sibling_tried(walk, "b", 1));
    assert_false(walk_sibling_tried(walk, "nothing", 7));
    assert_int_equal(walk_next(walk, true, &entry), 1);
    assert_string_equal(entry.folder, "sub");
    assert_false(walk_sibling_tried(walk, "a", 1));
    walk_free(walk);
    inputs_free(inputs);
    assert_null(walk_free(NULL));
}

/* ---- What is left out ---------------------------------------------------------------------- */

static char *walk_with_globs(struct walk_options options, const struct options_glob *list,
                             size_t count, const char *const *paths)
{
    assert_int_equal(globs_create(list, count, &options.globs), 0);
    assert_int_equal(chdir(test_scratch()), 0);
    char *lines = walk_all(&options, paths);
    globs_free(options.globs);
    return lines;
}

static void excluded_folders_are_not_entered_and_excluded_files_are_told(void **state)
{
    (void)state;
    static const char *const here[] = {"in", NULL};
    static const struct options_glob list[] = {
        {"raw", false}, {"*.png", false}, {"!b.png", false}, {"/top/*.jpg", false}};
    make_folder(scratch("in/raw"));
    make_folder(scratch("in/top/top"));
    make_folder(scratch("in/x"));
    write_text(scratch("in/raw/a.jpg"), "");
    write_text(scratch("in/x/raw"), "");
    write_text(scratch("in/x/a.png"), "");
    write_text(scratch("in/x/b.png"), "");
    write_text(scratch("in/top/a.jpg"), "");
    write_text(scratch("in/top/top/a.jpg"), "");
    assert_string_equal(walk_with_globs((struct walk_options){0}, list, 4, here),
                        "S in/top/a.jpg: excluded\nF in/top/top/a.jpg\nS in/x/a.png: excluded\n"
                        "F in/x/b.png\nS in/x/raw: excluded\n");
    /* The patterns are about what is below a PATH, not about the PATH. */
    static const char *const deeper[] = {"in/raw", "in/top", NULL};
    assert_string_equal(walk_with_globs((struct walk_options){0}, list, 4, deeper),
                        "F in/raw/a.jpg\nF in/top/a.jpg\nS in/top/top/a.jpg: excluded\n");
}

static void only_what_is_included_is_met(void **state)
{
    (void)state;
    static const char *const here[] = {"in", "in/z.png", NULL};
    static const struct options_glob list[] = {
        {"*.jpg", true}, {"/all/", true}, {"t*", false}, {"link", true}};
    make_folder(scratch("in/all/sub"));
    make_folder(scratch("in/.h"));
    make_folder(scratch("aside"));
    write_text(scratch("in/all/sub/a.png"), "");
    write_text(scratch("in/all/sub/t.png"), "");
    write_text(scratch("in/.h/a.jpg"), "");
    write_text(scratch("in/.a.jpg"), "");
    write_text(scratch("in/z.png"), "");
    write_text(scratch("in/z.jpg"), "");
    write_text(scratch("aside/a.png"), "");
    assert_int_equal(symlink("../aside", scratch("in/link")), 0);
    assert_string_equal(
        walk_with_globs((struct walk_options){0}, list, 4, here),
        "S in/.a.jpg: hidden\nS in/link: symbolic link\nF in/z.jpg\nS in/z.png: named itself\n"
        "F in/all/sub/a.png\nS in/all/sub/t.png: excluded\nF in/z.png\n");
    const struct walk_options all = {.hidden = true, .follow = true};
    assert_non_null(strstr(walk_with_globs(all, list, 4, here), "F in/link/a.png\n"));
    assert_non_null(strstr(walk_with_globs(all, list, 4, here), "F in/.h/a.jpg\n"));
}

static void listed_paths_come_after_those_of_the_command_line(void **state)
{
    (void)state;
    const char *paths[] = {"in/b"};
    struct options asked = {.paths = paths, .path_count = 1, .files_from = "list"};
    struct inputs *inputs = NULL;
    struct text message = TEXT_INIT, lines = TEXT_INIT;
    make_folder(scratch("in/a"));
    make_folder(scratch("in/b"));
    write_text(scratch("in/a/1"), "");
    write_text(scratch("in/a/2"), "");
    write_text(scratch("in/b/3"), "");
    write_text(scratch("list"), "in/a/1\nin/a\nnothing\nin/a/1\nin/b/3\nin/a/2");
    assert_int_equal(chdir(test_scratch()), 0);
    for (unsigned number = 0; number < INPUTS_WALKS; number++) {
        for (asked.path_count = 0; asked.path_count < 2; asked.path_count++) {
            const struct walk_options options = {.number = number};
            struct walk *walk = NULL;
            struct walk_entry entry;
            text_cut(&lines, 0);
            assert_int_equal(inputs_create(&asked, &inputs, &message), 0);
            assert_int_equal(walk_create(&options, inputs, &walk), 0);
            while (walk_next(walk, true, &entry) == 1) {
                text_printf(&lines, "%d ", entry.kind);
                plan_shown(&lines, inputs, &entry);
                text_printf(&lines, "%s%s\n", entry.kind == WALK_SKIPPED ? ": " : "",
                            entry.kind == WALK_SKIPPED ? entry.why : "");
                walk_unget(walk); /* it comes again, and is no other for that */
                const enum walk_kind kind = entry.kind;
                assert_int_equal(walk_next(walk, true, &entry), 1);
                if (!entry.named || kind != WALK_SKIPPED)
                    assert_int_equal(entry.kind, kind);
            }
            walk_free(walk);
            inputs_free(inputs);
            const char *listed = "0 in/a/1\n1 in/a/1: named itself\n1 in/a/2: named itself\n"
                                 "2 nothing\n1 in/a/1: met before\n0 in/b/3\n0 in/a/2\n";
            const char *first = "1 in/b/3: named itself\n";
            if (asked.path_count == 1)
                assert_string_equal(text_string(&lines),
                                    scratch("%s%s", first, listed) + strlen(test_scratch()) + 1);
            else
                assert_string_equal(text_string(&lines), listed);
        }
    }
    text_done(&lines);
    text_done(&message);
}

/* The first file of a large tree is there before the tree is known. */
static void the_first_file_comes_when_only_the_way_to_it_was_read(void **state)
{
    (void)state;
    struct inode_set folders = INODE_SET_INIT;
    const struct walk_options options = {.read_folders = &folders};
    struct walk *walk = NULL;
    struct walk_entry entry;
    for (int i = 0; i < 200; i++) {
        make_folder(scratch("in/%03d/below", i));
        write_text(scratch("in/%03d/below/a.jpg", i), "");
    }
    struct inputs *inputs = inputs_of("in");
    assert_int_equal(walk_create(&options, inputs, &walk), 0);
    for (size_t i = 0; i < 200; i++) {
        assert_int_equal(walk_next(walk, true, &entry), 1);
        assert_int_equal(folders.count, 1 + 2 * (i + 1));
    }
    assert_int_equal(walk_next(walk, true, &entry), 0);
    walk_free(walk);
    inputs_free(inputs);
    inode_set_done(&folders);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(files_come_first_and_all_in_bytewise_order),
        TEST(several_paths_are_walked_in_their_order),
        TEST(hidden_entries_are_left_alone_unless_wanted),
        TEST(what_is_no_regular_file_is_skipped),
        TEST(followed_links_do_not_lead_in_circles),
        TEST(output_roots_are_not_entered),
        TEST(folders_read_are_registered),
        TEST(an_unreadable_folder_is_a_failed_input),
        TEST(very_deep_trees_are_walked_with_few_descriptors),
        TEST(a_walk_short_of_descriptors_waits_when_told_to),
        TEST(a_folder_moved_during_the_walk_does_not_lead_outside),
        TEST(many_folders_need_few_descriptors),
        TEST(siblings_tried_are_remembered_in_their_folder_only),
        TEST(excluded_folders_are_not_entered_and_excluded_files_are_told),
        TEST(only_what_is_included_is_met),
        TEST(listed_paths_come_after_those_of_the_command_line),
        TEST(the_first_file_comes_when_only_the_way_to_it_was_read),
    };
    return test_run("app walk", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
